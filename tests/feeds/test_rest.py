"""REST under a venue's limits: the budget, Retry-After, errors, and the snapshots a pipeline wants."""

from __future__ import annotations

import asyncio
import logging
import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest

from feeds import rest
from feeds.rest import Rest, RestError, Snapshots, Window, backoff_s, retry_after_s, shared_window
from feeds.venue import Limits
from tests.loopback import Venue, mute_server, until

LIMITS = Limits(streams_per_connection=10, messages_per_second=5, streams_per_request=10,
                connections_per_5_minutes=300, connection_lifetime_s=86400, rest_weight_per_minute=1000,
                weight_header="X-Used-Weight")


@pytest.fixture(autouse=True)
def fresh_windows(monkeypatch):
    """A port may be given out again, the window of its last owner must not."""
    monkeypatch.setattr(rest, "_windows", {})


def snapshot_address(symbol, base, limit, market=""):
    levels = "" if limit == 10 else f"&limit={limit}"
    return f"{base or 'https://api.test'}/depth?symbol={symbol}{market and '&market=' + market}{levels}"


def make_rest(venue, **changes):
    """A client of a made-up venue that is served at the port of `venue`."""
    spec = SimpleNamespace(name="test_venue", limits=LIMITS, rest_url="http://127.0.0.1:1", snapshot_limit=10,
                           snapshot_weight=lambda limit: limit,
                           snapshot_url=snapshot_address)
    client = Rest(spec, f"http://127.0.0.1:{venue.port}")
    client.backoff_base_s = 0.001
    for name, value in changes.items():
        setattr(client, name, value)
    return client


def run(scenario, **changes):
    """Run `scenario(venue, client)` against a server on loopback; the client is closed after it."""
    async def main():
        async with Venue() as venue:
            client = make_rest(venue, **changes)
            try:
                return await scenario(venue, client)
            finally:
                await client.close()
    return asyncio.run(main())


def answers(*given):
    """A `get` that gives these answers in turn, the last one for ever."""
    left = list(given)
    return lambda path: left.pop(0) if len(left) > 1 else left[0]


OK = (200, {}, b"{}")


# ---- the budget

class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_a_window_takes_what_fits_and_says_how_long_to_wait():
    clock = Clock()
    window = Window(100, 60, clock)
    assert window.take(60) == 0
    clock.now += 10
    assert window.take(40) == 0
    assert window.take(30) == pytest.approx(50)       # when the first 60 leave
    assert window.take(70) == pytest.approx(60)       # when the 40 have left too
    assert window.used == 100
    clock.now += 50
    assert window.used == 40
    assert window.take(60) == 0


def test_a_window_never_holds_more_than_its_limit(seed):
    import random

    rng = random.Random(seed)
    clock = Clock()
    window = Window(50, 10, clock)
    taken = []
    for _ in range(2000):
        weight = rng.randint(1, 25)
        wait = window.take(weight)
        if wait:
            assert sum(w for at, w in taken if at > clock.now - 10) + weight > 50, "it should have fitted"
            clock.now += min(wait, rng.uniform(0, 3))
        else:
            taken.append((clock.now, weight))
        assert sum(w for at, w in taken if at > clock.now - 10) <= 50


def test_a_weight_above_the_limit_waits_for_an_empty_window_and_passes():
    clock = Clock()
    window = Window(10, 60, clock)
    assert window.take(25) == 0
    assert window.take(25) == pytest.approx(60)
    clock.now += 61
    assert window.take(25) == 0


def test_a_window_believes_the_venue_when_it_has_counted_more():
    clock = Clock()
    window = Window(100, 60, clock)
    window.take(10)
    window.learn(95)
    assert window.used == 95
    assert window.take(10) > 0
    window.learn(5)         # a venue that counts by calendar minutes has begun a new one: nothing is given back
    assert window.used == 95


def test_a_window_counts_what_could_not_wait_and_may_have_no_limit():
    clock = Clock()
    window = Window(2, 60, clock)
    window.count(2)
    window.count(1)
    assert window.used == 3
    assert window.take(1) == pytest.approx(60)
    clock.now += 61
    assert window.take(2) == 0
    free = Window(0, 60, clock)
    assert [free.take(1000) for _ in range(5)] == [0.0] * 5
    free.block(7)
    assert free.take(1) == pytest.approx(7)


