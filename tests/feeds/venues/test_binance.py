"""Binance beyond the list of demands: an oracle of its messages, its own quotes beside every state of the book."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.venue import Answer, Control, Link, Stream, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests import _probe, frames, oracle
from tests.model import plain, read_capture
from tests.oracle import Recorder, same_event


@dataclass(frozen=True)
class Row:
    """A venue: its recorded captures, and its messages with sequence numbers of the tests' choice."""

    venue: str
    captures: tuple[str, ...]
    spot: bool = False
    symbol: str = "BTCUSDT"

    def delta(self, first, last, previous, bids=(), asks=(), **more):
        return frames.delta(first, last, None if self.spot else previous, bids, asks, self.symbol, **more)

    def snapshot(self, last, bids=(), asks=()):
        return frames.rest_url(self.venue, self.symbol), frames.snapshot(last, bids, asks, not self.spot)


ROWS = [
    Row("binance_spot", ("binance_spot/btcusdt_20240808", "binance_spot/btcusdt_20240809",
                         "binance_spot/multi_20211012",
                         "binance_us/multi_20211012"), spot=True),
    Row("binance_usdm", ("binance_usdm/btcusdt_20240808", "binance_usdm/multi_20210722")),
    Row("binance_coinm", ("binance_coinm/btcusd_perp_20240808", "binance_coinm/btcusd_perp_20240809",
                          "binance_coinm/multi_20210722"), symbol="BTCUSD_PERP"),
]
CAPTURES = [(row.venue, name) for row in ROWS for name in row.captures]


@pytest.fixture(params=ROWS, ids=lambda row: row.venue)
def row(request):
    return request.param


def held(pipeline, row):
    raw = pipeline.book(row.symbol).raw
    return raw.bids().tolist(), raw.asks().tolist()


def live(row, **options):
    pipeline = Pipeline(row.venue, **options)
    pipeline.feed(row.delta(5, 10, 4))
    pipeline.rest(*row.snapshot(10, [("100", "1"), ("99.5", "2")], [("101", "3")]))
    assert pipeline.book(row.symbol).status is BookState.LIVE
    return pipeline


# ---- the facts

def test_the_spec_says_where_it_comes_from(row):
    spec = load(row.venue)
    assert spec.name == row.venue
    assert spec.source.startswith("https://")
    assert spec.checked.startswith("20")
    assert len(spec.checked) == 10
    assert all(root.startswith("wss://") for root in spec.roots.values())
    assert spec.rest_url.startswith("https://")
    assert spec.link is (Link.RANGE if row.spot else Link.PREVIOUS)
    assert set(spec.channels) >= {"book", "trades", "quotes", "ticker"}


def test_streams_and_requests(row):
    spec = load(row.venue)
    streams = spec.streams([row.symbol.lower()], list(spec.channels))
    assert len(streams) == len(spec.channels)
    for stream in streams:
        assert isinstance(stream, Stream)
        assert stream.root in spec.roots
        assert (stream.symbol, stream.channel in spec.channels) == (row.symbol, True)
        assert stream.name.startswith(row.symbol.lower() + "@")
    names = [stream.name for stream in streams]
    asked, dropped = json.loads(spec.subscribe(names, 7)[0]), json.loads(spec.unsubscribe(names[:1], 8)[0])
    assert (asked["params"], asked["id"], dropped["params"], dropped["id"]) == (names, 7, names[:1], 8)
    assert asked["method"] != dropped["method"]
    with pytest.raises(UnsupportedChannel, match="book"):
        spec.streams([row.symbol], ["nonsense"])
    with pytest.raises(UnsupportedChannel, match="20"):
        spec.streams([row.symbol], ["book"], depth=7)


