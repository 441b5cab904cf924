"""The simulated venue over a real socket: routes, requests, snapshots of the moment, pace, end, and bad input."""

from __future__ import annotations

import asyncio
import json
import math
import socket
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from feeds.capture import CaptureError, CaptureReader, CaptureWriter
from feeds.simulator import server as server_module
from feeds.simulator.listen import PortError
from feeds.simulator.live import LiveSource
from feeds.simulator.playback import Playback
from feeds.simulator.server import Server
from feeds.simulator.source import NoSnapshot, UnknownSymbol
from feeds.venues import load
from tests.model import ModelBook

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
REST = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
STREAM = "btcusdt@depth@0ms"


def depth_data(number: int) -> str:
    """Delta `number` of a book whose ids go up by ten."""
    last = 1000 + 10 * number
    bid = f'["{100 + number % 7}.00","{number % 5}.000"]'
    ask = f'["{110 + number % 9}.00","{number % 4}.000"]'
    return (f'{{"e":"depthUpdate","E":{number},"T":{number},"s":"BTCUSDT","U":{last - 9},"u":{last},"pu":{last - 10},'
            f'"b":[{bid}],"a":[{ask}]}}')


def combined(name: str, data: str) -> bytes:
    return f'{{"stream":"{name}","data":{data}}}'.encode()


QUOTE = combined("btcusdt@bookTicker",
                 '{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1","T":1,"E":1}')
AGG_TRADE = combined("btcusdt@aggTrade",
                     '{"e":"aggTrade","E":1,"a":1,"s":"BTCUSDT","p":"1","q":"1","f":1,"l":1,"T":1,"m":true}')
SNAPSHOT = b'{"lastUpdateId":1022,"E":1,"T":1,"bids":[["99.00","1.000"],["98.00","2.000"]],"asks":[["120.00","3.000"]]}'


@pytest.fixture
def capture(tmp_path):
    """A capture of 200 deltas, 10 ms apart, with a snapshot after the third and a quote and a trade beside each."""
    path = tmp_path / "binance_usdm" / "small.ws.gz"
    path.parent.mkdir()
    with CaptureWriter(path) as writer:
        writer.write(START_NS, "=", b"wss://fstream.binance.com/stream?streams=" + STREAM.encode())
        writer.write(START_NS, "<", b'{"result":null,"id":1}')
        for number in range(1, 201):
            at = START_NS + number * 10 * MS
            writer.write(at, "<", combined(STREAM, depth_data(number)))
            writer.write(at, "<", QUOTE)
            writer.write(at, "<", AGG_TRADE)
            if number == 3:
                writer.write(at, "h", REST.encode() + b" " + SNAPSHOT)
    return path


def final_book(until: int = 200) -> ModelBook:
    """What the capture's book is after so many deltas."""
    answer = json.loads(SNAPSHOT)
    book = ModelBook()
    book.apply_snapshot(answer["bids"], answer["asks"])
    for number in range(1, until + 1):
        delta = json.loads(depth_data(number))
        if delta["u"] >= answer["lastUpdateId"]:
            book.apply_delta(delta["b"], delta["a"])
    return book


@asynccontextmanager
async def serving(source, **options):
    """A running server and an HTTP session."""
    server = Server(source, **options)
    await server.start()
    task = asyncio.create_task(server.run())
    try:
        async with aiohttp.ClientSession() as session:
            yield server, session, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()         # the task may have been cancelled in the middle of that


def run(coroutine):
    """Run a test's coroutine, for 20 s at most."""
    async def limited():
        async with asyncio.timeout(20):
            return await coroutine
    return asyncio.run(limited())


def rest_of(server):
    return server.url.replace("ws://", "http://") + "/fapi/v1/depth"


async def read_all(connection):
    """Every text until the server closes, and the close code."""
    texts = [message.data async for message in connection if message.type == aiohttp.WSMsgType.TEXT]
    return texts, connection.close_code


