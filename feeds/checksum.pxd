"""Checksums of a book's best levels, from its integers: the texts a venue hashes are made again, then hashed.

Nothing of the wire has to be kept, because a venue writes the numbers of an instrument in one of three ways: with as
few digits as it takes, with a fixed number of decimals, or as JavaScript does.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy
from orderbook.core cimport BookData, TEN
from orderbook.ladder cimport Walk, walk_next, walk_start
from feeds.message cimport CHECKSUM_DIGITS, CHECKSUM_PAIRS

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #ifndef WB_CRC
    #define WB_CRC
    #if defined(__x86_64__) && defined(__GNUC__)
    #include <immintrin.h>
    #define WB_FOLDS
    #endif
    static uint32_t wb_crc_table[8][256];
    static int wb_crc_folds;                      /* the processor multiplies without carries */
    __attribute__((constructor)) static void wb_crc_make(void) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
            wb_crc_table[0][i] = c;
        }
        for (uint32_t i = 0; i < 256; i++)
            for (int t = 1; t < 8; t++)
                wb_crc_table[t][i] = (wb_crc_table[t - 1][i] >> 8) ^ wb_crc_table[0][wb_crc_table[t - 1][i] & 255];
    #ifdef WB_FOLDS
        wb_crc_folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
    #endif
    }
    #ifdef WB_FOLDS
    /* 64 bytes a step (Gopal et al., Intel 2009); `n` is 64 or more, and a multiple of 16. */
    __attribute__((target("pclmul,sse4.1")))
    static uint32_t wb_crc_fold(const char *p, Py_ssize_t n, uint32_t crc) {
        const __m128i by64 = _mm_set_epi64x(0x01c6e41596LL, 0x0154442bd4LL);
        const __m128i by16 = _mm_set_epi64x(0x00ccaa009eLL, 0x01751997d0LL);
        const __m128i by8 = _mm_set_epi64x(0, 0x0163cd6124LL);
        const __m128i polynomial = _mm_set_epi64x(0x01f7011641LL, 0x01db710641LL);
        const __m128i half = _mm_setr_epi32(~0, 0, ~0, 0);
        __m128i x[4], y;
        for (int i = 0; i < 4; i++) x[i] = _mm_loadu_si128((const __m128i *) p + i);
        x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int) crc));
        for (p += 64, n -= 64; n >= 64; p += 64, n -= 64)
            for (int i = 0; i < 4; i++) {
                y = _mm_clmulepi64_si128(x[i], by64, 0x00);
                x[i] = _mm_xor_si128(_mm_clmulepi64_si128(x[i], by64, 0x11), y);
                x[i] = _mm_xor_si128(x[i], _mm_loadu_si128((const __m128i *) p + i));
            }
        for (int i = 1; i < 4; i++) {
            y = _mm_clmulepi64_si128(x[0], by16, 0x00);
            x[0] = _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x[0], by16, 0x11), y), x[i]);
        }
        for (; n >= 16; p += 16, n -= 16) {
            y = _mm_clmulepi64_si128(x[0], by16, 0x00);
            x[0] = _mm_xor_si128(_mm_clmulepi64_si128(x[0], by16, 0x11), y);
            x[0] = _mm_xor_si128(x[0], _mm_loadu_si128((const __m128i *) p));
        }
        y = _mm_clmulepi64_si128(x[0], by16, 0x10);                       /* 128 bits to 64 */
        x[0] = _mm_xor_si128(_mm_srli_si128(x[0], 8), y);
        y = _mm_srli_si128(x[0], 4);
        x[0] = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(x[0], half), by8, 0x00), y);
        y = _mm_clmulepi64_si128(_mm_and_si128(x[0], half), polynomial, 0x10);      /* Barrett: 64 to 32 */
        y = _mm_clmulepi64_si128(_mm_and_si128(y, half), polynomial, 0x00);
        return (uint32_t) _mm_extract_epi32(_mm_xor_si128(x[0], y), 1);
    }
    #endif
    /* Eight bytes a step (Kounavis and Berry, 2005); the polynomial of zlib. */
    static inline uint32_t wb_crc(const char *p, Py_ssize_t n) {
        uint32_t crc = 0xFFFFFFFFu, low, high;
    #ifdef WB_FOLDS
        if (wb_crc_folds && n >= 64) {
            crc = wb_crc_fold(p, n & ~(Py_ssize_t) 15, crc);
            p += n & ~(Py_ssize_t) 15;
            n &= 15;
        }
    #endif
        while (n >= 8) {
            memcpy(&low, p, 4); memcpy(&high, p + 4, 4);
            low ^= crc;
            crc = wb_crc_table[7][low & 255] ^ wb_crc_table[6][(low >> 8) & 255] ^ wb_crc_table[5][(low >> 16) & 255]
                ^ wb_crc_table[4][low >> 24] ^ wb_crc_table[3][high & 255] ^ wb_crc_table[2][(high >> 8) & 255]
                ^ wb_crc_table[1][(high >> 16) & 255] ^ wb_crc_table[0][high >> 24];
            p += 8; n -= 8;
        }
        while (n--) crc = wb_crc_table[0][(crc ^ (uint32_t) (unsigned char) *p++) & 255] ^ (crc >> 8);
        return ~crc;
    }
    /* Eight decimal digits of a number below 10**8, a byte each, the first one in the lowest. */
    static inline uint64_t wb_eight(uint32_t value) {
        uint64_t x = value / 10000, t;
        x |= (uint64_t) (value % 10000) << 32;                            /* two numbers of four digits */
        t = ((x * 10486) >> 20) & 0x0000007f0000007fULL;
        x = t | (x - 100 * t) << 16;                                      /* four of two */
        t = ((x * 103) >> 10) & 0x000f000f000f000fULL;
        return t | (x - 10 * t) << 8;
    }
    #define WB_ZEROS 0x3030303030303030ULL
    static inline char *wb_put(char *out, uint64_t digits, int n) {       /* the first n of eight digits */
        digits |= WB_ZEROS;
        for (int i = 0; i < 8; i++) out[i] = (char) (digits >> 8 * i);    /* one store */
        return out + n;
    }
    /* Decimal digits of a number, from the front; where they end. Up to 8 bytes behind them are overwritten. */
    static inline char *wb_digits(char *out, uint64_t value) {
        uint64_t high = value / 100000000, digits;
        int zeros;
        if (high >= 100000000) {
            out = wb_put(out, wb_eight((uint32_t) (high / 100000000)) >> 32, 4);    /* at most 1844 */
            high %= 100000000;
            char *first = out - 4, *p = first;
            while (p != out && *p == '0') p++;
            memmove(first, p, (size_t) (out - p));
            out = wb_put(out - (p - first), wb_eight((uint32_t) high), 8);
            return wb_put(out, wb_eight((uint32_t) (value % 100000000)), 8);
        }
        if (high) {
            digits = wb_eight((uint32_t) high);
            zeros = __builtin_ctzll(digits) >> 3;
            out = wb_put(out, digits >> 8 * zeros, 8 - zeros);
            return wb_put(out, wb_eight((uint32_t) (value % 100000000)), 8);
        }
        if (value == 0) {
            *out = '0';
            return out + 1;
        }
        digits = wb_eight((uint32_t) value);
        zeros = __builtin_ctzll(digits) >> 3;
        return wb_put(out, digits >> 8 * zeros, 8 - zeros);
    }
    /* A number's decimals, `scale` (1 to 8) of them, but for zeros at the end beyond the first `least` (0 to 8). */
    static inline char *wb_decimals(char *out, uint32_t part, int scale, int least) {
        uint64_t digits = wb_eight(part) >> 8 * (8 - scale);
        int n = digits ? 8 - (__builtin_clzll(digits) >> 3) : 0;
        if (n < least) n = least;
        if (n == 0) return out;
        *out = '.';
        return wb_put(out + 1, digits, n);
    }
    #endif
    """
    uint32_t crc32 "wb_crc"(const char* p, Py_ssize_t n) nogil
    char* write_digits "wb_digits"(char* out, uint64_t value) nogil
    char* write_decimals "wb_decimals"(char* out, uint32_t part, int scale, int least) nogil

