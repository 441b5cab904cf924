"""One WebSocket line: what arrives reaches the pipeline once, whole and in order; what must not be is refused."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import struct
import subprocess
import sys
import time

import pytest

from feeds import picows_version
from feeds.pipeline import Pipeline
from feeds.transport import Line, open_line
from tests.loopback import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Venue,
    close_frame,
    frame,
    make_certificate,
    mute_server,
    until,
)


def trade(number):
    """A spot trade as the venue sends it, with this trade id."""
    return json.dumps({"e": "trade", "E": 1723161255343, "s": "BTCUSDT", "t": number, "p": "61837.63000000",
                       "q": "0.02000000", "T": 1723161255342, "m": True, "M": True}, separators=(",", ":")).encode()


class Trades:
    """A handler that keeps the ids of the trades and raises where it is told to."""

    def __init__(self):
        self.ids = []
        self.receive_ns = []
        self.bad = ()

    def on_trade(self, trade):
        self.ids.append(int(trade.trade_id))
        self.receive_ns.append(trade.receive_ns)
        if self.ids[-1] in self.bad:
            raise RuntimeError(f"cannot take trade {self.ids[-1]}")


def run(scenario, **options):
    """Run `scenario(peer, line, handler)`: a line that is open, and the server's end of it."""
    async def main():
        async with Venue() as venue:
            handler = Trades()
            line = await open_line(Pipeline("binance_spot", handler), venue.url + "/ws", 7, **options)
            peer = await until(lambda: venue.peers and venue.peer)
            try:
                await scenario(peer, line, handler)
            finally:
                line.abort()
                await line.wait_closed()
    asyncio.run(main())


# ---- messages

def test_messages_arrive_in_order_with_the_time_of_their_read():
    async def scenario(peer, line, handler):
        before = time.time_ns()
        peer.send(*[trade(number) for number in range(500)])
        await until(lambda: len(handler.ids) == 500)
        assert handler.ids == list(range(500))
        assert before <= handler.receive_ns[0] <= handler.receive_ns[-1] <= time.time_ns()
        assert handler.receive_ns == sorted(handler.receive_ns)
        assert len(set(handler.receive_ns)) <= line.batches
        assert line.last_frame_ns == handler.receive_ns[-1]
        assert (line.frames, line.messages, line.line) == (500, 500, 7)
        assert line.bytes == sum(len(trade(number)) for number in range(500))
        assert 500 / line.batches <= line.largest_batch <= 500
        assert line.is_open
    run(scenario)


def test_a_message_joined_from_two_fragments_cut_anywhere():
    async def scenario(peer, line, handler):
        whole = trade(0)
        for cut in range(len(whole) + 1):
            message = trade(cut)[:cut], trade(cut)[cut:]
            peer.raw(frame(TEXT, message[0], fin=False) + frame(PING, b"here") + frame(CONTINUATION, message[1]))
        await until(lambda: len(handler.ids) == len(whole) + 1)
        assert handler.ids == list(range(len(whole) + 1))
        assert line.pings == len(whole) + 1
        assert line.frames == 3 * (len(whole) + 1)
    run(scenario)


def test_a_message_in_fragments_of_one_byte_between_whole_messages():
    async def scenario(peer, line, handler):
        pieces = [trade(1)[i:i + 1] for i in range(len(trade(1)))]
        peer.send(trade(0))
        peer.raw(frame(BINARY, pieces[0], fin=False) + b"".join(frame(CONTINUATION, p, fin=False) for p in pieces[1:]))
        peer.raw(frame(CONTINUATION))
        peer.send(trade(2))
        await until(lambda: len(handler.ids) == 3)
        assert handler.ids == [0, 1, 2]
    run(scenario)


def test_long_messages_are_joined_and_their_buffer_is_used_again():
    async def scenario(peer, line, handler):
        for number, padding in enumerate([0, 100_000, 10, 900_000, 300_000]):
            text = trade(number)[:-1] + b',"x":"' + b"y" * padding + b'"}'
            peer.raw(frame(TEXT, text[:50], fin=False) + frame(CONTINUATION, text[50:90_000], fin=False)
                     + frame(CONTINUATION, text[90_000:]))
        await until(lambda: len(handler.ids) == 5)
        assert handler.ids == list(range(5))
    run(scenario, max_message=1 << 20)


