"""Bitfinex: GET /v2/conf, a list of pairs with the sizes of their orders, one of spot and one of perpetuals.

The venue has no ticks: prices keep five significant digits. Quantities are base units with up to 8 decimals.
Currencies have codes of the venue's own; those of derivatives end in F0. An instrument is written as t and its pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, reader, told

HOST = "https://api-pub.bitfinex.com/v2/conf"
ADDRESSES = {"": (f"{HOST}/pub:info:pair", f"{HOST}/pub:info:pair:futures")}

# The venue's code of a currency -> the common one, where they differ. A million DOGE is MDOGE.
CODES = {
    "ALG": "ALGO", "AMP": "AMPL", "ATO": "ATOM", "BCHABC": "XEC", "BCHN": "BCH", "DAT": "DATA", "DOG": "MDOGE",
    "DSH": "DASH", "EDO": "PNT", "EUS": "EURS", "EUT": "EURT", "GNT": "GLM", "IOT": "IOTA", "IQX": "IQ", "MNA": "MANA",
    "PAS": "PASS", "QSH": "QASH", "QTM": "QTUM", "RBT": "RBTC", "SNG": "SNGLS", "STJ": "STORJ", "TERRAUST": "USTC",
    "TSD": "TUSD", "UDC": "USDC", "UST": "USDT", "VSY": "VSYS", "WAX": "WAXP", "WBT": "WBTC", "XCH": "XCHF",
    "YYW": "YOYOW",
}


def currency(code: str) -> str:
    """The common code: USDT for USTF0."""
    code = code.removesuffix("F0")
    return CODES.get(code, code)


def instruments(answer: Any) -> Iterator[Instrument]:
    # [[["AAVE:USD",[null,null,null,"0.02","5000.0",null,null,null,0.3,0.2,null]], ...]]: 3 is the smallest order, 4 the
    # largest. pub:list:pair:exchange and pub:list:pair:futures have the pairs alone: [["BTCUSD","AAVE:USD", ...]]
    if not isinstance(answer[0], list):
        raise ValueError(f"{answer[0]!r} is no list")
    for entry in answer[0]:
        pair, sizes = (entry, None) if isinstance(entry, str) else entry[:2]
        base, _, quote = pair.partition(":")
        if not quote:
            if len(pair) != 6:
                raise ValueError(f"{pair!r} is no pair")
            base, quote = pair[:3], pair[3:]
        kind = "perpetual" if base.endswith("F0") else "spot"
        yield Instrument(
            "t" + pair, "", "0.00000001", "", kind, currency(base), currency(quote),
            currency(quote) if kind == "perpetual" else "", told(sizes[3] if sizes else None))


read = reader("a list of pairs", instruments)
