from pathlib import Path

import pytest

from studies.trial.traces import LONGEST, trace_of, without_secrets


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


def test_a_traceback_names_the_place_in_the_repository_and_the_causes():
    text = trace_of(raised(ValueError("the second"), raised(KeyError("the first"))))
    assert text.index("KeyError: 'the first'") < text.index("direct cause") < text.index("ValueError: the second")
    assert f'File "{Path("tests/trial/test_traces.py")}", line' in text


def test_home_is_not_told(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    assert "no file ~/images/3.png" in trace_of(raised(OSError("no file /home/ada/images/3.png")))


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://me:hunter2@host/db is away",
        "password=hunter2 host=h",
        "{'password': 'hunter2'}",
        "PGPASSWORD=hunter2 psql",
        "API_KEY: hunter2",
        "it says hunter2-of-the-environment",
    ],
)
def test_secrets_are_masked(monkeypatch, text):
    monkeypatch.setenv("PGPASSWORD", "hunter2-of-the-environment")
    assert "hunter2" not in without_secrets(text)
    assert "***" in without_secrets(text)


def test_what_is_no_secret_stays():
    text = "class_token=True, tokens = chunk(images)  # (b, n, c)"
    assert without_secrets(text) == text


def test_a_long_one_keeps_begin_and_end():
    text = trace_of(raised(ValueError("x" * 3 * LONGEST + " the end")))
    assert text.startswith("Traceback")
    assert text.rstrip().endswith("the end")
    assert len(text) < LONGEST + 100
