"""Filling the lists that a venue file declares; called when its module is imported."""

from libc.stdint cimport uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy, memset
from feeds.message cimport (Form, bit, COUNT_FIELD, MAX_FIELDS, MAX_WORDS, OR_ZERO, SIGNED_FIELD, SLOT_AGGRESSOR,
                            SLOT_ASK_IV, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_AVERAGE, SLOT_BID_IV, SLOT_BID_PRICE,
                            SLOT_BID_QTY, SLOT_CHANGE, SLOT_CHANGE_PCT, SLOT_CHECKSUM, SLOT_CLOSE_TIME, SLOT_COUNT,
                            SLOT_DELTA, SLOT_EVENT_TIME, SLOT_FIRST_ID, SLOT_FIRST_SEQ, SLOT_FUNDING, SLOT_GAMMA,
                            SLOT_HIGH, SLOT_INDEX, SLOT_LAST, SLOT_LAST_ID, SLOT_LAST_QTY, SLOT_LAST_SEQ, SLOT_LEVEL_ID,
                            SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY, SLOT_LEVEL_SEQ, SLOT_LEVEL_SIDE, SLOT_LINE_SEQ, SLOT_LOW,
                            SLOT_MAKER_BOUGHT, SLOT_MARK, SLOT_MARK_IV, SLOT_NEXT_FUNDING, SLOT_OPEN,
                            SLOT_OPEN_INTEREST, SLOT_OPEN_TIME, SLOT_OPEN_VALUE, SLOT_PREV_CLOSE, SLOT_PREV_SEQ,
                            SLOT_PRICE, SLOT_QTY, SLOT_QUOTE_VOLUME, SLOT_RHO, SLOT_SETTLEMENT, SLOT_SPARE, SLOT_THETA,
                            SLOT_TIME, SLOT_TRADE_ID, SLOT_UNDERLYING, SLOT_VEGA, SLOT_VOLUME, SLOT_VWAP, TAKE_ANY,
                            TAKE_BOOL, TAKE_DOUBLE, TAKE_ID, TAKE_INT, TAKE_LEVELS, TAKE_OTHER, TAKE_PRICE, TAKE_QTY,
                            TAKE_SYMBOL, TAKE_TEXT, TAKE_TIME, WORD_FIELD)

