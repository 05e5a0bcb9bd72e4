"""Head files: their suffixes, and where the bundled ones lie."""

from __future__ import annotations

from pathlib import Path

import assets

HEAD_FILES = (".safetensors", ".gguf", ".pt")  # ours and those of other tools


def heads_folder() -> Path:
    """Where the heads that come with Pocket lie."""
    return Path(assets.__file__).parent / "heads"
