"""KuCoin: spot by /api/v2/symbols (v1 in 2021), futures by /api/v1/contracts/active.

Quantities of futures are lots: `multiplier` base coins each, or, where it is below 0 (inverse), 1 USD. Futures write
XBT for BTC. Their numbers may have exponents (6.0e-4).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader, told

ADDRESSES = {"spot": ("https://api.kucoin.com/api/v2/symbols",),
             "futures": ("https://api-futures.kucoin.com/api/v1/contracts/active",)}

COMMON = {"XBT": "BTC"}
STATUS = {"Init": "pre", "Open": "trading", "Paused": "halted", "CancelOnly": "halted", "BeingSettled": "closed",
          "Settled": "closed", "Closed": "closed"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"code":"200000","data":[{"symbol":"REQ-ETH","baseCurrency":"REQ","quoteCurrency":"ETH","baseMinSize":"1",
    #  "baseIncrement":"0.0001","priceIncrement":"0.0000001","minFunds":"0.1","enableTrading":true, ...}]}
    # {"code":"200000","data":[{"symbol":"XBTUSDTM","type":"FFWCSX","status":"Open","baseCurrency":"XBT",
    #  "quoteCurrency":"USDT","settleCurrency":"USDT","isInverse":false,"expireDate":null,"lotSize":1,"tickSize":0.1,
    #  "multiplier":0.001, ...}]}
    for entry in answer["data"]:
        base, quote = common(entry["baseCurrency"]), common(entry["quoteCurrency"])
        if "tickSize" not in entry:
            yield Instrument(
                entry["symbol"], plain_text(entry["priceIncrement"]), plain_text(entry["baseIncrement"]), "spot",
                "spot", base, quote, "", plain_text(entry["baseMinSize"]), told(entry.get("minFunds")),
                status="trading" if entry.get("enableTrading", True) else "halted")
            continue
        size = plain_text(entry["multiplier"]).lstrip("-")
        dated = entry["type"] == "FFICSX"
        yield Instrument(
            entry["symbol"], plain_text(entry["tickSize"]), plain_text(entry["lotSize"]), "futures",
            "future" if dated else "perpetual", base, quote, common(entry["settleCurrency"]),
            plain_text(entry["lotSize"]), "", size, quote if entry["isInverse"] else base, "",
            expiry_of(entry["expireDate"]) if dated else 0, status=STATUS.get(entry["status"], "halted"))


def common(currency: str) -> str:
    """The common code of a currency."""
    return COMMON.get(currency, currency)


read = reader("a list of symbols or contracts with their currencies and steps", instruments)
