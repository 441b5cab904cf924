"""permessage-deflate: what is agreed on, what is inflated, and what ends a connection."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import zlib

import pytest

from feeds.deflate import FREE_SIZE, MAX_RATIO, OFFER, ExtensionError, InflateError, Inflater, Terms, read_terms
from feeds.pipeline import Pipeline
from feeds.transport import open_line
from orderbook import BookState
from tests import frames
from tests.loopback import BINARY, CONTINUATION, PING, TEXT, Venue, frame, until

RSV1 = 4


class Deflater:
    """What a server does."""

    def __init__(self, takeover=True, bits=15, level=6):
        self.made = lambda: zlib.compressobj(level, zlib.DEFLATED, -bits)
        self.takeover = takeover
        self.state = self.made()

    def pack(self, data):
        packed = self.state.compress(data) + self.state.flush(zlib.Z_SYNC_FLUSH)
        if not self.takeover:
            self.state = self.made()
        assert packed.endswith(b"\0\0\xff\xff")
        return packed[:-4]


# ---- the agreement

@pytest.mark.parametrize(("answers", "terms"), [
    ((), None),
    (("permessage-deflate",), Terms()),
    (("Permessage-Deflate ; server_no_context_takeover",), Terms(takeover=False)),
    (("permessage-deflate; server_max_window_bits=10; client_max_window_bits=15; client_no_context_takeover",),
     Terms(window_bits=10)),
    (('permessage-deflate; server_max_window_bits="8"',), Terms(window_bits=8)),
])
def test_what_a_server_may_answer(answers, terms):
    assert read_terms(answers, True) == terms


@pytest.mark.parametrize(("answers", "text"), [
    (("permessage-deflate; x",), "unknown parameter of permessage-deflate: x"),
    (("permessage-deflate; server_no_context_takeover; server_no_context_takeover",), "twice"),
    (("permessage-deflate; server_max_window_bits=7",), "window"),
    (("permessage-deflate; server_max_window_bits=16",), "window"),
    (("permessage-deflate; server_max_window_bits=010",), "window"),
    (("permessage-deflate; server_max_window_bits=\u00b2",), "window"),
    (("permessage-deflate; server_max_window_bits",), "window"),
    (("permessage-deflate; client_max_window_bits=",), "window"),
    (("permessage-deflate; server_no_context_takeover=1",), "value"),
    (("permessage-deflate;",), "unknown parameter"),
    (("x-webkit-deflate-frame",), "not offered"),
    (("permessage-deflate, permessage-deflate",), "not offered"),
    (("permessage-deflate", "other"), "not offered"),
    (("",), "not offered"),
])
def test_anything_else_is_refused(answers, text):
    with pytest.raises(ExtensionError, match=text):
        read_terms(answers, True)


def test_what_was_not_offered_is_refused():
    with pytest.raises(ExtensionError, match="not offered"):
        read_terms(("permessage-deflate",), False)
    assert read_terms((), False) is None


# ---- the messages

@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("bits", [9, 15])
def test_messages_inflate_in_their_order(takeover, bits, seed):
    rng = random.Random(seed)
    deflater = Deflater(takeover, bits)
    inflater = Inflater(Terms(takeover, bits), 1 << 22)
    for _ in range(200):
        text = b"".join(rng.choice((b'{"e":"depthUpdate"', b"61800.20", rng.randbytes(3)))
                        for _ in range(rng.randrange(800)))
        assert inflater.inflate(deflater.pack(text)) == text


def test_a_message_that_ends_its_stream():
    """RFC 7692, 7.2.3.5: a block may say that it is the last; the messages after it can be read all the same."""
    inflater = Inflater(Terms(), 100)
    assert inflater.inflate(bytes.fromhex("f348cdc9c90700" + "00")) == b"Hello"
    assert inflater.inflate(bytes.fromhex("f348cdc9c90700")) == b"Hello"
    assert inflater.inflate(bytes.fromhex("f200110000")) == b"Hello"        # refers to the one before
    with pytest.raises(InflateError) as caught:
        Inflater(Terms(), 100).inflate(bytes.fromhex("f348cdc9c9070078"))
    assert caught.value.code == 1007


def test_limits():
    most = 4 * FREE_SIZE
    exact = b"a" * 1000
    assert Inflater(Terms(), 1000).inflate(Deflater().pack(exact)) == exact
    with pytest.raises(InflateError, match="more than 999 bytes") as caught:
        Inflater(Terms(), 999).inflate(Deflater().pack(exact))
    assert caught.value.code == 1009
    bomb = Deflater(level=9).pack(b"\0" * (3 * FREE_SIZE))
    assert len(bomb) * MAX_RATIO < 3 * FREE_SIZE
    with pytest.raises(InflateError, match=f"more than {MAX_RATIO} times its size"):
        Inflater(Terms(), most).inflate(bomb)
    dense = random.Random(1).randbytes(3 * FREE_SIZE)
    assert Inflater(Terms(), most).inflate(Deflater().pack(dense)) == dense
    small = b"\0" * (FREE_SIZE - 10)
    assert Inflater(Terms(), most).inflate(Deflater().pack(small)) == small


def test_broken_messages_are_errors(seed):
    rng = random.Random(seed)
    good = Deflater().pack(b'{"result":null,"id":1}' * 20)
    bad = 0
    for _ in range(3000):
        data = bytearray(good)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            Inflater(Terms(), 1 << 20).inflate(bytes(data))
        except InflateError as error:
            assert error.code in (1007, 1009)
            bad += 1
    assert bad > 100


# ---- over a connection

def trade(number):
    return json.dumps({"e": "trade", "E": 1, "s": "BTCUSDT", "t": number, "p": "1.50", "q": "2", "T": 1, "m": False},
                      separators=(",", ":")).encode()


class Ids:
    """A handler that keeps the ids of trades and what became of the books."""

    def __init__(self):
        self.ids = []
        self.states = []

    def on_trade(self, event):
        self.ids.append(event.trade_id)

    def on_status(self, book, old, new, reason):
        self.states.append(new)


def run(scenario, extensions=("permessage-deflate",), **options):
    """Run `scenario(peer, line, handler, venue)` on an open line."""
    async def main():
        async with Venue() as venue:
            venue.extensions = extensions
            handler = Ids()
            handler.pipeline = Pipeline("binance_spot", handler)
            line = await open_line(handler.pipeline, venue.url, **{"compression": True, **options})
            peer = await until(lambda: venue.peers and venue.peer)
            try:
                await scenario(peer, line, handler, venue)
            finally:
                line.abort()
                await line.wait_closed()
    asyncio.run(main())


def test_compressed_plain_and_fragmented_messages_between_each_other():
    async def scenario(peer, line, handler, venue):
        assert line.compressed
        assert venue.handshakes[-1]["sec-websocket-extensions"] == OFFER
        deflater = Deflater()
        for number in range(0, 60, 3):
            packed = deflater.pack(trade(number))
            peer.raw(frame(TEXT, packed, rsv=RSV1))
            peer.send(trade(number + 1))                            # not every message has to be compressed
            packed = deflater.pack(trade(number + 2))
            cut = number % len(packed)
            peer.raw(frame(BINARY, packed[:cut], fin=False, rsv=RSV1) + frame(PING, b"x")
                     + frame(CONTINUATION, packed[cut:]))
        await until(lambda: len(handler.ids) == 60)
        assert handler.ids == list(range(60))
        assert line.bytes == sum(len(trade(number)) for number in range(60))
        assert line.wire_bytes < line.bytes
    run(scenario)


def test_without_an_answer_nothing_is_compressed():
    async def scenario(peer, line, handler, venue):
        assert not line.compressed
        peer.send(trade(1))
        peer.raw(frame(TEXT, Deflater().pack(trade(2)), rsv=RSV1))
        assert await until(lambda: peer.closes) == [1002]
        assert handler.ids == [1]
    run(scenario, extensions=())


@pytest.mark.parametrize("broken", [
    frame(TEXT, b"x", rsv=2), frame(PING, b"x", rsv=RSV1),
    frame(TEXT, b"", fin=False, rsv=RSV1) + frame(CONTINUATION, b"", rsv=RSV1),
])
def test_reserved_bits_where_they_mean_nothing(broken):
    async def scenario(peer, line, handler, venue):
        peer.raw(broken)
        assert await until(lambda: peer.closes) == [1002]
    run(scenario)


@pytest.mark.parametrize(("payload", "code"), [
    (b"\xff\xff\xff", 1007), (Deflater(level=9).pack(b" " * (4 << 20)), 1009),
    (Deflater(level=9).pack(b" " * 70000), 1009),
])
def test_a_bomb_or_rubbish_ends_the_line_and_the_books_are_stale(payload, code):
    async def scenario(peer, line, handler, venue):
        deflater = Deflater()
        peer.raw(frame(TEXT, deflater.pack(frames.delta(5, 6)), rsv=RSV1))
        await until(lambda: handler.pipeline.symbols())
        handler.pipeline.rest(frames.rest_url("binance_spot"), frames.snapshot(5, [("1", "1")], [("2", "2")], False))
        book = handler.pipeline.book("BTCUSDT")
        assert book.status is BookState.LIVE
        peer.raw(frame(TEXT, deflater.pack(trade(1)), rsv=RSV1) + frame(TEXT, payload, rsv=RSV1))
        peer.raw(frame(TEXT, deflater.pack(trade(2)), rsv=RSV1))
        assert await until(lambda: peer.closes) == [code]
        await line.wait_closed()
        assert (handler.ids, book.status, book.bid_levels) == ([1], BookState.STALE, 1)
    run(scenario, max_message=65536)


@pytest.mark.parametrize("answer", [
    "permessage-deflate; x=1", "x-other", "permessage-deflate; server_max_window_bits=3"])
def test_a_wrong_answer_ends_the_handshake(answer):
    async def main():
        async with Venue() as venue:
            venue.extensions = (answer,)
            with pytest.raises(ConnectionError, match="the server wants"):
                await open_line(Pipeline("binance_spot"), venue.url, compression=True)
            venue.extensions = ("permessage-deflate",)
            with pytest.raises(ConnectionError, match="not offered"):
                await open_line(Pipeline("binance_spot"), venue.url)
    asyncio.run(main())


def test_headers_are_sent_and_never_logged(caplog):
    async def main():
        async with Venue() as venue:
            with caplog.at_level(1):
                logging.getLogger("picows").setLevel(1)
                line = await open_line(Pipeline("binance_spot"), venue.url, 77, headers={"X-Key": "very-secret"})
            assert venue.handshakes[-1]["x-key"] == "very-secret"
            line.abort()
            await line.wait_closed()
    try:
        asyncio.run(main())
    finally:
        logging.getLogger("picows").setLevel(logging.NOTSET)
    assert "very-secret" not in caplog.text
