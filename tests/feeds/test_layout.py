"""Learned layouts: whatever the fast path takes is what the frame says, whatever was done to it after learning.

A pipeline learns from good frames; then it gets a frame with one byte changed, cut, or rewritten. What it makes of
that is compared with tests/oracle.py. Frames stand in memory of exactly their size, or with misleading bytes behind.
"""

from __future__ import annotations

import json
import math
import random
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

import pytest

from feeds.pipeline import Pipeline
from tests import _probe, frames, oracle
from tests.oracle import Recorder, same_event

WIDE = Context(prec=100, Emax=MAX_EMAX, Emin=MIN_EMIN)
VALUES = b'\x009"{}[],:\\-.0e x\xff'
BASE = ([(Decimal("61800.30"), Decimal("2.507")), (Decimal("61799.9"), Decimal("0.1"))],
        [(Decimal("61800.40"), Decimal("1"))])
AGGREGATE = {"e": "aggTrade", "E": frames.TIME_MS, "s": "BTCUSDT", "a": 16599292, "p": "61801.10", "q": "10",
             "f": 23961322,
             "l": 23961323, "T": frames.TIME_MS, "m": False}
TICKER = {"e": "24hrTicker", "E": frames.TIME_MS, "s": "BTCUSDT", "p": "-88.17", "P": "-0.855", "w": "10223.98",
          "c": "10223.74", "Q": "0.002", "o": "10311.91", "h": "10350.00", "l": "10100.01", "v": "18201.002",
          "q": "186087000.12", "O": frames.TIME_MS, "C": frames.TIME_MS, "F": 1, "L": 2, "n": 77}


def spot_partial(number, bids):
    return frames.pack({"lastUpdateId": number, "bids": bids, "asks": [["61800.40", "100"]]}, "btcusdt@depth20@100ms")


