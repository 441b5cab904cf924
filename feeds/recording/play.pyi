"""Recorded frames into a pipeline, as fast as it takes them."""

from collections.abc import Iterable, Sized
from typing import Any, Self

from feeds.pipeline import Pipeline
from feeds.recording.form import Loss, Record

class Marks:
    """Which instruments of a pipeline messages came for, by the frames that a `Block` feeds."""

    def __new__(cls, pipeline: Pipeline) -> Self: ...
    def take(self) -> tuple[int, ...]:
        """Their places, rising; and begin anew."""

class Block:
    """The data of a chunk of records, and how far it has been taken. Raises: ValueError for a place outside of it."""

    @property
    def data(self) -> bytes: ...
    @property
    def at(self) -> int:
        """Byte of the next record."""
    @property
    def taken(self) -> int:
        """Records before it."""
    @property
    def time_ns(self) -> int:
        """Time of the last one taken, 0 before it."""
    def __init__(self, data: bytes, at: int = 0) -> None: ...
    @property
    def next_ns(self) -> int | None:
        """Time of the next record, None at the end. Raises: `form.FormError`."""
    def next(self) -> Record | None:
        """The next record, which counts as taken; None at the end. Raises: `form.FormError`."""
    def feed(
        self,
        pipeline: Pipeline,
        until_ns: int = ...,
        most: int = ...,
        queue: Sized | None = None,
        marks: Marks | None = None,
    ) -> int:
        """Feed the frames up to the next record that is none; returns how many.

        Parameters: until_ns -- a frame of that time or later stays. most -- frames at a time. queue -- with it, only
        until something is in it; a handler puts its events there. marks -- of that pipeline, to note whom they are for.
        Raises: `form.FormError`; what a handler raises, its frame counts as taken then.
        """

def doubt(pipeline: Pipeline, reason: str) -> None:
    """Records are missing: every book that is there is STALE until a new snapshot, no connection's numbers go on."""

def follow_only(pipeline: Pipeline, symbols: Iterable[str]) -> None:
    """Follow these, by the names that the venue's messages have; "symbol@market" where two markets share one."""

def hush(pipeline: Pipeline) -> None:
    """Let a pipeline that only follows another one write no lines of log of its own."""

def arguments(pipeline: Pipeline) -> dict[str, Any]:
    """What a pipeline was made with, as a segment tells it."""

def followed(pipeline: Pipeline) -> list[tuple[str, int | None, str | None]]:
    """(symbol, depth, market) of every instrument that is followed."""

def names(pipeline: Pipeline) -> list[str]:
    """Symbols of all instruments by place; those of several depths or markets stand there several times."""

def survey(data: bytes) -> tuple[int, int, int, list[Loss]]:
    """(records, smallest time, largest time, losses) of a chunk's data; times 0 without records.

    Raises: `form.FormError`.
    """

def drop_kept(pipeline: Pipeline) -> None:
    """Give up what books keep while they wait for a snapshot: for a pipeline that only finds out symbols."""
