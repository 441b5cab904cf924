"""Fixtures of the whole suite: where the recorded data is, what it should give, and a seed that can be repeated."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Files whose tests build on each other in one place: each goes to one worker, and the longest begins first. The mark
# xdist_group would say so as well, but newer releases of pytest do not let xdist write it into a test's name.
TOGETHER = {"tests/test_wheel.py"}

# Time limits per example fail on a busy machine and prove nothing there.
settings.register_profile("wirebook", deadline=None, print_blob=True)
settings.load_profile("wirebook")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for a socket, a clock or another program."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Any test to the worker that is free, but those of `TOGETHER` to the same one."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in TOGETHER else nodeid

    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def find_data() -> Path:
    """The folder of recorded captures: WIREBOOK_DATA, or shared/data beside the project."""
    return Path(os.environ.get("WIREBOOK_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the recorded captures; without it a test is skipped, and fails where CI is "true"."""
    folder = find_data()
    if not (folder / "reference.json").is_file():
        reason = f"no recorded captures in {folder} (set WIREBOOK_DATA)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def reference(data_dir: Path) -> dict[str, dict]:
    """What the captures must give: file name -> its figures; the rules are in the data's README."""
    return json.loads((data_dir / "reference.json").read_text())


@pytest.fixture
def seed() -> int:
    """Seed of a random test; pytest prints it where the test fails, and WIREBOOK_SEED repeats it."""
    value = int(os.environ.get("WIREBOOK_SEED") or random.SystemRandom().randrange(2**32))
    print(f"WIREBOOK_SEED={value}")
    return value
