"""Where the studio keeps what it must remember."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT = "STEER_STUDIO_HOME"


def home() -> Path:
    """The folder of library, settings and crash report: $STEER_STUDIO_HOME, or the system's data folder."""
    chosen = os.environ.get(ENVIRONMENT)
    if chosen:
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("steering-studio", appauthor=False)
