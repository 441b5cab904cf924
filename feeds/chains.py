"""A live option chain as one numpy table: `feeds.chain(venue, "BTC")`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from operator import attrgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from feeds.connection import Timing
from feeds.directory import Directory
from feeds.instruments import Instrument
from feeds.listing import InstrumentChange, Listing, UnknownInstrument
from feeds.plan import check_url, rest_beside
from feeds.rest import Rest
from feeds.session import Feed, SubscribeError, connect
from feeds.venue import UnsupportedChannel
from feeds.venues import load

if TYPE_CHECKING:
    import ssl as tls

    from feeds.events import Mark, OpenInterest, Ticker

log = logging.getLogger(__name__)

LISTS_S = 60.0          # between two looks at the venue's list for new and expired options
_CHANNELS = ("ticker", "mark", "open_interest")     # those that the venue has
_FLOATS = ("bid_price", "bid_qty", "ask_price", "ask_qty", "mark_price", "bid_iv", "ask_iv", "mark_iv", "delta",
           "gamma", "vega", "theta", "rho", "open_interest", "underlying_price")

_READ = attrgetter(*_FLOATS)
_MARK, _INTEREST = map(_FLOATS.index, ("mark_price", "open_interest"))
_ELSEWHERE = (_MARK, _INTEREST)         # some venues tell them in channels of their own
_SIDES = tuple(tuple(_FLOATS.index(f"{side}_{name}") for name in ("price", "qty", "iv")) for side in ("bid", "ask"))

CHAIN_DTYPE = np.dtype([
    ("symbol", "U64"),          # as the venue writes it
    ("name", "U64"),            # the normalised name
    ("expiry_ns", np.int64),    # ns since the Unix epoch
    ("strike", np.float64), ("is_call", np.bool_),
    *((name, np.float64) for name in _FLOATS),
    ("updated_ns", np.int64),   # when the last message of it arrived, ns since the Unix epoch; 0: none has yet
])
_FIRST = CHAIN_DTYPE.itemsize - 8 * (len(_FLOATS) + 1)         # byte of a row where the figures begin


class Chain:
    """The options on one underlying, live; made by `chain`, opened by `async with`. Belongs to one event loop.

    `table` is the chain itself, a structured array (`CHAIN_DTYPE`) with a row for each option, by expiry, strike, puts
    before calls, changed in place with every message. When options are listed or expire a new array takes its place,
    and `version` counts up: read `chain.table` anew rather than to keep it. What is not known is nan; volatilities are
    as the venue writes them.
    """

    def __init__(self, venue: str, underlying: str, *, quote: str | None, market: str | None, url: str | None,
                 rest_url: str | None, ssl: tls.SSLContext | None,
                 on_change: Callable[[InstrumentChange], object] | None) -> None:
        self.spec = load(venue)
        if "ticker" not in self.spec.channels:
            raise UnsupportedChannel(f"{venue} has no channel 'ticker', which a chain is made from")
        if market is not None:
            self.spec.check_market(market)
        if not isinstance(underlying, str) or not underlying:
            raise ValueError(f"{venue}: underlying must be a currency such as BTC, not {underlying!r}")
        self.underlying = underlying.upper()
        self.quote = quote and quote.upper()
        self.market = market
        self.instruments_interval_s = LISTS_S
        self.timing: Timing | None = None       # of the feed, where another than its own is wanted
        self.feed: Feed | None = None           # set while it is open
        self.table = np.zeros(0, CHAIN_DTYPE)
        self._updated, self._figures = self.table["updated_ns"], _figures_of(self.table)      # views of it
        self.version = 0
        self.updates = 0                        # messages that have changed a row
        self._address: dict[str, Any] = {"url": url, "rest_url": rest_url, "ssl": ssl}
        self._on_change = on_change
        self._rows: dict[str, int] = {}         # symbol -> row
        self._options: dict[str, Instrument] = {}
        self._changed = asyncio.Event()
        self._news: list[InstrumentChange] = []
        self._job: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        url, rest_url, ssl = self._address["url"], self._address["rest_url"], self._address["ssl"]
        for name, text, schemes in (("url", url, ("ws", "wss")), ("rest_url", rest_url, ("http", "https"))):
            if text is not None:
                check_url(name, text, schemes)
        rest = Rest(self.spec, rest_beside(url) if rest_url is None and url is not None else rest_url, ssl)
        try:
            listing = await Directory(rest).listing(self.market, max_age_s=0)
        finally:
            await rest.close()
        for failure in listing.failures:
            log.warning("not the whole list of instruments: %s", failure)
        options = [it for it in listing if self._is_ours(it) and it.status != "closed"]
        if not options:
            raise UnknownInstrument(self._none(listing))
        markets = {it.market for it in options}
        if len(markets) > 1:
            raise UnknownInstrument(f"{self.spec.name}: the markets {', '.join(sorted(markets))} have options on "
                                    f"{self.underlying}; say which market is meant")
        self._lay(options, listing)
        channels = self._channels(options[0])
        handler = SimpleNamespace(on_instrument=self._on_instrument,
                                  **{f"on_{channel}": getattr(self, f"_on_{channel}") for channel in channels})
        self.feed = connect(self.spec.name, list(self._options), channels, handler, market=options[0].market or None,
                            **self._address)
        self.feed.names.take(listing)
        self.feed.instruments_interval_s = self.instruments_interval_s
        if self.timing is not None:
            self.feed.timing = self.timing
        await self.feed.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. The table stays as it was."""
        if self._job is not None:
            self._job.cancel()
            await asyncio.gather(self._job, return_exceptions=True)
        if self.feed is not None:
            await self.feed.close()

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"<Chain {self.spec.name} {self.underlying}: {len(self)} options>"

    # ---- what a user reads

    def snapshot(self) -> np.ndarray[Any, np.dtype[np.void]]:
        """A copy of the table."""
        return self.table.copy()

    @property
    def expiries(self) -> list[int]:
        """The expiries, ns since the Unix epoch, the next one first."""
        return [int(expiry) for expiry in np.unique(self.table["expiry_ns"])]

    def expiry(self, expiry_ns: int) -> np.ndarray[Any, np.dtype[np.void]]:
        """The rows of one expiry: a view of the table, live for as long as the table is. Empty if there is none."""
        first, last = np.searchsorted(self.table["expiry_ns"], [expiry_ns, expiry_ns + 1])
        return self.table[first:last]

    def row(self, text: str) -> np.void:
        """The row of one option by symbol or name, live for as long as the table is. KeyError if it is not there."""
        symbol = text if text in self._rows else next(
            (symbol for symbol, name in zip(self.table["symbol"], self.table["name"], strict=True)
             if text.upper() in (str(name).upper(), str(symbol).upper())), None)
        if symbol is None:
            raise KeyError(f"{self.spec.name}: no option {text} on {self.underlying}")
        row: np.void = self.table[self._rows[str(symbol)]]
        return row

    async def wait_filled(self, share: float = 1.0, timeout: float | None = None) -> None:
        """Return when so many of the options have had a message. Raises: TimeoutError that says how many have."""
        try:
            async with asyncio.timeout(timeout):
                while np.count_nonzero(self.table["updated_ns"]) < share * len(self.table):
                    await self._change_after(self.updates + self.version)
        except TimeoutError:
            raise TimeoutError(f"{self.spec.name}: {np.count_nonzero(self.table['updated_ns'])} of {len(self.table)} "
                               f"options on {self.underlying} had a message within {timeout:g} s") from None

    async def changes(self) -> AsyncIterator[Self]:
        """The chain again and again, whenever it has changed: one time for all messages since the last."""
        seen = -1
        while True:
            await self._change_after(seen)
            seen = self.updates + self.version
            yield self

    async def _change_after(self, seen: int) -> None:
        while self.updates + self.version == seen:
            self._changed.clear()       # all who wait have seen the same
            await self._changed.wait()

    # ---- what the feed calls

    def _on_ticker(self, ticker: Ticker) -> None:
        row = self._rows.get(ticker.symbol)
        if row is None:
            return
        values = list(_READ(ticker))
        for at in _ELSEWHERE:
            if values[at] != values[at]:
                values[at] = self._figures[row, at]
        for price, qty, iv in _SIDES:
            if not values[price] and not values[qty]:   # a side without orders: it has neither price nor volatility
                values[price] = values[iv] = np.nan
        self._figures[row] = values
        self._note(row, ticker.receive_ns)

    def _on_mark(self, mark: Mark) -> None:
        row = self._rows.get(mark.symbol)
        if row is not None and mark.mark_price == mark.mark_price:
            self._figures[row, _MARK] = mark.mark_price
            self._note(row, mark.receive_ns)

    def _on_open_interest(self, interest: OpenInterest) -> None:
        row = self._rows.get(interest.symbol)
        if row is not None and interest.qty == interest.qty:
            self._figures[row, _INTEREST] = interest.qty
            self._note(row, interest.receive_ns)

    def _on_instrument(self, change: InstrumentChange) -> None:
        it = change.instrument
        if not self._is_ours(it):
            return
        if change.kind in ("listed", "delisted"):
            self._news.append(change)
            if self._job is None or self._job.done():
                self._job = asyncio.get_running_loop().create_task(self._turn_over())
        if self._on_change is not None:
            self._on_change(change)

    # ---- rows

    def _is_ours(self, it: Instrument) -> bool:
        return (it.kind == "option" and it.base.upper() == self.underlying and bool(it.strike)
                and self.quote in (None, it.quote.upper()) and self.market in (None, it.market))

    def _none(self, listing: Listing) -> str:
        held = sorted({f"{it.base}" for it in listing if it.kind == "option"})
        quotes = f" quoted in {self.quote}" if self.quote else ""
        return f"{self.spec.name} has no options on {self.underlying}{quotes}" + (
            f"; it has options on {', '.join(held)}" if held else "; its list has no options at all")

    def _channels(self, it: Instrument) -> list[str]:
        """The channels that tell of an option; none that comes in the stream of another."""
        found: list[str] = []
        names: set[str] = set()
        for channel in _CHANNELS:
            if channel in self.spec.channels:
                try:
                    streams = self.spec.streams([it.symbol], [channel], market=it.market or None)
                except UnsupportedChannel:
                    continue
                if not names.issuperset(stream.name for stream in streams):
                    found.append(channel)
                    names.update(stream.name for stream in streams)
        return found

    def _lay(self, options: Iterable[Instrument], listing: Listing | None = None) -> None:
        """Make the table of these options; what is known of those that it had stays."""
        found = sorted(options, key=lambda it: (it.expiry_ns, float(it.strike), it.option_type != "put", it.symbol))
        listing = listing or (self.feed.names.listing if self.feed is not None else None)
        table = np.zeros(len(found), CHAIN_DTYPE)
        _figures_of(table)[:] = np.nan
        rows: dict[str, int] = {}
        for row, it in enumerate(found):
            symbol = self.spec.symbol(it.symbol)
            rows[symbol] = row
            old = self._rows.get(symbol)
            if old is not None:
                table[row] = self.table[old]
                continue
            name = it.name
            if listing is not None and listing.get(it.symbol, it.market) is not None:
                name = listing.name(it)
            table[row]["symbol"], table[row]["name"] = symbol, name
            table[row]["expiry_ns"], table[row]["strike"] = it.expiry_ns, float(it.strike)
            table[row]["is_call"] = it.option_type == "call"
        self.table, self._rows = table, rows
        self._updated, self._figures = table["updated_ns"], _figures_of(table)
        self._options = {self.spec.symbol(it.symbol): it for it in found}
        self.version += 1
        self._changed.set()

    def _note(self, row: int, receive_ns: int) -> None:
        self._updated[row] = receive_ns
        self.updates += 1
        self._changed.set()

    async def _turn_over(self) -> None:
        """Follow the options that were listed, take out those that are gone: all that a look at the list has shown."""
        assert self.feed is not None
        await asyncio.sleep(0)
        while self._news:
            news, self._news = self._news, []
            options = dict(self._options)
            for change in news:
                symbol = self.spec.symbol(change.instrument.symbol)
                if change.kind == "listed":
                    options[symbol] = change.instrument
                else:
                    options.pop(symbol, None)
            gone, new = self._options.keys() - options.keys(), options.keys() - self._options.keys()
            self._lay(options.values())
            for call, symbols in ((self.feed.unsubscribe, gone), (self.feed.subscribe, new)):
                if symbols:
                    try:
                        await call(sorted(symbols))
                    except (SubscribeError, TimeoutError) as error:
                        log.warning("%s: %s", self.spec.name, error)


