# Reading and making stencils (feeds/stencil.pxd): the runner's part that only makes sense with wide registers.

from feeds.routes cimport TRUST
from feeds.shape cimport OP_END
from feeds.stencil cimport (DOUBT, DRAFT, GAIN, READ_ADD, READ_BOOL, READ_LEVEL, READ_MOMENT, READ_OTHER, READ_PART,
                            READ_REAL, READ_SLOTS, READ_TAIL, READS, SELDOM, STENCILS, Read, Stencil, Stencils,
                            stencils_ready)


cdef inline Stencil* stencil_place(const Engine* engine, uint32_t key) noexcept nogil:
    """The first of the two places that a stencil can have."""
    return &engine.stencils.place[key & (STENCILS - 2)]


cdef inline int64_t* end_part(Engine* engine, const Stencil* self, int n, const Read* read, int64_t* slots,
                              const char* data, Message* m) noexcept nogil:
    """Complete message `n` of a frame with several, whose numbers are in `slots`: where those behind it go, NULL if it
    may be another."""
    cdef Part* part
    if unlikely(not complete(engine.layout[read.since], slots)):
        return NULL
    if n:
        part = &engine.kept[n - 1]
        part.target = self.target
        part.more = data + read.at
        engine.part[n - 1] = <int16_t> read.since
    return &m.slot[0] if read.value else &engine.kept[n].slot[0]


cdef inline void finish_several(Engine* engine, const Stencil* self, int n, const char* more,
                                Message* m) noexcept nogil:
    """Complete a frame with `n` messages, of which the first ends at `more`, as `read_several` does."""
    cdef const Layout* first = engine.layout[self.layout]
    engine.n_parts = engine.n_kept = n - 1
    engine.next_part = 0
    engine.part_target = self.target if first.late else self.told
    layout_says(first, m, self.target, more)


cdef bint run_stencil(Engine* engine, const Stencil* self, const char* data, const char* end, const char* safe,
                      Message* m) noexcept nogil:
    """Read a frame that fits; False if it has to be read by layouts all the same."""
    cdef const Read* read = &self.read[0]
    cdef const Shape* shape
    cdef const char* more = NULL
    cdef Elements* elements
    cdef Window window
    cdef double value
    cdef int64_t* slots = m.slot                  # of the message at work
    cdef int64_t values[PLACES]
    cdef int i, n = 0
    m.bids.count = m.asks.count = m.rows.count = 0
    m.kept = NULL
    values[AT_PRICE] = values[AT_ID] = values[AT_SEQ] = INT64_MIN
    for i in range(self.n_reads):
        shape = read.shape
        if shape != NULL:
            if unlikely(shape.serial != read.since):
                return False
            window_load(&window, data + read.at, end, safe)
        if read.kind == READ_SLOTS:
            keep_values(&window, shape, slots)
        elif read.kind == READ_LEVEL:
            keep_values(&window, shape, values)
        elif read.kind == READ_ADD:
            elements = <Elements*> read.whose
            if unlikely(<uint32_t> elements.learned != read.since) or not room_for_one(m):
                return False
            elements.current = read.value
            if not add_level(elements, read.slot, values, m):
                return False
            values[AT_PRICE] = values[AT_ID] = values[AT_SEQ] = INT64_MIN
        elif read.kind == READ_MOMENT:
            slots[(<Op*> read.whose).slot[0]] = moment_of(&window, shape)
        elif read.kind == READ_REAL:
            value = real_of(&window, shape)
            memcpy(&slots[(<Op*> read.whose).slot[0]], &value, sizeof(double))
        elif read.kind == READ_BOOL:
            slots[read.slot] = read.value
        elif read.kind == READ_PART:
            slots = end_part(engine, self, n, read, slots, data, m)
            if slots == NULL:
                return False
            if n == 0:
                more = data + read.at
            n += 1
        elif read.kind == READ_TAIL:
            if unlikely(not complete(engine.layout[read.since], slots)):
                return False
        elif run_other(<Op*> read.whose, data + read.at, end, safe, slots) != data + read.slot:
            return False
        read += 1
    if self.several:
        finish_several(engine, self, n, more, m)
        return True
    return finish(engine.layout[self.layout], m, self.target, NULL) == OK


cdef bint parts_belong(const Stencil* self, const Route* route) noexcept nogil:
    """Whether the stream still has the layouts of the messages behind the first."""
    cdef const Read* read = &self.read[0]
    cdef int i, k
    for i in range(self.n_reads):
        if read.kind == READ_PART and <int> read.since != self.layout:
            for k in range(route.n_parts):
                if route.part[k] == <int> read.since and route.part_head[k] == self.layout:
                    break
            else:
                return False
        read += 1
    return True


