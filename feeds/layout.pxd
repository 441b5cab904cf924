"""Learned layouts: what a venue's frames of one kind have in common, so that the next one is only compared.

A venue writes the frames of a stream with the same text between the values. After the careful parser has read one
frame, its tokens say where the values stood; all bytes between them become a *layout*: a list of operations, each
"this text must stand here, then a number". A later frame is run through the operations: every byte that is no value
is compared, every value is checked, so what is accepted has the same grammar as the frame that was learned from, and
a frame that differs anywhere (another order of keys, a new key, white space) is read by the careful parser instead.
A layout can make nothing wrong, only fast: text that a parser looked at but did not take is text that must repeat.

Numbers are read 32 bytes at a time through *shapes*: for one width of the numbers (say 5.2 and 1.3 digits), which
bytes must be digits, which must be what, and which digit counts how much. The shape of the last frame is tried
first: when it fits, no byte has to wait for the length of the number before it.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, malloc, free
from libc.string cimport memcmp, memcpy, memset
from orderbook.types cimport Status, OK, NEGATIVE_QTY, NO_FIT, NOT_COVERED
from orderbook.core cimport POWER
from feeds.message cimport (Form, Message, Token, variant_of, COUNT_FIELD, SLOT_LEVEL_PRICE, SLOT_SPARE, TAKE_ID,
                            TAKE_TIME, TAKE_INT, TAKE_PRICE, TAKE_QTY, TAKE_DOUBLE, TAKE_BOOL, TAKE_SYMBOL, TAKE_TEXT,
                            TAKE_LEVELS, TAKE_CONSTANT, TAKE_ANY)
from feeds.numbers cimport read_double, read_id, read_integer, read_time, read_units
from feeds.levels cimport LevelText, Piece, take_level
from feeds.scan cimport Cursor, cursor_init, is_digit, next_item, open_array, peek, scan_number

cdef extern from *:
    int ctz32 "__builtin_ctz"(uint32_t x) nogil

cdef enum:
    OP_TEXT = 0               # text that must stand here
    OP_NUMBER = 1             # text, then a number
    OP_PAIR = 2               # text, a number, text, a number, all within one window
    OP_LEVELS = 3             # an array of levels
    OP_SYMBOL = 4             # the text of the instrument
    OP_SKIP = 5               # text up to the next quote
    OP_BOOL = 6               # true or false
    OP_REAL = 7               # text, then a number that becomes a double
    OP_END = 8                # the frame ends here
    OP_MIX = 9                # text that must stand here, with values between that are stepped over; see Mix
    OP_OTHER = 10             # a time or a name in a form that no window reads

cdef enum:
    WINDOW = 32               # bytes looked at in one step
    MAX_OPS = 64
    MAX_CONSTANTS = 8
    MAX_COPIES = 4
    MAX_ELEMENTS = 6          # ways to write a level that one list remembers
    MAX_ELEMENT_OPS = 8
    TAIL = 3                  # bytes of text after the last number that share its window, in an element
    MAX_LEAD = 2              # bytes before the first number of an element that are compared one by one
    KNOWN = 32                # shapes one operation remembers
    PROBES = 8                # places of `known` that are looked at for a shape
    MAX_SHAPES = 2048         # shapes of all operations; more are read the careful way
    NO_SCALES = 0xffff        # `scales_word` while the instrument is not known
    MIX_ROOM = 128            # bytes of a mix while it is learned
    ROOM_FOR_TEXT = 12        # bytes of text at most that share a window with a number

cdef enum Mix:
    # Bytes in the text of an OP_MIX that stand for a value.
    MIX_TEXT = 1              # text up to the next quote
    MIX_NUMBER = 2            # a bare number
    MIX_COUNT = 3             # a bare number that is not 0
    MIX_QUOTED_COUNT = 4      # the same, in quotes

cdef struct Elements

cdef struct Shape:
    uint8_t base[32]          # subtracted from each byte of the window ...
    uint8_t limit[32]         # ... what is left may be at most this: 9 a digit, 0 this byte, 255 any byte
    uint8_t pick[4][16]       # bytes that become digits: of either half of the window, for each of two chains
    uint32_t look             # what it is found by, see `learn_shape`
    uint8_t scale[2]          # scales the numbers are read with
    uint16_t scales           # price scale and, shifted by 8, quantity scale it was made for ...
    uint16_t scales_used      # ... and which bits of them matter
    uint8_t size              # bytes of the window it covers
    uint8_t chains            # 0: two numbers of up to 8 digits in one chain; else 1 or 2 numbers of up to 16

cdef struct ShapePool:
    Shape* shape              # room for MAX_SHAPES, made at once: pointers to shapes stay valid. Owned
    int count

cdef struct Op:
    uint8_t kind              # OP_...
    uint8_t size              # bytes of text before the (first) number
    uint8_t middle            # bytes of text between two numbers
    uint8_t tail              # bytes of text after the last number
    uint8_t numbers           # 0, 1 or 2
    uint8_t take[2]           # TAKE_... of each number
    uint8_t slot[2]           # slot of each number; of a list of levels, its side
    bint quoted               # numbers stand in quotes
    const Shape* current      # shape that fitted last, NULL none; borrowed from the pool
    const Shape* previous     # the one that fitted before it: widths often alternate
    Elements* elements        # of a list: ways in which its levels were written, NULL without one. See `layout_free`
    const Form* form          # of a list
    int16_t known[KNOWN]      # shapes that fitted, by a hash of their `look`; -1 free
    char text[WINDOW]         # the text: before, between, after

cdef struct Element:
    # One way to write a level of a list.
    int n_ops
    int side                  # +1 bid, -1 ask, 0 the list says it
    bint gone                 # such a level is removed
    bint plain                # one window holds it all, and its lead is all that stands before
    uint8_t lead_size
    char lead[MAX_LEAD]
    Op op[MAX_ELEMENT_OPS]    # their slots count from SLOT_LEVEL_PRICE

cdef struct Elements:
    int count
    int current               # the one that fitted last
    Element element[MAX_ELEMENTS]

cdef struct Layout:
    int n_ops
    int kind                  # what the message is
    int variant               # which of the books that share a symbol; see `variant_of`
    int link                  # how the numbers are judged
    int checksum              # what SLOT_CHECKSUM is
    int cut                   # levels a side that are kept
    int resync                # how a new snapshot is had
    bint names_symbol         # an operation reads the instrument's text
    uint64_t seen             # slots that are filled
    int n_constants
    int constant_slot[MAX_CONSTANTS]
    int64_t constant[MAX_CONSTANTS]
    int n_copies
    int copy_to[MAX_COPIES]   # slots that hold the same number
    int copy_from[MAX_COPIES]
    int late                  # bytes from the end of the instrument's text to the frame's, where it stands behind
    int late_lead             # prices; and between the quote before it and its first. 0, 0: it does not
    Op op[MAX_OPS]


cdef inline void pool_free(ShapePool* self) noexcept nogil:
    """Give the memory back."""
    free(self.shape)
    self.shape = NULL
    self.count = 0


# ---- learning a layout from the tokens of a frame

cdef inline Op* add_op(Layout* self, int kind) noexcept nogil:
    """The next operation, empty; NULL if there are too many."""
    cdef Op* op
    if self.n_ops == MAX_OPS:
        return NULL
    op = &self.op[self.n_ops]
    self.n_ops += 1
    memset(op, 0, sizeof(Op))
    memset(op.known, 0xff, sizeof(op.known))
    op.kind = <uint8_t> kind
    return op


cdef inline bint add_text(Layout* self, const char* text, Py_ssize_t size) noexcept nogil:
    """Operations for text of any length."""
    cdef Py_ssize_t part
    cdef Op* op
    while size > 0:
        part = size if size < WINDOW else WINDOW
        op = add_op(self, OP_TEXT)
        if op == NULL:
            return False
        memcpy(op.text, text, part)
        op.size = <uint8_t> part
        text += part
        size -= part
    return True


cdef inline bint is_number(int take) noexcept nogil:
    """Whether tokens of this kind are numbers."""
    return take <= TAKE_DOUBLE


cdef inline bint may_pair(const Token* first, const Token* second, Py_ssize_t before) noexcept nogil:
    """Whether two numbers fit one window with room to grow."""
    cdef Py_ssize_t size = <Py_ssize_t> second.end - <Py_ssize_t> first.start + before
    return ((first.kind == TAKE_PRICE or first.kind == TAKE_QTY)
            and (second.kind == TAKE_PRICE or second.kind == TAKE_QTY)
            and before <= ROOM_FOR_TEXT and second.start - first.end <= ROOM_FOR_TEXT and size <= WINDOW - 2)


cdef inline bint all_digits(const char* p, const char* past) noexcept nogil:
    """Whether a text is a whole number of at most 18 digits."""
    if not 0 < past - p <= 18:
        return False
    while p != past:
        if not is_digit(p[0]):
            return False
        p += 1
    return True


cdef inline bint same_op(const Op* a, const Op* b) noexcept nogil:
    """Whether two operations do the same; a list's elements may differ."""
    return (a.kind == b.kind and a.size == b.size and a.middle == b.middle and a.tail == b.tail
            and a.take[0] == b.take[0] and a.take[1] == b.take[1] and a.slot[0] == b.slot[0]
            and a.slot[1] == b.slot[1] and a.quoted == b.quoted and a.form == b.form
            and memcmp(a.text, b.text, WINDOW) == 0)


