"""Others' formats: what goes out comes back, what is lost is said, and what is unsound or code is refused."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from engine.errors import EngineError, HeadError, InputError
from engine.heads.formats import FORMATS, Conversion, ImportOptions, convert, format_named, read
from engine.heads.formats.constant_vectors import constant_vectors
from engine.heads.head import BlockHead, Head
from engine.heads.head_file import load_head, save_head
from engine.model.language_model import LanguageModel
from tests.models import tiny

NAMES = {
    "head": "a.head.safetensors",
    "gguf": "a.gguf",
    "persona_vectors": "a_response_avg_diff.pt",
    "axbench": "DiffMean_weight.pt",
    "easyedit2": "folder",
    "steering-lite": "a.safetensors",
}


def constant(model: LanguageModel, blocks: tuple[int, ...] = (1, 2), seed: int = 0) -> Head:
    """A head that adds a fixed vector to each of the blocks."""
    gated = tiny.head(model, blocks=blocks, seed=seed)
    parts = {
        index: BlockHead(np.zeros_like(part.w), np.array([1.5 + index], np.float32), part.z)
        for index, part in gated.blocks.items()
    }
    return Head(parts, "relu", gated.info)


def added(head: Head, hidden: np.ndarray) -> dict[int, np.ndarray]:
    """What the head adds to `hidden` [d] per block, by the formula."""
    found = {}
    for index, part in head.blocks.items():
        c = part.w @ hidden + part.b
        found[index] = (np.maximum(c, 0) if head.gate == "relu" else c) @ part.z
    return found


def assert_same(one: Head, other: Head, width: int) -> None:
    hidden = np.random.default_rng(1).standard_normal(width).astype(np.float32)
    first, second = added(one, hidden), added(other, hidden)
    assert first.keys() == second.keys()
    for block in first:
        np.testing.assert_allclose(first[block], second[block], rtol=2e-6, atol=1e-6)


def there_and_back(
    head: Head, name: str, folder: Path, model: LanguageModel, choice: ImportOptions | None = None
) -> tuple[Conversion, Conversion]:
    folder.mkdir(exist_ok=True)
    mine, theirs, back = folder / "in.head.safetensors", folder / NAMES[name], folder / "out.head.safetensors"
    save_head(head, mine)
    out = convert(mine, theirs, refuse_to_load, ImportOptions(), write_as=name)
    return out, convert(theirs, back, lambda: model.identity, choice or ImportOptions())


def refuse_to_load():
    raise AssertionError("a head file names its model; none has to be loaded")


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_head_comes_back_from_every_format(
    name: str, model: LanguageModel, tmp_path: Path
) -> None:
    one = name == "axbench"
    head = constant(model, (1,) if one else (1, 2))
    out, back = there_and_back(head, name, tmp_path, model, ImportOptions(block=1 if one else None))
    assert (out.written_as, back.read_as) == (name, name)
    read = load_head(tmp_path / "out.head.safetensors", model.identity)
    assert read.digest == back.head.digest
    assert_same(read, head, model.width)
    if name == "head":
        assert read.digest == head.digest and not out.losses
    else:
        assert any("left out" in loss for loss in out.losses)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks=st.sets(st.integers(0, 2), min_size=1), seed=st.integers(0, 9), shift=st.sampled_from([0, 1]))
def test_gguf_numbers_come_back_whatever_the_shift(
    blocks: set[int], seed: int, shift: int, model: LanguageModel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("gguf")
    head = constant(model, tuple(sorted(blocks)), seed)
    format_named("gguf").write(head, folder / "a.gguf", ImportOptions(shift=shift))
    back = format_named("gguf").read(folder / "a.gguf", lambda: model.identity, ImportOptions())
    assert_same(back.head, head, model.width)
    assert back.head.info.name == head.info.name


def test_an_ablation_is_held_exactly_by_steering_lite_alone(model: LanguageModel, tmp_path: Path) -> None:
    parts = {
        index: BlockHead(-part.z, np.full(1, 0.5, np.float32), part.z)
        for index, part in tiny.head(model).blocks.items()
    }
    head = replace(tiny.head(model), gate="identity", blocks=parts)
    there_and_back(head, "steering-lite", tmp_path, model)
    back = load_head(tmp_path / "out.head.safetensors")
    assert (back.gate, back.info.method) == ("identity", "projection")
    assert_same(back, head, model.width)
    with pytest.raises(HeadError, match="depends on the token"):
        there_and_back(head, "gguf", tmp_path, model)


def test_a_gated_head_loses_its_gate_and_keeps_its_mean(model: LanguageModel, tmp_path: Path) -> None:
    head = tiny.head(model, rank=2)
    means = {str(block): [0.5, -1.0] for block in head.blocks}
    known = replace(head, info=replace(head.info, figures={"mean_coefficient": means}))
    out, back = there_and_back(known, "persona_vectors", tmp_path, model)
    assert "loses its gate" in out.losses[0]
    for block, part in head.blocks.items():
        expected = 0.5 * part.z[0] - part.z[1]
        np.testing.assert_allclose(
            back.head.blocks[block].b * back.head.blocks[block].z[0], expected, atol=1e-6
        )
    (tmp_path / NAMES["persona_vectors"]).unlink()
    with pytest.raises(HeadError, match="mean is not known"):
        there_and_back(head, "persona_vectors", tmp_path, model)
    assert not (tmp_path / NAMES["persona_vectors"]).exists()


def gguf(path: Path, count: str, numbers: tuple[int, ...], width: int = 32, **strings: str) -> Path:
    """A control vector as the tools write it; count: the type of layer_count, "" for none."""
    import gguf as package

    writer = package.GGUFWriter(path, strings.pop("architecture", "controlvector"))
    writer.add_string("controlvector.model_hint", "llama")
    if count:
        getattr(writer, f"add_{count}")("controlvector.layer_count", len(numbers))
    for key, value in strings.items():
        writer.add_string(f"controlvector.{key}", value)
    for number in numbers:
        writer.add_tensor(f"direction.{number}", np.full(width, number + 1, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("count", "numbers", "more", "blocks"),
    [
        ("uint32", (1, 2), {}, [1, 2]),  # repeng, saklas
        ("int32", (1, 2), {}, [0, 1]),  # llama.cpp
        ("", (1, 2), {"method": "caa"}, [1, 2]),  # EasySteer
        ("", (0, 2), {}, [0, 2]),  # no generator that shifts writes a direction.0
    ],
)
def test_the_two_numberings_of_gguf_are_told_apart(
    count: str, numbers: tuple[int, ...], more: dict[str, str], blocks: list[int], model, tmp_path: Path
) -> None:
    path = gguf(tmp_path / "a.gguf", count, numbers, **more)
    found = format_named("gguf").read(path, lambda: model.identity, ImportOptions())
    assert list(found.head.blocks) == blocks
    assert any("read as block numbers" in loss for loss in found.losses)


def test_a_gguf_that_does_not_tell_is_asked_for(model: LanguageModel, tmp_path: Path) -> None:
    path = gguf(tmp_path / "a.gguf", "", (1, 2))
    reader = format_named("gguf")
    with pytest.raises(HeadError, match="--shift 0 or --shift 1"):
        reader.read(gguf(tmp_path / "one.gguf", "int32", (2,)), refuse_to_load, ImportOptions())
    with pytest.raises(HeadError, match="--shift 0 or --shift 1"):
        reader.read(path, refuse_to_load, ImportOptions())
    for shift in (0, 1):
        found = reader.read(path, lambda: model.identity, ImportOptions(shift=shift))
        assert list(found.head.blocks) == [1 - shift, 2 - shift]
    with pytest.raises(HeadError, match=r"direction\.0"):
        reader.read(gguf(tmp_path / "b.gguf", "", (0,)), refuse_to_load, ImportOptions(shift=1))


def test_block_0_is_left_out_for_llama_cpp_unless_asked_for(model: LanguageModel, tmp_path: Path) -> None:
    head, writer = constant(model, (0, 1)), format_named("gguf")
    losses = writer.write(head, tmp_path / "a.gguf", ImportOptions())
    assert any("Block 0 was left out" in loss for loss in losses)
    assert not any(
        "Block 0" in loss for loss in writer.write(head, tmp_path / "b.gguf", ImportOptions(shift=0))
    )
    for name, blocks in (("a.gguf", [1]), ("b.gguf", [0, 1])):
        found = writer.read(tmp_path / name, lambda: model.identity, ImportOptions())
        assert list(found.head.blocks) == blocks
    with pytest.raises(HeadError, match="--shift 0"):
        writer.write(constant(model, (0,)), tmp_path / "c.gguf", ImportOptions())


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["a_response_avg_diff.pt", "DiffMean_weight.pt", "layer_1.pt"])
def test_code_in_a_pickle_is_never_run(name: str, model: LanguageModel, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    torch.save({"x": Evil(mark)}, tmp_path / name)
    with pytest.raises(HeadError, match="never opened"):
        convert(tmp_path / name, tmp_path / "a.head.safetensors", refuse_to_load, ImportOptions(block=1))
    assert not mark.exists() and not (tmp_path / "a.head.safetensors").exists()


def test_a_plain_pickle_is_refused_without_a_word_of_the_librarys_own(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    mark, path = tmp_path / "run", tmp_path / "a_response_avg_diff.pt"
    path.write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(HeadError, match="never opened"):
        convert(path, tmp_path / "a.head.safetensors", refuse_to_load, ImportOptions())
    assert not mark.exists() and not recwarn.list


def bomb(path: Path) -> None:
    """An archive of 300 kB that unpacks to 300 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (300 << 20))


