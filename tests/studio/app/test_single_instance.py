from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from PySide6.QtNetwork import QLocalSocket

from studio.app.single_instance import SingleInstance, Unanswered, _name, hand_over


def knock(home, *sources: str) -> subprocess.Popen:
    code = (
        "import sys; from pathlib import Path; from studio.app.single_instance import hand_over; "
        "sys.exit(0 if hand_over(Path(sys.argv[1]), sys.argv[2:]) else 3)"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(home), *sources])


def test_nobody_is_there(tmp_path):
    assert not hand_over(tmp_path, ["a.head.safetensors"])


def test_a_second_start_hands_its_files_over(qtbot, tmp_path):
    door = SingleInstance(tmp_path)
    came: list[list[str]] = []
    door.came.connect(came.append)
    second = knock(tmp_path, "/a/b.head.safetensors", "owner/model")
    qtbot.waitUntil(lambda: second.poll() is not None, timeout=20_000)
    assert second.returncode == 0 and came == [["/a/b.head.safetensors", "owner/model"]]
    other = knock(tmp_path / "another")
    assert other.wait(20) == 3  # another library is another studio
    door.close()


def test_of_two_that_start_at_once_one_is_the_studio(qtbot, tmp_path):
    first, second = SingleInstance(tmp_path), SingleInstance(tmp_path)
    assert first.listening and not second.listening
    came: list[list[str]] = []
    first.came.connect(came.append)
    third = knock(tmp_path, "/a/b.head.safetensors")
    qtbot.waitUntil(lambda: third.poll() is not None, timeout=20_000)
    assert third.returncode == 0 and len(came) == 1  # the door is still the first one's
    first.close()


def test_one_that_does_not_answer_is_no_reason_for_a_second(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr("studio.app.single_instance.ANSWER_MS", 200)
    door = SingleInstance(tmp_path)  # in this very thread, which waits below and cannot answer
    with pytest.raises(Unanswered):
        hand_over(tmp_path, [])
    door.close()


def test_rubbish_at_the_door_is_turned_away(qtbot, tmp_path):
    door = SingleInstance(tmp_path)
    came: list[list[str]] = []
    door.came.connect(came.append)
    socket = QLocalSocket()
    socket.connectToServer(_name(tmp_path))
    assert socket.waitForConnected(1000)
    socket.write(b"GET / HTTP/1.1\r\n")
    qtbot.waitUntil(lambda: socket.state() == QLocalSocket.LocalSocketState.UnconnectedState, timeout=3000)
    assert came == []
    door.close()


def test_a_killed_studio_leaves_the_door_to_the_next(qtbot, tmp_path):
    code = (
        "import sys; from pathlib import Path; from PySide6.QtCore import QCoreApplication; "
        "from studio.app.single_instance import SingleInstance; app = QCoreApplication([]); "
        "d = SingleInstance(Path(sys.argv[1])); "
        "print('up', flush=True); app.exec()"
    )
    killed = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert killed.stdout is not None and killed.stdout.readline() == b"up\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    assert not hand_over(tmp_path, [])
    door = SingleInstance(tmp_path)
    assert door.listening
    door.close()
