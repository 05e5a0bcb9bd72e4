"""What went wrong, wherever it did, becomes words in the banner; some of it with a way out."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from studio.banner import Banner
from studio.requests import OtherModels
from studio.session import Session
from studio.worker import Failed, Worker


class Troubles(QObject):
    """Hears of every failed job of `workers`, of refused heads, and of faults that nobody caught."""

    def __init__(self, banner: Banner, session: Session, *workers: Worker) -> None:
        super().__init__(banner)
        self._banner, self._session = banner, session
        self._refused: OtherModels | None = None
        for worker in workers:
            worker.failed.connect(self._on_failed)
        session.headRefused.connect(self._on_refused)
        session.answering.asked.connect(banner.hide)
        banner.remedied.connect(self._on_remedy)

    def show_crash(self, report: str) -> None:
        """The report of a run before this one that ended in a fault."""
        self._banner.show_failure(
            Failed(
                self.tr("The studio had a fault last time"),
                self.tr("Its report was kept."),
                self.tr("Copy the details into an issue."),
                report,
            )
        )

    def show_fault(self, report: str) -> None:
        """An exception that nobody caught; the work goes on."""
        last = report.strip().splitlines()[-1]
        self._banner.show_failure(
            Failed(
                self.tr("The studio had a fault"),
                last,
                self.tr("Your work is kept. Copy the details into an issue."),
                report,
            )
        )

    @Slot(object)
    def _on_failed(self, failed: Failed) -> None:
        self._refused = None
        self._banner.show_failure(failed)

    @Slot(object)
    def _on_refused(self, other: OtherModels) -> None:
        """A head of another model of the same shape is taken after a word from the person."""
        self._banner.show_failure(Failed(other.what, other.why, other.remedy, ""))
        self._banner.offer(self.tr("Use it anyway"))
        self._refused = other

    @Slot()
    def _on_remedy(self) -> None:
        if self._refused:
            self._session.take(self._refused.head)
        self._refused = None
