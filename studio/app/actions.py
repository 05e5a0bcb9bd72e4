"""Everything that can be done, as one table: menus, keys, tooltips and accessible names come from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenuBar, QWidget

from studio.widgets.translation import QT_TR_NOOP, shown


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
    QT_TR_NOOP("&File"),
    QT_TR_NOOP("&Edit"),
    QT_TR_NOOP("&Steer"),
    QT_TR_NOOP("&Conversation"),
    QT_TR_NOOP("&View"),
    QT_TR_NOOP("&Help"),
)
FILE, EDIT, STEER, TALK, VIEW, HELP = MENUS

TABLE = (
    Action("model", FILE, QT_TR_NOOP("&Model…"),
           QT_TR_NOOP("Choose another model: bundled, recent, a folder, or from the hub"), ("Ctrl+M",)),
    Action("model_folder", FILE, QT_TR_NOOP("Open m&odel folder…"),
           QT_TR_NOOP("Load a model from a folder on this machine"), ("Ctrl+O",)),
    Action("recent", FILE, QT_TR_NOOP("&Recent"), QT_TR_NOOP("Models and heads used before")),
    Action("model_pocket", FILE, QT_TR_NOOP("Use &Pocket"), QT_TR_NOOP("Load the bundled model")),
    Action("cancel_loading", FILE, QT_TR_NOOP("Cancel loading"),
           QT_TR_NOOP("Stop loading or downloading; the model before it comes back")),
    Action("load_head", FILE, QT_TR_NOOP("&Load head…"),
           QT_TR_NOOP("Put a head from a file into the mixer"), ("Ctrl+L",), separate=True),
    Action("save_head", FILE, QT_TR_NOOP("&Save head…"),
           QT_TR_NOOP("Write the chosen head to a file"), ("Ctrl+S",)),
    Action("export_chat", FILE, QT_TR_NOOP("Export the &conversation…"),
           QT_TR_NOOP("Write the coloured conversation as HTML, or the chat as Markdown"),
           ("Ctrl+E",), separate=True),
    Action("export_trace", FILE, QT_TR_NOOP("Export the trac&e…"),
           QT_TR_NOOP("Write every figure of the shown answer as CSV or JSON")),
    Action("export_heatmap", FILE, QT_TR_NOOP("Export the &heatmap…"),
           QT_TR_NOOP("Write the shown heatmap with its legend as SVG, PNG or PDF")),
    Action("export_figure", FILE, QT_TR_NOOP("Export a &figure…"),
           QT_TR_NOOP("Write coloured text, heatmap and legend as one figure for a paper"),
           ("Ctrl+Shift+E",)),
    Action("export_faithfulness", FILE, QT_TR_NOOP("Export the fa&ithfulness chart…"),
           QT_TR_NOOP("Write how closely the chosen head follows its prompt, block by block, as SVG, "
                      "PDF or PNG")),
    Action("export_run", FILE, QT_TR_NOOP("Export a repla&yable run…"),
           QT_TR_NOOP("Write the shown answer and those that came with it, so that steer replay gets "
                      "the same tokens")),
    Action("export_lab", FILE, QT_TR_NOOP("Export the Lab's resul&ts…"),
           QT_TR_NOOP("Write the comparison as an HTML report, a table (CSV) or a picture")),
    Action("export_votes", FILE, QT_TR_NOOP("Export the &votes…"),
           QT_TR_NOOP("Write every vote of the blind comparisons, with the answers, as JSON")),
    Action("save_now", FILE, QT_TR_NOOP("Save the &work now"),
           QT_TR_NOOP("All is saved by itself; this tries at once, and says what is in the way"),
           ("Ctrl+Alt+S",), separate=True),
    Action("quit", FILE, QT_TR_NOOP("&Quit"),
           QT_TR_NOOP("Close the studio; it goes on from here at the next start"),
           ("Ctrl+Q",), separate=True),
    Action("undo", EDIT, QT_TR_NOOP("&Undo"), QT_TR_NOOP("Take back the last change"), ("Ctrl+Z",)),
    Action("redo", EDIT, QT_TR_NOOP("&Redo"),
           QT_TR_NOOP("Do the undone change again"), ("Ctrl+Shift+Z", "Ctrl+Y")),
    Action("palette", EDIT, QT_TR_NOOP("&Find a command…"),
           QT_TR_NOOP("Search everything the studio can do"), ("Ctrl+K",), separate=True),
    Action("distill", STEER, QT_TR_NOOP("&Distill"),
           QT_TR_NOOP("Turn the steering prompt into a head"), ("Ctrl+D",)),
    Action("cancel_distill", STEER, QT_TR_NOOP("Cancel distilling"),
           QT_TR_NOOP("Stop the running distillation; a head already made stays"), ("Ctrl+Shift+D",)),
    Action("live", STEER, QT_TR_NOOP("&Live distillation"),
           QT_TR_NOOP("While typing pauses, make a quick head of the prompt"), ("Ctrl+Shift+L",), True),
    Action("bypass", STEER, QT_TR_NOOP("&Bypass all heads"),
           QT_TR_NOOP("Hear the model as it is: every strength counts as 0"),
           ("Ctrl+B",), True, separate=True),
    Action("mute_head", STEER, QT_TR_NOOP("Chosen head &on or off"),
           QT_TR_NOOP("Switch the chosen head"), ("Ctrl+Shift+M",)),
    Action("solo_head", STEER, QT_TR_NOOP("&Solo the chosen head"),
           QT_TR_NOOP("Hear only the heads that are solo"), ("Ctrl+Shift+S",)),
    Action("rename_head", STEER, QT_TR_NOOP("Re&name the chosen head…"),
           QT_TR_NOOP("Give the chosen head another name"), ("Ctrl+F2",)),
    Action("remove_head", STEER, QT_TR_NOOP("&Remove the chosen head"),
           QT_TR_NOOP("Take the chosen head out of the mixer (Undo brings it back)"),
           ("Ctrl+Shift+Backspace",)),
    Action("keep_preset", STEER, QT_TR_NOOP("&Keep strengths as preset…"),
           QT_TR_NOOP("Store all strengths under a name"), ("Ctrl+Shift+P",), separate=True),
    Action("edit_prompt", STEER, QT_TR_NOOP("Edit the steering &prompt"),
           QT_TR_NOOP("Move to the prompt editor"), ("Ctrl+P",), separate=True),
    Action("send", TALK, QT_TR_NOOP("&Send"),
           QT_TR_NOOP("Answer the typed question, steered"), ("Ctrl+Return", "Ctrl+Enter")),
    Action("stop", TALK, QT_TR_NOOP("S&top"),
           QT_TR_NOOP("Stop the answer, or the Lab's run where none is made; what is there stays"), ("Esc",)),
    Action("again", TALK, QT_TR_NOOP("Answer &again"),
           QT_TR_NOOP("Answer the last question again with the strengths as they are now"), ("Ctrl+R",)),
    Action("compare", TALK, QT_TR_NOOP("&Compare with unsteered"),
           QT_TR_NOOP("Show the unsteered answer beside the steered one, same seed"), ("Ctrl+U",), True),
    Action("truth", TALK, QT_TR_NOOP("&Measure what the prompt would have done"),
           QT_TR_NOOP("Run the prompt beside the next answers and keep its effect on every token"),
           ("Ctrl+T",), True),
    Action("new", TALK, QT_TR_NOOP("&New conversation"),
           QT_TR_NOOP("Begin an empty page; the conversation stays in the library"),
           ("Ctrl+N",), separate=True),
    Action("copy_chat", TALK, QT_TR_NOOP("Copy as Mar&kdown"),
           QT_TR_NOOP("Copy the whole conversation"), ("Ctrl+Shift+C",)),
    Action("ask", TALK, QT_TR_NOOP("Type a &question"), QT_TR_NOOP("Move to the question line"), ("Ctrl+I",)),
    Action("page_conversation", VIEW, QT_TR_NOOP("Conversation"),
           QT_TR_NOOP("Show the conversation"), ("Ctrl+1",), True),
    Action("page_compare", VIEW, QT_TR_NOOP("Compare"),
           QT_TR_NOOP("Lanes side by side under one question, blind if wanted"), ("Ctrl+2",), True),
    Action("page_lab", VIEW, QT_TR_NOOP("Lab"),
           QT_TR_NOOP("Methods compared at equal coherence, and sweeps"), ("Ctrl+3",), True),
    Action("votes", VIEW, QT_TR_NOOP("&Votes…"),
           QT_TR_NOOP("Every vote of the blind comparisons, and what they come to")),
    Action("panel_steering", VIEW, QT_TR_NOOP("Steering panel"),
           QT_TR_NOOP("From a prompt to a head"), ("Alt+1",), True, separate=True),
    Action("panel_mixer", VIEW, QT_TR_NOOP("Mixer"),
           QT_TR_NOOP("The heads and their strengths"), ("Alt+2",), True),
    Action("panel_heatmap", VIEW, QT_TR_NOOP("Heatmap"), QT_TR_NOOP("Blocks by tokens"), ("Alt+3",), True),
    Action("panel_inspector", VIEW, QT_TR_NOOP("Token inspector"),
           QT_TR_NOOP("The selected token in numbers"), ("Alt+4",), True),
    Action("panel_faithfulness", VIEW, QT_TR_NOOP("Faithfulness"),
           QT_TR_NOOP("How closely a head follows its prompt"), ("Alt+5",), True),
    Action("panel_library", VIEW, QT_TR_NOOP("Library"),
           QT_TR_NOOP("Conversations, heads and runs that were kept"), ("Alt+6",), True),
    Action("panel_log", VIEW, QT_TR_NOOP("Log"), QT_TR_NOOP("What engine and studio say"), ("Alt+7",), True),
    Action("panel_settings", VIEW, QT_TR_NOOP("Settings"),
           QT_TR_NOOP("Colours, text size, start, live distillation"), ("Alt+8", "Ctrl+,"), True),
    Action("reset_layout", VIEW, QT_TR_NOOP("&Reset the layout"),
           QT_TR_NOOP("Put every panel back in its place")),
    Action("follow", VIEW, QT_TR_NOOP("&Follow the live edge"),
           QT_TR_NOOP("Scroll text and heatmap to the newest token"), ("Ctrl+End",), separate=True),
    Action("zoom_in", VIEW, QT_TR_NOOP("Zoom &in"),
           QT_TR_NOOP("Larger text"), ("Ctrl++", "Ctrl+="), separate=True),
    Action("zoom_out", VIEW, QT_TR_NOOP("Zoom &out"), QT_TR_NOOP("Smaller text"), ("Ctrl+-",)),
    Action("zoom_reset", VIEW, QT_TR_NOOP("Norm&al size"),
           QT_TR_NOOP("Text at its normal size"), ("Ctrl+0",)),
    Action("scheme_system", VIEW, QT_TR_NOOP("Colours of the s&ystem"),
           QT_TR_NOOP("Light or dark as the desktop says"), (), True, separate=True),
    Action("scheme_light", VIEW, QT_TR_NOOP("&Light"), QT_TR_NOOP("Light colours"), (), True),
    Action("scheme_dark", VIEW, QT_TR_NOOP("&Dark"), QT_TR_NOOP("Dark colours"), (), True),
    Action("welcome", HELP, QT_TR_NOOP("Show the &tour"),
           QT_TR_NOOP("Four bubbles that point at what matters"), ("F1",)),
    Action("about", HELP, QT_TR_NOOP("&About"), QT_TR_NOOP("Version and method")),
)
# fmt: on


def build(
    owner: QWidget, handlers: Mapping[str, Callable[..., object]], bar: QMenuBar | None = None
) -> dict[str, QAction]:
    """One QAction per row, owned by `owner`, and the menus of `bar`. KeyError if a row has no handler."""
    made: dict[str, QAction] = {}
    menus = {m: bar.addMenu(shown(m)) for m in MENUS} if bar else {}
    for row in TABLE:
        action = QAction(shown(row.text), owner)
        action.setObjectName(row.key)
        action.setCheckable(row.checkable)
        action.setShortcuts([QKeySequence(k) for k in row.keys])
        tip = shown(row.tip)
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{tip} ({keys})" if keys else tip)
        action.setStatusTip(tip)
        (action.toggled if row.checkable else action.triggered).connect(handlers[row.key])
        owner.addAction(action)
        if bar:
            if row.separate:
                menus[row.menu].addSeparator()
            menus[row.menu].addAction(action)
        made[row.key] = action
    return made
