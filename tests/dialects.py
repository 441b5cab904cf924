"""A recorded frame taken apart and written again, and a simulated venue without sockets."""

from __future__ import annotations

import json
from decimal import Decimal
from gzip import decompress
from itertools import product
from urllib.parse import parse_qs, urlsplit

from feeds.pipeline import Pipeline
from feeds.simulator.dialect import Line
from feeds.simulator.hall import BookFeed, Hall
from feeds.venue import Stream
from feeds.venues import load
from feeds.venues.dialects import speech
from orderbook import BookState
from tests import _decode

# kind of an event -> its word in `Dialect.lost`, and the channels that such messages belong to
WORDS = {"delta": "book", "snapshot": "book"}
CHANNELS = {"book": ("book", "orders"), "trade": ("trades", "agg_trades", "all_trades"), "quote": ("quotes",),
            "ticker": ("ticker",), "mark": ("mark",), "open_interest": ("open_interest",),
            "liquidation": ("liquidations",)}


def values_of(frame):
    """A frame as JSON values, numbers exact; bytes that are no JSON stay bytes."""
    if isinstance(frame, bytes) and frame[:2] == b"\x1f\x8b":
        frame = decompress(frame)
    try:
        return json.loads(frame, parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        return frame


def differences(told, made, path=""):
    """Where two JSON values differ: {"data[].asks[][2]"}; elements of a list of objects or lists share a path."""
    if isinstance(told, dict) and isinstance(made, dict):
        place = f"{path}." if path else ""
        return set().union(*(
            differences(told[key], made[key], place + key) if key in told and key in made else {place + key}
            for key in told.keys() | made.keys()))
    if isinstance(told, list) and isinstance(made, list):
        if len(told) != len(made):
            return {f"{path}[]"}
        alike = all(isinstance(item, (dict, list)) for item in told)
        return set().union(*(differences(one, other, path + ("[]" if alike else f"[{place}]"))
                             for place, (one, other) in enumerate(zip(told, made, strict=True))))
    if isinstance(told, bool) or isinstance(made, bool):
        return set() if told is made else {path}
    return set() if told == made else {path}


class Again:
    """Writes frames of one venue again from what its parser keeps of them.

    `written` counts the frames that came back; `lost` is what differed, as allowed by `Dialect.lost`.
    """

    def __init__(self, venue, market=None):
        self.spec = load(venue)
        self.speech = speech(venue)
        self.parser = self.spec.parser(market or (self.spec.markets[0] if self.spec.markets else ""))
        self.line = Line()
        self.written = 0
        self.silent = 0                     # frames about the connection, and of channels that nobody asks for
        self.lost = set()
        self._streams = {}

    def streams(self, event):
        """Every stream that such an event may belong to."""
        word = WORDS.get(event.kind, event.kind)
        key = (event.symbol, event.market, event.depth, word)
        if key not in self._streams:
            found = []
            for channel, options in product(CHANNELS[word], self.speech.options):
                try:
                    found += self.spec.streams([event.symbol], [channel], market=event.market or None, **options)
                except ValueError:
                    continue
            nameless = Stream("", "", event.symbol, CHANNELS[word][0], event.depth, event.market)
            alike = [stream for stream in dict.fromkeys(found) if stream.depth == event.depth]
            self._streams[key] = alike or found or [nameless]
        return self._streams[key]

    def check(self, frame):
        """Write a frame again; AssertionError if no stream's encoder gives it back but for what `lost` allows."""
        events = _decode.decode(self.parser, frame, self.spec.markets)
        told = [event for event in events if event.kind not in ("control", "ignored")]
        if not told:
            self.silent += 1
            return
        wanted, word = values_of(frame), WORDS.get(told[0].kind, told[0].kind)
        best = None
        for encode in (self.speech.encode, *self.speech.older.values()):
            for stream in self.streams(told[0]):
                frames = encode(stream, told, self.line)
                if len(frames) != 1:
                    continue
                found = {f"{word} {path}".strip() for path in differences(wanted, values_of(frames[0]))}
                if best is None or len(found - self.speech.lost.keys()) < len(best[0] - self.speech.lost.keys()):
                    best = (found, frames[0])
        assert best is not None, f"no stream writes {frame[:300]!r} as one frame"
        extra = best[0] - self.speech.lost.keys()
        assert not extra, f"{extra} differ:\n{frame[:1500]!r}\n{best[1][:1500]!r}"
        self.lost |= best[0]
        self.written += 1


class Wire:
    """A simulated venue's market and a client's pipeline, with nothing between them but frames."""

    def __init__(self, venue, seed, symbols=(), market=None, rate=400.0, start_ns=1_790_000_000_000_000_000):
        self.spec = load(venue)
        self.speech = speech(venue)
        self.hall = Hall(self.spec, self.speech, symbols, seed=seed, rate=rate, start_ns=start_ns)
        self.line = Line()
        self.names = set()
        self.controls = []
        self.short = 0                      # levels a side of the REST snapshots, where they are not the whole book
        self.trades, self.quotes, self.others = [], [], []
        self.pipeline = Pipeline(venue, self, market=market or None)
        self.pipeline.opened()
        self.feed(self.speech.greet(self.line))

    def on_trade(self, trade):
        self.trades.append(trade.copy())

    def on_quote(self, quote):
        self.quotes.append(quote.copy())

    def _on_other(self, event):
        self.others.append(event.copy())

    on_ticker = on_mark = on_open_interest = on_liquidation = _on_other

    def feed(self, frames):
        for frame in frames:
            self.pipeline.feed(frame.encode() if isinstance(frame, str) else frame, self.hall.next_ns)
            assert self.pipeline.counters["errors"] == 0, (self.pipeline.last_error, frame)
        self.controls += [self.spec.read_control(payload) for _, payload in self.pipeline.control()]

    def subscribe(self, streams):
        """Ask for streams as the client does, and take what the venue says to it."""
        self.line.root = streams[0].root
        for text in self.spec.greeting if not self.names else ():
            for ask in self.speech.read(text, self.line):
                self.feed(ask.frames)
        for text in self.spec.subscribe([stream.name for stream in streams], 1):
            for ask in self.speech.read(text, self.line):
                assert ask.kind == "subscribe", ask
                known = [name for name in ask.names if self.hall.streams(name, self.line.root)]
                unknown = [name for name in ask.names if name not in known]
                known = [] if unknown and self.speech.all_or_nothing else known
                self.feed(self.speech.answer(ask, known, unknown, self.line))
                self.names |= set(known)
                for name in known:
                    for feed in self.hall.open(name, self.line.root):
                        if events := feed.opening():
                            self.feed(self.speech.encode(feed.stream, events, self.line))
        self.meet()

    def meet(self):
        """Give the snapshots that the pipeline wants, by REST or by a request on the line."""
        for want in self.pipeline.wanted():
            if want.kind == "request":
                for name in sorted(self.names):
                    if any(stream.symbol == want.symbol and stream.channel == "book"
                           for stream in self.hall.streams(name, self.line.root)):
                        self.request(name)
            elif want.kind == "snapshot":
                url = self.spec.snapshot_url(want.symbol, market=want.market)
                place = urlsplit(url)
                query = {key: values[0] for key, values in parse_qs(place.query).items()}
                status, body = self.speech.rest("GET", place.path, query, self.hall)
                assert status == 200, body
                self.pipeline.rest(url, body, self.hall.next_ns)
                answer = self.spec.read_address(url)
                self.short = self.short or answer.limit

    def request(self, name):
        """Ask for a snapshot on the line."""
        for ask in self.speech.read(self.spec.request(name, 2), self.line):
            assert ask.kind == "snapshot", ask
            for feed in self.hall.open(name, self.line.root):
                self.feed(self.speech.encode(feed.stream, [feed.snapshot()], self.line))

    def step(self):
        """Let the next thing happen, and feed what is told of it. Returns: the feeds that told something."""
        told = [(feed, events) for feed, events in self.hall.step() if feed.stream.name in self.names]
        for feed, events in told:
            self.feed(self.speech.encode(feed.stream, events, self.line))
        return [feed for feed, _ in told]

    def compare(self, feed):
        """The client's book is what the last message of a stream left."""
        assert isinstance(feed, BookFeed)
        stream = feed.stream
        book = self.pipeline.book(stream.symbol, stream.depth or None, stream.market or None)
        assert book.status is BookState.LIVE, (book.status, book.reason)
        raw = book.raw
        for levels, side in ((raw.bids(), 1), (raw.asks(), -1)):
            held = levels.tolist()
            want = [[float(price), float(qty)] for price, qty in feed.best(side, 1 << 30)]
            if self.short and len(held) < len(want):
                # Below a short snapshot the client knows only what has changed since.
                assert held[:self.short // 4] == want[:self.short // 4]
                assert not [level for level in held if level not in want]
            else:
                assert held == want
