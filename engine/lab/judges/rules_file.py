"""A judge by rules in a TOML file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.decoding import from_toml, read_bytes, refusing
from engine.errors import InputError
from engine.events import Cancel
from engine.lab.judges.judge import JudgedItem, Score
from engine.lab.result_cache import content_key

Check = Callable[[str], float]

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
        """The scores of every answer."""
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


def _rule(row: Any, what: str) -> Rule:
    kind = row.get("kind") if isinstance(row, dict) else None
    if kind not in KINDS:
        raise InputError(what, f"There is no kind {kind}.", f"Use one of {', '.join(KINDS)}.")
    rest = {key: row[key] for key in row if key not in ("kind", "of", "weight", "negate")}
    of, weight, negate = row.get("of", "trait"), row.get("weight", 1), row.get("negate", False)
    if of not in ("trait", "coherence") or not isinstance(negate, bool):
        raise InputError(what, "of or negate is out of range.", 'Give of = "trait" or "coherence".')
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 1e6:
        raise InputError(what, f"{weight} is not a weight.", "Give a number above 0.")
    try:
        check = KINDS[kind](**rest)
    except (TypeError, ValueError, re.error) as error:
        raise InputError(what, f"{error}.", f"See what {kind} needs.") from None
    return Rule((lambda text: 1.0 - check(text)) if negate else check, of, float(weight))


def _keywords(words: list[str], least: int = 1) -> Check:
    """At least `least` of the words occur, as whole words, in any case; below that in proportion."""
    if not words or not all(isinstance(word, str) and word.strip() for word in words) or least < 1:
        raise ValueError("words must be texts and least 1 or more")
    patterns = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE) for word in words]
    return lambda text: min(1.0, sum(bool(p.search(text)) for p in patterns) / min(least, len(words)))


def _regex(pattern: str) -> Check:
    found = re.compile(pattern, re.MULTILINE)
    return lambda text: float(bool(found.search(text)))


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
    except ValueError:
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
