"""The list of demands: what every venue file must do, the same for all. A venue's row is tests/venues/<venue>.py."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from decimal import Decimal
from importlib import import_module

import pytest

from feeds import VENUES, Pipeline
from feeds.capture import CaptureReader
from feeds.figures import Replay
from feeds.venue import ERRORS, Control, Count, Link, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests import _probe
from tests.venues import Row

ROWS = {name: import_module(f"tests.venues.{name}").ROW for name in VENUES}
CAPTURES = [(name, capture) for name, row in ROWS.items() for capture in row.captures]
BIDS, ASKS = [("100", "1"), ("99.5", "2"), ("99", "4")], [("101", "3"), ("101.5", "1.5"), ("103", "9")]
CHANNELS = ("book", "quotes", "trades", "ticker", "mark", "open_interest", "liquidations")
FIGURES = ("snapshots", "updates", "changes", "absent", "stale", "breaks", "crossed", "best_bid", "best_ask",
           "bid_levels", "ask_levels", "bbo_sha256", "book_sha256")


@pytest.fixture(params=ROWS.values(), ids=ROWS.keys())
def row(request) -> Row:
    return request.param


@pytest.fixture
def delta_row(row) -> Row:
    if row.delta is None:
        pytest.skip("every frame is a whole book: there are no deltas")
    return row


def pipeline_of(row: Row, **options) -> Pipeline:
    return Pipeline(row.venue, market=row.market, **options)


def take(pipeline: Pipeline, steps, line: int = 0) -> None:
    for step in steps:
        if step[0] == "frame":
            pipeline.feed(step[1], 0, line)
        else:
            pipeline.rest(step[1], step[2])


def held(pipeline: Pipeline, row: Row):
    raw = pipeline.book(row.symbol).raw
    return raw.bids().tolist(), raw.asks().tolist()


def as_floats(bids, asks):
    return (sorted(([float(p), float(q)] for p, q in bids if Decimal(q)), reverse=True),
            sorted([float(p), float(q)] for p, q in asks if Decimal(q)))


def live(row: Row, sequence: int = 10, bids=BIDS, asks=ASKS, **options) -> Pipeline:
    pipeline = pipeline_of(row, **options)
    take(pipeline, row.snapshot(sequence, bids, asks))
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    assert pipeline.book(row.symbol).status is BookState.LIVE
    assert held(pipeline, row) == as_floats(bids, asks)
    return pipeline


def test_every_venue_has_a_row():
    assert all(name == row.venue for name, row in ROWS.items())


# ---- the facts

def test_the_spec_says_what_it_has_and_where_it_comes_from(row):
    spec = load(row.venue)
    assert spec.name == row.venue
    assert spec.source.startswith("https://")
    assert spec.checked.startswith("202")
    assert len(spec.checked) == 10
    assert all(root.startswith("wss://") for root in spec.roots.values())
    assert spec.forms
    assert {"book", "trades"} <= set(spec.channels)
    assert spec.evidence
    assert {evidence.channel.split(" ")[0] for evidence in spec.evidence} >= {"book", "trades"}
    assert isinstance(spec.link, Link)
    assert isinstance(spec.count, Count)
    assert spec.resync in ("rest", "resubscribe", "request")
    assert (spec.snapshot_address is not None) or spec.resync != "rest"
    assert (spec.request is not None) == (spec.resync == "request") or spec.resync == "rest"
    assert spec.limits.streams_per_request > 0
    assert spec.max_frame_size >= 1 << 20


def test_what_a_venue_lacks_is_an_error_that_lists_what_it_has(row):
    spec = load(row.venue)
    with pytest.raises(UnsupportedChannel, match="book"):
        spec.streams([row.symbol], ["nonsense"])
    for channel in set(CHANNELS) - set(spec.channels):
        with pytest.raises(UnsupportedChannel, match="trades"):
            spec.streams([row.symbol], [channel])
    with pytest.raises(UnsupportedChannel, match=r"\d|None|whole"):
        spec.streams([row.symbol], ["book"], depth=7777)
    with pytest.raises(UnsupportedChannel):
        spec.check_market("nonsense")
    for market in spec.markets:
        assert spec.check_market(market) == market


def test_streams_name_their_channel_and_the_book_they_fill(row):
    spec = load(row.venue)
    for market in spec.markets or ("",):
        usable = []
        for channel in spec.channels:
            try:
                usable += spec.streams([row.symbol], [channel], market=market or None)
            except UnsupportedChannel:
                continue                      # a market may lack what another has
        assert {stream.channel for stream in usable} >= {"book", "trades"}
        for stream in usable:
            assert stream.root in spec.roots
            assert stream.channel in spec.channels
            assert stream.depth >= 0
            assert stream.name


def test_requests_are_the_sheets_text(row, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1748572393.0)      # some requests carry the second
    spec = load(row.venue)
    assert row.requests
    for symbols, channels, options, wanted in row.requests:
        streams = spec.streams(list(symbols), list(channels), **options)
        names = list(dict.fromkeys(stream.name for stream in streams))
        assert tuple(spec.subscribe(names, 1)) == wanted
        assert all(isinstance(frame, str) for frame in spec.unsubscribe(names, 2))


def test_control_frames_are_told_apart(row):
    spec = load(row.venue)
    assert row.controls
    for frame, (kind, code, reason) in row.controls.items():
        control = spec.read_control(frame.encode())
        assert (control.kind, control.code, control.reason) == (kind, code, reason), frame
        assert control.reason in ERRORS
        if kind == "ping":
            assert control.reply, frame
        pipeline = pipeline_of(row)
        pipeline.feed(frame.encode())
        assert (pipeline.counters["control"], pipeline.counters["errors"]) == (1, 0), (frame, pipeline.last_error)


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[1]", b"{", b"null", b"1", b'"x"', b"[" * 5000, b'{"id":true}',
                                     b'{"id":{}}', b'{"event":7,"op":[],"channel":{}}', b'{"data":"x","arg":1}',
                                     b'{"method":null,"error":[],"code":{}}'])
def test_any_frame_is_some_control(row, payload):
    control = load(row.venue).read_control(payload)
    assert isinstance(control, Control)
    assert isinstance(control.text, str)


# ---- the sequence

def test_a_delta_inserts_changes_and_removes(delta_row):
    row = delta_row
    pipeline = live(row)
    take(pipeline, row.delta(10, 11, [("100", "0"), ("99.5", "7"), ("98", "1")], [("101", "0.000"), ("102", "4")]))
    bids, asks = [("99.5", "7"), ("99", "4"), ("98", "1")], [("101.5", "1.5"), ("102", "4"), ("103", "9")]
    assert held(pipeline, row) == as_floats(bids, asks)
    take(pipeline, row.delta(11, 12, [("100.25", "8")], []))
    take(pipeline, row.delta(12, 13, [], [("100.75", "0.125")]))
    take(pipeline, row.delta(13, 14, [], []))
    assert held(pipeline, row) == as_floats([*bids, ("100.25", "8")], [*asks, ("100.75", "0.125")])
    assert (pipeline.counters["errors"], pipeline.counters["gaps"]) == (0, 0), pipeline.last_error
    assert pipeline.book(row.symbol).status is BookState.LIVE


def test_a_level_removed_that_was_not_held(delta_row):
    row = delta_row
    pipeline = live(row)
    take(pipeline, row.delta(10, 11, [("55", "0")], []))
    state = pipeline.book(row.symbol).status
    assert held(pipeline, row) == as_floats(BIDS, ASKS)
    if state is BookState.LIVE:
        assert pipeline.symbol_stats(row.symbol)["absent"] == 1
    else:                                     # where levels have names, a name that is not known is a lost message
        assert pipeline.wanted()


def test_a_gap_is_stale_and_asks_for_a_snapshot(delta_row):
    row = delta_row
    if not row.sees_gaps:
        pytest.skip("the venue's messages do not show that one is missing")
    pipeline = live(row)
    take(pipeline, row.delta(10, 11, [("98", "1")], []))
    row.delta(11, 12, [("97", "1")], [])
    take(pipeline, row.delta(12, 13, [("96", "1")], []))
    book = pipeline.book(row.symbol)
    assert book.status is BookState.STALE
    assert pipeline.counters["gaps"] == 1
    assert pipeline.wanted()
    take(pipeline, row.snapshot(30, [("90", "1")], [("91", "2")]))
    assert book.status is BookState.LIVE
    assert held(pipeline, row) == as_floats([("90", "1")], [("91", "2")])
    assert not [want for want in pipeline.wanted() if want.symbol]


def test_a_delta_that_comes_twice_changes_nothing(delta_row):
    row = delta_row
    if not row.sees_old:
        pytest.skip("the venue's messages do not show that one came before")
    pipeline = live(row)
    first = row.delta(10, 11, [("98", "1")], [])
    take(pipeline, first)
    take(pipeline, row.delta(11, 12, [("98", "5")], []))
    take(pipeline, first)
    book = pipeline.book(row.symbol)
    if book.status is BookState.LIVE:
        assert held(pipeline, row) == as_floats([*BIDS, ("98", "5")], ASKS)
    else:
        assert pipeline.wanted()


def test_another_whole_book_replaces_all(row):
    pipeline = live(row)
    take(pipeline, row.snapshot(30, [("90", "1")], [("91", "2")]))
    assert held(pipeline, row) == as_floats([("90", "1")], [("91", "2")])
    assert pipeline.book(row.symbol).status is BookState.LIVE


def test_a_reconnect_with_another_snapshot(row):
    pipeline = live(row)
    pipeline.closed()
    assert pipeline.book(row.symbol).status is BookState.STALE
    pipeline.opened()
    assert pipeline.book(row.symbol).status is BookState.EMPTY
    take(pipeline, row.snapshot(50, [("6", "6")], [("7", "7")]))
    assert held(pipeline, row) == as_floats([("6", "6")], [("7", "7")])
    assert pipeline.book(row.symbol).status is BookState.LIVE
    if row.delta is not None:
        take(pipeline, row.delta(50, 51, [("5", "5")], []))
        assert held(pipeline, row) == as_floats([("6", "6"), ("5", "5")], [("7", "7")])
    assert (pipeline.counters["gaps"], pipeline.counters["errors"]) == (0, 0), pipeline.last_error


def test_two_symbols_interleaved(row):
    other = row.named(row.other)
    pipeline = live(row)
    take(pipeline, other.snapshot(70, [("7", "1")], [("8", "1")]))
    for i in range(5):
        if row.delta is not None:
            take(pipeline, row.delta(10 + i, 11 + i, [("98", str(i + 1))], []))
            take(pipeline, other.delta(70 + i, 71 + i, [], [("8.5", str(i + 2))]))
        else:
            take(pipeline, row.snapshot(11 + i, [*BIDS, ("98", str(i + 1))], ASKS))
            take(pipeline, other.snapshot(71 + i, [("7", "1")], [("8", "1"), ("8.5", str(i + 2))]))
    assert held(pipeline, row) == as_floats([*BIDS, ("98", "5")], ASKS)
    assert held(pipeline, other) == as_floats([("7", "1")], [("8", "1"), ("8.5", "6")])
    assert (pipeline.counters["gaps"], pipeline.counters["errors"]) == (0, 0), pipeline.last_error


def test_only_the_wanted_symbol_has_a_book(row):
    other = row.named(row.other)
    pipeline = pipeline_of(row, symbols=[row.symbol])
    take(pipeline, other.snapshot(70, [("7", "1")], [("8", "1")]))
    take(pipeline, row.snapshot(10, BIDS, ASKS))
    assert list(pipeline.books) == [pipeline.spec.symbol(row.symbol)]
    assert held(pipeline, row) == as_floats(BIDS, ASKS)


# ---- events

def test_the_aggressor_is_who_crossed_the_spread(row):
    assert row.trades
    for frame, wanted in row.trades.items():
        found = []

        class Trades:
            def on_trade(self, trade, found=found):
                found.append((trade.price, trade.qty, trade.aggressor))

        pipeline = pipeline_of(row, handler=Trades())
        take(pipeline, [("frame", known.encode()) for known in row.before])
        pipeline.feed(frame.encode())
        assert wanted in found, (frame, pipeline.last_error)


def test_quotes(row):
    for frame, wanted in row.quotes.items():
        found = []

        class Quotes:
            def on_quote(self, quote, found=found):
                found.append((quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty))

        pipeline = pipeline_of(row, handler=Quotes())
        take(pipeline, [("frame", known.encode()) for known in row.before])
        pipeline.feed(frame.encode())
        assert wanted in found, (frame, pipeline.last_error)


# ---- numbers that are not there

def lacking(value):
    """The document again and again, each time without one of its numbers: null in its place, "", or no such key."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(inner, (dict, list)):
            for other in lacking(inner):
                yield [*value[:key], other, *value[key + 1:]] if isinstance(value, list) else {**value, key: other}
        elif isinstance(inner, float) or (isinstance(inner, str) and inner.isdigit()):
            for nothing in (None, ""):
                yield ([*value[:key], nothing, *value[key + 1:]] if isinstance(value, list)
                       else {**value, key: nothing})
            if isinstance(value, dict):
                yield {name: other for name, other in value.items() if name != key}


