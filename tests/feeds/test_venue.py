"""What a venue file is made of: addresses, checks that list what there is, answers and errors read from any bytes."""

from __future__ import annotations

import random
from dataclasses import fields, replace

import pytest

from feeds.venue import (
    ERRORS,
    Answer,
    BadSymbol,
    Count,
    Link,
    Maintenance,
    NotAuthorised,
    RateLimited,
    Stream,
    StreamLost,
    UnsupportedChannel,
    VenueError,
    VenueSpec,
    check_known,
    each_once,
    error_code,
    frame_text,
    instruments_at,
    pick_book,
    read_object,
    request_number,
)
from tests.own import own_spec

SPEC = own_spec(fields=[])


def address(symbol: str, limit: int, market: str) -> str:
    return f"https://api.own.example/v1/{market or 'spot'}/depth?symbol={symbol}&limit={limit}"


# ---- the spec

def test_the_address_of_a_snapshot():
    spec = replace(SPEC, snapshot_address=address, snapshot_limit=500, markets=("spot", "futures"))
    assert spec.snapshot_url("BTC") == "https://api.own.example/v1/spot/depth?symbol=BTC&limit=500"
    assert spec.snapshot_url("BTC", limit=50, market="futures") == (
        "https://api.own.example/v1/futures/depth?symbol=BTC&limit=50")
    for root in ("http://localhost:8080", "http://localhost:8080/"):
        assert spec.snapshot_url("BTC", root) == "http://localhost:8080/v1/spot/depth?symbol=BTC&limit=500"


def test_a_venue_without_snapshots_by_rest_says_so():
    with pytest.raises(UnsupportedChannel, match="own has no snapshots by REST"):
        SPEC.snapshot_url("BTC")


def test_channels_are_checked():
    SPEC.check_channels([])
    SPEC.check_channels(["book", "trades", "book"])
    with pytest.raises(UnsupportedChannel, match="own has no channel 'mark', 'x'; it has: book, trades"):
        SPEC.check_channels(["book", "mark", "x"])


@pytest.mark.parametrize(("markets", "asked", "found"), [
    ((), None, ""), ((), "", ""), (("spot", "swap"), None, "spot"), (("spot", "swap"), "spot", "spot"),
    (("spot", "swap"), "swap", "swap")])
def test_the_market_that_is_meant(markets, asked, found):
    assert replace(SPEC, markets=markets).check_market(asked) == found


@pytest.mark.parametrize(("markets", "asked", "text"), [
    ((), "spot", "own has no market 'spot'; it has: one market only"),
    (("spot", "swap"), "x", "own has no market 'x'; it has: spot, swap"), (("spot", "swap"), "", "it has: spot, swap"),
    (("spot", "swap"), "Spot", "it has: spot, swap")])
def test_a_market_that_is_not_there(markets, asked, text):
    with pytest.raises(UnsupportedChannel, match=text):
        replace(SPEC, markets=markets).check_market(asked)


def test_a_spec_cannot_be_changed():
    with pytest.raises(AttributeError):
        SPEC.name = "other"
    assert {field.name for field in fields(VenueSpec)} >= {"evidence", "resync", "count", "pings"}


def test_the_rules_have_the_numbers_of_the_core():
    """`feeds.sync` and `feeds.message` name the same."""
    assert [link.value for link in (Link.NONE, Link.RANGE, Link.PREVIOUS, Link.COUNTER, Link.RISES, Link.CHAIN,
                                    Link.NOT_BELOW, Link.OVERLAP, Link.OFFSETS, Link.CONNECTION,
                                    Link.OVERLAP_OR_WHOLE)] == list(range(11))
    assert [count.value for count in (Count.NONE, Count.NEXT, Count.EACH_ONCE)] == [0, 1, 2]


# ---- errors

@pytest.mark.parametrize(("reason", "kind", "reaction"), [
    ("rate_limit", RateLimited, "wait"), ("bad_symbol", BadSymbol, "skip"), ("maintenance", Maintenance, "reconnect"),
    ("authorisation", NotAuthorised, "skip"), ("stream_lost", StreamLost, "resubscribe"), ("", VenueError, "report")])
