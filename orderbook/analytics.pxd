"""What a strategy computes from a book, as C functions that read it where it lies.

`touch_*` read a copy of the best levels (`book_touch` of orderbook.core makes one in any thread) and take constant
time; `book_*` and `side_*` walk the levels, and whoever calls them in another thread than the writer's holds
`data.lock`. Prices, quantities and costs are doubles in real numbers, not units; what is not defined is nan. The
formulas and their sources stand in analytics.pyx and docs/analytics.md.
"""

from libc.math cimport INFINITY, NAN, fabs, rint
from libc.stdint cimport int64_t, uint64_t, INT64_MAX, INT64_MIN
from orderbook.book cimport BookReads
from orderbook.core cimport POWER, TEN, BookData, Touch
from orderbook.ladder cimport Ladder, Walk, ladder_best, likely, unlikely, walk_next, walk_start
from orderbook.quantity cimport OWN_DECIMALS, OWN_DIGITS
from orderbook.types cimport price_t, qty_t

cdef struct Fill:
    double qty                # what the levels gave
    double notional           # sum of price * quantity of it, without fees
    double vwap               # notional / qty; nan if nothing was filled
    double worst              # price of the last level touched, nan if none was
    double beyond             # average distance from the best price, ticks, outwards
    int64_t levels            # levels touched, the last perhaps in part
    bint complete             # all that was wanted was there

cdef struct Flow:
    bint begun                # the touch below is one that was seen
    int price_scale           # of the prices below
    price_t bid
    price_t ask
    double bid_qty            # 0: no such side
    double ask_qty
    double total              # sum of the contributions since it was last taken
    int64_t events            # touches seen since then, the first of all not counted


# ---- quantities

cdef inline double units_real(qty_t qty, double power) noexcept nogil:
    """A quantity in units of the book's scale, `power` is 10**qty_scale; an own one to within 3 in 2**53.

    Sums of these are exact below 2**53, as long as none is an own quantity.
    """
    cdef int decimals
    cdef double value
    if likely(qty >= 0):
        return <double> qty
    decimals = <int> ((<uint64_t> qty >> 57) & OWN_DECIMALS)
    value = <double> (<uint64_t> qty & OWN_DIGITS) * power
    if decimals > 18:
        value /= POWER[18]
        decimals -= 18
    return value / POWER[decimals]


cdef inline double qty_real(qty_t qty, double power) noexcept nogil:
    """A quantity as a double: `qty_double` of orderbook.quantity without its care for the last bit."""
    return units_real(qty, power) / power


# ---- the best levels: constant time

cdef inline bint touch_both(const Touch* touch) noexcept nogil:
    """Both sides hold a level."""
    return touch.bid_qty != 0 and touch.ask_qty != 0


cdef inline double touch_mid(const Touch* touch) noexcept nogil:
    """(ask + bid) / 2; nan if a side is empty."""
    if not touch_both(touch):
        return NAN
    return (<double> touch.ask + <double> touch.bid) / (2 * POWER[touch.price_scale])


cdef inline double touch_spread(const Touch* touch) noexcept nogil:
    """ask - bid, negative if crossed; nan if a side is empty."""
    if not touch_both(touch):
        return NAN
    return (touch.ask - touch.bid) / POWER[touch.price_scale]


cdef inline double touch_spread_bps(const Touch* touch) noexcept nogil:
    """10,000 * spread / |mid|; nan if a side is empty or mid is 0."""
    cdef double twice = fabs(<double> touch.ask + <double> touch.bid)
    if not touch_both(touch) or twice == 0:
        return NAN
    return 2e4 * (touch.ask - touch.bid) / twice


cdef inline double touch_microprice(const Touch* touch) noexcept nogil:
    """(bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty); nan if a side is empty."""
    cdef double power = POWER[touch.qty_scale], bid_qty, ask_qty
    if not touch_both(touch):
        return NAN
    bid_qty = units_real(touch.bid_qty, power)
    ask_qty = units_real(touch.ask_qty, power)
    return (touch.bid + (touch.ask - touch.bid) * (bid_qty / (bid_qty + ask_qty))) / POWER[touch.price_scale]


cdef inline double touch_imbalance(const Touch* touch) noexcept nogil:
    """(bid_qty - ask_qty) / (bid_qty + ask_qty); nan if both sides are empty."""
    cdef double power = POWER[touch.qty_scale]
    return balance(units_real(touch.bid_qty, power), units_real(touch.ask_qty, power))


