"""Quantities that no int64 at the book's scale can hold exactly, beside those that it can.

A quantity is a count of 10**-qty_scale, 0 or more. Some venues write doubles with 17 digits: 3307.9982700421942 and
173416519.2452 have no scale in common that int64 holds. Such a one is kept as an *own* quantity: its digits and its own
number of decimals in one word, told from a count by its two highest bits, 1 and 0. The test for 0, which is all that a
change of a book asks of a quantity, is the same for both, so the hot path does not know of them.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport strtod
from orderbook.types cimport qty_t

cdef extern from *:
    """
    #define WB_OWN_BELOW (-0x4000000000000000LL)     /* own quantities are below, bit 63 is set and 62 is not */
    #define WB_OWN_DIGITS ((1ULL << 57) - 1)
    #define WB_OWN_BIT (1ULL << 63)
    #define WB_LAST_EXACT (1LL << 53)                /* doubles hold all whole numbers up to here */
    """
    int64_t OWN_BELOW "WB_OWN_BELOW"
    uint64_t OWN_DIGITS "WB_OWN_DIGITS"
    uint64_t OWN_BIT "WB_OWN_BIT"
    int64_t LAST_EXACT "WB_LAST_EXACT"

cdef enum:
    OWN_DECIMALS = 31         # an own quantity has at most


cdef inline bint qty_is_own(qty_t qty) noexcept nogil:
    """Whether a quantity has decimals of its own."""
    return qty < OWN_BELOW


cdef inline bint qty_make_own(uint64_t digits, int64_t decimals, qty_t* out) noexcept nogil:
    """Keep digits / 10**decimals as an own quantity; False if it has too many digits or decimals."""
    while decimals > 0 and digits % 10 == 0 and digits:
        digits //= 10
        decimals -= 1
    if digits == 0 or digits > OWN_DIGITS or not 0 <= decimals <= OWN_DECIMALS:
        return False
    out[0] = <qty_t> (OWN_BIT | <uint64_t> decimals << 57 | digits)
    return True


cdef inline double nearest_double(uint64_t digits, int decimals) noexcept nogil:
    """The double that is nearest to digits / 10**decimals."""
    cdef char text[32]
    snprintf(text, sizeof(text), b"%llue-%d", <unsigned long long> digits, decimals)
    return strtod(text, NULL)


cdef inline double units_double(int64_t units, double power) noexcept nogil:
    """The double that is nearest to units / power; `power` is 10**scale."""
    cdef int decimals = 0
    cdef double value
    if -LAST_EXACT <= units <= LAST_EXACT:
        return units / power
    while power > 1:
        power /= 10
        decimals += 1
    value = nearest_double(<uint64_t> units if units > 0 else 0 - <uint64_t> units, decimals)
    return value if units > 0 else -value


cdef inline double qty_double(qty_t qty, double power) noexcept nogil:
    """The double that is nearest to a quantity; `power` is 10**qty_scale."""
    if qty >= 0:
        return units_double(qty, power)
    return nearest_double(<uint64_t> qty & OWN_DIGITS, <int> ((<uint64_t> qty >> 57) & OWN_DECIMALS))
