"""A cursor over JSON text: checks its grammar, finds keys, records where the values stand.

Nothing at or past `end` is read. The cursor keeps the first error and where it happened; after that every reader
does nothing, so a parser reads like the message and checks once. It knows JSON, and no venue.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, strlen
from orderbook.types cimport Status, OK, BAD_JSON, BAD_NUMBER, BAD_VALUE, TOO_DEEP, TOO_MANY
from feeds.message cimport (Form, Message, Token, bit, MAX_TOKENS, SEEN_BIDS, SLOT_AGGRESSOR, SLOT_ASK_PRICE,
                            SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_QUOTE_TOO, SLOT_SPARE, TAKE_BOOL,
                            TAKE_CONSTANT, TAKE_DOUBLE, TAKE_ID, TAKE_INT, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY,
                            TAKE_SYMBOL, TAKE_TEXT, TAKE_TIME)

cdef enum:
    MAX_DEPTH = 32            # of nesting; the deepest message of any venue has 7
    FLAT_DEPTH = 2            # of it that is tried at once

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


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif
    /* The first quote or backslash, `end` if there is none; 16 bytes a step where SSE2 is there, eight where the first
       byte is the lowest. */
    static inline const char *wb_find_quote(const char *p, const char *end) {
    #if defined(__SSE2__)
        const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8(92);
        while (end - p >= 16) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *) p);
            const int found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                                             _mm_cmpeq_epi8(bytes, slash)));
            if (found)
                return p + __builtin_ctz(found);
            p += 16;
        }
    #endif
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        const uint64_t ones = 0x0101010101010101ULL;
        while (end - p >= 8) {
            uint64_t word, quotes, slashes, found;
            memcpy(&word, p, 8);
            quotes = word ^ (ones * '"');
            slashes = word ^ (ones * 92);
            found = (((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes)) & (ones << 7);
            if (found)
                return p + (__builtin_ctzll(found) >> 3);
            p += 8;
        }
    #endif
        while (p != end && *p != '"' && *p != 92)
            p++;
        return p;
    }
    #define wb_digit(p) ((unsigned char) (*(p) - '0') < 10)
    /* Behind the digits. */
    static inline const char *wb_skip_digits(const char *p, const char *end) {
    #if defined(__SSE2__)
        while (end - p >= 16) {
            const __m128i bytes = _mm_sub_epi8(_mm_loadu_si128((const __m128i *) p), _mm_set1_epi8('0'));
            const int digits = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(9)), bytes));
            if (digits != 0xffff)
                return p + __builtin_ctz(~digits);
            p += 16;
        }
    #endif
        while (p != end && wb_digit(p))
            p++;
        return p;
    }
    /* Behind a number of JSON's grammar without an exponent; NULL if there is none that ends before `end`. */
    static inline const char *wb_skip_decimal(const char *p, const char *end) {
        p += *p == '-';
        if (p == end || !wb_digit(p))
            return NULL;
        if (*p++ != '0')
            p = wb_skip_digits(p, end);
        if (p != end && *p == '.') {
            if (++p == end || !wb_digit(p))
                return NULL;
            p = wb_skip_digits(p, end);
        }
        return p;
    }
    /* Behind an object or array of plain texts and numbers without white space, and of such objects and arrays if
       `deeper` is above 0; NULL if it is anything else. */
    static const char *wb_skip_flat(const char *p, const char *end, int deeper) {
        const char close = *p == '[' ? ']' : '}';
        if (end - p > 1 && p[1] == close)
            return p + 2;
        do {
            p++;                                  /* the bracket or a comma */
            if (close == '}') {
                if (p == end || *p != '"')
                    return NULL;
                p = wb_find_quote(p + 1, end);
                if (end - p < 2 || *p != '"' || p[1] != ':')
                    return NULL;
                p += 2;
            }
            if (p == end)
                return NULL;
            if (*p == '"') {
                p = wb_find_quote(p + 1, end);
                if (p == end || *p++ != '"')
                    return NULL;
            } else if (*p == '[' || *p == '{') {
                p = deeper ? wb_skip_flat(p, end, deeper - 1) : NULL;
                if (p == NULL)
                    return NULL;
            } else {
                p = wb_skip_decimal(p, end);
                if (p == NULL)
                    return NULL;
            }
        } while (p != end && *p == ',');
        return p != end && *p == close ? p + 1 : NULL;
    }
    """
    const char* find_quote "wb_find_quote"(const char* p, const char* end) nogil
    const char* skip_flat "wb_skip_flat"(const char* p, const char* end, int deeper) nogil


