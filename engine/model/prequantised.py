"""Models whose weights are stored quantised: which package reads each kind, and whether it is there."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from engine.errors import ModelError


@dataclass(frozen=True)
class StoredQuantisation:
    """A kind of quantised storage.

    packages: what transformers needs for it; extra: the option of this project that installs them, if one
    does; per_byte: how many weights a stored byte holds where transformers turns them back into bfloat16
    on a machine without the right GPU, None where they stay as they are.
    """

    packages: tuple[str, ...]
    extra: str | None = None
    per_byte: int | None = None


_KINDS = {
    "bitsandbytes": StoredQuantisation(("bitsandbytes",), "bitsandbytes"),
    "torchao": StoredQuantisation(("torchao",), "quant"),
    "gptq": StoredQuantisation(("gptqmodel", "optimum")),
    "awq": StoredQuantisation(("gptqmodel",)),
    "compressed-tensors": StoredQuantisation(("compressed-tensors",), "compressed"),
    "fp8": StoredQuantisation((), per_byte=1),
    "mxfp4": StoredQuantisation((), per_byte=2),
}


def quantisation_of(config: dict[str, Any]) -> str | None:
    """The method by which a model's weights are stored, "gptq" for instance; None for plain weights."""
    settings = config.get("quantization_config")
    if not settings:
        return None
    method = settings.get("quant_method")
    if method is None and (settings.get("load_in_4bit") or settings.get("load_in_8bit")):
        method = "bitsandbytes"
    return str(method) if method else "unknown"


def require_reader(config: dict[str, Any], name: str, dtype: str | None) -> None:
    """Raises ModelError where a quantised model cannot be read: with the package that helps, or another
    edition of the same model. name: how the model is called in the error; dtype: that was asked for."""
    method = quantisation_of(config)
    if method is None:
        return
    what, other = f"{name} was not loaded", "choose the same model in bfloat16"
    kind = _KINDS.get(method)
    if kind is None:
        raise ModelError(
            what, f"Its weights are quantised by {method}, which is not supported.", f"{other.capitalize()}."
        )
    missing = [package for package in kind.packages if find_spec(package.replace("-", "_")) is None]
    if missing:
        wanted = f"'steering-studio[{kind.extra}]'" if kind.extra else " ".join(missing)
        raise ModelError(
            what,
            f"Its weights are quantised by {method}, and reading them needs the package "
            f"{' and '.join(missing)}.",
            f"Install it with `pip install {wanted}`, or {other}.",
        )
    if dtype == "int8":
        raise ModelError(
            what,
            f"Its weights are quantised by {method} already and cannot be quantised to int8 once more.",
            "Leave the dtype out.",
        )


def values_of(config: dict[str, Any], stored_bytes: int, counted: int, size: int) -> int:
    """How many numbers of `size` bytes a model's weights come to in memory.

    stored_bytes: of its weight files; counted: the numbers in them, which for packed weights says little.
    """
    method = quantisation_of(config)
    if method is None:
        return counted
    kind = _KINDS.get(method)
    if kind is not None and kind.per_byte is not None:
        return stored_bytes * kind.per_byte
    return stored_bytes // size
