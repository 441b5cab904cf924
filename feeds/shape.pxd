"""Shapes: numbers read 32 bytes at a time, by what the bytes around and inside them must be.

An *operation* says: this text, a number, this text, a number, ... A *shape* is one way to fill it: for certain widths
of its numbers (say 5.2 and 1.3 digits), which bytes of a window of 32 must be digits, which must be what, and which
digit counts how much. A shape is made from a window whose numbers were read the careful way, and covers as many of the
operation's numbers as fit the window; the next window begins behind them. The shape that fitted last is tried first:
when it fits, no byte has to wait for the length of the number before it. Any other is found by the bytes of the window
that are no digits.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, free
from libc.string cimport memcmp, memcpy, memset
from orderbook.types cimport Status, OK, NEGATIVE_QTY, NO_FIT, NOT_COVERED
from feeds.message cimport (Form, Message, COUNT_FIELD, SLOT_SPARE, TAKE_DOUBLE, TAKE_ID, TAKE_INT,
                            TAKE_PRICE, TAKE_QTY, TAKE_TEXT, TAKE_TIME)
from feeds.numbers cimport (all_zero, note_printed, read_double, read_id, read_integer, read_own, read_time,
                            read_units)
from feeds.scan cimport Cursor, cursor_init, is_digit, scan_number

cdef enum:
    # What the operations of elements (feeds.element) and layouts (feeds.layout) are.
    OP_TEXT = 0               # text that must stand here
    OP_NUMBERS = 1            # text and numbers by turns
    OP_LEVELS = 2             # an array of levels
    OP_SYMBOL = 3             # the text of the instrument
    OP_SKIP = 4               # text up to the next quote
    OP_BOOL = 5               # true or false
    OP_REAL = 6               # text, then a number that becomes a double
    OP_END = 7                # the frame ends here
    OP_OTHER = 8              # a time or a name in a form that no window reads
    OP_LEVEL = 9              # one level that is in no list
    OP_MOMENT = 10            # text, then a time in seconds with a fraction

cdef enum:
    WINDOW = 32               # bytes looked at in one step
    NUMBERS = 4               # numbers of one operation
    TEXT_ROOM = 64            # bytes of text of one operation
    MAX_SHAPES = 4096         # shapes of all operations; when they are used up, all are made anew
    KNOWN = 8192              # places of the table they are found by, a power of two
    PROBES = 8                # places that are looked at for a shape
    NO_SCALES = 0xffff        # `scales_word` while the instrument is not known
    MANY = 16                 # digits of one number at most
    SECONDS = 10              # digits of the seconds since the Unix epoch

cdef struct Shape:
    uint8_t base[32]          # subtracted from each byte of the window ...
    uint8_t limit[32]         # ... what is left may be at most this: 9 a digit, 0 this byte, 255 any byte
    uint8_t pick[4][16]       # bytes that become digits: of either half of the window, for each of two chains
    uint64_t made             # what it was made for, see `shape_key`
    uint32_t look             # what it is found by, see `look_of`
    uint32_t serial           # no other shape ever has it: its place may become another's
    uint8_t first             # number of the operation it begins with,
    uint8_t next              # and the one after those it covers
    uint8_t size              # bytes of the window it covers
    uint8_t chains            # 0: up to two numbers of up to 8 digits in one chain; else 1 or 2 numbers of up to 16
    bint negative             # of a double: a minus stands before it
    uint8_t slot[2]           # where the numbers go; the second is as the first if there is none
    uint8_t scale[2]          # decimals they are kept with
    uint8_t printed[2]        # decimals they are written with,
    uint8_t past[2]           # and where they end

cdef struct ShapePool:
    Shape* shape              # room for MAX_SHAPES, made at once: pointers to shapes stay valid. Owned
    int16_t* known            # the table: index + 1, 0 where free. Owned, the end of the same memory
    int count
    uint32_t serial           # of the last shape that was made
    uint32_t ids              # operations named so far

cdef struct Op:
    uint8_t kind              # OP_...
    uint8_t numbers           # how many
    uint8_t gap[NUMBERS]      # bytes of text before each number; of text alone, gap[0]: those in a second window
    uint8_t at[NUMBERS]       # where that text begins in `text`
    uint8_t tail              # bytes of text after the last number; of text alone: those in the first window
    uint8_t take[NUMBERS]     # TAKE_... of each number; TAKE_TEXT and COUNT_FIELD: stepped over
    uint8_t slot[NUMBERS]     # where each number goes; of a list of levels, its side
    bint quoted[NUMBERS]      # the number stands in quotes
    char stop                 # byte that ends what a shape is found by,
    uint8_t stops             # at its occurrence of this number
    uint64_t name             # no other operation has it; the lower half is free, see `shape_key`
    uint32_t scales_used      # bits of `scales_word` that matter
    uint32_t open             # of text alone: bits of the bytes of a window that are behind it
    bint own                  # a quantity that no scale fits becomes an own quantity (orderbook.quantity)
    const Shape* current[NUMBERS]     # by first number: shape that fitted last, NULL none; borrowed from the pool
    const Shape* previous[NUMBERS]    # the one that fitted before it: widths often alternate
    const Form* form          # of a list
    char date[10]             # of a time in text: the date it had last,
    int64_t day               # as ns, 0 if it had none
    char text[TEXT_ROOM]      # the text: before, between, after


cdef inline void pool_free(ShapePool* self) noexcept nogil:
    """Give the memory back."""
    free(self.shape)
    self.shape = NULL
    self.known = NULL
    self.count = 0


cdef inline void op_name(ShapePool* self, Op* op) noexcept nogil:
    """Give a new operation what its shapes are found by."""
    cdef int i
    cdef int past = op.at[op.numbers - 1] + op.gap[op.numbers - 1]
    self.ids += 1
    op.name = <uint64_t> self.ids << 32
    op.scales_used = 0
    for i in range(op.numbers):
        op.scales_used |= 0xff if op.take[i] == TAKE_PRICE else 0xff00 if op.take[i] == TAKE_QTY else 0
    if op.stop:
        op.stops = 1
        return
    op.stop = op.text[past]                       # the byte after the last number
    op.stops = 1
    for i in range(past):
        op.stops += op.text[i] == op.stop


cdef inline void op_text(Op* op, const char* text, Py_ssize_t size) noexcept nogil:
    """Fill an operation that is text alone, of up to two windows."""
    op.tail = <uint8_t> min(size, <Py_ssize_t> WINDOW)
    op.gap[0] = <uint8_t> (size - op.tail)
    op.open = ~<uint32_t> ((<uint64_t> 1 << op.tail) - 1)
    memcpy(op.text, text, size)


cdef inline bint same_op(const Op* a, const Op* b) noexcept nogil:
    """Whether two operations do the same."""
    return (a.kind == b.kind and a.numbers == b.numbers and a.tail == b.tail and a.form == b.form
            and memcmp(a.gap, b.gap, sizeof(a.gap)) == 0 and memcmp(a.take, b.take, sizeof(a.take)) == 0
            and memcmp(a.slot, b.slot, sizeof(a.slot)) == 0 and memcmp(a.quoted, b.quoted, sizeof(a.quoted)) == 0
            and memcmp(a.text, b.text, TEXT_ROOM) == 0)


cdef inline int scales_word(int price_scale, int qty_scale) noexcept nogil:
    """Both scales in one word, to be compared at once."""
    return (price_scale & 0xff) | (qty_scale & 0xff) << 8


cdef inline uint64_t shape_key(const Op* op, int first, int scales) noexcept nogil:
    """What a shape must have been made for to serve an operation from one of its numbers on, at these scales."""
    return op.name | <uint64_t> first << 16 | <uint64_t> (<uint32_t> scales & op.scales_used)


cdef inline uint32_t look_of(const char* p, Py_ssize_t room, char stop, int stops) noexcept nogil:
    """Bytes of a window that are no digits, up to the stop of this number if it is inside; past `room` all are."""
    cdef uint32_t look = 0
    cdef int i
    for i in range(WINDOW):
        if i >= room or not is_digit(p[i]):
            look |= <uint32_t> 1 << i
        if i < room and p[i] == stop:
            stops -= 1
            if stops == 0:
                break
    return look


cdef inline int known_at(uint32_t look, uint64_t made) noexcept nogil:
    """Where in `known` to begin looking for a shape; `PROBES` places from there on can have it."""
    cdef uint64_t mixed = (made ^ <uint64_t> look << 13) * <uint64_t> 0x9E3779B97F4A7C15
    return <int> (mixed >> 51)


# ---- making shapes

cdef struct Written:
    # How a number stands in a window.
    int size                  # bytes
    int digits                # digits before the exponent
    int dot                   # place of the dot, `size` if there is none
    int exponent              # value of what follows E
    int mantissa              # bytes before the E


cdef inline bint is_number(int take) noexcept nogil:
    """Whether tokens of this kind are numbers."""
    return take <= TAKE_DOUBLE


cdef inline bint look_at(const char* p, Py_ssize_t room, Written* out) noexcept nogil:
    """See how the number at `p` is written; False if it has no digit, a sign, or does not end within `room` bytes."""
    cdef int i = 0, exponent = 0
    cdef bint down
    out.digits = out.exponent = 0
    out.dot = -1
    while i < room and (is_digit(p[i]) or (p[i] == c'.' and out.dot < 0)):
        if p[i] == c'.':
            out.dot = i
        else:
            out.digits += 1
        i += 1
    out.mantissa = i
    if i < room and (p[i] == c'e' or p[i] == c'E') and out.digits:
        i += 1
        down = i < room and p[i] == c'-'
        i += i < room and (p[i] == c'-' or p[i] == c'+')
        if i == room or not is_digit(p[i]):
            return False
        while i < room and is_digit(p[i]) and exponent < 100:
            exponent = exponent * 10 + (p[i] - c'0')
            i += 1
        out.exponent = -exponent if down else exponent
    out.size = i
    if out.dot < 0:
        out.dot = out.mantissa
    return out.digits > 0 and i < room and not is_digit(p[i])


cdef inline void must_be(Shape* self, int at, const char* text, int size) noexcept nogil:
    """These bytes of the window must be this text."""
    cdef int i
    for i in range(size):
        self.base[at + i] = <uint8_t> text[i]
        self.limit[at + i] = 0


cdef inline int scale_of(int take, const Written* written, int scales) noexcept nogil:
    """Decimals that a number is kept with: its instrument's, or for doubles those that are written; -1: no number."""
    if take == TAKE_PRICE:
        return scales & 0xff
    if take == TAKE_QTY:
        return scales >> 8
    if take == TAKE_DOUBLE:
        return max(written.mantissa - written.dot - 1, 0) - written.exponent
    if take == TAKE_TIME:                         # others are read the careful way
        return written.size - SECONDS - 1 if written.dot == SECONDS < written.size == written.mantissa else -1
    return 0 if written.dot == written.size else -1       # an integer has no dot and no exponent


