"""A judge on a real socket, speaking the OpenAI-compatible protocol, well or badly."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any], int], Any]  # the request's body and its number from 0 on


class JudgeServer:
    """answer returns the reply's JSON, or (status, headers, text), or None to hang up without a word."""

    def __init__(self, answer: Answer) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._answer, self._lock = answer, threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server._lock:
                    number = len(server.bodies)
                    server.bodies.append({"path": self.path, **body})
                    server.headers.append(dict(self.headers))
                reply = server._answer(body, number)
                if reply is None:
                    self.connection.close()
                    return
                if not isinstance(reply, tuple):
                    reply = (200, {}, json.dumps(reply))
                status, headers, text = reply
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that went away is part of the tests."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@contextmanager
def serving(answer: Answer) -> Iterator[JudgeServer]:
    judge = JudgeServer(answer)
    thread = threading.Thread(target=judge.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield judge
    finally:
        judge.server.shutdown()
        judge.server.server_close()
        thread.join()


def says(text: str, likely: dict[str, float] | None = None) -> dict[str, Any]:
    """A completion; likely: the first token's probabilities by text."""
    choice: dict[str, Any] = {"message": {"role": "assistant", "content": text}}
    if likely is not None:
        top = [{"token": token, "logprob": math.log(p)} for token, p in likely.items()]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return {"choices": [choice]}


def stalls(seconds: float) -> Answer:
    def answer(body: dict[str, Any], number: int) -> Any:
        time.sleep(seconds)
        return says("50")

    return answer


@contextmanager
def dripping() -> Iterator[str]:
    """The address of one that sends a byte now and then, and never comes to an end."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not over.wait(0.05):
                connection.sendall(b" ")

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        over.set()
        listener.close()
