"""The parser a venue overrides, and the conversion of what it took."""

from libc.stdint cimport int64_t
from orderbook.types cimport Status, OK, BAD_JSON, BAD_VALUE, NEEDS_SCALE, NO_FIT, NO_MEMORY
from orderbook.update cimport Levels, levels_reserve
from feeds.layout cimport convert_number
from feeds.message cimport (Message, Token, TAKE_PRICE, TAKE_QTY, TAKE_DOUBLE, TAKE_BOOL, TAKE_LEVELS, TAKE_CONSTANT,
                            SLOT_SPARE)
from feeds.scan cimport Cursor, Text, cursor_init, open_array, next_item, read_text, scan_number, skip_value, peek, fail

from importlib import import_module

cdef extern from *:
    """
    #if defined(__x86_64__)
    #define wb_has_simd() (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"))
    #else
    #define wb_has_simd() 0
    #endif
    """
    bint has_simd "wb_has_simd"() nogil


cdef class Runner:
    """A compiled runner of learned layouts."""


def best_runner(bint simd=True):
    """The fastest runner this processor can take; `simd=False` gives the scalar twin."""
    return import_module("feeds.run_simd" if simd and has_simd() else "feeds.run_scalar").RUNNER


cdef class Parser:
    """One venue's messages. A venue overrides `parse`; `parse_more` where a frame can hold several messages, and
    `parse_rest` where it has snapshots by REST. A parser takes values (feeds.scan) and converts nothing."""

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        """Take the (first) message of a frame, checking the grammar of the whole frame."""
        fail(c, BAD_VALUE, b"a parser that overrides parse")

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        """Take the next message, at which the cursor stands, of a frame that `parse` has checked."""
        fail(c, BAD_VALUE, b"a venue with several messages in a frame")

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        """Take the snapshot in the body of a REST answer."""
        fail(c, BAD_VALUE, b"a venue with snapshots by REST")


cdef inline Status read_number(Cursor* c, int take, int price_scale, int qty_scale, int64_t* out,
                               int* decimals) noexcept nogil:
    """Read one number of a level, bare or in quotes. NEEDS_SCALE, with its decimals, is no error of the cursor."""
    cdef Text text
    cdef Status status
    cdef int needed = 0
    if peek(c) == c'"':
        read_text(c, &text)
    else:
        text.data = c.pos
        scan_number(c)
        text.size = c.pos - text.data
    if c.status != OK:
        return c.status
    status = convert_number(take, text.data, text.data + text.size, price_scale, qty_scale, out, &needed)
    if status == NEEDS_SCALE:
        decimals[0] = max(decimals[0], needed)
    elif status != OK:
        c.pos = text.data
        fail(c, status, b"a price" if take == TAKE_PRICE else b"a quantity")
    return status


cdef Status read_levels(Cursor* c, Levels* levels, int price_scale, int qty_scale, int* price_decimals,
                        int* qty_decimals) noexcept nogil:
    """Read an array of levels; a number that needs a wider scale is noted, and the rest read all the same."""
    cdef Status first, second
    cdef bint wider = False
    cdef int64_t n = 0
    if not levels_reserve(levels, (c.end - c.pos) // 6 + 1):
        return NO_MEMORY
    open_array(c)
    while next_item(c):
        if not open_array(c):
            break
        if not next_item(c):
            fail(c, BAD_VALUE, b"a price")
            break
        first = read_number(c, TAKE_PRICE, price_scale, qty_scale, &levels.price[n], price_decimals)
        if not next_item(c):
            fail(c, BAD_VALUE, b"a quantity")
            break
        second = read_number(c, TAKE_QTY, price_scale, qty_scale, &levels.qty[n], qty_decimals)
        while next_item(c):                       # a venue may add elements
            skip_value(c)
        wider |= first == NEEDS_SCALE or second == NEEDS_SCALE
        n += 1
    levels.count = n
    if c.status == OK and wider:
        return NEEDS_SCALE
    return c.status


cdef Status convert_message(const char* frame, Message* m, int price_scale, int qty_scale,
                            Py_ssize_t* offset) noexcept nogil:
    """Turn the tokens of a message into values. NEEDS_SCALE: `m` tells how many decimals prices and quantities need.

    `offset` is the byte where a status other than OK arose.
    """
    cdef int i, needed
    cdef Token* token
    cdef Status status, result = OK
    cdef Cursor c
    m.price_decimals = m.qty_decimals = 0
    for i in range(m.n_tokens):
        token = &m.token[i]
        status = OK
        if token.kind <= TAKE_DOUBLE:
            needed = 0
            status = convert_number(token.kind, frame + token.start, frame + token.end, price_scale, qty_scale,
                                    &m.slot[token.slot], &needed)
            if status == NO_FIT and token.slot == SLOT_SPARE:
                status = OK                       # nobody asked for it
            if status == NEEDS_SCALE:
                if token.kind == TAKE_PRICE:
                    m.price_decimals = max(m.price_decimals, needed)
                else:
                    m.qty_decimals = max(m.qty_decimals, needed)
        elif token.kind == TAKE_LEVELS:
            cursor_init(&c, frame + token.start, <Py_ssize_t> token.end - <Py_ssize_t> token.start, NULL)
            status = read_levels(&c, &m.asks if token.slot else &m.bids, price_scale, qty_scale, &m.price_decimals,
                                 &m.qty_decimals)
            if status != OK and status != NEEDS_SCALE:
                offset[0] = <Py_ssize_t> token.start + (c.pos - c.start)
                m.expected = c.expected if status == BAD_VALUE or status == BAD_JSON else NULL
                return status
        elif token.kind == TAKE_BOOL:
            m.slot[token.slot] = frame[token.start] == c't'
        elif token.kind == TAKE_CONSTANT:
            m.slot[token.slot] = token.value
        if status == NEEDS_SCALE:
            result = NEEDS_SCALE
        elif status != OK:
            offset[0] = token.start
            return status
    return result
