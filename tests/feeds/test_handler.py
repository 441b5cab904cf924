"""C handlers get events without a Python call; any Python object with some on_* method will do."""

from __future__ import annotations

import pytest

from feeds import Handler, Pipeline
from tests import _probe, frames


def live(handler):
    pipeline = Pipeline("binance_usdm", handler)
    pipeline.feed(frames.delta(1, 2, 0))
    pipeline.rest(frames.rest_url(), frames.snapshot(2, [("1", "1")], []))
    return pipeline


def test_a_c_handler_gets_every_kind():
    handler = _probe.CountingHandler()
    pipeline = live(handler)
    for i in range(3, 8):
        pipeline.feed_many(
            [frames.delta(i, i, i - 1), frames.trade(qty="2"), frames.quote(), frames.mark(), frames.liquidation()]
        )
    assert (handler.books, handler.trades, handler.quotes) == (6, 5, 5)
    assert handler.total > 0
    assert pipeline.handler is handler


def test_the_base_class_takes_everything_and_does_nothing():
    pipeline = live(Handler())
    pipeline.feed(frames.trade())
    assert pipeline.counters["trades"] == 1


def test_methods_of_an_instance_count():
    class Bare:
        pass

    handler, seen = Bare(), []
    handler.on_trade = seen.append
    Pipeline("binance_usdm", handler).feed(frames.trade())
    assert len(seen) == 1


@pytest.mark.parametrize("handler", [5, "x", object(), [], lambda event: None])
def test_what_has_no_method_is_refused(handler):
    with pytest.raises(TypeError, match="expected a handler"):
        Pipeline("binance_usdm", handler)
    pipeline = Pipeline("binance_usdm")
    with pytest.raises(TypeError, match="expected a handler"):
        pipeline.handler = handler
    assert pipeline.handler is None


def test_a_handler_can_be_set_and_taken_away():
    pipeline = live(None)
    seen = []
    handler = type("One", (), {"on_book": lambda self, book: seen.append(book.sequence)})()
    pipeline.handler = handler
    pipeline.feed(frames.delta(3, 3, 2))
    pipeline.handler = None
    pipeline.feed(frames.delta(4, 4, 3))
    pipeline.handler = handler
    pipeline.feed(frames.delta(5, 5, 4))
    assert seen == [3, 5]


def test_on_applied_sees_every_state():
    pipeline = Pipeline("binance_usdm", on_gap="count")
    seen = []
    pipeline.on_applied = lambda book: seen.append((book.sequence, book.status.name))
    pipeline.feed(frames.delta(1, 2, 0))
    pipeline.rest(frames.rest_url(), frames.snapshot(2, [("1", "1")], []))
    pipeline.feed(frames.delta(3, 4, 2))
    pipeline.feed(frames.delta(9, 10, 8))
    assert [sequence for sequence, _ in seen] == [2, 2, 4, 10]
    assert seen[-1] == (10, "STALE")
    pipeline.on_applied = None
    pipeline.feed(frames.delta(11, 12, 10))
    assert len(seen) == 4
