"""A judge behind an OpenAI-compatible endpoint: well-behaved, busy, lying, stalling, talking rubbish."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest

from engine.errors import Cancelled, LabError
from engine.events import Cancel
from engine.lab.judges.endpoint import EndpointJudge
from engine.lab.judges.judge import CachingJudge, JudgedItem, Score, disagreement
from engine.lab.result_cache import ResultCache
from tests.engine.lab.judge_server import Answer, JudgeServer, dripping, says, serving, stalls

ITEM = JudgedItem("Talk like a pirate.", ("What do bees make?",), "Arr, honey.")


def quick(server: JudgeServer, **options: Any) -> EndpointJudge:
    return EndpointJudge(server.url, "small", pause_s=0.01, **options)


def score(answer: Answer, **options: Any) -> Score:
    with serving(answer) as server:
        return quick(server, **options).judge([ITEM], Cancel())[0]


def test_the_expected_value_over_the_first_tokens_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEER_JUDGE_KEY", "secret")

    def answer(body: dict[str, Any], number: int) -> Any:
        assert body["model"] == "small" and body["temperature"] == 0 and body["top_logprobs"] == 20
        about_trait = "follow the instruction" in body["messages"][0]["content"]
        return says("80", {"80": 0.5, "60": 0.3, "maybe": 0.2}) if about_trait else says("90", {"90": 1.0})

    with serving(answer) as server:
        [found] = quick(server).judge([ITEM], Cancel())
        assert server.bodies[0]["path"] == "/v1/chat/completions"
        assert server.headers[0]["Authorization"] == "Bearer secret"
    assert found.trait == pytest.approx((0.5 * 0.8 + 0.3 * 0.6) / 0.8) and found.coherence == 0.9


def test_plain_numbers_where_there_are_no_logprobs_and_where_a_number_is_split() -> None:
    assert score(lambda body, number: says(" 85. ")) == Score(0.85, 0.85)
    split = {"8": 0.9, "9": 0.1}  # the first token of 85 for a tokenizer of digits
    assert score(lambda body, number: says("85", split)) == Score(0.85, 0.85)


def test_a_server_without_logprobs_is_asked_without() -> None:
    def answer(body: dict[str, Any], number: int) -> Any:
        return (400, {}, "logprobs are not supported") if "logprobs" in body else says("70")

    assert score(answer) == Score(0.7, 0.7)


@pytest.mark.parametrize(
    "reply",
    [
        says("I would say it is good"), says("850"), says("-3"), says(""), says("NaN"), {"choices": []},
        {"error": "no"}, [], (200, {}, "<html>"), says("80", {"80": 0.1, "hm": 0.9}),
        {"choices": [{"message": {"content": None}}]}, says("1e3"), (200, {}, "[" * 100_000),
        says("80", {"80": 5.0, "20": 3.0}), says("80", {"80": math.inf}), says("80", {"80": math.nan}),
    ],
)  # fmt: skip
def test_what_is_no_number_is_a_missing_score(reply: Any) -> None:
    assert score(lambda body, number: reply) == Score(None, None)


def test_busy_and_broken_servers_are_asked_again_as_late_as_they_say() -> None:
    began = time.perf_counter()

    def answer(body: dict[str, Any], number: int) -> Any:
        if number < 2:
            return 429, {"Retry-After": "0.3"}, "slow down"
        return [None, (503, {}, "")][number % 2] if number < 4 else says("40")

    assert score(answer) == Score(0.4, 0.4)
    assert time.perf_counter() - began >= 0.3


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (stalls(1.0), "did not answer within 0.1 s"),
        (lambda body, number: (401, {}, "key?"), "401"),
        (lambda body, number: (500, {}, ""), "500"),
        (lambda body, number: None, "judge"),
    ],
)
def test_a_judge_that_cannot_be_heard_is_an_error(answer: Answer, why: str) -> None:
    with pytest.raises(LabError, match=why):
        score(answer, timeout_s=0.1, tries=2)


def test_nobody_there() -> None:
    with serving(lambda body, number: says("1")) as server:
        judge = quick(server, tries=2)
    with pytest.raises(LabError, match="did not answer"):
        judge.judge([ITEM], Cancel())


def test_it_can_be_stopped_while_it_waits() -> None:
    cancel = Cancel()
    with serving(lambda body, number: (429, {"Retry-After": "30"}, "")) as server:
        threading.Timer(0.2, cancel.set).start()
        began = time.perf_counter()
        with pytest.raises(Cancelled):
            quick(server).judge([ITEM] * 3, cancel)
        assert time.perf_counter() - began < 5


def test_it_can_be_stopped_while_the_judge_is_silent() -> None:
    cancel = Cancel()
    with serving(stalls(3.0)) as server:
        threading.Timer(0.2, cancel.set).start()
        began = time.perf_counter()
        with pytest.raises(Cancelled):
            quick(server, timeout_s=30.0).judge([ITEM] * 3, cancel)
        assert time.perf_counter() - began < 1.5


def test_a_reply_that_trickles_in_for_ever_is_one_that_does_not_come() -> None:
    with dripping() as url:
        judge = EndpointJudge(url, "small", timeout_s=0.3, tries=2, pause_s=0.01)
        with pytest.raises(LabError, match=r"did not answer within 0\.3 s"):
            judge.judge([ITEM], Cancel())


def test_rubbish_without_an_end_is_not_read_to_its_end() -> None:
    assert score(lambda body, number: (200, {}, "x" * (4 << 20))) == Score(None, None)


def test_what_was_judged_before_the_judge_fell_silent_is_kept() -> None:
    items = [JudgedItem("Talk like a pirate.", ("Q?",), f"Answer {i}.") for i in range(100)]
    store = ResultCache()
    with serving(lambda body, number: says("40") if number < 160 else (401, {}, "")) as server:
        with pytest.raises(LabError):
            CachingJudge(quick(server), store).judge(items, Cancel())
        url = server.url
    kept = CachingJudge(EndpointJudge(url, "small", tries=1, pause_s=0.01), store)  # nobody answers any more
    assert kept.judge(items[:64], Cancel()) == [Score(0.4, 0.4)] * 64
    with pytest.raises(LabError):
        kept.judge(items, Cancel())


def test_disagreement_with_itself_is_measured_past_the_memory() -> None:
    with serving(lambda body, number: says("40" if number < 2 else "60")) as server:
        judge = CachingJudge(quick(server, at_once=1), ResultCache())
        found = disagreement(judge, [ITEM], Cancel())
    assert found.trait == found.coherence == pytest.approx(0.2) and (found.n, found.missing) == (1, 0)


def test_disagreement_says_how_many_answers_had_no_score() -> None:
    with serving(lambda body, number: says("hm" if number < 2 else "60")) as server:
        found = disagreement(quick(server, at_once=1), [ITEM, ITEM], Cancel())
    assert (found.trait, found.n, found.missing) == (0.0, 2, 1) and "1 of them" in found.words()


def test_answers_are_judged_once_and_missing_scores_again() -> None:
    with serving(lambda body, number: says("hm" if number < 2 else "50")) as server:
        judge = CachingJudge(quick(server), ResultCache())
        assert [judge.judge([ITEM, ITEM], Cancel())[0] for _ in range(3)] == [
            Score(None, None), Score(0.5, 0.5), Score(0.5, 0.5),
        ]  # fmt: skip
        assert len(server.bodies) == 4


def test_a_password_in_the_url_is_in_no_name_and_no_message() -> None:
    judge = EndpointJudge("http://me:secret@127.0.0.1:1/v1?key=hidden", "m", tries=1)
    assert judge.name == "m at http://127.0.0.1:1/v1"
    with pytest.raises(LabError) as failed:
        judge.judge([JudgedItem("Be kind.", ("Why?",), "So.")], Cancel())
    assert "secret" not in str(failed.value) and "hidden" not in str(failed.value)


def test_a_port_that_no_address_has_is_one_error() -> None:
    for url in ("http://127.0.0.1:99999/v1", "http://127.0.0.1:9999999999/v1"):
        with pytest.raises(LabError):
            EndpointJudge(url, "m", tries=1).judge([JudgedItem("Be kind.", ("Why?",), "So.")], Cancel())
