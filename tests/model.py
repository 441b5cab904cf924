"""The slow, obvious book: a dict of Decimal per side. What every other book in the suite must agree with.

Nothing here is clever, and nothing is taken from the package: the rules are those of the recorded data's README.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

Number = str | int | Decimal
Levels = Iterable[tuple[Number, Number]]


class Line(NamedTuple):
    """One line of a capture: its time, its kind and its payload as it came off the wire."""

    receive_ns: int
    kind: str       # "=" opened, ">" sent, "<" received, "h" a REST answer; a binary frame reads as "<"
    payload: bytes


def read_capture(path: str | Path) -> Iterator[Line]:
    """The lines of one capture, plain or gzipped, with base64 frames decoded."""
    path = Path(path)
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        for line in file:
            receive_ns, kind, payload = line.rstrip(b"\n").split(b"\t", 2)
            if kind == b"B":
                kind, payload = b"<", base64.b64decode(payload)
            yield Line(int(receive_ns), kind.decode(), payload)


def plain(value: Decimal) -> str:
    """A number as the digests write it: no exponent, no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def held(book) -> tuple[list[tuple[Decimal, Decimal]], ...]:
    """Both sides of a book, exactly."""
    raw = book.raw
    return tuple([(book.price_decimal(p), book.qty_decimal(q)) for p, q in rows.tolist()]
                 for rows in (raw.bids_int(), raw.asks_int()))


class ModelBook:
    """Both sides as dicts of exact decimals, with the counts of the replay figures."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.live = False
        self.sequence = 0
        self.snapshots = self.updates = self.changes = self.absent = self.crossed = 0
        self._bbo = hashlib.sha256()

    def apply_snapshot(self, bids: Levels, asks: Levels, sequence: int = 0) -> None:
        """Replace everything held; a level of quantity 0 is no level."""
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            side.clear()
            side.update({Decimal(price): Decimal(qty) for price, qty in levels if Decimal(qty)})
        self.live = True
        self.snapshots += 1
        self._applied(sequence)

    def apply_delta(self, bids: Levels, asks: Levels, sequence: int = 0) -> None:
        """Set absolute quantities in the order given; 0 removes a level, and may find none."""
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, qty in levels:
                self.changes += 1
                if Decimal(qty):
                    side[Decimal(price)] = Decimal(qty)
                elif side.pop(Decimal(price), None) is None:
                    self.absent += 1
        self.updates += 1
        self._applied(sequence)

    def _applied(self, sequence: int) -> None:
        self.sequence = sequence
        bid, ask = self.best_bid, self.best_ask
        self.crossed += bid is not None and ask is not None and bid[0] >= ask[0]
        fields = [text for pair in (bid, ask) for text in (map(plain, pair) if pair else ("", ""))]
        self._bbo.update((",".join(fields) + "\n").encode())

    @property
    def best_bid(self) -> tuple[Decimal, Decimal] | None:
        """Highest bid and its quantity, None on an empty side."""
        return max(self.bids.items(), default=None)

    @property
    def best_ask(self) -> tuple[Decimal, Decimal] | None:
        """Lowest ask and its quantity, None on an empty side."""
        return min(self.asks.items(), default=None)

    def top(self, n: int | None = None) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """The best n levels of both sides, best first; all of them without n."""
        return sorted(self.bids.items(), reverse=True)[:n], sorted(self.asks.items())[:n]

    def bid_qty(self, price: Number) -> Decimal | None:
        """Quantity bid at exactly this price, None if no level is held there."""
        return self.bids.get(Decimal(price))

    def ask_qty(self, price: Number) -> Decimal | None:
        """Quantity asked at exactly this price, None if no level is held there."""
        return self.asks.get(Decimal(price))

    @property
    def bbo_sha256(self) -> str:
        """Digest over the best prices after every message applied so far."""
        return self._bbo.hexdigest()

    @property
    def book_sha256(self) -> str:
        """Digest over every level held now."""
        bids, asks = self.top()
        lines = [f"b,{plain(p)},{plain(q)}\n" for p, q in bids] + [f"a,{plain(p)},{plain(q)}\n" for p, q in asks]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
