"""`python -m studio`: parses, shows the window, and only then lets model code be imported."""

from __future__ import annotations

import argparse
import faulthandler
import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.window import Window

_STARTED = time.perf_counter()


def main(argv: list[str] | None = None) -> int:
    """Runs the studio; returns the exit status."""
    arguments = _parse(argv)
    if sys.stderr is not None:
        faulthandler.enable()
    from PySide6.QtWidgets import QApplication

    from studio import theme
    from studio.window import Window, version

    if arguments.version:
        print(f"steer-studio {version()}")
        return 0
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Steering Studio")
    app.setStyle("Fusion")
    theme.apply(app, theme.of_system())
    if arguments.tour:
        from studio.tour import Tour

        return Tour(Window(arguments.model), arguments.tour).run()
    window = Window(arguments.model)
    if arguments.startup_times:
        _time_start(window)
    window.show()
    _heed_interrupt(window)
    return app.exec()


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
        "--model", default="pocket", metavar="M", help="pocket, a folder, or a hub id owner/name"
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
    window.session.worker.failed.connect(lambda failed: (print(failed.why, file=sys.stderr), window.close()))


def _age() -> float:
    """Seconds since the process began, interpreter start included where the system tells it."""
    try:
        born = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        return time.perf_counter() - _STARTED
    import os

    return uptime - born / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