# Name of what a value is -> how it is taken, where it goes.
cdef dict MEANINGS = {
    "symbol": (TAKE_SYMBOL, SLOT_SPARE), "fixed symbol": (NAME_SYMBOL, SLOT_SPARE), "text": (TAKE_TEXT, SLOT_SPARE),
    "any": (TAKE_ANY, SLOT_SPARE), "each": (TAKE_EACH, SLOT_SPARE), "inside": (TAKE_INSIDE, SLOT_SPARE),
    "bids": (TAKE_LEVELS, 0), "asks": (TAKE_LEVELS, 1), "levels": (TAKE_LEVELS, 2),
    "best bid": (TAKE_BEST, SLOT_BID_PRICE), "best ask": (TAKE_BEST, SLOT_ASK_PRICE),
    "bid pair": (TAKE_PAIR, SLOT_BID_PRICE), "ask pair": (TAKE_PAIR, SLOT_ASK_PRICE),
    "side": (TAKE_SIDE, SLOT_AGGRESSOR), "other side": (TAKE_CLOSED_SIDE, SLOT_AGGRESSOR),
    "level_side": (TAKE_SIDE, SLOT_LEVEL_SIDE), "maker_bought": (TAKE_BOOL, SLOT_MAKER_BOUGHT),
    "event_time": (TAKE_TIME, SLOT_EVENT_TIME), "time": (TAKE_TIME, SLOT_TIME),
    "next_funding": (TAKE_TIME, SLOT_NEXT_FUNDING), "open_time": (TAKE_TIME, SLOT_OPEN_TIME),
    "close_time": (TAKE_TIME, SLOT_CLOSE_TIME), "first_seq": (TAKE_INT, SLOT_FIRST_SEQ),
    "last_seq": (TAKE_INT, SLOT_LAST_SEQ), "prev_seq": (TAKE_INT, SLOT_PREV_SEQ),
    "line_seq": (TAKE_INT, SLOT_LINE_SEQ), "checksum": (TAKE_INT, SLOT_CHECKSUM),
    "level_id": (TAKE_INT, SLOT_LEVEL_ID), "trade_id": (TAKE_ID, SLOT_TRADE_ID), "first_id": (TAKE_INT, SLOT_FIRST_ID),
    "last_id": (TAKE_INT, SLOT_LAST_ID), "count": (TAKE_INT, SLOT_COUNT), "price": (TAKE_PRICE, SLOT_PRICE),
    "qty": (TAKE_QTY, SLOT_QTY), "level_price": (TAKE_PRICE, SLOT_LEVEL_PRICE),
    "level_qty": (TAKE_QTY, SLOT_LEVEL_QTY), "bid_price": (TAKE_PRICE, SLOT_BID_PRICE),
    "bid_qty": (TAKE_QTY, SLOT_BID_QTY), "ask_price": (TAKE_PRICE, SLOT_ASK_PRICE),
    "ask_qty": (TAKE_QTY, SLOT_ASK_QTY), "mark": (TAKE_DOUBLE, SLOT_MARK), "index": (TAKE_DOUBLE, SLOT_INDEX),
    "funding": (TAKE_DOUBLE, SLOT_FUNDING), "settlement": (TAKE_DOUBLE, SLOT_SETTLEMENT),
    "last": (TAKE_DOUBLE, SLOT_LAST), "last_qty": (TAKE_DOUBLE, SLOT_LAST_QTY), "open": (TAKE_DOUBLE, SLOT_OPEN),
    "high": (TAKE_DOUBLE, SLOT_HIGH), "low": (TAKE_DOUBLE, SLOT_LOW), "volume": (TAKE_DOUBLE, SLOT_VOLUME),
    "quote_volume": (TAKE_DOUBLE, SLOT_QUOTE_VOLUME), "change": (TAKE_DOUBLE, SLOT_CHANGE),
    "change_pct": (TAKE_DOUBLE, SLOT_CHANGE_PCT), "vwap": (TAKE_DOUBLE, SLOT_VWAP),
    "prev_close": (TAKE_DOUBLE, SLOT_PREV_CLOSE), "average": (TAKE_DOUBLE, SLOT_AVERAGE),
    "open_interest": (TAKE_DOUBLE, SLOT_OPEN_INTEREST), "open_value": (TAKE_DOUBLE, SLOT_OPEN_VALUE),
    "underlying": (TAKE_DOUBLE, SLOT_UNDERLYING), "bid_iv": (TAKE_DOUBLE, SLOT_BID_IV),
    "ask_iv": (TAKE_DOUBLE, SLOT_ASK_IV), "mark_iv": (TAKE_DOUBLE, SLOT_MARK_IV), "delta": (TAKE_DOUBLE, SLOT_DELTA),
    "gamma": (TAKE_DOUBLE, SLOT_GAMMA), "vega": (TAKE_DOUBLE, SLOT_VEGA), "theta": (TAKE_DOUBLE, SLOT_THETA),
    "rho": (TAKE_DOUBLE, SLOT_RHO),
}


cdef void* kept(void* memory, size_t size) except NULL:
    """So many bytes, of which those that were there before are the first; never given back."""
    memory = realloc(memory, size)
    if memory == NULL:
        raise MemoryError("no memory for what a venue declares")
    return memory


cdef tuple meaning_of(str words):
    """(TAKE_..., slot) of a value, by its name in a list of fields; see list_fields."""
    plain = words.removesuffix(" or 0").removeprefix("int ")
    if plain not in MEANINGS:
        raise ValueError(f"a value that is known, not {words!r}; there are {', '.join(MEANINGS)}")
    take_as, slot = MEANINGS[plain]
    return (TAKE_INT if words.startswith("int ") else take_as) | (OR_ZERO if words.endswith(" or 0") else 0), slot


cdef Field* list_fields(object rows, const Form* form=NULL) except NULL:
    """A venue's list of fields; called when its module is imported, and kept for good.

    rows -- key -> what its value is: the name of a slot ("price", "last_seq", "event_time", ...), which says how it is
    taken too; "int time" is taken as an integer all the same, "price or 0" is 0 where it is null or empty text. Lists:
    "bids", "asks", "levels" (each says its side), "best bid" (at most one level), "bid pair" ([price, quantity]). Of
    trades "side" (buy or sell) and "other side". "symbol"; "fixed symbol": part of the text that names the stream;
    "text": must repeat; "inside": an object whose keys are in this list; "each": an array nobody asked for. Several
    names in a tuple: the value goes to each.
    form -- how a level of its lists is written.
    """
    cdef Field* fields
    listed = [(key, *meaning_of(words)) for key, named in rows.items()
              for words in (named if isinstance(named, tuple) else (named,))]
    fields = <Field*> kept(NULL, (len(listed) + 1) * sizeof(Field))
    fill_fields(fields, listed, form)
    return fields


