"""Checkpoints: all that a pipeline knows of its books as bytes, and a pipeline that goes on from there.

What follows gives the same books, states and figures as it would have without. Left out is what only makes it quicker
(learned layouts, texts that were kept) and what is measured by our clock (durations). Structs stand in a checkpoint as
they stand in memory: `VERSION` has to change with them (tests/feeds/test_checkpoint.py sees to that), and a checkpoint
of another version or kind of machine is refused: whoever has the records before it can begin there.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, INT64_MIN
from libc.stdlib cimport calloc, malloc
from libc.string cimport memcmp, memcpy, memset
from orderbook.book cimport Book
from orderbook.core cimport BookData, MAX_SCALE, book_apply_snapshot, book_clear, lock_take, ticks_set, write_end
from orderbook.ladder cimport Ladder, Walk, walk_next, walk_start
from orderbook.types cimport OK, BOOK_EMPTY, BOOK_STALE, qty_t
from orderbook.update cimport Levels, levels_free, levels_reserve
from feeds.arbiter cimport MAX_PLACES
from feeds.levelmap cimport LevelMap, map_put, map_reserve
from feeds.lines cimport ANY_LINES, Group, Lane, Shared
from feeds.message cimport message_clear
from feeds.path cimport Counters, Path, path_note
from feeds.pipeline cimport Pipeline
from feeds.routes cimport PREFIX, Route, SHORTEST_PREFIX, routes_add, routes_free
from feeds.symbols cimport symbols_find
from feeds.sync cimport LineCount
from feeds.track cimport Held, Pending, Track, WHY_TOLD, track_free

import sys

from feeds.report import FeedError
from msgspec import MsgspecError, msgpack

VERSION = 2

cdef enum:
    MAX_PENDING = 1 << 22     # bytes of messages that wait in buffers; with more of them there is no checkpoint

cdef tuple SIZES = (sys.byteorder, sizeof(Track), sizeof(Shared), sizeof(Held), sizeof(Lane), sizeof(Group),
                    sizeof(LineCount), sizeof(Counters))


class CheckpointError(ValueError):
    """Bytes are no checkpoint, or none that this build and pipeline can go on from."""


# ---- out

cdef inline bytes raw(const void* data, Py_ssize_t size):
    return PyBytes_FromStringAndSize(<const char*> data, size)


cdef bint is_zero(const void* data, Py_ssize_t size) noexcept:
    cdef const char* p = <const char*> data
    return p[0] == 0 and memcmp(p, p + 1, size - 1) == 0


cdef bytes levels_of(const Ladder* side, int64_t tick):
    """Prices, then quantities, best first."""
    cdef bytes found = PyBytes_FromStringAndSize(NULL, 16 * side.n_levels)
    cdef char* to = PyBytes_AS_STRING(found)
    cdef int64_t i = 0, rank, price
    cdef qty_t qty
    cdef Walk walk
    walk_start(&walk, side)
    while walk_next(&walk, &rank, &qty):
        price = side.sign * tick * rank
        memcpy(to + 8 * i, &price, 8)
        memcpy(to + 8 * (side.n_levels + i), &qty, 8)
        i += 1
    return found


cdef bytes map_of(const LevelMap* map):
    """Keys and values in turn."""
    cdef bytes found = PyBytes_FromStringAndSize(NULL, 16 * map.count)
    cdef char* to = PyBytes_AS_STRING(found)
    cdef int64_t i
    for i in range(map.n_slots):
        if map.key[i] != INT64_MIN:
            memcpy(to, &map.key[i], 8)
            memcpy(to + 8, &map.value[i], 8)
            to += 16
    return found


cdef tuple pending_of(const Pending* pending):
    return pending.count, raw(pending.data, pending.size) if pending.size else b""


cdef bytes track_of(const Track* track):
    """The struct without its pointers, and what is the reader's own."""
    cdef Track copy = track[0]
    copy.book = NULL
    copy.held = NULL
    copy.shared = NULL
    copy.received = NULL
    copy.stages = NULL
    memset(&copy.pending, 0, sizeof(Pending))
    memset(&copy.ids, 0, sizeof(LevelMap))
    memset(&copy.offsets, 0, sizeof(LevelMap))
    copy.dirty = False
    copy.version = 0
    return raw(&copy, sizeof(Track))


