"""A handler that keeps every event, and what frames give through a fresh pipeline."""

from __future__ import annotations

import json

from feeds import Pipeline


class Events:
    """A handler that keeps a copy of every event but books."""

    def __init__(self):
        self.kept = []

    def keep(self, event):
        self.kept.append(event.copy())

    on_trade = on_quote = on_ticker = on_mark = on_open_interest = on_liquidation = keep

    def of(self, name):
        """The events of one type, such as "Trade"."""
        return named(self.kept, name)


def named(kept, name):
    """Those of the events whose type has that name."""
    return [event for event in kept if type(event).__name__ == name]


def feed(pipeline, *frames):
    """Feed frames, bytes or text or what is to be JSON, none of which is an error."""
    for frame in frames:
        if isinstance(frame, str):
            frame = frame.encode()
        elif not isinstance(frame, bytes):
            frame = json.dumps(frame, separators=(",", ":")).encode()
        pipeline.feed(frame)
    assert pipeline.counters["errors"] == 0, pipeline.last_error


def fed(venue, *frames, handler=None, **options):
    """A pipeline that took the frames without an error."""
    pipeline = Pipeline(venue, handler, **options)
    feed(pipeline, *frames)
    return pipeline


def events(venue, *frames, **options):
    """What the frames give, through one pipeline without an error."""
    handler = Events()
    fed(venue, *frames, handler=handler, **options)
    return handler.kept
