"""Mutants that no test can catch, as they are the same program: (file, function, change) -> why."""

from __future__ import annotations

SPARED: dict[tuple[str, str, str], str] = {
}
