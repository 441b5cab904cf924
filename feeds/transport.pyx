"""One WebSocket connection: from picows' read buffer straight into a Pipeline.

A `Line` is the picows listener of one connection. It hands the payload of every frame down as a pointer, joins
fragments, checks what picows leaves unchecked, answers pings and closes, and reads the clock once per read batch.
Bad market data is the pipeline's business and never ends a line; a breach of RFC 6455 does.
"""

# This cimport comes first: it checks the version of picows before the types below are imported.
from feeds.picows_version cimport Supported  # no-cython-lint

import asyncio
import logging
import socket
import ssl

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from picows.picows cimport WSCloseCode, WSCloseInfo, WSFrame, WSListener, WSMsgType, WSTransport

from feeds.pipeline cimport Pipeline

from picows import WSError, ws_connect
from python_socks import ProxyError

from feeds.deflate import HEADER as _HEADER, OFFER as _OFFER, InflateError, Inflater, read_terms

cdef object log = logging.getLogger("feeds.transport")

cdef enum:
    SLACK = 256                 # bytes picows guarantees to be readable past a payload; our own buffer has as many
    FIRST_JOIN = 64 * 1024      # bytes; what the joining buffer starts with
    READ_BUFFER = 128 * 1024    # bytes; what picows' read buffer starts with, it grows and never shrinks
    READ_BUDGET = 1 << 20       # bytes that the kernel may hold for us, about: no more can come in one read
    NS_PER_S = 1_000_000_000


cdef int64_t now_ns() noexcept nogil:
    """Time since the Unix epoch, as `time.time_ns` but without an object."""
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <int64_t>now.tv_sec * NS_PER_S + now.tv_nsec


