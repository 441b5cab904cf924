# Body of the two runners; they differ in what a Window is.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t, INT64_MIN
from libc.string cimport memcmp, memcpy, memset
from orderbook.types cimport Status, OK, NOT_COVERED, NO_MEMORY
from orderbook.core cimport POWER
from orderbook.ladder cimport likely, unlikely
from orderbook.update cimport Levels, levels_reserve
from feeds.engine cimport Engine, SHORTEST, engine_line
from feeds.layout cimport (Element, Elements, Layout, Op, Shape, ShapePool, KNOWN, MIX_COUNT, MIX_QUOTED_COUNT,
                           MIX_TEXT, NO_SCALES, OP_BOOL, OP_LEVELS, OP_MIX, OP_NUMBER, OP_OTHER, OP_PAIR, OP_REAL,
                           OP_SKIP, OP_SYMBOL, OP_TEXT, PROBES, WINDOW, convert_number, known_at, number_end,
                           op_careful, scales_used, scales_word, shape_serves, shape_turn)
from feeds.message cimport (DEPTH_BITS, MAX_NAME, Message, SLOT_FIRST_SEQ, SLOT_LAST_SEQ, SLOT_LEVEL_COUNT,
                            SLOT_LEVEL_ID, SLOT_LEVEL_PRICE, SLOT_LEVEL_SEQ, bit)
from feeds.parser cimport Runner
from feeds.routes cimport Route, Routes
from feeds.scan cimport Cursor, cursor_init, is_digit, scan_number
from feeds.symbols cimport Symbols, Target, symbols_find
from feeds.sync cimport LINK_COUNTER


cdef inline bint serves(const Shape* shape, int scales, const Window* window) noexcept nogil:
    """Whether there is such a shape, made for these scales, and the window fits it."""
    return SIMD and shape != NULL and shape_serves(shape, scales) and window_fits(window, shape)


cdef inline const Shape* find_shape(const Window* window, Op* op, const ShapePool* shapes, int scales) noexcept nogil:
    """A remembered shape that fits the window, NULL if there is none."""
    cdef uint32_t key
    cdef int16_t index
    cdef const Shape* shape = op.previous
    cdef int i, at
    if not SIMD:
        return NULL
    if serves(shape, scales, window):
        shape_turn(op, shape)
        return shape
    key = window_level(window) if op.kind == OP_LEVELS else window_key(window, op)
    if key == 0:
        return NULL
    at = known_at(key, scales & scales_used(op))
    for i in range(PROBES):
        index = op.known[(at + i) % KNOWN]
        if index < 0:
            return NULL
        shape = &shapes.shape[index]
        if shape.look == key and serves(shape, scales, window):
            shape_turn(op, shape)
            return shape
    return NULL


cdef const char* numbers_slow(Op* op, const char* p, const char* end, const char* safe, int scales, int64_t* values,
                              ShapePool* shapes) noexcept nogil:
    """Read an operation whose usual shape does not fit: what follows it, or NULL if it is something else."""
    cdef Window window                            # loaded again here, so that the caller's can stay in registers
    cdef const Shape* shape
    window_load(&window, p, end, safe)
    shape = find_shape(&window, op, shapes, scales)
    if shape != NULL:
        window_values(&window, shape, values)
        return p + shape.size
    if scales == NO_SCALES and scales_used(op):
        return NULL                               # a price before anything says whose it is
    if op_careful(op, &p, end, scales & 0xff, scales >> 8, values, shapes, SIMD) != OK:
        return NULL
    return p


cdef const char* run_mix(const Op* op, const char* p, const char* end) noexcept nogil:
    """Compare a text and step over the values in it: what follows, or NULL if it is something else."""
    cdef int i
    cdef char byte
    cdef const char* first
    cdef Cursor c
    for i in range(op.size):
        byte = op.text[i]
        if <uint8_t> byte > MIX_QUOTED_COUNT:
            if p == end or p[0] != byte:
                return NULL
            p += 1
            continue
        first = p
        if byte == MIX_TEXT:
            while p != end and p[0] != c'"':
                if p[0] == c'\\':
                    return NULL
                p += 1
            continue
        while p != end and is_digit(p[0]):
            p += 1
        if byte == MIX_QUOTED_COUNT or byte == MIX_COUNT:
            if p == first or first[0] == c'0':
                return NULL
        elif p == first or (first[0] == c'0' and p - first > 1) or (
                p != end and p[0] != c',' and p[0] != c']' and p[0] != c'}'):
            cursor_init(&c, first, end - first, NULL)         # a sign, a fraction, an exponent
            if not scan_number(&c):
                return NULL
            p = c.pos
    return p