@pytest.mark.parametrize(("payload", "kind", "number", "code"), [
    (b'{"result":null,"id":1}', "ack", 1, None), (b'{"result":[],"id":3}', "ack", 3, None),
    (b'{"code":2,"msg":"Invalid request: x","id":4}', "error", 4, 2),
    (b'{"error":{"code":3,"msg":"Invalid JSON"},"id":5}', "error", 5, 3),
    (b'{"e":"serverShutdown","E":1770123456789}', "shutdown", None, None),
    (b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}', "shutdown", None, None),
    (b"pong", "other", None, None), (b"[1]", "other", None, None), (b"\xff", "other", None, None),
    (b"", "other", None, None),
    (b'{"id":true}', "other", None, None), (b'{"result":null,"id":"a"}', "ack", None, None),
    (b"[" * 5000, "other", None, None),
])
def test_control_frames_are_told_apart(row, payload, kind, number, code):
    control = load(row.venue).read_control(payload)
    assert isinstance(control, Control)
    assert (control.kind, control.request_id, control.code) == (kind, number, code)
    assert control.text is not None


# ---- the sequence

def test_a_delta_sets_changes_and_removes(row):
    pipeline = live(row)
    pipeline.feed(row.delta(11, 12, 10, [("100", "0"), ("99.5", "7"), ("98", "1")], [("101", "0.000"), ("102", "4")]))
    assert held(pipeline, row) == ([[99.5, 7.0], [98.0, 1.0]], [[102.0, 4.0]])
    pipeline.feed(row.delta(13, 14, 12, [("55", "0")]))
    assert pipeline.symbol_stats(row.symbol)["absent"] == 1
    pipeline.feed(row.delta(15, 16, 14))
    assert (pipeline.book(row.symbol).sequence, pipeline.counters["gaps"]) == (16, 0)


@pytest.mark.parametrize(("numbers", "status"), [
    ((11, 12, 10), "LIVE"), ((9, 10, 8), "old"), ((2, 3, 1), "old"), ((15, 16, 14), "STALE"), ((12, 13, 11), "STALE")])
def test_duplicates_old_numbers_and_gaps(row, numbers, status):
    pipeline = live(row)
    before = held(pipeline, row)
    pipeline.feed(row.delta(11, 11, 10))
    pipeline.feed(row.delta(12, 12, 11))
    first, last, previous = (number + 2 for number in numbers) if status != "old" else numbers
    pipeline.feed(row.delta(first, last, previous, [("1", "1")]))
    book = pipeline.book(row.symbol)
    if status == "old":
        assert (book.status, book.sequence, held(pipeline, row)) == (BookState.LIVE, 12, before)
    else:
        assert book.status.name == status
        assert [want.symbol for want in pipeline.wanted()] == ([row.symbol] if status == "STALE" else [])


def test_a_reconnect_with_another_snapshot(row):
    pipeline = live(row)
    pipeline.closed()
    pipeline.opened()
    pipeline.feed(row.delta(50, 51, 49, [("7", "7")]))
    pipeline.rest(*row.snapshot(50, [("6", "6")], []))
    assert held(pipeline, row) == ([[7.0, 7.0], [6.0, 6.0]], [])
    assert pipeline.counters["gaps"] == 0


# ---- forms of the same message

def test_other_forms_give_the_same_book(row, seed):
    rng = random.Random(seed)
    numbers, last = [], 10
    for _ in range(40):
        bids = [(f"{rng.randint(900, 1000) / 10}", f"{rng.randint(0, 5)}.50") for _ in range(rng.randint(0, 4))]
        numbers.append((last + 1, last + 3, last, bids, [("101.25", rng.choice(["0", "1.125"]))]))
        last += 3

    def reform(frame, shuffled, extra, space):
        document = json.loads(frame)

        def change(value):
            if not isinstance(value, dict):
                return value
            items = [(key, change(inner)) for key, inner in value.items()]
            items += [("new", {"b": [["1", "1"]], "x": None})] if extra else []
            if shuffled:
                rng.shuffle(items)
            return dict(items)

        return json.dumps(change(document), separators=(", ", " : ") if space else (",", ":")).encode()

    books = []
    for form in ({}, {"stream": ""}, {"shuffled": True}, {"extra": True}, {"space": True},
                 {"shuffled": True, "extra": True, "space": True}):
        pipeline = live(row)
        for message in numbers:
            if "stream" in form:
                pipeline.feed(row.delta(*message, stream=""))
            else:
                options = {"shuffled": False, "extra": False, "space": False} | form
                pipeline.feed(reform(row.delta(*message), **options))
        assert (pipeline.counters["errors"], pipeline.counters["gaps"]) == (0, 0)
        books.append(held(pipeline, row))
    assert all(book == books[0] for book in books)


