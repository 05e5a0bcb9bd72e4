"""`kill -9` at random moments: what was acknowledged is there, whole, when the library is opened again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from engine.library import sessions
from engine.library.store import LibraryStore

ROUNDS = 12

WRITER = """
import sys
from pathlib import Path
from engine.library import sessions
from engine.library.records import AnswerRecord, SessionRecord, TurnRecord
from engine.library.store import LibraryStore

store = LibraryStore(Path(sys.argv[1]))
done = sessions.conversation(store, "talk")
count = len(done.turns) if done else 0
order = [turn.key for turn in done.turns] if done else []
while True:
    turn = TurnRecord(f"t{count}", f"question {count}", {"n": count},
                      (AnswerRecord("steered", "eos", f"answer {count} " * 50, {}, bytes(20_000)),))
    order.append(turn.key)
    count += 1
    sessions.save_session(store, SessionRecord("talk", {"count": count}, False), order, [turn])
    print(count, flush=True)
"""


@pytest.mark.parametrize("seed", [0])
def test_nothing_acknowledged_is_lost_and_nothing_is_half_written(tmp_path, seed):
    rng = random.Random(seed)
    acknowledged = 0
    for _ in range(ROUNDS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.08))
        writer.send_signal(signal.SIGKILL)
        said = [first, *writer.stdout]
        writer.wait()
        acknowledged = max([acknowledged, *(int(line) for line in said if line.endswith("\n"))])
        store = LibraryStore(tmp_path)
        session, talk = sessions.last_session(store), sessions.conversation(store, "talk")
        count = session.state["count"]
        assert acknowledged <= count <= acknowledged + 1
        assert [turn.facts["n"] for turn in talk.turns] == list(range(count)) and not talk.damaged
        assert all(turn.answers[0].text.count(f"answer {n} ") == 50 for n, turn in enumerate(talk.turns))
        store.close()