cdef inline double balance(double bids, double asks) noexcept nogil:
    """(bids - asks) / (bids + asks); nan if both are 0."""
    return (bids - asks) / (bids + asks) if bids + asks > 0 else NAN


cdef inline bint touch_crossed(const Touch* touch) noexcept nogil:
    """Best bid > best ask."""
    return touch_both(touch) and touch.bid > touch.ask


cdef inline bint touch_locked(const Touch* touch) noexcept nogil:
    """Best bid = best ask."""
    return touch_both(touch) and touch.bid == touch.ask


cdef inline void flow_forget(Flow* self) noexcept nogil:
    """The next touch begins anew; the sum stays."""
    self.begun = False


cdef inline double flow_update(Flow* self, const Touch* touch) noexcept nogil:
    """Take in the next touch; its contribution to the order-flow imbalance. An empty side is one of quantity 0 at a
    price beyond all others."""
    cdef double power = POWER[touch.qty_scale], change = 0
    cdef double bid_qty = units_real(touch.bid_qty, power) / power, ask_qty = units_real(touch.ask_qty, power) / power
    if likely(self.begun):
        while unlikely(self.price_scale < touch.price_scale):
            self.bid *= 10
            self.ask *= 10
            self.price_scale += 1
        if self.bid_qty == 0 or (touch.bid_qty != 0 and touch.bid >= self.bid):
            change += bid_qty
        if touch.bid_qty == 0 or (self.bid_qty != 0 and touch.bid <= self.bid):
            change -= self.bid_qty
        if self.ask_qty == 0 or (touch.ask_qty != 0 and touch.ask <= self.ask):
            change -= ask_qty
        if touch.ask_qty == 0 or (self.ask_qty != 0 and touch.ask >= self.ask):
            change += self.ask_qty
        self.total += change
        self.events += 1
    self.begun = True
    self.price_scale = touch.price_scale
    self.bid = touch.bid
    self.ask = touch.ask
    self.bid_qty = bid_qty
    self.ask_qty = ask_qty
    return change


# ---- walks: linear in the levels touched

cdef inline bint book_both(const BookData* data) noexcept nogil:
    """Both sides hold a level."""
    return data.bids.best != NULL and data.asks.best != NULL


cdef inline double book_twice_mid(const BookData* data) noexcept nogil:
    """Twice the mid in ticks; only where both sides hold a level."""
    return <double> ladder_best(&data.bids) - <double> ladder_best(&data.asks)


cdef inline double book_mid(const BookData* data) noexcept nogil:
    """(ask + bid) / 2; nan if a side is empty."""
    return book_twice_mid(data) * data.ticks.size / (2 * POWER[data.price_scale]) if book_both(data) else NAN


cdef inline double book_spread_ticks(const BookData* data) noexcept nogil:
    """(ask - bid) in the steps the book stores its levels by; nan if a side is empty."""
    return -<double> (ladder_best(&data.asks) + ladder_best(&data.bids)) if book_both(data) else NAN


cdef inline double side_top(const BookData* data, const Ladder* side, int64_t levels) noexcept nogil:
    """Quantity of the best `levels` levels of a side, in units."""
    cdef double power = POWER[data.qty_scale], total = 0
    cdef int64_t rank
    cdef qty_t qty
    cdef Walk walk
    walk_start(&walk, side)
    while levels > 0 and walk_next(&walk, &rank, &qty):
        total += units_real(qty, power)
        levels -= 1
    return total


cdef inline double book_imbalance(const BookData* data, int64_t levels) noexcept nogil:
    """(bids - asks) / (bids + asks) of the quantities of the best levels; nan if both sides are empty."""
    return balance(side_top(data, &data.bids, levels), side_top(data, &data.asks, levels))


cdef inline double side_within(const BookData* data, const Ladder* side, double bps) noexcept nogil:
    """Quantity of a side no farther than `bps` from mid, in units; nan if a side is empty.

    With whole prices of less than 2**53 ticks and a whole number of bps the edge is exact, and belongs to it.
    """
    cdef double power = POWER[data.qty_scale], total = 0, twice, width
    cdef int64_t rank
    cdef qty_t qty
    cdef Walk walk
    if not book_both(data):
        return NAN
    twice = side.sign * book_twice_mid(data)
    width = bps * fabs(twice)
    walk_start(&walk, side)
    while walk_next(&walk, &rank, &qty) and 1e4 * (twice - 2 * <double> rank) <= width:
        total += units_real(qty, power)
    return total


