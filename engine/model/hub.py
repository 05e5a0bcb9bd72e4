"""Models on the hub: what one is and whether it fits before it is fetched, and its files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.events import Cancel, Emit
from engine.model.config import read_config, require_decoder
from engine.model.download import Wanted, download
from engine.model.fit import SIZES, default_dtype, need
from engine.model.memory import free_memory, in_words
from engine.model.patience import of_the_network, wait_for
from engine.model.weights import read_weights, weight_files

_OWNER_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_SETTINGS = (".json", ".jinja", ".model", ".txt", ".tiktoken")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ANSWER = 4.0  # seconds that the hub may take to say what a model is


class Unreachable(ModelError):
    """The hub did not answer."""


@dataclass(frozen=True)
class Offer:
    """A hub model before it is fetched.

    revision: the commit that a fetch would be pinned to; bytes: of all files that a fetch brings; here: how
    many of them are on this machine already; dtype: that of the stored weights; runs_in: that of a load
    unless told otherwise; needs: bytes of memory that it then takes; free: bytes that are free now, in main
    memory; gated: its owner asks for consent to terms first.
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


def describe(source: str, revision: str | None = None, *, cancel: Cancel | None = None) -> Offer:
    """What the hub says of a model: size, files, dtype, fit. Fetches nothing but its config.json.

    Raises ModelError (no such model, no leave to fetch it, no answer within 4 s, nothing that can be
    steered) and Cancelled.
    """
    info = _ask(source, revision, cancel)
    wanted = _wanted(source, info, code=False)
    config = _config(source, info, cancel)
    require_decoder(config, f"The model {source}")
    text = config.get("text_config", config)
    weights = sum(file.size for file in wanted if file.name.endswith(".safetensors"))
    stored = str(config.get("dtype") or config.get("torch_dtype") or text.get("dtype") or "float32")
    known = getattr(info.safetensors, "total", None)
    runs_in = default_dtype(weights)
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
        free=free_memory(),
        gated=bool(info.gated),
    )


def fetch(
    source: str, revision: str | None, *, code: bool, emit: Emit, cancel: Cancel | None
) -> tuple[Path, str]:
    """The local folder of a hub model and the commit it is pinned to; downloads what is missing.

    Only safetensors weights are fetched, and Python files only when `code` is set. The files lie in the
    hub library's own cache, shared with other programs. What an interrupted download had brought is kept
    and not fetched again. Emits Download. Raises ModelError with the cause, Cancelled when asked to stop.
    """
    try:
        info = _ask(source, revision, cancel)
    except Unreachable:
        if folder := _local(source, revision):
            return folder, folder.name
        raise
    wanted = _wanted(source, info, code)
    with _told(source):
        _require_room(source, wanted)
        download(wanted, _headers(), emit=emit, cancel=cancel)
        names = [file.name for file in wanted]
        folder = wait_for(lambda: _link(source, info.sha, names), cancel=cancel)
    _remember(source, revision or "main", info.sha)
    return folder, folder.name


def _ask(source: str, revision: str | None, cancel: Cancel | None) -> Any:
    """The hub's record of a model, the sizes and hashes of its files included."""
    from huggingface_hub import HfApi

    def ask() -> Any:
        return HfApi().model_info(source, revision=revision, files_metadata=True, timeout=_ANSWER)

    with _told(source):
        return wait_for(ask, limit=_ANSWER, cancel=cancel)


def _wanted(source: str, info: Any, code: bool) -> list[Wanted]:
    """The files of a model that a load reads: settings, vocabulary, one edition of the weights."""
    from huggingface_hub import hf_hub_url

    listed = {file.rfilename: file for file in info.siblings or []}
    names = weight_files(set(listed))
    if not names:
        raise _refused(
            source,
            "It has no safetensors weights, and pickled ones are never read.",
            "Choose a model that is stored as safetensors.",
        )
    endings = (*_SETTINGS, ".py") if code else _SETTINGS
    names |= {
        name for name in listed if "/" not in name and name.endswith(endings) and "safetensors" not in name
    }
    blobs = _repository(source) / "blobs"
    wanted = []
    for name in sorted(names):
        file = listed[name]
        digest = str(file.lfs.sha256 if file.lfs is not None else file.blob_id)
        if not _HASH.fullmatch(digest):
            raise _refused(source, f"The hub gives no hash of {name}.", "Choose another model.")
        url = hf_hub_url(source, name, revision=info.sha)
        wanted.append(Wanted(name, url, blobs / digest, file.size or 0))
    return wanted


