"""The parser a venue overrides, and the conversion of what it took."""

from libc.stdint cimport int64_t, INT64_MIN
from libc.stdlib cimport free
from orderbook.types cimport Status, OK, BAD_JSON, BAD_VALUE, NEEDS_SCALE, NO_FIT, NO_MEMORY
from orderbook.update cimport Levels, levels_reserve
from feeds.element cimport Elements, elements_learn, lists_find
from feeds.engine cimport Engine
from feeds.fields cimport notes_kept, notes_restore
from feeds.levels cimport LevelText, Piece, take_level
from feeds.message cimport (Form, Message, Token, bit, KIND_IGNORED, SLOT_LEVEL_ID, SLOT_SPARE, TAKE_BOOL,
                            TAKE_CONSTANT, TAKE_DOUBLE, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY, TAKE_TIME)
from feeds.numbers cimport read_own
from feeds.pairs cimport Widths, read_pairs, read_short
from feeds.protobuf cimport next_pair
from feeds.sbe cimport sbe_convert
from feeds.scan cimport Cursor, Text, cursor_init, fail, first_item, go_to, next_item, open_array, peek
from feeds.shape cimport WINDOW, convert_number, note_number, scales_word

from importlib import import_module

cdef extern from *:
    """
    #if defined(__x86_64__)
    #define wb_has_simd() (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"))
    #define wb_has_avx2() (wb_has_simd() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") \\
                           && __builtin_cpu_supports("bmi2"))
    #else
    #define wb_has_simd() 0
    #define wb_has_avx2() 0
    #endif
    """
    bint has_simd "wb_has_simd"() nogil
    bint has_avx2 "wb_has_avx2"() nogil


cdef class Runner:
    """A compiled runner of learned layouts."""


def runners():
    """The modules of all runners that this processor can take, the fastest first."""
    return [name for name, can in (("feeds.run_avx2", has_avx2()), ("feeds.run_simd", has_simd()),
                                   ("feeds.run_scalar", True)) if can]


def best_runner(bint simd=True):
    """The fastest runner this processor can take; `simd=False` gives the scalar twin."""
    return import_module(runners()[0] if simd else "feeds.run_scalar").RUNNER


cdef class Parser:
    """One venue's messages. A venue overrides `parse`; `parse_more` where a frame can hold several messages, and
    `parse_rest` where it has snapshots by REST. A parser takes values (feeds.scan) and converts nothing.

    Parameters: market -- index into VenueSpec.markets of what frames that do not tell belong to.
    """

    def __cinit__(self, *args, int market=0, **options):
        self.market = market
        self.route_mark = c'"'

    def __dealloc__(self):
        free(self.notes.note)

    @property
    def memory(self):
        """What frames have told that later ones need, as bytes; for checkpoints."""
        return notes_kept(&self.notes) or (b"numbered" if self.numbered else b"")

    @memory.setter
    def memory(self, bytes kept):
        self.numbered = kept == b"numbered"
        notes_restore(&self.notes, b"" if self.numbered else kept)

    cdef void head(self, Cursor* c) noexcept nogil:
        """Read what the messages of a frame share; the cursor stands at the frame's beginning, and stays."""

    cdef void read_head(self, Cursor* c, bint again) noexcept nogil:
        """Read the head of the frame: for `parse`, and for `parse_more` (`again`) if another was read in between."""
        cdef Cursor start = c[0]
        if not again or self.frame != c.start:
            self.frame = c.start
            start.pos = c.start
            self.head(&start)

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        """Take the (first) message of a frame, checking the grammar of the whole frame."""
        fail(c, BAD_VALUE, b"a parser that overrides parse")

    cdef void parse_first(self, Cursor* c, Message* m) noexcept nogil:
        """Take the first element of an array of messages, as `parse_more` does, and stand behind the array."""
        cdef const char* past = first_item(c)
        if past == NULL:
            m.kind = KIND_IGNORED                 # nothing has happened
        else:
            self.parse_more(c, m)
            go_to(c, past)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        """Take the next message, at which the cursor stands, of a frame that `parse` has checked."""
        fail(c, BAD_VALUE, b"a venue with several messages in a frame")

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        """Take the snapshot in the body of a REST answer."""
        fail(c, BAD_VALUE, b"a venue with snapshots by REST")