def test_a_frame_cut_or_changed_anywhere_never_leaves_a_wrong_live_book(row):
    frame = row.delta(14, 15, 13, [("100", "5"), ("98.5", "0")], [("101", "7.25")])
    base = [[100.0, 1.0], [99.5, 2.0]], [[101.0, 3.0]]
    changed = [frame[:at] for at in range(len(frame))]
    changed += [frame[:at] + bytes([value]) + frame[at + 1:] for at in range(len(frame)) for value in b'\x00"9{\\\xff,']
    for spoilt in changed:
        pipeline = live(row)
        for number in (11, 12, 13):
            pipeline.feed(row.delta(number, number, number - 1))
        _probe.feed_exact(pipeline, spoilt)
        book = pipeline.book(row.symbol)
        want = oracle.read(spoilt, row.venue)[0]
        if book.status is BookState.LIVE:
            if book.sequence != 13:
                assert want[0] == "delta", spoilt
                assert held(pipeline, row) == tuple(
                    [[float(number) for number in level] for level in side]
                    for side in after(base, want[5], want[6])), spoilt
            else:
                assert held(pipeline, row) == base, spoilt
        elif want == oracle.BAD:
            assert pipeline.wanted(), spoilt
        if want == oracle.BAD:
            assert pipeline.counters["errors"] == 1, spoilt
            if spoilt.startswith(frame[:60]):
                assert book.status is BookState.STALE, spoilt


def after(base, bids, asks):
    sides = [dict(side) for side in base]
    for side, changes in zip(sides, (bids, asks), strict=True):
        for price, qty in changes:
            side[float(price)] = float(qty)
    return (sorted(([p, q] for p, q in sides[0].items() if q), reverse=True),
            sorted([p, q] for p, q in sides[1].items() if q))


# ---- recorded captures

def replay(lines, venue, handler=None, hook=None):
    pipeline = Pipeline(venue, handler, on_gap="count")
    pipeline.on_applied = hook
    for line in lines:
        if line.kind == "<":
            pipeline.feed(line.payload)
        elif line.kind == "h":
            url, _, body = line.payload.partition(b" ")
            pipeline.rest(url.decode(), body)
    return pipeline


@pytest.mark.parametrize(("venue", "name"), CAPTURES)
def test_captures_give_the_reference_and_agree_with_the_venues_quotes(capture_lines, reference, venue, name):
    """Every state of the book beside the venue's best bid and offer of the same number."""
    want = reference[f"{name}.ws.gz"]
    lines = [*(capture_lines(want["replayed_with"].removesuffix(".ws.gz")) if "replayed_with" in want else ()),
             *capture_lines(name)]
    quotes, states = {}, {}

    class Quotes:
        def on_quote(self, quote):
            quotes.setdefault(quote.symbol, []).append((
                quote.sequence, (quote.bid_price, quote.bid_qty), (quote.ask_price, quote.ask_qty)))

    def applied(book):
        raw = book.raw
        states.setdefault(book.symbol, []).append((book.sequence, raw.best_bid, raw.best_ask))

    pipeline = replay(lines, venue, Quotes(), applied)
    assert pipeline.counters["errors"] == 0
    symbols = {symbol for symbol in pipeline.books if pipeline.symbol_stats(symbol)["snapshots"]}
    assert symbols == set(want["symbols"])
    for symbol, figures in want["symbols"].items():
        stats, book = pipeline.symbol_stats(symbol), pipeline.books[symbol]
        counted = ("snapshots", "updates", "changes", "absent", "stale", "breaks", "crossed")
        assert {key: stats[key] for key in counted} == {key: figures[key] for key in counted}
        for side, best in (("best_bid", book.raw.best_bid_int), ("best_ask", book.raw.best_ask_int)):
            texts = [None, None] if best is None else [book.price_text(best[0]), book.qty_text(best[1])]
            assert texts == figures[side]
            assert texts == [text and plain(Decimal(text)) for text in texts]
        assert (book.bid_levels, book.ask_levels) == (figures["bid_levels"], figures["ask_levels"])
        known = sorted(quotes.get(symbol, ()))
        numbers = [sequence for sequence, *_ in known]
        seen = Counter()
        for sequence, bid, ask in states[symbol]:
            place = bisect_right(numbers, sequence)
            if place:
                seen[known[place - 1][1:] == (bid, ask)] += 1
        assert (seen[True], seen.total()) == (figures.get("bbo_hit", 0), figures.get("bbo_compared", 0)), symbol


