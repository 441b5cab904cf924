"""Fuzz targets of the readers: JSON's scanner, numbers and times, protobuf. Pure C but for the three with an oracle.

Each target takes any bytes, in memory of exactly their size, and stops the process where a rule is broken: `claim`.
libFuzzer keeps what led there. The rules are those that the readers' own texts promise.
"""

from libc.math cimport INFINITY, isfinite, nextafter
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdio cimport fprintf, stderr
from libc.stdlib cimport abort, malloc, strtod
from libc.string cimport memcpy, memset
from orderbook.types cimport Status, OK, BAD_NUMBER, NEEDS_SCALE, TOO_DEEP
from feeds.fields cimport (Field, NAME_SYMBOL, TAKE_BEST, TAKE_CLOSED_SIDE, TAKE_EACH, TAKE_INSIDE, TAKE_PAIR,
                           TAKE_SIDE, fill_fields, fill_form, take_array, take_object)
from feeds.message cimport (Form, Message, message_clear, MAX_TOKENS, SLOT_AGGRESSOR, SLOT_BID_PRICE, SLOT_LAST,
                            SLOT_LAST_SEQ, SLOT_PRICE, SLOT_QTY, SLOT_TIME, SLOT_TRADE_ID, TAKE_CONSTANT, TAKE_DOUBLE,
                            TAKE_INT, TAKE_PRICE, TAKE_QTY, TAKE_SYMBOL, TAKE_TIME)
from feeds.numbers cimport read_date, read_double, read_id, read_integer, read_own, read_time, read_units
from feeds.pairs cimport Widths, read_pairs, read_short, read_whole
from feeds.protobuf cimport (Numbered, WIRE_SPAN, enter, leave, next_field, next_pair, read_span, skip_field,
                             skip_repeated, take_message)
from feeds.scan cimport (Cursor, MAX_DEPTH, Text, at_end, cursor_init, fail, find_count, find_text, next_item, next_key,
                         open_array, open_object, peek, plain_is, scan_scalar, skip_value, take_any)
from feeds.shape cimport convert_number, number_end

from tests.fuzz.oracle import check_double, check_json, check_time, check_units

cdef extern from *:
    """
    int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const unsigned char *, size_t));
    """
    int LLVMFuzzerRunDriver(int* argc, char*** argv, int (*one)(const uint8_t*, size_t) noexcept)

ctypedef int (*target_function)(const uint8_t* data, size_t size) noexcept


cdef inline void claim(bint holds, const char* rule) noexcept nogil:
    """Stop, for libFuzzer to keep the input, if a rule does not hold."""
    if not holds:
        fprintf(stderr, b"broken rule: %s\n", rule)
        abort()


def run(str target, list arguments):
    """Let libFuzzer run a target; it ends the process itself."""
    return drive(TARGETS_C[NAMES.index(target)], arguments)


cdef int drive(target_function one, list arguments) except -1:
    """Hand the arguments over as C has them; their memory stays to the end."""
    cdef int argc = <int> len(arguments)
    cdef char** argv = <char**> malloc((argc + 1) * sizeof(char*))
    cdef bytes text
    cdef int i
    for i in range(argc):
        text = arguments[i].encode()
        argv[i] = <char*> malloc(len(text) + 1)
        memcpy(argv[i], <char*> text, len(text) + 1)
    argv[argc] = NULL
    return LLVMFuzzerRunDriver(&argc, &argv, one)


# ---- scan: JSON

cdef Field fields[24]
cdef Form pair_form, object_form
cdef Message message

fill_form(&pair_form, ("price", "qty"))
fill_form(&object_form, {"p": "price", "q": "qty", "s": "word"}, {"buy": 1, "sell": 2})
fill_fields(fields, (("a", TAKE_PRICE, SLOT_PRICE), ("b", TAKE_QTY, SLOT_QTY), ("c", TAKE_INT, SLOT_LAST_SEQ),
                     ("d", TAKE_DOUBLE, SLOT_LAST), ("e", TAKE_TIME, SLOT_TIME), ("f", TAKE_SIDE, SLOT_AGGRESSOR),
                     ("g", TAKE_CLOSED_SIDE, SLOT_AGGRESSOR), ("h", TAKE_BEST, SLOT_BID_PRICE), ("i", NAME_SYMBOL, 0),
                     ("j", TAKE_EACH, 0), ("k", TAKE_INSIDE, 0), ("l", TAKE_PAIR, SLOT_BID_PRICE),
                     ("m", TAKE_SYMBOL, 0), ("n", TAKE_INT, SLOT_TRADE_ID)))


cdef inline bint skip_plainly(Cursor* c, int depth) noexcept nogil:
    """Step over any value as skip_value does, one member at a time."""
    cdef Text key
    cdef char byte = peek(c)
    if byte != c'{' and byte != c'[':
        return scan_scalar(c)
    if depth == MAX_DEPTH:
        return fail(c, OK, b"")
    if byte == c'{':
        open_object(c)
        while next_key(c, &key):
            if not skip_plainly(c, depth + 1):
                return False
    else:
        open_array(c)
        while next_item(c):
            if not skip_plainly(c, depth + 1):
                return False
    return c.status == OK


