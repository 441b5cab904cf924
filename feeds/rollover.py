"""Several lines that carry the same streams, and the change from a line to the next one: make before break.

A feed's connections stand in groups; those of a group carry the same streams. What of their messages counts is decided
in the pipeline (feeds.lines).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from feeds.connection import Connection
from feeds.rest import shared_places

if TYPE_CHECKING:
    from feeds.session import Asked, Feed

log = logging.getLogger(__name__)

PATIENCE = 10           # times `Timing.overlap` after which a line counts as carrying what it has brought nothing of
MOST_LINES = 4          # a feed can be asked for; each may have a successor for a while


class Rollover:
    """The groups of a feed's connections."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.groups: list[list[Connection]] = []
        self._tasks: dict[Connection, asyncio.Task[None]] = {}
        self._told: dict[Connection, tuple[int, set[str]]] = {}     # its openings, streams whose books it carries

    def group_of(self, connection: Connection) -> list[Connection]:
        """The connections that carry the same streams, itself among them."""
        return next((group for group in self.groups if connection in group), [connection])

    def start(self, root: str, lines: int) -> list[Connection]:
        """A new group of connections to that root of the venue."""
        group = [self._connection(root) for _ in range(lines)]
        self.groups.append(group)
        if lines > 1:
            self.feed.pipeline.share(*(connection.number for connection in group))
        return group

    def _connection(self, root: str) -> Connection:
        """A connection with a number that is free."""
        connections = self.feed.connections
        number = next((old.number for old in connections if old.retired), len(connections))
        connection = Connection(self.feed, number, root)
        connections[number:number + 1] = [connection]
        return connection

    async def wait_ready(self, timeout: float) -> None:
        """Return when a connection of every group has been open. Raises: TimeoutError."""
        for group in self.groups:
            tasks = [asyncio.create_task(connection.wait_ready(timeout)) for connection in group]
            waiting = set(tasks)
            try:
                while waiting and not any(connection.ready.is_set() for connection in group):
                    _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            if not any(connection.ready.is_set() for connection in group):
                raise TimeoutError

    async def close(self) -> None:
        """Leave off changing lines."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def look(self, now: float) -> None:
        """Tell the pipeline what the lines of larger groups carry; call it often."""
        pipeline = self.feed.pipeline
        pipeline.settle(now)
        for group in self.groups:
            for connection in group if len(group) > 1 else ():
                opens, told = self._told.get(connection, (0, set()))
                if connection.line is None or (opens == connection.opens and told == connection.requests.confirmed):
                    continue
                names = connection.requests.confirmed - (told if opens == connection.opens else set())
                for asked in self._books_of(names):
                    pipeline.carry(connection.number, asked.stream.symbol, asked.stream.depth)
                self._told[connection] = (connection.opens, set(connection.requests.confirmed))

    def _books_of(self, names: set[str]) -> list[Asked]:
        """The books among some streams."""
        return [asked for name in names if (asked := self.feed.asked_stream(name)) is not None
                and asked.stream.channel == "book"]

    # ---- from a line to its successor

    def replace(self, connection: Connection, reason: str, left: float = 0.0) -> None:
        """A line will end soon, in `left` seconds if known: have its streams elsewhere before; again is no harm."""
        feed = self.feed
        if connection in self._tasks or connection.retired or connection.line is None:
            return
        group = self.group_of(connection)
        others = [other for other in group if other is not connection and not self._lacks(connection, other)]
        compares = feed.spec.shared_ids
        stands_by = not compares and feed.pipeline.active(connection.number) != connection.number
        places = shared_places(connection.address, feed.spec.limits.connections)
        if (others and (compares or stands_by)) or places.taken >= places.limit > 0 or len(group) > MOST_LINES:
            connection.reconnect(reason)
            return
        overlap = min(feed.timing.overlap, left) if left else feed.timing.overlap
        self._tasks[connection] = asyncio.create_task(self._roll(connection, group, reason, overlap),
                                                      name=f"{connection} successor")

    def _lacks(self, old: Connection, new: Connection) -> bool:
        """Whether a line does not carry all that another is for."""
        held = new.requests
        return new.line is None or not old.requests.streams.keys() <= held.confirmed | held.refused.keys()

    async def _roll(self, old: Connection, group: list[Connection], reason: str, overlap: float) -> None:
        """Let a new line take over what `old` carries, then end that."""
        feed, now = self.feed, asyncio.get_running_loop().time
        new, opens, confirmed = self._connection(old.root), old.opens, None
        log.info("%s: %s, line %d will take over", old, reason, new.number)
        out = new                                   # the one to be ended
        try:
            feed.pipeline.share(old.number, new.number)
            feed.pipeline.hand_over(new.number)
            for stream in old.requests.streams.values():
                new.add(stream)
            group.append(new)
            new.start()
            while old.line is None or old.opens == opens:       # else it has ended, and is there again by itself
                if new.line is None or (old.line is not None and self._lacks(old, new)):
                    confirmed = None
                elif old.line is None:
                    out = old
                    break
                elif confirmed is None:
                    confirmed = now()
                elif now() - confirmed >= overlap and (
                        now() - confirmed >= PATIENCE * overlap or self._brings(old, new)):
                    out = old
                    break
                await asyncio.sleep(feed.timing.look)
        except Exception:
            log.exception("%s: unexpected failure", old)
            old.reconnect(reason)
        finally:
            if out is old:
                new.succeed(old, reason)
            group[:] = [connection for connection in group if connection is not out]
            self._told.pop(out, None)
            with suppress(asyncio.CancelledError):
                await asyncio.shield(self._end(out))
            self._tasks.pop(old, None)

    async def _end(self, connection: Connection) -> None:
        await connection.stop()
        if connection.line is None:
            self.feed.pipeline.part(connection.number)
        connection.retired = True

    def _brings(self, old: Connection, new: Connection) -> bool:
        """Whether every LIVE book that follows the old line can follow the new one."""
        pipeline = self.feed.pipeline
        return all(pipeline.carries(new.number, asked.stream.symbol, asked.stream.depth)
                   for asked in self._books_of(set(old.requests.streams))
                   if self.feed.has_book(asked.stream.name))
