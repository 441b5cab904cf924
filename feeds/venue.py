"""The facts a venue file fills in: addresses, requests, limits, the name of its sequence rule.

A `VenueSpec` is data and small pure functions; nothing here opens a socket or knows a venue by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum


class UnknownVenue(ValueError):
    """A venue name that is not in `feeds.VENUES`; the message lists those that are."""


class UnsupportedChannel(ValueError):
    """A channel, depth or speed the venue does not have; the message lists what it has."""


class Link(IntEnum):
    """How the sequence numbers of two deltas of one book are linked (judged in `feeds.sync`)."""

    NONE = 0      # every message is a whole book, or nothing can be tested
    RANGE = 1     # first == last + 1; joins a snapshot where first <= snapshot + 1 <= last
    PREVIOUS = 2  # prev == last of the message before; joins where first <= snapshot <= last


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of one symbol as the venue names it, and the root of the address that serves it."""

    name: str      # "btcusdt@depth@100ms"
    root: str      # key into `VenueSpec.roots`
    symbol: str    # as the venue writes it in its messages: "BTCUSDT"
    channel: str   # "book", "trades", ...


@dataclass(frozen=True, slots=True)
class Control:
    """A frame that is about the connection and not about a market: an answer, an error, a notice."""

    kind: str                  # "ack", "error", "shutdown", "other"
    request_id: int | None     # which request it answers, None if it says none
    code: int | str | None     # the venue's own error code
    text: str                  # the venue's own words


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a venue's list says of one instrument; numbers are the venue's own text."""

    symbol: str       # as the venue writes it
    tick_size: str    # smallest step of price
    lot_size: str     # smallest step of quantity


@dataclass(frozen=True, slots=True)
class Limits:
    """What a venue allows; counts, seconds and REST weights."""

    streams_per_connection: int
    messages_per_second: float       # requests, pings and pongs of ours that one connection may send
    streams_per_request: int         # names in one subscribe request
    connections_per_5_minutes: int
    connection_lifetime_s: float
    rest_weight_per_minute: int
    weight_header: str | None = None  # answer header that states the weight used in this minute


@dataclass(frozen=True, slots=True)
class VenueSpec:
    """Everything the generic layers need to know of one venue."""

    name: str
    link: Link
    roots: Mapping[str, str]        # root name -> WebSocket address without path: {"public": "wss://host/public"}
    rest_url: str                   # scheme and host of the REST interface
    snapshot_path: str              # "/api/v3/depth"
    snapshot_limit: int             # levels a side to ask for
    snapshot_limits: tuple[int, ...]            # values the venue accepts; empty if any up to the largest
    snapshot_default_limit: int                 # levels a side the venue gives when the address names no limit
    snapshot_weight: Callable[[int], int]       # limit -> REST weight
    instruments_path: str           # "/api/v3/exchangeInfo"
    read_instruments: Callable[[bytes], list[Instrument]]       # body of that answer; ValueError if it is none
    channels: Mapping[str, str]     # channel -> one line on what it is, for help texts and errors
    streams: Callable[..., list[Stream]]        # (symbols, channels, depth=None, speed=None) -> streams
    connect_path: Callable[[Sequence[str]], str]            # stream names -> path and query to connect to
    subscribe: Callable[[Sequence[str], int], str]          # stream names, request id -> text frame
    unsubscribe: Callable[[Sequence[str], int], str]
    read_control: Callable[[bytes], Control]    # classify a frame the parser called a control frame
    symbol: Callable[[str], str]    # what a user typed -> the venue's spelling ("btcusdt" -> "BTCUSDT")
    limits: Limits
    ping_interval_s: float          # how often the server pings (frames); silence for three of them is a dead line
    max_frame_size: int             # bytes; larger frames are refused
    parser: Callable[[], object]    # makes a fresh feeds.parser.Parser
    source: str                     # where these facts are documented
    checked: str                    # date of the last check, ISO
    forms: str = ""                 # wire forms that are parsed, and which of them are served today
    aliases: Mapping[str, str] = field(default_factory=dict)

    def snapshot_url(self, symbol: str, rest_url: str | None = None, limit: int | None = None) -> str:
        """Address of the REST snapshot of one symbol."""
        base = (rest_url or self.rest_url).rstrip("/")
        return f"{base}{self.snapshot_path}?symbol={symbol}&limit={limit or self.snapshot_limit}"

    def check_channels(self, channels: Sequence[str]) -> None:
        """Raise `UnsupportedChannel` that lists what the venue has, if any of `channels` is not of it."""
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown:
            known = ", ".join(self.channels)
            raise UnsupportedChannel(f"{self.name} has no channel {', '.join(map(repr, unknown))}; it has: {known}")