def test_a_block_keeps_everything_out_for_its_time():
    clock = Clock()
    window = Window(100, 60, clock)
    window.block(7)
    window.block(3)
    assert window.take(1) == pytest.approx(7)
    clock.now += 8
    assert window.take(1) == 0


def test_waiting_for_a_window():
    async def main():
        window = Window(1, 0.05)
        start = time.monotonic()
        for _ in range(3):
            await window.wait(1)
        assert time.monotonic() - start >= 0.1
    asyncio.run(main())


def test_one_window_for_each_host_and_kind():
    first = shared_window("rest", "https://api.example.com", 10)
    assert shared_window("rest", "https://api.example.com/other", 10) is first
    assert shared_window("connect", "https://api.example.com", 10) is not first
    assert shared_window("rest", "https://other.example.com", 10) is not first


def test_backoff_doubles_up_to_its_longest():
    for attempt, longest in [(1, 1), (2, 2), (3, 4), (10, 30), (5000, 30)]:
        assert longest / 2 <= backoff_s(attempt, 1, 30) <= longest


@pytest.mark.parametrize("text, status, wait", [
    ("7", 429, 7), (" 0.5 ", 429, 0.5), ("-3", 429, 0), ("", 418, 120), ("soon", 429, 10), ("", 503, 0),
])
def test_retry_after_in_seconds(text, status, wait):
    assert retry_after_s({"Retry-After": text}, status) == wait


def test_retry_after_as_a_date():
    assert 55 < retry_after_s({"Retry-After": formatdate(time.time() + 60, usegmt=True)}, 429) <= 60
    assert retry_after_s({"Retry-After": formatdate(time.time() - 60, usegmt=True)}, 429) == 0


# ---- requests

def test_a_body_comes_with_its_time_and_its_weight_is_counted():
    async def scenario(venue, client):
        venue.get = answers((200, {"X-Used-Weight": "321"}, b"[1]"))
        before = time.time_ns()
        body, receive_ns = await client.get(client.moved_to + "/x", 50)
        assert body == b"[1]"
        assert before <= receive_ns <= time.time_ns()
        assert venue.requests == ["/x"]
        assert client.window().used == 321
    run(scenario)


@pytest.mark.parametrize("status", [429, 418])
def test_retry_after_is_obeyed_by_every_request_to_the_host(status, caplog):
    async def scenario(venue, client):
        times = []

        def get(path):
            times.append(time.monotonic())
            return (status, {"Retry-After": "0.3"}, b'{"code":-1003}') if len(times) == 1 else OK

        venue.get = get
        first = asyncio.create_task(client.get(client.moved_to + "/a", 1))
        await until(lambda: client.window().blocked_s, "the block")
        other = make_rest(venue)                # the window belongs to the host, not to the client
        await other.get(other.moved_to + "/b", 1)
        await other.close()
        await first
        assert len(times) == 3
        assert min(times[1:]) - times[0] >= 0.29
        assert f"status {status}" in caplog.text
    run(scenario)


def test_a_long_ban_is_an_error_at_once_and_nothing_is_sent_during_it():
    async def scenario(venue, client):
        venue.get = answers((418, {"Retry-After": "7200"}, b"banned"))
        with pytest.raises(RestError) as caught:
            await client.get(client.moved_to + "/x", 1)
        assert caught.value.retry_after_s > 7000
        with pytest.raises(RestError, match="wants no requests for"):
            await client.get(client.moved_to + "/x", 1)
        assert len(venue.requests) == 1
    run(scenario)


def test_server_errors_are_tried_again_a_bounded_number_of_times():
    async def scenario(venue, client):
        venue.get = answers((503, {}, b""), (500, {}, b""), OK)
        assert (await client.get(client.moved_to + "/x", 1))[0] == b"{}"
        venue.get = answers((502, {}, b"<html>bad\n gateway</html>"))
        with pytest.raises(RestError, match="status 502.*<html>bad gateway</html>") as caught:
            await client.get(client.moved_to + "/y", 1)
        assert venue.requests.count("/y") == client.tries
        error = caught.value
        assert (error.venue, error.url, error.status) == ("test_venue", client.moved_to + "/y", 502)
    run(scenario)


