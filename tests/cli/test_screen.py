import io

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

import tiny
from studies.cli.screen import LiveScreen, PlainScreen
from studies.cli.tables import comparison_table, ranked_table, title_of
from studies.findings.comparison import Comparison
from studies.findings.tables import cells_frame, runs_frame
from studies.findings.words import plural
from studies.ledger.states import scores
from studies.running.progress import Progress
from studies.statistics.verdicts import contrast
from studies.trial.record import Outcome

PLAN = tiny.plan(
    {"chunking": ("horizontal", "vertical"), "positional": ("learned", "sinusoidal"), "pooling": ("cls", "mean", "map")}
)


def console(width=80, height=24, terminal=True) -> Console:
    return Console(file=io.StringIO(), width=width, height=height, force_terminal=terminal, color_system=None)


def shown(screen: LiveScreen) -> list[str]:
    with screen.console.capture() as captured:
        screen.console.print(screen.render())
    return captured.get().splitlines()


def good(accuracy: float) -> Outcome:
    return Outcome({"val_accuracy": accuracy, "wall_seconds": 1.0})


@pytest.fixture
def progress():
    return Progress(PLAN, workers=2, waiting=len(PLAN.trials), work={t.content_hash: 30.0 for t in PLAN.trials})


def finish(screen, progress, trial, outcome):
    progress.begin(trial)
    screen.started(trial)
    progress.end(trial, over=True)
    progress.waiting -= 1
    progress.complete += outcome.reason is None
    progress.failed += outcome.reason is not None
    screen.finished(trial, outcome)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 50), (60, 12)])
def test_the_live_table_fits_the_terminal_at_every_stage(progress, width, height):
    screen = LiveScreen(console(width, height), PLAN)
    stages = [shown(screen)]
    screen.measuring(12, 20.0)
    stages.append(shown(screen))
    screen.training(progress)
    for i, trial in enumerate(PLAN.trials[:9]):
        outcome = Outcome({}, "DivergedError: by itself") if i == 4 else good(0.5 + i / 100)
        finish(screen, progress, trial, outcome)
        stages.append(shown(screen))
    screen.started(PLAN.trials[10])
    screen.stopping(1)
    stages.append(shown(screen))
    for lines in stages:
        assert len(lines) <= height
        assert max(map(cell_len, lines)) <= width
    assert ("more arms" in "\n".join(stages[-1])) == (height < 24 or len(PLAN.cells) > height - 9)


def test_the_live_table_ranks_and_says_what_runs(progress):
    screen = LiveScreen(console(120, 50), PLAN)
    screen.training(progress)
    finish(screen, progress, PLAN.trials[0], good(0.9))
    finish(screen, progress, PLAN.trials[1], good(0.95))
    finish(screen, progress, PLAN.trials[12], good(0.8))  # the second seed of the first arm
    finish(screen, progress, PLAN.trials[2], Outcome({}, "DivergedError: by itself"))
    screen.started(PLAN.trials[3]), screen.started(PLAN.trials[15])
    text = "\n".join(shown(screen))
    rows = [line for line in text.splitlines() if "/" in line and "│" in line]
    assert [row.split("│")[1].strip() for row in rows[:2]] == ["horizontal/learned/mean", "horizontal/learned/cls"]
    assert "85.00 %" in rows[1]
    assert "80.00 to 90.00" in rows[1]
    assert "0, 1 failed" in text
    assert "seed 0, 1" in text
    assert "horizontal/learned/map seed 0 failed: DivergedError: by itself" in text
    assert "3 done · 2 running · 1 failed · 18 waiting · about" in text


def test_the_bar_has_a_line_of_its_own(progress):
    screen = LiveScreen(console(), PLAN)
    screen.training(progress)
    for trial in PLAN.trials[:12]:
        finish(screen, progress, trial, good(0.5))
    lines = shown(screen)
    (bar,) = [line for line in lines if "━" in line and not set("┏┡┃") & set(line)]
    assert set(bar.strip()) <= set("━╸╺ ")


def test_the_live_table_begins_with_what_is_finished_already(tmp_path):
    ledger = tiny.filled(tmp_path)
    screen = LiveScreen(console(120, 50), ledger.plan, scores(ledger))
    row = next(line for line in shown(screen) if "14x28/cls" in line)
    assert row.split("│")[2].strip() == "3"


