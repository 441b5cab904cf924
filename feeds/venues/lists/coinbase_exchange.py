"""Coinbase Exchange: GET /products, all of its pairs in one list. Until some time before 2023 it had base_min_size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, plain_text, reader, told

ADDRESSES = {"": ("https://api.exchange.coinbase.com/products",)}

CODES = {"CGLD": "CELO"}
OWN_CODES = {common: own for own, common in CODES.items()}
STATUS = {"online": "trading", "delisted": "closed", "internal": "pre"}
# While one of these is true, no orders meet. limit_only only means that there are no market orders.
HALTED = ("trading_disabled", "cancel_only", "post_only", "auction_mode")


def instruments(answer: Any) -> Iterator[Instrument]:
    # [{"id":"SKL-EUR","base_currency":"SKL","quote_currency":"EUR","base_min_size":"5","quote_increment":"0.0001",
    #   "base_increment":"0.1","min_market_funds":"5.0","trading_disabled":false,"status":"online", ...}, ...]
    if isinstance(answer, dict):                  # {"message":"..."} says what went wrong
        raise TypeError(answer.get("message"))
    for entry in answer:
        base, quote = entry["base_currency"], entry["quote_currency"]
        status = STATUS.get(entry.get("status", "online"), "halted")
        if status == "trading" and any(entry.get(flag) for flag in HALTED):
            status = "halted"
        yield Instrument(
            entry["id"], plain_text(entry["quote_increment"]), plain_text(entry["base_increment"]), "", "spot",
            CODES.get(base, base), quote, "", told(entry.get("base_min_size")),
            told(entry.get("min_market_funds")), status=status)


read = reader("a list of products with id, currencies and increments", instruments)