cdef inline bint same_element(const Element* a, const Element* b) noexcept nogil:
    """Whether two ways to write a level are the same."""
    cdef int i
    if (a.n_ops != b.n_ops or a.side != b.side or a.gone != b.gone or a.lead_size != b.lead_size
            or memcmp(a.lead, b.lead, MAX_LEAD) != 0):
        return False
    for i in range(a.n_ops):
        if not same_op(&a.op[i], &b.op[i]):
            return False
    return True


cdef inline bint element_mix(Element* self, const char* mix, int size) noexcept nogil:
    """Add a text with values between; False if there are too many operations."""
    cdef Op* op
    cdef int part
    while size > 0:
        part = min(size, <int> WINDOW)
        if self.n_ops == MAX_ELEMENT_OPS:
            return False
        op = &self.op[self.n_ops]
        self.n_ops += 1
        op.kind = OP_MIX
        op.size = <uint8_t> part
        memcpy(op.text, mix, part)
        mix += part
        size -= part
    return True


cdef inline bint mix_add(char* mix, int* size, const char* text, Py_ssize_t n) noexcept nogil:
    """Append text to a mix; False if it does not fit or has a byte that stands for a value."""
    cdef Py_ssize_t i
    if size[0] + n + 1 > MIX_ROOM:
        return False
    for i in range(n):
        if <uint8_t> text[i] <= MIX_QUOTED_COUNT:
            return False
        mix[size[0]] = text[i]
        size[0] += 1
    return True


