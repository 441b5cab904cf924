"""How Bybit writes: v5, whose envelope differs by market, and v2 of until 2023 (orderBookL2_25, orderBook_200).

https://bybit-exchange.github.io/docs/v5/ws/connect, and frames recorded in 2021 and 2024.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, iso, ms, step, trimmed, write
from feeds.simulator.event import Event, Level
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

CONNECTION = "2324d924-aa4d-45b0-a858-7b8be29ab52b"
FIRST_U = 1000              # 1 would say that the service began anew
JUNE_27, MARCH_27 = 1_813_910_400_000_000_000, 1_806_048_000_000_000_000
LISTED = (
    Listed(Instrument("BTCUSDT", 1, 1, 1, 6, 618_000, 150_000), "spot", base="BTC", quote="USDT"),
    Listed(Instrument("ETHUSDT", 1, 2, 1, 5, 268_000, 100_000), "spot", base="ETH", quote="USDT"),
    Listed(Instrument("BTCUSDT", 10, 2, 1, 3, 618_000, 200), "linear", "perpetual", "BTC", "USDT", "USDT"),
    Listed(Instrument("SOLUSDT", 1, 2, 1, 1, 14_200, 300), "linear", "perpetual", "SOL", "USDT", "USDT"),
    Listed(Instrument("BTCUSDT-25JUN27", 50, 2, 1, 3, 125_000, 400), "linear", "future", "BTC", "USDT", "USDT",
           expiry_ns=JUNE_27),
    Listed(Instrument("BTCUSD", 10, 2, 1, 0, 618_000, 4_000), "inverse", "perpetual", "BTC", "USD", "BTC"),
    Listed(Instrument("BTCUSDH27", 50, 2, 1, 0, 124_000, 2_000), "inverse", "future", "BTC", "USD", "BTC",
           expiry_ns=MARCH_27),
    Listed(Instrument("BTC-26MAR27-60000-C-USDT", 5, 0, 1, 2, 1_900, 80), "option", "option", "BTC", "USDT", "USDT",
           expiry_ns=MARCH_27, strike="60000", option_type="call"),
    Listed(Instrument("BTC-26MAR27-50000-P-USDT", 5, 0, 1, 2, 400, 80), "option", "option", "BTC", "USDT", "USDT",
           expiry_ns=MARCH_27, strike="50000", option_type="put"),
)


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"req_id":"10001","op":"subscribe","args":["orderbook.50.BTCUSDT","publicTrade.BTCUSDT"]}, {"op":"ping"}
    try:
        request = json.loads(text)
        op = request["op"]
        if op == "ping":
            return [Ask("reply", frames=(pong(request, line),))]
        names = tuple(request["args"])
        if op not in ("subscribe", "unsubscribe") or not names or not all(isinstance(name, str) for name in names):
            raise ValueError("op")
        if line.root == "spot" and len(names) > 10:
            raise ValueError("args size >10")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        words = str(error) if str(error) == "args size >10" else "Params Error"
        return [Ask("reply", frames=(write({"success": False, "ret_msg": words, "conn_id": CONNECTION}),))]
    return [Ask(op, names, request)]


def pong(request: Mapping[str, object], line: Line) -> str:
    # {"success":true,"ret_msg":"pong","conn_id":"0970e817","op":"ping"}; options {"args":["1672916271846"],"op":"pong"}
    if line.root == "option":
        return write({"args": [str(line.next())], "op": "pong"})
    return write({"success": True, "ret_msg": "pong", "conn_id": CONNECTION, **number(request), "op": "ping"})


def number(request: Mapping[str, object]) -> dict[str, object]:
    """The number of a request, where it had one."""
    return {"req_id": request["req_id"]} if "req_id" in request else {}


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"success":true,"ret_msg":"subscribe","conn_id":"2324d924-...","req_id":"10001","op":"subscribe"}; an error is
    # about the whole request, and names one topic of it
    request = ask.request
    assert isinstance(request, dict)
    if line.root == "option":
        return [write({"success": not unknown, "conn_id": CONNECTION, "data": {
            "failTopics": list(unknown), "successTopics": list(known)}, "type": "COMMAND_RESP"})]
    wrong = unknown[:1] if ask.kind == "subscribe" else ()
    words = f"error:handler not found,topic:{wrong[0]}" if wrong else ask.kind if line.root == "spot" else ""
    return [write({"success": not wrong, "ret_msg": words, "conn_id": CONNECTION, **number(request),
                   "op": ask.kind})]


def too_much(what: str, line: Line) -> list[Frame]:
    return [write({"success": False, "ret_msg": "Too many requests" if what == "messages" else "args too long",
                   "conn_id": CONNECTION, "op": "subscribe"})]


# ---- messages

def is_option(symbol: str) -> bool:
    """BTC-26MAR27-60000-C, BTC-26MAR27-60000-C-USDT."""
    return symbol.count("-") >= 3


def sides(event: Event) -> dict[str, list[list[str]]]:
    """Levels of both sides; a level that goes has the quantity 0."""
    return {"b": [[level.price, "0" if level.gone else level.qty] for level in event.side(1)],
            "a": [[level.price, "0" if level.gone else level.qty] for level in event.side(-1)]}


def count(event: Event) -> int:
    """`u`: messages of the topic, where they are simulated."""
    return FIRST_U + event.number("number") if "number" in event.values else event.number("last_seq")


def book(event: Event) -> dict[str, object]:
    # {"s":"BTCUSDT","b":[["30247.20","30.028"]],"a":[],"u":177400507,"seq":66544703342}; of options without seq
    return {"s": event.symbol, **sides(event), "u": count(event),
            **({} if is_option(event.symbol) else {"seq": event.number("last_seq")})}


def best(event: Event) -> dict[str, object]:
    text = event.text
    bid = [[text("bid_price"), text("bid_qty")]] if "bid_price" in event.values else []
    ask = [[text("ask_price"), text("ask_qty")]] if "ask_price" in event.values else []
    return {"s": event.symbol, "b": bid, "a": ask, "u": event.number("last_seq"), "seq": event.number("last_seq")}


def trade(event: Event) -> dict[str, object]:
    named = event.number("trade_id")
    return {"T": ms(event.number("time")), "s": event.symbol, "S": "Buy" if event.number("aggressor") > 0 else "Sell",
            "v": event.text("qty"), "p": event.text("price"), "L": "PlusTick", "i": str(named), "BT": False,
            "RPI": False, "seq": event.number("last_seq", named)}


# key of the ticker -> value of an event, by the market
SPOT_TICKER = {"lastPrice": "last", "highPrice24h": "high", "lowPrice24h": "low", "prevPrice24h": "open",
               "volume24h": "volume", "turnover24h": "quote_volume"}
TICKER = {**SPOT_TICKER, "markPrice": "mark", "indexPrice": "index", "openInterest": "open_interest",
          "openInterestValue": "open_value", "fundingRate": "funding", "bid1Price": "bid_price", "bid1Size": "bid_qty",
          "ask1Price": "ask_price", "ask1Size": "ask_qty"}
OPTION_TICKER = {
    "bidPrice": "bid_price", "bidSize": "bid_qty", "bidIv": "bid_iv", "askPrice": "ask_price", "askSize": "ask_qty",
    "askIv": "ask_iv", "lastPrice": "last", "highPrice24h": "high", "lowPrice24h": "low", "markPrice": "mark",
    "indexPrice": "index", "markPriceIv": "mark_iv", "underlyingPrice": "underlying", "openInterest": "open_interest",
    "turnover24h": "quote_volume", "volume24h": "volume", "delta": "delta", "gamma": "gamma", "vega": "vega",
    "theta": "theta"}


def ticker(event: Event) -> dict[str, object]:
    """What the day was like; derivatives, where a key is absent, mean that it has not changed."""
    if is_option(event.symbol):
        keys = OPTION_TICKER
    else:
        keys = SPOT_TICKER if event.market == "spot" and "bid_price" not in event.values else TICKER
    data: dict[str, object] = {"symbol": event.symbol}
    data |= {key: event.text(name) for key, name in keys.items() if name in event.values}
    if keys is TICKER and ("next_funding" in event.values or event.values.get("funding") == ""):
        data["nextFundingTime"] = str(ms(event.number("next_funding"))) if "next_funding" in event.values else ""
    change = trimmed(f"{float(event.text('change_pct', '0')) / 100:.6f}")
    if keys is OPTION_TICKER:
        return {**data, "totalVolume": event.text("volume"), "totalTurnover": event.text("quote_volume"),
                "predictedDeliveryPrice": "0", "change24h": change}
    return {**data, "price24hPcnt": change, **({"usdIndexPrice": event.text("last")} if keys is SPOT_TICKER else {
        "tickDirection": "PlusTick", "prevPrice1h": event.text("open"), "fundingIntervalHour": "8"})}


def liquidation(event: Event) -> dict[str, object]:
    """S is the position's side: Buy, a long that was closed by a forced sell."""
    return {"T": ms(event.number("time")), "s": event.symbol, "S": "Sell" if event.number("aggressor") > 0 else "Buy",
            "v": event.text("qty"), "p": event.text("price")}


