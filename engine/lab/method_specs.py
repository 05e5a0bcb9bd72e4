"""The words that describe what is compared: `none`, `prompt`, `METHOD[:VARIANT...]`, `METHOD...+prompt`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.distill import METHODS, Request
from engine.distill.request import OBJECTIVES, RECIPES
from engine.errors import InputError

_VARIANTS = "a recipe, an objective, rankN, blockN, responsesN, ridgeX"
_NUMBERED = re.compile(r"(rank|block|responses)(\d+)")
_RIDGE = re.compile(r"ridge(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class MethodSpec:
    """One method of a comparison.

    Attributes:
        name: as it was written.
        prompted: the steering prompt is given too.
        request: how its head is distilled, None without one.
    """

    name: str
    prompted: bool
    request: Request | None

    def seeded(self, seed: int) -> MethodSpec:
        """The same with another seed for its distillation."""
        return self._changed(seed=seed)

    def asking(self, questions: tuple[str, ...]) -> MethodSpec:
        """The same with a head that is distilled from answers to these questions."""
        return self._changed(questions=questions)

    def _changed(self, **values: Any) -> MethodSpec:
        return replace(self, request=None if self.request is None else replace(self.request, **values))


def parse_method_specs(words: str, prompt: str) -> list[MethodSpec]:
    """Methods from words between commas.

    Args:
        words: such as "none,prompt,a-psr:refine:rank2".
        prompt: the steering prompt.

    Raises:
        InputError: for what is no method or variant, or is given twice.
    """
    names = [name.strip() for name in words.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise _wrong(words, "Nothing is named." if not names else "One of them is named twice.")
    return [parse_method_spec(name, prompt) for name in names]


def parse_method_spec(words: str, prompt: str) -> MethodSpec:
    """One method from its words; see `parse_method_specs`."""
    parts = words.split("+")
    prompted = parts[-1] == "prompt"
    method = parts[: len(parts) - prompted]
    if not method:
        return MethodSpec(words, True, None)
    if method == ["none"] and not prompted:
        return MethodSpec(words, False, None)
    if len(method) > 2 or (len(method) == 2 and not method[0].endswith("mse")):
        raise _wrong(words, "It joins more than a method and the prompt.")
    name, *variants = "+".join(method).split(":")  # mse+ll is an objective
    if name not in METHODS:
        raise _wrong(words, f"There is no method {name}.")
    # Also of a prompt that changes next to nothing: the comparison shows what comes of it.
    request = Request(prompt, method=name, anyway=True, **_variants(words, variants))
    return MethodSpec(words, prompted, request)


def _variants(words: str, variants: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    name: str
    value: Any
    for variant in variants:
        numbered = _NUMBERED.fullmatch(variant)
        if variant in RECIPES:
            name, value = "recipe", variant
        elif variant in OBJECTIVES:
            name, value = "objective", variant
        elif numbered:
            name, value = numbered[1], int(numbered[2])
        elif ridge := _RIDGE.fullmatch(variant):
            name, value = "penalty", float(ridge[1])
        else:
            raise _wrong(words, f"There is no variant {variant}: {_VARIANTS}.")
        if name in found:
            raise _wrong(words, f"{variant} says again what another variant says already.")
        found[name] = value
    # What is compared has the rank that its name says; the paper's is 1.
    found.setdefault("rank", 1)
    # An objective is of training: the closed form has none.
    if "objective" in found and "recipe" not in found:
        found["recipe"] = "refine"
    return found


def _wrong(words: str, why: str) -> InputError:
    return InputError(
        f'"{words}" cannot be compared',
        why,
        f"Use none, prompt, {', '.join(METHODS)}, or variants such as s-psr:rank2 or a-psr:refine+prompt.",
    )
