import pytest

import studies.ledger.mounts
import tiny
from studies.ledger.entries import LedgerError
from studies.ledger.folder import ResultsFolder
from studies.ledger.mounts import guard, network_of
from studies.ledger.states import unfinished

(TRIAL,) = tiny.plan({}, seeds=1).trials


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    """The table of mounts, to be written."""
    table = tmp_path / "mounts"
    monkeypatch.setattr(studies.ledger.mounts, "MOUNTS", table)

    def write(*rows):
        table.write_text("".join(f"device {place} {kind} rw 0 0\n" for place, kind in rows))

    return write


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_path_belongs_to_the_mount_that_is_nearest(kind, mounts, tmp_path):
    local, far = tmp_path / "local", tmp_path / "far away"
    mounts(("/", "ext4"), (str(far).replace(" ", "\\040"), kind), (local, "xfs"), (f"{local}/in", kind))
    found = [network_of(path) for path in (tmp_path, far / "x" / "study.db", local / "study.db", local / "in" / "x")]
    assert found == [None, kind, None, kind]


def test_where_nothing_is_known_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(studies.ledger.mounts, "MOUNTS", tmp_path / "none")
    assert network_of(tmp_path) is None


def test_one_machine_is_warned_and_a_second_one_refused(mounts, tmp_path):
    ledger = ResultsFolder(tmp_path / "study").ledger(create=True)
    entry = ledger.enqueue(TRIAL)
    mounts((tmp_path, "ext4"))
    assert guard(ledger) is None
    mounts((tmp_path, "nfs4"))
    other = ResultsFolder(tmp_path / "study").ledger(create=True)
    other.claim(entry)
    said = guard(ledger)  # it is of this machine
    assert "study.db is on a network file system (nfs4): for one machine at a time" in said
    assert "--storage postgresql+psycopg://" in said
    other.interrupt(entry)
    other.owner = "0123@elsewhere"
    other.claim(*unfinished(other))
    with pytest.raises(LedgerError, match=r"elsewhere runs trials of .*\(nfs4\): .*--storage postgresql\+psycopg://"):
        guard(ledger)
