"""Another model in place of Pocket and back, the rows of the mixer, options of a method, foreign heads."""

from __future__ import annotations

from dataclasses import replace

from tests.studio.app.test_main_job import ANSWER_MS, ask


def loaded(qtbot, window, source: str) -> None:
    def there() -> bool:
        facts = window.workspace.loading.facts
        return facts is not None and facts.source in (source, f"{source}@{facts.identity.revision}")

    qtbot.waitUntil(there, timeout=ANSWER_MS)


def test_another_model_keeps_the_conversation_and_says_which_heads_do_not_fit(qtbot, window, stored):
    workspace = window.workspace
    window.mixer.row(workspace.channels[1].key).box.setValue(0.9)  # else they would go with Pocket
    ask(qtbot, window, "Tell me about the harbour.")
    window.files.open([str(stored)])
    loaded(qtbot, window, str(stored))
    assert len(workspace.turns) == 1 and not workspace.active_rows()
    assert [c.note for c in workspace.channels] == ["made for pocket"] * 3
    row = window.mixer.row(workspace.channels[0].key)
    assert "made for pocket" in row.note.text() and not row.slider.isEnabled()
    assert window.preferences.recent("recent_models") == [str(stored)]
    workspace.set_settings(workspace.settings.__class__(max_tokens=8))
    ask(qtbot, window, "And the castle?")
    assert workspace.turns[1].answers[0].over and len(workspace.turns[1].answers[0]) > 0
    while workspace.source != "pocket":
        workspace.undo()
    loaded(qtbot, window, "pocket")
    assert [c.note for c in workspace.channels] == [""] * 3 and len(workspace.active_rows()) == 1


def test_a_mixer_row_marks_what_is_extreme_and_what_is_suggested(qtbot, window):
    key = window.workspace.channels[0].key
    row = window.mixer.row(key)
    row.box.setValue(12.0)
    assert row.box.property("extreme") and "gibberish" in row.note.text() and row.note.isVisible()
    assert row.slider.strength() == 3.0 and window.workspace.strength_of(key) == 12.0
    row.box.setValue(1.0)
    assert not row.note.isVisible()
    low, high = window.workspace.channels[0].head.info.strength_range
    assert f"{low:.2f} to {high:.2f}" in row.slider.toolTip()
    row.solo.click()
    assert window.workspace.channels[0].solo
    row.blocks.first.setValue(2)
    assert window.workspace.channels[0].blocks == (2, 5) and row.blocks.text() == "2–5"
    row.blocks.first.setValue(0)
    assert window.workspace.channels[0].blocks is None


def test_presets_are_kept_and_applied_from_the_menu(qtbot, window):
    workspace = window.workspace
    workspace.mixer.keep_preset("only pirate")
    workspace.mixer.set_enabled(workspace.channels[0].key, False)
    window.mixer._preset_menu.aboutToShow.emit()
    names = [a.text() for a in window.mixer._preset_menu.actions()]
    assert names[0] == "only pirate" and any("Save as preset" in name.replace("&", "") for name in names)
    window.mixer._preset_menu.actions()[0].trigger()
    assert [c.enabled for c in workspace.channels] == [True, False, False]


def test_a_preset_tells_how_many_of_its_heads_the_mixer_does_not_hold(qtbot, window):
    workspace = window.workspace
    workspace.mixer.keep_preset("all three")
    for gone, told in ((1, "“all three” also sets 1 head not"), (2, "“all three” also sets 2 heads not")):
        workspace.mixer.remove_head(workspace.channels[-1].key)
        window.mixer._preset_menu.aboutToShow.emit()
        window.mixer._preset_menu.actions()[0].trigger()
        assert told in window.status.busy.text() and len(workspace.channels) == 3 - gone


def test_every_option_of_a_method_reaches_the_request(qtbot, window):
    options = window.steering.options
    options.more.click()
    first = window.steering.request()
    assert options.rank.isVisible()
    keys = [options.method.itemData(i) for i in range(options.method.count())]
    assert {"a-psr", "s-psr", "caa"} <= set(keys)
    options.method.setCurrentIndex(keys.index("s-psr"))
    options.recipe.setCurrentIndex(options.recipe.findData("refine"))
    options.objective.setCurrentIndex(options.objective.findData("mse+ll"))
    options.positions.setCurrentIndex(1)
    options.rank.setValue(2)
    options.block.setValue(3)
    options.responses.setValue(12)
    options.negatives.setValue(4)
    options.weight.setValue(0.25)
    asked = window.steering.request()
    assert (asked.method, asked.recipe, asked.objective, asked.weight) == ("s-psr", "refine", "mse+ll", 0.25)
    assert (asked.positions, asked.rank, asked.block) == ("question_and_response", 2, 3)
    assert (asked.responses, asked.negatives) == (12, 4)
    options.method.setCurrentIndex(keys.index("caa"))
    plain = window.steering.request()
    assert (plain.objective, plain.negatives, plain.rank) == (None, 0, 1)
    window.actions_["undo"].trigger()
    assert window.steering.request() == asked and options.recipe.currentData() == "refine"
    steps = window.workspace.stack.count()  # refining is what this method does first
    while window.workspace.stack.canUndo():
        window.actions_["undo"].trigger()
    assert window.steering.request() == first and steps == 9


def test_a_head_of_another_tool_is_read_and_told_what_it_lost(qtbot, window, tmp_path):
    from engine.heads.formats import FORMATS, ImportOptions

    path = tmp_path / "pirate.gguf"
    gguf = next(f for f in FORMATS if f.name == "gguf")
    head = window.workspace.channels[0].head
    constant = {b: type(p)(p.w * 0, abs(p.b) + 1, p.z) for b, p in head.blocks.items() if b}
    gguf.write(replace(head, blocks=constant), path, ImportOptions())
    window.files.open([str(path)])
    qtbot.waitUntil(lambda: len(window.workspace.channels) == 4 or window.banner.isVisible(), timeout=10_000)
    row = window.workspace.channels[-1]
    assert not row.head.blocks[min(row.head.blocks)].w.any()
    assert "gguf" in window.status.busy.text()