cdef inline bint shape_make(Shape* self, const Op* op, int first, const char* p, Py_ssize_t room,
                            int scales) noexcept nogil:
    """Make the shape of the window at `p`, whose numbers were read and accepted, from number `first` on; False if it
    has none."""
    cdef int at = 0, i = first, j, gap, tail, total, scale, whole, n = 0, chain, place, past
    cdef int begin[2]
    cdef int totals[2]
    cdef Written all_written[2]
    cdef Written written
    cdef const char* text
    memset(self, 0, sizeof(Shape))
    memset(self.limit, 0xff, sizeof(self.limit))
    memset(self.pick, 0x80, sizeof(self.pick))
    self.first = <uint8_t> first
    self.slot[0] = op.slot[first]
    while i < op.numbers:
        gap = op.gap[i] - (i > 0)                 # the byte that ended the number before was taken with it
        text = op.text + op.at[i] + op.gap[i] - gap
        past = at + gap
        if op.take[i] == TAKE_DOUBLE and past < room and past < WINDOW and p[past] == c'-':
            must_be(self, past, p + past, 1)
            self.negative = True
            past += 1
        tail = op.tail if i + 1 == op.numbers else 1
        if past >= room or not look_at(p + past, room - past, &written) or past + written.size + tail > WINDOW:
            break
        if op.take[i] != TAKE_TEXT and op.take[i] != COUNT_FIELD:
            scale = scale_of(op.take[i], &written, scales)
            total = written.dot + scale + written.exponent        # digits from the first to the last that is kept
            if n == 2 or (n == 1 and op.slot[i] == self.slot[0]) or scale < 0 or scale > 18 or total > MANY or (
                    total < 0 or (op.take[i] == TAKE_TIME and p[past] != c'1')):
                break                             # of a key that comes twice, the last value counts: another window's
            if total > 8:
                self.chains = 2
            begin[n] = past
            totals[n] = total
            all_written[n] = written
            self.scale[n] = <uint8_t> scale
            self.slot[n] = op.slot[i]
            self.printed[n] = <uint8_t> (written.size - written.dot - 1 if written.dot < written.mantissa else 0)
            self.past[n] = <uint8_t> (past + written.size)
            n += 1
        else:
            total = WINDOW
        must_be(self, at, text, gap)
        must_be(self, past, p + past, written.size)               # the dot and what stands behind E
        whole = 0
        for j in range(written.mantissa):
            if j != written.dot:
                self.base[past + j] = c'0'
                # A digit past the scale must be 0: anything else is read the careful way, which asks for another scale.
                self.limit[past + j] = 9 if whole < total else 0
                whole += 1
        if (not op.quoted[i] and written.dot > 1) or op.take[i] == COUNT_FIELD:
            self.base[past] = c'1'                # JSON's bare numbers have no leading zeros, this count is not 0
            self.limit[past] = 8
        if op.take[i] == TAKE_TIME:
            self.base[past] = c'1'                # from 2001 to 2033
            self.limit[past] = 0
        at = past + written.size
        i += 1
        must_be(self, at, op.text + op.at[i - 1] + op.gap[i - 1], tail)
        at += tail
    if i == first:
        return False
    self.next = <uint8_t> i
    self.size = <uint8_t> at
    if n < 2:
        self.slot[1] = self.slot[0]
    if n == 1 or self.chains:
        self.chains = <uint8_t> n
    # Second pass: where each digit goes, now that it is known whether both numbers share a chain.
    for i in range(n):
        chain = i if self.chains else 0
        place = (16 if self.chains else 8 * (i + 1)) - totals[i]
        for j in range(all_written[i].mantissa):
            if j != all_written[i].dot and totals[i] > 0:
                past = begin[i] + j
                self.pick[2 * chain + (past >= 16)][place] = <uint8_t> (past & 15)
                place += 1
                totals[i] -= 1
    return True


