"""Learned layouts of every venue's forms: the fast path, its scalar twin and the careful parser are one.

Frames of random numbers go through three pipelines: with learned layouts, with their scalar twin, and one that knows
layouts but never uses them. Whatever a frame is, all three must tell the same of it: books, figures, events, errors.
Then the learned frames are spoilt: any byte changed, put in, taken out, cut with the rest behind the end.
"""

from __future__ import annotations

import json
import os
import random
import re
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from itertools import islice
from math import isclose
from zlib import crc32

import pytest

from feeds import VENUES, Pipeline
from feeds.capture import CaptureReader
from feeds.parser import runners
from orderbook import BookState
from tests import _probe
from tests.model import held
from tests.own import own_spec
from tests.venues import Row

ROWS = {name: import_module(f"tests.venues.{name}").ROW for name in VENUES}
ROWS["mexc contract"] = import_module("tests.venues.mexc").CONTRACT

VALUES = b'\x00019"{}[],:\\-.+eEtfn x\xff'
NUMBERS = (b"0", b"00", b"1", b"7", b"01", b"-1", b"-0", b"1.", b".5", b"1.50", b"0.0", b"1e3", b"2E-3", b"1e", b"-",
           b"12345678", b"123456789.123", b"0.00000001", b"0.123456789012", b"99999999999999999", b"null", b"true",
           b"9223372036854775807", b"9223372036854775808", b"123456789012345678901234567890", b"3307.9982700421942",
           b"", b'""')
DIGITS = re.compile(rb"[0-9]+(?:\.[0-9]+)?")


@dataclass
class Way:
    """One of the ways through the same frames: a pipeline, and what it has told since it was asked last."""

    pipeline: Pipeline
    told: list

    def books(self):
        return [(book.symbol, book.status, book.sequence, book.exchange_ns, book.price_scale, book.qty_scale,
                 book.tick_size, book.reason, book.raw.bids_int().tolist(), book.raw.asks_int().tolist())
                for book in _probe.all_books(self.pipeline)]

    def counters(self):
        counters = self.pipeline.counters
        del counters["fast"], counters["slow"]
        return counters

    def figures(self):
        return {symbol: self.pipeline.symbol_stats(symbol) for symbol in self.pipeline.symbols()}

    def take(self):
        told, self.told[:] = list(self.told), []
        return told


class Told:
    """A handler that notes everything of every event."""

    def __init__(self):
        self.list = []

    def note(self, event):
        self.list.append((type(event).__name__, {
            name: getattr(event, name) for name in dir(event) if name[0] != "_" and name != "copy"}))

    on_trade = on_quote = on_ticker = on_mark = on_liquidation = on_open_interest = note

    def on_status(self, book, old, new, reason):
        self.list.append(("status", {"symbol": book and book.symbol, "old": old, "new": new, "reason": reason}))

    def on_book(self, book):
        self.list.append(("book", {"symbol": book.symbol, "sequence": book.sequence, "bbo": book.bbo()}))


def fast_runner() -> str:
    """One of the runners with wide registers, another one in about every other test."""
    wide = runners()[:-1] or runners()
    return wide[crc32(os.environ["PYTEST_CURRENT_TEST"].encode()) % len(wide)]


def ways_of(row: Row, on_gap: str = "count", events: bool = True) -> list[Way]:
    """The three ways, the careful one last."""
    ways = []
    for way in (fast_runner(), runners()[-1], None):
        told = Told()
        pipeline = Pipeline(row.venue, told if events else None, market=row.market, on_gap=on_gap)
        ways.append(Way(_probe.use_runner(pipeline, way) if way else _probe.never_fast(pipeline), told.list))
    return ways


def take(ways: list[Way], steps) -> None:
    """Feed the same steps to all ways."""
    for step in steps:
        for way in ways:
            if step[0] == "frame":
                _probe.feed_exact(way.pipeline, step[1])
            else:
                way.pipeline.rest(step[1], step[2])


def same_value(a, b):
    """Equal, also where both are nan, or doubles of more than 15 digits apart by one unit in the last place."""
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same_value, a, b))
    return a == b or (isinstance(a, float) and isinstance(b, float) and (
        (a != a and b != b) or isclose(a, b, rel_tol=3e-16)))  # noqa: PLR0124


def same_told(a, b):
    return len(a) == len(b) and all(
        kind == other and one.keys() == two.keys() and all(same_value(one[key], two[key]) for key in one)
        for (kind, one), (other, two) in zip(a, b, strict=True))


