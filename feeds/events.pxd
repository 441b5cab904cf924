"""What a handler gets. One object of each kind is used again for every message: valid during the call only."""

from libc.stdint cimport int64_t
from orderbook.update cimport QuoteData, TradeData
from feeds.message cimport Message

cdef class Event:
    cdef readonly str symbol           # as the venue writes it
    cdef readonly int64_t exchange_ns  # the venue's time, ns since the Unix epoch, 0 if absent
    cdef readonly int64_t receive_ns   # our clock when the frame arrived, ns since the Unix epoch, 0 if not told
    cdef readonly int price_scale      # *_int prices count 10**-price_scale
    cdef readonly int qty_scale        # *_int quantities count 10**-qty_scale


cdef class Trade(Event):
    cdef readonly int64_t price_int, qty_int, trade_id
    cdef int side                     # +1 a buyer crossed the spread, -1 a seller, 0 not told
    cdef void fill(self, const TradeData* data) noexcept


cdef class Quote(Event):
    cdef readonly int64_t bid_price_int, bid_qty_int, ask_price_int, ask_qty_int, sequence
    cdef void fill(self, const QuoteData* data) noexcept


cdef class Ticker(Event):
    cdef readonly double last_price, last_qty, open, high, low, volume, quote_volume
    cdef readonly double change, change_pct, vwap, prev_close
    cdef readonly int64_t open_ns, close_ns, first_trade_id, last_trade_id, trades
    cdef readonly double mark_price, index_price, funding_rate, open_interest, underlying_price
    cdef readonly double bid_iv, ask_iv, mark_iv, delta, gamma, vega, theta, rho
    cdef readonly double bid_price, bid_qty, ask_price, ask_qty
    cdef void fill(self, const Message* m) noexcept


cdef class Mark(Event):
    cdef readonly double mark_price, index_price, funding_rate, settlement_price
    cdef readonly int64_t next_funding_ns
    cdef void fill(self, const Message* m) noexcept


cdef class OpenInterest(Event):
    cdef readonly double qty, value
    cdef void fill(self, const Message* m) noexcept


cdef class Liquidation(Event):
    cdef readonly int64_t price_int, qty_int
    cdef readonly double average_price
    cdef int order_side
    cdef void fill(self, const Message* m) noexcept