def test_frames_cut_at_every_byte_by_the_network():
    async def scenario(peer, line, handler):
        data = frame(TEXT, trade(0)) + frame(PING, b"x") + frame(TEXT, trade(1))
        for i in range(len(data)):
            peer.raw(data[i:i + 1])
            await peer.writer.drain()
            await asyncio.sleep(0)
        await until(lambda: len(handler.ids) == 2)
        assert handler.ids == [0, 1]
    run(scenario)


@pytest.mark.parametrize("payload", [
    b"", b"{", b"\xff\xfe\x00", b"null", b"[]", b"{}" * 1000, trade(5)[:-9], b'{"e":"trade","s":"BTCUSDT","p":{}}',
], ids=repr)
def test_wrong_content_never_ends_the_line(payload):
    async def scenario(peer, line, handler):
        peer.raw(frame(TEXT, payload) + frame(BINARY, payload) + frame(TEXT, trade(9)))
        await until(lambda: handler.ids)
        assert handler.ids == [9]
        assert line.is_open
        assert line.handler_errors == 0
    run(scenario)


def test_a_handler_that_raises_is_logged_and_counted_and_the_line_goes_on(caplog):
    async def scenario(peer, line, handler):
        handler.bad = {1, 2, 3}
        with caplog.at_level(logging.ERROR, "feeds.transport"):
            peer.send(*[trade(number) for number in range(6)])
            await until(lambda: len(handler.ids) == 6)
        assert line.handler_errors == 3
        assert line.is_open
        assert "cannot take trade 1" in caplog.text
        assert len(caplog.records) == 1             # once a second, however many
        assert handler.ids == list(range(6))
    run(scenario)


class Books:
    def __init__(self):
        self.bests = []

    def on_book(self, book):
        self.bests.append(book.best_bid)


def test_conflated_books_are_delivered_though_a_ping_ends_the_read():
    async def main():
        async with Venue() as venue:
            handler = Books()
            pipeline = Pipeline("binance_spot", handler, conflate=True)
            line = await open_line(pipeline, venue.url + "/stream?streams=btcusdt@depth5")
            peer = await until(lambda: venue.peers and venue.peer)
            for price in range(1, 50):
                book = {"lastUpdateId": price, "bids": [[str(price), "1"]], "asks": [["1000", "1"]]}
                text = json.dumps({"stream": "btcusdt@depth5", "data": book}).encode()
                peer.raw(frame(TEXT, text) * 3 + frame(PING, b"end"))
                await until(lambda price=price: handler.bests and handler.bests[-1] == (price, 1.0))
            line.close()
            await line.wait_closed()
    asyncio.run(main())


# ---- control frames

@pytest.mark.parametrize("payload", [b"", b"1612345678901", bytes(range(125))], ids=["empty", "number", "longest"])
def test_a_ping_is_answered_with_its_own_payload(payload):
    async def scenario(peer, line, handler):
        peer.raw(frame(PING, payload) + frame(PONG, b"unasked") + frame(TEXT, trade(1)))
        await until(lambda: peer.received and handler.ids)
        assert peer.received == [(PONG, payload)]
        assert line.frames == 3
    run(scenario)


def test_our_own_ping_goes_out_and_its_answer_counts_as_a_sign_of_life():
    async def scenario(peer, line, handler):
        line.send_ping()
        await until(lambda: peer.received)
        assert peer.received == [(PING, b"")]
        peer.raw(frame(PONG))
        await until(lambda: line.frames == 1)
    run(scenario)


@pytest.mark.parametrize("sent, code, answer", [
    (close_frame(1000), 1000, 1000),
    (close_frame(1001, b"going away"), 1001, 1001),
    (close_frame(1011), 1011, 1011),
    (close_frame(4321, b"own code"), 4321, 4321),
    (frame(CLOSE), 0, 1000),
], ids=["1000", "1001", "1011", "4321", "none"])
def test_a_close_is_answered_and_what_follows_it_is_ignored(sent, code, answer):
    async def scenario(peer, line, handler):
        peer.raw(frame(TEXT, trade(1)) + sent + frame(TEXT, trade(2)))
        await line.wait_closed()
        assert not line.is_open
        assert handler.ids == [1]
        assert line.close_code == code
        assert line.close_reason == sent[4:].decode()
        await until(lambda: peer.ended)
        assert peer.closes == [answer]
    run(scenario)


