"""Binance: GET exchangeInfo of spot, USD-M and COIN-M futures, in one shape.

Quantities are base coin; of COIN-M futures contracts of contractSize USD. What has no delivery is delivered in 2100.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader, told

# by market; each is a venue of its own here
ADDRESSES = {"spot": ("https://api.binance.com/api/v3/exchangeInfo",),
             "usdm": ("https://fapi.binance.com/fapi/v1/exchangeInfo",),
             "coinm": ("https://dapi.binance.com/dapi/v1/exchangeInfo",)}

NEVER = 4133404800000       # ms, the deliveryDate of what is perpetual
STATUS = {"TRADING": "trading", "PENDING_TRADING": "pre", "PRE_TRADING": "pre",
          "SETTLING": "closed", "DELIVERING": "closed", "DELIVERED": "closed", "CLOSE": "closed"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[
    #   {"filterType":"PRICE_FILTER","tickSize":"0.01000000", ...},
    #   {"filterType":"LOT_SIZE","minQty":"0.00001000","stepSize":"0.00001000", ...},
    #   {"filterType":"NOTIONAL","minNotional":"5.00000000", ...}, ...], ...}], ...}
    # {"symbols":[{"symbol":"BTCUSD_210924","contractType":"CURRENT_QUARTER","deliveryDate":1632470400000,
    #   "contractStatus":"TRADING","contractSize":100,"marginAsset":"BTC","baseAsset":"BTC","quoteAsset":"USD", ...}]}
    for entry in answer["symbols"]:
        rules = {rule["filterType"]: rule for rule in entry["filters"]}
        least = rules.get("NOTIONAL") or rules.get("MIN_NOTIONAL") or {}
        value = least.get("minNotional") or least.get("notional")
        size, delivery, kind = entry.get("contractSize"), entry.get("deliveryDate", NEVER), "spot"
        if "contractType" in entry:               # CURRENT_QUARTER, TRADIFI_PERPETUAL, PERPETUAL_DELIVERING
            kind = "perpetual" if "PERPETUAL" in entry["contractType"] or delivery >= NEVER else "future"
        yield Instrument(
            entry["symbol"], plain_text(rules["PRICE_FILTER"]["tickSize"]), plain_text(rules["LOT_SIZE"]["stepSize"]),
            "", kind, entry["baseAsset"], entry["quoteAsset"], entry.get("marginAsset", ""),
            plain_text(rules["LOT_SIZE"]["minQty"]), told(value),
            told(size), entry["quoteAsset"] if size else "", "",
            expiry_of(delivery) if kind == "future" else 0,
            status=STATUS.get(entry.get("status") or entry.get("contractStatus", ""), "halted"))


read = reader("a list of instruments with symbol, baseAsset, quoteAsset, tickSize and stepSize", instruments)
