"""A world without sockets: simulated venues, faults and the real client, under one virtual clock and one seed.

The client is `feeds.connect` as it is; only the opening of a line and the REST client are the world's. After every book
message that is applied, a LIVE book must be what the venue's book was at the number that the book states.

    python -m tests.simulation --seed 7 --hours 100         # one run again, with its log
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

import feeds
from feeds import connection, rest, session
from feeds.connection import Timing
from feeds.rest import RestError, Window
from feeds.simulator.faults import OPENING_KINDS, Fault, Faults, Script
from orderbook import BookState
from tests.clock import VirtualLoop

START_NS = 1_790_000_000_000_000_000
LEVELS = 12                     # a side, about
KEPT = 4096                     # books of the past that a client may still be at
MASK = (1 << 64) - 1
STEP_S = 1e-6
K1, K2, K3 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9

# An hour of the world is mostly quiet, so the client looks less often than it would.
TIMING = Timing(first=3600.0, connect=30.0, backoff=1.0, backoff_longest=30.0, steady=60.0, ack=40.0, pong=40.0,
                close=10.0, renew=20.0, silent=120.0, look=5.0, check=10.0)

ROUGH = (
    Fault("drop", rate=0.006), Fault("duplicate", rate=0.005), Fault("reorder", rate=0.003),
    Fault("burst", rate=0.001, count=5), Fault("delay", rate=0.003, seconds=3.0), Fault("add_key", rate=0.003),
    Fault("drop_key", rate=0.001), Fault("retype_key", rate=0.001), Fault("truncate", rate=0.001),
    Fault("garbage", rate=0.001), Fault("reset", rate=0.0006), Fault("close", rate=0.0006),
    Fault("half_open", rate=0.0002, seconds=400.0), Fault("silent", rate=0.0004, seconds=30.0),
    Fault("refuse", rate=0.1), Fault("slow_opening", rate=0.05, seconds=60.0), Fault("abort_opening", rate=0.05),
    Fault("rest_status", rate=0.05, seconds=5.0), Fault("rest_slow", rate=0.1, seconds=20.0),
    Fault("rest_stale", rate=0.05), Fault("rest_garbage", rate=0.02), Fault("rest_reset", rate=0.05),
    Fault("restart", rate=0.0001),
)


def mixed(side: int, price: int, qty: int) -> int:
    """A level's share in the fingerprint of a book: sums of shares stay comparable when a level changes."""
    return (((price * K1 + side) & MASK) ^ (qty * K2 & MASK)) * K3 & MASK


def fingerprint(levels: np.ndarray, side: int, price_factor: int, qty_factor: int) -> int:
    """The sum of the shares of a side as a client has it."""
    if not len(levels):
        return 0
    numbers = levels.astype(np.uint64)
    price, qty = numbers[:, 0] * np.uint64(price_factor), numbers[:, 1] * np.uint64(qty_factor)
    return int(((price * np.uint64(K1) + np.uint64(side)) ^ (qty * np.uint64(K2))).__mul__(np.uint64(K3)).sum())


