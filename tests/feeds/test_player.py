"""Recorded traffic of any venue over a real socket: what a client hears, when it begins, and what it is answered.

The venue is made up: it writes its market data as one that there is, and everything else in ways of its own.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import math
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from feeds.capture import CaptureError, CaptureWriter
from feeds.simulator import player as player_module
from feeds.simulator.listen import PortError
from feeds.simulator.player import Player
from feeds.simulator.recording import Recording
from feeds.venue import Answer, Control, Stream
from feeds.venues import load

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
REST = "https://rest.test/v1/depth?symbol="
SNAPSHOT = b'{"lastUpdateId":1022,"E":1,"T":1,"bids":[["99.00","1.000"]],"asks":[["120.00","3.000"]]}'
LIST = b'{"symbols":[]}'
PING, PONG, HELLO = '{"op":"ping"}', '{"op":"pong"}', '{"op":"hello"}'
ASK = '{"id":41,"op":"subscribe","args":["BTCUSDT"]}'
ACK = b'{"result":null,"id":41}'


def read_control(payload: bytes) -> Control:
    message = json.loads(payload)
    if message.get("op") == "pong":
        return Control("pong")
    if "beat" in message:
        return Control("ping", reply=f'{{"heard":{message["beat"]}}}')
    return Control("ack", message["id"]) if "id" in message else Control("other")


def read_address(url: str) -> Answer | None:
    parts = urlsplit(url)
    if parts.path == "/v1/list":
        return Answer("instruments")
    symbol = parse_qs(parts.query).get("symbol")
    return Answer("snapshot", symbol[0], 1000) if parts.path == "/v1/depth" and symbol else None


@pytest.fixture(scope="module")
def spec():
    """A venue that wants requests, pings in text, and has two addresses, of which one serves what is recorded here."""
    return replace(
        load("binance_usdm"), roots={"a": "wss://stream.test/a", "b": "wss://stream.test/b"}, greeting=(HELLO,),
        ping=PING, connect_path=lambda names: "", read_control=read_control, read_address=read_address, market_of=None,
        name_streams=lambda symbols, channels, depth, speed, market: [
            Stream(symbol, "a", symbol, channel) for symbol in symbols for channel in channels],
        subscribe=lambda names, number: [json.dumps({"id": number, "op": "subscribe", "args": list(names)})],
        unsubscribe=lambda names, number: [json.dumps({"id": number, "op": "unsubscribe", "args": list(names)})])


def delta(number: int, symbol: str = "BTCUSDT") -> bytes:
    last = 1000 + 10 * number
    return (f'{{"e":"depthUpdate","E":{number},"T":{number},"s":"{symbol}","U":{last - 9},"u":{last},"pu":{last - 10},'
            f'"b":[["100.00","{number}.000"]],"a":[]}}').encode()


TRADE = b'{"e":"aggTrade","E":1,"a":1,"s":"BTCUSDT","p":"1","q":"1","f":1,"l":1,"T":1,"m":true}'
QUOTE = b'{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1","T":1,"E":1}'
DELTAS = [delta(number) for number in range(1, 101)]


def write(path, *, count=100, beats=False, snapshot=3, gzipped=False):
    """A capture of deltas, 10 ms apart, with an answer to somebody's request at its beginning."""
    with CaptureWriter(path) as writer:
        writer.write(START_NS - 100 * MS, "=", b"wss://stream.test/a")
        writer.write(START_NS - 50 * MS, "h", b"https://rest.test/v1/list " + LIST)
        writer.write(START_NS - 10 * MS, ">", b'{"id":7,"op":"subscribe","args":["BTCUSDT"]}')
        writer.write(START_NS, "<", b'{"result":null,"id":7}')
        for number in range(1, count + 1):
            at = START_NS + number * 10 * MS
            if gzipped:
                writer.write(at, "B", gzip.compress(delta(number), mtime=0))
            else:
                writer.write(at, "<", delta(number))
            if beats and number % 10 == 0:
                writer.write(at, "<", b'{"beat":%d}' % number)
            if number == snapshot:
                writer.write(at, "h", REST.encode() + b"BTCUSDT " + SNAPSHOT)
    return path


@pytest.fixture
def capture(tmp_path):
    return write(tmp_path / "small.ws.gz")


