"""What fuzzing has found, each the smallest text that showed it; see docs/fuzzing.md."""

from __future__ import annotations

import subprocess
import sys

import pytest

from feeds import Pipeline
from tests import _probe
from tests.fuzz.build import CORE
from tests.fuzz.oracle import check_time
from tests.protobuf import message, pairs


def test_the_targets_compile_all_that_they_load():
    """A module that was new in what the pipeline loads was not there when a target began."""
    code = ("import sys, feeds.pipeline, feeds.capture, feeds.deflate; print(*(name for name, module in "
            "sys.modules.items() if name.startswith(('orderbook', 'feeds')) "
            "and str(getattr(module, '__file__', '')).endswith(('.so', '.pyd'))))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "feeds.pipeline" in done.stdout
    assert {*done.stdout.split()} <= {*CORE}


@pytest.mark.parametrize("simd", [True, False])
def test_a_level_of_no_bytes_has_no_widths(simd):
    """`0a 00 00 00` was taken for a level of the widths before it when there was none: they were whatever lay there,
    from the list before or worse, and so were the level and where the next one was looked for."""
    usual = message(*pairs(1, [("1209.67", "0.5")]))
    for _ in range(10):
        for listed in (usual[:1] + bytes(3) + usual[4:], b"\x0a\x00\x00\x00\x12\x00" + b"0" * 16):
            assert _probe.protobuf_quick_pairs(b"7" * 16, [usual], 1, 2, 2, simd) == [[(120967, 50)]]
            assert _probe.protobuf_quick_pairs(b"7" * 16, [listed], 1, 2, 2, simd) == [[]]


@pytest.mark.parametrize("text", ["9223372036.9", "9223372036.854775807", "9223372036854.1", "9223372036854775.9"])
def test_the_last_second_of_int64_is_no_time(text):
    """Its fraction alone was given: 900000000 ns, which were then taken for seconds."""
    assert _probe.time_text(text.encode()) == (0, 0)
    check_time(text.encode(), *_probe.time_text(text.encode()))


@pytest.mark.parametrize(("venue", "before", "frame"), [
    ("kraken", [], b'[],"spread","XB/T","XB",105944.20]'),
    ("kraken", [], b'[],["1","2","1633053779.916349","1","2"],"spread","XBT/USD"]'),
    ("bitfinex", [], b"[2254849027.027078]52]"),
    ("bitfinex", [b'{"event":"subscribed","channel":"book","chanId":17082,"symbol":"tBTCUSD","prec":"P0","freq":"F0",'
                  b'"len":"100","pair":"BTCUSD"}'], b"[17082][279380,1,0.0089]]"),
])
def test_an_array_that_has_ended_does_not_go_on(venue, before, frame):
    """The grammar of these frames was not checked behind an array that ends where its first values should stand."""
    pipeline = Pipeline(venue)
    for text in before:
        pipeline.feed(text)
    assert pipeline.counters["errors"] == 0
    pipeline.feed(frame)
    assert pipeline.counters["errors"] == 1
    assert pipeline.last_error.expected in ("the number of a channel", "a message of the channel")


@pytest.mark.parametrize(("venue", "frame"), [
    ("bitget", b'{"action":"update","arg":{"instType":"mc","channel":"trade"},"data":[["1","2","3","buy"]]}'),
    ("bitmex", b'{"table":"orderBookL2","action":"insert","data":[{"id":1},{"id":2}]}'),
])
def test_a_frame_of_no_symbol_is_refused_without_arithmetic_on_nothing(venue, frame):
    """The sanitizer saw an offset added to a NULL pointer, and one compared; without it the frame is only refused."""
    pipeline = Pipeline(venue)
    pipeline.feed(frame)
    assert (pipeline.counters["errors"], pipeline.symbols()) == (1, [])


def test_a_word_without_letters_is_a_word():
    """bitfinex: it was taken for none, so that neither a comma behind it was asked for nor was it unknown."""
    pipeline = Pipeline("bitfinex")
    pipeline.feed(b'{"event":"subscribed","channel":"book","chanId":17082,"symbol":"tBTCUSD","prec":"P0","freq":"F0",'
                  b'"len":"100","pair":"BTCUSD"}')
    for frame in (b'[17082,""[[279380,1,0.0089]]]', b'[0.0898064125,""[101.5,1,-2.125]\t,8]'):
        with_error = pipeline.counters["errors"] + 1
        pipeline.feed(frame)
        assert pipeline.counters["errors"] == with_error
    ignored = pipeline.counters["ignored"]
    pipeline.feed(b'[17082,"",[[279380,1,0.0089]]]')
    assert (pipeline.counters["errors"], pipeline.counters["ignored"]) == (2, ignored + 1)
    assert pipeline.symbols() == []
