"""A cursor over JSON text: checks its grammar, finds keys, records where the values stand.

Nothing at or past `end` is read. The cursor keeps the first error and where it happened; after that every reader
does nothing, so a parser reads like the message and checks once. It knows JSON, and no venue.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset, strlen
from orderbook.types cimport Status, OK, BAD_JSON, BAD_NUMBER, BAD_VALUE, MISSING_KEY, TOO_DEEP, TOO_MANY
from feeds.message cimport (Message, Token, MAX_TOKENS, TAKE_INT, TAKE_PRICE, TAKE_QTY, TAKE_DOUBLE, TAKE_BOOL,
                            TAKE_SYMBOL, TAKE_TEXT, TAKE_LEVELS, TAKE_CONSTANT, TAKE_ANY, SLOT_SPARE, SEEN_BIDS, bit)

cdef enum:
    MAX_DEPTH = 32            # of nesting; the deepest message of any venue has 7

cdef struct Cursor:
    const char* start         # first byte of the frame
    const char* pos           # next byte to read; after an error the offending byte
    const char* end           # one past the last byte; never read, the bytes are not NUL-terminated
    const char* expected      # what should have stood at `pos`, a constant text
    Message* message          # where tokens go; NULL records nothing
    Status status             # first error met
    bint fresh                # an object or array was opened and nothing in it was read yet

cdef struct Text:
    const char* data          # first byte, borrowed from the frame
    Py_ssize_t size           # bytes; escapes are not resolved


cdef inline void cursor_init(Cursor* c, const char* data, Py_ssize_t size, Message* message) noexcept nogil:
    """Stand at the first byte."""
    c.start = c.pos = data
    c.end = data + size
    c.expected = b""
    c.message = message
    c.status = OK
    c.fresh = False


cdef inline bint fail(Cursor* c, Status status, const char* expected) noexcept nogil:
    """Note the first error at the present byte; False, to return at once."""
    if c.status == OK:
        c.status = status
        c.expected = expected
    return False


cdef inline void skip_space(Cursor* c) noexcept nogil:
    """Step over white space."""
    while c.pos != c.end and (c.pos[0] == c' ' or c.pos[0] == c'\n' or c.pos[0] == c'\r' or c.pos[0] == c'\t'):
        c.pos += 1


cdef inline bint next_is(Cursor* c, char byte) noexcept nogil:
    """Step over `byte` (and white space before it) if it is next; say whether it was."""
    if c.status != OK:
        return False
    skip_space(c)
    if c.pos == c.end or c.pos[0] != byte:
        return False
    c.pos += 1
    return True


cdef inline char peek(Cursor* c) noexcept nogil:
    """The next byte that is no white space, 0 at the end."""
    if c.status != OK:
        return 0
    skip_space(c)
    return 0 if c.pos == c.end else c.pos[0]


cdef inline bint open_object(Cursor* c) noexcept nogil:
    """Step into an object."""
    c.fresh = True
    return next_is(c, c'{') or fail(c, BAD_VALUE, b"'{'")


cdef inline bint open_array(Cursor* c) noexcept nogil:
    """Step into an array."""
    c.fresh = True
    return next_is(c, c'[') or fail(c, BAD_VALUE, b"'['")


cdef inline bint read_text(Cursor* c, Text* text) noexcept nogil:
    """Read a string; only its end is looked for."""
    cdef const char* p
    text.data = c.pos
    text.size = 0
    if not next_is(c, c'"'):
        return fail(c, BAD_VALUE, b"a string")
    p = c.pos
    text.data = p
    while p != c.end and p[0] != c'"':
        p += 1 + (p[0] == c'\\' and p + 1 != c.end)
    if p == c.end:
        c.pos = p
        return fail(c, BAD_JSON, b"'\"' at the end of a string")
    text.size = p - text.data
    c.pos = p + 1
    return True


cdef inline bint next_key(Cursor* c, Text* key) noexcept nogil:
    """Read the next key of an object, up to and with its colon; False at the object's end or on an error."""
    if c.status != OK:
        return False
    if next_is(c, c'}'):
        c.fresh = False
        return False
    if c.fresh:
        c.fresh = False
    elif not next_is(c, c','):
        return fail(c, BAD_JSON, b"',' or '}'")
    if peek(c) != c'"':
        return fail(c, BAD_JSON, b"a key")
    if not read_text(c, key):
        return False
    return next_is(c, c':') or fail(c, BAD_JSON, b"':'")


cdef inline bint next_item(Cursor* c) noexcept nogil:
    """Stand before the next value of an array; False at the array's end or on an error."""
    if c.status != OK:
        return False
    if next_is(c, c']'):
        c.fresh = False
        return False
    if c.fresh:
        c.fresh = False
        return True
    return next_is(c, c',') or fail(c, BAD_JSON, b"',' or ']'")