cdef inline bint read_text(Cursor* c, Text* text) noexcept nogil:
    """Read a string; only its end is looked for."""
    cdef const char* p
    text.data = c.pos
    text.size = 0
    if not next_is(c, c'"'):
        return fail(c, BAD_VALUE, b"a string")
    p = c.pos
    text.data = p
    while True:
        p = find_quote(p, c.end)
        if p == c.end or p[0] == c'"':
            break
        p += 1 + (p + 1 != c.end)                 # a backslash, and what it is for
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
    cdef const char* past
    while c.status == OK:
        byte = peek(c)
        past = NULL
        if (byte == c'{' or byte == c'[') and depth + FLAT_DEPTH < MAX_DEPTH:
            past = skip_flat(c.pos, c.end, FLAT_DEPTH)
        if past != NULL:
            c.pos = past
        elif byte == c'{' or byte == c'[':
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
    token.form = NULL
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
    return take_name(c, &text)


cdef inline bint take_name(Cursor* c, const Text* name) noexcept nogil:
    """Take the name of the instrument, which is part of a text."""
    if c.message != NULL:
        c.message.symbol, c.message.symbol_size = name.data, name.size
    return take(c, TAKE_SYMBOL, SLOT_SPARE, name.data, name.data + name.size, True)


cdef inline void give_name(Message* m, const Text* name) noexcept nogil:
    """Name the instrument by text that stands elsewhere in the frame and repeats in all of its stream."""
    m.symbol, m.symbol_size, m.fixed_symbol = name.data, name.size, True


cdef inline bint take_again(Cursor* c, int kind, int slot) noexcept nogil:
    """Take the value that was taken last once more, for another slot."""
    cdef const Token* last
    if c.message == NULL or c.status != OK:
        return c.status == OK
    last = &c.message.token[c.message.n_tokens - 1]
    return take(c, kind, slot, c.start + last.start, c.start + last.end, last.quoted)


cdef inline bint take_time(Cursor* c, int slot) noexcept nogil:
    """Take a time: a number of s, ms, us or ns, with or without a fraction, bare or in quotes, or RFC 3339 text."""
    return take_number(c, TAKE_TIME, slot)


cdef inline bint take_id(Cursor* c, int slot) noexcept nogil:
    """Take a name that is a number: its last 18 digits are kept; 0 if it is text."""
    return take_number(c, TAKE_ID, slot)


cdef inline bint name_symbol(Cursor* c) noexcept nogil:
    """Read the text of the instrument where it is part of the text that names the stream, and so must repeat."""
    cdef Text text
    if not read_text(c, &text):
        return False
    if c.message != NULL:
        c.message.symbol = text.data
        c.message.symbol_size = text.size
        c.message.fixed_symbol = True
    return True


cdef inline bint take_levels(Cursor* c, int side, const Form* form) noexcept nogil:
    """Take a list of levels, each as `form` says; side: 0 bids, 1 asks, 2 each says its own."""
    cdef const char* first
    cdef char byte = peek(c)
    if byte != c'[' and not (form.nullable and byte == c'n'):
        return fail(c, BAD_VALUE, b"an array of levels")
    first = c.pos
    if not skip_value(c) or not take(c, TAKE_LEVELS, side, first, c.pos, False):
        return False
    if c.message != NULL:
        c.message.token[c.message.n_tokens - 1].form = form
        c.message.seen |= form.seen
    return True


cdef inline bint take_level_alone(Cursor* c, int side, const Form* form) noexcept nogil:
    """Take one level that is in no list, as `form` says; side as in take_levels."""
    cdef const char* first
    peek(c)
    first = c.pos
    if not skip_value(c) or not take(c, TAKE_LEVELS, side, first, c.pos, False):
        return False
    if c.message != NULL:
        c.message.token[c.message.n_tokens - 1].form = form
        c.message.token[c.message.n_tokens - 1].value = 1
        c.message.seen |= form.seen
    return True


cdef inline bint take_any(Cursor* c) noexcept nogil:
    """Step over a value nobody asked for. Numbers and texts may differ in the next frame, the rest must repeat."""
    cdef Text text
    cdef char byte = peek(c)
    if byte == c'"':
        return read_text(c, &text) and take(c, TAKE_TEXT, SLOT_SPARE, text.data, text.data + text.size, True)
    if byte == c'-' or is_digit(byte):
        return take_number(c, TAKE_DOUBLE, SLOT_SPARE)
    return skip_value(c)


cdef inline bint take_rest(Cursor* c) noexcept nogil:
    """Step over what is left of an array, and its end."""
    while next_item(c):
        take_any(c)
    return c.status == OK


cdef inline bint find_value(Cursor* c, const char* word, Cursor* at) noexcept nogil:
    """Stand with `at` before the value of the key `word` of the object that is next; `c` stays. False: no such key."""
    cdef Text key
    at[0] = c[0]
    at.message = NULL
    open_object(at)
    while next_key(at, &key):
        if word_is(&key, word):
            return True
        skip_value(at)
    return False


