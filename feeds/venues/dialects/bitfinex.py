"""How Bitfinex writes: WebSocket v2 of today, which is that of the recordings of 2021.

https://docs.bitfinex.com/reference/ws-general. A channel has a number, given with the answer to its subscription; every
frame that is an array may have a number of its own (flag 65536) and a time (32768) behind what it says, and books a
checksum of their best 25 levels now and then (131072). Numbers are written as JavaScript writes them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from zlib import crc32

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, ms, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("tBTCUSD", 1, 0, 1, 8, 61_800, 8_000_000), base="BTC", quote="USD"),
    Listed(Instrument("tETHUSD", 1, 1, 1, 8, 26_800, 90_000_000), base="ETH", quote="USD"),
    Listed(Instrument("tBTCF0:USTF0", 1, 0, 1, 8, 61_800, 5_000_000), kind="perpetual", base="BTC", quote="USDT",
           settle="USDT"),
    Listed(Instrument("tETHF0:USTF0", 1, 1, 1, 8, 26_800, 70_000_000), kind="perpetual", base="ETH", quote="USDT",
           settle="USDT"),
)
TIMESTAMP, SEQ_ALL, CHECKSUM = 32768, 65536, 131072
FIRST_CHANNEL = 225_206
CHECKED_EVERY = 25              # messages of a book
DEEPEST_CHECKED = 25
OURS = {"USDT": "UST"}


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"event":"subscribe","channel":"book","symbol":"tBTCUSD","prec":"P0","freq":"F0","len":"100"}
    # {"event":"unsubscribe","chanId":225206}   {"event":"conf","flags":196608}   {"event":"ping","cid":1234}
    try:
        request = json.loads(text)
        event = request["event"]
        if event == "conf":
            line.memory["flags"] = int(request["flags"])
            return [reply({"event": "conf", "status": "OK", "flags": line.memory["flags"]})]
        if event == "ping":
            return [reply({"event": "pong", "ts": ms(time.time_ns()), "cid": request.get("cid")})]
        if event == "unsubscribe":
            name = line.memory.get(("stream", request.get("chanId")))
            if not isinstance(name, str):
                return [reply({"event": "error", "msg": "unsubscribe: invalid", "code": 10400,
                               "chanId": request.get("chanId")})]
            return [Ask("unsubscribe", (name,), request)]
        if event != "subscribe":
            raise ValueError(event)
        name = name_of(request)
    except (ValueError, LookupError, TypeError, AttributeError):
        return [reply({"event": "error", "msg": "event: invalid", "code": 10000})]
    known = line.memory.get(("number", name))
    if known is not None:
        return [reply({**described(name), "chanId": known, "event": "error", "msg": "subscribe: dup", "code": 10301})]
    return [Ask("subscribe", (name,), request)]


def reply(frame: Mapping[str, object]) -> Ask:
    return Ask("reply", frames=(write(frame),))


def name_of(request: Mapping[str, object]) -> str:
    """The stream that a request is about."""
    channel = request["channel"]
    if channel == "book":
        return (f"book:{request['symbol']}:{request.get('prec', 'P0')}:{request.get('freq', 'F0')}:"
                f"{request.get('len', 25)}")
    return f"{channel}:{request['key' if channel == 'status' else 'symbol']}"


def described(name: str) -> dict[str, object]:
    """The same as the venue's answers have it."""
    channel, _, rest = name.partition(":")
    if channel == "book":
        symbol, prec, freq, length = rest.rsplit(":", 3)
        return {"channel": channel, "symbol": symbol, "prec": prec, "freq": freq, "len": length, "pair": symbol[1:]}
    if channel == "status":
        return {"channel": channel, "key": rest}
    return {"channel": channel, "symbol": rest, "pair": rest[1:]}


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"event":"subscribed","channel":"ticker","chanId":232949,"symbol":"tBFTUSD","pair":"BFTUSD"}
    told: list[Frame] = []
    for name in known:
        if ask.kind == "unsubscribe":
            number = line.memory.pop(("number", name), None)
            line.memory.pop(("stream", number), None)
            told.append(write({"event": "unsubscribed", "status": "OK", "chanId": number}))
            continue
        given = line.memory.get("given", 0)
        number = FIRST_CHANNEL + (given if isinstance(given, int) else 0)
        line.memory |= {"given": number - FIRST_CHANNEL + 1, ("number", name): number, ("stream", number): name}
        about = described(name)
        told.append(write({"event": "subscribed", "channel": about.pop("channel"), "chanId": number, **about}))
    for name in unknown if ask.kind == "subscribe" else ():
        words = "key" if name.startswith("status") else "symbol"
        told.append(write({**described(name), "event": "error", "msg": f"{words}: invalid", "code": 10300}))
    return told