def encode(stream: Stream, events: Sequence[Event], line: Line, levels: int = 0) -> list[Frame]:
    # {"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{...},"cts":1687940967464}
    # {"id":"tickers.SOL-28APR23-24-C-3414625745-1680652810254","topic":"tickers.SOL-28APR23-24-C","ts":1680652810254,
    #  "data":{...},"type":"snapshot"}
    first, symbol = events[0], events[0].symbol
    topic = stream.name or f"allLiquidation.{symbol}"
    if is_option(symbol) and first.kind == "trade":
        topic = f"publicTrade.{symbol.partition('-')[0]}"
    elif levels:
        topic = f"orderbook.{levels}.{symbol}"
    sent = first.number("event_time", first.number("time"))
    type_ = "snapshot"
    type_, more = "snapshot", dict[str, object]()
    body: object
    if first.kind in ("snapshot", "delta"):
        type_, body = first.kind, book(first)
        if "time" in first.values:
            more = {"cts": ms(first.number("time"))}
    elif first.kind == "quote":
        type_, body = "snapshot" if {"bid_price", "ask_price"} <= first.values.keys() else "delta", best(first)
    elif first.kind == "ticker":
        type_, body = "snapshot" if "last" in first.values else "delta", ticker(first)
        more = {} if is_option(symbol) else {"cs": first.number("last_seq", 1)}
    else:
        body = [(trade if first.kind == "trade" else liquidation)(event) for event in events]
    named = {"id": f"{topic}-{first.number('last_seq')}-{ms(sent)}"} if is_option(symbol) else {}
    return [write({**named, "topic": topic, "type": type_, "ts": ms(sent), "data": body, **more})]


