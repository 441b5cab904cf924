"""Levels of a protobuf list as they are nearly always written, read without a loop over digits.

The lengths of both texts are known before they are read: a text is loaded whole, its last byte in the last place, its
point is taken out, and its digits are added up in pairs, fours and eights; in 16-byte registers where the processor has
SSE4.1 (asked at run time), else in words of 8 bytes. What is written in another way (a sign, an exponent, more digits,
decimals that the scale does not keep) is left to `feeds.protobuf.next_pair` and `feeds.numbers`, which give the same
numbers for all that is read here.
"""

from libc.stdint cimport int64_t, uint32_t
from orderbook.core cimport TEN  # no-cython-lint: the C code below uses its table

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    #define WB_EACH(byte) (0x0101010101010101ULL * (byte))

    /* Eight bytes that end at `past`, the last one in the highest place. */
    static inline uint64_t wb_before(const char *past) {
        uint64_t v;
        memcpy(&v, past - 8, 8);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        v = __builtin_bswap64(v);
    #endif
        return v;
    }

    /* The number that the last n (1 to 8) of eight bytes make; `bad` is not 0 if one of them is no digit. */
    static inline uint64_t wb_number(uint64_t v, int n, uint64_t *bad) {
        v = (v ^ WB_EACH(0x30)) >> (64 - 8 * n) << (64 - 8 * n);
        *bad |= (v | (v + WB_EACH(0x76))) & WB_EACH(0x80);
        v = (v * 2561) >> 8 & 0x00FF00FF00FF00FFULL;
        v = (v * 6553601) >> 16 & 0x0000FFFF0000FFFFULL;
        return (v * 42949672960001ULL) >> 32;
    }

    /* 1 to 16 digits before `past`, of which 16 bytes are read; 0 if it is something else. */
    static inline int wb_whole(const char *past, int64_t size, int64_t *value) {
        uint64_t bad = 0, v;
        if (size < 1 || size > 16) return 0;
        v = wb_number(wb_before(past), size < 8 ? (int) size : 8, &bad);
        if (size > 8) v += wb_number(wb_before(past - 8), (int) size - 8, &bad) * 100000000;
        *value = (int64_t) v;
        return bad == 0;
    }

    /* Digits of 10**-decimals each as a count of 10**-scale; 0 if they are not. */
    static inline int wb_rescale(uint64_t v, int decimals, int scale, int64_t *units) {
        if (decimals <= scale) {
            *units = (int64_t) v * WB_TEN[scale - decimals];
            return 1;
        }
        *units = (int64_t) v / WB_TEN[decimals - scale];
        return v % (uint64_t) WB_TEN[decimals - scale] == 0;
    }

    /* A decimal of 1 to 8 digits on each side of its point; 17 bytes before `past` are read. 0: something else. */
    static inline int wb_decimal(const char *past, int size, int scale, int64_t *units) {
        uint64_t v, x, z, behind, bad = 0;
        int decimals, digits = size - 1;
        if (size < 3 || size > 17) return 0;
        v = wb_before(past);
        x = v ^ WB_EACH('.');                               /* z: 0x80 in exactly the bytes that are a point */
        z = ~(((x & WB_EACH(0x7f)) + WB_EACH(0x7f)) | x | WB_EACH(0x7f));
        decimals = z ? __builtin_clzll(z) >> 3 : 8;
        if (decimals == 0 || decimals + 1 >= size || (decimals == 8 && past[-9] != '.')) return 0;
        if (size <= 8) {
            behind = ~0ULL << (64 - 8 * decimals);
            v = wb_number((v & behind) | (v << 8 & ~behind), size - 1, &bad);
        } else {
            size -= decimals + 1;
            if (size > 8) return 0;
            v = wb_number(v, decimals, &bad)
                + wb_number(wb_before(past - decimals - 1), size, &bad) * (uint64_t) WB_TEN[decimals];
        }
        return !bad && digits + scale - decimals <= 18 && wb_rescale(v, decimals, scale, units);
    }

    /* How a text is read in a register. */
    typedef struct {
        uint8_t pick[16];       /* the byte each place is taken from: without the point and what lies before the text */
        int64_t unit;           /* what its last digit is worth; below 0: how many of it make one */
        unsigned points;        /* bit i: a point at byte i; WB_UNKNOWN: not made yet */
        int size;               /* bytes of the text, 1 to 16 */
    } wb_shape;
    #define WB_UNKNOWN 0x10000u

    /* The widths of the level before: most have the same. */
    typedef struct {
        wb_shape price, qty;
        uint32_t head;          /* second to fourth byte of such a level, behind 255; 0: there was none yet */
        int size;               /* bytes of it behind its length */
    } wb_widths;

    /* Field and length of a level, of its price, of its quantity, in one byte each, and nothing else. */
    #define WB_IS_LEVEL(p, past, tag) (past - p > 7 && p[0] == tag && p[1] > 5 && p[1] < 0x80 && p[1] <= past - p - 2 \\
        && p[2] == 0x0a && p[3] > 0 && p[3] < p[1] - 4 && p[4 + p[3]] == 0x12 && p[5 + p[3]] == p[1] - 4 - p[3])

    static inline int64_t wb_pairs_plain(const char **at, const uint8_t *past, const uint8_t *begin, unsigned tag,
                                         int price_scale, int qty_scale, int64_t *price, int64_t *qty) {
        const uint8_t *p = (const uint8_t *) *at;
        int64_t n = 0;
        while (WB_IS_LEVEL(p, past, tag) && p + 4 + p[3] - begin > 16
               && wb_decimal((const char *) p + 4 + p[3], p[3], price_scale, &price[n])
               && wb_decimal((const char *) p + 2 + p[1], p[1] - 4 - p[3], qty_scale, &qty[n])) {
            p += 2 + p[1];
            n++;
        }
        *at = (const char *) p;
        return n;
    }

    #if defined(__x86_64__)
    #include <immintrin.h>

    /* 16 bytes from k on: 1 in the last k places, else 0. */
    static const uint8_t WB_UP[32] __attribute__((unused)) = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    /* 16 bytes from k on: 0 in the last k places, else 0x80. */
    static const uint8_t WB_NONE[32] __attribute__((unused)) = {
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

    /* Make the shape of a text with these points; 0 if it has to be read with care. */
    __attribute__((target("sse4.1"), unused))
    static int wb_shape_make(wb_shape *s, unsigned points, int scale) {
        /* A place is filled from the byte before it up to the point, from the same byte behind it or without one. */
        const __m128i before = _mm_setr_epi8(-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
        int behind = points ? s->size - 1 - (31 - __builtin_clz(points)) : 16, digits = s->size - (points != 0);
        int more = scale - (points ? behind : 0);
        s->points = WB_UNKNOWN;
        if (digits < 1 || digits + more > 18) return 0;
        s->points = points;
        s->unit = more < 0 ? -WB_TEN[-more] : WB_TEN[more];
        _mm_storeu_si128((__m128i *) s->pick, _mm_or_si128(
            _mm_add_epi8(before, _mm_loadu_si128((const __m128i *) (WB_UP + behind))),
            _mm_loadu_si128((const __m128i *) (WB_NONE + digits))));
        return 1;
    }

    /* Two numbers of eight digits as a count of units; 0 if the scale does not keep it. */
    static inline int wb_units(int high, int low, int64_t unit, int64_t *out) {
        int64_t v = (int64_t) high * 100000000 + low;
        if (__builtin_expect(unit > 0, 1)) {
            *out = v * unit;
            return 1;
        }
        *out = v / -unit;
        return v % -unit == 0;
    }

    __attribute__((target("sse4.1"), unused))
    static int64_t wb_pairs_sse(const char **at, const uint8_t *past, const uint8_t *begin, unsigned tag,
                                int price_scale, int qty_scale, int64_t *price, int64_t *qty, wb_widths *w) {
        const uint8_t *p = (const uint8_t *) *at;
        const __m128i nine = _mm_set1_epi8(9), zero = _mm_set1_epi8('0'), point = _mm_set1_epi8('.');
        const __m128i tens = _mm_set1_epi16(0x010a), hundreds = _mm_set1_epi32(0x00010064);
        const __m128i myriads = _mm_set1_epi32(0x00012710);
        wb_shape *a = &w->price, *b = &w->qty;
        uint32_t head;
        int64_t n = 0;
        unsigned points;
        __m128i x, y, z;
        while (past - p > 7 && p - begin > 11 && p[0] == tag) {
            memcpy(&head, p, 4);
            head |= 0xff;                                   /* length of the level, field and length of the price */
            if (head != w->head) {
                if (p[1] < 6 || p[1] > 36 || p[2] != 0x0a || p[3] < 1 || p[3] > 16 || p[3] > p[1] - 5
                    || p[1] - 4 - p[3] > 16) break;
                w->head = head;
                w->size = p[1];
                a->size = p[3];
                b->size = w->size - 4 - a->size;
                a->points = b->points = WB_UNKNOWN;
            }
            if (past - p < 2 + w->size || p[4 + a->size] != 0x12 || p[5 + a->size] != b->size) break;
            x = _mm_loadu_si128((const __m128i *) (p + a->size - 12));
            y = _mm_loadu_si128((const __m128i *) (p + w->size - 14));
            points = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(x, point)) >> (16 - a->size);
            if (points != a->points && !wb_shape_make(a, points, price_scale)) break;
            points = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(y, point)) >> (16 - b->size);
            if (points != b->points && !wb_shape_make(b, points, qty_scale)) break;
            x = _mm_shuffle_epi8(_mm_sub_epi8(x, zero), _mm_loadu_si128((const __m128i *) a->pick));
            y = _mm_shuffle_epi8(_mm_sub_epi8(y, zero), _mm_loadu_si128((const __m128i *) b->pick));
            z = _mm_or_si128(_mm_subs_epu8(x, nine), _mm_subs_epu8(y, nine));
            if (!_mm_testz_si128(z, z)) break;
            x = _mm_madd_epi16(_mm_maddubs_epi16(x, tens), hundreds);
            y = _mm_madd_epi16(_mm_maddubs_epi16(y, tens), hundreds);
            x = _mm_madd_epi16(_mm_packus_epi32(x, y), myriads);    /* four numbers of eight digits */
            if (!wb_units(_mm_cvtsi128_si32(x), _mm_extract_epi32(x, 1), a->unit, &price[n])
                || !wb_units(_mm_extract_epi32(x, 2), _mm_extract_epi32(x, 3), b->unit, &qty[n])) break;
            p += 2 + w->size;
            n++;
        }
        *at = (const char *) p;
        return n;
    }
    #endif

    static inline int64_t wb_pairs(const char **at, const char *past, const char *begin, uint32_t field,
                                   int price_scale, int qty_scale, int64_t *price, int64_t *qty, wb_widths *widths,
                                   int simd) {
        if (field > 15) return 0;
    #if defined(__x86_64__)
        if (simd && __builtin_cpu_supports("sse4.1"))
            return wb_pairs_sse(at, (const uint8_t *) past, (const uint8_t *) begin, field << 3 | 2, price_scale,
                                qty_scale, price, qty, widths);
    #endif
        return wb_pairs_plain(at, (const uint8_t *) past, (const uint8_t *) begin, field << 3 | 2, price_scale,
                              qty_scale, price, qty);
    }
    """
    # 1 to 16 digits that end at `past`; 16 bytes before it are read. False: something else.
    bint read_whole "wb_whole"(const char* past, int64_t size, int64_t* value) nogil

    # A decimal of 1 to 8 digits on each side of its point as a count of 10**-scale; 17 bytes before `past` are read.
    # False: something else.
    bint read_short "wb_decimal"(const char* past, int size, int scale, int64_t* units) nogil

    ctypedef struct Widths "wb_widths":
        uint32_t head             # 0 before the first list; all lists that share it have the same scales

    # Levels read from `at` on into `price` and `qty`, which have room for all; `at` then stands before the first one
    # that is written in another way, or at `past`. No byte before `begin` is read. simd: registers may be used.
    int64_t read_pairs "wb_pairs"(const char** at, const char* past, const char* begin, uint32_t field, int price_scale,
                                  int qty_scale, int64_t* price, int64_t* qty, Widths* widths, bint simd) nogil
