"""One decoded message: numbers in named slots, levels in two arrays, and where each stood in the frame.

A parser does not convert numbers. It *takes* them: it records a token (what it is, which slot it belongs to, where
its text stands), so that numbers are converted once the instrument, and with it the scale, is known, whatever the
order of the keys; and so that the frame's layout can be learned from the same list (feeds.layout).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from orderbook.update cimport Levels
from feeds.whole cimport Kept

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
    KIND_OPEN_INTEREST = 10   # contracts or base units that are open
    N_KINDS = 11
    WANTS_LEVELS = 1 << 16    # among the bits of the kinds that a handler wants: the levels that each message changes

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
    SLOT_OPEN_INTEREST = 36   # in the venue's unit of quantity
    SLOT_OPEN_VALUE = 37      # the same in quote or settlement currency
    SLOT_UNDERLYING = 38      # price of an option's underlying
    SLOT_BID_IV = 39
    SLOT_ASK_IV = 40
    SLOT_MARK_IV = 41
    SLOT_DELTA = 42
    SLOT_GAMMA = 43
    SLOT_VEGA = 44
    SLOT_THETA = 45
    SLOT_RHO = 46
    # Integers and constants again.
    SLOT_LINE_SEQ = 47        # number of the message on its connection, over all channels
    SLOT_CHECKSUM = 48        # of the book after this message; 0 is none
    SLOT_LEVEL_PRICE = 49     # a message that is one level: its price (in a list: of the element),
    SLOT_LEVEL_QTY = 50       # its quantity,
    SLOT_LEVEL_SIDE = 51      # constant +1 bid or -1 ask,
    SLOT_LEVEL_GONE = 52      # constant 1: the level is removed, whatever its quantity
    SLOT_LEVEL_SEQ = 53       # number of the level's own change; in a list: of each element
    SLOT_LEVEL_ID = 54        # name of the level, where the wire gives its price only once
    SLOT_PARTIAL = 55         # constant 1: what is absent has not changed (of a ticker)
    SLOT_QUOTE_TOO = 56       # constant 1: the best bid and offer of this ticker are the venue's quotes
    SLOT_LEVEL_COUNT = 57     # orders at a level, where 0 removes it; never 0 here: see SLOT_LEVEL_GONE
    SLOT_SPARE = 58           # numbers nobody asked for
    N_SLOTS = 59
    SEEN_BIDS = 59            # bits of `seen` for the lists of levels
    SEEN_ASKS = 60
    SEEN_BOTH = 61            # a list whose elements say their side

cdef enum:
    # What a token is.
    TAKE_INT = 0              # an integer
    TAKE_PRICE = 1            # a decimal, kept at the instrument's price scale
    TAKE_QTY = 2              # a decimal, kept at the instrument's quantity scale
    TAKE_DOUBLE = 3           # a decimal, kept as the nearest double; empty text is nan
    TAKE_BOOL = 4             # true or false
    TAKE_SYMBOL = 5           # text of the symbol
    TAKE_TEXT = 6             # text that is skipped
    TAKE_LEVELS = 7           # an array of levels; the slot is 0 for bids, 1 for asks, 2 if each says its side
    TAKE_CONSTANT = 8         # a value that follows from text that must repeat; it has no bytes of its own
    TAKE_ANY = 9              # any value, skipped
    TAKE_TIME = 10            # a time: a number of s, ms, us or ns (a fraction may follow), or RFC 3339; kept as ns
    TAKE_ID = 11              # a name that is a number: its last 18 digits; 0 if it has other characters
    OR_ZERO = 64              # in a list of fields, with one of the above: null and "" are the constant 0

cdef enum:
    # How the texts of a checksum are made from a book; see feeds.checksum.
    CHECKSUM_NONE = 0
    CHECKSUM_PAIRS = 1        # bid:ask by turns, 25 levels, "price:qty:price:qty", CRC-32 signed
    CHECKSUM_DIGITS = 2       # ten asks, then ten bids, digits without point and leading zeros, CRC-32
    CHECKSUM_SIGNED = 3       # bid:ask by turns, 25 levels, asks negative, numbers as JavaScript writes them

cdef enum:
    # How a new snapshot is had; VenueSpec.resync has the same names.
    RESYNC_REST = 0
    RESYNC_RESUBSCRIBE = 1    # by starting the stream anew: nothing has to be kept until it comes
    RESYNC_REQUEST = 2        # by a message on the same connection

cdef enum:
    # What a level's word says; see Form.
    WORD_NONE = 0             # nothing ("new", "change")
    WORD_BID = 1
    WORD_ASK = 2
    WORD_GONE = 3             # the level is removed
    MAX_WORDS = 8
    MAX_FIELDS = 12
    WORD_FIELD = 32           # what a field of a form is, beside TAKE_...: one of the form's words,
    SIGNED_FIELD = 33         # a quantity whose sign is the side (- is an ask),
    COUNT_FIELD = 34          # a count of orders that is 0 where the level is removed,
    TAKE_OTHER = 35           # what a level of this form does not have

cdef struct FormField:
    char key[24]              # of an object's member, NUL-terminated; arrays go by position
    uint8_t take              # TAKE_PRICE, TAKE_QTY, TAKE_INT, TAKE_ANY, or one of the above
    uint8_t slot              # SLOT_LEVEL_...

cdef struct Form:
    # How a venue writes one level of a list: an array whose elements go by position, or an object.
    bint object
    bint nullable             # null is an empty list
    bint gone                 # every level of such a list is removed; it needs no quantity
    bint protobuf             # the list is no JSON: see feeds.protobuf
    uint32_t list_number      # of a protobuf list: its field
    uint64_t seen             # bits of the slots that its elements fill beside price and quantity,
    uint64_t needed           # and of those among them that no element may lack
    int n_fields
    int n_words
    FormField field[MAX_FIELDS]
    char word[MAX_WORDS][12]
    uint8_t meaning[MAX_WORDS]    # WORD_...
    bint named                # each level names the instrument

cdef enum:
    MAX_TOKENS = 96
    MAX_NAME = 96             # bytes of a symbol

cdef struct Token:
    uint32_t start            # offset in the frame of the first byte (inside the quotes, if there are any)
    uint32_t end              # offset one past the last
    int64_t value             # of a constant; of levels 1 if it is one alone, in no list
    uint8_t kind              # TAKE_...
    uint8_t slot              # where the value goes
    bint quoted               # the bytes stand in quotes
    const Form* form          # of a list of levels: how one is written

cdef struct Message:
    int kind                  # KIND_...
    int depth                 # of a partial book, 0 for the book of deltas
    int market                # index of the market, where a venue has several; 0 before the parser
    int link                  # LINK_... of feeds.sync; the venue's own before the parser
    int checksum              # CHECKSUM_...: what SLOT_CHECKSUM is
    int cut                   # levels a side that are kept after a delta, 0 all
    int resync                # RESYNC_...: how a new snapshot of this book is had; the venue's own before the parser
    bint relearn              # what was learned of this line's streams is void: their names were given anew
    int32_t target            # index of the instrument, -1 unknown, -2 one that is not wanted
    const char* symbol        # text of the symbol, borrowed from the frame
    Py_ssize_t symbol_size
    bint fixed_symbol         # the symbol follows from text that must repeat, no token stands for it
    const char* more          # where the next message of the same frame begins, NULL if there is none
    uint64_t needed           # bit i: the message is not complete without slot i
    uint64_t seen             # bit i: slot i was filled
    bint once                 # its frame must not be learned: what lies between the values does not repeat
    int n_tokens
    const char* expected      # what should have stood where a conversion failed, NULL if its status says it all
    int price_decimals        # after NEEDS_SCALE: decimals that a price needs, else 0
    int qty_decimals          # the same of a quantity
    int64_t slot[N_SLOTS]
    Levels bids
    Levels asks
    Levels rows               # elements that have a name: `rank` is 4 * id + 1 for a bid, + 2 for an ask, else + 0
    int price_printed         # decimals that prices and quantities were written with, trailing zeros too,
    int qty_printed
    bint price_trailing       # and whether one of them ended in such a zero
    bint qty_trailing
    bint own                  # quantities of levels that need a finer scale are kept as own quantities
    bint line_jump            # the message before it on its connection is missing
    Token token[MAX_TOKENS]
    char name[MAX_NAME]       # room for a symbol that a parser has to write in another way than the frame
    bint idle                 # an ignored message whose frame repeats but for its numbers, and is to be learned
    Kept* kept                # what is kept of whole books, if the lists were read with it; NULL if not. Borrowed
    bint binary               # its numbers are integers in the frame, times these powers of ten: see feeds.sbe
    int price_exponent
    int qty_exponent
    int foreign               # 1 + the schema of a frame that is of another than is read; 0
    int newer                 # version of the frame's schema where that is newer than what is known of it; 0


cdef inline uint64_t bit(int slot) noexcept nogil:
    """The bit of a slot in `needed` and `seen`."""
    return <uint64_t> 1 << slot


cdef inline void message_clear(Message* self) noexcept nogil:
    """Ready for the next message; the memory of the levels stays."""
    self.kind = KIND_NONE
    self.depth = self.market = self.link = self.checksum = self.cut = self.resync = 0
    self.relearn = False
    self.target = -1
    self.symbol = NULL
    self.symbol_size = 0
    self.fixed_symbol = False
    self.more = NULL
    self.kept = NULL
    self.expected = NULL
    self.needed = self.seen = 0
    self.n_tokens = 0
    self.once = self.idle = False
    self.price_decimals = self.qty_decimals = 0
    self.price_printed = self.qty_printed = 0
    self.price_trailing = self.qty_trailing = self.line_jump = self.own = self.binary = False
    self.foreign = self.newer = 0
    self.bids.count = self.asks.count = self.rows.count = 0


cdef enum:
    DEPTH_BITS = (1 << 20) - 1    # of a variant: the depth of a partial book


cdef inline int variant_of(const Message* m) noexcept nogil:
    """Which of the books that share a symbol a message is about: its market and the depth of a partial book."""
    return m.market << 20 | m.depth


cdef extern from *:
    """
    #define WB_FIRST_S 100000000LL               /* 1973-03-03; what is smaller is no time of a market */
    #define WB_LAST_S 99999999999LL              /* s up to the year 5138; in ms that is 1973 */
    #define WB_LAST_MS 99999999999999LL
    #define WB_LAST_US 99999999999999999LL
    #define WB_END_S 9223372036LL                /* what int64 holds as ns: the year 2262 */
    #define WB_END_MS 9223372036854LL
    #define WB_END_US 9223372036854775LL
    """
    int64_t FIRST_S "WB_FIRST_S"
    int64_t LAST_S "WB_LAST_S"
    int64_t LAST_MS "WB_LAST_MS"
    int64_t LAST_US "WB_LAST_US"
    int64_t END_S "WB_END_S"
    int64_t END_MS "WB_END_MS"
    int64_t END_US "WB_END_US"


cdef inline int64_t as_ns(int64_t value) noexcept nogil:
    """A time since the Unix epoch in s, ms, us or ns, told apart by size, as ns; 0 if it is before March 1973 or past
    2261. What it gives it gives again: a time in ns stays as it is."""
    if value <= LAST_S:
        return value * 1000000000 if FIRST_S <= value <= END_S else 0
    if value <= LAST_MS:
        return value * 1000000 if value <= END_MS else 0
    if value <= LAST_US:
        return value * 1000 if value <= END_US else 0
    return value


cdef inline int64_t time_ns(const Message* m, int slot) noexcept nogil:
    """A time as ns since the Unix epoch, 0 if absent or absurd."""
    return as_ns(m.slot[slot]) if m.seen & bit(slot) else 0
