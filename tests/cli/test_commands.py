import gzip
import inspect
import io
import os
import re
import shutil
import signal
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch

import studies.running.runner
import studies.trial.trial
import tiny
from studies.cli import console
from studies.cli.devices import Device
from studies.cli.doing import planning, running
from studies.cli.doing.planned import plan_of
from studies.cli.options import Asked
from studies.data import DATASETS, loading, mnist
from studies.design.settings import DesignError
from studies.design.study import STUDIES
from studies.ledger.folder import ResultsFolder
from studies.running.results import RETRIES
from studies.running.runner import Runner
from vit import POOLINGS, ViTConfig

LIFE = ["run", "pooling", "--quick", *tiny.settings(epochs=2), "--workers", "2"]

TROUBLE = tiny.study(
    {"patch_size": (14, 5, (14, 28)), "learning_rate": (0.01, 1000.0)},
    name="trouble",
    base=ViTConfig(patch_size=14, embed_dim=8, depth=1, num_heads=1),
    seeds=1,
)


@dataclass
class Life:
    """A study that is interrupted in every way, and what each command left."""

    results: Path
    codes: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    entries: dict[str, dict] = field(default_factory=dict)
    orphans: int = 0

    @property
    def folder(self) -> Path:
        return next(self.results.glob("*/study.db")).parent

    def look(self) -> dict:
        return ResultsFolder(self.folder).ledger().entries() if list(self.results.glob("*/study.db")) else {}

    def count(self, state: str) -> int:
        return sum(entry.state == state for entry in self.look().values())

    def keep(self, stage: str, code: int, said: str) -> None:
        self.codes[stage], self.said[stage], self.entries[stage] = code, said, self.look()


def interrupt(group) -> None:
    """What Ctrl-C does on a terminal: the driver and all its workers are told."""
    os.killpg(group.pid, signal.SIGINT)


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    life, log = Life(tmp_path_factory.mktemp("life")), tmp_path_factory.mktemp("logs") / "log"
    words = [*LIFE, "--seeds", "3", "--results", str(life.results)]

    driver = tiny.start(log, *words)
    tiny.until(lambda: "measuring" in log.read_text(), "measuring")
    interrupt(driver)
    life.keep("while measuring", driver.wait(400), log.read_text())

    driver = tiny.start(log, *words)
    tiny.until(lambda: life.count("complete") >= 2 and life.count("running"), "two trials")
    workers = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    life.keep("killed", driver.wait(), log.read_text())
    life.orphans = len(psutil.wait_procs(workers, timeout=240)[1])

    done = life.count("complete")
    driver = tiny.start(log, *words)
    tiny.until(lambda: life.count("complete") > done and life.count("running"), "one more trial")
    interrupt(driver)
    life.keep("once", driver.wait(400), log.read_text())

    driver = tiny.start(log, *words)
    tiny.until(lambda: life.count("running") == 2, "two running trials")
    interrupt(driver)
    tiny.until(lambda: "stopping" in log.read_text(), "the answer to Ctrl-C")
    interrupt(driver)
    life.keep("twice", driver.wait(400), log.read_text())

    for stage, seeds in (("finished", "3"), ("again", "3"), ("more seeds", "4")):
        if stage == "more seeds":
            beside = tiny.start(log, *LIFE, "--seeds", "4", "--results", str(life.results))
        said = io.StringIO()
        with redirect_stdout(said):
            code = tiny.vit_ablate(*LIFE, "--seeds", seeds, "--results", str(life.results))
        life.keep(stage, code, said.getvalue())
    life.codes["beside"], life.said["beside"] = beside.wait(400), log.read_text()
    return life


def finished(entries: dict) -> dict:
    return {name: e.record["started_at"] for name, e in entries.items() if e.state == "complete"}


def test_ctrl_c_while_speed_is_measured_ends_at_once(life):
    assert life.codes["while measuring"] == 130
    assert f"{3 * len(POOLINGS)} trials wait; the same command goes on from here" in life.said["while measuring"]
    assert {entry.state for entry in life.entries["while measuring"].values()} == {"waiting"}


def test_workers_of_a_killed_run_die_by_themselves(life):
    assert life.codes["killed"] == -signal.SIGKILL
    assert life.orphans == 0


