"""Streams by the text that frames begin with: short and long, by connection, in a table and in a pipeline."""

from __future__ import annotations

import json
import random

import pytest

from feeds.pipeline import Pipeline
from orderbook import BookState
from tests import _probe
from tests._probe import Streams, prefix_size
from tests.own import own_spec

SHORTEST, PREFIX = 4, 128       # bytes of a prefix: at least, and fewer than
MAX_ROUTES = 32768


# ---- the table

def test_a_stream_is_found_by_its_text_and_connection():
    streams = Streams()
    assert streams.find(b"abcd") is None
    assert streams.add(b"abcd") == 0
    assert streams.add(b"abcd", 7) == 1
    assert streams.add(b"abcde") == 2
    assert [streams.find(b"abcd"), streams.find(b"abcd", 7), streams.find(b"abcd", 8), streams.find(b"abcde"),
            streams.find(b"abc"), streams.find(b"")] == [0, 1, None, 2, None, None]


@pytest.mark.parametrize("size", [4, 5, 7, 8, 15, 16, 23, 24, 25, 63, 64, 65, 126, 127])
def test_texts_that_differ_in_one_byte(size):
    """In any byte, also where the hash does not look."""
    streams = Streams()
    text = bytes(33 + i % 90 for i in range(size))
    assert streams.add(text) == 0
    for at in range(size):
        assert streams.find(text[:at] + b"~" + text[at + 1:]) is None
    assert streams.find(text) == 0


def test_random_streams_against_a_dict(seed):
    rng = random.Random(seed)
    streams, held = Streams(), {}
    for _ in range(5000):
        size = rng.choice([4, 6, 12, 40, 127])
        key = b'{"stream":"'[:size] + bytes(rng.choices(b"abcdef", k=max(0, size - 11))), rng.choice([0, 0, 1, 999])
        assert streams.find(*key) == held.get(key)
        if key not in held:
            held[key] = streams.add(*key)
            assert held[key] == len(held) - 1
    assert all(streams.find(*key) == index for key, index in held.items())


def test_there_is_a_limit_of_streams():
    streams = Streams()
    for number in range(MAX_ROUTES):
        assert streams.add(b"%05d" % number) == number
    assert streams.add(b"one more") is None
    assert streams.find(b"%05d" % (MAX_ROUTES - 1)) == MAX_ROUTES - 1


@pytest.mark.parametrize(("text", "mark", "marks", "size"), [
    (b'{"stream":"btc@depth","data"', b'"', 4, 20), (b'{"stream":"btc@depth","data"', b'"', 2, 8),
    (b'{"e"', b'"', 2, 0), (b'{"e":"', b'"', 3, 5), (b"[225206,[1,2]", b",", 1, 7), (b"[22,[1,2]", b",", 1, 0),
    (b"[225,[1", b",", 1, 4), (b"[225,[1", b",", 2, 0), (b'{"stream"', b'"', 0, 0), (b"", b'"', 1, 0),
    (b"x" * 127 + b'"', b'"', 1, 127), (b"x" * 128 + b'"', b'"', 1, 0), (b"x" * 500, b'"', 1, 0)])
def test_the_text_that_names_a_stream_ends_at_a_mark(text, mark, marks, size):
    assert prefix_size(text, mark, marks) == size


# ---- in a pipeline

FIELDS = [("kind", "TEXT", "SPARE"), ("s", "SYMBOL", "SPARE"), ("b", "LEVELS", "BIDS"), ("a", "LEVELS", "ASKS"),
          ("n", "NAME", "SPARE")]


def frame(head: bytes, kind: str, symbol: str, price: int, qty: int, **more) -> bytes:
    """A frame that begins with this text, as far as that is a key."""
    body = {"kind": kind, "s": symbol, "b": [[str(price), str(qty)]], "a": []} | more
    return head + json.dumps(body, separators=(",", ":")).encode()[1:]


@pytest.fixture
def made(monkeypatch):
    """A function that makes a pipeline of a venue of the tests' own."""
    def make(simd=True, **parser):
        spec = own_spec(fields=FIELDS, parser=parser)
        monkeypatch.setattr("feeds.pipeline.load", lambda name, wire=None: spec)
        return Pipeline("own", simd=simd)

    return make


@pytest.fixture(params=[True, False], ids=["simd", "scalar"])
def simd(request):
    return request.param


@pytest.mark.parametrize("size", [*range(2, 12), 15, 16, 17, 31, 32, 33, 62, 63, 64, 65, 95, 96, 97, 126, 127, 128,
                                  140])
