"""The facts a venue file fills in: addresses, requests, limits, the name of its sequence rule.

A `VenueSpec` is data and small pure functions; nothing here opens a socket or knows a venue by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from feeds.instruments import Instrument


class UnknownVenue(ValueError):
    """A venue name that is not in `feeds.VENUES`; the message lists those that are."""


class UnsupportedChannel(ValueError):
    """A channel, depth, speed or market the venue does not have; the message lists what it has."""


class Link(IntEnum):
    """How the sequence numbers of two messages of one book are linked (judged in `feeds.sync`)."""

    NONE = 0        # nothing can be tested
    RANGE = 1       # first == last + 1; joins a REST snapshot where first <= snapshot + 1 <= last
    PREVIOUS = 2    # prev == last of the message before; joins a REST snapshot where first <= snapshot <= last
    COUNTER = 3     # last == last + 1, from the snapshot in the stream on
    RISES = 4       # last > last before; joins a REST snapshot that is not older than the first delta kept for it
    CHAIN = 5       # prev == last of the message before, from the snapshot in the stream on
    NOT_BELOW = 6   # every message is a whole book; its number never falls
    OVERLAP = 7     # first <= last + 1: it may begin within what is known; what ends within it is old (REST or stream)
    OFFSETS = 8     # each level has a number of its own: a change counts if its number is above the level's
    CONNECTION = 9  # the numbers of the connection (see Count.NEXT) show whether a message is missing
    OVERLAP_OR_WHOLE = 10   # as OVERLAP, and a message with first == last is a whole book


class Count(IntEnum):
    """How the numbers of all messages of one connection are linked."""

    NONE = 0        # they have none
    NEXT = 1        # each is the one before + 1
    EACH_ONCE = 2   # each comes once, answers to requests late


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of one symbol as the venue names it, and the root of the address that serves it."""

    name: str           # a name that the venue's requests and answers are made from and read to: "btcusdt@depth@100ms"
    root: str           # key into `VenueSpec.roots`
    symbol: str         # as the venue writes it in its messages: "BTCUSDT"
    channel: str        # "book", "trades", ...
    depth: int = 0      # of the Book it fills: 0 for the one of deltas, else levels a side of a partial book
    market: str = ""    # where the venue has several
    levels: int = 0     # a side that its deltas keep right: a snapshot by REST must tell no more of them; 0: all


@dataclass(frozen=True, slots=True)
class Control:
    """A frame that is about the connection and not about a market: an answer, an error, a notice."""

    # "ack", "error", "ping" (see `reply`), "pong", "shutdown", "other"; of a binary wire form also "newer" (its schema
    # has a newer version, what is new in it is skipped) and "foreign" (its schema is another: the usual form is needed)
    kind: str
    request_id: int | None = None   # which request it answers, None if it says none
    code: int | str | None = None   # the venue's own error code
    text: str = ""                  # the venue's own words
    streams: tuple[str, ...] = ()   # names of the streams it is about, where it says them and no request id
    reply: str = ""                 # what has to be sent back at once
    reason: str = ""                # of an error: a key of ERRORS, "" for any other
    handle: str = ""                # of an ack: what unsubscribing has to name instead of the stream's name


def read_object(payload: bytes) -> tuple[str, dict[str, Any]]:
    """Text of a frame, and the JSON object that it is, {} if it is none; for `VenueSpec.read_control`."""
    text = bytes(payload).decode("utf-8", "replace")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    return text, message if isinstance(message, dict) else {}


class VenueError(Exception):
    """An error that a venue has sent: `venue`, `code` and `text` are its own; `reaction` is what a feed does."""

    reaction = "report"     # nothing but telling

    def __init__(self, venue: str, code: int | str | None, text: str) -> None:
        super().__init__(f"{venue}: {text}" if code is None else f"{venue}: {text} (code {code})")
        self.venue = venue
        self.code = code
        self.text = text


class RateLimited(VenueError):
    """Too many requests: the feed waits before the next."""

    reaction = "wait"


