"""Decimal text to integers, exactly: the careful readers, which take every form a venue writes."""

from libc.math cimport NAN, isinf
from libc.stdint cimport int64_t, uint64_t, INT64_MAX, UINT64_MAX
from orderbook.types cimport Status, OK, BAD_NUMBER, NO_FIT, NEEDS_SCALE
from orderbook.core cimport POWER, TEN, MAX_SCALE
from feeds.scan cimport is_digit

cdef enum:
    MAX_EXPONENT = 400        # a larger one is no number of a market

cdef struct Decimal:
    uint64_t digits           # value = digits * 10**exponent, negated if `negative`
    int64_t exponent
    bint negative
    bint exact                # False if digits other than 0 had to be left out


cdef inline Status read_decimal(const char* p, const char* end, Decimal* out) noexcept nogil:
    """Read the whole text as a decimal number: sign, digits, fraction, exponent."""
    cdef uint64_t digits = 0, digit
    cdef int64_t exponent = 0, written = 0
    cdef bint point = False, any_digit = False, down
    out.negative = p != end and p[0] == c'-'
    out.exact = True
    p += out.negative
    while p != end:
        if is_digit(p[0]):
            any_digit = True
            digit = <uint64_t> (p[0] - c'0')
            exponent -= point
            if digits < UINT64_MAX // 10:              # another digit fits
                digits = digits * 10 + digit
            else:
                exponent += 1
                out.exact &= digit == 0
        elif p[0] == c'.' and not point:
            point = True
        else:
            break
        p += 1
    if not any_digit:
        return BAD_NUMBER
    if p != end and (p[0] == c'e' or p[0] == c'E'):
        p += 1
        down = p != end and p[0] == c'-'
        p += p != end and (p[0] == c'+' or p[0] == c'-')
        if p == end:
            return BAD_NUMBER
        while p != end and is_digit(p[0]):
            if written <= MAX_EXPONENT:
                written = written * 10 + (p[0] - c'0')
            p += 1
        exponent += -written if down else written
    if p != end:
        return BAD_NUMBER
    out.digits = digits
    out.exponent = exponent if digits else 0
    return OK


cdef inline Status read_units(const char* p, const char* end, int scale, int64_t* units,
                              int* decimals) noexcept nogil:
    """Read a decimal as a count of 10**-scale, exactly.

    NEEDS_SCALE: it has more decimals; `decimals` then tells how many. NO_FIT: no scale lets int64 hold it.
    """
    cdef Decimal number
    cdef Status status = read_decimal(p, end, &number)
    cdef int64_t shift
    cdef uint64_t digits = number.digits
    units[0] = 0
    if status != OK or digits == 0:
        return status
    if not number.exact:
        return NO_FIT
    shift = number.exponent + scale
    while shift < 0 and digits % 10 == 0:
        digits //= 10
        shift += 1
    if shift < 0:
        if scale - shift > MAX_SCALE or digits > <uint64_t> INT64_MAX:
            return NO_FIT
        decimals[0] = <int> (scale - shift)
        return NEEDS_SCALE
    if shift > MAX_SCALE or digits > <uint64_t> (INT64_MAX // TEN[shift]):
        return NO_FIT
    units[0] = <int64_t> digits * TEN[shift]
    if number.negative:
        units[0] = -units[0]
    return OK


cdef inline Status read_double(const char* p, const char* end, double* out) noexcept nogil:
    """Read a decimal as a double: the nearest one up to 15 digits, within one unit in the last place beyond.

    Empty text, which venues send where there is nothing to tell, is nan.
    """
    cdef Decimal number
    cdef Status status
    cdef long double value
    cdef int64_t exponent
    out[0] = NAN
    if p == end:
        return OK
    status = read_decimal(p, end, &number)
    if status != OK:
        return status
    if number.exponent > 2 * MAX_EXPONENT:
        return NO_FIT
    value = number.digits
    exponent = number.exponent
    if -18 <= exponent <= 0 and number.digits < <uint64_t> 1 << 53:
        out[0] = <double> number.digits / POWER[-exponent]
    else:
        while exponent > 0 and value > 0:         # a long double holds 10**(19 + MAX_EXPONENT)
            value *= 10
            exponent -= 1
        while exponent < -18 and value > 0:
            value /= POWER[18]
            exponent += 18
        out[0] = <double> (value / POWER[-exponent]) if exponent < 0 else <double> value
    if isinf(out[0]):
        return NO_FIT
    if number.negative:
        out[0] = -out[0]
    return OK


cdef inline Status read_integer(const char* p, const char* end, int64_t* out) noexcept nogil:
    """Read a whole number. An integer written as 1.0 or 1e3 is one; a fraction is BAD_NUMBER."""
    cdef int decimals = 0
    cdef Status status = read_units(p, end, 0, out, &decimals)
    return BAD_NUMBER if status == NEEDS_SCALE else status
