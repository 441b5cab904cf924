"""Every venue's own frames to its books, beside orjson and sorted dicts doing the same work in the same run.

    python benchmarks/bench_venues.py [venue ...] [--rounds 7] [--json]

Each capture is played once, for learning, and then again and again: a new connection, its REST snapshots where they
stand in the recording, all frames between them by one `feed_many`. Only `feed_many` is timed, for both sides in turn.
Frames are as they left the wire, but inflated; those about the connection and those of channels that nobody asks for
(candles) are left out; where a venue's numbers or channels hang on them they are fed, but no side's time counts. Nor
does it for the first whole book of each symbol, be it in the stream or by REST: a connection has it once in hours.
A venue without a capture, or with a few frames only, has frames that are made here by its row of the tests; captures
of a few tickers and trades are drawn out: their frames come again with other digits. The label says so. Both must end
with the same number of levels.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter_ns

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import orjson  # noqa: E402

from benchmarks.venue_peers import PEERS, Peer  # noqa: E402
from benchmarks.workload import data_dir  # noqa: E402
from feeds import VENUES, Pipeline  # noqa: E402
from feeds.capture import CaptureReader  # noqa: E402
from feeds.venue import Count  # noqa: E402
from feeds.venues import load  # noqa: E402
from tests.venues import Row  # noqa: E402

WANTED = 15.0           # times orjson + SortedDict, for every venue
ENOUGH = 20_000         # messages in one measurement, by playing short recordings again
MADE = 1_000            # changes of a book that are made
DATA = ("depth", "snapshots", "trades", "quotes", "tickers", "marks", "liquidations", "open_interests")

class Setup(list):
    """Frames that no side is timed for: about the connection, or the first whole book of a symbol."""


# Captures that would measure how a connection begins
DRAWN_OUT = ("okx/okcoin_20230527", "kraken/ticker_v1_20210417", "kraken/trade_v1_20210417")
DECIMAL = re.compile(rb'(?<=")[0-9]+\.[0-9]+(?=")')

Part = list[bytes] | tuple[str, bytes]      # frames in one go, or a REST answer

# Rows of the tests that make what no (long) recording holds: module, attribute, what it is
MADE_ROWS = (
    ("okx", "ROW", "seqId, made"), ("okx", "OLD_ROW", "checksums, made"), ("coinbase_advanced", "ROW", "made"),
    ("bitget", "ROW", "v2, made"), ("cryptocom", "ROW", "made"), ("dydx", "ROW", "v4, made"),
    ("mexc", "CONTRACT", "contract, made"), ("mexc", "ROW", "spot protobuf, made"),
)


def count_of(parts: list[Part]) -> int:
    return sum(len(part) for part in parts if isinstance(part, list) and not isinstance(part, Setup))


def put(parts: list[Part], frame: bytes, kind: type[list] = list) -> None:
    """Put a frame behind the others: into the last part if that is of this kind, else into a new one."""
    if not parts or type(parts[-1]) is not kind:
        parts.append(kind())
    parts[-1].append(frame)


@dataclass
class Case:
    """Frames of one venue, with the REST answers between them."""

    name: str
    venue: str
    parts: list[Part]
    market: str | None = None
    peer: Callable[[], Peer] | None = None
    decoded: list[Part] | None = None       # the same content as JSON, for the peer, where the wire is no JSON
    spent: list[float] = field(default_factory=list)            # ns a message in each round,
    level_spent: list[float] = field(default_factory=list)      # ns a level of book messages alone,
    peer_spent: list[float] = field(default_factory=list)       # ns a message of the other side
    slow: float = 0.0                       # share of the messages that go the careful way, in %

    def __post_init__(self) -> None:
        self.books: list[Part] = []         # the parts without messages that are no book's
        self.levels = 0                     # level changes, and levels of whole books
        self.sort_out()
        self.messages = count_of(self.parts)
        self.repeat = max(1, ENOUGH // max(self.messages, 1))
        self.pipeline, self.book_pipeline = self.new_pipeline(), self.new_pipeline()
        self.check()

    def new_pipeline(self) -> Pipeline:
        return Pipeline(self.venue, market=self.market, on_gap="count")

    def sort_out(self) -> None:
        """Leave out what is no data, and note which frames are about a book."""
        pipeline = self.new_pipeline()
        numbered = load(self.venue).count is not Count.NONE
        kept: list[Part] = []
        begun: set[str] = set()                     # symbols whose first whole book has come
        for part in self.parts:
            if isinstance(part, tuple):
                pipeline.rest(*part)
                kept.append(part)
                self.books.append(part)
                begun.update(name for name in pipeline.symbols() if pipeline.symbol_stats(name)["snapshots"])
                continue
            for frame in part:
                before = pipeline.counters
                pipeline.feed(frame)
                after = pipeline.counters
                data = any(after[kind] > before[kind] for kind in DATA)
                if numbered and not data:
                    put(kept, frame, Setup)         # which channel a number means, heartbeats, trades of before
                    put(self.books, frame, Setup)
                    continue
                timed = list
                if after["snapshots"] > before["snapshots"]:
                    whole = {name for name in pipeline.symbols() if pipeline.symbol_stats(name)["snapshots"]}
                    timed = Setup if whole - begun else list
                    begun |= whole
                if after["depth"] + after["snapshots"] > before["depth"] + before["snapshots"]:
                    put(self.books, frame, timed)
                if data:
                    put(kept, frame, timed)
        self.parts = kept

    def play(self, pipeline: Pipeline, parts: list[Part]) -> int:
        """The recording once, on a new connection; ns in feed_many."""
        spent = 0
        pipeline.opened()
        for part in parts:
            if isinstance(part, tuple):
                pipeline.rest(*part)
            else:
                start = perf_counter_ns()
                pipeline.feed_many(part)
                spent += 0 if isinstance(part, Setup) else perf_counter_ns() - start
        return spent

    def play_peer(self) -> tuple[int, Peer]:
        peer = (self.peer or PEERS[self.venue])()
        spent = 0
        for part in self.decoded or self.parts:
            if isinstance(part, tuple):
                peer.rest(part[0], orjson.loads(part[1]))
            else:
                start = perf_counter_ns()
                peer.feed_many(part)
                spent += 0 if isinstance(part, Setup) else perf_counter_ns() - start
        return spent, peer

    def check(self) -> None:
        """Learn from the recording, count what it holds, and see that both sides end with the same levels."""
        pipeline = self.pipeline
        self.play(pipeline, self.parts)
        self.play(pipeline, self.parts)
        before = pipeline.counters
        self.play(pipeline, self.parts)
        after = pipeline.counters
        if after["errors"]:
            raise SystemExit(f"{self.name}: {after}, {pipeline.last_error}")
        self.slow = (after["slow"] - before["slow"]) / self.messages * 100
        self.count_levels()
        _, peer = self.play_peer()
        for symbol, levels in peer.levels.items():
            book = pipeline.book(symbol)
            if (book.bid_levels, book.ask_levels) != levels:
                raise SystemExit(f"{self.name}: {symbol} ends with {book.bid_levels}, {book.ask_levels} levels, and "
                                 f"with {levels} in sorted dicts")
        if peer.breaks > after["gaps"] + after["line_jumps"]:
            raise SystemExit(f"{self.name}: {peer.breaks} breaks that only the sorted dicts see")

    def count_levels(self) -> None:
        """What one playing of the book messages applies."""
        pipeline = self.book_pipeline
        seen: dict[str, int] = {}
        begun: set[str] = set()

        def count(book) -> None:
            stats = pipeline.symbol_stats(book.symbol)
            if stats["snapshots"] > seen.get(book.symbol, 0):
                seen[book.symbol] = stats["snapshots"]
                if book.symbol in begun:
                    self.levels += book.bid_levels + book.ask_levels
                begun.add(book.symbol)

        self.play(pipeline, self.books)
        for symbol in pipeline.symbols():
            stats = pipeline.symbol_stats(symbol)
            seen[symbol] = stats["snapshots"]
            self.levels -= stats["changes"]
        pipeline.on_applied = count
        self.play(pipeline, self.books)
        pipeline.on_applied = None
        self.levels += sum(pipeline.symbol_stats(symbol)["changes"] for symbol in pipeline.symbols())

    def round(self) -> None:
        """Both sides once."""
        self.spent.append(sum(self.play(self.pipeline, self.parts) for _ in range(self.repeat))
                          / self.messages / self.repeat)
        passes = max(1, self.repeat // 4)
        self.peer_spent.append(sum(self.play_peer()[0] for _ in range(passes)) / self.messages / passes)
        if self.levels:
            self.level_spent.append(sum(self.play(self.book_pipeline, self.books) for _ in range(self.repeat))
                                    / self.levels / self.repeat)

    @property
    def ratio(self) -> float:
        return median(theirs / ours for ours, theirs in zip(self.spent, self.peer_spent, strict=True))

    def __str__(self) -> str:
        level = f"{median(self.level_spent):8.1f}" if self.level_spent else f"{'-':>8}"
        return (f"{self.name:46} {self.messages:7,} {min(self.spent):8.0f} {median(self.spent):8.0f} {level} "
                f"{median(self.peer_spent):9,.0f} {self.ratio:7.1f}x {self.slow:6.1f}%  "
                f"{'ok' if self.ratio >= WANTED else 'MISSED'}")


HEADER = (f"{'':46} {'msgs':>7} {'ns/msg':>8} {'median':>8} {'ns/level':>8} {'orjson':>9} {'ratio':>8} {'careful':>7}"
          f"  wanted {WANTED:g}x")


# ---- recordings

def recorded(venue: str, path: Path) -> Case:
    """A capture, with its REST snapshots where they stand."""
    parts: list[Part] = [[]]
    for record in CaptureReader(path):
        if record.kind == "h":
            url, _, body = record.payload.partition(b" ")
            parts += [(url.decode(), body), []]
        elif record.kind in "<B":
            parts[-1].append(record.payload)
    name = f"{venue}/{path.name.removesuffix('.ws.gz')}"
    if name not in DRAWN_OUT:
        return Case(name, venue, parts)
    parts[-1] += drawn_out(venue, parts[-1])
    return Case(f"{name}, drawn out", venue, parts)


def drawn_out(venue: str, frames: list[bytes]) -> list[bytes]:
    """The tickers and trades among these frames again and again, with other digits at the end of their decimals."""
    rng = random.Random(venue)

    def other(match: re.Match) -> bytes:
        number = match[0]
        kept = max(len(number) - 3, number.index(b".") + 1)
        return number[:kept] + b"%0*d" % (len(number) - kept, rng.randrange(10 ** (len(number) - kept)))

    pipeline = Pipeline(venue, on_gap="count")
    rows = []
    for frame in frames:
        before = pipeline.counters
        pipeline.feed(frame)
        after = pipeline.counters
        if after["trades"] + after["tickers"] > before["trades"] + before["tickers"]:
            rows.append(frame)
    return [DECIMAL.sub(other, rng.choice(rows)) for _ in range(MADE)]


def captures(venue: str) -> list[Path]:
    return [path for path in sorted((data_dir() / venue).glob("*.ws.gz")) if not path.name.startswith("instruments")]


# ---- what no recording holds

Levels = list[tuple[str, str]]


def made_levels(seed: int) -> tuple[Levels, Levels, list[tuple[Levels, Levels]]]:
    """A book of 200 levels a side, and changes of it: one to twelve levels, a fifth of them removals."""
    rng = random.Random(seed)

    def price(side: int, place: int) -> str:
        return f"{(600_000 + (1 + place if side else -place)) / 10:.1f}"

    def qty() -> str:
        return f"{rng.lognormvariate(0, 2) + 0.001:.3f}"

    book = [[(price(side, i), qty()) for i in range(200)] for side in (0, 1)]
    changes = []
    for _ in range(MADE):
        n = rng.randint(1, 12)
        picked = [sorted(rng.sample(range(200), count)) for count in (n // 2, n - n // 2)]
        changes.append(tuple([(price(side, i), "0" if i > 5 and rng.random() < 0.2 else qty()) for i in places]
                             for side, places in enumerate(picked)))
    return book[0], book[1], changes


def steps_to_parts(steps: list[tuple]) -> list[Part]:
    parts: list[Part] = [[]]
    for step in steps:
        if step[0] == "rest":
            parts += [(step[1], step[2]), []]
        else:
            parts[-1].append(step[1])
    return parts


def made(venue: str, attribute: str, label: str) -> Case:
    """A book's frames as the venue's row in the tests makes them."""
    row: Row = getattr(import_module(f"tests.venues.{venue}"), attribute)
    bids, asks, changes = made_levels(1)
    steps = row.snapshot(1000, bids, asks)
    for number, (own, other) in enumerate(changes, 1000):
        steps += row.delta(number, number + 1, own, other)
    decoded = None
    if venue == "mexc" and attribute == "ROW":
        decoded = [(url, body) for kind, url, *rest in steps if kind == "rest" for body in rest]
        decoded.append([orjson.dumps({
            "channel": "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT", "symbol": row.symbol,
            "sendTime": 1736411507002, "publicAggreDepths": {
                "asks": [{"price": price, "quantity": qty} for price, qty in other],
                "bids": [{"price": price, "quantity": qty} for price, qty in own],
                "eventType": "spot@public.aggre.depth.v3.api.pb@100ms", "fromVersion": str(number),
                "toVersion": str(number)},
        }) for number, (own, other) in enumerate([([], []), *changes], 1000)])
    return Case(f"{venue}, {label}", venue, steps_to_parts(steps), row.market, None, decoded)


# ---- running

def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("venues", nargs="*", metavar="venue", help="some venues only")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    options = parser.parse_args()
    if not data_dir().is_dir():
        print(f"bench_venues: no recorded captures in {data_dir()} (set WIREBOOK_DATA)", file=sys.stderr)
        return 0
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    venues = options.venues or list(VENUES)
    cases = [recorded(venue, path) for venue in venues for path in captures(venue)]
    cases += [made(*row) for row in MADE_ROWS if row[0] in venues]
    gc.collect()
    gc.freeze()     # the inputs are no garbage, and looking at them again is nobody's work
    for _ in range(options.rounds):
        for case in cases:
            case.round()
    if options.json:
        print(json.dumps({case.name: {
            "messages": case.messages, "levels": case.levels, "ns_per_message": case.spent,
            "ns_per_level": case.level_spent, "orjson_ns_per_message": case.peer_spent, "ratio": case.ratio,
            "careful_percent": case.slow,
        } for case in cases}, indent=1))
        return 0
    print(HEADER)
    for case in cases:
        print(case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
