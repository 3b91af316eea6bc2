from pathlib import Path

import pytest

import studies.catalog
from studies.data import DATASETS
from studies.design.expand import expand
from studies.design.study import STUDIES
from vit import CHUNKINGS, POOLINGS, POSITIONALS, PRESETS

REGISTRIES = {"chunking": CHUNKINGS, "positional": POSITIONALS, "pooling": POOLINGS}


def test_a_file_is_a_study_of_its_name():
    files = Path(studies.catalog.__file__).parent.glob("*.py")
    assert {file.stem for file in files} - {"__init__"} <= set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_expands_with_its_baseline(name):
    study = STUDIES[name]
    assert study.name == name
    assert study.dataset in DATASETS
    for variant in (study, study.as_quick()):
        plan = expand(variant, "cpu")
        assert plan.baseline in [cell.name for cell in plan.runnable]
        hashes = [trial.content_hash for trial in plan.trials]
        assert len(set(hashes)) == len(hashes) == len(plan.runnable) * len(plan.seeds)
        assert len({cell.name for cell in plan.cells}) == len(plan.cells)


def test_the_default_study_is_the_one_that_is_promised():
    plan = expand(STUDIES["ablations"], "cpu")
    assert (len(plan.cells), len(plan.runnable), len(plan.trials)) == (24, 24, 192)
    assert plan.baseline == "tiles/learned/cls"
    assert PRESETS["compact"].patch_size == 7


@pytest.mark.parametrize("name", REGISTRIES)
def test_a_new_component_is_a_new_level(name, monkeypatch):
    registry = REGISTRIES[name]
    before = len(expand(STUDIES[name], "cpu").cells)
    assert before == len(registry)
    monkeypatch.setitem(registry, "throwaway", next(iter(registry.values())))
    cells = expand(STUDIES[name], "cpu").cells
    assert len(cells) == before + 1
    assert cells[-1].levels == {name: "throwaway"}


def test_arms_of_the_small_studies_share_their_trials_with_nothing_else():
    """The baseline of each is one and the same model; only the folder keeps them apart."""
    baselines = set()
    for name in ("chunking", "positional", "pooling"):
        plan = expand(STUDIES[name], "cpu")
        baselines.add(next(cell.content_hash for cell in plan.cells if cell.name == plan.baseline))
    assert len(baselines) == 1
