"""The studio's own settings: one table with defaults and words, kept in a file. What changes the work is in
the workspace instead, where it can be undone."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

from engine.decoding import require_file
from studio.widgets.translation import QT_TR_NOOP

Choices = tuple[tuple[Any, str], ...]


@dataclass(frozen=True)
class Preference:
    """One setting. choices: (value, words); none for a switch. label "": not shown, the studio's own note."""

    key: str
    default: Any
    label: str = ""
    about: str = ""
    choices: Choices = ()


# fmt: off
ZOOMS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)

TABLE = (
    Preference("scheme", "system", QT_TR_NOOP("Colours"), QT_TR_NOOP("Light, dark, or follow the system"),
        (("system", QT_TR_NOOP("Follow system")), ("light", QT_TR_NOOP("Light")),
         ("dark", QT_TR_NOOP("Dark")))),
    Preference("color_map", "cividis", QT_TR_NOOP("Heatmap colours"),
        QT_TR_NOOP("For unsigned values; signed values use blue–yellow"),
        tuple((name, name) for name in ("cividis", "viridis", "magma", "inferno"))),
    Preference("zoom", 1.0, QT_TR_NOOP("Text size"),
        QT_TR_NOOP("Interface text size (also Ctrl +/-)"),
        tuple((z, f"{z:.0%}") for z in ZOOMS)),
    Preference("start", "restore", QT_TR_NOOP("On startup"),
        QT_TR_NOOP("What to show after a normal exit"),
        (("restore", QT_TR_NOOP("Continue where I left off")),
         ("fresh", QT_TR_NOOP("Start with an empty page")))),
    Preference("live", True, QT_TR_NOOP("Live preview"),
        QT_TR_NOOP("Build a preview head when you pause typing (if it takes under 3 s)")),
    Preference("compiled", False, QT_TR_NOOP("Faster decoding"),
        QT_TR_NOOP("Compile in the background (up to a minute the first time)")),
    Preference("precision", "auto", QT_TR_NOOP("Precision"),
        QT_TR_NOOP("Applies to the next model loaded; lower precision uses less memory"),
        (("auto", QT_TR_NOOP("Automatic")), ("float32", "float32"), ("bfloat16", "bfloat16"),
         ("float16", "float16"), ("int8", "int8"))),
    Preference("device", "default", QT_TR_NOOP("Device"),
        QT_TR_NOOP("Applies to the next model loaded; Automatic takes a GPU where there is one"),
        (("default", QT_TR_NOOP("Automatic")), ("cpu", QT_TR_NOOP("CPU")), ("cuda", QT_TR_NOOP("NVIDIA GPU")),
         ("cuda:1", QT_TR_NOOP("Second NVIDIA GPU")), ("auto", QT_TR_NOOP("All GPUs together")),
         ("mps", QT_TR_NOOP("Apple GPU")))),
    Preference("welcomed", False),
    Preference("recent_models", ""),
    Preference("recent_heads", ""),
)
# fmt: on

_LARGEST = 4 << 20  # bytes
_log = logging.getLogger(__name__)

ROWS = {row.key: row for row in TABLE}
RECENT = 8


class Preferences(QObject):
    """Reads and writes the table's values; `folder` None keeps them for this run only."""

    changed = Signal(str)  # key

    def __init__(self, folder: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._now: dict[str, Any] = {}
        self._layouts: dict[str, QByteArray] = {}
        self._file: QSettings | None = None
        if folder is not None:
            _set_aside_unreadable(folder / "settings.ini")
            self._file = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat, self)

    def get(self, key: str) -> Any:
        """The value, of the type of its default; the default where the file has none or nonsense."""
        row = ROWS[key]
        if key not in self._now:
            self._now[key] = self._read(row)
        return self._now[key]

    def set(self, key: str, value: Any) -> None:
        if value != self.get(key):
            self._now[key] = value
            if self._file is not None:
                self._file.setValue(key, value)
            self.changed.emit(key)

    def recent(self, key: str) -> list[str]:
        """The list under `key`, the newest first."""
        return [line for line in self.get(key).split("\n") if line]

    def note_recent(self, key: str, entry: str) -> None:
        """Puts `entry` on top of the list."""
        others = [line for line in self.recent(key) if line != entry]
        self.set(key, "\n".join([entry, *others][:RECENT]))

    def layout(self, name: str) -> QByteArray | None:
        """A window's state as it was kept."""
        if name in self._layouts:
            return self._layouts[name]
        found = self._file.value(f"layout/{name}") if self._file is not None else None
        return found if isinstance(found, QByteArray) else None

    def keep_layout(self, name: str, state: QByteArray) -> None:
        self._layouts[name] = state
        if self._file is not None:
            self._file.setValue(f"layout/{name}", state)

    def sync(self) -> None:
        """Puts everything on the disk now."""
        if self._file is not None:
            self._file.sync()

    def _read(self, row: Preference) -> Any:
        if self._file is None or not self._file.contains(row.key):
            return row.default
        text = str(self._file.value(row.key))
        if isinstance(row.default, bool):
            value: Any = text.lower() == "true"
        elif isinstance(row.default, float):
            try:
                value = float(text)
            except ValueError:
                return row.default
        else:
            value = text
        return value if not row.choices or value in [v for v, _ in row.choices] else row.default


def _set_aside_unreadable(path: Path) -> None:
    """Moves away what is no file, which Qt would wait for, or too large for one of settings."""
    try:
        require_file(path, _LARGEST)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        aside = path.with_name(f"{path.name}.damaged")
        _log.warning("The settings in %s were not read and were moved to %s: %s", path, aside.name, error)
        path.replace(aside)
