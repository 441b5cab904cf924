"""Decimal text to integers, exactly: the careful readers, which take every form a venue writes."""

from libc.math cimport NAN, isinf
from libc.stdint cimport int64_t, uint64_t, INT64_MAX, UINT64_MAX
from orderbook.quantity cimport OWN_DIGITS, qty_make_own
from orderbook.types cimport Status, OK, BAD_NUMBER, NO_FIT, NEEDS_SCALE
from orderbook.core cimport POWER, TEN, MAX_SCALE
from feeds.message cimport LAST_MS, LAST_S, LAST_US, as_ns
from feeds.scan cimport is_digit

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* The seconds of a day that eight bytes like 22:34:13 are; -1: they are something else. */
    static inline int64_t wb_seconds(const char *p) {
        uint64_t x, wrong;
        memcpy(&x, p, 8);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        x = __builtin_bswap64(x);
    #endif
        x ^= 0x30303A30303A3030ULL;                 /* a digit is 0 to 9 now, a colon 0 */
        wrong = ((x & 0x7F7F7F7F7F7F7F7FULL) + 0x76767F76767F7676ULL) | x;
        if (wrong & 0x8080808080808080ULL)
            return -1;
        x = x * 10 + (x >> 8);                      /* two digits each in bytes 0, 3 and 6 */
        return (int64_t)(((x & 0xFF) * 60 + (x >> 24 & 0xFF)) * 60 + (x >> 48 & 0xFF));
    }
    """
    int64_t seconds_at "wb_seconds"(const char* p) nogil

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


cdef inline bint read_own(const char* p, const char* end, int64_t* qty) noexcept nogil:
    """Read a quantity that has no place at its book's scale as an own quantity; False if it is none."""
    cdef Decimal number
    if read_decimal(p, end, &number) != OK or number.negative or not number.exact:
        return False
    while number.exponent > 0 and number.digits <= OWN_DIGITS:
        number.digits *= 10
        number.exponent -= 1
    return qty_make_own(number.digits, -number.exponent, qty)


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


cdef inline int64_t days_of(int64_t year, int64_t month, int64_t day) noexcept nogil:
    """Days since 1970-01-01 of a date of the Gregorian calendar."""
    cdef int64_t era, of_era, of_year
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


cdef inline int64_t digits_at(const char* p, int n) noexcept nogil:
    """The number that `n` digits make, -1 if there is another character."""
    cdef int64_t value = 0
    cdef int i
    for i in range(n):
        if not is_digit(p[i]):
            return -1
        value = value * 10 + (p[i] - c'0')
    return value


cdef inline bint read_day(const char* p, int64_t* ns) noexcept nogil:
    """Read ten bytes 2026-08-24 as ns since the Unix epoch, 0 if that is absurd; False if they are no date."""
    cdef int64_t year, month, day
    if p[4] != c'-' or p[7] != c'-':
        return False
    year, month, day = digits_at(p, 4), digits_at(p + 5, 2), digits_at(p + 8, 2)
    if year < 0 or month < 1 or month > 12 or day < 1 or day > 31:
        return False
    ns[0] = days_of(year, month, day) * 86400 * 1000000000 if 1970 <= year <= 2261 else 0
    return True


cdef inline bint read_day_time(const char* p, const char* end, int64_t* ns) noexcept nogil:
    """Read 22:34:13.793075885Z as ns of the day: any number of decimals, Z or an offset; digits past ns are cut."""
    cdef int64_t seconds, part = 0, ahead, more, offset = 0
    cdef int digits = 0
    seconds = seconds_at(p) if end - p >= 8 else -1
    if seconds < 0:
        return False
    p += 8
    if p != end and p[0] == c'.':
        p += 1
        while p != end and is_digit(p[0]):
            if digits < 9:
                part = part * 10 + (p[0] - c'0')
                digits += 1
            p += 1
    if p != end and (p[0] == c'+' or p[0] == c'-') and end - p == 6:
        ahead, more = digits_at(p + 1, 2), digits_at(p + 4, 2)
        if ahead < 0 or more < 0 or p[3] != c':':
            return False
        offset = ahead * 60 + more
        if p[0] == c'-':
            offset = -offset
        p = end
    elif p != end and p[0] == c'Z':
        p += 1
    ns[0] = (seconds - offset * 60) * 1000000000 + part * TEN[9 - digits]
    return p == end


