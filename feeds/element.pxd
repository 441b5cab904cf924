"""How the levels of a list are written: learned from the lists that were read, for each form a venue has.

An *element* is one way to write a level (a bid's, an ask's, one that is removed ...): operations of `feeds.shape`,
texts that must repeat, texts that are stepped over. The elements of a form are shared by all lists of that form, so
that what one stream has shown, the next one need not show again.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset
from feeds.levels cimport LevelText, Piece
from feeds.message cimport Form, COUNT_FIELD, SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY, SLOT_SPARE, TAKE_SYMBOL, TAKE_TEXT
from feeds.scan cimport is_digit
from feeds.shape cimport (NUMBERS, OP_NUMBERS, OP_SKIP, OP_SYMBOL, OP_TEXT, TEXT_ROOM, WINDOW, Op, Shape, ShapePool,
                          op_name, op_text, same_op)

cdef enum:
    MAX_ELEMENTS = 8          # ways to write a level that a form remembers
    MAX_ELEMENT_OPS = 8
    MAX_FORMS = 32            # forms of a venue
    MAX_LEARNED = 1000        # ways a form learns in its life: what never repeats is not worth it
    MAX_LEAD = 8              # bytes before the first number of an element that are compared without a window
    GAP = 18                  # bytes of text at most that share a window with the number behind them
    TAIL = 16                 # bytes of text after the last number at most that share its window
    NEAR = 128                # places for the shapes of a varied element, a power of two,
    PICKS = 64                # and for those of any other, likewise
    HEAD = 80                 # bytes at most of the beginning of a level that are compared at once
    HEADS = 32                # instruments whose levels' beginnings are kept, a power of two
    HEADS_TRIED = 64          # beginnings after which it is decided whether they are worth being kept:
    HEAD_SERVES = 4           # if each was found again at least so often
    USUAL = 10                # bytes that a number is given at least, so that the next one's element is the same,
    GROWTH = 3                # and by which a longer one may become wider and still fit with its text

cdef struct Element:
    int n_ops
    int side                  # +1 bid, -1 ask, 0 the list says it
    bint gone                 # such a level is removed
    bint plain                # a price and a quantity in one operation, which nothing but the lead stands before
    bint varied               # of a plain one: the widths change so often that no shape is worth a guess,
    uint32_t read             # by the levels that were read lately,
    uint32_t turned           # and how many of them had other widths than the one before
    const Shape* near[NEAR]   # of a varied one: shapes that fitted lately, see `near_shape`; borrowed from the pool
    uint8_t swapped           # of a plain one: the quantity comes first
    uint32_t hits             # how often it fitted, for choosing which has to go
    uint8_t lead_size
    char lead[MAX_LEAD]
    uint64_t lead_word        # the same as one number,
    uint64_t lead_mask        # and the bits of it that count
    uint8_t common[MAX_ELEMENTS]      # operations at the beginning that another element has as well,
    Op* shared[MAX_ELEMENT_OPS]       # each operation, of the first element that has it: its shapes serve all
    Op op[MAX_ELEMENT_OPS]    # their slots count from SLOT_LEVEL_PRICE

cdef struct Pick:
    const Shape* shape        # that fitted lately, NULL none; borrowed from the pool
    int element               # of which one

cdef struct Head:
    # How a level began lately: its first operations, with the words and the widths that they had.
    uint8_t base[HEAD]        # as in a Shape
    uint8_t limit[HEAD]
    Shape numbers             # of the one operation among them whose numbers are kept,
    int learned               # Elements.learned when it was noted: later, elements may be others
    int scales
    int size                  # bytes
    int ops                   # operations
    uint8_t element           # of which element
    uint8_t keeps             # 1: there is such an operation,
    uint8_t number_at         # and where its window begins
    uint8_t begin[MAX_ELEMENT_OPS]    # where each operation began

cdef struct Elements:
    Head head[HEADS][2]       # the last two of an instrument, or of several that share a place
    int head_misses           # levels whose beginning was noted lately,
    int64_t head_hits         # and those that began like a noted one
    bint headless             # it is not worth it, or words in it matter: the levels name the instrument
    const Form* form
    int count
    int current               # the one that fitted last
    int learned               # elements learned so far
    const char* named         # where the instrument's text ends in a list's first level, NULL if it was not looked for
    bint refused              # some levels are written in a way that no operations read
    Pick pick[PICKS][2]       # by operation and where a window has no digits: the last two, see `pick_element`
    Element element[MAX_ELEMENTS]

cdef struct Lists:
    int count
    Elements* form[MAX_FORMS]     # Owned


cdef inline Elements* lists_find(Lists* self, const Form* form) noexcept nogil:
    """What is known of the lists of a form; NULL if there is no room for it."""
    cdef int i
    for i in range(self.count):
        if self.form[i].form == form:
            return self.form[i]
    if self.count == MAX_FORMS:
        return NULL
    self.form[self.count] = <Elements*> calloc(1, sizeof(Elements))
    if self.form[self.count] == NULL:
        return NULL
    self.form[self.count].form = form
    self.count += 1
    return self.form[self.count - 1]


cdef inline void lists_free(Lists* self) noexcept nogil:
    """Give the memory back."""
    cdef int i
    for i in range(self.count):
        free(self.form[i])
    self.count = 0


cdef inline Op* element_op(Element* self, int kind) noexcept nogil:
    """The next operation, empty; NULL if there are too many."""
    cdef Op* op
    if self.n_ops == MAX_ELEMENT_OPS:
        return NULL
    op = &self.op[self.n_ops]
    self.n_ops += 1
    memset(op, 0, sizeof(Op))
    op.kind = <uint8_t> kind
    return op


cdef inline bint element_text(Element* self, const char* text, Py_ssize_t size) noexcept nogil:
    """Add text that must repeat; False if there are too many operations."""
    cdef Op* op
    cdef Py_ssize_t part
    while size > 0:
        part = size if size < WINDOW else WINDOW
        op = element_op(self, OP_TEXT)
        if op == NULL:
            return False
        op_text(op, text, part)
        text += part
        size -= part
    return True


cdef inline bint in_digits(const Piece* piece) noexcept nogil:
    """Whether a member that is stepped over looks like a number."""
    cdef const char* p = piece.start
    if p == piece.past:
        return False
    while p != piece.past:
        if not is_digit(p[0]) and p[0] != c'.':
            return False
        p += 1
    return True


cdef inline bint is_spare(const Piece* piece) noexcept nogil:
    """Whether nothing is kept of a member of a level."""
    return piece.slot == SLOT_SPARE


cdef inline int take_of(const Piece* piece) noexcept nogil:
    """How an operation takes a member."""
    return piece.take if not is_spare(piece) or piece.take == COUNT_FIELD else TAKE_TEXT


cdef inline Py_ssize_t number_room(Py_ssize_t size) noexcept nogil:
    """Bytes of a window that are kept for a number of this size."""
    return USUAL if size < USUAL else size + GROWTH


cdef inline Py_ssize_t gap_room(Py_ssize_t size) noexcept nogil:
    """Bytes of text at most that share a window with a number of this size behind them."""
    return max(<Py_ssize_t> 0, min(<Py_ssize_t> GAP, WINDOW - 1 - number_room(size)))


cdef inline bint add_number(Op* op, const char* text, Py_ssize_t gap, const Piece* piece) noexcept nogil:
    """Add a number and the text before it; False if the operation has no room for it."""
    cdef int n = op.numbers
    cdef int at = op.at[n - 1] + op.gap[n - 1] if n else 0
    if n == NUMBERS or gap > gap_room(piece.past - piece.start) or at + gap + TAIL > TEXT_ROOM or (n and gap == 0):
        return False
    op.at[n] = <uint8_t> at
    op.gap[n] = <uint8_t> gap
    memcpy(op.text + at, text, gap)
    op.take[n] = <uint8_t> take_of(piece)
    op.slot[n] = <uint8_t> (piece.slot - SLOT_LEVEL_PRICE)
    op.quoted[n] = piece.quoted
    op.numbers += 1
    return True


cdef inline const char* add_tail(Op* op, const char* at, const char* past, const Piece* last) noexcept nogil:
    """Add text after the last number, as much as shares its window; where the rest begins."""
    cdef int n = op.numbers - 1
    cdef Py_ssize_t room = WINDOW - op.gap[n] - number_room(last.past - last.start)
    op.tail = <uint8_t> max(1, min(past - at, min(room, <Py_ssize_t> TAIL)))
    memcpy(op.text + op.at[n] + op.gap[n], at, op.tail)
    return at + op.tail


cdef inline bint learn_ops_of(Element* self, ShapePool* pool, const char* text, const char* past, char stop,
                              const LevelText* level) noexcept nogil:
    """Fill in the operations of a level; False if there are too many."""
    cdef const char* at = text
    cdef const char* rest
    cdef const Piece* piece
    cdef Op* op = NULL
    cdef bint words
    cdef int i
    for i in range(level.n):
        piece = &level.piece[i]
        words = piece.take == TAKE_SYMBOL or (
            is_spare(piece) and piece.take != COUNT_FIELD and piece.quoted and not in_digits(piece))
        if op != NULL and not words and add_number(op, at, piece.start - at, piece):
            at = piece.past
            continue
        if op != NULL:                            # its window ends here
            rest = add_tail(op, at, piece.start, piece - 1)
            at = rest
            op = NULL
        if words:                                 # no shape reads them
            if not element_text(self, at, piece.start - at):
                return False
            if element_op(self, OP_SYMBOL if piece.take == TAKE_SYMBOL else OP_SKIP) == NULL:
                return False
            at = piece.past
            continue
        if i == 0 and piece.start - at <= MAX_LEAD:
            self.lead_size = <uint8_t> (piece.start - at)
            memcpy(self.lead, at, self.lead_size)
            memcpy(&self.lead_word, at, self.lead_size)
            memset(&self.lead_mask, 0xff, self.lead_size)
            at = piece.start
        if piece.start - at > gap_room(piece.past - piece.start):
            if not element_text(self, at, piece.start - at):
                return False
            at = piece.start
        op = element_op(self, OP_NUMBERS)
        if op == NULL:
            return False
        op.stop = stop
        op.own = True
        add_number(op, at, piece.start - at, piece)
        at = piece.past
    if op != NULL:
        if at == past:
            return False
        at = add_tail(op, at, past, &level.piece[level.n - 1])
    if not element_text(self, at, past - at):
        return False
    for i in range(self.n_ops):
        if self.op[i].kind == OP_NUMBERS:
            op_name(pool, &self.op[i])
    return self.n_ops > 0


cdef inline bint element_make(Element* self, ShapePool* pool, const char* text, const char* past,
                              const LevelText* level) noexcept nogil:
    """Make the element that reads a level like this one; False if there is none."""
    cdef const Op* op = &self.op[0]
    cdef int i, kept = 0
    memset(self, 0, sizeof(Element))
    self.side = level.side
    self.gone = level.gone
    if not learn_ops_of(self, pool, text, past, (past - 1)[0], level):
        return False
    if self.n_ops == 1 and op.kind == OP_NUMBERS:
        for i in range(op.numbers):
            if op.slot[i] == 0 or op.slot[i] == SLOT_LEVEL_QTY - SLOT_LEVEL_PRICE:
                if kept == 0:
                    self.swapped = op.slot[i] != 0
                kept += 1
            elif op.take[i] != TAKE_TEXT:
                kept = NUMBERS
        self.plain = kept == 2
    return True


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


cdef inline uint8_t ops_in_common(const Element* a, const Element* b) noexcept nogil:
    """How many operations at their beginning are the same."""
    cdef int i = 0
    if a.lead_size != b.lead_size or memcmp(a.lead, b.lead, MAX_LEAD) != 0:
        return 0
    while i < a.n_ops and i < b.n_ops and same_op(&a.op[i], &b.op[i]):
        i += 1
    return <uint8_t> i


cdef inline void elements_share(Elements* self) noexcept nogil:
    """Find out again whose operations are used."""
    cdef int i, j, k
    for i in range(self.count):
        for k in range(MAX_ELEMENT_OPS):
            j = 0
            while j < i and self.element[i].common[j] <= k:
                j += 1
            self.element[i].shared[k] = &self.element[j].op[k]


cdef inline void elements_add(Elements* self, const Element* element) noexcept nogil:
    """Remember a way to write a level, unless it is known. The least used has to go if there are too many."""
    cdef int i, at = 0
    for i in range(self.count):
        if same_element(&self.element[i], element):
            self.current = i
            return
        if self.element[i].hits < self.element[at].hits:
            at = i
    if self.learned == MAX_LEARNED:
        return
    self.learned += 1
    self.headless = self.form.named
    if self.count < MAX_ELEMENTS:
        at = self.count
        self.count += 1
    self.element[at] = element[0]
    self.current = at
    for i in range(self.count):
        self.element[i].hits >>= 1
        self.element[i].common[at] = ops_in_common(&self.element[i], &self.element[at])
        self.element[at].common[i] = self.element[i].common[at]
    elements_share(self)


cdef inline bint says_twice(const LevelText* level) noexcept nogil:
    """Whether two members of a level are for the same place."""
    cdef int i, j
    for i in range(level.n):
        for j in range(i):
            if not is_spare(&level.piece[i]) and level.piece[i].slot == level.piece[j].slot:
                return True
    return False


cdef inline void elements_learn(Elements* self, ShapePool* pool, const char* text, const char* past,
                                const LevelText* level) noexcept nogil:
    """Learn from a level that was read the careful way."""
    cdef Element element
    if says_twice(level) or level.other:
        return
    if element_make(&element, pool, text, past, level):
        elements_add(self, &element)
    else:
        self.refused = True
