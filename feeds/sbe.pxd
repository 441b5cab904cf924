"""A reader of Simple Binary Encoding: headers, blocks, groups and texts at the places that the wire itself tells.

It moves the cursor of `feeds.scan` over bytes: the first error stays, with its place and what should have stood there,
and no byte at or past `end` is read. A block or an entry may be longer than what is known of it, as newer versions of a
schema make them; a shorter one is an error. Numbers are little-endian and lie unaligned. A decimal is an integer of the
frame times a power of ten that the message tells once: `sbe_convert` turns it into a book's units, no text in between.
It knows no schema and no venue. Source: https://github.com/aeron-io/simple-binary-encoding/wiki, FIX SBE 1.0 and 2.0.
"""

from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, INT64_MAX, INT64_MIN
from orderbook.core cimport MAX_SCALE, TEN  # no-cython-lint: the C code below uses its table
from orderbook.types cimport Status, OK, BAD_VALUE, NEEDS_SCALE, NEGATIVE_QTY, NO_FIT, NO_MEMORY
from orderbook.update cimport Levels, levels_reserve
from feeds.message cimport Message, Token, TAKE_CONSTANT, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY, bit
from feeds.scan cimport Cursor, Text, fail, take

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    static inline uint64_t wb_le64(const char *p) {
        uint64_t v;
        memcpy(&v, p, 8);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        v = __builtin_bswap64(v);
    #endif
        return v;
    }

    static inline uint32_t wb_le32(const char *p) {
        const uint8_t *b = (const uint8_t *) p;
        return b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16 | (uint32_t) b[3] << 24;
    }

    /* How integers of one exponent become units of one scale: times a power of ten, or divided by one. A division
       without remainder is a multiplication by the inverse of its odd part modulo 2**64, then a shift by its power of
       two; what leaves a remainder has a bit that is shifted out, or comes out above `largest`. A negative number is
       above every limit. */
    typedef struct {
        uint64_t times;
        uint64_t top;           /* the largest integer that may be multiplied */
        uint64_t largest;       /* the largest result that is one */
        int turn;               /* bits of the shift */
    } wb_rescale_t;

    /* What the powers of five have to be multiplied by to give 1 modulo 2**64. */
    static const uint64_t WB_FIFTH[19] __attribute__((unused)) = {
        0x1ULL, 0xcccccccccccccccdULL, 0x8f5c28f5c28f5c29ULL, 0x1cac083126e978d5ULL, 0xd288ce703afb7e91ULL,
        0x5d4e8fb00bcbe61dULL, 0x790fb65668c26139ULL, 0xe5032477ae8d46a5ULL, 0xc767074b22e90e21ULL,
        0x8e47ce423a2e9c6dULL, 0x4fa7f60d3ed61f49ULL, 0xfee64690c913975ULL, 0x3662e0e1cf503eb1ULL,
        0xa47a2cf9f6433fbdULL, 0x54186f653140a659ULL, 0x7738164770402145ULL, 0xe4a4d1417cd9a041ULL,
        0xc75429d9e5c5200dULL, 0xc1773b91fac10669ULL};

    /* How often a power of ten goes into int64. */
    static const uint64_t WB_ROOM[19] __attribute__((unused)) = {
        9223372036854775807ULL, 922337203685477580ULL, 92233720368547758ULL, 9223372036854775ULL, 922337203685477ULL,
        92233720368547ULL, 9223372036854ULL, 922337203685ULL, 92233720368ULL, 9223372036ULL, 922337203ULL,
        92233720ULL, 9223372ULL, 922337ULL, 92233ULL, 9223ULL, 922ULL, 92ULL, 9ULL};

    /* `shift` more decimals (below 0: fewer), from -18 on; more than 18 fit nothing but 0. */
    static inline void wb_rescale_make(wb_rescale_t *how, int shift) {
        how->turn = shift < 0 ? -shift : 0;
        how->times = shift > 18 ? 1 : shift < 0 ? WB_FIFTH[-shift] : (uint64_t) WB_TEN[shift];
        how->top = shift > 18 ? 0 : shift < 0 ? (uint64_t) INT64_MAX : WB_ROOM[shift];
        how->largest = shift > 18 ? 0 : shift < 0 ? WB_ROOM[-shift] : (uint64_t) INT64_MAX;
    }

    /* Two integers of each of `count` entries, `stride` bytes apart; 0 if one of them may be no plain case. What is
       above a limit shows in the bits of all together, which is one comparison at the end instead of four each. */
    static inline __attribute__((always_inline)) int wb_entries(
            const char *p, int64_t count, int64_t stride, const wb_rescale_t *a, const wb_rescale_t *b, int64_t *price,
            int64_t *qty) {
        const uint64_t price_times = a->times, qty_times = b->times;
        const int price_turn = a->turn, qty_turn = b->turn;
        const uint64_t price_low = (1ULL << price_turn) - 1, qty_low = (1ULL << qty_turn) - 1;
        const int multiply = price_turn == 0 && qty_turn == 0;
        const int divide = (price_turn || price_times == 1) && (qty_turn || qty_times == 1);
        uint64_t prices = 0, qtys = 0, price_products = 0, qty_products = 0, v, w;
        int64_t i;
        if (multiply) {
            for (i = 0; i < count; i++, p += stride) {
                prices |= v = wb_le64(p);
                qtys |= w = wb_le64(p + 8);
                price[i] = (int64_t) (v * price_times);
                qty[i] = (int64_t) (w * qty_times);
            }
            return prices <= a->top && qtys <= b->top;
        }
        for (i = 0; i < count && divide; i++, p += stride) {    /* no quotient of what is too large is a small one */
            price_products |= v = wb_le64(p) * price_times;
            qty_products |= w = wb_le64(p + 8) * qty_times;
            price[i] = (int64_t) (v >> price_turn);
            qty[i] = (int64_t) (w >> qty_turn);
        }
        for (i = 0; i < count && !divide; i++, p += stride) {
            prices |= v = wb_le64(p);
            qtys |= w = wb_le64(p + 8);
            price_products |= v *= price_times;
            qty_products |= w *= qty_times;
            price[i] = (int64_t) (v >> price_turn);
            qty[i] = (int64_t) (w >> qty_turn);
        }
        return ((price_products & price_low) | (qty_products & qty_low)) == 0 && prices <= a->top && qtys <= b->top
            && price_products >> price_turn <= a->largest && qty_products >> qty_turn <= b->largest;
    }

    __attribute__((noinline, unused))
    static int wb_entries_any(const char *p, int64_t count, int64_t stride, const wb_rescale_t *a,
                              const wb_rescale_t *b, int64_t *price, int64_t *qty) {
        return wb_entries(p, count, stride, a, b, price, qty);
    }

    #if defined(__x86_64__)
    __attribute__((noinline, unused, target("bmi2")))       /* it shifts by a variable in one step */
    static int wb_entries_bmi2(const char *p, int64_t count, int64_t stride, const wb_rescale_t *a,
                               const wb_rescale_t *b, int64_t *price, int64_t *qty) {
        return wb_entries(p, count, stride, a, b, price, qty);
    }
    #define wb_read_entries(...) \
        (__builtin_cpu_supports("bmi2") ? wb_entries_bmi2(__VA_ARGS__) : wb_entries_any(__VA_ARGS__))
    #else
    #define wb_read_entries wb_entries_any
    #endif
    """
    uint64_t load_u64 "wb_le64"(const char* p) nogil
    uint32_t load_u32 "wb_le32"(const char* p) nogil

    ctypedef struct Rescale "wb_rescale_t":
        pass

    void rescale_make "wb_rescale_make"(Rescale* how, int shift) nogil
    bint read_entries "wb_read_entries"(const char* p, int64_t count, int64_t stride, const Rescale* price_how,
                                        const Rescale* qty_how, int64_t* price, int64_t* qty) nogil

cdef enum:
    HEADER_SIZE = 8           # block length, template, schema, version, two bytes each
    LEVEL_SIZE = 16           # bytes of a level: price, then quantity

cdef struct Header:
    uint16_t block            # bytes of the fixed fields that follow
    uint16_t template
    uint16_t schema
    uint16_t version

cdef struct Group:
    const char* data          # the first entry, borrowed from the frame
    int64_t count
    int64_t stride            # bytes from one entry to the next


cdef inline int64_t load_i64(const char* p) noexcept nogil:
    """Eight bytes as an integer."""
    return <int64_t> load_u64(p)


cdef inline uint16_t load_u16(const char* p) noexcept nogil:
    """Two bytes as an integer."""
    return <uint16_t> (<uint8_t> p[0] | <uint16_t> (<uint8_t> p[1]) << 8)


cdef inline const char* read_bytes(Cursor* c, int64_t size, const char* what) noexcept nogil:
    """Step over bytes that must be there; they, or NULL."""
    cdef const char* first = c.pos
    if c.status != OK:
        return NULL
    if c.end - first < size:
        fail(c, BAD_VALUE, what)
        return NULL
    c.pos = first + size
    return first


cdef inline bint read_header(Cursor* c, Header* header) noexcept nogil:
    """Read a message's header."""
    cdef const char* p = read_bytes(c, HEADER_SIZE, b"a header of 8 bytes")
    if p == NULL:
        return False
    header.block = load_u16(p)
    header.template = load_u16(p + 2)
    header.schema = load_u16(p + 4)
    header.version = load_u16(p + 6)
    return True