@pytest.mark.parametrize("path, expected", [
    (f"/stream?streams={STREAM}", [combined(STREAM, depth_data(n)).decode() for n in range(1, 201)]),
    (f"/public/stream?streams={STREAM}", [combined(STREAM, depth_data(n)).decode() for n in range(1, 201)]),
    ("/stream?streams=btcusdt@depth@100ms", [combined("btcusdt@depth@100ms", depth_data(n)).decode()
                                             for n in range(1, 201)]),
    ("/ws/btcusdt@depth", [depth_data(n) for n in range(1, 201)]),
    ("/public/ws/btcusdt@depth@500ms", [depth_data(n) for n in range(1, 201)]),
    ("/market/stream?streams=btcusdt@aggTrade", [AGG_TRADE.decode()] * 200),
    ("/private/ws/btcusdt@depth", []),
    ("/ws/btcusdt@bookTicker/nosuch@trade/btcusdt@nothing", [json.dumps(json.loads(QUOTE)["data"],
                                                                        separators=(",", ":"))] * 200),
])
def test_every_path_gives_what_was_recorded_then_1001(capture, path, expected):
    async def go():
        async with serving(Playback("binance_usdm", [capture]), speed=math.inf) as (server, session, task):
            async with session.ws_connect(server.url + path) as connection:
                texts, code = await read_all(connection)
            await task
            return texts, code
    assert run(go()) == (expected, 1001)


@pytest.mark.parametrize("path", ["/market/stream?streams=" + STREAM, "/public/stream?streams=btcusdt@aggTrade",
                                  "/stream?streams=btcusdt@aggTrade", "/stream?streams=nosuch@depth"])
def test_a_root_stays_silent_about_streams_of_the_other(capture, path):
    async def go():
        async with (serving(Playback("binance_usdm", [capture]), speed=math.inf) as (server, session, task),
                    session.ws_connect(server.url + path) as connection):
            return await read_all(connection)
    assert run(go()) == ([], 1001)


def test_requests_and_their_answers(capture):
    async def go():
        async with serving(Playback("binance_usdm", [capture]), limits=False) as (server, session, task):
            connection = await session.ws_connect(server.url + "/ws")

            async def ask(request):
                await connection.send_str(request if isinstance(request, str) else json.dumps(request))
                return await connection.receive_json()

            assert await ask({"method": "LIST_SUBSCRIPTIONS", "id": 3}) == {"result": [], "id": 3}
            for request, code in [
                ("{nonsense", 3), ("[1]", 2), ('{"method":"SUBSCRIBE","params":"x","id":1}', 2),
                ('{"method":"SUBSCRIBE","params":[],"id":1}', 2), ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
                ('{"method":"FLY","id":1}', 2), ('{"method":"SET_PROPERTY","params":["combined",7],"id":1}', 2),
                ('{"method":"SET_PROPERTY","params":null,"id":1}', 2),
                ('{"method":"SUBSCRIBE","params":["a@b"],"id":1.5}', 2),
            ]:
                answer = await ask(request)
                assert answer["code"] == code, request
                assert answer["msg"]
            assert await ask({"method": "SET_PROPERTY", "params": ["combined", True], "id": "a"}) == {
                "result": None, "id": "a"}
            assert await ask({"method": "GET_PROPERTY", "params": ["combined"], "id": 9}) == {"result": True, "id": 9}
            assert await ask({"method": "SUBSCRIBE", "params": ["nosuch@trade"], "id": None}) == {
                "result": None, "id": None}
            assert await ask({"method": "UNSUBSCRIBE", "params": ["nosuch@trade"], "id": 6}) == {
                "result": None, "id": 6}
    run(go())


def test_subscribing_in_mid_stream_and_leaving_again(capture):
    async def go():
        async with serving(Playback("binance_usdm", [capture])) as (server, session, task):
            connection = await session.ws_connect(server.url + "/stream")
            await connection.send_json({"method": "SUBSCRIBE", "params": [STREAM, "btcusdt@bookTicker"], "id": 1})
            assert await connection.receive_json() == {"result": None, "id": 1}
            while (await connection.receive_json())["stream"] != "btcusdt@bookTicker":
                pass
            await connection.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 2})
            while "result" not in await connection.receive_json():
                pass
            for _ in range(5):
                assert (await connection.receive_json())["stream"] == STREAM
            await connection.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 3})
            while "result" not in (answer := await connection.receive_json()):
                pass
            assert answer == {"result": [STREAM], "id": 3}
    run(go())


