"""Small dialogs: a name for a head or a preset, and what this program is."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QInputDialog, QMessageBox, QWidget

from studio.app.version import version
from studio.state.workspace import Workspace


class TextDialogs(QObject):
    """Dialogs over `window`; none of them blocks the event loop."""

    def __init__(self, workspace: Workspace, window: QWidget) -> None:
        super().__init__(window)
        self._workspace, self._window = workspace, window

    def name(
        self, title: str, label: str, text: str, then: Callable[[str], object], *, or_none: bool = False
    ) -> QInputDialog:
        """Asks for a line of text and gives it to `then`, unless one thinks better of it; empty only with
        `or_none`."""
        dialog = QInputDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(title)
        dialog.setLabelText(label)
        dialog.setTextValue(text)
        dialog.textValueSelected.connect(
            lambda typed: then(typed.strip()) if or_none or typed.strip() else None
        )
        dialog.open()
        return dialog

    def rename_head(self, key: int | None) -> None:
        row = self._workspace.channel(key)
        if row is not None:
            self.name(
                self.tr("Rename the head"),
                self.tr("Name:"),
                row.name,
                lambda name: self._workspace.mixer.rename_head(row.key, name),
            )

    def keep_preset(self) -> None:
        self.name(
            self.tr("Save as preset"),
            self.tr("Preset name:"),
            "",
            self._workspace.mixer.keep_preset,
        )

    def about(self) -> None:
        words = self.tr(
            "Steering Studio {0}\n\nSteer language models: distill a prompt into a head, set its "
            "strength, and see every coefficient it applies.\nMethod: Heyman & Vandeputte, “Steer "
            "Like the LLM”."
        )
        box = QMessageBox(
            QMessageBox.Icon.NoIcon, self.tr("About"), words.format(version()), parent=self._window
        )
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()
