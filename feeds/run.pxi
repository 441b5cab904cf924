# Body of all runners; they differ in what a Window is.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, INT64_MIN
from libc.string cimport memcmp, memcpy, memset
from orderbook.types cimport Status, OK, NOT_COVERED, NO_MEMORY
from orderbook.core cimport POWER, TEN
from orderbook.ladder cimport likely, unlikely
from orderbook.update cimport Levels, levels_reserve
from feeds.element cimport (HEAD, HEAD_SERVES, HEADS, HEADS_TRIED, MAX_ELEMENT_OPS, MAX_LEAD, NEAR, PICKS, Element,
                            Elements, Head, Pick)
from feeds.engine cimport KEPT_PARTS, MAX_PARTS, Engine, Part, SHORTEST, engine_line, engine_marks
from feeds.layout cimport Layout, layout_says
from feeds.message cimport (KIND_DELTA, KIND_SNAPSHOT, LAST_US, MAX_NAME, Message, N_SLOTS, SLOT_FIRST_SEQ,
                            SLOT_LAST_SEQ, SLOT_LEVEL_COUNT, SLOT_LEVEL_ID, SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY,
                            SLOT_LEVEL_SEQ, SLOT_SPARE, COUNT_FIELD, TAKE_TEXT, TAKE_TIME, bit)
from feeds.numbers cimport read_day, read_day_time
from feeds.parser cimport Runner
from feeds.routes cimport Route, Routes
from feeds.shape cimport (KNOWN, NO_SCALES, OP_BOOL, OP_LEVEL, OP_LEVELS, OP_MOMENT, OP_NUMBERS, OP_OTHER, OP_REAL,
                          OP_SKIP, OP_SYMBOL, OP_TEXT, PROBES, WINDOW, Op, Shape, ShapePool, convert_number, known_at,
                          number_end, op_careful, scales_word, shape_key, shape_turn)
from feeds.stencil cimport STENCIL
from feeds.symbols cimport Symbols, Target, symbols_find
from feeds.sync cimport LINK_COUNTER
from feeds.whole cimport (WHOLE_BYTES, Differ, Kept, KeptList, differ_end, differ_level, differ_same, kept_all,
                          kept_begin, kept_new, kept_turn, list_room, same_bytes)

cdef extern from *:
    """
    /* The same pointer, but the compiler does not know: it may not take another one that it found to be equal. */
    static inline const char *wb_apart(const char *p) { __asm__("" : "+r"(p)); return p; }
    """
    const char* apart "wb_apart"(const char* p) nogil

cdef enum:
    # Places of a level's values, as its element's operations count them.
    AT_PRICE = 0
    AT_QTY = SLOT_LEVEL_QTY - SLOT_LEVEL_PRICE
    AT_SEQ = SLOT_LEVEL_SEQ - SLOT_LEVEL_PRICE
    AT_ID = SLOT_LEVEL_ID - SLOT_LEVEL_PRICE
    PLACES = SLOT_SPARE - SLOT_LEVEL_PRICE + 1
    READ_FOR_TURNS = 64       # levels after which it is decided whether an element is varied:
    TURNS_OF_VARIED = 4       # if at least one in so many had other widths than the one before


# ---- numbers

cdef inline bint serves(const Shape* shape, uint64_t key, const Window* window) noexcept nogil:
    """Whether there is such a shape, made for this, and the window fits it."""
    return SIMD and shape != NULL and shape.made == key and window_fits(window, shape)


cdef inline const Shape* look_up(const Window* window, const Op* op, uint32_t look, uint64_t key,
                                 const ShapePool* shapes) noexcept nogil:
    """The remembered shape that fits the window, NULL if there is none."""
    cdef int i, at
    cdef const Shape* shape
    if not SIMD or shapes.known == NULL:
        return NULL
    at = known_at(look, key)
    for i in range(PROBES):
        if shapes.known[(at + i) % KNOWN] == 0:
            return NULL
        shape = &shapes.shape[shapes.known[(at + i) % KNOWN] - 1]
        if shape.look == look and serves(shape, key, window):
            return shape
    return NULL


cdef inline const Shape* find_shape(const Window* window, Op* op, int first, uint64_t key,
                                    const ShapePool* shapes) noexcept nogil:
    """A shape that fits the window, other than the one that fitted last; NULL if none is remembered."""
    cdef const Shape* shape = op.previous[first]
    if not SIMD:
        return NULL
    if not serves(shape, key, window):
        shape = look_up(window, op, window_look(window, op.stop, op.stops), key, shapes)
        if shape == NULL:
            return NULL
    shape_turn(op, first, shape)
    return shape


cdef inline void keep_values(const Window* window, const Shape* shape, int64_t* values) noexcept nogil:
    """Put the numbers of a window where they go."""
    cdef int64_t found[2]
    window_values(window, shape, found)
    values[shape.slot[1]] = found[1]
    values[shape.slot[0]] = found[0]


cdef inline double real_of(const Window* window, const Shape* shape) noexcept nogil:
    """The double of a window that fits."""
    cdef double value = window_value(window, shape) / POWER[shape.scale[0]]
    return -value if shape.negative else value


cdef inline int64_t moment_of(const Window* window, const Shape* shape) noexcept nogil:
    """The time in seconds of a window that fits, as ns."""
    return window_value(window, shape) * TEN[9 - shape.scale[0]]


cdef inline void note_shape(Message* m, const Shape* shape, const char* p) noexcept nogil:
    """Note how the price and the quantity of a level were printed."""
    cdef int i
    for i in range(2 if shape.slot[0] != shape.slot[1] else 1):
        if shape.printed[i] and shape.slot[i] == AT_PRICE:
            m.price_printed = max(m.price_printed, <int> shape.printed[i])
            m.price_trailing |= p[shape.past[i] - 1] == c'0'
        elif shape.printed[i] and shape.slot[i] == AT_QTY:
            m.qty_printed = max(m.qty_printed, <int> shape.printed[i])
            m.qty_trailing |= p[shape.past[i] - 1] == c'0'


cdef inline bint text_before(const Window* window, const Op* op, int first) noexcept nogil:
    """Whether the window begins with the text that stands before a number."""
    cdef int taken = first > 0                    # its first byte was taken with the number before
    cdef int size = op.gap[first] - taken
    return size == 0 or window_text(window, op.text + op.at[first] + taken, size)


