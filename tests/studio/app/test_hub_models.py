"""Models of the hub in the window: size and fit, a download that is slow, stalled, cut, cancelled; the
model that is there answers meanwhile."""

from __future__ import annotations

import re
import shutil

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.app.model_picker import ModelPicker
from tests.engine.model.test_hub import NAME, firsts, size_of
from tests.models import tiny
from tests.studio.app.test_main_job import ANSWER_MS, ask
from tests.studio.app.test_model_picker import loaded
from tests.studio.conftest import ready

FETCHING = re.compile(r"Downloading [\d.]+ [kM]B of [\d.]+ MB, [\d.]+ [kM]?B/s, \d+ (s|min) left")


@pytest.fixture
def stages(window):
    """Every word that was said of a loading."""
    said: list[str] = []
    window.workspace.loadingChanged.connect(lambda: said.append(window.workspace.loading.stage))
    return said


def picker(qtbot, window) -> ModelPicker:
    for old in window.findChildren(ModelPicker):
        old.close()
    window.actions_["model"].trigger()
    [found] = [d for d in window.findChildren(ModelPicker) if d.isVisible()]
    qtbot.waitUntil(lambda: "Listing" not in found.list.item(0).text(), timeout=ANSWER_MS)
    return found


def rows(found: ModelPicker) -> list[str]:
    """What each says, its whole name first."""
    listed = [found.list.item(i) for i in range(found.list.count())]
    return [f"{item.toolTip()}\n{item.text()}" for item in listed]


def fetch(qtbot, window, name: str = NAME) -> None:
    """By hand: look it up, read what is told, fetch."""
    found = picker(qtbot, window)
    found.hub.setText(name)
    assert not found.fetch.isEnabled()
    found.look.click()
    qtbot.waitUntil(found.fetch.isEnabled, timeout=ANSWER_MS)
    found.fetch.click()


def test_enter_in_the_line_looks_up_and_enter_in_the_list_uses(qtbot, window, hub):
    found, picked = picker(qtbot, window), []
    found.picked.connect(picked.append)
    found.activateWindow()
    found.hub.setFocus()
    QTest.keyClicks(found.hub, f"https://huggingface.co/{NAME}/tree/main?x=1")
    QTest.keyClick(found.hub, Qt.Key.Key_Return)
    qtbot.waitUntil(found.fetch.isEnabled, timeout=ANSWER_MS)
    assert found.isVisible() and not picked and NAME in found.told.text()
    found.list.setFocus()
    QTest.keyClick(found.list, Qt.Key.Key_Return)
    assert picked == ["pocket"] and not found.isVisible()


def test_a_folder_may_be_typed(qtbot, window, tmp_path):
    found = picker(qtbot, window)
    found.hub.setText(str(tmp_path))
    with qtbot.waitSignal(found.picked) as picked:
        QTest.keyClick(found.hub, Qt.Key.Key_Return)
    assert picked.args == [str(tmp_path)]
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)  # it holds no model, and that is told
    window.banner.close_button.click()


def test_size_and_fit_are_told_before_anything_is_fetched(qtbot, window, hub, monkeypatch):
    found = picker(qtbot, window)
    assert "Pocket (bundled)  (in use)" in rows(found)[0] and "6 blocks" in rows(found)[0]
    found.hub.setText(NAME)
    found.look.click()
    qtbot.waitUntil(found.fetch.isEnabled, timeout=ANSWER_MS)
    told = found.told.text()
    assert re.search(r"Qwen2, 3 blocks. Download: [\d.]+ MB .* in float32, .* free – fits", told)
    monkeypatch.setattr("engine.model.placement.free_memory", lambda: -20_000_000)
    found.look.click()
    qtbot.waitUntil(lambda: "too large" in found.told.text(), timeout=ANSWER_MS)
    assert not found.fetch.isEnabled() and hub.sent == 0
    found.hub.setText("nobody/nothing")
    found.look.click()
    qtbot.waitUntil(lambda: "spelling" in found.told.text(), timeout=ANSWER_MS)


def test_the_memory_of_the_present_model_counts_as_free(qtbot, window, hub, stored, monkeypatch):
    held = window.workspace.loading.facts.bytes
    monkeypatch.setattr("engine.model.placement.free_memory", lambda: 2_000_000)
    assert held > size_of(stored)
    fetch(qtbot, window)  # which it would not let happen if it did not fit
    loaded(qtbot, window, NAME)
    assert NAME in rows(picker(qtbot, window))[1]