cdef inline bint text_is(const Text* text, const char* word, Py_ssize_t size) noexcept nogil:
    """Whether the text is this word of `size` bytes."""
    return text.size == size and memcmp(text.data, word, size) == 0


cdef inline bint word_is(const Text* text, const char* word) noexcept nogil:
    """Whether the text is this NUL-terminated word."""
    return text_is(text, word, strlen(word))


cdef inline bint key_is(const Text* key, char byte) noexcept nogil:
    """Whether the key is this one letter."""
    return key.size == 1 and key.data[0] == byte


cdef inline bint is_digit(char byte) noexcept nogil:
    """Whether the byte is one of 0 to 9."""
    return <uint8_t> (byte - c'0') < 10


cdef inline bint scan_number(Cursor* c) noexcept nogil:
    """Step over a number, by JSON's grammar."""
    cdef const char* p
    skip_space(c)
    p = c.pos
    if p != c.end and p[0] == c'-':
        p += 1
    if p == c.end or not is_digit(p[0]):
        c.pos = p
        return fail(c, BAD_NUMBER, b"a number")
    if p[0] == c'0':
        p += 1
    else:
        while p != c.end and is_digit(p[0]):
            p += 1
    if p != c.end and p[0] == c'.':
        p += 1
        if p == c.end or not is_digit(p[0]):
            c.pos = p
            return fail(c, BAD_NUMBER, b"a digit after '.'")
        while p != c.end and is_digit(p[0]):
            p += 1
    if p != c.end and (p[0] == c'e' or p[0] == c'E'):
        p += 1
        if p != c.end and (p[0] == c'+' or p[0] == c'-'):
            p += 1
        if p == c.end or not is_digit(p[0]):
            c.pos = p
            return fail(c, BAD_NUMBER, b"an exponent")
        while p != c.end and is_digit(p[0]):
            p += 1
    c.pos = p
    return True


cdef inline bint scan_word(Cursor* c, const char* word, Py_ssize_t size) noexcept nogil:
    """Step over true, false or null."""
    if c.end - c.pos < size or memcmp(c.pos, word, size) != 0:
        return fail(c, BAD_JSON, b"a value")
    c.pos += size
    return True


cdef inline bint scan_scalar(Cursor* c) noexcept nogil:
    """Step over a value that is no object and no array."""
    cdef Text text
    cdef char byte = peek(c)
    if byte == c'"':
        return read_text(c, &text)
    if byte == c't':
        return scan_word(c, b"true", 4)
    if byte == c'f':
        return scan_word(c, b"false", 5)
    if byte == c'n':
        return scan_word(c, b"null", 4)
    if byte == c'-' or is_digit(byte):
        return scan_number(c)
    return fail(c, BAD_JSON, b"a value")


cdef inline bint skip_value(Cursor* c) noexcept nogil:
    """Step over any value, checking the grammar of all of it."""
    cdef uint32_t objects = 0               # bit i: the container at depth i is an object
    cdef int depth = 0
    cdef bint more
    cdef Text key
    cdef char byte
    while c.status == OK:
        byte = peek(c)
        if byte == c'{' or byte == c'[':
            if depth == MAX_DEPTH:
                return fail(c, TOO_DEEP, b"less nesting")
            objects = (objects & ~(<uint32_t> 1 << depth)) | (<uint32_t> (byte == c'{') << depth)
            depth += 1
            c.pos += 1
            c.fresh = True
        elif not scan_scalar(c):
            return False
        more = False
        while depth and not more:
            if (objects >> (depth - 1)) & 1:
                more = next_key(c, &key)
            else:
                more = next_item(c)
            if c.status != OK:
                return False
            depth -= not more
        if depth == 0:
            return True
    return False


# ---- taking values: what follows records tokens

cdef inline bint take(Cursor* c, int kind, int slot, const char* first, const char* past, bint quoted) noexcept nogil:
    """Record one token."""
    cdef Message* m = c.message
    cdef Token* token
    if m == NULL:
        return True
    if m.n_tokens == MAX_TOKENS:
        return fail(c, TOO_MANY, b"fewer values in one message")
    token = &m.token[m.n_tokens]
    token.kind = <uint8_t> kind
    token.slot = <uint8_t> slot
    token.start = <uint32_t> (first - c.start)
    token.end = <uint32_t> (past - c.start)
    token.quoted = quoted
    token.value = 0
    m.n_tokens += 1
    m.seen |= bit(SEEN_BIDS + slot if kind == TAKE_LEVELS else slot)
    return True


cdef inline bint take_number(Cursor* c, int kind, int slot) noexcept nogil:
    """Take a number, bare or in quotes; what the quotes hold is looked at when it is converted."""
    cdef Text text
    cdef const char* first
    cdef char byte = peek(c)
    if byte == c'"':
        return read_text(c, &text) and take(c, kind, slot, text.data, text.data + text.size, True)
    if byte != c'-' and not is_digit(byte):
        return fail(c, BAD_NUMBER, b"a number")
    first = c.pos
    return scan_number(c) and take(c, kind, slot, first, c.pos, False)


