"""Collector: a handler that turns what a pipeline tells into rows, without a Python object per level."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from feeds.handler import Handler

class Collector(Handler):
    """Collects rows: see feeds.export.tables.

    Parameters: tables -- name of a table -> dtype of its rows: of book, trades, quotes, states, snapshots, features.
    full -- called with the name and the rows of a table that is full; it must have copied them on return. depth --
    levels of a snapshot. every -- ns between rows of snapshots and features, 0: whenever something has changed. idle --
    ns without any message after which such rows end until the next one. measure -- called with a book; gives what is to
    be called at its changes, and the bytes that this fills with features, 8 of each. blank -- bytes of the features of
    a book that is not LIVE. summed -- which of them is a sum over the time of a row, -1 none. room -- rows in memory of
    each table.
    """

    markets: tuple[str, ...]
    """Names of the venue's markets, by index."""

    def __new__(
        cls,
        tables: Mapping[str, np.dtype[Any]],
        full: Callable[[str, NDArray[Any]], object],
        depth: int = 0,
        every: int = 0,
        idle: int = 0,
        measure: Callable[[Any], tuple[Callable[[], object], NDArray[np.uint8]]] | None = None,
        blank: NDArray[np.uint8] | None = None,
        summed: int = -1,
        room: int = 32768,
    ) -> Self: ...
    @property
    def names(self) -> list[str]:
        """Names of the symbols, by the index that rows have."""
    @property
    def reasons(self) -> list[str]:
        """Reasons of changes of state, by the index that rows have."""
    @property
    def scales(self) -> NDArray[np.int8]:
        """By index of a symbol, or more: the widest price_scale and qty_scale there were; shape (n, 2)."""
    def book_codes(self) -> list[int]:
        """Index of the name of every book, by the index that rows of states have instead of it."""
    def finish(self) -> None:
        """Hand over what is left, and the rows that are due up to the last message."""