def test_a_cached_model_is_used_as_it_is_and_a_newer_one_is_fetched_by_choice(qtbot, window, hub):
    fetch(qtbot, window)
    loaded(qtbot, window, NAME)
    first = hub.commits[NAME]
    window.actions_["model_pocket"].trigger()
    loaded(qtbot, window, "pocket")
    second = hub.commits[NAME] = "b" * 40  # its owner has changed a word of it meanwhile
    hub.repositories[NAME]["generation_config.json"] = b"{}"
    asked = len(hub.asked)
    found = picker(qtbot, window)
    [row] = [i for i, text in enumerate(rows(found)) if text.startswith(NAME)]
    assert f"\n{NAME}@{first[:7]}\n" in rows(found)[row]
    found.list.setCurrentRow(row)
    found.use.click()
    loaded(qtbot, window, f"{NAME}@{first}")
    assert len(hub.asked) == asked  # nobody asked the hub
    assert window.workspace.source == f"{NAME}@{first}"  # which is what the session keeps
    found = picker(qtbot, window)
    found.newer.click()
    qtbot.waitUntil(found.fetch.isEnabled, timeout=ANSWER_MS)
    assert f"Revision {second[:7]} (on this computer: {first[:7]})." in found.told.text()
    found.fetch.click()
    loaded(qtbot, window, f"{NAME}@{second}")
    found = picker(qtbot, window)
    told = [text for text in rows(found) if text.startswith(NAME)]
    assert len(told) == 2 and sum("(in use)" in text for text in told) == 1
    assert all(any(f"@{commit[:7]}" in text for text in told) for commit in (first, second))
    found.list.setCurrentRow(0)
    assert not found.newer.isEnabled()  # Pocket comes from no hub


def test_the_model_that_is_there_answers_while_another_is_fetched(qtbot, window, hub, stages):
    hub.pause = 0.1
    fetch(qtbot, window)
    qtbot.waitUntil(lambda: any(FETCHING.fullmatch(stage) for stage in stages), timeout=ANSWER_MS)
    header = window.header
    qtbot.waitUntil(lambda: header.progress.isVisible() and header.cancel.isVisible())
    assert header.model.text() == "Pocket"
    assert "tiny" in header.facts.text() and "Downloading" in header.facts.text()
    assert window.workspace.loading.facts.is_pocket and window.actions_["cancel_loading"].isEnabled()
    ask(qtbot, window, "Tell me about the harbour.")
    assert window.workspace.turns[0].answers[0].state == "eos"
    loaded(qtbot, window, NAME)
    qtbot.waitUntil(lambda: not header.progress.isVisible())  # a tool bar is laid out in its own time
    assert len(window.workspace.turns) == 1
    assert window.workspace.loading.facts.identity.revision == hub.commits[NAME]


