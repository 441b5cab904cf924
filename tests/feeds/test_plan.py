"""Addresses, streams spread over connections within the limits, plans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feeds.plan import (
    MISSES,
    PlanError,
    argument_chars,
    check_lists,
    check_url,
    connect_url,
    frame_bytes,
    has_room,
    make_plan,
    moved,
    request_group,
    rest_beside,
    snapshot_times,
    spread,
)
from feeds.venue import Limits, Stream, UnsupportedChannel
from feeds.venues import VENUES, load


def test_addresses_move_and_keep_their_paths():
    assert moved("wss://fstream.binance.com/public", "ws://127.0.0.1:9000") == "ws://127.0.0.1:9000/public"
    assert moved("wss://stream.binance.com:9443", "ws://[::1]:9/") == "ws://[::1]:9"
    assert moved("wss://stream.binance.com:9443", None) == "wss://stream.binance.com:9443"
    assert moved("wss://ws.example.com?snapshot=-1", "ws://127.0.0.1:9") == "ws://127.0.0.1:9?snapshot=-1"
    assert moved("https://api.example.com/bullet", "http://127.0.0.1:9/") == "http://127.0.0.1:9/bullet"
    assert rest_beside("ws://127.0.0.1:9000") == "http://127.0.0.1:9000"
    assert rest_beside("wss://example.com") == "https://example.com"


@pytest.mark.parametrize("url", [
    "127.0.0.1:9000", "http://127.0.0.1", "ws://", "ws://host:port", "ws://host:99999", "ws://host/path",
    "ws://host?x=1", "ws://user@host", "", None, 9000,
])
def test_addresses_that_are_none(url):
    with pytest.raises(ValueError, match="url must be ws://host:port or wss://host:port and nothing else"):
        check_url("url", url, ("ws", "wss"))


def test_streams_are_spread_by_root_and_in_order():
    asked = [Stream(f"s{number}", "public" if number % 3 else "market", "S", "book") for number in range(9)]
    lists = spread(asked, 4)
    assert [[stream.name for stream in held] for held in lists] == [
        ["s0", "s3", "s6"], ["s1", "s2", "s4", "s5"], ["s7", "s8"]]
    assert spread([], 4) == []
    assert [len(held) for held in spread(asked, 0)] == [3, 6]


def test_streams_go_into_the_address_if_it_can_hold_them():
    spec = load("binance_spot")
    assert connect_url(spec, "ws://h", ["a@trade", "b@trade"]) == (
        "ws://h/stream?streams=a@trade/b@trade", ("a@trade", "b@trade"))
    assert connect_url(spec, "ws://h", []) == ("ws://h/stream", ())
    assert connect_url(spec, "ws://h", ["x" * 30] * 100) == ("ws://h/stream", ())
    unable = replace(spec, connect_path=lambda names: "/ws")
    assert connect_url(unable, "ws://h", ["a"]) == ("ws://h/ws", ())


def test_a_request_holds_what_fits_into_one_frame():
    def by_channel(names, number):
        assert len(names) <= 3 or not limited, "a frame holds three"
        channels = {name.partition(":")[0] for name in names}
        return [f"{channel} {number}" for channel in channels]

    def three_a_frame(names, number):
        return [f"{names[at:at + 3]}" for at in range(0, len(names), 3)]

    limited = False
    names = [f"{channel}:{symbol}" for symbol in "ABCD" for channel in ("book", "trades")]
    assert request_group(by_channel, names, 0) == ["book:A", "book:B", "book:C", "book:D"]
    assert request_group(by_channel, names, 2) == ["book:A", "book:B"]
    assert request_group(three_a_frame, names, 0) == names[:2]          # eight, four, two
    assert request_group(lambda some, number: [str(name) for name in some], names, 5) == names[:1]
    assert request_group(lambda some, number: [], names, 5) == names[:1]
    far = [*["a:1"], *[f"b:{number}" for number in range(MISSES)], "a:2"]
    limited = True
    assert request_group(by_channel, far, 0) == ["a:1"]         # it does not look through thousands
    assert request_group(by_channel, [*far[:-2], "a:2"], 0) == ["a:1", "a:2"]


# ---- what a connection, a request and an address may have

FREE = Limits(streams_per_connection=0, messages_per_second=0, streams_per_request=0, connections_per_5_minutes=0,
              connection_lifetime_s=0, rest_weight_per_minute=0)


def with_limits(venue="binance_spot", **limits):
    """A venue with these limits and no others."""
    return replace(load(venue), limits=replace(FREE, **limits))


def streams(*names, root="public"):
    return [Stream(name, root, name.upper(), "trades") for name in names]


def test_the_arguments_of_a_connection_may_have_so_many_characters():
    assert argument_chars("abc") == len('"abc",')
    asked = streams(*(f"s{number:02d}" for number in range(7)))
    assert [len(held) for held in spread(asked, 0, 18)] == [3, 3, 1]
    assert [len(held) for held in spread(asked, 2, 18)] == [2, 2, 2, 1]
    held = {stream.name: stream for stream in asked[:3]}
    limits = replace(FREE, argument_chars=24)
    assert has_room(held, asked[3], limits)
    assert not has_room({**held, "s03": asked[3]}, asked[4], limits)
    assert not has_room(held, asked[3], replace(FREE, streams_per_connection=3))
    assert has_room(held, asked[3], FREE)


@pytest.mark.parametrize("venue", ["binance_spot", "okx", "bitget", "kraken", "deribit"])
@pytest.mark.parametrize("longest", [200, 512, 4096])
def test_a_request_has_at_most_so_many_bytes(venue, longest):
    spec = load(venue)
    names = [stream.name for stream in spec.streams([f"S{number}-USDT" for number in range(300)], ["trades"])]
    group = request_group(spec.subscribe, names, 0, longest)
    size = frame_bytes(spec.subscribe(group, 12345))
    more = frame_bytes(spec.subscribe(names[:len(group) + 1], 12345))
    assert size <= longest
    assert len(group) == 300 or more > longest - 20, "as many as fit, but for the digits of a long request id"
    assert len(request_group(spec.subscribe, names, 0)) == 300


def test_bytes_are_counted_and_not_letters():
    spec = load("binance_spot")
    names = ["币安人生usdt@trade", "我踏马来了usdt@trade"]
    assert request_group(spec.subscribe, names, 0, 95) == names[:1]
    assert request_group(spec.subscribe, names, 0, 110) == names


@pytest.mark.parametrize("limits, count, says", [
    ({"streams": 9}, 10, r"10 streams, and one address may have 9 \(streams\)"),
    ({"connections": 4, "streams_per_connection": 2}, 9,
     r"5 connections are needed for 9 streams, and one address may have 4 open \(connections\)"),
    ({"request_bytes": 30}, 1, r"the request for s0 has \d+ bytes, and the venue takes 30 \(request_bytes\)"),
    ({"argument_chars": 4}, 1, r"s0 is longer than the 4 characters .*\(argument_chars\)"),
    ({"operations_per_hour": 3, "streams_per_request": 2}, 7,
     r"4 requests for 7 streams of one connection, and it may make 3 in an hour \(operations_per_hour\)"),
])
def test_a_plan_beyond_a_limit_says_which(limits, count, says):
    spec = with_limits(**limits)
    asked = streams(*(f"s{number}" for number in range(count)))

    def lists(some):
        return spread(some, spec.limits.streams_per_connection)

    with pytest.raises(PlanError, match=f"binance_spot: {says}") as caught:
        check_lists(spec, lists(asked))
    assert caught.value.limit == list(limits)[0]
    if count > 1:
        check_lists(spec, lists(asked[:-1]))
        if caught.value.limit in ("streams", "connections"):        # what there is already counts too
            with pytest.raises(PlanError):
                check_lists(spec, lists(asked[:-1]), streams=1, connections=1)


# ---- what a subscription will take

def test_a_plan_of_few_streams_takes_no_time():
    plan = make_plan(load("binance_usdm"), ["btcusdt", "ETHUSDT", "btcusdt"], ["book", "mark"])
    assert [(line.root, line.streams, line.by_address, line.requests) for line in plan.lines] == [
        ("public", 2, True, 0), ("market", 2, True, 0)]
    assert (plan.streams, plan.requests, plan.request_bytes, plan.seconds) == (4, 0, 0, 0.0)
    assert (plan.snapshots, plan.snapshot_weight) == (2, 20)
    assert plan.tightest.limit == "rest_weight_per_minute"              # 40 of 2400: nothing else is used more
    assert {bound.limit: bound.used for bound in plan.bounds} == {
        "streams_per_connection": 2, "connections_per_5_minutes": 2, "rest_weight_per_minute": 40}


def test_the_snapshots_of_many_books_take_minutes():
    symbols = [f"S{number}USDT" for number in range(1000)]
    plan = make_plan(load("binance_usdm"), symbols, ["book", "trades"])
    assert [line.streams for line in plan.lines] == [1024, 976]
    assert [line.requests for line in plan.lines] == [6, 5]             # 200 a request
    assert plan.seconds == 8 * 60                                       # 120 a minute, the last 40 after eight
    assert plan.tightest == ("rest_weight_per_minute", 2400, 20_000, 480.0)
    partial = make_plan(load("binance_usdm"), symbols, ["book"], depth=20)
    assert (partial.snapshots, partial.seconds) == (0, 0.0)


def test_requests_of_one_stream_each_take_time():
    plan = make_plan(with_limits("htx", messages_per_second=10, streams_per_request=1),
                     [f"s{number}usdt" for number in range(100)], ["trades"])
    assert (plan.requests, plan.seconds) == (100, 9.0)
    assert plan.tightest == ("messages_per_second", 10, 100, 9.0)
    slow = make_plan(with_limits("htx", messages_per_second=0.5, streams_per_request=1), ["a", "b", "c"], ["trades"])
    assert slow.seconds == 4.0


def test_connections_may_take_longest():
    spec = with_limits(streams_per_connection=1, connections_per_5_minutes=10, connections_per_second=2)
    plan = make_plan(spec, [f"s{number}" for number in range(25)], ["trades"])
    assert len(plan.lines) == 25
    assert plan.seconds == 600.0
    assert plan.tightest == ("connections_per_5_minutes", 10, 25, 600.0)
    assert {bound.limit: bound.seconds for bound in plan.bounds}["connections_per_second"] == 12.0


def test_snapshots_wait_for_their_streams_and_for_the_rate_of_requests():
    assert snapshot_times([0, 0, 0, 5, 5], 25, replace(FREE, rest_weight_per_minute=50)) == [0, 0, 60, 60, 120]
    assert snapshot_times([0, 0, 0], 1, replace(FREE, rest_per_second=2)) == [0, 0.5, 1.0]
    assert snapshot_times([1, 2], 1, FREE) == [1, 2]


@pytest.mark.parametrize("venue", VENUES)
def test_every_venue_can_be_planned(venue):
    """A few hundred streams of each channel: on connections with no more than fits, by requests with no more bytes."""
    spec = load(venue)
    symbols = [f"{letter}{number}-USDT" for letter in "ABC" for number in range(40)]
    for channel in spec.channels:
        try:
            plan = make_plan(spec, symbols, [channel])
        except PlanError as error:
            assert getattr(spec.limits, error.limit) > 0
            continue
        except (UnsupportedChannel, ValueError):        # its symbols look otherwise, or it wants a depth
            continue
        assert sum(line.streams for line in plan.lines) == plan.streams
        assert all(0 < line.streams <= (spec.limits.streams_per_connection or 10_000) for line in plan.lines)
        assert 0 <= plan.seconds < 3600
        assert all(bound.allowed > 0 and bound.used > 0 for bound in plan.bounds)


def test_a_plan_of_what_the_venue_lacks():
    with pytest.raises(UnsupportedChannel, match="has no channel"):
        make_plan(load("binance_spot"), ["A"], ["mark"])
    with pytest.raises(UnsupportedChannel, match="has no market"):
        make_plan(load("binance_spot"), ["A"], ["book"], market="linear")
