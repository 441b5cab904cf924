# KuCoin's unified feed: part of kucoin.pyx, which reads the classic one.

from feeds.scan cimport key_is, number_at


cdef inline void unified(Cursor* c, Message* m, const Text* channel) noexcept nogil:
    # {"T":"obu.FUTURES", "dp":"increment@10ms", "t":"delta", "P":1790114459840641662, "d":{"a":[],
    #  "b":[["85973.3","16236"]],"C":1747821262585,"s":"XBTUSDTM","M":1790114459839000000,"O":1747821262584}}
    cdef Text key, text, depth
    if not begins(channel, b"obu."):
        expect_nothing(c, m, KIND_IGNORED)
        return
    find_text(c, b"t", &text)
    expect(m, KIND_SNAPSHOT if word_is(&text, b"snapshot") else KIND_DELTA)
    m.market = FUTURES if word_is(channel, b"obu.FUTURES") else 0
    find_text(c, b"dp", &depth)
    m.depth = number_at(&depth, 0)                # 5 or 50: whole partial books
    open_object(c)
    while next_key(c, &key):
        if key_is(&key, c't') or word_is(&key, b"dp"):
            skip_value(c)
        elif key_is(&key, c'd'):
            take_object(c, UNIFIED)
        else:
            take_field(c, &key, UNIFIED)
    if (m.kind == KIND_DELTA and not word_is(&text, b"delta")) or (m.depth == 0 and not begins(&depth, b"increment")):
        fail(c, BAD_VALUE, b"a snapshot or a delta, of a depth")
    if m.depth:
        m.link = LINK_NONE
        m.kind = KIND_SNAPSHOT
    else:
        m.needed |= bit(SLOT_LAST_SEQ) | (bit(SLOT_FIRST_SEQ) if m.kind == KIND_DELTA else 0)


cdef Field* UNIFIED = list_fields({"s": "symbol", "O": "first_seq", "C": "last_seq", "M": "time", "b": "bids",
                                   "a": "asks", "T": "text", "P": "event_time"}, LEVEL)
