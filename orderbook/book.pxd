"""The price-level book. C code reads `book.data` with the functions of orderbook.core."""

from orderbook.core cimport BookData

cdef class BookReads:
    cdef BookData* data       # the book that is read; owned by `owner`, or by this object if it is a Book
    cdef object owner         # keeps `data` alive
    cdef bint any_state       # answer in every state (book.raw), not only when LIVE
    cdef int check(self, int status) except -1
    cdef int refuse(self, int status) except -1


cdef class Book(BookReads):
    cdef BookData own
    cdef public str symbol    # as the venue writes it, "" if the book stands alone
    cdef public str reason    # why the book is in its state, "" if there is nothing to say
    cdef public object since_ns     # our clock when it came into its state, ns since the Unix epoch, 0: nobody told
    cdef void set_status(self, int status, str reason)
