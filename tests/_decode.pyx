"""What a venue's parser takes of a frame, as events of the simulator: the way back from an encoder.

Built only for the suite (WIREBOOK_PROBE=1 in setup.py). Nothing is converted but times, ids and numbers of messages.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from orderbook.types cimport OK, Status
from feeds.levels cimport LevelText, Piece, take_level
from feeds.message cimport (COUNT_FIELD, Form, KIND_CONTROL, KIND_IGNORED, Message, SLOT_LEVEL_ID, Token, TAKE_BOOL,
                            TAKE_CONSTANT, TAKE_ID, TAKE_INT, TAKE_LEVELS, TAKE_TIME, as_ns, bit, message_clear)
from feeds.numbers cimport read_id, read_integer, read_time
from feeds.parser cimport Parser
from feeds.protobuf cimport next_pair
from feeds.scan cimport Cursor, Text, cursor_init, next_item, open_array, peek

from feeds.simulator.event import Event, Level

KINDS = ("", "control", "ignored", "delta", "snapshot", "trade", "quote", "ticker", "mark", "liquidation",
         "open_interest")
SLOTS = ("event_time", "time", "first_seq", "last_seq", "prev_seq", "price", "qty", "trade_id", "maker_bought",
         "aggressor", "bid_price", "bid_qty", "ask_price", "ask_qty", "mark", "index", "funding", "settlement",
         "next_funding", "last", "last_qty", "open", "high", "low", "volume", "quote_volume", "change", "change_pct",
         "vwap", "prev_close", "open_time", "close_time", "first_id", "last_id", "count", "average", "open_interest",
         "open_value", "underlying", "bid_iv", "ask_iv", "mark_iv", "delta", "gamma", "vega", "theta", "rho",
         "line_seq", "checksum", "level_price", "level_qty", "level_side", "level_gone", "level_seq", "level_id",
         "partial", "quote_too", "level_count", "spare")
TIMES = {"event_time", "time", "next_funding", "open_time", "close_time"}


cdef str text_of(const char* start, const char* past):
    return start[:past - start].decode()


cdef str piece_of(const Piece* piece):
    return "" if piece == NULL else text_of(piece.start, piece.past)


cdef int64_t number_of(Token* token, const char* frame) except? -1:
    """A token that is a number, a time or an id."""
    cdef int64_t value = 0
    cdef Status status
    if token.kind == TAKE_TIME:
        status = read_time(frame + token.start, frame + token.end, &value)
    elif token.kind == TAKE_ID:
        status = read_id(frame + token.start, frame + token.end, &value)
    else:
        status = read_integer(frame + token.start, frame + token.end, &value)
    if status != OK:
        raise ValueError(f"{frame[token.start:token.end]!r} is no number")
    return value


cdef take_one(Cursor* c, const Form* form, int list_side, LevelText* level):
    """The level that comes next."""
    cdef int side
    if not take_level(c, form, level):
        raise ValueError(f"a level: {c.expected.decode()} at {c.pos - c.start}")
    side = level.side if list_side == 2 or form.seen & bit(SLOT_LEVEL_ID) else -1 if list_side else 1
    return Level(side, piece_of(level.price), piece_of(level.qty), bool(level.gone), int(piece_of(level.seq) or 0),
                 int(piece_of(level.id) or 0))


cdef list json_levels(Cursor* c, const Form* form, int list_side):
    """The levels of a list, or some elements of a longer one."""
    cdef LevelText level
    cdef bint bare
    found = []
    if peek(c) == c'n':
        return found
    bare = peek(c) != c'['                        # some elements of a longer list
    if bare:
        c.fresh = True
    else:
        open_array(c)
    while not (bare and peek(c) == 0) and next_item(c):
        found.append(take_one(c, form, list_side, &level))
    return found


cdef list protobuf_levels(Cursor* c, const Form* form, int list_side):
    """The levels of one side of a protobuf message."""
    cdef Text price, qty
    cdef Status status = OK
    found = []
    while next_pair(&c.pos, c.end, form.list_number, &price, &qty, &status):
        found.append(Level(-1 if list_side else 1, text_of(price.data, price.data + price.size),
                           text_of(qty.data, qty.data + qty.size)))
    return found


cdef event_of(Message* m, const char* frame, int market, markets):
    """A message as an event."""
    cdef Cursor c
    cdef LevelText level
    cdef int i, j
    cdef Token* token
    values = {}
    levels = []
    for i in range(m.n_tokens):
        token = &m.token[i]
        if token.kind == TAKE_LEVELS:
            cursor_init(&c, frame + token.start, <Py_ssize_t> token.end - <Py_ssize_t> token.start, NULL)
            if token.form.protobuf:
                levels += protobuf_levels(&c, token.form, token.slot)
            elif token.value:                     # one that is in no list
                levels.append(take_one(&c, token.form, token.slot, &level))
                for j in range(level.n):
                    if level.piece[j].take == COUNT_FIELD:
                        values["level_count"] = int(piece_of(&level.piece[j]))
            else:
                levels += json_levels(&c, token.form, token.slot)
            continue
        name = SLOTS[token.slot]
        if token.kind == TAKE_CONSTANT:
            values[name] = token.value
        elif token.kind == TAKE_BOOL:
            values[name] = frame[token.start] == c't'
        elif token.kind in (TAKE_INT, TAKE_TIME, TAKE_ID):
            values[name] = as_ns(number_of(token, frame)) if name in TIMES else number_of(token, frame)
        elif name != "spare" and token.slot < len(SLOTS):
            values[name] = text_of(frame + token.start, frame + token.end)
    if "maker_bought" in values:
        values["aggressor"] = -1 if values.pop("maker_bought") else 1
    if "level_price" in values or "level_id" in values:
        levels.append(Level(values.pop("level_side", 0), values.pop("level_price", ""), values.pop("level_qty", ""),
                            bool(values.pop("level_gone", 0)), values.pop("level_seq", 0), values.pop("level_id", 0)))
    symbol = "" if m.symbol == NULL else m.symbol[:m.symbol_size].decode()
    return Event(KINDS[m.kind], symbol, values, levels, markets[m.market] if markets else "", m.depth)


def decode(Parser parser, bytes frame, markets=(), int line=0):
    """The messages of a frame; those about the connection, and those that nobody asks for, have no values.

    Parameters: parser -- it keeps what the venue says of the connection, so frames come in their order.
                markets -- VenueSpec.markets.
    Raises: ValueError if the parser refuses the frame.
    """
    cdef Message m
    cdef Cursor c
    cdef const char* data = PyBytes_AS_STRING(frame)
    found = []
    for i in range(sizeof(Message)):
        (<char*> &m)[i] = 0
    message_clear(&m)
    m.market = parser.market
    parser.line = line
    cursor_init(&c, data, PyBytes_GET_SIZE(frame), &m)
    parser.parse(&c, &m)
    while True:
        if c.status != OK:
            raise ValueError(f"{c.expected.decode()} expected at {c.pos - data} of {frame[:200]!r}")
        if m.kind == KIND_CONTROL or m.kind == KIND_IGNORED:
            found.append(Event(KINDS[m.kind], "", {}))
        else:
            found.append(event_of(&m, data, m.market, markets))
        if m.more == NULL:
            return found
        c.pos = m.more
        message_clear(&m)
        m.market = parser.market
        parser.parse_more(&c, &m)