@asynccontextmanager
async def playing(spec, *paths, **options):
    """A running player and an HTTP session."""
    player = Player(Recording(spec, paths), **options)
    await player.start()
    task = asyncio.create_task(player.run())
    try:
        async with aiohttp.ClientSession() as session:
            yield player, session
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(coroutine):
    """Run a test's coroutine, for 20 s at most."""
    async def limited():
        async with asyncio.timeout(20):
            return await coroutine
    return asyncio.run(limited())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.002)


async def ended(player):
    """Wait for the end of some playback."""
    await until(lambda: any(client.ended for client in player.clients))


async def silent(connection, seconds=0.3):
    """Whether nothing comes for a while."""
    try:
        await connection.receive(timeout=seconds)
    except TimeoutError:
        return True
    return False


async def read(connection, count):
    """The next `count` payloads, as bytes."""
    payloads = []
    for _ in range(count):
        message = await connection.receive()
        payloads.append(message.data.encode() if message.type == aiohttp.WSMsgType.TEXT else message.data)
    return payloads


async def read_close(connection):
    """Every text until the server closes, and the close code."""
    texts = [message.data.encode() async for message in connection if message.type == aiohttp.WSMsgType.TEXT]
    return texts, connection.close_code


def rest(player, path):
    return player.url.replace("ws://", "http://") + path


def test_every_connection_hears_everything_after_its_first_request(spec, capture):
    async def go():
        async with playing(spec, capture, speed=math.inf) as (player, session):
            for _ in range(2):
                async with session.ws_connect(player.url + "/a") as connection:
                    await connection.send_str(HELLO)
                    assert await silent(connection), "a greeting is no request"
                    await connection.send_str(ASK)
                    assert await read(connection, 101) == [ACK, *DELTAS]
                    assert await silent(connection), "the recorded answer to another's request is left out"
                    await connection.ping()
            assert player.sent == 200
    run(go())


def test_nothing_but_the_end_of_the_server_ends_a_connection(spec, capture):
    async def go():
        async with playing(spec, capture, speed=math.inf) as (player, session):
            connection = await session.ws_connect(player.url + "/a")
            await connection.send_str(ASK)
            await read(connection, 101)
            rest_of_it = asyncio.create_task(read_close(connection))
            await player.stop()
            return await rest_of_it
    assert run(go()) == ([], 1001)


def test_binary_frames_go_out_as_they_came(spec, tmp_path):
    path = write(tmp_path / "zipped.ws", gzipped=True)
    wire = [base64.b64decode(line.split(b"\t")[2]) for line in path.read_bytes().splitlines() if b"\tB\t" in line]

    async def go():
        async with playing(spec, path, speed=math.inf) as (player, session):
            connection = await session.ws_connect(player.url + "/a")
            await connection.send_str(ASK)
            assert await read(connection, 1) == [ACK]
            message = await connection.receive()
            assert message.type == aiohttp.WSMsgType.BINARY
            return [message.data, *await read(connection, 99)]
    assert run(go()) == wire


def test_an_answer_that_was_recorded_gzipped_is_sent_gzipped(spec, tmp_path):
    path = tmp_path / "zipped.ws"
    with CaptureWriter(path) as writer:
        writer.write(1, "B", gzip.compress(b'{"result":null,"id":7,"of":17}'))
        writer.write(2, "<", delta(1))

    async def go():
        async with playing(spec, path) as (player, session):
            connection = await session.ws_connect(player.url)
            await connection.send_str(ASK)
            return (await connection.receive()).data
    assert gzip.decompress(run(go())) == b'{"result":null,"id":41,"of":17}'


def test_pings_are_answered_and_begin_nothing(spec, capture):
    async def go():
        async with playing(spec, capture, speed=math.inf) as (player, session):
            connection = await session.ws_connect(player.url + "/a")
            await connection.send_str(PING)
            assert await read(connection, 1) == [PONG.encode()]
            assert await silent(connection)
            await connection.send_str(ASK)
            await read(connection, 101)
            await connection.send_str(PING)
            assert await read(connection, 1) == [PONG.encode()]
    run(go())


def test_a_recorded_pong_is_the_answer_to_a_ping(spec, tmp_path):
    path = tmp_path / "pong.ws"
    with CaptureWriter(path) as writer:
        writer.write(1, "<", b'{"op": "pong", "at": 3}')
        writer.write(2, "<", delta(1))
    for ping in (PING, "are you there?"):
        assert Recording(spec, [path]).pong(ping) == (1, b'{"op": "pong", "at": 3}')