cdef inline void shape_turn(Op* op, int first, const Shape* shape) noexcept nogil:
    """Make this the shape that is tried first."""
    op.previous[first] = op.current[first]
    op.current[first] = shape


cdef inline bint pool_ready(ShapePool* self) noexcept nogil:
    """See that there is room for another shape. When all is used, all is forgotten: what is in use comes back.

    Memory begins at a multiple of 16 and a shape has such a size, so that its bytes can be read from there at once.
    """
    if self.shape == NULL:
        self.shape = <Shape*> malloc(MAX_SHAPES * sizeof(Shape) + KNOWN * sizeof(int16_t))
        if self.shape == NULL:
            return False
        self.known = <int16_t*> (self.shape + MAX_SHAPES)
        self.count = MAX_SHAPES
    if self.count == MAX_SHAPES:
        memset(self.known, 0, KNOWN * sizeof(int16_t))
        self.count = 0
    return True


cdef inline void learn_shape(ShapePool* pool, Op* op, int first, const char* p, Py_ssize_t room,
                             int scales) noexcept nogil:
    """Remember the shape of the window at `p`, whose numbers from `first` on were just read and accepted."""
    cdef int i, at, place
    cdef Shape made
    cdef Shape* shape
    if not shape_make(&made, op, first, p, room, scales) or not pool_ready(pool):
        return
    made.made = shape_key(op, first, scales)
    made.look = look_of(p, room, op.stop, op.stops)
    at = known_at(made.look, made.made)
    place = at
    for i in range(PROBES):
        place = (at + i) % KNOWN
        if pool.known[place] == 0:
            break
        shape = &pool.shape[pool.known[place] - 1]
        if shape.look == made.look and shape.made == made.made:
            break
    else:
        place = at                                # the one there has to go
    if pool.known[place] == 0:
        pool.count += 1
        pool.known[place] = <int16_t> pool.count
    pool.serial += 1
    made.serial = pool.serial
    shape = &pool.shape[pool.known[place] - 1]
    shape[0] = made
    shape_turn(op, first, shape)


