"""Checkpoints: all that a pipeline knows of its books as bytes, and a pipeline that goes on from there."""

from collections.abc import Container

from feeds.pipeline import Pipeline

VERSION: int

class CheckpointError(ValueError):
    """Bytes are no checkpoint, or none that this build and pipeline can go on from."""

def take(pipeline: Pipeline) -> bytes | None:
    """The state of a pipeline between two messages as bytes; None if too much waits in buffers for a snapshot."""

def restore(pipeline: Pipeline, state: bytes, symbols: Container[str] | None = None,
            reason: str | None = None) -> None:
    """Make a pipeline of the same venue go on from a checkpoint. Books it has already stay the same objects, and are
    EMPTY if the checkpoint does not know them.

    Parameters: symbols -- of these only, as the venue writes them. reason -- what a handler's on_status is told of
    books whose state is another one now; None: it is told nothing.
    Raises: CheckpointError, with the pipeline as it was, for a checkpoint of another version, kind of machine or venue.
    """
