"""Print the table of docs/simulated.md: what a recorded frame says that no event keeps, venue by venue."""

from __future__ import annotations

from feeds.venues.dialects import SPOKEN, speech


def table() -> str:
    """The table as Markdown."""
    rows = ["| venue | message | field | what it is |", "|---|---|---|---|"]
    for name in SPOKEN:
        shown = f"`{name}`"
        for place, what in speech(name).lost.items():
            kind, _, path = place.partition(" ")
            rows.append(f"| {shown} | {kind} | `{path}` | {what.replace('|', '/')} |")
            shown = ""
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
