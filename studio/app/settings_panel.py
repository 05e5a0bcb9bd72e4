"""The settings panel: one control per row of the settings table."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Slot
from PySide6.QtWidgets import QComboBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from studio.state.preferences import ROWS, TABLE, Preference, Preferences
from studio.widgets.switch import Switch
from studio.widgets.translation import shown
from studio.widgets.vertical_scroll import VerticalScroll
from studio.widgets.wheel_guard import turn_when_focused


class SettingsPanel(VerticalScroll):
    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._preferences = preferences
        self.controls: dict[str, Switch | QComboBox] = {}
        self.setAccessibleName(self.tr("Settings"))
        page = QWidget()
        page.setProperty("role", "panel")
        self._layout = QVBoxLayout(page)
        self._layout.setContentsMargins(16, 4, 16, 16)
        self._layout.setSpacing(4)
        for row in TABLE:
            if row.label:
                self._add(row)
        self._layout.addStretch(1)
        self.setWidget(page)
        preferences.changed.connect(self._on_changed)

    def _add(self, row: Preference) -> None:
        label, about = shown(row.label), shown(row.about)
        control: Switch | QComboBox
        if row.choices:
            name = QLabel(label)
            self._layout.addWidget(name)
            control = QComboBox()
            turn_when_focused(control)
            control.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            for value, words in row.choices:
                control.addItem(shown(words), value)
            # As wide as the panel, not as its longest choice: else everything is cut at the right.
            control.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            control.setMinimumContentsLength(8)
            control.currentIndexChanged.connect(
                lambda _, box=control, key=row.key: self._preferences.set(key, box.currentData())
            )
            name.setBuddy(control)
        else:
            control = Switch(label)
            control.toggled.connect(lambda on, key=row.key: self._preferences.set(key, on))
        control.setAccessibleName(label)
        control.setAccessibleDescription(about)
        control.setToolTip(about)
        self.controls[row.key] = control
        self._layout.addWidget(control)
        note = QLabel(about)
        note.setProperty("role", "muted")
        note.setWordWrap(True)
        self._layout.addWidget(note)
        self._layout.addSpacing(12)
        self._show(row.key)

    @Slot(str)
    def _on_changed(self, key: str) -> None:
        if key in self.controls:
            self._show(key)

    def _show(self, key: str) -> None:
        control, value = self.controls[key], self._preferences.get(key)
        with QSignalBlocker(control):
            if isinstance(control, QComboBox):
                control.setCurrentIndex([v for v, _ in ROWS[key].choices].index(value))
            else:
                control.setChecked(value)
