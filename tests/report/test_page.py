import base64
import dataclasses
import html
import io
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import synthetic
import tiny
from studies.findings.columns import CONTRASTS, records
from studies.findings.findings import find
from studies.ledger.folder import ResultsFolder
from studies.report import downloads
from studies.report.charts.dots import MOST_DOTS, few
from studies.report.charts.heat import heat_maps
from studies.report.charts.labels import placed
from studies.report.charts.scale import Scale, accuracy_scale, cost_scale, difference_scale, outlying
from studies.report.colours import DARK, LIGHT
from studies.report.galleries import draw_galleries, kept_galleries, shown_cells
from studies.report.images import picture_of
from studies.report.page_tables import contrasts
from studies.report.publishing import publish
from studies.training.weights import save_weights
from studies.trial.trial import training_notes
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
    return read(publish(ledger, tiny.home(ledger)).folder)


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
    assert found == SECTIONS
    places = [(attrs["href"], attrs.get("class")) for tag, attrs in page.elements if tag == "a"]
    navigated = [href[1:] for href, kind in places if href.startswith("#") and href != "#main" and kind is None]
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
    assert "horizontal/learned/cls trains fastest" in page.text or "trains fastest" in page.text
    assert "vertical/none/cls, seed 0: DivergedError: training loss is nan at step 311" in page.text
    assert "tiles/rope2d/max cannot be: no pooling is called 'max'" in page.text
    assert "Abacus 9000" in page.text
    assert "Against peak GPU memory" in page.text
    assert not re.search(r"\bnan\b(?! at step)|\binf\b|NaN", page.text)


def test_charts_are_drawn_twice_with_labels_and_in_classes_of_colour(published):
    _, page = published
    charts = [attrs for tag, attrs in page.elements if tag == "svg" and attrs["class"].startswith("chart")]
    for name in ("wide", "narrow"):
        assert len([c for c in charts if c["class"] == f"chart {name}"]) == 5  # effects, seeds, speed, memory, learning
    assert all(c["aria-label"] and c["role"] == "img" for c in charts)
    assert not [attrs for tag, attrs in page.elements if "fill" in attrs or "stroke" in attrs]


def test_tables_hold_every_row(published, ledger):
    source, _ = published
    tables = dict(re.findall(r'data-name="(\w+)"[^>]*>(.*?)</table>', source, re.S))
    rows = {name: table.count("<tr") - 1 for name, table in tables.items()}
    assert rows == {"variance": 9, "arms": 25, "contrasts": 33 + 46, "speeds": 23, "trials": 48}
    said = re.findall(r'class="verdict (\w+)"', tables["contrasts"])
    assert said.count("undecided") == len(said) >= 33 + 46  # of two seeds nothing follows


def test_what_a_person_wrote_is_escaped(tmp_path):
    made = dataclasses.replace(tiny.plan({"pooling": ("cls", "mean")}), question=HOSTILE)
    ledger = synthetic.ledger(tmp_path / "tiny-mnist-cpu", made, fail=False)
    ledger.note("provenance", {"command": HOSTILE, "workers": HOSTILE, "machine": {"cpu": HOSTILE}})
    trial = made.trials[0]
    entry = ledger.retry(ledger.entries()[trial.content_hash])
    ledger.claim(entry)
    ledger.fail(entry, f"ValueError: {HOSTILE}", {"dirty": True})
    source, page = read(publish(ledger, tiny.home(ledger)).folder)
    assert page.wrong == []
    assert page.text.count(HOSTILE) >= 5
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert "x" not in page.every("src")
    assert html.escape("<img src=x", quote=False) in source


def test_a_study_of_one_arm_or_of_nothing_is_a_page(tmp_path):
    alone = synthetic.ledger(tmp_path / "alone", tiny.plan({}), fail=False)
    _, page = read(publish(alone, tiny.home(alone)).folder)
    assert page.wrong == []
    assert "One arm has results" in page.text
    assert "effects" not in page.every("id")
    empty = ResultsFolder(tmp_path / "empty").ledger(create=True)
    empty.plan = tiny.plan({"pooling": ("cls", "mean")})
    for trial in empty.plan.trials:
        empty.enqueue(trial)
    _, page = read(publish(empty, tiny.home(empty)).folder)
    assert page.wrong == []
    assert "Not one trial is complete" in page.text