# ---- version 2

def row(event: Event, level: Level) -> dict[str, object]:
    # {"price":"1053.05","symbol":"BCHUSDT","id":"10530500","side":"Buy","size":2.63}
    linear, units = is_linear(event.symbol), int(level.price.replace(".", ""))
    named = units * 10 ** (4 - len(level.price.partition(".")[2]))
    return {"price": level.price, "symbol": event.symbol, "id": str(named) if linear else named,
            "side": "Buy" if level.side > 0 else "Sell", **({} if level.gone else {"size": Bare(level.qty)})}


def is_linear(symbol: str) -> bool:
    """Contracts in USDT wrote other numbers as text than those in coin."""
    return symbol.endswith(("USDT", "PERP"))


def changes(event: Event, line: Line) -> dict[str, list[object]]:
    """Rows of a delta: which of them are new follows from the book, which is kept with the connection."""
    known = line.memory.setdefault(("v2", event.symbol), set())
    last = line.memory.get(("v2 rows", event.symbol))
    if isinstance(last, tuple) and last[0] is event:
        rows: dict[str, list[object]] = last[1]
        return rows
    assert isinstance(known, set)
    rows = {"delete": [], "update": [], "insert": []}
    for level in event.levels:
        place = (level.side, level.price)
        rows["delete" if level.gone else "update" if place in known else "insert"].append(row(event, level))
        (known.discard if level.gone else known.add)(place)
    line.memory["v2 rows", event.symbol] = (event, rows)
    return rows


