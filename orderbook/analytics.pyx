"""What strategies and researchers compute from a book, without copying it.

Every function reads one moment of one book: a Book answers when it is LIVE and raises BookNotLive otherwise, `book.raw`
answers in every state. Prices, quantities and costs are floats in the units of the venue (quote currency, base units or
contracts). What is not defined is nan: a mid with an empty side, a price for a quantity that the book does not hold.

An order to "buy" takes from the asks, one to "sell" from the bids. Levels are counted as they are held: beyond the
depth that is known (`known_bps`) there may be more. The same functions for Cython stand in analytics.pxd.
"""

cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport INFINITY, NAN, fabs
from libc.stdint cimport INT64_MAX, int64_t
from orderbook.book cimport Book, BookReads
from orderbook.core cimport MAX_SCALE, POWER, BookData, Touch, book_touch, lock_drop, lock_take
from orderbook.ladder cimport Ladder
from orderbook.types cimport BOOK_LIVE

import re
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

from orderbook.decimals import as_parts

cdef extern from "numpy/arrayscalars.h":
    ctypedef struct PyVoidScalarObject:
        char* obval
        int flags

cnp.import_array()


# ---- the best levels: constant time

cdef inline int read_touch(BookReads book, Touch* touch) except -1:
    """The best levels of one moment, if the book may answer."""
    book_touch(book.data, touch)
    return 0 if touch.status == BOOK_LIVE else book.check(touch.status)


def mid(BookReads book not None):
    """(best bid + best ask) / 2, a price; nan if a side is empty. Raises BookNotLive. Constant time."""
    cdef Touch touch
    read_touch(book, &touch)
    return touch_mid(&touch)


def spread(BookReads book not None):
    """Best ask - best bid, a price, negative if crossed; nan if a side is empty. Raises BookNotLive. Constant time."""
    cdef Touch touch
    read_touch(book, &touch)
    return touch_spread(&touch)


def spread_bps(BookReads book not None):
    """10,000 * (ask - bid) / |mid|; nan if a side is empty or mid is 0. Raises BookNotLive. Constant time."""
    cdef Touch touch
    read_touch(book, &touch)
    return touch_spread_bps(&touch)


def spread_ticks(BookReads book not None, tick_size=None):
    """(ask - bid) / tick_size; nan if a side is empty. Constant time.

    Parameters: tick_size -- the venue's, a number; None: the step the book stores its levels by (`book.tick_size`),
    which was learned from its prices and can be coarser.
    Raises: BookNotLive; ValueError for a tick_size that is not above 0.
    """
    cdef Touch touch
    cdef double value, size
    if tick_size is not None:
        size = positive(tick_size, "tick_size")
        read_touch(book, &touch)
        return touch_spread(&touch) / size
    begin(book)
    value = book_spread_ticks(book.data)
    lock_drop(&book.data.lock)
    return value


def microprice(BookReads book not None):
    """(bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty) of the best levels, a price; nan if a side is empty.

    The mid weighted by the quantities, nearer to the side with less. Stoikov's micro-price adds a fitted correction.
    Raises: BookNotLive. Constant time.
    Source: Gatheral and Oomen (2010), Zero-intelligence realized variance estimation; the weighted mid-price of Stoikov
    (2018), The micro-price, https://doi.org/10.1080/14697688.2018.1489139
    """
    cdef Touch touch
    read_touch(book, &touch)
    return touch_microprice(&touch)


def is_crossed(BookReads book not None):
    """Whether the best bid is above the best ask; False if a side is empty. Raises BookNotLive. Constant time."""
    cdef Touch touch
    read_touch(book, &touch)
    return touch_crossed(&touch)


def is_locked(BookReads book not None):
    """Whether the best bid is the best ask; False if a side is empty. Raises BookNotLive. Constant time."""
    cdef Touch touch
    read_touch(book, &touch)
    return touch_locked(&touch)


