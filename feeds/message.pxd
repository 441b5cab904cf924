"""One decoded message: numbers in named slots, levels in two arrays, and where each stood in the frame.

A parser does not convert numbers. It *takes* them: it records a token (what it is, which slot it belongs to, where
its text stands), so that numbers are converted once the instrument, and with it the scale, is known, whatever the
order of the keys; and so that the frame's layout can be learned from the same list (feeds.layout).
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from orderbook.update cimport Levels

cdef enum:
    # What a message is. A parser sets it; the pipeline acts on it.
    KIND_NONE = 0
    KIND_CONTROL = 1          # about the connection: an answer, an error, a notice
    KIND_IGNORED = 2          # known, valid, and of no use here (a candle)
    KIND_DELTA = 3            # changes of a book
    KIND_SNAPSHOT = 4         # a whole book
    KIND_TRADE = 5
    KIND_QUOTE = 6            # best bid and offer of the venue
    KIND_TICKER = 7           # statistics of a day
    KIND_MARK = 8             # mark price, index price, funding
    KIND_LIQUIDATION = 9
    N_KINDS = 10

cdef enum:
    # Slots of a message. Times are as the venue writes them, in its unit.
    SLOT_EVENT_TIME = 0       # when the venue sent the message
    SLOT_TIME = 1             # when the thing happened
    SLOT_FIRST_SEQ = 2
    SLOT_LAST_SEQ = 3
    SLOT_PREV_SEQ = 4
    SLOT_PRICE = 5
    SLOT_QTY = 6
    SLOT_TRADE_ID = 7
    SLOT_MAKER_BOUGHT = 8     # bool: the buyer was the maker, so the aggressor sold
    SLOT_AGGRESSOR = 9        # constant +1 or -1, where the wire names the side
    SLOT_BID_PRICE = 10
    SLOT_BID_QTY = 11
    SLOT_ASK_PRICE = 12
    SLOT_ASK_QTY = 13
    # From here on doubles (their bits), but for times and counts.
    SLOT_MARK = 14
    SLOT_INDEX = 15
    SLOT_FUNDING = 16
    SLOT_SETTLEMENT = 17
    SLOT_NEXT_FUNDING = 18    # time
    SLOT_LAST = 19
    SLOT_LAST_QTY = 20
    SLOT_OPEN = 21
    SLOT_HIGH = 22
    SLOT_LOW = 23
    SLOT_VOLUME = 24
    SLOT_QUOTE_VOLUME = 25
    SLOT_CHANGE = 26
    SLOT_CHANGE_PCT = 27
    SLOT_VWAP = 28
    SLOT_PREV_CLOSE = 29
    SLOT_OPEN_TIME = 30       # time
    SLOT_CLOSE_TIME = 31      # time
    SLOT_FIRST_ID = 32        # count
    SLOT_LAST_ID = 33         # count
    SLOT_COUNT = 34           # count
    SLOT_AVERAGE = 35
    SLOT_SPARE = 38           # numbers nobody asked for
    N_SLOTS = 39
    SEEN_BIDS = 40            # bits of `seen` for the two lists of levels
    SEEN_ASKS = 41

cdef enum:
    # What a token is.
    TAKE_INT = 0              # an integer
    TAKE_PRICE = 1            # a decimal, kept at the instrument's price scale
    TAKE_QTY = 2              # a decimal, kept at the instrument's quantity scale
    TAKE_DOUBLE = 3           # a decimal, kept as the nearest double; empty text is nan
    TAKE_BOOL = 4             # true or false
    TAKE_SYMBOL = 5           # text of the symbol
    TAKE_TEXT = 6             # text that is skipped
    TAKE_LEVELS = 7           # an array of levels; the slot is 0 for bids, 1 for asks
    TAKE_CONSTANT = 8         # a value that follows from text that must repeat; it has no bytes of its own
    TAKE_ANY = 9              # any value, skipped

cdef enum:
    MAX_TOKENS = 96
    MAX_NAME = 64             # bytes of a symbol

cdef struct Token:
    uint32_t start            # offset in the frame of the first byte (inside the quotes, if there are any)
    uint32_t end              # offset one past the last
    int64_t value             # of a constant
    uint8_t kind              # TAKE_...
    uint8_t slot              # where the value goes
    bint quoted               # the bytes stand in quotes; in a list of levels: its numbers do

cdef struct Message:
    int kind                  # KIND_...
    int depth                 # of a partial book, 0 for the book of deltas
    int32_t target            # index of the instrument, -1 unknown, -2 one that is not wanted
    const char* symbol        # text of the symbol, borrowed from the frame
    Py_ssize_t symbol_size
    bint fixed_symbol         # the symbol follows from text that must repeat, no token stands for it
    const char* more          # where the next message of the same frame begins, NULL if there is none
    uint64_t needed           # bit i: the message is not complete without slot i
    uint64_t seen             # bit i: slot i was filled
    int n_tokens
    const char* expected      # what should have stood where a conversion failed, NULL if its status says it all
    int price_decimals        # after NEEDS_SCALE: decimals that a price needs, else 0
    int qty_decimals          # the same of a quantity
    int64_t slot[N_SLOTS]
    Levels bids
    Levels asks
    Token token[MAX_TOKENS]
    char name[MAX_NAME]       # room for a symbol that a parser has to write in another way than the frame


cdef inline uint64_t bit(int slot) noexcept nogil:
    """The bit of a slot in `needed` and `seen`."""
    return <uint64_t> 1 << slot


cdef inline void message_clear(Message* self) noexcept nogil:
    """Ready for the next message; the memory of the levels stays."""
    self.kind = KIND_NONE
    self.depth = 0
    self.target = -1
    self.symbol = NULL
    self.symbol_size = 0
    self.fixed_symbol = False
    self.more = NULL
    self.expected = NULL
    self.needed = self.seen = 0
    self.n_tokens = 0
    self.price_decimals = self.qty_decimals = 0
    self.bids.count = self.asks.count = 0


cdef extern from *:
    """
    #define WB_LAST_MS 9223372036854LL           /* what int64 holds as ns: the year 2262 */
    #define WB_FIRST_US 100000000000000LL        /* 1973 in us; no time in ms reaches it */
    #define WB_LAST_US 9223372036854775LL
    """
    int64_t LAST_MS "WB_LAST_MS"
    int64_t FIRST_US "WB_FIRST_US"
    int64_t LAST_US "WB_LAST_US"


cdef inline int64_t time_ns(const Message* m, int slot) noexcept nogil:
    """A time as ns since the Unix epoch, 0 if absent or absurd; venues write ms or us, told apart by size."""
    cdef int64_t value
    if not m.seen & bit(slot):
        return 0
    value = m.slot[slot]
    if 0 <= value <= LAST_MS:
        return value * 1000000
    return value * 1000 if FIRST_US <= value <= LAST_US else 0
