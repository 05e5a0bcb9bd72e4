"""What a window asks of the pages in its middle, and of those that answer questions."""

from __future__ import annotations

from typing import Protocol


class Page(Protocol):
    """A page with work of its own that can be stopped."""

    @property
    def running(self) -> bool:
        """Whether it has work in progress."""

    def stop(self) -> None:
        """Ends that work; what is there stays."""

    def look(self) -> None:
        """The page has come into sight."""


class QuestionPage(Page, Protocol):
    """A page that answers the question in the composer.

    shows_unsteered: whether an unsteered answer can be asked for beside the others.
    """

    shows_unsteered: bool

    @property
    def send_label(self) -> str:
        """The words on the Send button."""

    @property
    def send_tip(self) -> str:
        """What it does; "" for the words of the action."""

    @property
    def takes(self) -> bool:
        """Whether a question that is sent now will be answered."""

    def send(self, question: str) -> None:
        """Answers it."""
