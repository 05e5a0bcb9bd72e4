"""What went wrong, wherever it did, becomes words in the banner, until the same thing has gone well."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject

from studio.app.failure_banner import FailureBanner
from studio.runtime.worker import JobFailure, Worker


class FailureReporter(QObject):
    """Hears of every failed job of `workers`, and of faults that nobody caught."""

    def __init__(self, banner: FailureBanner, *workers: Worker) -> None:
        super().__init__(banner)
        self._banner = banner
        for worker in workers:
            worker.failed.connect(banner.show_failure)
            worker.succeeded.connect(banner.settle)

    def show_crash(self, report: str, path: Path) -> None:
        """The report of a run before this one that ended in a fault, and where it lies."""
        self._banner.show_failure(
            JobFailure(
                self.tr("Steering Studio crashed last time"),
                self.tr("The crash report is in {0}.").format(path),
                self.tr("Please copy the details and report it."),
                report,
            )
        )

    def show_fault(self, report: str) -> None:
        """An exception that nobody caught; the work goes on."""
        last = report.strip().splitlines()[-1]
        self._banner.show_failure(
            JobFailure(
                self.tr("Something went wrong"),
                last,
                self.tr("Your work is safe. Copy the details and report it."),
                report,
            )
        )
