"""What a strategy computes from trades: sums over a rolling window, and bars. Each trade is touched once.

Prices and quantities are doubles in real numbers. The structs are for C code that gets trades as C calls; one thread
uses each. `Tape` and `Bars` own them and are the Python face; formulas and sources stand in tape.pyx.
"""

from libc.math cimport NAN, log
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

cdef struct Sums:
    double bought             # quantity of trades whose aggressor bought
    double sold
    double untold             # quantity of trades whose aggressor is not told
    double notional           # sum of price * quantity
    double squares            # sum of squared log returns from the trade before
    double undefined          # returns of a price that is not above 0

cdef struct Entry:
    int64_t ns                # time of the trade
    Sums own                  # of this trade
    Sums rest                 # of the trades from this one to the end of the old ones

cdef struct Window:
    Entry* ring               # the trades in the window. Owned
    int64_t room              # entries that fit, a power of two
    int64_t head              # place of the oldest
    int64_t count             # trades in the window
    int64_t old               # the oldest of them, whose `rest` is known
    Sums new                  # of the others
    int64_t span_ns           # length of the window
    int64_t now_ns            # its end: the latest time told
    double last_price         # of the newest trade

cdef enum BarKind:
    BAR_TIME = 0              # a bar for each span of time in which there was a trade
    BAR_TICK = 1              # after so many trades
    BAR_VOLUME = 2            # after so much quantity
    BAR_DOLLAR = 3            # after so much notional

cdef struct Bar:
    int64_t start_ns          # time bars: the span, start included; others: first and last trade
    int64_t end_ns
    int64_t trades
    double open
    double high
    double low
    double close
    double volume
    double bought             # of the volume, where the aggressor bought
    double sold
    double notional           # sum of price * quantity

cdef struct BarRow:
    int kind                  # a BarKind
    double size               # of a bar, in ns, trades, quantity or notional
    int64_t now_ns            # the latest time told
    Bar bar                   # the one being made; trades == 0: none
    Bar* finished             # Owned
    int64_t count             # finished bars
    int64_t room


# ---- rolling window

cdef inline void sums_add(Sums* self, const Sums* more) noexcept nogil:
    self.bought += more.bought
    self.sold += more.sold
    self.untold += more.untold
    self.notional += more.notional
    self.squares += more.squares
    self.undefined += more.undefined


cdef inline void window_settle(Window* self) noexcept nogil:
    """Make every trade an old one. Sums then shrink without a subtraction, so no rounding is left behind in them."""
    cdef int64_t i
    cdef Entry* entry
    cdef Sums rest
    memset(&rest, 0, sizeof(Sums))
    for i in range(self.count - 1, -1, -1):
        entry = &self.ring[(self.head + i) & (self.room - 1)]
        sums_add(&rest, &entry.own)
        entry.rest = rest
    self.old = self.count
    memset(&self.new, 0, sizeof(Sums))


cdef inline void window_advance(Window* self, int64_t ns) noexcept nogil:
    """Move the end of the window on, and drop what is `span_ns` old or older. Constant time on average."""
    if ns > self.now_ns:
        self.now_ns = ns
    while self.count and self.now_ns - self.ring[self.head].ns >= self.span_ns:
        if self.old == 0:
            window_settle(self)
        self.head = (self.head + 1) & (self.room - 1)
        self.count -= 1
        self.old -= 1
        if self.old == 0:
            window_settle(self)
    if self.count == 0:
        self.last_price = NAN


