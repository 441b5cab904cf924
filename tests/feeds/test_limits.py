"""A venue's limits, held by the simulated venue and kept by the client, in virtual time and over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

import feeds
from feeds.connection import message_window
from feeds.plan import make_plan
from feeds.rest import RestError, shared_places, with_slack
from feeds.session import Feed
from feeds.simulator.live import LiveSource
from feeds.simulator.server import FIRST_BAN_S, REFUSALS_BORNE, Server
from feeds.venues import load

SYMBOLS = [f"S{number:04d}USDT" for number in range(2000)]
CHANNELS = ("book", "trades", "quotes")
pytestmark = pytest.mark.usefixtures("thin_markets")


@asynccontextmanager
async def serving(venue="binance_spot", symbols=("BTCUSDT", "ETHUSDT"), rate=2.0, **dialect):
    """The simulated venue with its limits, those in `dialect` changed; and an HTTP session."""
    server = Server(LiveSource(venue, symbols, rate=rate, seed=1))
    server._dialect = replace(server._dialect, **dialect)
    await server.start()
    running = asyncio.create_task(server.run())
    try:
        async with aiohttp.ClientSession(base_url=server.url.replace("ws", "http", 1)) as session:
            yield server, session
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()


def limited(monkeypatch, venue="binance_spot", **limits):
    """Let the client believe in other limits."""
    spec = load(venue)
    changed = replace(spec, limits=replace(spec.limits, **limits))
    monkeypatch.setattr("feeds.session.load", lambda name, wire=None: changed)
    return changed


def connect(server, symbols=("BTCUSDT",), channels=("book",), venue="binance_spot", **options) -> Feed:
    return feeds.connect(venue, symbols, channels, url=server.url, **options)


# ---- the plan of thousands

def test_two_thousand_symbols_of_three_channels_start_within_the_limits(virtually, caplog):
    """No refusal, no 429, and hardly longer than the venue's limits make it last."""
    plan = make_plan(load("binance_spot"), SYMBOLS, CHANNELS)
    assert (plan.streams, len(plan.lines), plan.snapshots) == (6000, 6, 2000)
    assert plan.seconds == 960.0            # 120 snapshots of weight 50 a minute: the last 80 after 16 minutes

    async def scenario():
        loop = asyncio.get_running_loop()
        async with serving(symbols=SYMBOLS, rate=0.02) as (server, _):
            began = loop.time()
            feed = connect(server, SYMBOLS, CHANNELS)
            feed.timing = replace(feed.timing, look=0.2, check=2.0)     # fewer looks, of which most would see nothing
            async with feed:
                await feed.wait_live(1.2 * plan.seconds)
                took = loop.time() - began
                return took, server.refused, feed.stats(), len(feed.symbols)

    with caplog.at_level(logging.ERROR):
        took, refused, stats, books = virtually(scenario())
    assert plan.seconds <= took <= 1.2 * plan.seconds
    assert not refused
    assert books == 2000
    assert stats["rest"]["requests"] == stats["rest"]["snapshots"] == 2000
    assert stats["rest"]["failures"] == 0
    assert stats["errors"] == []
    assert [(line["opens"], line["confirmed"]) for line in stats["lines"]] == [(1, 1024)] * 5 + [(1, 880)]
    assert not caplog.records


def test_the_limits_are_held_where_the_client_does_not_keep_them(virtually, monkeypatch):
    """The test above can fail: a client that believes in twice the weight is refused, and gets there all the same."""
    limited(monkeypatch, rest_weight_per_minute=2400)

    async def scenario():
        async with serving(symbols=SYMBOLS[:60], weight_per_minute=1200) as (server, _), \
                connect(server, SYMBOLS[:60]) as feed:
            await feed.wait_live(600)
            return server.refused, feed.stats()["rest"]

    refused, rest = virtually(scenario())
    assert set(refused) == {"rest_weight_per_minute"}
    assert rest["failures"] == refused["rest_weight_per_minute"] > 0
    assert rest["snapshots"] == 60


