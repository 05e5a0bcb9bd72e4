"""Every sentence of the window can be translated: lupdate finds it, and a translation is what is seen."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import PySide6
import pytest
from PySide6.QtCore import Qt, QTranslator
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QMenu,
    QPlainTextEdit,
    QTabBar,
    QTableWidget,
    QWidget,
)

import studio
from engine.model.suggested_models import SUGGESTED
from engine.pocket.wordings import EXAMPLES
from studio.app import actions, dock_layout, log_panel
from studio.app.command_palette import CommandPalette
from studio.app.main_window import Window
from studio.app.model_picker import ModelPicker
from studio.export.export_controller import KINDS
from studio.lab.lab_form import JUDGES
from studio.library.library_panel import LibraryPanel
from studio.panels import recipe_options
from studio.state import heatmap_quantities, preferences
from tests.studio.app.test_main_job import ask
from tests.studio.conftest import ready

TOOLS = Path(PySide6.__file__).parent
STUDIO = Path(studio.__file__).parent
SOURCES = sorted(STUDIO.rglob("*.py"))
ENGLISH = STUDIO.parent / "assets" / "translations" / "studio_en.ts"
MARKERS = ("tr", "QT_TR_NOOP", "shown", "translate")
HOW = "see “Words” in CONTRIBUTING.md"

Message = tuple[str, str]  # context, source


def lupdate(target: Path, *options: str) -> Path:
    """All that lupdate finds in the studio, as a .ts file with two forms for what is counted."""
    tool = [str(TOOLS / "lupdate"), "-silent", "-source-language", "en", "-target-language", "en", *options]
    subprocess.run([*tool, *map(str, SOURCES), "-ts", str(target)], check=True, capture_output=True)
    return target


def lrelease(source: Path, target: Path) -> Path:
    subprocess.run(
        [str(TOOLS / "lrelease"), "-silent", str(source), "-qm", str(target)], check=True, capture_output=True
    )
    return target


def messages(file: Path) -> dict[Message, ElementTree.Element]:
    found = {}
    for context in ElementTree.parse(file).getroot().iter("context"):
        for message in context.iter("message"):
            found[context.findtext("name") or "", message.findtext("source") or ""] = message
    return found


def calls(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, str, ast.Call]]:
    """Calls that mark a sentence or translate one: what is called, in which class, and the call."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in MARKERS:
                yield ast.unparse(called), inside, node
        yield from calls(node, node.name if isinstance(node, ast.ClassDef) else inside)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[Message, ElementTree.Element]:
    return messages(lupdate(tmp_path_factory.mktemp("found") / "all.ts"))


def test_lupdate_finds_every_sentence_where_the_running_program_looks_for_it(found):
    asked: set[Message] = set()
    for path in SOURCES:
        for called, inside, call in calls(ast.parse(path.read_text("utf-8"))):
            where = f"{path.name}:{call.lineno}: {called}"
            if called == "shown" or path.name == "translation.py":
                continue  # what it is called with was marked in a table
            assert called in ("tr", "self.tr", "QT_TR_NOOP"), where
            assert isinstance(call.args[0], ast.Constant), f"{where} is called with what no tool can read"
            asked.add((inside if called == "self.tr" else "", call.args[0].value))
    assert asked - set(found) == set(), "lupdate does not find these, or under another name"
    assert set(found) - asked == set(), "lupdate files these where nobody looks"


def test_the_tables_hold_marked_sentences_only(found):
    shown = [words for row in actions.TABLE for words in (row.menu, row.text, row.tip)]
    shown += [words for row in preferences.TABLE if row.label for words in (row.label, row.about)]
    shown += [q.title for q in heatmap_quantities.QUANTITIES] + [
        q.words for q in heatmap_quantities.QUANTITIES
    ]
    shown += [kind.title for kind in KINDS.values()] + [place.title for place in dock_layout.PLACES]
    shown += [words for _, words in log_panel.LEVELS]
    shown += [words for pair in recipe_options.RECIPES.values() for words in pair]
    shown += [words for _, *both in recipe_options.POSITIONS for words in both]
    assert [words for words in shown if ("", words) not in found] == []


def test_english_has_the_forms_of_one_and_of_many(found, tmp_path):
    counted = {key for key, message in found.items() if message.get("numerus")}
    english = messages(ENGLISH)
    assert set(english) == counted, HOW
    for key, message in english.items():
        one, many = (form.text or "" for form in message.iter("numerusform"))
        assert "(s)" not in one + many and one != many, f"{key}: {HOW}"
    compiled = lrelease(ENGLISH, tmp_path / "studio_en.qm")
    assert ENGLISH.with_suffix(".qm").read_bytes() == compiled.read_bytes(), HOW


