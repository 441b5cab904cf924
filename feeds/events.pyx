"""Events of a market: trades, quotes, tickers, marks, open interest, liquidations.

A handler's event object is used again for the next message: it is valid during the call, `copy()` keeps one.
Prices and quantities are floats, the `_int` names exact units. What a venue does not send is nan, 0 or None.
"""

from libc.math cimport NAN
from libc.stdint cimport int64_t
from libc.string cimport memcpy
from orderbook.core cimport POWER
from orderbook.quantity cimport units_double
from feeds.message cimport (Message, bit, time_ns, SLOT_AGGRESSOR, SLOT_ASK_IV, SLOT_ASK_PRICE, SLOT_ASK_QTY,
                            SLOT_AVERAGE, SLOT_BID_IV, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_CHANGE, SLOT_CHANGE_PCT,
                            SLOT_CLOSE_TIME, SLOT_COUNT, SLOT_DELTA, SLOT_FIRST_ID, SLOT_FUNDING, SLOT_GAMMA, SLOT_HIGH,
                            SLOT_INDEX, SLOT_LAST, SLOT_LAST_ID, SLOT_LAST_QTY, SLOT_LOW, SLOT_MARK, SLOT_MARK_IV,
                            SLOT_NEXT_FUNDING, SLOT_OPEN, SLOT_OPEN_INTEREST, SLOT_OPEN_TIME, SLOT_OPEN_VALUE,
                            SLOT_PREV_CLOSE, SLOT_PRICE, SLOT_QTY, SLOT_QUOTE_VOLUME, SLOT_RHO, SLOT_SETTLEMENT,
                            SLOT_THETA, SLOT_UNDERLYING, SLOT_VEGA, SLOT_VOLUME, SLOT_VWAP)

cdef inline str side_name(int side):
    """ "buy" for +1, "sell" for -1, None where it is not told."""
    return "buy" if side > 0 else "sell" if side < 0 else None


cdef inline double real(const Message* m, int slot) noexcept nogil:
    """A slot that holds the bits of a double, nan if absent."""
    cdef double value
    if not m.seen & bit(slot):
        return NAN
    memcpy(&value, &m.slot[slot], sizeof(double))
    return value


cdef inline double units(const Message* m, int slot, int scale) noexcept nogil:
    """A slot that counts units of a price or quantity, nan if absent."""
    return units_double(m.slot[slot], POWER[scale]) if m.seen & bit(slot) else NAN


cdef inline int64_t whole(const Message* m, int slot) noexcept nogil:
    """A slot that holds an integer, 0 if absent."""
    return m.slot[slot] if m.seen & bit(slot) else 0


cdef class Event:
    """What every event has: symbol, exchange_ns, receive_ns, price_scale, qty_scale."""

    _fields = ("symbol", "exchange_ns", "receive_ns")

    def __repr__(self):
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({values})"


cdef inline void copy_event(Event new, Event old):
    new.symbol = old.symbol
    new.exchange_ns = old.exchange_ns
    new.receive_ns = old.receive_ns
    new.price_scale = old.price_scale
    new.qty_scale = old.qty_scale


cdef class Trade(Event):
    """One execution."""

    _fields = (*Event._fields, "price", "qty", "aggressor", "trade_id")

    cdef void fill(self, const TradeData* data) noexcept:
        self.price_int = data.price
        self.qty_int = data.qty
        self.trade_id = data.trade_id
        self.exchange_ns = data.exchange_ns
        self.receive_ns = data.receive_ns
        self.side = <int> data.aggressor

    @property
    def price(self):
        """Price as float."""
        return units_double(self.price_int, POWER[self.price_scale])

    @property
    def qty(self):
        """Quantity as float, in base units or contracts as the venue counts."""
        return units_double(self.qty_int, POWER[self.qty_scale])

    @property
    def aggressor(self):
        """Who crossed the spread: "buy" or "sell"; None where the venue does not tell."""
        return side_name(self.side)

    def copy(self):
        """A trade of the caller's own."""
        cdef Trade new = Trade.__new__(Trade)
        copy_event(new, self)
        new.price_int = self.price_int
        new.qty_int = self.qty_int
        new.trade_id = self.trade_id
        new.side = self.side
        return new


