"""Kraken Futures: GET /derivatives/api/v3/instruments, one list of everything.

Contracts are 1 USD for the inverse PI_ and FI_, 1 base unit for the linear PF_ and FF_; a quantity is contracts, in
steps of 10 ** -contractValueTradePrecision. Indices have no tick and are left out. Symbols were in small letters in
2021, but in capitals in the stream, as they are in the list today.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader

ADDRESSES = {"": ("https://futures.kraken.com/derivatives/api/v3/instruments",)}

CODES = {"XBT": "BTC", "XDG": "DOGE"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"result":"success","instruments":[{"symbol":"PF_XBTUSD","type":"flexible_futures","base":"BTC","quote":"USD",
    #  "tickSize":1,"contractSize":1,"contractValueTradePrecision":4,"tradeable":true,"postOnly":false, ...},
    #  {"symbol":"fi_xbtusd_210924","type":"futures_inverse","lastTradingTime":"2021-09-24T15:00:00.000Z", ...}]}
    for entry in answer["instruments"]:
        if entry.get("tickSize") is None:
            continue                              # an index
        symbol = entry["symbol"].upper()
        pair = symbol.split("_")[1]               # 2021 named no base and no quote
        base = entry.get("base") or pair[:-3]
        quote = entry.get("quote") or pair[-3:]
        base, quote = CODES.get(base, base), CODES.get(quote, quote)
        inverse = "inverse" in entry["type"]
        expiry = expiry_of(entry.get("lastTradingTime"))
        lot = plain_text(f"1e{-int(entry.get('contractValueTradePrecision') or 0)}")
        yield Instrument(
            symbol, plain_text(entry["tickSize"]), lot, "", "future" if expiry else "perpetual", base, quote,
            base if inverse else quote, lot, "", plain_text(entry["contractSize"]), quote if inverse else base, "",
            expiry, status="trading" if entry["tradeable"] and not entry.get("postOnly") else "halted")


read = reader("a list of instruments with symbol, type, tickSize and contractSize", instruments)