def test_a_second_run_at_the_same_time_is_welcome(life):
    assert (life.codes["beside"], life.codes["more seeds"]) == (0, 0)
    assert "Traceback" not in life.said["beside"]
    complete = [
        entry.content_hash for entry in ResultsFolder(life.folder).ledger().history() if entry.state == "complete"
    ]
    assert len(complete) == len(set(complete)) == len(life.entries["more seeds"])


def test_ctrl_c_once_lets_running_trials_finish(life):
    assert life.codes["once"] == 130
    # two, less those that ended just before
    assert re.search(r"stopping: \d running trials finish first", life.said["once"])
    assert re.search(r"\d trials? waits?; the same command goes on from here", life.said["once"])
    states = {entry.state for entry in life.entries["once"].values()}
    assert states == {"complete", "waiting"}
    interrupted_before = {name for name, entry in life.entries["killed"].items() if entry.state == "running"}
    assert {n for n, entry in life.entries["once"].items() if entry.attempt > 1} == interrupted_before


def test_ctrl_c_twice_ends_running_trials_and_loses_nothing_finished(life):
    assert life.codes["twice"] == 130
    before, after = life.entries["once"], life.entries["twice"]
    assert {entry.state for entry in after.values()} == {"complete", "waiting"}
    cut = [name for name, entry in after.items() if entry.attempt > before[name].attempt]
    assert len(cut) == 2
    assert all(after[name].state == "waiting" for name in cut)


def test_no_message_of_an_interrupted_run_is_a_traceback(life):
    assert not [stage for stage, text in life.said.items() if "Traceback" in text]


def test_the_same_command_completes_the_study(life):
    assert life.codes["finished"] == 0
    assert tiny.states(ResultsFolder(life.folder).ledger()) == {"complete": 4 * len(POOLINGS)}
    assert len(finished(life.entries["finished"])) == 3 * len(POOLINGS)


def test_no_finished_trial_is_ever_run_again(life):
    stages = list(life.entries)
    for earlier, later in pairwise(stages):
        assert finished(life.entries[earlier]).items() <= finished(life.entries[later]).items(), later


def test_a_finished_study_is_only_shown(life):
    assert life.codes["again"] == 0
    assert life.entries["again"] == life.entries["finished"]
    assert "trials to run" not in life.said["again"]
    assert "measuring" not in life.said["again"]
    assert str(life.folder / "README.md") in life.said["again"]


def test_more_seeds_add_only_their_trials(life):
    assert life.codes["more seeds"] == 0
    arms = len(POOLINGS)
    assert f"{arms} trials to run with 2 workers ({3 * arms} are finished already)" in life.said["more seeds"]
    added = set(life.entries["more seeds"]) - set(life.entries["again"])
    assert {life.entries["more seeds"][name].seed for name in added} == {3}


def test_the_results_hold_every_seed_and_the_settings_are_in_the_name(life):
    assert life.folder.name.startswith("pooling-quick+chunking=horizontal+patch_size=14+")
    cells = pd.read_csv(life.folder / "cells.csv")
    assert dict(zip(cells["cell"], cells["n"], strict=True)) == dict.fromkeys(POOLINGS, 4)
    assert " run pooling --quick" in (life.folder / "README.md").read_text()


def test_status_and_table_find_it_by_the_beginning_of_its_name(life, capsys):
    (life.folder / "cells.csv").unlink()
    name = life.folder.name.removesuffix("-mnist-cpu")
    assert tiny.vit_ablate("table", name, "--results", str(life.results), "--rebuild") == 0
    assert (life.folder / "cells.csv").exists()
    assert tiny.vit_ablate("status", name, "--results", str(life.results)) == 0
    assert str(4 * len(POOLINGS)) in capsys.readouterr().out


