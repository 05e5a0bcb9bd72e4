"""Records of the library as values for the workspace; what is damaged costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.library.records import SessionRecord
from studio.library.session_format import DAMAGE, PLAIN, read_settings
from studio.state.compare_columns import ColumnChoice, Comparison
from studio.state.compare_round import CompareRound
from studio.state.conversation import Turn, steered_by
from studio.state.mixer import HeadSlot, MixerChannel, Preset, PresetRow, new_key
from studio.state.requests import FitOptions
from studio.state.sampling_settings import SamplingSettings
from studio.widgets.translation import tr


@dataclass(frozen=True)
class RestoredTurn:
    """A session as values for the workspace; lost: what of it could not be read, in sentences."""

    values: dict[str, Any]
    lost: tuple[str, ...] = ()


def head_keys(state: Mapping[str, Any]) -> list[str]:
    """The heads that a session's mixer needs."""
    rows = state.get("channels")
    return [str(row.get("digest")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def values_of(session: SessionRecord, turns: tuple[Turn, ...], heads: Mapping[str, Any]) -> RestoredTurn:
    """Attributes for Workspace.restore. What is damaged costs only itself; rows whose head is lost are left
    out, which who read the heads tells of."""
    state = session.state
    lost: list[str] = []

    def read(what: str, make: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return make()
        except DAMAGE:
            lost.append(tr("{0}: the record is damaged.").format(what))
            return otherwise

    names = {
        "prompt": tr("The steering prompt"),
        "question": tr("The unsent question"),
        "source": tr("The model in use"),
        "bypass": tr("The bypass switch"),
        "compare": tr("The choice to show unsteered answers"),
        "truth": tr("The choice to record the prompt's effect"),
    }
    plain = {name: read(names[name], partial(_alike, state, name, was), was) for name, was in PLAIN.items()}
    channels: list[MixerChannel] = []
    keys: dict[int, int] = {}  # by the places that the rows had
    for place, row in enumerate(read(tr("The mixer"), lambda: list(state["channels"]), [])):
        if isinstance(row, dict) and str(row.get("digest")) not in heads:
            continue
        channel = read(tr("A row of the mixer"), partial(_channel, row, heads), None)
        if channel is not None:
            keys[place] = channel.key
            channels.append(channel)
    comparison = Comparison()
    if "comparison" in state:  # older sessions had none
        comparison = read(tr("The comparison"), lambda: restored(state["comparison"], keys), comparison)
        question = state["comparison"].get("question", "") if isinstance(state["comparison"], dict) else ""
        plain["question"] = plain["question"] or question  # once its own field
    fit_options = FitOptions()
    if "fit_options" in state:  # older sessions had none
        what = tr("The distillation options")
        fit_options = read(what, lambda: _fit_options(state["fit_options"]), fit_options)
    values = {
        **plain,
        "comparison": comparison,
        "settings": read(
            tr("The sampling settings"), lambda: read_settings(state["settings"]), SamplingSettings()
        ),
        "fit_options": fit_options,
        "channels": tuple(channels),
        "presets": read(tr("The presets"), lambda: tuple(_preset(p) for p in state["presets"]), ()),
        "selected_key": read(tr("The selected head"), lambda: keys.get(state.get("chosen", -1)), None),
        "has_edits": bool(state.get("touched", True)),  # so were older sessions, for all one knows
        "turns": turns,
        "conversation": session.conversation,
    }
    nothing = tr("Only the conversation could be read.")
    return RestoredTurn(values, tuple(lost) if state else (nothing,))


def _alike(state: Mapping[str, Any], name: str, was: Any) -> Any:
    value = state[name]
    if type(value) is not type(was):
        raise TypeError
    return value


def _fit_options(values: Mapping[str, Any]) -> FitOptions:
    def maybe(kind: Callable[[Any], Any], name: str) -> Any:
        return None if values[name] is None else kind(values[name])

    return FitOptions(
        method=str(values["method"]),
        objective=maybe(str, "objective"),
        weight=float(values["weight"]),
        recipe=maybe(str, "recipe"),
        block=maybe(int, "block"),
        responses=maybe(int, "responses"),
        negatives=int(values["negatives"]),
        rank="automatic" if values["rank"] == "automatic" else int(values["rank"]),
        positions=str(values["positions"]),  # type: ignore[arg-type] # one that is none is shown as the first
        place=str(values.get("place", "automatic")),  # type: ignore[arg-type] # older sessions had none
    )


def _preset(values: Mapping[str, Any]) -> Preset:
    return Preset(str(values["name"]), tuple(PresetRow(**row) for row in values["rows"]))


def _channel(row: Mapping[str, Any], heads: Mapping[str, Any]) -> MixerChannel:
    blocks = row["blocks"]
    return MixerChannel(
        new_key(),
        HeadSlot(heads[row["digest"]], draft=bool(row["draft"])),
        float(row["strength"]),
        bool(row["enabled"]),
        bool(row["solo"]),
        (int(blocks[0]), int(blocks[1])) if blocks else None,
        str(row["title"]),
        str(row.get("accepted", "")),  # older sessions had none
    )


def round_of(key: str, facts: Mapping[str, Any], turns: Sequence[Turn]) -> CompareRound:
    """The way back. Raises one of session_format.DAMAGE."""
    columns = [facts["columns"][turn.key] for turn in turns]
    keys = [turn.key for turn in turns]
    return CompareRound(
        tuple(str(name) for name, _ in columns),
        tuple(str(made) for _, made in columns),
        tuple(turn.answers[0] for turn in turns),
        {str(digest): str(title) for digest, title in facts["methods"].items()},
        bool(facts["blind"]),
        keys.index(facts["choice"]) if facts["choice"] in keys else None,
        key,
    )


def nameless(key: str, facts: Mapping[str, Any], turns: Sequence[Turn]) -> CompareRound:
    """A round whose names cannot be read; blind it stays, if that much can."""
    answers = tuple(turn.answers[0] for turn in turns)
    names = tuple(steered_by(answer) for answer in answers)
    return CompareRound(
        names,
        tuple(tr("unknown") for _ in answers),
        answers,
        {},
        bool(facts.get("blind")),
        None,
        key,
    )


def restored(state: Mapping[str, Any], keys: Mapping[int, int]) -> Comparison:
    """keys: of the rows that came back, by their old places; a column whose head is lost is unsteered."""
    columns = []
    for each in state["columns"]:
        if each["kind"] != "head":
            columns.append(ColumnChoice(each["kind"]))
        elif each["row"] in keys:
            columns.append(ColumnChoice("head", keys[each["row"]], each["strength"]))
        else:
            columns.append(ColumnChoice("none"))
    return Comparison(tuple(columns), state["blind"])