# ---- reading an operation's numbers the careful way

cdef inline const char* number_end(const char* p, const char* end, bint quoted) noexcept nogil:
    """Where the number at `p` ends: at a quote, or where JSON's grammar ends it. NULL if nothing ends it."""
    cdef Cursor c
    if quoted:
        while p != end and p[0] != c'"' and p[0] != c'\\':
            p += 1
        return p if p != end and p[0] == c'"' else NULL
    cursor_init(&c, p, end - p, NULL)
    return c.pos if p != end and p[0] != c' ' and scan_number(&c) else NULL


cdef inline Status convert_number(int take, const char* p, const char* past, int price_scale, int qty_scale,
                                  int64_t* out, int* decimals) noexcept nogil:
    """Text of a number to what its slot holds."""
    cdef double value = 0
    cdef Status status
    if take == TAKE_INT:
        return read_integer(p, past, out)
    if take == TAKE_DOUBLE:
        status = read_double(p, past, &value)
        memcpy(out, &value, sizeof(double))
        return status
    if take == TAKE_PRICE:
        return read_units(p, past, price_scale, out, decimals)
    if take == TAKE_TIME:
        return read_time(p, past, out)
    if take == TAKE_ID:
        return read_id(p, past, out)
    status = read_units(p, past, qty_scale, out, decimals)
    return NEGATIVE_QTY if status == OK and out[0] < 0 else status