# Kind of message: (venue, frames to learn from, frame to be spoilt).
KINDS = {
    "delta": ("binance_usdm",
              [frames.delta(i, i + 1, i - 1, [("61800.20", "2.507"), ("61799.9", "1")], [("61800.40", "10.5")])
               for i in (5, 7)],
              frames.delta(11, 12, 10, [("61800.10", "2.500"), ("61799.90", "0.000")],
                           [("61800.40", "17.25"), ("9.9", "1")])),
    "empty delta": ("binance_usdm", [frames.delta(i, i + 1, i - 1, [], []) for i in (5, 7)], frames.delta(11, 12, 10)),
    "raw delta": ("binance_usdm",
                  [frames.delta(i, i + 1, i - 1, [("61800.20", "2")], [], symbol, stream="")
                   for i in (5, 7) for symbol in ("BTCUSDT", "ETHUSDT")],
                  frames.delta(11, 12, 10, [("61800.10", "2")], [], stream="")),
    "spot delta": ("binance_spot",
                   [frames.delta(i, i + 1, None, [("61800.20000000", "2.50700000")], [("9.00000000", "0.00000000")])
                    for i in (5, 7)],
                   frames.delta(11, 12, None, [("61800.10000000", "0.00000000")], [("61800.50000000", "3.00000000")])),
    "delta of 2026": ("binance_coinm",
                      [frames.delta(i, i + 1, i - 1, [("61800.2", "2507")], [], ps="BTCUSD", st=2) for i in (5, 7)],
                      frames.delta(11, 12, 10, [("61800.1", "17")], [("61801.0", "1")], ps="BTCUSD", st=2)),
    "trade": ("binance_usdm",
              [frames.trade(p, q, i) for i, (p, q) in enumerate([("61800.31", "0.006"), ("61800.3", "12")] * 2)],
              frames.trade("61801.25", "0.500", 5266583935, False)),
    "raw trade": ("binance_usdm",
                  [frames.trade("61800.31", "0.006", i, symbol=symbol, stream="")
                   for i in (1, 2) for symbol in ("BTCUSDT", "ETHUSDT")],
                  frames.trade("61801.25", "0.006", 77, stream="")),
    "aggregate trade": ("binance_usdm", [frames.pack(AGGREGATE | {"a": 5}, "btcusdt@aggTrade")] * 2,
                        frames.pack(AGGREGATE, "btcusdt@aggTrade")),
    "quote": ("binance_usdm", [frames.quote(("61800.30", "1.000"), ("61800.4", "2"), i) for i in (1, 2)],
              frames.quote(("61800.20", "9.750"), ("61800.3", "3"), 77)),
    "spot quote": ("binance_spot",
                   [frames.pack({"u": i, "s": "BTCUSDT", "b": "618.30000000", "B": "1.00000000", "a": "618.40000000",
                                 "A": "5.50000000"}, "btcusdt@bookTicker") for i in (1, 2, 3)],
                   frames.pack({"u": 7, "s": "BTCUSDT", "b": "617.10000000", "B": "1.25000000", "a": "618.70000000",
                                "A": "0.10000000"}, "btcusdt@bookTicker")),
    "ticker": ("binance_usdm", [frames.pack(TICKER, "btcusdt@ticker")] * 3,
               frames.pack(TICKER | {"c": "10229.75", "n": 99}, "btcusdt@ticker")),
    "mark": ("binance_usdm", [frames.mark(), frames.mark("59023.53514719")], frames.mark("59024.10000000")),
    "mark of a dated contract": ("binance_coinm", [frames.mark(r="", T=0)] * 2,
                                 frames.mark("59024.10000000", r="", T=0)),
    "liquidation": ("binance_usdm", [frames.liquidation(), frames.liquidation(price="9911.25")],
                    frames.liquidation(price="9907.25")),
    "partial": ("binance_usdm",
                [frames.delta(i, i + 1, i - 1, [("61800.20", "2.507")], [("61800.4", "1")], stream="depth5@100ms")
                 for i in (5, 7)],
                frames.delta(11, 12, 10, [("61800.10", "1.5")], [("61800.4", "7")], stream="depth5@100ms")),
    "spot partial": ("binance_spot", [spot_partial(i, [["61800.30", "10"], ["61800.20", "7"]]) for i in (5, 6)],
                     spot_partial(12, [["61800.30", "11"]])),
}


def levels_of(book):
    raw = book.raw
    return tuple([(book.price_decimal(p), book.qty_decimal(q)) for p, q in rows.tolist()]
                 for rows in (raw.bids_int(), raw.asks_int()))


def after_delta(base, bids, asks):
    sides = [dict(side) for side in base]
    for side, changes in zip(sides, (bids, asks), strict=True):
        for price, qty in changes:
            side[price] = qty
            if not qty:
                del side[price]
    return sorted(sides[0].items(), reverse=True), sorted(sides[1].items())


def numbers_of(event):
    """All exact numbers of an event."""
    return [n for part in event for n in ([part] if not isinstance(part,
                                                                   list) else [n for level in part for n in level])
            if isinstance(n, Decimal)]