cdef class OrderFlow:
    """Order-flow imbalance of the best levels, kept up update by update.

    Each change of the best levels contributes e = [b' >= b] qb' - [b' <= b] qb - [a' <= a] qa' + [a' >= a] qa, where b,
    qb, a, qa are best bid, its quantity, best ask, its quantity, before and (') after; OFI is the sum of e, in
    quantity. An empty side counts as quantity 0 at a price beyond all others.

    Call `update` at every message of one book. Where the book was not LIVE in between, the sequence begins anew: a
    change that nobody saw contributes nothing. Source: Cont, Kukanov and Stoikov (2014), The price impact of order book
    events, https://arxiv.org/abs/1011.6402
    """

    cdef void watch(self, BookReads book) noexcept:
        """Begin anew where the book has changed its state since: then `since_ns` is another object."""
        cdef Book owner = <Book> book if book.owner is None else <Book> book.owner
        if owner.since_ns is not self.since_ns:
            self.since_ns = owner.since_ns
            flow_forget(&self.flow)

    def update(self, BookReads book not None):
        """Take in the book as it is now; the contribution e of what changed, 0.0 the first time. Raises BookNotLive."""
        cdef Touch touch
        book_touch(book.data, &touch)
        if touch.status != BOOK_LIVE and not book.any_state:
            flow_forget(&self.flow)
            book.refuse(touch.status)
        self.watch(book)
        return flow_update(&self.flow, &touch)

    def take(self):
        """The sum since the last call, which begins again at 0."""
        cdef double total = self.flow.total
        self.flow.total = 0
        self.flow.events = 0
        return total

    def reset(self):
        """Forget the sum and the best levels, as new."""
        self.take()
        flow_forget(&self.flow)

    @property
    def total(self):
        """The sum of the contributions since the last `take`, in quantity."""
        return self.flow.total

    @property
    def events(self):
        """Updates since the last `take`; the first after a beginning does not count."""
        return self.flow.events


# ---- arguments and locks

cdef inline int begin(BookReads book) except -1:
    """Take the book's lock, if the book may answer; nothing else may happen until it is dropped."""
    cdef int status
    lock_take(&book.data.lock)
    status = book.data.status
    if status == BOOK_LIVE or book.any_state:
        return 0
    lock_drop(&book.data.lock)
    return book.check(status)


cdef double positive(value, str name) except? -1:
    """A number above 0. Raises ValueError."""
    cdef double number = value
    if not 0 < number < INFINITY:
        raise ValueError(f"{name} is a number above 0, not {value!r}")
    return number


cdef inline int64_t count_of(int64_t value, str name) except -1:
    """A number of levels, 1 or more. Raises ValueError."""
    if value < 1:
        raise ValueError(f"{name} is 1 or more, not {value}")
    return value


cdef const Ladder* taken_by(BookReads book, order) except NULL:
    """The side an order takes from."""
    if order == "buy":
        return &book.data.asks
    if order == "sell":
        return &book.data.bids
    raise ValueError(f'an order is "buy" or "sell", not {order!r}')


cdef const Ladder* side_of(BookReads book, side) except NULL:
    """The side with this Side."""
    if side == 0:
        return &book.data.bids
    if side == 1:
        return &book.data.asks
    raise ValueError(f"a side is Side.BID or Side.ASK, not {side!r}")


cdef bint want_of(qty, notional, double* amount) except -1:
    """Whether a notional is wanted, and how much of it or of a quantity."""
    if (qty is None) == (notional is None):
        raise ValueError("expected a qty or a notional, and not both")
    amount[0] = positive(notional, "notional") if qty is None else positive(qty, "qty")
    return qty is None


# ---- quantities of both sides

def imbalance(BookReads book not None, int64_t depth=5):
    """(bids - asks) / (bids + asks) of the quantities of the best `depth` levels of each side.

    Parameters: depth -- levels a side, 1 or more; a thinner side counts what it has.
    Returns: float in [-1, 1], +1 all bids; nan if both sides are empty. Linear in depth, constant time for 1.
    Raises: BookNotLive; ValueError if depth < 1.
    Source: Gould and Bonart (2015), https://arxiv.org/abs/1512.03492, for one level
    """
    cdef Touch touch
    cdef double value
    if count_of(depth, "depth") == 1:
        read_touch(book, &touch)
        return touch_imbalance(&touch)
    begin(book)
    value = book_imbalance(book.data, depth)
    lock_drop(&book.data.lock)
    return value


cdef int within(BookReads book, bps, double* bids, double* asks) except -1:
    """Real quantities within a distance from mid."""
    cdef double width = positive(bps, "bps"), power
    begin(book)
    power = POWER[book.data.qty_scale]
    bids[0] = side_within(book.data, &book.data.bids, width) / power
    asks[0] = side_within(book.data, &book.data.asks, width) / power
    lock_drop(&book.data.lock)
    return 0


def imbalance_within(BookReads book not None, bps):
    """(bids - asks) / (bids + asks) of the quantities at most `bps` from mid; see `depth_within`.

    Returns: float in [-1, 1]; nan if a side is empty, or if no level lies so near. Linear in the levels touched.
    Raises: BookNotLive; ValueError if bps is not above 0.
    """
    cdef double bids = 0, asks = 0
    within(book, bps, &bids, &asks)
    return balance(bids, asks)


