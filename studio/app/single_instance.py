"""One studio per library: a second start hands its files to the first and leaves."""

from __future__ import annotations

import getpass
import hashlib
import json
from pathlib import Path

from PySide6.QtCore import QDir, QLockFile, QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

PATIENCE_MS = 2000
ANSWER_MS = 15_000  # the other one may be starting, or busy


class Unanswered(Exception):
    """A studio runs over the library and does not answer: a second one would write over its work."""


def hand_over(home: Path, sources: list[str]) -> bool:
    """Gives models and head files to the studio that runs over `home`; False when there is none.

    Raises Unanswered.
    """
    socket = _reach(_name(home))
    if socket is None:
        return False
    socket.write(json.dumps(sources).encode() + b"\n")
    socket.waitForBytesWritten(PATIENCE_MS)
    heard = socket.waitForReadyRead(ANSWER_MS) and bytes(socket.readAll().data()) == b"ok\n"
    socket.disconnectFromServer()
    if not heard:
        raise Unanswered
    return True


class SingleInstance(QObject):
    """Listens for later starts; `came` carries what they were asked to open. Of two that start at once, one
    is `listening`."""

    came = Signal(list)

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_knock)
        name = _name(home)
        turn = QLockFile(str(Path(QDir.tempPath(), name + ".lock")))  # to listen takes the name from another
        turn.tryLock(PATIENCE_MS)
        if _reach(name) is None:
            QLocalServer.removeServer(name)  # left over by a studio that was killed
            self._server.listen(name)
        turn.unlock()

    @property
    def listening(self) -> bool:
        return self._server.isListening()

    def close(self) -> None:
        self._server.close()

    @Slot()
    def _on_knock(self) -> None:
        socket = self._server.nextPendingConnection()
        socket.disconnected.connect(socket.deleteLater)
        socket.readyRead.connect(lambda: self._on_words(socket))

    def _on_words(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            return
        try:
            sources = json.loads(bytes(socket.readLine().data()))
        except ValueError:
            socket.abort()  # not one of us
            return
        socket.write(b"ok\n")
        socket.flush()
        self.came.emit([str(source) for source in sources] if isinstance(sources, list) else [])


def _reach(name: str) -> QLocalSocket | None:
    """A connection to who listens under `name`; None when nobody does."""
    socket = QLocalSocket()
    socket.connectToServer(name)
    return socket if socket.waitForConnected(PATIENCE_MS) else None


def _name(home: Path) -> str:
    facts = f"{getpass.getuser()}\n{home.expanduser().resolve()}"
    return "steer-studio-" + hashlib.sha256(facts.encode()).hexdigest()[:16]