cdef enum:
    PAIRS = 25                # levels a side of the two recipes by turns
    TENS = 10                 # of the third
    LONGEST = 48              # bytes of one number at most, with what separates it


cdef inline char* write_point(char* out, char* first, char* past, int scale) noexcept nogil:
    """Write digits with `scale` of them behind the point."""
    cdef Py_ssize_t n = past - first
    if scale <= 0:
        memcpy(out, first, n)
        return out + n
    if n <= scale:
        out[0] = c'0'
        out[1] = c'.'
        out += 2
        while n < scale:
            out[0] = c'0'
            out += 1
            scale -= 1
        memcpy(out, first, n)
        return out + n
    memcpy(out, first, n - scale)
    out += n - scale
    out[0] = c'.'
    memcpy(out + 1, past - scale, scale)
    return out + 1 + scale


cdef inline char* write_number(char* out, int64_t units, int scale, int decimals) noexcept nogil:
    """Write a number with this many decimals, or (0) with as few as it takes."""
    cdef char text[32]
    cdef char* past
    cdef uint64_t value = <uint64_t> units
    if units < 0:
        out[0] = c'-'
        out += 1
        value = 0 - value
    if scale == 0 and decimals == 0:
        return write_digits(out, value)
    if 0 < scale <= 8 and decimals <= 8:
        out = write_digits(out, value // <uint64_t> TEN[scale])
        return write_decimals(out, <uint32_t> (value % <uint64_t> TEN[scale]), scale, decimals)
    if decimals > scale:
        past = write_digits(text, value)
        out = write_point(out, text, past, scale)
        if scale == 0:
            out[0] = c'.'
            out += 1
        while scale < decimals:
            out[0] = c'0'
            out += 1
            scale += 1
        return out
    while scale > decimals and value % 10 == 0:
        value //= 10
        scale -= 1
    past = write_digits(text, value)
    return write_point(out, text, past, scale)


cdef inline char* write_plain_digits(char* out, int64_t units, int scale, int printed) noexcept nogil:
    """Write the digits of a number that is printed with so many decimals: no point, no zeros in front."""
    if printed >= scale:
        return write_digits(out, <uint64_t> units * <uint64_t> TEN[printed - scale])
    return write_digits(out, <uint64_t> units // <uint64_t> TEN[scale - printed])


cdef inline char* write_script(char* out, int64_t units, int scale) noexcept nogil:
    """Write a number as JavaScript does: below 1e-6 with an exponent."""
    cdef char text[32]
    cdef char* past
    cdef uint64_t value = <uint64_t> units
    cdef int exponent
    if units == 0:
        out[0] = c'0'
        return out + 1
    if units < 0:
        out[0] = c'-'
        out += 1
        value = 0 - value
    if scale <= 6 or (scale <= 8 and value >= <uint64_t> TEN[scale - 6]):
        return write_number(out, <int64_t> value, scale, 0)
    while value % 10 == 0 and scale > 0:
        value //= 10
        scale -= 1
    past = write_digits(text, value)
    exponent = <int> (past - text) - scale - 1
    if exponent >= -6:
        return write_point(out, text, past, scale)
    out[0] = text[0]
    out += 1
    if past - text > 1:
        out[0] = c'.'
        memcpy(out + 1, text + 1, past - text - 1)
        out += past - text
    out[0] = c'e'
    out[1] = c'-'
    return write_digits(out + 2, <uint64_t> -exponent)


cdef inline uint32_t checksum_digits(const BookData* book, int price_printed, int qty_printed) noexcept nogil:
    """Ten asks, then ten bids, price and quantity one after the other."""
    cdef char text[4 * TENS * LONGEST]
    cdef char* out = text
    cdef Walk walk
    cdef int64_t rank, size = book.ticks.size
    cdef int64_t qty
    cdef int side, _level
    for side in range(2):
        walk_start(&walk, &book.bids if side else &book.asks)
        for _level in range(TENS):
            if not walk_next(&walk, &rank, &qty):
                break
            out = write_plain_digits(out, (rank if side else -rank) * size, book.price_scale, price_printed)
            out = write_plain_digits(out, qty, book.qty_scale, qty_printed)
    return crc32(text, out - text)


cdef inline uint32_t checksum_turns(const BookData* book, bint script, int price_fixed, int qty_fixed) noexcept nogil:
    """A bid and an ask by turns, everything separated by colons."""
    cdef char text[4 * PAIRS * LONGEST]
    cdef char* out = text
    cdef Walk bids, asks
    cdef int64_t rank, size = book.ticks.size
    cdef int64_t qty
    cdef int i
    walk_start(&bids, &book.bids)
    walk_start(&asks, &book.asks)
    for i in range(2 * PAIRS):
        if not walk_next(&asks if i & 1 else &bids, &rank, &qty):
            continue
        if i & 1:
            rank = -rank
        if script:
            out = write_script(out, rank * size, book.price_scale)
            out[0] = c':'
            out = write_script(out + 1, -qty if i & 1 else qty, book.qty_scale)
        else:
            out = write_number(out, rank * size, book.price_scale, price_fixed)
            out[0] = c':'
            out = write_number(out + 1, qty, book.qty_scale, qty_fixed)
        out[0] = c':'
        out += 1
    return crc32(text, out - text - 1 if out != text else 0)


cdef inline uint32_t checksum_of(int recipe, const BookData* book, int price_fixed, int qty_fixed, int price_printed,
                                 int qty_printed) noexcept nogil:
    """What the venue's checksum of this book must be.

    `*_printed`: decimals the venue writes with; `*_fixed`: the same where it writes trailing zeros, else 0.
    """
    if recipe == CHECKSUM_DIGITS:
        return checksum_digits(book, price_printed, qty_printed)
    return checksum_turns(book, recipe != CHECKSUM_PAIRS, price_fixed, qty_fixed)