def greet(line: Line) -> list[Frame]:
    return ['{"event":"info","version":2,"serverId":"083bd8d4-aca7-4690-a573-eabfc8103de8","platform":{"status":1}}']


def beat(line: Line, now_ns: int) -> list[Frame]:
    return [array(line, name, ["hb"], now_ns) for key, name in list(line.memory.items())
            if isinstance(key, tuple) and key[0] == "stream" and isinstance(name, str)]


def too_much(what: str, line: Line) -> list[Frame]:
    return ['{"event":"error","msg":"subscribe: limit","code":10305}']


# ---- messages

def number(text: str, sign: int = 1) -> Bare:
    """A number as JavaScript writes it: 7e-7 below a millionth, 0.0000011 above, no zeros at its end."""
    value = Decimal(text).normalize()
    text = f"{value:e}" if value and value.adjusted() < -6 else f"{value:f}"
    return Bare(("-" if sign < 0 and value else "") + text)


def array(line: Line, name: str, payload: Sequence[object], sent_ns: int, event: Event | None = None) -> str:
    """A frame of a channel, with what the connection's flags put behind it."""
    tail: list[object] = []
    if event is not None and "number" not in event.values and "last_seq" not in event.values:
        tail += [event.number("line_seq")] if "line_seq" in event.values else []        # recorded
        tail += [ms(sent_ns)] if "event_time" in event.values else []
    else:
        flags = line.memory.get("flags", 0)
        assert isinstance(flags, int)
        tail += [line.next()] if flags & SEQ_ALL else []
        tail += [ms(sent_ns)] if flags & TIMESTAMP else []
    return write([line.memory.get(("number", name), 0), *payload, *tail])


def book(stream: Stream, event: Event, line: Line) -> list[Frame]:
    """A whole book, or a frame for each level; a checksum from time to time."""
    sent = event.number("event_time")
    if event.kind == "snapshot":
        rows = [[number(level.price), 1, number(level.qty, level.side)] for level in event.levels]
        return [array(line, stream.name, [rows], sent, event)]
    frames: list[Frame] = []
    for level in sorted(event.levels, key=lambda level: not level.gone):      # no frame leaves a crossed book behind
        row = [number(level.price), 0, level.side] if level.gone else [
            number(level.price), event.number("level_count", 1), number(level.qty, level.side)]
        frames.append(array(line, stream.name, [row], sent, event))
    flags = line.memory.get("flags", 0)
    assert isinstance(flags, int)
    if "checksum" in event.values:
        frames.append(array(line, stream.name, ["cs", event.number("checksum")], sent, event))
    elif event.best is not None and flags & CHECKSUM and event.number("number") % CHECKED_EVERY == 0 \
            and int(stream.name.rpartition(":")[2]) >= DEEPEST_CHECKED:
        frames.append(array(line, stream.name, ["cs", checksum(event)], sent, event))
    return frames


def checksum(event: Event) -> int:
    """Signed CRC-32 of bid, ask, bid, ...: each "price:amount", asks negative."""
    assert event.best is not None
    sides = [[(number(price), number(qty, side)) for price, qty in event.best(side, DEEPEST_CHECKED)]
             for side in (1, -1)]
    words: list[str] = []
    for place in range(DEEPEST_CHECKED):
        for side in sides:
            if place < len(side):
                words += side[place]
    crc = crc32(":".join(words).encode())
    return crc - (1 << 32) if crc >> 31 else crc


