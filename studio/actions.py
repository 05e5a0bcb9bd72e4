"""Everything that can be done, as one table: menus, keys, tooltips and accessible names come from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenuBar, QWidget


@dataclass(frozen=True)
class Action:
    """key: its name in code; keys: shortcuts, the first is shown; tip: what it does, as a sentence."""

    key: str
    menu: str
    text: str
    tip: str
    keys: tuple[str, ...] = ()
    checkable: bool = False
    separate: bool = False  # a line above it in the menu


# fmt: off
MENUS = (
    "&File",
    "&Edit",
    "&Steer",
    "&Conversation",
    "&View",
    "&Help",
)
FILE, EDIT, STEER, TALK, VIEW, HELP = MENUS

TABLE = (
    Action("model", FILE, "&Model…",
           "Choose another model: bundled, recent, a folder, or from the hub", ("Ctrl+M",)),
    Action("model_folder", FILE, "Open model &folder…",
           "Load a model from a folder on this machine", ("Ctrl+O",)),
    Action("recent", FILE, "&Recent", "Models and heads used before"),
    Action("model_pocket", FILE, "Use &Pocket", "Load the bundled model"),
    Action("cancel_loading", FILE, "Cancel loading",
           "Stop loading or downloading; the model before it comes back"),
    Action("load_head", FILE, "&Load head…",
           "Put a head from a file into the mixer", ("Ctrl+L",), separate=True),
    Action("save_head", FILE, "&Save head…",
           "Write the chosen head to a file", ("Ctrl+S",)),
    Action("export_chat", FILE, "Export the &conversation…",
           "Write the coloured conversation as HTML, or the chat as Markdown", ("Ctrl+E",), separate=True),
    Action("export_trace", FILE, "Export the &trace…",
           "Write every figure of the shown answer as CSV or JSON"),
    Action("export_heatmap", FILE, "Export the &heatmap…",
           "Write the shown heatmap with its legend as SVG, PNG or PDF"),
    Action("export_figure", FILE, "Export a &figure…",
           "Write coloured text, heatmap and legend as one figure for a paper", ("Ctrl+Shift+E",)),
    Action("export_faithfulness", FILE, "Export the fa&ithfulness chart…",
           "Write how closely the chosen head follows its prompt, block by block, as SVG, PDF or PNG"),
    Action("export_run", FILE, "Export a repla&yable run…",
           "Write the shown answer and those that came with it, so that steer replay gets the same tokens"),
    Action("export_lab", FILE, "Export the &Lab's results…",
           "Write the comparison as an HTML report, a table (CSV) or a picture"),
    Action("export_votes", FILE, "Export the &votes…",
           "Write every vote of the blind comparisons, with the answers, as JSON"),
    Action("quit", FILE, "&Quit",
           "Close the studio; it goes on from here at the next start", ("Ctrl+Q",), separate=True),
    Action("undo", EDIT, "&Undo", "Take back the last change", ("Ctrl+Z",)),
    Action("redo", EDIT, "&Redo", "Do the undone change again",
           ("Ctrl+Shift+Z", "Ctrl+Y")),
    Action("palette", EDIT, "&Find a command…",
           "Search everything the studio can do", ("Ctrl+K",), separate=True),
    Action("distill", STEER, "&Distill",
           "Turn the steering prompt into a head", ("Ctrl+D",)),
    Action("cancel_distill", STEER, "Cancel distilling",
           "Stop the running distillation; a head already made stays", ("Ctrl+Shift+D",)),
    Action("live", STEER, "&Live distillation",
           "While typing pauses, make a quick head of the prompt", ("Ctrl+Shift+L",), True),
    Action("bypass", STEER, "&Bypass all heads",
           "Hear the model as it is: every strength counts as 0", ("Ctrl+B",), True,
           separate=True),
    Action("mute_head", STEER, "Chosen head &on or off",
           "Switch the chosen head", ("Ctrl+Shift+M",)),
    Action("solo_head", STEER, "&Solo the chosen head",
           "Hear only the heads that are solo", ("Ctrl+Shift+S",)),
    Action("rename_head", STEER, "Re&name the chosen head…",
           "Give the chosen head another name", ("Ctrl+F2",)),
    Action("remove_head", STEER, "&Remove the chosen head",
           "Take the chosen head out of the mixer (Undo brings it back)", ("Ctrl+Shift+Backspace",)),
    Action("keep_preset", STEER, "&Keep strengths as preset…",
           "Store all strengths under a name", ("Ctrl+Shift+P",), separate=True),
    Action("edit_prompt", STEER, "Edit the steering &prompt",
           "Move to the prompt editor", ("Ctrl+P",), separate=True),
    Action("send", TALK, "&Send", "Answer the typed question, steered",
           ("Ctrl+Return", "Ctrl+Enter")),
    Action("stop", TALK, "S&top",
           "Stop the answer; what is there stays", ("Esc",)),
    Action("again", TALK, "Answer &again",
           "Answer the last question again with the strengths as they are now", ("Ctrl+R",)),
    Action("compare", TALK, "&Compare with unsteered",
           "Show the unsteered answer beside the steered one, same seed", ("Ctrl+U",), True),
    Action("truth", TALK, "&Measure what the prompt would have done",
           "Run the prompt beside the next answers and keep its effect on every token", ("Ctrl+T",), True),
    Action("new", TALK, "&New conversation",
           "Begin an empty page; the conversation stays in the library", ("Ctrl+N",), separate=True),
    Action("copy_chat", TALK, "Copy as &Markdown",
           "Copy the whole conversation", ("Ctrl+Shift+C",)),
    Action("ask", TALK, "Type a &question",
           "Move to the question line", ("Ctrl+I",)),
    Action("page_conversation", VIEW, "Conversation", "Show the conversation", ("Ctrl+1",), True),
    Action("page_compare", VIEW, "Compare", "Lanes side by side under one question, blind if wanted",
           ("Ctrl+2",), True),
    Action("page_lab", VIEW, "Lab", "Methods compared at equal coherence, and sweeps", ("Ctrl+3",), True),
    Action("votes", VIEW, "&Votes…", "Every vote of the blind comparisons, and what they come to"),
    Action("panel_steering", VIEW, "Steering panel", "From a prompt to a head", ("Alt+1",), True,
           separate=True),
    Action("panel_mixer", VIEW, "Mixer", "The heads and their strengths", ("Alt+2",), True),
    Action("panel_heatmap", VIEW, "Heatmap", "Blocks by tokens", ("Alt+3",), True),
    Action("panel_inspector", VIEW, "Token inspector", "The selected token in numbers", ("Alt+4",), True),
    Action("panel_faithfulness", VIEW, "Faithfulness", "How closely a head follows its prompt",
           ("Alt+5",), True),
    Action("panel_library", VIEW, "Library", "Conversations, heads and runs that were kept",
           ("Alt+6",), True),
    Action("panel_log", VIEW, "Log", "What engine and studio say", ("Alt+7",), True),
    Action("panel_settings", VIEW, "Settings", "Colours, text size, start, live distillation",
           ("Alt+8", "Ctrl+,"), True),
    Action("reset_layout", VIEW, "&Reset the layout",
           "Put every panel back in its place"),
    Action("follow", VIEW, "Follow the l&ive edge",
           "Scroll text and heatmap to the newest token", ("Ctrl+End",), separate=True),
    Action("zoom_in", VIEW, "Zoom &in", "Larger text", ("Ctrl++", "Ctrl+="), separate=True),
    Action("zoom_out", VIEW, "Zoom &out", "Smaller text", ("Ctrl+-",)),
    Action("zoom_reset", VIEW, "Norm&al size",
           "Text at its normal size", ("Ctrl+0",)),
    Action("scheme_system", VIEW, "Colours of the s&ystem",
           "Light or dark as the desktop says", (), True, separate=True),
    Action("scheme_light", VIEW, "&Light", "Light colours", (), True),
    Action("scheme_dark", VIEW, "&Dark", "Dark colours", (), True),
    Action("welcome", HELP, "Show the &tour", "Four bubbles that point at what matters", ("F1",)),
    Action("about", HELP, "&About", "Version and method"),
)
# fmt: on


def build(
    owner: QWidget, handlers: Mapping[str, Callable[..., object]], bar: QMenuBar | None = None
) -> dict[str, QAction]:
    """One QAction per row, owned by `owner`, and the menus of `bar`. KeyError if a row has no handler."""
    made: dict[str, QAction] = {}
    menus = {m: bar.addMenu(QCoreApplication.translate("actions", m)) for m in MENUS} if bar else {}
    for row in TABLE:
        action = QAction(QCoreApplication.translate("actions", row.text), owner)
        action.setObjectName(row.key)
        action.setCheckable(row.checkable)
        action.setShortcuts([QKeySequence(k) for k in row.keys])
        tip = QCoreApplication.translate("actions", row.tip)
        shown = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{tip} ({shown})" if shown else tip)
        action.setStatusTip(tip)
        (action.toggled if row.checkable else action.triggered).connect(handlers[row.key])
        owner.addAction(action)
        if bar:
            if row.separate:
                menus[row.menu].addSeparator()
            menus[row.menu].addAction(action)
        made[row.key] = action
    return made