cdef void check_place(const Cursor* c) noexcept nogil:
    claim(c.start <= c.pos <= c.end, b"a cursor stays within its frame")
    claim(c.status == OK or c.expected[0] != 0, b"an error says what was expected")


cdef void check_tokens(const Cursor* c, const Message* m) noexcept nogil:
    cdef int i
    claim(0 <= m.n_tokens <= MAX_TOKENS, b"tokens are counted")
    for i in range(m.n_tokens):
        claim(m.token[i].start <= m.token[i].end <= c.end - c.start, b"a token lies within its frame")


cdef int scan_one(const uint8_t* data, size_t size) noexcept:
    """Any bytes as one JSON document, by every reader there is."""
    cdef const char* text = <const char*> data
    cdef Cursor c, plain, taker
    cdef Text found
    cursor_init(&c, text, size, NULL)
    skip_value(&c)
    at_end(&c)
    check_place(&c)
    cursor_init(&plain, text, size, NULL)
    plain.status = OK
    if not skip_plainly(&plain, 0):
        plain.status = BAD_NUMBER
    at_end(&plain)
    claim((c.status == OK) == (plain.status == OK), b"long steps accept what short ones do")
    claim(c.status != OK or c.pos == c.end, b"a document ends where the frame ends")
    message_clear(&message)
    cursor_init(&taker, text, size, &message)
    if size and peek(&taker) == c'[':
        take_array(&taker, fields)
    else:
        find_text(&taker, b"i", &found)
        find_count(&taker, b"n")
        take_object(&taker, fields)
    at_end(&taker)
    check_place(&taker)
    check_tokens(&taker, &message)
    claim(taker.status != OK or c.status == OK or c.status == TOO_DEEP, b"what was taken is a document")
    message_clear(&message)
    cursor_init(&taker, text, size, &message)
    take_any(&taker)
    at_end(&taker)
    check_tokens(&taker, &message)
    claim((taker.status == OK) == (c.status == OK), b"any value may be taken")
    cursor_init(&taker, text, size, NULL)
    claim(not plain_is(&taker, b"pong") or c.status != OK, b"a plain word is no document")
    return 0


# ---- numbers: the careful readers against the quick ones

cdef char room[256]


cdef int numbers_one(const uint8_t* data, size_t size) noexcept:
    """A scale, then the text of a number."""
    cdef const char* p = <const char*> data + 1
    cdef const char* past = <const char*> data + size
    cdef const char* copy = room + 64
    cdef int scale, decimals = 0, needed = 0
    cdef int64_t units = 0, other = 0, whole = 0, ns, qty, again
    cdef double value, nearest
    cdef Status status, second
    cdef char* parsed
    if size < 1 or size > 128:
        return 0
    scale = data[0] % 19
    status = read_units(p, past, scale, &units, &decimals)
    claim(status == OK or units == 0, b"what is refused gives nothing")
    claim(status != NEEDS_SCALE or scale < decimals <= 18, b"a scale that is needed is a finer one")
    if status == NEEDS_SCALE:
        second = read_units(p, past, decimals, &other, &needed)
        claim(second == OK, b"a scale that is needed is enough")
        claim(other % 10 != 0, b"a scale that is needed is the smallest")
    second = convert_number(TAKE_PRICE, p, past, scale, 0, &other, &needed)
    claim(status != OK or (second == OK and other == units), b"a price is read as a number is")
    second = convert_number(TAKE_QTY, p, past, 0, scale, &other, &needed)
    claim(second != OK or (status == OK and other == units and units >= 0), b"a quantity is a number and not negative")
    memset(room, c'7', 64)                        # the quick readers look at bytes before the text
    memcpy(<char*> copy, p, size - 1)
    if read_short(copy + size - 1, <int> size - 1, scale, &other):
        claim(status == OK and other == units, b"a short number is read as any")
    status = read_integer(p, past, &whole)
    if read_whole(copy + size - 1, size - 1, &other):
        claim(status == OK and other == whole, b"a short integer is read as any")
    read_time(p, past, &ns)
    claim(ns >= 0 or p[0] == c'-', b"no time is before 1970")
    read_id(p, past, &again)
    claim(0 <= again < <int64_t> 1000000000000000000, b"a name has 18 digits")
    read_own(p, past, &qty)
    read_date(p, past, &ns)
    number_end(p, past, True)
    number_end(p, past, False)
    status = read_double(p, past, &value)
    if status == OK and size > 1:
        (<char*> copy)[size - 1] = 0
        nearest = strtod(copy, &parsed)
        claim(parsed == copy + size - 1, b"a double is a number to C too")
        claim(isfinite(value) and nextafter(nearest, -INFINITY) <= value <= nextafter(nearest, INFINITY),
              b"a double is the nearest but for one unit")
    return 0


