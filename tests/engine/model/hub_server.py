"""A model hub on this machine: it speaks the hub's protocol to the real client, and breaks when told to."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

BIG = 100_000  # bytes; from here on a file is a large one, kept elsewhere and named by its sha256
PIECE = 1 << 16


@dataclass
class Hub:
    """What it holds, how it misbehaves, and what it was asked."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)  # of each repository's main
    gated: set[str] = field(default_factory=set)
    cuts: list[int] = field(default_factory=list)  # the next large answers end after so many bytes
    spoilt: bool = False  # large files come with a wrong last byte
    pause: float = 0.0  # seconds between two pieces of a large answer
    stall: float = 0.0  # seconds before the last piece
    asked: list[tuple[str, str, int]] = field(default_factory=list)  # method, path, first byte
    sent: int = 0  # bytes of large files
    url: str = ""
    storage: str = ""  # where large files are: another host, as with the real one

    def add(self, name: str, folder: Path) -> str:
        """Takes a folder's files in as repository `name`; its commit."""
        self.repositories[name] = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
        self.commits[name] = hashlib.sha1(name.encode()).hexdigest()
        return self.commits[name]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub answers at `hub.url` within this context."""

    class Handler(_Handler):
        store = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    hub.storage = hub.url.replace("127.0.0.1", "localhost")
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Hub

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.store.asked.append((self.command, path, first))
        words = path.strip("/").split("/")
        if words[:2] == ["api", "models"]:
            self._tell("/".join(words[2:4]), words[4:], "blobs" in query)
        elif words[0] == "storage":
            self._send_large(self.store.repositories["/".join(words[1:3])][words[3]], first)
        elif len(words) == 5 and words[2] == "resolve":
            self._resolve("/".join(words[:2]), words[3], words[4], first)
        else:
            self._refuse(404, "EntryNotFound")

    def _known(self, name: str, revision: str) -> bool:
        if name not in self.store.repositories:
            self._refuse(404, "RepoNotFound")
        elif revision not in ("main", self.store.commits[name]):
            self._refuse(404, "RevisionNotFound")
        else:
            return True
        return False

    def _tell(self, name: str, words: list[str], blobs: bool) -> None:
        """/api/models/NAME[/revision/REVISION] and /api/models/NAME/tree/REVISION."""
        revision = words[1] if len(words) > 1 else "main"
        if not self._known(name, revision):
            return
        files = self.store.repositories[name]
        if words and words[0] == "tree":
            self._send_json([{"type": "file", "path": n, **_facts(data, "oid")} for n, data in files.items()])
            return
        siblings = [{"rfilename": n, **(_facts(d, "blobId") if blobs else {})} for n, d in files.items()]
        gated = "manual" if name in self.store.gated else False
        record = {"id": name, "modelId": name, "sha": self.store.commits[name], "siblings": siblings}
        self._send_json({**record, "gated": gated, "private": False, "tags": [], "downloads": 0})

    def _resolve(self, name: str, revision: str, file: str, first: int) -> None:
        if not self._known(name, revision):
            return
        if name in self.store.gated:
            self._refuse(403, "GatedRepo")
            return
        data = self.store.repositories[name].get(file)
        if data is None:
            self._refuse(404, "EntryNotFound")
            return
        headers = {"X-Repo-Commit": self.store.commits[name], "ETag": f'"{blob_id(data)}"'}
        if len(data) < BIG:
            self._send(200, data[first:], headers)
            return
        sums = hashlib.sha256(data).hexdigest()
        headers |= {"X-Linked-Etag": f'"{sums}"', "X-Linked-Size": str(len(data))}
        self._send(302, b"", {**headers, "Location": f"{self.store.storage}/storage/{name}/{file}"})

    def _send_large(self, data: bytes, first: int) -> None:
        sums = hashlib.sha256(data).hexdigest()
        headers = {"ETag": f'"{sums}"', "Accept-Ranges": "bytes"}
        if self.store.spoilt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        self._send(206 if first else 200, data[first:], headers, large=True)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code})

    def _send_json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str], large: bool = False) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if not large:
            self.wfile.write(body)
            return
        cut = self.store.cuts.pop(0) if self.store.cuts else len(body)
        try:
            for start in range(0, min(cut, len(body)), PIECE):
                piece = body[start : min(start + PIECE, cut)]
                if start + PIECE >= len(body):
                    time.sleep(self.store.stall)
                self.wfile.write(piece)
                self.store.sent += len(piece)
                time.sleep(self.store.pause)
        except OSError:
            pass  # the client went away
        if cut < len(body):
            self.close_connection = True


def _facts(data: bytes, name: str) -> dict[str, object]:
    facts: dict[str, object] = {"size": len(data), name: blob_id(data)}
    if len(data) >= BIG:
        facts["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "oid": hashlib.sha256(data).hexdigest(),
                        "size": len(data), "pointerSize": 130}  # fmt: skip
    return facts
