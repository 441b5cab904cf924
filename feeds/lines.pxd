"""Which messages count where several lines carry the same streams.

Lines of a *group* carry the same streams. Where the venue's numbers are the same on every connection, messages are
compared (feeds.arbiter) and the first copy wins. What has no such number counts from one line alone, the *active* one;
the others stand by.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc
from libc.string cimport memset
from feeds.arbiter cimport (Arbiter, BEHIND_IN_A_ROW, FATE_ANEW, FATE_COPY, FATE_FIRST, FATE_HOLD, FATE_MISSING,
                            MAX_HELD, MOST_HELD, Newest, Recent, arbitrate, arbiter_forget, comparable, ids_new,
                            may_bring, newest_takes, note_copy, recent_add, recent_find)
from feeds.message cimport (Message, bit, as_ns, KIND_DELTA, KIND_MARK, KIND_OPEN_INTEREST, KIND_QUOTE, KIND_SNAPSHOT,
                            KIND_TICKER, KIND_TRADE, SLOT_EVENT_TIME, SLOT_FIRST_SEQ, SLOT_LAST_SEQ,
                            SLOT_PARTIAL, SLOT_PREV_SEQ, SLOT_TIME, SLOT_TRADE_ID)
from feeds.sync cimport LINK_CHAIN, LINK_NOT_BELOW, LINK_OVERLAP_OR_WHOLE, LINK_RISES
from feeds.track cimport Shared, Track, pending_add, track_joined

cdef enum:
    NO_LINE = -1
    ANY_LINES = 1024          # as many as feeds.path.MAX_LINES

cdef struct Lane:
    # A connection among those that carry the same streams.
    bint open
    int group                 # 0: it is alone
    int place                 # among the lines of its group
    int64_t first             # messages that it brought before any other
    int64_t copies            # messages that another had brought, or that did not count
    int64_t leads             # of its first ones those of which a copy came later,
    int64_t lead_ns           # and by how much, in sum

cdef struct Group:
    int places                # bits of those that are taken,
    int open                  # and of those whose line is open
    int active                # line whose messages count where nothing can be compared
    int heir                  # line that takes over the books one by one, NO_LINE none
    double since              # when it was first seen to have one line only, by the clock of `Pipeline.settle`

cdef struct Lines:
    Lane lane[ANY_LINES]      # by line
    Group group[ANY_LINES]    # by number; 0 is nobody's
    bint compares             # the venue's numbers are the same on every connection
    int wanted                # what `Target.wanted` is: 1, or 2 while there is any group
    int only                  # instrument whose kept messages are being taken, -1 none
    int fate                  # what became of the last message that was no copy, FATE_...


cdef inline bint numbered(const Message* m) noexcept nogil:
    """Whether a book message can be compared with those of other lines."""
    return m.seen & bit(SLOT_LAST_SEQ) and comparable(m.link)


cdef inline Shared* shared_of(Track* track) noexcept nogil:
    """What is kept of an instrument that several lines carry; NULL without memory."""
    if track.shared == NULL:
        track.shared = <Shared*> calloc(1, sizeof(Shared))
        if track.shared != NULL:
            track.shared.active = NO_LINE
            if track.trade.trade_id:
                track.shared.trades.started = True
                track.shared.trades.top = track.shared.trades.floor = track.trade.trade_id
    return track.shared


cdef inline void shared_begin(Shared* self, int group) noexcept nogil:
    """The lines of another group carry the instrument from now on, or of none."""
    self.group = group
    self.active = NO_LINE
    memset(&self.arbiter, 0, sizeof(Arbiter))
    self.trades.seen = self.quotes.seen = self.tickers.seen = self.marks.seen = self.interests.seen = 0


cdef inline void shared_forget(Shared* self, int place) noexcept nogil:
    """The line at a place has ended, or begins."""
    cdef int others = ~(1 << place)
    arbiter_forget(&self.arbiter, place)
    self.trades.seen &= others
    self.quotes.seen &= others
    self.tickers.seen &= others
    self.marks.seen &= others
    self.interests.seen &= others


cdef inline void lane_won(Lines* self, Recent* recent, int64_t id, int64_t receive_ns, int line) noexcept nogil:
    """A line has brought a message first."""
    recent_add(recent, id, receive_ns, line)
    self.lane[line].first += 1


cdef inline void lane_copied(Lines* self, const Recent* recent, int64_t id, int64_t receive_ns,
                             int line) noexcept nogil:
    """A line has brought a further copy: it shows by how much the first was ahead."""
    cdef int64_t i = recent_find(recent, id)
    cdef Lane* winner
    self.lane[line].copies += 1
    if i < 0 or recent.line[i] == line:
        return
    winner = &self.lane[recent.line[i]]
    winner.leads += 1
    winner.lead_ns += max(receive_ns - recent.ns[i], 0)


cdef inline int lines_book(Lines* self, const Message* m, Track* track, bint replaying, const char* data,
                           Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
    """What a book message that can be compared is. FATE_HOLD: it was kept; FATE_FIRST may have to go with kept ones."""
    cdef Shared* shared = track.shared
    cdef const Lane* lane = &self.lane[line]
    cdef int open = self.group[lane.group].open
    cdef int64_t final = m.slot[SLOT_LAST_SEQ], prev = m.slot[SLOT_PREV_SEQ]
    cdef bint whole = m.kind == KIND_SNAPSHOT, settled = track.joined and not track.ahead
    cdef int fate = FATE_FIRST
    if m.link == LINK_OVERLAP_OR_WHOLE and m.slot[SLOT_FIRST_SEQ] == final:
        whole = True
    if not replaying:
        fate = note_copy(&shared.arbiter, lane.place, m.link, whole, final, prev)
        if fate == FATE_ANEW and m.link == LINK_CHAIN and track.has_snapshot and prev == track.last:
            fate = FATE_FIRST                             # and the book goes on with them
            shared.arbiter.behind = 0
            lane_won(self, &shared.books, final, receive_ns, line)
            return fate
        if fate != FATE_FIRST:
            self.lane[line].copies += fate == FATE_COPY
            return fate
    fate = arbitrate(&shared.arbiter, lane.place, 0 if replaying else open, m.link, whole, track.has_snapshot, settled,
                     track_joined(track, m, replaying), track.last, m.slot[SLOT_FIRST_SEQ], final, prev)
    if replaying:
        return fate
    if fate == FATE_COPY:
        lane_copied(self, &shared.books, final, receive_ns, line)
        shared.arbiter.behind += 1
        if (shared.arbiter.behind > BEHIND_IN_A_ROW and final < track.last
                and not may_bring(&shared.arbiter, open & ~(1 << lane.place), track.last)):
            shared.arbiter.behind = 0
            return FATE_ANEW
        return fate
    if recent_find(&shared.books, final) < 0:
        lane_won(self, &shared.books, final, receive_ns, line)
    else:
        lane_copied(self, &shared.books, final, receive_ns, line)
    if fate == FATE_FIRST:
        shared.arbiter.behind = 0
        shared.moved = True
    elif fate == FATE_HOLD:
        if shared.held.count == 0:
            shared.moved = False
            shared.since = 0.0
            shared.begins = m.slot[SLOT_FIRST_SEQ] if m.seen & bit(SLOT_FIRST_SEQ) else final
        if (shared.held.count >= (MOST_HELD if shared.moved else MAX_HELD)
                or not pending_add(&shared.held, data, size, receive_ns, line)):
            fate = FATE_MISSING
    return fate


cdef inline bint lines_standby(Lines* self, const Message* m, Track* track, int line) noexcept nogil:
    """Whether a book message that cannot be compared counts: those of the active line do, and an heir's from the moment
    it brings a whole book, or comes to where the book stands."""
    cdef const Group* group = &self.group[self.lane[line].group]
    cdef int64_t final = m.slot[SLOT_LAST_SEQ]
    if line == (track.shared.active if track.shared.active >= 0 else group.active):
        return True
    if line != group.heir:
        return False
    if m.kind == KIND_SNAPSHOT and (m.link != LINK_NOT_BELOW or final >= track.last):
        track.shared.active = line
        return True
    if m.link == LINK_RISES and m.seen & bit(SLOT_LAST_SEQ) and track.has_snapshot and final <= track.last:
        track.shared.active = line
    return False


cdef inline bint lines_event(Lines* self, const Message* m, Track* track, int64_t receive_ns, int line) noexcept nogil:
    """Whether a message that is no book's counts."""
    cdef Shared* shared = track.shared
    cdef int place = self.lane[line].place
    cdef int64_t number
    cdef bint good
    cdef Newest* newest
    if m.kind == KIND_TRADE and self.compares and m.seen & bit(SLOT_TRADE_ID) and m.slot[SLOT_TRADE_ID] != 0:
        number = m.slot[SLOT_TRADE_ID]
        if ids_new(&shared.trades, place, number):
            lane_won(self, &shared.trades.recent, number, receive_ns, line)
            return True
        lane_copied(self, &shared.trades.recent, number, receive_ns, line)
        return False
    newest = (&shared.quotes if m.kind == KIND_QUOTE else &shared.tickers if m.kind == KIND_TICKER else
              &shared.marks if m.kind == KIND_MARK else &shared.interests if m.kind == KIND_OPEN_INTEREST else NULL)
    number = (m.slot[SLOT_LAST_SEQ] if m.kind == KIND_QUOTE and m.seen & bit(SLOT_LAST_SEQ) else
              as_ns(m.slot[SLOT_TIME]) if m.seen & bit(SLOT_TIME) else
              as_ns(m.slot[SLOT_EVENT_TIME]) if m.seen & bit(SLOT_EVENT_TIME) else 0)
    if newest == NULL or not self.compares or number == 0 or m.seen & bit(SLOT_PARTIAL):
        good = line == self.group[self.lane[line].group].active
    else:
        good = newest_takes(newest, place, number)
    if good:
        self.lane[line].first += 1
    else:
        self.lane[line].copies += 1
    return good