def depth_within(BookReads book not None, bps):
    """Quantities (bids, asks) of the bids at mid - width or above and the asks at mid + width or below, with
    width = bps / 10,000 * |mid|; nan if a side is empty.

    Linear in the levels touched. Raises: BookNotLive; ValueError if bps is not above 0.
    """
    cdef double bids = 0, asks = 0
    within(book, bps, &bids, &asks)
    return bids, asks


def depth_ratio(BookReads book not None, bps):
    """Liquidity ratio bids / asks of `depth_within`; inf with no asks there, nan with neither or with an empty side.

    Linear in the levels touched. Raises: BookNotLive; ValueError if bps is not above 0.
    """
    cdef double bids = 0, asks = 0
    within(book, bps, &bids, &asks)
    return ratio(bids, asks)


cdef inline double ratio(double bids, double asks) noexcept nogil:
    return bids / asks if asks != 0 else INFINITY if bids > 0 else NAN


def known_bps(BookReads book not None):
    """How far from mid every level is known, as (bids, asks) in bps; inf: that whole side is.

    A snapshot of limited depth says nothing of what lies beyond it; what the functions here count beyond is what
    changed since. nan if a side is empty or mid is 0. Raises: BookNotLive. Constant time.
    """
    cdef double bids, asks
    begin(book)
    book_known_bps(book.data, &bids, &asks)
    lock_drop(&book.data.lock)
    return bids, asks


# ---- the cost of an order

class Cost(NamedTuple):
    """What a hypothetical order would get, from `order_cost`."""

    vwap: float
    qty: float
    notional: float
    worst: float
    levels: int
    complete: bool
    fee: float
    cost: float
    impact_bps: float
    slippage_bps: float


cdef struct Order:
    Fill fill
    int64_t sign              # of the side it takes from: -1 for a buyer
    double mid_size           # |mid|
    double impact_bps


cdef int fill_order(BookReads book, order, qty, notional, double fee_bps, Order* out) except -1:
    """Walk the side an order takes from, and compare with mid, at one moment."""
    cdef const Ladder* side = taken_by(book, order)
    cdef double amount = 0
    cdef bint by_notional = want_of(qty, notional, &amount)
    out.sign = side.sign
    begin(book)
    side_fill(book.data, side, amount, by_notional, &out.fill)
    out.impact_bps = fill_impact_bps(&out.fill, book.data, side, fee_bps)
    out.mid_size = fabs(book_mid(book.data))
    lock_drop(&book.data.lock)
    return 0


def vwap(BookReads book not None, order, qty=None, *, notional=None, double fee_bps=0.0):
    """Average price to take a quantity from the book now, and how much of it there is: sum(price * q) / sum(q).

    Parameters: order -- "buy" takes asks, "sell" takes bids, best first. qty, or notional in quote currency, before
    fees: one of them, above 0. fee_bps -- taker fee, bps of what is paid or got; in the price of a buyer, off that of a
    seller.
    Returns: (price, filled), filled in what was asked for; less than that: the book holds no more. (nan, 0.0) on an
    empty side. A notional buys nothing at prices of 0 or less. Linear in the levels touched.
    Raises: BookNotLive; ValueError for an order, qty or notional that cannot be.
    Source: example of https://docs.paradex.trade/documentation/trading/price-impact-and-slippage
    """
    cdef Order o
    fill_order(book, order, qty, notional, fee_bps, &o)
    if o.fill.complete:                           # to the last bit, not what the sums make of it
        return fill_price(&o.fill, o.sign, fee_bps), float(qty if notional is None else notional)
    return fill_price(&o.fill, o.sign, fee_bps), o.fill.qty if notional is None else o.fill.notional


def impact_bps(BookReads book not None, order, qty=None, *, notional=None, double fee_bps=0.0):
    """How much worse than mid an order would be filled now: 10,000 * (vwap - mid) / |mid| for a buyer, minus that for a
    seller, fee included. Half the spread in bps for a small one.

    Parameters: as for `vwap`. Returns: nan if the book does not hold it all, if a side is empty or mid is 0.
    Raises: BookNotLive; ValueError. Linear in the levels touched.
    """
    cdef Order o
    fill_order(book, order, qty, notional, fee_bps, &o)
    return o.impact_bps if o.fill.complete else NAN


