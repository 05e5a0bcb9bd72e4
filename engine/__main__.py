"""`steer`, or `python -m engine`: the engine without a window."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status: 0 done, 2 bad input, 130 interrupted."""
    try:
        from engine.cli import run
    except KeyboardInterrupt:  # so early that nothing has begun
        return 130
    return run(sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
