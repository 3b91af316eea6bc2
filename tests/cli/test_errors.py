"""Errors that a person can mend are one line; nobody's words are markup."""

import errno
import importlib
import inspect
import subprocess

import pytest
import torch  # noqa: F401  as in a command that runs
from rich.text import Text

import tiny
from studies.cli import console, errors, running
from studies.cli.asking import asking
from studies.cli.doing import status
from studies.cli.options import Asked
from studies.training.curves import DivergedError


@pytest.mark.parametrize("module", errors.MENDABLE)
def test_every_mendable_error_exists(module):
    found = importlib.import_module(module)
    assert all(issubclass(getattr(found, name), Exception) for name in errors.MENDABLE[module])


def raising(monkeypatch, error: BaseException):
    def raises(*_):
        raise error

    monkeypatch.setattr(status, "show_status", raises)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a[/b]"), 2, "No such file or directory: a[/b]"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "Permission denied: /x"),
        (OSError(errno.ENOSPC, "No space left on device", "/full"), 3, "No space left on device: /full"),
        (OSError(errno.EMFILE, "Too many open files", "/many"), 3, "Too many open files: /many"),
        (MemoryError(), 3, "out of memory: ask for fewer --workers"),
        (RuntimeError("[enforce fail] err == 0. can't allocate memory: 12 bytes"), 3, "out of memory: ask for fewer"),
        (DivergedError("training loss is nan"), 3, "training loss is nan"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_person_can_mend_is_one_line(monkeypatch, capsys, error, code, line):
    raising(monkeypatch, error)
    assert tiny.vit_ablate("status") == code
    said = capsys.readouterr().err
    assert said.startswith(f"error: {line}")
    assert said.count("\n") == 1


def test_ctrl_c_anywhere_is_130(monkeypatch):
    raising(monkeypatch, KeyboardInterrupt())
    assert tiny.vit_ablate("status") == 130


def test_an_error_of_the_program_itself_is_one_line_and_its_traceback_lies_in_a_file(monkeypatch, capsys, tmp_path):
    raising(monkeypatch, ZeroDivisionError("division by\nzero at postgresql://me:secret@host/db"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert tiny.vit_ablate("status") == console.UNFORESEEN == 70
    said = capsys.readouterr().err
    (file,) = tmp_path.iterdir()
    assert said.count("\n") == 1
    assert "ZeroDivisionError: division by" in said
    assert str(file) in said
    written = file.read_text()
    assert "vit-ablate status" in written
    assert "Traceback (most recent call last)" in written
    assert "postgresql://me:***@host/db" in written
    assert "secret" not in said + written
    assert file.stat().st_mode & 0o077 == 0


def test_where_no_file_can_be_written_the_line_comes_all_the_same(monkeypatch, capsys):
    raising(monkeypatch, ZeroDivisionError("x"))
    monkeypatch.setattr("tempfile.tempdir", "/proc/nope")
    assert tiny.vit_ablate("status") == console.UNFORESEEN
    assert "ZeroDivisionError: x (traceback: nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["table"], "Missing argument 'STUDY'; see `vit-ablate table -h`"),
        (["plan", "pooling", "--sed", "1"], "No such option: --sed"),
        (["plan", "pooling", "--seeds", "1000000000"], "less than or equal to 10000"),
        (["nosuch"], "No such command 'nosuch'; choices: list, "),
        (["plan", "pooling", "--set", "lr=1"], "did you mean 'learning_rate'?"),
        (["plan", "pooling", "--set", "seeds=3"], "did you mean --seeds 5?"),
        (["run", "pooling", "--pack", "1" * 5000], "--pack 11111111111111111111: write auto"),
        (["run", "pooling", "--workers", "100000"], "--workers"),
        (["table", "no\x1b[31msuch\nat all"], "no studies called"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_wrong_words_are_one_line_and_2(capsys, words, part):
    assert tiny.vit_ablate(*words) == 2
    said = capsys.readouterr().err
    assert part in said
    assert said.count("\n") == 1
    assert "\x1b[31m" not in said


def test_a_storage_that_is_none_says_so_in_its_row_and_hides_no_other(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(console.out, "_width", 200)
    tiny.filled(tmp_path / "tiny-mnist-cpu")
    (tmp_path / "broken-mnist-cpu").mkdir()
    (tmp_path / "broken-mnist-cpu" / "study.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    assert tiny.vit_ablate("status", "--results", str(tmp_path)) == 0
    said = capsys.readouterr().out
    assert "not a database" in said
    assert "DivergedError: training loss is nan" in said


def test_reading_the_status_changes_no_byte(tmp_path):
    folder = tiny.home(tiny.filled(tmp_path / "tiny-mnist-cpu")).path.rename(tmp_path / "a b[x]?#%20-mnist-cpu")
    before = (folder / "study.db").read_bytes(), sorted(folder.iterdir())
    assert tiny.vit_ablate("status", "--results", str(tmp_path)) == 0
    assert ((folder / "study.db").read_bytes(), sorted(folder.iterdir())) == before


def test_users_words_are_never_markup(capsys):
    console.say("[/x] [bold]no[/] :smile:")
    with console.busy("drawing [/x]") as spinner:
        assert isinstance(spinner.status, Text)
    assert "[/x] [bold]no[/] :smile:" in capsys.readouterr().out


PLAN = ["measure", "until_decided", "max_seeds", "tune", "sampler", "pruner", "as_json"]
RUN = ["pack", "retry_failed", "retry", "retries", "until_decided", "max_seeds", "budget", "look_once"]
RUN += ["trial_timeout", "checkpoint_every", "tune", "sampler", "pruner", "max_params", "max_memory", "min_throughput"]
RUN += ["storage", "executor", "trials_per_gpu", "overwrite", "allow_mixed", "measure_again", "log"]


def test_plan_and_run_share_their_options_in_order():
    shared = list(inspect.signature(Asked).parameters)
    for command, own in ((running.plan, PLAN), (running.run, RUN)):
        assert list(inspect.signature(command).parameters) == [*shared, *own]


def test_shared_options_arrive_with_those_of_the_command():
    got = []

    @asking
    def command(asked: Asked, more: int = 1) -> None:
        got.append((asked, more))

    words = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
    command(**{**words, "study": "pooling", "seeds": 3, "more": 2})
    assert got == [(Asked("pooling", seeds=3), 2)]


def test_a_pipe_that_closes_is_no_traceback():
    command = f"{tiny.sys.executable} -c 'from studies.cli import main; main()' list | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
