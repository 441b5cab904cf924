"""The simulated market: it obeys its own rules, repeats itself for a seed, and is written as the venue writes."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from feeds.simulator.live import LiveSource
from feeds.simulator.market import ASK, BID, MAX_LEVELS, MIN_LEVELS, Instrument, Market
from feeds.simulator.source import UnknownSymbol
from feeds.venues.dialects import DIALECTS, instruments, split_stream, stream_class
from tests.model import ModelBook

SECOND_NS = 1_000_000_000
START_NS = 1_790_000_000 * SECOND_NS
COIN = Instrument("BTCUSDT", 10, 2, 1, 3, 618_000, 800, "BTCUSDT")
VENUES = sorted(DIALECTS)


def test_the_same_seed_is_the_same_market():
    first, second, other = (Market(COIN, seed, START_NS) for seed in (7, 7, 8))
    history = [first.step() for _ in range(3000)]
    assert history == [second.step() for _ in range(3000)]
    assert history != [other.step() for _ in range(3000)]


def test_the_book_obeys_its_rules(seed):
    market = Market(COIN, seed, START_NS)
    bids, asks = dict(market.sides[BID]), dict(market.sides[ASK])
    time_ns, last_id, fills = market.time_ns, market.last_id, 0
    for _ in range(20_000):
        action = market.step()
        assert action.time_ns > time_ns
        assert action.first_id == last_id + 1
        assert action.last_id == last_id + len(action.changes) >= action.first_id
        time_ns, last_id = action.time_ns, action.last_id
        for side, price, qty in action.changes:
            assert price > 0
            assert qty >= 0
            held = (bids, asks)[side]
            if qty:
                held[price] = qty
            else:
                del held[price]         # a level that goes was there
        fills += len(action.fills)
        assert market.best == [max(bids), min(asks)]
        assert market.best[BID] < market.best[ASK]
    assert (bids, asks) == market.sides
    assert MIN_LEVELS <= len(bids) <= MAX_LEVELS
    assert MIN_LEVELS <= len(asks) <= MAX_LEVELS
    assert 500 < fills < 20_000
    assert len(bids) + len(asks) > 400, "the depth is that of a real book"


def test_the_pace_is_about_what_was_asked_for_and_has_bursts():
    market = Market(COIN, 1, START_NS, rate=1000.0)
    times = [market.step().time_ns for _ in range(30_000)]
    pace = len(times) / ((times[-1] - START_NS) / SECOND_NS)
    assert 1000 < pace < 4000
    waits = sorted(b - a for a, b in zip(times, times[1:], strict=False))
    assert waits[len(waits) // 10] * 8 < waits[len(waits) * 9 // 10]


def test_a_cheap_market_stays_above_zero():
    market = Market(Instrument("PENNY", 1, 2, 1, 0, 30, 50), 3, START_NS)
    for _ in range(5000):
        market.step()
    assert min(market.sides[BID]) >= 1


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ValueError, match="rate"):
        Market(COIN, rate=0.0)


@pytest.mark.parametrize("name, parts, kind", [
    ("btcusdt@depth", ("btcusdt", "depth", ""), "public"),
    ("btcusdt@depth20@100ms", ("btcusdt", "depth20", "100ms"), "public"),
    ("btcusdt@trade", ("btcusdt", "trade", ""), "public"),
    ("btcusdt@bookTicker", ("btcusdt", "bookTicker", ""), "public"),
    ("btcusdt@aggTrade", ("btcusdt", "aggTrade", ""), "market"),
    ("btcusdt@markPrice@1s", ("btcusdt", "markPrice", "1s"), "market"),
    ("!ticker@arr", ("!ticker", "arr", ""), "market"),
    ("!bookTicker", ("!bookTicker", "", ""), "public"),
])
def test_stream_names(name, parts, kind):
    assert split_stream(name) == parts
    assert stream_class(name) == kind


# Messages of the documentation and of recorded traffic; the simulated ones have the same keys in the same order.
SAMPLES = {
    ("binance_spot", "depth@100ms"): '{"e":"depthUpdate","E":1,"s":"X","U":1,"u":1,"b":[],"a":[]}',
    ("binance_spot", "bookTicker"): '{"u":1,"s":"X","b":"1.00000000","B":"1.00000000","a":"1.0","A":"1.0"}',
    ("binance_spot", "trade"): '{"e":"trade","E":1,"s":"X","t":1,"p":"1","q":"1","T":1,"m":true,"M":true}',
    ("binance_spot", "aggTrade"):
        '{"e":"aggTrade","E":1,"s":"X","a":1,"p":"1","q":"1","f":1,"l":1,"T":1,"m":false,"M":true}',
    ("binance_spot", "depth5"): '{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}',
    ("binance_usdm", "depth@0ms"):
        '{"e":"depthUpdate","E":1,"T":1,"s":"X","U":1,"u":1,"pu":1,"b":[],"a":[],"ps":"X","st":1}',
    ("binance_usdm", "bookTicker"):
        '{"e":"bookTicker","u":1,"E":1,"T":1,"s":"X","ps":"X","b":"1","B":"1","a":"1","A":"1","st":1}',
    ("binance_usdm", "trade"):
        '{"e":"trade","E":1,"T":1,"s":"X","t":1,"p":"1","q":"1","X":"MARKET","m":false}',
    ("binance_usdm", "aggTrade"):
        '{"e":"aggTrade","E":1,"s":"X","a":1,"p":"1","q":"1","nq":"1","f":1,"l":1,"T":1,"m":false,"st":1}',
    ("binance_usdm", "markPrice@1s"):
        '{"e":"markPriceUpdate","E":1,"s":"X","p":"1","i":"1","P":"1","r":"1","ap":"1","T":1,"st":1}',
    ("binance_usdm", "forceOrder"):
        '{"e":"forceOrder","E":1,"o":{"s":"X","S":"SELL","o":"LIMIT","f":"IOC","q":"1","p":"1","ap":"1","X":"FILLED",'
        '"l":"1","z":"1","T":1}}',
    ("binance_usdm", "ticker"):
        '{"e":"24hrTicker","E":1,"s":"X","p":"-88.17","P":"-0.855","w":"1","c":"1","Q":"1","o":"1","h":"1","l":"1",'
        '"v":"1","q":"1","O":1,"C":1,"F":1,"L":1,"n":1}',
    ("binance_coinm", "depth@0ms"):
        '{"e":"depthUpdate","E":1,"T":1,"s":"X","ps":"X","U":1,"u":1,"pu":1,"b":[],"a":[],"st":2}',
    ("binance_coinm", "bookTicker"):
        '{"e":"bookTicker","u":1,"s":"X","b":"1","B":"1","a":"1","A":"1","T":1,"E":1,"ps":"X","st":2}',
    ("binance_coinm", "markPrice"):
        '{"e":"markPriceUpdate","E":1,"s":"X","p":"1","P":"1","i":"1","r":"1","T":1,"st":2}',
}


@pytest.fixture(scope="module")
def published():
    """venue -> stream -> what was published of the first symbol in 30 simulated seconds."""
    messages = {}
    for venue in VENUES:
        source = LiveSource(venue, seed=5, rate=250.0, start_ns=START_NS)
        symbol = instruments(venue)[0].symbol.lower()
        channels = [channel for of, channel in SAMPLES if of == venue]
        assert [source.resolve(f"{symbol}@{channel}") for channel in channels] == [
            f"{symbol}@{channel}" for channel in channels]
        taken = messages[venue] = {}
        while source.next_ns < START_NS + 30 * SECOND_NS:
            for route, data in source.take(START_NS + 30 * SECOND_NS, 1000):
                taken.setdefault(route.name.partition("@")[2], []).append(data)
    return messages


def shape(value):
    """The keys of a message and the kinds of its values, without the numbers."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value).__name__


