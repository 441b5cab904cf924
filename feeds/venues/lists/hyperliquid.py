"""Hyperliquid: POST /info, {"type":"allPerpMetas"} for the perpetuals of all exchanges on it, {"type":"spotMeta"}.

An address here ends with what has to be posted to it, as a fragment. No list has ticks: prices have up to five figures
and up to 6 (spot: 8) less szDecimals decimals, so the step told here is the smallest there can be. Sizes are coins, and
one contract is one coin. A perpetual is quoted and settled in the collateral of its exchange, which the list names by
the number of a token; of a number that is not known here the perpetual keeps the venue's name. The coins of other
builders' exchanges keep their prefix (xyz:SP500): they are other contracts, with prices of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, reader, step_of

HOST = "https://api.hyperliquid.xyz/info"
ADDRESSES = {"": (f'{HOST}#{{"type":"allPerpMetas"}}', f'{HOST}#{{"type":"spotMeta"}}')}

CODES = {"USDT0": "USDT"}
COLLATERAL = {0: "USDC", 235: "USDE", 268: "USDT", 360: "USDH"}         # as spotMeta named them in 2026-09

PERPETUAL_DECIMALS, SPOT_DECIMALS = 6, 8


def spot(answer: Any) -> Iterator[Instrument]:
    # {"universe":[{"tokens":[1,0],"name":"PURR/USDC","index":0,"isCanonical":true}, ...],
    #  "tokens":[{"name":"USDC","szDecimals":8,"weiDecimals":8,"index":0,"tokenId":"0x6d1e", ...}, ...]}
    tokens = {token["index"]: token for token in answer["tokens"]}
    for pair in answer["universe"]:
        base, quote = (tokens[index] for index in pair["tokens"])
        decimals = base["szDecimals"]
        yield Instrument(
            pair["name"], step_of(max(SPOT_DECIMALS - decimals, 0)), step_of(decimals), "", "spot",
            CODES.get(base["name"], base["name"]), CODES.get(quote["name"], quote["name"]))


def perpetuals(meta: Any) -> Iterator[Instrument]:
    # {"universe":[{"szDecimals":5,"name":"BTC","maxLeverage":40,"marginTableId":56}, ...],"collateralToken":0, ...};
    # isDelisted stands where it is true, and the number of the collateral is missing before 2025
    currency = COLLATERAL.get(meta.get("collateralToken", 0), "")
    for coin in meta["universe"]:
        decimals = coin["szDecimals"]
        yield Instrument(
            coin["name"], step_of(max(PERPETUAL_DECIMALS - decimals, 0)), step_of(decimals), "", "perpetual",
            coin["name"], currency, currency, status="closed" if coin.get("isDelisted") else "trading")


def instruments(answer: Any) -> Iterator[Instrument]:
    """Those of spotMeta, meta, allPerpMetas (a meta for each exchange), or of one of them with its contexts."""
    if isinstance(answer, list):
        metas = [meta for meta in answer if isinstance(meta, dict)]
        if not metas:
            raise TypeError("universe")
        for meta in metas:
            yield from instruments(meta)
    elif "tokens" in answer:
        yield from spot(answer)
    else:
        yield from perpetuals(answer)


read = reader("a universe of coins with name and szDecimals", instruments)
