"""MEXC: what its sheet warns of. What every venue must do is in tests/feeds/test_venues.py."""

from __future__ import annotations

import json
import math
import random

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.simulator.dialect import Line
from feeds.simulator.event import Event, Level
from feeds.venue import Answer, Link, Stream, UnsupportedChannel
from feeds.venues import load
from feeds.venues.dialects import speech
from orderbook import BookState
from tests import protobuf
from tests.kept import Events, fed
from tests.protobuf import message, pairs
from tests.venues.mexc import SENT, WORKED, contract_depth, deals, depth, push

SPEC = load("mexc")

BIDS, ASKS = [("10", "1"), ("9.5", "2")], [("10.5", "3")]


def feed(*frames, **options):
    events = Events()
    return fed("mexc", *frames, handler=events, **options), events


def levels(book):
    return book.raw.bids().tolist(), book.raw.asks().tolist()


def spot_rest(pipeline, last, bids, asks, symbol="BTCUSDT"):
    body = json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks, "timestamp": SENT}).encode()
    pipeline.rest(SPEC.snapshot_url(symbol, market="spot"), body)


def contract_rest(pipeline, version, bids, asks, symbol="BTC_USDT"):
    sides = f'"asks":{json.dumps(asks)},"bids":{json.dumps(bids)}'
    body = f'{{"success":true,"code":0,"data":{{{sides},"version":{version},"timestamp":1654326901060}}}}'
    pipeline.rest(SPEC.snapshot_url(symbol, market="contract"), body.encode())


# ---- spot

def test_the_sheets_worked_frame():
    assert len(WORKED) == 176
    assert depth("BTCUSDT", 10589632359, 10589632360, [("92870.00", "0.5")], [("92877.58", "0.00000000")]) == WORKED
    pipeline, _ = feed(WORKED)
    assert pipeline.book("BTCUSDT").status is BookState.SYNCING
    spot_rest(pipeline, 10589632358, [["92869.99", "1"]], [["92877.58", "2"], ["92878", "3"]])
    book = pipeline.book("BTCUSDT")
    assert book.status is BookState.LIVE
    assert levels(book) == ([[92870, 0.5], [92869.99, 1]], [[92878, 3]])
    assert (book.sequence, book.raw.exchange_ns) == (10589632360, SENT * 10**6)


# field -> its name, of the messages that are written
NAMES = {
    "": {1: "channel", 3: "symbol", 6: "sendTime", 313: "publicAggreDepths", 314: "publicAggreDeals",
         315: "publicAggreBookTicker"},
    "publicAggreDepths": {1: "asks", 2: "bids", 3: "eventType", 4: "fromVersion", 5: "toVersion"},
    "publicAggreDeals": {1: "deals", 2: "eventType"},
    "publicAggreBookTicker": {1: "bidPrice", 2: "bidQuantity", 3: "askPrice", 4: "askQuantity"},
    "asks": {1: "price", 2: "quantity"}, "bids": {1: "price", 2: "quantity"},
    "deals": {1: "price", 2: "quantity", 3: "tradeType", 4: "time"},
}


def named(frame, of=""):
    """A written message as its source decodes it: 64 bit numbers are text, lists that are empty are there."""
    found = {"asks": [], "bids": []} if of == "publicAggreDepths" else {}
    for number, value in protobuf.read(frame)[0]:
        name = NAMES[of][number]
        if name in ("asks", "bids", "deals"):
            found.setdefault(name, []).append(named(value, name))
        elif name in NAMES:
            found[name] = named(value, name)
        else:
            found[name] = value.decode() if isinstance(value, bytes) else value if name == "tradeType" else str(value)
    return found


def events_of(sample):
    """What a decoded frame says."""
    symbol, sent = sample["symbol"], int(sample["sendTime"]) * 10**6
    if "publicAggreDepths" in sample:
        body = sample["publicAggreDepths"]
        levels = [Level(sign, level["price"], level["quantity"]) for side, sign in (("asks", -1), ("bids", 1))
                  for level in body.get(side, ())]
        return [Event("delta", symbol, {"event_time": sent, "first_seq": int(body["fromVersion"]),
                                        "last_seq": int(body["toVersion"])}, levels)]
    if "publicAggreDeals" in sample:
        return [Event("trade", symbol, {"event_time": sent, "time": int(deal["time"]) * 10**6, "price": deal["price"],
                                        "qty": deal["quantity"], "aggressor": 3 - 2 * deal["tradeType"]})
                for deal in sample["publicAggreDeals"]["deals"]]
    body = sample["publicAggreBookTicker"]
    return [Event("quote", symbol, {"event_time": sent, "bid_price": body["bidPrice"], "bid_qty": body["bidQuantity"],
                                    "ask_price": body["askPrice"], "ask_qty": body["askQuantity"]})]