# Messages of the corpus that are refused or are of no use here, by how they begin, and why.
NOT_TAKEN = {
    '{"stream":"BTCUSDT_C@TRADE_ALL"': "trades of options",
    '["4.00000200"': "a part of a message",
    '{"lastUpdateId"': "an answer by REST, or a partial book that names no symbol",
    '{"symbol":': "an answer by REST: open interest",
    '{"e":"trade","E":1649324825173,"s":"ETHUSDT","t":1000000000,"p":"10000.19000000"': "made up: the side is 'yes'",
}


def messages_of(data_dir, venue):
    return [json.loads(line) for line in (data_dir / venue / "messages.jsonl").read_text().splitlines()]


def test_single_messages_decode_to_the_right_kind(data_dir, row):
    """Each message of the corpus, twice (by key, then perhaps by layout), alone in a pipeline."""
    kinds = {"book_delta": {"delta"}, "trade": {"trade", "ignored"}, "ticker": {"ticker", "quote"},
             "candle": {"ignored"},
             "derivative_info": {"mark", "ignored"}, "liquidation": {"liquidation"}, "book_snapshot": {"partial"},
             "other": {"control", "quote"}}
    taken = Counter()
    for message in messages_of(data_dir, row.venue):
        frame = message["raw"].encode()
        venue = row.venue
        if '"pu"' in message["raw"] and row.spot:
            venue = "binance_usdm"
        recorder = Recorder()
        pipeline = Pipeline(venue, recorder)
        wants = oracle.read(frame, venue)
        for _ in range(2):
            recorder.events.clear()
            pipeline.feed(frame)
            events = [want for want in wants if want[0] in ("trade", "quote", "ticker", "mark", "liquidation")]
            assert len(recorder.events) == len(events), frame
            assert all(map(same_event, recorder.events, events)), frame
        refused = [why for start, why in NOT_TAKEN.items() if message["raw"].startswith(start)]
        if refused:
            assert not events, frame
            taken["not taken"] += 1
            continue
        assert pipeline.counters["errors"] == 0, frame
        assert {want[0] for want in wants} <= kinds[message["kind"]], frame
        for want in wants:
            taken[want[0]] += 1
            if want[0] in ("delta", "partial"):
                book = pipeline.book(want[1], want[8] or None)
                assert book.status is (BookState.SYNCING if want[0] == "delta" else BookState.LIVE)
    assert taken["delta"]
    assert taken["quote"]
    assert taken["trade"] + taken["ignored"]


def test_snapshots_of_the_corpus_are_taken_by_rest(data_dir, row):
    found = 0
    for message in messages_of(data_dir, row.venue):
        if not message["raw"].startswith('{"lastUpdateId"'):
            continue
        found += 1
        pipeline = Pipeline(row.venue)
        pipeline.rest(frames.rest_url(row.venue, row.symbol), message["raw"].encode())
        document = json.loads(message["raw"])
        book = pipeline.book(row.symbol)
        assert (book.status, book.sequence) == (BookState.LIVE, document["lastUpdateId"])
        assert book.bids().tolist() == sorted([[float(n) for n in level] for level in document["bids"]], reverse=True)
        assert book.asks().tolist() == sorted([float(n) for n in level] for level in document["asks"])
    assert found or row.venue == "binance_usdm"


def test_the_aggressor_is_who_crossed_the_spread(capture_lines):
    """Trades of a recording beside the quotes before them: sells print at the bid, buys at the ask, almost always."""
    agree = Counter()

    class Prints:
        quote = None

        def on_quote(self, quote):
            self.quote = quote.copy()

        def on_trade(self, trade):
            if self.quote is not None and trade.price in (self.quote.bid_price, self.quote.ask_price):
                agree[(trade.aggressor == "buy") == (trade.price == self.quote.ask_price)] += 1

    pipeline = Pipeline("binance_coinm", Prints())
    lines = capture_lines("binance_coinm/btcusd_perp_20240808")
    pipeline.feed_many([line.payload for line in lines if line.kind == "<"])
    assert agree[True] > 1000
    assert agree[False] == 0


