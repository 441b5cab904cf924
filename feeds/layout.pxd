"""Learned layouts: what a venue's frames of one kind have in common, so that the next one is only compared.

A venue writes the frames of a stream with the same text between the values. After the careful parser has read one
frame, its tokens say where the values stood; all bytes between them become a *layout*: a list of operations, each
"this text must stand here, then a number". A later frame is run through the operations: every byte that is no value
is compared, every value is checked, so what is accepted has the same grammar as the frame that was learned from, and
a frame that differs anywhere (another order of keys, a new key, white space) is read by the careful parser instead.
A layout can make nothing wrong, only fast: text that a parser looked at but did not take is text that must repeat.

How numbers are read stands in `feeds.shape`, how the levels of a list are written in `feeds.element`.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from feeds.element cimport Elements, Lists, lists_find
from feeds.message cimport (DEPTH_BITS, Message, Token, bit, variant_of, KIND_SNAPSHOT, SLOT_FIRST_SEQ,
                            SLOT_LAST_SEQ, SLOT_LEVEL_COUNT, SLOT_SPARE, TAKE_ANY, TAKE_BOOL, TAKE_CONSTANT,
                            TAKE_DOUBLE, TAKE_ID, TAKE_INT, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY, TAKE_SYMBOL, TAKE_TEXT,
                            TAKE_TIME)
from feeds.scan cimport is_digit
from feeds.shape cimport (MANY, OP_BOOL, OP_END, OP_LEVEL, OP_LEVELS, OP_MOMENT, OP_NUMBERS, OP_OTHER, OP_REAL, OP_SKIP,
                          OP_SYMBOL, OP_TEXT, SECONDS, WINDOW, Op, ShapePool, is_number, op_name, op_text, same_op)

cdef enum:
    MAX_OPS = 64
    MAX_LISTS = 8             # lists of levels in one message
    MAX_CONSTANTS = 8
    MAX_COPIES = 4
    MAX_CLOSE = 8             # brackets that are open around the messages of a frame
    ROOM_FOR_TEXT = 12        # bytes of text at most that share a window with a number; of a double more,
    REAL_WIDTH = 12           # if this much is left for it,
    REAL_GROWTH = 6           # and by this much it may become wider
    COUNT_WIDTH = 10          # bytes that an integer is given at least: a connection's own count begins with one digit

cdef struct Layout:
    int n_ops
    int kind                  # what the message is
    int variant               # which of the books that share a symbol; see `variant_of`
    int link                  # how the numbers are judged
    int checksum              # what SLOT_CHECKSUM is
    int cut                   # levels a side that are kept
    int resync                # how a new snapshot is had
    bint names_symbol         # an operation reads the instrument's text
    bint judged               # its numbers may make it another message: see `usual` of run.pxi
    bint whole                # a whole book whose lists may be kept: see feeds.whole
    uint64_t seen             # slots that are filled
    int n_constants
    int constant_slot[MAX_CONSTANTS]
    int64_t constant[MAX_CONSTANTS]
    int n_copies
    int copy_to[MAX_COPIES]   # slots that hold the same number
    int copy_from[MAX_COPIES]
    int n_lists
    Elements* elements[MAX_LISTS]     # how the levels of its lists are written; borrowed from the engine
    int n_close               # of a frame's first message, behind which others follow: the brackets that end the frame
    char close[MAX_CLOSE]
    int tail                  # or, where values stand behind the last one: 1 + the layout of the rest, 0 none
    bint part                 # one of those others
    int late                  # bytes from the end of the instrument's text to the frame's, where it stands behind
    int late_lead             # prices; and between the quote before it and its first. 0, 0: it does not
    Op op[MAX_OPS]


cdef extern from *:
    """
    #define WB_KEPT_LISTS (3ULL << 59)
    """
    uint64_t KEPT_LISTS "WB_KEPT_LISTS"   # SEEN_BIDS, SEEN_ASKS


cdef inline Op* add_op(Layout* self, int kind) noexcept nogil:
    """The next operation, empty; NULL if there are too many."""
    cdef Op* op
    if self.n_ops == MAX_OPS:
        return NULL
    op = &self.op[self.n_ops]
    self.n_ops += 1
    memset(op, 0, sizeof(Op))
    op.kind = <uint8_t> kind
    return op


cdef inline bint add_text(Layout* self, const char* text, Py_ssize_t size) noexcept nogil:
    """Operations for text of any length."""
    cdef Py_ssize_t part
    cdef Op* op
    while size > 0:
        part = min(size, <Py_ssize_t> 2 * WINDOW)
        op = add_op(self, OP_TEXT)
        if op == NULL:
            return False
        op_text(op, text, part)
        text += part
        size -= part
    return True


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


cdef inline bint in_seconds(const char* p, const char* past) noexcept nogil:
    """Whether a text is a time like 1618678142.557535: seconds, and decimals as far as a shape can read them."""
    return SECONDS + 1 < past - p <= MANY + 1 and p[SECONDS] == c'.' and p[0] == c'1' and (
        all_digits(p, p + SECONDS) and all_digits(p + SECONDS + 1, past))


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


cdef inline Py_ssize_t real_room(const Token* token) noexcept nogil:
    """Bytes of a window that are kept for a decimal."""
    return max(<Py_ssize_t> REAL_WIDTH, <Py_ssize_t> token.end - <Py_ssize_t> token.start + REAL_GROWTH)


cdef inline Py_ssize_t text_room(const Token* token) noexcept nogil:
    """Bytes of text at most that share a window with a number behind them: a double is alone, and its keys are long."""
    if token.kind != TAKE_DOUBLE:
        return ROOM_FOR_TEXT
    return max(<Py_ssize_t> ROOM_FOR_TEXT, WINDOW - 1 - real_room(token))


cdef inline Py_ssize_t learn_number(Layout* self, ShapePool* pool, const char* frame, Py_ssize_t size, Py_ssize_t at,
                                    const Message* m, int* next_token, int n_tokens) noexcept nogil:
    """Operations for the text from `at` on and the number behind it (or two); where they end, -1 if there are none.

    `next_token`: index of the one after the number's, moved on if a second number was taken.
    """
    cdef int i = next_token[0], take
    cdef const Token* token = &m.token[i - 1]
    cdef const Token* second = token + 1
    cdef Py_ssize_t before = <Py_ssize_t> token.start - at, room = text_room(token)
    cdef bint fraction
    cdef Op* op
    if before > room:
        if not add_text(self, frame + at, before - room):
            return -1
        at += before - room
        before = room
    fraction = token.kind == TAKE_TIME and in_seconds(frame + token.start, frame + token.end)
    op = add_op(self, OP_REAL if token.kind == TAKE_DOUBLE else OP_MOMENT if fraction else OP_NUMBERS)
    if op == NULL:
        return -1
    take = TAKE_INT if token.kind == TAKE_TIME and not fraction else token.kind
    op.gap[0] = <uint8_t> before
    memcpy(op.text, frame + at, before)
    op.numbers = 1
    op.take[0] = <uint8_t> take
    op.slot[0] = token.slot
    op.quoted[0] = token.quoted
    at = token.end
    if i < n_tokens and may_pair(token, second, before):
        op.numbers = 2
        op.at[1] = op.gap[0]
        op.gap[1] = <uint8_t> (second.start - token.end)
        memcpy(op.text + before, frame + at, op.gap[1])
        op.take[1] = second.kind
        op.slot[1] = second.slot
        op.quoted[1] = second.quoted
        at = second.end
        next_token[0] += 1
    if at == size:
        return -1
    # What ends the number belongs to it, so that no shape takes a part of it. Long integers keep their width for years:
    # there the text up to the next value shares the window as well, but for one digit's room. Behind a decimal it does
    # if that saves an operation: where all of it fits that the next value does not take with it.
    op.tail = 1
    i = next_token[0]
    while i < n_tokens and m.token[i].kind == TAKE_CONSTANT:
        i += 1
    before = (<Py_ssize_t> m.token[i].start if i < n_tokens else size) - at       # below 0: the same number once more
    if take == TAKE_INT or take == TAKE_ID:
        before = min(before, WINDOW - op.gap[0] - max(at - <Py_ssize_t> token.start + 1, <Py_ssize_t> COUNT_WIDTH))
        op.tail = <uint8_t> max(before, 1)
    elif op.numbers == 1:
        if i < n_tokens and is_number(m.token[i].kind):
            before -= text_room(&m.token[i])
        if 1 < before < WINDOW - op.gap[0] - real_room(token):
            op.tail = <uint8_t> before
    memcpy(op.text + op.gap[0] + op.gap[1], frame + at, op.tail)
    op_name(pool, op)
    return at + op.tail


cdef inline bint learn_list(Layout* self, Lists* lists, const Token* token) noexcept nogil:
    """The operation for a list of levels, or for one level alone; False if there is none."""
    cdef Elements* elements = lists_find(lists, token.form)
    cdef Op* op
    if elements == NULL or elements.refused or self.n_lists == MAX_LISTS:
        return False
    op = add_op(self, OP_LEVEL if token.value else OP_LEVELS)
    if op == NULL:
        return False
    op.slot[0] = token.slot
    op.slot[1] = <uint8_t> self.n_lists
    op.form = token.form
    self.elements[self.n_lists] = elements
    self.names_symbol |= token.form.named
    self.n_lists += 1
    return True


cdef inline bint learn_ops(Layout* self, ShapePool* pool, Lists* lists, const char* frame, Py_ssize_t size,
                           Py_ssize_t prefix, const Message* m, int first, int n_tokens) noexcept nogil:
    """Fill a layout's operations; False if there are none."""
    cdef Py_ssize_t at = prefix, before
    cdef int i = first, kind
    cdef bint priced = False, digits
    cdef const Token* token
    cdef const Token* earlier
    cdef Op* op
    while i < n_tokens:
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
        if i > first + 1 and token.start == earlier.start and token.end == earlier.end and token.end > token.start and (
                is_number(token.kind) or token.kind == TAKE_TIME):
            if not copy_slot(self, token, earlier):
                return False
            continue
        if before < 0:
            if <Py_ssize_t> token.end <= prefix and token.slot == SLOT_SPARE and kind_spare(token.kind):
                continue                          # stepped over, and part of the text that names the stream
            return False
        kind = token.kind
        digits = all_digits(frame + token.start, frame + token.end) or (
            kind == TAKE_TIME and in_seconds(frame + token.start, frame + token.end))
        priced |= kind == TAKE_PRICE or kind == TAKE_QTY or kind == TAKE_LEVELS
        if is_number(kind) or (digits and (kind == TAKE_TIME or kind == TAKE_ID)):
            at = learn_number(self, pool, frame, size, at, m, &i, n_tokens)
            if at < 0:
                return False
            continue
        if kind == TAKE_ANY or not add_text(self, frame + at, before):
            return False
        at = token.end
        if kind == TAKE_LEVELS:
            if (frame[token.start] != c'[' and not token.value) or not learn_list(self, lists, token):
                return False
            continue
        op = add_op(self, OP_OTHER if kind == TAKE_TIME or kind == TAKE_ID else OP_SYMBOL if kind == TAKE_SYMBOL
                    else OP_BOOL if kind == TAKE_BOOL else OP_SKIP)
        if op == NULL or at == size:
            return False
        op.take[0] = token.kind
        op.slot[0] = token.slot
        op.quoted[0] = token.quoted
        op.text[0] = frame[token.end]
        if kind == TAKE_SYMBOL:
            self.names_symbol = True
            if priced:
                note_late(self, frame, size, token)
    if not add_text(self, frame + at, size - at):
        return False
    return add_op(self, OP_END) != NULL