cdef inline bint window_add(Window* self, double price, double qty, int aggressor, int64_t ns) noexcept nogil:
    """Take in a trade; `aggressor` is +1 for a buyer, -1 for a seller, 0 if not told. False: no memory.

    A time before the latest one counts as the latest one.
    """
    cdef Entry* entry
    cdef Entry* ring
    cdef int64_t i
    cdef double change
    window_advance(self, ns)
    if self.count == self.room:
        ring = <Entry*> malloc(2 * self.room * sizeof(Entry))
        if ring == NULL:
            return False
        for i in range(self.count):
            ring[i] = self.ring[(self.head + i) & (self.room - 1)]
        free(self.ring)
        self.ring = ring
        self.head = 0
        self.room *= 2
    entry = &self.ring[(self.head + self.count) & (self.room - 1)]
    memset(&entry.own, 0, sizeof(Sums))
    entry.ns = self.now_ns
    if aggressor > 0:
        entry.own.bought = qty
    elif aggressor < 0:
        entry.own.sold = qty
    else:
        entry.own.untold = qty
    entry.own.notional = price * qty
    if self.count:
        if price > 0 and self.last_price > 0:
            change = log(price / self.last_price)
            entry.own.squares = change * change
        else:
            entry.own.undefined = 1
    self.last_price = price
    self.count += 1
    sums_add(&self.new, &entry.own)
    return True


cdef inline void window_sums(const Window* self, Sums* out) noexcept nogil:
    """The sums over the window. A return counts if both of its trades are in it."""
    cdef const Entry* second
    out[0] = self.new
    if self.old:
        sums_add(out, &self.ring[self.head].rest)
        out.squares = self.new.squares
        out.undefined = self.new.undefined
        if self.old > 1:
            second = &self.ring[(self.head + 1) & (self.room - 1)]
            out.squares += second.rest.squares
            out.undefined += second.rest.undefined


# ---- bars

cdef inline bint bars_finish(BarRow* self) noexcept nogil:
    """Put the bar being made to the finished ones; False: no memory, and it goes on."""
    cdef Bar* finished
    if self.count == self.room:
        finished = <Bar*> realloc(self.finished, (2 * self.room + 16) * sizeof(Bar))
        if finished == NULL:
            return False
        self.finished = finished
        self.room = 2 * self.room + 16
    self.finished[self.count] = self.bar
    self.count += 1
    self.bar.trades = 0
    return True


cdef inline int bars_advance(BarRow* self, int64_t ns) noexcept nogil:
    """It is so late: 1 if that finishes a time bar, 0 if not, -1 without memory."""
    if ns > self.now_ns:
        self.now_ns = ns
    if self.kind != BAR_TIME or self.bar.trades == 0 or self.now_ns < self.bar.end_ns:
        return 0
    return 1 if bars_finish(self) else -1


cdef inline int bars_add(BarRow* self, double price, double qty, int aggressor, int64_t ns) noexcept nogil:
    """Take in a trade: 1 if it finishes a bar, 0 if not, -1 without memory. `aggressor` as for `window_add`.

    A time bar is finished by the first trade past it, the others by the trade that fills them; no trade is divided.
    A time before the latest one counts as the latest one.
    """
    cdef Bar* bar = &self.bar
    cdef double filled
    cdef int done = bars_advance(self, ns)
    if done < 0:
        return -1
    ns = self.now_ns
    if bar.trades == 0:
        memset(bar, 0, sizeof(Bar))
        bar.open = bar.high = bar.low = price
        bar.start_ns = bar.end_ns = ns
        if self.kind == BAR_TIME:
            bar.start_ns = ns // <int64_t> self.size * <int64_t> self.size
            if bar.start_ns > ns:
                bar.start_ns -= <int64_t> self.size       # before 1970, where C rounds the other way
            bar.end_ns = bar.start_ns + <int64_t> self.size
    elif self.kind != BAR_TIME:
        bar.end_ns = ns
    bar.trades += 1
    bar.high = price if price > bar.high else bar.high
    bar.low = price if price < bar.low else bar.low
    bar.close = price
    bar.volume += qty
    bar.bought += qty if aggressor > 0 else 0
    bar.sold += qty if aggressor < 0 else 0
    bar.notional += price * qty
    if self.kind == BAR_TIME:
        return done
    filled = <double> bar.trades if self.kind == BAR_TICK else bar.volume if self.kind == BAR_VOLUME else bar.notional
    if filled < self.size:
        return 0
    return 1 if bars_finish(self) else -1


cdef class Tape:
    cdef Window window        # C code may add to it: window_add(&tape.window, ...)


cdef class Bars:
    cdef BarRow row           # C code may add to it: bars_add(&bars.row, ...)
