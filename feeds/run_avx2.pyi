"""The runner of learned layouts for x86-64 with AVX2. Import it only where `feeds.parser.best_runner` would."""

from feeds.parser import Runner

RUNNER: Runner
"""What `feeds.parser.best_runner` hands out."""