def test_several_feeds_of_a_process_share_one_budget(virtually):
    """Three feeds, 180 snapshots at 24 a minute: nobody is refused, and it takes as long as for one feed."""
    async def scenario():
        loop = asyncio.get_running_loop()
        async with serving(symbols=SYMBOLS[:180], rate=0.2, weight_per_minute=1200) as (server, _):
            began = loop.time()
            parts = [SYMBOLS[:60], SYMBOLS[60:120], SYMBOLS[120:180]]
            lists = [connect(server, part) for part in parts]
            for feed in lists:
                window = feed.rest.window()
                window.limit = 1200.0           # what the server holds; the venue's own would be 6000
            assert len({id(feed.rest.window()) for feed in lists}) == 1
            await asyncio.gather(*(feed.__aenter__() for feed in lists))
            await asyncio.gather(*(feed.wait_live(700) for feed in lists))
            took = loop.time() - began
            await asyncio.gather(*(feed.close() for feed in lists))
            return took, server.refused

    took, refused = virtually(scenario())
    assert not refused
    assert 420 <= took <= 1.2 * 420             # 180 / 24 - 1 minutes after the first


def test_what_others_use_behind_the_same_address_is_counted(virtually):
    """The venue's header says how much is used: the client waits although it has asked for nothing itself."""
    async def scenario():
        async with serving() as (server, session):
            for _ in range(23):                 # 23 times 250 of 6000, by another program
                async with session.get("/api/v3/depth?symbol=BTCUSDT&limit=5000") as answer:
                    assert answer.status == 200
            async with connect(server, ["BTCUSDT", "ETHUSDT"]) as feed:
                await feed.wait_live(200)
                for _ in range(10):
                    await feed.rest.get(feed.spec.snapshot_url("BTCUSDT", feed.rest.moved_to), 50)
            return server.refused

    assert not virtually(scenario())


def test_requests_of_a_second_are_kept_apart_from_their_weight(virtually, monkeypatch):
    limited(monkeypatch, rest_per_second=0.5)

    async def scenario():
        loop = asyncio.get_running_loop()
        async with serving(symbols=SYMBOLS[:4]) as (server, _), connect(server, SYMBOLS[:4]) as feed:
            began = loop.time()
            await feed.wait_live(60)
            return loop.time() - began, feed.rest.window().used

    took, used = virtually(scenario())
    assert 6 <= took <= 11                      # one in two seconds, four of them, the first when a delta has come
    assert used == 200


# ---- 429 and 418

def test_a_client_that_is_refused_waits_as_long_as_it_is_told(virtually):
    """429 by a budget that another program has used up: one pause, then all is well, and no ban."""
    async def scenario():
        loop = asyncio.get_running_loop()
        async with serving(weight_per_minute=600) as (server, session):
            await asyncio.sleep(60 - loop.time() % 60 + 5)          # five seconds into a minute of the venue
            for _ in range(12):
                async with session.get("/api/v3/depth?symbol=BTCUSDT&limit=1000") as answer:
                    assert answer.status == 200
            began = loop.time()
            async with connect(server, ["BTCUSDT", "ETHUSDT"]) as feed:
                await feed.wait_live(200)
                return loop.time() - began, server.refused["rest_weight_per_minute"], server._banned_until

    took, refused, banned = virtually(scenario())
    assert 54 <= took <= 58                     # until the venue's next minute
    assert 1 <= refused <= 2                    # what was on its way at once
    assert not banned


def test_who_does_not_heed_429_is_banned_and_twice_as_long_the_next_time(virtually):
    async def scenario():
        async with serving(weight_per_minute=100) as (server, session):
            async def ask():
                async with session.get("/api/v3/depth?symbol=BTCUSDT&limit=100") as answer:
                    body = await answer.json()
                    return answer.status, int(answer.headers.get("Retry-After", 0)), body.get("msg", "")

            loop = asyncio.get_running_loop()
            bans = []
            for _ in range(2):
                await asyncio.sleep(60 - loop.time() % 60)
                seen = [await ask() for _ in range(20 + REFUSALS_BORNE + 3)]
                assert [status for status, _, _ in seen] == [200] * 20 + [429] * REFUSALS_BORNE + [418] * 3
                assert all(0 < wait <= 60 for status, wait, _ in seen if status == 429)
                assert "banned until" in seen[-1][2]
                bans.append(seen[-1][1])
                await asyncio.sleep(bans[-1] - 1)
                assert (await ask())[0] == 418
                await asyncio.sleep(1.1)
                assert (await ask())[0] == 200
            return bans

    assert virtually(scenario()) == [FIRST_BAN_S, 2 * FIRST_BAN_S]