class Bench:
    """A pipeline that has learned a kind of message, and the check of what it makes of a frame."""

    def __init__(self, kind, simd=True):
        self.venue, learned, self.frame = KINDS[kind]
        self.recorder = Recorder()
        self.pipeline = Pipeline(self.venue, self.recorder, on_gap="count", simd=simd)
        self.pipeline.feed(frames.delta(1, 2, 0 if self.venue != "binance_spot" else None))
        self.reset()
        for frame in learned:
            self.pipeline.feed(frame)
        assert self.pipeline.counters["errors"] == 0
        self.reset()

        self.largest, self.decimals = Decimal(10**6), 4

    def may_not_fit(self, wants):
        """Whether int64 may not hold what was seen so far, counted as finely as it was written."""
        for want in wants:
            for number in filter(None, numbers_of(want)):
                self.largest = max(self.largest, WIDE.abs(number))
                self.decimals = max(self.decimals, -WIDE.normalize(number).as_tuple().exponent)
        return (self.largest.adjusted() + 1 + self.decimals > 18
                or any(part in (math.inf, -math.inf) for want in wants for part in want if isinstance(part, float)))

    def reset(self):
        self.pipeline.rest(frames.rest_url(self.venue), frames.snapshot(10, *BASE))
        self.recorder.events.clear()

    def check(self, frame, behind=None):
        """Feed a frame and compare; returns whether the pipeline took it."""
        pipeline, where = self.pipeline, f"{frame!r}"
        before = pipeline.counters
        if behind is None:
            _probe.feed_exact(pipeline, frame)
        else:
            _probe.feed_with_slack(pipeline, frame, behind)
        counters = pipeline.counters
        wants = oracle.read(frame, self.venue)
        refused = counters["errors"] - before["errors"]
        tight = self.may_not_fit(wants)
        assert refused in (0, 1), where
        if wants[-1] == oracle.BAD:
            assert refused, where
        if refused:
            error = pipeline.last_error
            assert (error.venue, bool(error.expected)) == (self.venue, True), where
            assert 0 <= error.offset <= len(frame), where
            assert wants[-1] == oracle.BAD or tight, f"refused {where}: {error}"
        want_books = BASE
        want_events = []
        for want in wants:
            spot = self.venue == "binance_spot"
            old = want[0] == "delta" and want[3] < 10 + spot and not (spot and want[2] == 11)   # than the snapshot
            if want[0] == "delta" and want[1] == "BTCUSDT" and not old and not refused:
                want_books = after_delta(BASE, want[5], want[6])
            elif want[0] == "partial" and not refused and want[1] == want[1].upper():
                book = pipeline.book(want[1], want[8])
                assert levels_of(book) == after_delta(([], []), want[5], want[6]), where
                assert book.sequence == want[3], where
            elif want[0] in ("trade", "quote", "ticker", "mark", "liquidation"):
                want_events.append(want)
        got = self.recorder.events
        if not refused:
            assert len(got) == len(want_events), where
        assert all(map(same_event, got, want_events)), f"{where}: {got} {want_events}"
        book = pipeline.book("BTCUSDT")
        assert levels_of(book) == want_books, where
        if want_books is not BASE:
            want = wants[-1]
            assert (book.sequence, book.exchange_ns) == (want[3], want[7]), where
        if want_books is not BASE or not refused:
            self.reset()
        self.recorder.events.clear()
        return not refused


