"""Recordings for tests: records written in small chunks, with the checkpoints of a pipeline that takes them too."""

from __future__ import annotations

from feeds import checkpoint
from feeds.recording import acts, form
from feeds.recording.writer import Store


def write_recording(directory, about, records, *, chunk=60, every=5, rotate_size=1 << 40, rotate_s=1e9):
    """Write a session: chunks of so many records, a checkpoint after `every` of them; 0: none. Returns: the path."""
    store = Store(directory, about, rotate_size=rotate_size, rotate_s=rotate_s)
    shadow = acts.pipeline_of(store.about)
    for number, at in enumerate(range(0, len(records), chunk)):
        part = records[at:at + chunk]
        times = [record.time_ns for record in part]
        if store.is_due(max(times)):
            store.begin(min(times))
            if number and every:
                store.checkpoint(checkpoint.take(shadow), min(times))
        store.write_records(b"".join(map(form.pack_record, part)), len(part), min(times), max(times))
        for record in part:
            acts.act(shadow, record)
        store.symbols[:] = shadow.symbols()
        if every and number % every == every - 1:
            store.checkpoint(checkpoint.take(shadow), max(times))
    store.close()
    return directory
