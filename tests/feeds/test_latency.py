"""Histograms of durations, and what a pipeline reports of its stages."""

from __future__ import annotations

import random
import time

import pytest

from feeds.pipeline import Pipeline
from tests import _probe, frames


def test_buckets_are_contiguous_and_within_six_per_cent():
    last = -1
    for bucket in range(600):
        top = _probe.bucket_ns(bucket)
        assert top > last
        assert _probe.bucket_of(top) == bucket
        assert _probe.bucket_of(last + 1) == bucket
        assert top - last - 1 <= max(top / 16, 0)
        last = top


@pytest.mark.parametrize("ns", [-(2**63), -1, 0, 1, 15, 16, 17, 10**9, 2**43, 2**62, 2**63 - 1])
def test_every_duration_has_a_bucket(ns):
    assert 0 <= _probe.bucket_of(ns) < 640


def test_percentiles_are_within_six_per_cent(seed):
    rng = random.Random(seed)
    histogram = _probe.Histogram()
    values = sorted(int(rng.lognormvariate(6, 2)) for _ in range(20_000))
    for value in values:
        histogram.add(value)
    for share in (0.01, 0.5, 0.9, 0.99, 0.999, 1.0):
        exact = values[max(int(share * len(values)) - 1, 0)]
        assert exact <= histogram.percentile(share) <= exact * 1.07 + 1
    assert histogram.percentile(1.0) == values[-1]
    assert _probe.Histogram().percentile(0.5) == 0


class Everything:
    def on_book(self, book):
        pass

    def on_trade(self, trade):
        pass

    def on_quote(self, quote):
        pass


def live_pipeline(**options):
    pipeline = Pipeline("binance_usdm", Everything(), **options)
    pipeline.feed(frames.delta(1, 2, 0))
    pipeline.rest(frames.rest_url(), frames.snapshot(2, [("1", "1")], [("2", "1")]))
    return pipeline


def test_every_message_is_sampled_with_one():
    started = time.monotonic_ns()
    pipeline = live_pipeline(sample_every=1)
    for i in range(3, 103):
        pipeline.feed(frames.delta(i, i, i - 1, [("1", str(i))]))
        pipeline.feed(frames.trade(number=i))
        pipeline.feed(frames.quote(number=i))
    latency = pipeline.latency()
    assert list(latency) == ["received", "parsed", "applied", "handler"]
    assert latency.pop("received")["count"] == 0            # nobody has said when it arrived
    assert latency["parsed"]["count"] == 301
    assert latency["applied"]["count"] == 100
    assert latency["handler"]["count"] == 300
    for stage in latency.values():
        assert list(stage) == ["count", "p50", "p90", "p99", "p99_9", "max"]
        assert 0 < stage["p50"] <= stage["p90"] <= stage["p99"] <= stage["p99_9"] <= stage["max"]
        assert stage["max"] <= time.monotonic_ns() - started


def test_one_message_in_many_is_sampled():
    pipeline = live_pipeline(sample_every=10)
    for i in range(3, 1003):
        pipeline.feed(frames.delta(i, i, i - 1))
    assert 99 <= pipeline.latency()["applied"]["count"] <= 101
    pipeline.sample_every = 1
    for i in range(1003, 1103):
        pipeline.feed(frames.delta(i, i, i - 1))
    assert pipeline.latency()["applied"]["count"] >= 190


def test_the_time_between_two_messages_belongs_to_neither():
    pipeline = live_pipeline(sample_every=1)
    pipeline.feed(frames.delta(3, 3, 2, [("1", "3")]))
    time.sleep(0.5)
    pipeline.feed(frames.trade())
    pipeline.feed(frames.quote())
    assert pipeline.latency()["handler"]["max"] < 400_000_000


def test_the_way_from_the_venue_is_counted_for_every_message_and_by_symbol():
    """From the venue's own time to our clock, of all that tell both; a venue's clock that is ahead shows."""
    pipeline = live_pipeline(sample_every=1000)
    for i in range(3, 203):
        message = frames.trade(number=i) if i % 2 else frames.delta(i - 1, i, i - 2, [("1", str(i))])
        pipeline.feed(message, (frames.TIME_MS + i - 102) * 1_000_000)
    received = pipeline.latency()["received"]
    assert list(received) == ["count", "p50", "p90", "p99", "p99_9", "max", "early"]
    assert (received["count"], received["max"], received["early"]) == (200, 100_000_000, 100)
    assert 79_000_000 <= received["p90"] <= 86_000_000
    assert pipeline.latency("BTCUSDT")["received"] == received
    pipeline.follow("OTHER")
    assert pipeline.latency("OTHER")["received"]["count"] == 0
    with pytest.raises(KeyError):
        pipeline.latency("NOBODY")


def test_every_stage_is_counted_by_symbol_too():
    """A handler that makes the pipeline follow many more symbols meanwhile: its own message is still counted."""
    class Following:
        def on_trade(self, trade):
            for number in range(40):
                pipeline.follow(f"{trade.symbol}{number}")

    pipeline = live_pipeline(sample_every=1)
    for i in range(3, 13):
        pipeline.feed(frames.delta(i, i, i - 1, [("1", str(i))]))
        pipeline.feed(frames.trade(number=i))
    pipeline.feed(frames.trade(symbol="ETHUSDT"))
    pipeline.handler = Following()
    pipeline.feed(frames.trade(symbol="SOLUSDT"))
    whole = pipeline.latency()
    counts = {symbol: {stage: found["count"] for stage, found in pipeline.latency(symbol).items()}
              for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")}
    assert list(counts["BTCUSDT"]) == list(whole)
    assert [counts[symbol]["parsed"] for symbol in counts] == [21, 1, 1]
    assert [counts[symbol]["applied"] for symbol in counts] == [10, 0, 0]
    assert [counts[symbol]["handler"] for symbol in counts] == [20, 1, 1]
    for stage in ("parsed", "applied", "handler"):
        assert whole[stage]["count"] == sum(count[stage] for count in counts.values())
        assert whole[stage]["max"] == max(pipeline.latency(symbol)[stage]["max"] for symbol in counts)
    assert pipeline.latency("SOLUSDT0")["parsed"]["count"] == 0


def test_a_fresh_pipeline_has_no_durations():
    assert Pipeline("binance_usdm").latency()["parsed"] == {
        "count": 0,
        "p50": 0,
        "p90": 0,
        "p99": 0,
        "p99_9": 0,
        "max": 0,
    }
