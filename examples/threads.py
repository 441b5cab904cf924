"""Threads: one keeps the feed, two read its book whenever they like, each read of one moment.

A reader needs no lock and is never called: it asks. A book that is not LIVE says so instead of answering.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from time import sleep

import numpy as np
from common import options, server

import feeds
from orderbook import Book, BookNotLive


def keep_feed(venue: str, symbol: str, url: str, book: Future[Book], done: threading.Event) -> None:
    """The feed's thread: an event loop of its own. `book` gets the live Book, or what went wrong."""
    async def run() -> None:
        async with feeds.connect(venue, symbol, url=url) as feed:
            await feed.wait_live(timeout=20)
            book.set_result(feed.book(symbol))
            while not done.is_set():
                await asyncio.sleep(0.05)

    try:
        asyncio.run(run())
    except Exception as error:
        if not book.done():
            book.set_exception(error)
        raise


class Reader(threading.Thread):
    """Reads every `pause` seconds until `done`."""

    def __init__(self, book: Book, pause: float, done: threading.Event) -> None:
        super().__init__()
        self.book, self.pause, self.done = book, pause, done
        self.reads = self.refused = 0
        self.widest = self.deepest = 0.0
        self.seen: set[int] = set()

    def run(self) -> None:
        bids, asks = np.empty((10, 2)), np.empty((10, 2))           # filled again and again, nothing is allocated
        while not self.done.wait(self.pause):
            try:
                n_bids, n_asks = self.book.top(bids, asks)          # both sides of one moment
            except BookNotLive:
                self.refused += 1
                continue
            self.reads += 1
            if n_bids and n_asks:
                self.widest = max(self.widest, asks[0, 0] - bids[0, 0])
            self.deepest = max(self.deepest, bids[:n_bids, 1].sum() + asks[:n_asks, 1].sum())
            self.seen.add(self.book.receive_ns)


def main() -> None:
    given = options(__doc__)
    book: Future[Book] = Future()
    done = threading.Event()
    with server(given.venue, given.symbol, given.url) as url:
        feed = threading.Thread(target=keep_feed, args=(given.venue, given.symbol, url, book, done))
        feed.start()
        live = book.result()
        readers = [Reader(live, pause, done) for pause in (0.001, 0.01)]
        for reader in readers:
            reader.start()
        sleep(given.seconds)
        done.set()
        for thread in (*readers, feed):
            thread.join()
    for reader in readers:
        print(f"every {reader.pause * 1e3:2.0f} ms: {reader.reads} reads of {len(reader.seen)} messages, "
              f"{reader.refused} refused; widest spread {reader.widest:.2f}, most in ten levels {reader.deepest:.3f}")


if __name__ == "__main__":
    main()