@cython.final
cdef class Line(WSListener):
    """One connection's listener; see the stub for what its attributes mean.

    It serves one connection: after a loss a new one is made, so nothing of the old connection can leak into it.
    """

    cdef:
        Pipeline pipeline
        WSTransport transport       # None before the handshake and after the end
        object end_guard            # bound `_end_left_batch`, made once so that a batch makes no object
        object loop
        char* joined                # fragments so far, then SLACK bytes; owned, freed in __dealloc__
        Py_ssize_t joined_size
        Py_ssize_t joined_capacity  # without the slack
        bint joining                # a message has begun and its last fragment is still to come
        bint packed                 # and is compressed
        bint binary                 # and is no text
        object inflater             # of compressed messages, None: none was agreed on
        bint dead                   # frames that are still in picows' buffer after the end are not ours any more
        bint opened                 # pipeline.opened has been called
        bint in_batch               # frames of the current read have come, its last one has not
        bint guarded                # end_guard is scheduled
        bint writable               # the peer takes what we send; pongs are left out while it does not
        int64_t batch_ns            # receive time of every frame of the batch
        int64_t batch_frames
        int64_t batch_start         # `wire_bytes` before it
        int64_t reported_ns         # when a handler's failure was last logged
        int64_t unreported          # failures since then

    cdef readonly int line
    cdef readonly Py_ssize_t max_message
    cdef readonly int64_t frames, messages, bytes, wire_bytes, batches, largest_batch, largest_read, pings
    cdef readonly int64_t handler_errors
    cdef readonly bint paused
    cdef readonly int64_t last_frame_ns
    cdef readonly int close_code
    cdef readonly str close_reason
    cdef public str address         # what a recording says was connected to

    def __cinit__(self, Pipeline pipeline not None, int line=0, Py_ssize_t max_message=8 << 20):
        if max_message < 1:
            raise ValueError(f"max_message must be 1 byte or more, not {max_message}")
        self.pipeline = pipeline
        self.line = line
        self.max_message = max_message
        self.joined = NULL
        self.writable = True
        self.close_reason = ""
        self.address = ""

    def __dealloc__(self):
        free(self.joined)

    # picows calls these.

    cpdef on_ws_connected(self, WSTransport transport):
        if self.dead:               # given up during the handshake
            transport.disconnect(False)
            return
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.end_guard = self._end_left_batch
        self.last_frame_ns = now_ns()
        limit_read(transport.underlying_transport)
        self.opened = True
        try:
            self.pipeline.opened(self.line, self.address)
        except Exception:
            self._handler_failed()

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        if self.dead:
            return
        if not self.in_batch:
            self._begin_batch()
        self.frames += 1
        self.batch_frames += 1
        if (frame.fin and not self.joining and (frame.msg_type == WSMsgType.TEXT or frame.msg_type == WSMsgType.BINARY)
                and not (frame.rsv1 or frame.rsv2 or frame.rsv3)):
            self._deliver(frame.payload_ptr, frame.payload_size, frame.msg_type == WSMsgType.BINARY)
        else:
            self._take_other(frame)
        if frame.last_in_buffer:
            self._end_batch()
        elif not self.guarded:
            self.guarded = True
            self.loop.call_soon(self.end_guard)

    cpdef on_ws_disconnected(self, WSTransport transport):
        cdef WSCloseInfo info = None
        self._end_batch()
        self.dead = True
        self.close_code = WSCloseCode.ABNORMAL_CLOSURE
        if transport.close_handshake is not None:
            info = transport.close_handshake.recv
            if info is None or not transport.close_handshake.recv_then_sent:
                info = transport.close_handshake.sent
            if info is not None:
                self.close_code = info.code
                self.close_reason = info.reason or ""
        self.transport = None
        self.end_guard = None
        if not self.opened:
            return
        try:
            self.pipeline.closed(self.line, f"{self.close_code} {self.close_reason}".rstrip())
        except Exception:
            self._handler_failed()

    cpdef pause_writing(self):
        self.writable = False

    cpdef resume_writing(self):
        self.writable = True

    # The path of a message.

    cdef inline void _begin_batch(self) noexcept:
        self.in_batch = True
        self.batch_frames = 0
        self.batch_start = self.wire_bytes
        self.batches += 1
        self.batch_ns = now_ns()
        self.last_frame_ns = self.batch_ns

    cdef inline int _deliver(self, const char* payload, Py_ssize_t size, bint binary) except -1:
        self.messages += 1
        self.bytes += size
        self.wire_bytes += size
        if self.pipeline.tap is not None:
            self.pipeline.tap.binary = binary
        try:
            self.pipeline.feed_c(payload, size, SLACK, self.batch_ns, self.line)
        except Exception:
            self._handler_failed()
        return 0

    cdef int _end_batch(self) except -1:
        if not self.in_batch:
            return 0
        self.in_batch = False
        if self.batch_frames > self.largest_batch:
            self.largest_batch = self.batch_frames
        if self.wire_bytes - self.batch_start > self.largest_read:
            self.largest_read = self.wire_bytes - self.batch_start
        try:
            self.pipeline.flush()
        except Exception:
            self._handler_failed()
        return 0

    def _end_left_batch(self):
        """Runs after each read of several frames: picows can swallow the frame that carries the end of the batch."""
        self.guarded = False
        self._end_batch()

    # Everything that is not a whole message in one frame.

    cdef int _take_other(self, WSFrame frame) except -1:
        cdef bint begins = frame.msg_type == WSMsgType.TEXT or frame.msg_type == WSMsgType.BINARY
        if frame.rsv2 or frame.rsv3 or (frame.rsv1 and (self.inflater is None or not begins)):
            return self._refuse(WSCloseCode.PROTOCOL_ERROR, "reserved bits without an extension")
        if frame.msg_type == WSMsgType.PING:
            self.pings += 1
            if self.writable:
                self.transport.send_pong(frame.get_payload_as_bytes())
            return 0
        if frame.msg_type == WSMsgType.PONG:
            return 0
        if frame.msg_type == WSMsgType.CLOSE:
            return self._answer_close(frame)
        if frame.msg_type == WSMsgType.CONTINUATION:
            if not self.joining:
                return self._refuse(WSCloseCode.PROTOCOL_ERROR, "continuation without a start")
            return self._join(frame)
        if self.joining:
            return self._refuse(WSCloseCode.PROTOCOL_ERROR, "new message inside a fragmented one")
        self.packed = frame.rsv1
        self.binary = frame.msg_type == WSMsgType.BINARY
        if frame.fin:                               # the only way here is that it is compressed
            return self._inflate(frame.payload_ptr, frame.payload_size)
        self.joining = True
        self.joined_size = 0
        return self._join(frame)

    cdef int _join(self, WSFrame frame) except -1:
        if frame.payload_size > self.max_message - self.joined_size:
            return self._refuse(WSCloseCode.MESSAGE_TOO_BIG, f"message of more than {self.max_message} bytes")
        self._reserve(self.joined_size + frame.payload_size)
        memcpy(self.joined + self.joined_size, frame.payload_ptr, frame.payload_size)
        self.joined_size += frame.payload_size
        if frame.fin:
            self.joining = False
            if self.packed:
                return self._inflate(self.joined, self.joined_size)
            memset(self.joined + self.joined_size, 0, SLACK)
            self._deliver(self.joined, self.joined_size, self.binary)
        return 0

    cdef int _inflate(self, const char* payload, Py_ssize_t size) except -1:
        """Inflate a whole message into our own buffer, and deliver it."""
        cdef bytes text
        cdef Py_ssize_t length
        try:
            text = self.inflater.inflate(payload[:size])
        except InflateError as error:
            return self._refuse(<WSCloseCode><int>error.code, str(error))
        length = PyBytes_GET_SIZE(text)
        self._reserve(length)                       # what was joined in it has been inflated
        memcpy(self.joined, PyBytes_AS_STRING(text), length)
        memset(self.joined + length, 0, SLACK)
        self.wire_bytes += size - length
        return self._deliver(self.joined, length, self.binary)

    cdef int _reserve(self, Py_ssize_t size) except -1:
        """Room for `size` joined bytes; the buffer only grows, at most to `max_message`."""
        cdef Py_ssize_t capacity = self.joined_capacity
        cdef char* grown
        if self.joined != NULL and size <= capacity:
            return 0
        capacity = min(self.max_message, max(<Py_ssize_t>FIRST_JOIN, max(2 * capacity, size)))
        grown = <char*>realloc(self.joined, capacity + SLACK)
        if grown == NULL:
            raise MemoryError(f"cannot join a message of {size} bytes")
        self.joined = grown
        self.joined_capacity = capacity
        return 0

    cdef int _answer_close(self, WSFrame frame) except -1:
        """Send the peer's code back (always a code: picows' own default is 0, which RFC 6455 forbids) and leave."""
        cdef WSCloseCode code = frame.get_close_code()
        if code == WSCloseCode.NO_INFO and frame.payload_size < 2:
            code = WSCloseCode.OK
        elif code == WSCloseCode.NO_INFO or code == WSCloseCode.ABNORMAL_CLOSURE:
            code = WSCloseCode.PROTOCOL_ERROR       # never allowed on the wire, yet picows lets them pass
        return self._leave(code, "")

    cdef int _refuse(self, WSCloseCode code, str reason) except -1:
        log.warning("line %d: %s, closing with %d", self.line, reason, <int>code)
        return self._leave(code, reason)

    cdef int _leave(self, WSCloseCode code, str reason) except -1:
        cdef WSTransport transport = self.transport
        self.dead = True
        self._end_batch()
        if transport is not None:
            transport.send_close(code, reason)
            transport.disconnect(True)
        return 0

    cdef int _handler_failed(self) except -1:
        """Count the handler's exception that is being handled; log it, once a second at most."""
        cdef int64_t now = now_ns()
        self.handler_errors += 1
        self.unreported += 1
        if self.reported_ns == 0 or now - self.reported_ns >= NS_PER_S or now < self.reported_ns:
            log.exception("line %d: a handler raised (%d since the last report); the line goes on",
                          self.line, self.unreported)
            self.reported_ns = now
            self.unreported = 0
        return 0

    # The session calls these, from the thread of the loop.

    def agree(self, answers, bint offered):
        terms = read_terms(answers, offered)
        self.inflater = None if terms is None else Inflater(terms, self.max_message)

    @property
    def compressed(self):
        return self.inflater is not None

    @property
    def is_open(self):
        return self.transport is not None and not self.dead

    def send_text(self, str text not None):
        if self.transport is None or self.dead:
            raise ConnectionError(f"line {self.line} is not open")
        if self.pipeline.tap is not None:
            self.pipeline.tap.sent(self.line, text.encode())
        self.transport.send(WSMsgType.TEXT, text.encode())

    def send_ping(self):
        if self.transport is not None and not self.dead:
            self.transport.send_ping(b"")

    def pause(self, bint pause=True):
        if self.transport is None or self.dead or pause == self.paused:
            return
        if pause:
            self.transport.underlying_transport.pause_reading()
        else:
            self.transport.underlying_transport.resume_reading()
        self.paused = pause

    def close(self, int code=1000, str reason not None=""):
        self._leave(<WSCloseCode>code, reason)

    def abort(self):
        self.dead = True
        self._end_batch()
        if self.transport is not None:
            self.transport.disconnect(False)

    async def wait_closed(self):
        cdef WSTransport transport = self.transport
        if transport is None:
            return
        try:
            await transport.wait_disconnected()
        except Exception as error:      # picows hands on what made it leave; the close code says it to our caller
            log.debug("line %d: %s", self.line, error)