cdef inline const char* read_block(Cursor* c, int64_t size, int64_t known, const char* what) noexcept nogil:
    """Step over a block of `size` bytes, of which the first `known` must be there; it, or NULL."""
    return read_bytes(c, size, what) if size >= known else read_bytes(c, INT64_MAX, what)


cdef inline bint read_group(Cursor* c, Group* group, int count_size, int64_t known, const char* what) noexcept nogil:
    """Step over a group: length of an entry, count of entries (of 2 or 4 bytes), entries of at least `known` bytes."""
    cdef const char* first = c.pos
    cdef const char* p = read_bytes(c, 2 + count_size, what)
    if p == NULL:
        return False
    group.stride = load_u16(p)
    group.count = load_u16(p + 2) if count_size == 2 else load_u32(p + 2)
    if group.count and group.stride < known:
        c.pos = first
        return fail(c, BAD_VALUE, what)
    group.data = read_bytes(c, group.count * group.stride, what)
    return group.data != NULL


cdef inline bint read_text8(Cursor* c, Text* text, const char* what) noexcept nogil:
    """Read a text whose length stands before it in one byte."""
    cdef const char* p = read_bytes(c, 1, what)
    if p == NULL:
        return False
    text.size = <uint8_t> p[0]
    text.data = read_bytes(c, text.size, what)
    return text.data != NULL


