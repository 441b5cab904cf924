"""Replay: figures counted by hand, the recorded captures against their reference, and files that are wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import re

import pytest

from feeds.capture import CaptureError
from feeds.figures import Replay, VenueUnclear, decimal_text, venue_of
from feeds.venue import UnsupportedChannel
from tests.model import plain

KEYS = ("snapshots", "updates", "changes", "absent", "stale", "breaks", "crossed", "best_bid", "best_ask",
        "bid_levels", "ask_levels", "bbo_sha256", "book_sha256")
VENUE_OF_FOLDER = {"binance_spot": "binance_spot", "binance_us": "binance_spot", "binance_usdm": "binance_usdm",
                   "binance_coinm": "binance_coinm"}
REST = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000 "


def delta(first: int, last: int, previous: int, bids: str = "", asks: str = "") -> str:
    return ('{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1700000000123,"T":1700000000120,"s":"BTCUSDT",'
            f'"U":{first},"u":{last},"pu":{previous},"b":[{bids}],"a":[{asks}]}}}}')


def snapshot(last: int, bids: str, asks: str) -> str:
    return REST + f'{{"lastUpdateId":{last},"E":1700000000123,"T":1700000000120,"bids":[{bids}],"asks":[{asks}]}}'


TRADE = ('{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000200,"T":1700000000199,"s":"BTCUSDT","t":7,'
         '"p":"100.50","q":"0.250","X":"MARKET","m":true}}')
QUOTE = ('{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":30,"s":"BTCUSDT","b":"100.00","B":"1.000",'
         '"a":"101.00","A":"2.000","T":1700000000200,"E":1700000000201}}')
OPENED = ("=", "wss://fstream.binance.com/stream?streams=btcusdt@depth@0ms")

# Every figure below was worked out by hand from these lines.
LINES = [
    OPENED,
    ("<", delta(1, 5, 0, '["1.00","1.000"]')),                                              # older than the snapshot
    ("<", delta(8, 12, 5, '["100.00","1.000"],["99.50","0.000"]', '["101.00","2.000"]')),   # waits for it
    ("h", snapshot(10, '["100.00","5.000"],["99.00","3.000"]',
                   '["101.00","1.000"],["102.00","4.000"],["103.00","0.000"]')),
    (">", '{"method":"LIST_SUBSCRIPTIONS","id":1}'),
    ("<", TRADE),
    ("<", delta(13, 20, 12, '["100.50","7.000"]')),
    ("=", "wss://fstream.binance.com/stream"),                                              # resets nothing
    ("<", delta(25, 30, 21, "", '["100.50","1.000"]')),                                     # a break; locks the book
    ("<", QUOTE),
    ("h", snapshot(30, '["98.00","1.000"]', '["99.00","1.000"]')),                          # LIVE again
    ("<", delta(29, 32, 30)),                                                               # nothing in it
    ("<", '{"result":null,"id":1}'),
]
BBO = ["100,5,101,1", "100,1,101,2", "100.5,7,101,2", "100.5,7,100.5,1", "98,1,99,1", "98,1,99,1"]
BOOK = ["b,98,1", "a,99,1"]


def sha256(lines: list[str]) -> str:
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()


@pytest.fixture
def write(tmp_path):
    def write(lines, name="binance_usdm/hand.ws", packed=False):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        text = "".join(f"{1_700_000_000_000_000_000 + number}\t{kind}\t{payload}\n"
                       for number, (kind, payload) in enumerate(lines)).encode()
        path.write_bytes(gzip.compress(text) if packed else text)
        return path
    return write


def replayed(*paths, venue="binance_usdm", digests=True):
    replay = Replay(venue, digests=digests)
    replay.run(paths)
    return replay


@pytest.mark.parametrize("packed", [False, True])
def test_figures_counted_by_hand(write, packed):
    path = write(LINES, packed=packed)
    replay = replayed(path)
    document = replay.document()
    frames = [payload for kind, payload in LINES if kind == "<"]
    symbols = document.pop("symbols")
    assert document.pop("seconds") > 0
    assert document == {"files": [str(path)], "venue": "binance_usdm", "messages": len(frames),
                        "bytes": sum(map(len, frames)), "errors": 0}
    assert symbols == {"BTCUSDT": {
        "snapshots": 2, "updates": 4, "changes": 5, "absent": 1, "stale": 1, "breaks": 1, "crossed": 1,
        "best_bid": ["98", "1"], "best_ask": ["99", "1"], "bid_levels": 1, "ask_levels": 1,
        "bbo_sha256": sha256(BBO), "book_sha256": sha256(BOOK),
        "status": "LIVE", "sequence": 32, "gaps": 1, "resyncs": 1,
        "trades": {"count": 1, "qty": "0.25", "last_price": "100.5"}, "quotes": {"count": 1}}}
    assert replay.succeeded
    assert replay.lines == len(LINES)
    json.dumps(replay.document())


def test_a_break_leaves_the_book_stale_until_a_snapshot(write):
    figures = replayed(write(LINES[:10])).document()["symbols"]["BTCUSDT"]
    assert (figures["status"], figures["gaps"], figures["resyncs"]) == ("STALE", 1, 0)
    assert (figures["best_bid"], figures["best_ask"]) == (["100.5", "7"], ["100.5", "1"])
    assert figures["bbo_sha256"] == sha256(BBO[:4])


def test_without_digests_the_figures_are_the_same(write):
    path = write(LINES)
    full, short = (replayed(path, digests=digests).document()["symbols"]["BTCUSDT"] for digests in (True, False))
    assert {key: value for key, value in full.items() if not key.endswith("_sha256")} == short


def test_one_book_goes_on_through_several_files(write):
    whole = replayed(write(LINES)).document()
    parts = replayed(write(LINES[:7], "a.ws"), write(LINES[7:], "b.ws", packed=True)).document()
    assert len(parts["files"]) == 2
    assert parts["symbols"] == whole["symbols"]
    assert parts["messages"] == whole["messages"]


def test_deltas_for_which_no_snapshot_comes_are_stale(write):
    figures = replayed(write([LINES[1], LINES[2], LINES[6]])).document()["symbols"]["BTCUSDT"]
    assert (figures["stale"], figures["updates"], figures["snapshots"]) == (3, 0, 0)
    assert (figures["best_bid"], figures["best_ask"]) == ([None, None], [None, None])
    assert figures["bbo_sha256"] == figures["book_sha256"] == sha256([])
    assert figures["trades"] == {"count": 0, "qty": "0", "last_price": None}


def test_bad_frames_are_errors_and_the_rest_is_right(write):
    bad = [("<", '{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","s":"BTCUSDT","b":[["1"'), ("<", '{"e":'),
           ("<", "\x00\x01")]
    replay = replayed(write(LINES[:5] + bad + LINES[5:]))
    document = replay.document()
    assert document["errors"] >= 2
    assert not replay.succeeded
    assert replay.pipeline.last_error is not None
    assert document["messages"] == len([kind for kind, _ in LINES if kind == "<"]) + 3
    assert document["symbols"]["BTCUSDT"]["trades"]["count"] == 1


def test_a_truncated_file_gives_what_could_be_read(write):
    path = write(LINES * 20, packed=True)
    path.write_bytes(path.read_bytes()[:-200])
    replay = replayed(path)
    assert len(replay.failures) == 1
    assert isinstance(replay.failures[0], CaptureError)
    assert "cut off" in str(replay.failures[0])
    assert replay.errors >= 1
    assert not replay.succeeded
    assert replay.document()["symbols"]["BTCUSDT"]["snapshots"] >= 2


def test_the_next_file_is_read_after_one_that_is_missing(write, tmp_path):
    replay = replayed(tmp_path / "missing.ws", write(LINES))
    assert replay.errors == 1
    assert replay.document()["symbols"]["BTCUSDT"]["sequence"] == 32


def test_progress_adds_up_to_the_size_of_the_files(write):
    path = write(LINES * 200)
    sizes, counts = [], []
    replay = Replay("binance_usdm")
    replay.run([path], lambda size, messages: (sizes.append(size), counts.append(messages)))
    assert sum(sizes) == path.stat().st_size
    assert counts[-1] == replay.messages == 200 * sum(kind == "<" for kind, _ in LINES)


def test_the_venue_is_the_folders_name(tmp_path):
    assert venue_of([tmp_path / "binance_spot" / "x.ws", tmp_path / "binance_spot" / "y.ws"]) == "binance_spot"
    with pytest.raises(VenueUnclear, match="folder named after a venue, found 'mars'"):
        venue_of([tmp_path / "mars" / "x.ws"])
    with pytest.raises(VenueUnclear, match="captures of one venue, found binance_spot, binance_usdm"):
        venue_of([tmp_path / "binance_spot" / "x.ws", tmp_path / "binance_usdm" / "y.ws"])


# Where a venue has several markets.

def orderbook(symbol, number, price):
    return ("<", f'{{"topic":"orderbook.1000.{symbol}","type":"snapshot","ts":1672304484978,"data":{{"s":"{symbol}",'
                 f'"b":[["{price}","1"]],"a":[["{price + 1}","2"]],"u":{number},"seq":7}},"cts":1672304484976}}')


def connected(market):
    return ("=", f"wss://stream.bybit.com/v5/public/{market}")


def test_the_address_of_a_connection_tells_the_market(write):
    path = write([connected("linear"), orderbook("BTCUSDT", 5, 100), connected("spot"), orderbook("BTCUSDT", 6, 200),
                  orderbook("ETHUSDT", 7, 300), connected("linear"), orderbook("BTCUSDT", 8, 400)], "bybit/x.ws")
    replay = replayed(path, venue="bybit")
    assert replay.errors == 0
    assert {key: figures["best_bid"] for key, figures in replay.document()["symbols"].items()} == {
        "BTCUSDT": ["400", "1"], "BTCUSDT@spot": ["200", "1"], "ETHUSDT": ["300", "1"]}
    assert replay.pipeline.book("BTCUSDT", market="spot").best_bid == (200.0, 1.0)


def test_a_market_that_is_named_goes_before_what_the_addresses_say(write):
    path = write([connected("linear"), orderbook("BTCUSDT", 5, 100), connected("spot"), orderbook("BTCUSDT", 6, 200)],
                 "bybit/x.ws")
    replay = Replay("bybit", digests=True, market="inverse")
    replay.run([path])
    assert list(replay.document()["symbols"]) == ["BTCUSDT"]
    assert replay.pipeline.market == "inverse"
    with pytest.raises(UnsupportedChannel, match="bybit has no market 'moon'; it has: spot"):
        Replay("bybit", market="moon")


def test_checksums_that_were_compared_are_in_the_figures(data_dir, reference):
    name = "kraken/" + next(key.partition("/")[2] for key in reference if key.startswith("kraken/book"))
    figures = reference[name]["symbols"]
    document = replayed(data_dir / name, venue="kraken").document()
    assert {symbol: (it["crc_ok"], it["crc_bad"]) for symbol, it in document["symbols"].items()} == {
        symbol: (it["crc_ok"], it["crc_bad"]) for symbol, it in figures.items()}


@pytest.mark.parametrize("units, scale, text", [
    (0, 0, "0"), (0, 5, "0"), (120967, 2, "1209.67"), (100, 1, "10"), (10, 2, "0.1"), (1, 8, "0.00000001"),
    (-5, 1, "-0.5"), (-120, 1, "-12"), (7, -2, "700"), (9223372036854775807, 18, "9.223372036854775807"),
])
def test_decimal_text(units, scale, text):
    assert decimal_text(units, scale) == text


# The recorded captures.

def captures(reference):
    return [name for name, figures in reference.items()
            if name.split("/")[0] in VENUE_OF_FOLDER and figures.get("symbols")]


def paths_of(name, reference, data_dir):
    first = reference[name].get("replayed_with")
    return [data_dir / path for path in ([first] if first else []) + [name]]


def test_every_capture_equals_the_reference(data_dir, reference):
    names = captures(reference)
    assert len(names) >= 8
    for name in names:
        replay = replayed(*paths_of(name, reference, data_dir), venue=VENUE_OF_FOLDER[name.split("/")[0]])
        document = replay.document()
        assert document["errors"] == 0, (name, replay.pipeline.last_error)
        for symbol, want in reference[name]["symbols"].items():
            figures = document["symbols"][symbol]
            assert {key: figures[key] for key in KEYS} == {key: want[key] for key in KEYS}, (name, symbol)
            assert figures["status"] == "LIVE"
            assert figures["gaps"] == 0
        assert document["messages"] == sum(
            reference[str(path.relative_to(data_dir))]["lines"]["<"] for path in paths_of(name, reference, data_dir))


def test_trades_and_quotes_of_a_capture(data_dir, reference):
    """Count and add them up with a regular expression, and compare."""
    from decimal import Decimal

    path = data_dir / "binance_usdm/btcusdt_20240808.ws.gz"
    text = gzip.decompress(path.read_bytes())
    trades = re.findall(rb'"e":"trade".*?"p":"([0-9.]+)","q":"([0-9.]+)"', text)
    figures = replayed(path, digests=False).document()["symbols"]["BTCUSDT"]
    assert figures["trades"] == {"count": len(trades), "qty": plain(sum(Decimal(qty.decode()) for _, qty in trades)),
                                 "last_price": plain(Decimal(trades[-1][0].decode()))}
    assert figures["quotes"] == {"count": text.count(b'"e":"bookTicker"')}


def test_instrument_lists_have_no_books(data_dir):
    replay = replayed(data_dir / "binance_usdm/instruments.ws.gz")
    assert replay.succeeded
    assert all(figures["status"] == "EMPTY" and not figures["updates"]
               for figures in replay.document()["symbols"].values())


def test_a_missing_frame_is_one_break(data_dir, tmp_path):
    """Without one of its depth frames a capture has one break, and another digest."""
    lines = gzip.decompress((data_dir / "binance_usdm/multi_20210722.ws.gz").read_bytes()).splitlines(keepends=True)
    found = [number for number, line in enumerate(lines) if b"sushiusdt@depth" in line]
    del lines[found[100]]
    path = tmp_path / "cut.ws"
    path.write_bytes(b"".join(lines))
    figures = replayed(path).document()["symbols"]["SUSHIUSDT"]
    assert (figures["breaks"], figures["gaps"], figures["status"]) == (1, 1, "STALE")
    assert figures["updates"] == 251