class Truth:
    """One symbol's book at the venue; prices in cents, quantities in thousandths."""

    def __init__(self, symbol: str, dice: random.Random):
        self.symbol = symbol
        self.dice = dice
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.sums = [0, 0]
        self.last = 1_000_000
        self.number = 0                         # messages told
        self.versions: dict[int, tuple[int, int]] = {}      # last id -> fingerprints of the two sides
        self.numbers: dict[int, tuple[int, int]] = {}       # the same by number of the message
        self.places: dict[int, int] = {}        # last id -> number of the message
        for distance in range(LEVELS):
            self._set(0, 9_999 - 3 * distance, 1000 + distance)
            self._set(1, 10_001 + 3 * distance, 1000 + distance)
        self.note()

    def _set(self, side: int, price: int, qty: int) -> None:
        book = self.sides[side]
        held = book.pop(price, 0)
        if held:
            self.sums[side] -= mixed(side, price, held)
        if qty:
            book[price] = qty
            self.sums[side] += mixed(side, price, qty)

    def note(self) -> None:
        """Remember the book as it is now."""
        state = (self.sums[0] & MASK, self.sums[1] & MASK)
        self.places[self.last] = self.number
        for versions, key in ((self.versions, self.last), (self.numbers, self.number)):
            versions[key] = state
            if len(versions) > KEPT:
                del versions[next(iter(versions))]

    def change(self) -> tuple[int, int, tuple[list[tuple[int, int]], list[tuple[int, int]]]]:
        """One to four changes. Returns: the id before, the first id, and [(price, qty)] of each side."""
        dice, before = self.dice, self.last
        told: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for _ in range(dice.randrange(1, 5)):
            side = dice.randrange(2)
            book = self.sides[side]
            if len(book) > LEVELS or (len(book) > 4 and dice.random() < 0.3):
                price, qty = dice.choice(list(book)), 0
            else:
                best = max(self.sides[0], default=9_999) if side else min(self.sides[1], default=10_001)
                price = best + dice.randrange(1, 40) if side else best - dice.randrange(1, 40)
                qty = dice.randrange(1, 100_000)
            self._set(side, price, qty)
            told[side][price] = qty
            self.last += 1
        self.number += 1
        self.note()
        return before, before + 1, (list(told[0].items()), list(told[1].items()))

    def renumber(self) -> None:
        """The venue starts anew: numbers begin again, the book stays."""
        self.last, self.number = 500_000, 0
        self.versions.clear()
        self.numbers.clear()
        self.places.clear()
        self.note()


def rows(pairs: list[tuple[int, int]]) -> str:
    """Levels as text."""
    return ",".join([f'["{price // 100}.{price % 100:02d}","{qty // 1000}.{qty % 1000:03d}"]' for price, qty in pairs])


# ---- how four families of venues write

class Chain:
    """Numbers that name the message before; the snapshot comes in the stream."""

    venue, symbols, by_rest, by_number = "okx", ("BTC-USDT", "ETH-USDT", "SOL-USDT"), False, False
    ping, pong = "ping", b"pong"

    def delta(self, truth, before, first, bids, asks):
        return (f'{{"arg":{{"channel":"books","instId":"{truth.symbol}"}},"action":"update","data":[{{"asks":'
                f'[{rows(asks)}],"bids":[{rows(bids)}],"ts":"1790000000000","checksum":0,"seqId":{truth.last},'
                f'"prevSeqId":{before}}}]}}').encode()

    def snapshot(self, truth):
        bids, asks = (list(side.items()) for side in truth.sides)
        return (f'{{"arg":{{"channel":"books","instId":"{truth.symbol}"}},"action":"snapshot","data":[{{"asks":'
                f'[{rows(asks)}],"bids":[{rows(bids)}],"ts":"1790000000000","checksum":0,"seqId":{truth.last},'
                f'"prevSeqId":-1}}]}}').encode()

    def hear(self, text):
        request = json.loads(text)
        symbols = [arg["instId"] for arg in request["args"]]
        acks = [json.dumps({"event": request["op"], "arg": arg, "connId": "a"}).encode() for arg in request["args"]]
        return request["op"], symbols, acks


class Counting:
    """Numbers that rise by one a message; the snapshot comes in the stream."""

    venue, symbols, by_rest, by_number = "bybit", ("BTCUSDT", "ETHUSDT", "SOLUSDT"), False, True
    ping, pong = '{"op":"ping"}', b'{"success":true,"ret_msg":"pong","conn_id":"a","op":"ping"}'

    def frame(self, kind, truth, bids, asks):
        return (f'{{"topic":"orderbook.1000.{truth.symbol}","type":"{kind}","ts":1790000000000,"data":{{"s":'
                f'"{truth.symbol}","b":[{rows(bids)}],"a":[{rows(asks)}],"u":{truth.number + 7},"seq":{truth.last}}},'
                f'"cts":1790000000000}}').encode()

    def delta(self, truth, before, first, bids, asks):
        return self.frame("delta", truth, bids, asks)

    def snapshot(self, truth):
        return self.frame("snapshot", truth, *(list(side.items()) for side in truth.sides))

    def hear(self, text):
        request = json.loads(text)
        symbols = [arg.rpartition(".")[2] for arg in request["args"]]
        return request["op"], symbols, [json.dumps({"success": True, "ret_msg": "", "conn_id": "a",
                                                    "req_id": request["req_id"], "op": request["op"]}).encode()]


