"""Crypto.com Exchange: GET /public/get-instruments, spot, perpetuals and futures in one list.

Sizes are base units, also of derivatives (their contract_size is 1), which settle in their quote currency. The list of
v2 (2021) had spot only, by numbers of decimals.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader, step_of, told

ADDRESSES = {"": ("https://api.crypto.com/exchange/v1/public/get-instruments",)}

KIND = {"CCY_PAIR": "spot", "PERPETUAL_SWAP": "perpetual", "FUTURE": "future"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"result":{"data":[{"symbol":"BTCUSD-PERP","inst_type":"PERPETUAL_SWAP","base_ccy":"BTC","quote_ccy":"USD",
    #   "price_tick_size":"0.1","qty_tick_size":"0.0001","contract_size":"1","tradable":true,"expiry_timestamp_ms":0,
    #   "underlying_symbol":"BTCUSD-INDEX", ...}]}, ...}; of spot without contract_size and underlying_symbol
    # v2: {"result":{"instruments":[{"instrument_name":"BTC_USDT","quote_currency":"USDT","base_currency":"BTC",
    #   "price_decimals":2,"quantity_decimals":6, ...}]}, ...}
    result = answer["result"]
    for entry in result.get("instruments", ()):
        yield Instrument(
            entry["instrument_name"], step_of(entry["price_decimals"]), step_of(entry["quantity_decimals"]), "", "spot",
            entry["base_currency"], entry["quote_currency"])
    for entry in result["data"] if "instruments" not in result else ():
        kind = KIND.get(entry["inst_type"], "combo")
        derived = kind != "spot"
        base, quote = entry["base_ccy"], entry["quote_ccy"]
        size = entry.get("contract_size") if derived else None
        yield Instrument(
            entry["symbol"], plain_text(entry["price_tick_size"]), plain_text(entry["qty_tick_size"]), "", kind, base,
            quote, quote if derived else "", "", "", told(size), base if size else "", "",
            expiry_of(entry["expiry_timestamp_ms"]) if kind == "future" else 0,
            status="trading" if entry["tradable"] else "halted")


read = reader("a list of instruments with symbol, price_tick_size and qty_tick_size", instruments)
