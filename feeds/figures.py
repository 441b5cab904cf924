"""Recorded captures through the same `Pipeline` as live traffic, with exact figures of every book.

A capture cannot answer a request for a new snapshot. So in a replay a break in the sequence numbers is counted, the
message is applied all the same, and the book is STALE until its next snapshot. A line that says that a connection was
opened resets nothing, and one book goes on through all the files given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from feeds.capture import CaptureError, CaptureReader, Record
from feeds.pipeline import Pipeline
from feeds.venue import Link
from feeds.venues import VENUES
from orderbook.decimals import qty_parts

BATCH_SIZE = 512                # frames a call of `Pipeline.feed_many`

_COUNTS = ("snapshots", "updates", "changes", "absent", "stale", "breaks", "crossed")
_COUNTS_AFTER = ("gaps", "resyncs")
_COUNTS_MORE = ("crc_ok", "crc_bad", "trades", "quotes")


class VenueUnclear(ValueError):
    """The folder of a capture is not named after a venue, or the captures are of several."""


def venue_of(paths: Sequence[str | PathLike[str]]) -> str:
    """The venue whose name the folder of every one of `paths` bears. Raises: VenueUnclear."""
    names = {Path(path).resolve().parent.name: fspath(path) for path in paths}
    for name, path in names.items():
        if name not in VENUES:
            raise VenueUnclear(f"{path}: expected a folder named after a venue, found {name!r}; name the venue "
                               f"(known: {', '.join(VENUES)})")
    if len(names) > 1:
        raise VenueUnclear(f"expected captures of one venue, found {', '.join(sorted(names))}")
    return next(iter(names))


class Replay:
    """Feeds captures through a `Pipeline` and reports what became of them.

    Parameters: venue -- name of the venue that sent the traffic.
                digests -- also keep `bbo_sha256` of every book; costs a few microseconds an applied message.
                market -- which one it was, where the venue has several; None: what the captures' connections say.
                wire -- the wire form of the traffic, where the venue has several; None: its usual one.
    Read `errors`, `lines`, `messages`, `bytes` and `seconds` at any time; `document()` has everything.
    """

    def __init__(self, venue: str, *, digests: bool = False, market: str | None = None, wire: str | None = None):
        self.pipeline = Pipeline(venue, on_gap="count", market=market, wire=wire)
        # address of a connection -> market, where nobody has said which and the frames do not tell by themselves
        self._market_of = self.pipeline.spec.market_of if market is None else None
        self.files: list[str] = []
        self.lines = 0              # lines of any kind
        self.messages = 0           # frames received
        self.bytes = 0              # their payload bytes, as they came over the wire
        self.failures: list[CaptureError] = []      # files that could not be read to their end
        self._spent_ns = 0          # inside the pipeline, without what the digests cost
        self._digests = Digests() if digests else None
        if self._digests is not None:
            self.pipeline.on_applied = self._digests.on_applied

    def run(self, paths: Iterable[str | PathLike[str]],
            on_progress: Callable[[int, int], None] | None = None) -> None:
        """Replay files one after the other. Where one cannot be read further, `failures` says why and the next begins.

        Parameters: on_progress -- called now and then with the bytes of the files read since the last call, and the
                    messages so far.
        """
        for path in paths:
            self.files.append(fspath(path))
            try:
                self._file(CaptureReader(path), on_progress)
            except CaptureError as error:
                self.failures.append(error)

    def _file(self, reader: CaptureReader, on_progress: Callable[[int, int], None] | None) -> None:
        frames: list[Record] = []
        reported = 0
        try:
            for record in reader:
                self.lines += 1
                if record.kind in "<B":
                    frames.append(record)
                    if len(frames) < BATCH_SIZE:
                        continue
                self._frames(frames)
                frames.clear()
                if record.kind == "h":
                    self._rest(record)
                elif record.kind == "=" and self._market_of is not None:
                    self._connected(record.payload.decode("utf-8", "replace"))
                if on_progress is not None:
                    on_progress(reader.position - reported, self.messages)
                    reported = reader.position
        finally:
            reader.close()
            self._frames(frames)
        if on_progress is not None:
            on_progress(reader.size - reported, self.messages)

    def _frames(self, frames: Sequence[Record]) -> None:
        if not frames:
            return
        self.messages += len(frames)
        self.bytes += sum(record.wire_size for record in frames)
        pipeline = self.pipeline
        if self._digests is None:
            payloads = [record.payload for record in frames]
            began = perf_counter_ns()
            pipeline.feed_many(payloads)
            self._spent_ns += perf_counter_ns() - began
            return
        own = self._digests.spent_ns
        began = perf_counter_ns()
        for record in frames:
            pipeline.feed(record.payload, record.recv_ns)
        self._spent_ns += perf_counter_ns() - began - (self._digests.spent_ns - own)

    def _rest(self, record: Record) -> None:
        url, _, body = record.payload.partition(b" ")
        own = self._digests.spent_ns if self._digests is not None else 0
        began = perf_counter_ns()
        self.pipeline.rest(url.decode("utf-8", "replace"), body, record.recv_ns)
        self._spent_ns += perf_counter_ns() - began
        if self._digests is not None:
            self._spent_ns -= self._digests.spent_ns - own

    def _connected(self, url: str) -> None:
        """The frames that follow came from that address."""
        assert self._market_of is not None
        market = self._market_of(url)
        if market and market != self.pipeline.market:
            self.pipeline.market = market

    @property
    def seconds(self) -> float:
        """Time spent inside the pipeline."""
        return self._spent_ns / 1e9

    @property
    def errors(self) -> int:
        """Messages that were not understood, and files that could not be read to their end."""
        return self.pipeline.counters["errors"] + len(self.failures)

    @property
    def succeeded(self) -> bool:
        """True if something was read and all of it was understood."""
        return self.errors == 0 and self.lines > 0

    def document(self) -> dict[str, Any]:
        """Everything as one JSON-ready document; digests are in it only if they were asked for."""
        return {
            "files": self.files,
            "venue": self.pipeline.venue,
            "messages": self.messages,
            "bytes": self.bytes,
            "seconds": self.seconds,
            "errors": self.errors,
            "symbols": {symbol: symbol_figures(self.pipeline, symbol, self._digests)
                        for symbol in sorted(self.pipeline.books)},
        }


def symbol_figures(pipeline: Pipeline, symbol: str, digests: Digests | None = None,
                   before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The figures of one book, JSON-ready; those of `digests` besides.

    Parameters: before -- an earlier `symbol_stats` of the book: what was counted by then is left out.
    """
    book = pipeline.books[symbol]
    stats = pipeline.symbol_stats(symbol)
    qty, scale = stats["trade_qty"], stats["qty_scale"]
    if before is not None:
        for key in before.keys() & {*_COUNTS, *_COUNTS_AFTER, *_COUNTS_MORE}:
            stats[key] = stats.get(key, 0) - before[key]
        scale = max(scale, before["qty_scale"])
        qty = qty * 10 ** (scale - stats["qty_scale"]) - before["trade_qty"] * 10 ** (scale - before["qty_scale"])
    figures: dict[str, Any] = {key: stats[key] for key in _COUNTS}
    figures["best_bid"] = _best(book, book.raw.best_bid_int)
    figures["best_ask"] = _best(book, book.raw.best_ask_int)
    figures["bid_levels"] = book.bid_levels
    figures["ask_levels"] = book.ask_levels
    if digests is not None:
        figures["bbo_sha256"] = digests.bbo_sha256(book)
        figures["book_sha256"] = book_sha256(book)
    for key in ("crc_ok", "crc_bad"):
        if key in stats:
            figures[key] = stats[key]
    figures["status"] = book.status.name
    figures["sequence"] = None if pipeline.spec.link == Link.NONE else book.sequence
    figures.update((key, stats[key]) for key in _COUNTS_AFTER)
    last_price = stats["last_trade_price"] if stats["trades"] else None
    figures["trades"] = {
        "count": stats["trades"],
        "qty": decimal_text(qty, scale),
        "last_price": None if last_price is None else decimal_text(last_price, stats["price_scale"]),
    }
    figures["quotes"] = {"count": stats["quotes"]}
    return figures


