import dataclasses
import html
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

import synthetic
import tiny
from studies.charts.scale import Scale, accuracy_scale, cost_scale, difference_scale
from studies.embedded import benches, embed
from studies.galleries import draw_galleries, kept_galleries, shown_cells
from studies.report import publish
from studies.trial import training_notes
from studies.weights import save_weights
from vit import ViT

SECTIONS = [
    "answer",
    "effects",
    "interactions",
    "seeds",
    "cost",
    "learning",
    "tables",
    "failures",
    "fixed",
    "reproduce",
]
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "wbr"}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror='alert(2)'> \"quoted\" & 'more'"


class Page(HTMLParser):
    """Every element opened and closed, in order, with its attributes; ``text`` leaves out scripts and styles."""

    def __init__(self, source):
        super().__init__()
        self.open, self.wrong, self.elements, self.text = [], [], [], ""
        self.feed(source)
        self.close()
        self.wrong += [f"<{name}> is never closed" for name in self.open]

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        self.wrong += [f"{tag} has {name} twice" for name in set(names) if names.count(name) > 1]
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at line {self.getpos()[0]}")

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def every(self, attribute):
        return [attrs[attribute] for _, attrs in self.elements if attribute in attrs]


def read(folder):
    source = (folder / "report.html").read_text(encoding="utf-8")
    return source, Page(source)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return synthetic.ledger(tmp_path_factory.mktemp("results") / "ablations-mnist-cpu", synthetic.plan(2), memory=True)


@pytest.fixture(scope="module")
def published(ledger):
    (ledger.folder.parent / "bench-cpu").mkdir()
    rows = ["eager,einops,0.9,1.1", "eager,einops,1.1,1.2", "eager,manual,1,1", "compile,einops,2,3"]
    text = "\n".join(["mode,backend,ratio_low,ratio_high", *rows])
    (ledger.folder.parent / "bench-cpu" / "chunking.csv").write_text(text)
    Image.new("RGB", (1800, 900), "white").save(ledger.folder.parent / "bench-cpu" / "chunking.png")
    return read(publish(ledger).folder)


def test_it_is_well_formed(published):
    source, page = published
    assert page.wrong == []
    assert source.startswith("<!doctype html>")
    ids = page.every("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.every("href") if href.startswith("#")} <= set(ids)


def test_every_section_stands_in_order(published):
    _, page = published
    found = [attrs["id"] for tag, attrs in page.elements if tag == "section"]
    assert [name for name in found if name != "einops"] == SECTIONS
    assert found.index("einops") == found.index("learning") + 1
    navigated = [href[1:] for href in page.every("href") if href.startswith("#") and href != "#main"]
    assert navigated == found


def test_nothing_is_loaded_from_anywhere(published):
    source, page = published
    assert all(src.startswith("data:") for src in page.every("src"))
    assert all(href.startswith(("#", "data:")) for href in page.every("href"))
    assert not {"iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]*", "", source.split("<main", 1)[0]))
    assert "default-src 'none'" in page.every("content")[1]


def test_sentences_arms_failures_and_provenance_are_told(published):
    _, page = published
    assert "The highest mean test accuracy of 24 arms is that of" in page.text
    assert "vertical/none/cls, seed 0: DivergedError: training loss is nan at step 311" in page.text
    assert "tiles/rope2d/max cannot be: no pooling is called 'max'" in page.text
    assert "Abacus 9000" in page.text
    assert "Against peak GPU memory" in page.text
    assert "einops against manual: slower in 1, faster in 0, no difference measured in 1 of 2 cells" in page.text
    assert not re.search(r"\bnan\b(?! at step)|\binf\b|NaN", page.text)


def test_charts_are_drawn_twice_with_labels_and_in_classes_of_colour(published):
    _, page = published
    charts = [attrs for tag, attrs in page.elements if tag == "svg" and attrs["class"].startswith("chart")]
    for name in ("wide", "narrow"):
        assert len([c for c in charts if c["class"] == f"chart {name}"]) == 4  # effects, seeds, speed, memory
    assert len([c for c in charts if c["class"] == "chart panel"]) == 24
    assert all(c["aria-label"] and c["role"] == "img" for c in charts)
    assert not [attrs for tag, attrs in page.elements if "fill" in attrs or "stroke" in attrs]


def test_tables_hold_every_row(published, ledger):
    source, _ = published
    tables = dict(re.findall(r'data-name="(\w+)">(.*?)</table>', source, re.S))
    rows = {name: table.count("<tr") - 1 for name, table in tables.items()}
    assert rows == {"variance": 9, "arms": 25, "contrasts": 33, "speeds": 23, "trials": 48}
    assert sum(table.count('class="verdict underpowered"') for table in tables.values()) == 33 + 23


