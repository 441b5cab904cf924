"""Addresses, streams spread over connections, and the queue of `async for`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feeds.plan import MISSES, EventQueue, check_url, connect_url, moved, request_group, rest_beside, spread
from feeds.venue import Stream
from feeds.venues import load


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
    streams = [Stream(f"s{number}", "public" if number % 3 else "market", "S", "book") for number in range(9)]
    lists = spread(streams, 4)
    assert [[stream.name for stream in held] for held in lists] == [
        ["s0", "s3", "s6"], ["s1", "s2", "s4", "s5"], ["s7", "s8"]]
    assert spread([], 4) == []
    assert [len(held) for held in spread(streams, 0)] == [3, 6]


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


class Event:
    def copy(self):
        return "copy"


class NamedBook:
    symbol = "X"


def test_the_queue_keeps_the_newest_and_counts_the_rest():
    woken = []
    queue = EventQueue(3, lambda: woken.append(True))
    books = [NamedBook() for _ in range(5)]
    for book in books:
        queue.on_book(book)
        queue.on_book(book)         # the second time it is already waiting
    assert (len(queue), queue.dropped, len(woken)) == (3, 2, 1)
    queue.on_book(books[0])         # dropped before, so it comes in again
    assert [queue.take() for _ in range(3)] == [books[3], books[4], books[0]]
    with pytest.raises(IndexError):
        queue.take()
    queue.limit = 4
    queue.on_trade(Event())
    queue.on_open_interest(Event())
    queue.on_status(books[0], 1, 2, "joined")
    queue.on_status(None, None, None, "bad message")
    assert [queue.take() for _ in range(4)] == [
        "copy", "copy", ("X", books[0], 1, 2, "joined"), ("", None, None, None, "bad message")]
    assert len(woken) == 2
