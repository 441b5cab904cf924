"""Bitfinex: what its sheet tells beyond the list that every venue meets."""

from __future__ import annotations

import json
from decimal import Decimal
from math import isnan
from zlib import crc32

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.simulator.dialect import Line
from feeds.simulator.event import Event
from feeds.venue import Answer, UnsupportedChannel
from feeds.venues import load
from feeds.venues.dialects import bitfinex
from orderbook import BookState
from tests.dialects import Again, Wire
from tests.kept import Events
from tests.model import read_capture

SPEC = load("bitfinex")
CONF = '{"event":"conf","status":"OK","flags":65536}'
BOTH = '{"event":"conf","status":"OK","flags":196608}'
INFO = '{"event":"info","version":2,"serverId":"083bd8d4-aca7-4690-a573-eabfc8103de8","platform":{"status":1}}'

# The sheet's worked example: recorded tXRPBTC, after [0.0000011,12,266122.94].
BIDS = """[0.0000011,13,271510.49],[0.00000109,4,500793.10790141],[0.00000108,5,776367.43],
[0.00000107,1,23329.54842056],[0.00000106,3,116868.87735849],[0.00000105,3,205000],[0.00000103,3,227308.25386407],
[0.00000102,2,105000],[0.00000101,1,2970],[0.000001,2,21000],[7e-7,1,10000],[6.6e-7,1,10000],[6e-7,1,100000],
[4.9e-7,1,10000],[2.5e-7,1,2000],[6e-8,1,100000],[5e-8,1,200000],[1e-8,4,640000]"""
ASKS = """[0.00000111,1,-4847.13],[0.00000112,7,-528102.69042633],[0.00000113,5,-302397.07],[0.00000114,3,-339088.93],
[0.00000126,4,-245944.06],[0.00000127,1,-5000],[0.0000013,1,-5000],[0.00000134,1,-8249.18938656],
[0.00000136,1,-13161.25184766],[0.00000145,1,-2914],[0.0000015,3,-54448.5],[0.00000152,2,-5538.54849594],
[0.00000153,1,-62691.75475079],[0.00000159,1,-2914],[0.0000016,1,-52631.10296831],[0.00000164,1,-4000],
[0.00000166,1,-3831.46784605],[0.00000171,1,-14575.17730379],[0.00000174,1,-3124.81815395],[0.0000018,1,-18000],
[0.00000182,1,-16000],[0.00000186,1,-4000],[0.00000189,1,-10000.686624],[0.00000191,1,-14500],[0.00000193,1,-2422]"""
WORKED = -1175357890


def fed(*frames, line=0, pipeline=None, handler=None):
    """A pipeline that took the frames without an error."""
    pipeline = pipeline or Pipeline("bitfinex", handler)
    for frame in frames:
        pipeline.feed(frame.encode(), line=line)
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    return pipeline


def events(*frames):
    handler = Events()
    fed(*frames, handler=handler)
    return handler.kept


def subscribed(channel, chan, symbol="tBTCUSD", **more):
    named = {"key": symbol} if channel == "status" else {"symbol": symbol, "pair": symbol[1:]}
    if channel == "book":
        named = {"symbol": symbol, "prec": "P0", "freq": "F0", "len": "100", "pair": symbol[1:], **more}
    return json.dumps({"event": "subscribed", "channel": channel, "chanId": chan, **named}, separators=(",", ":"))


def levels(pipeline, symbol="tBTCUSD"):
    book = pipeline.book(symbol)
    return len(book.raw.bids()), len(book.raw.asks())


BOOK = subscribed("book", 225206)
START = "[225206,[[100,1,2],[99,3,0.5],[101,1,-3],[102,2,-1]],1]"


# ---- book

def test_levels_are_set_and_removed_by_count_and_sign():
    pipeline = fed(CONF, BOOK, START, "[225206,[99,0,1],2]", "[225206,[100.5,4,0.0089],3]", "[225206,[101,0,-1],4]",
                   "[225206,[103,1,-7],5]")
    book = pipeline.book("tBTCUSD")
    assert (book.best_bid, book.best_ask) == ((100.5, 0.0089), (102, 1))
    assert levels(pipeline) == (2, 2)
    assert book.status is BookState.LIVE


