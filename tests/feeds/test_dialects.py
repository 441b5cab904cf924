"""What a simulated venue writes: recorded frames come back, and random markets arrive as they are."""

from __future__ import annotations

import json
from importlib import import_module
from itertools import islice
from urllib.parse import parse_qs, urlsplit

import pytest

from feeds.capture import CaptureReader
from feeds.simulator.dialect import Bare, decimal, iso, step, trimmed, write
from feeds.venue import UnsupportedChannel
from feeds.venues import load
from feeds.venues.dialects import SPOKEN, speech
from tests.dialects import Again, Wire, differences

ROWS = {name: import_module(f"tests.venues.{name}").ROW for name in SPOKEN}
CAPTURES = [(name, capture) for name, row in ROWS.items() for capture in row.captures]
MOST = 1_500            # frames of a capture that are written again


def recorded(path):
    """The first frames of a capture, without a gap: some forms tell what is new since the last."""
    frames = (record.payload for record in CaptureReader(path) if record.kind in "<B")
    return list(islice(frames, MOST))


# ---- against a shared misunderstanding

@pytest.mark.parametrize("venue, capture", CAPTURES, ids=[capture for _, capture in CAPTURES])
def test_recorded_frames_come_back(venue, capture, data_dir):
    path = data_dir / f"{capture}.ws.gz"
    again = Again(venue, ROWS[venue].market)
    spec = again.spec
    for record in CaptureReader(path):
        if record.kind == "=" and spec.market_of is not None:
            market = spec.market_of(record.payload.decode())
            again = Again(venue, market) if market else again
            break
    for frame in recorded(path):
        again.check(frame)
    assert again.written


@pytest.mark.parametrize("venue", SPOKEN)
def test_sample_messages_come_back(venue, data_dir):
    again, unread = Again(venue, ROWS[venue].market), ROWS[venue].unread
    skipped = ROWS[venue].not_again
    path = data_dir / venue / "messages.jsonl"
    for text in path.read_text().splitlines() if path.exists() else ():
        sample = json.loads(text)["raw"]
        if not any(sample.startswith(beginning) for beginning in (*unread, *skipped)):
            again.check(sample.encode())


def test_the_places_where_two_values_differ():
    told = {"a": [[1, "x"], [2, "y"]], "b": {"c": 1}, "d": [1, 2], "e": [{"f": 1}], "g": True}
    assert differences(told, told) == set()
    assert differences(told, {**told, "a": [[1, "x"], [2, "z"]]}) == {"a[][1]"}
    assert differences(told, {**told, "b": {}}) == {"b.c"}
    assert differences(told, {**told, "d": [1, 3]}) == {"d[1]"}
    assert differences(told, {**told, "d": [1]}) == {"d[]"}
    assert differences(told, {**told, "e": [{"f": 1, "h": 2}]}) == {"e[].h"}
    assert differences(told, {**told, "g": 1}) == {"g"}


# ---- a random market

def book_streams(venue):
    """One of each kind of book stream of each instrument's market: [[streams of one kind]]."""
    spec, spoken = load(venue), speech(venue)
    kinds = {}
    for listed, options in ((listed, options) for listed in spoken.listed for options in spoken.options):
        try:
            for stream in spec.streams([listed.instrument.symbol], ["book"], market=listed.market or None, **options):
                kind = (listed.market, listed.kind, stream.root, stream.depth, repr(options))
                kinds.setdefault(kind, []).append(stream)
        except UnsupportedChannel:
            continue
    return list(kinds.values())


BOOKS = [(venue, streams) for venue in SPOKEN for streams in book_streams(venue)]


@pytest.mark.parametrize("venue, streams", BOOKS, ids=[f"{venue}-{streams[0].name}" for venue, streams in BOOKS])
def test_a_random_market_arrives_as_it_is(venue, streams, seed):
    """Books and trades of a market: after every message the client's book is the venue's."""
    slow = max(speech(venue).pace_ms(stream) for stream in streams) >= 1000
    wire = Wire(venue, seed, {stream.symbol for stream in streams}, streams[0].market, rate=40.0 if slow else 400.0)
    spec = wire.spec
    wanted = [*streams, *spec.streams([streams[0].symbol], ["trades"], market=streams[0].market or None)]
    wire.subscribe([stream for stream in wanted if stream.root == streams[0].root])
    enough = 10 if slow else 40
    books = 0
    joined = set()
    for _ in range(20_000):
        for feed in wire.step():
            if feed.stream.channel == "book":
                wire.meet()
                wire.compare(feed)
                joined.add(feed.stream.name)
                books += 1
        if books >= enough and len(joined) == len(streams):
            break
    assert joined == {stream.name for stream in streams}
    assert books >= enough
    counters = wire.pipeline.counters
    assert counters["gaps"] == counters["resyncs"] == counters["errors"] == counters["line_jumps"] == 0
    for stream in streams:
        stats = wire.pipeline.symbol_stats(stream.symbol, stream.depth or None)
        assert stats["crossed"] == 0
        assert stats.get("crc_bad", 0) == 0