def test_a_refused_request_is_not_repeated_and_shows_the_venues_words():
    async def scenario(venue, client):
        venue.get = answers((400, {}, b'{"code":-1121,"msg":"Invalid symbol."}' + b"x" * 5000))
        with pytest.raises(RestError, match="Invalid symbol") as caught:
            await client.get(client.moved_to + "/x", 1)
        assert len(venue.requests) == 1
        assert len(str(caught.value)) < 400
    run(scenario)


def test_an_oversized_answer_is_refused():
    async def scenario(venue, client):
        venue.get = answers((200, {}, b"x" * 100_001))
        with pytest.raises(RestError, match="more than 100000 bytes"):
            await client.get(client.moved_to + "/x", 1)
    run(scenario, max_body=100_000)


def test_a_post_is_tried_once():
    async def scenario(venue, client):
        venue.get = answers((503, {}, b"busy"), (200, {}, b"token"))
        with pytest.raises(RestError, match="busy"):
            await client.post(client.moved_to + "/bullet", 1)
        assert await client.post(client.moved_to + "/bullet", 1) == b"token"
        assert venue.requests == ["/bullet"] * 2
        assert venue.methods == ["POST"] * 2
        assert (client.requests, client.failures) == (2, 1)
    run(scenario)


def test_each_host_of_a_venue_has_its_own_budget():
    async def scenario(venue, client):
        other = Venue()
        async with other:
            venue.get = answers((200, {"X-Used-Weight": "900"}, b""))
            other.get = answers((429, {"Retry-After": "30"}, b""))
            client.tries = 1
            await client.get(f"http://127.0.0.1:{venue.port}/x", 1)
            with pytest.raises(RestError):
                await client.get(f"http://127.0.0.1:{other.port}/x", 1)
            assert client.window(f"http://127.0.0.1:{venue.port}/y").used == 900
            assert client.window().blocked_s == 0
            assert client.window(f"http://127.0.0.1:{other.port}/y").blocked_s > 20
            assert client.window(f"http://127.0.0.1:{other.port}/y").used == 1
    run(scenario)


def test_a_redirect_is_not_followed():
    async def scenario(venue, client):
        venue.get = answers((302, {"Location": "/elsewhere"}, b""))
        with pytest.raises(RestError, match="status 302"):
            await client.get(client.moved_to + "/x", 1)
        assert venue.requests == ["/x"]
    run(scenario)


def test_a_host_that_does_not_answer():
    async def main():
        async with mute_server() as port:
            client = make_rest(SimpleNamespace(port=port), timeout_s=0.05, tries=2)
            with pytest.raises(RestError, match="no answer within 0.05 s") as caught:
                await client.get(client.moved_to + "/x", 1)
            assert caught.value.status is None
            assert client.requests == 2
            await client.close()
    asyncio.run(main())


def test_a_port_nobody_listens_on_and_an_answer_that_breaks_off():
    async def scenario(venue, client):
        venue.get = answers((200, {"Content-Length": "9"}, b"short"))     # two lengths: aiohttp refuses that
        with pytest.raises(RestError):
            await client.get(client.moved_to + "/x", 1)
        await venue.stop()
        with pytest.raises(RestError, match="127.0.0.1"):
            await client.get(client.moved_to + "/x", 1)
    run(scenario, tries=2)


# ---- snapshots

class Wanting:
    """As much of a pipeline as `Snapshots` sees."""

    def __init__(self):
        self.answers = []

    def rest(self, url, body, receive_ns):
        self.answers.append((url, body))


