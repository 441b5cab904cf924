"""A log line for every change of a book's state, but never a flood of them: what was left out is counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

log = logging.getLogger("feeds.states")

CLOSED = "connection closed"
PER_SECOND = 20         # lines; a lost connection changes thousands of books at once


class StateLog:
    """Writes the lines of one pipeline.

    Parameters: venue -- named in every line. per_second -- lines in any second. clock -- seconds, monotonic.
    """

    def __init__(self, venue: str, per_second: int = PER_SECOND, clock: Callable[[], float] = monotonic) -> None:
        self.venue = venue
        self.per_second = per_second
        self.left_out = 0           # lines since the last that was written
        self._clock = clock
        self._second = float("-inf")
        self._written = 0           # lines since then

    def note(self, symbol: str, old: str, new: str, reason: str, bad: bool) -> None:
        """A book went from one state to another; `bad`: it was LIVE, or is STALE now.

        Of a line that has ended nobody is warned book by book: whoever keeps the line up says whether it was meant to.
        """
        level = logging.WARNING if bad and reason != CLOSED else logging.INFO
        if not log.isEnabledFor(level):
            return
        if not self._may_write():
            self.left_out += 1
            return
        self.flush(now=True)
        log.log(level, "%s %s: %s -> %s: %s", self.venue, symbol, old, new, reason)

    def flush(self, now: bool = False) -> None:
        """Say how many lines were left out, if lines may be written again."""
        if self.left_out and (now or self._may_write()):
            log.warning("%s: %d changes of state are not in the log", self.venue, self.left_out)
            self.left_out = 0

    def _may_write(self) -> bool:
        at = self._clock()
        if at - self._second >= 1.0:
            self._second, self._written = at, 0
        self._written += 1
        return self._written <= self.per_second