cdef const char* run_element(Element* element, const char* p, const char* end, const char* safe, int scales,
                             int64_t* values, ShapePool* shapes) noexcept nogil:
    """Read one level in one of the ways it was written: what follows, or NULL if it is written in another."""
    cdef Op* op
    cdef const Shape* shape
    cdef Window window
    cdef int64_t found[2]
    cdef int64_t cold[2]
    cdef int i
    if end - p <= element.lead_size:
        return NULL
    for i in range(element.lead_size):
        if p[i] != element.lead[i]:
            return NULL
    p += element.lead_size
    for i in range(element.n_ops):
        op = &element.op[i]
        if op.kind == OP_MIX:
            p = run_mix(op, p, end)
            if p == NULL:
                return NULL
            continue
        window_load(&window, p, end, safe)
        shape = op.current
        if likely(serves(shape, scales, &window)):
            window_values(&window, shape, found)
            p += shape.size
            values[op.slot[0]] = found[0]
            if op.numbers == 2:
                values[op.slot[1]] = found[1]
        else:
            p = numbers_slow(op, p, end, safe, scales, cold, shapes)
            if p == NULL:
                return NULL
            values[op.slot[0]] = cold[0]
            if op.numbers == 2:
                values[op.slot[1]] = cold[1]
        if p > end:                               # what fitted lies behind the frame
            return NULL
    return p


cdef inline const char* plain_levels(Element* element, const char* p, const char* end, const char* safe, int scales,
                                     Levels* levels, ShapePool* shapes) noexcept nogil:
    """Read levels that are all written in one way, a window each: the byte before the first that is not, or after
    which none comes; NULL if the frame ends before."""
    cdef Op* op = &element.op[0]
    cdef const Shape* shape = op.current
    cdef int64_t n = levels.count
    cdef int64_t values[2]
    cdef int64_t cold[2]
    cdef Window window
    cdef const char* past
    cdef char second = element.lead[1]
    cdef int lead = element.lead_size
    cdef bint quoted = lead == 2
    if shape != NULL and not shape_serves(shape, scales):
        shape = NULL
    while True:                                   # p stands before a level, at the comma or bracket before it
        p += 1
        if end - p < 4 or p[0] != c'[' or (quoted and p[1] != second):
            levels.count = n
            return p - 1 if p < end else NULL
        past = p + lead
        window_load(&window, past, end, safe)
        if likely(SIMD and shape != NULL and window_fits(&window, shape)):
            window_values(&window, shape, values)
            past += shape.size
            levels.price[n] = values[0]
            levels.qty[n] = values[1]
        else:
            past = numbers_slow(op, past, end, safe, scales, cold, shapes)
            if past == NULL:
                levels.count = n
                return p - 1
            levels.price[n] = cold[0]
            levels.qty[n] = cold[1]
            shape = op.current
            if shape != NULL and not shape_serves(shape, scales):
                shape = NULL
        n += 1
        if past >= end:                           # or past it: a shape may have fitted what lies behind the frame
            return NULL
        p = past
        if p[0] != c',':
            levels.count = n
            return p


cdef inline Levels* side_levels(Message* m, const Op* op, int side) noexcept nogil:
    """Where a level goes; NULL if nothing says its side."""
    if op.form.seen & bit(SLOT_LEVEL_ID):
        return &m.rows
    if op.slot[0] == 2:
        return &m.bids if side > 0 else &m.asks if side < 0 else NULL
    return &m.asks if op.slot[0] else &m.bids


cdef Status run_levels(Op* op, const char** at, const char* end, const char* safe, int scales, Message* m,
                       ShapePool* shapes) noexcept nogil:
    """Read a list of levels."""
    cdef const char* p = at[0]
    cdef const char* past
    cdef Elements* elements = op.elements
    cdef Element* element
    cdef Levels* levels
    cdef int64_t values[8]
    cdef int64_t* id = &values[SLOT_LEVEL_ID - SLOT_LEVEL_PRICE]
    cdef int64_t* sequence = &values[SLOT_LEVEL_SEQ - SLOT_LEVEL_PRICE]
    cdef int64_t room
    cdef int i, tried
    if end - p < 2 or p[0] != c'[':
        return NOT_COVERED
    if p[1] == c']':
        at[0] = p + 2
        return OK
    if elements == NULL:
        return NOT_COVERED
    room = (end - p) // 5 + 1
    levels = side_levels(m, op, 1)
    if not levels_reserve(levels, levels.count + room):
        return NO_MEMORY
    if op.slot[0] == 2 and not levels_reserve(&m.asks, m.asks.count + room):
        return NO_MEMORY
    if likely(elements.element[0].plain and op.slot[0] != 2 and op.form.seen == 0):
        p = plain_levels(&elements.element[0], p, end, safe, scales, levels, shapes)
        if p == NULL:
            return NOT_COVERED
        if likely(p[0] == c']'):
            at[0] = p + 1
            return OK
        if p[0] != c',' and p != at[0]:
            return NOT_COVERED
    i = elements.current
    while True:                                   # p stands at the comma or bracket before a level
        p += 1
        tried = 0
        while True:
            if i >= elements.count:
                i = 0
            element = &elements.element[i]
            values[0] = id[0] = sequence[0] = INT64_MIN       # what this element may not say
            past = run_element(element, p, end, safe, scales, values, shapes)
            if likely(past != NULL):
                break
            tried += 1
            if tried == elements.count:
                return NOT_COVERED
            i += 1
        levels = side_levels(m, op, element.side)
        if levels == NULL:
            return NOT_COVERED
        room = levels.count
        levels.price[room] = values[0]
        levels.qty[room] = 0 if element.gone else values[1]
        if op.form.seen:
            levels.rank[room] = sequence[0]
            if id[0] != INT64_MIN:
                levels.rank[room] = id[0] << 2 | (1 if element.side > 0 else 2 if element.side < 0 else 0)
        levels.count = room + 1
        p = past
        if p >= end:
            return NOT_COVERED
        if p[0] != c',':
            break
    elements.current = i
    if p[0] != c']':
        return NOT_COVERED
    at[0] = p + 1
    return OK


