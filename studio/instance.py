"""One studio per library: a second start hands its files to the first and leaves."""

from __future__ import annotations

import getpass
import hashlib
import json
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

PATIENCE_MS = 2000


def hand_over(home: Path, sources: list[str]) -> bool:
    """Gives models and head files to the studio that runs over `home`; False when there is none."""
    socket = QLocalSocket()
    socket.connectToServer(_name(home))
    if not socket.waitForConnected(PATIENCE_MS):
        return False
    socket.write(json.dumps(sources).encode() + b"\n")
    socket.waitForBytesWritten(PATIENCE_MS)
    heard = socket.waitForReadyRead(PATIENCE_MS) and bytes(socket.readAll().data()) == b"ok\n"
    socket.disconnectFromServer()
    return heard


class Doorkeeper(QObject):
    """Listens for later starts; `came` carries what they were asked to open."""

    came = Signal(list)

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_knock)
        if not self._server.listen(_name(home)):
            QLocalServer.removeServer(_name(home))  # left over by a studio that was killed
            self._server.listen(_name(home))

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


def _name(home: Path) -> str:
    facts = f"{getpass.getuser()}\n{home.expanduser().resolve()}"
    return "steer-studio-" + hashlib.sha256(facts.encode()).hexdigest()[:16]
