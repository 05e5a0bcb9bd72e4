"""Models that can be loaded at once: the bundled one and those in the local hub cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import assets
from engine.errors import ModelError
from engine.model.config import read_config, text_settings
from engine.model.download import PART
from engine.model.gguf_file import ENDING, read_gguf_header
from engine.model.memory import free_memory
from engine.model.memory_fit import SIZES, default_dtype, need
from engine.model.prequantised import quantisation_of, values_of
from engine.model.weights import Weights, read_weights


def local_models(dtype: str | None = None, free: int | None = None) -> list[dict[str, Any]]:
    """One record per model: id, source, revision, architecture, blocks, width, vocabulary, bytes (of its
    weights' files), dtype (of most of them), runs_in (the wanted dtype, or that of a load unless told
    otherwise), needs (bytes of memory that it then takes) and fits (into `free` bytes, by default the main
    memory that is free now).

    The bundled model comes first. Reads configuration files and headers only; torch is not imported. A
    cached model that is incomplete or no decoder is not listed; one in GGUF has the path of its file as id,
    and its quantisation as dtype. Raises ModelError for a cache that is a file.
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


def local_model(source: str, dtype: str | None = None, free: int | None = None) -> dict[str, Any]:
    """The record of a model folder or a GGUF file, as in `local_models`; the dtype of a GGUF is its
    quantisation. Raises ModelError for what holds no model."""
    from engine.events import ignore
    from engine.model.source import locate

    found = locate(source, None, code=False, emit=ignore, cancel=None)
    free = free_memory() if free is None else free
    if found.file is not None:
        return _gguf_record(source, found.file, "file", dtype, free)
    config = read_config(found.folder)
    return _facts(source, config, read_weights(found.folder), "folder", found.revision, dtype, free)


def _cached(dtype: str | None, free: int) -> Iterator[dict[str, Any]]:
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        return
    except ValueError:
        raise ModelError(
            "The models were not listed",
            f"Their folder {constants.HF_HUB_CACHE} is a file.",
            "Set HF_HUB_CACHE or HF_HOME to a folder.",
        ) from None
    for repo in sorted(cache.repos, key=lambda repo: repo.repo_id):
        if repo.repo_type == "model":
            for revision in sorted(repo.revisions, key=lambda revision: revision.commit_hash):
                yield from _in_snapshot(repo.repo_id, revision, dtype, free)


def _in_snapshot(name: str, revision: Any, dtype: str | None, free: int) -> Iterator[dict[str, Any]]:
    """The model in a snapshot of the hub cache, or the GGUF files there; nothing for what is incomplete."""
    folder = Path(revision.snapshot_path)
    if (folder / "config.json").is_file():
        record = _record(name, folder, "cache", revision.commit_hash, dtype, free)
        if record is not None:
            yield record
        return
    for file in sorted(folder.glob(f"*{ENDING}")):
        try:
            yield _gguf_record(str(file), file, "cache", dtype, free)
        except ModelError:
            continue  # a part of a model, or something else in that format


def _record(
    name: str, folder: Path, source: str, revision: str | None, dtype: str | None, free: int
) -> dict[str, Any] | None:
    try:
        config, weights = read_config(folder), read_weights(folder)
    except ModelError:
        return None
    if not text_settings(config).keys() & {"num_hidden_layers", "n_layer"}:
        return None
    return _facts(name, config, weights, source, revision, dtype, free)


def _facts(
    name: str,
    config: dict[str, Any],
    weights: Weights,
    source: str,
    revision: str | None,
    dtype: str | None,
    free: int,
) -> dict[str, Any]:
    text = text_settings(config)
    method = quantisation_of(config)
    runs_in = dtype or ("bfloat16" if method else default_dtype(weights.bytes))
    needs = need(config, values_of(config, weights.bytes, weights.count, SIZES[runs_in]), runs_in).total
    return {
        "id": name,
        "source": source,
        "revision": revision,
        "architecture": (config.get("architectures") or ["unknown"])[0],
        "blocks": text.get("num_hidden_layers", text.get("n_layer")),
        "width": text.get("hidden_size", text.get("n_embd")),
        "vocabulary": text.get("vocab_size"),
        "bytes": weights.bytes,
        "dtype": method or weights.dtype,
        "runs_in": runs_in,
        "needs": needs,
        "fits": needs <= free,
    }


def _gguf_record(name: str, file: Path, source: str, dtype: str | None, free: int) -> dict[str, Any]:
    model = read_gguf_header(file)
    runs_in = dtype or default_dtype(model.count * SIZES["bfloat16"])
    needs = need(model.config, model.count, runs_in).total
    return {
        "id": name,
        "source": source,
        "revision": None,
        "architecture": model.architecture,
        "blocks": model.config["num_hidden_layers"],
        "width": model.config["hidden_size"],
        "vocabulary": model.config["vocab_size"],
        "bytes": model.bytes,
        "dtype": model.quantisation,
        "runs_in": runs_in,
        "needs": needs,
        "fits": needs <= free,
    }
