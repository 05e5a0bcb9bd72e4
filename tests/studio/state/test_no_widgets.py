"""The state can be used where there is no window; import-linter cannot forbid one package of PySide6."""

from __future__ import annotations

import subprocess
import sys


def test_the_state_imports_no_widgets_of_qt():
    code = (
        "import importlib, pkgutil, sys, studio.state as state\n"
        "for module in pkgutil.iter_modules(state.__path__, 'studio.state.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert 'PySide6.QtCore' in sys.modules and 'PySide6.QtWidgets' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
