"""Records done again: the calls that a live pipeline got, to another one."""

from __future__ import annotations

from typing import Any

from feeds.pipeline import Pipeline
from feeds.recording import form
from feeds.recording.form import Record, time_text
from feeds.recording.play import doubt
from feeds.recording.reader import About

CALLS = frozenset(("carry", "follow", "forget", "hand_over", "lose", "part", "settle", "share"))
PROPERTIES = frozenset(("market", "wire"))


def pipeline_of(about: About, handler: object = None, **options: Any) -> Pipeline:
    """A Pipeline as the session that a segment belongs to began with.

    Raises: ValueError, for one, where the segment tells of what this version does not know.
    """
    made = about.pipeline
    return Pipeline(about.venue, handler, None if made.get("all_symbols") else (), market=about.market or None,
                    wire=about.wire or None, on_gap=made.get("on_gap", "resync"),
                    max_symbols=made.get("max_symbols", 4096), **options)


def act(pipeline: Pipeline, record: Record) -> None:
    """Do to a pipeline what a record says: what is no news for it does nothing.

    Raises: what a handler raises; ValueError for a call that this version does not know.
    """
    kind = record.kind
    pipeline.now_ns = record.time_ns
    if kind in (form.TEXT, form.BINARY):
        pipeline.feed(record.payload, record.time_ns, record.line)
    elif kind == form.REST:
        pipeline.rest(*record.rest(), record.time_ns)
    elif kind == form.OPENED:
        pipeline.opened(record.line, record.payload.decode("utf-8", "replace"))
    elif kind == form.CLOSED:
        pipeline.closed(record.line, record.payload.decode("utf-8", "replace"))
    elif kind == form.LOSS:
        loss = record.loss()
        doubt(pipeline, f"{loss.records} records of {time_text(loss.first_ns)} to {time_text(loss.last_ns)} are "
                        f"missing in the recording")
    elif kind == form.CONTROL:
        _call(pipeline, *record.control())


def _call(pipeline: Pipeline, name: str, *args: Any) -> None:
    if name == "take_instruments":
        pipeline.take_instruments(args[0].encode("utf-8", "surrogateescape"))
    elif name in PROPERTIES:
        setattr(pipeline, name, args[0])
    elif name in CALLS:
        getattr(pipeline, name)(*args)
    else:
        raise ValueError(f"a recording of a newer version: it calls {name!r}")