def slippage_bps(BookReads book not None, order, arrival, qty=None, *, notional=None, double fee_bps=0.0):
    """How much worse than the price at arrival an order would be filled now: 10,000 * (vwap - arrival) / |arrival| for
    a buyer, minus that for a seller, fee included; below 0 where the market has come to meet it.

    Parameters: arrival -- the price when the order was decided on, such as the mid then. The others as for `vwap`.
    Returns: nan if the book does not hold it all, or if arrival is 0. Linear in the levels touched.
    Raises: BookNotLive; ValueError.
    Source: implementation shortfall of Perold (1988), without the cost of what is not filled
    """
    cdef Order o
    cdef double price = arrival
    fill_order(book, order, qty, notional, fee_bps, &o)
    return fill_slippage_bps(&o.fill, o.sign, price, fee_bps) if o.fill.complete else NAN


def order_cost(BookReads book not None, order, qty=None, *, notional=None, double fee_bps=0.0, arrival=None):
    """All figures of a hypothetical order at one moment, of the part that the book can fill.

    Parameters: as for `vwap` and `slippage_bps`; without arrival the slippage is nan.
    Returns: Cost: vwap (without the fee), qty, notional (without the fee), worst price, levels touched, complete (the
    book holds it all), fee = fee_bps / 10,000 * |notional|, cost against mid = |vwap - mid| * qty + fee in quote
    currency, impact_bps, slippage_bps. What needs a price of an empty side is nan.
    Raises: BookNotLive; ValueError. Linear in the levels touched.
    """
    cdef Order o
    cdef double fee, slippage = NAN, price
    if arrival is not None:
        price = arrival
    fill_order(book, order, qty, notional, fee_bps, &o)
    fee = fee_bps * 1e-4 * fabs(o.fill.notional)
    if arrival is not None:
        slippage = fill_slippage_bps(&o.fill, o.sign, price, fee_bps)
    return Cost(o.fill.vwap, o.fill.qty, o.fill.notional, o.fill.worst, o.fill.levels, bool(o.fill.complete), fee,
                o.impact_bps * 1e-4 * o.mid_size * o.fill.qty, o.impact_bps, slippage)


def qty_to_move(BookReads book not None, order, bps):
    """Quantity an order must take before the best price of that side stands at least `bps` farther out than now: the
    sum of q over levels with 10,000 * |price - best| < bps * |best|.

    Parameters: order -- "buy" moves the best ask up, "sell" the best bid down. bps -- above 0.
    Returns: float; inf if the book holds no level that far out, nan if the side is empty. Linear in the levels touched.
    Raises: BookNotLive; ValueError.
    """
    cdef const Ladder* side = taken_by(book, order)
    cdef double width = positive(bps, "bps"), value
    begin(book)
    value = side_to_move(book.data, side, width) / POWER[book.data.qty_scale]
    lock_drop(&book.data.lock)
    return value


# ---- curves

cdef int64_t filled(BookReads book, const Ladder* side, int64_t bucket, int more, double* out, int64_t n,
                    int price_scale) noexcept nogil:
    """Rows of a curve, or of groups with a bucket; -2 if the book's price scale is another meanwhile."""
    if bucket == 0:
        return side_curve(book.data, side, out, n)
    if price_scale != book.data.price_scale:
        return -2
    return side_groups(book.data, side, bucket, more, out, n)


cdef object rows_of(BookReads book, const Ladder* side, n, bucket):
    """A new array of (price, quantity) rows."""
    cdef cnp.npy_intp shape[2]
    cdef int64_t wanted = INT64_MAX if n is None else count_of(n, "n"), found, units = 0
    cdef int more = 0, scale = 0
    shape[1] = 2
    while True:
        if bucket is not None:
            scale = book.data.price_scale
            mantissa, decimals = as_parts(bucket)
            more = max(0, min(decimals, MAX_SCALE + 1) - scale)
            mantissa *= 10 ** max(0, scale + more - decimals)
            if mantissa <= 0:
                raise ValueError(f"a bucket is above 0, not {bucket!r}")
            if more > MAX_SCALE or decimals > MAX_SCALE:
                raise ValueError(f"a bucket has at most {MAX_SCALE} decimals, not {bucket!r}")
            if mantissa > INT64_MAX:
                raise ValueError(f"int64 cannot hold a bucket of {bucket!r} at a price scale of {scale + more}")
            units = mantissa
        shape[0] = min(wanted, side.n_levels)
        array = cnp.PyArray_EMPTY(2, shape, cnp.NPY_FLOAT64, 0)
        begin(book)
        if min(wanted, side.n_levels) <= shape[0]:        # else the book has grown meanwhile: take a larger array
            found = filled(book, side, units, more, <double*> cnp.PyArray_DATA(array), shape[0], scale)
        else:
            found = -2
        lock_drop(&book.data.lock)
        if found == -1:
            raise ValueError(f"int64 cannot hold the prices of this book with the decimals of a bucket of {bucket!r}")
        if found >= 0:
            return array if found == shape[0] else array[:found].copy()


