"""Coinbase Advanced Trade: GET /market/products, all of spot and of the futures in one list.

A product that is another's book under a second name (BTC-USDC, whose `alias` is BTC-USD) is left out: messages say the
first. Futures name their currency in `contract_root_unit`, and their sizes are contracts of `contract_size` of it. A
perpetual is either said to be PERPETUAL, or it is a future of a date far away that has a funding rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader

ADDRESSES = {"": ("https://api.coinbase.com/api/v3/brokerage/market/products",)}

CODES = {"CGLD": "CELO"}
OWN_CODES = {common: own for own, common in CODES.items()}
CLOSED = {"delisted": "closed", "offline": "halted", "internal": "pre"}
# While one of these is true, no orders meet.
HALTED = ("trading_disabled", "is_disabled", "cancel_only", "post_only", "auction_mode")


def status_of(entry: Mapping[str, Any]) -> str:
    """"online", or "" of a future; the flags say more, and futures are closed between their sessions."""
    session = entry.get("fcm_trading_session_details") or {}
    halted = any(entry.get(flag) for flag in HALTED) or session.get("is_session_open") is False
    return CLOSED.get(entry.get("status", ""), "halted" if halted else "trading")


def least(number: str) -> str:
    """A smallest size or value; "0" stands for none."""
    return "" if not number or not float(number) else plain_text(number)


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"products":[{"product_id":"BTC-USD","base_increment":"0.00000001","quote_increment":"0.01","quote_min_size":"1",
    #   "base_min_size":"0.00000001","status":"online","product_type":"SPOT","base_currency_id":"BTC",
    #   "quote_currency_id":"USD","alias":"","alias_to":["BTC-USDC"],"price_increment":"0.01", ...}, ...]}
    # {"product_id":"BIT-24APR26-CDE","product_type":"FUTURE","base_currency_id":"","future_product_details":{
    #   "contract_expiry":"2026-04-24T15:00:00Z","contract_size":"0.01","contract_root_unit":"BTC",
    #   "contract_expiry_type":"EXPIRING","funding_rate":"", ...}, ...}
    for entry in answer["products"]:
        if entry.get("alias"):
            continue
        symbol = entry["product_id"]
        tick = plain_text(entry.get("price_increment") or entry["quote_increment"])
        lot = plain_text(entry["base_increment"])
        smallest, value = least(entry.get("base_min_size", "")), least(entry.get("quote_min_size", ""))
        quote, status = entry.get("quote_currency_id", ""), status_of(entry)
        contract = entry.get("future_product_details") or {}
        base = entry.get("base_currency_id") or contract.get("contract_root_unit") or ""
        base = CODES.get(base, base)
        if entry.get("product_type", "SPOT") == "SPOT":
            yield Instrument(symbol, tick, lot, "", "spot", base, quote, "", smallest, value, status=status)
            continue
        endless = contract["contract_expiry_type"] == "PERPETUAL" or bool(contract.get("funding_rate"))
        yield Instrument(
            symbol, tick, lot, "", "perpetual" if endless else "future", base, quote, quote, smallest, value,
            plain_text(contract["contract_size"]), base, "", 0 if endless else expiry_of(contract["contract_expiry"]),
            status=status)


read = reader("a list of products with product_id and increments", instruments)
