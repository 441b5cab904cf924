"""Gate.io: GET /api/v4/spot/currency_pairs, and /futures/{settle}/contracts for each coin that settles contracts.

Quantities are base coin on spot, contracts on futures: of quanto_multiplier base coin, of 1 USD where they are inverse.
A contract priced in USD but not inverse is a quanto: quanto_multiplier is then in the coin it is settled in, BTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader, step_of, told

HOST = "https://api.gateio.ws/api/v4"
ADDRESSES = {"spot": (f"{HOST}/spot/currency_pairs",),
             "futures": (f"{HOST}/futures/usdt/contracts", f"{HOST}/futures/btc/contracts",
                         f"{HOST}/futures/usd1/contracts")}


def instruments(answer: Any) -> Iterator[Instrument]:
    for entry in answer:
        yield contract(entry) if "name" in entry else pair(entry)


def pair(entry: Any) -> Instrument:
    # {"id":"AME_ETH","base":"AME","quote":"ETH","min_base_amount":"1","min_quote_amount":"0.001","amount_precision":3,
    #  "precision":8,"trade_status":"tradable", ...}: untradable, buyable and sellable are the others
    return Instrument(
        entry["id"], step_of(entry["precision"]), step_of(entry["amount_precision"]), "spot", "spot", entry["base"],
        entry["quote"], "", told(entry.get("min_base_amount")), told(entry.get("min_quote_amount")),
        status="trading" if entry["trade_status"] == "tradable" else "halted")


def contract(entry: Any) -> Instrument:
    # {"name":"KNC_USDT","type":"direct","order_price_round":"0.0001","order_size_min":1,"quanto_multiplier":"1",
    #  "in_delisting":false,"position_size":5, ...}; dated ones have "underlying":"BTC_USDT","expire_time":1640332800
    base, quote = (entry.get("underlying") or entry["name"]).split("_")[:2]
    least = plain_text(entry["order_size_min"])
    size, unit = plain_text(entry["quanto_multiplier"]), base
    settle = quote
    if entry["type"] == "inverse":
        size, unit, settle = "1", quote, base
    elif quote == "USD":
        unit = settle = "BTC"
    expiry = expiry_of(entry.get("expire_time"))
    status = "trading"
    if entry.get("in_delisting"):                 # for good, once no position is left
        status = "halted" if float(entry.get("position_size") or 0) else "closed"
    return Instrument(
        entry["name"], plain_text(entry["order_price_round"]), least if "." in least else "1", "futures",
        "future" if expiry else "perpetual", base, quote, settle, least, "", size, unit, "", expiry, status=status)


read = reader("a list of pairs or contracts with their steps", instruments)