cdef inline bint belongs(const Stencil* self, const Engine* engine, const Route* route) noexcept nogil:
    """Whether layouts of the stream would do all that a stencil does."""
    cdef const Target* instrument = &engine.symbols.target[self.target]
    cdef int i
    if self.told != route.target or self.scales != scales_word(instrument.price_scale, instrument.qty_scale):
        return False
    for i in range(route.n_layouts):
        if route.layout[i] == self.layout:
            return not self.several or parts_belong(self, route)
    return False


cdef inline bint worth_a_look(Engine* engine) noexcept nogil:
    """Whether to look for the stencil of a short frame."""
    cdef Stencils* all = &engine.stencils
    all.frames += 1
    return all.balance > -DOUBT or all.frames % SELDOM == 0


cdef Status read_stencil(Engine* engine, const char* data, const char* end, const char* safe, uint32_t key,
                         Message* m) noexcept nogil:
    """Read a frame by the stencil that it fits; anything but OK: there is none, or not of this stream."""
    cdef Stencil* stencil
    cdef Route* route = NULL
    cdef int size = <int> (end - data), i
    engine.stencils.balance -= engine.stencils.balance > -DOUBT
    if engine.stencils.place == NULL:
        return NOT_COVERED
    stencil = stencil_place(engine, key)
    for i in range(2):
        if stencil.key == key and stencil.size == size and stencil_fits(stencil, data, size):
            if stencil.route < engine.routes.count:
                route = &engine.routes.route[stencil.route]
            if route == NULL or route.life != stencil.life or route.line != engine_line(engine):
                route = find_route(&engine.routes, data, end, safe, engine.mark, engine_marks(engine, data),
                                   engine_line(engine))
                if route == NULL:
                    return NOT_COVERED
                stencil.route = <int32_t> (route - engine.routes.route)
                stencil.life = route.life
            if not belongs(stencil, engine, route) or not run_stencil(engine, stencil, data, end, safe, m):
                return NOT_COVERED
            route.trust += route.trust < TRUST
            engine.stencils.balance += GAIN if engine.stencils.balance < DOUBT else 0
            return OK
        stencil += 1
    return NOT_COVERED


# ---- making them

cdef struct Draft:
    # A stencil that is being made.
    Stencil* stencil
    const char* data          # its frame,
    const char* end
    const char* safe
    const Target* instrument
    const ShapePool* shapes


cdef Read* draft_step(Draft* self, int kind, const char* p) noexcept nogil:
    """One more step, empty; NULL if there are too many."""
    cdef Read* read
    if self.stencil.n_reads == READS:
        return NULL
    read = &self.stencil.read[self.stencil.n_reads]
    self.stencil.n_reads += 1
    memset(read, 0, sizeof(Read))
    read.kind = <uint8_t> kind
    read.at = <uint8_t> (p - self.data)
    return read


cdef const char* draft_text(Draft* self, const char* p, Py_ssize_t size) noexcept nogil:
    """Bytes that must be these: what follows them."""
    if size < 0 or size > self.end - p:
        return NULL
    memcpy(&self.stencil.base[p - self.data], p, size)
    memset(&self.stencil.limit[p - self.data], 0, size)
    return p + size


cdef const char* draft_skip(Draft* self, const char* p) noexcept nogil:
    """Bytes up to a quote that may be others of their kind, but neither quote nor backslash: what follows them."""
    cdef Py_ssize_t size = text_size(p, self.end, self.safe, c'"'), i
    cdef uint8_t byte
    for i in range(size):
        byte = <uint8_t> p[i]
        self.stencil.base[p - self.data + i] = c'"' + 1 if c'"' < byte < c'\\' else min(byte, <uint8_t> (c'\\' + 1))
        self.stencil.limit[p - self.data + i] = (
            c'\\' - c'"' - 2 if c'"' < byte < c'\\' else 255 - c'\\' - 1 if byte > c'\\' else 0)
    return p + size if size >= 0 else NULL