def test_a_late_client_joins_from_the_snapshot_of_the_moment(capture):
    async def go():
        async with serving(Playback("binance_usdm", [capture]), speed=4.0) as (server, session, task):
            async with session.get(rest_of(server), params={"symbol": "BTCUSDT", "limit": 1000}) as answer:
                early = await answer.json()         # held back until the stream has come to the recorded snapshot
            assert early["lastUpdateId"] >= 1022
            await asyncio.sleep(0.1)
            connection = await session.ws_connect(server.url + "/ws/" + STREAM)
            deltas = [await connection.receive_json()]
            assert deltas[0]["u"] > 1030, "in mid-stream"
            async with session.get(rest_of(server), params={"symbol": "BTCUSDT", "limit": 1000}) as answer:
                assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "40"
                snapshot = await answer.json()
            texts, _ = await read_all(connection)
            deltas += map(json.loads, texts)
            return snapshot, deltas
    snapshot, deltas = run(go())
    sequence = snapshot["lastUpdateId"]
    assert list(snapshot) == ["lastUpdateId", "E", "T", "bids", "asks"]
    kept = [delta for delta in deltas if delta["u"] >= sequence]
    assert kept[0]["U"] <= sequence or kept[0]["pu"] == sequence
    book = ModelBook()
    book.apply_snapshot(snapshot["bids"], snapshot["asks"])
    for delta in kept:
        book.apply_delta(delta["b"], delta["a"])
    assert book.top() == final_book().top()


def test_the_snapshot_is_that_of_the_frames_sent_so_far(capture):
    source = Playback("binance_usdm", [capture])
    assert source.snapshot("BTCUSDT", 1000) is None
    taken = 0
    while source.next_ns is not None:
        taken += sum(route.name == STREAM for route, _ in source.take(source.next_ns, 1 << 20))
        text = source.snapshot("BTCUSDT", 1000)
        if taken < 3:
            assert text is None
            continue
        snapshot = json.loads(text)
        assert snapshot["lastUpdateId"] == max(1022, 1000 + 10 * taken)
        want = final_book(taken).top()
        book = ModelBook()
        book.apply_snapshot(snapshot["bids"], snapshot["asks"])
        assert book.top() == want
    assert json.loads(source.snapshot("BTCUSDT", 2))["asks"] == json.loads(source.snapshot("BTCUSDT", 5))["asks"][:2]


@pytest.mark.parametrize("params, status, code", [
    ({"symbol": "NOSUCH", "limit": "1000"}, 400, -1121),
    ({"symbol": "btcusdt", "limit": "1000"}, 400, -1121),
    ({"limit": "1000"}, 400, -1102),
    ({"symbol": "BTCUSDT", "limit": "7"}, 400, -4021),
    ({"symbol": "BTCUSDT", "limit": "x"}, 400, -1100),
    ({"symbol": "BTCUSDT", "limit": "-5"}, 400, -1100),
    ({"symbol": "BTCUSDT", "limit": "1" * 30}, 400, -1100),
])
def test_rest_errors_are_the_venues(capture, params, status, code):
    async def go():
        async with (serving(Playback("binance_usdm", [capture]), wait=True) as (server, session, task),
                    session.get(rest_of(server), params=params) as answer):
            return answer.status, (await answer.json())["code"]
    assert run(go()) == (status, code)


def test_rest_weight_is_limited():
    async def go():
        async with serving(LiveSource("binance_usdm", ["BTCUSDT"])) as (server, session, task):
            server._dialect = replace(server._dialect, weight_per_minute=30)
            while True:
                async with session.get(rest_of(server), params={"symbol": "BTCUSDT", "limit": 1000}) as answer:
                    if answer.status != 200:
                        return answer.status, int(answer.headers["Retry-After"]), (await answer.json())["code"]
    status, wait, code = run(go())
    assert (status, code) == (429, -1003)
    assert 0 < wait <= 60


@pytest.mark.parametrize("venue, path, symbol", [
    ("binance_spot", "/api/v3", "BTCUSDT"), ("binance_usdm", "/fapi/v1", "BTCUSDT"),
    ("binance_coinm", "/dapi/v1", "BTCUSD_PERP")])
