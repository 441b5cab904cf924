"""MEXC: spot by /api/v3/exchangeInfo, contracts by /api/v1/contract/detail; all contracts are perpetual.

Quantities of contracts are contracts of contractSize base coins, or, where they are settled in the base coin, USD.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, plain_text, reader, step_of

ADDRESSES = {"spot": ("https://api.mexc.com/api/v3/exchangeInfo",),
             "contract": ("https://api.mexc.com/api/v1/contract/detail",)}

STATUS = {"1": "trading", "2": "halted", "3": "closed", "ENABLED": "trading"}
# enabled, in delivery, delivered, offline, paused
STATE = {0: "trading", 1: "closed", 2: "closed", 3: "closed", 4: "halted"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"symbols":[{"symbol":"BTCUSDT","status":"1","baseAsset":"BTC","baseAssetPrecision":8,"quoteAsset":"USDT",
    #  "quotePrecision":2,"baseSizePrecision":"0.000001","quoteAmountPrecision":"1", ...}], ...}: the last are the step
    # and the least value of an order; a baseSizePrecision of 0 says nothing
    for entry in answer.get("symbols", ()):
        lot = plain_text(entry.get("baseSizePrecision") or 0)
        value = plain_text(entry.get("quoteAmountPrecision") or 0)
        yield Instrument(
            entry["symbol"], step_of(entry["quotePrecision"]),
            lot if lot != "0" else step_of(entry["baseAssetPrecision"]), "spot", "spot", entry["baseAsset"],
            entry["quoteAsset"], "", lot if lot != "0" else "", value if value != "0" else "",
            status=STATUS.get(str(entry.get("status", "1")), "halted"))
    # {"success":true,"code":0,"data":[{"symbol":"BTC_USDT","baseCoin":"BTC","quoteCoin":"USDT","settleCoin":"USDT",
    #  "contractSize":0.0001,"priceUnit":0.1,"volUnit":1,"minVol":1,"state":0, ...}]}
    for entry in () if "symbols" in answer else answer["data"]:
        inverse = entry["settleCoin"] == entry["baseCoin"]
        yield Instrument(
            entry["symbol"], plain_text(entry["priceUnit"]), plain_text(entry["volUnit"]), "contract", "perpetual",
            entry["baseCoin"], entry["quoteCoin"], entry["settleCoin"], plain_text(entry["minVol"]), "",
            plain_text(entry["contractSize"]), entry["quoteCoin" if inverse else "baseCoin"],
            status=STATE.get(entry["state"], "halted"))


read = reader("a list of symbols with quotePrecision or priceUnit, and their coins", instruments)
