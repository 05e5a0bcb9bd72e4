"""Models on the hub: what one is and whether it fits before it is fetched, and its files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.events import Cancel, Emit
from engine.model import adapter
from engine.model.config import require_decoder, text_settings
from engine.model.download import Wanted, download
from engine.model.gguf_file import ENDING
from engine.model.hub_cache import COMMIT, fetched_before, hand_over, remember, repository, require_room
from engine.model.hub_errors import Unreachable, refused, told
from engine.model.interruptible_wait import wait_for
from engine.model.memory import free_memory
from engine.model.memory_fit import SIZES, default_dtype, need
from engine.model.weights import weight_files

_OWNER_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_SETTINGS = (".json", ".jinja", ".model", ".txt", ".tiktoken")
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ANSWER = 4.0  # seconds that the hub may take to say what a model is


@dataclass(frozen=True)
class Offer:
    """A hub model before it is fetched.

    revision: the commit that a fetch would be pinned to; bytes: of all files that a fetch brings; here: how
    many of them are on this machine already; dtype: that of the stored weights; runs_in: that of a load
    unless told otherwise; needs: bytes of memory that it then takes; free: bytes that are free where
    it would run; gated: its owner asks for consent to terms first.
    """

    id: str
    revision: str
    files: tuple[str, ...]
    bytes: int
    here: int
    architecture: str
    blocks: int
    width: int
    dtype: str
    runs_in: str
    needs: int
    free: int
    gated: bool

    @property
    def fits(self) -> bool:
        return self.needs <= self.free


def is_hub_id(source: str) -> bool:
    """Whether a source has the shape owner/name of a hub id."""
    return _OWNER_NAME.fullmatch(source) is not None


def describe(
    source: str,
    revision: str | None = None,
    *,
    dtype: str | None = None,
    free: int | None = None,
    cancel: Cancel | None = None,
) -> Offer:
    """What the hub says of a model: size, files, dtype, fit. Fetches nothing but its config.json.

    dtype: what it is to run in, by default what a load takes by itself; free: bytes of memory that it
    may take, by default the main memory that is free now.

    Raises ModelError (no such model, no leave to fetch it, no answer within 4 s, nothing that can be
    steered) and Cancelled.
    """
    info = _ask(source, revision, cancel)
    wanted = _wanted(source, info, code=False)
    if all(file.name != "config.json" for file in wanted):
        raise refused(
            source,
            "It has no config.json; it may be an adapter, whose size is that of its own model.",
            "Load it, or look up the model that it was made for.",
        )
    config = _config(source, info, cancel)
    require_decoder(config, f"The model {source}")
    text = text_settings(config)
    weights = sum(file.size for file in wanted if file.name.endswith(".safetensors"))
    stored = str(config.get("dtype") or config.get("torch_dtype") or text.get("dtype") or "float32")
    known = getattr(info.safetensors, "total", None)
    runs_in = dtype or default_dtype(weights)
    return Offer(
        id=source,
        revision=info.sha,
        files=tuple(file.name for file in wanted),
        bytes=sum(file.size for file in wanted),
        here=sum(file.here for file in wanted),
        architecture=(config.get("architectures") or ["unknown"])[0],
        blocks=text.get("num_hidden_layers", text.get("n_layer", 0)),
        width=text.get("hidden_size", text.get("n_embd", 0)),
        dtype=stored,
        runs_in=runs_in,
        needs=need(config, known or weights // SIZES.get(stored, 4), runs_in).total,
        free=free_memory() if free is None else free,
        gated=bool(info.gated),
    )


def fetch(
    source: str, revision: str | None, *, code: bool, emit: Emit, cancel: Cancel | None
) -> tuple[Path, str]:
    """The local folder of a hub model and the commit it is pinned to; downloads what is missing.

    Only safetensors weights are fetched, and Python files only when `code` is set. The files lie in the
    hub library's own cache, shared with other programs. What an interrupted download had brought is kept
    and not fetched again; a commit that is here whole is taken without a word to the hub. Emits Download.
    Raises ModelError with the cause, Cancelled when asked to stop.
    """
    if revision and COMMIT.fullmatch(revision) and not code and (folder := fetched_before(source, revision)):
        return folder, folder.name
    try:
        info = _ask(source, revision, cancel)
    except Unreachable:
        if folder := fetched_before(source, revision):
            return folder, folder.name
        raise
    wanted = _wanted(source, info, code)
    with told(source):
        require_room(source, wanted)
        download(wanted, _headers(), emit=emit, cancel=cancel)
        folder = wait_for(lambda: hand_over(source, info.sha, wanted), cancel=cancel)
        remember(source, revision or "main", info.sha)
    return folder, folder.name


def _ask(source: str, revision: str | None, cancel: Cancel | None) -> Any:
    """The hub's record of a model, the sizes and hashes of its files included."""
    from huggingface_hub import HfApi

    def ask() -> Any:
        return HfApi().model_info(source, revision=revision, files_metadata=True, timeout=_ANSWER)

    with told(source):
        return wait_for(ask, limit=_ANSWER, cancel=cancel)


def _wanted(source: str, info: Any, code: bool) -> list[Wanted]:
    """The files of a model that a load reads: settings, vocabulary, one edition of the weights."""
    from huggingface_hub import hf_hub_url

    listed = {file.rfilename: file for file in info.siblings or []}
    names = weight_files(set(listed)) or set(listed) & {adapter.WEIGHTS}
    if not names:
        if any(name.lower().endswith(ENDING) for name in listed):
            raise refused(
                source,
                "It holds GGUF files.",
                "Download one of them and choose the file, or choose the same model in safetensors.",
            )
        raise refused(
            source,
            "It has no safetensors weights, and pickled weights are never loaded.",
            "Choose a model stored as safetensors.",
        )
    endings = (*_SETTINGS, ".py") if code else _SETTINGS
    names |= {
        name for name in listed if "/" not in name and name.endswith(endings) and "safetensors" not in name
    }
    cache = repository(source)
    wanted = []
    for name in sorted(names):
        file = listed[name]
        digest = str(file.lfs.sha256 if file.lfs is not None else file.blob_id)
        if not _HASH.fullmatch(digest):
            raise refused(source, f"The hub gives no hash of {name}.", "Choose another model.")
        url = hf_hub_url(source, name, revision=info.sha)
        shown = cache / "snapshots" / info.sha / name
        wanted.append(Wanted(name, url, cache / "blobs" / digest, shown, file.size or 0))
    return wanted


def _config(source: str, info: Any, cancel: Cancel | None) -> dict[str, Any]:
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import hf_raise_for_status

    url = hf_hub_url(source, "config.json", revision=info.sha)

    def read() -> bytes:
        answer = get_session().get(url, headers=_headers(), timeout=_ANSWER)
        hf_raise_for_status(answer)
        return answer.content

    with told(source):
        content = wait_for(read, limit=_ANSWER, cancel=cancel)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except ValueError:
        raise refused(source, "Its config.json is damaged.", "Choose another model.") from None


def _headers() -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers

    # Compressed on the way, a file could not be taken up again in its middle.
    return {**build_hf_headers(), "Accept-Encoding": "identity"}
