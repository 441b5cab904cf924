"""Tap: what goes into a pipeline is copied here for a recorder, which takes it out in another thread."""

from typing import Self, final

@final
class Tap:
    """A ring of `size` bytes (65,536 or more; the next power of two) of records, between the thread that feeds a
    pipeline and one that writes. Neither waits for the other; what finds no room is counted, and told by a loss record
    as soon as there is some. Set `pipeline.tap` to it. Raises: ValueError, MemoryError.
    """

    def __new__(cls, size: int = 33554432) -> Self: ...

    # The pipeline and its lines call these, in the thread that feeds.
    def sent(self, line: int, text: bytes) -> None:
        """A text frame was sent."""
    def rest(self, url: str, body: bytes, receive_ns: int) -> None:
        """A REST answer came."""
    def opened(self, line: int, url: str) -> None:
        """A connection was opened."""
    def closed(self, line: int, reason: str) -> None:
        """A connection has ended."""
    def call(self, name: str, *args: object) -> None:
        """The pipeline was told something by a call."""
    def flush_loss(self) -> bool:
        """Put in the record of what was lost, for the end, when nothing else will come; False if there is no room."""

    # The writer calls these.
    def take(self, most: int) -> tuple[bytes, int, int, int] | None:
        """(data, records, smallest time, largest time) of whole records of at most about `most` bytes, but one at
        least; None if there are none. They are out of the ring then."""
    @property
    def waiting(self) -> int:
        """Bytes that wait to be taken."""
    @property
    def capacity(self) -> int:
        """Bytes of the ring."""
    @property
    def lost_records(self) -> int:
        """Records that found no room, since the start,"""
    @property
    def lost_bytes(self) -> int:
        """their bytes,"""
    @property
    def lost_calls(self) -> int:
        """and how many of them were no frames."""
