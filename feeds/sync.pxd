"""Why a book can be trusted: judge() says what a delta's numbers prove; it decides and changes nothing."""

from libc.stdint cimport int64_t, uint8_t, uint64_t, INT64_MAX
from libc.string cimport memset

cdef enum:
    # Families of sequence rules; feeds.venue.Link has the same values.
    LINK_NONE = 0             # nothing can be tested
    LINK_RANGE = 1            # first == last + 1; joins where first <= snapshot + 1 <= final
    LINK_PREVIOUS = 2         # prev == last; joins where first <= snapshot <= final
    LINK_COUNTER = 3          # final == last + 1, from the snapshot on
    LINK_RISES = 4            # final > last, from a delta on that the snapshot has
    LINK_CHAIN = 5            # prev == last, from the snapshot on
    LINK_NOT_BELOW = 6        # whole books: final >= last
    LINK_OVERLAP = 7          # first <= last + 1
    LINK_OFFSETS = 8          # each level has a number of its own (feeds.levelmap); the message has none to test
    LINK_OVERLAP_OR_WHOLE = 10    # as LINK_OVERLAP; first == final is a whole book
    LINK_CONNECTION = 9       # the numbers of the connection show whether a message is missing

cdef enum:
    # How the numbers of a connection follow each other; feeds.venue.Count has the same values.
    COUNT_NONE = 0
    COUNT_NEXT = 1            # each is the one before + 1
    COUNT_EACH_ONCE = 2       # each comes once, some of them late
    LATE = 512                # messages after which one that did not come is missing; a power of two

cdef struct LineCount:
    bint started              # a number was seen since the connection opened
    bint lost                 # one is missing: the connection has to be made anew
    int64_t last              # number of the last message, where each is the one before + 1
    int64_t floor             # all numbers up to here have come
    uint8_t came[LATE]        # by number modulo LATE: it has come, of those above `floor`

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

    `joined`: a delta was applied since the snapshot; of LINK_RISES False only for the first of those that were kept.
    Sources: the venues' own procedures, quoted in their files.
    """
    cdef int64_t following = last + 1 if last < INT64_MAX else last
    if link == LINK_NONE or link == LINK_OFFSETS or link == LINK_CONNECTION:
        return APPLY
    if link == LINK_COUNTER:
        if final == following:
            return APPLY
        # A lower number is a copy of what a snapshot has; later on, or if it is the first, the venue began anew.
        return OLD if final == last or (final < last and not joined and final > 1) else GAP
    if link == LINK_RISES:
        if final <= last:
            return OLD
        return APPLY if joined else GAP           # what the stream told between the two, before anybody heard it?
    if link == LINK_CHAIN:
        if prev == last:                          # a keep-alive has the same number again, a reset a lower one
            return APPLY
        # A copy has the same number; lower ones, once the book goes on, mean that the venue began anew.
        return OLD if prev < last and (final == last or (final < last and not joined)) else GAP
    if link == LINK_NOT_BELOW:
        return APPLY if final >= last else OLD
    if link == LINK_OVERLAP or link == LINK_OVERLAP_OR_WHOLE:
        if final <= last:
            return OLD
        return APPLY if first <= following else GAP
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


cdef inline int late_place(int64_t number) noexcept nogil:
    """Place of a number in `came`; a negative one has a place, too."""
    return <int> (<uint64_t> number & (LATE - 1))


cdef inline bint line_follows(LineCount* self, int rule, int64_t number) noexcept nogil:
    """Take in the number of a connection's message; False if one is missing before it."""
    cdef bint good
    if not self.started or rule == COUNT_NEXT:
        good = not self.started or <uint64_t> number - <uint64_t> self.last == 1
        self.last = self.floor = number
        if not self.started:
            memset(self.came, 0, sizeof(self.came))
        self.started = True
        return good
    if number <= self.floor:
        return True                                   # once more
    if <uint64_t> number - <uint64_t> self.floor > 4 * LATE:
        return False                                  # far out
    good = True
    while number - self.floor > LATE:                 # what has not come by now will not come
        self.floor += 1
        good &= self.came[late_place(self.floor)] != 0
        self.came[late_place(self.floor)] = 0
    self.came[late_place(number)] = 1
    while self.came[late_place(self.floor + 1)]:
        self.floor += 1
        self.came[late_place(self.floor)] = 0
    return good
