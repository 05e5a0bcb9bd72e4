"""One gate for what comes in: regular files of bounded size, decoded into bounded values of declared shapes.

Everything here raises OSError, or ValueError: its subclass DecodingError where the sentence is of use to a
person. `refusing` turns those, and whatever a library raises on damaged bytes, into one error of the studio.
"""

from __future__ import annotations

import codecs
import math
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from engine.errors import Cancelled, EngineError

T = TypeVar("T")

DEEPEST = 64  # levels of nesting
LONGEST = 1_000_000  # characters of one text
ITEM_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
FLOATS = ("F64", "F32", "F16", "BF16")

_MOST_DIMENSIONS = 8
_MOST_DOTS = 1_000_000  # of a TOML file, see `from_toml`


class DecodingError(ValueError):
    """Why something was not decoded, as a sentence for a person."""


@contextmanager
def refusing(
    family: type[EngineError], what: str, remedy: str, damaged: str = "It is damaged."
) -> Iterator[None]:
    """Whatever is raised inside comes out as one error of the studio.

    Args:
        family: the error to raise; its subclasses pass unchanged.
        what: begins its sentence ("The head file x was not loaded").
        remedy: what to do about a damaged file.
        damaged: the cause that is named for errors of libraries, which say nothing to a person.
    """
    try:
        yield
    except (family, Cancelled):
        raise
    except EngineError as error:
        raise family(what, error.why, error.remedy) from None
    except FileNotFoundError:
        raise family(what, "There is no such file.", "Check the path.") from None
    except OSError as error:
        raise family(what, f"{error.strerror or error}.", "Choose a file that can be read.") from None
    except DecodingError as error:
        raise family(what, str(error), remedy) from None
    except MemoryError:
        raise family(what, "It asks for more memory than there is.", remedy) from None
    except Exception:  # noqa: BLE001  # on damaged bytes a library may stumble over anything
        raise family(what, damaged, remedy) from None


def require_file(path: Path, most: int) -> int:
    """The size of a regular file of at most `most` bytes, which is not opened.

    Raises:
        OSError: it is not there or cannot be looked at.
        DecodingError: a folder, a pipe, a device, or a larger file.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise DecodingError("It is not a file.")
    if found.st_size > most:
        raise DecodingError(f"It has {_bytes(found.st_size)}, and at most {_bytes(most)} are read.")
    return found.st_size


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes. Raises as `require_file` does."""
    size = require_file(path, most)
    if not size:
        return b""  # a file of the system without a size may have no end
    with path.open("rb") as file:
        return file.read(size)


def from_json(data: bytes | str, longest: int = LONGEST) -> Any:
    """One JSON value, with or without a byte order mark: no NaN or infinity, integers within 64 bits, text
    that UTF-8 can hold.

    Args:
        data: UTF-8.
        longest: the most characters of one text in it.

    Raises:
        DecodingError: anything else.
    """
    import msgspec

    if isinstance(data, bytes):
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        value = msgspec.json.decode(data)
    except RecursionError:
        raise DecodingError(f"It is nested more than {DEEPEST} deep.") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise DecodingError(f"It is not JSON: {_words(error)}.") from None
    require_bounded(value, longest)
    return value