@pytest.fixture(scope="module")
def trouble(tmp_path_factory):
    """Arms that diverge, that cannot be, and that kill their worker, beside one that is well."""
    results = tmp_path_factory.mktemp("trouble")
    words = ["run", "trouble", "--workers", "2", "--results", str(results)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(STUDIES, "trouble", TROUBLE)
        patched.setattr(running, "FULL", tiny.BRIEFLY)
        patched.setattr(studies.running.runner, "run_trial", tiny.killed_on_wide_tiles)
        codes = [tiny.vit_ablate(*words)]
        rows = [ResultsFolder(results / "trouble-mnist-cpu").ledger().entries()]
        tables = {
            p.name: p.read_text() for p in (results / "trouble-mnist-cpu").iterdir() if p.suffix in (".csv", ".md")
        }
        patched.setattr(studies.running.runner, "run_trial", studies.trial.trial.run_trial)
        for more in ([], ["--retry-failed"]):
            codes.append(tiny.vit_ablate(*words, *more))
            rows.append(ResultsFolder(results / "trouble-mnist-cpu").ledger().entries())
    return codes, rows, tables


def by_arm(entries: dict) -> dict:
    names = {cell.content_hash: cell.name for cell in tiny.expand(TROUBLE, "cpu").runnable}
    return {names[entry.cell_hash]: entry for entry in entries.values()}


def test_failed_arms_have_a_reason_and_the_others_are_complete(trouble):
    codes, rows, _ = trouble
    assert codes[0] == 3
    arms = by_arm(rows[0])
    assert {name: entry.state for name, entry in arms.items()} == {
        "14/0.01": "complete",
        "14/1000.0": "failed",
        "14x28/0.01": "failed",
        "14x28/1000.0": "failed",
    }
    assert "DivergedError: training loss is" in arms["14/1000.0"].reason
    assert arms["14x28/0.01"].reason == f"worker was killed {RETRIES + 1} times (out of memory?)"
    assert arms["14x28/0.01"].attempt == RETRIES + 1
    assert arms["14/0.01"].attempt == arms["14/1000.0"].attempt == 1


def test_an_impossible_level_is_a_row(trouble):
    cells = pd.read_csv(io.StringIO(trouble[2]["cells.csv"])).set_index("cell")
    assert list(cells.index[cells["unsupported"].notna()]) == ["5/0.01", "5/1000.0"]
    assert "patch_size=5" in cells.loc["5/0.01", "unsupported"]
    assert dict(cells["failed"]) == {
        "14/0.01": 0,
        "14/1000.0": 1,
        "14x28/0.01": 1,
        "14x28/1000.0": 1,
        "5/0.01": 0,
        "5/1000.0": 0,
    }


def test_failures_are_listed_for_the_reader(trouble):
    text = trouble[2]["README.md"].split("## Failures")[1].split("##")[0]
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 1 + 3 + 2
    assert "DivergedError" in text
    assert "worker was killed" in text
    assert text.count("cannot be: ") == 2


def test_failed_trials_rest_until_asked_for(trouble):
    codes, rows, _ = trouble
    assert codes[1] == 3
    assert rows[1] == rows[0]


def test_retry_failed_runs_only_those(trouble):
    codes, rows, _ = trouble
    assert codes[2] == 3  # what diverges, diverges again
    before, after = by_arm(rows[1]), by_arm(rows[2])
    assert after["14/0.01"] == before["14/0.01"]
    assert (after["14x28/0.01"].state, after["14x28/0.01"].attempt) == ("complete", RETRIES + 2)
    assert (after["14/1000.0"].state, after["14/1000.0"].attempt) == ("failed", 2)


def refusal(capsys, *words: str) -> str:
    assert tiny.vit_ablate(*words) == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.err + said.out
    return " ".join(said.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["run", "nosuch"],
            ["unknown study 'nosuch'", "choices: ablations, aa, chunking"],
        ),
        (["run", "poolin"], ["did you mean 'pooling'?"]),
        (["run", "pooling", "--set", "patch_size=5"], ["patch_size=5", "28"]),
        (["run", "pooling", "--set", "nosuch=1"], ["unknown setting 'nosuch'", "patch_size", "learning_rate"]),
        (["run", "pooling", "--set", "pooling=maxx"], ["unknown pooling 'maxx'", f"choices: {', '.join(POOLINGS)}"]),
        (["run", "pooling", "--set", "epochs=0"], ["epochs=0 must be a number between 1 and"]),
        (["run", "pooling", "--set", "epochs"], ["write NAME=VALUE"]),
        (["run", "pooling", "--set", "depth={[]: 1}"], ["depth='{[]: 1}' must be int"]),
        (["run", "pooling", "--seeds", "0"], ["--seeds", "greater than or equal to 1"]),
        (["run", "pooling", "--workers", "0"], ["--workers", "greater than or equal to 1"]),
        (["run", "pooling", "--device", "tpu"], ["'tpu' is not one of", "cuda"]),
        (["run", "pooling", "--pack", "0"], ["--pack 0: write auto", "how many train together at most"]),
        (["run", "pooling", "--pack", "many"], ["--pack many: write auto"]),
        (["plan", "nosuch"], ["unknown study 'nosuch'"]),
        (["train", "--preset", "tinny"], ["did you mean 'tiny'?"]),
        (["train", "--dataset", "nosuch"], ["unknown data set 'nosuch'", "mnist"]),
        (["nosuch"], ["No such command 'nosuch'"]),
    ],
    ids=" ".join,
)
def test_wrong_usage_names_the_value_and_the_choices(capsys, tmp_path, monkeypatch, words, parts):
    monkeypatch.chdir(tmp_path)
    said = refusal(capsys, *words)
    assert [part for part in parts if part not in said] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refusal(capsys, "run", "pooling", "--device", "cuda")
    assert "--device cuda" in said
    assert "choices: cpu" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["below a file", "/proc/nope"])
