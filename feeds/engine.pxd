"""What is learned of a venue's frames: instruments, streams, layouts, shapes. One per pipeline."""

from libc.stdint cimport int16_t, int32_t, uint8_t
from libc.stdlib cimport malloc, free
from libc.string cimport memcpy
from orderbook.types cimport Status
from feeds.element cimport Elements, Lists, lists_free
from feeds.layout cimport Layout, learn_layout, same_layout
from feeds.message cimport KIND_DELTA, KIND_SNAPSHOT, Message
from feeds.routes cimport Route, Routes, ROUTE_LAYOUTS, MAX_LEARNS, prefix_size, routes_find, routes_add, routes_free
from feeds.shape cimport ShapePool, pool_free
from feeds.symbols cimport Symbols, Target, symbols_free

cdef enum:
    MAX_LAYOUTS = 256         # of all streams together; what is beyond is read the careful way
    SHORTEST = 16             # bytes of a frame that layouts are learned from and used for

# Reads a list of levels: see `run_levels` of run.pxi.
ctypedef Status (*list_function)(Elements* elements, int side, const char** at, const char* end, const char* safe,
                                 int scales, Message* m, const Target* instrument, ShapePool* shapes,
                                 Message* printed) noexcept nogil

cdef struct Engine:
    Symbols symbols
    Routes routes
    ShapePool shapes
    Lists lists               # how the levels of lists are written
    list_function read_list   # of the runner
    int n_layouts
    int marks                 # see Parser.route_marks,
    int array_marks           # Parser.array_marks
    char mark                 # and Parser.route_mark
    bint by_line              # see Parser.by_line
    int line                  # connection of the frame at work
    Layout* layout[MAX_LAYOUTS]   # Owned

ctypedef Status (*frame_function)(Engine* engine, const char* data, const char* end, const char* safe,
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


cdef inline int engine_line(const Engine* self) noexcept nogil:
    """The connection as far as it says what a stream's name means."""
    return self.line if self.by_line else 0


cdef inline Py_ssize_t engine_prefix(const Engine* self, const char* data, Py_ssize_t size) noexcept nogil:
    """Bytes of a frame that name its stream, 0 if it is not to be learned."""
    if size < SHORTEST:
        return 0
    return prefix_size(data, size, self.mark, self.array_marks if data[0] == c'[' else self.marks)


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


cdef inline void engine_learn(Engine* self, const char* data, Py_ssize_t size, const Message* m,
                              Layout* room) noexcept nogil:
    """Learn from a frame that was read the careful way; `room` is the caller's scratch."""
    cdef Py_ssize_t prefix = engine_prefix(self, data, size)
    cdef Route* route
    cdef int index, i
    if prefix == 0 or m.more != NULL or m.target < 0:
        return
    route = routes_find(&self.routes, data, prefix, engine_line(self))
    if route != NULL:
        if route.target >= 0 and route.target != m.target:
            route.target = -1                     # the text names several instruments
        route.book |= m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT
        if route.learns == MAX_LEARNS:
            return
        route.learns += 1
    if not learn_layout(room, &self.shapes, &self.lists, data, size, prefix, m):
        return
    if not room.names_symbol and not m.fixed_symbol:
        return                                    # nothing would tell whose message it is
    if route == NULL:
        route = routes_add(&self.routes, data, prefix, engine_line(self), m.target)
        if route == NULL:
            return
        route.book = m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT
    index = engine_layout(self, room)
    if index < 0:
        return
    for i in range(route.n_layouts):
        if route.layout[i] == index:
            return
    if route.n_layouts < ROUTE_LAYOUTS:
        i = route.n_layouts
        route.n_layouts += 1
    else:
        i = route.learns % ROUTE_LAYOUTS
    route.layout[i] = <int16_t> index
    route.current = <uint8_t> i