cdef inline bint find_text(Cursor* c, const char* word, Text* text) noexcept nogil:
    """Text of the key `word` of the object that is next; the cursor stays, nothing is recorded. False: none."""
    cdef Cursor ahead
    text.data = NULL
    text.size = 0
    return find_value(c, word, &ahead) and peek(&ahead) == c'"' and read_text(&ahead, text)


cdef inline bint empty_text(Cursor* c) noexcept nogil:
    """Whether the next value is the empty string."""
    return peek(c) == c'"' and c.end - c.pos >= 2 and c.pos[1] == c'"'


cdef inline bint take_aggressor(Cursor* c, const char* buy, const char* sell,
                                int slot=SLOT_AGGRESSOR) noexcept nogil:
    """Read the word that says who crossed the spread; any other word fails. `slot`: where +1 or -1 goes."""
    cdef Text word
    cdef const char* first = c.pos
    if not read_text(c, &word):
        return False
    if word_is(&word, buy):
        return take_constant(c, slot, 1)
    if word_is(&word, sell):
        return take_constant(c, slot, -1)
    c.pos = first
    return fail(c, BAD_VALUE, b"a side (buy or sell)")


cdef inline bint take_side(Cursor* c, int buy, int slot=SLOT_AGGRESSOR) noexcept nogil:
    """Read "buy" or "sell" (Buy, BUY); `buy`: what the first of them means, +1 or -1."""
    cdef char first = peek(c)
    if first == c'"' and c.end - c.pos > 2:
        first = c.pos[1]
        if first == c'b' or first == c's':
            return take_aggressor(c, b"buy" if buy > 0 else b"sell", b"sell" if buy > 0 else b"buy", slot)
        if c.pos[2] == c'u' or c.pos[2] == c'e':
            return take_aggressor(c, b"Buy" if buy > 0 else b"Sell", b"Sell" if buy > 0 else b"Buy", slot)
    return take_aggressor(c, b"BUY" if buy > 0 else b"SELL", b"SELL" if buy > 0 else b"BUY", slot)


cdef inline bint take_or_zero(Cursor* c, int kind, int slot) noexcept nogil:
    """Take a number; null and "" are the constant 0."""
    if peek(c) == c'n' or empty_text(c):
        return skip_value(c) and take_constant(c, slot, 0)
    return take_number(c, kind, slot)


cdef inline bint take_signed(Cursor* c, int slot, int sign_slot, int plus) noexcept nogil:
    """Take a quantity without its sign; `sign_slot` becomes `plus`, or -plus where a - stands (which must repeat)."""
    cdef Text text
    cdef bint quoted = peek(c) == c'"'
    cdef const char* first = c.pos + quoted
    cdef bint minus = first < c.end and first[0] == c'-'
    if not take_constant(c, sign_slot, -plus if minus else plus):
        return False
    if quoted:
        return read_text(c, &text) and take(c, TAKE_QTY, slot, first + minus, first + text.size, True)
    return scan_number(c) and take(c, TAKE_QTY, slot, first + minus, c.pos, False)


cdef inline int64_t read_count(Cursor* c) noexcept nogil:
    """Step over a value; what it is if it is a whole number of up to 15 digits, bare or in quotes, else 0."""
    cdef int64_t count = 0
    cdef const char* p
    cdef const char* past
    cdef bint quoted = peek(c) == c'"'
    p = c.pos + quoted
    if not skip_value(c) or c.pos - p - quoted > 15:
        return 0
    past = c.pos - quoted
    while p != past and is_digit(p[0]):
        count = 10 * count + (p[0] - c'0')
        p += 1
    return count if p == past else 0


cdef inline int64_t find_count(Cursor* c, const char* word) noexcept nogil:
    """What read_count gives for the key `word` of the object that is next; the cursor stays. 0: no such key."""
    cdef Cursor at
    return read_count(&at) if find_value(c, word, &at) else 0


cdef inline bint skip_object(Cursor* c) noexcept nogil:
    """Step over an object, checking its grammar; another value fails."""
    cdef Text key
    open_object(c)
    while next_key(c, &key):
        skip_value(c)
    return c.status == OK


cdef inline bint take_pair(Cursor* c, int price, int qty) noexcept nogil:
    """Take [price, quantity], or a price alone; null, "" and [] tell nothing."""
    if peek(c) != c'[':
        return skip_value(c) if peek(c) == c'n' or empty_text(c) else take_number(c, TAKE_PRICE, price)
    open_array(c)
    if next_item(c) and take_number(c, TAKE_PRICE, price) and next_item(c) and take_number(c, TAKE_QTY, qty):
        while next_item(c):
            take_any(c)
    return c.status == OK


