"""Books by symbol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feeds.pipeline import Pipeline
    from orderbook import Book


class Books(Mapping[str, "Book"]):
    """Live view of a pipeline's books of deltas: symbol as the venue writes it -> Book."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def __getitem__(self, symbol: str) -> Book:
        return self._pipeline.book(symbol)

    def __iter__(self) -> Iterator[str]:
        return iter(self._pipeline.symbols())

    def __len__(self) -> int:
        return len(self._pipeline.symbols())

    def __repr__(self) -> str:
        return f"<Books {', '.join(self)}>"
