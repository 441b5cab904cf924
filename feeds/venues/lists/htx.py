"""HTX: GET /v1/settings/common/market-symbols of spot, swap_contract_info of swaps settled in USDT and in the coin.

Quantities are base coin on spot, contracts on swaps: so much base coin where they are settled in USDT, so many USD
where in the coin. Lists of 2021 (/v1/common/symbols) have long keys, those of today short ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader, step_of, told

ADDRESSES = {"spot": ("https://api.huobi.pro/v1/settings/common/market-symbols",),
             "swap": ("https://api.hbdm.com/linear-swap-api/v1/swap_contract_info",
                      "https://api.hbdm.com/swap-api/v1/swap_contract_info")}

SPOT_STATUS = {"online": "trading", "pre-online": "pre", "not-online": "pre", "offline": "closed"}
# 1 listed, 2 pending, 0 delisted, 8 delivered; 3, 4, 9 suspended, 5 in settlement, 6 delivering, 7 settled
SWAP_STATUS = {1: "trading", 2: "pre", 0: "closed", 8: "closed"}


def instruments(answer: Any) -> Iterator[Instrument]:
    for entry in answer["data"]:
        yield contract(entry) if "contract_code" in entry else pair(entry)


def pair(entry: Any) -> Instrument:
    # {"symbol":"yeebtc","base-currency":"yee","quote-currency":"btc","price-precision":10,"amount-precision":2,
    #  "state":"online","limit-order-min-order-amt":1,"min-order-value":0.0001, ...}
    # {"symbol":"btcusdt","bc":"btc","qc":"usdt","pp":2,"ap":6,"state":"online","minoa":0.0001,"lominoa":0.0001,
    #  "minov":5, ...}; the symbol may also stand in sc
    return Instrument(
        entry["sc"] if "sc" in entry else entry["symbol"], step_of(need(entry, "pp", "price-precision", "tpp")),
        step_of(need(entry, "ap", "amount-precision", "tap")), "spot", "spot",
        need(entry, "bc", "base-currency").upper(), need(entry, "qc", "quote-currency").upper(), "",
        told(first(entry, "lominoa", "limit-order-min-order-amt", "minoa", "min-order-amt")),
        told(first(entry, "minov", "min-order-value")),
        status=SPOT_STATUS.get(entry["state"], "halted"))


def contract(entry: Any) -> Instrument:
    # {"symbol":"BTC","contract_code":"BTC-USDT","contract_size":0.001000000000000000,"price_tick":0.100000000000000000,
    #  "delivery_date":"","delivery_time":"","contract_status":1,"business_type":"swap","trade_partition":"USDT", ...}
    base, quote = (entry.get("pair") or entry["contract_code"]).split("-")[:2]
    inverse = quote == "USD"
    expiry = expiry_of(entry.get("delivery_time"))
    return Instrument(
        entry["contract_code"], plain_text(entry["price_tick"]), "1", "swap", "future" if expiry else "perpetual",
        base, quote, base if inverse else entry.get("trade_partition") or quote, "1", "",
        plain_text(entry["contract_size"]), quote if inverse else base, "", expiry,
        status=SWAP_STATUS.get(entry["contract_status"], "halted"))


def first(entry: Any, *keys: str) -> Any:
    """The first of these that the entry has, None if none."""
    return next((entry[key] for key in keys if entry.get(key) is not None), None)


def need(entry: Any, *keys: str) -> Any:
    """The first of these that the entry has; KeyError if none."""
    found = first(entry, *keys)
    if found is None:
        raise KeyError(keys[0])
    return found


read = reader("a list of symbols or contracts with their steps", instruments)