cdef inline bint is_value(const Piece* piece) noexcept nogil:
    """Whether a member of a level is a number that is kept."""
    return piece.slot != SLOT_SPARE


cdef inline bint learn_element(Element* self, const char* text, const char* past,
                               const LevelText* level) noexcept nogil:
    """Make the operations that read a level like this one; False if there are none."""
    cdef char mix[MIX_ROOM]
    cdef int i = 0, size = 0, rest
    cdef bint pure = True
    cdef const char* at = text
    cdef const Piece* piece
    cdef const Piece* second
    cdef Op* op
    memset(self, 0, sizeof(Element))
    self.side = level.side
    self.gone = level.gone
    while i < level.n:
        piece = &level.piece[i]
        i += 1
        if not mix_add(mix, &size, at, piece.start - at):
            return False
        at = piece.past
        if not is_value(piece):
            mix[size] = (MIX_TEXT if piece.take == TAKE_TEXT else MIX_NUMBER if piece.take != COUNT_FIELD
                         else MIX_QUOTED_COUNT if piece.quoted else MIX_COUNT)
            size += 1
            pure = False
            continue
        if pure and self.n_ops == 0 and size <= MAX_LEAD and self.lead_size == 0:
            self.lead_size = <uint8_t> size
            memcpy(self.lead, mix, size)
            size = 0
        elif not pure or size > ROOM_FOR_TEXT:
            if not element_mix(self, mix, size):
                return False
            size = 0
        if self.n_ops == MAX_ELEMENT_OPS:
            return False
        op = &self.op[self.n_ops]
        self.n_ops += 1
        memset(op.known, 0xff, sizeof(op.known))
        op.kind = OP_NUMBER
        op.size = <uint8_t> size
        memcpy(op.text, mix, size)
        op.numbers = 1
        op.take[0] = <uint8_t> piece.take
        op.slot[0] = <uint8_t> (piece.slot - SLOT_LEVEL_PRICE)
        op.quoted = piece.quoted
        second = &level.piece[i] if i < level.n else NULL
        if second != NULL and is_value(second) and second.quoted == piece.quoted and (
                piece.take != TAKE_INT and second.take != TAKE_INT and second.start - at <= ROOM_FOR_TEXT
                and second.past - piece.start + size <= WINDOW - 2):
            op.kind = OP_PAIR
            op.numbers = 2
            op.middle = <uint8_t> (second.start - at)
            memcpy(op.text + size, at, op.middle)
            op.take[1] = <uint8_t> second.take
            op.slot[1] = <uint8_t> (second.slot - SLOT_LEVEL_PRICE)
            at = second.past
            i += 1
        rest = <int> ((level.piece[i].start if i < level.n else past) - at)
        op.tail = <uint8_t> min(rest, <int> TAIL)
        if op.tail == 0:
            return False
        memcpy(op.text + op.size + op.middle, at, op.tail)
        at += op.tail
        size = 0
        pure = True
    if not mix_add(mix, &size, at, past - at) or not element_mix(self, mix, size):
        return False
    op = &self.op[0]
    self.plain = (self.n_ops == 1 and op.kind == OP_PAIR and op.size == 0 and (past - 1)[0] == c']'
                  and op.take[0] == TAKE_PRICE and not self.gone)
    if self.plain:
        op.kind = OP_LEVELS
    return self.n_ops > 0


