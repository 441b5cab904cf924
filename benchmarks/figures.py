"""The figures of one run: a row each, in the unit that matters, beside what is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

HEADER = f"{'':64} {'min':>10} {'median':>10} {'':12} {'at most':>10}"


@dataclass
class Row:
    name: str
    least: float
    middle: float
    unit: str
    wanted: float | None    # at most

    def __str__(self) -> str:
        verdict = ""
        if self.wanted is not None:
            verdict = f"{self.wanted:>10,.4g}  {'ok' if self.middle <= self.wanted else 'MISSED'}"
        return f"{self.name:64} {self.least:>10,.1f} {self.middle:>10,.1f} {self.unit:12} {verdict}"


ROWS: list[Row] = []


def figure(name: str, values: list[float], unit: str, wanted: float | None = None) -> Row:
    """Add a row to the report; the median is what counts."""
    row = Row(name, min(values), median(values), unit, wanted)
    ROWS.append(row)
    return row