def test_a_removal_of_an_unknown_level_and_an_exponent():
    pipeline = fed(CONF, BOOK, START, "[225206,[2e-8,0,1],2]", "[225206,[9.1e-7,1,1e-8],3]")
    assert pipeline.symbol_stats("tBTCUSD")["absent"] == 1
    assert levels(pipeline) == (3, 2)


def test_a_snapshot_may_be_empty_or_have_one_side():
    assert levels(fed(CONF, BOOK, "[225206,[],1]")) == (0, 0)
    assert levels(fed(CONF, BOOK, "[225206,[[101,1,-3]],1]", "[225206,[100,1,1],2]")) == (1, 1)


def test_without_flags_nothing_behind_the_payload_counts():
    pipeline = fed(BOOK, "[225206,[[100,1,2],[101,1,-3]]]", "[225206,[100.5,1,1]]", "[225206,[100.6,1,1],17]",
                   "[225206,[100.7,1,1],5,1564617601214]", '[225206,[100.8,0,1],961871,1590596820151,"book","BTCUSD"]')
    assert pipeline.book("tBTCUSD").status is BookState.LIVE
    assert pipeline.counters["line_jumps"] == 0
    assert levels(pipeline) == (4, 1)


def test_number_and_time():
    pipeline = fed('{"event":"conf","status":"OK","flags":98304}', BOOK,
                   "[225206,[[100,1,2],[101,1,-3]],1,1564617600541]",
                   "[225206,[219.11,3,-18.10913638],2,1564617601214]")
    book = pipeline.book("tBTCUSD")
    assert book.exchange_ns == 1564617601214000000
    assert pipeline.counters["line_jumps"] == 0


def test_many_frames_of_every_shape():
    """Learned layouts and the careful way give the same book."""
    frames, sequence, want = [CONF, BOOK, START], 1, {100: 2.0, 99: 0.5, 101: -3.0, 102: -1.0}
    for i in range(200):
        sequence += 1
        price, count, bid = (90 + i % 7, i % 4, True) if i % 2 else (110 + i % 5, i % 3, False)
        amount = ("" if bid else "-") + ("1" if count == 0 else f"{i % 9 + 1}.{i % 8 + 1}")
        frames.append(f"[225206,[{price},{count},{amount}],{sequence}]")
        if count:
            want[price] = float(amount)
        else:
            want.pop(price, None)
    pipeline = fed(*frames)
    book = pipeline.book("tBTCUSD")
    assert dict(book.bids().tolist()) | {price: -qty for price, qty in book.asks().tolist()} == want
    assert book.status is BookState.LIVE


def test_a_snapshot_is_no_delta_however_many_came():
    frames = [CONF, BOOK, START]
    frames += [f"[225206,[{90 + i},1,1],{2 + i}]" for i in range(8)]
    pipeline = fed(*frames, "[225206,[[50,1,2],[51,1,-3]],10]")
    assert levels(pipeline) == (1, 1)
    pipeline = fed(CONF, BOOK, *(f"[225206,[[{50 + i},1,2],[60,1,-3]],{1 + i}]" for i in range(8)),
                   "[225206,[59.5,1,1],9]")
    assert levels(pipeline) == (2, 1)
    assert pipeline.symbol_stats("tBTCUSD")["updates"] == 1


@pytest.mark.parametrize("frame", ["[225206,[100,1],2]", "[225206,[100,1,x],2]", '[225206,["100",1,{}],2]', "[225206]",
                                   "[]", '["225206",[100,1,1],2]', "[225206,[100,1,1],2", "[225206,[100,-,1],2]",
                                   '[225206,"cs"]', "[225206,[[100,1]],2]", "[225206,[[100,1,1],[5]],2]"])