cdef class Quote(Event):
    """Best bid and offer as the venue states them."""

    _fields = (*Event._fields, "bid_price", "bid_qty", "ask_price", "ask_qty", "sequence")

    cdef void fill(self, const QuoteData* data) noexcept:
        self.bid_price_int = data.bid_price
        self.bid_qty_int = data.bid_qty
        self.ask_price_int = data.ask_price
        self.ask_qty_int = data.ask_qty
        self.sequence = data.sequence
        self.exchange_ns = data.exchange_ns
        self.receive_ns = data.receive_ns

    @property
    def bid_price(self):
        """Best bid price as float."""
        return units_double(self.bid_price_int, POWER[self.price_scale])

    @property
    def bid_qty(self):
        """Quantity at the best bid as float."""
        return units_double(self.bid_qty_int, POWER[self.qty_scale])

    @property
    def ask_price(self):
        """Best ask price as float."""
        return units_double(self.ask_price_int, POWER[self.price_scale])

    @property
    def ask_qty(self):
        """Quantity at the best ask as float."""
        return units_double(self.ask_qty_int, POWER[self.qty_scale])

    def copy(self):
        """A quote of the caller's own."""
        cdef Quote new = Quote.__new__(Quote)
        copy_event(new, self)
        new.bid_price_int = self.bid_price_int
        new.bid_qty_int = self.bid_qty_int
        new.ask_price_int = self.ask_price_int
        new.ask_qty_int = self.ask_qty_int
        new.sequence = self.sequence
        return new


cdef class Ticker(Event):
    """Statistics of a day, as doubles: last_price, open, high, low, volume, quote_volume, change, vwap, trades, ...

    Where the venue tells them with it: bid_price, bid_qty, ask_price, ask_qty; of derivatives mark_price, index_price,
    funding_rate, open_interest; of options underlying_price, bid_iv, ask_iv, mark_iv (as the venue writes them: some in
    percent), delta, gamma, vega, theta, rho.
    """

    _fields = (*Event._fields, "last_price", "open", "high", "low", "volume")

    cdef void fill(self, const Message* m) noexcept:
        self.last_price = real(m, SLOT_LAST)
        self.last_qty = real(m, SLOT_LAST_QTY)
        self.open = real(m, SLOT_OPEN)
        self.high = real(m, SLOT_HIGH)
        self.low = real(m, SLOT_LOW)
        self.volume = real(m, SLOT_VOLUME)
        self.quote_volume = real(m, SLOT_QUOTE_VOLUME)
        self.change = real(m, SLOT_CHANGE)
        self.change_pct = real(m, SLOT_CHANGE_PCT)
        self.vwap = real(m, SLOT_VWAP)
        self.prev_close = real(m, SLOT_PREV_CLOSE)
        self.open_ns = time_ns(m, SLOT_OPEN_TIME)
        self.close_ns = time_ns(m, SLOT_CLOSE_TIME)
        self.first_trade_id = whole(m, SLOT_FIRST_ID)
        self.last_trade_id = whole(m, SLOT_LAST_ID)
        self.trades = whole(m, SLOT_COUNT)
        self.mark_price = real(m, SLOT_MARK)
        self.index_price = real(m, SLOT_INDEX)
        self.funding_rate = real(m, SLOT_FUNDING)
        self.open_interest = real(m, SLOT_OPEN_INTEREST)
        self.underlying_price = real(m, SLOT_UNDERLYING)
        self.bid_iv = real(m, SLOT_BID_IV)
        self.ask_iv = real(m, SLOT_ASK_IV)
        self.mark_iv = real(m, SLOT_MARK_IV)
        self.delta = real(m, SLOT_DELTA)
        self.gamma = real(m, SLOT_GAMMA)
        self.vega = real(m, SLOT_VEGA)
        self.theta = real(m, SLOT_THETA)
        self.rho = real(m, SLOT_RHO)
        self.bid_price = units(m, SLOT_BID_PRICE, self.price_scale)
        self.bid_qty = units(m, SLOT_BID_QTY, self.qty_scale)
        self.ask_price = units(m, SLOT_ASK_PRICE, self.price_scale)
        self.ask_qty = units(m, SLOT_ASK_QTY, self.qty_scale)

    def copy(self):
        """A ticker of the caller's own."""
        cdef Ticker new = Ticker.__new__(Ticker)
        copy_event(new, self)
        new.last_price, new.last_qty, new.open, new.high = self.last_price, self.last_qty, self.open, self.high
        new.low, new.volume, new.quote_volume, new.change = self.low, self.volume, self.quote_volume, self.change
        new.change_pct, new.vwap, new.prev_close = self.change_pct, self.vwap, self.prev_close
        new.open_ns, new.close_ns, new.trades = self.open_ns, self.close_ns, self.trades
        new.first_trade_id, new.last_trade_id = self.first_trade_id, self.last_trade_id
        new.mark_price, new.index_price, new.funding_rate = self.mark_price, self.index_price, self.funding_rate
        new.open_interest, new.underlying_price = self.open_interest, self.underlying_price
        new.bid_iv, new.ask_iv, new.mark_iv = self.bid_iv, self.ask_iv, self.mark_iv
        new.delta, new.gamma, new.vega, new.theta, new.rho = self.delta, self.gamma, self.vega, self.theta, self.rho
        new.bid_price, new.bid_qty, new.ask_price, new.ask_qty = (
            self.bid_price, self.bid_qty, self.ask_price, self.ask_qty)
        return new


