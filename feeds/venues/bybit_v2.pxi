# Books of version 2 of Bybit's protocol, which are rows: part of bybit.pyx.

from feeds.message cimport WORD_ASK, WORD_BID
from feeds.scan cimport find_value, go_to, take_levels
from feeds.sync cimport LINK_RISES


cdef inline void old_book(Cursor* c, Message* m) noexcept nogil:
    """Rows of v2, removals first: a level may move across the sides within one frame. cross_seq only has to rise."""
    # [{"price":"36338.50","symbol":"BTCUSDM21","id":363385000,"side":"Buy","size":85235}] or {"order_book":[...]}
    # {"delete":[{"price":"36427.00","symbol":"BTCUSD","id":364270000,"side":"Sell"}],"update":[],"insert":[],
    #  "transactTimeE6":0}
    m.link = LINK_RISES
    if peek(c) == c'[':
        take_levels(c, 2, ROWS)
        return
    take_rows(c, b"delete", GONE_ROWS)
    take_rows(c, b"update", ROWS)
    take_rows(c, b"insert", ROWS)
    take_rows(c, b"order_book", ROWS)
    skip_value(c)


cdef inline void take_rows(Cursor* c, const char* key, const Form* form) noexcept nogil:
    """Take the list that the object that is next has at a key, if it is there; the cursor stays."""
    cdef Cursor at
    cdef const char* start = c.pos
    if find_value(c, key, &at):
        go_to(c, at.pos)
        take_levels(c, 2, form)
        go_to(c, start)


cdef Form* ROWS = list_form({"price": "price", "size": "qty", "side": "word"}, {"Buy": WORD_BID, "Sell": WORD_ASK})
cdef Form* GONE_ROWS = list_form({"price": "price", "side": "word"}, {"Buy": WORD_BID, "Sell": WORD_ASK}, gone=True)
cdef Field* OLD_ROWS = list_fields({})