@pytest.fixture(params=[True, False], ids=["simd", "scalar"])
def simd(request):
    return request.param


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_frame_takes_the_fast_path(kind, simd):
    bench = Bench(kind, simd)
    before = bench.pipeline.counters
    assert bench.check(bench.frame)
    after = bench.pipeline.counters
    assert (after["fast"] - before["fast"], after["slow"] - before["slow"]) == (1, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_any_byte_changed(kind, simd):
    taken = 0
    frame = Bench(kind).frame
    for at in range(len(frame)):
        bench = Bench(kind, simd)
        for value in VALUES:
            if frame[at] != value:
                taken += bench.check(frame[:at] + bytes([value]) + frame[at + 1:])
    assert taken > 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_at_any_byte(kind, simd):
    """The rest of the frame lies behind the cut, as it does where frames share a buffer, or digits do."""
    frame = Bench(kind).frame
    bench = Bench(kind, simd)
    for at in range(len(frame)):
        assert not bench.check(frame[:at])
        if at % 8 == 0:
            bench = Bench(kind, simd)
        for behind in (frame[at:] + bytes(64), b"9" * 64, b'0"' * 32, frame[at:at + 1]):
            assert not bench.check(frame[:at], behind)


FULL_WINDOW = ("1234567.12345", "1234567.123456")      # a level that takes the 32 bytes looked at to the last one
LONG = "BTCUSDT_261225" + "X" * 40                      # a symbol that ends outside of them


def every_liquidation(symbol, price):
    """A forced order on the stream of all symbols."""
    frame = frames.liquidation(price=price, symbol=symbol)
    return frame.replace(symbol.lower().encode() + b"@forceOrder", b"!forceOrder@arr")


MORE_KINDS = {
    "full windows": ("binance_usdm",
                     [frames.delta(i, i, i - 1, [FULL_WINDOW] * 2, [FULL_WINDOW]) for i in (11, 12, 13)],
                     frames.delta(14, 14, 13, [FULL_WINDOW] * 2, [FULL_WINDOW])),
    "long symbols": ("binance_usdm",
                     [every_liquidation(symbol, price) for symbol in ("ETHUSDT", LONG) for price in ("9910", "9911")],
                     every_liquidation(LONG, "9912")),
}


@pytest.mark.parametrize("kind", [*KINDS, *MORE_KINDS])
def test_a_cut_with_some_of_the_rest_behind_it(kind):
    """Every cut, with every length of the true rest behind it: what may be read must not be taken, nor passed."""
    venue, learned, frame = (KINDS | MORE_KINDS)[kind]
    pipeline = Pipeline(venue, on_gap="count")
    pipeline.rest(frames.rest_url(venue), frames.snapshot(10, *BASE))
    pipeline.feed_many([*learned, frame])
    before = pipeline.counters
    spoilt = 0
    for at in range(64, len(frame)):
        for more in range(min(len(frame) - at, 40) + 1):
            _probe.feed_with_slack(pipeline, frame[:at], frame[at:at + more])
            spoilt += 1
    after = pipeline.counters
    assert (after["errors"] - before["errors"], after["fast"] - before["fast"]) == (spoilt, 0)
    _probe.feed_exact(pipeline, frame)
    assert pipeline.counters["fast"] == before["fast"] + 1


@pytest.mark.parametrize("kind", KINDS)
def test_something_behind_the_end(kind, simd):
    bench = Bench(kind, simd)
    for behind in (b"", b"}", b"9" * 7, b'"' * 31, bytes(32), b",{}" * 20, bench.frame):
        assert bench.check(bench.frame, behind)
    for tail in (b"}", b"9", b",", b"\x00", b"x" * 40, bench.frame):
        assert not bench.check(bench.frame + tail)
    assert bench.check(bench.frame + b" \n")
    assert bench.check(b" " + bench.frame)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_put_in_and_taken_out(kind, simd, seed):
    rng = random.Random(f"{seed} {kind}")
    for _ in range(60):
        bench = Bench(kind, simd)
        for _ in range(8):
            at = rng.randrange(len(bench.frame))
            size = rng.choice([0, 0, 1, 2, 5])
            put = bytes(rng.choices(VALUES + b"123456", k=rng.choice([0, 1, 1, 2, 16])))
            bench.check(bench.frame[:at] + put + bench.frame[at + size:], rng.choice([None, b"", b"5" * 40]))


NUMBERS = ["0", "1", "9.9", "0.00000001", "123456.78", "12345678.12345678", "1234567890123456", "00012.50", "5.", ".5",
           "-1.5",
           "1e3", "2E-3", "100000000.5", "99999999", "100000000", "0.0", "000", "1.0000000000000000000", ""]


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_any_width(kind, simd, seed):
    rng = random.Random(f"{seed} {kind}")

    def change(value):
        if isinstance(value, dict):
            return {key: change(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [change(inner) for inner in value]
        if isinstance(value, str) and oracle.NUMBER.fullmatch(value) and rng.random() < 0.5:
            digits = "".join(rng.choices("0123456789", k=rng.randint(1, 9)))
            return rng.choice([*NUMBERS, digits, f"{digits}.{rng.randint(0, 99999)}"])
        if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.3:
            return rng.choice([0, 1, 7, 10**rng.randint(0, 14), rng.randint(0, 10**13)])
        return value

    bench = Bench(kind, simd)
    document = json.loads(bench.frame)
    for i in range(400):
        if i % 25 == 0:
            bench = Bench(kind, simd)
        bench.check(json.dumps(change(document), separators=(",", ":")).encode())


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_keys_unknown_keys_and_white_space(kind, simd, seed):
    """Another form of the same message says the same; each form is learned in its turn."""
    rng = random.Random(f"{seed} {kind}")

    def rewrite(value):
        if isinstance(value, dict):
            items = [(key, rewrite(inner)) for key, inner in value.items()]
            if shuffled:
                rng.shuffle(items)
            for key in ("zz", "B9", "é", "a b")[:extra]:
                items.insert(rng.randint(0, len(items)),
                             (key, rng.choice([1, -2.5, "x", 'say "hi"', True, None, [], {"s": "X", "p": ["1"]},
                                               "1e5"])))
            return dict(items)
        return value

    for _ in range(15):
        bench = Bench(kind, simd)
        shuffled, extra = rng.random() < 0.7, rng.choice([0, 0, 1, 3])
        gaps = rng.choice([(",", ":"), (", ", ": "), (" ,", "\t:"), (",\n", ":")])
        form = rewrite(json.loads(bench.frame))
        frame = json.dumps(form, separators=gaps, ensure_ascii=rng.random() < 0.5).encode()
        for _ in range(3):
            assert bench.check(frame)
        assert bench.check(bench.frame)
        if kind == "trade":
            for price in ("1.25", "61800.30", "700", "0.5"):
                assert bench.check(frame.replace(b"61801.25", price.encode()))


def test_symbols_in_turns_with_their_own_scales(simd):
    """Raw streams name the symbol in the message: the text before it is the same for all."""
    markets = {"BTCUSDT": ("61800.30", "0.250"), "DOGEUSDT": ("0.10345", "1200"), "X": ("10", "20"),
               "SHIBUSDT": ("0.00000931", "70"),
               "A" * 64: ("5", "6"), "测试USDT": ("1.5", "2.5")}
    for order in ("e s p q", "e p q s", "s e p q", "p q s e"):
        recorder = Recorder()
        pipeline = Pipeline("binance_usdm", recorder, simd=simd)
        for turn in range(5):
            for name, (price, qty) in markets.items():
                values = {"e": "trade", "s": name, "p": price, "q": qty}
                message = {key: values[key] for key in order.split()} | {"t": turn, "m": True, "T": frames.TIME_MS}
                frame = frames.pack(message)
                pipeline.feed(frame)
                assert len(recorder.events) == 1, frame
                assert same_event(recorder.events.pop(), oracle.read(frame, "binance_usdm")[0]), frame
        assert pipeline.counters["errors"] == 0


def test_arrays_give_every_message_every_time(simd):
    """A frame of several messages, sent again with only its last message changed."""
    recorder = Recorder()
    pipeline = Pipeline("binance_usdm", recorder, simd=simd)
    for last in ("59022.5", "59022.5", "59023.5", "59024.5"):
        several = [json.loads(frames.mark(price, symbol, "")) for price, symbol in
                   (("1.5", "AAA"), ("2.5", "BBB"), (last, "CCC"))]
        for form in (json.dumps(several, separators=(",", ":")).encode(),
                     frames.pack(several, "!markPrice@arr"), json.dumps(several).encode()):
            pipeline.feed(form)
            assert [event[1:3] for event in recorder.events] == [("AAA", 1.5), ("BBB", 2.5), ("CCC", float(last))]
            recorder.events.clear()


def test_one_stream_with_many_layouts_stays_right(simd, seed):
    """More forms than a stream remembers, over and over."""
    rng = random.Random(seed)
    bench = Bench("trade", simd)
    document = json.loads(bench.frame)["data"]
    forms = []
    for _ in range(40):
        items = list(document.items()) + [(f"k{rng.randint(0, 9)}", rng.choice([True, None, "x", 5]))]
        rng.shuffle(items)
        forms.append(frames.pack(dict(items), "btcusdt@trade"))
    for _ in range(600):
        assert bench.check(rng.choice(forms))
