"""One checksum of a recorded book, in each of the forms that venues have.

    python benchmarks/bench_checksum.py [--rounds 20]

Every capture that carries checksums is played to its end, and each of them must agree. Then the best ten levels a side
of each book are hashed again and again, and the best 25 where the venue hashes so many. Printed is the median over the
books of the fastest round, and the slowest book.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.compiled import compiled  # noqa: E402
from benchmarks.workload import data_dir  # noqa: E402
from feeds import Pipeline  # noqa: E402
from feeds.capture import CaptureReader  # noqa: E402
from orderbook import Book  # noqa: E402

WANTED = 600            # ns for ten levels a side
TIMES = 2_000           # checksums in one measurement

# Venue, capture, form, levels a side that the venue hashes, how a level is written
CASES = (
    ("kraken", "book_v2_btcusd_20260824", "digits", 10, rb'"price":([\d.]+),"qty":([\d.]+)'),
    ("okx", "books_20220513", "pairs", 25, rb'\["([\d.]+)","([\d.]+)"'),
    ("bitfinex", "multi_20210417", "signed", 25, None),
)


def books_of(venue: str, capture: str, form: bytes | None) -> list[tuple[Book, int, int, bool]]:
    """The books in the end, with the decimals that prices and quantities are printed with, and whether zeros follow."""
    pipeline = Pipeline(venue, on_gap="count")
    printed = [0, 0]
    trailing = False
    for record in CaptureReader(data_dir() / venue / f"{capture}.ws.gz"):
        if record.kind in "<B":
            pipeline.feed(record.payload)
            for level in re.findall(form, record.payload) if form else ():
                for i, number in enumerate(level):
                    printed[i] = max(printed[i], len(number.partition(b".")[2]))
                    trailing |= b"." in number and number.endswith(b"0")
    stats = [pipeline.symbol_stats(symbol) for symbol in pipeline.symbols()]
    if form and not any(row.get("crc_ok") for row in stats) or any(row.get("crc_bad") for row in stats):
        raise SystemExit(f"{venue}/{capture}: not all checksums agree")
    books = [pipeline.book(symbol) for symbol in pipeline.symbols()]
    return [(book, *printed, trailing) for book in books if book.bid_levels and book.ask_levels]


def best_levels(book: Book, count: int) -> Book:
    """A book of the best levels of another."""
    cut = Book(book.price_scale, book.qty_scale, book.tick_size)
    cut.apply_snapshot(book.raw.bids_int(count), book.raw.asks_int(count))
    return cut


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    if not data_dir().is_dir():
        print(f"bench_checksum: no recorded captures in {data_dir()} (set WIREBOOK_DATA)", file=sys.stderr)
        return 0
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    measure = compiled("checksums").measure
    print(f"{'':34} {'levels':>6} {'books':>5} {'ns':>6} {'worst':>6}  wanted {WANTED} for ten levels")
    for venue, capture, recipe, levels, form in CASES:
        books = books_of(venue, capture, form)
        for count in sorted({10, levels}):
            spent = []
            for book, *printed in books:
                cut = best_levels(book, count)
                spent.append(min(measure(cut, recipe, *printed, TIMES)[1] for _ in range(options.rounds)))
            verdict = "" if count != 10 else "ok" if max(spent) <= WANTED else "MISSED"
            print(f"{venue + '/' + capture:34} {count:6} {len(books):5} {median(spent):6.0f} {max(spent):6.0f}  "
                  f"{verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
