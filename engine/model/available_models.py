"""Models that can be loaded at once: the bundled one and those in the local hub cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import assets
from engine.errors import ModelError
from engine.model.config import read_config
from engine.model.download import PART
from engine.model.memory import free_memory
from engine.model.memory_fit import default_dtype, need
from engine.model.weights import read_weights


def local_models(dtype: str | None = None, free: int | None = None) -> list[dict[str, Any]]:
    """One record per model: id, source, revision, architecture, blocks, width, vocabulary, bytes (of its
    weights' files), dtype (of most of them), runs_in (the wanted dtype, or that of a load unless told
    otherwise), needs (bytes of memory that it then takes) and fits (into `free` bytes, by default the main
    memory that is free now).

    The bundled model comes first. Reads configuration files and headers only; torch is not imported. A
    cached model that is incomplete or no decoder is not listed. Raises ModelError for a cache that is a file.
    """
    free = free_memory() if free is None else free
    bundled = _record("pocket", Path(assets.__file__).parent / "pocket", "bundled", None, dtype, free)
    return [record for record in (bundled, *_cached(dtype, free)) if record is not None]


def broken_off() -> list[tuple[str, int]]:
    """Hub models whose download did not come to its end: owner/name and the bytes that are here.

    A fetch goes on with them.
    """
    from huggingface_hub import constants

    found = []
    for place in sorted(Path(constants.HF_HUB_CACHE).glob("models--*")):
        files = list((place / "blobs").glob("*"))
        if any(file.name.endswith(PART) for file in files):
            name = place.name.removeprefix("models--").replace("--", "/", 1)
            found.append((name, sum(file.stat().st_size for file in files)))
    return found


def _cached(dtype: str | None, free: int) -> list[dict[str, Any] | None]:
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        return []
    except ValueError:
        raise ModelError(
            "The models were not listed",
            f"Their folder {constants.HF_HUB_CACHE} is a file.",
            "Set HF_HUB_CACHE or HF_HOME to a folder.",
        ) from None
    return [
        _record(repo.repo_id, Path(revision.snapshot_path), "cache", revision.commit_hash, dtype, free)
        for repo in sorted(cache.repos, key=lambda repo: repo.repo_id)
        if repo.repo_type == "model"
        for revision in sorted(repo.revisions, key=lambda revision: revision.commit_hash)
    ]


def _record(
    name: str, folder: Path, source: str, revision: str | None, dtype: str | None, free: int
) -> dict[str, Any] | None:
    try:
        config, weights = read_config(folder), read_weights(folder)
    except ModelError:
        return None
    text = config.get("text_config", config)
    if not text.keys() & {"num_hidden_layers", "n_layer"}:
        return None
    runs_in = dtype or default_dtype(weights.bytes)
    needs = need(config, weights.count, runs_in).total
    return {
        "id": name,
        "source": source,
        "revision": revision,
        "architecture": (config.get("architectures") or ["unknown"])[0],
        "blocks": text.get("num_hidden_layers", text.get("n_layer")),
        "width": text.get("hidden_size", text.get("n_embd")),
        "vocabulary": text.get("vocab_size"),
        "bytes": weights.bytes,
        "dtype": weights.dtype,
        "runs_in": runs_in,
        "needs": needs,
        "fits": needs <= free,
    }