def test_results_that_cannot_be_written_are_refused(capsys, tmp_path, place):
    (tmp_path / "file").touch()
    results = place if place.startswith("/") else str(tmp_path / "file" / "results")
    said = refusal(capsys, "run", "pooling", "--results", results)
    assert "cannot open" in said
    assert "--results" in said


def test_a_truncated_data_file_ends_it_before_anything_starts(capsys, tmp_path, monkeypatch):
    name = "t10k-labels-idx1-ubyte.gz"
    shutil.copytree(str(resources.files("studies") / "datasets" / "mnist"), tmp_path / "mnist")
    whole = gzip.decompress((tmp_path / "mnist" / name).read_bytes())
    (tmp_path / "mnist" / name).write_bytes(gzip.compress(whole[:-100]))
    monkeypatch.setitem(DATASETS, "mnist", lambda: mnist.mnist(tmp_path / "mnist"))
    loading.load.cache_clear()
    try:
        said = refusal(capsys, "run", "pooling", "--results", str(tmp_path / "results"))
    finally:
        loading.load.cache_clear()
    assert name in said
    assert mnist.MNIST_SHA256[name] in said
    assert not (tmp_path / "results").exists()


def test_a_study_that_never_ran_has_no_status_and_no_table(capsys, tmp_path):
    assert "start one with `vit-ablate run`" in refusal(capsys, "status", "--results", str(tmp_path))
    assert "no studies called 'pooling'" in refusal(capsys, "table", "pooling", "--results", str(tmp_path))
    ResultsFolder(tmp_path / "pooling-mnist-cpu").ledger(create=True)
    ResultsFolder(tmp_path / "pooling-quick-mnist-cpu").ledger(create=True)
    assert "nothing was run in" in refusal(capsys, "table", "pooling-mnist-cpu", "--results", str(tmp_path))


def test_a_storage_that_cannot_be_read_hides_no_other(capsys, tmp_path):
    tiny.filled(tmp_path / "tiny-mnist-cpu")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "study.db").write_text("[/x] no database, but long enough to be read as one " * 40)
    assert tiny.vit_ablate("status", "--results", str(tmp_path)) == 0
    rows = {line.split("\t")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert rows["tiny-mnist-cpu"].split("\t")[1:5] == ["10", "0", "1", "1"]
    assert "cannot" in rows["broken"]


def test_the_table_of_a_folder_that_cannot_be_written_leaves_it_alone(capsys, tmp_path, monkeypatch):
    tiny.filled(tmp_path / "tiny-mnist-cpu")
    monkeypatch.setattr(ResultsFolder, "writable", False)
    assert tiny.vit_ablate("table", "tiny", "--results", str(tmp_path)) == 0
    assert "14x28/cls" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "tiny-mnist-cpu").iterdir()) == ["study.db", "study.lock"]


