"""A study run again says how it compares with what was published of it."""

import shutil

import tiny
from studies.cli.doing import running
from vit import POOLINGS


def test_a_published_study_run_again_is_equal_bit_for_bit(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(running, "BRIEF", tiny.BRIEFLY)
    run = ["run", "pooling", "--quick", *tiny.settings(), "--seeds", "1", "--workers", "1", "--results", str(tmp_path)]
    assert tiny.vit_ablate(*run) == 0
    assert "As published" not in capsys.readouterr().out
    (folder,) = tmp_path.iterdir()
    assert tiny.vit_ablate("publish", folder.name, "--results", str(tmp_path), "--force") == 0
    shutil.rmtree(folder)
    capsys.readouterr()
    assert tiny.vit_ablate(*run) == 0
    assert (
        f"As published, equal bit for bit: {len(POOLINGS)} trials of {len(POOLINGS)} arms." in capsys.readouterr().out
    )