cdef inline Status read_piece(Cursor* c, const Piece* piece, Message* m, int price_scale, int qty_scale,
                              int64_t* out) noexcept nogil:
    """Convert one number of a level. NEEDS_SCALE, with its decimals, is no error of the cursor."""
    cdef int needed = 0
    cdef bint is_price = piece.take == TAKE_PRICE
    cdef Status status = convert_number(piece.take, piece.start, piece.past, price_scale, qty_scale, out, &needed)
    if piece.take == TAKE_QTY and (status == NO_FIT or (status == NEEDS_SCALE and m.own)) and read_own(
            piece.start, piece.past, out):
        status = OK
    if status == NEEDS_SCALE:
        if is_price:
            m.price_decimals = max(m.price_decimals, needed)
        else:
            m.qty_decimals = max(m.qty_decimals, needed)
    elif status != OK:
        c.pos = piece.start
        fail(c, status, b"a price" if is_price else b"a quantity" if piece.take == TAKE_QTY else b"a whole number")
    note_number(m, piece.take, piece.start, piece.past)
    return status


cdef inline Levels* levels_of(Message* m, const Form* form, int list_side, int side) noexcept nogil:
    """Where a level goes; NULL if nothing says its side."""
    if form.seen & bit(SLOT_LEVEL_ID):
        return &m.rows
    if list_side == 2:
        return &m.bids if side > 0 else &m.asks if side < 0 else NULL
    return &m.asks if list_side else &m.bids


cdef inline bint at_end_of(Cursor* c) noexcept nogil:
    """Whether nothing is left of a span."""
    return peek(c) == 0 and c.status == OK


cdef Status read_level(Cursor* c, const Form* form, int list_side, Message* m, int price_scale, int qty_scale,
                       LevelText* level) noexcept nogil:
    """Read one level of a list; NEEDS_SCALE, with what is needed noted, is no error of the cursor."""
    cdef Levels* levels
    cdef Status status
    cdef bint wider = False
    cdef int64_t n, units = 0
    if not take_level(c, form, level):
        return c.status
    levels = levels_of(m, form, list_side, level.side)
    if levels == NULL:
        fail(c, BAD_VALUE, b"a level that says its side")
        return c.status
    n = levels.count
    levels.price[n] = INT64_MIN
    levels.qty[n] = 0
    levels.rank[n] = INT64_MIN
    if level.price != NULL:
        status = read_piece(c, level.price, m, price_scale, qty_scale, &levels.price[n])
        wider |= status == NEEDS_SCALE
    if level.qty != NULL:
        status = read_piece(c, level.qty, m, price_scale, qty_scale, &units)
        wider |= status == NEEDS_SCALE
        levels.qty[n] = 0 if level.gone else units
    if level.seq != NULL:
        read_piece(c, level.seq, m, price_scale, qty_scale, &levels.rank[n])
    elif level.id != NULL:
        read_piece(c, level.id, m, price_scale, qty_scale, &units)
        levels.rank[n] = units << 2 | (1 if level.side > 0 else 2 if level.side < 0 else 0)
    levels.count = n + 1
    return c.status if c.status != OK or not wider else NEEDS_SCALE


cdef Status read_alone(Engine* engine, Cursor* c, const Form* form, int list_side, Message* m, int price_scale,
                       int qty_scale) noexcept nogil:
    """Read a level that is in no list, and learn how it is written."""
    cdef LevelText level
    cdef Status status
    cdef Elements* elements = lists_find(&engine.lists, form)
    cdef const char* first = c.pos
    if not (levels_reserve(&m.bids, m.bids.count + 1) and levels_reserve(&m.asks, m.asks.count + 1)
            and levels_reserve(&m.rows, m.rows.count + 1)):
        return NO_MEMORY
    status = read_level(c, form, list_side, m, price_scale, qty_scale, &level)
    if c.status == OK and status == OK and elements != NULL:
        elements_learn(elements, &engine.shapes, first, c.pos, &level)
    return status if c.status == OK else c.status