def _config(source: str, info: Any, cancel: Cancel | None) -> dict[str, Any]:
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import hf_raise_for_status

    url = hf_hub_url(source, "config.json", revision=info.sha)

    def read() -> bytes:
        answer = get_session().get(url, headers=_headers(), timeout=_ANSWER)
        hf_raise_for_status(answer)
        return answer.content

    with _told(source):
        content = wait_for(read, limit=_ANSWER, cancel=cancel)
    try:
        return json.loads(content)
    except ValueError:
        raise _refused(source, "Its config.json is damaged.", "Choose another model.") from None


def _local(source: str, revision: str | None) -> Path | None:
    """The folder of a model that was fetched before, by this program or another, with its weights whole."""
    place, name = _repository(source), revision or "main"
    try:
        commit = name if _COMMIT.fullmatch(name) else (place / "refs" / name).read_text().strip()
        folder = place / "snapshots" / commit
        read_config(folder)
        read_weights(folder)
    except (ModelError, OSError):
        return None
    return folder


def _link(source: str, commit: str, names: list[str]) -> Path:
    """Lets the hub library take over the files that lie in its cache under their hashes."""
    from huggingface_hub import snapshot_download
    from tqdm import tqdm

    class Silent(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

    return Path(snapshot_download(source, revision=commit, allow_patterns=names, tqdm_class=Silent))


def _remember(source: str, revision: str, commit: str) -> None:
    """Notes in the cache which commit a branch or tag was, so that it is found without the hub."""
    if not _COMMIT.fullmatch(revision):
        ref = _repository(source) / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit)


def _repository(source: str) -> Path:
    """Where the hub library's cache keeps a model."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source, repo_type="model")


def _require_room(source: str, wanted: list[Wanted]) -> None:
    missing = sum(file.size - file.here for file in wanted)
    place = wanted[0].target.parent
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if missing > free:
        raise _refused(
            source,
            f"It needs {in_words(missing)} of disk space, and {in_words(free)} are free.",
            "Free some space, or set HF_HOME to a folder on another disk.",
        )


def _headers() -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers

    # Compressed on the way, a file could not be taken up again in its middle.
    return {**build_hf_headers(), "Accept-Encoding": "identity"}


@contextmanager
def _told(source: str) -> Iterator[None]:
    """Within it what the hub, the network or the disk refuses is a ModelError in one sentence."""
    from huggingface_hub import errors

    try:
        yield
    except (errors.HfHubHTTPError, errors.HFValidationError) as error:
        raise _answer(source, error) from None
    except Exception as error:
        if isinstance(error, errors.LocalEntryNotFoundError) or of_the_network(error):
            raise Unreachable(
                f"The model {source} could not be fetched",
                "The hub cannot be reached.",
                "Check the network connection, or give a local folder that holds the model, or use pocket.",
            ) from None
        if isinstance(error, OSError):
            raise _refused(
                source,
                f"The disk says: {error.strerror or error}.",
                "Free some space, or set HF_HOME to a folder on another disk.",
            ) from None
        raise


def _answer(source: str, error: Exception) -> ModelError:
    """The hub's refusal."""
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return _refused(
            source,
            "Its owner asks for consent to terms first.",
            "Accept the model's terms on its hub page and log in with `hf auth login`.",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return _refused(source, "It has no such revision.", "Choose a revision that exists.")
    if isinstance(error, (errors.RepositoryNotFoundError, errors.HFValidationError)) or status == 401:
        return _refused(
            source,
            "The hub knows no such model.",
            "Check the spelling of owner/name; a private model needs `hf auth login`.",
        )
    return _refused(source, f"The hub answered with error {status}.", "Try again later.")


def _refused(source: str, why: str, remedy: str) -> ModelError:
    return ModelError(f"The model {source} could not be fetched", why, remedy)