def test_a_killed_worker_is_told(progress):
    screen = LiveScreen(console(), PLAN)
    screen.training(progress)
    screen.started(PLAN.trials[0])
    screen.requeued(PLAN.trials[0], 2)
    assert "the worker of horizontal/learned/cls seed 0 was killed; it runs again" in "\n".join(shown(screen))
    assert screen.running == []


def test_the_live_screen_starts_and_stops(progress):
    screen = LiveScreen(console(), PLAN)
    with screen:
        screen.training(progress)
    assert not screen.live.is_started


def test_without_a_terminal_there_is_one_plain_line_an_event(progress):
    plain = console(width=40, terminal=False)
    with PlainScreen(plain) as screen:
        screen.measuring(12, 75)
        progress.complete = 1
        screen.training(progress)
        progress.complete = 0
        finish(screen, progress, PLAN.trials[0], good(0.9123))
        finish(screen, progress, PLAN.trials[1], Outcome({}, "DivergedError: [bold]"))
        screen.requeued(PLAN.trials[2], 2)
        screen.stopping(2)
    lines = plain.file.getvalue().splitlines()
    assert lines[0] == "measuring speed and memory of 12 arms, one at a time: about 1 min 15 s"
    assert lines[1] == "24 trials to run with 2 workers (1 are finished already): about 6 min 00 s"
    assert lines[2].startswith("[1/24] horizontal/learned/cls seed 0: val 91.23 % in 1.0 s, 0 failed, ")
    assert "FAILED DivergedError: [bold], 1 failed" in lines[3]
    assert len(lines) == 6
    assert "\x1b" not in plain.file.getvalue()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    ledger = tiny.filled(tmp_path_factory.mktemp("filled"))
    return ledger.plan, cells_frame(ledger.plan, runs_frame(ledger, ledger.plan))


def ranked(plan, cells: pd.DataFrame, width: int) -> str:
    screen = console(width)
    screen.print(ranked_table(title_of(plan), cells))
    return screen.file.getvalue()


def long_names(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.assign(cell=[f"horizontal/sinusoidal/mea{i}" for i in range(len(cells))])


def test_at_80_columns_every_name_and_interval_is_whole(filled):
    plan, cells = filled
    text = ranked(plan, long_names(cells), 80)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "…" not in text
    assert all(f"horizontal/sinusoidal/mea{i}" in text for i in range(6))
    assert "95 % interval" in text
    assert "failed" in text
    for _, cell in cells[cells["n"] > 0].iterrows():
        assert f"{100 * cell['test_accuracy_low']:.2f} to {100 * cell['test_accuracy_high']:.2f}" in text


def test_speed_fits_into_80_columns_where_nothing_failed(filled):
    plan, cells = filled
    text = ranked(plan, long_names(cells.assign(failed=0)), 80)
    assert text.count("img/s") == 2
    assert "failed" not in text


def test_a_wide_terminal_shows_every_column(filled):
    text = ranked(*filled, 140)
    for header in ("arm", "n", "failed", "test %", "95 % interval", "img/s", "params", "tokens"):
        assert header in text


def test_an_impossible_arm_is_explained_below(filled):
    assert "5/cls cannot be: patch_size=5" in " ".join(ranked(*filled, 80).split())


def test_names_are_text_and_never_markup(filled):
    plan, cells = filled
    text = ranked(plan, cells.assign(cell=[f"[red]{i}[/]:smile:" for i in range(len(cells))]), 140)
    assert "[red]0[/]:smile:" in text


@pytest.mark.parametrize(("number", "said"), [(0, "0 workers"), (1, "1 worker"), (1200, "1,200 workers")])
def test_one_is_singular(number, said):
    assert plural(number, "worker") == said


def test_a_comparison_shows_names_as_they_are_and_leaves_no_column_out():
    left = {"arm": "[bold]x[/]", "n": 5, "difference": -0.01, "low": -0.02, "high": -0.001, "verdict": "worse"}
    arms = pd.DataFrame([left, {"arm": "y", "n": 5, "difference": 0.01, "train_images_per_second_ratio": 1.5}])
    screen = console(100)
    screen.print(
        comparison_table(Comparison({}, arms, contrast([0.1], [0.1]), None, [], [], 0, 0, 0, [], [], arms, arms))
    )
    text = screen.file.getvalue()
    assert "[bold]x[/]" in text
    assert "−2.00 to −0.10" in text
    assert "1.50x" in text
    assert "inference" in text
