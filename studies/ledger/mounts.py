"""An embedded storage on a network file system, where SQLite's locks hold on one machine at best.

https://www.sqlite.org/howtocorrupt.html, section 2.1: several machines that write there damage the file.
"""

from __future__ import annotations

from pathlib import Path
from platform import node

from studies.ledger.drivers import GRACE_SECONDS
from studies.ledger.entries import LedgerError
from studies.ledger.ledger import Ledger
from studies.ledger.urls import EXAMPLE, file_of

MOUNTS = Path("/proc/self/mounts")
"""What Linux has mounted where; on other systems nothing is known."""
NETWORK = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
    ]
)


def network_of(path: Path) -> str | None:
    """The type of the network file system that a path lies on, such as ``nfs4``; None on others."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    mounted = {_unescaped(words[1]): words[2] for line in lines if len(words := line.split()) > 2}  # the last one hides
    whole = path.absolute().resolve()
    kind = next((mounted[str(place)] for place in (whole, *whole.parents) if str(place) in mounted), None)
    return kind if kind in NETWORK else None


def guard(ledger: Ledger) -> str | None:
    """What to beware of before a run writes there; None where there is nothing.

    Raises:
        LedgerError: a driver of another machine is writing.
    """
    file = file_of(ledger.url)
    kind = None if file is None else network_of(file)
    if kind is None:
        return None
    instead = f"several machines share a study by --storage {EXAMPLE}"
    others = {
        lease.owner.partition("@")[2]
        for lease in ledger.leases()
        if lease.owner is not None and lease.silence <= GRACE_SECONDS
    } - {node()}
    if others:
        raise LedgerError(
            f"{', '.join(sorted(others))} runs trials of {file}, which is on a network file system ({kind}): two "
            f"machines that write there damage it. Wait until it has ended; {instead}"
        )
    return f"{file} is on a network file system ({kind}): for one machine at a time; {instead}"


def _unescaped(place: str) -> str:
    """Spaces and the like are octal there."""
    return place.encode("utf-8", "surrogateescape").decode("unicode_escape") if "\\" in place else place