cdef inline bint take_int(Cursor* c, int slot) noexcept nogil:
    """Take an integer."""
    return take_number(c, TAKE_INT, slot)


cdef inline bint take_price(Cursor* c, int slot) noexcept nogil:
    """Take a price, to be kept at the instrument's price scale."""
    return take_number(c, TAKE_PRICE, slot)


cdef inline bint take_qty(Cursor* c, int slot) noexcept nogil:
    """Take a quantity, to be kept at the instrument's quantity scale."""
    return take_number(c, TAKE_QTY, slot)


cdef inline bint take_double(Cursor* c, int slot) noexcept nogil:
    """Take a decimal, to be kept as the nearest double."""
    return take_number(c, TAKE_DOUBLE, slot)


cdef inline bint take_bool(Cursor* c, int slot) noexcept nogil:
    """Take true or false."""
    cdef char byte = peek(c)
    cdef const char* first = c.pos
    if byte != c't' and byte != c'f':
        return fail(c, BAD_VALUE, b"true or false")
    return scan_scalar(c) and take(c, TAKE_BOOL, slot, first, c.pos, False)


cdef inline bint take_constant(Cursor* c, int slot, int64_t value) noexcept nogil:
    """Fill a slot with what follows from text read before."""
    if not take(c, TAKE_CONSTANT, slot, c.pos, c.pos, False):
        return False
    if c.message != NULL:
        c.message.token[c.message.n_tokens - 1].value = value
    return True


cdef inline bint take_symbol(Cursor* c) noexcept nogil:
    """Take the text that names the instrument."""
    cdef Text text
    if not read_text(c, &text):
        return False
    if c.message != NULL:
        c.message.symbol = text.data
        c.message.symbol_size = text.size
    return take(c, TAKE_SYMBOL, SLOT_SPARE, text.data, text.data + text.size, True)


cdef inline bint take_levels(Cursor* c, int side, bint quoted) noexcept nogil:
    """Take an array of levels, each an array of price and quantity; `quoted`: the venue writes them as strings."""
    cdef const char* first
    if peek(c) != c'[':
        return fail(c, BAD_VALUE, b"an array of levels")
    first = c.pos
    return skip_value(c) and take(c, TAKE_LEVELS, side, first, c.pos, quoted)


cdef inline bint take_any(Cursor* c) noexcept nogil:
    """Step over a value nobody asked for. Numbers and texts may differ in the next frame, the rest must repeat."""
    cdef Text text
    cdef char byte = peek(c)
    if byte == c'"':
        return read_text(c, &text) and take(c, TAKE_TEXT, SLOT_SPARE, text.data, text.data + text.size, True)
    if byte == c'-' or is_digit(byte):
        return take_number(c, TAKE_DOUBLE, SLOT_SPARE)
    return skip_value(c)


cdef struct Field:
    char key[16]              # a key of an object, NUL-terminated; empty after the last field of a list
    uint8_t take              # TAKE_... of its value; TAKE_TEXT: text that must repeat
    uint8_t slot              # where the value goes


cdef inline bint take_field(Cursor* c, const Text* key, const Field* fields) noexcept nogil:
    """Take the value of a key as its field in the list says; a key that is not in the list is stepped over."""
    while fields.key[0]:
        if word_is(key, fields.key):
            if fields.take == TAKE_BOOL:
                return take_bool(c, fields.slot)
            if fields.take == TAKE_SYMBOL:
                return take_symbol(c)
            if fields.take == TAKE_LEVELS:
                return take_levels(c, fields.slot, True)
            if fields.take == TAKE_TEXT:
                return skip_value(c)
            return take_number(c, fields.take, fields.slot)
        fields += 1
    return take_any(c)


cdef inline bint take_object(Cursor* c, const Field* fields) noexcept nogil:
    """Take an object whose keys mean what the list says."""
    cdef Text key
    open_object(c)
    while next_key(c, &key):
        take_field(c, &key, fields)
    return c.status == OK


cdef inline int list_fields(Field* fields, tuple rows) except -1:
    """Fill a venue's list of fields from (key, TAKE_..., slot); called once, when its module is imported."""
    cdef bytes name
    memset(fields, 0, (len(rows) + 1) * sizeof(Field))
    for i, (key, take_as, slot) in enumerate(rows):
        name = key.encode()
        if not 0 < len(name) < 16:
            raise ValueError(f"a key of 1 to 15 bytes, not {key!r}")
        memcpy(fields[i].key, <const char*> name, len(name))
        fields[i].take = take_as
        fields[i].slot = slot
    return 0


cdef inline bint at_end(Cursor* c) noexcept nogil:
    """Check that nothing but white space is left."""
    if c.status != OK:
        return False
    skip_space(c)
    return c.pos == c.end or fail(c, BAD_JSON, b"the end of the message")