cdef inline bint other_behind(const Window* window, const Op* op, const Shape* shape, uint64_t key) noexcept nogil:
    """Whether a window has numbers as its last one, up to the end of each, but other text behind them: nothing reads
    that."""
    return SIMD and shape != NULL and shape.made == key and shape.next == op.numbers and (
        window_misfit(window, shape) > shape.size - op.tail)


cdef const char* run_numbers(Op* op, int first, const char* p, const char* end, const char* safe, int scales,
                             int64_t* values, ShapePool* shapes, Message* printed) noexcept nogil:
    """Read an operation's numbers from `first` on, window by window, where the shape that fitted last does not read
    them all: what follows them, or NULL if it is something else.

    `printed`: where it is noted how the numbers were printed, or NULL.
    """
    cdef Window window                            # loaded again here, so that the caller's can stay in registers
    cdef const Shape* shape
    cdef uint64_t key
    while first < op.numbers:
        if p > end:                               # what fitted lies behind the frame
            return NULL
        window_load(&window, p, end, safe)
        key = shape_key(op, first, scales)
        shape = op.current[first]
        if not serves(shape, key, &window):
            if not text_before(&window, op, first) or other_behind(&window, op, shape, key):
                return NULL
            shape = find_shape(&window, op, first, key, shapes)
        if shape == NULL:
            if (scales == NO_SCALES and op.scales_used) or op_careful(    # a price before anything says whose it is
                    op, first, &p, end, scales, values, shapes if SIMD else NULL, printed) != OK:
                return NULL
            return p
        keep_values(&window, shape, values)
        if printed != NULL:
            note_shape(printed, shape, p)
        p += shape.size
        first = shape.next
    return p


cdef const char* run_real(Op* op, const char* p, const char* end, const char* safe, int64_t* slots,
                          ShapePool* shapes) noexcept nogil:
    """Read a number that becomes a double: what follows it, or NULL if it is something else."""
    cdef Window window
    cdef double value
    cdef uint64_t key = shape_key(op, 0, 0)
    cdef const Shape* shape = op.current[0]
    window_load(&window, p, end, safe)
    if not serves(shape, key, &window):
        shape = find_shape(&window, op, 0, key, shapes)
    if shape == NULL:
        return p if p <= end and op_careful(op, 0, &p, end, 0, slots, shapes if SIMD else NULL, NULL) == OK else NULL
    if op.slot[0] != SLOT_SPARE:                  # else it is stepped over
        value = real_of(&window, shape)
        memcpy(&slots[op.slot[0]], &value, sizeof(double))
    return p + shape.size


cdef const char* run_moment(Op* op, const char* p, const char* end, const char* safe, int64_t* slots,
                            ShapePool* shapes) noexcept nogil:
    """Read a time in seconds with a fraction as ns: what follows it, or NULL if it is something else."""
    cdef Window window
    cdef uint64_t key = shape_key(op, 0, 0)
    cdef const Shape* shape = op.current[0]
    window_load(&window, p, end, safe)
    if not serves(shape, key, &window):
        shape = find_shape(&window, op, 0, key, shapes)
    if shape == NULL:
        return p if p <= end and op_careful(op, 0, &p, end, 0, slots, shapes if SIMD else NULL, NULL) == OK else NULL
    slots[op.slot[0]] = moment_of(&window, shape)
    return p + shape.size


cdef inline Py_ssize_t text_size(const char* p, const char* end, const char* safe, char stop) noexcept nogil:
    """Bytes before the next `stop`, -1 if there is none, or a backslash stands before it."""
    cdef Window window
    cdef Py_ssize_t passed = 0
    cdef int found
    if stop == c'"':
        while p + passed < end:
            window_load(&window, p + passed, end, safe)
            found = window_quote(&window)
            if found != -1:
                return passed + found if found >= 0 and p + passed + found < end else -1
            passed += WINDOW
        return -1
    while p + passed < end and p[passed] != c'\\':
        if p[passed] == stop:
            return passed
        passed += 1
    return -1


# ---- levels

cdef const char* run_symbol(const Target* instrument, const char* p, const char* end, const char* safe) noexcept nogil:
    """Step over the text of an instrument, which must be this one's if it is not NULL; NULL if it is another's."""
    cdef Window window
    cdef Py_ssize_t size
    if instrument == NULL:
        size = text_size(p, end, safe, c'"')
        return p + size if size >= 0 else NULL
    size = instrument.size
    if end - p < size or size == 0:
        return NULL
    if size > 32:
        return p + size if memcmp(p, instrument.name, size) == 0 else NULL
    window_load(&window, p, end, safe)
    return p + size if window_text(&window, instrument.name, <int> size) else NULL


cdef inline bint leads(const Element* element, const char* p) noexcept nogil:
    """Whether an element begins with these bytes, of which MAX_LEAD can be read."""
    cdef uint64_t word
    memcpy(&word, p, MAX_LEAD)
    return (word ^ element.lead_word) & element.lead_mask == 0


cdef inline const char* run_lead(const Element* element, const char* p, const char* end) noexcept nogil:
    """Compare the bytes before an element's first operation: what follows, or NULL if they are others."""
    if unlikely(end - p < MAX_LEAD):
        return p + element.lead_size if end - p > element.lead_size and memcmp(
            p, element.lead, element.lead_size) == 0 else NULL
    return p + element.lead_size if leads(element, p) else NULL


cdef inline bint parts_at(const Elements* elements, int i, int k) noexcept nogil:
    """Whether an element is the present one, or as that one up to its operation `k`."""
    cdef const Element* element = &elements.element[i]
    cdef const Element* same = &elements.element[elements.current]
    return i == elements.current or (
        element.common[elements.current] == k and element.lead_size == same.lead_size
        and element.lead_word == same.lead_word)


cdef int pick_element(Elements* elements, const Window* window, int k, int scales,
                      const ShapePool* shapes) noexcept nogil:
    """The element that has a remembered shape for the window at its operation `k`, before which it is as the present
    one; -1 if none has."""
    cdef const Shape* shape
    cdef Op* op
    cdef Pick* pick
    cdef uint32_t look
    cdef int i = elements.current, turn
    if not SIMD:
        return -1
    look = window_look(window, elements.element[i].op[k].stop, 1)
    pick = elements.pick[((look * <uint32_t> 0x9E3779B1 >> 26) + 7 * k) & (PICKS - 1)]
    for turn in range(2):
        i = pick[turn].element
        op = elements.element[i].shared[k]
        if serves(pick[turn].shape, shape_key(op, 0, scales), window) and parts_at(elements, i, k):
            if turn:
                pick[0], pick[1] = pick[1], pick[0]
            shape_turn(op, 0, pick[0].shape)
            return i
    i = elements.current
    for turn in range(elements.count):
        op = elements.element[i].shared[k]
        if op.kind == OP_NUMBERS and parts_at(elements, i, k):
            shape = look_up(window, op, look, shape_key(op, 0, scales), shapes)
            if shape != NULL:
                shape_turn(op, 0, shape)
                pick[1] = pick[0]
                pick[0].shape = shape
                pick[0].element = i
                return i
        i = i + 1 if i + 1 < elements.count else 0
    return -1


