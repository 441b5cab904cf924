"""The runner of learned layouts for any machine."""

from feeds.parser import Runner

RUNNER: Runner
"""What `feeds.parser.best_runner` hands out."""
