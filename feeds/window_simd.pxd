"""A window of 32 bytes in one AVX2 register or two of SSE: compared with a shape, made into numbers, without a loop.

Only run_avx2.pyx and run_simd.pyx, which are compiled for such processors, use this file.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy
from feeds.element cimport HEAD, Head
from feeds.shape cimport Op, Shape
from feeds.stencil cimport Stencil
from feeds.routes cimport PREFIX, SHORTEST_PREFIX, Route, Routes, prefix_hash

cdef extern from "<nmmintrin.h>" nogil:
    ctypedef struct __m128i:
        pass
    __m128i _mm_loadu_si128(const __m128i* p)
    __m128i _mm_load_si128(const __m128i* p)
    __m128i _mm_sub_epi8(__m128i a, __m128i b)
    __m128i _mm_subs_epu8(__m128i a, __m128i b)
    __m128i _mm_min_epu8(__m128i a, __m128i b)
    __m128i _mm_cmpeq_epi8(__m128i a, __m128i b)
    __m128i _mm_or_si128(__m128i a, __m128i b)
    __m128i _mm_and_si128(__m128i a, __m128i b)
    __m128i _mm_andnot_si128(__m128i a, __m128i b)
    __m128i _mm_shuffle_epi8(__m128i a, __m128i b)
    __m128i _mm_maddubs_epi16(__m128i a, __m128i b)
    __m128i _mm_madd_epi16(__m128i a, __m128i b)
    __m128i _mm_packus_epi32(__m128i a, __m128i b)
    __m128i _mm_set1_epi8(char a)
    __m128i _mm_set1_epi16(short a)
    __m128i _mm_set1_epi32(int a)
    __m128i _mm_setzero_si128()
    int _mm_testz_si128(__m128i a, __m128i b)
    int _mm_movemask_epi8(__m128i a)
    int64_t _mm_cvtsi128_si64(__m128i a)
    int64_t _mm_extract_epi64(__m128i a, int i)
    uint64_t _mm_crc32_u64(uint64_t crc, uint64_t x)

cdef extern from *:
    """
    #include <stdint.h>
    /* The bytes of a window. Those of a shape begin at a multiple of 16: see `pool_ready`. */
    #ifdef __AVX2__
    #include <immintrin.h>
    typedef __m256i wb_bytes;
    #define wb_load(p) _mm256_loadu_si256((const __m256i *)(p))
    #define wb_join(low, high) _mm256_set_m128i(high, low)
    #define wb_all(byte) _mm256_set1_epi8(byte)
    #define wb_same(a, b) ((uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)))
    #define wb_none(a) _mm256_testz_si256(a, a)
    static inline wb_bytes wb_over(wb_bytes a, const void *base, const void *limit) {
        return _mm256_subs_epu8(_mm256_sub_epi8(a, wb_load(base)), wb_load(limit));
    }
    static inline uint32_t wb_digits(wb_bytes a) {
        wb_bytes digit = _mm256_sub_epi8(a, wb_all('0'));
        return wb_same(_mm256_min_epu8(digit, wb_all(9)), digit);
    }
    static inline __m128i wb_pick(wb_bytes a, const void *at) {
        wb_bytes picked = _mm256_shuffle_epi8(a, wb_load(at));
        return _mm_or_si128(_mm256_castsi256_si128(picked), _mm256_extracti128_si256(picked, 1));
    }
    #else
    typedef struct { __m128i low, high; } wb_bytes;
    #define wb_half(p, i) _mm_load_si128((const __m128i *)(p) + (i))
    static inline wb_bytes wb_join(__m128i low, __m128i high) {
        wb_bytes both = {low, high};
        return both;
    }
    #define wb_load(p) wb_join(_mm_loadu_si128((const __m128i *)(p)), _mm_loadu_si128((const __m128i *)(p) + 1))
    #define wb_all(byte) wb_join(_mm_set1_epi8(byte), _mm_set1_epi8(byte))
    static inline uint32_t wb_same(wb_bytes a, wb_bytes b) {
        return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a.low, b.low))
            | (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a.high, b.high)) << 16;
    }
    static inline int wb_none(wb_bytes a) {
        __m128i any = _mm_or_si128(a.low, a.high);
        return _mm_testz_si128(any, any);
    }
    static inline wb_bytes wb_over(wb_bytes a, const void *base, const void *limit) {
        return wb_join(_mm_subs_epu8(_mm_sub_epi8(a.low, wb_half(base, 0)), wb_half(limit, 0)),
                       _mm_subs_epu8(_mm_sub_epi8(a.high, wb_half(base, 1)), wb_half(limit, 1)));
    }
    static inline uint32_t wb_digits(wb_bytes a) {
        wb_bytes digit = wb_join(_mm_sub_epi8(a.low, _mm_set1_epi8('0')), _mm_sub_epi8(a.high, _mm_set1_epi8('0')));
        return wb_same(wb_join(_mm_min_epu8(digit.low, _mm_set1_epi8(9)), _mm_min_epu8(digit.high, _mm_set1_epi8(9))),
                       digit);
    }
    static inline __m128i wb_pick(wb_bytes a, const void *at) {
        return _mm_or_si128(_mm_shuffle_epi8(a.low, wb_half(at, 0)), _mm_shuffle_epi8(a.high, wb_half(at, 1)));
    }
    #endif
    """
    ctypedef struct Bytes "wb_bytes":
        pass
    Bytes bytes_load "wb_load"(const void* p) nogil               # the 32 from here on
    Bytes bytes_join "wb_join"(__m128i low, __m128i high) nogil
    Bytes bytes_all "wb_all"(char byte) nogil                     # 32 times this one
    uint32_t bytes_same "wb_same"(Bytes a, Bytes b) nogil         # bit i: byte i is the same
    uint32_t bytes_digits "wb_digits"(Bytes a) nogil              # bit i: byte i is a digit
    Bytes bytes_over "wb_over"(Bytes a, const void* base, const void* limit) nogil    # 0 where a byte fits
    bint bytes_none "wb_none"(Bytes a) nogil                      # all are 0
    __m128i bytes_pick "wb_pick"(Bytes a, const void* at) nogil   # the sixteen that two tables of a shape say

cdef extern from *:
    """
    /* Sliding tables: 16 bytes from offset s on move a register's bytes down by s, with zeros after them. */
    static const unsigned char WB_DOWN[48] = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128};
    static const unsigned char WB_IN[64] = {
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128};
    """
    int ctz32 "__builtin_ctz"(uint32_t x) nogil
    int popcount "__builtin_popcount"(uint32_t x) nogil
    const uint8_t DOWN "WB_DOWN"[48]
    const uint8_t IN "WB_IN"[64]

cdef struct Window:
    Bytes all                 # zeros past the end of the frame


cdef inline __m128i load(const void* p) noexcept nogil:
    """16 bytes."""
    return _mm_loadu_si128(<const __m128i*> p)


cdef inline __m128i load_own(const void* p) noexcept nogil:
    """16 bytes of a shape, which all begin at a multiple of 16: see `pool_ready`."""
    return _mm_load_si128(<const __m128i*> p)


cdef inline void window_load(Window* self, const char* p, const char* end, const char* safe) noexcept nogil:
    """Look at the 32 bytes at `p`. Near the end of a frame (of at least 32 bytes) nothing past it is read."""
    cdef Py_ssize_t over
    cdef __m128i low, high
    if p + 32 <= safe:
        self.all = bytes_load(p)
        return
    over = p + 32 - end                           # bytes that are missing
    if over >= 32:
        self.all = bytes_all(0)
        return
    low = load(end - 32)
    high = load(end - 16)
    self.all = bytes_join(
        _mm_or_si128(_mm_shuffle_epi8(low, load(&DOWN[over])), _mm_shuffle_epi8(high, load(&IN[over]))),
        _mm_shuffle_epi8(high, load(&DOWN[over])))


cdef inline bint window_fits(const Window* self, const Shape* shape) noexcept nogil:
    """Whether every byte of the window is what the shape says."""
    return bytes_none(bytes_over(self.all, shape.base, shape.limit))


cdef inline int first_bit(uint32_t mask) noexcept nogil:
    """Place of the lowest bit; anything if there is none."""
    return ctz32(mask | <uint32_t> 1 << 31)


cdef inline int window_misfit(const Window* self, const Shape* shape) noexcept nogil:
    """Place of the first byte of a window that does not fit."""
    return first_bit(~bytes_same(bytes_over(self.all, shape.base, shape.limit), bytes_all(0)))


cdef inline bint head_fits(const char* p, const Head* head) noexcept nogil:
    """Whether every one of the HEAD bytes at `p` is what the head says."""
    cdef __m128i wrong = _mm_setzero_si128()
    cdef int i
    for i in range(HEAD // 16):
        wrong = _mm_or_si128(wrong, _mm_subs_epu8(_mm_sub_epi8(load(p + 16 * i), load_own(&head.base[16 * i])),
                                                  load_own(&head.limit[16 * i])))
    return _mm_testz_si128(wrong, wrong)


cdef inline bint stencil_fits(const Stencil* stencil, const char* p, int size) noexcept nogil:
    """Whether every one of the `size` (16 or more) bytes at `p` is what the stencil says."""
    cdef __m128i wrong = _mm_setzero_si128()
    cdef int at = 0, last = size - 16
    while True:                                   # what is left over shares a step with bytes before
        wrong = _mm_or_si128(wrong, _mm_subs_epu8(_mm_sub_epi8(load(p + at), load(&stencil.base[at])),
                                                  load(&stencil.limit[at])))
        if at == last:
            return _mm_testz_si128(wrong, wrong)
        at = at + 16 if at + 16 < last else last


cdef inline uint64_t mixed_text(uint64_t mix, const char* p) noexcept nogil:
    """A mix of what 16 bytes are, where all digits are one."""
    cdef __m128i bytes = load(p), digit = _mm_sub_epi8(bytes, _mm_set1_epi8(c'0'))
    bytes = _mm_andnot_si128(_mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit), bytes)
    mix = _mm_crc32_u64(mix, <uint64_t> _mm_cvtsi128_si64(bytes))
    return _mm_crc32_u64(mix, <uint64_t> _mm_extract_epi64(bytes, 1))


cdef inline uint32_t stencil_key(const char* data, const char* end) noexcept nogil:
    """What the stencil of a frame of at least 16 bytes is found by, never 0: how it begins, goes on and ends."""
    cdef const char* last = end - 16
    cdef uint64_t mix
    memcpy(&mix, data, 8)                         # digits too: they may be the number of a stream
    mix = mixed_text(_mm_crc32_u64(<uint64_t> (end - data), mix), data + 8 if data + 8 < last else last)
    mix = mixed_text(mix, data + 24 if data + 24 < last else last)
    mix = mixed_text(mix, data + ((end - data) // 2) if data + (end - data) // 2 < last else last)
    return <uint32_t> mixed_text(mixed_text(mix, last - 16 if last - 16 > data else data), last) | 1


cdef inline uint64_t window_chain(const Window* self, const uint8_t* pick) noexcept nogil:
    """Sixteen picked digits as two numbers of eight: the first in the low half of the result."""
    cdef __m128i x = _mm_and_si128(bytes_pick(self.all, pick), _mm_set1_epi8(15))
    x = _mm_maddubs_epi16(x, _mm_set1_epi16(0x010a))          # 10, 1
    x = _mm_madd_epi16(x, _mm_set1_epi32(0x00010064))         # 100, 1
    x = _mm_packus_epi32(x, x)
    x = _mm_madd_epi16(x, _mm_set1_epi32(0x00012710))         # 10000, 1
    return <uint64_t> _mm_cvtsi128_si64(x)


cdef inline int64_t window_value(const Window* self, const Shape* shape) noexcept nogil:
    """The number of a window that fits, where it is its only one."""
    cdef uint64_t x = window_chain(self, shape.pick[0])
    return <int64_t> ((x & <uint32_t> 0xffffffff) * 100000000 + (x >> 32))


cdef inline void window_values(const Window* self, const Shape* shape, int64_t* values) noexcept nogil:
    """The numbers of a window that fits."""
    cdef uint64_t x = window_chain(self, shape.pick[0])
    if shape.chains == 0:
        values[0] = <int64_t> (x & <uint32_t> 0xffffffff)
        values[1] = <int64_t> (x >> 32)
        return
    values[0] = <int64_t> ((x & <uint32_t> 0xffffffff) * 100000000 + (x >> 32))
    values[1] = 0
    if shape.chains == 2:
        x = window_chain(self, shape.pick[2])
        values[1] = <int64_t> ((x & <uint32_t> 0xffffffff) * 100000000 + (x >> 32))


cdef inline bint window_text(const Window* self, const char* text, int size) noexcept nogil:
    """Whether the window begins with the first `size` (1 to 32) bytes of `text`, of which 32 can be read."""
    return ~bytes_same(self.all, bytes_load(text)) << (32 - size) == 0


cdef inline bint window_is(const Window* self, const Op* op) noexcept nogil:
    """Whether the window begins with the text of an operation that is text alone, as far as one window goes."""
    return (bytes_same(self.all, bytes_load(op.text)) | op.open) == ~<uint32_t> 0


cdef inline uint32_t window_look(const Window* self, char stop, int stops) noexcept nogil:
    """Bytes of a window that are no digits, up to the stop of this number if it is inside; see `look_of`."""
    cdef uint32_t end = bytes_same(self.all, bytes_all(stop)), digits = bytes_digits(self.all)
    while stops > 1:
        end &= end - 1
        stops -= 1
    return ~digits & (end ^ (end - 1))            # of no end at all, all bits


cdef inline uint32_t window_stops(const Window* self, char stop) noexcept nogil:
    """Where in a window this byte stands."""
    return bytes_same(self.all, bytes_all(stop))


cdef inline int window_quote(const Window* self) noexcept nogil:
    """Place of the first quote, -1 if there is none, -2 if a backslash comes before it."""
    cdef uint32_t quotes = bytes_same(self.all, bytes_all(c'"'))
    cdef uint32_t both = quotes | bytes_same(self.all, bytes_all(c'\\'))
    if both == 0:
        return -1
    return ctz32(both) if quotes & both & -both else -2


cdef inline int first_marks(const Window* first, const char* data, const char* end, const char* safe, char mark,
                            int marks) noexcept nogil:
    """Bytes before the mark of this number, 0 if there are too few or too many; `first`: the frame's first window."""
    cdef Window window = first[0]
    cdef Bytes byte = bytes_all(mark)
    cdef uint32_t found
    cdef int base = 0, n
    while True:
        found = bytes_same(window.all, byte)
        n = popcount(found)
        if n >= marks:
            while marks > 1:
                found &= found - 1
                marks -= 1
            base += ctz32(found)
            return base if data + base < end else 0
        marks -= n
        base += 32
        if base >= PREFIX or data + base >= end:
            return 0
        window_load(&window, data + base, end, safe)


cdef inline Route* find_route(const Routes* self, const char* data, const char* end, const char* safe, char mark,
                              int marks, int line) noexcept nogil:
    """The route of a frame, NULL if there is none."""
    cdef Window first, second
    cdef uint64_t same
    cdef int64_t at
    cdef int size
    cdef Route* route
    if self.n_slots == 0 or marks == 0:
        return NULL
    window_load(&first, data, end, safe)
    size = first_marks(&first, data, end, safe, mark, marks)
    if size < SHORTEST_PREFIX:
        return NULL
    at = <int64_t> prefix_hash(data, size, line) & (self.n_slots - 1)
    while self.slot[at]:
        route = &self.route[self.slot[at] - 1]
        if route.size == size and route.line == line:
            same = bytes_same(first.all, bytes_load(route.prefix))
            if size > 32:
                window_load(&second, data + 32, end, safe)
                same |= <uint64_t> bytes_same(second.all, bytes_load(&route.prefix[32])) << 32
            if size <= 64:
                if ~same << (64 - size) == 0:
                    return route
            elif ~same == 0 and memcmp(data + 64, &route.prefix[64], size - 64) == 0:
                return route
        at = (at + 1) & (self.n_slots - 1)
    return NULL
