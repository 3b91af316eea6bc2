"""What the pages tell a reader to type is typed; what is not done to its end stands below, with the reason."""

import json
import re
import shlex
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import typer

import notebooks
import photos
import studies.catalog
import studies.cli  # noqa: F401  declares the commands
import tiny
import vit
from studies.cli.console import PLUGIN, app, plugins_first
from studies.cli.manual import manual
from studies.design.study import STUDIES
from studies.trial import plugins

ROOT = Path(vit.__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FETCHED = re.compile(r'<(?:script|img|iframe|source)[^>]* src="(?:https?:)?//|<link[^>]* href="(?:https?:)?//')
GROUP = typer.main.get_command(app)
PARSED_ONLY = {
    "train": "trains; it starts from weights that nobody has yet",
    "export": "needs a trained model; tests/report/test_models.py exports one",
    "look": "needs trained models; tests/report/test_pictures.py draws one",
    "check": "20 s; tests/cli/test_plugins.py checks the examples",
    "dashboard": "a server that ends by Ctrl-C; tests/ledger/test_dashboard.py asks it",
}
"""Commands that are read word by word, but not begun, and why."""
PARSED_THERE = {
    "own-studies.md": "tests/cli/test_own_commands.py runs the page from its first line to its last",
    "judge.md": "tests/cli/test_judge.py compares what is printed; the rest is about a table that is not there",
}
"""Pages of which the same is true."""
UP_TO_TRAINING = "run"
"""Minutes of training: begun as typed, its plan made and checked, and stopped where it would open the storage."""
WITHOUT = {
    "--device cuda": "a GPU",
    "--init winner.safetensors": "weights of a trained model",
    "--dataset fashion-mnist": "a download",
}
"""Commands with these words are read word by word only: a test is without what they need."""
DIALECT = {"clusters.md": "the scheduler of a cluster, and packages that only a cluster has"}
"""Python that is compiled only, and why."""
RUN_ELSEWHERE = {
    "tuning.md": "tests/test_tuning_page.py",
    "own-studies.md": "tests/cli/test_own_commands.py",
    "plugins.md": "excerpts of docs/examples, which tests/cli/test_plugins.py runs",
    "weights.md": "tests/vit/test_interop.py",
}


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def commands(page: Path) -> list[list[str]]:
    """Every `vit-ablate` line of a page, as words; a line in a workflow may go on in the next."""
    lines = "\n".join(blocks(page, "", "sh", "bash", "console", "yaml")).replace("\\\n", " ")
    lines = re.sub(r"\n\s+(--)", r" \1", lines)
    found = re.findall(r"^.*?(?<![\w/.-])vit-ablate ([^\n]+)", lines, re.MULTILINE)
    return [shlex.split(re.split(r"\s[|>;&]+\s", line)[0], comments=True) for line in found]


LINES = [(page, words) for page in PAGES for words in commands(page)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """What a reader of the pages has: results that were run and published, a folder of images, files of their own."""
    root = tmp_path_factory.mktemp("reader")
    published = Path("results", "published", "ablations-mnist-cpu")
    left_out = shutil.ignore_patterns("pictures", "report.html", "figures")
    shutil.copytree(ROOT / published, root / published, ignore=left_out)
    gated = [f"{time}/positional-quick-mnist-cpu" for time in ("before", "after")]
    for name in ("A", "B", "ablations-mnist-cpu", *gated):
        (root / "results" / name).parent.mkdir(exist_ok=True)
        (root / "results" / name).symlink_to(root / published)
    for name in ("positional", "pooling"):
        tiny.filled(root / "results" / f"{name}-mnist-cpu")
    shutil.copytree(root / "results" / "pooling-mnist-cpu", root / "theirs" / "pooling-mnist-cpu")
    photos.folder(root / "photos", each=30)
    (root / "winner.safetensors").touch()
    (root / "my-images").symlink_to(root / "photos")
    (root / "docs").symlink_to(ROOT / "docs")
    for file in (ROOT / "docs" / "examples").glob("*.py"):
        shutil.copy(file, root)
    (root / "my_sampler.py").write_text(next(b for b in blocks(ROOT / "docs" / "tuning.md", "python") if "Timid" in b))
    return root


@pytest.fixture
def there(home, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.syspath_prepend(home)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(home / "summary.md"))
    known = dict(STUDIES)
    yield home
    for plugin in plugins.loaded():
        plugins.forget(plugin)
    STUDIES.clear()
    STUDIES.update(known)


def unique(lines):
    """Commands once each, with the page that has them first."""
    return list({tuple(words): (page, words) for page, words in reversed(lines)}.values())[::-1]


def named(lines):
    return {"argvalues": lines, "ids": [f"{page.name}: {' '.join(words)}"[:90] for page, words in lines]}


def test_there_is_something_to_check():
    assert len(LINES) > 50
    assert {words[0] for _, words in LINES} >= {UP_TO_TRAINING, "table", "compare", "figures", *PARSED_ONLY}


@pytest.mark.parametrize(("page", "words"), **named(unique(LINES)))
def test_every_word_of_every_command_is_understood(page, words, there):
    typed = plugins_first(words)
    context = GROUP.make_context("vit-ablate", list(typed))
    _, command, rest = GROUP.resolve_command(context, typed[2 * words.count(PLUGIN) :])
    parsed = command.make_context(command.name, rest, parent=context)
    assert parsed.params
    assert not parsed.args


STARTED = [
    (page, words)
    for page, words in unique(LINES)
    if words[0] not in PARSED_ONLY and page.name not in PARSED_THERE and not any(w in " ".join(words) for w in WITHOUT)
]


@pytest.mark.parametrize(("page", "words"), **named(STARTED))
def test_commands_run_as_typed(page, words, there, capsys, monkeypatch):
    planned = []

    def instead_of_training(folder, made, overwrite):
        planned.append(made)
        raise typer.Exit(0)

    monkeypatch.setattr("studies.cli.doing.running.ledger_with_what_is_there", instead_of_training)
    assert tiny.vit_ablate(*words) == 0, capsys.readouterr().err
    assert len(planned) == (words[0] == UP_TO_TRAINING)
    if "--junit" in words:
        assert (there / "gate.xml").exists()
    if words[0] == "figures":
        assert list((there / "figures").iterdir())


CODE = [
    (page, i, text) for page in PAGES if page.name not in RUN_ELSEWHERE for i, text in enumerate(blocks(page, "python"))
]


@pytest.mark.parametrize(("page", "i", "text"), CODE, ids=[f"{page.stem}{i}" for page, i, _ in CODE])
def test_every_block_of_python_runs(page, i, text, there):
    code = compile(text, f"{page.name}:{i}", "exec")
    if page.name not in DIALECT:
        exec(code, {"__name__": "__main__"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_sessions_and_extras_of_the_text_are_there(page):
    text = page.read_text(encoding="utf-8")
    sessions = re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {*re.findall(r"\bnox -s (\w+)", text)} <= {*sessions}
    assert {name for found in re.findall(r"vit-ablate\[([\w,]+)\]", text) for name in found.split(",")} <= {*extras}
    context = GROUP.context_class(GROUP, info_name="vit-ablate")
    for line in re.findall(r"`vit-ablate ([a-z][^`]*)`", text):
        command = GROUP.get_command(context, line.split()[0])
        assert command is not None, line
        parameters = [*GROUP.get_params(context), *command.get_params(context)]
        known = {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.split("=")[0] for word in re.findall(r"(?<=\s)--[a-z][\w-]*", line)} <= {*known}, line


def test_the_notebook_runs_and_gives_what_it_shows(monkeypatch):
    monkeypatch.chdir(ROOT)
    kept = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
    again = notebooks.executed(kept)
    for one, other in zip(kept["cells"], again["cells"], strict=True):
        for old, new in zip(one.get("outputs", []), other.get("outputs", []), strict=True):
            old, new = ({k: v for k, v in (o.get("data") or o).items() if k != "image/png"} for o in (old, new))
            assert old == new
    shown = [kind for cell in again["cells"] for out in cell.get("outputs", []) for kind in out.get("data", {})]
    assert {"text/html", "image/png"} <= set(shown)


def test_every_command_is_in_the_manual():
    text = manual()
    context = GROUP.context_class(GROUP, info_name="vit-ablate")
    names = [name for name in GROUP.list_commands(context) if not GROUP.get_command(context, name).hidden]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == sorted(names)
    assert "--max-drop" in text
    assert not [line for line in text.split("\n") if line.startswith("|") and len(re.findall(r"(?<!\\)\|", line)) != 3]


@pytest.mark.slow
def test_the_site_is_built_links_lead_somewhere_and_nothing_is_asked_of_anybody(tmp_path):
    build = pytest.importorskip("sphinx.cmd.build", reason="sphinx is not installed: nox -s docs")
    for name in ("furo", "myst_parser"):
        pytest.importorskip(name)
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_*"))
    (tmp_path / "results").symlink_to(ROOT / "results")
    kept = list(sys.path)
    try:
        assert build.main(["-q", "-W", "-b", "html", str(tmp_path / "docs"), str(tmp_path / "site")]) == 0
    finally:
        sys.path[:] = kept
    pages = {page: page.read_text(encoding="utf-8") for page in (tmp_path / "site").rglob("*.html")}
    assert {f"{page.stem}.html" for page in PAGES if page.stem != "README"} <= {page.name for page in pages}
    for page, text in pages.items():
        assert FETCHED.findall(text) == []
        for link in re.findall(r'href="([^"#:?]+\.html)[#"]', text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
    styles = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "site" / "_static").rglob("*.css"))
    assert re.findall(r"@import\s+(?:url\()?['\"]?https?:|url\(['\"]?(?:https?:)?//", styles) == []