def depth_curve(BookReads book not None, side, n=None):
    """Cumulative depth of a side: the quantity at each price and all better ones.

    Parameters: side -- Side.BID or Side.ASK. n -- levels, 1 or more; None: all.
    Returns: new float64 array of shape (k, 2), price and quantity up to and with it, best first; k = 0 on an empty
    side.
    Raises: BookNotLive; ValueError. Linear in the levels touched.
    """
    return rows_of(book, side_of(book, side), n, None)


def grouped(BookReads book not None, side, bucket, n=None):
    """A side in coarser prices: bids rounded down, asks up to a multiple of `bucket`, quantities summed.

    Parameters: side -- Side.BID or Side.ASK. bucket -- price step above 0: str, Decimal, int or float (the shortest
    decimal that reads back as it); exact. n -- buckets, 1 or more; None: all.
    Returns: new float64 array of shape (k, 2), price and quantity, best first; empty buckets are left out.
    Raises: BookNotLive; ValueError. Linear in the levels touched.
    """
    if bucket is None:
        raise ValueError("a bucket is above 0, not None")
    return rows_of(book, side_of(book, side), n, bucket)


def depth_slope(BookReads book not None, side, int64_t depth=10):
    """Slope of the depth curve: least squares of the cumulative quantity of the best `depth` levels over their distance
    from mid, quantity per bp. Steep: much depth near the price.

    Parameters: side -- Side.BID or Side.ASK. depth -- levels, 2 or more; a thinner side counts what it has.
    Returns: float; nan with fewer than two levels, if a side is empty or mid is 0. Linear in depth.
    Raises: BookNotLive; ValueError.
    Source: the regression of Ghysels and Nguyen (2019), Price Discovery of a Limit Order Book, with quantities instead
    of shares of the depth (divide by the last quantity of `depth_curve` for theirs)
    """
    cdef const Ladder* ladder = side_of(book, side)
    cdef double value
    if depth < 2:
        raise ValueError(f"depth is 2 or more for a slope, not {depth}")
    begin(book)
    value = side_slope(book.data, ladder, depth)
    lock_drop(&book.data.lock)
    return value


def queue_ahead(BookReads book not None, side, price):
    """What stands before an order that joins a side at a price now, as (quantity at that price, quantity at better
    ones).

    Parameters: side -- Side.BID or Side.ASK, where the order would rest. price -- str, Decimal, int or float; exact.
    Returns: floats, 0.0 where nothing is held. Linear in the levels passed.
    Raises: BookNotLive; ValueError or TypeError if price is no number.
    """
    cdef const Ladder* ladder = side_of(book, side)
    cdef double at = 0, better = 0
    cdef int scale
    cdef bint between
    mantissa, decimals = as_parts(price)
    while True:
        scale = book.data.price_scale
        units, rest = divmod(mantissa * 10 ** max(0, scale - decimals), 10 ** max(0, decimals - scale))
        between = rest != 0                               # no level can rest there: look from the next worse one
        if between and ladder.sign < 0:
            units += 1
        if read_queue(book, ladder, max(-INT64_MAX, min(INT64_MAX, units)), scale, &at, &better):
            return 0.0 if between else at, better


cdef bint read_queue(BookReads book, const Ladder* side, int64_t units, int scale, double* at,
                     double* better) except -1:
    """False if the book's price scale is another meanwhile."""
    cdef bint same
    begin(book)
    same = scale == book.data.price_scale
    if same:
        side_queue(book.data, side, units, at, better)
    lock_drop(&book.data.lock)
    return same


# ---- features: a chosen set of all this as one row

