"""Captures of one venue as something to be played, known only through the venue's SPEC."""

from __future__ import annotations

import gzip
import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from typing import NamedTuple
from urllib.parse import urlsplit

from feeds.capture import CaptureError, CaptureReader, Record
from feeds.pipeline import Pipeline
from feeds.venue import Answer, Control, Count, VenueSpec

ANSWER, TEXT, BINARY = 0, 1, 2      # of a Step: a REST answer, or the opcode of a WebSocket frame

# What the pipeline counts -> the channels that such messages belong to.
_COUNTED = {"depth": "book", "snapshots": "book", "trades": "trades", "quotes": "quotes", "tickers": "ticker",
            "marks": "mark", "open_interests": "open_interest", "liquidations": "liquidations"}
# Channel -> its bit. Channels of other names share one that no frame has.
_BITS = {"book": 1, "trades": 2, "agg_trades": 2, "quotes": 4, "ticker": 8, "mark": 16, "open_interest": 32,
         "liquidations": 64}
BOOK, _NO_FRAMES = _BITS["book"], 128

_PROBE = 918273645                  # a request id that nothing else in a frame looks like
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Step(NamedTuple):
    """What happens next in a recording."""

    at_ns: int                      # since the first frame; answers may have come before it
    opcode: int                     # ANSWER, TEXT or BINARY
    payload: bytes                  # as it came over the wire; of an answer the body
    channels: int = 0               # that the frame belongs to, see `Recording.channels`; 0: none
    control: Control | None = None  # what the frame says about the connection, if it does
    answer: Answer | None = None    # what the REST answer is