cdef bytes shared_of(const Shared* shared):
    cdef Shared copy = shared[0]
    memset(&copy.held, 0, sizeof(Pending))
    return raw(&copy, sizeof(Shared))


cdef list book_of(Pipeline self, int32_t i):
    """All of one instrument."""
    cdef Track* track = &self.path.track[i]
    cdef BookData* data = track.book
    cdef Book book = self.book_list[i]
    return [
        book.symbol, self.path.engine.symbols.target[i].variant, self.path.engine.symbols.target[i].wanted,
        [data.price_scale, data.qty_scale, data.status, data.fresh_ticks, data.ticks.size, data.sequence,
         data.exchange_ns, data.receive_ns, data.absent, data.trusted_bid, data.trusted_ask],
        levels_of(&data.bids, data.ticks.size), levels_of(&data.asks, data.ticks.size), book.reason, book.since_ns,
        track_of(track), map_of(&track.ids), map_of(&track.offsets), pending_of(&track.pending),
        None if track.held == NULL else raw(track.held, sizeof(Held)),
        None if track.shared == NULL else shared_of(track.shared),
        None if track.shared == NULL else pending_of(&track.shared.held),
    ]


def take(Pipeline pipeline not None):
    """The state of a pipeline between two messages as bytes; None if too much waits in buffers for a snapshot."""
    cdef Path* path = &pipeline.path
    cdef Route* route
    cdef int64_t waiting = 0
    cdef int32_t i
    if path.n_changes or path.replaying:
        raise RuntimeError("a checkpoint is taken between two messages, not within one")
    for i in range(path.engine.symbols.count):
        waiting += path.track[i].pending.size
        if path.track[i].shared != NULL:
            waiting += path.track[i].shared.held.size
    if waiting > MAX_PENDING:
        return None
    routes = []
    for i in range(path.engine.routes.count):
        route = &path.engine.routes.route[i]
        routes.append((route.prefix[:route.size], route.line, route.target, bool(route.book)))
    error = pipeline.error
    return msgpack.encode([
        VERSION, SIZES, pipeline.venue, pipeline.spec.wire, pipeline.market_name, bool(pipeline.all_symbols),
        bool(path.strict), raw(&path.counts, sizeof(Counters)), path.needs, path.newest, path.of.wanted,
        {i: raw(&path.of.lane[i], sizeof(Lane)) for i in range(ANY_LINES)
         if not is_zero(&path.of.lane[i], sizeof(Lane))},
        {i: raw(&path.of.group[i], sizeof(Group)) for i in range(ANY_LINES)
         if not is_zero(&path.of.group[i], sizeof(Group))},
        {i: raw(&path.lines[i], sizeof(LineCount)) for i in range(ANY_LINES)
         if not is_zero(&path.lines[i], sizeof(LineCount))},
        getattr(pipeline.parser, "memory", b""), routes,
        [(target, why, count) for (target, why), count in pipeline.changed.items()],
        None if error is None else (error.symbol, error.offset, error.expected),
        [book_of(pipeline, i) for i in range(path.engine.symbols.count)],
    ])


# ---- in

cdef int fill(void* to, bytes data, Py_ssize_t size, str what) except -1:
    """Copy a struct."""
    if PyBytes_GET_SIZE(data) != size:
        raise CheckpointError(f"expected {size} bytes of {what}, found {len(data)}")
    memcpy(to, PyBytes_AS_STRING(data), size)
    return 0


cdef int fill_levels(Levels* levels, bytes data) except -1:
    cdef Py_ssize_t n = PyBytes_GET_SIZE(data) // 16
    if not levels_reserve(levels, n):
        raise MemoryError(f"no memory for {n} levels")
    memcpy(levels.price, PyBytes_AS_STRING(data), 8 * n)
    memcpy(levels.qty, PyBytes_AS_STRING(data) + 8 * n, 8 * n)
    levels.count = n
    return 0


cdef int fill_map(LevelMap* map, bytes data) except -1:
    cdef Py_ssize_t i, n = PyBytes_GET_SIZE(data) // 16
    cdef const char* at = PyBytes_AS_STRING(data)
    cdef int64_t pair[2]
    memset(map, 0, sizeof(LevelMap))
    if n and not map_reserve(map, n):
        raise MemoryError(f"no memory for {n} levels")
    for i in range(n):
        memcpy(pair, at + 16 * i, 16)
        map_put(map, pair[0], pair[1])
    return 0