def test_wrong_frames(frame):
    pipeline = fed(CONF, BOOK, START)
    pipeline.feed(frame.encode())
    assert pipeline.counters["errors"] == 1


# ---- the connection's numbers

def test_a_missing_number_loses_every_book_of_the_line():
    other = subscribed("book", 300, "tETHUSD")
    pipeline = fed(CONF, BOOK, other, START, "[300,[[10,1,1],[11,1,-1]],2]", "[225206,[100.5,1,1],3]")
    assert pipeline.book("tETHUSD").status is BookState.LIVE
    fed("[225206,[100.6,1,1],5]", pipeline=pipeline)
    assert pipeline.counters["line_jumps"] == 1
    assert pipeline.book("tBTCUSD").status is pipeline.book("tETHUSD").status is BookState.STALE
    assert sorted(want.symbol for want in pipeline.wanted() if want.kind == "resubscribe") == ["tBTCUSD", "tETHUSD"]


def test_heartbeats_checksums_trades_and_unknown_channels_count():
    pipeline = fed(BOTH, BOOK, subscribed("trades", 89), START, '[225206,"hb",2]', '[999,"hb",3]',
                   '[89,"te",[382489563,1564617600709,0.00705845,10087.98969503],4]',
                   '[89,"tu",[382489563,1564617600709,0.00705845,10087.98969503],5]', '[89,[[1,1564617600709,1,2]],6]',
                   '[777,[1,2,3],7]', f'[225206,"cs",{crc("100:2:101:-3:99:0.5:102:-1")},8]', "[225206,[98,1,1],9]")
    assert pipeline.counters["line_jumps"] == 0
    assert pipeline.book("tBTCUSD").status is BookState.LIVE


def test_lines_count_on_their_own():
    pipeline = fed(CONF, BOOK, START, "[225206,[98,1,1],2]")
    fed(CONF, subscribed("book", 225206, "tETHUSD"), "[225206,[[10,1,1],[11,1,-1]],1]", line=1, pipeline=pipeline)
    fed("[225206,[97,1,1],3]", pipeline=pipeline)
    fed("[225206,[9,1,1],2]", line=1, pipeline=pipeline)
    assert (levels(pipeline), levels(pipeline, "tETHUSD")) == ((4, 2), (2, 1))
    assert pipeline.counters["line_jumps"] == 0


def test_a_number_means_another_channel_on_the_next_connection():
    frames = [f"[225206,[{90 + i / 10},1,1],{2 + i}]" for i in range(10)]
    pipeline = fed(INFO, CONF, BOOK, START, *frames)
    pipeline.closed(0)
    pipeline.opened(0)
    fed(INFO, CONF, subscribed("book", 225206, "tETHUSD"), "[225206,[[10,1,1],[11,1,-1]],1]", "[225206,[9,1,1],2]",
        "[225206,[8,1,1],3]", pipeline=pipeline)
    assert levels(pipeline, "tETHUSD") == (3, 1)
    assert pipeline.book("tBTCUSD").status is not BookState.LIVE
    assert pipeline.symbol_stats("tBTCUSD")["updates"] == 10


def test_what_was_unsubscribed_is_not_read():
    frames = [f"[225206,[{90 + i / 10},1,1],{2 + i}]" for i in range(10)]
    pipeline = fed(CONF, BOOK, START, *frames, '{"event":"unsubscribed","status":"OK","chanId":225206}',
                   "[225206,[80,1,1],12]")
    assert pipeline.symbol_stats("tBTCUSD")["updates"] == 10
    assert pipeline.counters["line_jumps"] == 0
    fed(subscribed("book", 500), "[500,[[100,1,2],[101,1,-3]],13]", pipeline=pipeline)
    assert levels(pipeline) == (1, 1)


def test_a_heartbeat_before_the_channel_is_named():
    pipeline = fed(CONF, '[225206,"hb",1]', BOOK, "[225206,[[100,1,2],[101,1,-3]],2]")
    assert pipeline.counters["line_jumps"] == 0
    assert pipeline.book("tBTCUSD").status is BookState.LIVE