@pytest.mark.parametrize("words", [["run", "pooling"], ["status"], ["table", "pooling"], ["look", "pooling"]])
def test_results_are_no_url_and_its_password_is_not_shown(capsys, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    said = refusal(capsys, *words, "--results", "postgresql://me:secret@host/db")
    assert "postgresql://... is the URL of a storage: results are a folder" in said
    assert "secret" not in said
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_there_are_answered_with_the_arms_that_have_some(capsys, tmp_path):
    folder = tiny.home(tiny.filled(tmp_path / "tiny-mnist-cpu"))
    said = refusal(capsys, "look", "tiny", "--results", str(tmp_path))
    assert f"no weights of '14/cls' in {folder.path}; choices: none here" in said
    folder.weights("14x28/mean").parent.mkdir()
    folder.weights("14x28/mean").touch()
    said = refusal(capsys, "look", "tiny", "--cell", "../x", "--results", str(tmp_path))
    assert "no arm is called '../x'" in said
    assert said.endswith("choices: 14x28/mean")


def test_list_shows_every_study(capsys):
    assert tiny.vit_ablate("list") == 0
    said = capsys.readouterr().out
    assert [name for name in STUDIES if name not in said] == []


@pytest.mark.parametrize("how", ["estimated", "measured"])
def test_plan_counts_and_runs_nothing(capsys, tmp_path, monkeypatch, how):
    monkeypatch.chdir(tmp_path)
    words = tiny.settings(embed_dim=6, num_heads=2)  # rotation needs an even width of a head
    words += ["--measure"] if how == "measured" else ["--device", "cpu"]
    assert tiny.vit_ablate("plan", "positional", *words, "--seeds", "3") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"\d arms × 3 seeds = \d+ trials, about .* workers, measuring included", said)
    assert "cannot be: " in said
    assert f"{how}: " in said
    assert list(tmp_path.iterdir()) == []


def test_plan_takes_what_trials_took_before_it_estimates(tmp_path):
    made = plan_of(Asked("pooling", device=Device.cpu))
    cls, mean, attention, *_ = made.runnable
    for folder, cell, seconds in (("published/x", cls, 7), ("published/x", mean, 7), (made.folder, mean, 5)):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        new = not (tmp_path / folder / "runs.csv").exists()
        with (tmp_path / folder / "runs.csv").open("a") as file:
            file.write("config_hash,status,device,wall_seconds\n" * new)
            file.write(f"{cell.content_hash},complete,cpu,{seconds}\n")
    found = planning.foretold(made, tmp_path)
    assert found[cls.content_hash] == planning.Expected(7, planning.PUBLISHED)
    assert found[mean.content_hash] == planning.Expected(5, planning.HERE)
    assert found[attention.content_hash].source == planning.ESTIMATED
    assert found[attention.content_hash].seconds > 1


@pytest.mark.parametrize(("words", "pack"), [([], None), (["--pack", "auto"], None), (["--pack", "8"], 8)])
def test_how_many_train_together_reaches_the_runner(capsys, tmp_path, monkeypatch, words, pack):
    asked = []

    def runner(*arguments):
        asked.append(arguments[list(inspect.signature(Runner).parameters).index("pack")])
        raise DesignError("enough")

    monkeypatch.setattr(running, "Runner", runner)
    refusal(capsys, "run", "pooling", *words, "--results", str(tmp_path))
    assert asked == [pack]


def test_quick_leaves_what_was_typed(monkeypatch):
    plan = plan_of(Asked("pooling", quick=True, settings=["epochs=2"], device=Device.cpu))
    assert {cell.recipe.epochs for cell in plan.cells} == {2}
    assert plan_of(Asked("pooling", quick=True, device=Device.cpu)).cells[0].recipe.epochs == 1


def test_train_prints_the_curve_on_one_thread(capsys):
    assert tiny.vit_ablate("train", *tiny.settings()) == 0
    said = capsys.readouterr().out
    assert torch.get_num_threads() == 1
    assert "epoch 1/1" in said
    assert re.search(r"test accuracy \d+\.\d\d %", said)


def test_a_run_of_one_arm_and_one_whose_every_trial_fails_are_shown(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "BRIEF", tiny.BRIEFLY)
    words = ["run", "pooling", "--quick", *tiny.settings(learning_rate=1000.0), "--set", "pooling=mean"]
    assert tiny.vit_ablate(*words, "--workers", "1", "--results", str(tmp_path)) == 3
    said = capsys.readouterr()
    assert "FAILED DivergedError" in said.out
    (readme,) = tmp_path.glob("*/README.md")
    place = readme.parent / "tracebacks"
    assert f"1 trial failed (1 nan); tracebacks: {place}; --retry nan runs such trials again" in said.err
    (trace,) = place.iterdir()
    assert "in train" in trace.read_text()
    assert "DivergedError" in readme.read_text()


@pytest.mark.parametrize(("colour", "tty", "live"), [("1", False, False), (None, False, False), (None, True, True)])
def test_only_a_real_terminal_is_redrawn(monkeypatch, colour, tty, live):
    monkeypatch.setattr(
        console, "out", console.Console(force_terminal=tty or bool(colour), force_interactive=tty or None)
    )
    monkeypatch.setattr(console.sys.stdout, "isatty", lambda: tty, raising=False)
    assert console.is_screen() is live
