"""Print the table of docs/venues.md: venue, channel, evidence, and what the venue's numbers can and cannot prove."""

from __future__ import annotations

from feeds.venues import VENUES, load


def table() -> str:
    """The table as Markdown."""
    rows = ["| venue | channel | evidence | what its numbers show, and what they cannot |", "|---|---|---|---|"]
    for name in VENUES:
        shown = f"`{name}`"
        for it in load(name).evidence:
            rows.append(f"| {shown} | {it.channel} | {it.proof} | {it.detects.replace('|', '/')} |")
            shown = ""
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