# ---- protobuf

cdef Numbered numbered[5]
numbered[0] = Numbered(1, TAKE_SYMBOL, 0)
numbered[1] = Numbered(2, TAKE_PRICE, SLOT_PRICE)
numbered[2] = Numbered(3, TAKE_INT, SLOT_LAST_SEQ)
numbered[3] = Numbered(4, TAKE_CONSTANT, SLOT_TIME)
memset(&numbered[4], 0, sizeof(Numbered))


cdef int64_t careful_pairs(const char** at, const char* past, int price_scale, int qty_scale, int64_t* prices,
                           int64_t* qtys, int64_t most) noexcept nogil:
    """Levels read one by one, up to the first that gives no numbers at these scales; `at` then stands before it."""
    cdef int64_t n = 0
    cdef const char* next = at[0]
    cdef Text price, qty
    cdef Status status
    cdef int decimals = 0
    while n < most and next_pair(&next, past, 1, &price, &qty, &status):
        if (read_units(price.data, price.data + price.size, price_scale, &prices[n], &decimals) != OK
                or read_units(qty.data, qty.data + qty.size, qty_scale, &qtys[n], &decimals) != OK):
            break
        at[0] = next
        n += 1
    return n


cdef int protobuf_one(const uint8_t* data, size_t size) noexcept:
    """Two scales, then a message: its fields, and its levels by three readers."""
    cdef const char* begin = <const char*> data
    cdef const char* past = begin + size
    cdef const char* at
    cdef Cursor c
    cdef Text text
    cdef uint32_t number
    cdef int wire, simd
    cdef const char* end
    cdef Widths widths
    cdef int64_t price[64]
    cdef int64_t qty[64]
    cdef int64_t careful_price[64]
    cdef int64_t careful_qty[64]
    cdef int64_t n, m, i
    cdef int price_scale, qty_scale
    if size < 18 or size > 512:
        return 0
    price_scale, qty_scale = data[0] % 19, data[1] % 19
    cursor_init(&c, begin + 18, size - 18, NULL)
    while next_field(&c, &number, &wire):
        if number == 5 and wire == WIRE_SPAN:
            read_span(&c, &text)
            end = enter(&c, &text)
            while next_field(&c, &number, &wire):
                skip_field(&c, number, wire)
            leave(&c, end)
            skip_repeated(&c, 5)
        else:
            skip_field(&c, number, wire)
        check_place(&c)
    check_place(&c)
    message_clear(&message)
    text.data, text.size = begin + 18, size - 18
    cursor_init(&c, begin, size, &message)
    take_message(&c, &text, numbered)
    check_place(&c)
    check_tokens(&c, &message)
    for simd in range(2):
        widths.head = 0
        at = begin + 18
        n = read_pairs(&at, past, begin, 1, price_scale, qty_scale, price, qty, &widths, simd)
        claim(n <= 64 and begin + 18 <= at <= past, b"levels are read within their list")
        end = begin + 18
        m = careful_pairs(&end, past, price_scale, qty_scale, careful_price, careful_qty, n)
        claim(m == n, b"levels in a row are levels one by one")
        for i in range(n):
            claim(price[i] == careful_price[i] and qty[i] == careful_qty[i], b"and have the same numbers")
    return 0


# ---- with an oracle in Python: slower, and sure

cdef int decimal_one(const uint8_t* data, size_t size) noexcept:
    """A scale, then the text of a number, against Decimal."""
    try:
        if 1 <= size <= 128:
            against_decimal(data[0] % 19, data[1:size])
    except BaseException as error:  # noqa: BLE001
        stop(error)
    return 0


cdef int against_decimal(int scale, bytes text) except -1:
    cdef const char* p = text
    cdef const char* past = p + len(text)
    cdef int decimals = 0
    cdef int64_t units = 0, ns = 0
    cdef double value = 0
    cdef Status status = read_units(p, past, scale, &units, &decimals)
    check_units(text, scale, status, units, decimals)
    status = read_double(p, past, &value)
    check_double(text, status, value)
    status = read_time(p, past, &ns)
    check_time(text, status, ns)
    return 0


cdef int json_one(const uint8_t* data, size_t size) noexcept:
    """Any bytes as one JSON document, against Python's json."""
    cdef Cursor c
    try:
        cursor_init(&c, <const char*> data, size, NULL)
        skip_value(&c)
        at_end(&c)
        check_json(data[:size], c.status == OK)
    except BaseException as error:  # noqa: BLE001
        stop(error)
    return 0


cdef int stop(error) except -1:
    """A rule that Python code found broken, or an exception that should not be."""
    print(f"broken rule: {error!r}", flush=True)
    abort()
    return 0


NAMES = ("scan", "numbers", "protobuf", "decimal", "json")
cdef target_function[5] TARGETS_C
TARGETS_C[0] = scan_one
TARGETS_C[1] = numbers_one
TARGETS_C[2] = protobuf_one
TARGETS_C[3] = decimal_one
TARGETS_C[4] = json_one