cdef const char* draft_shape(Draft* self, Op* op, int first, int kind, const char* p, int* next) noexcept nogil:
    """The window of an operation from one of its numbers on: what follows it, NULL if no shape reads it; `next`: the
    number that it does not cover."""
    cdef int scales = self.stencil.scales if op.kind == OP_NUMBERS else 0
    cdef uint64_t key = shape_key(op, first, scales)
    cdef const Shape* shape = op.current[first]
    cdef Window window
    cdef Read* read
    window_load(&window, p, self.end, self.safe)
    if not serves(shape, key, &window):
        shape = look_up(&window, op, window_look(&window, op.stop, op.stops), key, self.shapes)
    if shape == NULL or shape.size > self.end - p:
        return NULL
    next[0] = shape.next
    if kind == READ_LEVEL or op.slot[0] != SLOT_SPARE or (
            kind == READ_SLOTS and (shape.slot[0] != SLOT_SPARE or shape.slot[1] != SLOT_SPARE)):    # else it is spare
        read = draft_step(self, kind, p)
        if read == NULL:
            return NULL
        read.shape = shape
        read.since = shape.serial
        read.whose = op
    memcpy(&self.stencil.base[p - self.data], shape.base, shape.size)
    memcpy(&self.stencil.limit[p - self.data], shape.limit, shape.size)
    return p + shape.size


cdef const char* draft_numbers(Draft* self, Op* op, int kind, const char* p) noexcept nogil:
    """All numbers of an operation: what follows them, NULL if they have no shapes."""
    cdef int first = 0
    while p != NULL and first < op.numbers:
        p = draft_shape(self, op, first, kind, p, &first)
    return p


cdef const char* draft_symbol(Draft* self, const char* p) noexcept nogil:
    """The text of the instrument: what follows it, NULL if it is another's."""
    cdef Py_ssize_t size = self.instrument.size
    return draft_text(self, p, size) if self.end - p >= size and memcmp(p, self.instrument.name, size) == 0 else NULL


cdef const char* draft_element(Draft* self, Element* element, const char* p) noexcept nogil:
    """One level in the way of one element: what follows it, NULL if it is written in another."""
    cdef Op* op
    cdef int k
    if self.end - p < element.lead_size or memcmp(p, element.lead, element.lead_size) != 0:
        return NULL
    p = draft_text(self, p, element.lead_size)
    for k in range(element.n_ops):
        op = element.shared[k]
        if op.kind == OP_NUMBERS:
            p = draft_numbers(self, op, READ_LEVEL, p)
        elif op.kind == OP_TEXT:
            p = draft_text(self, p, op.tail) if self.end - p >= op.tail and memcmp(p, op.text, op.tail) == 0 else NULL
        elif op.kind == OP_SKIP:
            p = draft_skip(self, p)
        else:
            p = draft_symbol(self, p)
        if p == NULL:
            return NULL
    return p


cdef const char* draft_level(Draft* self, Elements* elements, int side, const char* p) noexcept nogil:
    """One level: what follows it, NULL if no shapes read it."""
    cdef int n = self.stencil.n_reads, i, at = elements.current
    cdef const char* past
    cdef Read* read
    for i in range(elements.count):
        past = draft_element(self, &elements.element[at], p)
        if past != NULL:
            read = draft_step(self, READ_ADD, p)
            if read == NULL:
                return NULL
            read.whose = elements
            read.since = <uint32_t> elements.learned
            read.slot = <uint8_t> side
            read.value = <uint8_t> at
            return past
        self.stencil.n_reads = n
        at = at + 1 if at + 1 < elements.count else 0
    return NULL


cdef const char* draft_levels(Draft* self, Elements* elements, int side, const char* p) noexcept nogil:
    """A list of levels: what follows it, NULL if no shapes read it."""
    p = draft_text(self, p, 1)
    if p == NULL or p == self.end or p[0] == c']':
        return draft_text(self, p, 1) if p != NULL else NULL
    while True:
        p = draft_level(self, elements, side, p)
        if p == NULL or p == self.end or (p[0] != c',' and p[0] != c']'):
            return NULL
        p = draft_text(self, p, 1)
        if (p - 1)[0] == c']':
            return p


cdef const char* draft_step_alone(Draft* self, Op* op, const char* p) noexcept nogil:
    """An operation of a layout that is a value of its own and has no window: what follows it, NULL: none."""
    cdef Read* read = draft_step(self, READ_BOOL if op.kind == OP_BOOL else READ_OTHER, p)
    cdef int64_t slots[N_SLOTS]
    cdef const char* past
    if read == NULL:
        return NULL
    if op.kind == OP_BOOL:
        read.slot = op.slot[0]
        read.value = p < self.end and p[0] == c't'
        return draft_text(self, p, 4 if read.value else 5)
    past = run_other(op, p, self.end, self.safe, slots)
    if past == NULL or past > self.end:
        return NULL
    read.whose = op
    read.slot = <uint8_t> (past - self.data)
    memset(&self.stencil.base[p - self.data], 0, past - p)
    memset(&self.stencil.limit[p - self.data], 255, past - p)
    return past