class Ranges:
    """First and last number of what a message tells; the snapshot comes by REST."""

    venue, symbols, by_rest, by_number = "binance_spot", ("BTCUSDT", "ETHUSDT", "SOLUSDT"), True, False
    ping, pong = "", b""
    previous = False

    def delta(self, truth, before, first, bids, asks):
        name = f"{truth.symbol.lower()}@depth@100ms"
        stamp = f',"T":1790000000000,"pu":{before}' if self.previous else ""
        return (f'{{"stream":"{name}","data":{{"e":"depthUpdate","E":1790000000000,"s":"{truth.symbol}","U":{first},'
                f'"u":{truth.last}{stamp},"b":[{rows(bids)}],"a":[{rows(asks)}]}}}}').encode()

    def snapshot(self, truth):
        bids, asks = (list(side.items()) for side in truth.sides)
        stamp = '"E":1790000000000,"T":1790000000000,' if self.previous else ""
        return f'{{"lastUpdateId":{truth.last},{stamp}"bids":[{rows(bids)}],"asks":[{rows(asks)}]}}'.encode()

    def hear(self, text):
        request = json.loads(text)
        symbols = [name.partition("@")[0].upper() for name in request["params"]]
        return request["method"].lower(), symbols, [json.dumps({"result": None, "id": request["id"]}).encode()]

    def named(self, url):
        return [name.partition("@")[0].upper() for name in parse_qs(urlsplit(url).query).get("streams", [""])[0]
                .split("/") if name]


class Linked(Ranges):
    """The same with the number of the message before."""

    venue, previous = "binance_usdm", True


FAMILIES = (Chain, Counting, Ranges, Linked)


# ---- the world

@dataclass
class Figures:
    """What a run has seen."""

    seed: int
    hours: float = 0.0
    messages: int = 0           # book messages that reached a client
    compared: int = 0           # times that a LIVE book was compared with the venue's
    faults: Counter[str] = field(default_factory=Counter)
    opens: int = 0
    kills: int = 0
    recoveries: list[float] = field(default_factory=list)      # s from STALE to LIVE
    away_s: float = 0.0         # s that books were not LIVE after the first time, with faults
    quiet_away_s: float = 0.0   # and without


class FakeLine:
    """What `feeds.transport.Line` is to a connection, with the world at its other end."""

    def __init__(self, world: World, number: int, pipeline: object):
        self.world, self.number, self.pipeline = world, number, pipeline
        self.frames = self.messages = self.bytes = self.wire_bytes = self.batches = self.largest_batch = self.pings = 0
        self.largest_read = self.wire_bytes = 0
        self.paused = False
        self.handler_errors = self.last_frame_ns = self.close_code = 0
        self.close_reason = ""
        self.is_open = True
        self.faults = world.faults.line()
        self.deaf_until = self.mute_until = 0.0
        self.heard: set[str] = set()            # symbols it was asked for,
        self.all_since = 0.0                    # and when the last of them was
        self.opened_at = world.loop.time()
        self._ready = self._heard = 0.0         # when the last frame, the last request on its way arrives
        self._closed = asyncio.Event()
        pipeline.opened(number)

    def send_text(self, text: str) -> None:
        if not self.is_open:
            raise ConnectionError("the line is not open")
        now = self.world.loop.time()
        if now >= self.deaf_until:
            # A step of its own for each: timers of one moment have no order.
            self._heard = max(self._heard + STEP_S, now + 0.05)
            self.world.loop.call_at(self._heard, self.world.hear, self, text)

    def send_ping(self) -> None:
        if self.is_open and self.world.loop.time() >= self.deaf_until:
            self.world.loop.call_later(0.1, self._pong)

    def _pong(self) -> None:
        if self.is_open and self.world.loop.time() >= max(self.deaf_until, self.mute_until):
            self.frames += 1

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.end(code, reason)

    def abort(self) -> None:
        self.end(1006, "")

    def end(self, code: int, reason: str) -> None:
        """The connection is gone."""
        if self.is_open:
            self.is_open = False
            self.close_code, self.close_reason = code, reason
            self.world.lines.discard(self)
            self.pipeline.closed(self.number)
            self._closed.set()

    async def wait_closed(self) -> None:
        await self._closed.wait()

    def tell(self, payloads: list[bytes], faulty: bool = True) -> None:
        """The venue says something in one go; faults may strike it on its way."""
        world = self.world
        now = world.loop.time()
        if now < max(self.deaf_until, self.mute_until):
            return
        batch: list[bytes] = []
        for payload in payloads:
            if not (faulty and world.rough):
                batch.append(payload)
                continue
            frames, broken = self.faults.frames(1, payload, now)
            for frame in frames:
                if frame.late_s:
                    self._send(batch, now)
                    batch = []
                    self._ready = max(self._ready, now) + frame.late_s
                batch.append(frame.payload)
            if broken is not None:
                self._send(batch, now)
                self._break(broken, now)
                return
        self._send(batch, now)

    def _send(self, batch: list[bytes], now: float) -> None:
        if batch:
            self._ready = max(self._ready + STEP_S, now + self.world.dice.uniform(0.01, 0.2))
            self.world.loop.call_at(self._ready, self._receive, batch)

    def _break(self, fault: Fault, now: float) -> None:
        """A fault strikes the connection."""
        world = self.world
        if fault.kind == "half_open":
            self.deaf_until = now + fault.seconds
            world.loop.call_later(fault.seconds, self.end, 1006, "")
        elif fault.kind == "silent":
            self.mute_until = now + fault.seconds
        else:
            world.loop.call_later(0.01, self.end, 1006 if fault.kind == "reset" else 1012, "")

    def _receive(self, batch: list[bytes]) -> None:
        receive_ns = int(START_NS + self.world.loop.time() * 1e9)
        for payload in batch:
            if self.is_open:
                self.frames += 1
                self.messages += 1
                self.pipeline.feed(payload, receive_ns, self.number)
        self.pipeline.flush()