def test_prefixes_of_every_length(made, size, simd):
    """`size` bytes end before the second quote. Streams differ in one byte at every place."""
    pipeline = made(simd, marks=2)
    name = "k" * max(size - 2, 0)
    heads = {"X": '{"' + name + '":1,'}
    for at in range(0, len(name), 5):
        heads[f"Y{at}"] = '{"' + name[:at] + "z" + name[at + 1:] + '":1,'
    for turn in range(4):
        for number, (symbol, head) in enumerate(heads.items()):
            kind = "delta" if turn else "snapshot"
            pipeline.feed(frame(head.encode(), kind, symbol, 100 + number, turn + 1))
    for number, symbol in enumerate(heads):
        assert pipeline.book(symbol).best_bid == (100 + number, 4)
    learned = SHORTEST <= size < PREFIX
    assert pipeline.counters["errors"] == 0
    assert (pipeline.counters["fast"] > 0) == learned
    if learned:
        assert pipeline.counters["fast"] >= 2 * len(heads)


@pytest.mark.parametrize("size", [4, 5, 6, 7, 8, 12])
def test_short_frames_by_comma_prefixes(made, size, simd):
    """Frames of little more than 16 bytes, whose first comma ends the text that names the stream."""
    pipeline = made(simd, mark=b",", marks=1)
    head = '{"' + "1" * (size - 4) + '":'
    frames = [f'{head}1,"kind":"{kind}","s":"{symbol}","b":[["5","{qty}"]],"a":[]}}'.encode()
              for qty, kind in ((1, "s"), (2, "d"), (3, "d"), (4, "d")) for symbol in "AB"]
    for one in frames:
        _probe.feed_exact(pipeline, one)
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    assert [pipeline.book(symbol).best_bid for symbol in "AB"] == [(5, 4)] * 2
    assert (pipeline.counters["fast"] > 0) == (size >= SHORTEST)


def test_the_same_text_on_two_connections(made, simd):
    """Where a text means another stream on another connection, layouts are learned for each."""
    pipeline = made(simd, marks=2, by_line=True)
    for turn in range(5):
        for line, symbol in enumerate(["X", "Y", "Z"]):
            body = json.dumps({"number": 7, "kind": "delta" if turn else "snapshot", "n": symbol,
                               "b": [[str(line + 1), str(turn + 1)]], "a": []}, separators=(",", ":"))
            pipeline.feed(body.encode(), 0, line)
    assert [pipeline.book(symbol).best_bid for symbol in "XYZ"] == [(1, 5), (2, 5), (3, 5)]
    assert pipeline.counters["fast"] == 9
    # The text that names the instrument is part of what is learned: on another line it is read with care.
    body = b'{"number":7,"kind":"delta","n":"Y","b":[["9","9"]],"a":[]}'
    pipeline.feed(body, 0, 0)
    assert pipeline.book("Y").best_bid == (9, 9)
    assert pipeline.book("X").best_bid == (1, 5)


def test_a_connection_that_opens_forgets_what_its_numbers_meant(made, simd):
    pipeline = made(simd, marks=2, by_line=True)
    frames = [f'{{"number":7,"kind":"{kind}","s":"X","b":[["1","1"]],"a":[]}}'.encode()
              for kind in ("snapshot", "delta", "delta", "delta")]
    for one in frames:
        pipeline.feed(one)
    fast = pipeline.counters["fast"]
    assert fast
    pipeline.opened(0)
    for one in frames[:2]:
        pipeline.feed(one)
    assert pipeline.counters["fast"] == fast
    assert pipeline.book("X").status is BookState.LIVE


def test_one_text_for_many_instruments(made, simd, seed):
    """The prefix says nothing of the instrument: each frame's own text does."""
    rng = random.Random(seed)
    pipeline = made(simd, marks=2)
    held = {}
    symbols = [f"S{number}" for number in range(50)]
    for turn in range(600):
        symbol = rng.choice(symbols)
        kind = "delta" if symbol in held else "snapshot"
        price = rng.randint(1, 99)
        held.setdefault(symbol, {})[price] = turn + 1
        pipeline.feed(frame(b'{"channel":1,', kind, symbol, price, turn + 1))
    for symbol, levels in held.items():
        assert pipeline.book(symbol).bids().tolist() == [[p, q] for p, q in sorted(levels.items(), reverse=True)]
    assert pipeline.counters["fast"] > 400
