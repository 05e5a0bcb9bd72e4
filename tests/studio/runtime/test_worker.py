from __future__ import annotations

import threading
import time

import pytest

from engine.errors import ModelError
from engine.events import LossPoint, Progress
from studio.runtime.worker import Job, Worker


@pytest.fixture
def worker(qtbot):
    made = Worker()
    made.start()
    yield made
    made.close()
    assert not made.alive


def test_jobs_run_in_order_off_the_gui_thread(qtbot, worker):
    seen, threads = [], set()

    def work(emit, cancel, name):
        threads.add(threading.get_ident())
        return name

    for name in "abc":
        worker.submit(Job(name, lambda e, c, n=name: work(e, c, n), on_done=seen.append))
    qtbot.waitUntil(lambda: not worker.busy)
    assert seen == ["a", "b", "c"]
    assert threading.get_ident() not in threads


def test_thousands_of_events_come_in_few_batches_and_in_order(qtbot, worker):
    batches, done = [], []

    def work(emit, cancel):
        for number in range(5000):
            emit(Progress("counting", number, 5000))
        return "end"

    worker.submit(Job("count", work, batches.append, done.append))
    qtbot.waitUntil(lambda: bool(done))
    assert [event.done for batch in batches for event in batch] == list(range(5000))
    assert len(batches) < 100


def test_batches_come_at_most_sixty_times_a_second(qtbot, worker):
    times, done = [], []

    def work(emit, cancel):
        for _ in range(200):
            emit(Progress("x", 0, 0))
            time.sleep(0.002)

    worker.submit(Job("x", work, lambda _: times.append(time.perf_counter()), done.append))
    qtbot.waitUntil(lambda: bool(done))
    assert len(times) <= (times[-1] - times[0]) * 62.5 + 2


def test_an_engine_error_comes_as_words(qtbot, worker):
    failures = []

    def work(emit, cancel):
        raise ModelError("The model was not loaded", "There is no folder.", "Choose another one.")

    worker.submit(Job("load", work, on_failed=failures.append))
    with qtbot.waitSignal(worker.failed):
        pass
    (failed,) = failures
    assert (failed.what, failed.remedy) == ("The model was not loaded", "Choose another one.")
    assert "ModelError" in failed.details


def test_a_fault_is_reported_with_its_traceback_and_the_worker_goes_on(qtbot, worker, complaints):
    failures, done = [], []
    worker.submit(Job("divide", lambda e, c: 1 / 0, on_failed=failures.append))
    worker.submit(Job("next", lambda e, c: 7, on_done=done.append))
    qtbot.waitUntil(lambda: bool(done))
    assert "ZeroDivisionError" in failures[0].why and "Traceback" in failures[0].details
    assert complaints == ["studio.runtime.worker: divide failed"]
    complaints.clear()


def test_a_running_and_a_waiting_job_can_be_cancelled(qtbot, worker):
    stopped = []

    def endless(emit, cancel):
        while True:
            cancel.check()
            time.sleep(0.001)

    running = worker.submit(Job("endless", endless, on_stopped=lambda: stopped.append("running")))
    waiting = worker.submit(Job("endless", endless, on_stopped=lambda: stopped.append("waiting")))
    worker.withdraw(waiting)
    qtbot.waitUntil(lambda: stopped == ["waiting"])  # though its turn has not come
    worker.withdraw(running)
    qtbot.waitUntil(lambda: not worker.busy)
    assert stopped == ["waiting", "running"]


def test_an_urgent_job_runs_in_a_pause_of_a_long_one(qtbot, worker):
    order = []
    begun = threading.Event()

    def long(emit, cancel):
        begun.set()
        while "urgent" not in order:
            emit(LossPoint(0, 1.0))
            cancel.check()
            time.sleep(0.001)
        order.append("long")

    worker.submit(Job("long", long))
    begun.wait(5)
    worker.submit(Job("plain", lambda e, c: order.append("plain")))
    worker.submit(Job("urgent", lambda e, c: order.append("urgent"), urgent=True))
    qtbot.waitUntil(lambda: not worker.busy)
    assert order == ["urgent", "long", "plain"]


def test_no_pause_where_the_model_is_in_use(qtbot):
    worker = Worker(may_pause=lambda: False)
    worker.start()
    order = []

    def long(emit, cancel):
        for _ in range(20):
            emit(LossPoint(0, 1.0))
            time.sleep(0.001)
        order.append("long")

    worker.submit(Job("long", long))
    worker.submit(Job("urgent", lambda e, c: order.append("urgent"), urgent=True))
    qtbot.waitUntil(lambda: not worker.busy)
    worker.close()
    assert order == ["long", "urgent"]


def test_closing_ends_a_running_job_and_calls_nobody_back(qtbot):
    worker = Worker()
    worker.start()
    calls, begun = [], threading.Event()

    def endless(emit, cancel):
        begun.set()
        while True:
            emit(Progress("x", 0, 0))
            cancel.check()
            time.sleep(0.001)

    worker.submit(Job("endless", endless, on_stopped=lambda: calls.append("stopped")))
    assert begun.wait(5)
    worker.close()
    assert not worker.alive
    qtbot.wait(50)
    assert calls == []


def test_a_steered_model_is_not_lent_to_another_job(pocket):
    from engine.heads.mix import Mix
    from engine.heads.steering import Steering
    from studio.runtime.model_jobs import ModelHost
    from tests.models import tiny

    host = ModelHost()
    assert not host.may_pause()
    host._model = pocket
    assert host.may_pause()
    with Steering(pocket, Mix([tiny.head(pocket)], pocket)):
        assert not host.may_pause()
    assert host.may_pause()
