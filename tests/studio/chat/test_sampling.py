"""Sampling: the loaded model's until the person chooses, and a seed that counts on unless it is kept."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.models import tiny
from tests.studio.app.test_main_job import ask
from tests.studio.app.test_switching import switch
from tests.studio.chat.test_compare_page import WAIT_MS

SAID = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05}
QUESTION = "Tell me about the harbour."


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random GPT-2 whose folder recommends how to sample."""
    folder = tiny.save(tiny.model("gpt2"), tmp_path_factory.mktemp("models") / "tiny-sampled")
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | SAID))
    return str(folder)


def rules(window) -> dict:
    settings = window.workspace.settings
    return {name: getattr(settings, name) for name in SAID if name != "do_sample"}


def again(qtbot, window) -> int:
    """Presses Regenerate; the seed of the new answer."""
    window.actions_["again"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=WAIT_MS)
    return window.workspace.turns[-1].settings.seed


def test_the_models_sampling_is_the_windows_until_the_person_chooses(qtbot, window, sampled):
    composer, greedy = window.composer, rules(window)
    assert greedy == {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}
    assert composer.sampling.text() == "Greedy (seed 0)"
    composer.longest.setValue(6)  # no choice of how tokens are sampled
    switch(qtbot, window, sampled)
    assert (
        rules(window) == {name: SAID[name] for name in greedy} and window.workspace.settings.max_tokens == 6
    )
    assert composer.penalty.value() == 1.05 and composer.sampling.text().startswith("T 0.7")
    ask(qtbot, window, QUESTION)
    assert window.workspace.turns[-1].settings.repetition_penalty == 1.05
    switch(qtbot, window, "pocket")
    assert rules(window) == greedy
    composer.penalty.setValue(1.3)
    switch(qtbot, window, sampled)
    assert rules(window) == greedy | {"repetition_penalty": 1.3}  # the person's
    composer.recommended.click()
    assert rules(window) == {name: SAID[name] for name in greedy} and not composer.recommended.isEnabled()
    window.actions_["undo"].trigger()
    assert rules(window) == greedy | {"repetition_penalty": 1.3}


def test_regenerate_samples_anew_unless_the_seed_is_kept(qtbot, window):
    composer, workspace = window.composer, window.workspace
    composer.longest.setValue(12)
    ask(qtbot, window, QUESTION)
    assert again(qtbot, window) == 0  # greedy: no other seed would change anything
    composer.temperature.setValue(1.5)
    texts = set()
    for seed in (1, 2):
        assert again(qtbot, window) == seed == workspace.settings.seed == composer.seed.value()
        assert (
            composer.sampling.text() == f"T 1.5 (seed {seed})" and window.status.seed.text() == f"Seed {seed}"
        )
        texts.add(workspace.turns[-1].answers[0].text)
    assert len(texts) == 2
    window.actions_["undo"].trigger()
    assert workspace.settings.seed == workspace.turns[-1].settings.seed == 1
    composer.keep_seed.click()
    kept = workspace.turns[-1].answers[0].text
    assert again(qtbot, window) == 1 and workspace.turns[-1].answers[0].text == kept
    ask(qtbot, window, QUESTION)
    assert workspace.turns[-1].settings.seed == 1
    composer.keep_seed.click()
    ask(qtbot, window, QUESTION)
    assert workspace.turns[-1].settings.seed == 2


def test_a_seed_that_is_set_is_kept(qtbot, window):
    window.workspace.set_settings(replace(window.workspace.settings, temperature=1.0, max_tokens=8))
    window.composer.seed.setValue(41)
    assert window.composer.keep_seed.isChecked() and window.workspace.settings.keep_seed
    ask(qtbot, window, QUESTION)
    assert again(qtbot, window) == 41