@pytest.mark.parametrize("venue, channel", SAMPLES)
def test_messages_look_as_the_venue_writes_them(published, venue, channel):
    texts = published[venue][channel]
    sample = json.loads(SAMPLES[venue, channel])
    for text in texts:
        message = json.loads(text)
        assert shape(message) == shape(sample)
        assert list(message) == list(sample), "the order of the keys"
        assert text == json.dumps(message, separators=(",", ":")).encode(), "no whitespace"


@pytest.mark.parametrize("venue, price, qty", [
    ("binance_spot", r"\d+\.\d{8}", r"\d+\.\d{8}"),
    ("binance_usdm", r"\d+\.\d{2}", r"\d+\.\d{3}"),
    ("binance_coinm", r"\d+\.\d", r"\d+"),
])
def test_numbers_have_the_venues_decimals(published, venue, price, qty):
    for text in published[venue]["bookTicker"]:
        message = json.loads(text)
        assert re.fullmatch(price, message["b"])
        assert re.fullmatch(price, message["a"])
        assert re.fullmatch(qty, message["B"])
        assert Decimal(message["b"]) < Decimal(message["a"])


@pytest.mark.parametrize("venue", VENUES)
def test_trade_ids_count_up_and_names_of_nothing_are_refused(venue):
    source = LiveSource(venue, start_ns=START_NS)
    symbol = instruments(venue)[0].symbol.lower()
    source.resolve(f"{symbol}@trade")
    trades = [json.loads(data)["t"] for _, data in source.take(1 << 62, 5000)]
    assert trades == list(range(1, len(trades) + 1))
    for name in (f"{symbol}@nothing", "nosuch@trade", f"{symbol}@depth@7ms", f"{symbol}@depth7", symbol, "",
                 f"{symbol.upper()}@trade", f"{symbol}@trade@1s", f"{symbol}@depth@100ms@x"):
        assert source.resolve(name) is None, name
    with pytest.raises(UnknownSymbol):
        source.snapshot("NOSUCH", 100)