cdef bint turn_element(Elements* elements, const char* p, const char* end, const char* safe, int scales,
                       const ShapePool* shapes) noexcept nogil:
    """Whether another way to write a level begins like the one at `p`, or has a shape that fits it; it is then tried
    first."""
    cdef const Element* element = &elements.element[elements.current]
    cdef const Element* other
    cdef Window window
    cdef int i
    if elements.count < 2 or end - p < MAX_LEAD:
        return False
    for i in range(elements.count):
        other = &elements.element[i]
        if other.plain and other.lead_word != element.lead_word and leads(other, p):
            elements.current = i
            return True
    if not SIMD or not leads(element, p):
        return False
    window_load(&window, p + element.lead_size, end, safe)
    i = pick_element(elements, &window, 0, scales, shapes)
    if i < 0 or i == elements.current:
        return False
    elements.current = i
    return True


cdef inline Head* heads_of(Elements* elements, const Target* instrument) noexcept nogil:
    """The two heads that are kept of an instrument's levels; others can have the same place."""
    return elements.head[instrument.number & (HEADS - 1)]


cdef const Head* find_head(Elements* elements, const char* p, const char* end, int scales,
                           const Target* instrument) noexcept nogil:
    """The noted head that a level has, NULL if there is none."""
    cdef const Head* head
    cdef int i
    if end - p < HEAD or instrument == NULL:
        return NULL
    head = &heads_of(elements, instrument)[0]
    for i in range(2):
        if head.learned == elements.learned and head.scales == scales and head_fits(p, head):
            elements.head_hits += 1
            return head
        head += 1
    return NULL


cdef void note_head(Elements* elements, const char* p, const char** at, const char* end, const char* safe, int scales,
                    const Target* instrument) noexcept nogil:
    """Note how a level at `p` begins that the present element has just read; `at`: where its operations began, and
    where the level ends."""
    cdef const Element* element = &elements.element[elements.current]
    cdef Head* pair = heads_of(elements, instrument)
    cdef Head head
    cdef const Op* op
    cdef const Shape* shape
    cdef Window window
    cdef int k, i, begin
    cdef bint keeps
    elements.head_misses += 1
    if elements.head_misses == HEADS_TRIED:
        elements.headless = elements.head_hits < HEADS_TRIED * HEAD_SERVES
        elements.head_misses = elements.head_hits = 0
    memset(&head, 0, sizeof(Head))
    memset(head.limit, 0xff, HEAD)
    memcpy(head.base, p, min(<Py_ssize_t> HEAD, end - p))
    memset(head.limit, 0, element.lead_size)
    head.size = element.lead_size
    for k in range(element.n_ops):
        op = element.shared[k]
        begin = <int> (at[k] - p)
        if at[k + 1] - p > HEAD:
            break
        if op.kind == OP_NUMBERS:
            shape = op.current[0]
            window_load(&window, at[k], end, safe)
            if not serves(shape, shape_key(op, 0, scales), &window) or at[k] + shape.size != at[k + 1]:
                break
            keeps = False
            for i in range(op.numbers):
                keeps |= op.take[i] != TAKE_TEXT and op.take[i] != COUNT_FIELD
            if keeps and head.keeps:
                break
            if keeps:
                head.keeps = True
                head.numbers = shape[0]
                head.number_at = <uint8_t> begin
            memcpy(&head.base[begin], shape.base, shape.size)
            memcpy(&head.limit[begin], shape.limit, shape.size)
        else:
            memset(&head.limit[begin], 0, at[k + 1] - at[k])
        head.begin[k] = <uint8_t> begin
        head.size = <int> (at[k + 1] - p)
        head.ops = k + 1
    if head.ops < 3:                              # two are done as quickly one by one
        return
    head.learned = elements.learned
    head.scales = scales
    head.element = <uint8_t> elements.current
    pair[1] = pair[0]
    pair[0] = head


cdef const char* run_element(Elements* elements, const char* p, const char* end, const char* safe, int scales,
                             int64_t* values, const Target* instrument, ShapePool* shapes,
                             Message* printed) noexcept nogil:
    """Read one level: what follows it, or NULL if it is written in no way that is known."""
    cdef Element* element = &elements.element[elements.current]
    cdef const Head* head = NULL
    cdef const char* start = p
    cdef const char* at[MAX_ELEMENT_OPS + 1]
    cdef Op* op
    cdef const Shape* shape
    cdef Window window
    cdef Py_ssize_t size
    cdef uint32_t tried = 0
    cdef int k = 0, i, other
    if unlikely(elements.named != NULL):          # see `symbol_in_list`
        k = 2
        at[1] = start + element.op[0].tail
        p = elements.named
        elements.named = NULL
    elif SIMD and not elements.headless:
        head = find_head(elements, p, end, scales, instrument)
    if head != NULL:
        if likely(head.keeps):
            window_load(&window, p + head.number_at, end, safe)
            keep_values(&window, &head.numbers, values)
            if unlikely(printed != NULL):
                note_shape(printed, &head.numbers, p + head.number_at)
        elements.current = head.element
        element = &elements.element[elements.current]
        k = head.ops
        p += head.size
    elif k == 0:
        p = run_lead(element, start, end)
    while True:
        while unlikely(p == NULL):                # in another way, from where that one differs
            if head != NULL:
                for i in range(head.ops):
                    at[i] = start + head.begin[i]
                head = NULL
            tried |= <uint32_t> 1 << elements.current
            other = elements.current
            for i in range(elements.count):
                other = other + 1 if other + 1 < elements.count else 0
                if not tried >> other & 1:
                    break
            if tried >> other & 1:
                return NULL
            k = min(k, <int> element.common[other])
            elements.current = other
            element = &elements.element[other]
            p = at[k] if k else run_lead(element, start, end)
        if k == element.n_ops:
            if SIMD and not elements.headless and head == NULL and instrument != NULL:
                at[k] = p
                note_head(elements, start, at, end, safe, scales, instrument)
            return p
        op = element.shared[k]
        at[k] = p
        window_load(&window, p, end, safe)
        if op.kind == OP_NUMBERS:
            shape = op.current[0]
            if not serves(shape, shape_key(op, 0, scales), &window):
                other = pick_element(elements, &window, k, scales, shapes)
                shape = NULL
                if other >= 0 and not tried >> other & 1:
                    elements.current = other
                    element = &elements.element[other]
                    op = element.shared[k]
                    shape = op.current[0]         # it fits
            if likely(shape != NULL):
                keep_values(&window, shape, values)
                if unlikely(printed != NULL):
                    note_shape(printed, shape, p)
                p += shape.size
                if shape.next != op.numbers:
                    p = run_numbers(op, shape.next, p, end, safe, scales, values, shapes, printed)
            else:
                p = run_numbers(op, 0, p, end, safe, scales, values, shapes, printed)
        elif op.kind == OP_TEXT:
            p = p + op.tail if window_is(&window, op) else NULL
        elif op.kind == OP_SKIP:
            size = window_quote(&window)
            if unlikely(size < 0 or p + size >= end):
                size = text_size(p, end, safe, c'"')
            p = p + size if size >= 0 else NULL
        else:
            p = run_symbol(instrument, p, end, safe)
        if unlikely(p > end):                     # what fitted lies behind the frame
            return NULL
        k += p != NULL


