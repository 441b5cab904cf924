"""Every way through recorded traffic gives the same: learned layouts, their scalar twin, and the careful parser."""

from __future__ import annotations

import random

import pytest

from feeds.pipeline import Pipeline
from tests import oracle
from tests.oracle import Recorder, same_event

CAPTURES = ["binance_usdm/btcusdt_20240808", "binance_usdm/multi_20210722", "binance_coinm/multi_20210722",
            "binance_coinm/btcusd_perp_20240808", "binance_spot/btcusdt_20240808", "binance_spot/multi_20211012"]


def figures(pipeline):
    books = {symbol: (book.bids_int().tolist(), book.asks_int().tolist(), book.sequence, book.exchange_ns,
                      book.price_scale,
                      book.qty_scale)
             for symbol in pipeline.books for book in [pipeline.books[symbol].raw]}
    return books, {symbol: pipeline.symbol_stats(symbol) for symbol in pipeline.books}


def spaced(frame, rng):
    """The frame with white space at random places, so that no layout ever fits it."""
    parts = frame.split(b',"')
    for _ in range(3):
        at = rng.randrange(1, len(parts))
        parts[at - 1] += b" " * rng.randint(1, 9)
    return b',"'.join(parts)


def replay(lines, venue, form=None, **options):
    pipeline = Pipeline(venue, on_gap="count", **options)
    batch = []
    for line in lines:
        if line.kind == "<":
            batch.append(line.payload if form is None else form(line.payload))
        elif line.kind == "h":
            pipeline.feed_many(batch)
            batch.clear()
            url, _, body = line.payload.partition(b" ")
            pipeline.rest(url.decode(), body)
    pipeline.feed_many(batch)
    return pipeline


@pytest.mark.parametrize("name", CAPTURES)
def test_all_ways_through_a_capture_give_the_same(capture_lines, name, seed):
    venue = name.partition("/")[0]
    lines = capture_lines(name)
    fast = replay(lines, venue)
    counters = fast.counters
    assert counters["errors"] == 0
    assert counters["fast"] + counters["slow"] == counters["frames"]
    usable = counters["frames"] - counters["ignored"] - counters["control"]
    assert counters["fast"] > (0.99 if "btcus" in name else 0.75) * usable
    wanted = figures(fast)
    assert figures(replay(lines, venue, simd=False)) == wanted
    short = lines[:25_000]
    rng = random.Random(seed)
    careful = replay(short, venue, lambda frame: spaced(frame, rng))
    assert careful.counters["fast"] < 0.05 * careful.counters["frames"] + 200
    assert figures(careful) == figures(replay(short, venue))


@pytest.mark.parametrize("simd", [True, False], ids=["simd", "scalar"])
@pytest.mark.parametrize("name", CAPTURES[:2])
def test_events_of_a_capture_are_what_the_frames_say(capture_lines, name, simd):
    """The first thousands of frames one by one, each event against json.loads and Decimal."""
    venue = name.partition("/")[0]
    recorder = Recorder()
    pipeline = Pipeline(venue, recorder, simd=simd)
    for line in capture_lines(name)[:6000]:
        if line.kind != "<":
            continue
        recorder.events.clear()
        pipeline.feed(line.payload)
        want = [event for event in oracle.read(line.payload, venue) if event[0] in ("trade", "quote")]
        assert len(recorder.events) == len(want)
        assert all(map(same_event, recorder.events, want)), line.payload
