"""How one venue speaks, as data and small functions: what `feeds.venues.dialects.<venue>.DIALECT` fills in.

A dialect knows words and shapes. Markets, streams, connections and limits belong to the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from feeds.simulator.event import Event
from feeds.simulator.market import Instrument
from feeds.venue import Stream

if TYPE_CHECKING:
    from feeds.simulator.hall import Hall

Frame = str | bytes         # a text frame, or a binary one


@dataclass(frozen=True, slots=True)
class Listed:
    """One instrument that a simulated venue trades."""

    instrument: Instrument
    market: str = ""            # one of VenueSpec.markets
    kind: str = "spot"          # as in feeds.instruments
    base: str = ""
    quote: str = ""
    settle: str = ""
    contract_size: str = ""
    expiry_ns: int = 0
    strike: str = ""
    option_type: str = ""


@dataclass(slots=True)
class Line:
    """One connection, as far as what is written on it depends on it."""

    root: str = ""              # key of VenueSpec.roots
    number: int = 0             # messages that the venue has numbered on it
    # whatever else a dialect has to remember of it: names it has given, what was asked for, by keys of its own
    memory: dict[object, object] = field(default_factory=dict)

    def next(self) -> int:
        """Number the next message: 1, 2, 3."""
        self.number += 1
        return self.number


class Ask(NamedTuple):
    """What a client wants.

    kind -- "subscribe" or "unsubscribe" (`names`), "snapshot" (the books of `names` once more), "reply" (`frames` are
        sent back, nothing else happens) or "close" (so are they, and then the connection is closed).
    """

    kind: str
    names: tuple[str, ...] = ()         # as VenueSpec.streams names them
    request: object = None              # the request as the dialect has read it, for its answer
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """Everything the simulator needs to know of how a venue speaks."""

    venue: str
    listed: tuple[Listed, ...]          # what is traded unless told otherwise; two symbols a market or more
    # text of a client -> what it wants. Never raises: what is not understood is answered as the venue would.
    read: Callable[[str, Line], list[Ask]]
    # (subscribe or unsubscribe, names that were taken, names that the venue has no stream for) -> answers
    answer: Callable[[Ask, Sequence[str], Sequence[str], Line], list[Frame]]
    # events that happened at once in one stream -> frames. The events of one recorded frame give that frame again.
    encode: Callable[[Stream, Sequence[Event], Line], list[Frame]]
    # (method, path, query, hall) -> (status, body) of a REST answer, None: 404
    rest: Callable[[str, str, Mapping[str, str], Hall], tuple[int, bytes] | None] = lambda *asked: None
    # keyword arguments of VenueSpec.streams that give streams of other names than the usual ones: {"depth": 5}
    options: tuple[Mapping[str, object], ...] = ({},)
    by_line: bool = False               # `encode` reads or changes the line: every connection gets its own frames
    # a stream that begins with a whole message of its kind: of a book with a snapshot
    opens: Callable[[Stream], bool] = lambda stream: stream.channel == "book" and not stream.depth
    whole: Callable[[Stream], bool] = lambda stream: stream.depth > 0   # a book stream whose messages are whole books
    levels: Callable[[Stream], int] = lambda stream: stream.depth       # levels a side that it tells, 0 all
    cuts: bool = False                  # what falls out of those levels is not told: the client cuts
    pace_ms: Callable[[Stream], int] = lambda stream: 100 if stream.channel == "book" else (
        1000 if stream.channel in ("ticker", "mark", "open_interest") else 0)       # 0: at every change
    # kind of the events of a stream, where its channel's messages come as another kind: best prices in a "ticker"
    kind: Callable[[Stream], str] = lambda stream: ""
    greet: Callable[[Line], list[Frame]] = lambda line: []              # said to a new connection
    beat: Callable[[Line, int], list[Frame]] = lambda line, now_ns: []  # said every `beat_s`
    beat_s: float = 0.0
    pings: bool = False                 # WebSocket pings every 20 s besides
    silence_s: float = 0.0              # a client that says nothing for so long is disconnected; 0: it may be silent
    named_by: Callable[[str], Sequence[str]] = lambda path: ()          # streams that an address asks for
    # Forms that were spoken once, name -> encode: those of the recordings.
    older: Mapping[str, Callable[[Stream, Sequence[Event], Line], list[Frame]]] = field(default_factory=dict)
    # What a frame says that no event keeps, so that it is made up here: "book data[].asks[][2]" -> what it is.
    lost: Mapping[str, str] = field(default_factory=dict)
    all_or_nothing: bool = False        # one unknown name refuses the whole request
    hangs_up: bool = False              # an unknown name ends the connection, without a word
    # what is said before a connection is closed for too many messages a second, or too many streams
    too_much: Callable[[str, Line], list[Frame]] = lambda what, line: []


# ---- how values are written

class Bare(str):
    """Text of a number that stands without quotes in JSON."""

    __slots__ = ()


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def write(value: object) -> str:
    """JSON without spaces; `Bare` texts stand as they are."""
    if isinstance(value, Bare):
        return value
    if isinstance(value, str):
        if any(letter in value for letter in _ESCAPES):
            value = "".join(_ESCAPES.get(letter, letter) for letter in value)
        return f'"{value}"'
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ",".join([f'"{key}":{write(item)}' for key, item in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([write(item) for item in value]) + "]"
    return repr(value)


def decimal(units: int, decimals: int) -> str:
    """`units * 10**-decimals` with all its decimals."""
    if not decimals:
        return str(units)
    whole, part = divmod(abs(units), 10 ** decimals)
    return f"{'-' if units < 0 else ''}{whole}.{part:0{decimals}d}"


def step(units: int, decimals: int) -> str:
    """A smallest step as plain text: "0.5" of 50 units of 2 decimals."""
    return trimmed(decimal(units, decimals))


def trimmed(text: str) -> str:
    """A decimal without zeros at its end: "0.5" of "0.500", "61800" of "61800.00"; one with an exponent as it is."""
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text.lower() else text


def ms(ns: int) -> int:
    """A time in ms."""
    return ns // 1_000_000


def iso(ns: int, digits: int = 3, zone: str = "Z") -> str:
    """A time as RFC 3339 in UTC, with so many digits of a second: 2026-11-22T19:30:00.123Z."""
    second, rest = divmod(ns, 1_000_000_000)
    fraction = f".{rest:09d}"[:1 + digits] if digits else ""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + zone