def test_a_ping_without_a_known_answer_is_not_answered(spec, capture):
    assert Recording(spec, [capture]).pong('{"id":0}') is None


def test_answers_to_the_venues_pings_are_no_requests(spec, tmp_path):
    path = write(tmp_path / "beats.ws", beats=True)

    async def go():
        async with playing(spec, path, speed=math.inf) as (player, session):
            connection = await session.ws_connect(player.url + "/a")
            await connection.send_str(ASK)
            beats = [text for text in await read(connection, 111) if b"beat" in text]
            for beat in beats:
                await connection.send_str(read_control(beat).reply)
            assert await silent(connection)
            return len(beats)
    assert run(go()) == 10


def test_a_ping_of_one_address_is_one_too(spec, capture):
    of_roots = replace(spec, ping="", pings={"a": PING, "b": lambda: '{"at":17,"op":"PING"}'},
                       read_control=lambda payload: Control("pong" if b"PONG" in payload else "ack"))

    async def go():
        async with playing(of_roots, capture) as (player, session):
            connection = await session.ws_connect(player.url + "/b")
            await connection.send_str('{"at":19,"op":"PING"}')
            return await read(connection, 1)
    assert run(go()) == [b'{"at":19,"op":"PONG"}']


@pytest.mark.parametrize("path, heard", [("/a", True), ("/a/", True), ("/a?token=x", True), ("/b", False),
                                         ("/of/old", True)])
def test_an_address_of_today_that_serves_nothing_of_this_is_silent(spec, capture, path, heard):
    async def go():
        async with playing(spec, capture, speed=math.inf) as (player, session):
            connection = await session.ws_connect(player.url + path)
            await connection.send_str(ASK)
            assert await read(connection, 1) == [ACK]
            return not await silent(connection)
    assert run(go()) is heard


def test_where_channels_have_their_own_addresses_a_connection_hears_what_it_asked_for(spec, tmp_path):
    def streams(symbols, channels, depth, speed, market):
        return [Stream(f"{channel}:{symbol}", "b" if channel == "quotes" else "a", symbol, channel)
                for symbol in symbols for channel in channels]

    path = tmp_path / "mixed.ws"
    frames = [delta(1), TRADE, QUOTE, b'{"op":"pong"}']
    with CaptureWriter(path) as writer:
        for number, frame in enumerate(frames):
            writer.write(START_NS + number, "<", frame)
    same_path = replace(spec, roots={"a": "wss://a.test/", "b": "wss://b.test"}, name_streams=streams)

    async def go():
        heard = []
        async with playing(same_path, path, speed=math.inf) as (player, session):
            for asked in ("book:BTCUSDT", "quotes:BTCUSDT", "trades:BTCUSDT,quotes:BTCUSDT", "mark:BTCUSDT", "nothing"):
                async with session.ws_connect(player.url) as connection:
                    await connection.send_str(f'{{"op":"subscribe","args":["{asked}"]}}')
                    await ended(player)
                    heard.append([frames.index(payload) for payload in await read(connection, 1)])
                    while heard[-1][-1] != 3:
                        heard[-1] += [frames.index(payload) for payload in await read(connection, 1)]
                await until(lambda: not player.clients)
        return heard
    assert run(go()) == [[0, 3], [2, 3], [1, 2, 3], [3], [0, 1, 2, 3]]


def test_streams_named_by_the_address_need_no_request(spec, capture):
    by_address = replace(spec, connect_path=lambda names: "?streams=" + ",".join(names) if names else "")

    async def go():
        async with playing(by_address, capture, speed=math.inf) as (player, session):
            plain = await session.ws_connect(player.url + "/a")
            assert await silent(plain)
            named = await session.ws_connect(player.url + "/a?streams=btcusdt")
            assert await read(named, 100) == DELTAS
    run(go())


@pytest.mark.parametrize("rate", [1, 2.5])
def test_requests_that_wait_for_the_venues_limit_are_waited_for(spec, capture, rate):
    slow = replace(spec, limits=replace(spec.limits, messages_per_second=rate))

    async def go():
        async with playing(slow, capture, speed=math.inf) as (player, session):
            connection = await session.ws_connect(player.url + "/a")
            for number in range(2):
                await connection.send_str(f'{{"id":{number},"op":"subscribe","args":["COIN{number}"]}}')
                assert await read(connection, 1) == [b'{"result":null,"id":%d}' % number]
                await asyncio.sleep(0.9)
            assert await read(connection, 100) == DELTAS
    run(go())