@pytest.mark.parametrize("form", ["2026", "2024"])
@pytest.mark.parametrize("venue", VENUES)
def test_a_snapshot_joins_the_stream_by_the_venues_rule(venue, form, seed):
    """Take snapshots at moments chosen by chance; from each, the deltas lead to the market's own book."""
    source = LiveSource(venue, seed=seed, rate=300.0, start_ns=START_NS, form=form)
    symbol = instruments(venue)[0].symbol
    streams = [f"{symbol.lower()}@{channel}" for channel in ("depth", "depth@100ms")]
    for name in streams:
        assert source.resolve(name) == name
    deltas: dict[str, list[dict]] = {name: [] for name in streams}
    snapshots = []
    moments = [START_NS + SECOND_NS + number * 1_700_000_000 + seed % 977 * 1_000_003 for number in range(5)]
    moments.append(START_NS + 12 * SECOND_NS)       # where every timed stream has just been written
    for moment in moments:
        for route, data in source.take(moment, 1 << 20):
            deltas[route.name].append(json.loads(data))
        snapshots.append(json.loads(source.snapshot(symbol, 5000)))
    final = snapshots.pop()
    want = ModelBook()
    want.apply_snapshot(final["bids"], final["asks"])
    spot = venue == "binance_spot"
    for chain in deltas.values():
        for before, after in zip(chain, chain[1:], strict=False):
            assert (after["U"] == before["u"] + 1) if spot else (after["pu"] == before["u"])
        for snapshot in snapshots:
            sequence = snapshot["lastUpdateId"]
            kept = [delta for delta in chain if (delta["u"] > sequence if spot else delta["u"] >= sequence)]
            first = kept[0]
            assert (first["U"] <= sequence + 1 if spot else first["U"] <= sequence or first["pu"] == sequence)
            book = ModelBook()
            book.apply_snapshot(snapshot["bids"], snapshot["asks"])
            for delta in kept:
                book.apply_delta(delta["b"], delta["a"])
            assert chain[-1]["u"] == final["lastUpdateId"]
            assert book.top() == want.top()
            assert book.crossed == 0
