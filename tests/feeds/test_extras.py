"""Libraries that only some features need."""

from __future__ import annotations

import json
import sys

import pytest

from feeds.extras import MissingExtra, need


def test_what_is_there_is_imported():
    assert need("json", "record") is json
    assert need("json.decoder", "record").JSONDecoder


def test_what_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "no_such_library", None)
    with pytest.raises(MissingExtra, match=r"needs no_such_library: pip install 'wirebook\[record\]'"):
        need("no_such_library.part", "record")


def test_a_library_that_lacks_something_of_its_own_says_what(tmp_path, monkeypatch):
    (tmp_path / "half_a_library.py").write_text("import a_part_that_nobody_has")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_part_that_nobody_has") as caught:
        need("half_a_library", "record")
    assert not isinstance(caught.value, MissingExtra)
