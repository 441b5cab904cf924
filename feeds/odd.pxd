"""Levels that do not come as a price and a quantity to be set: alone, by name, or with numbers of their own.

Each function brings a message's levels into the two lists that a book takes, in the order of the wire.
"""

from libc.stdint cimport int64_t, INT64_MIN
from orderbook.update cimport Levels, levels_reserve
from feeds.levelmap cimport LevelMap, map_clear, map_get, map_put, map_reserve
from feeds.message cimport (KIND_SNAPSHOT, Message, SLOT_LEVEL_GONE, SLOT_LEVEL_ID, SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY,
                            SLOT_LEVEL_SIDE, bit)


cdef inline bint level_add(Levels* self, int64_t price, int64_t qty) noexcept nogil:
    """Append one level; False without memory."""
    if not levels_reserve(self, self.count + 1):
        return False
    self.price[self.count] = price
    self.qty[self.count] = qty
    self.count += 1
    return True


cdef inline bint level_alone(Message* m) noexcept nogil:
    """A message that is one level, or one row that names its level."""
    cdef int64_t qty = 0, side = m.slot[SLOT_LEVEL_SIDE] if m.seen & bit(SLOT_LEVEL_SIDE) else 0
    if m.seen & bit(SLOT_LEVEL_QTY) and not m.seen & bit(SLOT_LEVEL_GONE):
        qty = m.slot[SLOT_LEVEL_QTY]
    if m.seen & bit(SLOT_LEVEL_ID):
        m.rows.count = 0
        if not level_add(&m.rows, m.slot[SLOT_LEVEL_PRICE] if m.seen & bit(SLOT_LEVEL_PRICE) else INT64_MIN, qty):
            return False
        m.rows.rank[0] = m.slot[SLOT_LEVEL_ID] << 2 | (1 if side > 0 else 2 if side < 0 else 0)
        return True
    m.bids.count = m.asks.count = 0
    return level_add(&m.bids if m.slot[SLOT_LEVEL_SIDE] > 0 else &m.asks, m.slot[SLOT_LEVEL_PRICE], qty)


cdef inline void levels_newer(Levels* self, int64_t last) noexcept nogil:
    """Keep the levels whose own number is above `last`; a price of 0 is no level."""
    cdef int64_t i, kept = 0
    for i in range(self.count):
        if self.rank[i] > last and self.price[i] != 0:
            self.price[kept] = self.price[i]
            self.qty[kept] = self.qty[i]
            kept += 1
    self.count = kept


cdef inline bint side_by_offset(Levels* self, LevelMap* offsets, int64_t ask, bint whole, int64_t frame) noexcept nogil:
    """Keep the levels of a side that are newer than what is known of their price; False without memory."""
    cdef int64_t i, key, offset, kept = 0
    if not map_reserve(offsets, self.count):
        return False
    for i in range(self.count):
        key = 2 * self.price[i] + ask
        offset = self.rank[i] if whole else frame
        if not whole and offset <= map_get(offsets, key, INT64_MIN):
            continue
        map_put(offsets, key, offset)
        self.price[kept] = self.price[i]
        self.qty[kept] = self.qty[i]
        kept += 1
    self.count = kept
    return True


cdef inline bint levels_by_offset(Message* m, LevelMap* offsets, int64_t frame) noexcept nogil:
    """A message whose levels count only if they are newer than what came before; False without memory."""
    cdef bint whole = m.kind == KIND_SNAPSHOT
    if whole:
        map_clear(offsets)
    return side_by_offset(&m.bids, offsets, 0, whole, frame) and side_by_offset(&m.asks, offsets, 1, whole, frame)


cdef inline int64_t levels_by_id(Message* m, LevelMap* ids, int64_t* breaks, bint strict) noexcept nogil:
    """Turn rows that name their level by an id into levels; how many of these no row has told of, -1 if it cannot be.

    A row without price or side is about the one that its id has. One whose id is not known is counted in `breaks` and
    left out if `strict`, else nothing of the message can be used. A row that moves an id to the other side first
    removes the level there.
    """
    cdef const Levels* rows = &m.rows
    cdef int64_t i, id, known, price, side, uncounted = 0
    cdef bint whole = m.kind == KIND_SNAPSHOT
    if whole:
        map_clear(ids)
    if not map_reserve(ids, rows.count):
        return -1
    m.bids.count = m.asks.count = 0
    for i in range(rows.count):
        id = rows.rank[i] >> 2
        side = rows.rank[i] & 3
        price = rows.price[i]
        known = map_get(ids, id, 0)
        if known & 3 == 0 and (price == INT64_MIN or side == 0 or rows.qty[i] == 0) and not whole:
            if not strict:
                return -1
            breaks[0] += 1
            continue
        if price == INT64_MIN:
            price = known >> 2
        if side == 0:
            side = known & 3
        if known & 3 and (known & 3 != side or known >> 2 != price):
            if not level_add(&m.bids if known & 3 == 1 else &m.asks, known >> 2, 0):
                return -1
            uncounted += 1
        if not level_add(&m.bids if side == 1 else &m.asks, price, rows.qty[i]):
            return -1
        map_put(ids, id, (price << 2) | side if rows.qty[i] else 0)
    return uncounted