cdef int fill_fields(Field* fields, object rows, const Form* form=NULL) except -1:
    """Fill a list that has room for one field more than there are rows of (key, TAKE_..., slot)."""
    cdef bytes name
    memset(fields, 0, (len(rows) + 1) * sizeof(Field))
    for i, (key, take_as, slot) in enumerate(rows):
        name = key.encode()
        if not 0 < len(name) < 24:
            raise ValueError(f"a key of 1 to 23 bytes, not {key!r}")
        memcpy(fields[i].key, <const char*> name, len(name))
        fields[i].take = take_as
        fields[i].slot = slot
        fields[i].form = form
        fields[i].again = i + 1 < len(rows) and rows[i + 1][0] == key
    return 0


cdef Field* list_places(dict places) except NULL:
    """A list for take_array, of place -> what stands there, as in list_fields; other places are stepped over."""
    return list_fields({str(i): places.get(i, "any") for i in range(max(places) + 1)})


cdef Form* list_form(object rows, dict words=None, bint gone=False, bint nullable=False) except NULL:
    """How a venue writes a level; called when its module is imported, and kept for good.

    rows -- what each member of a level is: a sequence of names for an array (elements beyond it are stepped over), a
    dict key -> name for an object. Names: "price", "qty", "signed" (a quantity whose sign is the side, - an ask),
    "count" (0 removes the level), "word" (see `words`), "seq", "seq?" (may be missing), "id", "symbol" (the message's,
    in every level), "" (stepped over), "other" (stepped over, but a level that has it is not learned from: its message
    is another one).
    words -- text -> WORD_...: what the venue's words say. gone -- every level of such a list is removed.
    nullable -- the venue writes null for a list without levels.
    """
    cdef Form* form = <Form*> kept(NULL, sizeof(Form))
    fill_form(form, rows, words, gone, nullable)
    return form


cdef int fill_form(Form* form, object rows, dict words=None, bint gone=False, bint nullable=False) except -1:
    """Fill a form; see list_form."""
    cdef bytes text
    kinds = {"price": (TAKE_PRICE, SLOT_LEVEL_PRICE), "qty": (TAKE_QTY, SLOT_LEVEL_QTY),
             "signed": (SIGNED_FIELD, SLOT_LEVEL_QTY), "count": (COUNT_FIELD, SLOT_SPARE),
             "word": (WORD_FIELD, SLOT_SPARE), "seq": (TAKE_INT, SLOT_LEVEL_SEQ), "seq?": (TAKE_INT, SLOT_LEVEL_SEQ),
             "id": (TAKE_INT, SLOT_LEVEL_ID), "symbol": (TAKE_SYMBOL, SLOT_SPARE), "other": (TAKE_OTHER, SLOT_SPARE),
             "": (TAKE_ANY, SLOT_SPARE)}
    memset(form, 0, sizeof(Form))
    form.object = isinstance(rows, dict)
    form.gone = gone
    form.nullable = nullable
    if len(rows) > MAX_FIELDS or len(words or ()) > MAX_WORDS:
        raise ValueError("a form with fewer members or words")
    for i, row in enumerate(rows):
        kind = rows[row] if form.object else row
        form.field[i].take, form.field[i].slot = kinds[kind]
        text = row.encode() if form.object else b""
        if len(text) > 23:
            raise ValueError(f"a key of at most 23 bytes, not {row!r}")
        memcpy(form.field[i].key, <const char*> text, len(text))
        if form.field[i].slot == SLOT_LEVEL_SEQ or form.field[i].slot == SLOT_LEVEL_ID:
            form.seen |= bit(form.field[i].slot)
            form.needed |= bit(form.field[i].slot) if kind != "seq?" else 0
        form.named |= form.field[i].take == TAKE_SYMBOL
    form.n_fields = <int> len(rows)
    for i, (word, meaning) in enumerate((words or {}).items()):
        text = word.encode()
        if not 0 < len(text) < 12:
            raise ValueError(f"a word of 1 to 11 bytes, not {word!r}")
        memcpy(form.word[i], <const char*> text, len(text))
        form.meaning[i] = meaning
    form.n_words = <int> len(words or ())
    return 0


cdef int add_channel(Channel** channels, bytes name, int kind, const Field* fields, uint64_t needed=0, int depth=0,
                     int market=0) except -1:
    """Enter a channel at the end of a list, which is NULL at first; called when a venue's module is imported."""
    cdef Channel* channel
    cdef Py_ssize_t n = 0
    if not 0 < len(name) < 32:
        raise ValueError(f"a name of 1 to 31 bytes, not {name!r}")
    while channels[0] != NULL and channels[0][n].name[0]:
        n += 1
    channels[0] = <Channel*> kept(channels[0], (n + 2) * sizeof(Channel))
    channel = &channels[0][n]
    memset(channel, 0, 2 * sizeof(Channel))
    memcpy(channel.name, <const char*> name, len(name))
    channel.kind, channel.depth, channel.market, channel.needed = kind, depth, market, needed
    channel.fields = fields
    return 0
