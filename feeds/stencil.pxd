"""Stencils: short frames that are compared as a whole.

A layout is run operation by operation, each from where the one before ended. But the short frames of a stream come
again and again with the same words, and with numbers of the same widths: a *stencil* is one such frame, which bytes
must be what, which must be digits, and where the windows of its numbers begin. One comparison, and all windows can be
read at once. It is made of a frame that a layout has just read, out of the shapes that read it, so that it accepts
nothing that the layout would not, and gives the same numbers.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from feeds.shape cimport Shape

cdef enum:
    STENCIL = 240             # bytes of a frame at most
    STENCILS = 512            # places of all streams together, a power of two
    READS = 16                # windows and other steps of one
    DRAFT = 4                 # what making one costs a stream's trust, and a frame that one fits pays 1
    GAIN = 4                  # looks in vain that such a frame pays for;
    DOUBT = 200               # after so many more of them, a look is taken
    SELDOM = 8                # at one short frame in so many only

cdef enum:
    # What a step does.
    READ_SLOTS = 0            # numbers of the message
    READ_LEVEL = 1            # numbers of a level
    READ_REAL = 2             # a number that becomes a double
    READ_MOMENT = 3           # a time in seconds with a fraction
    READ_OTHER = 4            # what no window reads
    READ_BOOL = 5             # nothing: the value is known
    READ_ADD = 6              # nothing: the level's numbers are complete
    READ_PART = 7             # nothing: a message of several is complete,
    READ_TAIL = 8             # and here what stands behind the last one and belongs to the first

cdef struct Read:
    uint8_t kind              # READ_...
    uint8_t at                # where its window begins; of READ_PART: where the message ends
    uint8_t slot              # of READ_BOOL; of READ_ADD: the side of the list; of READ_OTHER: where it must end
    uint8_t value             # of READ_BOOL; of READ_ADD: which element read the level; of READ_PART: it is the last
    uint32_t since            # Shape.serial, Elements.learned then: later, they may be others; of parts: their layout
    const Shape* shape        # that fits the window, NULL: it has none. Borrowed from the pool
    void* whose               # of READ_REAL, READ_MOMENT, READ_OTHER the Op, of READ_ADD the Elements. Borrowed

cdef struct Stencil:
    uint8_t base[STENCIL]     # as in a Shape
    uint8_t limit[STENCIL]
    uint32_t key              # what it is found by
    int size                  # bytes, 0: the place is free
    int scales                # of the instrument
    int32_t target            # the instrument,
    int32_t told              # and which one the stream's name told, see Route.target
    int32_t route             # index of the stream's route,
    uint32_t life             # and its Route.life: later, the place may be another's
    int layout                # index of the layout that read it, or its first message
    bint several              # it has several messages, none with levels
    int n_reads
    Read read[READS]

cdef struct Stencils:
    Stencil* place            # STENCILS of them, NULL before the first. Owned
    int balance               # what they were worth lately
    uint32_t frames           # short frames
    uint32_t seen[STENCILS]   # keys of frames that none fitted: what comes once only is not worth one


cdef inline bint stencils_ready(Stencils* self) noexcept nogil:
    """See that there is memory for them."""
    if self.place == NULL:
        self.place = <Stencil*> calloc(STENCILS, sizeof(Stencil))
    return self.place != NULL


cdef inline void stencils_free(Stencils* self) noexcept nogil:
    """Give the memory back."""
    free(self.place)
    self.place = NULL