cdef inline bint reads_all(const Shape* shape, const Op* op, uint64_t key) noexcept nogil:
    """Whether there is such a shape, made for this, that covers all numbers of the operation."""
    return shape != NULL and shape.made == key and shape.next == op.numbers


cdef const Shape* another_shape(Op* op, const char* p, const char* end, const char* safe, uint64_t key,
                                const ShapePool* shapes) noexcept nogil:
    """The remembered shape of a window that the one which fitted last does not fit, NULL if there is none."""
    cdef Window window                            # loaded again here, so that the caller's can stay in registers
    if not SIMD:
        return NULL
    window_load(&window, p, end, safe)
    return find_shape(&window, op, 0, key, shapes)


cdef inline void note_turns(Element* element, int64_t read, int64_t turned) noexcept nogil:
    """Note how often the widths of a plain element changed from one level to the next."""
    element.read += <uint32_t> read
    element.turned += <uint32_t> turned
    if element.read > READ_FOR_TURNS:
        element.varied = element.turned * TURNS_OF_VARIED > element.read
        element.read = element.turned = 0


cdef inline const Shape* near_shape(Element* element, const Op* op, const Window* window, uint32_t look, uint64_t key,
                                    const ShapePool* shapes) noexcept nogil:
    """The shape of a window of a varied element, NULL if none is remembered."""
    cdef uint32_t place = (look * <uint32_t> 0x9E3779B1 >> 16) + <uint32_t> (key * 37 + (key >> 8) * 11)  # and scales
    cdef const Shape** at = &element.near[place & (NEAR - 1)]
    if unlikely(not serves(at[0], key, window)):
        at[0] = look_up(window, op, look, key, shapes)
    return at[0]


cdef const char* varied_levels(Element* element, Op* op, const char* p, const char* end, const char* safe, int scales,
                               Levels* levels, ShapePool* shapes, Message* printed) noexcept nogil:
    """As plain_levels, where the next level is hardly ever as wide as the one before.

    Where a level ends is seen in its window at once, so that nothing waits until its shape is found.
    """
    cdef const Shape* shape
    cdef const Shape* last = NULL
    cdef uint64_t key = shape_key(op, 0, scales)
    cdef uint32_t stops
    cdef int64_t n = levels.count, turned = 0
    cdef int64_t values[2]
    cdef int64_t cold[PLACES]
    cdef int64_t* first = levels.qty if element.swapped else levels.price
    cdef int64_t* second = levels.price if element.swapped else levels.qty
    cdef Window window
    cdef const char* past
    cdef const char* seen_end
    cdef const char* next_at
    cdef const char* stopped
    cdef char stop = op.stop
    cdef int lead = element.lead_size, number, numbers = op.numbers
    while True:                                   # p stands before a level, at the comma or bracket before it
        p += 1
        if end - p < MAX_LEAD or not leads(element, p):
            stopped = p - 1
            break
        past = p + lead
        window_load(&window, past, end, safe)
        stops = window_stops(&window, stop)
        shape = near_shape(element, op, &window, window_look(&window, stop, 1), key, shapes)
        if likely(stops != 0):
            seen_end = past + first_bit(stops) + 1
            next_at = apart(seen_end)             # the next level is read from there before this one's shape is known
        if likely(shape != NULL and shape.next == numbers and stops != 0 and past + shape.size == seen_end):
            window_values(&window, shape, values)
            if unlikely(printed != NULL):
                note_shape(printed, shape, past)
            first[n] = values[0]
            second[n] = values[1]
            past = next_at
            turned += shape != last
            last = shape
        else:
            turned += 1
            number = 0
            while shape != NULL:
                keep_values(&window, shape, cold)
                if unlikely(printed != NULL):
                    note_shape(printed, shape, past)
                past += shape.size
                number = shape.next
                if number == numbers or past >= end:
                    break
                window_load(&window, past, end, safe)
                shape = near_shape(element, op, &window, window_look(&window, stop, 1),
                                   shape_key(op, number, scales), shapes)
            if unlikely(number != numbers):
                past = run_numbers(op, 0, p + lead, end, safe, scales, cold, shapes, printed)
                if past == NULL:
                    stopped = p - 1
                    break
            levels.price[n] = cold[AT_PRICE]
            levels.qty[n] = cold[AT_QTY]
        if past >= end:                           # or past it: a shape may have fitted what lies behind the frame
            stopped = p - 1
            break
        n += 1
        p = past
        if p[0] != c',':
            stopped = p
            break
    note_turns(element, n - levels.count, turned)
    levels.count = n
    return stopped