@pytest.mark.parametrize("venue", SPOKEN)
def test_every_channel_is_spoken(venue, seed):
    """Each channel that the venue has is subscribed to, acknowledged where it acknowledges, and says something."""
    spec, spoken = load(venue), speech(venue)
    for listed in spoken.listed:
        for channel in spec.channels:
            try:
                streams = spec.streams([listed.instrument.symbol], [channel], market=listed.market or None)
            except UnsupportedChannel:
                continue
            wire = Wire(venue, seed, [listed.instrument.symbol], listed.market)
            for root in dict.fromkeys(stream.root for stream in streams):
                wire.subscribe([stream for stream in streams if stream.root == root])
            bad = [control for control in wire.controls if control.kind == "error"]
            assert not bad, bad
            assert wire.names == {stream.name for stream in streams}
            before = wire.pipeline.counters
            if channel == "liquidations":
                continue                    # a market may have none for a while
            for _ in range(4_000):
                if wire.step():
                    break
            after = wire.pipeline.counters
            heard = [key for key in ("depth", "snapshots", "trades", "quotes", "tickers", "marks", "open_interests")
                     if after[key] > before[key]]
            assert heard, f"{channel} of {listed.instrument.symbol} says nothing"


@pytest.mark.parametrize("venue", SPOKEN)
def test_what_the_venue_lacks_is_refused_in_its_own_words(venue):
    """A symbol that is not traded: the venue's error, which the SPEC reads as one."""
    wire = Wire(venue, 1)
    spec = wire.spec
    listed = wire.speech.listed[0]
    other = listed.instrument.symbol.replace("BTC", "NOPE").replace("XBT", "NOPE").replace("btc", "nope")
    streams = spec.streams([other], ["trades"], market=listed.market or None)
    wire.subscribe(streams)
    assert not wire.names
    if ROWS[venue].silent_refusal:
        return                              # it says nothing, or acknowledges it: such a symbol stays silent
    assert [control.kind for control in wire.controls if control.kind == "error"], wire.controls


@pytest.mark.parametrize("venue", SPOKEN)
@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"x"', "{}", '{"op":7}', '{"method":"subscribe"}',
                                  '{"event":"subscribe","channel":[]}', '{"op":"subscribe","args":[null]}'])
def test_what_is_no_request_does_no_harm(venue, text):
    wire = Wire(venue, 1)
    for ask in wire.speech.read(text, wire.line):
        assert ask.kind in ("reply", "close", "subscribe", "unsubscribe")
        if ask.kind in ("subscribe", "unsubscribe"):
            assert wire.speech.answer(ask, [], ask.names, wire.line) is not None


@pytest.mark.parametrize("venue", SPOKEN)
def test_the_simulated_list_is_read_as_the_venues(venue):
    """Every address of the venue's list is answered, and gives what is traded with its steps and its name."""
    wire = Wire(venue, 1)
    spec = wire.spec
    found = {}
    for market, addresses in spec.instruments_addresses.items():
        left = list(addresses)
        while left:
            address = left.pop(0)
            place = urlsplit(address)
            query = {key: values[0] for key, values in parse_qs(place.query).items()} | {"body": place.fragment}
            status, body = wire.speech.rest("POST" if place.fragment else "GET", place.path, query, wire.hall)
            assert status == 200
            found |= {(item.symbol, item.market or market): item for item in spec.read_instruments(body)}
            left += spec.next_page(address, body)
    for listed in wire.speech.listed:
        it = listed.instrument
        item = found[it.symbol, listed.market]
        assert (item.kind, item.base, item.quote) == (listed.kind, listed.base, listed.quote)
        if item.tick_size:
            assert item.tick_size == step(it.tick_units, it.price_decimals)
        assert item.status == "trading"


# ---- helpers of the dialects

def test_how_values_are_written():
    assert write({"a": [Bare("1.50"), "x\"y", 7, None, True], "b": {}}) == '{"a":[1.50,"x\\"y",7,null,true],"b":{}}'
    assert decimal(-1005, 3) == "-1.005"
    assert decimal(7, 0) == "7"
    assert (trimmed("0.500"), trimmed("61800.00"), trimmed("100")) == ("0.5", "61800", "100")
    assert step(50, 2) == "0.5"
    assert iso(1_790_000_000_123_456_789, 3) == "2026-09-21T14:13:20.123Z"
    assert iso(1_790_000_000_123_456_789, 0, "+00:00") == "2026-09-21T14:13:20+00:00"