def test_frames_that_their_source_has_decoded_are_written_alike(data_dir):
    written = 0
    for line in (data_dir / "mexc/messages.jsonl").read_text().splitlines():
        sample = json.loads(json.loads(line)["raw"]) if '"raw":"{\\"channel\\":\\"spot@' in line else {}
        if len(sample) < 4:
            continue                                # a control frame, or a push without a body
        stream = Stream(sample["channel"], "spot", sample["symbol"], "", 0, "spot")
        frame, = speech("mexc").encode(stream, events_of(sample), Line())
        if "publicAggreDepths" in sample:
            sample["publicAggreDepths"] = {"asks": [], "bids": [], **sample["publicAggreDepths"]}
        assert named(frame) == sample
        written += 1
    assert written == 4


def test_the_sheets_worked_frame_is_written_byte_for_byte():
    stream, = SPEC.streams(["BTCUSDT"], ["book"])
    event = Event("delta", "BTCUSDT", {"event_time": SENT * 10**6, "first_seq": 10589632359, "last_seq": 10589632360},
                  [Level(-1, "92877.58", "0.00000000"), Level(1, "92870.00", "0.5")])
    assert speech("mexc").encode(stream, [event], Line()) == [WORKED]


def started(last=100):
    """A pipeline with a LIVE spot book at `last` + 1."""
    pipeline = Pipeline("mexc")
    pipeline.feed(depth("BTCUSDT", last + 1, last + 1, [], []))
    spot_rest(pipeline, last, BIDS, ASKS)
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    return pipeline


def test_spot_versions_follow_each_other():
    pipeline = started()
    pipeline.feed(depth("BTCUSDT", 102, 105, [("10", "0.00000000")], []))
    pipeline.feed(depth("BTCUSDT", 106, 106, [], [("10.5", "0"), ("11", "1")]))
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence) == (BookState.LIVE, 106)
    assert levels(book) == ([[9.5, 2]], [[11, 1]])
    pipeline.feed(depth("BTCUSDT", 108, 108, [("9", "1")], []))
    assert book.status is BookState.STALE


@pytest.mark.parametrize(("first", "last", "status"), [
    (90, 99, BookState.SYNCING), (101, 101, BookState.LIVE), (95, 103, BookState.LIVE), (100, 102, BookState.LIVE),
    (102, 103, BookState.SYNCING),
])
def test_how_changes_join_the_rest_snapshot(first, last, status):
    pipeline = Pipeline("mexc")
    pipeline.feed(depth("BTCUSDT", first, last, [("10", "7")], []))
    spot_rest(pipeline, 100, BIDS, ASKS)
    book = pipeline.book("BTCUSDT")
    if first > 101:                                       # the snapshot is too old: another one is asked for
        assert book.status is not BookState.LIVE
    elif status is BookState.LIVE:
        assert (book.status, book.sequence) == (status, last)
        assert levels(book)[0][0] == [10, 7]
    else:
        assert levels(book)[0][0] == [10, 1]              # it has them already


def test_fields_in_any_order_and_fields_of_tomorrow():
    topic = "spot@public.aggre.depth.v3.api.pb@100ms"
    body = [(9, "new"), (5, "102"), *pairs(2, [("10", "4")]), (6, 1781337091703), (4, "102"), (10, [(1, 2)]),
            *pairs(1, [("10.5", "5")]), *pairs(2, [("9", "6")]), (3, topic), *pairs(1, [("11", "7")])]
    wrapper = message((40, 7), (313, body), (4, "id"), (5, SENT), (6, SENT), (3, "BTCUSDT"), (1, f"{topic}@BTCUSDT"))
    pipeline = started()
    pipeline.feed(wrapper)
    assert pipeline.last_error is None
    assert levels(pipeline.book("BTCUSDT")) == ([[10, 4], [9.5, 2], [9, 6]], [[10.5, 5], [11, 7]])


def test_the_symbol_is_in_the_channel_too():
    frame = message((1, "spot@public.aggre.depth.v3.api.pb@10ms@ETHUSDT"), (313, [*pairs(1, ASKS), (4, "1"), (5, "1")]))
    pipeline, _ = feed(frame)
    assert pipeline.symbols() == ["ETHUSDT"]


def test_partial_books_have_a_book_of_their_own():
    frames = []
    for limit in (5, 20):
        channel = f"spot@public.limit.depth.v3.api.pb@BTCUSDT@{limit}"
        body = [*pairs(1, ASKS), *pairs(2, BIDS[:1] if limit == 5 else BIDS), (4, "77")]
        frames += [push(channel, "BTCUSDT", 303, body), message((1, channel), (303, body))]
    pipeline, _ = feed(*frames)
    assert levels(pipeline.book("BTCUSDT", depth=5)) == ([[10, 1]], [[10.5, 3]])
    assert levels(pipeline.book("BTCUSDT", depth=20)) == ([[10, 1], [9.5, 2]], [[10.5, 3]])
    assert pipeline.book("BTCUSDT", depth=20).sequence == 77
    assert pipeline.counters["snapshots"] == 4