cdef inline bint elements_add(Elements* self, const Element* element) noexcept nogil:
    """Remember a way to write a level; False if it was known."""
    cdef int i
    for i in range(self.count):
        if same_element(&self.element[i], element):
            return False
    i = self.count if self.count < MAX_ELEMENTS else MAX_ELEMENTS - 1
    self.element[i] = element[0]
    self.count = i + 1
    return True


cdef inline bint learn_elements(Op* op, const char* data, Py_ssize_t size) noexcept nogil:
    """Learn how the levels of a list are written; False if they cannot be read in windows."""
    cdef Cursor c
    cdef LevelText level
    cdef Element* element = <Element*> malloc(sizeof(Element))
    cdef const char* first
    cdef bint good = element != NULL
    cursor_init(&c, data, size, NULL)
    open_array(&c)
    while good and next_item(&c):
        peek(&c)
        first = c.pos
        good = take_level(&c, op.form, &level) and learn_element(element, first, c.pos, &level)
        if good and op.elements == NULL:
            op.elements = <Elements*> malloc(sizeof(Elements))
            good = op.elements != NULL
            if good:
                op.elements.count = op.elements.current = 0
        if good:
            elements_add(op.elements, element)
    free(element)
    return good and c.status == OK


cdef inline void layout_free(Layout* self) noexcept nogil:
    """Give back what the operations of a layout own."""
    cdef int i
    for i in range(self.n_ops):
        free(self.op[i].elements)
        self.op[i].elements = NULL


cdef inline void layout_merge(Layout* self, const Layout* other) noexcept nogil:
    """Add the ways to write a level that another layout, which does the same, has met."""
    cdef int i, j
    for i in range(self.n_ops):
        if other.op[i].elements == NULL:
            continue
        if self.op[i].elements == NULL:
            self.op[i].elements = <Elements*> calloc(1, sizeof(Elements))
            if self.op[i].elements == NULL:
                continue
        for j in range(other.op[i].elements.count):
            elements_add(self.op[i].elements, &other.op[i].elements.element[j])