def test_a_number_that_is_not_there_hides_no_gap(delta_row):
    row = delta_row
    (_, *rest), = row.delta(7012, 7013, [("98.5", "3")], [])[-1:]
    if not row.sees_gaps or rest[-1][:1] not in (b"{", b"["):
        pytest.skip("no number shows a gap, or the frame is no object")
    for document in lacking(json.loads(rest[-1], parse_float=Written, parse_int=Written)):
        if isinstance(document, list) and not document[0]:
            continue                                          # bitfinex: nothing tells whose it is
        pipeline = live(row, 7001)
        for number in range(7001, 7005):                      # there is a layout now
            take(pipeline, row.delta(number, number + 1, [("98", str(number))], []))
        before = held(pipeline, row)
        pipeline.feed(text_of(document, random.Random(0), False, False, False).encode())
        assert pipeline.book(row.symbol).status is not BookState.LIVE, document
        assert held(pipeline, row) == before


# ---- forms of the same message

class Written(float):
    """A bare number, with the text it had."""

    def __new__(cls, text):
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self):
        return self.text


def reform(frame: bytes, rng: random.Random, *, shuffled=False, extra=False, space=False) -> bytes:
    """The same JSON with its keys in another order, keys nobody knows, or white space; what is no JSON stays."""
    try:
        document = json.loads(frame, parse_float=Written, parse_int=Written)
    except ValueError:
        return frame
    return text_of(document, rng, shuffled, extra, space).encode()