@pytest.mark.parametrize("topic", ["depth", "bookTicker", "deals"])
def test_a_frame_without_a_body_tells_nothing(topic):
    channel = f"spot@public.aggre.{topic}.v3.api.pb@10ms@XENUSDT"
    number = {"depth": 313, "bookTicker": 315, "deals": 314}[topic]
    pipeline, kept = feed(message((1, channel), (3, "XENUSDT"), (6, SENT)), push(channel, "XENUSDT", number, []))
    assert (pipeline.counters["ignored"], kept.kept) == (2, [])


def test_deals():
    _, kept = feed(deals("BTCUSDT", ("62383.56", "0.00008235", 2, 1782208006167),
                         ("62383.57", "0.00019595", 1, 1782208006168)))
    first, second = kept.kept
    assert (first.symbol, first.price, first.qty, first.aggressor, first.exchange_ns) == (
        "BTCUSDT", 62383.56, 0.00008235, "sell", 1782208006167000000)
    assert (second.price, second.aggressor, second.exchange_ns) == (62383.57, "buy", 1782208006168000000)


def test_deals_with_ids_and_other_fields_between():
    body = [(7, "x"), (1, [(5, "13064218826"), (3, 1), (9, 1), (2, "1"), (1, "2")]), (2, "topic"),
            (1, [(1, "3"), (2, "4"), (3, 2)]), (8, 1)]
    for number in (301, 314):
        _, kept = feed(push("spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT", "BTCUSDT", number, body))
        assert [(event.price, event.qty, event.aggressor, event.trade_id) for event in kept.kept] == [
            (2, 1, "buy", 13064218826), (3, 4, "sell", 0)]


@pytest.mark.parametrize("item", [
    [(1, "2"), (2, "1"), (3, 3)], [(1, "2"), (2, "1"), (3, 0)], [(1, "2"), (2, "1")], [(1, ""), (2, "1"), (3, 1)],
    [(2, "1"), (3, 1)], [(1, "x"), (2, "1"), (3, 1)], [(1, "2"), (2, "1"), (3, "1")],
])
def test_a_wrong_deal_is_an_error(item):
    pipeline = Pipeline("mexc")
    pipeline.feed(push("spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT", "BTCUSDT", 314, [(1, item)]))
    assert (pipeline.counters["errors"], pipeline.counters["trades"]) == (1, 0)


def best(*texts):
    return [(i + 1, text) for i, text in enumerate(texts) if text is not None]


@pytest.mark.parametrize("number", [305, 315])
def test_quotes(number):
    channel = "spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT"
    body = [*best("62383.56", "0.07956651", "62383.57", "0.09556", "74891313263"), (6, SENT)]
    _, kept = feed(push(channel, "BTCUSDT", number, body))
    (quote,) = kept.kept
    assert (quote.symbol, quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty, quote.sequence) == (
        "BTCUSDT", 62383.56, 0.07956651, 62383.57, 0.09556, 74891313263)
    assert quote.exchange_ns == SENT * 10**6


@pytest.mark.parametrize("missing", [None, ""])
def test_a_quote_with_one_side(missing):
    channel = "spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT"
    _, kept = feed(push(channel, "BTCUSDT", 315, best(missing, missing, "62383.57", "0.09556")))
    (quote,) = kept.kept
    assert (quote.bid_qty, quote.ask_price, quote.ask_qty, quote.sequence) == (0, 62383.57, 0.09556, 0)


def test_batches_of_quotes():
    items = [(1, best("1", "2", "3", "4")), (1, best("5", "6", "7", "8")), (2, "77"), (3, SENT)]
    _, kept = feed(push("spot@public.bookTicker.batch.v3.api.pb@BTCUSDT", "BTCUSDT", 311, items))
    assert [(quote.symbol, quote.bid_price, quote.ask_qty) for quote in kept.kept] == [
        ("BTCUSDT", 1, 4), ("BTCUSDT", 5, 8)]


TICKER = [(1, "BTCUSDT"), (2, "36474.74"), (3, "0.0354"), (4, "0.0354"), (5, "36549.18"), (6, "35102.52"),
          (7, "375173478.65"), (8, "10557.72895"), (9, "0.0354"), (12, "34700.00")]


def test_tickers():
    _, kept = feed(push("spot@public.miniTicker.v3.api.pb@BTCUSDT@UTC+8", "BTCUSDT", 309, TICKER))
    (ticker,) = kept.of("Ticker")
    assert (ticker.symbol, ticker.last_price, ticker.high, ticker.low) == ("BTCUSDT", 36474.74, 36549.18, 35102.52)
    assert (ticker.quote_volume, ticker.volume) == (375173478.65, 10557.72895)
    assert math.isnan(ticker.open)
    other = [(1, "ETHUSDT"), (2, "2000")]
    _, kept = feed(message((1, "spot@public.miniTickers.v3.api.pb@UTC+8"), (310, [(1, TICKER), (1, other)])))
    assert [(ticker.symbol, ticker.last_price) for ticker in kept.of("Ticker")] == [
        ("BTCUSDT", 36474.74), ("ETHUSDT", 2000)]


