"""What a venue file declares: what the keys of its messages mean, how its levels are written, what its channels are.

The lists are filled when a venue's module is imported; the parsers read messages by them. It knows no venue.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy
from orderbook.types cimport BAD_VALUE, NO_MEMORY, OK, TOO_DEEP
from feeds.message cimport (Form, Message, bit, KIND_DELTA, KIND_LIQUIDATION, KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER,
                            KIND_TRADE, MAX_NAME, OR_ZERO, SEEN_ASKS, SEEN_BIDS, SLOT_AGGRESSOR, SLOT_ASK_PRICE,
                            SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_LAST, SLOT_LAST_SEQ, SLOT_PREV_SEQ,
                            SLOT_PRICE, SLOT_QTY, TAKE_ANY, TAKE_BOOL, TAKE_DOUBLE, TAKE_LEVELS, TAKE_SYMBOL, TAKE_TEXT)
from feeds.scan cimport (Cursor, MAX_DEPTH, Text, cursor_init, empty_text, fail, name_symbol, next_item, next_key,
                         open_array, open_object, peek, skip_value, take, take_again, take_any, take_best, take_bool,
                         take_constant, take_level_alone, take_levels, take_number, take_pair, take_rest, take_side,
                         take_symbol, word_is)

cdef enum:
    # What a field is, beside TAKE_...:
    TAKE_SIDE = 16            # the word "buy" or "sell" (Buy, BUY), which says who crossed the spread;
    TAKE_CLOSED_SIDE = 17     # the word for the other side: of the maker, or of a position that was closed by force;
    TAKE_BEST = 18            # a list of at most one level: see take_best; the slot of its quantity is the next one
    NAME_SYMBOL = 19          # text of the instrument, part of the text that names the stream: see name_symbol;
    TAKE_EACH = 20            # an array nobody asked for, whose numbers and texts differ from frame to frame;
    TAKE_INSIDE = 21          # an object whose keys mean what the same list says; of take_object only
    TAKE_LEVEL = 23           # one level that is in no list: see take_level_alone;
    TAKE_PAIR = 22            # [price, quantity], or a price alone: see take_pair; the slot of the quantity is the next

cdef struct Field:
    char key[24]              # a key of an object, NUL-terminated; empty after the last field of a list
    uint8_t take              # TAKE_... of its value; TAKE_TEXT: text that must repeat
    uint8_t slot              # where the value goes
    bint again                # the next field is what the same value is besides
    const Form* form          # of a list of levels


cdef inline bint take_value(Cursor* c, const Field* field) noexcept nogil:
    """Take a value as its field says."""
    cdef int kind = field.take & (OR_ZERO - 1)
    if field.take & OR_ZERO and (peek(c) == c'n' or empty_text(c)):
        return skip_value(c) and take_constant(c, field.slot, 0)
    if kind == TAKE_BOOL:
        return take_bool(c, field.slot)
    if kind == TAKE_SYMBOL:
        return take_symbol(c)
    if kind == TAKE_LEVELS:
        return take_levels(c, field.slot, field.form)
    if kind == TAKE_LEVEL:
        return take_level_alone(c, field.slot, field.form)
    if kind == TAKE_SIDE or kind == TAKE_CLOSED_SIDE:
        return take_side(c, 1 if kind == TAKE_SIDE else -1, field.slot)
    if kind == TAKE_BEST:
        return take_best(c, field.slot, field.slot + 1)
    if kind == TAKE_PAIR:
        return take_pair(c, field.slot, field.slot + 1)
    if kind == TAKE_TEXT:
        return skip_value(c)
    if kind == TAKE_ANY:
        return take_any(c)
    if kind == NAME_SYMBOL:
        return name_symbol(c)
    if kind == TAKE_EACH and peek(c) == c'[':
        return open_array(c) and take_rest(c)
    if kind == TAKE_EACH or kind == TAKE_INSIDE:
        return skip_value(c)
    if peek(c) == c'n' or (kind != TAKE_DOUBLE and empty_text(c)):
        return skip_value(c)                      # the venue has nothing to tell
    return take_number(c, kind, field.slot)


cdef inline bint take_several(Cursor* c, const Field* field) noexcept nogil:
    """Take a value as its field and those behind it say."""
    cdef int before = c.message.n_tokens if c.message != NULL else 0
    take_value(c, field)
    while field.again and c.message != NULL and c.message.n_tokens != before:
        field += 1
        take_again(c, field.take, field.slot)
    return c.status == OK


cdef inline bint take_field(Cursor* c, const Text* key, const Field* fields) noexcept nogil:
    """Take the value of a key as its field in the list says; a key that is not in the list is stepped over."""
    while fields.key[0]:
        if word_is(key, fields.key):
            return take_several(c, fields) if fields.again else take_value(c, fields)
        fields += 1
    return take_any(c)


cdef inline bint is_inside(const Text* key, const Field* fields) noexcept nogil:
    """Whether the list has the key as one of an object whose keys it has too."""
    while fields.key[0]:
        if fields.take == TAKE_INSIDE and word_is(key, fields.key):
            return True
        fields += 1
    return False


cdef inline bint take_array(Cursor* c, const Field* fields) noexcept nogil:
    """Take an array whose elements mean by their place what the list says (its keys are names for the reader)."""
    open_array(c)
    while next_item(c):
        if fields.key[0]:
            take_value(c, fields)
            fields += 1
        else:
            take_any(c)
    return c.status == OK


cdef inline bint take_object(Cursor* c, const Field* fields) noexcept nogil:
    """Take an object whose keys mean what the list says."""
    cdef Text key
    cdef int depth = 1
    open_object(c)
    while depth and c.status == OK:
        if not next_key(c, &key):
            depth -= 1
        elif peek(c) != c'{' or not is_inside(&key, fields):
            take_field(c, &key, fields)
        elif depth == MAX_DEPTH:
            fail(c, TOO_DEEP, b"less nesting")
        elif open_object(c):
            depth += 1
    return c.status == OK


cdef Field* list_fields(object rows, const Form* form=*) except NULL
cdef int fill_fields(Field* fields, object rows, const Form* form=*) except -1
cdef Field* list_places(dict places) except NULL
cdef Form* list_form(object rows, dict words=*, bint gone=*, bint nullable=*) except NULL
cdef int fill_form(Form* form, object rows, dict words=*, bint gone=*, bint nullable=*) except -1


cdef inline void expect(Message* m, int kind) noexcept nogil:
    """Say what a message is, and with it what none of its kind may lack; a venue says more where there is more."""
    m.kind = kind
    if kind == KIND_DELTA or kind == KIND_SNAPSHOT:
        m.needed = bit(SEEN_BIDS) | bit(SEEN_ASKS)
    elif kind == KIND_QUOTE:
        m.needed = bit(SLOT_BID_PRICE) | bit(SLOT_BID_QTY) | bit(SLOT_ASK_PRICE) | bit(SLOT_ASK_QTY)
    elif kind == KIND_TRADE or kind == KIND_LIQUIDATION:
        m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    else:
        m.needed = bit(SLOT_LAST) if kind == KIND_TICKER else 0


cdef inline void expect_nothing(Cursor* c, Message* m, int kind) noexcept nogil:
    """Step over a value of a message that is only known to be there (KIND_IGNORED), or is for others (KIND_CONTROL)."""
    m.kind = kind
    m.needed = 0
    skip_value(c)


cdef inline void expect_number(Message* m, bint* numbered, int otherwise) noexcept nogil:
    """After a book message of a venue whose older form has no numbers: it has to have its own, and a delta the one
    before, as soon as one message had; until then books are judged by the link `otherwise`.

    `numbered`: whether any message had a number; the parser's.
    """
    if m.seen & bit(SLOT_LAST_SEQ):
        m.relearn |= not numbered[0]              # what was learned of messages without numbers
        numbered[0] = True
        if m.kind == KIND_DELTA:
            m.needed |= bit(SLOT_PREV_SEQ)
    elif numbered[0] or m.seen & bit(SLOT_PREV_SEQ):
        m.needed |= bit(SLOT_LAST_SEQ)
    else:
        m.link = otherwise


cdef struct Channel:
    char name[32]             # NUL-terminated; empty after the last of a list
    int kind                  # KIND_... of its messages
    int depth                 # of a partial book
    int market                # index of the market
    const Field* fields       # of a message
    uint64_t needed           # bits of what its messages may not lack, 0 if that is what `expect` says


cdef inline const Channel* find_channel(const Channel* channels, const Text* name) noexcept nogil:
    """What a list says of the channel of this name, NULL if it is not in it."""
    while channels.name[0]:
        if word_is(name, channels.name):
            return channels
        channels += 1
    return NULL


cdef int add_channel(Channel** channels, bytes name, int kind, const Field* fields, uint64_t needed=*, int depth=*,
                     int market=*) except -1


cdef inline void expect_channel(Message* m, const Channel* channel) noexcept nogil:
    """Say what a message of this channel is; see `expect`."""
    expect(m, channel.kind)
    if channel.needed:
        m.needed = channel.needed
    m.depth = channel.depth
    m.market = channel.market


cdef struct Note:             # what a frame has told that others need
    int64_t id                # number of a channel, where it has one
    int line                  # the connection it holds for
    int what                  # the venue's own
    int depth                 # of a book
    Py_ssize_t size           # bytes of the name
    char name[MAX_NAME]       # of a symbol

cdef struct Notes:
    Note* note                # to be freed by the parser
    int count


cdef inline bint notes_add(Cursor* c, Notes* notes, const Note* new) noexcept nogil:
    """Keep one more note."""
    cdef int n = notes.count
    cdef void* memory
    if n & (n - 1) == 0:                          # a full power of two: room for twice as many
        memory = realloc(notes.note, (2 * n if n else 1) * sizeof(Note))
        if memory == NULL:
            return fail(c, NO_MEMORY, b"memory for another note")
        notes.note = <Note*> memory
    notes.note[n] = new[0]
    notes.count += 1
    return True


cdef inline bytes notes_kept(const Notes* notes):
    """All notes, for a checkpoint of the parser."""
    return (<const char*> notes.note)[:notes.count * sizeof(Note)] if notes.count else b""


cdef inline int notes_restore(Notes* notes, bytes kept) except -1:
    """Have the notes that `notes_kept` gave."""
    cdef const char* at = kept
    cdef Py_ssize_t i
    cdef Note note
    cdef Cursor c
    notes.count = 0
    cursor_init(&c, at, 0, NULL)
    for i in range(len(kept) // <Py_ssize_t> sizeof(Note)):
        memcpy(&note, at + i * sizeof(Note), sizeof(Note))
        note.size = max(0, min(note.size, <Py_ssize_t> MAX_NAME))
        if not notes_add(&c, notes, &note):
            raise MemoryError("no memory for what a parser has noted")
    return 0