def test_snapshots_are_fetched_in_order_a_few_at_a_time_and_once_each():
    async def scenario(venue, client):
        venue.get = answers((200, {}, b"book"))
        pipeline = Wanting()
        snapshots = Snapshots(pipeline, client)
        snapshots.at_once = 2
        wanted = [f"S{number}" for number in range(5)]
        while len(pipeline.answers) < 5:
            done = [url.rpartition("=")[2] for url, _ in pipeline.answers]
            snapshots.poll([symbol for symbol in wanted if symbol not in done])
            assert snapshots.in_flight <= 2
            await asyncio.sleep(0.001)
        assert sorted(venue.requests) == [f"/depth?symbol=S{number}" for number in range(5)]
        assert client.window().used == 50         # 5 snapshots of 10 levels at weight 10
        await snapshots.close()
    run(scenario)


def test_a_snapshot_is_asked_for_no_more_levels_than_its_stream_keeps():
    async def scenario(venue, client):
        venue.get = answers((200, {}, b"book"))
        pipeline = Wanting()
        snapshots = Snapshots(pipeline, client, "", {"A": 3, "B": 0}.get)
        snapshots.poll(["A", "B"])
        await until(lambda: len(pipeline.answers) == 2)
        assert sorted(venue.requests) == ["/depth?symbol=A&limit=3", "/depth?symbol=B"]
        assert ("https://api.test/depth?symbol=A&limit=3", b"book") in pipeline.answers
        assert client.window().used == 13
        await snapshots.close()
    run(scenario)


def test_a_snapshot_is_of_the_feeds_market_and_is_handed_on_with_the_venues_own_address():
    async def scenario(venue, client):
        venue.get = answers((200, {}, b"book"))
        pipeline = Wanting()
        snapshots = Snapshots(pipeline, client, "linear")
        snapshots.poll(["A"])
        await until(lambda: pipeline.answers)
        assert venue.requests == ["/depth?symbol=A&market=linear"]
        assert pipeline.answers == [("https://api.test/depth?symbol=A&market=linear", b"book")]
        await snapshots.close()
    run(scenario)


def test_a_snapshot_that_does_not_satisfy_is_fetched_again_after_a_while():
    async def scenario(venue, client):
        times = []
        venue.get = lambda path: times.append(time.monotonic()) or OK
        snapshots = Snapshots(Wanting(), client)
        snapshots.backoff_base_s = 0.02
        while len(times) < 4 or snapshots.in_flight:
            snapshots.poll(["A"] if len(times) < 4 else [])
            await asyncio.sleep(0.001)
        gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        assert gaps[0] >= 0.009         # half of the base at least, then twice and four times that
        assert gaps[1] >= 0.019
        assert gaps[2] >= 0.038
        snapshots.poll([])
        assert not snapshots._attempts
        await snapshots.close()
    run(scenario)


def test_a_failed_snapshot_is_reported_and_forgotten_when_no_longer_wanted(caplog):
    async def scenario(venue, client):
        venue.get = answers((400, {}, b"Invalid symbol."))
        snapshots = Snapshots(Wanting(), client)
        snapshots.poll(["NOPE"])
        await until(lambda: not snapshots.in_flight)
        assert "Invalid symbol" in snapshots.failed["NOPE"]
        assert "no snapshot of NOPE" in caplog.text
        snapshots.poll(["NOPE"])
        assert not snapshots.in_flight          # it waits
        snapshots.poll([])
        assert not snapshots.failed
    run(scenario)


def test_a_handler_that_raises_does_not_stop_the_snapshots(caplog):
    async def scenario(venue, client):
        venue.get = answers(OK)
        pipeline = Wanting()
        pipeline.rest = lambda *args: 1 / 0
        snapshots = Snapshots(pipeline, client)
        with caplog.at_level(logging.ERROR):
            snapshots.poll(["A"])
            await until(lambda: not snapshots.in_flight)
        assert "ZeroDivisionError" in caplog.text
        await snapshots.close()
    run(scenario)


def test_closing_cancels_what_is_under_way():
    async def scenario(venue, client):
        client.window().block(1000)
        client.window().blocked_until = client.window().clock() + 30
        snapshots = Snapshots(Wanting(), client)
        snapshots.poll(["A", "B"])
        await asyncio.sleep(0)
        await snapshots.close()
        assert snapshots.in_flight == 0
        assert venue.requests == []
    run(scenario)