cdef int fill_pending(Pending* pending, told) except -1:
    cdef bytes data
    memset(pending, 0, sizeof(Pending))
    count, data = told
    if PyBytes_GET_SIZE(data):
        pending.data = <char*> malloc(PyBytes_GET_SIZE(data))
        if pending.data == NULL:
            raise MemoryError(f"no memory for {len(data)} bytes of messages")
        memcpy(pending.data, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        pending.size = pending.room = PyBytes_GET_SIZE(data)
    pending.count = count
    return 0


cdef int fill_track(Track* track, BookData* book, list told) except -1:
    """Put an instrument's state in the place of the present one."""
    cdef bytes data, ids, offsets
    data, ids, offsets, pending, held, shared, shared_held = told
    track_free(track)
    fill(track, data, sizeof(Track), "an instrument")     # without a pointer
    track.book = book
    fill_map(&track.ids, ids)
    fill_map(&track.offsets, offsets)
    fill_pending(&track.pending, pending)
    if held is not None:
        track.held = <Held*> calloc(1, sizeof(Held))
        if track.held == NULL:
            raise MemoryError("no memory for an instrument")
        fill(track.held, held, sizeof(Held), "values of partial messages")
    if shared is not None:
        track.shared = <Shared*> calloc(1, sizeof(Shared))
        if track.shared == NULL:
            raise MemoryError("no memory for an instrument")
        fill(track.shared, shared, sizeof(Shared), "what several lines carry")
        fill_pending(&track.shared.held, shared_held)
        track.shared.group &= ANY_LINES - 1
    return 0


cdef int fill_book(BookData* book, list numbers, bytes bids, bytes asks) except -1:
    """Put a book's levels and numbers in the place of the present ones."""
    cdef Levels bid_levels, ask_levels
    price_scale, qty_scale, status, fresh, tick, sequence, exchange_ns, receive_ns, absent, trusted_bid, trusted_ask = (
        numbers)
    if not (0 <= price_scale <= MAX_SCALE and 0 <= qty_scale <= MAX_SCALE and tick > 0
            and BOOK_EMPTY <= status <= BOOK_STALE):
        raise CheckpointError(f"expected the scales, tick and state of a book, found {numbers}")
    memset(&bid_levels, 0, sizeof(Levels))
    memset(&ask_levels, 0, sizeof(Levels))
    book_clear(book, BOOK_EMPTY)
    lock_take(&book.lock)
    book.price_scale = price_scale
    book.qty_scale = qty_scale
    book.fresh_ticks = False
    ticks_set(&book.ticks, tick)
    write_end(book)
    try:
        fill_levels(&bid_levels, bids)
        fill_levels(&ask_levels, asks)
        if book_apply_snapshot(book, &bid_levels, &ask_levels, sequence, exchange_ns, receive_ns, status) != OK:
            raise CheckpointError("expected levels that a book can hold")
    finally:
        levels_free(&bid_levels)
        levels_free(&ask_levels)
    book.fresh_ticks = fresh
    book.absent = absent
    book.trusted_bid = trusted_bid
    book.trusted_ask = trusted_ask
    return 0


cdef int drop(Pipeline self, int32_t i) except -1:
    """Make an instrument as if it had never been heard of."""
    cdef Track* track = &self.path.track[i]
    cdef BookData* data = track.book
    cdef Book book = self.book_list[i]
    track_free(track)
    memset(track, 0, sizeof(Track))
    track.book = data
    track.line = -1
    track.resync = self.path.resync
    book_clear(data, BOOK_EMPTY)
    data.fresh_ticks = True
    book.reason = ""
    book.since_ns = 0
    self.path.engine.symbols.target[i].wanted = self.path.of.wanted if self.all_symbols else 0
    return 0


def restore(Pipeline pipeline not None, bytes state not None, symbols=None, str reason=None):
    """Make a pipeline of the same venue go on from a checkpoint. Books it has already stay the same objects, and are
    EMPTY if the checkpoint does not know them.

    Parameters: symbols -- of these only, as the venue writes them. reason -- what a handler's on_status is told of
    books whose state is another one now; None: it is told nothing.
    Raises: CheckpointError, with the pipeline as it was, for a checkpoint of another version, kind of machine or venue.
    """
    cdef Path* path = &pipeline.path
    cdef int32_t i, index
    cdef Route* route
    cdef Book book
    cdef bytes prefix, name
    cdef dict places = {}
    cdef list before = [(<Book> book).status for book in pipeline.book_list] if reason is not None else []
    try:
        told = msgpack.decode(state, strict=False)
        if not isinstance(told, list) or len(told) < 3 or told[0] != VERSION or tuple(told[1]) != SIZES:
            found = f"version {told[0]!r}" if isinstance(told, list) and told else "something else"
            raise CheckpointError(f"expected a checkpoint of version {VERSION} for {SIZES}, found {found}")
        if told[2] != pipeline.venue:
            raise CheckpointError(f"expected a checkpoint of {pipeline.venue}, found {told[2]!r}")
        (wire, market, all_symbols, strict, counts, needs, newest, wanted, lanes, groups, lines, memory, routes,
         changed, error, books) = told[3:]
    except (MsgspecError, TypeError, ValueError) as failure:
        if isinstance(failure, CheckpointError):
            raise
        raise CheckpointError(f"expected a checkpoint, found {failure}") from None
    pipeline.market_name = market
    pipeline.read_wire(wire)
    if memory:
        pipeline.parser.memory = memory
    if symbols is None:
        pipeline.all_symbols = all_symbols
    path.strict = strict
    fill(&path.counts, counts, sizeof(Counters), "counters")
    path.needs = needs
    path.newest = newest
    path.n_changes = 0
    path.of.wanted = wanted
    path.of.only = -1
    memset(path.of.lane, 0, sizeof(path.of.lane))
    memset(path.of.group, 0, sizeof(path.of.group))
    memset(path.lines, 0, sizeof(path.lines))
    for i, data in lanes.items():
        fill(&path.of.lane[i & (ANY_LINES - 1)], data, sizeof(Lane), "a line")
        path.of.lane[i & (ANY_LINES - 1)].group &= ANY_LINES - 1
        path.of.lane[i & (ANY_LINES - 1)].place &= MAX_PLACES - 1
    for i, data in groups.items():
        fill(&path.of.group[i & (ANY_LINES - 1)], data, sizeof(Group), "a group of lines")
    for i, data in lines.items():
        fill(&path.lines[i & (ANY_LINES - 1)], data, sizeof(LineCount), "a line's numbers")
    message_clear(&path.message)
    pipeline.control_list = []
    pipeline.any_dirty = False
    for i in range(path.engine.symbols.count):
        drop(pipeline, i)
    for i, (symbol, variant, is_wanted, numbers, bids, asks, cause, since_ns, *rest) in enumerate(books):
        if symbols is not None and symbol not in symbols:
            continue
        name = symbol.encode()
        index = symbols_find(&path.engine.symbols, name, len(name), variant)
        if index < 0:
            index = pipeline.instrument(symbol, variant)
        places[i] = index
        book = pipeline.book_list[index]
        fill_track(&path.track[index], book.data, rest)
        fill_book(book.data, numbers, bids, asks)
        path.engine.symbols.target[index].price_scale = numbers[0]
        path.engine.symbols.target[index].qty_scale = numbers[1]
        path.engine.symbols.target[index].wanted = is_wanted
        book.reason = cause
        book.since_ns = since_ns
    routes_free(&path.engine.routes)                  # those of the checkpoint say whose a frame is that cannot be read
    for prefix, line, i, is_book in routes:
        if (i < 0 or i in places) and SHORTEST_PREFIX <= len(prefix) < PREFIX:
            route = routes_add(&path.engine.routes, prefix, len(prefix), line, places.get(i, -1))
            if route != NULL:
                route.book = is_book
    pipeline.changed = {(places[i], why): count for i, why, count in changed if i in places}
    pipeline.error = None if error is None else FeedError(pipeline.venue, *error)
    for i, old in enumerate(before):
        if old != pipeline.book_list[i].status:
            path_note(path, i, old, pipeline.book_list[i].status, WHY_TOLD, 0, 0)
    pipeline.lost_reason = reason
    try:
        pipeline.tell()
    finally:
        pipeline.lost_reason = None