UNSOUND = {
    "meta": (lambda p: torch.save(torch.empty(4, 32, device="meta"), p), "a shape and no numbers"),
    "sparse": (lambda p: torch.save(torch.eye(4, 32).to_sparse(), p), "plain floating-point"),
    "complex": (lambda p: torch.save(torch.zeros(4, 32, dtype=torch.complex64), p), "plain floating-point"),
    "whole numbers": (lambda p: torch.save(torch.zeros(4, 32, dtype=torch.int64), p), "plain floating-point"),
    "quantised": (
        lambda p: torch.save(torch.quantize_per_tensor(torch.zeros(4, 32), 0.1, 0, torch.qint8), p),
        "converted",
    ),
    "expanded": (
        lambda p: torch.save(torch.ones(1).expand(1 << 20, 1 << 20), p),
        "more numbers than the file",
    ),
    "a table": (lambda p: torch.save({"x": torch.zeros(2)}, p), "no tensor of numbers"),
    "a bomb": (bomb, "unpacks to more"),
    "a pipe": (lambda p: os.mkfifo(p), "not a file"),
}


@pytest.mark.parametrize("kind", UNSOUND)
def test_a_tensor_file_without_plain_numbers_is_refused(kind: str, tmp_path: Path) -> None:
    make, why = UNSOUND[kind]
    path = tmp_path / "a_response_avg_diff.pt"
    make(path)
    with pytest.raises(HeadError, match=why):
        format_named("persona_vectors").read(path, refuse_to_load, ImportOptions())


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("[" * 5000 + "]" * 5000, "64 deep"),
        (json.dumps({"method": "a" * 100_000}), "100,000 characters"),
        (json.dumps({"method": {"a": 1}}), "wrong kind"),
        (json.dumps({"method": "pca", "coeff": 10**30}), "beyond 64 bits"),
        (json.dumps({"method": "pca", "coeff": 1e300}), "too large"),
        ("[]", "wrong kind"),
    ],
)
def test_unsound_settings_of_steering_lite_are_refused(
    settings: str, why: str, model: LanguageModel, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"layer1.v": np.ones(32, np.float32)}, path, metadata={"cfg": settings})
    with pytest.raises(HeadError, match=why):
        format_named("steering-lite").read(path, lambda: model.identity, ImportOptions())


