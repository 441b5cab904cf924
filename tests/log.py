"""A handler that notes everything it is told, for tests that look at the order."""

from __future__ import annotations


class Log:
    """A handler that notes everything; on_book checks that the book can be read."""

    def __init__(self):
        self.told = []

    def on_book(self, book):
        self.told.append(("book", book.symbol, book.sequence, book.best_bid))

    def on_trade(self, trade):
        self.told.append(("trade", trade.symbol, trade.trade_id))

    def on_quote(self, quote):
        self.told.append(("quote", quote.symbol, quote.sequence))

    def on_ticker(self, ticker):
        self.told.append(("ticker", ticker.symbol))

    def on_mark(self, mark):
        self.told.append(("mark", mark.symbol))

    def on_liquidation(self, liquidation):
        self.told.append(("liquidation", liquidation.symbol))

    def on_status(self, book, old, new, reason):
        assert book is None or reason
        self.told.append(("status", book and book.symbol, old, new))

    def take(self):
        told, self.told = self.told, []
        return told
