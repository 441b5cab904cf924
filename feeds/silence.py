"""What a feed does about books that say nothing: ping the line, ask anew, connect anew, and at last trust them no more.

How long a book may be silent is decided in `feeds.staleness`. A step is taken only if the one before has not helped,
and none that would cost the other books of a line more than it is worth.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from feeds.rest import RestError, Window
from feeds.staleness import GIVE_UP, PROBE, RECONNECT, RESUBSCRIBE, Patience, Watch
from feeds.venue import Link
from orderbook import BookState

if TYPE_CHECKING:
    from feeds.connection import Connection
    from feeds.session import Asked, Feed
    from orderbook import Book

log = logging.getLogger(__name__)

MANY = 3            # books of a line that are due together: then it is the line, if they are most of its books
BLIND = frozenset((Link.NONE, Link.RISES))      # links by which a message that is missing does not show
UNPROVED = "asked for anew, and its numbers do not show what it has missed"


def number_of(book: Book) -> int:
    """What changes when the book does: its number, or where the venue has none its best levels and their count."""
    return book.sequence or hash((book.raw.bbo(), book.bid_levels, book.ask_levels))


class Silences:
    """Watches the LIVE books of a feed; `look` is called about once a second."""

    def __init__(self, feed: Feed, rules: Patience) -> None:
        self.feed = feed
        self.rules = rules
        self.steps = dict.fromkeys((PROBE, RESUBSCRIBE, RECONNECT, GIVE_UP), 0)
        self._watches: dict[str, tuple[Watch, Book]] = {}
        self._budget = Window(rules.renewals, clock=lambda: asyncio.get_running_loop().time())
        self._reconnected: dict[int, float] = {}            # line -> when, for the sake of a silent book
        # (symbol, line, its opening) -> (the last number it brought, since when), where others have brought more
        self._behind: dict[tuple[str, int, int], tuple[int | None, float]] = {}
        self._given_up: dict[str, int] = {}                 # symbol -> messages that were not applied by then
        self._tasks: dict[str, asyncio.Task[None]] = {}     # symbol -> its proof by REST
        self.seen_live: set[str] = set()                    # symbols of books that have been LIVE

    def look(self, now: float, books: dict[str, Asked]) -> None:
        """Do what is due."""
        due: dict[Connection, list[tuple[str, str, Watch]]] = {}
        live: dict[Connection, int] = {}
        behind: dict[tuple[str, int, int], tuple[int | None, float]] = {}
        for symbol in self._watches.keys() - books.keys():
            del self._watches[symbol]
            self._given_up.pop(symbol, None)
            self.seen_live.discard(symbol)
        for symbol, asked in books.items():
            connection = asked.connection
            if symbol not in self._watches:
                book = self.feed.pipeline.book(asked.stream.symbol, asked.stream.depth)
                self._watches[symbol] = Watch(self.rules), book
            watch, book = self._watches[symbol]
            line = connection.line
            if line is None or book.status != BookState.LIVE:
                watch.away()
                continue
            self.seen_live.add(symbol)
            if len(asked.group) > 1 and self.feed.spec.shared_ids:
                self._compare(now, symbol, asked, book.sequence, behind)
            live[connection] = live.get(connection, 0) + 1
            step = watch.look(now, book.receive_ns, number_of(book), line.frames)
            if step and symbol not in self._tasks:
                due.setdefault(connection, []).append((step, symbol, watch))
        self._behind = behind
        for connection, steps in due.items():
            asks = sum(step in (RESUBSCRIBE, RECONNECT) for step, _, _ in steps)
            self._act(connection, steps, now, together=asks >= MANY and 2 * asks > live[connection])

    def is_given_up(self, symbol: str) -> bool:
        """Whether a book's stream has been silent until it was given up, and has said nothing since.

        A snapshot would make such a book LIVE for a moment that nothing could follow.
        """
        if symbol not in self._given_up:
            return False
        if self.feed.symbol_stats(symbol)["stale"] == self._given_up[symbol]:
            return True
        del self._given_up[symbol]
        return False

    def stats(self) -> dict[str, Any]:
        """Steps taken so far; silences that a step has ended and in which something had been missed, and in which
        nothing had."""
        watches = [watch for watch, _ in self._watches.values()]
        return {**{step.replace(" ", "_"): count for step, count in self.steps.items()},
                "mended": sum(watch.mended for watch in watches),
                "quiet": sum(watch.kept_quiet for watch in watches)}

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _compare(self, now: float, symbol: str, asked: Asked, number: int,
                 behind: dict[tuple[str, int, int], tuple[int | None, float]]) -> None:
        """Ask anew, on its line, for a stream that only the other lines bring: what is doubled stays so."""
        stream = asked.stream
        for connection in asked.group:
            if connection.line is None or stream.name not in connection.requests.confirmed:
                continue
            brought = self.feed.pipeline.brought(connection.number, stream.symbol, stream.depth)
            key = symbol, connection.number, connection.opens
            last, since = self._behind.get(key, (brought, now))
            if brought == number:
                continue
            if last != brought:
                since = now
            elif now - since > self.rules.least and not self._budget.take(1):
                log.warning("%s: %s has come on other lines alone for %.1f s, asking for it anew", connection, symbol,
                            now - since)
                self.steps[RESUBSCRIBE] += 1
                connection.renew([stream.name])
                since = now
            behind[key] = brought, since

    # ---- the steps

    def _act(self, connection: Connection, steps: list[tuple[str, str, Watch]], now: float, together: bool) -> None:
        line = connection.line
        if line is None:
            return
        spared = now - self._reconnected.get(connection.number, -1e9) < self.rules.apart
        leaves = False
        probed = False
        for step, symbol, watch in steps:
            silence = watch.silence(now)
            if together and step == RESUBSCRIBE:
                step = RECONNECT            # one new connection instead of hundreds of new subscriptions
            if step == RECONNECT and spared:
                step = GIVE_UP              # it was made anew a moment ago
            if step == RESUBSCRIBE and self._budget.take(1):
                continue                    # not yet
            watch.did(step, now, line.frames)
            self.steps[step] += 1
            if step == PROBE:
                if not probed:
                    connection.probe()
                    probed = True
            elif step == RESUBSCRIBE:
                log.warning("%s: nothing came for %s for %.1f s, asking for it anew", connection, symbol, silence)
                self._resubscribe(symbol, connection, now)
            elif step == RECONNECT:
                if not leaves:
                    log.warning("%s: nothing came for %s for %.1f s, connecting anew", connection, symbol, silence)
                leaves = True
            else:
                self._give_up(symbol, silence)
        if leaves:
            self._reconnected[connection.number] = now
            connection.reconnect(f"{len(steps)} silent books")

    def _resubscribe(self, symbol: str, connection: Connection, now: float) -> None:
        asked, spec = self.feed.asked_book(symbol), self.feed.spec
        asked.renewed = now
        connection.renew([asked.stream.name])
        if spec.resync == "request" and spec.request is not None and spec.request(asked.stream.name, 0):
            connection.request_snapshot(asked.stream.name)
        if spec.resync == "rest" and not asked.stream.depth and spec.snapshot_address is not None:
            self._tasks[symbol] = asyncio.create_task(self._prove(symbol), name=f"proof of {symbol}")

    async def _prove(self, symbol: str) -> None:
        """Ask by REST whether anything has happened: the new subscription says nothing until something does.

        Where numbers show no gap, the answer must be newer than that subscription, and a book that goes on before it
        is there is lost: something may have been missed.
        """
        feed = self.feed
        spec, pipeline, asked = feed.spec, feed.pipeline, feed.asked_book(symbol)
        watch, book = self._watches[symbol]
        opens, stood = asked.connection.opens, number_of(book)
        try:
            if spec.link in BLIND and not await self._begun(asked, book, stood):
                return
            limit = feed.snapshot_levels(symbol) or spec.snapshot_limit
            url = spec.snapshot_url(symbol, feed.rest.moved_to, limit, feed.market)
            body, receive_ns = await feed.rest.get(url, spec.snapshot_weight(limit))
            number, taken = number_of(book), pipeline.counters["snapshots"]
            now = asyncio.get_running_loop().time()
            if book.status != BookState.LIVE or asked.connection.opens != opens:
                return
            if number != stood:
                self._doubt(asked, book, opens)
            if watch.step != RESUBSCRIBE or book.status != BookState.LIVE:
                return
            pipeline.rest(spec.snapshot_url(symbol, None, limit, feed.market), body, receive_ns)
            if pipeline.counters["snapshots"] == taken:         # an old one, or a wrong one: it proves nothing
                watch.did(PROBE, now, -1)
            elif number_of(book) == number:
                watch.quiet(now)
            else:
                watch.missed(now, book.receive_ns, number_of(book))
            log.info("%s: %s: by REST at %d, the book was at %d", spec.name, symbol, number_of(book), number)
        except RestError as error:
            log.warning("%s: cannot tell whether %s is only quiet: %s", spec.name, symbol, error)
            watch.did(PROBE, asyncio.get_running_loop().time(), -1)
            self._doubt(asked, book, opens)
        except Exception:
            log.exception("%s: %s: unexpected failure", spec.name, symbol)
            self._doubt(asked, book, opens)
        finally:
            del self._tasks[symbol]

    def _doubt(self, asked: Asked, book: Book, opens: int) -> None:
        """Lose a book that may lack something, if it is still the one of that opening of its line."""
        if self.feed.spec.link in BLIND and book.status == BookState.LIVE and asked.connection.opens == opens:
            self.feed.pipeline.lose(asked.stream.symbol, asked.stream.depth, UNPROVED)

    async def _begun(self, asked: Asked, book: Book, stood: int) -> bool:
        """Whether the venue has accepted a new subscription, or the book has gone on, in due time."""
        requests, name = asked.requests, asked.stream.name
        try:
            async with asyncio.timeout(self.rules.answer):
                while (number_of(book) == stood and book.status == BookState.LIVE
                       and not (name in requests.confirmed and requests.asked.get(name, 0.0) >= asked.renewed)):
                    await asyncio.sleep(self.feed.timing.look)
        except TimeoutError:
            return False
        return True

    def _give_up(self, symbol: str, silence: float) -> None:
        asked, pipeline = self.feed.asked_book(symbol), self.feed.pipeline
        pipeline.lose(asked.stream.symbol, asked.stream.depth, f"silent for {silence:.1f} s, whatever was tried", True)
        self._given_up[symbol] = pipeline.symbol_stats(asked.stream.symbol, asked.stream.depth)["stale"]