# ---- taking values: what follows records tokens

cdef inline bint take_exponents(Cursor* c, const char* p) noexcept nogil:
    """Take the two exponents that stand at `p`: of prices, of quantities."""
    cdef Message* m = c.message
    if c.status != OK or m == NULL:
        return c.status == OK
    m.binary = True
    m.once = True                                 # nothing of it repeats as text does
    m.price_exponent = <int8_t> p[0]
    m.qty_exponent = <int8_t> p[1]
    if not (-MAX_SCALE <= m.price_exponent <= MAX_SCALE and -MAX_SCALE <= m.qty_exponent <= MAX_SCALE):
        c.pos = p
        return fail(c, BAD_VALUE, b"an exponent from -18 to 18")
    return True


cdef inline bint take_i64(Cursor* c, int kind, int slot, const char* p) noexcept nogil:
    """Take the integer of a price or a quantity."""
    return c.status == OK and take(c, kind, slot, p, p + 8, False)


cdef inline bint take_group(Cursor* c, int side, const Group* group) noexcept nogil:
    """Take the levels of a side: 0 bids, 1 asks. An entry begins with price and quantity."""
    if c.status != OK or not take(c, TAKE_LEVELS, side, group.data, group.data + group.count * group.stride, False):
        return False
    if c.message != NULL:
        c.message.token[c.message.n_tokens - 1].value = group.count << 16 | group.stride
    return True


