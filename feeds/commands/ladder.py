"""A live book on the terminal: a ladder that is drawn anew a few times a second, or a plain line now and then."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from time import monotonic, strftime
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orderbook import BookState
from orderbook.decimals import qty_parts

DRAW_S = 0.1                    # between two drawings of the ladder
LINE_S = 1.0                    # between two plain lines of a symbol
BAR_WIDTH = 12                  # characters of the longest quantity bar
_COLOURS = {BookState.EMPTY: "bright_black", BookState.SYNCING: "yellow", BookState.LIVE: "green",
            BookState.STALE: "red"}
_TRADES: dict[str | None, tuple[str, str]] = {     # by aggressor, which not every venue tells
    "buy": ("▲", "bold green"), "sell": ("▼", "bold red"), None: ("", "bold")}


class Tape:
    """A handler that keeps the newest trade of every symbol and counts what came."""

    def __init__(self) -> None:
        self.updates = 0
        self.last: dict[str, tuple[int, int, str | None]] = {}  # symbol -> price units, price scale, aggressor

    def on_book(self, book: Any) -> None:
        """Called after every message that changed a live book."""
        self.updates += 1

    def on_trade(self, trade: Any) -> None:
        """Called for every trade; the event is only good during the call, so its numbers are taken out."""
        self.last[trade.symbol] = (trade.price_int, trade.price_scale, trade.aggressor)


class View:
    """Draws the books of a feed.

    Parameters: feed -- a feed that is open. symbols -- as the venue writes them. tape -- the feed's handler.
                depth -- levels a side. note -- gives a line to show below, "" for none.
    """

    def __init__(self, feed: Any, symbols: list[str], tape: Tape, depth: int, note: Callable[[], str] = str):
        self.feed = feed
        self.symbols = symbols
        self.tape = tape
        self.depth = depth
        self.note = note
        self._seen = (monotonic(), 0)           # time and number of frames at the last look
        self._pace = 0.0                        # frames a second, smoothed

    async def follow(self, seconds: float | None, plain: bool, check: Callable[[], None]) -> None:
        """Draw until `seconds` have passed, None for ever; `check` is called all the while and may raise."""
        began = monotonic()
        if plain or not sys.stdout.isatty():
            shown = -LINE_S
            while seconds is None or monotonic() - began < seconds:
                check()
                if monotonic() - began - shown >= LINE_S:
                    shown = monotonic() - began
                    for symbol in self.symbols:
                        print(self.line(symbol), flush=True)
                await asyncio.sleep(DRAW_S)
            return
        with Live(console=Console(), auto_refresh=False, screen=False, transient=False) as live:
            while seconds is None or monotonic() - began < seconds:
                check()
                live.update(self.drawing(), refresh=True)
                await asyncio.sleep(DRAW_S)

    def book(self, symbol: str) -> Any:
        """The book of a symbol, None before its first message."""
        try:
            return self.feed.book(symbol)
        except KeyError:
            return None

    def line(self, symbol: str) -> str:
        """The state of one book as a line of text."""
        book = self.book(symbol)
        if book is None:
            return f"{strftime('%H:%M:%S')} {symbol} {BookState.EMPTY.name}"
        stats = self.feed.symbol_stats(symbol)
        bid, ask = (_level(book, level) for level in (book.raw.best_bid_int, book.raw.best_ask_int))
        return (f"{strftime('%H:%M:%S')} {symbol} {BookState(book.status).name} bid {bid} ask {ask} "
                f"levels {book.bid_levels}+{book.ask_levels} updates {stats['updates']} trades {stats['trades']} "
                f"gaps {stats['gaps']} resyncs {stats['resyncs']}")

    def drawing(self) -> Group:
        """Everything, for rich to draw."""
        counters = self.feed.pipeline.counters
        now, frames = monotonic(), counters["frames"]
        then, before = self._seen
        if now - then >= 0.5:
            self._seen = (now, frames)
            self._pace = (frames - before) / (now - then)
        foot = Text(f"{self.feed.spec.name}  {frames:,} messages  {self._pace:,.0f}/s  gaps {counters['gaps']}  "
                    f"resyncs {counters['resyncs']}  errors {counters['errors']}", style="bright_black")
        parts: list[RenderableType] = [Columns([self._ladder(symbol) for symbol in self.symbols], padding=(0, 3)), foot]
        if self.note():
            parts.append(Text(self.note(), style="yellow"))
        return Group(*parts)

    def _ladder(self, symbol: str) -> Table:
        book = self.book(symbol)
        state = BookState.EMPTY if book is None else BookState(book.status)
        title = Text.assemble((symbol, "bold"), "  ", (state.name, _COLOURS[state]))
        table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
        table.add_column(justify="right", min_width=11)
        table.add_column(justify="right", min_width=10)
        table.add_column(min_width=BAR_WIDTH)
        if book is None:
            return table
        bids, asks = book.raw.bids_int(self.depth).tolist(), book.raw.asks_int(self.depth).tolist()
        most = max((_size(qty, book.qty_scale) for _, qty in bids + asks), default=1.0)
        for levels, colour in ((asks[::-1], "red"), (None, ""), (bids, "green")):
            if levels is None:
                table.add_row(self._middle(symbol, book), "", "")
                continue
            for _ in range(self.depth - len(levels) if colour == "red" else 0):
                table.add_row("", "", "")       # a thin side leaves the middle where it is
            for price, qty in levels:
                bar = "█" * max(1, round(BAR_WIDTH * _size(qty, book.qty_scale) / most))
                table.add_row(Text(_fixed(price, book.price_scale), style=colour),
                              _fixed(*qty_parts(qty, book.qty_scale)), Text(bar, style=colour))
        return table

    def _middle(self, symbol: str, book: Any) -> Text:
        last = self.tape.last.get(symbol)
        if last is None:
            return Text("-", style="bright_black")
        price, scale, aggressor = last
        shown = max(scale, book.price_scale)
        arrow, style = _TRADES[aggressor]
        return Text(f"{_fixed(price * 10 ** (shown - scale), shown)} {arrow}", style=style)


def _size(qty: int, scale: int) -> float:
    """A quantity as a number, for the length of its bar."""
    digits, decimals = qty_parts(qty, scale)
    return digits / 10 ** decimals


def _fixed(units: int, scale: int) -> str:
    """`units * 10**-scale` with all its decimals, so that a column of them lines up."""
    if scale <= 0:
        return str(units * 10 ** -scale)
    whole, part = divmod(abs(units), 10 ** scale)
    return f"{'-' if units < 0 else ''}{whole}.{part:0{scale}d}"


def _level(book: Any, level: tuple[int, int] | None) -> str:
    return "-" if level is None else f"{book.price_text(level[0])} x {book.qty_text(level[1])}"
