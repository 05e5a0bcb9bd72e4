"""From what a person writes for a model to the files that hold it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath

import assets
from engine.errors import ModelError
from engine.events import Cancel, Emit
from engine.model import adapter
from engine.model.gguf_file import ENDING, is_gguf, is_gguf_model
from engine.model.hub import fetch, is_hub_id
from engine.model.hub_cache import snapshot_of
from engine.model.weights import INDEX, SINGLE, weight_files

POCKET = "pocket"
POCKET_FOLDER = Path(assets.__file__).parent / "pocket"

_CONFIG = "config.json"
_SEVERAL = 4  # names of files that are listed in a message
_HOW = 'Give "pocket", the path of a model folder or GGUF file, owner/name, or owner/name@revision.'


_AskBase = Callable[[str, Path], "Located"]


@dataclass(frozen=True)
class Located:
    """Where a model is.

    folder: in the Hugging Face layout, or that of the GGUF file; id: "pocket", the path as given, or
    owner/name; revision: a hub model's commit; file: the GGUF file, where it is one; adapter: the folder of
    the LoRA adapter that is to be merged into the model; template: the name of the chat template to use.
    """

    folder: Path
    id: str
    revision: str | None = None
    file: Path | None = None
    adapter: Path | None = None
    template: str | None = None


def locate(source: str, revision: str | None, *, code: bool, emit: Emit, cancel: Cancel | None) -> Located:
    """Takes "pocket", a folder, a file of one, a GGUF file, owner/name or owner/name@revision, each with
    #NAME behind it for one of several chat templates; fetches a hub model that is not here yet.

    A folder that holds an adapter is that adapter's model with the adapter. Where it holds both a model and
    an adapter, a file of it says which is meant: config.json the model alone, adapter_config.json both.
    Raises ModelError (no such thing, or what the hub has to say) and Cancelled.
    """
    if source == POCKET:
        return Located(POCKET_FOLDER, POCKET)
    path = Path(source).expanduser()
    if "#" in source and not path.exists():
        plain, _, template = source.rpartition("#")
        found = locate(plain, revision, code=code, emit=emit, cancel=cancel)
        return replace(found, id=source if found.revision is None else found.id, template=template)

    def base_at(words: str, beside: Path) -> Located:
        return _base(words, beside, code=code, emit=emit, cancel=cancel)

    if path.is_file():
        return _file(path, source, base_at)
    if path.is_dir():
        return _folder(path, Located(path, source), base_at)
    name, _, wanted = source.partition("@")
    if not is_hub_id(name) or is_path(source):
        raise ModelError(
            f"The model {source} was not found",
            "There is no such file or folder."
            if is_path(source)
            else "It is neither a folder nor a Hugging Face model.",
            _HOW,
        )
    folder, commit = fetch(name, revision or wanted or None, code=code, emit=emit, cancel=cancel)
    return _folder(folder, Located(folder, name, commit), base_at)


def choices(source: str) -> list[str]:
    """The sources between which a person has to choose where a folder holds a model and an adapter: the model
    alone, and with the adapter. Empty where there is nothing to choose."""
    folder = Path(source).expanduser()
    if folder.is_dir() and adapter.holds_adapter(folder) and _holds_weights(folder):
        return [str(folder / _CONFIG), str(folder / adapter.CONFIG)]
    return []


def is_path(source: str) -> bool:
    """Whether a source has the shape of a path, so that nobody asks the hub for it."""
    windows = PureWindowsPath(source)
    return (
        source.lower().endswith((ENDING, SINGLE))
        or source.startswith((".", "~"))
        or bool(windows.drive or windows.root)
        or Path(source).is_absolute()
    )


def is_model_file(path: Path) -> bool:
    """Whether a file is a model in GGUF, or one that stands for the model folder it lies in."""
    folder_file = path.name in (_CONFIG, INDEX, adapter.CONFIG, adapter.WEIGHTS) or weight_files({path.name})
    return bool(folder_file) or is_gguf_model(path)


def _file(path: Path, source: str, base_at: _AskBase) -> Located:
    """A GGUF file, or a file that stands for its folder."""
    if path.suffix.lower() == ENDING or is_gguf(path):
        return Located(path.parent, source, file=path)
    if path.name in (adapter.CONFIG, adapter.WEIGHTS):
        return _adapted(path.parent, Located(path.parent, source), base_at)
    if is_model_file(path):
        return Located(path.parent, source)
    raise ModelError(
        f"The file {source} was not loaded",
        "It is neither a GGUF file nor a file of a model folder.",
        "Choose the model's folder, or a GGUF file.",
    )


def _folder(folder: Path, found: Located, base_at: _AskBase) -> Located:
    """A folder as people have them: a model's, a hub cache's, an adapter's, or one with a GGUF file."""
    if (inside := snapshot_of(folder)) is not None:
        return _folder(inside, replace(found, folder=inside), base_at)
    if adapter.holds_adapter(folder):
        if not _holds_weights(folder):
            return _adapted(folder, found, base_at)
        raise ModelError(
            f"The model in {folder} was not loaded",
            "It holds a model and a LoRA adapter beside it.",
            f"Choose {folder / _CONFIG} for the model alone, or {folder / adapter.CONFIG} for both.",
        )
    if not (folder / _CONFIG).is_file() and (files := sorted(folder.glob(f"*{ENDING}"))):
        if len(files) == 1:
            return replace(found, file=files[0])
        names = [file.name for file in files[:_SEVERAL]]
        more = f" and {len(files) - _SEVERAL} more" if len(files) > _SEVERAL else ""
        raise ModelError(
            f"The folder {folder} holds several models",
            f"They are {', '.join(names)}{more}.",
            "Choose one of these files.",
        )
    return found


def _adapted(folder: Path, found: Located, base_at: _AskBase) -> Located:
    """The model that an adapter belongs to, in the same folder or elsewhere, with the adapter."""
    base = adapter.base_of(folder)
    adapter.require_peft(folder, base)
    own = (folder / _CONFIG).is_file() and _holds_weights(folder)
    located = Located(folder, found.id) if own else base_at(base, folder)
    return replace(found, folder=located.folder, file=located.file, adapter=folder)


def _base(words: str, beside: Path, *, code: bool, emit: Emit, cancel: Cancel | None) -> Located:
    """An adapter's model. A path in its settings holds for the machine that it was made on; a folder of that
    name beside the adapter is taken too."""
    name = PureWindowsPath(words).name
    near = beside.parent / name
    source = words if Path(words).expanduser().exists() or not near.is_dir() else str(near)
    try:
        if adapter.holds_adapter(Path(source).expanduser()) and not choices(source):
            raise ModelError(f"The model {words} was not loaded", "It is an adapter itself.", "")
        return locate(source, None, code=code, emit=emit, cancel=cancel)
    except ModelError as error:
        raise ModelError(
            f"The adapter in {beside} was not loaded",
            f"It belongs to the model {words}, which cannot be had: {error.why}",
            f"Put the folder of that model beside that of the adapter and call it {name}.",
        ) from None


def _holds_weights(folder: Path) -> bool:
    return bool(weight_files({file.name for file in folder.iterdir()}) - {INDEX})
