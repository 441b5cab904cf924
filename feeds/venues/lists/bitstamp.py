"""Bitstamp: GET /markets/, spot and perpetuals in one list; until about 2024 it was called trading-pairs-info/.

Steps are told by numbers of decimals. The older form has no currencies but in `name`, and the smallest order with its
currency: "20.0 USD". One contract of a perpetual is one base unit, which is what its book is in too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, reader, step_of, told

HOST = "https://www.bitstamp.net/api/v2"
ADDRESSES = {"": (f"{HOST}/markets/",)}

KIND = {"SPOT": "spot", "PERPETUAL": "perpetual"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"name":"BTC/USD","market_symbol":"btcusd","base_currency":"BTC","base_decimals":8,"counter_currency":"USD",
    #  "counter_decimals":0,"minimum_order_value":"10","trading":"Enabled","market_type":"SPOT", ...}
    # perpetuals: "name":"BTC/USD-PERP","market_symbol":"btcusd-perp","market_type":"PERPETUAL","payoff_type":"Linear",
    #  "contract_size":"1.00000000"
    # 2022: {"name":"BTC/USD","url_symbol":"btcusd","base_decimals":8,"counter_decimals":2,"minimum_order":"20.0 USD",
    #  "trading":"Enabled", ...}
    if isinstance(answer, dict):                  # {"status":"error","reason":"..."}
        raise TypeError(answer.get("reason"))
    for entry in answer:
        symbol = entry.get("market_symbol") or entry["url_symbol"]
        base, _, quote = entry["name"].removesuffix("-PERP").partition("/")
        base, quote = entry.get("base_currency", base), entry.get("counter_currency", quote)
        kind = KIND.get(entry.get("market_type") or ("PERPETUAL" if symbol.endswith("-perp") else "SPOT"), "combo")
        value = entry.get("minimum_order_value") or entry.get("minimum_order", "").partition(" ")[0]
        size = entry.get("contract_size") if kind != "spot" else None
        yield Instrument(
            symbol, step_of(entry["counter_decimals"]), step_of(entry["base_decimals"]), "", kind, base, quote,
            "" if kind == "spot" else quote, "", told(value), told(size),
            "" if not size else quote if entry.get("payoff_type") == "Inverse" else base,
            status="trading" if entry.get("trading", "Enabled") == "Enabled" else "halted")


read = reader("a list of markets with name, market_symbol and decimals", instruments)