cdef inline bint copy_slot(Layout* self, const Token* token, const Token* before) noexcept nogil:
    """One number for two slots; False if it is kept in two ways."""
    if self.n_copies == MAX_COPIES or (token.kind == TAKE_DOUBLE) != (before.kind == TAKE_DOUBLE) or (
            (token.kind == TAKE_PRICE) != (before.kind == TAKE_PRICE)
            or (token.kind == TAKE_QTY) != (before.kind == TAKE_QTY)
            or (token.kind == TAKE_ID) != (before.kind == TAKE_ID)):
        return False
    self.copy_to[self.n_copies] = token.slot
    self.copy_from[self.n_copies] = before.slot
    self.n_copies += 1
    return True


cdef inline void note_late(Layout* self, const char* frame, Py_ssize_t size, const Token* token) noexcept nogil:
    """Where the instrument's text stands when it comes behind the first price: counted from the frame's end."""
    cdef uint32_t quote = token.start
    while quote > 0 and frame[quote - 1] != c'"' and token.start - quote < WINDOW:
        quote -= 1
    self.late = <int> (size - token.end)
    self.late_lead = <int> (token.start - quote)


cdef inline bint kind_spare(int kind) noexcept nogil:
    """Whether a token of this kind only steps over a value."""
    return kind == TAKE_TEXT or kind == TAKE_DOUBLE


cdef inline Py_ssize_t next_start(const Message* m, int i, Py_ssize_t size) noexcept nogil:
    """Where the next token from `i` on begins that has bytes, `size` if there is none."""
    while i < m.n_tokens and m.token[i].kind == TAKE_CONSTANT:
        i += 1
    return <Py_ssize_t> m.token[i].start if i < m.n_tokens else size


cdef inline bint learn_ops(Layout* self, const char* frame, Py_ssize_t size, Py_ssize_t prefix,
                           const Message* m) noexcept nogil:
    """Fill a layout's operations; False leaves what is to be freed."""
    cdef Py_ssize_t at = prefix, before
    cdef int i = 0, kind
    cdef bint priced = False
    cdef const Token* token
    cdef const Token* earlier
    cdef Op* op
    memset(self, 0, sizeof(Layout))
    self.kind = m.kind
    self.variant = variant_of(m)
    self.link = m.link
    self.checksum = m.checksum
    self.cut = m.cut
    self.resync = m.resync
    self.seen = m.seen
    while i < m.n_tokens:
        token = &m.token[i]
        i += 1
        if token.kind == TAKE_CONSTANT:
            if self.n_constants == MAX_CONSTANTS:
                return False
            self.constant_slot[self.n_constants] = token.slot
            self.constant[self.n_constants] = token.value
            self.n_constants += 1
            continue
        before = <Py_ssize_t> token.start - at
        earlier = token - 1
        if i > 1 and token.start == earlier.start and token.end == earlier.end and token.end > token.start and (
                is_number(token.kind) or token.kind == TAKE_TIME):
            if not copy_slot(self, token, earlier):
                return False
            continue
        if before < 0:
            if <Py_ssize_t> token.end <= prefix and token.slot == SLOT_SPARE and kind_spare(token.kind):
                continue                          # stepped over, and part of the text that names the stream
            return False
        kind = token.kind
        if kind == TAKE_TIME and all_digits(frame + token.start, frame + token.end):
            kind = TAKE_INT
        priced |= kind == TAKE_PRICE or kind == TAKE_QTY or kind == TAKE_LEVELS
        if is_number(kind) or (kind == TAKE_ID and all_digits(frame + token.start, frame + token.end)):
            if before > ROOM_FOR_TEXT:
                if not add_text(self, frame + at, before - ROOM_FOR_TEXT):
                    return False
                at += before - ROOM_FOR_TEXT
                before = ROOM_FOR_TEXT
            op = add_op(self, OP_REAL if kind == TAKE_DOUBLE else OP_NUMBER)
            if op == NULL:
                return False
            op.size = <uint8_t> before
            memcpy(op.text, frame + at, before)
            op.numbers = 1
            op.take[0] = <uint8_t> kind
            op.slot[0] = token.slot
            op.quoted = token.quoted
            at = token.end
            if i < m.n_tokens and may_pair(token, &m.token[i], before) and m.token[i].quoted == token.quoted:
                op.kind = OP_PAIR
                op.numbers = 2
                op.middle = <uint8_t> (m.token[i].start - token.end)
                memcpy(op.text + before, frame + at, op.middle)
                op.take[1] = m.token[i].kind
                op.slot[1] = m.token[i].slot
                at = m.token[i].end
                i += 1
            if at == size:
                return False
            # What ends the number belongs to it, so that no shape takes a part of it. Integers keep their width for
            # years: there the text up to the next value shares the window as well, but for one digit's room.
            op.tail = 1
            if op.take[0] == TAKE_INT or op.take[0] == TAKE_ID:
                before = next_start(m, i, size) - at
                if before < 0:                    # the same number once more
                    before = 1
                before = min(before, WINDOW - 1 - op.size - (at - <Py_ssize_t> token.start))
                op.tail = <uint8_t> max(before, 1)
            memcpy(op.text + op.size + op.middle, frame + at, op.tail)
            at += op.tail
            continue
        if kind == TAKE_ANY or not add_text(self, frame + at, before):
            return False
        if kind == TAKE_LEVELS:
            if frame[token.start] != c'[':
                return False
            op = add_op(self, OP_LEVELS)
            if op == NULL:
                return False
            op.slot[0] = token.slot
            op.form = token.form
            if not learn_elements(op, frame + token.start, token.end - token.start):
                return False
        elif kind == TAKE_TIME or kind == TAKE_ID:
            op = add_op(self, OP_OTHER)
            if op == NULL:
                return False
            op.take[0] = token.kind
            op.slot[0] = token.slot
            op.quoted = token.quoted
        else:
            op = add_op(self, OP_SYMBOL if kind == TAKE_SYMBOL else OP_BOOL if kind == TAKE_BOOL else OP_SKIP)
            if op == NULL or <Py_ssize_t> token.end == size:
                return False
            op.slot[0] = token.slot
            op.text[0] = frame[token.end]
            if kind == TAKE_SYMBOL:
                self.names_symbol = True
                if priced:
                    note_late(self, frame, size, token)
        at = token.end
    if not add_text(self, frame + at, size - at):
        return False
    return add_op(self, OP_END) != NULL


