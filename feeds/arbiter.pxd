"""The same streams on several lines: the first copy of a number wins.

Pure: it decides from numbers and places. A *place* is that of a line among the lines that carry the same streams.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset
from feeds.sync cimport (GAP, LINK_CHAIN, LINK_COUNTER, LINK_NOT_BELOW, LINK_OVERLAP, LINK_OVERLAP_OR_WHOLE,
                         LINK_PREVIOUS, LINK_RANGE, judge)

cdef enum:
    MAX_PLACES = 8            # lines that carry the same streams at a time
    MAX_HELD = 64             # messages kept for one that another line may bring, while the book gets no further
    MOST_HELD = 4096          # the same while it gets on
    FALLS_IN_A_ROW = 8        # messages of one line below its own past that are believed; more: it began anew
    BEHIND_IN_A_ROW = 100     # messages below what is known, from the only line left; more: its venue began anew
    KEPT_IDS = 256            # ids of which a further copy is known

cdef enum:
    # What a message of one line is.
    FATE_FIRST = 0            # nobody has brought it before: take it
    FATE_COPY = 1             # what it tells is known
    FATE_HOLD = 2             # one before it is missing, and another line may bring that
    FATE_MISSING = 3          # one before it is missing for good
    FATE_ANEW = 4             # the line's numbers have begun again: what is known is void

cdef struct Copies:
    # What one line has brought of one book since it was opened.
    bint carries              # it has brought a message, or is known to be subscribed
    bint started              # `last` is a number it has brought
    int64_t last              # highest number
    int64_t epoch             # how often its numbers have begun again
    int falls                 # messages below `last` in a row

cdef struct Arbiter:
    Copies line[MAX_PLACES]
    int64_t epoch             # of the book
    int behind                # messages in a row that were below the book and came from the only line there is

cdef struct Recent:
    # Ids that came last, and who brought them.
    int64_t id[KEPT_IDS]
    int64_t ns[KEPT_IDS]      # receive time
    int line[KEPT_IDS]
    int64_t count             # ids ever added

cdef struct Ids:
    # Which trades are known.
    Recent recent
    bint started
    bint falls                # a line brought a lower id after a higher one: order tells nothing
    int64_t top               # highest id
    int64_t floor             # ids up to here were told before any copy could come
    int behind                # ids in a row that were too old to be told from copies
    int seen                  # bits of the places that `own` holds
    int64_t own[MAX_PLACES]   # last id of each line

cdef struct Newest:
    # The newest of messages that are worth something only while they are: by number or time.
    bint started
    int place                 # who brought it
    int behind                # older messages in a row
    int64_t top
    int seen                  # bits of the places that `own` holds
    int64_t own[MAX_PLACES]   # last number of each line


cdef inline bint comparable(int link) noexcept nogil:
    """Whether numbers of this rule show that one is missing, or every message is a whole book."""
    return (link == LINK_RANGE or link == LINK_PREVIOUS or link == LINK_COUNTER or link == LINK_CHAIN
            or link == LINK_NOT_BELOW or link == LINK_OVERLAP or link == LINK_OVERLAP_OR_WHOLE)


cdef inline bint carried(const Arbiter* self, int places) noexcept nogil:
    """Whether one of the lines at `places` (bits) carries the book as it is now."""
    cdef int i
    for i in range(MAX_PLACES):
        if places >> i & 1 and self.line[i].carries and self.line[i].epoch == self.epoch:
            return True
    return False


cdef inline bint may_bring(const Arbiter* self, int places, int64_t last) noexcept nogil:
    """Whether one of the lines at `places` may still bring what follows `last`."""
    cdef int i
    for i in range(MAX_PLACES):
        if (places >> i & 1 and self.line[i].carries and self.line[i].epoch == self.epoch
                and (not self.line[i].started or self.line[i].last <= last)):
            return True
    return False


cdef inline void arbiter_forget(Arbiter* self, int place) noexcept nogil:
    """The line at a place has ended, or begins."""
    memset(&self.line[place], 0, sizeof(Copies))
    self.line[place].epoch = self.epoch


cdef inline int note_copy(Arbiter* self, int place, int link, bint whole, int64_t final, int64_t prev) noexcept nogil:
    """Take in that a line has brought a number: FATE_FIRST, FATE_COPY if it is of a time before the numbers began
    again, FATE_ANEW if it is the first to show that they did."""
    cdef Copies* line = &self.line[place]
    if whole and link != LINK_NOT_BELOW:                  # its stream begins here
        line.epoch = self.epoch
        line.falls = 0
        line.last = final
    elif line.started and final < line.last:
        line.falls += 1
        if line.falls > FALLS_IN_A_ROW or (link == LINK_CHAIN and prev == line.last):
            line.falls = 0
            line.last = final
            line.epoch += 1
            if line.epoch > self.epoch:
                self.epoch = line.epoch
                return FATE_ANEW
    else:
        line.falls = 0
        line.last = final
    line.carries = line.started = True
    return FATE_FIRST if line.epoch == self.epoch else FATE_COPY


cdef inline int arbitrate(const Arbiter* self, int place, int places, int link, bint whole, bint has_snapshot,
                          bint settled, bint joined, int64_t last, int64_t first, int64_t final,
                          int64_t prev) noexcept nogil:
    """What a message of the line at `place` is to a book that stands at `last`; changes nothing.

    places -- bits of the lines that are open. settled -- the book has joined its stream and is not ahead of it.
    joined -- as `judge` takes it.
    """
    cdef int i
    if not has_snapshot:
        return FATE_FIRST
    if whole and link != LINK_NOT_BELOW:
        # What lies between comes from a line that goes on: every message of it is applied.
        return FATE_COPY if final <= last or may_bring(self, places & ~(1 << place), last) else FATE_FIRST
    if final <= last:
        if link == LINK_CHAIN and prev == final == last and settled:
            return FATE_FIRST                             # nothing has changed, says the venue
        if settled:
            return FATE_COPY
        for i in range(MAX_PLACES):
            if i != place and places >> i & 1 and self.line[i].started and self.line[i].last >= final:
                return FATE_COPY
        return FATE_FIRST
    if judge(link, joined, last, first, final, prev) != GAP:
        return FATE_FIRST
    return FATE_HOLD if may_bring(self, places & ~(1 << place), last) else FATE_MISSING


cdef inline int64_t recent_find(const Recent* self, int64_t id) noexcept nogil:
    """Place of an id among those kept, newest first; -1 if it is not there."""
    cdef int64_t i
    for i in range(self.count - 1, max(self.count - KEPT_IDS, 0) - 1, -1):
        if self.id[i & (KEPT_IDS - 1)] == id:
            return i & (KEPT_IDS - 1)
    return -1


cdef inline void recent_add(Recent* self, int64_t id, int64_t receive_ns, int line) noexcept nogil:
    """Keep an id; the oldest goes."""
    cdef int64_t i = self.count & (KEPT_IDS - 1)
    self.id[i] = id
    self.ns[i] = receive_ns
    self.line[i] = line
    self.count += 1


cdef inline bint ids_new(Ids* self, int place, int64_t id) noexcept nogil:
    """Whether nobody has brought the trade with this id before. Who calls adds it to `recent`."""
    if self.seen >> place & 1 and id < self.own[place]:
        self.falls = True
    self.seen |= 1 << place
    self.own[place] = id
    if not self.falls:
        if self.started and id <= self.floor:
            return ids_behind(self)
        if not self.started or id > self.top:
            self.started = True
            self.top = id
            self.behind = 0
            return True
    if recent_find(&self.recent, id) >= 0:
        return False
    if not self.falls and self.recent.count >= KEPT_IDS and id < self.recent.id[self.recent.count & (KEPT_IDS - 1)]:
        return ids_behind(self)
    self.behind = 0
    return True


cdef inline bint ids_behind(Ids* self) noexcept nogil:
    """An id is older than all that are kept: a late copy, or ids have begun again."""
    self.behind += 1
    if self.behind > KEPT_IDS:
        self.falls = True
    return self.falls


cdef inline bint newest_takes(Newest* self, int place, int64_t number) noexcept nogil:
    """Whether a message with this number or time is newer than what is known, or one more of the line that leads."""
    cdef bint fell = self.seen >> place & 1 and number < self.own[place]
    self.own[place] = number
    self.seen |= 1 << place
    if self.started and not fell and (number < self.top or (number == self.top and place != self.place)):
        self.behind += 1
        if self.behind <= BEHIND_IN_A_ROW:
            return False
    if fell:
        self.seen = 1 << place
    self.started = True
    self.behind = 0
    self.top = number
    self.place = place
    return True