@pytest.mark.parametrize("number", [302, 304, 306, 307, 308, 312])
def test_bodies_of_no_use(number):
    pipeline, _ = feed(push("spot@public.kline.v3.api.pb@BTCUSDT@Min1", "BTCUSDT", number, [(1, "x")]))
    assert pipeline.counters["ignored"] == 1


def test_wrong_levels_are_an_error_and_nothing_of_them_is_applied():
    for level in ([(1, "10")], [(2, "1")], [(1, "x"), (2, "1")], [(1, "10"), (2, "")]):
        pipeline = started()
        body = [*pairs(2, [("10", "9")]), (2, level), (4, "102"), (5, "102")]
        pipeline.feed(push("spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT", "BTCUSDT", 313, body))
        book = pipeline.book("BTCUSDT")
        assert (pipeline.counters["errors"], book.status) == (1, BookState.STALE)
        assert book.sequence == 101


@pytest.mark.parametrize("body", [
    [(4, "102")], [(5, "102")], [(4, "x"), (5, "102")], [(4, "102"), (5, "10.5")], [(4, ""), (5, "102")],
    [(4, 102), (5, 102)],
])
def test_versions_must_be_there(body):
    pipeline = started()
    pipeline.feed(push("spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT", "BTCUSDT", 313, [*pairs(2, BIDS), *body]))
    assert (pipeline.counters["errors"], pipeline.book("BTCUSDT").sequence) == (1, 101)


SPOT_FRAMES = {
    "depth": WORKED,
    "deals": deals("BTCUSDT", ("1", "2", 1, SENT), ("3", "4", 2, SENT)),
    "deal": deals("BTCUSDT", ("1", "2", 1, SENT)),
    "quote": push("spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT", "BTCUSDT", 315, best("1", "2", "3", "4")),
    "partial": push("spot@public.limit.depth.v3.api.pb@BTCUSDT@20", "BTCUSDT", 303, [*pairs(1, ASKS), (4, "1")]),
    "tickers": message((1, "spot@public.miniTickers.v3.api.pb@UTC+8"), (310, [(1, TICKER), (1, TICKER)])),
}


def outcome(pipeline, frame):
    """What a frame was taken for."""
    names = ("errors", "ignored", "control", "depth", "snapshots", "trades", "quotes", "tickers")
    before = pipeline.counters
    pipeline.feed(frame)
    after = pipeline.counters
    return {name: after[name] - before[name] for name in names if after[name] != before[name]}


@pytest.mark.parametrize("name", SPOT_FRAMES)
def test_cut_and_flipped_frames_are_what_they_are_to_a_fresh_pipeline(name):
    # Nothing of protobuf is ever learned: what lies between its values are lengths.
    draw = random.Random(11)
    whole = SPOT_FRAMES[name]
    used = Pipeline("mexc")
    for _ in range(20):
        assert outcome(used, whole) == outcome(Pipeline("mexc"), whole)
    for size in range(len(whole)):
        assert outcome(used, whole[:size]) == outcome(Pipeline("mexc"), whole[:size])
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 2, 4))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        assert outcome(used, bytes(data)) == outcome(Pipeline("mexc"), bytes(data))
    assert used.counters["errors"] > 0


def test_many_frames_of_protobuf():
    pipeline = started()
    for version in range(102, 300):
        pipeline.feed(depth("BTCUSDT", version, version, [("10", str(version))], []))
        pipeline.feed(push("spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT", "BTCUSDT", 315,
                           best("1", "2", "3", str(version))))
        pipeline.feed(deals("BTCUSDT", ("10", str(version), 1 + version % 2, SENT)))
    assert pipeline.counters["errors"] == 0
    assert levels(pipeline.book("BTCUSDT"))[0][0] == [10, 299]
    assert pipeline.last_quote("BTCUSDT").ask_qty == 299
    assert (pipeline.last_trade("BTCUSDT").qty, pipeline.last_trade("BTCUSDT").aggressor) == (299, "sell")


@pytest.mark.parametrize("decimals", [0, 1, 2, 4, 8])
def test_quantities_of_any_width(decimals):
    draw = random.Random(decimals)
    pipeline = started()
    held = {10.0: 1.0, 9.5: 2.0}
    for version in range(102, 400):
        changed = [(f"{draw.randrange(8, 10)}.{draw.randrange(100):02}",
                    f"{draw.randrange(10 ** draw.randrange(1, 7)) / 10**decimals:.{decimals}f}") for _ in range(5)]
        pipeline.feed(depth("BTCUSDT", version, version, changed, []))
        held |= {float(price): float(qty) for price, qty in changed}
    assert pipeline.counters["errors"] == 0
    assert dict(levels(pipeline.book("BTCUSDT"))[0]) == {price: qty for price, qty in held.items() if qty}