def test_a_direction_with_a_number_of_4993_digits_is_no_direction(
    model: LanguageModel, tmp_path: Path
) -> None:
    whole = gguf(tmp_path / "a.gguf", "uint32", (1, 2)).read_bytes()
    name = b"direction." + b"9" * 4993  # the header stays a multiple of 32 bytes
    short = struct.pack("<Q", 11) + b"direction.2"
    path = tmp_path / "b.gguf"
    path.write_bytes(whole.replace(short, struct.pack("<Q", len(name)) + name))
    found = format_named("gguf").read(path, lambda: model.identity, ImportOptions())
    assert list(found.head.blocks) == [1]


def test_axbench_files_name_their_concepts(model: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "ReFT_weight.pt"
    torch.save(torch.arange(64.0).reshape(2, 32), path)
    torch.save(torch.ones(2), tmp_path / "ReFT_bias.pt")
    rows = [{"concept_id": i, "concept": c, "ref": ""} for i, c in enumerate(("rivers", "bridges"))]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    read = format_named("axbench").read
    with pytest.raises(HeadError, match="--concept 0 to 1"):
        read(path, refuse_to_load, ImportOptions(block=1))
    with pytest.raises(HeadError, match="--block"):
        read(path, refuse_to_load, ImportOptions(concept=1))
    found = read(path, lambda: model.identity, ImportOptions(block=1, concept=1))
    assert found.head.info.name == "bridges" and list(found.head.blocks) == [1]
    part = found.head.blocks[1]
    np.testing.assert_allclose(part.b * part.z[0], np.arange(32.0, 64.0), rtol=1e-6)
    assert any("bias" in loss for loss in found.losses)


def test_a_folded_saklas_vector_is_read_with_its_shares(model: LanguageModel, tmp_path: Path) -> None:
    basis = np.zeros((1, 32), np.float32)
    basis[0, 3] = 1
    arrays = {"node_coords": np.zeros((2, 1), np.float32)}
    for layer in (0, 1):
        arrays |= {f"layer_{layer}.mean": np.ones(32, np.float32), f"layer_{layer}.basis": basis}
    path = tmp_path / "warm.safetensors"
    save_file(arrays, path)
    (tmp_path / "warm.json").write_text(json.dumps({"mahalanobis_share_per_layer": {"0": 0.25, "1": 2.0}}))
    done = convert(path, tmp_path / "a.head.safetensors", lambda: model.identity, ImportOptions())
    assert done.read_as == "saklas"
    assert [float(part.b[0]) for part in done.head.blocks.values()] == [0.25, 2.0]
    arrays["layer_1.node_params"] = np.ones((2, 1), np.float32)
    save_file(arrays, path)
    with pytest.raises(HeadError, match="surface"):
        convert(path, tmp_path / "b.head.safetensors", refuse_to_load, ImportOptions())
    with pytest.raises(InputError, match="only read"):
        convert(
            tmp_path / "a.head.safetensors",
            tmp_path / "b",
            refuse_to_load,
            ImportOptions(),
            write_as="saklas",
        )


@pytest.mark.parametrize("name", [format.name for format in FORMATS])
@pytest.mark.parametrize("content", [b"", b"GGUF", b"PK\x03\x04junk", b"\x10\0\0\0\0\0\0\0{}", b"{}" * 99])
def test_damaged_files_are_one_error_and_leave_nothing(
    name: str, content: bytes, model: LanguageModel, tmp_path: Path
) -> None:
    path = tmp_path / (NAMES.get(name, "a.safetensors") if name != "easyedit2" else "layer_1.pt")
    path.write_bytes(content)
    with pytest.raises(EngineError):
        convert(path, tmp_path / "out.gguf", lambda: model.identity, ImportOptions(block=1), read_as=name)
    assert not (tmp_path / "out.gguf").exists()


def test_a_gguf_cut_off_anywhere_is_refused(model: LanguageModel, tmp_path: Path) -> None:
    whole = gguf(tmp_path / "a.gguf", "uint32", (1, 2)).read_bytes()
    for length in range(4, len(whole) - 1, 13):
        path = tmp_path / "cut.gguf"
        path.write_bytes(whole[:length])
        with pytest.raises(HeadError):
            format_named("gguf").read(path, lambda: model.identity, ImportOptions())
    huge = b"GGUF" + struct.pack("<IQQ", 3, 2**40, 2**40)
    path.write_bytes(huge + whole[24:])
    with pytest.raises(HeadError):
        format_named("gguf").read(path, lambda: model.identity, ImportOptions())


@pytest.mark.parametrize(
    ("shape", "value", "why"),
    [
        ((4, 33), 1.0, "32 wide"),
        ((6, 32), 1.0, "tiny-llama has 3"),
        ((4, 32), np.nan, "NaN or infinite"),
        ((4, 32), 0.0, "zero"),
    ],
)
def test_vectors_that_do_not_fit_the_model_are_refused(
    shape: tuple[int, int], value: float, why: str, model: LanguageModel, tmp_path: Path
) -> None:
    path = tmp_path / "a_prompt_avg_diff.pt"
    torch.save(torch.full(shape, value), path)
    with pytest.raises(HeadError, match=why):
        convert(path, tmp_path / "a.head.safetensors", lambda: model.identity, ImportOptions())


def test_one_block_can_be_kept_and_an_unknown_format_is_asked_for(
    model: LanguageModel, tmp_path: Path
) -> None:
    mine = tmp_path / "in.head.safetensors"
    save_head(constant(model), mine)
    done = convert(mine, tmp_path / "layer_2.pt", refuse_to_load, ImportOptions(block=2))
    assert done.written_as == "easyedit2" and any("Only block 2" in loss for loss in done.losses)
    with pytest.raises(HeadError, match="--block one of 1, 2"):
        convert(mine, tmp_path / "layer_1.pt", refuse_to_load, ImportOptions(block=0))
    with pytest.raises(InputError, match="--to"):
        convert(mine, tmp_path / "a.safetensors", refuse_to_load, ImportOptions())
    with pytest.raises(InputError, match="no format onnx"):
        convert(mine, tmp_path / "a", refuse_to_load, ImportOptions(), write_as="onnx")
    with pytest.raises(HeadError, match="no such file"):
        convert(tmp_path / "none", tmp_path / "a.gguf", refuse_to_load, ImportOptions())


@pytest.mark.parametrize("name", [format.name for format in FORMATS])
def test_a_folder_is_no_file_of_vectors(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(EngineError):
        read(tmp_path / "a", refuse_to_load, ImportOptions(block=1, concept=0), read_as=name)


@pytest.mark.parametrize("means", [None, [], {"0": "much"}, {"0": [1.0], "1": [float("nan")], "2": [1.0]}])
def test_a_mean_that_is_no_number_is_not_believed(means: object, model: LanguageModel) -> None:
    head = tiny.head(model)
    odd = replace(head, info=replace(head.info, figures={"mean_coefficient": means}))
    with pytest.raises(HeadError, match="mean is not known"):
        constant_vectors(odd)
