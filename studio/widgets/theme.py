"""Light and dark: neutral surfaces, one accent for actions, two hues kept for coefficients."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

BASE_POINTS, SMALL_POINTS = 10.0, 9.0


@dataclass(frozen=True)
class Theme:
    """Colours as #rrggbb. Text on every surface keeps a contrast of at least 4.5 : 1, disabled text one of
    3 : 1; shade: the opacity of the strongest token's background, which keeps the former too."""

    dark: bool
    window: str
    surface: str
    field: str
    line: str
    text: str
    muted: str
    disabled: str
    accent: str
    accent_hover: str
    on_accent: str
    danger: str
    danger_surface: str
    positive: str
    negative: str
    selection: str
    shade: float
    color_map: str = "cividis"
    signed_map: str = "CET-CBD1"
    below: str = "#40e0d0"  # cells that a scale does not hold: on no map, light enough beside either end
    above: str = "#ff80c8"

    def color(self, name: str, alpha: float = 1.0) -> QColor:
        color = QColor(getattr(self, name))
        color.setAlphaF(alpha)
        return color


LIGHT = Theme(
    dark=False, window="#f3f4f6", surface="#ffffff", field="#ffffff", line="#d5d9df", text="#191d23",
    muted="#59626f", disabled="#717a87", accent="#0b6b68", accent_hover="#0a5a57", on_accent="#ffffff",
    danger="#a8281c", danger_surface="#fdecea", positive="#d09a00", negative="#3a7de0", selection="#191d23",
    shade=0.55,
)  # fmt: skip
DARK = Theme(
    dark=True, window="#15171a", surface="#1d2024", field="#16181b", line="#363b43", text="#e7e9ed",
    muted="#a3abb6", disabled="#7f8792", accent="#4fc7bd", accent_hover="#6fd6cd", on_accent="#062321",
    danger="#ff9a8c", danger_surface="#3a1f1c", positive="#e8b53a", negative="#5b9bff", selection="#f5f6f8",
    shade=0.44,
)  # fmt: skip

_current = LIGHT


def current() -> Theme:
    return _current


def of_system() -> Theme:
    """Dark when the desktop says so, else light."""
    return DARK if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT


def lines(count: float) -> int:
    """The pixels that so many lines of text take: what must grow with the text is measured in them."""
    return round(count * QFontMetricsF(QApplication.font()).height())


def apply(app: QApplication, theme: Theme, zoom: float = 1.0) -> None:
    """Palette, font and style sheet of the whole application."""
    global _current
    _current = theme
    font = QFont(app.font())
    font.setPointSizeF(BASE_POINTS * zoom)
    font.setFeature(QFont.Tag("tnum"), 1)  # figures of one width: numbers that change do not shake
    app.setFont(font)
    app.setPalette(_palette(theme))
    app.setStyleSheet(_sheet(theme, zoom))


def _palette(t: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    pairs = (
        (role.Window, t.surface), (role.WindowText, t.text), (role.Base, t.field),
        (role.AlternateBase, t.surface),
        (role.Text, t.text), (role.Button, t.surface), (role.ButtonText, t.text),
        (role.ToolTipBase, t.surface),
        (role.ToolTipText, t.text), (role.PlaceholderText, t.muted), (role.Highlight, t.accent),
        (role.HighlightedText, t.on_accent), (role.Link, t.accent), (role.Mid, t.line),
        (role.Light, t.surface),
        (role.Dark, t.line), (role.Accent, t.accent), (role.BrightText, t.danger),
    )  # fmt: skip
    for name, colour in pairs:
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(t.disabled))
    return palette


