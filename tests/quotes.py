"""What pages quote of published results, said anew by them; `python tests/quotes.py` writes it into the pages.

A quotation stands between ``<!-- quoted: KIND FOLDER -->`` and ``<!-- end of quotation -->``; in docs/judge.md every
console block is one.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
PUBLISHED = Path("results", "published")
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("results", "judge", "durable", "scale"))]
QUOTED = re.compile(r"(<!-- quoted: (\w+) (\S+) -->\n)(.*?)(<!-- end of quotation -->)", re.DOTALL)
PRINTED = re.compile(r"(```console\n\$ vit-ablate (judge [^\n]+)\n)(.*?)(\n```)", re.DOTALL)
SENTENCE = re.compile(r"^- \*\*.+$", re.MULTILINE)
SETTLED = ("better", "worse", "equivalent")


def quoted(page: str, root: Path = ROOT) -> str:
    """The text of a page with what the folders under ``root`` say today."""

    def anew(found: re.Match[str]) -> str:
        before, kind, name, _, after = found.groups()
        return f"{before}{KINDS[kind](root / PUBLISHED / name)}\n{after}"

    return QUOTED.sub(anew, page)


def printed(page: str) -> str:
    """The text of a page with what its commands print today."""

    def anew(found: re.Match[str]) -> str:
        before, command, _, after = found.groups()
        run = [sys.executable, "-c", "from studies.cli import main; main()", *shlex.split(command)]
        said = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return f"{before}{said.rstrip()}{after}"

    return PRINTED.sub(anew, page)


def answer(folder: Path) -> str:
    """The sentences of a study as its own page has them, and where they hold."""
    runs = _table(folder, "runs")
    done, baseline = runs[runs["status"] == "complete"], _arms(folder)["b"].iloc[0]
    cpu = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["cpu"]
    passes = " or ".join(f"{epochs:g}" for epochs in sorted(done["epochs"].unique()))
    where = (
        f"- **Where.** Baseline `{baseline}`; {done['cell'].nunique()} arms, {done['seed'].nunique()} seeds, "
        f"{passes} passes over {done['dataset'].iloc[0]}, on one {cpu}: another CPU model gives other bits. "
        f"[All of it]({PUBLISHED / folder.name}/README.md), with every number and failure."
    )
    return f"{_sentences(folder)}\n{where}"


def decided(folder: Path) -> str:
    """How many arms a study decided that was given seeds until they were."""
    place = "docs/results.md#with-as-many-seeds-as-it-takes"
    return f"With [as many seeds as it takes]({place}) {_share(folder)} arms were decided."


def growing(folder: Path) -> str:
    """The same, with what it took and its sentences."""
    runs = _table(folder, "runs")
    done = runs[runs["status"] == "complete"]
    most = done.groupby("cell")["seed"].nunique().max()
    return (
        f"With `--until-decided` the same study went on for the arms that were open, to {most} seeds where it took so "
        f"many, {len(done)} trials in all, and decided {_share(folder)}:\n\n{_sentences(folder)}\n"
    )


SCALE = {
    "workers_or_trials": "workers",
    "trials_per_second": "trials/s",
    "driver_cpu_ms": "driver, ms",
    "scheduler_cpu_ms": "scheduler, ms",
    "workers_cpu_ms": "workers, ms",
    "server_cpu_ms": "PostgreSQL, ms",
    "connections": "connections",
}


def scale(folder: Path) -> str:
    """What the bench of drivers and clusters found: three tables."""
    rows, where = _table(folder, "scale"), (folder / "scale.md").read_text(encoding="utf-8")
    machine = re.search(r"^- machine: (.+)$", where, re.MULTILINE)
    alone = rows[rows["what"] == "no trial"].rename(columns=SCALE)[[*SCALE.values()]]
    slept = rows[rows["what"] == "a second"].set_index("workers_or_trials")["trials_per_second"]
    alone = alone.assign(**{"of a second, trials/s": alone["workers"].map(slept)})
    parts = rows[rows["what"] == "part"].rename(columns={"name": "step", "milliseconds": "ms"})
    study = rows[rows["what"] == "study"].rename(columns={"workers_or_trials": "trials", "milliseconds": "ms"})
    tables = [alone, parts[["step", "ms", "statements"]], study[["name", "trials", "ms", "bytes"]]]
    return "\n\n".join([f"On {machine[1] if machine else 'one machine'}, all on it:", *map(_markdown, tables)])


def _markdown(frame: pd.DataFrame) -> str:
    lines = [list(frame.columns), ["---"] * len(frame.columns), *(map(_cell, row) for row in frame.itertuples(False))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, str) or pd.isna(value):
        return value if isinstance(value, str) else ""
    return (
        f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.3g}" if value >= 10 else f"{value:.2g}"
    )


def chaos(folder: Path) -> str:
    """What killing a study again and again came to; nothing before it is published."""
    if not folder.exists():
        return ""
    (result,) = re.findall(r"^\*\*Result\.\*\* (.+)$", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    return f"{result} [Every kill](../{PUBLISHED / folder.name}/README.md)."


KINDS = {"answer": answer, "decided": decided, "growing": growing, "chaos": chaos, "scale": scale}


def _share(folder: Path) -> str:
    arms = _arms(folder)
    return f"{int(arms['verdict'].isin(SETTLED).sum())} of {len(arms)}"


def _sentences(folder: Path) -> str:
    head = (folder / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    return "\n".join(SENTENCE.findall(head))


def _arms(folder: Path) -> pd.DataFrame:
    contrasts = _table(folder, "contrasts")
    return contrasts[contrasts["factor"] == "cell"]


def _table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""])


if __name__ == "__main__":
    for place in PAGES:
        text = place.read_text(encoding="utf-8")
        place.write_text(printed(quoted(text)), encoding="utf-8")
