"""Hashes that stand in ledgers: a study begun with an earlier version goes on only while these stay what they are."""

import pytest

import studies.catalog  # noqa: F401  registers the studies
from studies.design.expand import expand
from studies.design.study import STUDIES

# study, arm, its hash, a seed, the hash of its trial
KNOWN = [
    ("aa", "0", "c57c31d4bef0ff17", 7, "4572fbcdb9e457af"),
    ("aa", "19", "3bb99be4c456047a", 7, "46eecb3bc92f59d0"),
    ("ablations", "tiles/learned/cls", "7473f81292da5af1", 4, "c10355a3ee70cfac"),
    ("ablations", "tiles/rope2d/mean", "1d349f6e0d1908f0", 4, "c8f434726bce6d01"),
    ("ablations-quick", "tiles/learned/cls", "cdc8f9ed2eb68ea7", 0, "cbe7aea8cc096fa6"),
    ("ablations-quick", "tiles/rope2d/mean", "a26e457afbae2579", 0, "b3a2028ec1967959"),
    ("chunking", "tiles", "289d23705d14d02b", 4, "785166921dc846f7"),
    ("notebook", "0.0/0.0", "ecabc6474b1f0729", 9, "c74c1eae93b5ef4a"),
    ("notebook", "0.1/0.1", "86950528dc438a73", 9, "d8e45e93f94aff5c"),
    ("notebook-recipe", "muon/256/0.015", "ecabc6474b1f0729", 1, "47e3ace61d9b90f5"),
    ("notebook-recipe", "muon/512/0.03", "fa4fe811fede8b06", 1, "d4a9a43878f55b53"),
    ("pooling", "cls", "289d23705d14d02b", 4, "785166921dc846f7"),
    ("pooling", "map", "79f06cc5ccad6ed2", 4, "66576b3224dca244"),
    ("positional-quick", "learned", "c57c31d4bef0ff17", 0, "8e9a11c54ffaf101"),
    ("positional-quick", "relative", "09c618f661ceaf86", 0, "03780e06393c5cdc"),
    ("precision", "float32/False", "f22367ea1d4e831d", 9, "d5d09a4547ec0376"),
    ("precision", "bfloat16/True", "215fa4c5bcddc637", 9, "d2a0604a69a56f2d"),
    ("speedrun", "7", "dfcce35995a93f8f", 4, "95f79bd201627469"),
    ("speedrun", "12", "66046a1624fed6b8", 4, "a133ef002d85bd17"),
    ("speedrun-recipe-quick", "256/0.01", "9e2cee4453b7d8e0", 0, "674f338f6be0affd"),
    ("speedrun-recipe-quick", "512/0.02", "2f8ac57a0cb826ce", 0, "fd06d8fc195cef6e"),
]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(("name", "arm", "cell_hash", "seed", "trial_hash"), KNOWN)
def test_a_trial_keeps_its_identity(name, arm, cell_hash, seed, trial_hash, device):
    study = STUDIES[name.removesuffix("-quick")]
    plan = expand(study.as_quick() if name.endswith("-quick") else study, device)
    (trial,) = (trial for trial in plan.trials if (trial.cell.name, trial.seed) == (arm, seed))
    assert (trial.cell.content_hash, trial.content_hash) == (cell_hash, trial_hash)