def ticker(event: Event) -> list[object]:
    """Best prices, the change, last price, volume and range of the day; the sums of amounts are made up."""
    def figure(name: str) -> Bare:
        return number(event.text(name, "0"))

    last, change = float(event.text("last", "0")), float(event.text("change", "0"))
    return [figure("bid_price"), figure("volume"), figure("ask_price"), figure("volume"), figure("change"),
            round(change / (last - change or 1), 4), figure("last"), figure("volume"), figure("high"), figure("low")]


def status(event: Event) -> list[object]:
    """Of a perpetual: 2 last price, 3 index, 7 time of the next funding, 11 funding, 14 mark, 17 open interest."""
    told: list[object] = [None] * 23
    told[0], told[7] = ms(event.number("time")), ms(event.number("next_funding"))
    for place, name in ((2, "last"), (3, "index"), (11, "funding"), (14, "mark"), (17, "open_interest")):
        told[place] = number(event.text(name)) if event.text(name) else None
    return told


def liquidation(event: Event) -> list[object]:
    """The amount is that of the position: a long one is sold."""
    price = number(event.text("price"))
    return ["pos", event.number("trade_id"), ms(event.number("time")), None, event.symbol,
            number(event.text("qty"), -event.number("aggressor")), price, None, 0, 1, None, price]


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # [225206,[279380,1,0.0089],19]
    frames: list[Frame] = []
    for event in events:
        sent = event.number("event_time")
        if event.kind in ("delta", "snapshot"):
            frames += book(stream, event, line)
        elif event.kind == "trade":
            fill = [event.number("trade_id"), ms(event.number("time")),
                    number(event.text("qty"), event.number("aggressor")), number(event.text("price"))]
            words = ("te", "tu") if "last_seq" in event.values else ("te",)     # a recorded tu is another frame
            frames += [array(line, stream.name, [word, fill], sent, event) for word in words]
        elif event.kind == "liquidation":
            frames.append(array(line, stream.name, [[liquidation(event)]], sent))
        else:
            told = status(event) if stream.name.startswith("status:") else ticker(event)
            frames.append(array(line, stream.name, [told], sent, event))
    return frames


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    asked = path.removeprefix("/v2/conf/")
    if asked not in ("pub:info:pair", "pub:info:pair:futures"):
        return None
    kind = "perpetual" if asked.endswith("futures") else "spot"
    return 200, write([[[floor.listed.instrument.symbol[1:], [None, None, None, "0.00004", "2000.0", None, None, None,
                                                              0.2, 0.1, None]]
                        for floor in hall.floors if floor.listed.kind == kind]]).encode()


# What no event keeps of a frame.
LOST = {
    **{f"{word} [0]": "the channel's number, given by connection" for word in ("book", "ticker", "trade")},
    "book [1][][1]": "orders at a level of a whole book",
    "ticker [1][1]": "sum of the best 25 bids", "ticker [1][3]": "sum of the best 25 asks",
    "ticker [1][5]": "the change, relative",
}

DIALECT = Dialect(
    venue="bitfinex", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much, lost=LOST,
    by_line=True, greet=greet, beat=beat, beat_s=15.0, whole=lambda stream: False,
    options=({}, {"depth": 1}, {"depth": 25}, {"depth": 100}, {"speed": "2s"}),
    levels=lambda stream: int(stream.name.rpartition(":")[2]) if stream.channel == "book" else 0,
    opens=lambda stream: stream.channel not in ("trades", "liquidations"),
    kind=lambda stream: "ticker" if stream.name.startswith("status:deriv") else "",
    pace_ms=lambda stream: (2000 if ":F1:" in stream.name else 20) if stream.channel == "book" else {
        "trades": 0, "liquidations": 0}.get(stream.channel, 1000),
)
