"""Sentences that stand outside of widgets, and the languages that the window is in.

`pyside6-lupdate` reads the source and finds these functions by name: what they are called with it files
under the empty context; what `self.tr` is called with in a QObject, under the class's.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

import assets

SOURCE = "en"  # the language in the code; its file holds nothing but the forms of one and of many


def tr(text: str, disambiguation: str = "", n: int = -1) -> str:
    """`text` in the window's language, in the form that n things take. Any thread may call it."""
    return QCoreApplication.translate("", text, disambiguation, n)


def QT_TR_NOOP(text: str) -> str:
    """Marks a sentence of a table, which is made before there is a language; see `shown`."""
    return text


def shown(marked: str) -> str:
    """A marked sentence in the window's language."""
    return QCoreApplication.translate("", marked)


def install(app: QCoreApplication) -> None:
    """The language of the desktop where there is a file of it, else that of the code."""
    qt, own = (
        QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath),
        f"{assets.__path__[0]}/translations",
    )
    files = ((QLocale(), "qtbase", qt), (QLocale(SOURCE), "studio", own), (QLocale(), "studio", own))
    for locale, name, folder in files:  # what is installed last is asked first
        translator = QTranslator(app)
        if translator.load(locale, name, "_", folder):
            app.installTranslator(translator)