# ---- checksum

def crc(text):
    value = crc32(text.encode())
    return value - (1 << 32) if value >> 31 else value


def test_the_worked_example():
    name = subscribed("book", 81757, "tXRPBTC", len="25")
    book = "[81757,[" + (BIDS + "," + ASKS).replace("\n", "") + "],1]"
    pipeline = fed(BOTH, name, book, "[81757,[0.0000011,12,266122.94],2]", f'[81757,"cs",{WORKED},3]')
    stats = pipeline.symbol_stats("tXRPBTC")
    assert (stats["crc_ok"], stats["crc_bad"]) == (1, 0)
    assert pipeline.book("tXRPBTC").status is BookState.LIVE
    fed('[81757,"cs",1293492257,4]', pipeline=pipeline)         # what 0.0000007 in place of 7e-7 would give
    assert pipeline.book("tXRPBTC").status is BookState.STALE
    assert [(want.symbol, want.kind) for want in pipeline.wanted()] == [("tXRPBTC", "resubscribe")]


@pytest.mark.parametrize(("book", "text"), [
    ("[[100,1,2],[101,1,-3]]", "100:2:101:-3"),
    ("[[100,1,2]]", "100:2"),
    ("[[101,1,-3],[102.5,1,-1e-8]]", "101:-3:102.5:-1e-8"),
    ("[[1e-7,1,0.000001],[1.5e-7,1,-0.00000123]]", "1e-7:0.000001:1.5e-7:-0.00000123"),
])
def test_checksums_of_small_books(book, text):
    pipeline = fed(BOTH, BOOK, f"[225206,{book},1]", f'[225206,"cs",{crc(text)},2]')
    assert pipeline.symbol_stats("tBTCUSD")["crc_ok"] == 1


def test_a_checksum_is_not_compared_with_one_level():
    pipeline = fed(BOTH, subscribed("book", 7, len="1"), "[7,[[100,1,2],[101,1,-3]],1]", '[7,"cs",5,2]')
    assert pipeline.book("tBTCUSD").status is BookState.LIVE
    assert pipeline.counters["line_jumps"] == 0


# ---- trades, ticker, status, liquidations

def test_the_sign_of_the_amount_is_the_aggressor_and_te_alone_counts():
    got = events(CONF, subscribed("trades", 18788), "[18788,[[1,1734237017719,1,2]],1]",
                 '[18788,"te",[5690221201,1734237017719,0.00991467,102570],2]',
                 '[18788,"tu",[5690221201,1734237017719,0.00991467,102570],3]',
                 '[18788,"te",[5690221202,1734237017704,-0.01925285,102560],4]',
                 '[18788,"fte",[5690221203,1734237018019,0.00991467,102550,30],5]')
    assert [(trade.symbol, trade.trade_id, trade.price, trade.qty, trade.aggressor, trade.exchange_ns)
            for trade in got] == [
        ("tBTCUSD", 5690221201, 102570, 0.00991467, "buy", 1734237017719000000),
        ("tBTCUSD", 5690221202, 102560, 0.01925285, "sell", 1734237017704000000)]


def test_a_ticker_is_no_quote():
    ticker, = events(CONF, subscribed("ticker", 232949, "tBFTUSD"),
                     "[232949,[0.068965,60157.36709703,0.0774,48578.50804052,0.001969,0.0262,0.076989,101459.39453471,"
                     "0.0828,0.068961],1]")
    assert (ticker.last_price, ticker.volume, ticker.high, ticker.low, ticker.change) == (
        0.076989, 101459.39453471, 0.0828, 0.068961, 0.001969)
    ticker, = events(subscribed("ticker", 232949, "tBFTUSD"),
                     "[232949,[0.068965,60157.36709703,0.0774,48578.50804052,0.001969,0.0262,0.076989,101459.39453471,"
                     "0.0828,0.068961,null]]")
    assert ticker.last_price == 0.076989


