"""The end: the window closes once the person's work is kept, or may go by their word."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMessageBox, QWidget

from studio.library.autosave import Autosave, Saving
from studio.state.workspace import Workspace

PATIENCE_S = 1.0  # a closing window may stand still for so long; then it says what it waits for
SESSION_S = 5.0  # the desktop ends with it, and nobody is there to be asked


class CloseGuard(QObject):
    """Makes the last save. Where it takes long or fails, a dialog says so and leaves the choice."""

    def __init__(self, workspace: Workspace, autosave: Autosave, export: QAction, window: QWidget) -> None:
        """export: writes the conversation as a file."""
        super().__init__(window)
        self._workspace, self._autosave, self._export, self._window = workspace, autosave, export, window
        self._saving = Saving()
        self._agreed = False
        self._insists = False
        self.dialog: UnsavedDialog | None = None
        self.distilling: DistillingDialog | None = None
        autosave.stateChanged.connect(self._on_state)

    @property
    def kept(self) -> bool:
        """Whether the last save was made."""
        return self._saving.kept

    def may_close(self) -> bool:
        """Whether the window can close now. If not, the person is asked, and it is closed when it can be.

        Who wants to close it while the question stands has answered it.
        """
        fit = self._workspace.fit
        if self.distilling is not None:
            self._answered()
        elif fit.running and not fit.live and not self._agreed and not self._insists:
            self.distilling = DistillingDialog(self._window)
            self.distilling.finished.connect(self._on_distilling)
            self.distilling.open()
            return False
        if not self._agreed and self.dialog is None:
            self._saving = self._autosave.flush(clean=True)
            self._saving.wait(SESSION_S if self._insists else PATIENCE_S)
            if not self.kept and self._workspace.has_edits and not self._insists:
                self._ask()
                return False
        self._agreed = True
        return True

    @Slot()
    def insist(self) -> None:
        """The desktop's session ends: the window waits a little longer, and asks nothing."""
        self._insists = True

    def _ask(self) -> None:
        self.dialog = UnsavedDialog(bool(self._workspace.turns), self._window)
        self.dialog.tell(self._autosave)
        self.dialog.finished.connect(self._on_answer)
        self.dialog.open()

    @Slot()
    def _on_answer(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is None:
            return
        answer = dialog.clickedButton()
        dialog.deleteLater()
        if answer is dialog.discard:
            self._close()
        elif answer is dialog.export:
            self._export.trigger()

    @Slot()
    def _on_distilling(self) -> None:
        if self.distilling is not None and self.distilling.clickedButton() is self.distilling.cancel:
            self._window.close()
        else:
            self._answered()

    def _answered(self) -> None:
        dialog, self.distilling = self.distilling, None
        if dialog is not None:
            dialog.done(0)
            dialog.deleteLater()

    @Slot(str)
    def _on_state(self, state: str) -> None:
        """The library can be written after all, or it is known by now why not."""
        if self.dialog is None:
            return
        self.dialog.tell(self._autosave)
        if state == "saved":
            dialog, self.dialog = self.dialog, None
            dialog.done(0)
            dialog.deleteLater()
            self._agreed = self.kept
            self._window.close()

    def _close(self) -> None:
        self._agreed = True
        self._window.close()


class DistillingDialog(QMessageBox):
    """A distillation runs: whether it is to go for the window to close."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Closing Steering Studio"))
        self.setIcon(QMessageBox.Icon.NoIcon)
        self.setText(self.tr("A distillation is running"))
        self.setInformativeText(self.tr("If the studio closes now, its head is lost."))
        self.cancel = self.addButton(self.tr("Cancel it and close"), QMessageBox.ButtonRole.DestructiveRole)
        self.keep = self.addButton(self.tr("Keep distilling"), QMessageBox.ButtonRole.RejectRole)
        self.setDefaultButton(self.keep)
        self.setEscapeButton(self.keep)


class UnsavedDialog(QMessageBox):
    """What is not kept, why, what helps; and whether to close all the same."""

    def __init__(self, exportable: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Closing Steering Studio"))
        self.setIcon(QMessageBox.Icon.NoIcon)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.discard = self.addButton(self.tr("Close without saving"), QMessageBox.ButtonRole.DestructiveRole)
        self.export = self.addButton(self.tr("Export the conversation…"), QMessageBox.ButtonRole.ActionRole)
        self.export.setEnabled(exportable)
        self.export.setToolTip(self.tr("The studio stays open until the file is saved"))
        self.keep = self.addButton(self.tr("Keep open"), QMessageBox.ButtonRole.RejectRole)
        self.setDefaultButton(self.keep)
        self.setEscapeButton(self.keep)

    def tell(self, autosave: Autosave) -> None:
        trouble = autosave.trouble
        if trouble is None:
            self.setText(self.tr("Saving your latest changes…"))
            self.setInformativeText(self.tr("The studio closes when saving is done."))
        else:
            self.setText(self.tr("Some of your work is not saved"))
            lost = self.tr("Anything that is not in the Library when the studio closes is lost.")
            self.setInformativeText(f"{trouble.what}: {trouble.why} {trouble.remedy}\n\n{lost}")
