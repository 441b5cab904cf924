"""BitMEX: GET /api/v1/instrument/active, one list of everything.

Sizes are contracts. One is so much of the quote currency where it is inverse (XBTUSD: 1 USD), else so much of the base
(XBTUSDT: 0.000001 BTC, also on spot). A quanto contract has no fixed size in either: it is worth its price times
`contract_size` of the currency that it is settled in, which is its `contract_unit`. The venue's `multiplier` is that
same size in the smallest parts of the settlement currency, no factor besides. Codes are the venue's: XBT, XBt, USDt.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader, told

ADDRESSES = {"": ("https://www.bitmex.com/api/v1/instrument/active",)}

CODES = {"XBT": "BTC"}
# Unit that results are settled in -> its currency, and how many of it are one of that
UNITS = {"XBt": ("BTC", 100_000_000), "USDt": ("USDT", 1_000_000), "Gwei": ("ETH", 1_000_000_000)}
KIND = {"IF": "spot", "OC": "option", "OP": "option", "MR": "index"}
STATUS = {"Open": "trading", "Unlisted": "pre", "Closed": "halted", "Halted": "halted"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # [{"symbol":"XBTUSD","state":"Open","typ":"FFWCSX","expiry":null,"underlying":"XBT","quoteCurrency":"USD",
    #  "lotSize":100,"tickSize":0.5,"multiplier":-100000000,"settlCurrency":"XBt","isQuanto":false,"isInverse":true,
    #  "underlyingToPositionMultiplier":null,"underlyingToSettleMultiplier":-100000000,
    #  "quoteToSettleMultiplier":null,"optionStrikePrice":null, ...}, ...]; an index has no tick
    for entry in answer:
        if entry["tickSize"] is None:
            continue
        typ, unit = entry["typ"], entry.get("settlCurrency") or ""
        expiry = expiry_of(entry["expiry"])
        kind = KIND.get(typ[:2]) or ("future" if expiry else "perpetual")
        base, quote = entry["underlying"], entry["quoteCurrency"]
        base, quote = CODES.get(base, base), CODES.get(quote, quote)
        settle, parts = UNITS.get(unit, (unit.upper(), 0))
        size, sized_in = contract(entry, base, quote, settle, parts)
        lot = plain_text(entry.get("lotSize") or 1)
        yield Instrument(
            entry["symbol"], plain_text(entry["tickSize"]), lot, "", kind, base, quote,
            settle if kind != "spot" else "", lot, "", size, sized_in, "", expiry,
            told(entry.get("optionStrikePrice")) if kind == "option" else "",
            {"OC": "call", "OP": "put"}.get(typ[:2], ""), STATUS.get(entry["state"], "closed"))


def contract(entry: Any, base: str, quote: str, settle: str, parts: int) -> tuple[str, str]:
    """What one contract is, and its currency; both "" if the list does not say."""
    if entry["isQuanto"]:
        return (plain_text(Decimal(entry["multiplier"]) / parts), settle) if parts else ("", "")
    if entry["isInverse"]:
        part = entry.get("underlyingToSettleMultiplier")
        return (plain_text(Decimal(entry["multiplier"]) / part), quote) if part else ("", "")
    per_unit = entry.get("underlyingToPositionMultiplier")
    return (plain_text(1 / Decimal(per_unit)), base) if per_unit else ("", "")


read = reader("a list of instruments with symbol, typ, tickSize and lotSize", instruments)