def test_the_simulated_market_answers_at_the_venues_addresses(venue, path, symbol):
    async def go():
        async with serving(LiveSource(venue)) as (server, session, task):
            base = server.url.replace("ws", "http", 1)
            async with session.get(f"{base}{path}/depth?symbol={symbol}&limit=10") as answer:
                book = await answer.json()
            async with session.get(f"{base}{path}/exchangeInfo") as answer:
                listed = [entry["symbol"] for entry in (await answer.json())["symbols"]]
            async with session.get(f"{base}/api/v9/depth") as answer:
                assert answer.status == 404
            async with session.get(f"{base}/ws") as answer:
                assert answer.status == 400, "no WebSocket handshake"
            return len(book["bids"]), len(book["asks"]), symbol in listed
    assert run(go()) == (10, 10, True)


@pytest.mark.parametrize("venue, symbols, want", [
    ("binance_spot", ["ETHBTC", "DOGEUSDT"], [
        ("ETH-BTC", "spot", "0.01", "0.001", "0.001", "5", "", "", 0), ("DOGE-USDT", "spot", "0.00001", "1", "1", "5",
                                                                        "", "", 0)]),
    ("binance_usdm", ["BTCUSDT", "BTCUSDT_261225"], [
        ("BTC-USDT-PERP", "perpetual", "0.1", "0.001", "0.001", "5", "USDT", "", 0),
        ("BTC-USDT-25DEC26", "future", "0.01", "0.001", "0.001", "5", "USDT", "", 1_798_185_600 * 10 ** 9)]),
    ("binance_coinm", ["BTCUSD_PERP", "ETHUSD_261225"], [
        ("BTC-USD-PERP", "perpetual", "0.1", "1", "1", "", "BTC", "100", 0),
        ("ETH-25DEC26", "future", "0.01", "1", "1", "", "ETH", "10", 1_798_185_600 * 10 ** 9)]),
])
def test_the_list_tells_what_the_venues_list_tells(venue, symbols, want, data_dir):
    """Its instruments are read whole, and have the keys of the venue's, but for those that have come or gone since."""
    answer = LiveSource(venue, symbols).instruments()
    found = load(venue).read_instruments(answer.encode())
    assert [(it.name, it.kind, it.tick_size, it.lot_size, it.min_qty, it.min_value, it.settle, it.contract_size,
             it.expiry_ns) for it in found] == want
    recorded = next(iter(CaptureReader(data_dir / venue / "instruments.ws.gz"))).payload.partition(b" ")[2]
    known = set().union(*(entry.keys() for entry in json.loads(recorded)["symbols"]))
    keys = set().union(*(entry.keys() for entry in json.loads(answer)["symbols"]))
    assert keys - known <= {"permissionSets"}
    assert known - keys <= {"settlePlan", "triggerProtect", "equalQtyPrecision", "maxMoveOrderLimit"}


def test_at_the_end_it_starts_over_with_loop(capture):
    async def go():
        async with serving(Playback("binance_usdm", [capture]), speed=math.inf, loop=True) as (server, session, task):
            rounds = []
            for _ in range(2):
                async with session.ws_connect(server.url + "/ws/" + STREAM) as connection:
                    rounds.append(await read_all(connection))
            assert not task.done()
            return rounds
    first, second = run(go())
    assert first == second
    assert len(first[0]) == 200


def test_the_pace_is_the_recorded_one(capture):
    async def go():
        async with serving(Playback("binance_usdm", [capture]), speed=5.0) as (server, session, task):
            began = asyncio.get_running_loop().time()
            await task
            return asyncio.get_running_loop().time() - began
    assert 0.35 < run(go()) < 5.0      # 2 s of traffic at five times its pace


def test_a_client_that_does_not_read_is_disconnected(monkeypatch):
    monkeypatch.setattr(server_module, "MAX_BUFFERED", 1 << 16)

    async def go():
        source = LiveSource("binance_usdm", ["BTCUSDT"], rate=20_000.0)
        async with serving(source, speed=3.0) as (server, session, task):
            host, port = server.url.removeprefix("ws://").split(":")
            with socket.socket() as lazy:
                lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                lazy.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(lazy, (host, int(port)))
                await loop.sock_sendall(lazy, (
                    "GET /ws/btcusdt@depth@0ms/btcusdt@bookTicker/btcusdt@depth20@100ms HTTP/1.1\r\n"
                    f"Host: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n").encode())
                while not server.dropped:
                    await asyncio.sleep(0.01)
            assert not server.clients
    run(go())


