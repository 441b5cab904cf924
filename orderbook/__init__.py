"""wirebook's order book: array-backed price levels, exact integers inside, floats and numpy at the edge.

    >>> from orderbook import Book
    >>> book = Book()
    >>> book.apply_snapshot([("100.5", "2")], [("100.6", "1.25")], sequence=7)
    >>> book.best_bid, book.best_ask
    ((100.5, 2.0), (100.6, 1.25))

Figures of a book and of trades: `from orderbook import analytics, tape`.
"""

from orderbook.book import Book
from orderbook.consolidated import ConsolidatedBook
from orderbook.crossings import Crossing, CrossWatch
from orderbook.types import BookError, BookNotLive, BookState, Side

__all__ = ["Book", "BookError", "BookNotLive", "BookState", "ConsolidatedBook", "CrossWatch", "Crossing", "Side"]