def decimal_text(units: int, scale: int) -> str:
    """`units * 10**-scale` as plain decimal text: no exponent, no trailing zeros."""
    if scale <= 0:
        return str(units * 10 ** -scale)
    whole, part = divmod(abs(units), 10 ** scale)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{part:0{scale}d}".rstrip("0").rstrip(".") if part else f"{sign}{whole}"


def book_sha256(book: Any) -> str:
    """SHA-256 of a whole book as text: `b,price,qty` lines of the bids, then `a,price,qty` lines, best first."""
    price_scale, qty_scale = book.price_scale, book.qty_scale
    digest = hashlib.sha256()
    for tag, levels in (("b", book.raw.bids_int()), ("a", book.raw.asks_int())):
        digest.update("".join(f"{tag},{decimal_text(price, price_scale)},{decimal_text(*qty_parts(qty, qty_scale))}\n"
                              for price, qty in levels.tolist()).encode())
    return digest.hexdigest()


def _best(book: Any, level: tuple[int, int] | None) -> list[str | None]:
    if level is None:
        return [None, None]
    return [decimal_text(level[0], book.price_scale), decimal_text(*qty_parts(level[1], book.qty_scale))]


class Digests:
    """`bbo_sha256` of every book: one line for every applied message."""

    def __init__(self) -> None:
        self.spent_ns = 0           # time of ours that passed inside calls of the pipeline
        self._of: dict[int, _BookDigest] = {}

    def on_applied(self, book: Any) -> None:
        """Take in the state of `book` after a message; `Pipeline.on_applied` calls this."""
        began = perf_counter_ns()
        digest = self._of.get(id(book))
        if digest is None:
            digest = self._of[id(book)] = _BookDigest(book)
        digest.take()
        self.spent_ns += perf_counter_ns() - began

    def bbo_sha256(self, book: Any) -> str:
        """The digest of `book` so far; that of no lines if nothing was applied."""
        digest = self._of.get(id(book))
        return digest.sha.hexdigest() if digest is not None else hashlib.sha256().hexdigest()


class _BookDigest:
    """The lines of one book; the text of a side is made only when the side has changed."""

    def __init__(self, book: Any):
        self.book = book            # also keeps the object alive, so that its id stays its own
        self.raw = book.raw
        self.sha = hashlib.sha256()
        self._scales: tuple[int, int] | None = None
        self._levels: list[tuple[int, int] | None] = [None, None]
        self._texts = [",", ","]    # "price,qty" of the bid and the ask
        self._line = b",,,\n"

    def take(self) -> None:
        raw, levels = self.raw, self._levels
        bid, ask = raw.best_bid_int, raw.best_ask_int
        scales = (self.book.price_scale, self.book.qty_scale)
        if bid != levels[0] or ask != levels[1] or scales != self._scales:
            widened = scales != self._scales        # the same integers now mean other numbers
            self._scales = scales
            for side, level in enumerate((bid, ask)):
                if widened or level != levels[side]:
                    levels[side] = level
                    self._texts[side] = "," if level is None else (
                        f"{decimal_text(level[0], scales[0])},{decimal_text(*qty_parts(level[1], scales[1]))}")
            self._line = f"{self._texts[0]},{self._texts[1]}\n".encode()
        self.sha.update(self._line)
