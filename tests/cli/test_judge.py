import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiny
from studies.cli.doing.judging import UNJUDGED
from studies.cli.judging import Form
from studies.findings import refereed
from studies.report.export import FORMATS
from studies.statistics.refereeing import judge
from studies.statistics.scales import FRACTION

ROOT = Path(tiny.__file__).parents[1]
PAGE = ROOT / "docs" / "judge.md"
EXAMPLES = re.findall(r"```console\n\$ vit-ablate (.+)\n((?:.|\n)+?)\n```", PAGE.read_text(encoding="utf-8"))
MEANS = {"resnet": 0.90, "vit": 0.92, "mixer": 0.88}


@pytest.fixture
def runs(tmp_path):
    """Three arms, far apart, six seeds."""
    rng = np.random.default_rng(0)
    rows = [(arm, seed, mean + 0.001 * rng.normal()) for arm, mean in MEANS.items() for seed in range(6)]
    path = tmp_path / "runs.csv"
    pd.DataFrame(rows, columns=["model", "seed", "acc"]).to_csv(path, index=False)
    return path


def judged(capsys, *words) -> tuple[int, str, str]:
    code = tiny.vit_ablate("judge", *map(str, words))
    said = capsys.readouterr()
    return code, said.out, said.err


def changed(path: Path, change) -> Path:
    change(pd.read_csv(path, dtype=str)).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(("command", "printed"), EXAMPLES, ids=[command.split()[1] for command, _ in EXAMPLES])
def test_the_page_shows_what_is_printed(command, printed, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert tiny.vit_ablate(*shlex.split(command)) == 0
    assert capsys.readouterr().out.rstrip("\n") == printed


def test_the_page_has_three_examples():
    assert len(EXAMPLES) == 3


def test_the_sentences_follow_the_verdicts(runs, capsys):
    code, said, _ = judged(capsys, runs)
    assert code == 0
    assert re.search(r"- `vit` is better than `mixer` by [34]\.\d\d points \([\d.]+ to [\d.]+, n = 6\)\.", said)
    assert "acc (higher is better) by model, every pair, paired by seed" in said
    assert "acc holds fractions: less than 0.2 points = 0.002 is taken not to matter, by default." in said


def test_against_a_baseline_an_arm_is_worse(runs, capsys):
    _, said, _ = judged(capsys, runs, "--baseline", "resnet")
    assert "`mixer` is worse than `resnet` by 2.10 points (2.00 to 2.20, n = 6)." in said
    assert re.search(r"`vit` is better than `resnet` by [12]\.\d\d points", said)


@pytest.mark.parametrize(
    ("times", "margin", "word"),
    [(1, "5", "5 points = 0.05"), (100, "5", "5 points"), (1000, "50", "50 (its own unit)")],
)
def test_a_margin_is_read_in_points_of_shares(runs, capsys, times, margin, word):
    changed(runs, lambda f: f.assign(acc=f["acc"].astype(float) * times))
    _, said, _ = judged(capsys, runs, "--margin", margin)
    assert f"less than {word} is taken not to matter." in said
    assert said.count("| equivalent") == 3
    assert "no difference that matters (within " in said


def test_without_seeds_it_says_unpaired(runs, capsys):
    changed(runs, lambda f: f.drop(columns="seed"))
    _, said, _ = judged(capsys, runs)
    assert "no column names seeds: every comparison is unpaired (Welch's t test)" in said
    assert "| paired" in said


def test_what_is_left_out_is_said_whatever_the_format(runs, capsys):
    changed(runs, lambda f: f.assign(status=["FAILED", *["FINISHED"] * 17]))
    for form in Form:
        _, out, err = judged(capsys, runs, "--format", form.value)
        assert "left out: 1 run whose status is FAILED" in (out if form in (Form.md, Form.json) else err)


@pytest.mark.parametrize("form", Form)
def test_every_format_is_escaped_and_whole(runs, capsys, form):
    changed(runs, lambda f: f.assign(model=f["model"].replace("vit", "<i>v_i|t`&%")))
    code, out, _ = judged(capsys, runs, "--format", form.value)
    assert code == 0
    if form is Form.csv:
        assert pd.read_csv(io.StringIO(out))["a"].tolist() == ["resnet", "resnet", "<i>v_i|t`&%"]
    elif form is Form.json:
        assert json.loads(out)["comparisons"][0]["b"] == "<i>v_i|t`&%"
    else:
        escaped = {"md": r"\<i>v_i\|t\`&%", "html": "&lt;i&gt;v_i|t`&amp;%", "latex": r"v\_i\textbar{}t"}
        assert escaped[form.value] in out


def test_the_formats_are_those_of_tables_and_json(runs, capsys):
    assert judged(capsys, runs, "--json") == judged(capsys, runs, "--format", "json")
    assert [form.value for form in Form] == [*(name for name in FORMATS if name != "json"), "json"]


@pytest.mark.parametrize(
    ("baseline", "more", "code"),
    [
        ("resnet", [], 1),
        ("mixer", [], 0),
        ("vit", ["--lower-is-better", "--alpha", "0.01"], 0),
        ("mixer", ["--lower-is-better"], 1),
    ],
)
def test_the_exit_code_says_whether_an_arm_is_worse(runs, capsys, baseline, more, code):
    assert judged(capsys, runs, "--baseline", baseline, "--fail-if-worse", *more)[0] == code
    assert judged(capsys, runs, "--baseline", baseline, *more)[0] == 0


def test_too_few_seeds_to_tell_have_an_exit_code_of_their_own(runs, capsys):
    changed(runs, lambda f: f[f["seed"] == "0"])
    code, said, _ = judged(capsys, runs, "--baseline", "resnet", "--fail-if-worse")
    assert code == UNJUDGED == 4
    assert "one run tells nothing of luck" in said
    assert judged(capsys, runs, "--baseline", "resnet")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--arm", "modle"], "--arm modle: no such column; did you mean 'model'?"),
        (["--metric", "loss"], "--metric loss: no such column; choices: model, seed, acc"),
        (["--metric", "model"], "no run of 18 has a number in 'model' that counts"),
        (["--baseline", "vti"], "no arm 'vti' has a run that counts; choices: resnet, vit, mixer"),
        (["--fail-if-worse"], "--fail-if-worse needs a --baseline"),
        (["--margin", "nan"], "margin=nan must be a finite number"),
        (["--alpha", "0"], "alpha=0.0 must lie between 0 and 1"),
        (["--factor", "nosuch"], "--factor nosuch: no such column"),
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(runs, capsys, words, message):
    code, out, err = judged(capsys, runs, *words)
    assert (code, out) == (2, "")
    assert " ".join(err.split()).startswith(f"error: {message}")
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_one_line(tmp_path, capsys):
    code, _, err = judged(capsys, tmp_path / "nosuch.csv")
    assert code == 2
    assert "No such file" in err


COLD = """
import sys
sys.argv = ["vit-ablate", *sys.argv[1:]]
try:
    from studies.cli import main
    main()
finally:
    print("LOADED", *{name.split(".")[0] for name in sys.modules}, file=sys.stderr)
"""


@pytest.mark.parametrize("shape", [(100, 100, ()), (1000, 10, ("--baseline", "0")), (4, 2500, ())])
def test_ten_thousand_rows_are_judged_without_torch(tmp_path, shape):
    arms, seeds, words = shape
    arm, seed = np.divmod(np.arange(arms * seeds), seeds)
    values = 0.9 + 0.01 * np.random.default_rng(0).normal(size=len(arm)) + 0.0001 * arm
    path = tmp_path / "runs.csv"
    pd.DataFrame({"model": arm, "seed": seed, "acc": np.clip(values, 0, 1)}).to_csv(path, index=False)
    done = subprocess.run([sys.executable, "-c", COLD, "judge", path, *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert not {"torch", "optuna", "matplotlib"} & set(done.stderr.rsplit("LOADED", 1)[1].split())


def test_its_help_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", COLD, "judge", "--help"], capture_output=True, text=True, cwd=ROOT)
    assert "--fail-if-worse" in done.stdout
    assert not {"torch", "pandas", "numpy", "scipy"} & set(done.stderr.rsplit("LOADED", 1)[1].split())


CELLS = st.one_of(
    st.sampled_from(
        ["", "nan", "a", "b", "none", "NA", "0", "1", "0.5", "-3", "1e308", "-1e308", "1e-320", "inf", "x`|<\x1b[1m"]
    ),
    st.floats().map(str),
    st.text(max_size=4),
)
COLUMNS = ["model", "seed", "acc", "status", "dataset", "metrics.acc", "lr"]


@st.composite
def tables(draw):
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=5, unique=draw(st.booleans())))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=14))
    return pd.DataFrame(rows, columns=names, dtype=object)


