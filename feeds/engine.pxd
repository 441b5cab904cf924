"""What is learned of a venue's frames: instruments, streams, layouts, shapes. One per pipeline."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport malloc, free
from libc.string cimport memcmp, memcpy
from orderbook.types cimport Status
from feeds.element cimport Elements, Lists, lists_free
from feeds.layout cimport MAX_CLOSE, Layout, learn_layout, note_late, same_layout
from feeds.message cimport (KIND_DELTA, KIND_SNAPSHOT, Message, N_SLOTS, SLOT_LINE_SEQ, TAKE_LEVELS, TAKE_PRICE,
                            TAKE_QTY, TAKE_SYMBOL, Token, bit)
from feeds.routes cimport (Route, Routes, ROUTE_LAYOUTS, ROUTE_PARTS, MAX_LEARNS, prefix_size, routes_find, routes_add,
                           routes_free)
from feeds.scan cimport Cursor, cursor_init, next_is, skip_value
from feeds.shape cimport ShapePool, pool_free
from feeds.stencil cimport Stencils, stencils_free
from feeds.symbols cimport Symbols, Target, symbols_free

cdef enum:
    MAX_LAYOUTS = 256         # of all streams together; what is beyond is read the careful way
    MAX_PARTS = 256           # messages behind the first of a frame,
    KEPT_PARTS = 16           # and of so many of them the values are kept that were read when all were compared
    SHORTEST = 16             # bytes of a frame that layouts are learned from and used for

# Reads a list of levels: see `run_levels` of run.pxi.
ctypedef Status (*list_function)(Elements* elements, int side, const char** at, const char* end, const char* safe,
                                 int scales, Message* m, const Target* instrument, ShapePool* shapes,
                                 Message* printed) noexcept nogil

cdef struct Part:
    # What a message behind the first of its frame has given.
    int32_t target
    const char* more          # where it ends
    int64_t slot[N_SLOTS]

cdef struct Engine:
    Symbols symbols
    Routes routes
    ShapePool shapes
    Stencils stencils
    Lists lists               # how the levels of lists are written
    list_function read_list   # of the runner
    int n_layouts
    int marks                 # see Parser.route_marks,
    int array_marks           # Parser.array_marks
    char mark                 # and Parser.route_mark
    bint by_line              # see Parser.by_line
    int line                  # connection of the frame at work
    int n_parts               # messages behind the first of the frame that was read last,
    int16_t part[MAX_PARTS]   # their layouts,
    int32_t part_target       # and the instrument that the stream's name tells, -1 if it does not
    int next_part             # the one that comes next: those before it are done, or stand in the message at work
    int n_kept                # how many of the first of them are kept: none that has levels
    Part kept[KEPT_PARTS]
    Layout* layout[MAX_LAYOUTS]   # Owned

ctypedef Status (*frame_function)(Engine* engine, const char* data, const char* end, const char* safe,
                                  Message* m) noexcept nogil

# Reads a message behind the first of its frame by a layout; `m.more` is then where it ends.
ctypedef Status (*part_function)(Engine* engine, int layout, const char* p, const char* end, int32_t target,
                                 Message* m) noexcept nogil


cdef inline void engine_free(Engine* self) noexcept nogil:
    """Give all memory back."""
    cdef int i
    for i in range(self.n_layouts):
        free(self.layout[i])
    self.n_layouts = 0
    symbols_free(&self.symbols)
    routes_free(&self.routes)
    pool_free(&self.shapes)
    lists_free(&self.lists)
    stencils_free(&self.stencils)


cdef inline int engine_line(const Engine* self) noexcept nogil:
    """The connection as far as it says what a stream's name means."""
    return self.line if self.by_line else 0


cdef inline int engine_marks(const Engine* self, const char* data) noexcept nogil:
    """Marks up to the end of the text that names a frame's stream."""
    return self.array_marks if data[0] == c'[' else self.marks


