"""Which chat template a model has: in the places where one is kept, and of several the one that was named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.model.json_file import read_json

_FILE = "chat_template.json"
_Templates = str | dict[str, str] | None


def require_template(folder: Path, wanted: str | None) -> None:
    """Raises ModelError when the folder has several chat templates of which none is meant: neither `wanted`
    nor one that is called default. Reads small files only."""
    found = _json_template(folder / "tokenizer_config.json") or _json_template(folder / _FILE)
    if (folder / "chat_template.jinja").is_file():
        more = folder / "additional_chat_templates"
        found = {"default": "", **{file.stem: "" for file in sorted(more.glob("*.jinja"))}}
    chosen(found, wanted, folder)


def settle_template(tokenizer: Any, folder: Path, wanted: str | None) -> None:
    """Gives a tokenizer the template of chat_template.json where it found none, or the one that is wanted."""
    found = getattr(tokenizer, "chat_template", None) or _json_template(folder / _FILE)
    template = chosen(found, wanted, folder)
    if template is not None:
        tokenizer.chat_template = template


def chosen(found: _Templates, wanted: str | None, folder: Path) -> _Templates:
    """The template called `wanted`; without a wish all that there are, if one is the default."""
    names = list(found) if isinstance(found, dict) else []
    if wanted is not None and not (wanted == "default" and isinstance(found, str)):
        if not isinstance(found, dict) or wanted not in found:
            there = f"It has {', '.join(names)}" if names else "It has no named chat templates"
            raise ModelError(
                f"The model in {folder} was not loaded",
                f"{there}, and none called {wanted}.",
                "Leave out what follows #, or give a name that is there.",
            )
        return found[wanted]
    if names and "default" not in names:
        raise ModelError(
            f"The model in {folder} was not loaded",
            f"It has several chat templates and no default: {', '.join(names)}.",
            f"Choose one by giving the model as {folder}#{names[0]}.",
        )
    return found


def _json_template(file: Path) -> _Templates:
    """What a settings file holds under chat_template: one text, or a list of named ones."""
    try:
        settings = read_json(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(file, f"is damaged: {error}") from None
    found = settings.get("chat_template") if isinstance(settings, dict) else None
    if found is None or isinstance(found, str):
        return found
    try:
        if isinstance(found, dict):
            return {str(name): _text(template) for name, template in found.items()}
        return {_text(entry["name"]): _text(entry["template"]) for entry in found}
    except (TypeError, KeyError):
        raise _damaged(file, "names its chat templates in a way that cannot be read") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _damaged(file: Path, how: str) -> ModelError:
    return ModelError(
        f"The model in {file.parent} was not loaded", f"Its {file.name} {how}.", "Download it again."
    )