# Messages that their source has decoded, in its names -> field of the wrapper, and of its body.
BODIES = {
    "publicAggreDepths": (313, {"asks": 1, "bids": 2, "eventType": 3, "fromVersion": 4, "toVersion": 5}),
    "publicAggreDeals": (314, {"deals": 1, "eventType": 2}),
    "publicAggreBookTicker": (315, {"bidPrice": 1, "bidQuantity": 2, "askPrice": 3, "askQuantity": 4}),
}
ITEM = {"price": 1, "quantity": 2, "tradeType": 3, "time": 4}


def encoded(decoded):
    """The frame that a decoded message was."""
    fields: list[protobuf.Field] = [(1, decoded["channel"]), (3, decoded["symbol"]), (6, int(decoded["sendTime"]))]
    for name, (number, keys) in BODIES.items():
        body: list[protobuf.Field] = []
        for key, value in decoded.get(name, {}).items():
            if isinstance(value, list):
                body += [(keys[key], [(ITEM[part], int(text) if part in ("tradeType", "time") else text)
                                      for part, text in item.items()]) for item in value]
            else:
                body.append((keys[key], value))
        if body:
            fields.append((number, body))
    return message(*fields)


def test_recorded_messages_as_they_were_on_the_wire(data_dir):
    counts = []
    for line in (data_dir / "mexc/messages.jsonl").read_text().splitlines():
        raw = json.loads(line)["raw"]
        if raw.startswith('{"channel":"spot@'):
            pipeline = Pipeline("mexc")
            pipeline.feed(encoded(json.loads(raw)))
            assert pipeline.last_error is None
            counts.append({name: pipeline.counters[name] for name in ("ignored", "depth", "quotes", "trades")
                           if pipeline.counters[name]})
    assert counts == [{"ignored": 1}] * 3 + [{"depth": 1}] * 2 + [{"quotes": 1}, {"trades": 5}]


# ---- contracts

def contract(last=100):
    """A pipeline with a LIVE contract book at `last` + 1."""
    pipeline = Pipeline("mexc", market="contract")
    pipeline.feed(contract_depth("BTC_USDT", last + 1, last + 1, [], []))
    contract_rest(pipeline, last, [[10, 1, 1], [9.5, 2, 1]], [[10.5, 3, 1]])
    assert pipeline.book("BTC_USDT").status is BookState.LIVE
    return pipeline


def test_the_sheets_contract_frame_is_told_by_itself():
    frame = (b'{"symbol":"DOGE_USDT","data":{"cts":1789498405531,"asks":[[0.080100,2868,1]],"bids":[[0.07969,0,0]],'
             b'"end":8752808003,"begin":8752807948,"version":8752808003},"channel":"push.depth","ts":1789498405540}')
    for market in (None, "spot", "contract"):
        pipeline = Pipeline("mexc", market=market)
        pipeline.feed(frame)
        contract_rest(pipeline, 8752807947, [[0.07969, 7, 1]], [], "DOGE_USDT")
        book = pipeline.book("DOGE_USDT", market="contract")
        assert (book.status, book.sequence) == (BookState.LIVE, 8752808003)
        assert levels(book) == ([], [[0.0801, 2868]])
        assert book.raw.exchange_ns == 1789498405531000000


def test_merged_versions_follow_each_other():
    pipeline = contract()
    pipeline.feed(contract_depth("BTC_USDT", 102, 110, [("10", "0")], [("10.4", "7.548E+4")]))
    book = pipeline.book("BTC_USDT")
    assert (book.status, book.sequence) == (BookState.LIVE, 110)
    assert levels(book) == ([[9.5, 2]], [[10.4, 75480], [10.5, 3]])
    pipeline.feed(contract_depth("BTC_USDT", 112, 115, [], []))
    assert book.status is BookState.STALE


@pytest.mark.parametrize("extra", ["", '"begin":0,"end":0,', '"begin":null,"end":null,', '"end":0,"begin":0,'])
def test_each_version_for_itself(extra):
    def frame(version, bids):
        return (f'{{"channel":"push.depth","data":{{"asks":[],"bids":{bids},{extra}"version":{version}}},'
                f'"symbol":"BTC_USDT","ts":1587442023003}}').encode()

    pipeline = Pipeline("mexc", market="contract")
    for version in (99, 100, 101, 102):
        pipeline.feed(frame(version, "[[10,7,1]]"))
    contract_rest(pipeline, 100, [[10, 1, 1]], [[10.5, 3, 1]])
    book = pipeline.book("BTC_USDT")
    assert (book.status, book.sequence) == (BookState.LIVE, 102)
    for version in range(103, 130):
        pipeline.feed(frame(version, f"[[10,{version},1]]"))
    assert (book.status, levels(book)[0]) == (BookState.LIVE, [[10, 129]])
    assert pipeline.counters["fast"] > 20
    pipeline.feed(frame(131, "[]"))
    assert book.status is BookState.STALE


