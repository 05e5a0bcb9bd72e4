"""Model files in the window: GGUF files dropped and picked, adapters asked about, suggestions, the device."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QPushButton

from studio.app.model_picker import ModelPicker
from tests.models import tiny, tiny_gguf
from tests.studio.app.test_file_opener import drop
from tests.studio.app.test_main_job import ANSWER_MS
from tests.studio.app.test_model_picker import loaded
from tests.studio.conftest import ready


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return tiny_gguf.save(tiny.model("qwen2"), tmp_path / "harbour-Q8_0.gguf", quantised=True)


def listed(qtbot, window) -> ModelPicker:
    found = window.files.choose_model()
    qtbot.waitUntil(lambda: found.list.count() > 1, timeout=ANSWER_MS)
    return found


def texts(found: ModelPicker) -> list[str]:
    return [found.list.item(row).text() for row in range(found.list.count())]


def test_a_gguf_file_dropped_on_the_window_is_the_model(qtbot, window, gguf):
    drop(window, gguf)
    loaded(qtbot, window, str(gguf))
    facts = window.workspace.loading.facts
    assert (facts.name, facts.blocks, facts.width) == ("harbour-Q8_0", 3, 32)
    assert window.preferences.recent("recent_models") == [str(gguf)]
    assert str(gguf) in [line.partition("\n")[0].removesuffix("  (in use)") for line in tips(qtbot, window)]


def tips(qtbot, window) -> list[str]:
    found = listed(qtbot, window)
    return [found.list.item(row).toolTip() for row in range(found.list.count())]


def test_a_damaged_gguf_file_is_named_and_the_model_stays(qtbot, window, gguf):
    gguf.write_bytes(gguf.read_bytes()[:-2000])
    drop(window, gguf)
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert "It is cut short" in window.banner.text.text()
    assert window.workspace.loading.facts.is_pocket


def test_a_control_vector_is_a_head_and_no_model(qtbot, window, tmp_path):
    drop(window, tiny_gguf.control_vector(tmp_path / "it.gguf", width=192))
    qtbot.waitUntil(lambda: len(window.workspace.channels) == 4, timeout=ANSWER_MS)
    assert window.workspace.loading.facts.is_pocket and window.workspace.source == "pocket"


def test_a_file_of_a_model_folder_stands_for_the_folder(qtbot, window, stored):
    drop(window, stored / "model.safetensors")
    loaded(qtbot, window, str(stored / "model.safetensors"))


def test_an_adapter_beside_a_model_is_asked_about(qtbot, window, stored, tmp_path):
    folder = tmp_path / "both"
    shutil.copytree(stored, folder)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "harbour/base"}')
    (folder / "adapter_model.safetensors").write_bytes(b"\0" * 16)
    drop(window, folder)
    (dialog,) = window.findChildren(QMessageBox)
    assert "both holds a model and a LoRA adapter" in dialog.text()
    buttons = {button.text(): button for button in dialog.findChildren(QPushButton)}
    qtbot.mouseClick(buttons["Model only"], Qt.MouseButton.LeftButton)
    loaded(qtbot, window, str(folder / "config.json"))


def test_the_picker_suggests_models_with_licence_memory_and_fit(qtbot, open_window, monkeypatch):
    window = ready(qtbot, open_window())
    monkeypatch.setattr(window.controllers.host, "room", lambda device: 2_000_000_000)
    found = listed(qtbot, window)
    suggested = {text.partition("\n")[0]: text for text in texts(found) if "Suggested" in text}
    assert len(suggested) == 12
    small, large = suggested["SmolLM2 135M Instruct"], suggested["Qwen2.5 7B Instruct"]
    assert "135M parameters, Apache-2.0" in small and small.endswith("in memory (float32) – fits")
    assert "7.6B parameters" in large and large.endswith("too large for free memory")
    assert "1.2B parameters, Llama 3.2 Community License" in suggested["Llama 3.2 1B Instruct"]
    sources = [found.list.item(row).data(Qt.ItemDataRole.UserRole) for row in range(found.list.count())]
    assert "HuggingFaceTB/SmolLM2-1.7B-Instruct" in sources


def test_the_device_of_the_next_model_is_a_setting(qtbot, window, gguf):
    window.docks.show("settings")
    control = window.docks["settings"].widget().controls["device"]
    kept = [control.itemData(row) for row in range(control.count())]
    assert kept == ["default", "cpu", "cuda", "cuda:1", "auto", "mps"]
    control.setCurrentIndex(kept.index("mps"))
    window.files.open([str(gguf)])
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert "This machine offers no Apple GPU" in window.banner.text.text()
    control.setCurrentIndex(kept.index("cpu"))
    window.files.open([str(gguf)])
    loaded(qtbot, window, str(gguf))
    assert window.workspace.loading.facts.device == "cpu"