def _figures_of(table: np.ndarray[Any, np.dtype[np.void]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The columns _FLOATS of a table, which lie side by side, as one array: rows of a message are set at once."""
    if not len(table):
        return np.empty((0, len(_FLOATS)))
    return np.ndarray((len(table), len(_FLOATS)), np.float64, table.data, _FIRST,
                      (CHAIN_DTYPE.itemsize, np.dtype(np.float64).itemsize))


def chain(venue: str, underlying: str, *, quote: str | None = None, market: str | None = None, url: str | None = None,
          rest_url: str | None = None, ssl: tls.SSLContext | None = None,
          on_change: Callable[[InstrumentChange], object] | None = None) -> Chain:
    """Plan a live option chain; `async with chain(venue, "BTC") as options` opens it.

    Parameters: venue -- one that has options and tickers of them. underlying -- the currency, by its common code. quote
    -- only options whose price is in this currency; None: all. market -- where several have them. url, rest_url, ssl --
    as in `connect`. on_change -- called with an `InstrumentChange` when options are listed, delisted, halted, resumed.
    Raises: UnknownVenue, UnsupportedChannel, ValueError; opening raises UnknownInstrument if there are none, ListError
    if there is no list, ConnectionError if there is no connection.
    """
    return Chain(venue, underlying, quote=quote, market=market, url=url, rest_url=rest_url, ssl=ssl,
                 on_change=on_change)