cdef class Mark(Event):
    """Mark price, index price and funding of a derivative, as doubles; nan where the venue sends nothing."""

    _fields = (*Event._fields, "mark_price", "index_price", "funding_rate", "next_funding_ns")

    cdef void fill(self, const Message* m) noexcept:
        self.mark_price = real(m, SLOT_MARK)
        self.index_price = real(m, SLOT_INDEX)
        self.funding_rate = real(m, SLOT_FUNDING)
        self.settlement_price = real(m, SLOT_SETTLEMENT)
        self.next_funding_ns = time_ns(m, SLOT_NEXT_FUNDING)

    def copy(self):
        """A mark of the caller's own."""
        cdef Mark new = Mark.__new__(Mark)
        copy_event(new, self)
        new.mark_price, new.index_price, new.funding_rate = self.mark_price, self.index_price, self.funding_rate
        new.settlement_price, new.next_funding_ns = self.settlement_price, self.next_funding_ns
        return new


cdef class OpenInterest(Event):
    """What is open of a derivative: `qty` in contracts or base units as the venue counts, `value` in its currency."""

    _fields = (*Event._fields, "qty", "value")

    cdef void fill(self, const Message* m) noexcept:
        self.qty = real(m, SLOT_OPEN_INTEREST)
        self.value = real(m, SLOT_OPEN_VALUE)

    def copy(self):
        """An open interest of the caller's own."""
        cdef OpenInterest new = OpenInterest.__new__(OpenInterest)
        copy_event(new, self)
        new.qty, new.value = self.qty, self.value
        return new


cdef class Liquidation(Event):
    """A forced order."""

    _fields = (*Event._fields, "price", "qty", "side")

    cdef void fill(self, const Message* m) noexcept:
        self.price_int = m.slot[SLOT_PRICE]
        self.qty_int = m.slot[SLOT_QTY]
        self.average_price = real(m, SLOT_AVERAGE)
        self.order_side = <int> whole(m, SLOT_AGGRESSOR)

    @property
    def price(self):
        """Price of the forced order as float."""
        return units_double(self.price_int, POWER[self.price_scale])

    @property
    def qty(self):
        """Quantity of the forced order as float."""
        return units_double(self.qty_int, POWER[self.qty_scale])

    @property
    def side(self):
        """Side of the forced order: "sell" closes a long position."""
        return side_name(self.order_side)

    def copy(self):
        """A liquidation of the caller's own."""
        cdef Liquidation new = Liquidation.__new__(Liquidation)
        copy_event(new, self)
        new.price_int, new.qty_int, new.average_price = self.price_int, self.qty_int, self.average_price
        new.order_side = self.order_side
        return new
