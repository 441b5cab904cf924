"""One row a venue: its evidence, and frames with prices and numbers of the tests' choice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Pairs = Sequence[tuple[str, str]]               # (price, qty) as decimal text


@dataclass(frozen=True)
class Row:
    """What the list of demands in tests/feeds/test_venues.py needs to know of one venue.

    `snapshot` and `delta` make what the venue would send. A step is ("frame", bytes) or ("rest", url, bytes).
    """

    venue: str
    symbol: str                                 # that `snapshot` and `delta` name, as the venue writes it
    # (sequence, bids, asks) -> steps to a LIVE book at `sequence`
    snapshot: Callable[[int, Pairs, Pairs], list[tuple]]
    # (number the book stands at, number after it, bids, asks) -> steps; None where every frame is a whole book
    delta: Callable[[int, int, Pairs, Pairs], list[tuple]] | None
    other: str = ""                             # a second symbol; `named` makes the same frames for it
    named: Callable[[str], Row] | None = None   # symbol -> this row with another symbol
    market: str | None = None
    sees_gaps: bool = True                      # the numbers (or the checksum) show that a delta is missing
    # a delta that comes twice is dropped, or the book is fetched anew: it is never applied in silence
    sees_old: bool = True
    captures: tuple[str, ...] = ()              # "okx/books_20220513"
    # messages of messages.jsonl that are not decoded: beginning of `raw` -> why
    unread: Mapping[str, str] = field(default_factory=dict)
    # messages that its encoder does not give back: beginning of `raw` -> why
    not_again: Mapping[str, str] = field(default_factory=dict)
    silent_refusal: bool = False                # a symbol that it does not have gets no error
    # (symbols, channels, options of SPEC.streams) -> the request frames, as the sheet prints them (request id 1)
    requests: tuple[tuple[tuple[str, ...], tuple[str, ...], Mapping[str, object], tuple[str, ...]], ...] = ()
    # frame -> (kind, code, reason) of its Control; acks, errors, heartbeats as the sheet prints them
    controls: Mapping[str, tuple[str, object, str]] = field(default_factory=dict)
    before: tuple[str, ...] = ()                # frames that have to come before those of `trades` and `quotes`
    # frame of one trade -> (price, qty, "buy"/"sell"): the aggressor as the sheet states it
    trades: Mapping[str, tuple[float, float, str | None]] = field(default_factory=dict)
    quotes: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)  # frame -> bid, qty, ask, qty


def without(frame: bytes, key: str) -> tuple[bytes, bytes]:
    """The frame with null where each value of `key` stood, and without them; text and numbers, and no lists."""
    member = rb'"%b": ?(?:"[^"]*"|[^][{}",]+)' % key.encode()
    gone = re.sub(rb", ?" + member + rb"|" + member + rb",? ?", b"", frame)
    json.loads(gone)
    return re.sub(member, b'"%b":null' % key.encode(), frame), gone
