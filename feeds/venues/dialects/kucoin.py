"""How KuCoin writes: the classic feed (topics), and the unified one (`obu`: JSON in binary frames), spot and futures.

https://www.kucoin.com/docs-new/, frames recorded in 2021 and quoted since then. Until about 2023 prices of futures were
numbers, and tickers came by /market/ticker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, ms, step, trimmed, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

SESSION = "5f8d9a0b7c1e4f2a"
MARCH_27 = 1_806_048_000_000_000_000
LISTED = (
    Listed(Instrument("BTC-USDT", 1, 1, 1, 8, 618_000, 15_000_000), "spot", base="BTC", quote="USDT"),
    Listed(Instrument("ETH-USDT", 1, 2, 1, 7, 268_000, 12_000_000), "spot", base="ETH", quote="USDT"),
    Listed(Instrument("XBTUSDTM", 1, 1, 1, 0, 618_000, 300), "futures", "perpetual", "BTC", "USDT", "USDT", "0.001"),
    Listed(Instrument("ETHUSDTM", 1, 2, 1, 0, 268_000, 500), "futures", "perpetual", "ETH", "USDT", "USDT", "0.01"),
    Listed(Instrument("XBTUSDM", 1, 1, 1, 0, 618_000, 3_000), "futures", "perpetual", "BTC", "USD", "BTC", "1"),
    Listed(Instrument("XBTMH27", 10, 1, 1, 0, 62_100, 1_500), "futures", "future", "BTC", "USD", "BTC", "1",
           expiry_ns=MARCH_27),
)


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # classic: {"id":1,"type":"subscribe","topic":"/market/level2:BTC-USDT,ETH-USDT","response":true}
    # unified: {"id":"1","action":"SUBSCRIBE","channel":"obu","tradeType":"SPOT","symbol":"BTC-USDT",
    #           "depth":"increment@10ms"}; and {"id":"p1","type":"ping"} of both
    number: object = ""
    try:
        request = json.loads(text)
        number = request.get("id", "")
        if request.get("type") == "ping":
            return [Ask("reply", frames=(write({"id": str(number), "type": "pong"}),))]
        if "action" in request:
            kind = str(request["action"]).lower()
            names: tuple[str, ...] = (":".join(
                str(request[key]) for key in ("channel", "tradeType", "symbol", "depth")),)
        else:
            kind, (topic, _, symbols) = request["type"], request["topic"].partition(":")
            names = tuple(f"{topic}:{symbol}" for symbol in symbols.split(","))
        if kind not in ("subscribe", "unsubscribe"):
            raise ValueError("type")
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(write({"id": str(number), "result": False, "message": "invalid request data"}),))]
    return [Ask(kind, names, request)]


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"id":"1","type":"ack"}, {"id":"9","type":"error","code":404,"data":"topic does not exist"}; the unified feed
    # takes any symbol, and stays silent: {"id":"1","result":true}
    request = ask.request
    assert isinstance(request, dict)
    number = str(request.get("id", ""))
    if "action" in request:
        return [write({"id": number, "result": True})]
    if unknown and ask.kind == "subscribe":
        return [write({"id": number, "type": "error", "code": 404, "data": "topic does not exist"})]
    return [write({"id": number, "type": "ack"})] if request.get("response", True) else []


def too_much(what: str, line: Line) -> list[Frame]:
    return ['{"id":"0","type":"error","code":429,"data":"too many requests"}' if what == "messages"
            else '{"id":"0","type":"error","code":509,"data":"exceed max subscription count limitation"}']


def greet(line: Line) -> list[Frame]:
    if line.root.startswith("classic"):
        return ['{"id":"NSkIrWGB1s","type":"welcome"}']
    return [write({"sessionId": SESSION, "message": "welcome", "pingInterval": 18000})]


# ---- the classic feed

Write = Callable[[str], object]         # how a price of futures is written: as text, or (until about 2023) a number


def sides(event: Event, price: Write, qty: Write) -> dict[str, object]:
    return {key: [[price(level.price), qty("0" if level.gone else level.qty)] for level in event.side(side)]
            for key, side in (("asks", -1), ("bids", 1))}


def side_of(event: Event) -> str:
    return "buy" if event.number("aggressor") > 0 else "sell"


def bare(event: Event, keys: Mapping[str, str]) -> dict[str, object]:
    """Values as numbers, by the keys of the wire, as far as the event has them."""
    return {key: Bare(event.text(name)) for key, name in keys.items() if name in event.values}


def spot_data(event: Event) -> tuple[str, dict[str, object]]:
    """Subject and data of a message about spot."""
    happened, text = event.number("time"), event.text
    if event.kind == "delta":
        # {"changes":{"asks":[["67996.7","1.14213262","14701689783"]],"bids":[]},"sequenceEnd":14701689783,
        #  "sequenceStart":14701689783,"symbol":"BTC-USDT","time":1729816425625}
        changes = {key: [[level.price, "0" if level.gone else level.qty, str(level.seq)] for level in event.side(side)]
                   for key, side in (("asks", -1), ("bids", 1))}
        return "trade.l2update", {"changes": changes, "sequenceEnd": event.number("last_seq"),
                                  "sequenceStart": event.number("first_seq"), "symbol": event.symbol,
                                  **({"time": ms(happened)} if happened else {})}
    if event.kind == "snapshot":
        return "level2", {**sides(event, str, str), "timestamp": ms(happened)}
    if event.kind == "quote":
        return "level1", {"asks": [text("ask_price"), text("ask_qty")], "bids": [text("bid_price"), text("bid_qty")],
                          "timestamp": ms(happened)}
    if event.kind == "trade":
        named = text("trade_id")
        return "trade.l3match", {
            "makerOrderId": "0", "price": text("price"), "sequence": named, "side": side_of(event), "size": text("qty"),
            "symbol": event.symbol, "takerOrderId": "0", "time": str(happened), "tradeId": named, "type": "match"}
    base, _, quote = event.symbol.partition("-")
    day = bare(event, {"averagePrice": "vwap", "changePrice": "change", "close": "last", "high": "high",
                       "lastTradedPrice": "last", "low": "low", "open": "open", "vol": "volume",
                       "volValue": "quote_volume", "buy": "bid_price", "sell": "ask_price"})
    return "trade.snapshot", {"sequence": text("last_seq"), "data": {
        **day, "symbol": event.symbol, "symbolCode": event.symbol, "baseCurrency": base, "quoteCurrency": quote,
        "datetime": ms(happened), "changeRate": Bare(trimmed(f"{float(text('change_pct', '0')) / 100:.4f}")),
        "board": 1, "mark": 0, "market": quote, "sort": 100, "trading": True}}


def futures_data(event: Event, price: Write) -> list[tuple[str, dict[str, object]]]:
    """Subjects and data of what is told about futures; a change of the book is one level, a mark price comes alone."""
    happened, text = event.number("time"), event.text
    if event.kind == "delta":
        # {"sequence":1747821025244,"change":"83614,buy,12","timestamp":1790113097240}; a price of 0 is no level
        texts = [f"{level.price},{'buy' if level.side > 0 else 'sell'},{'0' if level.gone else level.qty}"
                 for level in event.levels]
        first = event.number("first_seq")
        texts += ["0,buy,0"] * (event.number("last_seq") - first + 1 - len(texts))
        return [("level2", {"sequence": first + place, "change": change, "timestamp": ms(happened)})
                for place, change in enumerate(texts)]
    if event.kind == "snapshot":
        return [("level2", {"sequence": event.number("last_seq"), **sides(event, price, Bare), "ts": ms(happened),
                            "timestamp": ms(happened)})]
    if event.kind == "quote":
        return [("tickerV2", {
            "symbol": event.symbol, "sequence": event.number("last_seq"), "bestBidSize": Bare(text("bid_qty")),
            "bestBidPrice": price(text("bid_price")), "bestAskPrice": price(text("ask_price")),
            "bestAskSize": Bare(text("ask_qty")), "ts": happened})]
    if event.kind == "trade":
        named = event.number("trade_id")
        return [("match", {
            "symbol": event.symbol, "sequence": named, "makerUserId": "0", "side": side_of(event),
            "size": Bare(text("qty")), "price": price(text("price")), "takerOrderId": "0", "takerUserId": "0",
            "makerOrderId": "0", "tradeId": str(named), "ts": happened})]
    if event.kind == "mark":
        told: list[tuple[str, dict[str, object]]] = []
        if "mark" in event.values:
            told.append(("mark.index.price", {**bare(event, {"markPrice": "mark", "indexPrice": "index"}),
                                              "granularity": 1000, "timestamp": ms(happened)}))
        if "funding" in event.values:
            told.append(("funding.rate", {"granularity": 60000, "fundingRate": Bare(text("funding")),
                                          "timestamp": ms(happened)}))
        return told
    return [("snapshot.24h", {
        "symbol": event.symbol, **bare(event, {
            "volume": "volume", "turnover": "quote_volume", "lastPrice": "last", "lowPrice": "low", "highPrice": "high",
            "priceChg": "change"}),
        "priceChgPct": Bare(trimmed(f"{float(text('change_pct', '0')) / 100:.4f}")), "ts": happened})]


def encode(stream: Stream, events: Sequence[Event], line: Line, price: Write = str) -> list[Frame]:
    # {"topic":"/market/level2:BTC-USDT","type":"message","subject":"trade.l2update","data":{...}}
    if not stream.name.startswith("/"):
        return [unified(stream, event) for event in events]
    told: list[Frame] = []
    for event in events:
        found = [spot_data(event)] if event.market == "spot" else futures_data(event, price)
        for subject, data in found:
            number = {"sn": data["sequence"]} if event.market == "futures" and "sequence" in data else {}
            told.append(write({"topic": stream.name, "type": "message", "subject": subject, **number, "data": data}))
    return told


def encode_ticker(topic: str, stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"topic":"/market/ticker:X","type":"message","subject":"trade.ticker","data":{"bestAsk":"0.549931", ...}}; of :all
    # the subject is the symbol
    event, text = events[0], events[0].text
    if event.kind != "ticker" or event.market != "spot":
        return []
    return [write({
        "topic": topic or f"/market/ticker:{event.symbol}", "type": "message",
        "subject": event.symbol if topic else "trade.ticker", "data": {
            "bestAsk": text("ask_price"), "bestAskSize": text("ask_qty"), "bestBid": text("bid_price"),
            "bestBidSize": text("bid_qty"), "price": text("last"), "sequence": text("last_seq"),
            "size": text("last_qty"), "time": ms(event.number("time"))}})]


# ---- the unified feed

def unified(stream: Stream, event: Event) -> bytes:
    # {"T":"obu.FUTURES", "dp":"increment@10ms", "t":"delta", "P":1790114459840641662, "d":{"a":[],
    #  "b":[["85973.3","16236"]],"C":1747821262585,"s":"XBTUSDTM","M":1790114459839000000,"O":1747821262584}}
    channel, trade_type, symbol, depth = stream.name.split(":")
    levels = {key: [[level.price, "0" if level.gone else level.qty] for level in event.side(side)]
              for key, side in (("a", -1), ("b", 1))}
    told = {"T": f"{channel}.{trade_type}", "dp": depth, "t": event.kind, "P": event.number("event_time"), "d": {
        **levels, "C": event.number("last_seq"), "s": symbol, "M": event.number("time"),
        "O": event.number("last_seq" if event.kind == "snapshot" else "first_seq")}}
    return ("{" + ", ".join(f'"{key}":{write(value)}' for key, value in told.items()) + "}").encode()


# ---- REST

SHORT = {"level2_20": 20, "level2_100": 100, "depth20": 20, "depth100": 100, "snapshot": 0}
OLD = {"BTC": "XBT"}


def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    last = path.rpartition("/")[2]
    data: object
    if path == "/api/v1/bullet-public" and method == "POST":
        data = {"token": "2neAiuYvAU61ZDXANAGAsiL4", "instanceServers": [
            {"endpoint": f"{query['server']}/", "encrypt": True, "protocol": "websocket", "pingInterval": 18000,
             "pingTimeout": 10000}]}
    elif last in SHORT and path.startswith(("/api/v1/market/orderbook/", "/api/v1/level2/")):
        market = "futures" if path.startswith("/api/v1/level2/") else "spot"
        book = hall.book(query.get("symbol", ""), SHORT[last], market)
        if book is None:
            return 200, b'{"code":"400100","msg":"symbol not exists"}'
        data = book_data(book)
    elif path == "/api/v2/symbols":
        data = [symbol_entry(floor.listed) for floor in hall.floors if floor.listed.market == "spot"]
    elif path == "/api/v1/contracts/active":
        data = [contract_entry(floor.listed) for floor in hall.floors if floor.listed.market == "futures"]
    else:
        return None
    return 200, write({"code": "200000", "data": data}).encode()


def book_data(book: Event) -> dict[str, object]:
    """A book of either market."""
    if book.market == "spot":
        return {"time": ms(book.number("time")), "sequence": book.text("last_seq"), **sides(book, str, str)}
    return {"symbol": book.symbol, "sequence": book.number("last_seq"), **sides(book, Bare, Bare),
            "ts": book.number("time")}


def symbol_entry(listed: Listed) -> dict[str, object]:
    """An instrument of the list of spot."""
    it = listed.instrument
    lot, tick = step(it.lot_units, it.qty_decimals), step(it.tick_units, it.price_decimals)
    return {"symbol": it.symbol, "name": it.symbol, "baseCurrency": listed.base, "quoteCurrency": listed.quote,
            "baseMinSize": lot, "quoteMinSize": "0.1", "baseIncrement": lot, "quoteIncrement": tick,
            "priceIncrement": tick, "minFunds": "0.1", "enableTrading": True}


def contract_entry(listed: Listed) -> dict[str, object]:
    """An instrument of the list of futures."""
    it = listed.instrument
    inverse = listed.settle == listed.base
    dated = listed.kind == "future"
    return {"symbol": it.symbol, "type": "FFICSX" if dated else "FFWCSX", "status": "Open",
            "expireDate": ms(listed.expiry_ns) if dated else None, "baseCurrency": OLD.get(listed.base, listed.base),
            "quoteCurrency": listed.quote, "settleCurrency": OLD.get(listed.settle, listed.settle),
            "isInverse": inverse, "lotSize": it.lot_units, "tickSize": Bare(step(it.tick_units, it.price_decimals)),
            "multiplier": Bare(f"-{listed.contract_size}" if inverse else listed.contract_size)}


# What no event keeps of a frame.
LOST = {
    **{f"{word} sn": "the sequence number again" for word in ("book", "trade", "quote")},
    "ticker id": "a name of the message",
    **{f"trade data.{key}": "ids of orders and users; the trade's is its sequence" for key in (
        "makerOrderId", "takerOrderId", "makerUserId", "takerUserId", "tradeId")},
    "mark data.granularity": "how often it comes",
    "ticker data.sequence": "of the message", "ticker data.priceChgPct": "follows from the prices",
    **{f"ticker data.data.{key}": "of a market, or follows from other values" for key in (
        "changeRate", "board", "mark", "market", "markets", "sort", "trading", "buy", "sell", "makerCoefficient",
        "makerFeeRate", "takerCoefficient", "takerFeeRate", "marginTrade", "close")},
}

PACE_MS = {"quotes": 10, "ticker": 1000, "mark": 1000}
DIALECT = Dialect(
    venue="kucoin", lost=LOST, listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    greet=greet, options=({}, {"speed": "realtime"}, {"depth": 5}, {"depth": 50}), all_or_nothing=True,
    levels=lambda stream: 500 if stream.name.startswith("obu") else stream.depth,
    opens=lambda stream: stream.name.startswith("obu") or stream.channel in ("quotes", "ticker", "mark"),
    pace_ms=lambda stream: (10 if stream.name.startswith("obu") else 100 if stream.depth else 0)
    if stream.channel == "book" else PACE_MS.get(stream.channel, 0),
    silence_s=60.0,
    older={"futures with numbers, until 2023": partial(encode, price=Bare), "tickers of one symbol":
           partial(encode_ticker, ""), "tickers of all": partial(encode_ticker, "/market/ticker:all")},
)