cdef inline bint take_best(Cursor* c, int price, int qty) noexcept nogil:
    """Take the first level of a list of at most one, [["31774.7","0.14"]]; [] is the constants 0 and 0."""
    open_array(c)
    if not next_item(c):
        return c.status == OK and take_constant(c, price, 0) and take_constant(c, qty, 0)
    if peek(c) != c'[':
        return fail(c, BAD_VALUE, b"'['")
    take_pair(c, price, qty)
    while next_item(c):
        skip_value(c)
    return c.status == OK


cdef inline bint fill_sides(Cursor* c) noexcept nogil:
    """Where a quote has one side only, the other one's price and quantity are 0."""
    cdef uint64_t seen = c.message.seen if c.message != NULL else 0
    if seen & bit(SLOT_ASK_PRICE) and not seen & bit(SLOT_BID_PRICE):
        return take_constant(c, SLOT_BID_PRICE, 0) and take_constant(c, SLOT_BID_QTY, 0)
    if seen & bit(SLOT_BID_PRICE) and not seen & bit(SLOT_ASK_PRICE):
        return take_constant(c, SLOT_ASK_PRICE, 0) and take_constant(c, SLOT_ASK_QTY, 0)
    return c.status == OK


cdef inline bint quote_too(Cursor* c) noexcept nogil:
    """A ticker that has the best prices and quantities of both sides is a quote too."""
    cdef uint64_t best = bit(SLOT_BID_PRICE) | bit(SLOT_BID_QTY) | bit(SLOT_ASK_PRICE) | bit(SLOT_ASK_QTY)
    if c.message == NULL or c.message.seen & best != best:
        return c.status == OK
    return take_constant(c, SLOT_QUOTE_TOO, 1)


cdef inline bint plain_is(Cursor* c, const char* word) noexcept nogil:
    """Whether what is left of the frame is this plain text, white space around it; the cursor stands before it."""
    cdef Py_ssize_t size = strlen(word)
    cdef Cursor ahead
    skip_space(c)
    if c.end - c.pos < size or memcmp(c.pos, word, size) != 0:
        return False
    ahead = c[0]
    ahead.pos += size
    return peek(&ahead) == 0 and ahead.pos == ahead.end


cdef inline bint note_more(Cursor* c, Message* m) noexcept nogil:
    """After an element of an array that is a message of its own: note where the next one begins, if there is one."""
    if next_is(c, c','):
        m.more = c.pos
    return c.status == OK


cdef inline bint at_end(Cursor* c) noexcept nogil:
    """Check that nothing but white space is left."""
    if c.status != OK:
        return False
    skip_space(c)
    return c.pos == c.end or fail(c, BAD_JSON, b"the end of the message")


cdef inline void go_to(Cursor* c, const char* at) noexcept nogil:
    """Go on at another place of the frame, unless something was wrong or there is no such place."""
    if c.status == OK and at != NULL:
        c.pos = at


cdef inline const char* first_item(Cursor* c) noexcept nogil:
    """Stand before the first element of an array: where the array ends, its grammar checked; NULL if it has none.

    For arrays whose elements are messages of their own; with `note_more` after the first, and `go_to` the end.
    """
    cdef Cursor ahead = c[0]
    ahead.message = NULL
    if not skip_value(&ahead):
        ahead.message = c.message
        c[0] = ahead
        return NULL
    open_array(c)
    return ahead.pos if next_item(c) else NULL


cdef inline bint begins(const Text* text, const char* word) noexcept nogil:
    """Whether the text begins with this NUL-terminated word."""
    cdef Py_ssize_t size = strlen(word)
    return text.size >= size and memcmp(text.data, word, size) == 0


cdef inline bint cut(const Text* text, char byte, Text* before, Text* behind, bint at_last=False) noexcept nogil:
    """Cut a text at the first such byte in it, or at the last. False: it has none, `before` is all of it."""
    cdef Text whole = text[0]
    cdef Py_ssize_t i, at = whole.size
    if whole.size == 0:
        before[0] = behind[0] = whole             # its data may be NULL, to which C lets nobody add even 0
        return False
    for i in range(whole.size):
        if whole.data[i] == byte:
            at = i
            if not at_last:
                break
    before.data, before.size = whole.data, at
    behind.size = max(whole.size - at - 1, 0)
    behind.data = whole.data + whole.size - behind.size
    return at != whole.size


cdef inline bint is_zero(const Text* text) noexcept nogil:
    """Whether the text of a number is 0: zeros, and perhaps a point."""
    cdef Py_ssize_t i
    for i in range(text.size):
        if text.data[i] != c'0' and text.data[i] != c'.':
            return False
    return text.size > 0


cdef inline int number_at(const Text* text, Py_ssize_t at) noexcept nogil:
    """The number, of at most four digits, that stands in the text from there on; 0 if there is none."""
    cdef int number = 0
    while at < text.size and is_digit(text.data[at]) and number < 1000:
        number = 10 * number + (text.data[at] - c'0')
        at += 1
    return number