def check_told(ways: list[Way], where: object) -> None:
    """All ways have told and counted the same since the last time."""
    told = [way.take() for way in ways]
    errors = [str(way.pipeline.last_error) for way in ways]
    counts = [way.counters() for way in ways]
    for i, name in enumerate(("simd", "scalar")):
        assert counts[i] == counts[2], f"{name}: {where}"
        assert same_told(told[i], told[2]), f"{name}: {where}: {told[i]} {told[2]}"
        assert errors[i] == errors[2], f"{name}: {where}"


def check(ways: list[Way], where: object) -> None:
    """All ways have told the same, count the same and hold the same."""
    check_told(ways, where)
    figures, books = [way.figures() for way in ways], [way.books() for way in ways]
    for i, name in enumerate(("simd", "scalar")):
        assert figures[i] == figures[2], f"{name}: {where}"
        assert books[i] == books[2], f"{name}: {where}"


# ---- frames with random numbers

class Market:
    """What the venue would hold of one symbol, as texts that it would send."""

    def __init__(self, row: Row, rng: random.Random) -> None:
        self.row, self.rng, self.sequence = row, rng, 10
        self.doubles = row.venue in ("htx", "own") and rng.random() < 0.5
        self.places = rng.choice([0, 1, 2, 3, 5, 8])            # decimals of a price
        self.lots = rng.choice([0, 1, 3, 4, 8])                 # and of a quantity
        self.middle = rng.randint(50, 10 ** rng.randint(3, 9 - self.places // 2))
        self.sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        self.texts: list[dict[Decimal, tuple[str, str]]] = [{}, {}]     # of the levels that are held

    def number(self, units: int, places: int) -> str:
        """A decimal, now and then with fewer digits than the others."""
        if self.doubles and places > 3 and self.rng.random() < 0.3:
            return f"{Decimal(units).scaleb(-places).normalize():E}"          # 1.1E-4
        text = f"{Decimal(units).scaleb(-places):.{places}f}"
        return text.rstrip("0").rstrip(".") if "." in text and self.rng.random() < 0.3 else text

    def qty(self) -> str:
        if self.doubles and self.rng.random() < 0.2:
            return repr(self.rng.uniform(1, 10 ** self.rng.randint(1, 8)))    # 3307.9982700421942
        return self.number(self.rng.randint(1, 10 ** self.rng.randint(1, 4 + self.lots)), self.lots)

    def price(self, side: int) -> str:
        distance = self.rng.randint(1, min(self.middle - 1, self.rng.choice([5, 50, 10**6])))
        return self.number(self.middle + (distance if side else -distance), self.places)

    def levels(self, side: int, most: int) -> list[tuple[str, str]]:
        """Levels to be set, and some of those held to be removed."""
        found: dict[Decimal, tuple[str, str]] = {}
        for _ in range(self.rng.randint(0, most)):
            price = self.price(side)
            found[Decimal(price)] = price, self.qty()
        gone = min(len(self.sides[side]), self.rng.randint(0, min(most, 2)))
        for price in self.rng.sample(sorted(self.sides[side]), gone):
            found[price] = f"{price:f}", self.rng.choice(["0", "0.000"])
        pairs = list(found.values())
        self.rng.shuffle(pairs)
        return pairs

    def snapshot(self, most: int = 12):
        self.sequence += 1
        for side in self.sides:
            side.clear()
        lists = [self.levels(side, most) or [(self.price(side), self.qty())] for side in (0, 1)]
        lists = [sorted(pairs, key=lambda pair: Decimal(pair[0]), reverse=not i) for i, pairs in enumerate(lists)]
        self.keep(lists)
        return self.row.snapshot(self.sequence, *lists)

    def again(self):
        """The whole book once more, in which a few levels differ; now and then out of order, or with a price twice."""
        self.sequence += 1
        lists = []
        for side, pairs in enumerate(self.texts):
            for price in self.rng.sample(sorted(pairs), min(len(pairs), self.rng.choice([0, 0, 1, 2, 3]))):
                if self.rng.random() < 0.5 and len(pairs) > 1:
                    del pairs[price]
                else:
                    pairs[price] = pairs[price][0], self.qty()
            for _ in range(self.rng.choice([0, 0, 1, 2]) or not pairs):
                text = self.price(side)
                pairs[Decimal(text)] = text, self.qty()
            rows = [pairs[price] for price in sorted(pairs, reverse=not side)]
            if self.rng.random() < 0.1:
                self.rng.shuffle(rows)
            if self.rng.random() < 0.1:
                rows.insert(self.rng.randrange(len(rows)), (self.rng.choice(rows)[0], self.qty()))
            lists.append(rows)
        for side in self.sides:
            side.clear()
        self.keep(lists)
        return self.row.snapshot(self.sequence, *lists)

    def delta(self, most: int = 4):
        if self.row.delta is None:
            return self.again() if self.rng.random() < 0.8 else self.snapshot()
        lists = [self.levels(side, most) for side in (0, 1)]
        self.keep(lists)
        self.sequence += 1
        return self.row.delta(self.sequence - 1, self.sequence, *lists)

    def keep(self, lists) -> None:
        for side, pairs in zip(self.sides, lists, strict=True):
            for price, qty in pairs:
                side[Decimal(price)] = Decimal(qty)
                if not Decimal(qty):
                    del side[Decimal(price)]
        self.texts = [{
            Decimal(price): (price, qty) for price, qty in [*texts.values(), *pairs] if Decimal(price) in side
        } for side, texts, pairs in zip(self.sides, self.texts, lists, strict=True)]

    def wanted(self):
        return sorted(self.sides[0].items(), reverse=True), sorted(self.sides[1].items())


def drive(row: Row, rng: random.Random, on_gap: str, events: bool) -> bool:
    """Random frames of two symbols through all ways, each compared with what the venue would hold; whether any of them
    was read the fast way."""
    ways = ways_of(row, on_gap, events)
    markets = [Market(row, rng), Market(row.named(row.other), rng)]
    for market in markets:
        take(ways, market.snapshot())
    for number in range(60):
        market = rng.choice(markets)
        kind = rng.random()
        take(ways, market.snapshot() if kind < 0.05 else market.again() if kind < 0.25 else market.delta())
        for way in ways:
            book = way.pipeline.book(market.row.symbol)
            assert held(book) == market.wanted(), (number, way.pipeline.last_error)
            assert book.status is BookState.LIVE or on_gap == "count"
    check(ways, "the end")
    counters = [way.pipeline.counters for way in ways]
    assert [c["errors"] for c in counters] == [0] * 3, ways[0].pipeline.last_error
    assert on_gap == "count" or [(c["gaps"], c["line_jumps"]) for c in counters] == [(0, 0)] * 3
    assert counters[2]["fast"] == 0
    assert (counters[0]["fast"] > 0) == (counters[1]["fast"] > 0)
    return counters[0]["fast"] > 0


@pytest.mark.parametrize("on_gap", ["resync", "count"])
@pytest.mark.parametrize("name", ROWS)
def test_random_frames_give_the_same_book_three_ways(name, on_gap, seed):
    fast = [drive(ROWS[name], random.Random(f"{seed} {name} {turn}"), on_gap, turn % 2 == 0) for turn in range(4)]
    assert any(fast)            # with some dice hardly two frames are alike


@pytest.mark.parametrize("events", [True, False], ids=["events", "no events"])
@pytest.mark.parametrize("name", ROWS)
def test_long_lists_of_any_widths_give_the_same_book_three_ways(name, events, seed):
    """Lists in which the numbers are hardly ever as wide as those before, or hardly ever not."""
    rng = random.Random(f"{seed} {name}")
    row = ROWS[name]
    for _ in range(2):
        ways, market = ways_of(row, "count", events), Market(row, rng)
        if rng.random() < 0.3:
            market.number = lambda units, places: f"{Decimal(units).scaleb(-places):.{places}f}"
            market.qty = lambda: "12"
        for most in [3, 150, 3, 300, 40, 150]:
            for number in range(3):
                take(ways, market.delta(most // 3 + 1) if number else market.snapshot(most))
                check(ways, most)
                book = ways[0].pipeline.book(row.symbol)
                assert held(book) == market.wanted() or name == "cryptocom"       # of which 50 levels are kept


# ---- spoilt frames

def spoilt(frame: bytes, rng: random.Random, count: int):
    """Frames like this one, and what lies behind their end: (frame, bytes behind)."""
    size = len(frame)
    spans = [match.span() for match in DIGITS.finditer(frame)]
    for at in range(size):
        yield frame[:at] + bytes([rng.choice(VALUES)]) + frame[at + 1:], b""
    for _ in range(count):
        at, to = sorted(rng.sample(range(size + 1), 2))
        kind = rng.randrange(9)
        if kind == 0:
            yield frame[:at] + frame[at + 1:], b""
        elif kind == 1:
            yield frame[:at] + bytes([rng.choice(VALUES)]) + frame[at:], b""
        elif kind == 2:
            yield frame[:at], rng.choice([frame[at:], frame[at:to], b"9" * 40, b'"}]' * 20, b""])
        elif kind == 3:
            yield frame[:at] + frame[to:], b""
        elif kind == 4:
            yield frame[:to] + frame[at:], b""
        elif kind == 5:
            piece = rng.choice(VALUES)
            yield frame[:at] + bytes([piece]) * rng.randint(1, 40) + frame[at:], b""
        else:
            new = frame
            for at, to in sorted(rng.sample(spans, min(len(spans), rng.choice([1, 1, 2, 3]))), reverse=True):
                number = rng.choice(NUMBERS) if rng.random() < 0.5 else str(rng.randrange(10 ** (to - at))).encode()
                new = new[:at] + number + new[to:]
            yield new, b""
    yield frame + b"}", b""
    yield frame + b" ", b""
    yield b" " + frame, b""
    yield frame, frame


MESSAGE_TRIES = 60  # spoilt versions of a single message
CAPTURED = 1500     # frames taken of a capture
TURNS = 2           # random markets of a row
SEVERAL = ("okx", "bybit", "kraken", "deribit", "hyperliquid", "bitget", "gateio", "htx",
           "cryptocom")         # frames have several trades
LEARNED = 8         # deltas to learn from
FRESH = 160         # spoilt frames after which the layouts are learned anew: what is learned of those replaces them


class Bench:
    """Three ways that have learned a venue's frames, and a book that is put right again after each spoilt frame."""

    def __init__(self, row: Row, rng: random.Random, on_gap: str, most: int = 4) -> None:
        self.row, self.on_gap = row, on_gap
        market = Market(row, rng)
        market.snapshot()
        self.steps = [market.snapshot() for _ in range(3)]
        self.steps += [market.delta(most) for _ in range(LEARNED)]
        self.base, self.after = market.snapshot(), market.delta(most)
        while not any(step[0] == "frame" for step in self.after):
            self.base, self.after = market.snapshot(), market.delta(most)
        self.learn()

    def learn(self) -> None:
        self.ways = ways_of(self.row, self.on_gap)
        for steps in self.steps:
            take(self.ways, steps)
        take(self.ways, self.base)
        take(self.ways, self.after)
        assert [way.pipeline.counters["errors"] for way in self.ways] == [0] * 3
        self.restore()

    def restore(self) -> None:
        take(self.ways, self.base)
        check(self.ways, "a good frame")

    def run(self, frame: bytes, before, rng: random.Random, count: int) -> int:
        """Try many spoilt versions of a frame that stands behind the steps `before`; how many took the fast path."""
        fast = 0
        for number, (wrong, behind) in enumerate(spoilt(frame, rng, count)):
            if number % FRESH == FRESH - 1:
                self.learn()
            take(self.ways, before)
            had = self.ways[0].pipeline.counters["fast"]
            for way in self.ways[:2]:
                _probe.feed_with_slack(way.pipeline, wrong, behind)
            _probe.feed_exact(self.ways[2].pipeline, wrong)
            fast += self.ways[0].pipeline.counters["fast"] - had
            check(self.ways, (wrong, behind))
            self.restore()
        return fast


@pytest.mark.parametrize("on_gap", ["resync", "count"])
@pytest.mark.parametrize("name", ROWS)
def test_a_spoilt_frame_is_what_the_careful_parser_says(name, on_gap, seed):
    fast = turn = 0
    while turn < TURNS or (fast == 0 and turn < 12):      # where rows name the symbol, only frames of one row are fast
        rng = random.Random(f"{seed} {name} {turn}")
        bench = Bench(ROWS[name], rng, on_gap, 4 if turn % 2 else 1)
        turn += 1
        for steps in (bench.after, bench.base):
            for place, step in enumerate(steps):
                if step[0] == "frame":
                    fast += bench.run(step[1], steps[:place], rng, 200)
    assert fast > 0


# ---- forms that no venue has: any order of members, any kind of them

class OwnForm:
    """A way to write frames and levels, at random; `row(symbol)` are frames in it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.kind = rng.choice(["plain", "plain", "plain", "count", "word", "side", "signed", "seq", "id"])
        names = {"count": ["price", "qty", "count"], "word": ["price", "qty", "word"], "side": ["price", "qty", "word"],
                 "signed": ["price", "signed"], "seq": ["price", "qty", "seq"],
                 "id": ["price", "qty", "word", "id"]}.get(self.kind, ["price", "qty"])
        self.object = self.kind == "id" or rng.random() < 0.5
        self.names = names + [""] * rng.choice([0, 0, 1, 2])
        rng.shuffle(self.names)
        self.keys = rng.sample(["p", "px", "price", "q", "size", "amount", "n", "side", "id", "price_level",
                                "qty_remaining", "a_long_key_of_a_level"], len(self.names))
        self.quoted = [rng.random() < 0.5 for _ in self.names]
        self.extra = [rng.choice(['"x"', "null", "true", "7", "1.5", '"2"', '{"a":[1]}', f'"{10 ** 33}"'])
                      for _ in self.names]
        self.tail = rng.choice(["", "", ',"0"', ",0", ',"0","1"']) if not self.object else ""
        self.mixed = self.kind in ("side", "signed")
        self.words = {"word": {"new": 0, "change": 0, "delete": 3}, "side": {"Buy": 1, "Sell": 2},
                      "id": {"Buy": 1, "Sell": 2}}.get(self.kind)
        keys = ["s", "u", "b", "t", "f"] + ([] if self.mixed or self.kind == "id" else ["a"])
        first, other = rng.sample(["kind", "more"], 2)      # the text that names the stream must repeat
        self.keys_of_frame = [first, *rng.sample([*keys, other], len(keys) + 1)]
        self.bare = rng.random() < 0.5          # numbers of the frame
        self.decimals = rng.choice([0, 0, 1, 3, 6, 7])      # of a time in seconds; 0: it is one in ms
        self.alone = self.kind != "seq" and rng.random() < 0.3      # changes come one by one, each in no list

    def spec(self):
        rows = {key: name for key, name in zip(self.keys, self.names, strict=True) if name}
        one = "BOTH" if self.mixed or self.kind == "id" else "BIDS"
        fields = [("kind", "TEXT", "SPARE"), ("s", "SYMBOL", "SPARE"), ("u", "INT", "LAST_SEQ"), ("b", "LEVELS", one),
                  ("a", "LEVELS", "ASKS"), ("lb", "LEVEL", one), ("la", "LEVEL", "ASKS"),
                  ("t", "TIME" if self.decimals else self.rng.choice(["TIME", "INT"]), "TIME"),
                  ("f", self.rng.choice(["DOUBLE", "ID", "TIME"]), "SPARE")]
        return own_spec(fields=fields, form=rows if self.object else tuple(self.names), words=self.words,
                        parser={"marks": self.rng.choice([2, 2, 4])})

    def level(self, side: int, price: str, qty: str, number: int) -> str:
        gone = not Decimal(qty)
        texts = {"price": price, "qty": "0.5" if gone and self.kind in ("count", "word") else qty,
                 "count": "0" if gone else str(self.rng.randint(1, 30)), "seq": str(number),
                 "id": str(int(Decimal(price).scaleb(8)) * 2 + side),
                 "signed": ("-" if side else "") + qty,
                 "word": ("Sell" if side else "Buy") if self.kind in ("side", "id") else
                         "delete" if gone else self.rng.choice(["new", "change"])}
        values = []
        for name, quoted, extra in zip(self.names, self.quoted, self.extra, strict=True):
            text = texts.get(name, extra)
            values.append(f'"{text}"' if name and (quoted or name == "word") else text)
        if self.object:
            return "{" + ",".join(f'"{key}":{value}' for key, value in zip(self.keys, values, strict=True)) + "}"
        return "[" + ",".join(values) + self.tail + "]"

    def frame(self, kind: str, symbol: str, number: int, *sides) -> tuple[str, bytes]:
        lists = [[self.level(side, *pair, number) for pair in pairs] for side, pairs in enumerate(sides)]
        levels = [*lists[0], *lists[1]] if self.mixed or self.kind == "id" else lists[0]
        texts = {"kind": f'"{kind}"', "s": f'"{symbol}"', "u": str(number) if self.bare else f'"{number}"',
                 "b": f"[{','.join(levels)}]", "a": f"[{','.join(lists[1])}]", "more": '{"x":[null,{}]}',
                 "t": str(1618678072000 + number) if self.bare else f'"{1618678072000 + number}"',
                 "f": f"{number % 7}.{number}"}
        if self.decimals:
            time = f"{1618678072 + number}.{self.rng.randrange(10 ** self.decimals):0{self.decimals}}"
            texts["t"] = time if self.bare else f'"{time}"'
        keys = self.keys_of_frame
        if self.alone and kind == "delta":
            level, = lists[0] or lists[1]
            texts["l"] = level
            key = "b" if levels else "a"
            keys = ["l" if name == key else name for name in keys if name == key or name not in "ab"]
        return "frame", ("{" + ",".join(f'"{"l" + key if name == "l" else name}":{texts[name]}' for name in keys)
                         + "}").encode()

    def delta(self, symbol: str, number: int, bids, asks) -> list[tuple[str, bytes]]:
        if not self.alone:
            return [self.frame("delta", symbol, number, bids, asks)]
        frames = [self.frame("beat", symbol, number, [], [])] if self.rng.random() < 0.3 else []
        frames += [self.frame("delta", symbol, number, [pair], []) for pair in bids]
        return frames + [self.frame("delta", symbol, number, [], [pair]) for pair in asks]

    def row(self, symbol: str = "BTC-USD") -> Row:
        return Row(venue="own", symbol=symbol, other="ETH_2", named=self.row,
                   snapshot=lambda number, bids, asks: [self.frame("snapshot", symbol, number, bids, asks)],
                   delta=lambda last, number, bids, asks: self.delta(symbol, number, bids, asks))


@pytest.fixture
def own_form(monkeypatch):
    """A function that makes the row of a form."""
    def make(rng: random.Random) -> Row:
        form = OwnForm(rng)
        spec = form.spec()
        monkeypatch.setattr("feeds.pipeline.load", lambda name, wire=None: spec)
        return form.row()

    return make


@pytest.mark.parametrize("on_gap", ["resync", "count"])
def test_random_forms_give_the_same_book_three_ways(own_form, on_gap, seed):
    fast = 0
    for number in range(60):
        print("form", number)
        rng = random.Random(f"{seed} {number}")
        fast += drive(own_form(rng), rng, on_gap, bool(number % 2))
    assert fast > 20                            # not where the symbol stands between two lists of any length


def test_spoilt_frames_of_random_forms(own_form, seed):
    fast = 0
    for number in range(25):
        print("form", number)
        rng = random.Random(f"{seed} {number}")
        bench = Bench(own_form(rng), rng, rng.choice(["resync", "count"]))
        for place, step in enumerate(bench.after):
            fast += bench.run(step[1], bench.after[:place], rng, 200)
    assert fast > 1000


# ---- messages of every kind, as venues have sent them

def good_messages(row: Row, data_dir) -> list[bytes]:
    """The single messages of a venue, and those of its row."""
    frames = [frame.encode() for frame in [*row.trades, *row.quotes, *row.controls]]
    path = data_dir / row.venue / "messages.jsonl"
    for line in path.read_text().splitlines() if path.exists() else ():
        raw = json.loads(line)["raw"]
        if not raw.startswith(tuple(row.unread)):
            frames.append(raw.encode())
    return frames


@pytest.mark.parametrize("name", ROWS)
def test_spoilt_messages_of_every_kind(name, data_dir, seed):
    row = ROWS[name]
    rng = random.Random(f"{seed} {name}")
    fast = 0
    for frame in good_messages(row, data_dir):
        ways = ways_of(row, rng.choice(["resync", "count"]))
        take(ways, [("frame", frame)] * 3)
        check(ways, frame)
        fast += ways[0].pipeline.counters["fast"] > 0
        tries = list(spoilt(frame, rng, MESSAGE_TRIES))
        for wrong, behind in rng.sample(tries, min(len(tries), MESSAGE_TRIES)):
            for way in ways[:2]:
                _probe.feed_with_slack(way.pipeline, wrong, behind)
            _probe.feed_exact(ways[2].pipeline, wrong)
            check(ways, (frame, wrong, behind))
    assert fast or name == "bitfinex", "no layout reads a single message of this venue"


def test_a_list_without_rows_is_nobodys_where_the_rows_name_the_symbol():
    """Whose rows came before says nothing: it is no message of that book, and no sign of life."""
    row = ROWS["bitmex"]
    ways = ways_of(row)
    take(ways, row.snapshot(1, [("8067.5", "491901")], []))
    change = '{"table":"orderBookL2","action":"insert","data":[%s]}'
    for number in range(6):
        level = f'{{"symbol":"XBTUSD","id":80600000000{number},"side":"Buy","size":416,"price":806{number}.5}}'
        take(ways, [("frame", (change % level).encode())])
        check(ways, level)
    had = ways[2].figures()["XBTUSD"]
    assert ways[0].pipeline.counters["fast"] and (had["snapshots"], had["updates"]) == (1, 6)
    take(ways, [("frame", (change % "").encode())])
    check(ways, "no rows")
    assert ways[2].figures()["XBTUSD"] == had


TWICE = {
    "okx": ('{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"<n>",'
            '"px":"77176.5","px":"77<n>.5","sz":"0.000011","side":"sell","ts":"1789470162718"}]}'),
    "kraken": ('{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":10594<n>.2,'
               '"qty":0.5,"qty":0.00<n>,"ord_type":"limit","trade_id":10218208,'
               '"timestamp":"2023-10-06T17:35:55.440295Z"}]}'),
}


@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("name", TWICE)
def test_of_a_key_that_comes_twice_the_last_value_counts(name, events):
    """Also where both numbers would share a window, once their widths are known."""
    ways = ways_of(ROWS[name], events=events)
    for number in range(100, 130):
        take(ways, [("frame", TWICE[name].replace("<n>", str(number)).encode())])
        check(ways, number)
    assert ways[0].pipeline.counters["fast"] > 20 and not ways[0].pipeline.counters["errors"]


def test_a_row_that_names_another_instrument_is_no_row_of_this_book():
    """Also where it begins like one that was read of the other, whichever of many instruments the two are."""
    ways = ways_of(ROWS["bitmex"], events=False)
    names = [f"X{number}USD" for number in range(10, 50)]
    row = '{"symbol":"%s","id":8060000000%02d,"side":"Buy","size":%d,"price":80%02d.5}'

    def frame(*rows: tuple[str, int, int], action: str = "update") -> tuple[str, bytes]:
        data = ",".join(row % (name, number, size, number) for name, number, size in rows)
        return "frame", f'{{"table":"orderBookL2","action":"{action}","data":[{data}]}}'.encode()

    for name in names:
        take(ways, [frame(*((name, number, 416) for number in range(20, 40)), action="partial")])
    for other in names:
        good = frame(*((other, number, 416) for number in range(20, 32)))
        for size, name in enumerate(names, 500):
            take(ways, [good, frame((name, 20, 416), (other, 21, size), (name, 22, 416))])
        check(ways, other)
    assert ways[0].pipeline.counters["fast"] > len(names) * len(names)


# ---- frames with several messages

ARRAY = re.compile(r"\[(?=\{)|(?<=^\[\d\d\d,)\[(?=\[)")       # of messages; in the arrays of kraken v1 one of arrays
VARIED = re.compile(rb"(?<=[\":])[0-9]+(?:\.[0-9]+)?(?=[\",}])")


def varied(element: bytes, rng: random.Random) -> bytes:
    """An element with other numbers, now and then of another width."""
    def other(match):
        text = match[0]
        if rng.random() < 0.5:
            return text
        digits = "".join(rng.choice("123456789") if byte != ord(".") else "." for byte in text)
        if rng.random() < 0.3 and len(text) <= 12:
            digits = digits.rstrip("123")[:9].rstrip(".") or "7"
        return digits.encode()

    return VARIED.sub(other, element)


def with_several(row: Row, data_dir):
    """Frames with an array of messages: what stands before it, elements that were seen there, what stands behind."""
    heads: dict[str, list[bytes]] = {}
    ends: dict[str, bytes] = {}
    for frame in good_messages(row, data_dir):
        text = frame.decode()
        match = ARRAY.search(text)
        try:
            found, past = json.JSONDecoder().raw_decode(text, match.start()) if match else ([], 0)
        except ValueError:
            continue
        if found and all(isinstance(element, (dict, list)) for element in found):
            inside = text[match.end():past - 1]
            texts = [inside] if len(found) == 1 else [json.dumps(element, separators=(",", ":"), ensure_ascii=False)
                                                      for element in found]
            heads.setdefault(text[:match.end()], []).extend(each.encode() for each in texts)
            ends[text[:match.end()]] = text[past - 1:].encode()
    return [(head.encode(), elements, ends[head]) for head, elements in heads.items()]


@pytest.mark.parametrize("on_gap", ["resync", "count"])
@pytest.mark.parametrize("name", ROWS)
def test_frames_with_several_messages_give_the_same_three_ways(name, on_gap, data_dir, seed):
    """One to six messages of a kind in a frame, also spoilt ones: none is told unless all of them are good."""
    row = ROWS[name]
    rng = random.Random(f"{seed} {name}")
    fast = 0
    for head, elements, end in with_several(row, data_dir):
        ways = ways_of(row, on_gap, rng.random() < 0.7)
        if row.before:
            take(ways, [("frame", frame.encode()) for frame in row.before])
        for number in range(60):
            texts = [varied(rng.choice(elements), rng) for _ in range(rng.choice([1, 2, 2, 3, 6]))]
            frame = head + b",".join(texts) + end
            if number % 3 == 2:
                frame = rng.choice(list(spoilt(frame, rng, 60)))[0]
            had = ways[0].pipeline.counters["fast"]
            take(ways, [("frame", frame)])
            fast += len(texts) > 1 and ways[0].pipeline.counters["fast"] > had
            check(ways, frame)
    assert fast > 10 or name not in SEVERAL, "frames with several trades are read carefully"


@pytest.mark.parametrize("name", SEVERAL)
def test_a_spoilt_frame_with_several_messages_is_what_the_careful_parser_says(name, data_dir, seed):
    """Each byte of it, behind the last message too, where the symbol or a time may stand."""
    row = ROWS[name]
    rng = random.Random(f"{seed} {name}")
    fast = 0
    for head, elements, end in with_several(row, data_dir):
        good = [head + b",".join(varied(rng.choice(elements), rng) for _ in range(count)) + end for count in (3, 2, 3)]
        for number, (wrong, behind) in enumerate(spoilt(good[0], rng, 200)):
            if number % FRESH == 0:
                ways = ways_of(row, "count", rng.random() < 0.7)
                take(ways, [("frame", frame) for frame in [*map(str.encode, row.before), *good, good[0]]])
            had = ways[0].pipeline.counters["fast"]
            take(ways, [("frame", good[0])])
            fast += ways[0].pipeline.counters["fast"] > had
            for way in ways[:2]:
                _probe.feed_with_slack(way.pipeline, wrong, behind)
            _probe.feed_exact(ways[2].pipeline, wrong)
            check(ways, (good[0], wrong, behind))
    assert fast > 100


@pytest.mark.parametrize("name", SEVERAL)
def test_frames_with_several_messages_in_one_call_give_what_each_alone_gives(name, data_dir, seed):
    """Without a handler: then the values that were read when all messages were compared are taken as they are."""
    row = ROWS[name]
    rng = random.Random(f"{seed} {name}")
    fast = 0
    for head, elements, end in with_several(row, data_dir):
        ways = ways_of(row, "count", False)
        take(ways, [("frame", frame.encode()) for frame in row.before])
        for number in range(60):
            frames = []
            for _ in range(rng.choice([1, 1, 2, 5])):
                texts = [varied(rng.choice(elements), rng) for _ in range(rng.choice([1, 2, 3, 6, 15, 25]))]
                frames.append(head + b",".join(texts) + end)
            if number % 4 == 3:
                frames.append(rng.choice(list(spoilt(frames[-1], rng, 60)))[0])
            had = ways[0].pipeline.counters["fast"]
            for way in ways[:2]:
                way.pipeline.feed_many(frames)
            for frame in frames:
                ways[2].pipeline.feed(frame)
            fast += ways[0].pipeline.counters["fast"] - had
            check(ways, frames)
            for symbol in ways[2].pipeline.symbols():
                lasts = [(way.pipeline.last_trade(symbol), way.pipeline.last_quote(symbol)) for way in ways]
                assert repr(lasts[0]) == repr(lasts[1]) == repr(lasts[2]), frames
    assert fast > 50


@pytest.mark.parametrize("capture", [(name, capture) for name, row in ROWS.items() for capture in row.captures],
                         ids="-".join)
def test_spoilt_frames_of_captures(capture, data_dir, seed):
    """Recorded traffic, in which now and then a spoilt frame comes before the good one."""
    name, path = capture
    rng = random.Random(f"{seed} {path}")
    ways = ways_of(ROWS[name], "count")
    for number, record in enumerate(CaptureReader(data_dir / f"{path}.ws.gz")):
        if record.kind == "h":
            url, _, body = record.payload.partition(b" ")
            take(ways, [("rest", url.decode(), body)])
        if record.kind not in "<B":
            continue
        if len(record.payload) < 20_000 and rng.random() < 0.3:
            kinds = spoilt(record.payload, rng, 8)
            wrong, behind = rng.choice(list(islice(kinds, rng.randrange(len(record.payload)), None)))
            for way in ways[:2]:
                _probe.feed_with_slack(way.pipeline, wrong, behind)
            _probe.feed_exact(ways[2].pipeline, wrong)
            check_told(ways, (record.payload, wrong, behind))
        take(ways, [("frame", record.payload)])
        if number % 100 == 0:
            check(ways, number)
        if number > CAPTURED:
            break
    check(ways, "the end")
