"""What went wrong, wherever it did, becomes words in the banner, until the same thing has gone well."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from studio.banner import Banner
from studio.session import Session
from studio.worker import Failed, Worker


class Troubles(QObject):
    """Hears of every failed job of `workers`, and of faults that nobody caught."""

    def __init__(self, banner: Banner, session: Session, *workers: Worker) -> None:
        super().__init__(banner)
        self._banner = banner
        for worker in workers:
            worker.failed.connect(banner.show_failure)
            worker.succeeded.connect(self._on_success)
        session.answering.asked.connect(banner.hide)

    @Slot(str)
    def _on_success(self, job: str) -> None:
        if job == self._banner.job:
            self._banner.hide()

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