cdef inline Py_ssize_t engine_prefix(const Engine* self, const char* data, Py_ssize_t size) noexcept nogil:
    """Bytes of a frame that name its stream, 0 if it is not to be learned."""
    if size < SHORTEST:
        return 0
    return prefix_size(data, size, self.mark, engine_marks(self, data))


cdef inline int engine_layout(Engine* self, Layout* learned) noexcept nogil:
    """Index of this layout, an old one if it does the same; -1 if there is no room."""
    cdef int i
    cdef Layout* layout
    for i in range(self.n_layouts):
        if same_layout(self.layout[i], learned):
            return i
    layout = <Layout*> malloc(sizeof(Layout)) if self.n_layouts < MAX_LAYOUTS else NULL
    if layout == NULL:
        return -1
    memcpy(layout, learned, sizeof(Layout))
    self.layout[self.n_layouts] = layout
    self.n_layouts += 1
    return self.n_layouts - 1


cdef inline int open_brackets(const char* p, const char* past, char* close) noexcept nogil:
    """What closes the brackets that are open behind a piece of good JSON, innermost first: how many, 0 if too many."""
    cdef char kept[MAX_CLOSE]
    cdef int depth = 0, i
    while p != past:
        if p[0] == c'{' or p[0] == c'[':
            if depth == MAX_CLOSE:
                return 0
            kept[depth] = c'}' if p[0] == c'{' else c']'
            depth += 1
        elif p[0] == c'}' or p[0] == c']':
            depth -= 1
        elif p[0] == c'"':
            p += 1
            while p[0] != c'"':
                p += 1 + (p[0] == c'\\')
        p += 1
    for i in range(depth):
        close[i] = kept[depth - 1 - i]
    return depth


cdef inline Py_ssize_t array_end(const char* data, Py_ssize_t past, Py_ssize_t size) noexcept nogil:
    """Where an array ends of which an element has ended at `past`."""
    cdef Cursor c
    cursor_init(&c, data, size, NULL)
    c.pos = data + past
    while next_is(&c, c','):
        skip_value(&c)
    return c.pos - data


cdef inline int learn_tail(Engine* self, const char* data, Py_ssize_t size, Py_ssize_t tail, const Message* m, int own,
                           Layout* room, const Token** symbol) noexcept nogil:
    """Make the layout of what stands behind a frame's last message, of the first one's tokens from `own` on; its index,
    -1 if there is none. `symbol`: the token of the instrument, if it is there."""
    cdef int i, kind
    for i in range(own, m.n_tokens):
        kind = m.token[i].kind
        if <Py_ssize_t> m.token[i].start < tail or kind == TAKE_LEVELS or kind == TAKE_PRICE or kind == TAKE_QTY:
            return -1                             # prices are read before anything behind them says whose they are
        if kind == TAKE_SYMBOL:
            symbol[0] = &m.token[i]
    if not learn_layout(room, &self.shapes, &self.lists, data, size, tail, m, own, m.n_tokens):
        return -1
    room.seen = 0                                 # what is seen is the message's that has this tail
    room.kind = room.late = room.late_lead = 0
    room.whole = False
    return engine_layout(self, room)


cdef inline bint learn_head(Engine* self, const char* data, Py_ssize_t size, Py_ssize_t prefix, const Message* m,
                            Layout* room) noexcept nogil:
    """Make the layout of a frame's first message, behind which others follow; False if it has none.

    All that says what the messages are stands before the second one, or behind the last: brackets alone, or text
    and values that a layout of their own reads.
    """
    cdef Py_ssize_t past = m.more - data - 1, tail
    cdef char close[MAX_CLOSE]
    cdef int n, own = 0, index = -1
    cdef const Token* symbol = NULL
    if past <= prefix or data[past] != c',':
        return False
    while own < m.n_tokens and <Py_ssize_t> m.token[own].end <= past:
        own += 1
    n = open_brackets(data, data + past, close)
    if n == 0:
        return False
    if own < m.n_tokens or size - past <= n or memcmp(data + size - n, close, n) != 0:
        tail = array_end(data, past, size)
        index = learn_tail(self, data, size, tail, m, own, room, &symbol)
        if index < 0:
            return False
    if not learn_layout(room, &self.shapes, &self.lists, data, past, prefix, m, 0, own):
        return False
    room.late = room.late_lead = 0
    if symbol != NULL:
        room.names_symbol = True
        note_late(room, data, size, symbol)
    room.whole = False                            # it is read twice
    room.n_close = n
    memcpy(room.close, close, n)
    room.tail = index + 1
    return True