async def ask_again(player, connection, *requests):
    """Send requests in the middle of the playback; gives the close code, None if the connection stays."""
    await connection.send_str(ASK)
    while b'"u":1100' not in (await read(connection, 1))[0]:
        pass
    for request in requests:
        await connection.send_str(request)
    texts, code = [], None
    while not texts or b'"u":1900' not in texts[-1]:
        message = await connection.receive()
        if message.type != aiohttp.WSMsgType.TEXT:
            return message.data
        texts.append(message.data.encode())
    return code


@pytest.mark.parametrize("requests, code", [
    (['{"id":42,"op":"subscribe","args":["ETHUSDT"]}'], 1012),
    (['{"id":42,"op":"unsubscribe","args":["BTCUSDT"]}', '{"id":43,"op":"subscribe","args":["BTCUSDT"]}'], 1012),
    (['{"id":42,"op":"subscribe","args":["BTCUSDT"]}', '{"id":43,"op":"subscribe","args":["BTCUSDT"]}'], None),
])
def test_what_lies_behind_is_had_by_connecting_anew(spec, capture, requests, code):
    async def go():
        async with (playing(spec, capture, speed=2.0) as (player, session),
                    session.ws_connect(player.url + "/a") as connection):
            return await ask_again(player, connection, *requests)
    assert run(go()) == code


def test_unsubscribing_alone_changes_nothing(spec, capture):
    async def go():
        async with playing(spec, capture, speed=math.inf) as (player, session):
            connection = await session.ws_connect(player.url + "/a")
            await connection.send_str(ASK)
            await read(connection, 101)
            await connection.send_str('{"id":42,"op":"unsubscribe","args":["BTCUSDT"]}')
            assert await read(connection, 1) == [b'{"result":null,"id":42}']
            assert await silent(connection)
    run(go())


def test_a_recording_that_is_gone_ends_the_connection(spec, capture):
    async def go():
        async with playing(spec, capture, speed=math.inf) as (player, session):
            capture.unlink()
            connection = await session.ws_connect(player.url + "/a")
            await connection.send_str(ASK)
            return await read_close(connection)
    assert run(go()) == ([ACK], 1011)


def test_the_snapshot_waits_for_its_place_in_the_recording(spec, tmp_path):
    path = write(tmp_path / "late.ws", snapshot=50)

    async def go():
        async with playing(spec, path) as (player, session):
            connection = await session.ws_connect(player.url + "/a")
            await connection.send_str(ASK)
            async with session.get(rest(player, "/v1/depth?symbol=BTCUSDT&limit=5")) as answer:
                assert answer.status == 200
                assert await answer.read() == SNAPSHOT
                began = asyncio.get_running_loop().time()
            heard = 0
            while b'"u":1520' not in (await read(connection, 1))[0]:
                heard += 1
            assert heard > 45
            assert asyncio.get_running_loop().time() - began < 0.4, "it was about as far when the answer came"
    run(go())


def test_a_snapshot_that_is_not_come_to_is_refused_in_the_end(spec, capture, monkeypatch):
    monkeypatch.setattr(player_module, "SNAPSHOT_WAIT_S", 0.1)

    async def go():
        async with (playing(spec, capture) as (player, session),
                    session.get(rest(player, "/v1/depth?symbol=BTCUSDT")) as answer):
            return answer.status
    assert run(go()) == 503


def test_all_who_wait_for_a_snapshot_are_answered(spec, tmp_path):
    path = write(tmp_path / "late.ws", snapshot=50)

    async def go():
        async with playing(spec, path) as (player, session):
            connection = await session.ws_connect(player.url + "/a")
            await connection.send_str(ASK)

            async def ask():
                async with session.get(rest(player, "/v1/depth?symbol=BTCUSDT")) as answer:
                    return answer.status
            codes = await asyncio.gather(ask(), ask())
            assert len(player.clients) == 1
            return codes
    assert run(go()) == [200, 200]


@pytest.mark.parametrize("path, status, body", [
    ("/v1/list", 200, LIST), ("/v1/depth?symbol=NOSUCH", 404, None), ("/v1/depth", 404, None), ("/v2/x", 404, None)])