class BadSymbol(VenueError):
    """A symbol, channel or topic that the venue does not have: the feed leaves it out and goes on."""

    reaction = "skip"


class Maintenance(VenueError):
    """The venue (or this symbol) is closed for a while: the feed connects anew, with growing pauses."""

    reaction = "reconnect"


class NotAuthorised(VenueError):
    """The topic needs a login that the feed does not have: it is left out."""

    reaction = "skip"


class StreamLost(VenueError):
    """The venue has dropped a stream: the feed subscribes to it again."""

    reaction = "resubscribe"


# Control.reason -> type of the error
ERRORS: Mapping[str, type[VenueError]] = {
    "rate_limit": RateLimited, "bad_symbol": BadSymbol, "maintenance": Maintenance, "authorisation": NotAuthorised,
    "stream_lost": StreamLost, "": VenueError,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a REST answer is, as its address tells."""

    kind: str           # "snapshot", "instruments"
    symbol: str = ""    # of a snapshot, as the venue writes it in its messages
    limit: int = 0      # levels a side that a snapshot was asked for; 0: it is the whole book
    market: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a venue allows; counts, seconds and REST weights. 0 is no limit, or none that is known.

    An address is the IP address that the venue sees: everything that runs behind it counts together.
    """

    streams_per_connection: int
    messages_per_second: float       # requests, pings and pongs of ours that one connection may send
    streams_per_request: int         # names in one subscribe request
    connections_per_5_minutes: int   # that one address may open, failed attempts too
    connection_lifetime_s: float     # the venue ends a connection after that; 0: it does not say so
    rest_weight_per_minute: int
    weight_header: str | None = None  # answer header that states the weight used in this minute
    connections: int = 0             # open at a time from one address
    connections_per_second: float = 0       # that one address may open, as connections_per_5_minutes
    connections_per_minute: int = 0
    streams: int = 0                 # over all connections of one address
    argument_chars: int = 0          # of all streams of one connection together, as its requests name them
    request_bytes: int = 0           # of one request frame
    operations_per_hour: int = 0     # subscribe and unsubscribe requests of one connection
    rest_per_second: float = 0       # REST requests, whatever they weigh

    @property
    def opening(self) -> tuple[tuple[str, float, float], ...]:
        """(name, connections, seconds) of every limit on opening connections, that of the longest time first."""
        rates = (("connections_per_5_minutes", self.connections_per_5_minutes, 300.0),
                 ("connections_per_minute", self.connections_per_minute, 60.0),
                 ("connections_per_second", self.connections_per_second, 1.0))
        return tuple(rate for rate in rates if rate[1])


@dataclass(frozen=True, slots=True)
class Handshake:
    """A REST request whose answer tells where to connect."""

    url: str                                # POST, without a body
    read: Callable[[bytes, int], str]       # (answer, connect id) -> address; ValueError if it is none


@dataclass(frozen=True, slots=True)
class Evidence:
    """How it is known that a channel is read rightly."""

    channel: str        # "book", or "book (v1)"
    proof: str          # "capture", "messages", "sheet example"
    detects: str        # what its numbers or checksum can show, and what they cannot


@dataclass(frozen=True, slots=True)
class VenueSpec:
    """Everything the generic layers need to know of one venue."""

    name: str
    link: Link
    roots: Mapping[str, str]        # root name -> WebSocket address without path: {"public": "wss://host/public"}
    channels: Mapping[str, str]     # channel -> one line on what it is, for help texts and errors
    # (symbols, channels, depth, speed, market) -> streams; `streams` calls it, with channels and a market that it has
    name_streams: Callable[[Sequence[str], Sequence[str], int | None, str | None, str], list[Stream]]
    subscribe: Callable[[Sequence[str], int], list[str]]        # stream names, request id -> text frames
    unsubscribe: Callable[[Sequence[str], int], list[str]]
    read_control: Callable[[bytes], Control]    # classify a frame the parser called a control frame; never raises
    symbol: Callable[[str], str]    # what a user typed -> the venue's spelling ("btcusdt" -> "BTCUSDT")
    limits: Limits
    max_frame_size: int             # bytes; larger frames are refused
    parser: Callable[[str], object]     # market ("" for the default) -> a fresh feeds.parser.Parser
    source: str                     # where these facts are documented
    checked: str                    # date of the last check, ISO
    forms: str                      # wire forms that are parsed, and which of them are served today
    evidence: tuple[Evidence, ...] = ()
    # ---- several wire forms under one name: each is a SPEC of its own, see `feeds.venues.load`
    wire: str = "json"              # the form this SPEC is about
    key_header: str = ""            # header of the handshake that holds an API key, "" where none is wanted
    key_variable: str = ""          # environment variable that holds the key, if it is not given otherwise
    # ---- several markets under one name
    markets: tuple[str, ...] = ()   # the first is the default
    market_of: Callable[[str], str] | None = None       # address of a connection -> market, where frames do not tell
    # ---- the connection
    connect_path: Callable[[Sequence[str]], str] = lambda names: ""     # stream names -> path and query to connect to
    greeting: tuple[str, ...] = ()  # frames sent when the connection is open, before anything else
    ping: str = ""                  # text frame that keeps the connection alive; "": the server's pings do
    # root -> the same, where the roots differ; a function where the text changes with the time
    pings: Mapping[str, str | Callable[[], str]] = field(default_factory=dict)
    ping_frames: bool = False       # the client has to send ping frames, every ping_interval_s
    ping_interval_s: float = 30.0   # how often `ping` is sent, or else how often the server sends its own
    handshake: Mapping[str, Handshake] = field(default_factory=dict)    # by root
    # sequence numbers and trade ids are the same on every connection: the first copy from several lines can be taken
    shared_ids: bool = False
    count: Count = Count.NONE       # numbers over all messages of a connection
    # ---- snapshots and lists by REST
    resync: str = "resubscribe"     # how a new snapshot is had, where a parser does not tell of a book: "rest",
                                    # "resubscribe", or "request" (see `request`)
    request: Callable[[str, int], str] | None = None    # stream name, request id -> frame that asks for a snapshot
    rest_url: str = ""              # scheme and host of the REST interface
    snapshot_address: Callable[[str, int, str], str] | None = None      # symbol, limit, market -> full address
    snapshot_limit: int = 0         # levels a side to ask for
    snapshot_limits: tuple[int, ...] = ()               # values the venue accepts; empty if any up to the largest
    snapshot_weight: Callable[[int], int] = lambda limit: 1             # limit -> REST weight
    read_address: Callable[[str], Answer | None] = lambda url: None     # what an answer from there is; None: no use
    # market -> full addresses of its lists
    instruments_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    read_instruments: Callable[[bytes], list[Instrument]] = lambda body: []     # ValueError if it is no such list
    # address and answer of a list -> full addresses of what has to be asked besides: its next page, details
    next_page: Callable[[str, bytes], Sequence[str]] = lambda url, body: ()
    instruments_weight: int = 1     # REST weight of a list
    # normalised names that are the venue's symbols as they stand: "pair" (BTC-USDT), "dated" (BTC-27DEC26, and
    # BTC-27DEC26-100000-C); nobody has to look such a symbol up in a list
    own_names: tuple[str, ...] = ()

    def streams(self, symbols: Sequence[str], channels: Sequence[str], depth: int | None = None,
                speed: str | None = None, market: str | None = None) -> list[Stream]:
        """Streams of `symbols` x `channels`; `UnsupportedChannel`, which lists what there is, for anything it lacks."""
        self.check_channels(channels)
        return self.name_streams(symbols, channels, depth, speed, self.check_market(market))

    def snapshot_url(self, symbol: str, rest_url: str | None = None, limit: int | None = None,
                     market: str = "") -> str:
        """Address of the REST snapshot of one symbol; `rest_url` replaces scheme, host and port."""
        if self.snapshot_address is None:
            raise UnsupportedChannel(f"{self.name} has no snapshots by REST; they come in the stream")
        address = self.snapshot_address(symbol, limit or self.snapshot_limit, market)
        if rest_url is None:
            return address
        return rest_url.rstrip("/") + "/" + address.split("/", 3)[3]

    def check_channels(self, channels: Sequence[str]) -> None:
        """Raise `UnsupportedChannel` that lists what the venue has, if any of `channels` is not of it."""
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown:
            known = ", ".join(self.channels)
            raise UnsupportedChannel(f"{self.name} has no channel {', '.join(map(repr, unknown))}; it has: {known}")

    def check_market(self, market: str | None) -> str:
        """The market that is meant, the default for None; `UnsupportedChannel` lists those there are."""
        if market is None or (market == "" and not self.markets):
            return self.markets[0] if self.markets else ""
        if market not in self.markets:
            known = ", ".join(self.markets) if self.markets else "one market only"
            raise UnsupportedChannel(f"{self.name} has no market {market!r}; it has: {known}")
        return market


# ---- what venue files share

def frame_text(frame: object) -> str:
    """A request as venues want it: JSON without spaces, letters of every script as they are."""
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)


