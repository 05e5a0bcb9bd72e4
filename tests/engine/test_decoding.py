"""The gate for what comes in: what is refused before it is opened, and what a decoded value may hold."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from engine.decoding import (
    DEEPEST,
    DecodingError,
    from_json,
    from_toml,
    json_lines,
    read_bytes,
    refusing,
    safetensors_header,
    shaped,
)
from engine.errors import LONGEST, HeadError, InputError

MB = 1 << 20


def test_only_regular_files_of_the_allowed_size_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer for ever
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(DecodingError, match="not a file"):
            read_bytes(path, MB)
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 1 << 40)
    with pytest.raises(DecodingError, match="1,048,576 MB, and at most 1 MB"):
        read_bytes(tmp_path / "sparse", MB)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none", MB)
    (tmp_path / "a").write_bytes(b"abc")
    assert read_bytes(tmp_path / "a", 3) == b"abc"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 2000 + "]" * 2000, "64 deep"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "64 deep"),
        ("NaN", "not JSON"),
        ("[-Infinity]", "not JSON"),
        ("1e999", "out of range"),
        ("9" * 20, "beyond 64 bits"),
        ("9" * 5000, "out of range"),
        ('{"a": [9223372036854775808]}', "beyond 64 bits"),
        ('"\\ud800"', "not JSON"),
        ('"\ud800"', "not JSON"),
        ('"' + "a" * 101 + '"', "101 characters"),
        ('{"' + "a" * 101 + '": 1}', "101 characters"),
        ("{", "not JSON"),
        (b"\xff", "not JSON"),
    ],
)
def test_json_out_of_bounds_is_refused(text: str | bytes, why: str) -> None:
    with pytest.raises(DecodingError, match=why):
        from_json(text, longest=100)


def test_json_within_bounds_is_read_exactly() -> None:
    value = {"a": [1, -(2**63), 2**63 - 1, 0.1, None, True, "ä\u2028𝄞"], "b": {"c": []}}
    assert from_json(json.dumps(value)) == value
    assert from_json(b"\xef\xbb\xbf" + json.dumps(value, ensure_ascii=False).encode()) == value
    deepest = "[" * DEEPEST + "]" * DEEPEST
    assert from_json(deepest) == json.loads(deepest)


def test_lines_end_at_a_newline_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + '{"a": "x\u2028y\u0085z"}\r\n\n  \n{"a": "2"}'.encode())
    rows = {number: from_json(line) for number, line in json_lines(path, MB, 100)}
    assert rows == {1: {"a": "x\u2028y\u0085z"}, 4: {"a": "2"}}
    path.write_bytes(b"[]\n" + b"1" * 101)
    with pytest.raises(DecodingError, match="Line 2 is longer than 100 bytes"):
        list(json_lines(path, MB, 100))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = nan", "not finite"),
        ("a = 99999999999999999999", "beyond 64 bits"),
        ("a = " + "[" * 2000 + "]" * 2000, "64 deep"),
        (".".join("a" * 100_000) + " = 1", "too many dots"),
        (".".join("a" * 100) + " = 1", "64 deep"),
        ("a = ", "not TOML"),
        ('a = "\\uD800"', "not TOML"),
    ],
)
def test_toml_out_of_bounds_is_refused(text: str, why: str) -> None:
    with pytest.raises(DecodingError, match=why):
        from_toml(text.encode())


def header(**tensors: Any) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        header(a={"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 16]}),
        header(a={"dtype": "F32", "shape": [0, 1 << 40], "data_offsets": [0, 0]}),
        header(a={"dtype": "F32", "shape": [4], "data_offsets": [0, 64]}),
        header(a={"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}),
        header(a={"dtype": "F32", "shape": [1] * 9, "data_offsets": [0, 4]}),
        header(a={"dtype": "F32", "shape": False, "data_offsets": [0, 4]}),
        header(a={"dtype": "F8_E4M3", "shape": [16], "data_offsets": [0, 16]}),
        header(a=False),
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        b"short",
    ],
)
def test_a_safetensors_header_that_claims_more_than_the_file_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data + b"\0" * 16)
    with pytest.raises(ValueError):
        safetensors_header(path, MB, MB)


def test_a_shape_names_what_is_wrong_and_where() -> None:
    assert shaped({"a": [1, 2]}, dict[str, list[int]]) == {"a": [1, 2]}
    with pytest.raises(
        DecodingError, match=r"Line 3 lacks facts .*: Expected int, got str - at \$\[\.\.\.\]"
    ):
        shaped({"a": "1"}, dict[str, int], "Line 3")


@pytest.mark.parametrize(
    ("raised", "why"),
    [
        (RecursionError(), "It is damaged"),
        (KeyError("x"), "It is damaged"),
        (MemoryError(), "It asks for more memory than there is"),
        (DecodingError("It is deep."), "It is deep"),
        (FileNotFoundError(2, "No such file"), "There is no such file"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (InputError("x", "It is out of range.", "z"), "It is out of range"),
    ],
)
def test_whatever_a_library_raises_becomes_one_error_of_ours(raised: Exception, why: str) -> None:
    with (
        pytest.raises(HeadError, match=f"The file was not read: {why}"),
        refusing(HeadError, "The file was not read", "Go."),
    ):
        raise raised


def test_messages_are_cut_to_a_readable_length_and_can_be_printed() -> None:
    error = HeadError("a" * 100_000, "b\ud800", "c")
    assert len(error.what) == LONGEST and len(str(error)) < 2 * LONGEST
    str(error).encode()
