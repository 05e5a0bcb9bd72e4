from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import LibraryError
from engine.library import catalog, sessions
from engine.library import store as store_module
from engine.library.records import COMPARISON, AnswerRecord, Page, SessionRecord, TurnRecord
from engine.library.store import LibraryStore

FIRST_VERSION = Path(__file__).parent / "library-1.sqlite"
SECOND_VERSION = Path(__file__).parent / "library-2.sqlite"


@pytest.fixture
def store(tmp_path):
    made = LibraryStore(tmp_path)
    yield made
    made.close()


def turn(key: str, question: str = "Hello?", text: str = "Arr.") -> TurnRecord:
    return TurnRecord(key, question, {"mix": []}, (AnswerRecord("steered", "eos", text, {"n": 1}, b"\x00t"),))


def save(store: LibraryStore, *turns: TurnRecord, key: str = "c1", clean: bool = False, **state) -> None:
    sessions.save_session(store, SessionRecord(key, state, clean), [t.key for t in turns], turns)


def test_a_session_comes_back_as_it_was_saved(store, tmp_path):
    save(store, turn("a"), turn("b", "And?"), prompt="Be gloomy.")
    store.close()
    again = LibraryStore(tmp_path)
    session = sessions.last_session(again)
    assert (session.conversation, session.state, session.clean) == ("c1", {"prompt": "Be gloomy."}, False)
    found = sessions.conversation(again, "c1")
    assert found.turns == (turn("a"), turn("b", "And?")) and found.title == "Hello?" and not found.damaged
    again.close()


def test_it_is_durable_by_the_databases_own_word(store):
    with store.reading() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_only_what_changed_is_written_and_the_order_is_kept(store):
    save(store, turn("a"), turn("b"))
    session = SessionRecord("c1", {}, True)
    sessions.save_session(store, session, ["b", "a"], [turn("b", text="New.")])
    found = sessions.conversation(store, "c1").turns
    assert [t.key for t in found] == ["b", "a"] and found[0].answers[0].text == "New."
    sessions.save_session(store, session, ["b"])
    assert [t.key for t in sessions.conversation(store, "c1").turns] == ["b"]


def test_an_emptied_page_leaves_no_conversation_unless_it_has_a_name(store):
    save(store, turn("a"))
    save(store)
    assert sessions.conversation(store, "c1") is None
    save(store, turn("a"))
    catalog.rename(store, "conversation", "c1", "Mine")
    save(store)
    assert sessions.conversation(store, "c1").title == "Mine"


def test_a_failing_save_changes_nothing(store):
    save(store, turn("a"), prompt="old")
    with pytest.raises(ValueError):
        sessions.save_session(store, SessionRecord("c1", {"x": float("nan")}, True), ["b"], [turn("b")])
    assert [t.key for t in sessions.conversation(store, "c1").turns] == ["a"]
    assert sessions.last_session(store).state == {"prompt": "old"}


def test_one_damaged_turn_hides_no_other(store):
    save(store, turn("a"), turn("b"), turn("c"))
    with store.writing() as db:
        db.execute("UPDATE answer SET facts = 'rubbish' WHERE turn = 'b'")
    found = sessions.conversation(store, "c1")
    assert [t.key for t in found.turns] == ["a", "c"] and found.damaged == ("b",)
    [answer] = sessions.raw_turn(store, "b")["answers"]  # as it lies there
    assert (answer["text"], answer["facts"], answer["trace_bytes"]) == ("Arr.", "rubbish", 2)


def test_a_broken_byte_costs_one_character(store):
    save(store, turn("a", "Tell me."), prompt="Talk.")
    with store.writing() as db:
        db.execute("UPDATE turn SET question = CAST(x'54656cff' AS TEXT)")
        db.execute("""UPDATE session SET state = CAST(x'7b2270726f6d7074223a2254ff227d' AS TEXT)""")
    assert sessions.conversation(store, "c1").turns[0].question == "Tel\ufffd"
    assert sessions.last_session(store).state == {"prompt": "T\ufffd"}


def test_a_full_disk_is_told_as_such_and_nothing_is_changed(store):
    save(store, turn("a"))
    with store.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LibraryError, match=r"disk is full.*Make room"):
        save(store, turn("b", "What is it? " * 10_000))
    assert [t.key for t in sessions.conversation(store, "c1").turns] == ["a"]
    with store.reading() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    save(store, turn("a"), turn("b"))  # the library is usable afterwards
    assert [t.key for t in sessions.conversation(store, "c1").turns] == ["a", "b"]


