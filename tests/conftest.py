"""Fixtures of the whole suite: where the recorded data is, what it should give, and a seed that can be repeated."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Time limits per example fail on a busy machine and prove nothing there.
settings.register_profile("wirebook", deadline=None, print_blob=True)
settings.load_profile("wirebook")


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
