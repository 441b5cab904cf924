# Body of the two runners; they differ in what a Window is.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memcmp
from orderbook.types cimport Status, OK, NOT_COVERED, NO_MEMORY
from orderbook.core cimport POWER
from orderbook.ladder cimport likely, unlikely
from orderbook.update cimport Levels, levels_reserve
from feeds.engine cimport Engine, SHORTEST
from feeds.layout cimport (Layout, Op, Shape, ShapePool, NO_SCALES, OP_BOOL, OP_LEVELS, OP_NUMBER, OP_PAIR,
                           OP_REAL, OP_SKIP, OP_SYMBOL, OP_TEXT, KNOWN, PROBES, known_at, op_careful,
                           scales_used, scales_word, shape_serves, shape_turn)
from feeds.message cimport Message
from feeds.parser cimport Runner
from feeds.routes cimport Route, Routes, prefix_hash
from feeds.symbols cimport Symbols, Target, symbols_find


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


cdef inline Status run_levels(Op* op, const char** at, const char* end, const char* safe, int scales, Levels* levels,
                              ShapePool* shapes) noexcept nogil:
    """Read an array of levels."""
    cdef const char* p = at[0]
    cdef const Shape* shape = op.current
    cdef int64_t n = 0
    cdef int64_t values[2]
    cdef int64_t cold[2]
    cdef Window window
    levels.count = 0
    if end - p < 2 or p[0] != c'[':
        return NOT_COVERED
    p += 1
    if p[0] == c']':
        at[0] = p + 1
        return OK
    if not levels_reserve(levels, (end - p) // 6 + 1):
        return NO_MEMORY
    if shape != NULL and not shape_serves(shape, scales):
        shape = NULL
    while True:
        if end - p < 4 or p[0] != c'[' or (op.quoted and p[1] != c'"'):
            return NOT_COVERED
        p += 1 + op.quoted
        window_load(&window, p, end, safe)
        if likely(SIMD and shape != NULL and window_fits(&window, shape)):
            window_values(&window, shape, values)
            p += shape.size
            levels.price[n] = values[0]
            levels.qty[n] = values[1]
        else:
            p = numbers_slow(op, p, end, safe, scales, cold, shapes)
            if p == NULL:
                return NOT_COVERED
            levels.price[n] = cold[0]
            levels.qty[n] = cold[1]
            shape = op.current
            if shape != NULL and not shape_serves(shape, scales):
                shape = NULL
        n += 1
        if p >= end:                              # or past it: a shape may have fitted what lies behind the frame
            return NOT_COVERED
        if p[0] != c',':
            break
        p += 1
    if p[0] != c']':
        return NOT_COVERED
    levels.count = n
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


cdef inline Py_ssize_t quote_after(const char* p, const char* end, const char* safe) noexcept nogil:
    """Bytes before the next quote, -1 if there is none or a backslash stands before it."""
    cdef Window window
    cdef Py_ssize_t passed = 0
    cdef int found
    window_load(&window, p, end, safe)
    found = window_quote(&window)
    if found >= 0 and p + found < end:
        return found
    while p + passed != end and p[passed] != c'\\':
        if p[passed] == c'"':
            return passed
        passed += 1
    return -1


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
            if scales == NO_SCALES or run_levels(op, &past, end, safe, scales, &m.asks if op.slot[0] else &m.bids,
                                                 shapes) != OK:
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
                size = quote_after(p, end, safe)
                target = symbols_find(symbols, p, size, layout.depth) if size >= 0 else -1
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
            size = quote_after(p, end, safe)
            if size < 0:
                return NOT_COVERED
            p += size
        else:
            break
        op += 1
    if p != end or target < 0:
        return NOT_COVERED
    for i in range(layout.n_constants):
        m.slot[layout.constant_slot[i]] = layout.constant[i]
    m.kind = layout.kind
    m.depth = layout.depth
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
    if end - data < SHORTEST:
        return NOT_COVERED
    route = find_route(&engine.routes, data, end, engine.quotes)
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
