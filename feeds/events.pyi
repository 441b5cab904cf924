"""Events of a market: trades, quotes, tickers, marks, open interest, liquidations.

A handler's event object is used again for the next message: it is valid during the call, `copy()` keeps one.
Prices and quantities are floats, the `_int` names exact units. What a venue does not send is nan, 0 or None.
"""

from typing import Literal, Self

class Event:
    """What every event has."""

    @property
    def symbol(self) -> str:
        """The instrument, as the venue writes it."""
    @property
    def exchange_ns(self) -> int:
        """The venue's time, ns since the Unix epoch, 0 if absent."""
    @property
    def receive_ns(self) -> int:
        """Our clock when the frame arrived, ns since the Unix epoch, 0 if not told."""
    @property
    def price_scale(self) -> int:
        """`_int` prices count 10**-price_scale."""
    @property
    def qty_scale(self) -> int:
        """`_int` quantities count 10**-qty_scale."""

class Trade(Event):
    """One execution."""

    @property
    def price(self) -> float:
        """Price."""
    @property
    def qty(self) -> float:
        """Quantity, in base units or contracts as the venue counts."""
    @property
    def price_int(self) -> int:
        """Exact price in units."""
    @property
    def qty_int(self) -> int:
        """Exact quantity in units."""
    @property
    def aggressor(self) -> Literal["buy", "sell"] | None:
        """Who crossed the spread; None where the venue does not tell."""
    @property
    def trade_id(self) -> int:
        """The venue's number, 0 if it has none."""
    def copy(self) -> Self:
        """A trade of the caller's own."""

class Quote(Event):
    """Best bid and offer as the venue states them."""

    @property
    def bid_price(self) -> float:
        """Best bid price."""
    @property
    def bid_qty(self) -> float:
        """Quantity at the best bid."""
    @property
    def ask_price(self) -> float:
        """Best ask price."""
    @property
    def ask_qty(self) -> float:
        """Quantity at the best ask."""
    @property
    def bid_price_int(self) -> int:
        """Exact best bid price in units."""
    @property
    def bid_qty_int(self) -> int:
        """Exact quantity at the best bid in units."""
    @property
    def ask_price_int(self) -> int:
        """Exact best ask price in units."""
    @property
    def ask_qty_int(self) -> int:
        """Exact quantity at the best ask in units."""
    @property
    def sequence(self) -> int:
        """The venue's number, 0 if it has none. Comparable with `book.sequence` where the venue says so."""
    def copy(self) -> Self:
        """A quote of the caller's own."""

class Ticker(Event):
    """Statistics of a day, and what the venue tells with them. Doubles are nan where the venue sends nothing."""

    @property
    def last_price(self) -> float:
        """Price of the last trade."""
    @property
    def last_qty(self) -> float:
        """Quantity of the last trade."""
    @property
    def open(self) -> float:
        """First price of the period."""
    @property
    def high(self) -> float:
        """Highest price of the period."""
    @property
    def low(self) -> float:
        """Lowest price of the period."""
    @property
    def volume(self) -> float:
        """Quantity traded."""
    @property
    def quote_volume(self) -> float:
        """Value traded, in the other currency."""
    @property
    def change(self) -> float:
        """Last price - first price."""
    @property
    def change_pct(self) -> float:
        """The same in percent."""
    @property
    def vwap(self) -> float:
        """Average price, weighted by quantity."""
    @property
    def prev_close(self) -> float:
        """Last price before the period."""
    @property
    def open_ns(self) -> int:
        """Begin of the period, ns since the Unix epoch, 0 if absent."""
    @property
    def close_ns(self) -> int:
        """End of the period, ns since the Unix epoch, 0 if absent."""
    @property
    def first_trade_id(self) -> int:
        """The venue's number of the first trade, 0 if absent."""
    @property
    def last_trade_id(self) -> int:
        """The venue's number of the last trade, 0 if absent."""
    @property
    def trades(self) -> int:
        """Number of trades, 0 if absent."""
    @property
    def bid_price(self) -> float:
        """Best bid price."""
    @property
    def bid_qty(self) -> float:
        """Quantity at the best bid."""
    @property
    def ask_price(self) -> float:
        """Best ask price."""
    @property
    def ask_qty(self) -> float:
        """Quantity at the best ask."""
    @property
    def mark_price(self) -> float:
        """Of a derivative: the price positions are valued at."""
    @property
    def index_price(self) -> float:
        """Of a derivative: the price of its index."""
    @property
    def funding_rate(self) -> float:
        """Of a perpetual: rate of the next funding, as a fraction."""
    @property
    def open_interest(self) -> float:
        """Of a derivative: what is open, in contracts or base units as the venue counts."""
    @property
    def underlying_price(self) -> float:
        """Of an option: price of its underlying."""
    @property
    def bid_iv(self) -> float:
        """Implied volatility of an option's best bid, as the venue writes it: some in percent."""
    @property
    def ask_iv(self) -> float:
        """Implied volatility of its best ask."""
    @property
    def mark_iv(self) -> float:
        """Implied volatility of its mark price."""
    @property
    def delta(self) -> float:
        """Of an option: change of its price with the underlying's."""
    @property
    def gamma(self) -> float:
        """Of an option: change of delta with the underlying's price."""
    @property
    def vega(self) -> float:
        """Of an option: change of its price with the volatility."""
    @property
    def theta(self) -> float:
        """Of an option: change of its price with time."""
    @property
    def rho(self) -> float:
        """Of an option: change of its price with the interest rate."""
    def copy(self) -> Self:
        """A ticker of the caller's own."""

class Mark(Event):
    """Mark price, index price and funding of a derivative; nan where the venue sends nothing."""

    @property
    def mark_price(self) -> float:
        """The price positions are valued at."""
    @property
    def index_price(self) -> float:
        """The price of the underlying."""
    @property
    def funding_rate(self) -> float:
        """Rate of the next funding, as a fraction (0.0001 is one basis point)."""
    @property
    def settlement_price(self) -> float:
        """Estimated settlement price."""
    @property
    def next_funding_ns(self) -> int:
        """Time of the next funding, ns since the Unix epoch, 0 if absent."""
    def copy(self) -> Self:
        """A mark of the caller's own."""

class OpenInterest(Event):
    """What is open of a derivative; nan where the venue sends nothing."""

    @property
    def qty(self) -> float:
        """Contracts or base units that are open, as the venue counts."""
    @property
    def value(self) -> float:
        """The same in the currency that the venue states it in."""
    def copy(self) -> Self:
        """An open interest of the caller's own."""

class Liquidation(Event):
    """A forced order."""

    @property
    def price(self) -> float:
        """Price of the forced order."""
    @property
    def qty(self) -> float:
        """Quantity of the forced order."""
    @property
    def price_int(self) -> int:
        """Exact price in units."""
    @property
    def qty_int(self) -> int:
        """Exact quantity in units."""
    @property
    def average_price(self) -> float:
        """Average price of the fills so far, nan if absent."""
    @property
    def side(self) -> Literal["buy", "sell"] | None:
        """Side of the forced order: "sell" closes a long position."""
    def copy(self) -> Self:
        """A liquidation of the caller's own."""