def test_a_stall_is_told_and_a_cut_is_gone_on_from(qtbot, window, hub, stored, stages, monkeypatch):
    monkeypatch.setattr("engine.model.download._STALLED", 0.3)
    hub.stall, hub.cuts = 1.0, [size_of(stored) // 2]
    window.controllers.open_model(NAME)
    loaded(qtbot, window, NAME)
    assert any(stage.endswith("MB, stalled") for stage in stages)
    assert firsts(hub) == [0, size_of(stored) // 2]  # nothing came twice
    assert not window.banner.isVisible()


def test_a_cancelled_download_is_gone_on_with_from_the_list(qtbot, window, hub, stored):
    hub.pause = 0.1
    fetch(qtbot, window)
    half = size_of(stored) // 2
    qtbot.waitUntil(lambda: window.workspace.loading.done > half, timeout=ANSWER_MS)
    window.header.cancel.click()
    qtbot.waitUntil(lambda: not window.workspace.loading.coming, timeout=2000)
    assert window.workspace.source == "pocket" and not window.banner.isVisible()
    assert "cancelled; Pocket is still loaded" in window.status.busy.text()
    assert not window.actions_["cancel_loading"].isEnabled()
    ask(qtbot, window, "Tell me about the harbour.")
    hub.pause = 0.0
    found = picker(qtbot, window)
    [row] = [i for i, text in enumerate(rows(found)) if text.startswith(NAME)]
    assert "Partly downloaded" in rows(found)[row] and "MB" in rows(found)[row]
    found.list.setCurrentRow(row)
    found.use.click()
    loaded(qtbot, window, NAME)
    assert firsts(hub)[-1] > half // 2
    assert not any("Partly downloaded" in text for text in rows(picker(qtbot, window)))


def test_a_connection_that_is_gone_for_good_is_told_with_what_is_kept(
    qtbot, window, hub, stored, monkeypatch
):
    monkeypatch.setattr("engine.model.download._ATTEMPTS", 1)
    hub.cuts = [size_of(stored) // 2, 0, 0]
    window.controllers.open_model(NAME)
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert re.search(r"lost after [\d.]+ MB of [\d.]+ MB.*the download resumes", window.banner.text.text())
    assert window.workspace.loading.facts.is_pocket
    hub.cuts = []
    window.controllers.open_model(NAME)
    loaded(qtbot, window, NAME)
    assert firsts(hub)[-1] == size_of(stored) // 2


def test_a_model_that_the_hub_has_not_is_told_with_a_remedy(qtbot, window, hub):
    window.controllers.open_model("nobody/nothing")
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert "nobody/nothing" in window.banner.text.text() and "spelling" in window.banner.text.text()
    assert window.workspace.loading.facts.is_pocket and window.preferences.recent("recent_models") == []


def test_closed_while_downloading_it_goes_on_at_the_next_start(qtbot, open_window, hub, stored):
    window = ready(qtbot, open_window())
    hub.pause = 0.1
    window.controllers.open_model(NAME)
    qtbot.waitUntil(lambda: window.workspace.loading.done > size_of(stored) // 2, timeout=ANSWER_MS)
    window = ready(qtbot, open_window())
    assert window.workspace.loading.facts.is_pocket
    assert any(text.startswith(NAME) and "Partly downloaded" in text for text in rows(picker(qtbot, window)))


def test_recent_models_are_kept_and_a_folder_that_is_gone_says_so(qtbot, open_window, tmp_path, stored):
    window = ready(qtbot, open_window())
    folder = tmp_path / "Möwe 🐦 نورس"
    shutil.copytree(stored, folder)
    window.files.open([str(folder)])
    loaded(qtbot, window, str(folder))
    assert window.header.model.text() == folder.name
    window = ready(qtbot, open_window())
    assert window.workspace.source == str(folder)  # it went on where it was left
    assert any(str(folder) in text and "(in use)" in text for text in rows(picker(qtbot, window)))
    window.actions_["model_pocket"].trigger()
    loaded(qtbot, window, "pocket")
    shutil.rmtree(folder)
    found = picker(qtbot, window)
    [row] = [i for i, text in enumerate(rows(found)) if str(folder) in text]
    assert "Folder not found" in rows(found)[row]
    found.list.setCurrentRow(row)
    found.use.click()
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert "There is no such file or folder" in window.banner.text.text()
    assert window.workspace.loading.facts.is_pocket


def test_a_session_whose_model_is_gone_starts_without_and_says_so(qtbot, open_window, tmp_path, stored):
    window = ready(qtbot, open_window())
    folder = tmp_path / "gone"
    shutil.copytree(stored, folder)
    window.controllers.open_model(str(folder))
    loaded(qtbot, window, str(folder))
    window.close()
    shutil.rmtree(folder)
    window = open_window()
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert "was not found" in window.banner.text.text()
    assert window.header.model.text() == "No model" and not window.actions_["cancel_loading"].isEnabled()
    window.actions_["send"].trigger()
    assert window.controllers.talking  # it waits for a model
    window.actions_["model_pocket"].trigger()
    loaded(qtbot, window, "pocket")
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert window.workspace.turns[-1].answers[0].state == "eos"


HARMS = {
    "no files": (
        lambda folder: [f.unlink() for f in folder.iterdir()],
        "no config.json",
        "Hugging Face layout",
    ),
    "an encoder": (
        lambda folder: (folder / "config.json").write_text(
            '{"architectures": ["BertForMaskedLM"], "model_type": "bert"}'
        ),
        "not a decoder-only",
        "Choose a causal language model",
    ),
    "a damaged file": (
        lambda folder: (folder / "model.safetensors").write_bytes(
            (folder / "model.safetensors").read_bytes()[:200_000]
        ),
        "is cut short",
        "Download it again",
    ),
    "weights of another shape": (
        lambda folder: (folder / "config.json").write_text(
            (folder / "config.json").read_text().replace('"num_hidden_layers": 3', '"num_hidden_layers": 4')
        ),
        "num_hidden_layers",
        "Download it again",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_folder_that_cannot_be_used_names_cause_and_remedy(qtbot, window, tmp_path, stored, harm):
    spoil, cause, remedy = HARMS[harm]
    folder = tmp_path / "spoilt"
    shutil.copytree(stored, folder)
    spoil(folder)
    window.files.open([str(folder)])
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert cause in window.banner.text.text() and remedy in window.banner.text.text()
    loaded(qtbot, window, "pocket")
    assert "Pocket is still loaded" in window.status.busy.text()
    ask(qtbot, window, "Tell me about the harbour.")
    assert window.workspace.turns[0].answers[0].state == "eos"


def test_a_folder_that_does_not_fit_is_refused_with_the_model_untouched(qtbot, window, tmp_path, monkeypatch):
    folder = tiny.save(tiny.model("llama", hidden_size=256, intermediate_size=2048), tmp_path)
    monkeypatch.setattr("engine.model.placement.free_memory", lambda: -window.workspace.loading.facts.bytes)
    before = window.controllers.host.need_model()
    window.controllers.open_model(str(folder))
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert re.search(r"does not fit into memory.*needs [\d.]+ MB", window.banner.text.text())
    assert window.controllers.host.need_model() is before and before.loaded