cdef inline void lend_elements(Layout* self) noexcept nogil:
    """Let a list that was empty expect its levels as another list of the same form has them."""
    cdef int i, j
    for i in range(self.n_ops):
        if self.op[i].kind != OP_LEVELS or self.op[i].elements != NULL:
            continue
        for j in range(self.n_ops):
            if self.op[j].kind == OP_LEVELS and self.op[j].elements != NULL and self.op[j].form == self.op[i].form:
                self.op[i].elements = <Elements*> malloc(sizeof(Elements))
                if self.op[i].elements != NULL:
                    self.op[i].elements[0] = self.op[j].elements[0]
                break


cdef inline bint learn_layout(Layout* self, const char* frame, Py_ssize_t size, Py_ssize_t prefix,
                              const Message* m) noexcept nogil:
    """Make the layout of a frame from its message; the first `prefix` bytes are compared elsewhere.

    False if it has none: tokens out of order or inside the prefix, or too many parts. Else give it to `layout_free`.
    """
    if learn_ops(self, frame, size, prefix, m):
        lend_elements(self)
        return True
    layout_free(self)
    return False


cdef inline bint same_layout(const Layout* self, const Layout* other) noexcept nogil:
    """Whether two layouts do the same."""
    cdef int i
    if (self.n_ops != other.n_ops or self.kind != other.kind or self.variant != other.variant
            or self.link != other.link or self.checksum != other.checksum or self.cut != other.cut
            or self.resync != other.resync
            or self.n_constants != other.n_constants or self.n_copies != other.n_copies or self.late != other.late
            or self.seen != other.seen):
        return False
    for i in range(self.n_constants):
        if self.constant_slot[i] != other.constant_slot[i] or self.constant[i] != other.constant[i]:
            return False
    for i in range(self.n_ops):
        if not same_op(&self.op[i], &other.op[i]):
            return False
    for i in range(self.n_copies):
        if self.copy_to[i] != other.copy_to[i] or self.copy_from[i] != other.copy_from[i]:
            return False
    return True


# ---- shapes