cdef inline int engine_learn(Engine* self, const char* data, Py_ssize_t size, const Message* m,
                             Layout* room) noexcept nogil:
    """Learn from a frame that was read the careful way, or from its first message; `room` is the caller's scratch.

    Index of the layout, -1 if there is none.
    """
    cdef Py_ssize_t prefix = engine_prefix(self, data, size)
    cdef Route* route
    cdef int index, i
    if prefix == 0 or m.target < 0:
        return -1
    route = routes_find(&self.routes, data, prefix, engine_line(self))
    if route != NULL:
        if route.target >= 0 and route.target != m.target:
            route.target = -1                     # the text names several instruments
        route.book |= m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT
        if route.learns == MAX_LEARNS:
            return -1
        route.learns += 1
    if m.more != NULL:
        if not learn_head(self, data, size, prefix, m, room):
            return -1
    elif not learn_layout(room, &self.shapes, &self.lists, data, size, prefix, m, 0, m.n_tokens):
        return -1
    if not room.names_symbol and not m.fixed_symbol:
        return -1                                 # nothing would tell whose message it is
    if route == NULL:
        route = routes_add(&self.routes, data, prefix, engine_line(self), m.target)
        if route == NULL:
            return -1
        route.book = m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT
    index = engine_layout(self, room)
    if index < 0:
        return -1
    for i in range(route.n_layouts):
        if route.layout[i] == index:
            return index
    if route.n_layouts < ROUTE_LAYOUTS:
        i = route.n_layouts
        route.n_layouts += 1
    else:
        i = route.learns % ROUTE_LAYOUTS
    route.layout[i] = <int16_t> index
    route.current = <uint8_t> i
    return index


cdef inline bint engine_learn_part(Engine* self, const char* data, Py_ssize_t size, Py_ssize_t begin, Py_ssize_t past,
                                   const Message* m, Layout* room, int head) noexcept nogil:
    """Learn from a message behind the first of its frame, whose layout is `head`; False if it has no layout.

    `begin`, `past`: where its element stands. What the message is may follow from all text before it, so its layout
    holds only behind that head, and in that stream.
    """
    cdef Py_ssize_t prefix = engine_prefix(self, data, size)
    cdef Route* route = routes_find(&self.routes, data, prefix, engine_line(self))
    cdef int index, i, own = 0
    cdef bint named = self.layout[head].late != 0     # behind the last message stands what the frame is about
    if route == NULL or route.learns == MAX_LEARNS or m.target < 0 or m.checksum or m.seen & bit(SLOT_LINE_SEQ):
        return False
    while own < m.n_tokens and <Py_ssize_t> m.token[own].end <= past:
        own += 1
    for i in range(own, m.n_tokens):
        if not named or m.token[i].kind != TAKE_SYMBOL:
            return False
    if not learn_layout(room, &self.shapes, &self.lists, data, past, begin, m, 0, own):
        return False
    if not room.names_symbol and not named and not (m.fixed_symbol and route.target == m.target):
        return False
    room.late = room.late_lead = 0
    room.whole = False
    room.part = True
    index = engine_layout(self, room)
    if index < 0:
        return False
    route.book |= m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT
    for i in range(route.n_parts):
        if route.part[i] == index and route.part_head[i] == head:
            return True
    if route.n_parts < ROUTE_PARTS:
        i = route.n_parts
        route.n_parts += 1
    else:
        route.learns += 1
        i = route.learns % ROUTE_PARTS
    route.part[i] = <int16_t> index
    route.part_head[i] = <int16_t> head
    return True