def test_codes_that_may_not_be_sent_are_answered_with_a_protocol_error():
    async def scenario(peer, line, handler):
        peer.raw(close_frame(1006))
        await line.wait_closed()
        await until(lambda: peer.ended)
        assert peer.closes == [1002]
    run(scenario)


@pytest.mark.parametrize("way", ["hang_up", "reset"])
@pytest.mark.parametrize("rest", [b"", frame(TEXT, trade(2))[:-1], frame(TEXT, trade(2), fin=False), b"\x81"],
                         ids=["clean", "half frame", "half message", "half header"])
def test_a_connection_that_ends_without_a_word(way, rest):
    async def scenario(peer, line, handler):
        peer.send(trade(1))
        peer.raw(rest)
        await until(lambda: handler.ids)
        getattr(peer, way)()
        await line.wait_closed()
        assert handler.ids == [1]
        assert line.close_code == 1006
        assert not line.is_open
    run(scenario)


def test_a_new_line_knows_nothing_of_half_a_message_of_the_old_one():
    async def main():
        async with Venue() as venue:
            handler = Trades()
            pipeline = Pipeline("binance_spot", handler)
            line = await open_line(pipeline, venue.url)
            venue.peer.raw(frame(TEXT, trade(1)[:40], fin=False) + frame(PING))
            await until(lambda: line.pings)
            venue.peer.hang_up()
            await line.wait_closed()
            line = await open_line(pipeline, venue.url)
            await until(lambda: len(venue.peers) == 2)
            venue.peer.send(trade(2))
            await until(lambda: handler.ids)
            assert handler.ids == [2]
            venue.peer.raw(frame(CONTINUATION, trade(1)[40:]))
            await line.wait_closed()
            assert line.close_code == 1002
    asyncio.run(main())


# ---- what is refused

PART = frame(TEXT, b'{"half":', fin=False)


@pytest.mark.parametrize("sent, code", [
    (frame(TEXT, trade(2), rsv=4), 1002),
    (frame(TEXT, trade(2), rsv=2), 1002),
    (frame(BINARY, trade(2), rsv=1), 1002),
    (frame(PING, b"", rsv=4), 1002),
    (frame(CONTINUATION, trade(2)), 1002),
    (frame(CONTINUATION, b"", fin=False), 1002),
    (PART + frame(TEXT, trade(2)), 1002),
    (PART + frame(BINARY, b"", fin=False), 1002),
    (PART + frame(CONTINUATION, b"}") + frame(CONTINUATION, b"}"), 1002),
    (frame(3, b"x"), 1002),
    (frame(PING, b"", fin=False), 1002),
    (frame(TEXT, b"x" * 2001), 1009),
    (PART + frame(CONTINUATION, b"x" * 1000, fin=False) * 2, 1009),
    (struct.pack("!BBQ", 0x81, 127, 1 << 40), 1009),
    (struct.pack("!BBQ", 0x81, 127, (1 << 63) + 5), 1002),
], ids=lambda value: value if isinstance(value, int) else value[:8].hex())
def test_breaches_of_the_protocol_end_the_line_with_the_right_code(sent, code):
    async def scenario(peer, line, handler):
        peer.send(trade(1))
        await until(lambda: handler.ids)
        peer.raw(sent + frame(TEXT, trade(3)))
        await line.wait_closed()
        await until(lambda: peer.ended)
        assert handler.ids == [1]
        assert peer.closes[0] == code
        assert line.close_code == code
        assert not line.is_open
    run(scenario, max_message=2000)


def test_the_longest_message_passes_whole_and_joined():
    async def scenario(peer, line, handler):
        text = trade(1) + b" " * (2000 - len(trade(1)))
        peer.raw(frame(TEXT, text) + frame(TEXT, text[:1999], fin=False) + frame(CONTINUATION, text[1999:]))
        await until(lambda: len(handler.ids) == 2)
        assert line.is_open
    run(scenario, max_message=2000)


# ---- sending and leaving

def test_texts_go_out_and_only_while_the_line_is_open():
    async def scenario(peer, line, handler):
        line.send_text('{"ü":1}')
        await until(lambda: peer.texts)
        assert peer.texts == ['{"ü":1}']
        line.close()
        with pytest.raises(ConnectionError, match="line 7 is not open"):
            line.send_text("late")
        line.send_ping()
        await line.wait_closed()
        await until(lambda: peer.ended)
        assert peer.closes == [1000]
        assert line.close_code == 1000
        line.close()
        line.abort()
    run(scenario)