cdef inline int lines_take(Lines* self, const Message* m, Track* track, bint replaying, const char* data,
                           Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
    """What a message is where several lines may carry it."""
    cdef bint book = m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT
    if line < 0 or line >= ANY_LINES or self.lane[line].group == 0:
        return FATE_FIRST
    if shared_of(track) == NULL:
        return FATE_FIRST if line == self.group[self.lane[line].group].active else FATE_COPY
    if track.shared.group != self.lane[line].group:
        shared_begin(track.shared, self.lane[line].group)
    if self.only >= 0 and m.target != self.only:
        return FATE_COPY                                  # it was told when the frame came
    if not book:
        return FATE_FIRST if lines_event(self, m, track, receive_ns, line) else FATE_COPY
    if self.compares and numbered(m):
        return lines_book(self, m, track, replaying, data, size, receive_ns, line)
    if replaying or lines_standby(self, m, track, line):
        self.lane[line].first += not replaying
        return FATE_FIRST
    self.lane[line].copies += 1
    return FATE_COPY


cdef inline bint line_comes(Lines* self, int line, bint open) noexcept nogil:
    """A line was opened or has ended. Whether another one is active now."""
    cdef Lane* lane = &self.lane[line]
    cdef Group* group = &self.group[lane.group]
    cdef int old = group.active, i
    lane.open = open
    if lane.group == 0:
        return False
    if open:
        group.open |= 1 << lane.place
        if old < 0 or not self.lane[old].open:
            group.active = line
    else:
        group.open &= ~(1 << lane.place)
        if line == old:
            group.active = NO_LINE
            for i in range(ANY_LINES):
                if self.lane[i].group == lane.group and self.lane[i].open and (group.active < 0 or i == group.heir):
                    group.active = i
        if line == group.heir or group.active == group.heir:
            group.heir = NO_LINE
    return group.active != old


cdef inline int line_at(const Lines* self, int group, int place) noexcept nogil:
    """The line at a place of a group, NO_LINE if there is none."""
    cdef int i
    for i in range(ANY_LINES):
        if self.lane[i].group == group and self.lane[i].place == place:
            return i
    return NO_LINE


cdef inline void lines_carry(Lines* self, Track* track, int line) noexcept nogil:
    """A line is known to be subscribed to a book."""
    cdef const Lane* lane = &self.lane[line]
    if lane.group == 0 or not lane.open or shared_of(track) == NULL:
        return
    if track.shared.group != lane.group:
        shared_begin(track.shared, lane.group)
    track.shared.arbiter.line[lane.place].carries = True
