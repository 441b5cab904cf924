"""Books rebuilt from exported rows with dicts of Decimals, to be compared with the books that were exported."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from feeds.export import Collecting, Tables
from feeds.figures import book_sha256
from feeds.rerun import Rerun
from orderbook import BookState


class Level(NamedTuple):
    """One row of a table of levels, whatever the file it came from."""

    message: int
    symbol: str
    is_snapshot: bool
    side: str
    price: Decimal
    qty: Decimal


@lru_cache(1 << 16)
def units(value: int, scale: int) -> Decimal:
    """`value` * 10**-scale, exactly."""
    return Decimal(int(value)).scaleb(-int(scale))


def sha256(book: dict[str, dict[Decimal, Decimal]]) -> str:
    """What `book_sha256` gives of a rebuilt book."""
    digest = hashlib.sha256()
    for side, best_last in (("bid", True), ("ask", False)):
        for price, qty in sorted(book[side].items(), reverse=best_last):
            digest.update(f"{side[0]},{text(price)},{text(qty)}\n".encode())
    return digest.hexdigest()


@lru_cache(1 << 16)
def text(number: Decimal) -> str:
    """Plain decimal text without trailing zeros."""
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def rebuilt(levels: Iterable[Level]) -> Iterator[tuple[int, str, dict[str, dict[Decimal, Decimal]]]]:
    """(message, symbol, book) after every message."""
    books: dict[str, dict[str, dict[Decimal, Decimal]]] = {}
    last: Level | None = None
    for level in levels:
        if last is not None and (level.message, level.symbol) != (last.message, last.symbol):
            yield last.message, last.symbol, books[last.symbol]
        book = books.setdefault(level.symbol, {"bid": {}, "ask": {}})
        if level.is_snapshot and (last is None or level.message != last.message):
            book["bid"].clear()
            book["ask"].clear()
        if level.qty:
            book[level.side][level.price] = level.qty
        else:
            book[level.side].pop(level.price, None)
        last = level
    if last is not None:
        yield last.message, last.symbol, books[last.symbol]


def digests(levels: Iterable[Level]) -> dict[str, list[str]]:
    """Symbol -> what its book was after every message, without those that changed nothing."""
    found: dict[str, list[str]] = {}
    for _, symbol, book in rebuilt(levels):
        note(found.setdefault(symbol, []), sha256(book))
    return found


def note(of: list[str], digest: str) -> None:
    """Append what is new."""
    if of[-1:] != [digest]:
        of.append(digest)


def collected(paths, **options) -> tuple[Tables, dict[str, list[str]]]:
    """Tables of captures, and what the LIVE books were after every message, by the pipeline that made them."""
    collecting = Collecting(**options.pop("collect", {}))
    rerun = Rerun(paths, collecting.handler, **options)
    found: dict[str, list[str]] = {}

    def applied(book):
        if book.status is BookState.LIVE:
            note(found.setdefault(book.symbol, []), book_sha256(book))

    rerun.pipeline.on_applied = applied
    rerun.run()
    return collecting.end(rerun.pipeline.venue, rerun.pipeline.market, rerun.files), found


def levels_of(tables: Tables) -> Iterator[Level]:
    """The rows of the numpy table."""
    for row in tables["book"].tolist():
        _, _, message, symbol, price_scale, qty_scale, side, is_snapshot, _, price, qty = row
        yield Level(message, tables.symbols[symbol], is_snapshot, ("bid", "ask")[side], units(price, price_scale),
                    units(qty, qty_scale))