def test_the_status_of_a_perpetual():
    got = {type(event).__name__: event for event in events(
        subscribed("status", 23928, "deriv:tBTCF0:USTF0"),
        "[23928,[1590596819000,null,9166.30324769,9169.35,null,1372762.95402242,null,1590624000000,-0.00001415,533,null,"
        "0,null,null,9170.3525,null,null,3005.25851857],962044,1590596820986]")}
    assert sorted(got) == ["Mark", "OpenInterest", "Ticker"]
    mark = got["Mark"]
    assert (mark.symbol, mark.mark_price, mark.index_price, mark.funding_rate, mark.next_funding_ns) == (
        "tBTCF0:USTF0", 9170.3525, 9169.35, 0, 1590624000000000000)
    assert got["OpenInterest"].qty == 3005.25851857


def test_a_status_of_2019_has_no_mark_price():
    got = {type(event).__name__: event for event in events(
        subscribed("status", 127758, "deriv:tBTCF0:USTF0"),
        "[127758,[1569715201000,null,173.535,173.57,null,101052.04082882,null,1569744000000,0,0,null,null],7,"
        "1569715201369]", '[127758,"hb",3603,1569715249702]')}
    assert isnan(got["Mark"].mark_price)
    assert isnan(got["Mark"].funding_rate)
    assert got["Mark"].index_price == 173.57
    assert "OpenInterest" not in got


def position(amount, match, price, symbol="tBTCF0:USTF0"):
    return f'["pos",143683674,1593522802742,null,"{symbol}",{amount},9135.972557016,null,{match},1,null,{price}]'


def test_a_long_position_is_sold_and_only_the_trigger_is_told():
    got = events(CONF, subscribed("status", 386841, "liq:global"),
                 f"[386841,[{position('0.00268657', 0, '9080')}],1]",
                 f"[386841,[{position('-4.5', 0, 'null', 'tETHF0:USTF0')},{position('1', 1, '9000')},"
                 f"{position('-2', 0, '9100')}],2]", f"[386841,[{position('-2', 1, '9100')}],3]")
    assert [(one.symbol, one.side, one.qty, one.price) for one in got] == [
        ("tBTCF0:USTF0", "sell", 0.00268657, 9080), ("tETHF0:USTF0", "buy", 4.5, 0), ("tBTCF0:USTF0", "buy", 2, 9100)]


def test_frames_of_several_liquidations_count_once():
    pipeline = fed(CONF, subscribed("status", 386841, "liq:global"),
                   f"[386841,[{position('1', 0, '9080')},{position('2', 0, '9080')}],1]",
                   f"[386841,[{position('1', 0, '9080')}],2]", '[386841,"hb",3]')
    assert pipeline.counters["line_jumps"] == 0
    assert pipeline.counters["liquidations"] == 3


@pytest.mark.parametrize(("name", "frame"), [
    (subscribed("ticker", 129136, "fBTC"), "[129136,[0.000012589041095890411,0.00000788,90,150.27107061,4.5e-7,2,"
                                           "1775.86,-0.00000245,-0.0245,9e-7,6320.78,0.00001729,1e-8,null,null,14121.7]"
                                           ",92]"),
    (subscribed("book", 1290, "fUSD"), "[1290,[[0.0002,30,3,-500],[0.0003,2,1,100]],5]"),
    (subscribed("book", 1291, prec="R0"), "[1291,[[96124920207,31556,0.19]],5]"),
    (subscribed("book", 1293, prec="P1"), "[1293,[[100,1,2],[101,1,-3]],5]"),
    (subscribed("book", 1292, prec="R0"), "[1292,[96124920207,31556,0.19],5]"),
    ('{"event":"subscribed","channel":"candles","chanId":5,"key":"trade:1m:tBTCUSD"}', "[5,[1,2,3,4,5,6],1]"),
])
def test_channels_of_no_use(name, frame):
    pipeline = fed(name, frame)
    assert pipeline.counters["ignored"] == 1
    assert pipeline.symbols() == []