cdef enum Kind:
    MID, SPREAD, SPREAD_BPS, SPREAD_TICKS, MICROPRICE, BID, ASK, BID_QTY, ASK_QTY, CROSSED, LOCKED
    IMBALANCE, IMBALANCE_TOP, IMBALANCE_BPS, OFI, DEPTH_BPS, BID_DEPTH_BPS, ASK_DEPTH_BPS, RATIO_BPS
    BID_SLOPE, ASK_SLOPE, BUY_VWAP, SELL_VWAP, BUY_VWAP_QUOTE, SELL_VWAP_QUOTE, BUY_IMPACT, SELL_IMPACT
    BUY_IMPACT_QUOTE, SELL_IMPACT_QUOTE, MOVE_BUY, MOVE_SELL
    FIRST_INTEGER
    SEQUENCE = FIRST_INTEGER
    EXCHANGE_NS, RECEIVE_NS, BID_LEVELS, ASK_LEVELS

cdef struct Item:
    int kind
    Py_ssize_t offset         # of the field in a row
    double number             # the number in the name, 0 without

# Form of the name, N standing for a number -> (kind, what it is).
cdef dict FORMS = {
    "mid": (MID, "mid"),
    "spread": (SPREAD, "spread"),
    "spread_bps": (SPREAD_BPS, "spread_bps"),
    "spread_ticks": (SPREAD_TICKS, "spread_ticks in the steps the book stores"),
    "microprice": (MICROPRICE, "microprice"),
    "bid": (BID, "best bid"),
    "ask": (ASK, "best ask"),
    "bid_qty": (BID_QTY, "quantity at the best bid"),
    "ask_qty": (ASK_QTY, "quantity at the best ask"),
    "crossed": (CROSSED, "1.0 if is_crossed, else 0.0"),
    "locked": (LOCKED, "1.0 if is_locked, else 0.0"),
    "imbalance": (IMBALANCE, "imbalance of the best levels"),
    "imbalance_N": (IMBALANCE_TOP, "imbalance of N levels a side"),
    "imbalance_Nbps": (IMBALANCE_BPS, "imbalance_within N bps"),
    "ofi": (OFI, "order-flow imbalance since the last row: what flow.take() gives"),
    "depth_Nbps": (DEPTH_BPS, "quantity of both sides within N bps of mid"),
    "bid_depth_Nbps": (BID_DEPTH_BPS, "quantity of the bids within N bps of mid"),
    "ask_depth_Nbps": (ASK_DEPTH_BPS, "quantity of the asks within N bps of mid"),
    "depth_ratio_Nbps": (RATIO_BPS, "depth_ratio within N bps"),
    "bid_slope_N": (BID_SLOPE, "depth_slope of N bids"),
    "ask_slope_N": (ASK_SLOPE, "depth_slope of N asks"),
    "vwap_buy_N": (BUY_VWAP, "vwap to buy a quantity of N, nan if the book holds less"),
    "vwap_sell_N": (SELL_VWAP, "vwap to sell a quantity of N, nan if the book holds less"),
    "vwap_buy_Nquote": (BUY_VWAP_QUOTE, "vwap to buy for a notional of N, nan if the book holds less"),
    "vwap_sell_Nquote": (SELL_VWAP_QUOTE, "vwap to sell for a notional of N, nan if the book holds less"),
    "impact_buy_N": (BUY_IMPACT, "impact_bps of buying a quantity of N"),
    "impact_sell_N": (SELL_IMPACT, "impact_bps of selling a quantity of N"),
    "impact_buy_Nquote": (BUY_IMPACT_QUOTE, "impact_bps of buying for a notional of N"),
    "impact_sell_Nquote": (SELL_IMPACT_QUOTE, "impact_bps of selling for a notional of N"),
    "move_buy_Nbps": (MOVE_BUY, "qty_to_move the best ask up by N bps"),
    "move_sell_Nbps": (MOVE_SELL, "qty_to_move the best bid down by N bps"),
    "sequence": (SEQUENCE, "the venue's number of the last message applied"),
    "exchange_ns": (EXCHANGE_NS, "the venue's time of it"),
    "receive_ns": (RECEIVE_NS, "our clock when it arrived"),
    "bid_levels": (BID_LEVELS, "bid levels held"),
    "ask_levels": (ASK_LEVELS, "ask levels held"),
}
FEATURES = {form: what for form, (_, what) in FORMS.items()}

cdef object NUMBER = re.compile(r"_(\d+(?:\.\d+)?)(?=bps$|quote$|$)")
cdef dict PLANS = {}          # dtype -> _Plan