cdef inline void note_number(Message* m, int take, const char* p, const char* past) noexcept nogil:
    """Note how a price or quantity of a level was printed."""
    if take == TAKE_PRICE:
        note_printed(p, past, &m.price_printed, &m.price_trailing)
    elif take == TAKE_QTY:
        note_printed(p, past, &m.qty_printed, &m.qty_trailing)


cdef inline Status op_careful(Op* op, int first, const char** at, const char* end, int scales, int64_t* values,
                              ShapePool* shapes, Message* printed) noexcept nogil:
    """Compare and read an operation from one of its numbers on, byte by byte, and remember its shape for the next time.

    `shapes` NULL: nothing is remembered. `printed`: where it is noted how the numbers were printed, or NULL.
    """
    cdef const char* p = at[0]
    cdef const char* past
    cdef const char* text
    cdef Status status
    cdef int i, take, gap, decimals = 0
    for i in range(first, op.numbers):
        take = op.take[i]
        gap = op.gap[i] - (i == first and i > 0)
        text = op.text + op.at[i] + op.gap[i] - gap
        if end - p < gap or memcmp(p, text, gap) != 0:
            return NOT_COVERED
        p += gap
        past = number_end(p, end, op.quoted[i])
        if past == NULL:
            return NOT_COVERED
        if take == COUNT_FIELD:
            if p == past or not is_digit(p[0]) or all_zero(p, past):
                return NOT_COVERED                # a level that is gone is written in another way
        elif take != TAKE_TEXT:
            # Nothing to tell; or a sign, text that decides, also before 0.
            if (past == p and take != TAKE_DOUBLE) or (take == TAKE_QTY and p[0] == c'-'):
                return NOT_COVERED
            status = convert_number(take, p, past, scales & 0xff, scales >> 8, &values[op.slot[i]], &decimals)
            if status != OK and not (status == NO_FIT and (op.slot[i] == SLOT_SPARE or (
                    op.own and take == TAKE_QTY and read_own(p, past, &values[op.slot[i]])))):
                return status
            if printed != NULL:
                note_number(printed, take, p, past)
        p = past
    text = op.text + op.at[op.numbers - 1] + op.gap[op.numbers - 1]
    if end - p < op.tail or memcmp(p, text, op.tail) != 0:
        return NOT_COVERED
    if shapes != NULL:
        learn_shape(shapes, op, first, at[0], end - at[0], scales)
    at[0] = p + op.tail
    return OK
