"""Recorder: writes all that goes into a pipeline to disk, beside the thread that feeds it.

    async with connect(venue, symbols, record="session/") as feed: ...

    feed = connect(venue, symbols)
    with Recorder(feed, "session/", rotate_size=100 << 20):
        async with feed: ...

What goes in is copied into a ring of bytes (feeds.recording.tap); a thread takes it out, packs and writes it. That
thread has a pipeline of its own that takes the same records: it tells which symbols a chunk has, and gives the
checkpoints.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import deque
from collections.abc import Callable
from os import PathLike, fspath
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Self

from feeds import checkpoint
from feeds.pipeline import Pipeline
from feeds.recording import form
from feeds.recording.play import arguments, followed
from feeds.recording.reader import About, RecordingError
from feeds.recording.shadow import Shadow
from feeds.recording.tap import Tap
from feeds.recording.writer import CHUNK_SIZE, LEVEL, ROTATE_S, ROTATE_SIZE, Store

if TYPE_CHECKING:
    from feeds.session import Feed

log = logging.getLogger(__name__)

BUFFER_SIZE = 64 << 20          # bytes of records that wait for the writer
CHUNK_S = 1.0                   # seconds after which what there is becomes a chunk: what a kill can cost
LOOK_S = 0.02                   # between two looks of the writer
RETRY_S = 1.0                   # until a write that failed is tried again,
LAST_TRIES_S = 2.0              # and for how long that goes on when the recorder is stopped
NEWS_KEPT = 100


class Recorder:
    """Records a Feed, from its opening to its end, or a Pipeline; use as a context manager.

    Parameters:
    source -- the Feed or the Pipeline. Of one that is at work already the books are recorded first.
    directory -- of the recording; there may be others in it.
    chunk_size, chunk_s -- bytes and seconds of records after which a chunk is written.
    rotate_size, rotate_s -- bytes and seconds after which a new segment begins.
    buffer_size -- bytes that wait for the disk at most; what comes when it is full is lost, counted, and the loss
    recorded. level -- of zstd. index -- False: no second pipeline, so neither symbols in the index nor checkpoints.
    Raises: RecordingError if the directory cannot be written to, MissingExtra without zstandard; ValueError.
    """

    def __init__(self, source: Feed | Pipeline, directory: str | PathLike[str], *, chunk_size: int = CHUNK_SIZE,
                 chunk_s: float = CHUNK_S, rotate_size: int = ROTATE_SIZE, rotate_s: float = ROTATE_S,
                 buffer_size: int = BUFFER_SIZE, level: int = LEVEL, index: bool = True) -> None:
        if chunk_size < 1 or rotate_size < 1 or not chunk_s > 0 or not rotate_s > 0:
            raise ValueError("chunk_size, chunk_s, rotate_size and rotate_s are above 0")
        form.zstandard()
        self.feed = None if isinstance(source, Pipeline) else source
        self.pipeline = source if isinstance(source, Pipeline) else source.pipeline
        self.directory = fspath(directory)
        self.chunk_size = chunk_size
        self.chunk_s = chunk_s
        self.index = index
        self.tap = Tap(buffer_size)
        self._options = {"rotate_size": rotate_size, "rotate_s": rotate_s, "level": level}
        self._store: Store | None = None
        self._shadow: Shadow | None = None
        self._state: bytes | None = None        # of a pipeline that was at work before
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._news: deque[str] = deque(maxlen=NEWS_KEPT)
        self._failed_at: float | None = None    # since when nothing can be written
        self._failures = 0
        self._told_lost = 0
        self._told_at = 0.0
        self._unwritten = 0                     # records that were given up at the end

    # ---- from the thread that feeds

    def check(self) -> None:
        """Make the directory, and see that it can be written to. Raises: RecordingError."""
        self._open()

    def start(self) -> None:
        """Begin to record. Raises: RecordingError; ValueError if the pipeline is being recorded."""
        if self._thread is not None:
            raise ValueError(f"{self.directory}: this recorder has been started before")
        if self.pipeline.tap is not None:
            raise ValueError(f"{self.pipeline.venue}: this pipeline is being recorded already")
        store = self._open()
        known = followed(self.pipeline)
        store.about = About(self.pipeline.venue, self.pipeline.market or "", self.pipeline.wire, store.about.session,
                            0, 0, {**arguments(self.pipeline), "late": bool(known)})
        self._state = checkpoint.take(self.pipeline) if known else None
        for symbol, depth, market in known if self._state is None else ():      # then from each book's next snapshot
            self.tap.call("follow", symbol, depth, market)
        if self.index:
            self._shadow = Shadow(store, self._state)
        self._thread = threading.Thread(target=self._run, name=f"{self.pipeline.venue} recorder", daemon=True)
        self._thread.start()
        self.pipeline.tap = self.tap

    def detach(self) -> None:
        """Take nothing more in."""
        if self.pipeline.tap is self.tap:
            self.pipeline.tap = None
            self.tap.flush_loss()

    def stop(self) -> None:
        """Write what is left and end the segment; returns when that is done. Again is no harm."""
        self.detach()
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        if self.feed is None:
            self.start()
            return self
        if self.feed.recorder not in (None, self):
            raise ValueError(f"{self.pipeline.venue}: this feed is being recorded already")
        self.feed.recorder = self
        self.check()
        if followed(self.pipeline):             # it is open; else it starts this when it opens
            self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stats(self) -> dict[str, Any]:
        """Figures as a new dict: records and bytes (on disk) written, segments, `lost` records and their bytes, those
        that wait, failed writes, since how many seconds nothing can be written (None: it can), `unwritten` at the
        end; bytes that the index is `behind`."""
        store, failed_at = self._store, self._failed_at
        return {"directory": self.directory, "records": store.records if store else 0,
                "bytes": store.size if store else 0, "segments": store.about.part if store else 0,
                "waiting": self.tap.waiting, "buffer": self.tap.capacity, "lost": self.tap.lost_records,
                "lost_bytes": self.tap.lost_bytes, "failures": self._failures,
                "failing_s": None if failed_at is None else round(monotonic() - failed_at, 1),
                "unwritten": self._unwritten, "indexed": self._shadow is not None,
                "behind": self._shadow.behind if self._shadow is not None else 0}

    def news(self) -> list[str]:
        """What went wrong, or well again, since the last call."""
        found = []
        while self._news:
            found.append(self._news.popleft())
        return found

    def _open(self) -> Store:
        if self._store is None:
            about = About(self.pipeline.venue, "", "", "", 0, 0, {})
            try:
                self._store = Store(self.directory, about, **self._options)
            except OSError as error:
                raise RecordingError(self.directory, "a directory that can be written to",
                                     error.strerror or str(error)) from None
        return self._store

    # ---- the thread that writes

    def _run(self) -> None:
        try:
            last = monotonic()
            while not self._stop.wait(LOOK_S):
                now = monotonic()
                if self.tap.waiting >= self.chunk_size or (self.tap.waiting and now - last >= self.chunk_s):
                    self._take()
                    last = now
                self._tell_losses(now)
            self._tell_losses(float("inf"))
            while self.tap.waiting or not self.tap.flush_loss():
                if not self._take():
                    break
            self._end()
        except Exception:               # a fault of ours
            log.exception("%s: unexpected failure of the recorder", self.directory)
            self._say("the recorder has ended by a fault of its own", logging.ERROR)

    def _take(self) -> bool:
        """Write a chunk of what waits; False if that was given up."""
        store, taken = self._store, self.tap.take(self.chunk_size)
        if store is None or taken is None:
            return True
        data, count, first_ns, last_ns = taken

        def write() -> None:
            store.write_records(data, count, first_ns, last_ns)

        written = ((not store.is_due(last_ns) or self._begin(first_ns))
                   and (self._try(write, errno.EFBIG) or (self._begin(first_ns) and self._try(write))))
        if not written:
            self._unwritten += count
        elif self._shadow is not None:
            self._follow(self._shadow, data)
        return written

    def _begin(self, first_ns: int) -> bool:
        """Begin a segment, with a checkpoint if there were others before; False if that was given up."""
        store, shadow = self._store, self._shadow
        assert store is not None
        if not self._try(lambda: store.begin(first_ns)):
            return False
        state, self._state = self._state, None
        if state is not None:
            self._try(lambda: store.checkpoint(state, first_ns))
        elif shadow is not None and store.records and not shadow.behind:
            self._guarded(shadow, shadow.checkpoint)
        return True

    def _follow(self, shadow: Shadow, data: bytes) -> None:
        """Let the second pipeline take a chunk too, as far as there is time for that."""
        def follow() -> None:
            while shadow.behind and (self.tap.waiting < self.tap.capacity // 4
                                     or (self._stop.is_set() and shadow.behind < shadow.keeps)):
                shadow.take()
            if not shadow.behind and shadow.is_due():
                shadow.checkpoint()

        shadow.add(data)
        self._guarded(shadow, follow)

    def _guarded(self, shadow: Shadow, call: Callable[[], None]) -> None:
        """The records are what matters: without room for a checkpoint there is none, and a fault ends them."""
        try:
            call()
        except OSError as error:
            log.warning("%s: no checkpoint: %s", self.directory, error)
        except Exception:
            log.exception("%s: the records cannot be followed", self.directory)
            self._shadow = None
            self._say("the records cannot be followed: neither symbols nor checkpoints from here on", logging.ERROR)

    def _try(self, call: Callable[[], None], hopeless: int = 0) -> bool:
        """Call until it does not raise OSError. False: of the errno `hopeless`, or given up as the recorder ends."""
        ends = float("inf")
        while True:
            try:
                call()
            except OSError as error:
                self._failures += 1
                now = monotonic()
                if error.errno == hopeless:
                    return False
                if self._failed_at is None:
                    self._failed_at = now
                    self._say(f"nothing can be written: {error.strerror or error}; trying again", logging.ERROR)
                if self._stop.is_set():
                    ends = min(ends, now + LAST_TRIES_S)
                    if now >= ends:
                        return False
                    sleep(RETRY_S / 5)
                else:
                    self._stop.wait(RETRY_S)
                self._tell_losses(now)
            else:
                if self._failed_at is not None:
                    self._say(f"written again, after {monotonic() - self._failed_at:.1f} s", logging.WARNING)
                    self._failed_at = None
                return True

    def _end(self) -> None:
        """End the segment, and say what could not be written."""
        while (taken := self.tap.take(self.chunk_size)) is not None:
            self._unwritten += taken[1]
        assert self._store is not None
        try:
            self._store.close()
        except OSError as error:
            self._say(f"the last segment has no index: {error.strerror or error}", logging.ERROR)
        if self._unwritten:
            self._say(f"{self._unwritten} records at the end could not be written", logging.ERROR)

    def _tell_losses(self, now: float) -> None:
        lost = self.tap.lost_records
        if lost != self._told_lost and now - self._told_at >= 1.0:
            self._say(f"{lost - self._told_lost} records lost, as the disk does not keep up ({lost} since the start)",
                      logging.ERROR)
            self._told_lost, self._told_at = lost, now

    def _say(self, text: str, level: int) -> None:
        log.log(level, "%s: %s", self.directory, text)
        self._news.append(f"recording into {self.directory}: {text}")
