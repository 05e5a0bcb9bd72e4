"""`python -m studio`: parses, shows the window, and only then lets model code be imported."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from studio.runtime.model_sources import from_anywhere

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from studio.app.main_window import Window

_STARTED = time.perf_counter()


def main(argv: list[str] | None = None) -> int:
    """Runs the studio; returns the exit status."""
    arguments = _parse(argv)
    from studio.app.version import version

    if arguments.version:
        print(f"steer-studio {version()}")
        return 0
    from PySide6.QtWidgets import QApplication

    from studio.widgets import translation

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Steering Studio")
    app.setStyle("Fusion")
    translation.install(app)
    if arguments.tour:
        from studio.app.main_window import Window
        from studio.app.screenshot_tour import ScreenshotTour

        return ScreenshotTour(Window(arguments.model), arguments.tour).run()
    if arguments.startup_times:
        from studio.app.main_window import Window

        window = Window(arguments.model)
        _time_start(window)
        window.show()
        return app.exec()
    return _run(app, arguments)


def _run(app: QApplication, arguments: argparse.Namespace) -> int:
    """The studio of this user: one at a time, its faults written down, its session kept."""
    from studio.app.crash_report import CrashReport
    from studio.app.data_folder import home
    from studio.app.main_window import Window
    from studio.app.single_instance import SingleInstance, Unanswered, hand_over

    folder = home()
    sources = [str(Path(f).resolve()) for f in arguments.files]
    if arguments.model:
        sources.append(arguments.model)
    door = SingleInstance(folder)
    try:
        if not door.listening and hand_over(folder, sources):
            return 0
    except Unanswered:
        return _refuse(app, folder)
    report = CrashReport(folder)
    report.install()
    window = Window(arguments.model, folder)
    door.came.connect(window.open_when_ready)
    door.came.connect(window.come_forward)
    report.told = window.troubles.show_fault
    if report.before:
        window.troubles.show_crash(report.before, report.kept)
    window.open_when_ready(sources[: len(arguments.files)])
    window.show()
    _heed_interrupt(window)
    app.commitDataRequest.connect(window.leaving.insist)
    try:
        status = app.exec()
    finally:
        door.close()
        report.close()
    if window.controllers.compiling.compiling:
        os._exit(status)  # all is kept; the compiler would hold the process for as long as it takes
    return status


def _refuse(app: QApplication, folder: Path) -> int:
    """Says in the terminal and in a dialog, for not every start has both, why there is no second studio."""
    from PySide6.QtWidgets import QMessageBox

    from studio.widgets.translation import tr

    words = tr(
        "Steering Studio was not started: another instance is using {0} and does not "
        "respond. Wait or quit it, then try again.",
    ).format(folder)
    print(words, file=sys.stderr)
    QMessageBox.critical(None, app.applicationName(), words)
    return 2


def _heed_interrupt(window: Window) -> None:
    """Ctrl+C in the terminal closes the window; Python must get a turn now and then to notice it."""
    from PySide6.QtCore import QTimer

    signal.signal(signal.SIGINT, lambda *_: window.close())
    turn = QTimer(window)
    turn.timeout.connect(lambda: None)
    turn.start(250)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="steer-studio", description="A steering studio for language models."
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="head files for the mixer, or a folder with a model"
    )
    parser.add_argument(
        "--model",
        metavar="M",
        type=from_anywhere,  # it may be handed to a studio that was started in another folder
        help="pocket, a folder, or a hub id owner/name; else that of the last session",
    )
    parser.add_argument(
        "--tour", type=Path, metavar="DIR", help="drive the window and save a picture of each state"
    )
    parser.add_argument(
        "--startup-times", action="store_true", help="print seconds to first paint and model, quit"
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    return parser.parse_args(argv)


def _time_start(window: Window) -> None:
    """Prints one JSON object: seconds from process start to the first paint and to the ready model."""
    times: dict[str, float] = {}

    def painted() -> None:
        times["first_paint"] = round(_age(), 3)

    def changed() -> None:
        if window.workspace.loading.facts is not None:
            times["model_ready"] = round(_age(), 3)
            print(json.dumps(times), flush=True)
            window.close()

    window.painted.connect(painted)
    window.workspace.modelChanged.connect(changed)
    window.controllers.worker.failed.connect(
        lambda failed: (print(failed.why, file=sys.stderr), window.close())
    )


def _age() -> float:
    """Seconds since the process began, interpreter start included where the system tells it."""
    try:
        born = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        return time.perf_counter() - _STARTED
    return uptime - born / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