cdef inline Status read_date(const char* p, const char* end, int64_t* ns) noexcept nogil:
    """Read 2026-08-24T22:34:13.793075885Z as ns since the Unix epoch; 0 before March 1973 and past 2261, as `as_ns`
    has it."""
    cdef int64_t day = 0, clock = 0
    if end - p < 19 or (p[10] != c'T' and p[10] != c' ') or not read_day(p, &day) or not read_day_time(
            p + 11, end, &clock):
        return BAD_NUMBER
    ns[0] = day + clock if day and day + clock > LAST_US else 0
    return OK


cdef inline Status read_whole_time(const char* p, const char* end, int64_t* ns) noexcept nogil:
    """Read a time that has an exponent or a sign: right, if it is a whole number."""
    cdef Decimal number
    cdef Status status = read_decimal(p, end, &number)
    return status if status != OK else read_integer(p, end, ns)


cdef inline Status read_time(const char* p, const char* end, int64_t* ns) noexcept nogil:
    """Read a time as ns since the Unix epoch: s, ms, us or ns with or without a fraction, or a date; 0 if absurd."""
    cdef uint64_t digits = 0
    cdef int64_t whole, value, part = 0
    cdef int places
    cdef const char* first = p
    cdef const char* stop = end if end - p < 19 else p + 19       # so many digits fit
    ns[0] = 0
    if p == end:
        return OK
    while p != stop and is_digit(p[0]):
        digits = digits * 10 + <uint64_t> (p[0] - c'0')
        p += 1
    whole = <int64_t> digits if digits <= <uint64_t> INT64_MAX else 0
    if p == end:
        ns[0] = as_ns(whole)
        return OK
    if p - first == 4 and p[0] == c'-':
        return read_date(first, end, ns)
    if p[0] != c'.' or p == first:
        return read_whole_time(first, end, ns)
    value = as_ns(whole)
    places = 9 if whole <= LAST_S else 6 if whole <= LAST_MS else 3 if whole <= LAST_US else 0
    if places and value > INT64_MAX - TEN[places]:    # the last second (ms, us) that int64 holds
        value = 0
    p += 1
    while p != end and is_digit(p[0]):
        if places:                                # what is finer than a ns is cut
            places -= 1
            part = part * 10 + (p[0] - c'0')
        p += 1
    if p != end:
        return read_whole_time(first, end, ns)
    ns[0] = value + part * TEN[places] if value else 0
    return OK


cdef inline Status read_id(const char* p, const char* end, int64_t* out) noexcept nogil:
    """Read the last 18 digits of a name that is a number; 0 if it has other characters."""
    cdef const char* digit = p
    out[0] = 0
    while digit != end:
        if not is_digit(digit[0]):
            return OK
        digit += 1
    if end - p > 18:
        p = end - 18
    out[0] = digits_at(p, <int> (end - p))
    return OK


cdef inline bint all_zero(const char* p, const char* past) noexcept nogil:
    """Whether the text of a number is 0."""
    while p != past:
        if c'1' <= p[0] <= c'9':
            return False
        p += 1
    return True


cdef inline void note_printed(const char* p, const char* past, int* printed, bint* trailing) noexcept nogil:
    """Note how many decimals a number was written with."""
    cdef const char* point = p
    while point != past and point[0] != c'.':
        point += 1
    if point == past:
        return
    printed[0] = max(printed[0], <int> (past - point - 1))
    trailing[0] |= (past - 1)[0] == c'0'
