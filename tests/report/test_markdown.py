import pandas as pd
import pytest

from studies.report.markdown import code, escaped, key_values, markdown, prose


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a|b", r"a\|b"),
        ("<script>", r"\<script>"),
        ("< 0.001", "< 0.001"),
        ("a&b &lt;", r"a&b \&lt;"),
        ("patch_size", "patch_size"),
        ("_x_", r"\_x\_"),
        ("`x`", r"\`x\`"),
        ("*x* [y](z) $1 ~2~", r"\*x\* \[y](z) \$1 \~2\~"),
        ("back\\slash", r"back\\slash"),
        ("two\nlines", "two lines"),
    ],
)
def test_nothing_is_read_as_markup(text, safe):
    assert escaped(text) == safe


@pytest.mark.parametrize(("text", "span"), [("a|b", "`a|b`"), ("a`b", "``a`b``"), ("`a", "`` `a ``")])
def test_code_is_fenced_by_more_than_it_holds(text, span):
    assert code(text) == span


def test_a_table_aligns_numbers_and_marks_the_baseline():
    frame = pd.DataFrame({"cell": ["a|b", "c"], "n": [5, 10], "baseline": [True, False]})
    lines = markdown(frame, mark_baseline=True).splitlines()
    assert lines[2].startswith(r"| **a\|b** (baseline) |")
    left, right = lines[1].strip("|").split("|")[:2]
    assert left.startswith(":")
    assert right.endswith(":")


def test_a_table_without_rows_has_its_headings():
    assert "| cell" in markdown(pd.DataFrame({"cell": [], "n": []}))


def test_a_command_is_code_and_facts_are_escaped():
    assert key_values({"command": "run *", "batch_size": "<b>"}) == "- command: `run *`\n- batch size: \\<b>"


def test_names_in_sentences_are_code_and_the_rest_is_text():
    assert prose("`a|<b>` is *best* of <i>") == r"`a|<b>` is \*best\* of \<i>"
    assert prose("a name with ` in it: <i>") == r"a name with \` in it: \<i>"