@pytest.fixture
def marked(qapp: QApplication, tmp_path):
    """Every sentence comes translated: as itself, between ⟦ and ⟧."""
    tree = ElementTree.parse(lupdate(tmp_path / "marked.ts"))
    for message in tree.getroot().iter("message"):
        translation, words = message.find("translation"), f"⟦{message.findtext('source')}⟧"
        assert translation is not None
        translation.attrib.pop("type", None)
        for form in list(translation) or [translation]:
            form.text = words
    tree.write(tmp_path / "marked.ts", "utf-8", xml_declaration=True)
    translator = QTranslator()
    assert translator.load(str(lrelease(tmp_path / "marked.ts", tmp_path / "marked.qm")))
    qapp.installTranslator(translator)
    yield
    qapp.removeTranslator(translator)


def words_of(root: QWidget) -> Iterator[tuple[str, str]]:
    """Every text in and below `root` that is read, heard or hovered, and whose it is."""
    for widget in (root, *root.findChildren(QWidget)):
        whose = f"{type(widget).__name__} {widget.objectName()}"
        if widget.objectName().startswith(("qt_", "Scroll")):
            continue  # Qt's own, in Qt's own translation
        texts = [
            widget.windowTitle(),
            widget.toolTip(),
            widget.accessibleName(),
            widget.accessibleDescription(),
        ]
        if isinstance(widget, QLabel | QAbstractButton):
            texts.append(widget.text())
        if isinstance(widget, QLineEdit | QPlainTextEdit):
            texts.append(widget.placeholderText())
        if isinstance(widget, QAbstractSpinBox):
            texts.append(widget.text())
        if isinstance(widget, QMenu):
            texts.append(widget.title())
        if isinstance(widget, QComboBox):
            texts += [widget.itemText(i) for i in range(widget.count())]
        if isinstance(widget, QListWidget):
            texts += [widget.item(i).text() for i in range(widget.count())]
        if isinstance(widget, QTabBar):
            texts += [widget.tabText(i) for i in range(widget.count())]
        if isinstance(widget, QTableWidget):
            heads = [widget.horizontalHeaderItem(i) for i in range(widget.columnCount())]
            texts += [head.text() for head in heads if head]
        yield from ((whose, text) for text in texts)
    for action in root.findChildren(QAction):
        if type(action.parent()).__module__.startswith("pyqtgraph"):
            continue  # of a menu that is never opened
        whose = f"action {action.objectName()}"
        yield from ((whose, text) for text in (action.text(), action.toolTip(), action.statusTip()))


def unmarked(text: str, names: set[str]) -> str:
    """What of the text is neither translated, nor a name, nor a key or a number."""
    rest = text
    while "⟦" in rest:
        shorter = re.sub(r"⟦[^⟦⟧]*⟧", "", rest)
        if shorter == rest:
            break
        rest = shorter
    for name in sorted(names, key=len, reverse=True):
        rest = rest.replace(name, "")
    rest = re.sub(r"(Ctrl|Alt|Shift)\+\S+|\bEsc\b", "", rest.replace("&", ""))
    return " ".join(re.findall(r"[^\W\d_]{2,}", rest))


def names_in(window: Window) -> set[str]:
    """What is a name or data in every language, and the engine's own words."""
    facts, library = window.workspace.loading.facts, window.findChild(LibraryPanel)
    names = {facts.name, facts.dtype, facts.device.upper(), *EXAMPLES, *JUDGES}
    names |= {row.name for row in window.workspace.channels}
    names |= {turn.question for turn in window.workspace.turns}
    names |= {model.name for model in SUGGESTED}
    names |= {str(words) for row in preferences.TABLE for value, words in row.choices if value == words}
    for method in window.steering.options._methods.values():
        names |= {method.title, method.about, *(objective.upper() for objective in method.objectives)}
    items = [library.list.item(i) for i in range(library.list.count())]
    return names | {item.data(Qt.ItemDataRole.UserRole).about for item in items}


def test_nothing_in_the_window_is_left_untranslated(qtbot, marked, open_window, tmp_path):
    window = ready(qtbot, open_window())
    for place in dock_layout.PLACES:
        window.docks.show(place.key)
    ask(qtbot, window, "Tell me about the harbour.")
    for page in ("compare", "lab", "conversation"):
        window.actions_[f"page_{page}"].trigger()
    window.exporting.write("export_lab", tmp_path / "lab.html")
    qtbot.waitUntil(window.banner.isVisible)
    qtbot.wait(300)
    picker, palette = ModelPicker("pocket", [], window), CommandPalette(window.actions_, window)
    qtbot.waitUntil(picker.use.isEnabled)
    names = names_in(window)
    texts = {found for root in (window, picker, palette) for found in words_of(root)}
    picker.done(0)
    palette.done(0)
    left = [(whose, text) for whose, text in sorted(texts) if unmarked(text, names)]
    assert len(texts) > 200
    assert not left, "\n".join(map(str, left))
