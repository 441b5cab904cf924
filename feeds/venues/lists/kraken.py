"""Kraken spot: GET /0/public/AssetPairs, one list of all pairs.

wsname is the name that v1 uses (XBT/USD); v2, which is subscribed to, writes BTC and DOGE for XBT and XDG. Pairs whose
two names differ are listed twice: the old name is that of recordings, and closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, plain_text, reader, step_of, told

ADDRESSES = {"": ("https://api.kraken.com/0/public/AssetPairs",)}

COMMON = {"XBT": "BTC", "XDG": "DOGE"}
STATUS = {"online": "trading", "limit_only": "trading", "post_only": "halted", "cancel_only": "halted",
          "reduce_only": "halted", "maintenance": "halted", "work_in_progress": "pre", "delisted": "closed"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"error":[],"result":{"AAVEAUD":{"altname":"AAVEAUD","wsname":"AAVE\/AUD","base":"AAVE","quote":"ZAUD",
    #  "pair_decimals":2,"lot_decimals":8,"ordermin":"0.1","costmin":"0.5","tick_size":"0.01","status":"online", ...}}}
    # costmin, tick_size and status came later than 2021
    for entry in answer["result"].values():
        if "wsname" not in entry:                 # dark pools of 2021 have none
            continue
        old_base, old_quote = entry["wsname"].split("/")
        base, quote = COMMON.get(old_base, old_base), COMMON.get(old_quote, old_quote)
        tick = plain_text(entry["tick_size"]) if entry.get("tick_size") else step_of(entry["pair_decimals"])
        steps = tick, step_of(entry["lot_decimals"]), "", "spot"
        least = told(entry.get("ordermin")), told(entry.get("costmin"))
        yield Instrument(f"{base}/{quote}", *steps, base, quote, "", *least,
                         status=STATUS.get(entry.get("status", "online"), "halted"))
        if (base, quote) != (old_base, old_quote):
            yield Instrument(entry["wsname"], *steps, old_base, old_quote, "", *least, status="closed")


read = reader("a list of pairs with wsname, pair_decimals and lot_decimals", instruments)