# ---- instruments

@pytest.mark.parametrize(("venue", "expected"), [
    ("binance_spot", {
        "BTC-USDT": Instrument("BTCUSDT", "0.01", "0.00001", base="BTC", quote="USDT", min_qty="0.00001",
                               min_value="10"),
        "BCC-BTC": Instrument("BCCBTC", "0.000001", "0.001", base="BCC", quote="BTC", min_qty="0.001",
                              min_value="0.0001", status="halted"),
    }),
    ("binance_usdm", {
        "BTC-USDT-PERP": Instrument("BTCUSDT", "0.01", "0.001", kind="perpetual", base="BTC", quote="USDT",
                                    settle="USDT", min_qty="0.001", min_value="5"),
        "BTC-USDT-24SEP21": Instrument("BTCUSDT_210924", "0.1", "0.001", kind="future", base="BTC", quote="USDT",
                                       settle="USDT", min_qty="0.001", min_value="5",
                                       expiry_ns=1632470400000_000000),
        # pending, its contractType still ""
        "BTCST-USDT-PERP": Instrument("BTCSTUSDT", "0.001", "0.1", kind="perpetual", base="BTCST", quote="USDT",
                                      settle="USDT", min_qty="0.1", min_value="5", status="pre"),
    }),
    ("binance_coinm", {
        "BTC-USD-PERP": Instrument("BTCUSD_PERP", "0.1", "1", kind="perpetual", base="BTC", quote="USD", settle="BTC",
                                   min_qty="1", contract_size="100", contract_unit="USD"),
        "ADA-31DEC21": Instrument("ADAUSD_211231", "0.00001", "1", kind="future", base="ADA", quote="USD", settle="ADA",
                                  min_qty="1", contract_size="10", contract_unit="USD",
                                  expiry_ns=1640937600000_000000),
    }),
])
def test_instruments_of_a_recorded_day(data_dir, venue, expected):
    spec = load(venue)
    line, = read_capture(data_dir / venue / "instruments.ws.gz")
    url, _, body = line.payload.partition(b" ")
    assert spec.read_address(url.decode()) == Answer("instruments")
    assert (url.decode(),) == spec.instruments_addresses[""]
    found = {entry.symbol: entry for entry in spec.read_instruments(body)}
    for name, listed in expected.items():
        assert found[listed.symbol] == listed
        assert listed.name == name
        assert listed.inverse == (venue == "binance_coinm")


def test_instruments_of_today():
    rules = [{"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "tickSize": "0.01000000"},
             {"filterType": "LOT_SIZE", "minQty": "0.00001000", "stepSize": "0.00001000"},
             {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True}]
    spot = {"symbol": "BTCUSDT", "status": "CANCEL_ONLY", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": rules}
    assert load("binance_spot").read_instruments(json.dumps({"symbols": [spot]}).encode()) == [
        Instrument("BTCUSDT", "0.01", "0.00001", base="BTC", quote="USDT", min_qty="0.00001", min_value="5",
                   status="halted")]
    stock = {**spot, "symbol": "TSLAUSDT", "baseAsset": "TSLA", "marginAsset": "USDT", "status": "SETTLING",
             "contractType": "TRADIFI_PERPETUAL", "deliveryDate": 1798790400000}
    assert load("binance_usdm").read_instruments(json.dumps({"symbols": [stock]}).encode()) == [
        Instrument("TSLAUSDT", "0.01", "0.00001", kind="perpetual", base="TSLA", quote="USDT", settle="USDT",
                   min_qty="0.00001", min_value="5", status="closed")]


@pytest.mark.parametrize("body", [
    b"x", b"[]", b'{"code":-1003,"msg":"Too many requests."}', b'{"symbols":[{"symbol":"BTCUSDT","filters":[]}]}'])
def test_what_is_no_list_of_instruments(row, body):
    with pytest.raises(ValueError, match="a list of instruments with symbol, .*tickSize and stepSize"):
        load(row.venue).read_instruments(body)
