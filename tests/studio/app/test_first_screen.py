"""The first screen is the loaded model's: its heads, its examples, and no promise that only Pocket keeps."""

from __future__ import annotations

from engine.distill.model_kind import GeneralKind, PocketKind
from tests.studio.app.test_main_job import FIT_MS
from tests.studio.app.test_switching import gpt2, switch  # noqa: F401 - a fixture
from tests.studio.conftest import ready


def examples(window) -> list[str]:
    return [action.text() for action in window.steering.examples.menu().actions()]


def test_another_model_begins_with_an_example_of_its_own_and_without_pockets_heads(
    qtbot,
    open_window,
    gpt2,  # noqa: F811
):
    window = open_window(gpt2)
    assert not window.steering.examples.isEnabled() and window.steering.stage.text() == ""
    ready(qtbot, window)
    mixer, workspace = window.mixer, window.workspace
    assert not workspace.channels and window.steering.stage.text() == ""
    assert examples(window) == list(GeneralKind.examples)
    assert mixer.example.isVisible() and GeneralKind.examples[0] in mixer._empty.text()
    qtbot.waitUntil(lambda: hasattr(window, "faithfulness"))
    assert window.faithfulness._pages.currentIndex() == 0  # no chart
    mixer.example.click()
    assert window.steering.prompt.toPlainText() == GeneralKind.examples[0] and workspace.fit.running
    qtbot.waitUntil(lambda: not workspace.fit.running, timeout=FIT_MS)
    if workspace.fit.weak:  # a random model follows no prompt
        window.steering.anyway.click()
        qtbot.waitUntil(lambda: not workspace.fit.running, timeout=FIT_MS)
    [row] = workspace.channels
    assert row.head.info.prompt == GeneralKind.examples[0] and not mixer.example.isVisible()
    told = mixer.row(row.key).name.toolTip()
    stood = {"before": "stood before the question", "system": "stood in the system message"}
    assert stood[row.head.info.place] in told and f"rank {row.head.rank}" in told


def test_untouched_heads_of_pocket_come_and_go_with_it(qtbot, window, gpt2):  # noqa: F811
    workspace = window.workspace
    laid, key = [c.key for c in workspace.channels], workspace.selected_key
    assert len(laid) == 3 and examples(window) == list(PocketKind.examples)
    assert "about a second" in window.steering.stage.text()
    switch(qtbot, window, gpt2)
    assert not workspace.channels and workspace.selected_key is None and window.mixer.example.isVisible()
    assert "switched off" not in window.status.busy.text() and window.steering.stage.text() == ""
    switch(qtbot, window, "pocket")
    assert [c.key for c in workspace.channels] == laid and not any(c.note for c in workspace.channels)
    assert workspace.selected_key in laid and key in laid
    window.actions_["undo"].trigger()  # the way back to the other model
    qtbot.waitUntil(lambda: not workspace.channels, timeout=FIT_MS)
    window.actions_["redo"].trigger()
    qtbot.waitUntil(lambda: [c.key for c in workspace.channels] == laid, timeout=FIT_MS)