cdef inline bint fill_slot(Cursor* c, int slot, int64_t value) noexcept nogil:
    """Fill a slot with what needs no conversion."""
    if c.status != OK:
        return False
    if c.message != NULL:
        c.message.slot[slot] = value
        c.message.seen |= bit(slot)
    return True


# ---- converting

cdef inline Status rescale_one(int64_t value, int exponent, int scale, int64_t* out, int* decimals) noexcept nogil:
    """`value * 10**exponent` as a count of `10**-scale`; NEEDS_SCALE with the decimals that it takes, or NO_FIT."""
    cdef int left = -exponent                     # decimals that `value` still has
    if value == 0:
        out[0] = 0
        return OK
    if value == INT64_MIN:                        # how the wire says that there is none
        return NO_FIT
    while left > scale:                           # trailing zeros need no decimals
        if value % 10:
            decimals[0] = max(decimals[0], left)
            return NEEDS_SCALE
        value //= 10
        left -= 1
    while left < scale:
        if value > INT64_MAX // 10 or value < -(INT64_MAX // 10):
            return NO_FIT
        value *= 10
        left += 1
    out[0] = value
    return OK


cdef inline Status sbe_levels(const char* frame, const Token* token, Message* m, int price_scale, int qty_scale,
                              const Rescale* price_how, const Rescale* qty_how, Py_ssize_t* offset) noexcept nogil:
    """Convert one side."""
    cdef Levels* levels = &m.asks if token.slot else &m.bids
    cdef const char* p = frame + token.start
    cdef int64_t i, stride = token.value & 0xffff, count = token.value >> 16
    cdef Status status, result = OK
    if not levels_reserve(levels, count):
        return NO_MEMORY
    levels.count = count
    if read_entries(p, count, stride, price_how, qty_how, levels.price, levels.qty):
        return OK
    for i in range(count):
        status = rescale_one(load_i64(p), m.price_exponent, price_scale, &levels.price[i], &m.price_decimals)
        if status == OK or status == NEEDS_SCALE:
            if status == NEEDS_SCALE:
                result = NEEDS_SCALE
            p += 8
            status = rescale_one(load_i64(p), m.qty_exponent, qty_scale, &levels.qty[i], &m.qty_decimals)
            if load_i64(p) < 0:
                status = NEGATIVE_QTY
            p -= 8
        if status == NEEDS_SCALE:
            result = NEEDS_SCALE
        elif status != OK:
            offset[0] = p - frame
            return status
        p += stride
    return result


cdef inline Status sbe_convert(const char* frame, Message* m, int price_scale, int qty_scale,
                               Py_ssize_t* offset) noexcept nogil:
    """Turn the tokens of a binary message into values, as `feeds.parser.convert_message` does."""
    cdef Rescale price_how, qty_how
    cdef const Token* token
    cdef int i
    cdef bint is_price
    cdef Status status, result = OK
    rescale_make(&price_how, m.price_exponent + price_scale)
    rescale_make(&qty_how, m.qty_exponent + qty_scale)
    m.price_decimals = m.qty_decimals = 0
    m.bids.count = m.asks.count = m.rows.count = 0
    for i in range(m.n_tokens):
        token = &m.token[i]
        status = OK
        if token.kind == TAKE_LEVELS:
            status = sbe_levels(frame, token, m, price_scale, qty_scale, &price_how, &qty_how, offset)
        elif token.kind == TAKE_PRICE or token.kind == TAKE_QTY:
            is_price = token.kind == TAKE_PRICE
            offset[0] = token.start
            status = rescale_one(load_i64(frame + token.start), m.price_exponent if is_price else m.qty_exponent,
                                 price_scale if is_price else qty_scale, &m.slot[token.slot],
                                 &m.price_decimals if is_price else &m.qty_decimals)
            if not is_price and load_i64(frame + token.start) < 0:
                status = NEGATIVE_QTY
        elif token.kind == TAKE_CONSTANT:
            m.slot[token.slot] = token.value
        if status == NEEDS_SCALE:
            result = NEEDS_SCALE
        elif status != OK:
            return status
    return result
