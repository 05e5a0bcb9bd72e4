"""What rows of the action table do, and when they can be done, where it takes more than a line."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from studio.app.command_palette import CommandPalette
from studio.app.window_parts import WindowParts
from studio.chat.answer_controller import can_continue
from studio.chat.context_usage import ASKING
from studio.chat.votes_dialog import VotesDialog
from studio.export.markdown import as_markdown


def send(at: WindowParts) -> None:
    """Has the typed question answered by the page that is shown, or by the one that it sends questions to."""
    page, question = at.pages.asked, at.workspace.question
    if not question.strip() or not page.takes:
        return
    objection = at.controllers.metering.objection()
    at.banner.settle(ASKING)
    if objection is not None:
        at.banner.show_failure(objection)
        return
    at.pages.turn(page)
    at.composer.question.setFocus()
    page.send(question)


def stop(at: WindowParts) -> None:
    """Stops what the shown page runs, else what another one does; the tour before a run of the Lab."""
    running = at.pages.running
    if at.tour.running and running in ([], [at.lab_page]):
        at.tour.end()
    elif running:
        running[0].stop()


def can_stop(at: WindowParts) -> bool:
    return bool(at.pages.running) or at.tour.running


def has_model(at: WindowParts) -> bool:
    return at.workspace.loading.facts is not None


def is_loading(at: WindowParts) -> bool:
    return bool(at.workspace.loading.coming)


def can_answer(at: WindowParts) -> bool:
    """Whether a turn of the conversation can be edited and answered again now."""
    return has_model(at) and not at.controllers.talking


def can_continue_answer(at: WindowParts) -> bool:
    """Whether the last answer stopped at the length limit, and can go on."""
    turns = at.workspace.turns
    return can_answer(at) and bool(turns) and can_continue(turns[-1]) is not None


def can_distill(at: WindowParts) -> bool:
    fit = at.workspace.fit
    return has_model(at) and not (fit.running and not fit.live) and bool(at.workspace.prompt.strip())


def has_selected_head(at: WindowParts) -> bool:
    return at.workspace.selected_key is not None


def open_palette(at: WindowParts) -> None:
    CommandPalette(at.actions, at.window).open()


def show_votes(at: WindowParts) -> None:
    dialog = VotesDialog(at.comparing.votes.values(), at.comparing.told_votes(), at.window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.exportWanted.connect(at.actions["export_votes"].trigger)
    dialog.open()


def copy_conversation(at: WindowParts) -> None:
    QGuiApplication.clipboard().setText(as_markdown(at.workspace.turns))


def edit_prompt(at: WindowParts) -> None:
    at.docks.show("steering")
    at.steering.prompt.setFocus()


def follow(at: WindowParts) -> None:
    """Back to the newest token, in the text and in the heatmap."""
    at.conversation.follow()
    if at.heatmap is not None:
        at.heatmap.follow()
