"""A reader of protobuf's wire form: fields by number, without a schema and without generated code.

It moves the cursor of `feeds.scan` over bytes instead of JSON: the first error stays, with its place and what should
have stood there, and no byte at or past `end` is read. A message inside a message is read with `end` moved to its own:
see `enter` and `leave`. It knows no venue.
Source: https://protobuf.dev/programming-guides/encoding/, checked 2026-11-22.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from orderbook.types cimport Status, OK, BAD_VALUE, TOO_DEEP
from feeds.message cimport bit, TAKE_CONSTANT, TAKE_INT, TAKE_SYMBOL
from feeds.pairs cimport read_whole
from feeds.scan cimport Cursor, MAX_DEPTH, Text, cursor_init, fail, take

cdef enum:
    # How the value of a field is written.
    WIRE_VARINT = 0           # seven bits a byte, the lowest first
    WIRE_FIXED64 = 1          # eight bytes
    WIRE_SPAN = 2             # a length, then as many bytes: a string, bytes, or a message
    WIRE_GROUP = 3            # fields up to the WIRE_GROUP_END of the same number; out of use, but it can be skipped
    WIRE_GROUP_END = 4
    WIRE_FIXED32 = 5          # four bytes

cdef enum:
    PRICE_FIELD = 1           # numbers of the two strings of a level, see `next_pair`
    QTY_FIELD = 2


cdef inline bint read_varint(Cursor* c, uint64_t* value) noexcept nogil:
    """Read an unsigned number of up to 64 bits; on an error it is 0. An int64 is its two's complement."""
    cdef const char* p = c.pos
    cdef uint64_t total = 0
    cdef uint8_t byte
    cdef int shift = 0
    value[0] = 0
    if c.status != OK:
        return False
    if p != c.end and <uint8_t> p[0] < 0x80:
        value[0] = <uint8_t> p[0]
        c.pos = p + 1
        return True
    while p != c.end and shift < 64:
        byte = <uint8_t> p[0]
        if shift == 63 and byte > 1:
            break
        p += 1
        total |= <uint64_t> (byte & 0x7f) << shift
        if byte < 0x80:
            c.pos = p
            value[0] = total
            return True
        shift += 7
    c.pos = p
    return fail(c, BAD_VALUE, b"the end of a number" if p == c.end else b"a number of 64 bits")


cdef inline bint next_field(Cursor* c, uint32_t* number, int* wire) noexcept nogil:
    """Read the tag of the next field; False at the end of the message or on an error."""
    cdef const char* first = c.pos
    cdef uint64_t tag
    if c.status != OK or c.pos == c.end or not read_varint(c, &tag):
        return False
    wire[0] = <int> (tag & 7)
    number[0] = <uint32_t> (tag >> 3)
    if wire[0] > WIRE_FIXED32 or number[0] == 0 or tag >> 32:
        c.pos = first
        return fail(c, BAD_VALUE, b"a field")
    return True


cdef inline bint read_span(Cursor* c, Text* text) noexcept nogil:
    """Read a value that has a length: its bytes, borrowed from the frame."""
    cdef const char* first = c.pos
    cdef uint64_t size
    text.data = c.pos
    text.size = 0
    if not read_varint(c, &size):
        return False
    if size > <uint64_t> (c.end - c.pos):
        c.pos = first
        return fail(c, BAD_VALUE, b"a length within the message")
    text.data = c.pos
    text.size = <Py_ssize_t> size
    c.pos += text.size
    return True


cdef inline bint skip_bytes(Cursor* c, Py_ssize_t size) noexcept nogil:
    """Step over bytes."""
    if c.status != OK:
        return False
    if c.end - c.pos < size:
        return fail(c, BAD_VALUE, b"a value within the message")
    c.pos += size
    return True


cdef inline bint skip_plain(Cursor* c, int wire) noexcept nogil:
    """Step over the value of a field that is no group."""
    cdef uint64_t value
    cdef Text text
    if wire == WIRE_VARINT:
        return read_varint(c, &value)
    if wire == WIRE_SPAN:
        return read_span(c, &text)
    if wire == WIRE_FIXED64:
        return skip_bytes(c, 8)
    if wire == WIRE_FIXED32:
        return skip_bytes(c, 4)
    return fail(c, BAD_VALUE, b"the beginning of the group that ends here")


cdef inline bint skip_field(Cursor* c, uint32_t number, int wire) noexcept nogil:
    """Step over the value of a field nobody asked for, whatever it is."""
    cdef uint32_t begun[MAX_DEPTH]          # numbers of the groups we are in
    cdef int depth = 0
    while wire == WIRE_GROUP or depth:
        if wire == WIRE_GROUP:
            if depth == MAX_DEPTH:
                return fail(c, TOO_DEEP, b"less nesting")
            begun[depth] = number
            depth += 1
        elif wire == WIRE_GROUP_END:
            depth -= 1
            if begun[depth] != number:
                return fail(c, BAD_VALUE, b"the end of the group that was begun last")
            if depth == 0:
                return True
        elif not skip_plain(c, wire):
            return False
        if not next_field(c, &number, &wire):
            return fail(c, BAD_VALUE, b"the end of a group")
    return skip_plain(c, wire)


cdef inline void skip_repeated(Cursor* c, uint32_t number) noexcept nogil:
    """Step over the short spans of one field (below 16) that follow each other; what is no such thing is left."""
    cdef const uint8_t* p = <const uint8_t*> c.pos
    cdef const uint8_t* end = <const uint8_t*> c.end
    if c.status != OK:
        return
    while end - p >= 2 and p[0] == (number << 3 | WIRE_SPAN) and p[1] < 0x80 and end - p - 2 >= p[1]:
        p += 2 + p[1]
    c.pos = <const char*> p


