"""Gemini: GET /v1/symbols names what there is, GET /v1/symbols/details/SYMBOL tells the rest of one symbol each.

There is no list of all details (probed in 2026-09: 347 symbols), and 120 requests a minute are allowed: to have all
takes minutes. `tick_size` is the step of the quantity, `quote_increment` that of the price. Sizes of perpetuals are
base units. Four of them that are quoted in USDC have contract_price_currency GUSD; the venue says that those settle in
USDC, so it is the quote currency that counts here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, plain_text, reader

HOST = "https://api.gemini.com"
ADDRESSES = {"": (f"{HOST}/v1/symbols",)}

KIND = {"spot": "spot", "swap": "perpetual"}
STATUS = {"open": "trading", "limit_only": "trading", "closed": "closed"}


def next_page(url: str, body: bytes) -> tuple[str, ...]:
    """Addresses of the details, of an answer that is the list of names."""
    if not url.split("?")[0].endswith("/v1/symbols"):
        return ()
    return tuple(f"{HOST}/v1/symbols/details/{symbol}" for symbol in json.loads(body))


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"symbol":"BTCUSD","base_currency":"BTC","quote_currency":"USD","tick_size":1E-8,"quote_increment":0.01,
    #  "min_order_size":"0.00001","status":"open"}, since 2022 also "wrap_enabled":false,"product_type":"swap",
    #  "contract_type":"linear","contract_price_currency":"GUSD"; or several of them in a list, or names: ["btcusd"]
    several = isinstance(answer, list)
    for entry in answer if several else [answer]:
        if several and isinstance(entry, str):
            continue                              # a name has no figures: see next_page
        kind = KIND.get(entry.get("product_type", "spot"), "combo")
        quote = entry["quote_currency"]
        yield Instrument(
            entry["symbol"].lower(), plain_text(entry["quote_increment"]), plain_text(entry["tick_size"]), "", kind,
            entry["base_currency"], quote, "" if kind == "spot" else quote, plain_text(entry["min_order_size"]),
            status=STATUS.get(entry["status"], "halted"))


read = reader("an instrument with symbol, quote_increment and tick_size", instruments)