cdef Status read_levels(Engine* engine, const char* frame, Cursor* c, const Form* form, int list_side, Message* m,
                        int price_scale, int qty_scale) noexcept nogil:
    """Read a list of levels; a number that needs a wider scale is noted, and the rest read all the same.

    Levels that are written like some that were read before are read in windows, the others are learned from.
    """
    cdef LevelText level
    cdef Status status
    cdef Elements* elements = lists_find(&engine.lists, form)
    cdef Message* printed = m if m.checksum else NULL
    cdef const char* first = c.pos
    cdef const char* at
    cdef bint wider = False, bare = peek(c) != c'['       # bare: some elements of a longer list
    cdef int64_t room = (c.end - c.pos) // 5 + 1
    if not (levels_reserve(&m.bids, m.bids.count + room) and levels_reserve(&m.asks, m.asks.count + room)
            and levels_reserve(&m.rows, m.rows.count + room)):
        return NO_MEMORY
    if peek(c) == c'n':
        return OK
    while True:
        if elements != NULL and not wider and c.end - frame >= WINDOW:
            at = c.pos - (bare and c.pos == first)        # the byte before a level
            status = engine.read_list(elements, list_side, &at, c.end, c.end, scales_word(price_scale, qty_scale), m,
                                      NULL, &engine.shapes, printed)
            if status == OK or status == NO_MEMORY:
                return status
            if at > first:
                c.pos = at
        if c.pos != first:
            c.fresh = False
        elif bare:
            c.fresh = True
        else:
            open_array(c)
        if (bare and at_end_of(c)) or not next_item(c):
            break
        peek(c)
        at = c.pos
        status = read_level(c, form, list_side, m, price_scale, qty_scale, &level)
        wider |= status == NEEDS_SCALE
        if c.status != OK:
            break
        if elements != NULL and not wider:
            elements_learn(elements, &engine.shapes, at, c.pos, &level)
    if c.status == OK and wider:
        return NEEDS_SCALE
    return c.status


cdef Status read_protobuf(Cursor* c, const char* frame, const Form* form, int list_side, Message* m, int price_scale,
                          int qty_scale, Widths* widths) noexcept nogil:
    """Read the levels of one side from the fields of a protobuf message; those of the usual form many at a time."""
    cdef Levels* levels = &m.asks if list_side else &m.bids
    cdef Text price, qty
    cdef Piece piece
    cdef Status status = OK
    cdef bint wider = False
    cdef int64_t n
    piece.quoted = True
    if not levels_reserve(levels, levels.count + (c.end - c.pos) // 8 + 1):
        return NO_MEMORY
    while True:
        if not m.checksum:
            levels.count += read_pairs(&c.pos, c.end, frame, form.list_number, price_scale, qty_scale,
                                       &levels.price[levels.count], &levels.qty[levels.count], widths, True)
        if not next_pair(&c.pos, c.end, form.list_number, &price, &qty, &status):
            break
        n = levels.count
        piece.take = TAKE_PRICE
        piece.start = price.data
        piece.past = price.data + price.size
        wider |= read_piece(c, &piece, m, price_scale, qty_scale, &levels.price[n]) == NEEDS_SCALE
        piece.take = TAKE_QTY
        piece.start = qty.data
        piece.past = qty.data + qty.size
        wider |= read_piece(c, &piece, m, price_scale, qty_scale, &levels.qty[n]) == NEEDS_SCALE
        if c.status != OK:
            return c.status
        levels.count = n + 1
    if status != OK:
        fail(c, status, b"a list of levels")
        return status
    return NEEDS_SCALE if wider else OK


cdef Status convert_binary(const char* frame, Message* m, int price_scale, int qty_scale,
                           Py_ssize_t* offset) noexcept nogil:
    """What `convert_message` does, for numbers that are no text."""
    return sbe_convert(frame, m, price_scale, qty_scale, offset)


cdef Status convert_message(Engine* engine, const char* frame, Message* m, int price_scale, int qty_scale,
                            Py_ssize_t* offset) noexcept nogil:
    """Turn the tokens of a message into values. NEEDS_SCALE: `m` tells how many decimals prices and quantities need.

    `offset` is the byte where a status other than OK arose.
    """
    cdef int i, needed
    cdef Token* token
    cdef Widths widths
    cdef Status status, result = OK
    cdef Cursor c
    if m.binary:
        return convert_binary(frame, m, price_scale, qty_scale, offset)
    widths.head = 0
    m.price_decimals = m.qty_decimals = 0
    m.bids.count = m.asks.count = m.rows.count = 0
    for i in range(m.n_tokens):
        token = &m.token[i]
        status = OK
        if ((token.kind == TAKE_PRICE or token.kind == TAKE_QTY) and token.start > 16
                and read_short(frame + token.end, <int> (token.end - token.start),
                               price_scale if token.kind == TAKE_PRICE else qty_scale, &m.slot[token.slot])):
            pass                                  # as it is nearly always written
        elif token.kind <= TAKE_DOUBLE or token.kind >= TAKE_TIME:
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
            if token.form.protobuf:
                status = read_protobuf(&c, frame, token.form, token.slot, m, price_scale, qty_scale, &widths)
            elif token.value:
                status = read_alone(engine, &c, token.form, token.slot, m, price_scale, qty_scale)
            else:
                status = read_levels(engine, frame, &c, token.form, token.slot, m, price_scale, qty_scale)
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