def text_of(value, rng, shuffled, extra, space) -> str:
    gap = rng.choice(["", " ", "\n", "  "]) if space else ""
    if isinstance(value, dict):
        items = [(key, text_of(inner, rng, shuffled, extra, space)) for key, inner in value.items()]
        if extra:
            items.append(("zz_new", '{"a":[["1","2"]],"n":null,"t":true}'))
        if shuffled:
            rng.shuffle(items)
        return "{" + gap + f",{gap}".join(f"{json.dumps(key)}{gap}:{gap}{inner}" for key, inner in items) + gap + "}"
    if isinstance(value, list):
        return "[" + gap + f",{gap}".join(text_of(inner, rng, shuffled, extra, space) for inner in value) + gap + "]"
    return value.text if isinstance(value, Written) else json.dumps(value, ensure_ascii=False)


FORMS = ({"shuffled": True}, {"extra": True}, {"space": True}, {"shuffled": True, "extra": True, "space": True})


@pytest.mark.parametrize(("venue", "name"), CAPTURES)
@pytest.mark.parametrize("form", FORMS, ids="+".join)
def test_other_forms_of_recorded_frames_give_the_same_books(data_dir, seed, venue, name, form):
    rng = random.Random(seed)
    plain, other = (Pipeline(venue, on_gap="count") for _ in range(2))
    for number, record in enumerate(CaptureReader(data_dir / f"{name}.ws.gz")):
        if number > 700:
            break
        if record.kind in "<B":
            plain.feed(record.payload)
            other.feed(reform(record.payload, rng, **form))
        elif record.kind == "h":
            url, _, body = record.payload.partition(b" ")
            plain.rest(url.decode(), body)
            other.rest(url.decode(), reform(body, rng, **form))
    assert other.counters["errors"] == plain.counters["errors"] == 0, other.last_error
    assert list(other.books) == list(plain.books)
    for symbol in plain.books:
        assert other.symbol_stats(symbol) == plain.symbol_stats(symbol)
        assert other.books[symbol].raw.bids().tolist() == plain.books[symbol].raw.bids().tolist()
        assert other.books[symbol].raw.asks().tolist() == plain.books[symbol].raw.asks().tolist()


