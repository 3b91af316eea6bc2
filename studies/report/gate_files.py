"""A gate's answer as a CI system reads it: JUnit XML, and Markdown for a job's summary."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from studies.findings.gate import Checked, Gate, Outcome
from studies.report.markdown import escaped, prose

TAGS: dict[Outcome, str] = {"failed": "failure", "cannot judge": "error"}
SYMBOLS: dict[Outcome, str] = {"passed": "✅", "failed": "❌", "cannot judge": "❔"}
NOT_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


def junit(gate: Gate, title: str) -> str:
    """A test suite with one case an arm; what cannot be judged is an error, which no CI system takes for success."""
    counts = {"tests": len(gate.checked), "failures": len(gate.those("failed"))}
    counts["errors"] = len(gate.those("cannot judge"))
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _clean(title), **_texts(counts), "skipped": "0"})
    for one in gate.checked:
        case = ElementTree.SubElement(suite, "testcase", {"classname": _clean(title), "name": _clean(one.arm)})
        if one.outcome in TAGS:
            facts = {"message": _clean(one.why), "type": one.outcome}
            ElementTree.SubElement(case, TAGS[one.outcome], facts).text = _clean(one.why)
        else:
            ElementTree.SubElement(case, "system-out").text = _clean(one.why)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def summary(gate: Gate, title: str, lines: list[str]) -> str:
    """Markdown: the outcome, every arm that did not pass, what changed between the runs; the rest folded."""
    parts = [f"## {SYMBOLS[gate.outcome]} {prose(title)}: {gate.outcome}"]
    rest = [one for one in gate.checked if one.outcome == "passed"]
    shown = [one for one in gate.checked if one.outcome != "passed"]
    parts += [_table(shown)] if shown else []
    if rest:
        parts.append(f"<details><summary>{len(rest)} of {len(gate.checked)} arms passed</summary>\n\n{_table(rest)}")
        parts.append("</details>")
    return "\n\n".join([*parts, *(f"- {prose(line)}" for line in lines)]) + "\n"


def _table(checked: list[Checked]) -> str:
    rows = [f"| {SYMBOLS[one.outcome]} | {escaped(one.arm)} | {escaped(one.why)} |" for one in checked]
    return "\n".join(["| | arm | B instead of A |", "| --- | --- | --- |", *rows])


def _texts(counts: dict[str, int]) -> dict[str, str]:
    return {name: str(count) for name, count in counts.items()}


def _clean(text: str) -> str:
    return NOT_XML.sub("�", text)