cdef inline bint learn_layout(Layout* self, ShapePool* pool, Lists* lists, const char* frame, Py_ssize_t size,
                              Py_ssize_t prefix, const Message* m, int first, int n_tokens) noexcept nogil:
    """Make the layout of a frame from its message's tokens from `first` to `n_tokens`; the first `prefix` bytes are
    compared elsewhere.

    False if it has none: tokens out of order or inside the prefix, or too many parts.
    """
    cdef int i
    memset(self, 0, sizeof(Layout) - sizeof(self.op))     # operations are made empty one by one
    self.kind = m.kind
    self.variant = variant_of(m)
    self.link = m.link
    self.checksum = m.checksum
    self.cut = m.cut
    self.resync = m.resync
    self.seen = m.seen
    if not learn_ops(self, pool, lists, frame, size, prefix, m, first, n_tokens):
        return False
    self.whole = self.kind == KIND_SNAPSHOT and not self.checksum and self.seen & KEPT_LISTS == KEPT_LISTS and (
        self.n_lists == 2)
    self.judged = self.seen & (bit(SLOT_LEVEL_COUNT) | bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ)) != 0
    for i in range(self.n_lists):
        self.whole &= self.elements[i].form.seen == 0
    return True


cdef inline void layout_says(const Layout* self, Message* m, int32_t target, const char* more) noexcept nogil:
    """What a message of a layout has in common with all others; `more`: where it ends, if others may follow."""
    m.kind = self.kind
    m.depth = self.variant & DEPTH_BITS
    m.market = self.variant >> 20
    m.link = self.link
    m.checksum = self.checksum
    m.cut = self.cut
    m.resync = self.resync
    m.line_jump = False
    m.target = target
    m.seen = self.seen
    m.more = more


cdef inline bint same_layout(const Layout* self, const Layout* other) noexcept nogil:
    """Whether two layouts do the same."""
    cdef int i
    if (self.n_ops != other.n_ops or self.kind != other.kind or self.variant != other.variant
            or self.link != other.link or self.checksum != other.checksum or self.cut != other.cut
            or self.resync != other.resync
            or self.n_constants != other.n_constants or self.n_copies != other.n_copies or self.late != other.late
            or self.seen != other.seen or self.part != other.part or self.n_close != other.n_close
            or self.tail != other.tail or self.late_lead != other.late_lead
            or memcmp(self.close, other.close, self.n_close) != 0):
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