@pytest.mark.parametrize("form", FORMS, ids="+".join)
def test_other_forms_of_made_frames_give_the_same_book(row, seed, form):
    rng = random.Random(seed)
    pipeline = pipeline_of(row)

    def formed(steps):
        return [(*step[:-1], reform(step[-1], rng, **form)) for step in steps]

    take(pipeline, formed(row.snapshot(10, BIDS, ASKS)))
    bids = dict(BIDS)
    for i in range(8) if row.delta is not None else ():
        bids[str(90 + i % 3)] = str(i + 1)
        take(pipeline, formed(row.delta(10 + i, 11 + i, [(str(90 + i % 3), str(i + 1))], [])))
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    assert held(pipeline, row) == as_floats(bids.items(), ASKS)


# ---- broken bytes

def spoil(frame: bytes, rng: random.Random):
    yield from (frame[:at] for at in (range(len(frame)) if len(frame) < 400 else rng.sample(range(len(frame)), 300)))
    for _ in range(600):
        at = rng.randrange(len(frame))
        yield frame[:at] + bytes([rng.choice(b'\x00"{}[]9-.,:eE\\nt \xff')]) + frame[at + 1:]


def test_a_frame_cut_or_changed_anywhere_is_a_status_and_never_a_crash(row, seed):
    """In memory of exactly its size. A book that is LIVE afterwards has the levels from before, or the frame's."""
    rng = random.Random(seed)
    steps = row.snapshot(10, BIDS, ASKS)
    frames = [step[1] for step in steps if step[0] == "frame"][-1:]
    if row.delta is not None:
        frames += [step[1] for step in row.delta(10, 11, [("98", "1.25")], [("101", "0")])][:1]
    frames += [frame.encode() for frame in [*row.trades, *row.quotes, *row.controls]][:6]
    for frame in frames:
        pipeline = live(row)
        for spoilt in spoil(frame, rng):
            before = pipeline.counters
            _probe.feed_exact(pipeline, spoilt)
            after = pipeline.counters
            assert after["frames"] == before["frames"] + 1
        take(pipeline, row.snapshot(99, BIDS, ASKS))
        assert pipeline.book(row.symbol).status in (BookState.LIVE, BookState.STALE, BookState.SYNCING)


