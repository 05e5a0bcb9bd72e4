"""Any OpenAI-compatible chat endpoint as a judge."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import exp
from typing import Any

import httpx

from engine.errors import Cancelled, LabError
from engine.events import Cancel
from engine.lab.judges.judge import Item, Score
from engine.lab.judges.rubric import ask, expected, number

KEYS = ("STEER_JUDGE_KEY", "OPENAI_API_KEY")  # the environment variables that may hold the key
_TOP = 100
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class EndpointJudge:
    """The expected value of the first token's numbers (persona protocol), or the plain number that it says.

    url: up to and with "/v1"; model: its name there. Tries again after rate limits, server errors and
    time-outs, as late as the server asks for. What it says instead of a number is a missing score; when it
    cannot be asked at all, LabError.
    """

    url: str
    model: str
    timeout_s: float = 30.0
    tries: int = 5
    pause_s: float = 0.5
    at_once: int = 8
    steady = False

    @property
    def name(self) -> str:
        return f"{self.model} at {self.url}"

    def judge(self, items: Sequence[Item], cancel: Cancel) -> list[Score]:
        key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        stop = Cancel()  # one failure ends the others

        def one(client: httpx.Client, item: Item, what: str) -> float | None:
            try:
                return self._ask(client, ask(item, what, _TOP), cancel, stop)
            except BaseException:
                stop.set()
                raise

        with (
            httpx.Client(headers=headers, timeout=self.timeout_s) as client,
            ThreadPoolExecutor(self.at_once) as pool,
        ):
            asked = [
                tuple(pool.submit(one, client, item, what) for what in ("trait", "coherence"))
                for item in items
            ]
            failed = [e for pair in asked for e in (f.exception() for f in pair) if e is not None]
            if failed:
                raise next((e for e in failed if not isinstance(e, Cancelled)), failed[0])
            return [Score(trait.result(), coherence.result()) for trait, coherence in asked]

    def _ask(self, client: httpx.Client, text: str, cancel: Cancel, stop: Cancel) -> float | None:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
            "max_tokens": 4,
            "logprobs": True,
            "top_logprobs": 20,
        }
        why = ""
        for attempt in range(self.tries):
            wait = self.pause_s * 2**attempt
            for each in (cancel, stop):
                each.check()
            try:
                reply = client.post(f"{self.url.rstrip('/')}/chat/completions", json=body)
            except httpx.InvalidURL as error:
                raise self._failed(f"{error}.") from None
            except httpx.TimeoutException:
                why = f"It did not answer within {self.timeout_s:g} s."
            except httpx.TransportError as error:
                why = f"{str(error).rstrip('.') or type(error).__name__}."
            else:
                if reply.status_code == 200:
                    return _score(reply.text)
                why = f"It answered {reply.status_code} {reply.reason_phrase}."
                if reply.status_code == 400 and "logprobs" in body:  # some servers do not know them
                    del body["logprobs"], body["top_logprobs"]
                    continue
                if reply.status_code not in _AGAIN:
                    raise self._failed(why)
                wait = _asked_wait(reply) or wait
            if attempt + 1 < self.tries:
                self._sleep(min(wait, _LONGEST_WAIT_S), cancel, stop)
        raise self._failed(why)

    def _sleep(self, seconds: float, *cancels: Cancel) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for each in cancels:
                each.check()
            time.sleep(min(0.05, left))

    def _failed(self, why: str) -> LabError:
        return LabError(
            f"The judge {self.name} was not heard",
            why,
            f"Check the address, the model's name and the key (in {' or '.join(KEYS)}); what was judged "
            "already is kept.",
        )


def _score(text: str) -> float | None:
    """None for whatever is not an answer in the protocol with a number in it."""
    try:
        choice = json.loads(text)["choices"][0]
        said = choice["message"]["content"]
        whole = number(said, _TOP)
        first = ((choice.get("logprobs") or {}).get("content") or [None])[0]
        # A tokenizer may split 85 into 8 and 5; then the first token's probabilities say nothing.
        if first is not None and str(first["token"]).strip() == said.strip():
            tokens = [(str(t["token"]), exp(float(t["logprob"]))) for t in first["top_logprobs"]]
            return expected(tokens, _TOP)
        return whole
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


def _asked_wait(reply: httpx.Response) -> float | None:
    try:
        return max(0.0, float(reply.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