cdef inline const char* plain_levels(Element* element, Op* op, const char* p, const char* end, const char* safe,
                                     int scales, Levels* levels, ShapePool* shapes, Message* printed) noexcept nogil:
    """Read levels that are all written in one way, mostly a window each: the byte before the first that is not, or
    after which none comes. `op`: what reads them."""
    cdef const Shape* shape = op.current[0]
    cdef uint64_t key = shape_key(op, 0, scales)
    cdef int64_t n = levels.count, turned = 0
    cdef int64_t values[2]
    cdef int64_t cold[PLACES]
    cdef int64_t* first = levels.qty if element.swapped else levels.price
    cdef int64_t* second = levels.price if element.swapped else levels.qty
    cdef Window window
    cdef const char* past
    cdef const char* stopped
    cdef int lead = element.lead_size
    if not reads_all(shape, op, key):
        shape = NULL
    while True:                                   # p stands before a level, at the comma or bracket before it
        p += 1
        if end - p < MAX_LEAD or not leads(element, p):
            stopped = p - 1
            break
        past = p + lead
        window_load(&window, past, end, safe)
        if likely(SIMD and shape != NULL and window_fits(&window, shape)):
            window_values(&window, shape, values)
            if unlikely(printed != NULL):
                note_shape(printed, shape, past)
            past += shape.size
            first[n] = values[0]
            second[n] = values[1]
        else:
            turned += 1
            shape = another_shape(op, past, end, safe, key, shapes)
            if shape != NULL and shape.next == op.numbers:
                p -= 1                            # the same level once more
                continue
            past = run_numbers(op, 0, past, end, safe, scales, cold, shapes, printed)
            if past == NULL:
                stopped = p - 1
                break
            levels.price[n] = cold[AT_PRICE]
            levels.qty[n] = cold[AT_QTY]
            shape = op.current[0] if reads_all(op.current[0], op, key) else NULL
        if past >= end:                           # or past it: a shape may have fitted what lies behind the frame
            stopped = p - 1
            break
        n += 1
        p = past
        if p[0] != c',':
            stopped = p
            break
    note_turns(element, n - levels.count, turned)
    levels.count = n
    return stopped


cdef inline Levels* side_levels(Message* m, uint64_t seen, int list_side, int side) noexcept nogil:
    """Where a level goes; NULL if nothing says its side."""
    if seen & bit(SLOT_LEVEL_ID):
        return &m.rows
    if list_side == 2:
        return &m.bids if side > 0 else &m.asks if side < 0 else NULL
    return &m.asks if list_side else &m.bids


cdef inline bint add_level(Elements* elements, int side, const int64_t* values, Message* m) noexcept nogil:
    """Put a level that was read by the present element where it goes; False if nothing says its side."""
    cdef Element* element = &elements.element[elements.current]
    cdef uint64_t seen = elements.form.seen
    cdef Levels* levels = side_levels(m, seen, side, element.side)
    cdef int64_t n
    if levels == NULL:
        return False
    n = levels.count
    levels.price[n] = values[AT_PRICE]
    levels.qty[n] = 0 if element.gone else values[AT_QTY]
    if seen:
        levels.rank[n] = values[AT_SEQ]
        if values[AT_ID] != INT64_MIN:
            levels.rank[n] = values[AT_ID] << 2 | (1 if element.side > 0 else 2 if element.side < 0 else 0)
    levels.count = n + 1
    return True


cdef inline bint room_for_one(Message* m) noexcept nogil:
    """See that there is room for one more level, whatever it is."""
    return levels_reserve(&m.bids, m.bids.count + 1) and levels_reserve(&m.asks, m.asks.count + 1) and levels_reserve(
        &m.rows, m.rows.count + 1)


cdef const char* run_alone(Elements* elements, int side, const char* p, const char* end, const char* safe,
                           int scales, Message* m, const Target* instrument, ShapePool* shapes) noexcept nogil:
    """Read a level that is in no list: what follows it, or NULL if it is written in no way that is known."""
    cdef int64_t values[PLACES]
    if elements.count == 0 or not room_for_one(m):
        return NULL
    values[AT_PRICE] = values[AT_ID] = values[AT_SEQ] = INT64_MIN
    p = run_element(elements, p, end, safe, scales, values, instrument, shapes, NULL)
    if p == NULL or p >= end:
        return NULL
    elements.element[elements.current].hits += 1
    return p if add_level(elements, side, values, m) else NULL


cdef Status run_levels(Elements* elements, int side, const char** at, const char* end, const char* safe, int scales,
                       Message* m, const Target* instrument, ShapePool* shapes, Message* printed) noexcept nogil:
    """Read a list of levels, from the byte before one of them on. Anything but OK: `at` is where it was given up, the
    levels before are read.

    `side`: 0 bids, 1 asks, 2 each says its own. `instrument`: which one levels may name. `printed`: as above.
    """
    cdef const char* p = at[0]
    cdef const char* past
    cdef const char* tried = NULL
    cdef Element* element
    cdef Op* op
    cdef Levels* levels
    cdef int64_t values[PLACES]
    cdef int64_t room
    cdef uint64_t seen = elements.form.seen
    if end - p < 2 or (p[0] != c'[' and p[0] != c','):
        return NOT_COVERED
    if p[0] == c'[' and p[1] == c']':
        if elements.form.named:                   # and no level says whose list this is
            return NOT_COVERED
        at[0] = p + 2
        return OK
    if elements.count == 0:
        return NOT_COVERED
    room = (end - p) // 5 + 1
    levels = side_levels(m, seen, side, 1)
    if not levels_reserve(levels, levels.count + room):
        return NO_MEMORY
    if side == 2 and not levels_reserve(&m.asks, m.asks.count + room):
        return NO_MEMORY
    element = &elements.element[elements.current]
    element.hits += 1
    while True:                                   # p stands before a level, at the comma or bracket before it
        levels = side_levels(m, 0, side, element.side) if element.plain and seen == 0 else NULL
        if likely(levels != NULL):
            room = levels.count
            op = element.shared[0]
            if element.varied:
                p = varied_levels(element, op, p, end, safe, scales, levels, shapes, printed)
            else:
                p = plain_levels(element, op, p, end, safe, scales, levels, shapes, printed)
            if element.gone:
                memset(&levels.qty[room], 0, (levels.count - room) * sizeof(int64_t))
            if likely(p[0] == c']' and p != at[0]):
                break
            if p[0] != c',' and p != at[0]:
                at[0] = p
                return NOT_COVERED
            at[0] = p
            if tried != p and turn_element(elements, p + 1, end, safe, scales, shapes):
                tried = p
                element = &elements.element[elements.current]
                continue
        values[AT_PRICE] = values[AT_ID] = values[AT_SEQ] = INT64_MIN       # what a level may not say
        past = run_element(elements, p + 1, end, safe, scales, values, instrument, shapes, printed)
        if past == NULL or past >= end:
            return NOT_COVERED
        if not add_level(elements, side, values, m):
            return NOT_COVERED
        element = &elements.element[elements.current]
        at[0] = p = past
        if p[0] != c',':
            break
    if p[0] != c']':
        return NOT_COVERED
    at[0] = p + 1
    return OK