async def open_line(pipeline, str url not None, int line=0, *, Py_ssize_t max_message=8 << 20, ssl_context=None,
                    double timeout=10.0, headers=None, bint compression=False, address=None, proxy=None):
    cdef Line listener = Line(pipeline, line, max_message)
    shown = url.partition("?")[0]
    listener.address = address or shown
    sent = dict(headers or {})
    logger = logging.getLogger(f"picows.line.{line}")
    if sent and logger.getEffectiveLevel() < logging.DEBUG:
        logger.setLevel(logging.DEBUG)      # below it picows logs the whole handshake, and headers are keys
    if compression:
        sent[_HEADER] = _OFFER

    # The factory takes exactly two parameters: picows answers a TypeError by calling it again with none.
    def agreed(request, response):
        listener.agree(response.headers.getall(_HEADER, ()), compression)
        return listener

    try:
        async with asyncio.timeout(timeout):
            await ws_connect(
                agreed, url, ssl_context=ssl_context, max_redirects=0, extra_headers=sent,
                websocket_handshake_timeout=timeout, enable_auto_ping=False, enable_auto_pong=False,
                max_frame_size=max_message, read_buffer_init_size=READ_BUFFER, logger_name=logger, proxy=proxy)
    except BaseException as error:
        listener.abort()
        if isinstance(error, (OSError, WSError, ssl.SSLError, TimeoutError, ProxyError)):
            raise ConnectionError(f"{shown}: {reason_of(error, timeout)}") from error
        raise
    if not listener.opened:             # picows returns without a word if the peer hangs up during the handshake
        listener.abort()
        raise ConnectionError(f"{shown}: closed during the handshake")
    return listener


cdef limit_read(transport):
    """Let the peer be ahead of us by READ_BUDGET only. picows' buffer doubles with every read that fills it and never
    shrinks, so what the kernel may hold is what bounds it.

    A system that allows less is left as it is: it would slow down far venues, and what it may hold by itself is bounded
    too (6 MB, where nobody has changed it).
    """
    connection = transport.get_extra_info("socket")
    if connection is None:
        return
    try:
        with open("/proc/sys/net/core/rmem_max") as file:
            if int(file.read()) < READ_BUDGET // 2:
                return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, <int>READ_BUDGET // 2)       # the kernel doubles it
    except (OSError, ValueError) as error:
        log.debug("no bound on a read: %s", error)


cdef str reason_of(error, double timeout):
    """One line on why a connection could not be made."""
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return f"no answer within {timeout:g} s"
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