def test_bad_content_names_venue_and_place_and_leaves_the_book(row):
    pipeline = live(row)
    pipeline.feed(b'{"this is cut')
    error = pipeline.last_error
    assert pipeline.counters["errors"] == 1
    assert error.venue == row.venue
    assert error.expected
    assert 0 <= error.offset <= 13
    assert held(pipeline, row) == as_floats(BIDS, ASKS)


# ---- evidence

@pytest.mark.parametrize(("venue", "name"), CAPTURES)
def test_captures_give_the_reference(data_dir, reference, venue, name):
    want = reference[f"{name}.ws.gz"]
    paths = [f"{path.removesuffix('.ws.gz')}.ws.gz" for path in (*([want["replayed_with"]]
                                                                  if "replayed_with" in want else []), name)]
    replay = Replay(venue, digests=True)
    replay.run([data_dir / path for path in paths])
    document = replay.document()
    assert document["errors"] == 0, replay.pipeline.last_error
    for symbol, figures in want.get("symbols", {}).items():
        got = document["symbols"][symbol]
        assert {key: got[key] for key in FIGURES} == {key: figures[key] for key in FIGURES}, symbol
        assert {key: got.get(key) for key in ("crc_ok", "crc_bad")} == {
            key: figures.get(key) for key in ("crc_ok", "crc_bad")}, symbol


