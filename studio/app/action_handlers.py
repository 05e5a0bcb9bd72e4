"""What rows of the action table do, and when they can be done, where it takes more than a line."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from studio.app.command_palette import CommandPalette
from studio.app.window_parts import WindowParts
from studio.chat.context_usage import ASKING
from studio.chat.votes_dialog import VotesDialog
from studio.export.markdown import as_markdown


def send(at: WindowParts) -> None:
    """Answers the typed question on the page that is shown."""
    question, controllers = at.workspace.question, at.controllers
    free = not controllers.talking if at.pages.key == "compare" else controllers.answering.takes
    if question.strip() and free:
        objection = controllers.metering.objection()
        at.banner.settle(ASKING)
        if objection is not None:
            at.banner.show_failure(objection)
            return
        if at.pages.key == "compare":
            at.comparing.run()
            return
        at.pages.turn("conversation")
        at.conversation.follow()
        at.composer.question.setFocus()
        controllers.answering.send(question)


def stop(at: WindowParts) -> None:
    """Stops the running answer; where there is none the tour, or the Lab's run."""
    answering = at.controllers.talking or at.comparing.running
    if at.tour.running and not answering:
        at.tour.end()
    elif at.measuring.running and (at.pages.key == "lab" or not answering):
        at.measuring.stop()
    else:
        at.controllers.answering.stop()
        at.comparing.stop()


def can_stop(at: WindowParts) -> bool:
    return at.controllers.talking or at.comparing.running or at.measuring.running or at.tour.running


def has_model(at: WindowParts) -> bool:
    return at.workspace.loading.facts is not None


def is_loading(at: WindowParts) -> bool:
    return bool(at.workspace.loading.coming)


def can_answer(at: WindowParts) -> bool:
    """Whether a turn of the conversation can be edited and answered again now."""
    return has_model(at) and not at.controllers.talking


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
