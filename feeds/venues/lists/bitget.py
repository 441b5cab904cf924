"""Bitget: lists of spot and of each of the three kinds of futures; quantities are base coin in all of them.

Today's are of v2; those of v1 (2022), in which a suffix of the symbol tells the market, are read too. A number of 0 in
the place of a smallest order says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from feeds.instruments import Instrument, expiry_of, plain_text, reader, step_of

SPOT = "https://api.bitget.com/api/v2/spot/public/symbols"
MIX = "https://api.bitget.com/api/v2/mix/market/contracts"
ADDRESSES = {"spot": (SPOT,), "usdt-futures": (f"{MIX}?productType=USDT-FUTURES",),
             "coin-futures": (f"{MIX}?productType=COIN-FUTURES",),
             "usdc-futures": (f"{MIX}?productType=USDC-FUTURES",)}

# of v1, by the suffix of the symbol
MARKET = {"SPBL": "spot", "UMCBL": "usdt-futures", "DMCBL": "coin-futures", "CMCBL": "usdc-futures"}
STATUS = {"online": "trading", "gray": "pre", "halt": "halted", "offline": "closed",
          "listed": "pre", "normal": "trading", "maintain": "halted", "limit_open": "trading",
          "restrictedAPI": "trading", "off": "closed"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"code":"00000","data":[{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","minTradeAmount":"0",
    #  "pricePrecision":"2","quantityPrecision":"6","status":"online","minTradeUSDT":"1", ...}]}
    # {"code":"00000","data":[{"symbol":"ALPHAUSDT_SPBL","symbolName":"ALPHAUSDT","baseCoin":"ALPHA","quoteCoin":"USDT",
    #  "minTradeAmount":"2","priceScale":"4","quantityScale":"4","status":"online", ...}]}
    # {"code":"00000","data":[{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","supportMarginCoins":["USDT"],
    #  "minTradeNum":"0.001","priceEndStep":"5","pricePlace":"1","volumePlace":"3","sizeMultiplier":"0.001",
    #  "symbolType":"perpetual","minTradeUSDT":"5","symbolStatus":"normal","deliveryTime":"", ...}]}: steps of 0.5
    for entry in answer["data"]:
        symbol, _, suffix = entry["symbol"].partition("_")
        base, quote = entry["baseCoin"], entry["quoteCoin"]
        value = least(entry.get("minTradeUSDT")) if quote == "USDT" else ""     # in USDT, whatever the pair
        if "pricePlace" not in entry:
            price, qty = ("priceScale", "quantityScale") if "priceScale" in entry else ("pricePrecision",
                                                                                        "quantityPrecision")
            yield Instrument(symbol, step_of(entry[price]), step_of(entry[qty]), "spot", "spot", base, quote, "",
                             least(entry.get("minTradeAmount")), value,
                             status=STATUS.get(entry.get("status", "online"), "halted"))
            continue
        tick = Decimal(entry.get("priceEndStep", "1")).scaleb(-int(entry["pricePlace"]))
        lot = entry.get("sizeMultiplier")
        margin = entry["supportMarginCoins"][0]
        market = MARKET.get(suffix.partition("_")[0]) or {"USDT": "usdt-futures", "USDC": "usdc-futures"}.get(
            margin, "coin-futures")
        yield Instrument(
            symbol, plain_text(tick), plain_text(lot) if lot else step_of(entry["volumePlace"]), market,
            "future" if entry.get("symbolType") == "delivery" else "perpetual", base, quote,
            base if market == "coin-futures" else margin, least(entry.get("minTradeNum")), value,
            expiry_ns=expiry_of(entry.get("deliveryTime")) if entry.get("symbolType") == "delivery" else 0,
            status=STATUS.get(entry.get("symbolStatus", "normal"), "halted"))


def least(number: str | None) -> str:
    """The smallest amount of an order, "" where it is not limited."""
    return plain_text(number) if number and Decimal(number) else ""


read = reader("a list of instruments with symbol, coins and decimals", instruments)