# ---- whole books

cdef const char* one_level(Elements* elements, const char* p, const char* end, const char* safe, int scales,
                           int64_t* values, const Target* instrument, ShapePool* shapes) noexcept nogil:
    """Read one level: what follows it, or NULL if it is written in no way that is known."""
    cdef Element* element = &elements.element[elements.current]
    cdef Op* op = element.shared[0]
    cdef const Shape* shape = op.current[0]
    cdef const char* past = run_lead(element, p, end) if element.plain else NULL
    cdef Window window
    if past != NULL and reads_all(shape, op, shape_key(op, 0, scales)):
        window_load(&window, past, end, safe)
        if window_fits(&window, shape):
            window_values(&window, shape, values)
            if element.swapped:
                values[AT_QTY], values[AT_PRICE] = values[0], values[1]
            if element.gone:
                values[AT_QTY] = 0
            return past + shape.size
    past = run_element(elements, p, end, safe, scales, values, instrument, shapes, NULL)
    if past != NULL and elements.element[elements.current].gone:
        values[AT_QTY] = 0
    return past


cdef Status run_whole(Kept* kept, Elements* elements, int side, const char** at, const char* end, const char* safe,
                      int scales, Message* m, const Target* instrument, ShapePool* shapes) noexcept nogil:
    """Read a list of a whole book: levels whose text the last one had are what they were. The message's list then
    holds what differs."""
    cdef KeptList* old = &kept.last[side]
    cdef KeptList* new = &kept.next[side]
    cdef Levels* out = &m.asks if side else &m.bids
    cdef const char* p = at[0] + 1
    cdef const char* first = p
    cdef const char* past
    cdef Differ differ
    cdef int64_t values[PLACES]
    cdef int64_t n = 0, room, same, j, i, base
    if end - at[0] < 2 or at[0][0] != c'[' or kept.lists >> side & 1:
        return NOT_COVERED
    if end - at[0] > WHOLE_BYTES:
        kept.differs = False
        return run_levels(elements, side, at, end, safe, scales, m, instrument, shapes, NULL)
    if old.form != elements.form or old.scales != scales:
        old.levels.count = 0
        kept.differs = False
    room = old.levels.count + (end - p) // 5 + 1
    if not (list_room(new, room, end - p) and levels_reserve(out, room + old.levels.count)):
        return NO_MEMORY
    out.count = 0
    differ.old = &old.levels
    differ.old_ordered = old.ordered
    differ.out = out
    differ.i = 0
    differ.sign = 1 if side else -1
    differ.last = INT64_MIN
    differ.ordered = True
    if p[0] == c']':
        if elements.form.named:                   # as in run_levels
            return NOT_COVERED
        p += 1
    elif elements.count == 0:
        return NOT_COVERED
    while (p - 1)[0] != c']':                     # p stands before a level
        i = differ.i
        if i < old.levels.count:
            base = old.start[i]
            same = base + same_bytes(p, old.text + base, min(<int64_t> (end - p), old.size - base))
            j = i
            while j < old.levels.count and old.start[j + 1] <= same:
                new.start[n + j - i] = <uint32_t> (p - first + old.start[j] - base)
                j += 1
            if j != i:
                memcpy(new.levels.price + n, old.levels.price + i, (j - i) * sizeof(int64_t))
                memcpy(new.levels.qty + n, old.levels.qty + i, (j - i) * sizeof(int64_t))
                differ_same(&differ, j - i)
                n += j - i
                p += old.start[j] - base
                continue
        past = one_level(elements, p, end, safe, scales, values, instrument, shapes)
        if past == NULL or past >= end or (past[0] != c',' and past[0] != c']'):
            return NOT_COVERED
        new.start[n] = <uint32_t> (p - first)
        new.levels.price[n] = values[AT_PRICE]
        new.levels.qty[n] = values[AT_QTY]
        differ_level(&differ, values[AT_PRICE], values[AT_QTY])
        n += 1
        p = past + 1
    differ_end(&differ)
    kept.differs &= old.ordered & differ.ordered
    new.start[n] = <uint32_t> (p - first)
    new.size = p - first
    new.levels.count = n
    new.form = elements.form
    new.scales = scales
    new.ordered = differ.ordered
    memcpy(new.text, first, new.size)
    kept_turn(kept, side)
    at[0] = p
    return OK


cdef inline Kept* kept_of(Target* instrument) noexcept nogil:
    """What is kept of an instrument's whole books; NULL: nothing can be."""
    if unlikely(instrument.kept == NULL and instrument.version != NULL):
        instrument.kept = kept_new(instrument.version)
    return instrument.kept


# ---- frames

cdef inline bint same_date(const char* a, const char* b) noexcept nogil:
    """Whether ten bytes are the same."""
    cdef uint64_t first, other
    cdef uint16_t rest, other_rest
    memcpy(&first, a, 8)
    memcpy(&other, b, 8)
    memcpy(&rest, a + 8, 2)
    memcpy(&other_rest, b + 8, 2)
    return first == other and rest == other_rest


cdef const char* run_other(Op* op, const char* p, const char* end, const char* safe, int64_t* slots) noexcept nogil:
    """Read a time or a name in a form that no window reads: what follows it, or NULL if it is something else."""
    cdef const char* past
    cdef Py_ssize_t size
    cdef int64_t clock = 0
    cdef int decimals = 0
    if p >= end:
        return NULL
    if op.quoted[0]:
        size = text_size(p, end, safe, c'"')
        past = p + size if size > 0 else NULL
    else:
        past = number_end(p, end, False)
    if past == NULL or past == p:
        return NULL
    if op.take[0] == TAKE_TIME and past - p > 10:
        if op.day and same_date(p, op.date) and p[10] == c'T' and read_day_time(p + 11, past, &clock):
            slots[op.slot[0]] = op.day + clock    # as the last one, but for the time of the day
            return past
        op.day = 0
        if read_day(p, &op.day):
            memcpy(op.date, p, 10)
            if op.day < 2 * LAST_US:              # before 1976: absurd
                op.day = 0
    return past if convert_number(op.take[0], p, past, 0, 0, &slots[op.slot[0]], &decimals) == OK else NULL


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