# The messages of the corpus that name their channel by its number alone: what that number must have been.
NAMED = {
    6957: ("trades", "tETHUSD"), 89: ("trades", "tBTCUSD"), 6959: ("book", "tETHUSD"), 94952: ("ticker", "tMATIC:BTC"),
    129136: ("ticker", "fBTC"), 127758: ("status", "deriv:tBTCF0:USTF0"), 12778: ("status", "deriv:tBTCF0:USTF0"),
    23918: ("book", "tBTCF0:USTF0"), 23928: ("status", "deriv:tBTCF0:USTF0"), 23925: ("trades", "tBTCDOMF0:USTF0"),
    23916: ("trades", "tBTCF0:USTF0"), 386841: ("status", "liq:global"), 907: ("status", "liq:global"),
    420191: ("trades", "tBTCUSD"), 18788: ("trades", "tBTCUSD"),
}


def wanted_kind(frame):
    """What a message of the corpus has to be read as, by its channel and shape."""
    channel, symbol = NAMED[frame[0]]
    if symbol[0] == "f" or frame[1] in ("hb", "tu", "fte", "ftu") or (channel == "trades" and frame[1] != "te"):
        return "ignored"
    if symbol == "liq:global":
        return "ignored" if frame[1][0][8] else "liquidations"      # a fill that follows the first trigger
    if channel == "book":
        return "snapshots" if isinstance(frame[1][0], list) else "depth"
    return "trades" if channel == "trades" else "tickers"


def test_the_corpus_with_its_channels_named(data_dir):
    seen = set()
    for line in (data_dir / "bitfinex" / "messages.jsonl").read_text().splitlines():
        raw = json.loads(line)["raw"]
        frame = json.loads(raw)
        if not isinstance(frame, list) or not isinstance(frame[0], int):
            continue
        channel, symbol = NAMED[frame[0]]
        pipeline = fed(subscribed(channel, frame[0], symbol), raw)
        if wanted_kind(frame) == "depth":               # before its snapshot a delta is only counted
            assert pipeline.counters["stale"] == 1
        else:
            assert pipeline.counters[wanted_kind(frame)] == 1, raw
        seen.add(frame[0])
    assert seen == set(NAMED)


# ---- requests and answers

def test_streams():
    names = [stream.name for stream in SPEC.streams(["tBTCF0:USTF0"], list(SPEC.channels), depth=25, speed="2s")]
    assert names == ["book:tBTCF0:USTF0:P0:F1:25", "trades:tBTCF0:USTF0", "ticker:tBTCF0:USTF0",
                     "status:deriv:tBTCF0:USTF0", "status:deriv:tBTCF0:USTF0", "status:liq:global"]
    assert SPEC.subscribe(names[:1], 1) == [
        '{"event":"subscribe","channel":"book","symbol":"tBTCF0:USTF0","prec":"P0","freq":"F1","len":"25"}']


def test_unsubscribe_by_the_number_that_was_told():
    control = SPEC.read_control(BOOK.encode())
    assert (control.kind, control.streams, control.handle) == ("ack", ("book:tBTCUSD:P0:F0:100",), "225206")
    assert SPEC.unsubscribe([control.handle], 2) == ['{"event":"unsubscribe","chanId":225206}']
    assert SPEC.unsubscribe(["book:tBTCUSD:P0:F0:100"], 3) == []
    assert SPEC.read_control(b'{"event":"unsubscribed","status":"OK","chanId":225206}').streams == ("225206",)


def test_answers_about_a_refused_stream():
    control = SPEC.read_control(b'{"channel":"book","symbol":"tNOPE","prec":"P0","len":"25","event":"error",'
                                b'"msg":"symbol: invalid","code":10300,"pair":"NOPE"}')
    assert (control.kind, control.code, control.text, control.reason, control.streams) == (
        "error", 10300, "symbol: invalid", "bad_symbol", ("book:tNOPE:P0:F0:25",))
    control = SPEC.read_control(b'{"channel":"trades","chanId":89,"symbol":"tBTCUSD","event":"error",'
                                b'"msg":"subscribe: dup","code":10301}')
    assert (control.kind, control.streams, control.handle) == ("ack", ("trades:tBTCUSD",), "89")


