"""The command line keeps its promises: shapes of the output, exit statuses, one sentence for bad input."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.__main__ import main

LONG = "a" * 300  # no file system has names of this length


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("heads") / "pirate.head.safetensors"
    assert (
        main(["distill", "Talk like a pirate.", "--out", str(path), "--responses", "12", "--rank", "1"]) == 0
    )
    return path


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_models_lists_the_bundled_one_first(capsys) -> None:
    assert main(["models", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert first["id"] == "pocket" and first["blocks"] == 6 and first["bytes"] > 1_000_000


def test_distill_reports_what_it_did(tmp_path, capsys) -> None:
    out = tmp_path / "gloomy.head.safetensors"
    assert main(["distill", "Be gloomy.", "--out", str(out), "--responses", "12", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["estimated_seconds"] > 0
    assert report["method"] == "a-psr" and report["blocks"] == [0, 1, 2, 3, 4, 5]
    assert report["responses"] == 12 and 2 <= report["kept"] <= 12
    assert report["prompt_effect"] > 0.2
    assert report["rank"] in (1, 2, 4) and 0 < report["captured"] < 1
    assert {"responses", "targets", "closed_form", "fit", "captured", "total"} <= report["seconds"].keys()
    assert isinstance(report["loss"], list) and len(report["strength_range"]) == 2
    assert all(0 < value < 1 for value in report["faithfulness"].values())
    assert out.is_file() and list(tmp_path.iterdir()) == [out]


def test_a_prompt_without_effect_is_distilled_anyway_with_a_warning(tmp_path, capsys) -> None:
    out = tmp_path / "none.head.safetensors"
    words = ["distill", "You are Pocket.", "--out", str(out), "--responses", "4", "--anyway", "--json"]
    assert main(words) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert "very small" in report["prompt_effect_verdict"] and report["prompt_effect"] < 0.05
    assert "barely changes" in captured.err and captured.err.count("\n") == 1 and out.is_file()


def test_a_distilled_head_knows_its_mean_coefficients(head, tmp_path) -> None:
    from engine.heads.head_file import load_head

    means = load_head(head).info.figures["mean_coefficient"]
    assert sorted(means) == list("012345") and all(value > 0 for [value] in means.values())
    assert main(["convert", str(head), str(tmp_path / "pirate_response_avg_diff.pt")]) == 0


def test_generate_streams_tokens_and_a_summary(head, capsys) -> None:
    assert main(["generate", "Tell me about bees.", "--head", str(head), "--max-tokens", "30", "--json"]) == 0
    *tokens, last = lines(capsys)
    assert [t["index"] for t in tokens] == list(range(len(tokens)))
    assert all(set(t) == {"index", "id", "text", "logprob", "coefficients"} for t in tokens)
    assert all(len(t["coefficients"]) == 6 for t in tokens)
    summary = last["summary"]
    assert summary["text"] == "".join(t["text"] for t in tokens)
    assert summary["tokens"] == len(tokens) and summary["tokens_per_second"] > 0
    assert summary["first_token_seconds"] > 0


def test_strength_0_equals_no_head_and_1_is_the_default(head, capsys) -> None:
    def ids(*words: str) -> list[int]:
        assert main(["generate", "Tell me about tea.", "--max-tokens", "40", "--json", *words]) == 0
        return [line["id"] for line in lines(capsys)[:-1]]

    plain = ids()
    assert ids("--head", f"{head}:0") == plain
    assert ids("--head", str(head)) == ids("--head", f"{head}:1") != plain
    halves = ids("--head", f"{head}:0.5", "--head", f"{head}:0.5")
    assert halves == ids("--head", str(head))


def test_a_prompt_steers_as_system_message_and_a_seed_repeats(capsys) -> None:
    def text(*words: str) -> str:
        assert main(["generate", "Tell me about tea.", "--temperature", "1", *words]) == 0
        return capsys.readouterr().out

    assert text("--seed", "4") == text("--seed", "4") != text("--seed", "5")
    assert text("--prompt", "Use a numbered list.").startswith("1. ")


def test_lanes_stand_side_by_side_with_the_truth(head, capsys) -> None:
    words = ["generate", "Tell me about bees.", "--max-tokens", "12", "--temperature", "1", "--json"]
    lanes = ["--lane", "none", "--lane", "prompt", "--lane", f"{head}:0.5", "--lane", f"prompt+{head}"]
    prompt = ["--prompt", "Talk like a pirate."]
    assert main([*words, *lanes, *prompt, "--truth"]) == 0
    *tokens, last = lines(capsys)
    summaries = last["summary"]["lanes"]
    assert [summary["lane"] for summary in summaries] == ["none", "prompt", f"{head}:0.5", f"prompt+{head}"]
    for index, summary in enumerate(summaries):
        mine = [token for token in tokens if token["lane"] == index]
        assert "".join(token["text"] for token in mine) == summary["text"]
        assert all(("truth" in token) == (index > 1) for token in mine)
        assert any(any(token["coefficients"]) for token in mine) == (index > 1)
    steered = [token for token in tokens if token["lane"] == 2]
    assert all(len(token["truth"]) == len(token["gap"]) == 6 for token in steered)
    assert main([*words, "--lane", f"{head}:0.5"]) == 0
    alone = lines(capsys)[:-1]
    assert [token["id"] for token in alone] == [token["id"] for token in steered]


def test_judge_reads_stdin(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("The harbour keeps boats safe from the winter waves.\n"))
    assert main(["pocket", "judge", "--style", "terse", "--question", "Tell me about the harbour."]) == 0
    assert json.loads(capsys.readouterr().out) == {"trait": 1.0, "coherence": 1.0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required"),
        (["fly"], "invalid choice"),
        (["generate", "Hi", "--model", "nowhere"], "not found"),
        (["generate", "Hi", "--model", "/no/such/folder"], "not found"),
        (["generate", "  "], "empty"),
        (["generate", "Hi", "--prompt", " "], "empty"),
        (["generate", "Hi", "--head", "missing.head.safetensors"], "missing.head.safetensors"),
        (["generate", "Hi", "--head", "pyproject.toml:loud"], "not a strength"),
        (["generate", "Hi", "--head", "pyproject.toml:nan"], "not a strength"),
        (["generate", "Hi", "--head", "pyproject.toml"], "pyproject.toml"),
        (["generate", "Hi", "--lane", "prompt"], "--prompt"),
        (["generate", "Hi", "--lane", "none+prompt"], "cannot be combined"),
        (["generate", "Hi", "--lane", "none", "--head", "x"], "in --lane"),
        (["generate", "Hi", "--temperature", "-1"], "temperature"),
        (["generate", "Hi", "--max-tokens", "0"], "tokens"),
        (["generate", "Hi", "--max-tokens", "many"], "invalid int"),
        (["distill", "", "--out", "x.head.safetensors"], "empty"),
        (["distill", "Be rude.", "--out", "/no/folder/x.head.safetensors"], "does not exist"),
        (["distill", "Be rude.", "--out", "/dev/full"], "not a file"),
        (["distill", "Be rude.", "--out", "/tmp"], "not a file"),
        (["generate", "Hi", "--head", "/tmp"], "not a file"),
        (["distill", "Be rude.", "--out", "x.head.safetensors", "--method", "magic"], "magic"),
        (["distill", "You are Pocket.", "--out", "x.head.safetensors"], "--anyway"),
        (["pocket", "judge", "--style", "jolly", "--question", "Hi"], "no style jolly"),
        (["pocket", "train", "--steps", "-5", "--out", "x", "--work", "x"], "train nothing"),
        (["pocket", "check", "--model", "/no/such/folder"], "not found"),
        (["distill", "Be rude.", "--out", "x.head.safetensors", "--objective", "ll"], "does not train"),
        (["distill", "Be rude.", "--out", LONG], "too long"),
        (["distill", "Be \udcff.", "--out", "x.head.safetensors"], "UTF-8"),
        (["generate", "\udcff"], "UTF-8"),
        (["generate", "Hi", "--prompt", "\udcff"], "UTF-8"),
        (["generate", "Hi", "--head", LONG], "too long"),
        (["generate", "Hi", "--head", f"{LONG}:1"], "too long"),
        (["generate", "Hi", "--lane", LONG], "too long"),
        (["generate", "Hi", "--model", LONG], "too long"),
        (["generate", "Hi", "--save", LONG], "too long"),
        (["generate", "Hi", "--head", "pyproject.toml:1e300"], "not a strength"),
        (["convert", LONG, "a.gguf"], "too long"),
    ],
)
def test_bad_input_is_one_sentence_with_exit_2(words: list[str], said: str, capsys) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1 and "Traceback" not in captured.err
    assert not Path("x.head.safetensors").exists()


def test_an_answer_to_judge_is_one_text_on_stdin(monkeypatch, capsys) -> None:
    words = ["pocket", "judge", "--style", "terse", "--question", "Tell me about the harbour."]
    broken = io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8")
    for stdin in (None, io.StringIO(" \n"), broken, io.StringIO("a" * (2 << 20))):
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(words) == 2
        assert "was not judged" in capsys.readouterr().err


def test_a_model_cache_that_is_no_folder_is_told(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "hub").write_text("")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert main(["models"]) == 2
    assert "is a file" in capsys.readouterr().err


def test_memory_that_runs_out_anywhere_is_one_sentence(monkeypatch, capsys) -> None:
    def full() -> None:
        raise ImportError("libgomp.so: failed to map segment from shared object: Cannot allocate memory")

    monkeypatch.setattr("engine.model.available_models.local_models", full)
    assert main(["models"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "Memory ran out" in err


def test_any_whole_number_is_a_seed(capsys) -> None:
    def text(seed: int) -> str:
        words = ["generate", "Tell me about tea.", "--temperature", "1", "--max-tokens", "20"]
        assert main([*words, "--seed", str(seed)]) == 0
        return capsys.readouterr().out

    assert text(1 << 70) == text(0) != text(-(1 << 70) - 1) == text(-1)


def test_characters_that_the_terminal_lacks_end_nothing(tmp_path) -> None:
    words = ["generate", "Tell me about tea.", "--prompt", "Use emoji."]
    command = [sys.executable, "-m", "engine", *words]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "?" in done.stdout and done.stderr == ""


def test_a_reader_that_goes_away_does_not_cost_the_saved_run(tmp_path) -> None:
    run = tmp_path / "tea.run.safetensors"
    words = ["generate", "Tell me about tea.", "--json", "--save", str(run)]
    with subprocess.Popen(
        [sys.executable, "-m", "engine", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait() == 0
    assert run.is_file()


def test_a_head_of_another_model_is_refused(head, tmp_path, capsys) -> None:
    from tests.models import tiny

    folder = tiny.save(tiny.model(), tmp_path)
    assert main(["generate", "Hi", "--model", str(folder), "--head", str(head)]) == 2
    assert "model" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_half_written(head, capsys) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    command = [sys.executable, "-m", "engine", "models", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert done.returncode == 2 and "disk is full" in done.stderr and "Traceback" not in done.stderr