cdef inline const char* enter(Cursor* c, const Text* message) noexcept nogil:
    """Stand before the first field of a message inside; returns what `leave` needs."""
    cdef const char* end = c.end
    if c.status == OK:
        c.pos = message.data
        c.end = message.data + message.size
    return end


cdef inline bint leave(Cursor* c, const char* end) noexcept nogil:
    """Stand behind a message that was entered; False after an error, which keeps its place."""
    if c.status == OK:
        c.pos = c.end
    c.end = end
    return c.status == OK


# ---- taking values: what follows records tokens

cdef struct Numbered:
    uint32_t number           # of a field; 0 after the last of a list
    uint8_t take              # TAKE_... of its text; TAKE_CONSTANT: a number, kept as it is
    uint8_t slot              # where the value goes


cdef inline bint set_value(Cursor* c, int slot, int64_t value) noexcept nogil:
    """Fill a slot with what needs no conversion."""
    if c.status != OK:
        return False
    if c.message != NULL:
        c.message.slot[slot] = value
        c.message.seen |= bit(slot)
    return True


cdef inline bint take_whole(Cursor* c, int slot, const Text* text) noexcept nogil:
    """Take an integer written as text; an empty text tells nothing."""
    cdef int64_t value
    if text.size == 0:
        return c.status == OK
    if text.data - c.start > 15 and read_whole(text.data + text.size, text.size, &value):
        return set_value(c, slot, value)
    return take(c, TAKE_INT, slot, text.data, text.data + text.size, True)


cdef inline bint take_numbered(Cursor* c, uint32_t number, int wire, const Numbered* fields) noexcept nogil:
    """Take the value of a field as the list says; a field that is not in the list is stepped over, as is empty text."""
    cdef uint64_t value
    cdef Text text
    while fields.number and fields.number != number:
        fields += 1
    if fields.number == 0 or wire != (WIRE_VARINT if fields.take == TAKE_CONSTANT else WIRE_SPAN):
        return skip_field(c, number, wire)
    if fields.take == TAKE_CONSTANT:
        return read_varint(c, &value) and set_value(c, fields.slot, <int64_t> value)
    if not read_span(c, &text) or text.size == 0:
        return c.status == OK
    if fields.take == TAKE_INT:
        return take_whole(c, fields.slot, &text)
    if fields.take == TAKE_SYMBOL and c.message != NULL:
        c.message.symbol = text.data
        c.message.symbol_size = text.size
    return take(c, fields.take, fields.slot, text.data, text.data + text.size, True)


cdef inline bint take_message(Cursor* c, const Text* message, const Numbered* fields) noexcept nogil:
    """Take a message inside, whose fields mean what the list says."""
    cdef uint32_t number
    cdef int wire
    cdef const char* end = enter(c, message)
    while next_field(c, &number, &wire):
        take_numbered(c, number, wire, fields)
    return leave(c, end)


cdef inline int list_numbered(Numbered* fields, tuple rows) except -1:
    """Fill a venue's list of fields from (number, TAKE_..., slot); called once, when its module is imported."""
    memset(fields, 0, (len(rows) + 1) * sizeof(Numbered))
    for i, (number, take_as, slot) in enumerate(rows):
        fields[i].number = number
        fields[i].take = take_as
        fields[i].slot = slot
    return 0


cdef inline bint next_pair(const char** at, const char* past, uint32_t list_field, Text* price, Text* qty,
                           Status* status) noexcept nogil:
    """Read the next level of a list: of the fields in [at, past), those of number `list_field` are messages of two
    strings, 1 the price and 2 the quantity. Other fields are stepped over.

    False at the end (`status` is OK) or where the bytes are no such list (`status` is not OK, `at` stands there).
    """
    cdef const uint8_t* p = <const uint8_t*> at[0]
    cdef const char* end
    cdef Py_ssize_t left = past - at[0] - 2       # behind the tag and the length of the level
    cdef Cursor c
    cdef Text level
    cdef uint32_t number
    cdef int wire
    status[0] = OK
    # As it is nearly always written: one-byte tags and lengths, the price first, nothing else.
    if left > 5 and p[0] == (list_field << 3 | WIRE_SPAN) and 5 < p[1] < 0x80 and p[1] <= left:
        left = p[1] - 4                           # for both texts
        if p[2] == (PRICE_FIELD << 3 | WIRE_SPAN) and 0 < p[3] < left:
            price.data = at[0] + 4
            price.size = p[3]
            left -= p[3]
            p += 4 + p[3]
            if p[0] == (QTY_FIELD << 3 | WIRE_SPAN) and p[1] == left:
                qty.data = price.data + price.size + 2
                qty.size = left
                at[0] = qty.data + left
                return True
    cursor_init(&c, at[0], past - at[0], NULL)
    price.size = qty.size = 0
    while next_field(&c, &number, &wire):
        if number != list_field or wire != WIRE_SPAN:
            skip_field(&c, number, wire)
            continue
        read_span(&c, &level)
        end = enter(&c, &level)
        while next_field(&c, &number, &wire):
            if wire != WIRE_SPAN:
                skip_field(&c, number, wire)
            elif number == PRICE_FIELD:
                read_span(&c, price)
            elif number == QTY_FIELD:
                read_span(&c, qty)
            else:
                skip_field(&c, number, wire)
        if c.status == OK and (price.size == 0 or qty.size == 0):
            fail(&c, BAD_VALUE, b"a level with price and quantity")
        if not leave(&c, end):
            break
        at[0] = c.pos
        return True
    at[0] = c.pos
    status[0] = c.status
    return False