def _sheet(t: Theme, zoom: float) -> str:
    small = SMALL_POINTS * zoom
    return f"""
    QToolTip {{ background: {t.surface}; color: {t.text}; border: 1px solid {t.line}; padding: 4px; }}
    QMainWindow::separator {{ background: {t.line}; width: 1px; height: 1px; margin: 0; }}
    QMainWindow::separator:hover {{ background: {t.accent}; }}
    QDockWidget::close-button, QDockWidget::float-button {{ icon-size: {round(16 * zoom)}px; }}
    QDockWidget {{ color: {t.muted}; font-size: {small}pt; font-weight: 600; }}
    QDockWidget::title {{ background: {t.surface}; padding: 8px 12px 4px 12px; text-align: left; }}
    QToolBar {{ background: {t.surface}; border: none; spacing: 8px; padding: 8px 16px; }}
    QToolBar#header {{ border-bottom: 1px solid {t.line}; padding: 0 16px 4px 16px; }}
    QToolBar#asking {{ border-top: 1px solid {t.line}; }}
    QStatusBar {{ background: {t.surface}; border-top: 1px solid {t.line}; }}
    QStatusBar::item {{ border: none; }}
    QMenuBar {{ background: {t.surface}; }}
    QScrollArea {{ border: none; background: {t.surface}; }}
    PlotWidget, LabPlot, ConversationPage, TokenPanel {{ border: 1px solid transparent; }}
    PlotWidget:focus, LabPlot:focus, ConversationPage:focus, TokenPanel:focus {{ border-color: {t.accent}; }}
    QLabel[role="small"], QToolButton[role="small"] {{ font-size: {small}pt; }}
    QLabel[role="muted"] {{ color: {t.muted}; font-size: {small}pt; }}
    QLabel[role="speaker"] {{ color: {t.muted}; font-size: {small}pt; font-weight: 600; }}
    QLabel[role="danger"] {{ color: {t.danger}; font-size: {small}pt; }}
    QLabel[chosen="true"] {{ font-weight: 600; }}
    QLabel[silent="true"] {{ color: {t.muted}; }}
    QLabel[role="strong"] {{ font-weight: 600; }}
    QFrame[role="banner"] {{ background: {t.danger_surface}; border-bottom: 1px solid {t.line}; }}
    QFrame[role="compared"] {{ border-top: 2px solid transparent; }}
    QFrame[shown="true"] {{ border-top: 2px solid {t.accent}; }}
    QFrame[role="below"] {{ border-top: 1px solid {t.line}; }}
    QFrame[role="bubble"] {{ background: {t.surface}; border: 1px solid {t.accent}; border-radius: 8px; }}
    QPlainTextEdit, QLineEdit {{
        background: {t.field}; border: 1px solid {t.line}; border-radius: 4px; padding: 3px 6px;
        selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
    QPlainTextEdit {{ padding: 4px; }}
    QPlainTextEdit:focus, QLineEdit:focus {{ border: 1px solid {t.accent}; }}
    QPushButton, QToolButton {{ border: 1px solid {t.line}; border-radius: 4px; padding: 4px 12px;
        background: {t.surface}; color: {t.text}; }}
    QToolButton {{ padding: 4px 8px; }}
    QToolButton[role="quiet"] {{ border-color: transparent; background: transparent; color: {t.muted};
        font-size: {small}pt; padding: 0px 4px; }}
    QToolButton[role="quiet"]:hover, QToolButton[role="quiet"]:focus {{ color: {t.text}; }}
    QToolButton[role="quiet"]:hover {{ border-color: {t.line}; }}
    QPushButton:hover, QToolButton:hover {{ border-color: {t.muted}; }}
    QPushButton:focus, QToolButton:focus {{ border-color: {t.accent}; }}
    QPushButton:pressed, QToolButton:pressed, QToolButton:checked {{ background: {t.line}; }}
    QPushButton:disabled, QToolButton:disabled {{ color: {t.disabled}; background: {t.window}; }}
    QToolButton[role="quiet"]:disabled {{ color: {t.disabled}; background: transparent; }}
    QPushButton[role="primary"] {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent};
        font-weight: 600; padding: 4px 16px; }}
    QPushButton[role="primary"]:hover {{ background: {t.accent_hover}; }}
    QPushButton[role="primary"]:focus {{ border: 3px double {t.on_accent}; padding: 2px 14px;
        outline: none; }}
    QPushButton[role="primary"]:disabled {{ background: {t.line}; color: {t.disabled};
        border-color: {t.line}; }}
    QToolButton[role="flat"] {{ border: 1px solid transparent; background: transparent; padding: 2px 4px; }}
    QToolButton[role="flat"]:hover {{ border-color: {t.line}; }}
    QToolButton[role="flat"]:checked {{ background: {t.accent}; color: {t.on_accent}; }}
    QToolButton[role="saved"], QToolButton[role="unsaved"] {{ border: 1px solid transparent;
        background: transparent; color: {t.muted}; font-size: {small}pt; padding: 0 4px; margin-left: 12px; }}
    QToolButton[role="unsaved"] {{ color: {t.danger}; text-decoration: underline; }}
    QToolButton[role="unsaved"]:hover {{ border-color: {t.danger}; }}
    QToolButton[role="disclosure"] {{ border: 1px solid transparent; background: transparent;
        padding: 2px 4px 2px 0; color: {t.muted}; font-size: {small}pt; }}
    QListWidget {{ background: {t.field}; border: 1px solid {t.line}; border-radius: 4px; outline: none; }}
    QTableWidget, QTextBrowser {{ border: 1px solid {t.line}; }}
    QListWidget::item {{ padding: 4px 8px; }}
    QListWidget::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
    QListWidget[role="panel"] {{ border-color: transparent; border-radius: 0; background: {t.surface}; }}
    QListWidget[role="panel"]::item {{ padding: 4px 16px; }}
    QPlainTextEdit[role="log"] {{ border-color: transparent; border-radius: 0; padding: 4px 12px; }}
    QToolButton[role="tab"] {{ border: 1px solid transparent; border-radius: 0; padding: 3px 11px 4px 11px;
        background: transparent; border-bottom: 2px solid transparent; }}
    QToolButton[role="tab"]:checked {{ border-bottom: 2px solid {t.accent}; font-weight: 600; }}
    QTabBar::tab {{ background: {t.window}; color: {t.muted}; padding: 4px 12px; border: none; }}
    QTabBar::scroller {{ width: {round(40 * zoom)}px; }}
    QTabBar QToolButton {{ border: none; padding: 0; }}
    QTabBar {{ font-size: {small}pt; }}
    QTabBar::tab:selected {{ background: {t.surface}; color: {t.text}; }}
    QTabBar::tab:selected:focus {{ border: 1px solid {t.accent}; padding: 3px 11px; }}
    QDoubleSpinBox[extreme="true"] {{ color: {t.danger}; font-weight: 600; }}
    QToolButton::menu-indicator {{ width: 8px; height: 8px; subcontrol-position: right center; right: 4px; }}
    QToolButton[popup="true"] {{ padding-right: 18px; }}
    QAbstractItemView:focus, QTextBrowser:focus, QPlainTextEdit[role]:focus, QToolButton[role]:focus {{
        border-color: {t.accent}; }}
    QProgressBar {{ border: none; background: {t.line}; border-radius: 2px; max-height: 4px; }}
    QProgressBar::chunk {{ background: {t.accent}; border-radius: 2px; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {t.line}; border-radius: 4px; margin: 1px;
        min-height: 24px; min-width: 24px; }}
    QScrollBar::handle:hover {{ background: {t.muted}; }}
    QScrollBar::handle:disabled {{ background: transparent; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    """
