"""Recordings: what went into a pipeline, on disk, in order. See docs/recording.md."""
