"""`status --watch`: what stands on the screen while a study goes on, and that it ends by itself."""

import io
import json

import pytest
from rich.console import Console

import tiny
from studies.cli.doing import watching
from studies.cli.doing.status import row_of
from studies.cli.doing.watching import picture, redraw
from studies.ledger.folder import ResultsFolder
from studies.ledger.states import unfinished

SIGN = {"epoch": 1, "epochs": 4, "step": 40, "steps": 100, "left": 90.0, "pid": 12, "device": "cuda:1", "at": 0.0}


@pytest.fixture
def ledger(tmp_path):
    """One trial of twelve runs, in its second epoch."""
    ledger = tiny.filled(tmp_path / "[b]x-mnist-cpu")
    (waits,) = unfinished(ledger)
    ledger.claim(waits)
    ledger.signs = lambda: {waits.content_hash: SIGN}
    ledger.beat()
    return ledger


@pytest.fixture
def screen():
    return Console(file=io.StringIO(), force_terminal=True, width=140, height=40, markup=False)


def watched(screen, ledger, *steps):
    """What is shown at last, and how many looks were made; each wait does one of the steps."""
    todo = list(steps)

    def sleep(seconds):
        assert seconds == 7.0
        todo.pop(0)()

    redraw([tiny.home(ledger)], 7.0, screen, sleep)
    return screen.file.getvalue(), len(steps) - len(todo)


def nothing():
    pass


def test_it_goes_on_until_all_is_over_and_nothing_follows(screen, ledger):
    def finish():
        (entry,) = unfinished(ledger)
        ledger.complete(entry, {"val_accuracy": 0.5})

    shown, waits = watched(screen, ledger, nothing, finish, nothing, nothing)
    assert waits == 3
    assert "nothing runs or waits" in shown.rsplit("complete", 1)[1]
    first = shown.split("nothing runs")[0]
    for part in ("[b]x-mnist-cpu", "14x28/mean", "seed 2", "2 of 4", "process 12, cuda:1", "trials an hour", "1 nan"):
        assert part in first


def test_another_round_after_all_was_over_is_watched_too(screen, ledger):
    def finish():
        ledger.complete(unfinished(ledger)[0], {"val_accuracy": 0.5})

    def grow():
        ledger.enqueue_all(tiny.plan({}, seeds=1).trials)

    _, waits = watched(screen, ledger, finish, grow, lambda: ledger.claim(unfinished(ledger)[0]), finish, nothing)
    assert waits == 5


def test_a_storage_that_is_away_for_a_moment_is_waited_for(screen, ledger):
    file = tiny.home(ledger).storage
    aside = file.with_name("aside")
    shown, _ = watched(
        screen, ledger, lambda: file.rename(aside) and file.mkdir(), lambda: file.rmdir() or aside.rename(file), ctrl_c
    )
    assert "cannot read" in shown
    assert "14x28/mean" in shown.rsplit("cannot read", 1)[1]


def ctrl_c():
    raise KeyboardInterrupt


def test_ctrl_c_leaves_the_last_picture_and_the_cursor(screen, ledger):
    shown, waits = watched(screen, ledger, nothing, ctrl_c)
    assert waits == 2
    assert shown.endswith("\x1b[?25h") or shown.rstrip("\n").endswith("\x1b[?25h")
    assert "14x28/mean" in shown


def test_many_workers_do_not_leave_the_screen(screen, tmp_path):
    ledger = ResultsFolder(tmp_path / "many-mnist-cpu").ledger(create=True)
    plan = tiny.plan({"pooling": ("cls", "mean")}, seeds=50)
    for entry in ledger.enqueue_all(plan.trials):
        ledger.claim(entry)
    lines = screen.render_lines(picture([row_of(tiny.home(ledger))], screen.height))
    assert "more trials" in "".join(part.text for line in lines for part in line)
    assert 30 < len(lines) < 40


def test_in_a_pipe_it_is_one_look_and_for_programs_json(ledger, capsys, monkeypatch):
    monkeypatch.setattr(watching, "redraw", None)
    folder = str(tiny.home(ledger).path)
    assert tiny.vit_ablate("status", folder, "--watch", "--every", "1") == 0
    said = capsys.readouterr().out
    assert "14x28/mean\tseed 2\t2 of 4" in said
    assert "\x1b" not in said
    assert tiny.vit_ablate("status", folder, "--watch", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["running"], found["over"], found["failures"]) == (1, False, {"nan": 1})
    (working,) = found["working"]
    assert (working["arm"], working["sign"]) == ("14x28/mean", SIGN)
    assert tiny.vit_ablate("status", folder, "--every", "1") == 2
    assert "--every 1 goes with --watch" in capsys.readouterr().err