cdef inline void side_fill(const BookData* data, const Ladder* side, double amount, bint by_notional,
                           Fill* out) noexcept nogil:
    """What an order that takes `amount` (a quantity, or a notional) from a side would get, best level first.

    A notional cannot buy at a price of 0 or less: the walk ends there.
    """
    cdef double power = POWER[data.qty_scale], price_power = POWER[data.price_scale], left, size, take, worth, price
    cdef double filled = 0, beyond = 0, tick = side.sign * <double> data.ticks.size
    cdef int64_t rank, best
    cdef qty_t qty
    cdef Walk walk
    out.levels = 0
    out.worst = out.vwap = out.beyond = NAN
    out.qty = out.notional = 0
    left = amount * (price_power if by_notional else 1.0) * power     # in units of price * quantity, or of quantity
    if fabs(left - rint(left)) <= 1e-15 * left:
        left = rint(left)                         # 2.1 at one decimal is 21 units, whatever the product says
    best = ladder_best(side) if side.best != NULL else 0
    walk_start(&walk, side)
    while left > 0 and walk_next(&walk, &rank, &qty):
        take = size = units_real(qty, power)
        if by_notional:
            price = tick * rank
            if price <= 0:
                break
            worth = price * size
            if worth > left:
                take = left / price
            left -= worth
        else:
            if size > left:
                take = left
            left -= size
        filled += take
        beyond += take * <double> (best - rank)
        out.levels += 1
        out.worst = tick * rank / price_power
    out.complete = left <= 0
    if filled > 0:
        out.qty = filled / power
        out.beyond = beyond / filled
        out.vwap = tick * (best - out.beyond) / price_power
        out.notional = out.vwap * out.qty


cdef inline double fill_price(const Fill* self, int64_t sign, double fee_bps) noexcept nogil:
    """vwap with the fee in it: more for a buyer (the side taken from has the sign -1), less for a seller."""
    return self.vwap - sign * fabs(self.vwap) * fee_bps * 1e-4


cdef inline double fill_impact_bps(const Fill* self, const BookData* data, const Ladder* side,
                                   double fee_bps) noexcept nogil:
    """How much worse than mid the order is filled, bps of |mid|, fee included; nan if a side is empty."""
    cdef double twice
    if not book_both(data):
        return NAN
    twice = side.sign * book_twice_mid(data)
    if twice == 0:
        return NAN
    return (2e4 * (0.5 * twice - <double> ladder_best(side) + self.beyond) / fabs(twice)
            + 2 * fee_bps * fabs(self.vwap) * POWER[data.price_scale] / (data.ticks.size * fabs(twice)))


cdef inline double fill_slippage_bps(const Fill* self, int64_t sign, double arrival, double fee_bps) noexcept nogil:
    """How much worse than the price at arrival the order is filled, bps of |arrival|, fee included; nan for 0."""
    return -sign * 1e4 * (fill_price(self, sign, fee_bps) - arrival) / fabs(arrival) if arrival != 0 else NAN


cdef inline double side_to_move(const BookData* data, const Ladder* side, double bps) noexcept nogil:
    """Quantity that must go before the best price of a side stands `bps` farther out, in units.

    inf if the levels held do not reach that far; nan if the side is empty.
    """
    cdef double power = POWER[data.qty_scale], total = 0, width
    cdef int64_t rank, best
    cdef qty_t qty
    cdef Walk walk
    if side.best == NULL:
        return NAN
    best = ladder_best(side)
    width = bps * fabs(<double> best)
    walk_start(&walk, side)
    while walk_next(&walk, &rank, &qty):
        if 1e4 * <double> (best - rank) >= width:
            return total
        total += units_real(qty, power)
    return INFINITY