class FakeRest:
    """What `feeds.rest.Rest` is to a feed."""

    world: World

    def __init__(self, spec, rest_url=None, ssl=None, proxy=None):
        self.spec, self.moved_to = spec, rest_url
        self.requests = self.failures = 0
        self._window = Window(spec.limits.rest_weight_per_minute)
        self._first: dict[str, bytes] = {}

    def window(self, url=None):
        return self._window

    async def get(self, url, weight):
        """A snapshot as the venue's book is when the request arrives."""
        world = self.world
        self.requests += 1
        await self._window.wait(weight)
        fault = world.faults.request(url, world.loop.time()) if world.rough else None
        await asyncio.sleep(world.dice.uniform(0.05, 0.5))
        symbol = parse_qs(urlsplit(url).query)["symbol"][0]
        body = world.family.snapshot(world.truths[symbol])
        if fault is not None:
            if fault.kind in ("rest_status", "rest_reset"):
                self.failures += 1
                status = 503 if fault.kind == "rest_status" else None
                raise RestError(self.spec.name, url, status, "by script", retry_after_s=0.0)
            if fault.kind == "rest_garbage":
                body = body[:len(body) // 2]
            elif fault.kind == "rest_stale":
                body = self._first.get(symbol, body)
            else:
                await asyncio.sleep(fault.seconds)
        self._first.setdefault(symbol, body)
        return body, int(START_NS + world.loop.time() * 1e9)

    async def close(self):
        pass


class World:
    """One venue, its client, and what may go wrong between them.

    Parameters: family -- how the venue writes. seed -- decides everything. hours -- of simulated time, with faults;
    an eighth more follows without. pause_s -- from one burst of messages to the next, on average. lines -- of the
    client. kill_s -- seconds between two ends of a line, while another has been subscribed to all for half a second.
    lifetime_s -- after which the venue ends a line. timing -- of the client. exact -- every message of the venue has to
    be applied once, from the first time that a book is LIVE on, and no book may leave that state.
    """

    def __init__(self, family, seed: int, hours: float, pause_s: float = 13.0, script: tuple[Fault, ...] = ROUGH, *,
                 lines: int = 1, kill_s: float = 0.0, lifetime_s: float = 0.0, timing: Timing = TIMING,
                 exact: bool = False):
        self.family = family()
        self.dice = random.Random(f"{seed}/{family.venue}")
        self.faults = Faults(Script(script, seed))
        self.rough, self.script = True, script
        self.failed: BaseException | None = None
        self.truths = {symbol: Truth(symbol, self.dice) for symbol in self.family.symbols}
        self.lines: set[FakeLine] = set()
        self.figures = Figures(seed)
        self.hours, self.pause_s = hours, pause_s
        self.loop = VirtualLoop(sockets=False)
        self._left: dict[str, float] = {}           # symbol -> since when its book is not LIVE
        self.client_lines, self.kill_s, self.lifetime_s = lines, kill_s, lifetime_s
        self.timing, self.exact = timing, exact
        self.reached: dict[str, int] = {}           # symbol -> number of the last message that was applied

    def run(self) -> Figures:
        """Live through it. Raises: AssertionError for a book that was LIVE and wrong."""
        random.seed(self.figures.seed)              # the client's own jitter
        self.loop.set_exception_handler(self._fail)
        kept = (connection.open_line, session.Rest, rest.default_clock, rest._windows, rest._places)
        FakeRest.world = self
        connection.open_line, session.Rest = self.open_line, FakeRest
        rest.default_clock, rest._windows, rest._places = self.loop.time, {}, {}
        try:
            with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
                runner.run(self._live())
        finally:
            connection.open_line, session.Rest, rest.default_clock, rest._windows, rest._places = kept
        if self.failed is not None:
            raise self.failed
        return self.figures

    def _fail(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What is raised while a frame arrives fails the run, too."""
        self.failed = self.failed or context.get("exception") or RuntimeError(context["message"])

    async def open_line(self, pipeline, url, number, **options):
        """Open a line, unless a fault strikes the attempt."""
        fault = self.faults.opening(url, self.loop.time()) if self.rough else None
        await asyncio.sleep(self.dice.uniform(0.05, 0.5))
        if fault is not None:
            assert fault.kind in OPENING_KINDS
            if fault.kind == "slow_opening":
                await asyncio.sleep(options["timeout"])
            raise ConnectionError(f"{url}: {fault.kind}")
        line = FakeLine(self, number, pipeline)
        self.lines.add(line)
        self.figures.opens += 1
        if self.lifetime_s:
            self.loop.call_later(self.lifetime_s, line.end, 1001, "end of its lifetime")
        if self.family.by_rest:
            line.heard |= set(self.family.named(url))
            line.all_since = self.loop.time()
        return line

    def hear(self, line: FakeLine, text: str) -> None:
        """A client says something."""
        family = self.family
        if not line.is_open:
            return
        if text == family.ping or '"ping"' in text:
            line.tell([family.pong], faulty=False)
            return
        what, symbols, acks = family.hear(text)
        line.tell(acks, faulty=False)
        for symbol in symbols:
            if what == "subscribe":
                line.heard.add(symbol)
                line.all_since = self.loop.time()
                if not family.by_rest:
                    line.tell([family.snapshot(self.truths[symbol])])
            else:
                line.heard.discard(symbol)

    async def _live(self) -> None:
        family, timing = self.family, self.timing
        feed = feeds.connect(family.venue, list(family.symbols), ("book",), self, lines=self.client_lines)
        feed.timing = timing
        if self.lifetime_s:
            feed.spec = replace(feed.spec, limits=replace(feed.spec.limits, connection_lifetime_s=self.lifetime_s))
        feed.pipeline.on_applied = self.check_each if self.exact else self.check
        self.feed = feed
        async with feed:
            killer = asyncio.create_task(self._kill())
            began = self.loop.time()
            await self._trade(began + self.hours * 3600)
            self.rough = False
            self.figures.faults.update(self.faults.counts)
            await self._trade(self.loop.time() + (1800 if self.script else 10))     # what was on its way is over
            await feed.wait_live(3600)
            self.figures.away_s += self._since(self.loop.time())
            before = self.figures.away_s
            opens = self.figures.opens
            await self._trade(self.loop.time() + self.hours * 450)
            self.figures.quiet_away_s = self.figures.away_s + self._since(self.loop.time()) - before
            self.quiet_opens = self.figures.opens - opens
            for symbol in family.symbols:
                assert feed.book(symbol).status is BookState.LIVE
                self.check(feed.book(symbol))
            self.figures.messages = feed.pipeline.counters["depth"] + feed.pipeline.counters["snapshots"]
            self.figures.hours = (self.loop.time() - began) / 3600
            killer.cancel()
            self.line_stats = feed.stats()["lines"]

    async def _kill(self) -> None:
        """End a line again and again, each in its turn, as long as another one carries everything."""
        while self.kill_s:
            await asyncio.sleep(self.kill_s)
            now = self.loop.time()
            whole = [line for line in self.lines if len(line.heard) == len(self.truths) and now - line.all_since > 0.5]
            if len(whole) > 1:
                oldest = min(whole, key=lambda line: line.opened_at)
                oldest.end(1006, "")
                self.figures.kills += 1

    async def _trade(self, until: float) -> None:
        """The venue's day: bursts of changes, and now and then a new beginning."""
        dice, family = self.dice, self.family
        names = list(self.truths)
        while self.loop.time() < until:
            await asyncio.sleep(dice.expovariate(1 / self.pause_s))
            told: list[tuple[str, bytes]] = []
            for _ in range(dice.randrange(1, 16)):
                truth = self.truths[dice.choice(names)]
                before, first, (bids, asks) = truth.change()
                told.append((truth.symbol, family.delta(truth, before, first, bids, asks)))
            for line in list(self.lines):
                line.tell([frame for symbol, frame in told if symbol in line.heard])
            if self.rough and self.faults.venue(self.loop.time()):
                for truth in self.truths.values():
                    truth.renumber()
                for line in list(self.lines):
                    line.end(1012, "the venue starts anew")

    # ---- what the client shows

    def check(self, book) -> None:
        """A book message was applied: if the book is LIVE, it is the venue's."""
        if book.status is not BookState.LIVE:
            return
        truth = self.truths[book.symbol]
        versions = truth.numbers if self.family.by_number else truth.versions
        wanted = versions.get(book.sequence - 7 if self.family.by_number else book.sequence)
        price, qty = 10 ** (2 - book.price_scale), 10 ** (3 - book.qty_scale)
        found = (fingerprint(book.bids_int(), 0, price, qty), fingerprint(book.asks_int(), 1, price, qty))
        self.figures.compared += 1
        assert found == wanted, (f"{book.symbol} is LIVE and wrong at {book.sequence}, the venue at {truth.last} "
                                 f"({truth.number} messages), seed {self.figures.seed}, {self.loop.time():.3f} s")

    def check_each(self, book) -> None:
        """The same, and every message is applied once."""
        self.check(book)
        truth = self.truths[book.symbol]
        number = book.sequence - 7 if self.family.by_number else truth.places[book.sequence]
        before = self.reached.get(book.symbol)
        if before is not None:
            assert number == before + 1, (f"{book.symbol}: message {number} after {before}, seed {self.figures.seed}, "
                                          f"{self.loop.time():.3f} s")
        if book.status is BookState.LIVE:
            self.reached[book.symbol] = number

    def on_status(self, book, old, new, reason) -> None:
        """Measure how long a book that has been LIVE is not."""
        if book is None or old == new:
            return
        now = self.loop.time()
        if old == BookState.LIVE:
            self._left[book.symbol] = now
        elif new == BookState.LIVE and book.symbol in self._left:
            away = now - self._left.pop(book.symbol)
            self.figures.away_s += away
            self.figures.recoveries.append(away)

    def _since(self, now: float) -> float:
        """Seconds that books which are away now have been so."""
        return sum(now - at for at in self._left.values())


def main() -> None:
    """Live through some hours again."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--venue", choices=[family.venue for family in FAMILIES])
    parser.add_argument("--log", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO if options.log else logging.CRITICAL, format="%(name)s %(message)s")
    for family in FAMILIES:
        if options.venue in (None, family.venue):
            figures = World(family, options.seed, options.hours).run()
            print(f"{family.venue}: {figures.hours:.1f} h, {figures.messages} messages, {figures.compared} compared, "
                  f"{figures.faults.total()} faults, {figures.opens} openings, {len(figures.recoveries)} recoveries of "
                  f"at most {max(figures.recoveries, default=0.0):.0f} s")


if __name__ == "__main__":
    main()
