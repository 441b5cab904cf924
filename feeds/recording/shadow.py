"""A second pipeline beside the one that is recorded: it tells which symbols a chunk has, and gives the checkpoints."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from feeds import checkpoint
from feeds.recording import acts
from feeds.recording.play import Block, Marks, hush, names

if TYPE_CHECKING:
    from feeds.recording.writer import SegmentFile, Store

KEEPS = 64 << 20               # bytes of records that wait in memory; more are read from the disk again
CHECKPOINT_RAW = 16 << 20       # bytes of records between two checkpoints at least


class Shadow:
    """A pipeline that takes what was written: which symbols a chunk has, and what the books are after it.

    Parameters: store -- where the records were written. state -- of the books before them.
    """

    def __init__(self, store: Store, state: bytes | None) -> None:
        self.pipeline = acts.pipeline_of(store.about)
        hush(self.pipeline)
        if state is not None:
            checkpoint.restore(self.pipeline, state)
        self.behind = 0                     # bytes of records that wait to be taken
        self.keeps = KEEPS
        self._store = store
        self._waiting: deque[tuple[bytes | None, SegmentFile, int]] = deque()
        self._marks = Marks(self.pipeline)
        self._size = 0                      # bytes of the last checkpoint, packed,
        self._at = 0                        # what was on disk after it,
        self._raw = 0                       # and bytes of records since
        self._time_ns = 0                   # of the last record

    def add(self, data: bytes) -> None:
        """The records of the last chunk that was written."""
        segment = self._store.segment
        assert segment is not None
        self._waiting.append((data if self.behind < self.keeps else None, segment, len(segment.chunks) - 1))
        self.behind += len(data)

    def take(self) -> None:
        """Take the next chunk."""
        data, segment, place = self._waiting.popleft()
        if data is None:
            data = segment.read(place)
        self.behind -= len(data)
        self._raw += len(data)
        block = Block(data)
        while True:
            block.feed(self.pipeline, marks=self._marks)
            record = block.next()
            if record is None:
                break
            acts.act(self.pipeline, record)
        self._time_ns = block.time_ns
        self.pipeline.control()             # nobody asks for them
        self._store.symbols[:] = names(self.pipeline)
        segment.chunks[place] = segment.chunks[place]._replace(symbols=self._marks.take())

    def is_due(self) -> bool:
        """Whether it is time for a checkpoint: seldom enough that they are a tenth of what is written."""
        return self._raw >= CHECKPOINT_RAW and self._store.size - self._at >= 10 * self._size

    def checkpoint(self) -> None:
        """Write the state of all books, unless too much of one waits for a snapshot. Raises: OSError."""
        state = checkpoint.take(self.pipeline)
        if state is not None:
            self._size = self._store.checkpoint(state, self._time_ns)
            self._at, self._raw = self._store.size, 0