cdef inline uint32_t pattern_key(int start, int middle, int numbers, uint32_t numeric, uint32_t dots) noexcept nogil:
    """Widths of the numbers in a window: digits and place of the dot of each; 0 if they do not end inside.

    `numeric`, `dots`: bit i tells whether byte i is a digit or dot, a dot.
    """
    cdef uint32_t key = 0
    cdef int i, run, dot, shift = 0
    for i in range(numbers):
        numeric >>= start
        dots >>= start
        run = ctz32(~numeric) if ~numeric else 32
        shift += start + run
        if run == 0 or shift >= WINDOW:
            return 0
        dot = ctz32(dots) if dots and ctz32(dots) < run else 31
        key |= <uint32_t> (run | dot << 5) << (10 * i)
        numeric = numeric >> run if run < 32 else 0
        dots = dots >> run if run < 32 else 0
        start = middle
    return key


cdef inline int known_at(uint32_t key, int scales) noexcept nogil:
    """Where in `known` to begin looking for a shape; `PROBES` places from there on can have it."""
    return <int> (((key ^ <uint32_t> scales << 20) * <uint32_t> 2654435761) >> 27)


cdef inline int scale_of(const Op* op, int which, int price_scale, int qty_scale, int dot, int run) noexcept nogil:
    """Decimals that a number is kept with: its instrument's, or for doubles those that are written."""
    cdef int take = op.take[which]
    if take == TAKE_PRICE:
        return price_scale
    if take == TAKE_QTY:
        return qty_scale
    if take == TAKE_DOUBLE:
        return run - dot - 1 if dot < run else 0
    return 0


cdef inline int scales_word(int price_scale, int qty_scale) noexcept nogil:
    """Both scales in one word, to be compared at once."""
    return (price_scale & 0xff) | (qty_scale & 0xff) << 8


cdef inline int scales_used(const Op* op) noexcept nogil:
    """Bits of `scales_word` that matter to an operation."""
    cdef int i, used = 0
    for i in range(op.numbers):
        used |= 0xff if op.take[i] == TAKE_PRICE else 0xff00 if op.take[i] == TAKE_QTY else 0
    return used


cdef inline bint shape_serves(const Shape* self, int scales) noexcept nogil:
    """Whether a shape was made for these scales; integers and doubles have scales of their own."""
    return (self.scales ^ scales) & self.scales_used == 0


cdef inline bint shape_make(Shape* self, const Op* op, const char* p, uint32_t key, int price_scale,
                            int qty_scale) noexcept nogil:
    """Make the shape of the window at `p`, whose numbers were read and accepted; False if it has none."""
    cdef int at = 0, i, j, run, dot, scale, whole, total, start, chain, place, text = 0, _same
    memset(self, 0, sizeof(Shape))
    memset(self.limit, 0xff, sizeof(self.limit))
    memset(self.pick, 0x80, sizeof(self.pick))
    self.scales = <uint16_t> scales_word(price_scale, qty_scale)
    self.scales_used = <uint16_t> scales_used(op)
    for i in range(op.numbers):
        start = op.middle if i else op.size
        for _same in range(start):
            self.base[at] = <uint8_t> op.text[text]
            self.limit[at] = 0
            at += 1
            text += 1
        run = (key >> (10 * i)) & 31
        dot = (key >> (10 * i + 5)) & 31
        whole = dot if dot < run else run
        scale = scale_of(op, i, price_scale, qty_scale, dot, run)
        self.scale[i] = <uint8_t> scale
        total = whole + scale
        if total > 16 or at + run + op.tail > WINDOW or (
                (op.take[i] == TAKE_INT or op.take[i] == TAKE_ID) and dot < run):
            return False
        if total > 8 or op.numbers == 1:
            self.chains = <uint8_t> op.numbers
        for j in range(run):
            if j == dot:
                self.base[at + j] = c'.'
                self.limit[at + j] = 0
                continue
            self.base[at + j] = c'0'
            # A digit past the scale must be 0: anything else is read the careful way, which asks for a wider scale.
            self.limit[at + j] = 9 if j - (j > dot) < total else 0
        if not op.quoted and whole > 1:
            self.base[at] = c'1'                  # JSON's bare numbers have no leading zeros
            self.limit[at] = 8
        at += run
    for _same in range(op.tail):
        self.base[at] = <uint8_t> op.text[text]
        self.limit[at] = 0
        at += 1
        text += 1
    self.size = <uint8_t> at
    # Second pass: where each digit goes, now that it is known whether both numbers share a chain.
    at = op.size
    for i in range(op.numbers):
        if i:
            at += op.middle
        run = (key >> (10 * i)) & 31
        dot = (key >> (10 * i + 5)) & 31
        whole = dot if dot < run else run
        total = whole + self.scale[i]
        chain = 0 if self.chains == 0 else i
        place = (8 * (i + 1) if self.chains == 0 else 16) - total
        for j in range(run):
            if j == dot:
                continue
            if j - (j > dot) < total:
                self.pick[2 * chain + (at + j >= 16)][place] = <uint8_t> ((at + j) & 15)
                place += 1
        at += run
    return True