cdef inline int32_t symbol_in_list(const Elements* elements, const char* p, const char* end, const char* safe,
                                   const Symbols* symbols, int variant, const char** named) noexcept nogil:
    """The instrument that the first level of a list names, -1 if it names none that is known. `named`: where the name
    ends, if the level need not be read again up to there."""
    cdef const Element* element = &elements.element[elements.current]
    cdef Window window
    cdef Py_ssize_t size
    if elements.count == 0 or element.n_ops < 2 or element.op[0].kind != OP_TEXT or element.op[1].kind != OP_SYMBOL:
        return -1
    p += 1 + element.op[0].tail
    if p >= end:
        return -1
    size = text_size(p, end, safe, c'"')
    window_load(&window, p - element.op[0].tail, end, safe)
    if window_is(&window, &element.op[0]):
        named[0] = p + size
    return symbols_find(symbols, p, size, variant) if size > 0 else -1


cdef inline bint usual(const Layout* layout, const int64_t* slot) noexcept nogil:
    """Whether no number of a message is one that may make it another."""
    if layout.seen & bit(SLOT_LEVEL_COUNT) and slot[SLOT_LEVEL_COUNT] == 0:
        return False
    if layout.seen & bit(SLOT_FIRST_SEQ) and slot[SLOT_FIRST_SEQ] <= 0:
        return False                              # where a venue has no number to tell, it may mean another rule
    # And where its count begins anew, the message may be a whole book.
    return not (layout.link == LINK_COUNTER and layout.seen & bit(SLOT_LAST_SEQ) and slot[SLOT_LAST_SEQ] <= 1)


cdef inline bint complete(const Layout* layout, int64_t* slot) noexcept nogil:
    """Fill in what no text of a message says; False: it may be another."""
    cdef int i
    for i in range(layout.n_constants):
        slot[layout.constant_slot[i]] = layout.constant[i]
    for i in range(layout.n_copies):
        slot[layout.copy_to[i]] = slot[layout.copy_from[i]]
    return not layout.judged or likely(usual(layout, slot))


cdef inline Status finish(const Layout* layout, Message* m, int32_t target, const char* more) noexcept nogil:
    """Complete a message of which all that stands in the frame was read; anything but OK: it may be another."""
    if unlikely(not complete(layout, m.slot)):
        return NOT_COVERED
    if unlikely(m.kept != NULL) and not (m.kept.differs and m.kept.lists == 3) and not kept_all(
            m.kept, &m.bids, &m.asks):
        return NOT_COVERED
    layout_says(layout, m, target, more)
    return OK


cdef Status run(Layout* layout, const char* p, const char* end, const char* safe, Message* m,
                const Symbols* symbols, ShapePool* shapes, int32_t target) noexcept nogil:
    """Run a frame of at least 32 bytes, from `p` on, through a layout; anything but OK: nothing is known of it."""
    cdef Op* op = layout.op
    cdef const Shape* shape
    cdef const char* past
    cdef Window window
    cdef Py_ssize_t size
    cdef int scales = NO_SCALES
    cdef const Target* instrument = NULL
    cdef const char* named = NULL
    m.bids.count = m.asks.count = m.rows.count = 0
    m.kept = NULL
    if target < 0 and layout.late:
        target = late_symbol(layout, p, end, symbols)
    if target >= 0:
        instrument = &symbols.target[target]
        scales = scales_word(instrument.price_scale, instrument.qty_scale)
    while True:
        # What fits may lie behind the frame: `p` is past its end then, and stays so.
        if likely(op.kind == OP_NUMBERS):
            window_load(&window, p, end, safe)
            shape = op.current[0]
            if likely(serves(shape, shape_key(op, 0, scales), &window) and shape.next == op.numbers):
                keep_values(&window, shape, m.slot)
                p += shape.size
            else:
                p = run_numbers(op, 0, p, end, safe, scales, m.slot, shapes, NULL)
                if p == NULL:
                    return NOT_COVERED
        elif likely(op.kind == OP_TEXT):
            window_load(&window, p, end, safe)
            if unlikely(not window_is(&window, op)):
                return NOT_COVERED
            p += op.tail
            if op.gap[0]:
                window_load(&window, p, end, safe)
                if unlikely(not window_text(&window, op.text + WINDOW, op.gap[0])):
                    return NOT_COVERED
                p += op.gap[0]
        elif likely(op.kind == OP_REAL):
            p = run_real(op, p, end, safe, m.slot, shapes)
            if p == NULL:
                return NOT_COVERED
        elif op.kind == OP_LEVELS:
            past = p
            if p >= end or p[0] != c'[':
                return NOT_COVERED
            if instrument == NULL:
                target = symbol_in_list(layout.elements[op.slot[1]], p, end, safe, symbols, layout.variant, &named)
                if target < 0:
                    return NOT_COVERED
                instrument = &symbols.target[target]
                scales = scales_word(instrument.price_scale, instrument.qty_scale)
            if unlikely(layout.whole):
                if m.kept == NULL:
                    m.kept = kept_of(&symbols.target[target])
                    if m.kept == NULL:
                        return NOT_COVERED
                    kept_begin(m.kept)
                if run_whole(m.kept, layout.elements[op.slot[1]], op.slot[0], &past, end, safe, scales, m, instrument,
                             shapes) != OK:
                    return NOT_COVERED
            else:
                layout.elements[op.slot[1]].named = named
                if run_levels(layout.elements[op.slot[1]], op.slot[0], &past, end, safe, scales, m, instrument, shapes,
                              NULL) != OK:
                    layout.elements[op.slot[1]].named = NULL
                    return NOT_COVERED
                layout.elements[op.slot[1]].named = named = NULL
            p = past
        elif op.kind == OP_LEVEL:
            if instrument == NULL:                # a price before anything says whose it is
                return NOT_COVERED
            p = run_alone(layout.elements[op.slot[1]], op.slot[0], p, end, safe, scales, m, instrument, shapes)
            if p == NULL:
                return NOT_COVERED
        elif op.kind == OP_SYMBOL:
            if likely(instrument != NULL):
                p = run_symbol(instrument, p, end, safe)
                if unlikely(p == NULL):
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
        elif op.kind == OP_SKIP:
            size = text_size(p, end, safe, c'"')
            if size < 0:
                return NOT_COVERED
            p += size
        elif op.kind == OP_MOMENT:
            p = run_moment(op, p, end, safe, m.slot, shapes)
            if p == NULL:
                return NOT_COVERED
        elif op.kind == OP_OTHER:
            p = run_other(op, p, end, safe, m.slot)
            if p == NULL:
                return NOT_COVERED
        else:
            break
        op += 1
    if target < 0 or p > end or (p != end and not layout.part and (layout.n_close == 0 or p[0] != c',')):
        return NOT_COVERED
    return finish(layout, m, target, p if layout.n_close or layout.part else NULL)


