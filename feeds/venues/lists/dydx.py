"""dYdX: GET /v4/perpetualMarkets, all of its markets: perpetuals in USD that settle in USDC.

The list of v3 (2021 to 2024) had the currencies and a smallest order besides; v4 has them in `ticker` only, where an
isolated market names its token as SYMBOL,EXCHANGE,ADDRESS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, plain_text, reader, told

ADDRESSES = {"": ("https://indexer.dydx.trade/v4/perpetualMarkets",)}

STATUS = {"ACTIVE": "trading", "ONLINE": "trading", "INITIALIZING": "pre", "FINAL_SETTLEMENT": "closed"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"markets":{"BTC-USD":{"ticker":"BTC-USD","status":"ACTIVE","tickSize":"1","stepSize":"0.0001", ...}, ...}}
    # v3: {"markets":{"BTC-USD":{"market":"BTC-USD","status":"ONLINE","baseAsset":"BTC","quoteAsset":"USD",
    #   "stepSize":"0.0001","tickSize":"1","minOrderSize":"0.001","type":"PERPETUAL", ...}, ...}}
    for symbol, entry in answer["markets"].items():
        base, _, quote = symbol.rpartition("-")
        yield Instrument(
            symbol, plain_text(entry["tickSize"]), plain_text(entry["stepSize"]), "", "perpetual",
            entry.get("baseAsset") or base.partition(",")[0], entry.get("quoteAsset") or quote, "USDC",
            told(entry.get("minOrderSize")), status=STATUS.get(entry["status"], "halted"))


read = reader("a list of markets with status, tickSize and stepSize", instruments)