class Recording:
    """Captures of one venue, played together in the order of their times, as what one connection received.

    Parameters: spec -- the venue. paths -- the captures, read through once to learn what they hold.
    Raises: CaptureError -- from the constructor if a file cannot be read to its end or has no market data.
    """

    def __init__(self, spec: VenueSpec, paths: Sequence[str]):
        self.spec = spec
        self.paths = [str(path) for path in paths]
        self.symbols: list[str] = []                # what its messages are about
        self.snapshots: set[Answer] = set()         # books that have a REST snapshot somewhere; without their limits
        self.instruments: dict[str, bytes] = {}     # path and query of a REST address -> list of instruments
        self.roots: set[str] = set()                # of SPEC.roots: those that serve today what was recorded
        self.names_in_address = False               # an address can name streams, so that no request is needed
        self._origin_ns = 0
        self._hosts = [spec.rest_url]
        self._market = ""                           # where the frames do not tell it
        self._channels = bytearray()                # of each frame received
        self._controls: dict[int, Control] = {}     # number of a frame received -> what it says
        self._pong: _Blank | None = None
        self._ack: _Blank | None = None
        self._requests: list[tuple[set[str], int]] = []     # (words of a request, channel it asks for)
        self._number: re.Pattern[str] | None = None         # finds the number of a request; None: they have none
        self._scan()
        self._learn_requests()

    def steps(self) -> Iterator[Step]:
        """The recording from its beginning. What the venue said to requests of the recorder is left out, where the
        answer tells which request it is for."""
        number = -1
        for record in self._records(inflate=False):
            at_ns = record.recv_ns - self._origin_ns
            if record.kind in "<B":
                number += 1
                control = self._controls.get(number)
                if control is None or control.request_id is None:
                    yield Step(at_ns, TEXT if record.kind == "<" else BINARY, record.payload, self._channels[number],
                               control)
            elif record.kind == "h":
                address, _, body = record.payload.partition(b" ")
                answer = self.spec.read_address(address.decode("utf-8", "replace"))
                if answer is not None:
                    yield Step(at_ns, ANSWER, body, answer=answer)

    def read_address(self, path: str) -> Answer | None:
        """What a REST answer at this path and query of any host of the venue is; None: of no use."""
        for host in self._hosts:
            answer = self.spec.read_address(host + path)
            if answer is not None:
                return answer
        return None

    def words(self, request: str) -> set[str]:
        """The texts in a request that tell it from others; its number is none."""
        if self._number is not None:
            request = self._number.sub("", request)
        texts = " ".join(_QUOTED.findall(request))
        return {word for word in re.split(r"[ ,:]", texts) if word and not word.isdigit()}

    def channels(self, words: set[str]) -> int:
        """The channels that a request with these words asks for, as bits; 0 if that is not understood, and where one
        connection hears everything."""
        if len(self.roots) < 2 or self.spec.count != Count.NONE:
            return 0
        return sum({channel for of, channel in self._requests if of <= words})

    def ack(self, request: str) -> tuple[int, bytes] | None:
        """(opcode, payload) of the venue's answer to a request; None if it has no number, or no such answer is known.

        It is a recorded answer with the number of this request in it.
        """
        found = None if self._number is None else self._number.search(request)
        return None if found is None or self._ack is None else self._ack.fill(found[1].encode())

    def is_ping(self, text: str) -> bool:
        """True if a client keeps its connection alive with this text."""
        pings = [ping() if callable(ping) else ping for ping in (self.spec.ping, *self.spec.pings.values())]
        return text in pings or self.words(text) in [words for ping in pings if (words := self.words(ping))]

    def pong(self, ping: str) -> tuple[int, bytes] | None:
        """(opcode, payload) of the venue's answer to a ping of the client, None if it is not known.

        It is a recorded one, or else the ping with "ping" turned into "pong", if that is an answer by the SPEC.
        """
        if self._pong is not None:
            return self._pong.fill(b"")
        guess = ping.replace("ping", "pong").replace("PING", "PONG").encode()
        return (TEXT, guess) if self.spec.read_control(guess).kind == "pong" else None

    def _records(self, inflate: bool) -> Iterator[Record]:
        """All records, in the order of their times."""
        return heapq.merge(*(_read(path, inflate) for path in self.paths), key=lambda record: record.recv_ns)

    def _scan(self) -> None:
        """Go through the files once, to learn what the frames are from the pipeline that every client has, too."""
        spec = self.spec
        pipeline = Pipeline(spec.name, on_gap="count")
        before = pipeline.counters
        for record in self._records(inflate=True):
            if record.kind in "<B":
                self._origin_ns = self._origin_ns or record.recv_ns
                pipeline.feed(record.payload)
                counters = pipeline.counters
                self._channels.append(sum({_BITS[channel] for count, channel in _COUNTED.items()
                                           if counters[count] > before[count]}))
                before = counters
                for _, payload in pipeline.control():
                    self._note(record, spec.read_control(payload))
            elif record.kind == "=" and spec.market_of is not None:
                market = spec.market_of(record.payload.decode("utf-8", "replace"))
                if market:
                    self._market = pipeline.market = market
            elif record.kind == "h":
                self._note_address(record)
        self.symbols = pipeline.symbols()
        if not any(self._channels):
            raise CaptureError(self.paths[0], 0, 0, f"frames of market data of {spec.name}", "none")

    def _note(self, record: Record, control: Control) -> None:
        self._controls[len(self._channels) - 1] = control
        if control.kind == "pong" and self._pong is None:
            self._pong = _Blank(record, len(record.payload), len(record.payload))
        elif control.kind == "ack" and control.request_id is not None and self._ack is None:
            self._ack = _find_number(record, control.request_id, self.spec.read_control)

    def _note_address(self, record: Record) -> None:
        address, _, body = record.payload.partition(b" ")
        url = urlsplit(address.decode("utf-8", "replace"))
        host = f"{url.scheme}://{url.netloc}"
        if host not in self._hosts:
            self._hosts.append(host)
        answer = self.spec.read_address(url.geturl())
        if answer is not None and answer.kind == "snapshot":
            self.snapshots.add(Answer("snapshot", answer.symbol, 0, answer.market))
        elif answer is not None:
            self.instruments[f"{url.path}?{url.query}".rstrip("?")] = body

    def _learn_requests(self) -> None:
        """Make the requests that ask for what was recorded, to know those of a client by them."""
        spec = self.spec
        recorded = set(self._channels)
        markets: Sequence[str | None] = [self._market] if self._market else spec.markets or [None]
        samples = []
        for name, channel, market in product(self.symbols, spec.channels, markets):
            symbol = name.rpartition("@")[0] if name.rpartition("@")[2] in spec.markets else name
            with suppress(ValueError):      # not every market has every channel
                for stream in spec.streams([symbol], [channel], market=market):
                    bit = _BITS.get(channel, _NO_FRAMES)
                    if any(bit & channels for channels in recorded):
                        self.roots.add(stream.root)
                    self.names_in_address = spec.connect_path([stream.name]) != spec.connect_path(())
                    samples += [(request, bit) for request in spec.subscribe([stream.name], _PROBE)]
        found = {match.groups() for request, _ in samples
                 for match in re.finditer(rf'("[^"]*")\s*:\s*"?([^",:\d]*){_PROBE}', request)}
        if found:
            before = "|".join(rf"{re.escape(key)}\s*:\s*\"?{re.escape(start)}" for key, start in sorted(found))
            self._number = re.compile(rf'(?:{before})(\d+)"?')
        self._requests = [(self.words(request), channel) for request, channel in samples]


def _read(path: str, inflate: bool) -> Iterator[Record]:
    """The records of a file, which is opened when the first is asked for."""
    yield from CaptureReader(path, inflate=inflate)


class _Blank:
    """A recorded frame with a gap that can be filled in."""

    def __init__(self, record: Record, start: int, end: int):
        self._opcode = TEXT if record.kind == "<" else BINARY
        self._before, self._after = record.payload[:start], record.payload[end:]
        self._zipped = record.wire_size != len(record.payload)

    def text(self, filling: bytes) -> bytes:
        """The document."""
        return self._before + filling + self._after

    def fill(self, filling: bytes) -> tuple[int, bytes]:
        """(opcode, payload) of the frame as the venue would send it."""
        text = self.text(filling)
        return self._opcode, gzip.compress(text, 1) if self._zipped else text


def _find_number(record: Record, number: int, read: Callable[[bytes], Control]) -> _Blank | None:
    """An answer without the number of its request; None if `read` does not find another number in that place."""
    for found in re.finditer(rb"(?<![\d.])%d(?![\d.])" % number, record.payload):
        blank = _Blank(record, found.start(), found.end())
        control = read(blank.text(b"%d" % _PROBE))
        if control.kind == "ack" and control.request_id == _PROBE:
            return blank
    return None
