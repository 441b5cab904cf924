"""The cases of the Autobahn test suite that apply to a client, played by our own server over raw TCP.

Numbers and contents are those of https://github.com/crossbario/autobahn-testsuite (fuzzing server, 0.8.2). There a
client echoes what it gets; a `Line` hands it to a pipeline instead, so "echoed" reads "delivered" here: messages are
trades, padded to the length of the case, and their ids show that all of them came, whole and in order. Of the 1000
messages that a compressed case of the suite has, we send a few.
"""

from __future__ import annotations

import asyncio
import random
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

import pytest

from feeds.pipeline import Pipeline
from feeds.transport import open_line
from tests.loopback import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Venue, close_frame, frame, until

OPEN = 0                        # instead of a close code: the line goes on
PROTOCOL, INVALID, TOO_BIG = 1002, 1007, 1009
NO_UTF8 = ("neither picows nor the line looks at the UTF-8 of a text: it is bytes until a parser reads a value of it; "
           "in a value that is used, a byte that is no UTF-8 is wrong content: an event, and a resync of that book")
ELSE = {                        # cases with another outcome than the suite asks for -> why
    **dict.fromkeys([
        "6.3.1", "6.3.2", "6.4.1", "6.4.2", "6.4.3", "6.4.4", *(f"6.6.{n}" for n in (1, 3, 4, 6, 8, 10)),
        "6.8.1", "6.8.2", "6.10.1", "6.10.2", "6.10.3", "6.11.5", *(f"6.12.{n}" for n in range(1, 9)),
        *(f"6.13.{n}" for n in range(1, 6)), *(f"6.14.{n}" for n in range(1, 11)), "6.15.1",
        *(f"6.16.{n}" for n in range(1, 4)), *(f"6.{part}.{n}" for part in (17, 18, 19) for n in range(1, 6)),
        *(f"6.20.{n}" for n in range(1, 8)),
        *(f"6.21.{n}" for n in range(1, 9))], NO_UTF8),
    "7.1.2": "picows parses one frame ahead: of two closes in one read it refuses the second before we see the first",
    "7.13.1": "codes from 5000 on are not for use, nor are they said to be wrong: the suite judges neither way",
    "7.13.2": "as 7.13.1",
}


@dataclass
class Case:
    """What is sent, and what has to come of it."""

    number: str
    sent: bytes | Callable[[], bytes]
    ids: list[int] = field(default_factory=list)        # trades that arrive
    pongs: list[bytes] = field(default_factory=list)
    code: int = OPEN            # with which we close
    told: int | None = None     # what `Line.close_code` says, where that is the peer's code and another
    chop: int = 0               # bytes written at a time; 0: all at once
    messages: int | None = None     # that reach the pipeline, where not all of them are trades
    max_message: int = 16 << 20
    agreed: str = ""            # compression, as the server answers the handshake


def message(number, size=0, text=b""):
    """A trade with this id, of so many bytes, with `text` in a value that nobody reads."""
    head = b'{"e":"trade","s":"BTCUSDT","t":%d,"p":"1","q":"1","T":1,"m":true' % number
    tail = b',"x":"' + text + b'"}'
    if size:
        assert len(head) + 8 <= size, f"no trade has {size} bytes"
        tail = b',"x":"' + b"*" * (size - len(head) - 8) + b'"}'
    return head + tail


def fragments(opcode, payload, size):
    """A message cut into frames of `size` bytes."""
    pieces = [payload[at:at + size] for at in range(0, len(payload), size)] or [b""]
    return b"".join(frame(CONTINUATION if at else opcode, piece, fin=at == len(pieces) - 1)
                    for at, piece in enumerate(pieces))


def text(number, **options):
    return frame(TEXT, message(number), **options)


def halves(number, opcode=TEXT):
    """The two fragments of a trade."""
    whole = message(number)
    return frame(opcode, whole[:30], fin=False), frame(CONTINUATION, whole[30:])