cdef tuple parse_name(name):
    """(kind, number) of a feature's name. Raises ValueError with near names."""
    found = NUMBER.search(name)
    form = name[:found.start()] + "_N" + name[found.end():] if found else name
    number = found[1] if found else ""
    known = form in FORMS and (found or "N" not in name)
    if known and FORMS[form][0] in (IMBALANCE_TOP, BID_SLOPE, ASK_SLOPE):         # a number of levels
        known = "." not in number and (1 if FORMS[form][0] == IMBALANCE_TOP else 2) <= int(number) <= 10**15
    if not known:
        near = get_close_matches(form, FORMS, 3, 0.5)
        near = [other.replace("N", number if number and form != other else "5") for other in near]
        raise ValueError(f"unknown feature {name!r}" + (f": did you mean {', '.join(near)}?" if near else "")
                         + " (all: orderbook.analytics.FEATURES)")
    if number and not 0 < float(number) < INFINITY:
        raise ValueError(f"feature {name!r}: expected a number above 0")
    return FORMS[form][0], float(number or 0)


cdef class _Plan:
    """What to compute for a dtype, and where it goes."""

    cdef Item* items          # owned
    cdef Py_ssize_t count
    cdef int flows            # fields that need an OrderFlow

    def __cinit__(self, dtype):
        cdef Py_ssize_t i
        if not dtype.names:
            raise TypeError(f"expected a structured dtype, as analytics.dtype(names) makes it, not {dtype}")
        self.items = <Item*> PyMem_Malloc(len(dtype.names) * sizeof(Item))
        if self.items == NULL:
            raise MemoryError
        self.count = len(dtype.names)
        for i, name in enumerate(dtype.names):
            kind, number = parse_name(name)
            field, offset = dtype.fields[name][:2]
            wanted = np.int64 if kind >= FIRST_INTEGER else np.float64
            if field != wanted or offset % 8 or dtype.itemsize % 8:
                raise TypeError(f"feature {name!r}: expected an aligned field of {wanted.__name__}, not {field}")
            self.items[i].kind = kind
            self.items[i].offset = offset
            self.items[i].number = number
            self.flows += kind == OFI

    def __dealloc__(self):
        PyMem_Free(self.items)


cdef inline double best_price(price_t price, qty_t qty, int scale) noexcept nogil:
    return price / POWER[scale] if qty else NAN


cdef inline double order_of(const BookData* data, const Ladder* side, double amount, bint by_notional,
                            bint impact) noexcept nogil:
    """vwap or impact of an order, nan if the book does not hold it all."""
    cdef Fill fill
    side_fill(data, side, amount, by_notional, &fill)
    if not fill.complete:
        return NAN
    return fill_impact_bps(&fill, data, side, 0) if impact else fill.vwap


cdef double computed(const BookData* data, int kind, double number) noexcept nogil:
    """One feature of a book that the caller has locked, or whose writer it is."""
    cdef const Touch* touch = &data.touch
    cdef const Ladder* bids = &data.bids
    cdef const Ladder* asks = &data.asks
    cdef double power = POWER[data.qty_scale]
    if kind == MID:
        return touch_mid(touch)
    if kind == SPREAD:
        return touch_spread(touch)
    if kind == SPREAD_BPS:
        return touch_spread_bps(touch)
    if kind == SPREAD_TICKS:
        return book_spread_ticks(data)
    if kind == MICROPRICE:
        return touch_microprice(touch)
    if kind == BID:
        return best_price(touch.bid, touch.bid_qty, touch.price_scale)
    if kind == ASK:
        return best_price(touch.ask, touch.ask_qty, touch.price_scale)
    if kind == BID_QTY:
        return qty_real(touch.bid_qty, power) if touch.bid_qty else NAN
    if kind == ASK_QTY:
        return qty_real(touch.ask_qty, power) if touch.ask_qty else NAN
    if kind == CROSSED:
        return touch_crossed(touch)
    if kind == LOCKED:
        return touch_locked(touch)
    if kind == IMBALANCE:
        return touch_imbalance(touch)
    if kind == IMBALANCE_TOP:
        return book_imbalance(data, <int64_t> number)
    if kind == IMBALANCE_BPS:
        return balance(side_within(data, bids, number), side_within(data, asks, number))
    if kind == DEPTH_BPS:
        return (side_within(data, bids, number) + side_within(data, asks, number)) / power
    if kind == BID_DEPTH_BPS:
        return side_within(data, bids, number) / power
    if kind == ASK_DEPTH_BPS:
        return side_within(data, asks, number) / power
    if kind == RATIO_BPS:
        return ratio(side_within(data, bids, number), side_within(data, asks, number))
    if kind == BID_SLOPE:
        return side_slope(data, bids, <int64_t> number)
    if kind == ASK_SLOPE:
        return side_slope(data, asks, <int64_t> number)
    if kind == BUY_VWAP or kind == BUY_VWAP_QUOTE:
        return order_of(data, asks, number, kind == BUY_VWAP_QUOTE, False)
    if kind == SELL_VWAP or kind == SELL_VWAP_QUOTE:
        return order_of(data, bids, number, kind == SELL_VWAP_QUOTE, False)
    if kind == BUY_IMPACT or kind == BUY_IMPACT_QUOTE:
        return order_of(data, asks, number, kind == BUY_IMPACT_QUOTE, True)
    if kind == SELL_IMPACT or kind == SELL_IMPACT_QUOTE:
        return order_of(data, bids, number, kind == SELL_IMPACT_QUOTE, True)
    if kind == MOVE_BUY:
        return side_to_move(data, asks, number) / power
    return side_to_move(data, bids, number) / power       # MOVE_SELL