cdef inline double side_slope(const BookData* data, const Ladder* side, int64_t levels) noexcept nogil:
    """Least-squares slope of the cumulative quantity over the distance from mid, real quantity per bp.

    nan with fewer than two levels, if a side is empty, or if mid is 0.
    """
    cdef double power = POWER[data.qty_scale], twice, total = 0, x, dx, mean_x = 0, mean_y = 0, xx = 0, xy = 0
    cdef int64_t rank, n = 0
    cdef qty_t qty
    cdef Walk walk
    if not book_both(data):
        return NAN
    twice = side.sign * book_twice_mid(data)
    walk_start(&walk, side)
    while n < levels and walk_next(&walk, &rank, &qty):
        n += 1
        total += units_real(qty, power)
        x = twice - 2 * <double> rank
        dx = x - mean_x
        mean_x += dx / n
        mean_y += (total - mean_y) / n
        xx += dx * (x - mean_x)
        xy += dx * (total - mean_y)
    return xy / xx * fabs(twice) / (1e4 * power) if n > 1 and twice != 0 else NAN


cdef inline int64_t side_curve(const BookData* data, const Ladder* side, double* rows, int64_t n) noexcept nogil:
    """Write (price, quantity up to and with it) of the best `n` levels; returns the rows written."""
    cdef double power = POWER[data.qty_scale], price_power = POWER[data.price_scale], total = 0
    cdef double tick = side.sign * <double> data.ticks.size
    cdef int64_t i = 0, rank
    cdef qty_t qty
    cdef Walk walk
    walk_start(&walk, side)
    while i < n and walk_next(&walk, &rank, &qty):
        total += units_real(qty, power)
        rows[2 * i] = tick * rank / price_power
        rows[2 * i + 1] = total / power
        i += 1
    return i


cdef inline int64_t side_groups(const BookData* data, const Ladder* side, int64_t bucket, int more, double* rows,
                                int64_t n) noexcept nogil:
    """Write (bucket's price, its quantity) of the best `n` buckets, bids rounded down and asks up to a multiple.

    `bucket` counts 10**-(price_scale + more). Returns the rows written, -1 if int64 cannot hold a price so fine.
    """
    cdef double power = POWER[data.qty_scale], total = 0
    cdef int64_t i = 0, rank, price, key, last = 0, tick = data.ticks.size
    cdef bint open = False
    cdef qty_t qty
    cdef Walk walk
    walk_start(&walk, side)
    while walk_next(&walk, &rank, &qty):
        price = rank * tick                       # the better, the higher, on both sides: round down
        if not -(INT64_MAX // TEN[more]) <= price <= INT64_MAX // TEN[more]:
            return -1
        price *= TEN[more]
        key = price // bucket
        if key * bucket > price:                  # C division rounds towards 0
            key -= 1
        if not open or key != last:
            if open:
                rows[2 * i - 1] = total / power
            if i == n:
                return i
            rows[2 * i] = side.sign * (<double> key * <double> bucket) / POWER[data.price_scale] / POWER[more]
            i += 1
            open = True
            last = key
            total = 0
        total += units_real(qty, power)
    if open:
        rows[2 * i - 1] = total / power
    return i


cdef inline void side_queue(const BookData* data, const Ladder* side, price_t price, double* at,
                            double* better) noexcept nogil:
    """Real quantity at a price in units, and at all better ones of that side."""
    cdef double power = POWER[data.qty_scale], total = 0
    cdef int64_t rank, level, tick = data.ticks.size
    cdef qty_t qty
    cdef Walk walk
    price *= side.sign
    at[0] = 0
    walk_start(&walk, side)
    while walk_next(&walk, &rank, &qty):
        level = rank * tick
        if level <= price:
            if level == price:
                at[0] = qty_real(qty, power)
            break
        total += units_real(qty, power)
    better[0] = total / power


cdef inline void book_known_bps(const BookData* data, double* bid, double* ask) noexcept nogil:
    """How far from mid every level is known, bps; inf: the whole side. nan if a side is empty or mid is 0."""
    cdef double twice = book_twice_mid(data) * data.ticks.size if book_both(data) else 0
    bid[0] = ask[0] = NAN
    if twice != 0:
        bid[0] = INFINITY if data.trusted_bid == INT64_MIN else 1e4 * (twice - 2.0 * data.trusted_bid) / fabs(twice)
        ask[0] = INFINITY if data.trusted_ask == INT64_MAX else 1e4 * (2.0 * data.trusted_ask - twice) / fabs(twice)


cdef class OrderFlow:
    cdef Flow flow            # C code may keep it up itself: flow_update(&f.flow, &data.touch)
    cdef object since_ns      # of the book when it was last seen: its object changes with the book's state
    cdef void watch(self, BookReads book) noexcept
