"""`python -m tests.fuzz`: damages files of every kind and reads them; exits 1 where one does harm.

A reader may give a value or an EngineError. Harm is anything else: another exception, more than 5 s, or more
memory than 4 times the file and 64 MB. Such files are kept for a look.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import engine  # noqa: F401  before torch, as in the product
from engine.errors import EngineError
from tests.fuzz.damage import damage
from tests.fuzz.kinds import KINDS, Kind

LONGEST_S = 5
MEMORY = 64 << 20  # bytes, beside 4 times the file


class Hang(BaseException):
    """A reader took longer than it may."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this kind; may be repeated")
    parser.add_argument("--count", type=int, default=1000, help="files per kind (default 1000)")
    parser.add_argument("--minutes", type=float, help="as long as this in all, in place of a count")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz", help="harmful files"
    )
    options = parser.parse_args()
    names = options.kind or list(KINDS)
    seconds = None if options.minutes is None else options.minutes * 60 / len(names)
    harm = 0
    print(f"{'kind':14}{'files':>7}{'read':>7}{'refused':>9}{'unhandled':>11}{'hangs':>7}{'memory':>8}")
    for name in names:
        found = _round(name, KINDS[name], options.seed, options.count, seconds, options.keep)
        bad = [found[what] for what in ("unhandled", "hang", "memory")]
        print(
            f"{name:14}{found.total():>7}{found['read']:>7}{found['refused']:>9}"
            f"{bad[0]:>11}{bad[1]:>7}{bad[2]:>8}",
            flush=True,
        )
        harm += sum(bad)
    return 1 if harm else 0


def _round(name: str, kind: Kind, seed: int, count: int, seconds: float | None, keep: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sound, work = Path(folder) / "sound", Path(folder) / "work"
        sound.mkdir()
        kind.make(sound / kind.name)
        kind.read(sound / kind.name)  # imports what it needs, and is no damage
        number = 0
        while number < count if seconds is None else time.monotonic() - begun < seconds:
            shutil.copytree(sound, work)
            path = work / kind.name
            damage(path, kind.inside, random.Random(f"{seed} {name} {number}"))
            what, words = _outcome(kind, path)
            found[what] += 1
            if what not in ("read", "refused"):
                keep.mkdir(parents=True, exist_ok=True)
                kept = keep / f"{name}-{seed}-{number}-{kind.name}"
                if path.exists():
                    shutil.copy(path, kept)
                print(f"{what}: {kept}\n{words}", file=sys.stderr)
            shutil.rmtree(work)
            number += 1
    return found


def _outcome(kind: Kind, path: Path) -> tuple[str, str]:
    size, before = path.stat().st_size, _reset_peak()
    faulthandler.dump_traceback_later(60, exit=True)  # what no signal interrupts
    signal.signal(signal.SIGALRM, _hang)
    signal.alarm(LONGEST_S)
    what, words = "read", ""
    try:
        kind.read(path)
    except EngineError as error:
        what = "refused"
        if len(str(error)) > 3500:
            what, words = "unhandled", f"a message of {len(str(error))} characters"
    except Hang:
        what, words = "hang", traceback.format_exc(limit=-4)
    except Exception:  # noqa: BLE001  # whatever it is, it is to be reported
        what, words = "unhandled", traceback.format_exc(limit=-4)
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
    grown = _peak() - before
    if what in ("read", "refused") and grown > 4 * size + MEMORY:
        what, words = "memory", f"{grown >> 20} MB for a file of {size} bytes"
    return what, words


def _hang(number: int, frame: Any) -> None:
    raise Hang


def _reset_peak() -> int:
    """The memory in use; the peak is measured from here on. 0 where the system does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return _peak()


def _peak() -> int:
    """The largest resident memory in bytes since `_reset_peak`."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    sys.exit(main())