def test_whole_books_of_contracts():
    frame = (b'{"channel":"push.depth.full","data":{"asks":[[31708.5,74950,2],[31709,8817,2]],"bids":[[31708,3210,1]],'
             b'"version":5194972869},"symbol":"BTC_USDT","ts":1653995843510}')
    pipeline, _ = feed(frame, frame, market="contract")
    book = pipeline.book("BTC_USDT", depth=20)
    assert (book.status, book.sequence) == (BookState.LIVE, 5194972869)
    assert levels(book) == ([[31708, 3210]], [[31708.5, 74950], [31709, 8817]])


def test_a_symbol_of_two_markets_has_two_books():
    spot = message((1, "spot@public.limit.depth.v3.api.pb@X@20"), (3, "X"), (303, [*pairs(1, ASKS), (4, "1")]))
    other = b'{"symbol":"X","data":{"asks":[[7,1,1]],"bids":[],"version":2},"channel":"push.depth.full","ts":1}'
    pipeline, _ = feed(spot, other)
    assert levels(pipeline.book("X", depth=20, market="spot"))[1] == [[10.5, 3]]
    assert levels(pipeline.book("X", depth=20, market="contract"))[1] == [[7, 1]]


def test_deals_of_contracts():
    frame = (b'{"symbol":"BTC_USDT","data":[{"p":115309.8,"v":55,"T":2,"O":3,"M":1,"t":1755487578276,"i":"13064218826",'
             b'"cts":"1755487578276"},{"p":115309.8,"v":11,"T":1,"O":3,"M":1,"t":1755487578275,"i":"13064218827",'
             b'"cts":"1755487578275"}],"channel":"push.deal","ts":1755487578276}')
    _, kept = feed(frame)
    first, second = kept.kept
    assert (first.symbol, first.price, first.qty, first.aggressor, first.trade_id) == (
        "BTC_USDT", 115309.8, 55, "sell", 13064218826)
    assert (second.qty, second.aggressor, second.trade_id) == (11, "buy", 13064218827)
    assert (first.exchange_ns, second.exchange_ns) == (1755487578276000000, 1755487578275000000)


@pytest.mark.parametrize("text", ["3", "0", "-1", "12", '"3"', "null", "1.0", "true", "[1]"])
def test_an_unknown_side_is_an_error(text):
    pipeline = Pipeline("mexc")
    pipeline.feed(f'{{"symbol":"X","data":[{{"p":1,"v":1,"T":{text},"t":1}}],"channel":"push.deal"}}'.encode())
    assert (pipeline.counters["errors"], pipeline.counters["trades"]) == (1, 0)


def test_deals_that_are_none():
    pipeline, _ = feed(b'{"symbol":"X","data":[],"channel":"push.deal","ts":1}')
    assert pipeline.counters["ignored"] == 1


def test_the_ticker_tells_mark_and_open_interest_too():
    frame = (b'{"channel":"push.ticker","data":{"amount24":898120149.6331,"ask1":29911.5,"bid1":29911,"contractId":10,'
             b'"fairPrice":29911.1,"fundingRate":0.000072,"high24Price":31905.5,"holdVol":12357864,'
             b'"indexPrice":29926.9,"lastPrice":29911.5,"lower24Price":29316,"maxBidPrice":32919.5,'
             b'"minAskPrice":26934,"riseFallRate":-0.0275,"riseFallRates":[-0.0424,-0.0419],"riseFallValue":-846,'
             b'"symbol":"BTC_USDT","timestamp":1654165943014,"volume24":295146577},"symbol":"BTC_USDT",'
             b'"ts":1654165943014}')
    pipeline, kept = feed(*[frame.replace(b"-0.0424", f"-0.0{i}".encode()) for i in range(400, 430)])
    (ticker, *_), (mark, *_), (interest, *_) = kept.of("Ticker"), kept.of("Mark"), kept.of("OpenInterest")
    assert (ticker.last_price, ticker.high, ticker.low, ticker.volume) == (29911.5, 31905.5, 29316, 295146577)
    assert (ticker.quote_volume, ticker.change) == (898120149.6331, -846)
    assert (mark.mark_price, mark.index_price, mark.funding_rate) == (29911.1, 29926.9, 0.000072)
    assert interest.qty == 12357864
    assert ticker.exchange_ns == 1654165943014000000
    assert pipeline.counters["fast"] > 20                 # the numbers of a list inside may differ