cdef const char* run_real(Op* op, const char* p, const char* end, const char* safe, int64_t* slots,
                          ShapePool* shapes) noexcept nogil:
    """Read a number that becomes a double: what follows it, or NULL if it is something else."""
    cdef Window window
    cdef int64_t units[2]
    cdef double value
    cdef const Shape* shape
    window_load(&window, p, end, safe)
    shape = find_shape(&window, op, shapes, 0)
    if shape == NULL:
        return numbers_slow(op, p, end, safe, 0, &slots[op.slot[0]], shapes)
    window_values(&window, shape, units)
    value = units[0] / POWER[shape.scale[0]]
    memcpy(&slots[op.slot[0]], &value, sizeof(double))
    return p + shape.size


cdef inline Py_ssize_t text_size(const char* p, const char* end, const char* safe, char stop) noexcept nogil:
    """Bytes before the next `stop`, -1 if there is none, or a backslash stands before it."""
    cdef Window window
    cdef Py_ssize_t passed = 0
    cdef int found
    if stop == c'"':
        window_load(&window, p, end, safe)
        found = window_quote(&window)
        if found >= 0 and p + found < end:
            return found
    while p + passed < end and p[passed] != c'\\':
        if p[passed] == stop:
            return passed
        passed += 1
    return -1


cdef inline int32_t late_symbol(const Layout* layout, const char* p, const char* end,
                                const Symbols* symbols) noexcept nogil:
    """The instrument whose text stands near the frame's end, -1 if it is not there."""
    cdef const char* past = end - layout.late
    cdef const char* first = past
    while first > p and (first - 1)[0] != c'"' and past - first <= MAX_NAME:
        first -= 1
    first += layout.late_lead
    if first <= p or first >= past:
        return -1
    return symbols_find(symbols, first, past - first, layout.variant)


