"""`wirebook venues`: what there is."""

from __future__ import annotations

from feeds.venues import VENUES, load


def run() -> None:
    """Print every venue with its channels, addresses and source."""
    for name in VENUES:
        spec = load(name)
        print(name)
        print(f"  channels   {', '.join(spec.channels)}")
        print(f"  stream     {', '.join(dict.fromkeys(spec.roots.values()))}")
        print(f"  REST       {spec.rest_url}")
        if spec.forms:
            print(f"  forms      {spec.forms}")
        print(f"  source     {spec.source} (checked {spec.checked})")