def test_a_banned_client_asks_nothing_until_the_ban_is_over(virtually):
    async def scenario():
        loop = asyncio.get_running_loop()
        async with serving() as (server, _):
            server._banned_until = loop.time() + 300.0
            async with connect(server) as feed, asyncio.timeout(400):
                await feed.wait_live()
                assert loop.time() >= server._banned_until
                with pytest.raises(RestError, match="wants no requests for"):
                    feed.rest.window().block(100.0)
                    await feed.rest.get(feed.spec.snapshot_url("BTCUSDT", feed.rest.moved_to), 50)
            return server.refused["rest_weight_per_minute"], server._ban_s

    refused, ban_s = virtually(scenario())
    assert refused == 1
    assert ban_s == FIRST_BAN_S                 # it has not been made longer


# ---- connections

async def closed_with(connection):
    """(code, texts before it) of a connection that the server ends."""
    texts = [message.data async for message in connection]
    return connection.close_code, texts


def test_too_many_messages_in_a_second_end_the_connection(virtually):
    async def scenario():
        async with serving() as (server, session):
            connection = await session.ws_connect("/ws")
            for number in range(5):
                await connection.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            await asyncio.sleep(1.1)
            for number in range(6):             # a ping counts as well
                await (connection.ping() if number == 2 else
                       connection.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            return *await closed_with(connection), server.refused

    code, texts, refused = virtually(scenario())
    assert code == 1008
    assert len(texts) == 9
    assert refused == {"messages_per_second": 1}


def test_the_client_stays_below_the_messages_of_a_second(virtually, monkeypatch):
    """One stream a request, 30 of them: no disconnect, in hardly more time than the limit makes it take."""
    monkeypatch.setattr("feeds.plan.LONGEST_URL", 0)
    limited(monkeypatch, streams_per_request=1)

    async def scenario():
        loop = asyncio.get_running_loop()
        symbols = SYMBOLS[:30]
        async with serving(symbols=symbols) as (server, _), connect(server, symbols, ["trades"]) as feed:
            began = loop.time()
            while feed.stats()["lines"][0]["confirmed"] < 30:
                await asyncio.sleep(0.05)
            return loop.time() - began, server.refused

    took, refused = virtually(scenario())
    assert not refused
    assert 6 <= took <= 10                      # 30 at 5 a second; one a second is kept for pongs


@pytest.mark.parametrize("names, end", [
    ("/".join(f"s{n}@trade" for n in range(11)), (1008, "streams_per_connection")),
    ("/".join(f"s{n}@trade" for n in range(10)), None),
])
def test_an_address_may_ask_for_so_many_streams(virtually, names, end):
    async def scenario():
        async with serving(streams_per_connection=10) as (server, session):
            connection = await session.ws_connect(f"/stream?streams={names}")
            if end is not None:
                return (await closed_with(connection))[0], *server.refused
            await connection.send_json({"method": "SUBSCRIBE", "params": ["s0@trade"], "id": 1})
            assert await connection.receive_json() == {"result": None, "id": 1}         # it has that already
            await connection.send_json({"method": "SUBSCRIBE", "params": ["s99@trade"], "id": 2})
            answer = await connection.receive_json()
            assert (answer["code"], answer["id"]) == (2, 2)
            assert server.refused == {"streams_per_connection": 1}
            return None
    assert virtually(scenario()) == end


def test_a_request_may_name_so_many_streams_and_be_so_long(virtually):
    async def scenario():
        async with serving() as (server, session):
            connection = await session.ws_connect("/ws")
            for count in (200, 201):
                names = [f"s{number}@trade" for number in range(count)]
                await connection.send_json({"method": "SUBSCRIBE", "params": names, "id": count})
            assert await connection.receive_json() == {"result": None, "id": 200}
            assert (await connection.receive_json())["code"] == 2
            await connection.send_json({"method": "SUBSCRIBE", "params": ["x" * (1 << 16)], "id": 3})
            assert (await closed_with(connection))[0] == 1009
            return server.refused
    assert virtually(scenario()) == {"streams_per_request": 1}


def test_an_address_may_open_so_many_connections_in_five_minutes(virtually):
    async def scenario():
        async with serving(connections_per_5_minutes=3) as (server, session):
            for _ in range(3):
                await session.ws_connect("/ws")
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect("/ws")
            assert caught.value.status == 429
            await asyncio.sleep(301)
            await session.ws_connect("/ws")
            return server.refused
    assert virtually(scenario()) == {"connections_per_5_minutes": 1}


def test_the_client_opens_no_more_connections_than_it_may(virtually, monkeypatch):
    """Seven connections at three in five minutes: the last after ten, and `connect` waits for them without an error."""
    limited(monkeypatch, streams_per_connection=1, connections_per_5_minutes=3)

    async def scenario():
        loop = asyncio.get_running_loop()
        symbols = SYMBOLS[:7]
        async with serving(symbols=symbols, connections_per_5_minutes=3) as (server, _):
            began = loop.time()
            async with connect(server, symbols, ["trades"]):
                return loop.time() - began, server.refused

    took, refused = virtually(scenario())
    assert not refused
    assert 600 <= took <= 1.05 * 600


def test_connections_that_are_opened_one_after_the_other(virtually, monkeypatch):
    changed = limited(monkeypatch, streams_per_connection=1, connections_per_second=2, connections_per_minute=5)

    async def scenario():
        loop = asyncio.get_running_loop()
        symbols = SYMBOLS[:7]
        async with serving(symbols=symbols) as (server, _):
            times = []
            opened = server._too_many_connections
            monkeypatch.setattr(server, "_too_many_connections", lambda: times.append(loop.time()) or opened())
            async with connect(server, symbols, ["trades"]):
                return times

    times = virtually(scenario())
    assert len(times) == 7
    for most, seconds in ((2, 1.0), (5, 60.0)):
        assert all(later - time >= seconds for time, later in zip(times, times[most:], strict=False))
    assert times[-1] - times[0] < 65
    assert [name for name, _, _ in changed.limits.opening] == [
        "connections_per_5_minutes", "connections_per_minute", "connections_per_second"]


def test_one_address_has_only_so_many_connections_at_a_time(virtually, monkeypatch):
    limited(monkeypatch, connections=2)

    async def scenario():
        async with serving() as (server, _):
            first, second, third = (connect(server, ["BTCUSDT"], ["trades"]) for _ in range(3))
            async with first:
                async with second:
                    third.timing = replace(third.timing, first=5.0)
                    with pytest.raises(ConnectionError, match=r"no connection within 5 s: .* 2 connections of this "
                                                              r"program are open, and the venue allows no more"):
                        await third.__aenter__()
                async with connect(server, ["BTCUSDT"], ["trades"]):      # a place is free again
                    pass
            assert shared_places(server.url, 2).taken == 0
    virtually(scenario())


def test_a_connection_that_has_used_up_its_requests_is_replaced(virtually, monkeypatch):
    """Renewals are requests: four in an hour are its limit here, and a new connection has its own."""
    limited(monkeypatch, operations_per_hour=4)

    async def scenario():
        async with serving() as (server, _), connect(server, ["BTCUSDT", "ETHUSDT"], ["trades"]) as feed:
            line = feed.connections[0]
            heard = []
            client, = server.clients
            answer = client.answer
            monkeypatch.setattr(client, "answer", lambda text: heard.append(json.loads(text)) or answer(text))
            for _ in range(3):
                await asyncio.sleep(5)
                line.renew(["btcusdt@trade"])
            await asyncio.sleep(30)
            assert [request["method"] for request in heard] == ["UNSUBSCRIBE", "SUBSCRIBE"] * 2
            assert line.opens == 2
            assert "all the requests that the venue allows in an hour" in line.ended
            assert line.requests.confirmed == {"btcusdt@trade", "ethusdt@trade"}
    virtually(scenario())


# ---- what the client believes

@pytest.mark.parametrize("venue, limits", [
    ("binance_spot", {"streams_per_connection": 1024, "messages_per_second": 5, "connections_per_5_minutes": 300,
                      "rest_weight_per_minute": 6000}),
    ("binance_usdm", {"messages_per_second": 10, "rest_weight_per_minute": 2400}),
    ("okx", {"connections_per_second": 3, "operations_per_hour": 480, "request_bytes": 65536}),
    ("bitget", {"operations_per_hour": 240, "request_bytes": 4096, "connections": 100,
                "connections_per_5_minutes": 300}),
    ("bybit", {"argument_chars": 21_000, "streams_per_request": 10, "connections": 1000,
               "connections_per_5_minutes": 500}),
    ("bitfinex", {"streams_per_connection": 25, "connections_per_minute": 20}),
    ("bitmex", {"connections_per_second": 3, "rest_weight_per_minute": 30}),
    ("deribit", {"connections": 32, "rest_per_second": 1, "messages_per_second": 3.3}),
    ("coinbase_advanced", {"connections_per_second": 8, "messages_per_second": 8}),
    ("coinbase_exchange", {"connections_per_second": 8, "rest_per_second": 10}),
    ("kraken", {"rest_per_second": 1, "connections_per_5_minutes": 75}),
    ("kraken_futures", {"connections": 100, "messages_per_second": 100}),
    ("kucoin", {"connections": 800, "connections_per_minute": 30, "streams_per_connection": 300}),
    ("hyperliquid", {"streams": 1000, "connections": 10, "connections_per_minute": 30}),
    ("gateio", {"connections": 100}),
    ("bitstamp", {"request_bytes": 512, "streams_per_connection": 1024, "streams_per_request": 1}),
])
def test_the_venues_limits_are_those_of_their_documents(venue, limits):
    """As the venues' documentation or observers have them; see the source that each SPEC names."""
    known = load(venue).limits
    assert {name: getattr(known, name) for name in limits} == limits


# ---- how the client counts

@pytest.mark.parametrize("rate, at_once", [(5, 4), (10, 9), (3.3, 2), (2, 1), (1.0, 1), (0.5, 1)])
def test_one_message_of_a_second_is_kept_for_pongs(rate, at_once):
    now = [0.0]
    window = message_window(rate)
    window.clock = lambda: now[0]
    assert [window.take(1) for _ in range(at_once)] == [0.0] * at_once
    assert window.take(1) > 0
    now[0] = max(1.0, 1.0 / rate) + 0.26
    assert window.take(1) == 0


def test_no_rate_of_messages_is_no_limit():
    window = message_window(0)
    assert [window.take(1) for _ in range(1000)] == [0.0] * 1000


@pytest.mark.parametrize("late", [0.0, 0.2, 0.25])
def test_messages_that_arrive_late_are_not_too_many_at_the_venue(late, seed):
    """Each message may take up to `late` to arrive: no second of the venue sees more than it allows."""
    import random

    rng = random.Random(seed)
    now = [0.0]
    window = message_window(5)
    window.clock = lambda: now[0]
    arrived = []
    for _ in range(300):
        while wait := window.take(1):
            now[0] += wait
        arrived.append(max(arrived[-1:] + [now[0] + rng.uniform(0.0, late)]))       # one after the other: it is TCP
    assert all(later - first >= 1.0 for first, later in zip(arrived, arrived[5:], strict=False))


def test_windows_are_wider_than_what_the_venue_counts_over():
    assert [with_slack(seconds) for seconds in (1.0, 60.0, 300.0)] == [1.25, 61.0, 305.0]