def test_it_pings_and_hangs_up_on_the_silent(capture):
    async def go():
        async with serving(Playback("binance_usdm", [capture]), wait=True) as (server, session, task):
            server._pinger.cancel()
            server._dialect = replace(server._dialect, ping_s=0.02, pong_timeout_s=0.2)
            server._pinger = asyncio.create_task(server._ping())
            good = await session.ws_connect(server.url + "/ws", autoping=True)
            silent = await session.ws_connect(server.url + "/ws", autoping=False)
            reading = asyncio.create_task(good.receive())
            assert (await silent.receive()).type == aiohttp.WSMsgType.PING
            while not server.dropped:
                await asyncio.sleep(0.01)
            assert not reading.done()
            reading.cancel()
            return server.dropped, len(server.clients)
    assert run(go()) == (1, 1)


def test_a_port_in_use_is_named(capture):
    async def go():
        async with serving(Playback("binance_usdm", [capture]), wait=True) as (server, session, task):
            port = int(server.url.rsplit(":", 1)[1])
            with pytest.raises(PortError, match=f"127.0.0.1:{port}: port in use"):
                await Server(Playback("binance_usdm", [capture]), port=port).start()
    run(go())


def test_a_capture_that_goes_on_from_another_is_refused_alone(tmp_path, capture):
    second = tmp_path / "second.ws"
    with CaptureWriter(second) as writer:
        for number in range(201, 211):
            writer.write(START_NS + number * 10 * MS, "<", combined(STREAM, depth_data(number)))
    with pytest.raises(CaptureError, match="REST snapshot of BTCUSDT.*give both files in order"):
        Playback("binance_usdm", [second])
    both = Playback("binance_usdm", [capture, second])
    while both.next_ns is not None:
        both.take(1 << 62, 1000)
    assert json.loads(both.snapshot("BTCUSDT", 1000))["lastUpdateId"] == 3100


def test_bare_frames_are_served_under_the_names_they_tell(tmp_path):
    path = tmp_path / "bare.ws"
    with CaptureWriter(path) as writer:
        writer.write(1, "h", REST.encode() + b" " + SNAPSHOT)
        writer.write(2, "<", depth_data(3).encode())
        writer.write(3, "<", b"pong")
        writer.write(4, "<", b"[1,2]")
        writer.write(5, "<", b'{"u":7,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}')
        writer.write(6, "<", b'{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT"}}')
        writer.write(7, "<", b'{"lastUpdateId":160,"bids":[],"asks":[]}')
    source = Playback("binance_usdm", [path])
    assert [route.topic for route, _ in source.take(100, 100)] == [
        "btcusdt@depth", "btcusdt@bookTicker", "btcusdt@forceOrder"]
    assert json.loads(source.snapshot("BTCUSDT", 10))["lastUpdateId"] == 1030
    with pytest.raises(UnknownSymbol):
        source.snapshot("ETHUSDT", 10)


def test_a_symbol_without_a_snapshot_says_so(tmp_path):
    path = tmp_path / "two.ws"
    with CaptureWriter(path) as writer:
        writer.write(1, "h", REST.encode() + b" " + SNAPSHOT)
        writer.write(2, "<", combined("ethusdt@depth@0ms", depth_data(3).replace("BTC", "ETH")))
    with pytest.raises(NoSnapshot):
        Playback("binance_usdm", [path]).snapshot("ETHUSDT", 10)


def test_captures_without_market_data_are_refused(tmp_path):
    path = tmp_path / "empty.ws"
    path.write_bytes(b"1\t=\twss://host\n")
    with pytest.raises(CaptureError, match="frames of market data"):
        Playback("binance_usdm", [path])
    with pytest.raises(CaptureError, match="no such file"):
        Playback("binance_usdm", [tmp_path / "none.ws"])