def framing():
    for section, opcode in ((1, TEXT), (2, BINARY)):
        yield Case(f"1.{section}.1", frame(opcode), messages=1)
        for n, size in enumerate((125, 126, 127, 128, 65535, 65536), 2):
            yield Case(f"1.{section}.{n}", frame(opcode, message(n, size)), [n])
        yield Case(f"1.{section}.8", frame(opcode, message(8, 65536)), [8], chop=997)


def pings():
    longest = b"\xfe" * 125
    ten = [b"payload-%d" % n for n in range(10)]
    yield Case("2.1", frame(PING), pongs=[b""])
    yield Case("2.2", frame(PING, b"Hello, world!"), pongs=[b"Hello, world!"])
    yield Case("2.3", frame(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), pongs=[b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"])
    yield Case("2.4", frame(PING, longest), pongs=[longest])
    yield Case("2.5", frame(PING, b"\xfe" * 126), code=PROTOCOL)
    yield Case("2.6", frame(PING, longest), pongs=[longest], chop=1)
    yield Case("2.7", frame(PONG))
    yield Case("2.8", frame(PONG, b"unsolicited pong payload"))
    yield Case("2.9", frame(PONG, b"unsolicited pong payload") + frame(PING, b"ping payload"), pongs=[b"ping payload"])
    yield Case("2.10", b"".join(frame(PING, payload) for payload in ten), pongs=ten)
    yield Case("2.11", b"".join(frame(PING, payload) for payload in ten), pongs=ten, chop=1)


def reserved_bits():
    yield Case("3.1", text(1, rsv=1), code=PROTOCOL)
    then = text(2, rsv=2) + frame(PING)
    yield Case("3.2", text(1) + then, [1], code=PROTOCOL)
    yield Case("3.3", text(1) + text(2, rsv=3) + frame(PING), [1], code=PROTOCOL, chop=len(text(1)))
    yield Case("3.4", text(1) + text(2, rsv=4) + frame(PING), [1], code=PROTOCOL, chop=1)
    yield Case("3.5", frame(BINARY, message(1), rsv=5), code=PROTOCOL)
    yield Case("3.6", frame(PING, b"Hello, world!", rsv=6), code=PROTOCOL)
    yield Case("3.7", frame(CLOSE, struct.pack("!H", 1000), rsv=7), code=PROTOCOL, told=1000)


def opcodes():
    for section, first in ((1, 3), (2, 11)):
        yield Case(f"4.{section}.1", frame(first), code=PROTOCOL)
        yield Case(f"4.{section}.2", frame(first + 1, b"reserved opcode payload"), code=PROTOCOL)
        yield Case(f"4.{section}.3", text(1) + frame(first + 2) + frame(PING), [1], code=PROTOCOL)
        yield Case(f"4.{section}.4", text(1) + frame(first + 3, b"reserved") + frame(PING), [1], code=PROTOCOL)
        yield Case(f"4.{section}.5", text(1) + frame(first + 4, b"reserved") + frame(PING), [1], code=PROTOCOL, chop=1)


def fragmentation():
    one, two = halves(1)
    ping = frame(PING, b"ping payload")
    yield Case("5.1", frame(PING, b"fragment1", fin=False) + frame(CONTINUATION, b"fragment2"), code=PROTOCOL)
    yield Case("5.2", frame(PONG, b"fragment1", fin=False) + frame(CONTINUATION, b"fragment2"), code=PROTOCOL)
    for case, chop in (("5.3", 0), ("5.4", len(one)), ("5.5", 1)):
        yield Case(case, one + two, [1], chop=chop)
    for case, chop in (("5.6", 0), ("5.7", len(one)), ("5.8", 1)):
        yield Case(case, one + ping + two, [1], [b"ping payload"], chop=chop)
    for case, fin, chop in (("5.9", True, 0), ("5.10", True, 24), ("5.11", True, 1),
                            ("5.12", False, 0), ("5.13", False, 24), ("5.14", False, 1)):
        yield Case(case, frame(CONTINUATION, b"non-continuation payload", fin=fin) + text(1), code=PROTOCOL, chop=chop)
    lonely = frame(CONTINUATION, b"fragment3", fin=False)
    yield Case("5.15", one + two + lonely + text(2), [1], code=PROTOCOL)
    yield Case("5.16", (lonely + one + two) * 2, code=PROTOCOL)
    yield Case("5.17", (frame(CONTINUATION, b"fragment1") + one + two) * 2, code=PROTOCOL)
    yield Case("5.18", one + frame(TEXT, b"fragment2"), code=PROTOCOL)
    whole = message(1)
    five = [frame(CONTINUATION if at else TEXT, whole[at:at + 20], fin=at + 20 >= len(whole))
            for at in range(0, len(whole), 20)]
    mixed = b"".join(five[:2]) + frame(PING, b"pongme 1!") + b"".join(five[2:4]) + frame(PING, b"pongme 2!") + b"".join(
        five[4:])
    yield Case("5.19", mixed, [1], [b"pongme 1!", b"pongme 2!"], chop=30)
    yield Case("5.20", mixed, [1], [b"pongme 1!", b"pongme 2!"])


GOOD = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
BAD = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64"
NON_CHARACTERS = [b"\xef\xbf\xbe", b"\xef\xbf\xbf", *(chr((plane << 16) + low).encode() for plane in range(1, 17)
                                                    for low in (0xFFFE, 0xFFFF))]
UTF8 = {
    "6.5": [b"hello$world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld", b"hello\xf0\xa4\xad\xa2world", GOOD],
    "6.6": [GOOD[:size] for size in range(1, len(GOOD) + 1)],
    "6.7": [b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
    "6.8": [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
    "6.9": [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
    "6.10": [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"],
    "6.11": [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"],
    "6.12": [b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", b"\x80\xbf\x80\xbf", b"\x80\xbf\x80\xbf\x80",
             b"\x80\xbf\x80\xbf\x80\xbf", bytes(range(0x80, 0xBF))],
    "6.13": [b"".join(bytes((lead, 0x20)) for lead in leads) for leads in (
        range(0xC0, 0xDF), range(0xE0, 0xEF), range(0xF0, 0xF7), range(0xF8, 0xFB), range(0xFC, 0xFD))],
    "6.14": [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf",
             b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"],
    "6.16": [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
    "6.17": [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"],
    "6.18": [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"],
    "6.19": [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"],
    "6.20": [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbe\x80",
             b"\xed\xbf\xbf"],
    "6.21": [b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xa0\x80\xed\xbf\xbf", b"\xed\xad\xbf\xed\xb0\x80",
             b"\xed\xad\xbf\xed\xbf\xbf", b"\xed\xae\x80\xed\xb0\x80", b"\xed\xae\x80\xed\xbf\xbf",
             b"\xed\xaf\xbf\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf"],
    "6.22": NON_CHARACTERS,
    "6.23": [b"\xef\xbf\xb9", b"\xef\xbf\xba", b"\xef\xbf\xbb", b"\xef\xbf\xbc", b"\xef\xbf\xbd", b"\xef\xbf\xbe",
             b"\xef\xbf\xbf"],
}
UTF8["6.15"] = [b"".join(UTF8["6.14"])]


def is_utf8(content):
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def utf8():
    yield Case("6.1.1", frame(TEXT), messages=1)
    yield Case("6.1.2", frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION), messages=1)
    yield Case("6.1.3", frame(TEXT, fin=False) + frame(CONTINUATION, message(1), fin=False) + frame(CONTINUATION), [1])
    valid = message(1, text=GOOD * 2)
    yield Case("6.2.1", frame(TEXT, valid), [1])
    cut = valid.index(GOOD) + len(GOOD)
    yield Case("6.2.2", fragments(TEXT, valid, cut), [1])
    yield Case("6.2.3", fragments(TEXT, valid, 1), [1])
    yield Case("6.2.4", fragments(TEXT, message(1, text=GOOD), 1), [1])
    invalid = message(1, text=BAD)
    yield Case("6.3.1", frame(TEXT, invalid), [1])
    yield Case("6.3.2", fragments(TEXT, invalid, 1), [1])
    # Fail fast: the fault is in the second of three parts, frames in the first two cases, TCP segments in the others.
    late = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4", b"\x90", b"\x80\x80\x65\x64"
    for case, parts in (("6.4.1", late), ("6.4.2", (late[0], b"\x90\x80", b"\x80\x65\x64"))):
        head, tail = message(1, text=b"|").split(b"|")
        pieces = (head + parts[0], parts[1], parts[2] + tail)
        yield Case(case, frame(TEXT, pieces[0], fin=False) + frame(CONTINUATION, pieces[1], fin=False)
                   + frame(CONTINUATION, pieces[2]), [1])
        yield Case(f"6.4.{int(case[-1]) + 2}", frame(TEXT, b"".join(pieces)), [1], chop=len(pieces[0]))
    for section, contents in UTF8.items():
        for n, content in enumerate(contents, 1):
            yield Case(f"{section}.{n}", frame(TEXT, message(1, text=content)), [1])


def closing():
    bye = close_frame(1000)
    yield Case("7.1.1", text(1) + bye, [1], code=1000)
    yield Case("7.1.2", bye + frame(CLOSE), code=PROTOCOL, told=1000)
    yield Case("7.1.3", bye + frame(PING), code=1000)
    yield Case("7.1.4", bye + text(1), code=1000)
    one, two = halves(1)
    yield Case("7.1.5", one + bye + two, code=1000)
    yield Case("7.1.6", frame(TEXT, message(1, 256 << 10)) + bye + frame(PING), [1], code=1000)
    yield Case("7.3.1", frame(CLOSE), code=1000, told=0)
    yield Case("7.3.2", frame(CLOSE, b"a"), code=PROTOCOL)
    yield Case("7.3.3", bye, code=1000)
    yield Case("7.3.4", close_frame(1000, b"Hello World!"), code=1000)
    yield Case("7.3.5", close_frame(1000, b"*" * 123), code=1000)
    yield Case("7.3.6", close_frame(1000, b"*" * 124), code=PROTOCOL)
    yield Case("7.5.1", close_frame(1000, BAD), code=INVALID)
    for n, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999), 1):
        yield Case(f"7.7.{n}", close_frame(code), code=code)
    for n, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
        yield Case(f"7.9.{n}", close_frame(code), code=PROTOCOL, told=code if code in (0, 1006) else None)
    yield Case("7.13.1", close_frame(5000), code=5000)
    yield Case("7.13.2", close_frame(65535), code=65535)


def limits():
    k, m = 1 << 10, 1 << 20
    for plain, joined, chopped, opcode in ((1, 3, 5, TEXT), (2, 4, 6, BINARY)):
        for n, size in enumerate((64 * k, 256 * k, m, 4 * m, 8 * m, 16 * m), 1):
            yield Case(f"9.{plain}.{n}", frame(opcode, message(n, size)), [n])
        whole = message(1, 4 * m)
        for n, size in enumerate((64, 256, k, 4 * k, 16 * k, 64 * k, 256 * k, m, 4 * m), 1):
            yield Case(f"9.{joined}.{n}", fragments(opcode, whole, size), [1])
        whole = frame(opcode, message(1, m))
        for n, size in enumerate((64, 128, 256, 512, k, 2 * k), 1):
            yield Case(f"9.{chopped}.{n}", whole, [1], chop=size)
    for section, opcode in ((7, TEXT), (8, BINARY)):
        for n, size in enumerate((0, 16, 64, 256, k, 4 * k), 1):
            if size <= 64:          # too short for a trade: counted only
                yield Case(f"9.{section}.{n}", frame(opcode, b"x" * size) * 1000, messages=1000)
            else:
                yield Case(f"9.{section}.{n}", b"".join(frame(opcode, message(id, size)) for id in range(1000)),
                           list(range(1000)))
    yield Case("10.1.1", fragments(TEXT, message(1, 65536), 1300), [1])


SIZES = [*((size, 0) for size in (16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072)),
         *((size, 256) for size in (8192, 16384, 32768, 65536, 131072)),
         *((131072, part) for part in (1024, 4096, 32768))]
FEW = 6                         # messages of a compressed case


@cache
def contents():
    """Texts that are compressed well, not so well, and not at all; none has a byte that ends a JSON string."""
    dice = random.Random(12)
    numbers = "".join(f"[{dice.randint(1, 10**9)},{dice.random():.6f}],\n" for _ in range(9000))
    words = ["".join(dice.choices("etaoinshrdlu", k=dice.randint(2, 9))) for _ in range(800)]
    ramp = bytes(32 + (x * y // 64 + dice.randint(0, 3)) % 95 for y in range(400) for x in range(512))
    texts = [numbers.encode(), ramp, " ".join(dice.choices(words, k=30_000)).encode(),
             "".join(f"<td class={w}>{w}</td>" for w in dice.choices(words, k=9_000)).encode(),
             bytes(dice.choices(range(35, 255), k=200_000))]
    return [text.translate(bytes.maketrans(b'"\\', b"''")) for text in texts]


def deflated(packer, payload, size, opcode=TEXT, takeover=True):
    """A message as permessage-deflate writes it, in frames of `size` bytes."""
    packed = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH if takeover else zlib.Z_FULL_FLUSH)
    packed = packed.removesuffix(b"\x00\x00\xff\xff")
    whole = fragments(opcode, packed, size or len(packed))
    return bytes((whole[0] | 0x40,)) + whole[1:]


def compressed(number, agreed, kind, size, part, opcode):
    """A few messages one after the other, each with another piece of the content."""
    def sent():
        packer = zlib.compressobj(wbits=-int(agreed.partition("server_max_window_bits=")[2] or 15))
        content, pieces = contents()[kind], []
        for at in range(FEW):
            begin = at * size % (len(content) - size)
            piece = content[begin:begin + size]
            if trades:
                piece = message(at, text=piece[len(message(at)):])
            pieces.append(deflated(packer, piece, part, opcode, "server_no_context_takeover" not in agreed))
        return b"".join(pieces)

    trades = list(range(FEW)) if size > 64 else []
    return Case(number, sent, trades, messages=FEW, agreed=agreed)


def compression():
    for kind, opcode in enumerate((TEXT, BINARY, BINARY, TEXT, BINARY)):
        for n, (size, part) in enumerate(SIZES, 1):
            yield compressed(f"12.{kind + 1}.{n}", "permessage-deflate", kind, size, part, opcode)
    none, least, most = "; client_no_context_takeover; server_no_context_takeover", 9, 15
    for kind, terms in enumerate(("", none, least, most, (none, least), (none, most), (none, least)), 1):
        takeover, window = terms if isinstance(terms, tuple) else (terms, 0) if isinstance(terms, str) else ("", terms)
        bits = f"; client_max_window_bits={8 if window == least else window}; server_max_window_bits={window}"
        for n, (size, part) in enumerate(SIZES, 1):
            agreed = "permessage-deflate" + takeover + (bits if window else "")
            yield compressed(f"13.{kind}.{n}", agreed, 0, size, part, TEXT)


CASES = [case for section in (framing, pings, reserved_bits, opcodes, fragmentation, utf8, closing, limits, compression)
         for case in section()]


class Trades:
    """A handler that keeps the ids of the trades."""

    def __init__(self):
        self.ids = []

    def on_trade(self, trade):
        self.ids.append(int(trade.trade_id))


async def send(peer, sent, chop):
    """Write all at once, or so many bytes at a time; a client that has had enough hangs up in between."""
    with suppress(ConnectionError):
        for at in range(0, len(sent), chop or len(sent)):
            peer.raw(sent[at:at + (chop or len(sent))])
            await peer.writer.drain()
            if chop:
                await asyncio.sleep(0)


class Agreeing(Venue):
    """A venue that answers the handshake with this extension, whether it was offered or not."""

    def __init__(self, extension):
        super().__init__()
        self.extension = extension
        self.heads = []         # headers of the handshakes

    async def _websocket(self, path, headers, reader, writer):
        self.heads.append(headers)
        if self.extension:
            write, line = writer.write, f"Sec-WebSocket-Extensions: {self.extension}\r\nSec-WebSocket-Accept".encode()
            writer.write = lambda data: write(data.replace(b"Sec-WebSocket-Accept", line, 1))
        await super()._websocket(path, headers, reader, writer)


async def play(case):
    """One case from the handshake to the end of the connection."""
    async with Agreeing(case.agreed) as venue:
        handler = Trades()
        pipeline = Pipeline("binance_spot", handler)
        line = await open_line(pipeline, venue.url + "/ws", max_message=case.max_message,
                               compression=bool(case.agreed))
        try:
            peer = await until(lambda: venue.peers and venue.peer)
            await send(peer, case.sent() if callable(case.sent) else case.sent, case.chop)
            if case.code == OPEN:
                last = 1_000_000
                await send(peer, text(last) + close_frame(1000), 0)
            await asyncio.wait_for(line.wait_closed(), 20)
            await until(lambda: peer.ended)
            assert line.close_code == (case.code or 1000 if case.told is None else case.told)
            assert handler.ids == case.ids + ([last] if case.code == OPEN else [])
            assert [payload for opcode, payload in peer.received if opcode == PONG] == case.pongs
            assert peer.closes[0] == (case.code or 1000)
            assert line.messages == (len(case.ids) if case.messages is None else case.messages) + (case.code == OPEN)
            assert line.handler_errors == 0
            assert line.compressed == bool(case.agreed)
        finally:
            line.abort()


def test_every_case_of_a_client_is_there():
    numbers = [case.number for case in CASES]
    assert len(set(numbers)) == len(numbers) == 517
    sections = {number.partition(".")[0] for number in numbers}
    assert sections == {"1", "2", "3", "4", "5", "6", "7", "9", "10", "12", "13"}
    assert set(ELSE) <= set(numbers)


def test_the_texts_that_are_no_utf8_are_those_listed():
    listed = {case for case in ELSE if case.startswith("6.") and case.split(".")[1] not in ("3", "4")}
    assert listed == {f"{section}.{n}" for section, contents in UTF8.items() for n, content in enumerate(contents, 1)
                      if not is_utf8(content)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)
def test_autobahn(case):
    asyncio.run(play(case))


# ---- compression that was not agreed on

@pytest.mark.parametrize("size", [0, 256])
def test_a_compressed_message_is_refused_where_no_compression_was_agreed_on(size):
    sent = deflated(zlib.compressobj(wbits=-15), message(1, 8192), size)
    asyncio.run(play(Case("", sent + text(1), code=PROTOCOL)))


def test_an_extension_that_nobody_asked_for_ends_the_handshake():
    async def main():
        async with Agreeing("permessage-deflate") as venue:
            with pytest.raises(ConnectionError, match="extensions that were not offered: permessage-deflate"):
                await open_line(Pipeline("binance_spot"), venue.url + "/ws")
            assert not any(name.startswith("sec-websocket-ext") for name in venue.heads[0])
    asyncio.run(main())