def test_what_a_person_wrote_is_escaped(tmp_path):
    made = dataclasses.replace(tiny.plan({"pooling": ("cls", "mean")}), question=HOSTILE)
    ledger = synthetic.ledger(tmp_path / "tiny-mnist-cpu", made, fail=False)
    ledger.note("provenance", {"command": HOSTILE, "workers": HOSTILE, "machine": {"cpu": HOSTILE}})
    trial = made.trials[0]
    entry = ledger.retry(ledger.entries()[trial.content_hash])
    ledger.claim(entry)
    ledger.fail(entry, f"ValueError: {HOSTILE}", {"dirty": True})
    source, page = read(publish(ledger).folder)
    assert page.wrong == []
    assert page.text.count(HOSTILE) >= 5
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert "x" not in page.every("src")
    assert html.escape("<img src=x", quote=False) in source


def test_a_study_of_one_arm_or_of_nothing_is_a_page(tmp_path):
    alone = synthetic.ledger(tmp_path / "alone", tiny.plan({}), fail=False)
    _, page = read(publish(alone).folder)
    assert page.wrong == []
    assert "One arm has results" in page.text
    assert "effects" not in page.every("id")
    empty = synthetic.Ledger(tmp_path / "empty", create=True)
    empty.plan = tiny.plan({"pooling": ("cls", "mean")})
    for trial in empty.plan.trials:
        empty.enqueue(trial)
    _, page = read(publish(empty).folder)
    assert page.wrong == []
    assert "Not one trial is complete" in page.text


def test_galleries_are_drawn_once_from_kept_weights(tmp_path):
    ledger = synthetic.ledger(tmp_path / "tiny-mnist-cpu", tiny.plan({"pooling": ("cls", "mean")}), fail=False)
    plan, cells = ledger.plan, publish(ledger).cells
    assert kept_galleries(ledger, plan, cells) == []
    draw_galleries(ledger, plan, cells)  # no weights: nothing happens
    assert not (ledger.folder / "pictures").exists()
    shown = shown_cells(plan, cells)
    cell = shown["baseline"]
    save_weights(ViT(cell.config), ledger.weights_file(cell), training_notes(cell.recipe, cell.dataset, 0))
    _, page = read(publish(ledger, galleries=True).folder)
    assert "What the models see" in page.text
    assert "confusion of " + cell.name in page.every("alt")
    drawn = {path: path.stat().st_mtime_ns for path in (ledger.folder / "pictures").rglob("*.png")}
    draw_galleries(ledger, plan, cells)
    assert drawn == {path: path.stat().st_mtime_ns for path in (ledger.folder / "pictures").rglob("*.png")}
    ledger.weights_file(cell).write_bytes(b"damaged")
    draw_galleries(ledger, plan, cells)
    assert (ledger.folder / "report.html").stat().st_size < 5e6


def test_pictures_are_made_small(tmp_path):
    Image.effect_noise((2000, 1000), 80).save(tmp_path / "noise.png")
    made = embed(tmp_path / "noise.png", "noise")
    assert (made.width, made.height) == (950, 475)
    assert made.uri.startswith("data:image/png;base64,")
    assert len(made.uri) < 600_000


def test_a_bench_in_another_format_is_shown_without_counts(tmp_path):
    (tmp_path / "bench-cuda").mkdir()
    (tmp_path / "bench-cuda" / "chunking.csv").write_text("mode,backend,seconds\neager,einops,1\n")
    assert [(bench.folder, bench.chart, bench.counts) for bench in benches(tmp_path)] == [("bench-cuda", None, [])]
    assert benches(tmp_path / "nothing") == []


def test_scales_keep_values_and_ticks_inside():
    for scale in (
        accuracy_scale([0.5, 0.97, 0.999, float("nan")], 10, 200),
        accuracy_scale([0.97, 0.98], 10, 200),
        accuracy_scale([1.0, 0.2], 10, 200),
        accuracy_scale([0.9], 10, 200),
        cost_scale([10, 4000], 200, 10),
        cost_scale([10, 11], 10, 200),
        difference_scale([-0.01, -0.02], 10, 200),
        Scale(1, 1, 10, 200),
    ):
        ticks = scale.ticks()
        assert all(10 <= scale(value) <= 200 for value in (*ticks, scale.low, scale.high))
        assert ticks == sorted(ticks)
    assert accuracy_scale([0.5, 0.99], 0, 1).kind == "error"
    assert len(accuracy_scale([0.5, 0.99], 0, 1).ticks()) >= 3
    assert difference_scale([0.01, 0.02], 0, 1).low < 0
