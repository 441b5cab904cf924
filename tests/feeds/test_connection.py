"""The life of a line: whatever ends it, a new one starts clean; what is asked for is answered or reported."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest

from feeds import plan, rest
from feeds.session import SubscribeError
from feeds.venues import load
from tests.loopback import PATIENCE, PING, PONG, close_frame, frame, until
from tests.market import QUICK, States, change_spec, quick, run


@pytest.fixture(autouse=True)
def fresh_windows(monkeypatch):
    """A port may be given out again, the window of its last owner must not."""
    monkeypatch.setattr(rest, "_windows", {})


# ---- lost and found

LOSSES = {
    "close 1000": lambda peer: peer.raw(close_frame(1000)),
    "close 1001": lambda peer: peer.raw(close_frame(1001, b"restart")),
    "close 1008": lambda peer: peer.raw(close_frame(1008)),
    "close 1011": lambda peer: peer.raw(close_frame(1011)),
    "hang up": lambda peer: peer.hang_up(),
    "reset": lambda peer: peer.reset(),
    "half a frame": lambda peer: (peer.raw(frame(1, b"{" * 100)[:50]), peer.hang_up()),
    "half a message": lambda peer: (peer.raw(frame(1, b'{"e":', fin=False)), peer.hang_up()),
    "bad bits": lambda peer: peer.raw(frame(1, b"{}", rsv=4)),
    "too large": lambda peer: peer.raw(frame(1, b" " * (load("binance_usdm").max_frame_size + 1))),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_kind_of_loss_is_followed_by_a_clean_start(loss):
    async def scenario(venue, market):
        states = States()
        async with quick(venue, ["BTCUSDT", "ETHUSDT"], handler=states) as feed, market.running():
            await feed.wait_live(PATIENCE)
            before = len(venue.requests)
            del states.changes[:]
            LOSSES[loss](venue.peer)
            await until(lambda: len(venue.peers) == 2, "a new connection")
            await until(lambda: len(venue.requests) >= before + 2, "new snapshots")
            await feed.wait_live(PATIENCE)
            for symbol in ("BTCUSDT", "ETHUSDT"):
                await until(lambda symbol=symbol: market.agrees(feed.book(symbol)))
                seen = [state for name, state in states.changes if name == symbol]
                assert seen[0] != "LIVE"
                assert seen[-1] == "LIVE"
            assert feed.stats()["lines"][0]["opens"] == 2
    run(scenario)


def test_a_silent_line_is_pinged_and_then_replaced(monkeypatch):
    change_spec(monkeypatch, ping_interval_s=0.02)

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]):
            first = await until(lambda: venue.peers and venue.peer)
            await until(lambda: len(venue.peers) == 2, "a new connection")
            assert (PING, b"") in first.received
    run(scenario)


def test_a_quiet_line_that_answers_pings_is_kept(monkeypatch):
    change_spec(monkeypatch, ping_interval_s=0.02)

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"], timing=replace(QUICK, pong=20)) as feed:
            answered = 0
            while answered < 5:
                pings = [payload for opcode, payload in venue.peer.received if opcode == PING]
                for payload in pings[answered:]:
                    venue.peer.raw(frame(PONG, payload))
                    answered += 1
                await asyncio.sleep(0.002)
            assert len(venue.peers) == 1
            assert feed.stats()["lines"][0]["opens"] == 1
    run(scenario)


def test_a_line_is_replaced_before_its_lifetime_ends(monkeypatch):
    change_spec(monkeypatch, {"connection_lifetime_s": 0.1})

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]), market.running():
            await until(lambda: len(venue.peers) >= 3)
            await until(lambda: venue.peers[0].closes == [1000])
    run(scenario)


@pytest.mark.parametrize("notice", [{"e": "serverShutdown", "E": 1770123456789},
                                    {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}}])
def test_a_shutdown_notice_is_followed_by_a_new_connection(notice):
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            venue.peer.send(notice)
            await until(lambda: len(venue.peers) == 2)
            await feed.wait_live(PATIENCE)
            assert "shutdown" in feed.stats()["lines"][0]["ended"]
    run(scenario)


# ---- requests and answers

def test_long_lists_are_subscribed_by_messages_in_batches(monkeypatch):
    change_spec(monkeypatch, {"streams_per_request": 4, "messages_per_second": 1000})
    monkeypatch.setattr(plan, "LONGEST_URL", 100)

    async def scenario(venue, market):
        symbols = [f"S{number}USDT" for number in range(10)]
        async with quick(venue, symbols) as feed, market.running():
            await feed.wait_live(PATIENCE)
            assert venue.peer.path == "/public/stream"
            requests = [json.loads(text) for text in venue.peer.texts]
            assert sorted(len(request["params"]) for request in requests) == [2, 4, 4]
            assert len({request["id"] for request in requests}) == 3
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 10)
    run(scenario)


def test_requests_keep_to_the_rate_of_messages(monkeypatch):
    change_spec(monkeypatch, {"streams_per_request": 1, "messages_per_second": 4})
    monkeypatch.setattr(plan, "LONGEST_URL", 0)

    async def scenario(venue, market):
        times = []
        venue.answer = lambda peer, text: (times.append(time.monotonic()), venue.acknowledge(peer, text))
        async with quick(venue, [f"S{number}" for number in range(4)]):
            await until(lambda: len(times) == 4)
        assert times[3] - times[0] > 0.5        # three at once, the fourth a second later
    run(scenario)


def test_a_missing_answer_is_reported_and_the_request_repeated(caplog):
    async def scenario(venue, market):
        venue.answer = lambda peer, text: None
        async with quick(venue, ["BTCUSDT"], timing=replace(QUICK, ack=0.03)) as feed:
            with pytest.raises((SubscribeError, TimeoutError), match="ethusdt@depth@100ms"):
                await feed.subscribe("ETHUSDT")
            await until(lambda: feed.stats()["refused"])
            assert feed.stats()["lines"][0]["missing_acks"] == 3
            assert [json.loads(text)["params"] for text in venue.peer.texts] == [["ethusdt@depth@100ms"]] * 3
            assert "no answer to request" in caplog.text
    run(scenario)


def test_renewing_unsubscribes_and_subscribes_again():
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT", "ETHUSDT"]) as feed:
            feed._connections[0].renew(["btcusdt@depth@100ms", "never@asked"])
            await until(lambda: len(venue.peer.texts) == 2)
            methods = [(request["method"], request["params"]) for request in map(json.loads, venue.peer.texts)]
            assert methods == [("UNSUBSCRIBE", ["btcusdt@depth@100ms"]), ("SUBSCRIBE", ["btcusdt@depth@100ms"])]
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
    run(scenario)