def test_other_addresses(spec, capture, path, status, body):
    async def go():
        async with (playing(spec, capture) as (player, session), session.get(rest(player, path)) as answer):
            text = await answer.read()
            assert answer.status == status
            assert body is None or text == body
    run(go())


def test_who_asks_for_a_snapshot_again_begins_anew(spec, capture):
    async def go():
        async with playing(spec, capture, speed=math.inf) as (player, session):
            two = [await session.ws_connect(player.url + "/a") for _ in range(2)]
            for connection in two:
                await connection.send_str(ASK)
                await read(connection, 101)
            ends = [asyncio.create_task(read_close(connection)) for connection in two]
            codes = []
            for _ in range(3):
                async with session.get(rest(player, "/v1/depth?symbol=BTCUSDT")) as answer:
                    codes.append(answer.status)
            assert await asyncio.gather(*ends) == [([], 1012)] * 2
            return codes
    assert run(go()) == [200, 200, 503]


def test_with_loop_the_connection_is_closed_at_the_end(spec, capture):
    async def go():
        async with playing(spec, capture, speed=math.inf, loop=True) as (player, session):
            rounds = []
            for _ in range(2):
                async with session.ws_connect(player.url + "/a") as connection:
                    await connection.send_str(ASK)
                    rounds.append(await read_close(connection))
            return rounds
    assert run(go()) == [([ACK, *DELTAS], 1012)] * 2


def test_the_pace_is_the_recorded_one(spec, capture):
    async def go():
        async with playing(spec, capture, speed=2.0) as (player, session):
            connection = await session.ws_connect(player.url + "/a")
            await connection.send_str(ASK)
            await read(connection, 2)
            began = asyncio.get_running_loop().time()
            await ended(player)
            return asyncio.get_running_loop().time() - began
    assert 0.45 < run(go()) < 5.0       # 0.99 s of traffic at twice its pace


def test_captures_are_played_together_in_the_order_of_their_times(spec, tmp_path):
    first, second = tmp_path / "first.ws", tmp_path / "second.ws"
    for path, symbol in ((first, "BTCUSDT"), (second, "ETHUSDT")):
        with CaptureWriter(path) as writer:
            for number in range(3):
                writer.write(START_NS + number * MS, "<", delta(number, symbol))
    recording = Recording(spec, [first, second])
    assert recording.symbols == ["BTCUSDT", "ETHUSDT"]
    assert [(step.at_ns, step.payload) for step in recording.steps()] == [
        (number * MS, delta(number, symbol)) for number in range(3) for symbol in ("BTCUSDT", "ETHUSDT")]


def test_a_client_that_does_not_read_is_disconnected(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(player_module, "MAX_BEHIND", 1 << 14)
    monkeypatch.setattr(player_module, "STALLED_S", 0.3)
    path = write(tmp_path / "long.ws.gz", count=60_000)

    async def go():
        async with playing(spec, path, speed=math.inf) as (player, session):
            host, port = player.url.removeprefix("ws://").split(":")
            with socket.socket() as lazy:
                lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                lazy.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(lazy, (host, int(port)))
                await loop.sock_sendall(lazy, (
                    f"GET /a HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n").encode())
                await loop.sock_sendall(lazy, b"\x81\x80\0\0\0\0")      # an empty text is a request, too
                await until(lambda: player.dropped)
                await until(lambda: not player.clients)
    run(go())


def test_captures_without_market_data_are_refused(spec, tmp_path):
    path = tmp_path / "empty.ws"
    path.write_bytes(b"1\t=\twss://host\n2\t<\t{\"id\":1}\n")
    with pytest.raises(CaptureError, match="frames of market data"):
        Recording(spec, [path])
    with pytest.raises(CaptureError, match="no such file"):
        Recording(spec, [tmp_path / "none.ws"])


def test_a_port_in_use_is_named(spec, capture):
    async def go():
        async with playing(spec, capture) as (player, session):
            port = int(player.url.rsplit(":", 1)[1])
            with pytest.raises(PortError, match=f"127.0.0.1:{port}: port in use"):
                await Player(Recording(spec, [capture]), port=port).start()
    run(go())


def test_a_speed_has_to_be_above_0(spec, capture):
    with pytest.raises(ValueError, match="above 0"):
        Player(Recording(spec, [capture]), speed=0.0)
