"""The long run of `make record-run`, short: two kills, and the digests of a replay are the live ones."""

from __future__ import annotations

from tests.loopback import looped
from tests.record_run import run


@looped
async def test_what_is_on_the_disk_is_what_was_live(tmp_path):
    figures = await run(0.05, 3000.0, tmp_path)
    assert figures["digests_equal"] > 100 and figures["frames"] > 3000 and figures["records"] > 1000
    assert figures["disk_bytes"] > 10_000