cdef Status run(Layout* layout, const char* p, const char* end, const char* safe, Message* m,
                const Symbols* symbols, ShapePool* shapes, int32_t target) noexcept nogil:
    """Run a frame of at least 32 bytes, from `p` on, through a layout; anything but OK: nothing is known of it."""
    cdef Op* op = layout.op
    cdef const Shape* shape
    cdef const char* past
    cdef int64_t values[2]
    cdef int64_t cold[2]
    cdef Window window
    cdef Py_ssize_t size
    cdef int scales = NO_SCALES, i
    cdef const Target* instrument = NULL
    m.bids.count = m.asks.count = m.rows.count = 0
    if target < 0 and layout.late:
        target = late_symbol(layout, p, end, symbols)
    if target >= 0:
        instrument = &symbols.target[target]
        scales = scales_word(instrument.price_scale, instrument.qty_scale)
    while True:
        if unlikely(p > end):                     # what fitted lies behind the frame
            return NOT_COVERED
        if op.kind == OP_NUMBER or op.kind == OP_PAIR:
            window_load(&window, p, end, safe)
            shape = op.current
            if likely(serves(shape, scales, &window)):
                window_values(&window, shape, values)
                p += shape.size
                m.slot[op.slot[0]] = values[0]
                if op.kind == OP_PAIR:
                    m.slot[op.slot[1]] = values[1]
            else:
                p = numbers_slow(op, p, end, safe, scales, cold, shapes)
                if p == NULL:
                    return NOT_COVERED
                m.slot[op.slot[0]] = cold[0]
                if op.kind == OP_PAIR:
                    m.slot[op.slot[1]] = cold[1]
        elif op.kind == OP_TEXT:
            window_load(&window, p, end, safe)
            if unlikely(not window_text(&window, op.text, op.size)):
                return NOT_COVERED
            p += op.size
        elif op.kind == OP_LEVELS:
            past = p
            if scales == NO_SCALES or run_levels(op, &past, end, safe, scales, m, shapes) != OK:
                return NOT_COVERED
            p = past
        elif op.kind == OP_SYMBOL:
            if likely(instrument != NULL):
                window_load(&window, p, end, safe)
                size = instrument.size
                if unlikely(end - p < size or (memcmp(p, instrument.name, size) != 0 if size > 32 or size == 0
                                               else not window_text(&window, instrument.name, <int> size))):
                    return NOT_COVERED
            else:
                size = text_size(p, end, safe, op.text[0])
                target = symbols_find(symbols, p, size, layout.variant) if size >= 0 else -1
                if target < 0:
                    return NOT_COVERED
                instrument = &symbols.target[target]
                scales = scales_word(instrument.price_scale, instrument.qty_scale)
            p += size
        elif op.kind == OP_BOOL:
            if end - p >= 4 and memcmp(p, b"true", 4) == 0:
                m.slot[op.slot[0]] = 1
                p += 4
            elif end - p >= 5 and memcmp(p, b"false", 5) == 0:
                m.slot[op.slot[0]] = 0
                p += 5
            else:
                return NOT_COVERED
        elif op.kind == OP_REAL:
            p = run_real(op, p, end, safe, m.slot, shapes)
            if p == NULL:
                return NOT_COVERED
        elif op.kind == OP_SKIP:
            size = text_size(p, end, safe, c'"')
            if size < 0:
                return NOT_COVERED
            p += size
        elif op.kind == OP_OTHER:
            past = number_end(p, end, op.quoted)
            if past == NULL or past == p or convert_number(op.take[0], p, past, 0, 0, &m.slot[op.slot[0]], &i) != OK:
                return NOT_COVERED
            p = past
        else:
            break
        op += 1
    if p != end or target < 0:
        return NOT_COVERED
    for i in range(layout.n_constants):
        m.slot[layout.constant_slot[i]] = layout.constant[i]
    for i in range(layout.n_copies):
        m.slot[layout.copy_to[i]] = m.slot[layout.copy_from[i]]
    if layout.seen & bit(SLOT_LEVEL_COUNT) and m.slot[SLOT_LEVEL_COUNT] == 0:
        return NOT_COVERED
    if layout.seen & bit(SLOT_FIRST_SEQ) and m.slot[SLOT_FIRST_SEQ] <= 0:
        return NOT_COVERED                        # where a venue has no number to tell, it may mean another rule
    if layout.link == LINK_COUNTER and layout.seen & bit(SLOT_LAST_SEQ) and m.slot[SLOT_LAST_SEQ] <= 1:
        return NOT_COVERED                        # and where its count begins anew, the message may be a whole book
    m.kind = layout.kind
    m.depth = layout.variant & DEPTH_BITS
    m.market = layout.variant >> 20
    m.link = layout.link
    m.checksum = layout.checksum
    m.cut = layout.cut
    m.resync = layout.resync
    m.line_jump = False
    m.target = target
    m.seen = layout.seen
    m.more = NULL
    return OK


cdef Status read_frame(Engine* engine, const char* data, const char* end, const char* safe, Message* m) noexcept nogil:
    """Read a frame by what was learned of its stream; anything but OK: nothing is known of it.

    `end` is one past the last byte; up to `safe` bytes may be read, but mean nothing.
    """
    cdef Route* route
    cdef Status status = NOT_COVERED
    cdef int i
    cdef char short_frame[3 * WINDOW]
    if unlikely(end - data < 2 * WINDOW):         # windows want bytes to look at on both sides
        if end - data < SHORTEST:
            return NOT_COVERED
        memset(short_frame, 0, sizeof(short_frame))
        memcpy(short_frame, data, end - data)
        end = short_frame + (end - data)
        data = short_frame
        safe = short_frame + sizeof(short_frame)
    route = find_route(&engine.routes, data, end, engine.mark,
                       engine.array_marks if data[0] == c'[' else engine.marks, engine_line(engine))
    if route == NULL or route.n_layouts == 0:
        return NOT_COVERED
    status = run(engine.layout[route.layout[route.current]], data + route.size, end, safe, m, &engine.symbols,
                 &engine.shapes, route.target)
    if likely(status == OK):
        return OK
    for i in range(route.n_layouts):
        if i == route.current:
            continue
        status = run(engine.layout[route.layout[i]], data + route.size, end, safe, m, &engine.symbols,
                     &engine.shapes, route.target)
        if status == OK:
            route.current = <uint8_t> i
            return OK
    return status


cdef Runner make():
    """What feeds.parser hands out."""
    cdef Runner runner = Runner.__new__(Runner)
    runner.frame = read_frame
    runner.simd = SIMD
    return runner


RUNNER = make()
