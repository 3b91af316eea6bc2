"""What a CI system is told."""

from xml.etree import ElementTree

import pytest

import tiny
from studies.findings.gate import Checked, Gate
from studies.report.gate_files import junit, summary

GATE = Gate(
    [
        Checked("tiles/learned", "passed", "lost less"),
        Checked("<b>|x`", "failed", "lost more\x00 & more"),
        Checked("c", "cannot judge", "n too small"),
    ]
)


def test_junit_counts_every_outcome_and_is_well_formed():
    suite = ElementTree.fromstring(junit(GATE, "a -> b\x1b")).find("testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {"tiles/learned": ["system-out"], "<b>|x`": ["failure"], "c": ["error"]}
    assert suite.find("testcase/failure").get("message") == "lost more� & more"


def test_the_summary_leads_with_what_did_not_pass_and_escapes_names():
    text = summary(GATE, "a -> b", ["commit: <i> -> b"])
    assert text.startswith("## ❌ a -> b: failed\n")
    before, folded = text.split("<details>")
    assert "lost more" in before
    assert "n too small" in before
    assert "lost less" not in before
    assert "1 of 3 arms passed" in folded
    assert r"\<i>" in folded
    assert r"\<b>\|x\`" in before


@pytest.fixture
def folder(tmp_path):
    from studies.report.publishing import publish

    ledger = tiny.filled(tmp_path / "tiny-mnist-cpu")
    return publish(ledger, tiny.home(ledger)).folder


def test_the_command_writes_both(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    words = ["compare", str(folder), str(folder), "--max-drop", "0.3", "--junit", str(tmp_path / "new" / "j.xml")]
    assert tiny.vit_ablate(*words, "--github") == 0
    suite = ElementTree.parse(tmp_path / "new" / "j.xml").getroot().find("testsuite")
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert int(suite.get("tests")) > 1
    assert "passed" in (tmp_path / "summary.md").read_text()
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert tiny.vit_ablate("compare", str(folder), str(folder), "--github") == 2
    assert "GITHUB_STEP_SUMMARY is not set" in capsys.readouterr().err