def check_known(who: str, what: str, asked: object, known: Container[object], words: str = "") -> None:
    """Raise `UnsupportedChannel` that lists what is known, or says it in `words`, if `asked` is not of it.

    who, what -- for the message: the name of the venue, "book of depth".
    """
    if asked not in known:
        listed = words or ", ".join(map(str, known if isinstance(known, Iterable) else ()))
        raise UnsupportedChannel(f"{who} has no {what} {asked!r}; it has: {listed}")


def check_each(who: str, what: str, asked: Iterable[object], known: Container[object]) -> None:
    """`check_known` of each of them."""
    for one in asked:
        check_known(who, what, one, known)


def request_number(told: object) -> int | None:
    """The number of a request in an answer that repeats it, as a number or as text; None if it is no number."""
    text = str(told)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def error_code(code: object) -> int | str | None:
    """A venue's error code, None if it is of no use as one."""
    return code if isinstance(code, (int, str)) else None


def reason_of(text: str, reasons: Mapping[str, str]) -> str:
    """Reason of an error that has no code: that of the first of the words (in lower case) found in its text, or ""."""
    found = text.lower()
    return next((reason for words, reason in reasons.items() if words in found), "")


def each_once(streams: Iterable[Stream]) -> list[Stream]:
    """The streams, each name once: two channels may come in one stream (mark price and ticker)."""
    first: dict[str, Stream] = {}
    for stream in streams:
        first.setdefault(stream.name, stream)
    return list(first.values())