cdef inline int64_t counted(const BookData* data, int kind) noexcept nogil:
    """One integer feature of a book."""
    if kind == SEQUENCE:
        return data.sequence
    if kind == EXCHANGE_NS:
        return data.exchange_ns
    if kind == RECEIVE_NS:
        return data.receive_ns
    return data.bids.n_levels if kind == BID_LEVELS else data.asks.n_levels


def dtype(names):
    """The structured dtype of a row of features, for `snapshot`.

    Parameters: names -- "mid,microprice,imbalance_5,ofi,depth_10bps", or an iterable of names; FEATURES has every form,
    N stands for a number.
    Returns: numpy dtype, float64 fields (int64 for sequence, times and counts) in the order given.
    Raises: ValueError for an unknown name, with near ones, for a name that comes twice, or for no name.
    """
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    names = list(names)
    if not names:
        raise ValueError("expected at least one feature")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"features named twice: {', '.join(twice)}")
    return np.dtype([(name, np.int64 if parse_name(name)[0] >= FIRST_INTEGER else np.float64) for name in names])


def snapshot(BookReads book not None, out, OrderFlow flow=None, Py_ssize_t row=0):
    """Fill one structured row with features of a book, all of one moment.

    Parameters: out -- writeable array of shape () or (n,) of a dtype of features (see `dtype`), or one row of such an
    array. flow -- the OrderFlow of this book, for ofi: it is updated, and its sum begins again at 0. row -- which row.
    Undefined features are nan; impact and vwap are without fees.
    Raises: BookNotLive; TypeError for another kind of `out`; IndexError; ValueError for an unknown feature, or for ofi
    without a flow. Nothing is written where it raises. Nothing is allocated once a dtype is known.
    """
    cdef _Plan plan
    cdef char* data
    cdef Py_ssize_t i
    cdef Item* item
    cdef double ofi = NAN, value
    if cnp.PyArray_Check(out):
        if not cnp.PyArray_ISWRITEABLE(out) or cnp.PyArray_NDIM(out) > 1:
            raise TypeError("expected a writeable array of shape () or (n,), or one row of it")
        i = cnp.PyArray_DIM(out, 0) if cnp.PyArray_NDIM(out) else 1
        if not 0 <= row < i:
            raise IndexError(f"row {row} of an array of {i}")
        data = cnp.PyArray_BYTES(out) + (row * cnp.PyArray_STRIDE(out, 0) if cnp.PyArray_NDIM(out) else 0)
    elif isinstance(out, np.void):
        if not (<PyVoidScalarObject*> out).flags & cnp.NPY_ARRAY_WRITEABLE or row != 0:
            raise TypeError("expected a writeable row")
        data = (<PyVoidScalarObject*> out).obval
    else:
        raise TypeError(f"expected a structured numpy array or a row of one, not {type(out).__name__}")
    plan = PLANS.get(out.dtype)
    if plan is None:
        plan = PLANS[out.dtype] = _Plan(out.dtype)
    if <size_t> data % 8:
        raise TypeError("expected an aligned row")
    if plan.flows:
        if flow is None:
            raise ValueError("ofi needs flow=, the OrderFlow that is updated at every message of the book")
        flow.watch(book)
    begin(book)
    if plan.flows:
        flow_update(&flow.flow, &book.data.touch)
        ofi = flow.flow.total
    for i in range(plan.count):
        item = &plan.items[i]
        if item.kind >= FIRST_INTEGER:
            (<int64_t*> (data + item.offset))[0] = counted(book.data, item.kind)
        else:
            value = ofi if item.kind == OFI else computed(book.data, item.kind, item.number)
            (<double*> (data + item.offset))[0] = value
    lock_drop(&book.data.lock)
    if plan.flows:
        flow.take()
