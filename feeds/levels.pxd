"""One level of a list as the venue writes it: its texts, taken apart by the venue's Form; no number is converted."""

from libc.stdint cimport int64_t
from libc.string cimport strlen
from orderbook.types cimport BAD_VALUE
from feeds.message cimport (Form, FormField, bit, COUNT_FIELD, MAX_FIELDS, SIGNED_FIELD, SLOT_LEVEL_ID,
                            SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY, SLOT_LEVEL_SEQ, SLOT_SPARE, TAKE_ANY, TAKE_DOUBLE,
                            TAKE_OTHER, TAKE_QTY, TAKE_SYMBOL, TAKE_TEXT, WORD_ASK, WORD_BID, WORD_FIELD, WORD_GONE)
from feeds.numbers cimport all_zero
from feeds.scan cimport (Cursor, Text, fail, is_digit, next_item, next_key, open_array, open_object, peek, read_text,
                         scan_number, skip_value, text_is)

cdef enum:
    MAX_PIECES = 24           # values of one level that are looked at; what lies beyond must repeat

cdef struct Piece:
    const char* start         # first byte, inside the quotes if there are any
    const char* past          # one past the last
    int take                  # TAKE_PRICE, TAKE_QTY, TAKE_INT; TAKE_TEXT or TAKE_DOUBLE: stepped over; COUNT_FIELD
    int slot                  # SLOT_LEVEL_...
    bint quoted

cdef struct LevelText:
    int n                     # pieces
    int side                  # +1 bid, -1 ask, 0 the element does not say
    bint gone                 # the level is removed
    bint other                # it has what levels of this form do not have
    const Piece* price        # NULL where there is none
    const Piece* qty
    const Piece* seq
    const Piece* id
    Piece piece[MAX_PIECES]


cdef inline const FormField* field_of(const Form* form, const Text* key) noexcept nogil:
    """What a member of an object is, NULL if nothing that matters."""
    cdef int i
    for i in range(form.n_fields):
        if text_is(key, form.field[i].key, strlen(form.field[i].key)):
            return &form.field[i]
    return NULL


cdef inline bint take_word(Cursor* c, const Form* form, LevelText* out) noexcept nogil:
    """Read one of the form's words."""
    cdef Text word
    cdef const char* first = c.pos
    cdef int i
    if not read_text(c, &word):
        return False
    for i in range(form.n_words):
        if text_is(&word, form.word[i], strlen(form.word[i])):
            if form.meaning[i] == WORD_BID:
                out.side = 1
            elif form.meaning[i] == WORD_ASK:
                out.side = -1
            elif form.meaning[i] == WORD_GONE:
                out.gone = True
            return True
    c.pos = first
    return fail(c, BAD_VALUE, b"a word that says what to do with a level")


cdef inline bint take_piece(Cursor* c, const Form* form, const FormField* field, LevelText* out) noexcept nogil:
    """Read one member of a level; `field` NULL: it is stepped over."""
    cdef int kind = field.take if field != NULL else TAKE_ANY
    cdef char byte = peek(c)
    cdef Text text
    cdef Piece* piece
    if kind == WORD_FIELD:
        return take_word(c, form, out)
    if kind == TAKE_OTHER:
        out.other = True
        kind = TAKE_ANY
    if kind == TAKE_SYMBOL and byte != c'"':
        return fail(c, BAD_VALUE, b"a string")
    if byte != c'"' and byte != c'-' and not is_digit(byte):
        if kind == TAKE_ANY:
            return skip_value(c)
        return fail(c, BAD_VALUE, b"a number")
    text.data = c.pos
    if byte == c'"':
        if not read_text(c, &text):
            return False
    else:
        if not scan_number(c):
            return False
        text.size = c.pos - text.data
    if kind == COUNT_FIELD and (text.size == 0 or not is_digit(text.data[0])):
        c.pos = text.data
        return fail(c, BAD_VALUE, b"a count")
    if kind == COUNT_FIELD and all_zero(text.data, text.data + text.size):
        out.gone = True
        return True
    if out.n == MAX_PIECES:
        return kind == TAKE_ANY or fail(c, BAD_VALUE, b"a level with fewer members")
    piece = &out.piece[out.n]
    out.n += 1
    piece.start = text.data
    piece.past = text.data + text.size
    piece.quoted = byte == c'"'
    piece.take = kind
    piece.slot = SLOT_SPARE
    if kind == TAKE_ANY:
        piece.take = TAKE_TEXT if piece.quoted else TAKE_DOUBLE
    elif kind == COUNT_FIELD or kind == TAKE_SYMBOL:
        pass
    else:
        piece.slot = field.slot
        if kind == SIGNED_FIELD:
            piece.take = TAKE_QTY
            out.side = 1
            if text.size and text.data[0] == c'-':
                piece.start += 1
                out.side = -1
        if piece.slot == SLOT_LEVEL_PRICE:
            out.price = piece
        elif piece.slot == SLOT_LEVEL_QTY:
            out.qty = piece
        elif piece.slot == SLOT_LEVEL_SEQ:
            out.seq = piece
        else:
            out.id = piece
    return True


cdef inline bint take_level(Cursor* c, const Form* form, LevelText* out) noexcept nogil:
    """Take one level apart; what it lacks fails."""
    cdef Text key
    cdef int i = 0
    cdef const char* first
    out.n = out.side = 0
    out.other = False
    out.gone = form.gone
    out.price = out.qty = out.seq = out.id = NULL
    peek(c)
    first = c.pos
    if form.object:
        open_object(c)
        while next_key(c, &key):
            if not take_piece(c, form, field_of(form, &key), out):
                return False
    else:
        open_array(c)
        while next_item(c):
            if not take_piece(c, form, &form.field[i] if i < form.n_fields else NULL, out):
                return False
            i += 1
    if c.status:
        return False
    if (out.price == NULL and out.id == NULL) or (out.qty == NULL and not out.gone):
        c.pos = first
        return fail(c, BAD_VALUE, b"a level with a price and a quantity")
    if (out.seq == NULL and form.needed & bit(SLOT_LEVEL_SEQ)) or (out.id == NULL and form.needed & bit(SLOT_LEVEL_ID)):
        c.pos = first
        return fail(c, BAD_VALUE, b"a level with its number or its name")
    return True