def test_what_there_is_not_says_what_there_is():
    with pytest.raises(UnsupportedChannel, match="book, trades, ticker, mark, open_interest, liquidations"):
        SPEC.streams(["tBTCUSD"], ["quotes"])
    with pytest.raises(UnsupportedChannel, match="1, 25, 100, 250"):
        SPEC.streams(["tBTCUSD"], ["book"], depth=10)
    with pytest.raises(UnsupportedChannel, match="realtime, 2s"):
        SPEC.streams(["tBTCUSD"], ["book"], speed="100ms")
    with pytest.raises(UnsupportedChannel, match="perpetuals"):
        SPEC.streams(["tBTCUSD"], ["mark"])
    with pytest.raises(UnsupportedChannel):
        SPEC.streams(["tBTCUSD"], ["book"], market="spot")


@pytest.mark.parametrize(("typed", "written"), [
    ("btcusd", "tBTCUSD"), ("tBTCUSD", "tBTCUSD"), ("TRXUSD", "tTRXUSD"), ("trxusd", "tTRXUSD"),
    ("tTESTBTC:TESTUSD", "tTESTBTC:TESTUSD"), ("BTCF0:USTF0", "tBTCF0:USTF0"), ("fUSD", "fUSD")])
def test_spelling(typed, written):
    assert SPEC.symbol(typed) == written


# ---- instruments

LOT = "0.00000001"


def test_the_recorded_lists_are_read(data_dir):
    found, names = {}, set()
    for line in read_capture(data_dir / "bitfinex/instruments.ws.gz"):
        url, _, body = line.payload.partition(b" ")
        if url.endswith(b"pub:list:currency"):
            assert SPEC.read_address(url.decode()) is None
            with pytest.raises(ValueError, match="'AAA' is no pair"):
                SPEC.read_instruments(body)
            continue
        assert SPEC.read_address(url.decode()) == Answer("instruments")
        found.update((entry.symbol, entry) for entry in SPEC.read_instruments(body))
        names |= {(entry.kind, entry.name) for entry in found.values()}
    assert len(found) == len(names) == 293 + 35
    assert found["tBTCUSD"] == Instrument("tBTCUSD", "", LOT, base="BTC", quote="USD")
    assert found["tAAVE:UST"] == Instrument("tAAVE:UST", "", LOT, base="AAVE", quote="USDT")
    assert found["tDOGUSD"].name == "MDOGE-USD"
    assert found["tBTCF0:USTF0"] == Instrument(
        "tBTCF0:USTF0", "", LOT, kind="perpetual", base="BTC", quote="USDT", settle="USDT")
    assert found["tETHF0:BTCF0"].name == "ETH-BTC-PERP"


def test_the_lists_of_today_have_sizes():
    body = (b'[[["AAVE:USD",[null,null,null,"0.02","5000.0",null,null,null,0.3,0.2,null]],'
            b'["BTCF0:USTF0",[null,null,null,"0.00004","100.0",null,null,null,0.01,0.005,null]],'
            b'["TESTBTC:TESTUSD",[null,null,null,null,null,null,null,null,null,null,null]]]]')
    assert SPEC.read_instruments(body) == [
        Instrument("tAAVE:USD", "", LOT, base="AAVE", quote="USD", min_qty="0.02"),
        Instrument("tBTCF0:USTF0", "", LOT, kind="perpetual", base="BTC", quote="USDT", settle="USDT",
                   min_qty="0.00004"),
        Instrument("tTESTBTC:TESTUSD", "", LOT, base="TESTBTC", quote="TESTUSD")]
    assert [SPEC.read_address(address) for address in SPEC.instruments_addresses[""]] == [Answer("instruments")] * 2


