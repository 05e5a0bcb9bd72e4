"""A judge by rules in a TOML file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Literal, get_type_hints

from engine.decoding import from_toml, read_bytes, refusing, shaped
from engine.errors import InputError, LabError
from engine.events import Cancel
from engine.lab.judges.judge import JudgedItem, Score
from engine.lab.result_cache import content_key

Check = Callable[[str], float]

PATTERN_S = 1.0  # the longest that a pattern may search one answer, in seconds
_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        check: text -> [0, 1].
        of: "trait" or "coherence".
        weight: above 0.
    """

    check: Check
    of: Literal["trait", "coherence"]
    weight: float


class RulesJudge:
    """The weighted share of the rules that an answer keeps, for its trait and for its coherence.

    A file is a list of `[[rule]]` tables: `kind` (see KINDS), what that kind needs, and if wanted `of`
    ("trait" or "coherence"), `weight` (above 0) and `negate` (true: the answer must not). Without a rule of
    one sort there is no score of that sort.

    Args:
        path: the file.

    Raises:
        InputError: for a file that cannot be read, or a rule that makes no sense.
    """

    steady = True

    def __init__(self, path: Path) -> None:
        """Raises InputError for a file that cannot be read or a rule that makes no sense."""
        what = f"The rules in {path} cannot be used"
        with refusing(InputError, what, "Name a TOML file with [[rule]] tables."):
            table = from_toml(read_bytes(path, _LARGEST))
        rules = table.get("rule")
        if not isinstance(rules, list) or not rules or set(table) != {"rule"}:
            raise InputError(what, "It is not a list of [[rule]] tables.", "Write one [[rule]] per rule.")
        self._rules = [_rule(row, f"{what} (rule {i})") for i, row in enumerate(rules, 1)]
        self.name = f"rules {content_key(table)[:16]}"

    def judge(self, items: Sequence[JudgedItem], cancel: Cancel) -> list[Score]:
        """The scores of every answer. Raises LabError for a pattern that takes too long on one."""
        scores = []
        for item in items:
            cancel.check()
            scores.append(Score(self._share("trait", item.answer), self._share("coherence", item.answer)))
        return scores

    def _share(self, of: str, answer: str) -> float | None:
        rules = [rule for rule in self._rules if rule.of == of]
        if not rules:
            return None
        return sum(r.weight * r.check(answer) for r in rules) / sum(r.weight for r in rules)


@dataclass(frozen=True)
class _RuleRow:
    kind: str
    of: Literal["trait", "coherence"] = "trait"
    weight: float = 1.0
    negate: bool = False


def _rule(values: Any, what: str) -> Rule:
    with refusing(InputError, what, "Correct the rule."):
        row = shaped(values, _RuleRow)
        if row.kind not in KINDS:
            raise InputError(what, f"There is no kind {row.kind}.", f"Use one of {', '.join(KINDS)}.")
        if not 0 < row.weight < 1e6:
            raise InputError(what, f"{row.weight} is not a weight.", "Give a number above 0.")
    given = {key: value for key, value in values.items() if key not in _RuleRow.__dataclass_fields__}
    make = KINDS[row.kind]
    try:
        check = make(**_arguments(make, given))
    except (ValueError, RecursionError, OverflowError, re.error) as error:
        raise InputError(what, f"{str(error).rstrip('.')}.", f"See what {row.kind} needs.") from None
    return Rule((lambda text: 1.0 - check(text)) if row.negate else check, row.of, row.weight)


def _arguments(make: Callable[..., Check], given: dict[str, Any]) -> dict[str, Any]:
    """The values that a rule gives, of the kinds that its function's annotations name. Raises ValueError."""
    hints = get_type_hints(make)
    parameters = signature(make).parameters
    unknown = sorted(given.keys() - parameters.keys())
    lacking = sorted(n for n, p in parameters.items() if p.default is p.empty and n not in given)
    if unknown or lacking:
        raise ValueError(f"It lacks {lacking[0]}" if lacking else f"It has no use for {unknown[0][:100]}")
    return {name: shaped(value, hints[name], name) for name, value in given.items()}


def _keywords(words: list[str], least: int = 1) -> Check:
    """At least `least` of the words occur, as whole words, in any case; below that in proportion."""
    if not words or not all(isinstance(word, str) and word.strip() for word in words) or least < 1:
        raise ValueError("words must be texts and least 1 or more")
    patterns = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE) for word in words]
    return lambda text: min(1.0, sum(bool(p.search(text)) for p in patterns) / min(least, len(words)))


def _regex(pattern: str) -> Check:
    import regex

    re.compile(pattern, re.MULTILINE)  # what it refuses is refused; the other package has a time limit
    try:
        found = regex.compile(pattern, regex.MULTILINE)
    except regex.error as error:
        raise ValueError(str(error)) from None

    def search(text: str) -> float:
        try:
            return float(bool(found.search(text, timeout=PATTERN_S)))
        except TimeoutError:
            raise LabError(
                "An answer was not judged",
                f"The pattern {pattern[:100]} takes more than {PATTERN_S:g} s on it.",
                "Write the pattern without repetitions inside of repetitions.",
            ) from None

    return search


def _length(unit: str = "words", least: int = 0, most: int | None = None) -> Check:
    if unit not in ("words", "sentences", "characters", "lines"):
        raise ValueError("unit must be words, sentences, characters or lines")
    limit = float("inf") if most is None else most
    return lambda text: float(least <= count(text, unit) <= limit)


def count(text: str, unit: str) -> int:
    """How many words, sentences, characters or non-empty lines a text has, by `unit`."""
    if unit == "words":
        return len(text.split())
    if unit == "sentences":
        return len([s for s in re.split(r"(?<=[.!?])\s+", text.strip()) if s])
    return len(text) if unit == "characters" else len([line for line in text.splitlines() if line.strip()])


def _case(case: str) -> Check:
    """The share of letters in that case."""
    if case not in ("upper", "lower"):
        raise ValueError("case must be upper or lower")

    def share(text: str) -> float:
        letters = [c for c in text if c.isalpha()]
        return sum(c.isupper() == (case == "upper") for c in letters) / len(letters) if letters else 0.0

    return share


def _starts(text: str) -> Check:
    return lambda answer: float(answer.lstrip().lower().startswith(text.lower()))


def _ends(text: str) -> Check:
    return lambda answer: float(answer.rstrip().lower().endswith(text.lower()))


def _json() -> Check:
    return lambda text: float(is_json(text))


def is_json(text: str) -> bool:
    """Whether it is one JSON value, also within a Markdown fence."""
    bare = re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", text, flags=re.IGNORECASE)
    try:
        json.loads(bare)
    except (ValueError, RecursionError):
        return False
    return True


def _language(language: str) -> Check:
    return lambda text: float(language_of(text) == language)


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of a text's language by langdetect; None for one that is too short.

    Raises:
        InputError: where the package is not installed.
    """
    try:
        from langdetect import DetectorFactory, detect
        from langdetect.lang_detect_exception import LangDetectException
    except ImportError:
        raise InputError(
            "The language cannot be judged",
            "The package langdetect is missing.",
            'Install it with pip install -e ".[lab]".',
        ) from None
    DetectorFactory.seed = 0
    try:
        return str(detect(text))
    except LangDetectException:
        return None


KINDS: dict[str, Callable[..., Check]] = {
    "keywords": _keywords,
    "regex": _regex,
    "length": _length,
    "case": _case,
    "starts_with": _starts,
    "ends_with": _ends,
    "json": _json,
    "language": _language,
}
