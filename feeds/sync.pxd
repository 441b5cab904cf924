"""Why a book can be trusted: judge() says what a delta's numbers prove; it decides and changes nothing."""

from libc.stdint cimport int64_t, INT64_MAX

cdef enum:
    # Families of sequence rules; feeds.venue.Link has the same values.
    LINK_NONE = 0             # nothing can be tested
    LINK_RANGE = 1            # first == last + 1; joins where first <= snapshot + 1 <= final
    LINK_PREVIOUS = 2         # prev == last; joins where first <= snapshot <= final

cdef enum:
    # Verdicts.
    APPLY = 0                 # the delta continues the book
    LOOSE = 1                 # it continues the book, not by the letter: an overlap, or a join that `prev` shows
    OLD = 2                   # the book has it already
    GAP = 3                   # a number is missing between the book and this delta

cdef enum:
    NO_SEQUENCE = -1          # snapshot of a book that never had an event: the first delta continues it


cdef inline int judge(int link, bint joined, int64_t last, int64_t first, int64_t final, int64_t prev) noexcept nogil:
    """What a delta that covers `first` to `final` and follows `prev` is to a book that stands at `last`.

    `joined`: a delta was applied since the snapshot. Sources: the venues' own procedures, quoted in their files.
    """
    cdef int64_t following = last + 1 if last < INT64_MAX else last
    if link == LINK_NONE:
        return APPLY
    if not joined and last == NO_SEQUENCE:
        return APPLY
    if link == LINK_RANGE:
        if first == following or (not joined and first <= following <= final):
            return APPLY
        if final <= last:
            return OLD
        return LOOSE if first <= last else GAP
    if joined:
        if prev == last:
            return APPLY
        return OLD if final <= last else GAP
    if final < last:
        return OLD
    if first <= last:
        return APPLY
    return LOOSE if prev <= last else GAP
