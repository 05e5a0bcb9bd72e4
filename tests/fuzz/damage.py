"""Damage, drawn from a seeded generator: broken bytes, and sound files that hold hostile values."""

from __future__ import annotations

import io
import json
import random
import re
import sqlite3
import struct
import zipfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests.fuzz.kinds import Inside

DEEP = "\x00deep"  # stands for two thousand levels, which json cannot write
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, 10**19, 10**30, -(10**30), int("9" * 4000),
    0.1, 1e308, -1e308, 1e-320, float("inf"), float("-inf"), float("nan"),
    "", " ", "x", "a" * 100_000, "\ud800", "\udcff", "\x00", "\u2028", "../../x", "=1+1", "ä" * 300,
    [], {}, [[]], [None], {"a": 1}, [1] * 1000, DEEP, {"": ""}, ["x", 1, None],
)  # fmt: skip
_NUMBERS = (0, 1, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1)
_TOML = (
    "nan", "inf", "-inf", "9" * 30, "1e400", "1979-05-27", "07:32:00", '"' + "a" * 100_000 + '"', "[" * 3000,
    '[""]', "{a = 1}", "1", "-1", "true", '""', '"\\u0000"', "[[[[[]]]]]", '"(a+)+$"', '"("', '"(a|a)*b"',
    "0x" + "F" * 5000, "[]", ".".join("a" * 20_000) + " = 1",
)  # fmt: skip


def damage(path: Path, inside: Inside, draw: random.Random) -> None:
    """Damages a sound file in place."""
    if draw.random() < 0.4:
        path.write_bytes(_bytes(path.read_bytes(), draw))
        return
    if inside == "sqlite":
        _sqlite(path, draw)
        return
    data = path.read_bytes()
    edit = {
        "safetensors": _safetensors,
        "gguf": _numbers,
        "zip": _zip,
        "toml": _toml,
        "json": _json,
        "jsonl": _lines,
    }
    path.write_bytes(edit[inside](data, draw))


def _bytes(data: bytes, draw: random.Random) -> bytes:
    found = bytearray(data)
    match draw.randrange(5):
        case 0:
            for _ in range(draw.choice((1, 1, 4, 64))):
                found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
        case 1:
            del found[draw.randrange(len(found)) :]
        case 2:
            at = draw.randrange(len(found))
            found[at:at] = draw.randbytes(draw.choice((1, 8, 1000)))
        case 3:
            at = draw.randrange(len(found))
            del found[at : at + draw.choice((1, 8, 100))]
        case _:
            return _numbers(data, draw)
    return bytes(found)


def _numbers(data: bytes, draw: random.Random) -> bytes:
    """Another count or size, where one may lie: most of them are near the beginning."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2))):
        form = draw.choice(("<B", "<I", "<Q"))
        size = struct.calcsize(form)
        end = max(1, min(len(found) - size, draw.choice((64, 1024, len(found)))))
        at = draw.randrange(end)
        found[at : at + size] = struct.pack(form, draw.choice(_NUMBERS) % (1 << 8 * size))
    return bytes(found)


def _edited(value: Any, draw: random.Random) -> Any:
    """The value with one place changed; a place deep inside is as likely as one on top."""
    if not isinstance(value, dict | list) or not value or draw.random() < 0.15:
        return draw.choice(HOSTILE)
    key = draw.choice(list(value)) if isinstance(value, dict) else draw.randrange(len(value))
    match draw.randrange(8):
        case 0:
            del value[key]
        case 1 if isinstance(value, dict):
            value[draw.choice(("", "a" * 100_000, "x", "\ud800", "__metadata__"))] = value.pop(key)
        case 2 if isinstance(value, list):
            value.append(draw.choice(HOSTILE))
        case _:
            value[key] = _edited(value[key], draw)
    return value


def _dumped(value: Any, draw: random.Random) -> str:
    text = json.dumps(value, ensure_ascii=draw.random() < 0.5)
    return text.replace(json.dumps(DEEP), "[" * 2000 + "]" * 2000)


def _json(data: bytes, draw: random.Random) -> bytes:
    return _dumped(_edited(json.loads(data), draw), draw).encode("utf-8", "surrogatepass")


def _lines(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = draw.randrange(len(lines))
    lines[at] = (
        _json(lines[at], draw)
        if draw.random() < 0.9
        else draw.choice((b"1" * (2 << 20), b"\xff", b"[", b"null"))
    )
    return b"\n".join(lines)


def _safetensors(data: bytes, draw: random.Random) -> bytes:
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.get("__metadata__", {})
    if metadata and draw.random() < 0.6:
        name = draw.choice(list(metadata))
        metadata[name] = _dumped(_edited(json.loads(metadata[name]), draw), draw)
    else:
        if draw.random() < 0.3:
            entry = header[draw.choice([name for name in header if name != "__metadata__"])]
            entry["dtype"] = draw.choice(("F8_E4M3", "BF16", "F64", "I8", "BOOL", "U64", "X", ""))
        else:
            header = _edited(header, draw)
    text = _dumped(header, draw).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def _zip(data: bytes, draw: random.Random) -> bytes:
    """Damage within a member, whose checksum is then right again; sometimes packed."""
    made = io.BytesIO()
    packing = zipfile.ZIP_DEFLATED if draw.random() < 0.1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", packing) as new:
        names = old.namelist()
        pickles = [name for name in names if name.endswith(".pkl")]
        hit = draw.choice(pickles if pickles and draw.random() < 0.7 else names)
        for name in names:
            content = old.read(name)
            if name == hit:
                content = _bytes(content, draw) if content else draw.randbytes(100)
            new.writestr(name, content)
    return made.getvalue()


def _toml(data: bytes, draw: random.Random) -> bytes:
    lines = data.decode().split("\n")
    at = draw.choice([number for number, line in enumerate(lines) if line])
    value = draw.choice(_TOML)
    lines[at] = re.sub(r"= .*", lambda _: f"= {value}", lines[at]) if "=" in lines[at] else value
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _sqlite(path: Path, draw: random.Random) -> None:
    """Another value in one cell, another version, or something that does not belong there."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA writable_schema = ON")
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = draw.choice(tables)
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        column = draw.choice(columns)
        statements: list[tuple[str, tuple[Any, ...]]] = [
            (f"PRAGMA user_version = {draw.choice((0, -1, 1, 2, 99, -(2**31)))}", ()),
            (f"ALTER TABLE {table} RENAME COLUMN {column} TO other", ()),
            (f"CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END", ()),
            (f"DELETE FROM {table}", ()),
        ]
        value = draw.choice(HOSTILE)
        text = _dumped(value, draw).encode("utf-8", "surrogatepass")
        cell: Any = draw.choice((text, text.decode("utf-8", "replace"), b"\xff", 5, 1e300, ""))
        change = (f"UPDATE {table} SET {column} = ?", (cell,))
        with suppress(sqlite3.Error):
            db.execute(*(change if draw.random() < 0.8 else draw.choice(statements)))
            db.commit()