def encode_v2(topic: str, stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"topic":"orderBookL2_25.BCHUSDT","type":"delta","data":{"delete":[],"update":[],"insert":[]},
    #  "cross_seq":"864131821","timestamp_e6":"1618677786589984"}
    first, symbol = events[0], events[0].symbol
    linear = is_linear(symbol)
    if first.kind == "trade":
        return [write({"topic": f"trade.{symbol}", "data": [old_trade(event) for event in events]})]
    if first.kind == "liquidation":
        return [write({"topic": f"liquidation.{symbol}", "data": {
            **forced(first), "time": ms(first.number("time"))}})]
    if first.kind not in ("snapshot", "delta"):
        return []
    data: object
    if first.kind == "snapshot":
        line.memory["v2", symbol] = {(level.side, level.price) for level in first.levels}
        rows = [row(first, level) for level in first.levels]
        data = {"order_book": rows} if linear else rows
    else:
        data = {**changes(first, line), **({} if linear else {"transactTimeE6": 0})}
    sequence, sent = first.number("last_seq"), first.number("event_time") // 1000
    return [write({"topic": f"{topic}.{symbol}", "type": first.kind, "data": data,
                   "cross_seq": str(sequence) if linear else sequence, "timestamp_e6": str(sent) if linear else sent})]


def old_trade(event: Event) -> dict[str, object]:
    linear, happened = is_linear(event.symbol), event.number("time")
    price = event.text("price")
    return {"symbol": event.symbol, "tick_direction": "PlusTick", "price": price if linear else Bare(price),
            "size": Bare(event.text("qty")), "timestamp": iso(happened - happened % 1_000_000_000),
            "trade_time_ms": str(ms(happened)) if linear else ms(happened),
            "side": "Buy" if event.number("aggressor") > 0 else "Sell", "trade_id": str(event.number("trade_id")),
            **({} if linear else {"cross_seq": event.number("trade_id")})}


def forced(event: Event) -> dict[str, object]:
    return {"symbol": event.symbol, "side": "Sell" if event.number("aggressor") > 0 else "Buy",
            "price": event.text("price"), "qty": event.text("qty")}


def encode_2023(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"data":{"price":"0.03803","side":"Buy","size":"1637","symbol":"GALAUSDT","updatedTime":1673251091822},
    #  "topic":"liquidation.GALAUSDT","ts":1673251091822,"type":"snapshot"}
    first = events[0]
    if first.kind != "liquidation":
        return []
    told = forced(first)
    told["size"] = told.pop("qty")
    happened = ms(first.number("time"))
    return [write({"data": {**told, "updatedTime": happened},
                   "topic": f"liquidation.{first.symbol}", "ts": happened, "type": "snapshot"})]


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    if path != "/v5/market/instruments-info":
        return None
    market = query.get("category", "")
    listed = [entry(floor.listed) for floor in hall.floors if floor.listed.market == market
              and query.get("baseCoin", floor.listed.base) == floor.listed.base]
    return 200, write({"retCode": 0, "retMsg": "OK", "result": {"category": market, "list": listed,
                                                               "nextPageCursor": ""}}).encode()


def entry(listed: Listed) -> dict[str, object]:
    """One instrument of the list."""
    it = listed.instrument
    lot, tick = step(it.lot_units, it.qty_decimals), step(it.tick_units, it.price_decimals)
    expiry = str(ms(listed.expiry_ns))
    told: dict[str, object] = {"symbol": it.symbol, "status": "Trading", "baseCoin": listed.base,
                               "quoteCoin": listed.quote, "priceFilter": {"tickSize": tick}}
    if listed.market == "spot":
        return {**told, "lotSizeFilter": {"basePrecision": lot, "minOrderQty": lot, "minOrderAmt": "5"}}
    told |= {"settleCoin": listed.settle, "launchTime": "1585526400000", "deliveryTime": expiry,
             "lotSizeFilter": {"minOrderQty": lot, "qtyStep": lot}}
    if listed.market == "option":
        return {**told, "optionsType": listed.option_type.capitalize()}
    shape = "Perpetual" if listed.kind == "perpetual" else "Futures"
    return {**told, "contractType": listed.market.capitalize() + shape}


# What no event keeps of a frame.
LOST = {
    "book id": "a name that no two frames share", "trade id": "the same", "ticker id": "the same",
    "book data.seq": "number over all topics; u is the one that is judged", "quote data.seq": "the same",
    "trade data[].seq": "the same", "trade data[].cross_seq": "the same, of v2",
    "trade data[].L": "direction of the last change of price", "trade data[].tick_direction": "the same, of v2",
    "trade data[].BT": "whether it was a block trade", "trade data[].RPI": "whether it met a retail price improvement",
    "trade data[].i": "a name that need be no number; of a long number the last 18 digits are kept",
    "trade data[].trade_id": "the same, of v2",
    "liquidation ts": "of the frame; the rows say when they happened",
    "ticker cs": "number over all topics", "ticker data.price24hPcnt": "follows from the last price and prevPrice24h",
    "ticker data.tickDirection": "direction of the last change of price",
    "ticker data.prevPrice1h": "price of an hour ago",
    "ticker data.fundingIntervalHour": "hours between fundings", "ticker data.usdIndexPrice": "index of spot",
    "ticker data.deliveryTime": "of dated futures", "ticker data.basisRate": "of dated futures",
    "ticker data.deliveryFeeRate": "of dated futures", "ticker data.basis": "of dated futures",
    "ticker data.predictedDeliveryPrice": "of what is dated", "ticker data.change24h": "follows from the prices",
    "ticker data.totalVolume": "volume since the listing", "ticker data.totalTurnover": "turnover since the listing",
}

PACE_MS = {"orderbook.1000": 200, "orderbook.200": 100, "orderbook.100": 100, "orderbook.50": 20, "orderbook.25": 20,
           "orderbook.1": 10}
DIALECT = Dialect(
    venue="bybit", lost=LOST, listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=({}, {"depth": 200}, {"depth": 50}, {"depth": 25}),
    levels=lambda stream: int(stream.name.split(".")[1]) if stream.channel == "book" else 0,
    opens=lambda stream: stream.channel not in ("trades", "liquidations"),
    kind=lambda stream: "ticker" if stream.name.startswith("tickers.") else "",
    pace_ms=lambda stream: PACE_MS.get(stream.name.rpartition(".")[0], 0 if stream.channel in (
        "trades", "liquidations") else 100),
    silence_s=600.0, all_or_nothing=True,
    older={"v5 of 2025, 500 levels": partial(encode, levels=500), "v5, options": partial(encode, levels=25),
           "v2, 25 levels": partial(encode_v2, "orderBookL2_25"),
           "v2, 200 levels": partial(encode_v2, "orderBook_200.100ms"), "2023": encode_2023},
)
