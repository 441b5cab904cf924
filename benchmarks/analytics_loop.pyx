# cython: boundscheck=False, wraparound=False
"""Times the C functions of orderbook.analytics and orderbook.tape on one book, each in a loop of its own."""

from libc.stdint cimport int64_t
from posix.time cimport CLOCK_THREAD_CPUTIME_ID, clock_gettime, timespec

from orderbook.analytics cimport (
    Fill, Flow, book_imbalance, book_spread_ticks, fill_impact_bps, flow_update, side_fill, side_groups, side_slope,
    side_to_move, side_within, touch_crossed, touch_imbalance, touch_microprice, touch_mid, touch_spread_bps)
from orderbook.book cimport Book
from orderbook.core cimport BookData, Touch, book_touch
from orderbook.tape cimport Bars, Sums, Tape, bars_add, window_add, window_sums

cdef extern from *:
    """
    #define keep(value) __asm__ volatile("" :: "r"(value) : "memory")
    """
    void keep(const double* value) noexcept nogil   # it is used, and all that was read before may have changed

ctypedef double (*Read)(const BookData* data, double number) noexcept nogil

cdef Flow flow
cdef double[20000] ROWS


cdef double touch_alone(const BookData* data, double number) noexcept nogil:
    cdef Touch touch
    book_touch(data, &touch)
    return touch.bid


cdef double mid(const BookData* data, double number) noexcept nogil:
    cdef Touch touch
    book_touch(data, &touch)
    return touch_mid(&touch)


cdef double spread_bps(const BookData* data, double number) noexcept nogil:
    cdef Touch touch
    book_touch(data, &touch)
    return touch_spread_bps(&touch)


cdef double spread_ticks(const BookData* data, double number) noexcept nogil:
    return book_spread_ticks(data)


cdef double microprice(const BookData* data, double number) noexcept nogil:
    cdef Touch touch
    book_touch(data, &touch)
    return touch_microprice(&touch)


cdef double imbalance_best(const BookData* data, double number) noexcept nogil:
    cdef Touch touch
    book_touch(data, &touch)
    return touch_imbalance(&touch)


cdef double is_crossed(const BookData* data, double number) noexcept nogil:
    cdef Touch touch
    book_touch(data, &touch)
    return touch_crossed(&touch)


cdef double order_flow(const BookData* data, double number) noexcept nogil:
    cdef Touch touch
    book_touch(data, &touch)
    return flow_update(&flow, &touch)


cdef double imbalance(const BookData* data, double number) noexcept nogil:
    return book_imbalance(data, <int64_t> number)


cdef double depth_within(const BookData* data, double number) noexcept nogil:
    return side_within(data, &data.bids, number) + side_within(data, &data.asks, number)


cdef double vwap(const BookData* data, double number) noexcept nogil:
    cdef Fill fill
    side_fill(data, &data.asks, number, False, &fill)
    return fill.vwap


cdef double impact(const BookData* data, double number) noexcept nogil:
    cdef Fill fill
    side_fill(data, &data.asks, number, False, &fill)
    return fill_impact_bps(&fill, data, &data.asks, 5.0)


cdef double to_move(const BookData* data, double number) noexcept nogil:
    return side_to_move(data, &data.asks, number)


cdef double slope(const BookData* data, double number) noexcept nogil:
    return side_slope(data, &data.bids, <int64_t> number)


cdef double grouped(const BookData* data, double number) noexcept nogil:
    return side_groups(data, &data.bids, <int64_t> number * data.ticks.size, 0, ROWS, 10_000)


cdef int64_t now_ns() noexcept nogil:                # of this thread alone: others keep the machine busy too
    cdef timespec now
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
    return <int64_t> now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef Read find(str name) except NULL:
    if name == "touch":
        return touch_alone
    if name == "mid":
        return mid
    if name == "spread_bps":
        return spread_bps
    if name == "spread_ticks":
        return spread_ticks
    if name == "microprice":
        return microprice
    if name == "imbalance_best":
        return imbalance_best
    if name == "is_crossed":
        return is_crossed
    if name == "order_flow":
        return order_flow
    if name == "imbalance":
        return imbalance
    if name == "depth_within":
        return depth_within
    if name == "vwap":
        return vwap
    if name == "impact":
        return impact
    if name == "to_move":
        return to_move
    if name == "slope":
        return slope
    if name == "grouped":
        return grouped
    raise ValueError(name)


def per_call(Book book, str name, double number, int64_t calls):
    """Nanoseconds of one call."""
    cdef Read read = find(name)
    cdef const BookData* data = book.data
    cdef double value
    cdef int64_t _i, start = now_ns()
    for _i in range(calls):
        value = read(data, number)
        keep(&value)
    return (now_ns() - start) / <double> calls


def per_trade(str name, int64_t calls):
    """Nanoseconds of taking in one trade, a thousand of them in the window."""
    cdef Tape tape = Tape(1_000_000)
    cdef Bars bars = Bars("volume", 1000.0)
    cdef Sums sums
    cdef int64_t i, _i, start
    start = now_ns()
    if name == "tape":
        for i in range(calls):
            window_add(&tape.window, 100.0 + (i & 15), 1.0, 1 if i & 1 else -1, i * 1000)
    elif name == "read":
        window_add(&tape.window, 100.0, 1.0, 1, 0)
        start = now_ns()
        for _i in range(calls):
            window_sums(&tape.window, &sums)
            keep(&sums.bought)
    else:
        for i in range(calls):
            bars_add(&bars.row, 100.0 + (i & 15), 1.0, 1 if i & 1 else -1, i * 1000)
    return (now_ns() - start) / <double> calls
