"""Bybit: GET /v5/market/instruments-info, one list a category, options by base coin; pages of at most 1,000.

Quantities of linear contracts and options are base coin, one contract of an inverse one is 1 USD: no list says so. The
list of v2 (2021) had linear and inverse contracts in one. Only what trades is listed unless a status is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader, told

HOST = "https://api.bybit.com/v5/market/instruments-info"
ADDRESSES = {
    "spot": (f"{HOST}?category=spot&limit=1000",),
    "linear": (f"{HOST}?category=linear&limit=1000",),
    "inverse": (f"{HOST}?category=inverse&limit=1000",),
    "option": tuple(f"{HOST}?category=option&limit=1000&baseCoin={coin}" for coin in ("BTC", "ETH", "SOL")),
}

STATUS = {"Trading": "trading", "PreLaunch": "pre", "Delivering": "closed", "Closed": "closed"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"retCode":0,"result":{"category":"linear","list":[{"symbol":"BTCUSDT","contractType":"LinearPerpetual",
    #  "status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","deliveryTime":"0","priceFilter":{"tickSize":"0.10", ...},
    #  "lotSizeFilter":{"minOrderQty":"0.001","qtyStep":"0.001","minNotionalValue":"5", ...},"settleCoin":"USDT", ...}],
    #  "nextPageCursor":""}}; of spot the step is basePrecision, the smallest value minOrderAmt
    if isinstance(answer["result"], list):
        yield from old_instruments(answer["result"])
        return
    market = answer["result"]["category"]
    for entry in answer["result"]["list"]:
        lot = entry["lotSizeFilter"]
        size, unit = ("1", entry["quoteCoin"]) if market == "inverse" else ("", "")
        kind = market
        if market in ("linear", "inverse"):       # LinearPerpetual, InversePerpetual, LinearFutures, InverseFutures
            kind = "perpetual" if entry["contractType"].endswith("Perpetual") else "future"
        yield Instrument(
            entry["symbol"], plain_text(entry["priceFilter"]["tickSize"]),
            plain_text(lot.get("qtyStep") or lot["basePrecision"]), market, kind, entry["baseCoin"], entry["quoteCoin"],
            entry.get("settleCoin", "") if kind != "spot" else "", told(lot.get("minOrderQty")),
            told(lot.get("minNotionalValue") or lot.get("minOrderAmt")), size, unit, "",
            expiry_of(entry.get("deliveryTime")) if kind in ("future", "option") else 0,
            # ETH-26JUN26-16000-P, BTC-27MAR26-70000-P-USDT: the name alone has the strike
            plain_text(entry["symbol"].split("-")[2]) if kind == "option" else "",
            entry.get("optionsType", "").lower(), STATUS.get(entry.get("status", ""), "halted"))


def old_instruments(entries: Any) -> Iterator[Instrument]:
    # {"name":"BTCUSDU21","alias":"BTCUSD0924","status":"Trading","base_currency":"BTC","quote_currency":"USD",
    #  "price_filter":{"tick_size":"0.5", ...},"lot_size_filter":{"min_trading_qty":1,"qty_step":1, ...}, ...}
    for entry in entries:
        base, quote, lot = entry["base_currency"], entry["quote_currency"], entry["lot_size_filter"]
        inverse = quote == "USD"
        size, unit, expiry = "1" if inverse else "", quote if inverse else "", 0
        if entry["alias"] != entry["name"]:       # BTCUSDU21 is BTCUSD0924: month and day, delivered at 08:00 UTC
            expiry = expiry_of(f"20{entry['name'][-2:]}-{entry['alias'][-4:-2]}-{entry['alias'][-2:]}T08:00:00Z")
        yield Instrument(
            entry["name"], plain_text(entry["price_filter"]["tick_size"]), plain_text(lot["qty_step"]),
            "inverse" if inverse else "linear", "future" if expiry else "perpetual", base, quote,
            base if inverse else quote, plain_text(lot["min_trading_qty"]), "", size, unit,
            expiry_ns=expiry, status=STATUS.get(entry["status"], "halted"))


def next_page(address: str, body: bytes) -> tuple[str, ...]:
    """Address of the page behind this answer of `address`; none if it is the last."""
    try:
        cursor = json.loads(body)["result"].get("nextPageCursor")
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return ()
    return (f"{address.partition('&cursor=')[0]}&cursor={cursor}",) if cursor and isinstance(cursor, str) else ()


read = reader("a list of instruments with symbol, baseCoin, quoteCoin, tickSize and a step of size", instruments)