def test_a_library_held_by_another_program_is_told_as_such(store, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.library.store.BUSY_S", 0.05)
    other = LibraryStore(tmp_path)
    with store.writing(), pytest.raises(LibraryError, match=r"Another program holds it.*End that program"):
        save(other, turn("a"))
    save(other, turn("a"))
    other.close()


def test_a_library_that_may_not_be_written_is_told_as_such(store):
    with store.reading() as db:
        db.execute("PRAGMA query_only = ON")
    with pytest.raises(LibraryError, match=r"may not be written.*Give yourself the right"):
        save(store, turn("a"))


def test_a_malformed_library_is_told_as_such_and_left_alone(store, tmp_path):
    save(store, *(turn(f"{n}", "What is it? " * 100) for n in range(50)))
    store.close()
    path = tmp_path / "library.sqlite"
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    before = path.read_bytes()
    with pytest.raises(LibraryError, match=r"file is damaged.*\.recover"):
        again = LibraryStore(tmp_path)
        try:
            sessions.conversation(again, "c1")
        finally:
            again.close()
    assert path.read_bytes() == before


def test_a_library_that_lacks_a_column_is_refused_and_left_alone(store, tmp_path):
    save(store, turn("a"))
    with store.writing() as db:
        db.execute("ALTER TABLE answer DROP COLUMN text")
        db.execute("DROP TABLE vote")
    store.close()
    before = (tmp_path / "library.sqlite").read_bytes()
    with pytest.raises(LibraryError, match=r"lacks answer\.text, vote\.cast_at.*Put a copy of before"):
        LibraryStore(tmp_path)
    assert (tmp_path / "library.sqlite").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_told_as_such(tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(LibraryError, match="a file where a folder should be"):
        LibraryStore(tmp_path / "home")


def test_one_damaged_vote_hides_no_other(store):
    for won in ("a-psr", "caa"):
        catalog.add_vote(store, {"won": won})
    with store.writing() as db:
        db.execute("UPDATE vote SET facts = 'rubbish' WHERE key = 1")
    assert [vote.get("won", vote.get("unread")) for vote in catalog.votes(store)] == ["rubbish", "caa"]


def test_search_looks_into_titles_texts_and_tags(store):
    save(store, turn("a", "Tell me about bees.", "Bees hum 100% of the day."), key="one")
    save(store, turn("b", "What is a castle?", "A big house."), key="two")
    catalog.set_tags(store, "conversation", "two", ("Stone", " old ", ""))
    titles = {words: [i.title for i in catalog.items(store, "conversation", words)] for words in
              ("", "bees", "BIG house", "stone", "100%", "1__%", "castle bees")}  # fmt: skip
    assert titles == {
        "": ["What is a castle?", "Tell me about bees."],
        "bees": ["Tell me about bees."],
        "BIG house": ["What is a castle?"],
        "stone": ["What is a castle?"],
        "100%": ["Tell me about bees."],
        "1__%": [],
        "castle bees": [],
    }
    assert catalog.items(store, "conversation", "stone")[0].tags == ("old", "stone")


def test_a_given_name_outlives_the_next_save(store):
    save(store, turn("a"))
    catalog.rename(store, "conversation", "c1", " The sea ")
    save(store, turn("a"), turn("b"))
    assert catalog.items(store, "conversation")[0].title == "The sea"
    [item] = catalog.items(store, "conversation")
    assert item.named
    catalog.rename(store, "conversation", "c1", "Hello?", named=False)
    save(store, turn("a", "And who are you?"), turn("b"))
    assert catalog.items(store, "conversation")[0].title == "And who are you?"  # automatic again
    with pytest.raises(LibraryError):
        catalog.rename(store, "conversation", "gone", "x")
    with pytest.raises(LibraryError):
        catalog.rename(store, "conversation", "c1", "  ")


def test_what_was_removed_can_be_put_back_whole(store):
    save(store, turn("a"), turn("b", "And?"))
    catalog.rename(store, "conversation", "c1", "greetings")
    catalog.set_tags(store, "conversation", "c1", ("short",))
    run = catalog.add_run(store, "distillation", "pirate", {"seconds": 1.0})

    def all_of_it() -> tuple:
        lists = [catalog.items(store, shelf) for shelf in ("conversation", "run")]
        return sessions.conversation(store, "c1"), lists

    before = all_of_it()
    taken = [catalog.remove(store, "conversation", "c1"), catalog.remove(store, "run", run)]
    assert all_of_it() == (None, [[], []])
    for each in taken:
        catalog.put_back(store, each)
    assert all_of_it() == before and catalog.run_facts(store, run) == {"seconds": 1.0}
    catalog.put_back(store, taken[0])  # twice does no harm
    assert all_of_it() == before


def test_removed_items_are_gone_with_their_tags(store):
    save(store, turn("a"))
    catalog.set_tags(store, "conversation", "c1", ("x",))
    catalog.remove(store, "conversation", "c1")
    save(store, turn("a"))
    assert catalog.items(store, "conversation")[0].tags == ()


def test_runs_and_votes_are_kept(store):
    key = catalog.add_run(store, "distillation", "pirate", {"kept": 24})
    assert catalog.run_facts(store, key) == {"kept": 24}
    assert catalog.items(store, "run", "distill")[0].title == "pirate"
    catalog.add_vote(store, {"won": "a-psr", "lost": "caa"})
    assert [(v["won"], v["lost"]) for v in catalog.votes(store)] == [("a-psr", "caa")]
    catalog.drop_vote(store, catalog.add_vote(store, {"won": "caa", "lost": "a-psr"}))
    assert len(catalog.votes(store)) == 1
    with pytest.raises(LibraryError):
        catalog.run_facts(store, "gone")


@pytest.mark.parametrize(
    "facts",
    [
        "[" * 2000 + "]" * 2000,
        '{"a": Infinity}',
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": ' + "9" * 30 + "}",
        "[1]",
        "5",
    ],
)
def test_a_record_out_of_bounds_costs_itself_alone(store, facts):
    save(store, turn("a"), turn("b"), turn("c"))
    good = catalog.add_run(store, "distill", "good", {"x": 1})
    bad = catalog.add_run(store, "distill", "bad", {"x": 1})
    catalog.add_vote(store, {"won": "caa"})
    with store.writing() as db:
        db.execute("UPDATE turn SET facts = ? WHERE key = 'b'", (facts,))
        db.execute("UPDATE answer SET text = x'00ff' WHERE turn = 'c'")
        db.execute("UPDATE run SET facts = ? WHERE key = ?", (facts, bad))
        db.execute("INSERT INTO vote (cast_at, facts) VALUES ('', ?)", (facts,))
    found = sessions.conversation(store, "c1")
    assert [t.key for t in found.turns] == ["a"] and found.damaged == ("b", "c")
    assert catalog.run_facts(store, good) == {"x": 1}
    with pytest.raises(LibraryError, match="gone or damaged"):
        catalog.run_facts(store, bad)
    assert [vote.get("won", vote.get("unread")) for vote in catalog.votes(store)] == ["caa", facts]
    save(store, turn("a"), turn("b"), turn("c"))  # all of it can be saved again
    assert not sessions.conversation(store, "c1").damaged


@pytest.mark.parametrize("version", [0, -1, -(2**31)])
def test_a_library_with_a_damaged_version_opens_as_what_its_tables_are(store, tmp_path, version):
    save(store, turn("a"))
    with store.writing() as db:
        db.execute(f"PRAGMA user_version = {version}")
    store.close()
    again = LibraryStore(tmp_path)
    assert [t.key for t in sessions.conversation(again, "c1").turns] == ["a"]
    again.close()


def test_a_library_with_a_trigger_is_refused(store, tmp_path):
    with store.writing() as db:
        db.execute("CREATE TRIGGER endless AFTER UPDATE ON run BEGIN UPDATE run SET title = 'x'; END")
    store.close()
    with pytest.raises(LibraryError, match="endless, which runs by itself"):
        LibraryStore(tmp_path)


def test_a_statement_that_never_ends_is_stopped(store, monkeypatch):
    monkeypatch.setattr(store_module, "LONGEST_S", 0.0)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with pytest.raises(LibraryError, match="took too long"), store.reading() as db:
        db.execute(endless).fetchone()
    monkeypatch.undo()
    save(store, turn("a"))
    assert not sessions.conversation(store, "c1").damaged


def test_a_newer_library_is_refused_and_left_alone(store, tmp_path):
    with store.writing() as db:
        db.execute("PRAGMA user_version = 99")
    store.close()
    before = (tmp_path / "library.sqlite").read_bytes()
    with pytest.raises(LibraryError, match="Update the studio"):
        LibraryStore(tmp_path)
    assert (tmp_path / "library.sqlite").read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all" * 100, None])
def test_a_file_that_is_no_library_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "library.sqlite"
    if content is None:
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE other (x)")
        db.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(LibraryError):
        LibraryStore(tmp_path)
    assert path.read_bytes() == before


def test_a_library_of_version_1_opens(tmp_path):
    shutil.copy(FIRST_VERSION, tmp_path / "library.sqlite")
    store = LibraryStore(tmp_path)
    session = sessions.last_session(store)
    found = sessions.conversation(store, session.conversation)
    assert [t.question for t in found.turns] == ["Tell me about the harbour."]
    assert found.turns[0].answers[0].text == "Arr, the harbour be old, matey."
    assert json.dumps(session.state["channels"]) and session.state["prompt"] == "Talk like a pirate."
    assert catalog.items(store, "conversation", "sea")[0].tags == ("sea",)
    assert len(catalog.votes(store)) == 1 and (found.kind, found.facts) == ("", {})
    page = Page("new", ["n"], (turn("n"),), COMPARISON, {"blind": True})
    sessions.save_session(store, session, ["t1"], beside=[page])  # as a library of today
    store.close()
    again = LibraryStore(tmp_path)
    assert sessions.conversation(again, "new").facts == {"blind": True}
    assert sessions.conversation(again, session.conversation).turns == found.turns
    again.close()


def test_a_library_of_version_2_opens(tmp_path):
    shutil.copy(SECOND_VERSION, tmp_path / "library.sqlite")
    store = LibraryStore(tmp_path)
    session = sessions.last_session(store)
    [voted] = catalog.items(store, "conversation", "insects")
    assert (voted.title, voted.kind, voted.about) == ("Tell me about bees.", COMPARISON, "3 answers")
    assert session.state["round"] == voted.key and len(catalog.votes(store)) == 1
    found = sessions.conversation(store, voted.key)
    names = [found.facts["columns"][each.key][0] for each in found.turns]
    assert sorted(names) == ["mixer", "prompt", "unsteered"] and not found.facts["blind"]
    assert found.facts["columns"][found.facts["choice"]][0] == "mixer"
    assert all(each.answers[0].trace for each in found.turns)
    talk = sessions.conversation(store, session.conversation)
    assert [t.question for t in talk.turns] == ["Tell me about the harbour."] and talk.kind == ""
    store.close()


def test_an_old_library_that_lacks_a_column_is_refused_and_not_brought_up(tmp_path):
    path = tmp_path / "library.sqlite"
    shutil.copy(FIRST_VERSION, path)
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE answer DROP COLUMN text")
    db.close()
    before = path.read_bytes()
    with pytest.raises(LibraryError, match=r"lacks answer\.text: another"):
        LibraryStore(tmp_path)
    assert path.read_bytes() == before


def test_pages_are_kept_beside_the_conversation_in_one_step(store):
    def keep(*pages: Page) -> None:
        sessions.save_session(store, SessionRecord("c1", {}, False), ["a"], [turn("a")], pages)

    def page(*turns: TurnRecord, **facts) -> Page:
        return Page("c2", ["x", "y"], turns, COMPARISON, facts)

    keep(page(turn("x", "Bees?"), turn("y", "Bees?"), blind=True))
    keep(page(blind=False))  # the vote: no answer is written for it
    found = sessions.conversation(store, "c2")
    assert (found.kind, found.facts, len(found.turns)) == (COMPARISON, {"blind": False}, 2)
    assert [i.title for i in catalog.items(store, "conversation", "comparison")] == ["Bees?"]
    with pytest.raises(ValueError):
        keep(Page("c3", ["z"], (turn("z"),)), page(blind=float("nan")))
    assert sessions.conversation(store, "c3") is None
    taken = catalog.remove(store, "conversation", "c2")
    catalog.put_back(store, taken)
    assert sessions.conversation(store, "c2") == found
    keep(Page("c2"))
    assert sessions.conversation(store, "c2") is None and sessions.conversation(store, "c1").turns


def test_text_without_bytes_is_replaced_and_a_turn_that_cannot_be_stored_stops_no_other(store):
    bad = replace(turn("bad"), facts={"rate": float("inf")})
    order = ["a", "bad", "b"]
    session = SessionRecord("c1", {"prompt": "a\ud800b"}, False)
    assert sessions.save_session(store, session, order, [turn("a", "Why \udc00?"), bad, turn("b")]) == ["bad"]
    found = sessions.conversation(store, "c1")
    assert found.turns[0].question == "Why \ufffd?"
    assert [t.key for t in found.turns] == ["a", "b"]
    assert sessions.last_session(store).state == {"prompt": "a\ufffdb"}


def test_a_table_whose_name_is_no_text_is_one_error(store, tmp_path):
    store.close()
    path = tmp_path / "library.sqlite"
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE session (", b"CREATE TABLE s\xd5ssion ("))
    with pytest.raises(LibraryError, match="damaged"):
        LibraryStore(tmp_path)
