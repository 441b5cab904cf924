"""How OKX writes: the v5 API of today (seqId, checksum 0), and the books with a CRC-32 and no seqId of until 2023.

https://www.okx.com/docs-v5/en/#websocket-api, and frames recorded in 2022 and 2023.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from feeds.simulator.dialect import Ask, Dialect, Frame, Line, Listed, ms, step, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

CONNECTION = "bd21fccc"
TYPES = {"spot": "SPOT", "perpetual": "SWAP", "future": "FUTURES", "option": "OPTION"}
LISTED = (
    Listed(Instrument("BTC-USDT", 1, 1, 1, 8, 618_000, 2_000_000), base="BTC", quote="USDT"),
    Listed(Instrument("ETH-USDT", 1, 2, 1, 6, 268_000, 300_000), base="ETH", quote="USDT"),
    Listed(Instrument("BTC-USDT-SWAP", 1, 1, 1, 2, 618_000, 900), kind="perpetual", base="BTC", quote="USDT",
           settle="USDT", contract_size="0.01"),
    Listed(Instrument("BTC-USD-270326", 1, 1, 1, 0, 620_000, 40), kind="future", base="BTC", quote="USD", settle="BTC",
           contract_size="100", expiry_ns=1_806_048_000_000_000_000),
    Listed(Instrument("BTC-USD-270326-60000-C", 5, 4, 1, 0, 1_900, 20), kind="option", base="BTC", quote="USD",
           settle="BTC", contract_size="1", expiry_ns=1_806_048_000_000_000_000, strike="60000", option_type="call"),
)


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"id":"1512","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}, and the text ping
    if text == "ping":
        return [Ask("reply", frames=("pong",))]
    try:
        request = json.loads(text)
        names = tuple(f"{arg['channel']}:{arg.get('instId') or arg.get('instFamily') or arg['instType']}"
                      for arg in request["args"])
        if request["op"] not in ("subscribe", "unsubscribe") or not names:
            raise ValueError("op")
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(refusal("60012", f"Illegal request: {text}"),))]
    return [Ask(request["op"], names, request)]


def refusal(code: str, words: str, request: Mapping[str, object] | None = None) -> str:
    named = {"id": request["id"]} if request is not None and request.get("id") else {}
    return write({**named, "event": "error", "code": code, "msg": words, "connId": CONNECTION})


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"event":"subscribe","arg":{"channel":"books5","instId":"BTC-USDT"},"connId":"bd21fccc"}, one for each arg
    request = ask.request
    assert isinstance(request, dict)
    told: list[Frame] = [write({**({"id": request["id"]} if request.get("id") else {}), "event": ask.kind,
                                "arg": argument(name), "connId": CONNECTION}) for name in known]
    if ask.kind == "subscribe":
        told += [refusal("60018", f"Wrong URL or channel:{name.replace(':', ',instId:')} doesn't exist. Please use the "
                         "correct URL, channel and parameters referring to API document.", request)
                 for name in unknown]
    return told


def argument(name: str) -> dict[str, str]:
    channel, _, value = name.partition(":")
    key = {"opt-summary": "instFamily", "liquidation-orders": "instType"}.get(channel, "instId")
    return {"channel": channel, key: value}


def too_much(what: str, line: Line) -> list[Frame]:
    return [refusal("60014", "Requests too frequent") if what == "messages"
            else refusal("60013", "Invalid args: too many channels")]


# ---- messages

def levels(event: Event, side: int, fields: int = 4) -> list[list[str]]:
    """Price, quantity, nothing, number of orders (the last two are not kept by the parser)."""
    return [[level.price, level.qty, "0", "0" if level.gone else "1"][:fields] for level in event.side(side)]


def element(stream: Stream, channel: str, event: Event) -> dict[str, object]:
    """One element of `data`."""
    symbol, sent, happened = event.symbol, str(ms(event.number("event_time"))), str(ms(event.number("time")))
    text = event.text
    if channel in ("books", "books5", "books-l2-tbt", "books50-l2-tbt"):
        numbered = "last_seq" in event.values
        whole = channel != "books5" and event.kind == "snapshot"
        return {
            "asks": levels(event, -1), "bids": levels(event, 1), **({"instId": symbol} if channel == "books5" else {}),
            "ts": sent, **({"checksum": event.number("checksum")} if channel != "books5" else {}),
            **({"seqId": event.number("last_seq")} if numbered else {}),
            **({"prevSeqId": -1 if whole else event.number("prev_seq")} if numbered and channel != "books5" else {})}
    if channel == "bbo-tbt":
        return {"asks": [[text("ask_price"), text("ask_qty"), "0", "1"]],
                "bids": [[text("bid_price"), text("bid_qty"), "0", "1"]], "ts": sent,
                **({"seqId": event.number("last_seq")} if "last_seq" in event.values else {})}
    if channel in ("trades", "trades-all"):
        return {"instId": symbol, "tradeId": text("trade_id"), "px": text("price"), "sz": text("qty"),
                "side": "buy" if event.number("aggressor") > 0 else "sell", "ts": happened}
    if channel == "tickers":
        return {
            "instType": kind_of(symbol), "instId": symbol, "last": text("last"), "lastSz": text("last_qty"),
            "askPx": unless_none(text("ask_price")), "askSz": unless_none(text("ask_qty")),
            "bidPx": unless_none(text("bid_price")), "bidSz": unless_none(text("bid_qty")),
            "open24h": text("open"), "high24h": text("high"), "low24h": text("low"), "sodUtc0": text("open"),
            "sodUtc8": text("open"), "volCcy24h": text("quote_volume"), "vol24h": text("volume"), "ts": sent}
    if channel == "opt-summary":
        return {
            "instType": "OPTION", "instId": symbol, "uly": "-".join(symbol.split("-")[:2]), "delta": text("delta"),
            "gamma": text("gamma"), "vega": text("vega"), "theta": text("theta"), "lever": "0",
            "markVol": text("mark_iv"), "bidVol": text("bid_iv"), "askVol": text("ask_iv"), "realVol": "",
            "deltaBS": text("delta"), "gammaBS": text("gamma"), "thetaBS": text("theta"), "vegaBS": text("vega"),
            **({"volLv": text("mark_iv"), "fwdPx": text("underlying")} if "underlying" in event.values else {}),
            "ts": sent}
    if channel == "mark-price":
        return {"instId": symbol, "instType": kind_of(symbol), "markPx": text("mark"), "ts": happened}
    if channel == "index-tickers":
        return {"instId": stream.name.partition(":")[2], "idxPx": text("index"), "open24h": text("index"),
                "high24h": text("index"), "low24h": text("index"), "sodUtc0": text("index"), "sodUtc8": text("index"),
                "ts": happened}
    if channel == "funding-rate":
        due = event.number("next_funding")
        return {**({"fundingRate": text("funding")} if "funding" in event.values else {}),
                "fundingTime": str(ms(due)), "instId": symbol, "instType": "SWAP", "nextFundingRate": "",
                **({"nextFundingTime": str(ms(due) + 8 * 3600 * 1000), "ts": happened} if event.number("time") else {})}
    if channel == "open-interest":
        return {"instId": symbol, "instType": kind_of(symbol), "oi": text("open_interest"),
                "oiCcy": text("open_interest"),
                **({"oiUsd": text("open_value")} if "open_value" in event.values else {}), "ts": happened}
    return {"details": [{"bkLoss": "0", "bkPx": text("price"), "ccy": "",
                         "posSide": "short" if event.number("aggressor") > 0 else "long",
                         "side": "buy" if event.number("aggressor") > 0 else "sell", "sz": text("qty"),
                         "ts": happened}],
            "instFamily": "-".join(symbol.split("-")[:2]), "instId": symbol, "instType": kind_of(symbol),
            "uly": "-".join(symbol.split("-")[:2])}


def unless_none(text: str) -> str:
    """Nothing, for the 0 of a side without orders."""
    return "" if text == "0" else text


def kind_of(symbol: str) -> str:
    """instType as the symbol shows it."""
    parts = symbol.split("-")
    return "OPTION" if len(parts) == 5 else "SWAP" if parts[-1] == "SWAP" else "FUTURES" if len(parts) == 3 else "SPOT"


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{...}]}
    channel = stream.name.partition(":")[0]
    action = {}
    if channel in ("books", "books-l2-tbt", "books50-l2-tbt"):
        action = {"action": "snapshot" if events[0].kind == "snapshot" else "update"}
    return [write({"arg": argument(stream.name), **action,
                   "data": [element(stream, channel, event) for event in events]})]


def encode_tbt(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    """A book of the channel that now needs a login, books-l2-tbt."""
    return encode(replace(stream, name=stream.name.replace("books:", "books-l2-tbt:")), events, line)


def encode_index(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    """An index price, whose symbol is the index's own and no instrument's."""
    return encode(replace(stream, name=f"index-tickers:{events[0].symbol}"), events, line)


def encode_underlying(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"arg":{"channel":"opt-summary","uly":"ETH-USD"}, ...}: greeks as they were asked for in 2021, by the underlying
    named = "-".join(events[0].symbol.split("-")[:2])
    return [write({"arg": {"channel": "opt-summary", "uly": named},
                   "data": [element(stream, "opt-summary", event) for event in events]})]


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    if path == "/api/v5/market/books":
        book = hall.book(query.get("instId", ""), int(query.get("sz", "1")))
        if book is None:
            return 200, b'{"code":"51001","msg":"Instrument ID does not exist","data":[]}'
        data = element(Stream("", "", book.symbol, "book"), "books", book)
        del data["prevSeqId"]
        return 200, write({"code": "0", "msg": "", "data": [data]}).encode()
    if path != "/api/v5/public/instruments":
        return None
    return 200, write({"code": "0", "msg": "", "data": [
        entry(floor.listed) for floor in hall.floors if TYPES[floor.listed.kind] == query.get("instType")
    ]}).encode()


def entry(listed: Listed) -> dict[str, str]:
    """One instrument of the list."""
    it = listed.instrument
    derived = listed.kind != "spot"
    family = f"{listed.base}-{listed.quote}" if derived else ""
    lot = step(it.lot_units, it.qty_decimals)
    return {
        "alias": "", "baseCcy": "" if derived else listed.base, "ctMult": "1" if derived else "",
        "ctType": ("inverse" if listed.settle == listed.base else "linear") if derived else "",
        "ctVal": listed.contract_size, "ctValCcy": contract_unit(listed), "expTime":
        str(ms(listed.expiry_ns)) if listed.expiry_ns else "", "instFamily": family, "instId": it.symbol,
        "instType": TYPES[listed.kind], "listTime": "1606468572000", "lotSz": lot, "minSz": lot,
        "optType": {"call": "C", "put": "P"}.get(listed.option_type, ""),
        "quoteCcy": "" if derived else listed.quote, "settleCcy": listed.settle, "state": "live", "stk": listed.strike,
        "tickSz": step(it.tick_units, it.price_decimals), "uly": family}


def contract_unit(listed: Listed) -> str:
    """Of inverse futures and swaps the quote currency; options are counted in coin."""
    if not listed.contract_size:
        return ""
    return listed.quote if listed.settle == listed.base and listed.kind != "option" else listed.base


# What no event keeps of a frame.
LOST = {
    "book data[].asks[][2]": "always 0 today", "book data[].bids[][2]": "always 0 today",
    "book data[].asks[][3]": "orders at the level", "book data[].bids[][3]": "orders at the level",
    "quote data[].asks[][2]": "always 0 today", "quote data[].bids[][2]": "always 0 today",
    "quote data[].asks[][3]": "orders at the level", "quote data[].bids[][3]": "orders at the level",
    "ticker data[].sodUtc0": "price at midnight UTC", "ticker data[].sodUtc8": "price at midnight UTC+8",
    "ticker data[].volCcy24h": "of derivatives the day's volume in coin",
    "ticker data[].delta": "in coin; the event has deltaBS", "ticker data[].gamma": "in coin, as delta",
    "ticker data[].vega": "in coin, as delta", "ticker data[].theta": "in coin, as delta",
    "ticker data[].lever": "leverage", "mark data[].nextFundingRate": "a forecast",
    "mark data[].open24h": "of the index", "mark data[].high24h": "of the index", "mark data[].low24h": "of the index",
    "mark data[].sodUtc0": "of the index", "mark data[].sodUtc8": "of the index",
}

DIALECT = Dialect(
    venue="okx", lost=LOST, older={"books-l2-tbt": encode_tbt, "index": encode_index, "2021": encode_underlying},
    listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=({}, {"depth": 5}), levels=lambda stream: stream.depth or 400, silence_s=30.0,
    # Nobody who asks for a quote, a mark price or a ticker waits for the next change.
    opens=lambda stream: stream.channel not in ("trades", "all_trades", "liquidations"),
    pace_ms=lambda stream: {"book": 100, "quotes": 10, "ticker": 100, "mark": 200, "open_interest": 3000}.get(
        stream.channel, 0),
)