cdef inline void shape_turn(Op* op, const Shape* shape) noexcept nogil:
    """Make this the shape that is tried first."""
    op.previous = op.current
    op.current = shape


cdef inline void learn_shape(ShapePool* pool, Op* op, const char* p, Py_ssize_t room, int price_scale,
                             int qty_scale) noexcept nogil:
    """Remember the shape of the window at `p`, whose numbers were just read and accepted."""
    cdef uint32_t numeric = 0, dots = 0, key, look
    cdef int i, at, limit = <int> (room if room < WINDOW else WINDOW)
    cdef int16_t index
    cdef Shape made
    for i in range(limit):
        numeric |= <uint32_t> (is_digit(p[i]) or p[i] == c'.') << i
        dots |= <uint32_t> (p[i] == c'.') << i
    key = pattern_key(op.size, op.middle, op.numbers, numeric, dots)
    if key == 0 or not shape_make(&made, op, p, key, price_scale, qty_scale):
        return
    # Levels are found by their bytes that are no digits, up to the bracket; other numbers by their widths.
    look = key if op.kind != OP_LEVELS else ~(numeric & ~dots) & <uint32_t> ((<uint64_t> 1 << made.size) - 1)
    made.look = look
    at = known_at(look, made.scales & made.scales_used)
    for i in range(PROBES):
        if op.known[(at + i) % KNOWN] < 0:
            at += i
            break
    at %= KNOWN
    index = op.known[at]                          # a free place, or the shape that has to go
    if index < 0:
        if pool.shape == NULL:
            pool.shape = <Shape*> malloc(MAX_SHAPES * sizeof(Shape))
        if pool.shape == NULL or pool.count == MAX_SHAPES:
            return
        index = <int16_t> pool.count
        pool.count += 1
    pool.shape[index] = made
    op.known[at] = index
    shape_turn(op, &pool.shape[index])


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


cdef inline Status op_careful(Op* op, const char** at, const char* end, int price_scale, int qty_scale,
                              int64_t* values, ShapePool* shapes, bint simd) noexcept nogil:
    """Compare and read one operation byte by byte, and remember its shape for the next time."""
    cdef const char* p = at[0]
    cdef const char* past
    cdef const char* text = op.text
    cdef Status status
    cdef int i, size, decimals = 0
    for i in range(op.numbers):
        size = op.middle if i else op.size
        if end - p < size or memcmp(p, text, size) != 0:
            return NOT_COVERED
        p += size
        text += size
        past = number_end(p, end, op.quoted)
        if past == NULL or (past == p and op.take[i] != TAKE_DOUBLE) or (op.take[i] == TAKE_QTY and p[0] == c'-'):
            return NOT_COVERED                    # nothing to tell; or a sign, text that decides, also before 0
        status = convert_number(op.take[i], p, past, price_scale, qty_scale, &values[i], &decimals)
        if status != OK and not (status == NO_FIT and op.slot[i] == SLOT_SPARE):
            return status
        p = past
    if end - p < op.tail or memcmp(p, text, op.tail) != 0:
        return NOT_COVERED
    p += op.tail
    if simd:
        learn_shape(shapes, op, at[0], end - at[0], price_scale, qty_scale)
    at[0] = p
    return OK