@pytest.mark.parametrize(("venue", "name"), CAPTURES)
def test_the_scalar_twin_and_batches_give_the_same(data_dir, venue, name):
    records = [record for record in CaptureReader(data_dir / f"{name}.ws.gz") if record.kind in "<Bh"]
    if len(records) > 9000:
        records = records[:9000]
    results = []
    for simd, size in ((True, 1), (False, 1), (True, 256)):
        pipeline = Pipeline(venue, on_gap="count", simd=simd)
        batch = []
        for record in [*records, None]:
            if record is not None and record.kind != "h":
                batch.append(record.payload)
            if batch and (record is None or record.kind == "h" or len(batch) == size):
                pipeline.feed_many(batch)
                batch = []
            if record is not None and record.kind == "h":
                url, _, body = record.payload.partition(b" ")
                pipeline.rest(url.decode(), body)
        results.append([(symbol, pipeline.symbol_stats(symbol), pipeline.books[symbol].raw.bids_int().tolist(),
                         pipeline.books[symbol].raw.asks_int().tolist()) for symbol in pipeline.books])
    assert results[0] == results[1] == results[2]


GROUPS = {
    "book_snapshot": {"depth", "snapshots"}, "book_delta": {"depth", "snapshots"}, "book_topk": {"depth", "snapshots"},
    "trade": {"trades"}, "ticker": {"tickers", "quotes", "marks", "open_interests"},
    "derivative_info": {"marks", "open_interests", "tickers"}, "liquidation": {"liquidations"},
    "heartbeat": {"control", "ignored"}, "subscribe_ack": {"control", "ignored", "depth", "snapshots"},
}
ANY = {"depth", "snapshots", "trades", "tickers", "quotes", "marks", "open_interests", "liquidations", "control",
       "ignored"}


def test_single_messages_decode_to_the_right_kind_or_are_listed(data_dir, row):
    path = data_dir / row.venue / "messages.jsonl"
    if not path.exists():
        pytest.skip("the corpus has no single messages of this venue")
    taken, used = 0, set()
    for line in path.read_text().splitlines():
        message = json.loads(line)
        reason = [start for start in row.unread if message["raw"].startswith(start)]
        used |= set(reason)
        pipeline = pipeline_of(row)
        pipeline.feed(message["raw"].encode())
        counted = {key for key in ANY if pipeline.counters[key]}
        if reason:
            continue
        assert pipeline.counters["errors"] == 0, (message["raw"], pipeline.last_error)
        # the corpus sorts its messages by pattern: a kind is an aid, so a message may be of another kind of data
        assert counted, message["raw"]
        if message["kind"] in GROUPS and not counted & GROUPS[message["kind"]]:
            assert counted & (ANY - {"control"}) or '"subscribed"' in message["raw"], message["raw"]
        taken += 1
    assert taken
    assert used == set(row.unread), "reasons that no message needs"


def test_replaying_does_not_depend_on_what_was_learned_before(row):
    """The same made frames, many times over, so that every layout has been learned: the book stays the same."""
    pipeline = live(row)
    sequence = 10
    for i in range(60):
        qty = str(1 + i % 7)
        if row.delta is None:
            take(pipeline, row.snapshot(sequence + 1, [("100", qty), *BIDS[1:]], ASKS))
        else:
            take(pipeline, row.delta(sequence, sequence + 1, [("100", qty)], [("104", "0" if i % 2 else qty)]))
        sequence += 1
        assert held(pipeline, row)[0] == as_floats([("100", qty), *BIDS[1:]], [])[0]
    assert (pipeline.counters["errors"], pipeline.counters["gaps"]) == (0, 0), pipeline.last_error


def test_a_made_row_is_independent_of_the_symbol(row):
    assert replace(row.named(row.other), named=None).symbol == row.other
