"""The parts of a window that its actions use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow

from studio.app.appearance import Appearance
from studio.app.controllers import Controllers
from studio.app.dock_layout import DockLayout
from studio.app.failure_banner import FailureBanner
from studio.app.file_opener import FileOpener
from studio.app.intro_tour import IntroTour
from studio.app.library_actions import LibraryActions
from studio.app.page_tabs import PageTabs
from studio.app.text_dialogs import TextDialogs
from studio.chat.compare_controller import CompareController
from studio.chat.compare_page import ComparePage
from studio.chat.composer import Composer
from studio.chat.conversation_page import ConversationPage
from studio.export.export_controller import ExportController
from studio.lab.lab_controller import LabController
from studio.lab.lab_page import LabPage
from studio.library.autosave import Autosave
from studio.panels.steering_panel import SteeringPanel
from studio.state.preferences import Preferences
from studio.state.workspace import Workspace

if TYPE_CHECKING:
    from studio.panels.heatmap_panel import HeatmapPanel  # brings pyqtgraph: not before the first paint


@dataclass(kw_only=True)
class WindowParts:
    """heatmap: None before the first paint."""

    window: QMainWindow
    actions: Mapping[str, QAction]
    workspace: Workspace
    preferences: Preferences
    appearance: Appearance
    autosave: Autosave
    controllers: Controllers
    comparing: CompareController
    measuring: LabController
    exporting: ExportController
    files: FileOpener
    dialogs: TextDialogs
    library: LibraryActions
    tour: IntroTour
    banner: FailureBanner
    docks: DockLayout
    pages: PageTabs
    conversation: ConversationPage
    compare_page: ComparePage
    lab_page: LabPage
    composer: Composer
    steering: SteeringPanel
    heatmap: HeatmapPanel | None = None
