"""Models that can be loaded at once: the bundled one and those in the local hub cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import assets


def local_models() -> list[dict[str, Any]]:
    """One record per model: id, source, revision, architecture, blocks, width, vocabulary, bytes.

    The bundled model comes first. Reads configuration files only; torch is not imported. A cached model
    without a readable decoder configuration is not listed.
    """
    bundled = _record("pocket", Path(assets.__file__).parent / "pocket", "bundled", None)
    return [record for record in (bundled, *_cached()) if record is not None]


def _cached() -> list[dict[str, Any] | None]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache = scan_cache_dir()
    except CacheNotFound:
        return []
    return [
        _record(repo.repo_id, Path(revision.snapshot_path), "cache", revision.commit_hash)
        for repo in sorted(cache.repos, key=lambda repo: repo.repo_id)
        if repo.repo_type == "model"
        for revision in sorted(repo.revisions, key=lambda revision: revision.commit_hash)
    ]


def _record(name: str, folder: Path, source: str, revision: str | None) -> dict[str, Any] | None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    text = config.get("text_config", config)
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if not weights or not text.keys() & {"num_hidden_layers", "n_layer"}:
        return None
    return {
        "id": name,
        "source": source,
        "revision": revision,
        "architecture": (config.get("architectures") or ["unknown"])[0],
        "blocks": text.get("num_hidden_layers", text.get("n_layer")),
        "width": text.get("hidden_size", text.get("n_embd")),
        "vocabulary": text.get("vocab_size"),
        "bytes": weights,
    }