def test_nothing_is_delivered_after_an_abort():
    async def scenario(peer, line, handler):
        peer.send(trade(1))
        line.abort()
        await line.wait_closed()
        assert handler.ids == []
        assert line.close_code == 1006
    run(scenario)


# ---- connecting

def test_connections_that_cannot_be_made_say_where_and_why():
    async def main():
        pipeline = Pipeline("binance_spot")
        async with Venue() as venue:
            venue.upgrade = False
            with pytest.raises(ConnectionError, match=rf"^{venue.url}/stream: .*503"):
                await open_line(pipeline, venue.url + "/stream?streams=secret")
        with pytest.raises(ConnectionError, match="Connect call failed"):
            await open_line(pipeline, venue.url)
        async with mute_server() as port:
            with pytest.raises(ConnectionError, match="no answer within 0.1 s"):
                await open_line(pipeline, f"ws://127.0.0.1:{port}/", timeout=0.1)
            with pytest.raises(ConnectionError, match="no answer within 0.1 s"):
                await open_line(pipeline, f"wss://127.0.0.1:{port}/", timeout=0.1)
    asyncio.run(main())


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"\x00\x01\r\n\r\n", b"HTTP/1.1"],
                         ids=["nothing", "no key", "no http", "half"])
def test_a_peer_that_hangs_up_or_talks_nonsense_during_the_handshake(words):
    async def main():
        served = asyncio.Event()

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(words)
            writer.close()
            await writer.wait_closed()
            served.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match=f"127.0.0.1:{port}"):
            await open_line(Pipeline("binance_spot"), f"ws://127.0.0.1:{port}/")
        await served.wait()
        server.close()
    asyncio.run(main())


def test_a_certificate_is_verified_unless_the_caller_brings_another_trust(tmp_path):
    async def main():
        certificate, key = make_certificate(tmp_path)
        venue = Venue()
        venue.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        venue.tls.load_cert_chain(certificate, key)
        async with venue:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)    # the refused handshake
            handler = Trades()
            with pytest.raises(ConnectionError, match="(?i)certificate.verify.failed"):
                await open_line(Pipeline("binance_spot", handler), venue.url)
            trust = ssl.create_default_context(cafile=certificate)
            line = await open_line(Pipeline("binance_spot", handler), venue.url, ssl_context=trust)
            venue.peer.send(trade(1))
            await until(lambda: handler.ids)
            line.close()
            await line.wait_closed()
            with pytest.raises(ConnectionError, match="(?i)certificate.verify.failed"):
                await open_line(Pipeline("binance_spot", handler), venue.url.replace("127.0.0.1", "localhost"),
                                ssl_context=trust)
    asyncio.run(main())


def test_an_attempt_that_was_given_up_does_not_open_later():
    async def main():
        going_on = asyncio.Event()

        class Slow(Venue):
            async def _websocket(self, *args):
                await going_on.wait()
                await super()._websocket(*args)

        async with Slow() as venue:
            handler = Trades()
            venue.on_open = lambda peer: peer.send(trade(1))
            with pytest.raises(ConnectionError, match="no answer"):
                await open_line(Pipeline("binance_spot", handler), venue.url, timeout=0.05)
            going_on.set()
            await until(lambda: venue.peers and venue.peer.ended)
            assert handler.ids == []
    asyncio.run(main())


def test_arguments_are_checked():
    with pytest.raises(TypeError):
        Line(None)
    with pytest.raises(TypeError):
        Line(object())
    with pytest.raises(ValueError, match="max_message"):
        Line(Pipeline("binance_spot"), 0, 0)


# ---- the version of picows

@pytest.mark.parametrize("version", ["2.3.1", "2.3.2", "2.3.10", "2.3.1.post1"])
def test_versions_that_fit(version):
    picows_version.check(version)


@pytest.mark.parametrize("version", ["1.20.0", "2.0.0", "2.3.0", "2.4.0", "2.4.0rc1", "3.0", "unknown"])
def test_versions_that_do_not_fit_are_named_beside_those_that_do(version):
    with pytest.raises(ImportError, match=rf">=2\.3\.1,<2\.4.*{version}"):
        picows_version.check(version)


def test_importing_the_transport_with_another_picows_is_a_clear_error():
    code = "import picows; picows.__version__ = '2.4.0'; import feeds.transport"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode != 0
    assert "feeds.transport needs picows>=2.3.1,<2.4, but picows 2.4.0 is installed" in result.stderr