@pytest.mark.parametrize("body", [b"", b"[]", b'["error",10020,"conf: invalid"]', b"[7]", b'[["BTC"]]', b'{"a":1}'])
def test_another_answer_is_no_list(body):
    with pytest.raises(ValueError, match="a list of pairs"):
        SPEC.read_instruments(body)


# ---- the simulated venue

def test_the_simulated_checksum_is_that_of_the_worked_example():
    sides = {1: BIDS.replace("[0.0000011,13,271510.49]", "[0.0000011,12,266122.94]"), -1: ASKS}     # after the update

    def best(side, count):
        """As the simulator has it: plain decimals, without a sign."""
        rows = json.loads(f"[{sides[side]}]", parse_float=Decimal, parse_int=Decimal)
        return [(f"{price:.8f}", f"{abs(amount):.8f}") for price, _, amount in rows][:count]

    assert bitfinex.checksum(Event("delta", "tXRPBTC", {}, best=best)) == -1175357890


@pytest.mark.parametrize(("text", "written"), [
    ("0.0000007", "7e-7"), ("0.00000066", "6.6e-7"), ("0.00000100", "0.000001"), ("61800.00", "61800"), ("0.0", "0"),
    ("100", "100")])
def test_numbers_are_written_as_javascript_does(text, written):
    assert bitfinex.number(text) == written


def test_trades_come_back_with_the_channel_that_was_given():
    """Frames whose channel the `subscribed` frame names; the number of the channel is the connection's."""
    again = Again("bitfinex")
    for text in ('{"event":"subscribed","channel":"trades","chanId":89,"symbol":"tBTCUSD","pair":"BTCUSD"}',
                 '{"event":"conf","status":"OK","flags":65536}', '[89,"te",[382489563,1564617600709,-0.7,10087.9],11]'):
        again.check(text.encode())
    assert (again.written, again.lost) == (1, {"trade [0]"})


def say(line, text):
    """What the simulated venue answers to a request that concerns no market."""
    ask, = bitfinex.read(text, line)
    assert ask.kind == "reply", ask
    return json.loads(ask.frames[0])


def test_channels_are_given_numbers_and_taken_by_them():
    line = Line()
    ask, = bitfinex.read('{"event":"subscribe","channel":"book","symbol":"tBTCUSD"}', line)
    assert (ask.kind, ask.names) == ("subscribe", ("book:tBTCUSD:P0:F0:25",))
    told, = bitfinex.answer(ask, ask.names, (), line)
    assert SPEC.read_control(told.encode()).handle == "225206"
    twice = say(line, '{"event":"subscribe","channel":"book","symbol":"tBTCUSD","len":"25"}')
    assert (twice["code"], twice["chanId"], twice["msg"]) == (10301, 225206, "subscribe: dup")
    assert say(line, '{"event":"unsubscribe","chanId":7}')["code"] == 10400
    ask, = bitfinex.read('{"event":"unsubscribe","chanId":225206}', line)
    assert ask.names == ("book:tBTCUSD:P0:F0:25",)
    assert json.loads(bitfinex.answer(ask, ask.names, (), line)[0])["event"] == "unsubscribed"
    assert say(line, '{"event":"unsubscribe","chanId":225206}')["code"] == 10400


def test_frames_are_numbered_by_connection_and_books_are_checked():
    wire = Wire("bitfinex", 3)
    assert say(wire.line, SPEC.greeting[0]) == {"event": "conf", "status": "OK", "flags": 196608}
    wire.feed(['{"event":"conf","status":"OK","flags":196608}'])
    wire.subscribe(SPEC.streams(["tBTCUSD", "tETHUSD"], ["book"], depth=25))
    for _ in range(2500):
        for feed in wire.step():
            wire.compare(feed)
    stats = wire.pipeline.symbol_stats("tBTCUSD")
    assert stats["crc_ok"] > 1
    assert stats["crc_bad"] == wire.pipeline.counters["line_jumps"] == 0
    assert wire.line.number > 200
