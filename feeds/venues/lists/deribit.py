"""Deribit: GET public/get_instruments, one list of everything or one a currency.

Amounts are USD for inverse futures and perpetuals, else base coin; contract_size is what the venue calls one contract,
in that unit. Options on the coin itself are quoted in the coin, their strikes in the counter currency: that one is
given as the quote, as the names of the venue have it. Where the tick rises with the price it is the smallest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader

ADDRESSES = {"": ("https://www.deribit.com/api/v2/public/get_instruments?currency=any&expired=false",)}

KIND = {"spot": "spot", "option": "option", "future_combo": "combo", "option_combo": "combo"}
STATUS = {"open": "trading", "started": "trading", "created": "pre", "halted": "halted", "locked": "halted",
          "inactive": "halted", "deactivated": "halted"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"jsonrpc":"2.0","result":[{"instrument_name":"BTC-30SEP22-60000-C","kind":"option","base_currency":"BTC",
    #  "quote_currency":"BTC","counter_currency":"USD","tick_size":0.0001,"min_trade_amount":0.1,"contract_size":1.0,
    #  "strike":60000.0,"option_type":"call","expiration_timestamp":1664524800000,"is_active":true,
    #  "tick_size_steps":[{"above_price":0.005,"tick_size":0.0005}], ...}], ...}; 2021 had no counter and settlement
    for entry in answer["result"]:
        kind = KIND.get(entry["kind"]) or ("perpetual" if entry["settlement_period"] == "perpetual" else "future")
        base, priced = entry["base_currency"], entry["quote_currency"]
        quote = entry.get("counter_currency") or ("USD" if priced == base else priced)
        told = entry.get("instrument_type") or entry.get("future_type") or ("reversed" if quote == "USD" else "linear")
        inverse = kind != "spot" and told == "reversed"     # settled in the coin
        ticks = [entry["tick_size"], *(step["tick_size"] for step in entry.get("tick_size_steps") or ())]
        status = "trading" if entry["is_active"] else "halted"
        if "state" in entry:
            status = STATUS.get(entry["state"], "closed")
        dated = kind not in ("spot", "perpetual")       # the others have a time of the year 3000
        derived = kind != "spot"
        yield Instrument(
            entry["instrument_name"], plain_text(min(ticks, key=float)), plain_text(entry["min_trade_amount"]), "",
            kind, base, quote, (entry.get("settlement_currency") or (base if inverse else quote)) if derived else "",
            plain_text(entry["min_trade_amount"]), "", plain_text(entry["contract_size"]) if derived else "",
            (quote if inverse and kind in ("future", "perpetual") else base) if derived else "", "",
            expiry_of(entry["expiration_timestamp"]) if dated else 0,
            plain_text(entry["strike"]) if kind == "option" else "",
            entry["option_type"] if kind == "option" else "", status)


read = reader("a list of instruments with instrument_name, kind, tick_size and min_trade_amount", instruments)