def test_marks_tell_their_parts_one_by_one():
    _, kept = feed(
        b'{"channel":"push.fair.price","data":{"price":6867.5,"symbol":"BTC_USDT"},"symbol":"BTC_USDT","ts":1587442021503}',
        b'{"channel":"push.index.price","data":{"price":6861.7,"symbol":"BTC_USDT"},"symbol":"BTC_USDT","ts":1587442021003}',
        b'{"channel":"push.funding.rate","data":{"rate":0.0012,"symbol":"BTC_USDT","nextSettleTime":1587445200000},'
        b'"symbol":"BTC_USDT","ts":1587442022503}')
    first, second, third = kept.of("Mark")
    assert first.mark_price == 6867.5
    assert math.isnan(first.index_price)
    assert (second.mark_price, second.index_price) == (6867.5, 6861.7)
    assert (third.mark_price, third.index_price, third.funding_rate) == (6867.5, 6861.7, 0.0012)
    assert third.next_funding_ns == 1587445200000000000


def test_frames_with_the_channel_first_or_last_are_both_learned():
    pipeline = contract()
    for version in range(102, 200):
        pipeline.feed(contract_depth("BTC_USDT", version, version, [("10", str(version))], []))
    assert pipeline.counters["fast"] > 90
    frame = '{{"channel":"push.depth","data":{{"asks":[],"bids":[[10,{0},9]],"begin":{0},"end":{0},"version":{0}}},' \
            '"symbol":"BTC_USDT","ts":1587442022003}}'
    for version in range(200, 300):
        pipeline.feed(frame.format(version).encode())
    assert pipeline.counters["fast"] > 180
    assert levels(pipeline.book("BTC_USDT"))[0][0] == [10, 299]


# ---- what is asked and answered

def test_json_and_protobuf_are_told_apart():
    # A newline is protobuf's first tag, and white space in JSON; '{' could be a length.
    ack = b'{"id":1,"code":0,"msg":"spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"}'
    long = "spot@" + "x" * 118                            # of 123 bytes, which is '{'
    pipeline, _ = feed(ack, b"\n" + ack, b"\r\n \t" + ack, b" {\n" + ack[1:], message((1, long), (6, SENT)), WORKED)
    assert message((1, long))[:2] == b"\n{"
    assert (pipeline.counters["control"], pipeline.counters["ignored"], pipeline.counters["depth"]) == (4, 1, 1)


def test_the_spec():
    assert (SPEC.link, SPEC.resync, SPEC.markets) == (Link.RANGE, "rest", ("spot", "contract"))
    assert (SPEC.pings["spot"], SPEC.pings["contract"]) == ('{"method":"PING"}', '{"method":"ping"}')
    assert SPEC.limits.streams_per_connection == 30


def test_unsubscribing():
    assert SPEC.unsubscribe(["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"], 2) == [
        '{"method":"UNSUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"],"id":2}']
    assert SPEC.unsubscribe(["depth:BTC_USDT", "depth:BTC_USDT:0ms", "fair.price:BTC_USDT"], 2) == [
        '{"method":"unsub.depth","param":{"symbol":"BTC_USDT"}}',
        '{"method":"unsub.depth","param":{"symbol":"BTC_USDT"}}',
        '{"method":"unsub.fair.price","param":{"symbol":"BTC_USDT"}}']


@pytest.mark.parametrize(("channels", "options", "words"), [
    (("mark",), {}, "spot has no channel 'mark'; it has: book"),
    (("quotes",), {"market": "contract"}, "contract has no channel 'quotes'"),
    (("liquidations",), {"market": "contract"}, "it has: book"),
    (("book",), {"depth": 50}, "5, 10, 20"), (("book",), {"depth": 5, "market": "contract"}, "it has: 20"),
    (("book",), {"speed": "1s"}, "100ms, 10ms"), (("book",), {"market": "option"}, "spot, contract"),
])
def test_what_the_venue_lacks(channels, options, words):
    with pytest.raises(UnsupportedChannel, match=words):
        SPEC.streams(["BTCUSDT"], channels, **options)


def test_a_refusal_comes_with_code_0():
    control = SPEC.read_control('{"id":0,"code":0,"msg":"Not Subscribed successfully! [spot@a@X, spot@b@Y].  '
                                'Reason： Blocked! "}'.encode())
    assert (control.kind, control.request_id, control.streams) == ("error", None, ("spot@a@X", "spot@b@Y"))
    assert control.reason == "bad_symbol"


def test_an_error_about_a_contract_names_the_symbol():
    control = SPEC.read_control(b'{"channel":"rs.error","data":"Contract [NOPE_USDT] not exists","ts":1789498405531}')
    assert (control.streams, control.text) == (("NOPE_USDT",), "Contract [NOPE_USDT] not exists")


@pytest.mark.parametrize("payload", [
    b"", b"\xff", b"[]", b"1", b"{}", b'{"channel":1}', b'{"channel":"rs.error"}', b'{"id":[],"code":{},"msg":1}',
    b'{"success":true,"code":0,"data":{}}', b"[" * 9999,
])
def test_any_control_frame_is_classified(payload):
    assert SPEC.read_control(payload).kind in ("other", "error")