cdef const char* draft_ops(Draft* self, Layout* layout, const char* p) noexcept nogil:
    """All that a layout reads, from where it begins: what follows it, NULL if no stencil can be made of it."""
    cdef Op* op = layout.op
    cdef int next
    while p != NULL and op.kind != OP_END:
        if op.kind == OP_NUMBERS:
            p = draft_numbers(self, op, READ_SLOTS, p)
        elif op.kind == OP_TEXT:
            p = draft_text(self, p, op.tail + op.gap[0])
        elif op.kind == OP_REAL or op.kind == OP_MOMENT:
            p = draft_shape(self, op, 0, READ_REAL if op.kind == OP_REAL else READ_MOMENT, p, &next)
        elif op.kind == OP_LEVELS:
            p = draft_levels(self, layout.elements[op.slot[1]], op.slot[0], p)
        elif op.kind == OP_LEVEL:
            p = draft_level(self, layout.elements[op.slot[1]], op.slot[0], p)
        elif op.kind == OP_SYMBOL:
            p = draft_symbol(self, p)
        elif op.kind == OP_SKIP:
            p = draft_skip(self, p)
        else:
            p = draft_step_alone(self, op, p)
        op += 1
    return p


cdef const char* draft_part(Draft* self, const Engine* engine, int kind, int layout, bint last,
                            const char* p) noexcept nogil:
    """What one layout of several has just read: what follows it, NULL if no stencil can be made of it."""
    cdef Read* read
    p = draft_ops(self, engine.layout[layout], p) if p != NULL else NULL
    read = draft_step(self, kind, p) if p != NULL else NULL
    if read == NULL:
        return NULL
    read.since = <uint32_t> layout
    read.value = last
    return p


cdef const char* draft_several(Draft* self, const Engine* engine, const Layout* first, const char* p) noexcept nogil:
    """The messages of a frame with several, none with levels, and what stands behind them: what follows, NULL if no
    stencil can be made of it."""
    cdef int i, n = engine.n_parts
    if engine.n_kept != n:
        return NULL
    p = draft_part(self, engine, READ_PART, self.stencil.layout, False, p)
    for i in range(n):
        if p == NULL or engine.kept[i].target != self.stencil.target:
            return NULL
        p = draft_part(self, engine, READ_PART, engine.part[i], i + 1 == n, draft_text(self, p, 1))
    if first.tail:
        return draft_part(self, engine, READ_TAIL, first.tail - 1, False, p)
    return draft_text(self, p, first.n_close) if p != NULL else NULL


cdef bint draft_frame(Draft* self, const Engine* engine, Py_ssize_t prefix) noexcept nogil:
    """Go through a frame that layouts have just read from behind its prefix on; False: no stencil can be made of it."""
    cdef Layout* first = engine.layout[self.stencil.layout]
    cdef const char* p = draft_text(self, self.data, prefix)
    if p == NULL:
        return False
    return (draft_several(self, engine, first, p) if self.stencil.several else draft_ops(self, first, p)) == self.end


cdef void note_stencil(Engine* engine, Route* route, int layout, const char* data, const char* end, const char* safe,
                       uint32_t key, const Message* m) noexcept nogil:
    """Make a stencil of a frame that layouts have just read, the (first) message by `layout`; none any more for a
    stream whose frames seldom fit one."""
    cdef Draft draft
    cdef Stencil made
    cdef Stencil* place
    if route.trust < 0:
        return
    route.trust -= 1
    if engine.stencils.seen[key >> 1 & (STENCILS - 1)] != key:
        engine.stencils.seen[key >> 1 & (STENCILS - 1)] = key
        return
    route.trust -= DRAFT
    if engine.layout[layout].whole or route.trust < 0 or not stencils_ready(&engine.stencils):
        return
    made.n_reads = 0
    made.target = m.target
    made.layout = layout
    made.several = m.more != NULL
    made.key = key
    made.told = route.target
    made.route = <int32_t> (route - engine.routes.route)
    made.life = route.life
    made.size = <int> (end - data)
    draft.stencil = &made
    draft.data = data
    draft.end = end
    draft.safe = safe
    draft.instrument = &engine.symbols.target[m.target]
    draft.shapes = &engine.shapes
    made.scales = scales_word(draft.instrument.price_scale, draft.instrument.qty_scale)
    if not draft_frame(&draft, engine, route.size):
        return
    place = stencil_place(engine, key)
    place[1] = place[0]                           # the older one of the two goes
    place[0] = made