NUMBERS = st.one_of(st.sampled_from([0.0, 1.0, 0.5, 1e308, -1e308, 5e-324, float("nan")]), st.floats(0, 1), st.floats())


@st.composite
def sound_tables(draw):
    arms = draw(st.integers(1, 4))
    rows = [
        (str(arm), seed, draw(NUMBERS))
        for arm in range(arms)
        for seed in draw(st.lists(st.integers(0, 4), max_size=5, unique=True))
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "acc"])


WORDS = (
    *("--baseline=a", "--baseline=1", "--factor=lr", "--factor=model", "--margin=1", "--lower-is-better"),
    *("--dataset=dataset", "--metric=acc", "--arm=model", "--fail-if-worse", "--format=json"),
)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frame=st.one_of(tables(), sound_tables()),
    words=st.lists(st.sampled_from(WORDS), max_size=4, unique=True),
)
def test_no_table_ends_in_a_traceback(tmp_path, frame, words):
    path = tmp_path / "runs.csv"
    frame.to_csv(path, index=False)
    assert tiny.vit_ablate("judge", str(path), *words) in (0, 1, 2, 4)


def test_forecasts_are_made_for_the_sentences_that_are_said_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(refereed, "between", lambda rows: asked.append(rows) or "")
    rng = np.random.default_rng(0)
    runs = pd.DataFrame([(arm, seed, 0.9 + 0.01 * rng.normal()) for arm in "abcdefgh" for seed in range(5)])
    found = judge(runs.set_axis(["model", "seed", "acc"], axis=1), arm="model", metric="acc")
    said = refereed.sentences(found, refereed.Voice(FRACTION, 0.05), flip=True)
    assert len(found) > 20
    assert "more are not settled" in said[-1]
    assert 0 < len(asked) <= refereed.SHOWN