def json_lines(path: Path, most: int, longest: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not empty, with their numbers from 1; `\\n` alone ends a line.

    Args:
        path: a regular file.
        most: its most bytes.
        longest: the most bytes of a line.

    Raises:
        OSError, DecodingError: as `require_file`; a line that is too long.
    """
    if not require_file(path, most):
        return
    with path.open("rb") as file:
        number = 0
        while line := file.readline(longest + 1):
            number += 1
            if len(line) > longest:
                raise DecodingError(f"Line {number} is longer than {_bytes(longest)}.")
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if line.strip():
                yield number, line


def from_toml(data: bytes) -> dict[str, Any]:
    """The table of a TOML text, bounded as in `from_json`. Raises DecodingError."""
    import tomllib

    # The parser's time grows with the square of the number of a key's parts.
    if sum(line.count(b".") ** 2 for line in data.split(b"\n")) > _MOST_DOTS:
        raise DecodingError("One of its lines has too many dots.")
    try:
        value = tomllib.loads(data.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError:
        raise DecodingError("It is not UTF-8 text.") from None
    except RecursionError:
        raise DecodingError(f"It is nested more than {DEEPEST} deep.") from None
    except ValueError as error:
        raise DecodingError(f"It is not TOML: {_words(error)}.") from None
    require_bounded(value)
    return value


def require_bounded(value: Any, longest: int = LONGEST) -> None:
    """Raises DecodingError for a value that nests too deeply, or holds a number that is not finite or beyond
    64 bits, or a text that is too long or that UTF-8 cannot hold."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict:
                below.extend(item.values())
                for key in item:
                    _require_text(key, longest)
            elif kind is list:
                below.extend(item)
            elif kind is str:
                _require_text(item, longest)
            elif kind is int:
                if not -(1 << 63) <= item < 1 << 63:
                    raise DecodingError("It holds an integer beyond 64 bits.")
            elif kind is float and not math.isfinite(item):
                raise DecodingError("It holds a number that is not finite.")
        if not below:
            return
        level = below
    raise DecodingError(f"It is nested more than {DEEPEST} deep.")


def shaped(value: Any, shape: type[T], where: str = "") -> T:
    """Plain values as an object of a declared shape: a dataclass, a TypedDict, a Struct, or one of Python's.

    Args:
        value: from `from_json` or `from_toml`.
        shape: its annotations are checked, and its `__post_init__` runs; more keys than it has are left out.
        where: begins the sentence ("Its answer").

    Raises:
        DecodingError: something is missing or of the wrong kind.
        EngineError: what `__post_init__` raises.
    """
    import msgspec

    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise DecodingError(
            f"{where or 'It'} lacks facts or holds facts of the wrong kind: {_words(error)}."
        ) from None


class Header(NamedTuple):
    """Of a safetensors file: its metadata, and (dtype, shape) of every tensor."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, tuple[str, tuple[int, ...]]]


def safetensors_header(path: Path, most: int, most_header: int) -> Header:
    """The header of a safetensors file whose tensors all lie within the file.

    The format: 8 bytes with the header's length, the header as JSON, the numbers.

    Args:
        path: a regular file.
        most: its most bytes.
        most_header: the most bytes of its header.

    Raises:
        OSError, DecodingError: as `require_file`; a larger header; kinds of numbers without a reader.
        ValueError: no such file or a damaged one.
    """
    size = require_file(path, most)
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if not 2 <= length <= size - 8:
            raise ValueError("cut short")
        if length > most_header:
            raise DecodingError(
                f"Its header has {_bytes(length)}, and at most {_bytes(most_header)} are read."
            )
        header = from_json(file.read(length), longest=most_header)
    return checked_header(header, size - 8 - length)


def checked_header(header: Any, room: int) -> Header:
    """The header of safetensors data as JSON values, checked against the `room` bytes that follow it.

    Raises:
        ValueError: what does not make sense; DecodingError for kinds of numbers without a reader.
    """
    if not isinstance(header, dict):
        raise ValueError("no table")
    metadata = shaped(header.pop("__metadata__", None) or {}, dict[str, str])
    tensors = {}
    for name, facts in header.items():
        entry = shaped(facts, dict[str, Any])
        kind, shape = shaped(entry.get("dtype"), str), shaped(entry.get("shape"), list[int])
        begin, end = shaped(entry.get("data_offsets"), tuple[int, int])
        if kind not in ITEM_BYTES:
            raise DecodingError(f"Its numbers are stored as {kind[:20]}, for which there is no reader.")
        numbers = math.prod(max(count, 1) for count in shape) if len(shape) <= _MOST_DIMENSIONS else -1
        # A shape with a zero in it takes no bytes, but its other sides are counts as well.
        if not 0 <= begin <= end <= room or min(shape, default=0) < 0 or not 0 < numbers <= max(room, 1):
            raise ValueError("a shape that the file does not hold")
        if end - begin != math.prod(shape) * ITEM_BYTES[kind]:
            raise ValueError("a shape of another size")
        tensors[name] = (kind, tuple(shape))
    return Header(metadata, tensors)


def _require_text(text: str, longest: int) -> None:
    if len(text) > longest:
        raise DecodingError(f"It holds a text of {len(text):,} characters, and at most {longest:,} are read.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DecodingError("It holds text that UTF-8 cannot hold.") from None


def _bytes(count: int) -> str:
    return f"{count >> 20:,} MB" if count >= 1 << 20 else f"{count:,} bytes"


def _words(error: Exception) -> str:
    """What a library says, as part of a sentence."""
    text = str(error).replace("`", "").rstrip(".")
    return text if len(text) <= 200 else f"{text[:199]}…"