def by_channel(names: Iterable[str]) -> dict[str, list[str]]:
    """Of streams named "channel:symbol" the symbols of each channel, for one request a channel."""
    symbols: dict[str, list[str]] = {}
    for name in names:
        channel, _, symbol = name.partition(":")
        symbols.setdefault(channel, []).append(symbol)
    return symbols


def read_url(url: str) -> tuple[str, dict[str, str]]:
    """Path of an address, without a / at its end, and the first value of each name of its query."""
    parts = urlsplit(url)
    return parts.path.rstrip("/"), {name: values[0] for name, values in parse_qs(parts.query).items()}


def instruments_at(*ends: str) -> Callable[[str], Answer | None]:
    """The `read_address` of a venue whose lists of instruments have addresses with a path that ends like these."""
    def read_address(url: str) -> Answer | None:
        return Answer("instruments") if urlsplit(url).path.endswith(ends) else None

    return read_address


def pick_book(who: str, books: Mapping[tuple[int, str], Any], depth: int | None, speed: str | None) -> Any:
    """What stands in `books` at (levels a side, speed): the first that fits, where None fits all.

    Raises `UnsupportedChannel` that lists what there is, if none fits. who -- venue and market, for its message.
    """
    for (levels, pace), book in books.items():
        if depth in (None, levels) and speed in (None, pace):
            return book
    known = ", ".join(f"{levels} ({pace})" if pace else str(levels) for levels, pace in books)
    raise UnsupportedChannel(f"{who} has no book of depth {depth!r} and speed {speed!r}; it has: {known}")
