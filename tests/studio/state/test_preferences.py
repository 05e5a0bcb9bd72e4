"""Settings: a file that is none, or far too large, is moved away and costs itself alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.state.preferences import Preferences


@pytest.mark.parametrize("what", ["pipe", "folder", "sparse"])
def test_what_is_no_file_of_settings_is_set_aside(
    what: str, qtbot, tmp_path: Path, complaints: list[str]
) -> None:
    path = tmp_path / "settings.ini"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    made = Preferences(tmp_path)
    assert made.get("zoom") == 1.0 and "settings.ini.damaged" in complaints.pop()
    made.set("zoom", 1.25)
    made.sync()
    assert (tmp_path / "settings.ini.damaged").exists()
    assert Preferences(tmp_path).get("zoom") == 1.25


@pytest.mark.parametrize("zoom", ["nan", "inf", "1e400", "9" * 5000, "@Invalid()", "-1", "ä"])
def test_a_hostile_value_is_the_default(zoom: str, qtbot, tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_text(f"[General]\nzoom={zoom}\nlive={zoom}\nscheme={zoom}\n")
    made = Preferences(tmp_path)
    assert (made.get("zoom"), made.get("live"), made.get("scheme")) == (1.0, False, "system")