def test_galleries_are_drawn_once_from_kept_weights(tmp_path):
    ledger = synthetic.ledger(tmp_path / "tiny-mnist-cpu", tiny.plan({"pooling": ("cls", "mean")}), fail=False)
    plan, cells = ledger.plan, publish(ledger, tiny.home(ledger)).cells
    assert kept_galleries(tiny.home(ledger), plan, cells) == []
    draw_galleries(tiny.home(ledger), plan, cells, tiny.home(ledger))  # no weights: nothing happens
    assert not (tiny.home(ledger).path / "pictures").exists()
    shown = shown_cells(plan, cells)
    cell = shown["baseline"]
    save_weights(ViT(cell.config), tiny.home(ledger).weights(cell.name), training_notes(cell.to_train, 0))
    _, page = read(publish(ledger, tiny.home(ledger), galleries=True).folder)
    assert "What the models see" in page.text
    assert "confusion of " + cell.name in page.every("alt")
    drawn = {path: path.stat().st_mtime_ns for path in (tiny.home(ledger).path / "pictures").rglob("*.svg")}
    draw_galleries(tiny.home(ledger), plan, cells, tiny.home(ledger))
    assert drawn == {path: path.stat().st_mtime_ns for path in (tiny.home(ledger).path / "pictures").rglob("*.svg")}
    tiny.home(ledger).weights(cell.name).write_bytes(b"damaged")
    draw_galleries(tiny.home(ledger), plan, cells, tiny.home(ledger))
    assert (tiny.home(ledger).path / "report.html").stat().st_size < 5e6