def test_errors_have_a_type_and_a_reaction(reason, kind, reaction):
    error = ERRORS[reason]("own", 60012, "Invalid request")
    assert type(error) is kind
    assert (error.venue, error.code, error.text, error.reaction) == ("own", 60012, "Invalid request", reaction)
    assert str(error) == "own: Invalid request (code 60012)"
    assert str(kind("own", None, "text")) == "own: text"
    assert str(kind("own", 0, "text")) == "own: text (code 0)"
    assert isinstance(error, VenueError)


# ---- reading what a venue sends

@pytest.mark.parametrize(("payload", "text", "message"), [
    (b'{"op":"pong"}', '{"op":"pong"}', {"op": "pong"}), (b"pong", "pong", {}), (b"", "", {}), (b"[1]", "[1]", {}),
    (b"null", "null", {}), (b'"x"', '"x"', {}), (b'{"a":', '{"a":', {}), (b"\xff{}", "\ufffd{}", {}),
    (b'{"a":NaN}', '{"a":NaN}', None), (bytearray(b"{}"), "{}", {}), (memoryview(b'{"a":1}'), '{"a":1}', {"a": 1})])
def test_any_frame_is_text_and_perhaps_an_object(payload, text, message):
    found, got = read_object(payload)
    assert found == text
    assert isinstance(got, dict)
    assert message is None or got == message


def test_deep_nesting_is_no_object():
    assert read_object(b'{"a":' * 100_000)[1] == {}
    assert read_object(b"[" * 100_000)[1] == {}


def test_random_bytes_are_read(seed):
    rng = random.Random(seed)
    for _ in range(3000):
        text, message = read_object(bytes(rng.choices(b'{}[]:,"\\0a\xff\xc3n', k=rng.randint(0, 12))))
        assert isinstance(text, str)
        assert isinstance(message, dict)


@pytest.mark.parametrize(("told", "number"), [
    (5, 5), ("5", 5), ("005", 5), (0, 0), (None, None), ("", None), ("x", None), (-1, None), ("1.0", None), (1.5, None),
    (True, None), ({}, None), ("²", None), ("9" * 18, 10**18 - 1), ("9" * 5000, None), ([1], None)])
def test_the_number_of_a_request(told, number):
    assert request_number(told) == number


@pytest.mark.parametrize(("told", "code"), [(60012, 60012), ("60012", "60012"), (0, 0), ("", ""), (None, None),
                                            ({}, None), ([], None), (1.5, None)])
def test_an_error_code(told, code):
    assert error_code(told) == code


# ---- what requests and lists are made with

def test_requests_are_json_without_spaces():
    assert frame_text({"op": "subscribe", "args": ["牛来USDT", 1]}) == '{"op":"subscribe","args":["牛来USDT",1]}'


def test_what_is_not_known_lists_what_is():
    check_known("own", "speed", "100ms", ("100ms", "1s"))
    check_known("own", "depth", 5, range(1, 10))
    with pytest.raises(UnsupportedChannel, match="own has no speed '5ms'; it has: 100ms, 1s"):
        check_known("own", "speed", "5ms", ("100ms", "1s"))
    with pytest.raises(UnsupportedChannel, match="own has no depth 50; it has: 1 to 9"):
        check_known("own", "depth", 50, range(1, 10), "1 to 9")


def test_a_stream_that_two_channels_share_is_named_once():
    one, two = Stream("t", "public", "X", "ticker"), Stream("t", "public", "X", "mark")
    other = Stream("b", "public", "X", "book")
    assert each_once([one, other, two]) == [one, other]
    assert each_once([]) == []


def test_addresses_of_lists():
    read = instruments_at("/instruments", "/symbols")
    assert read("https://own.example/v5/instruments?type=SPOT") == Answer("instruments")
    assert read("https://own.example/symbols") == Answer("instruments")
    assert read("https://own.example/book?x=/symbols") is None
    assert read("") is None


def test_the_first_book_that_fits_and_a_list_of_those_there_are():
    books = {(150, ""): "a", (20, ""): "b", (150, "1s"): "c"}
    assert [pick_book("own", books, *asked) for asked in ((None, None), (20, None), (None, "1s"), (150, "1s"))] == [
        "a", "b", "c", "c"]
    for asked in ((5, None), (20, "1s"), (None, "100ms")):
        with pytest.raises(UnsupportedChannel, match=r"it has: 150, 20, 150 \(1s\)$"):
            pick_book("own", books, *asked)
