"""Durations in fixed buckets: 16 to each power of two, so a percentile is right within 6 %."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from *:
    """
    #include <time.h>
    static inline long long wb_clock(int id) {
        struct timespec t;
        clock_gettime(id, &t);
        return t.tv_sec * 1000000000LL + t.tv_nsec;
    }
    """
    int64_t read_clock "wb_clock"(int clock) nogil
    int CLOCK_MONOTONIC
    int clz64 "__builtin_clzll"(uint64_t x) nogil

cdef enum:
    SUB_BITS = 4              # 16 buckets to a power of two
    BUCKETS = 640             # up to 2**43 ns, more than two hours

cdef struct Histogram:
    uint32_t bucket[BUCKETS]
    uint64_t count
    int64_t largest           # ns

cdef struct Stages:
    # Of one instrument, of the messages that were sampled; see feeds.path.
    Histogram parsed, applied, handled


cdef inline int bucket_of(int64_t ns) noexcept nogil:
    """Bucket of a duration."""
    cdef int top
    if ns < 16:
        return <int> ns if ns > 0 else 0
    top = 63 - clz64(<uint64_t> ns)
    top = ((top - SUB_BITS + 1) << SUB_BITS) | <int> ((ns >> (top - SUB_BITS)) & 15)
    return top if top < BUCKETS else BUCKETS - 1


cdef inline int64_t bucket_ns(int bucket) noexcept nogil:
    """Longest duration of a bucket."""
    cdef int power = bucket >> SUB_BITS
    if power == 0:
        return bucket
    return ((<int64_t> (16 + (bucket & 15) + 1)) << (power - 1)) - 1


cdef inline void histogram_add(Histogram* self, int64_t ns) noexcept nogil:
    """Count one duration."""
    self.bucket[bucket_of(ns)] += 1
    self.count += 1
    if ns > self.largest:
        self.largest = ns


cdef inline void histogram_add_two(Histogram* self, Histogram* other, int64_t ns) noexcept nogil:
    """Count one duration in two histograms."""
    cdef int bucket = bucket_of(ns)
    self.bucket[bucket] += 1
    self.count += 1
    if ns > self.largest:
        self.largest = ns
    other.bucket[bucket] += 1
    other.count += 1
    if ns > other.largest:
        other.largest = ns


cdef inline int64_t histogram_percentile(const Histogram* self, double share) noexcept nogil:
    """Duration that this share (0 to 1) of all does not exceed; 0 if there is none."""
    cdef uint64_t passed = 0
    cdef int i
    for i in range(BUCKETS):
        passed += self.bucket[i]
        if self.count and passed >= share * self.count:
            return bucket_ns(i) if bucket_ns(i) < self.largest else self.largest
    return self.largest