def test_pictures_keep_every_pixel(tmp_path):
    Image.linear_gradient("L").resize((1200, 600)).convert("RGB").save(tmp_path / "bar.png")
    made = picture_of(tmp_path / "bar.png", "bar")
    assert (made.width, made.height) == (1200, 600)
    head, content = made.uri.split(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as shown, Image.open(tmp_path / "bar.png") as drawn:
        assert shown.convert("RGB").tobytes() == drawn.tobytes()
    assert len(made.uri) < (tmp_path / "bar.png").stat().st_size


def test_the_style_sheet_has_every_colour_of_both_schemes(published):
    source, _ = published
    style = source.split("<style>")[1].split("</style>")[0]
    assert "{{" not in style
    for scheme in (LIGHT, DARK):
        for number, colour in enumerate(scheme.levels):
            assert f"--k{number}: {colour};" in style
        for name in ("paper", "ink", "accent", "heat"):
            assert f"--{name}: {getattr(scheme, name)};" in style
    used = set(re.findall(r"var\(--([\w-]+)\)", style)) - {"k", "shade", "wide"}
    assert used <= set(re.findall(r"--([\w-]+):", style))


def test_data_come_with_the_page_and_every_place_has_a_link(published, ledger):
    _, page = published
    files = {attrs["download"]: attrs["href"] for tag, attrs in page.elements if tag == "a" and "download" in attrs}
    assert list(files) == ["cells.csv", "contrasts.csv", "runs.csv"]
    for name, uri in files.items():
        data = base64.b64decode(uri.removeprefix("data:text/csv;base64,"))
        assert data == (tiny.home(ledger).path / name).read_bytes()
    anchors = {attrs["href"][1:] for _, attrs in page.elements if attrs.get("class") == "anchor"}
    assert anchors >= {*SECTIONS, "t-arms", "t-contrasts", "t-trials", "f-training-throughput"}


def test_an_arm_of_many_seeds_shows_some_of_them_evenly():
    assert few([3.0, 1.0, 2.0]) == [3.0, 1.0, 2.0]
    shown = few([float(n) for n in reversed(range(10_000))])
    assert (len(shown), shown[0], shown[-1]) == (MOST_DOTS, 0.0, 9999.0)
    assert np.ptp(np.diff(shown)) <= 1


def test_a_table_too_large_for_a_page_lies_beside_it(ledger, published, monkeypatch):
    monkeypatch.setattr(downloads, "MOST", 20_000)
    kept = downloads.downloads(find(ledger))
    assert downloads.downloads(find(ledger), tiny.home(ledger).path) == kept
    found = {file.name: file.uri for file in kept}
    assert found["runs.csv"] == ""
    assert found["cells.csv"]


def test_colours_mean_levels_of_the_first_factor_and_nothing_else(published):
    source, _ = published
    style = source.split("<style>")[1].split("</style>")[0]
    assert set(re.findall(r"[^{}]*var\(--k\d\)[^{}]*", style)) == set(re.findall(r" --k: var\(--k\d\); ", style))
    effects = source.split('<section id="effects"')[1].split("</section>")[0]
    assert set(re.findall(r'<g class="(\w+)"', effects)) == {"ink"}
    assert {LIGHT.accent, DARK.accent}.isdisjoint({*LIGHT.levels, *DARK.levels})


def test_nothing_is_called_infinitely_detectable(ledger):
    frame = find(ledger).contrasts
    one = frame.assign(detectable=[0.01, *[math.inf] * (len(frame) - 1)])
    assert {c.text(row) for c in [CONTRASTS["detectable"]] for row in records(one)} == {"1.00", "–"}
    headings = {name: [c.heading for c in contrasts(frame.assign(detectable=value)).columns] for name, value in
                {"some": 0.01, "none": math.inf}.items()}  # fmt: skip
    assert "detectable, points" in headings["some"]
    assert "detectable, points" not in headings["none"]


def test_arms_far_below_do_not_squeeze_the_axis():
    near = [0.97 + 0.001 * i for i in range(10)]
    assert outlying([*near, 0.5, 0.6]) == pytest.approx(0.97)
    assert outlying(near) == 0
    assert outlying([*near[:3], 0.5, 0.6]) == 0  # too few, or too many of them


def test_labels_choose_a_side_that_is_free():
    marks = [(100.0, 100.0), (112.0, 90.0), (400.0, 100.0)]
    found = placed({"a": (marks[0], "1"), "b": (marks[1], "2"), "c": (marks[2], "3")}, marks)
    assert (found["c"].x - 400, found["c"].y - 100) == (9, -8)
    assert (found["a"].x - 100, found["a"].y - 100) != (9, -8)  # there lies the second mark


def test_long_learning_curves_have_a_panel_each(tmp_path):
    made = tiny.plan({"pooling": ("cls", "mean")}, recipe=tiny.RECIPE.replace(epochs=5))
    ledger = synthetic.ledger(tmp_path / "tiny-mnist-cpu", made, fail=False)
    _, page = read(publish(ledger, tiny.home(ledger)).folder)
    assert len([a for tag, a in page.elements if tag == "svg" and a["class"] == "chart panel"]) == 2
    # every arm once behind all panels: were it in each, a page of 64 arms would be larger by 400 kB
    assert len([a for tag, a in page.elements if tag == "path" and a["class"] == "ghost"]) == 2
    (ground,) = [a["id"] for tag, a in page.elements if tag == "g" and "id" in a]
    assert [a["href"] for tag, a in page.elements if tag == "use"] == [f"#{ground}"]


def test_heat_maps_keep_contrast_when_one_cell_is_far_away(ledger):
    runs = find(ledger).runs
    runs.loc[(runs["positional"] == "none") & (runs["chunking"] == "tiles"), "test_accuracy"] = 0.1
    shades = [square.shade for row in heat_maps(ledger.plan, runs)[0].rows.values() for square in row if square.n]
    assert sorted(shades) == pytest.approx([i / (len(shades) - 1) for i in range(len(shades))])


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