cdef Status read_part(Engine* engine, int layout, const char* p, const char* end, int32_t target,
                      Message* m) noexcept nogil:
    """Read a message behind the first of its frame; `m.more` is then where it ends."""
    return run(engine.layout[layout], p, end, end, m, &engine.symbols, &engine.shapes, target)


cdef inline bint no_levels(const Message* m) noexcept nogil:
    """Whether a message that was read is no book's."""
    return m.bids.count == 0 and m.asks.count == 0 and m.rows.count == 0 and (
        m.kind != KIND_DELTA and m.kind != KIND_SNAPSHOT)


cdef Status read_several(Engine* engine, Route* route, int head, const char* data, const char* end,
                         const char* safe, uint32_t key, Message* m) noexcept nogil:
    """See that all messages of a frame have layouts, after the first was read, and go back to that; `key` as for
    `note_stencil`, 0: none is made.

    Like the careful parser, which looks at the whole frame before it gives its first message.
    """
    cdef const Layout* first = engine.layout[head]
    cdef const char* more = m.more
    cdef const char* p = more
    cdef int32_t target = m.target if first.late else route.target, own = m.target
    cdef int i
    cdef Part* kept
    cdef bint bare = no_levels(m)
    cdef int64_t slot[N_SLOTS]
    engine.n_parts = engine.n_kept = engine.next_part = 0
    engine.part_target = target
    if bare:
        memcpy(slot, m.slot, sizeof(slot))
    while p != end and p[0] == c',' and engine.n_parts < MAX_PARTS:
        for i in range(route.n_parts):
            if route.part_head[i] == head and run(engine.layout[route.part[i]], p + 1, end, safe, m, &engine.symbols,
                                                  &engine.shapes, target) == OK:
                break
        else:
            return NOT_COVERED
        if engine.n_kept == engine.n_parts < KEPT_PARTS and no_levels(m):
            kept = &engine.kept[engine.n_kept]
            kept.target = m.target
            kept.more = m.more
            memcpy(kept.slot, m.slot, sizeof(slot))
            engine.n_kept += 1
        engine.part[engine.n_parts] = route.part[i]
        engine.n_parts += 1
        p = m.more
    if bare:
        memcpy(m.slot, slot, sizeof(slot))        # what stands behind the last message belongs to the first
    if first.tail:
        if run(engine.layout[first.tail - 1], p, end, safe, m, &engine.symbols, &engine.shapes, m.target) != OK:
            return NOT_COVERED
    elif end - p != first.n_close or memcmp(p, first.close, first.n_close) != 0:
        return NOT_COVERED
    if bare:
        layout_says(first, m, own, more)
        if not usual(first, m.slot):
            return NOT_COVERED
        if key:
            note_stencil(engine, route, head, data, end, safe, key, m)
        return OK
    return run(engine.layout[head], data + route.size, end, safe, m, &engine.symbols, &engine.shapes, route.target)


cdef extern from *:
    """
    static const char WB_NOTHING[96] = {0};
    """
    const char NOTHING "WB_NOTHING"[96]


cdef Status read_frame(Engine* engine, const char* data, const char* end, const char* safe, Message* m) noexcept nogil:
    """Read a frame by what was learned of its stream; anything but OK: nothing is known of it.

    `end` is one past the last byte; up to `safe` bytes may be read, but mean nothing.
    """
    cdef Route* route
    cdef Status status = NOT_COVERED
    cdef int i, at
    cdef uint32_t key = 0
    cdef char short_frame[3 * WINDOW]
    if unlikely(end - data < WINDOW):             # a window at the end of a frame looks at what stands before
        if end - data < SHORTEST:
            return NOT_COVERED
        memcpy(short_frame + SHORTEST, NOTHING, sizeof(short_frame) - SHORTEST)
        memcpy(short_frame, data, SHORTEST)
        memcpy(short_frame + (end - data) - SHORTEST, end - SHORTEST, SHORTEST)
        end = short_frame + (end - data)
        data = short_frame
        safe = short_frame + sizeof(short_frame)
    if SIMD and end - data <= STENCIL and worth_a_look(engine):
        key = stencil_key(data, end)
        if likely(read_stencil(engine, data, end, safe, key, m) == OK):
            return OK
    route = find_route(&engine.routes, data, end, safe, engine.mark, engine_marks(engine, data), engine_line(engine))
    if route == NULL or route.n_layouts == 0:
        return NOT_COVERED
    at = route.current
    status = run(engine.layout[route.layout[at]], data + route.size, end, safe, m, &engine.symbols, &engine.shapes,
                 route.target)
    if unlikely(status != OK):
        for i in range(route.n_layouts):
            if i == at:
                continue
            status = run(engine.layout[route.layout[i]], data + route.size, end, safe, m, &engine.symbols,
                         &engine.shapes, route.target)
            if status == OK:
                route.current = <uint8_t> i
                break
        else:
            return status
    if likely(m.more == NULL):
        if key:
            note_stencil(engine, route, route.layout[route.current], data, end, safe, key, m)
        return OK
    if data == short_frame:                       # which is gone when the others are read
        return NOT_COVERED
    return read_several(engine, route, route.layout[route.current], data, end, safe, key, m)


cdef extern from *:
    """
    static const void *volatile wb_outside;  /* a function whose address is taken is not put into its only caller */
    """
    const void* outside "wb_outside"


cdef Runner make():
    """What feeds.parser hands out."""
    global outside
    cdef Runner runner = Runner.__new__(Runner)
    assert sizeof(Shape) % 16 == 0 and sizeof(Head) % 16 == 0, "pool_ready says why"
    outside = <const void*> run_whole             # the frames that are most are read by fewer registers
    outside = <const void*> run_alone
    outside = <const void*> find_head
    runner.frame = read_frame
    runner.part = read_part
    runner.levels = run_levels
    runner.simd = SIMD
    return runner


RUNNER = make()