@pytest.mark.parametrize(("url", "want"), [
    ("https://api.mexc.com/api/v3/depth?symbol=btcusdt&limit=5000", ("snapshot", "BTCUSDT", 5000, "spot")),
    ("https://api.mexc.com/api/v3/depth?symbol=BTCUSDT", ("snapshot", "BTCUSDT", 100, "spot")),
    ("https://api.mexc.com/api/v1/contract/depth/BTC_USDT?limit=1000", ("snapshot", "BTC_USDT", 1000, "contract")),
    ("https://contract.mexc.com/api/v1/contract/depth/BTC_USDT", ("snapshot", "BTC_USDT", 0, "contract")),
    ("https://api.mexc.com/api/v3/exchangeInfo", ("instruments", "", 0, "spot")),
    ("https://api.mexc.com/api/v1/contract/detail", ("instruments", "", 0, "contract")),
])
def test_addresses(url, want):
    answer = SPEC.read_address(url)
    assert (answer.kind, answer.symbol, answer.limit, answer.market) == want
    if answer.kind == "snapshot" and answer.limit >= 1000:
        made = SPEC.snapshot_address(answer.symbol, 5000, answer.market)
        assert SPEC.read_address(made) == answer


def test_addresses_of_no_use():
    for url in ("https://api.mexc.com/api/v3/depth", "https://api.mexc.com/api/v3/ticker", "https://api.mexc.com", ""):
        assert SPEC.read_address(url) is None


@pytest.mark.parametrize(("text", "name", "listed"), [
    ('{"symbol":"BTCUSDT","status":"1","baseAsset":"BTC","baseAssetPrecision":8,"quoteAsset":"USDT",'
     '"quotePrecision":2,"quoteAssetPrecision":2,"baseSizePrecision":"0.000001","quoteAmountPrecision":"1",'
     '"filters":[]}', "BTC-USDT",
     Instrument("BTCUSDT", "0.01", "0.000001", "spot", "spot", "BTC", "USDT", min_qty="0.000001", min_value="1")),
    ('{"symbol":"PEPEUSDT","status":"2","baseAsset":"PEPE","baseAssetPrecision":0,"quoteAsset":"USDT",'
     '"quotePrecision":12,"baseSizePrecision":"0","quoteAmountPrecision":"1.000000000000000000"}', "PEPE-USDT",
     Instrument("PEPEUSDT", "0.000000000001", "1", "spot", "spot", "PEPE", "USDT", min_value="1", status="halted")),
    ('{"symbol":"BTC_USDT","baseCoin":"BTC","quoteCoin":"USDT","settleCoin":"USDT","contractSize":0.0001,'
     '"priceScale":1,"volScale":0,"priceUnit":0.1,"volUnit":1,"minVol":1,"maxVol":1000000,"state":0}', "BTC-USDT-PERP",
     Instrument("BTC_USDT", "0.1", "1", "contract", "perpetual", "BTC", "USDT", "USDT", "1", "", "0.0001", "BTC")),
    ('{"symbol":"PEPE_USDT","baseCoin":"PEPE","quoteCoin":"USDT","settleCoin":"USDT","contractSize":1000000,'
     '"priceUnit":1E-10,"volUnit":1,"minVol":1,"state":4}', "PEPE-USDT-PERP",
     Instrument("PEPE_USDT", "0.0000000001", "1", "contract", "perpetual", "PEPE", "USDT", "USDT", "1", "", "1000000",
                "PEPE", status="halted")),
    ('{"symbol":"BTC_USD","baseCoin":"BTC","quoteCoin":"USD","settleCoin":"BTC","contractSize":100,"priceUnit":0.1,'
     '"volUnit":1,"minVol":1,"state":0}', "BTC-USD-PERP",
     Instrument("BTC_USD", "0.1", "1", "contract", "perpetual", "BTC", "USD", "BTC", "1", "", "100", "USD")),
])
def test_instruments(text, name, listed):
    key = "symbols" if listed.kind == "spot" else "data"
    assert SPEC.read_instruments(f'{{"{key}":[{text}]}}'.encode()) == [listed]
    assert listed.name == name
    assert listed.inverse == (listed.settle == "BTC")
    address, = SPEC.instruments_addresses[listed.market]
    assert SPEC.read_address(address) == Answer("instruments", market=listed.market)


@pytest.mark.parametrize("bad", [
    b"{}", b"[]", b'{"symbols":[{}]}', b'{"data":{"a":1}}', b'{"data":[{"symbol":"A","priceUnit":"x"}]}', b"x"])
def test_what_is_no_list_of_instruments(bad):
    with pytest.raises(ValueError, match="a list of symbols"):
        SPEC.read_instruments(bad)
