"""Any OpenAI-compatible chat endpoint as a judge."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

import httpx

from engine.errors import LabError
from engine.events import Cancel
from engine.lab.judges.judge import JudgedItem, Score
from engine.lab.judges.rubric import ask, expected, number

KEYS = ("STEER_JUDGE_KEY", "OPENAI_API_KEY")  # the environment variables that may hold the key
_TOP = 100
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT_S = 60.0
_LONGEST_REPLY = 1 << 20  # bytes
_LOOK_S = 0.05  # how often a stop is looked for

_SECRET = re.compile(r"(?<=://)[^/?#]*@|\?.*$")

Place = tuple[int, str]  # which answer, and "trait" or "coherence"


@dataclass(frozen=True)
class EndpointJudge:
    """An OpenAI-compatible chat endpoint as a judge (engine/README.md, Eq. 21).

    The score is the expected value of the first token's numbers, or the plain number that is answered. Tries
    again after rate limits, server errors and time-outs, as late as the server asks for. An answer without a
    number is a missing score.

    Attributes:
        url: up to and with "/v1".
        model: its name there.
        timeout_s: for a whole reply, in seconds.
        tries: of each question.
        pause_s: before the second one, in seconds; doubled each time.
        at_once: questions under way at the same time.
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
        """Without what a URL may hold of a password or a key: it goes into reports and messages."""
        return f"{self.model} at {_SECRET.sub('', self.url)}"

    def judge(self, items: Sequence[JudgedItem], cancel: Cancel) -> list[Score]:
        """The scores of all items.

        Raises:
            LabError: when the endpoint cannot be asked at all.
            Cancelled: when asked to stop.
        """
        return asyncio.run(self._judge(items, cancel))

    async def _judge(self, items: Sequence[JudgedItem], cancel: Cancel) -> list[Score]:
        """All of them; the first failure, or a stop, ends the others wherever they wait."""
        key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        headers = {"Accept-Encoding": "identity"}  # what is packed may unpack to any size
        if key:
            headers["Authorization"] = f"Bearer {key}"
        free = asyncio.Semaphore(self.at_once)

        async def one(client: httpx.AsyncClient, item: JudgedItem, what: str) -> float | None:
            async with free:
                return await self._ask(client, ask(item, what, _TOP))

        async with httpx.AsyncClient(headers=headers, timeout=None) as client:
            pending = {
                asyncio.create_task(one(client, item, what)): (i, what)
                for i, item in enumerate(items)
                for what in ("trait", "coherence")
            }
            try:
                said = await _watched(pending, cancel)
            finally:
                for task in pending:
                    task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)
        return [Score(said[i, "trait"], said[i, "coherence"]) for i in range(len(items))]

    async def _ask(self, client: httpx.AsyncClient, text: str) -> float | None:
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
            try:
                # One limit for the whole reply: a server that sends a byte now and then never ends either.
                async with asyncio.timeout(self.timeout_s):
                    reply, said = await self._post(client, body)
            except httpx.InvalidURL as error:
                raise self._failed(f"{error}.") from None
            except TimeoutError:
                why = f"It did not answer within {self.timeout_s:g} s."
            except (OverflowError, UnicodeError, ExceptionGroup):  # a port or a name that no address has
                raise self._failed("Its URL is not valid.") from None
            except httpx.RequestError as error:
                why = f"{str(error).rstrip('.') or type(error).__name__}."
            else:
                if reply.status_code == 200:
                    return _score(said)
                why = f"It answered {reply.status_code} {reply.reason_phrase}."
                if reply.status_code == 400 and "logprobs" in body:  # some servers do not know them
                    del body["logprobs"], body["top_logprobs"]
                    continue
                if reply.status_code not in _AGAIN:
                    raise self._failed(why)
                wait = _asked_wait(reply) or wait
            if attempt + 1 < self.tries:
                await asyncio.sleep(min(wait, _LONGEST_WAIT_S))
        raise self._failed(why)

    async def _post(self, client: httpx.AsyncClient, body: Any) -> tuple[httpx.Response, bytes]:
        """The reply and its beginning: whoever sends more than a number's worth talks rubbish."""
        said = b""
        url = f"{self.url.rstrip('/')}/chat/completions"
        async with client.stream("POST", url, json=body) as reply:
            packed = reply.headers.get("Content-Encoding", "identity")
            if packed != "identity":
                raise self._failed(f"It answers packed as {packed[:20]}, which was not asked for.")
            async for some in reply.aiter_raw():
                said += some
                if len(said) > _LONGEST_REPLY:
                    break
        return reply, said

    def _failed(self, why: str) -> LabError:
        return LabError(
            f"The judge {self.name} did not answer",
            why,
            f"Check the address, the model's name and the key (in {' or '.join(KEYS)}); what was judged "
            "already is kept.",
        )


async def _watched(
    pending: Mapping[asyncio.Task[float | None], Place], cancel: Cancel
) -> dict[Place, float | None]:
    """What each gave. Raises the first failure, and Cancelled as soon as that is asked for."""
    waiting = set(pending)
    while waiting:
        cancel.check()
        done, waiting = await asyncio.wait(waiting, timeout=_LOOK_S, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    return {place: task.result() for task, place in pending.items()}


def _score(text: bytes) -> float | None:
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
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _asked_wait(reply: httpx.Response) -> float | None:
    try:
        return max(0.0, float(reply.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
