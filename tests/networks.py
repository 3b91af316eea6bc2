"""Two machines and the cable between them, as network namespaces of this one; for root on Linux."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

NETWORK = "10.213.77"


@dataclass(frozen=True)
class Machines:
    """``here`` and ``there``, with an address each; nothing else is in their network."""

    here: str
    there: str
    here_address: str = f"{NETWORK}.1"
    there_address: str = f"{NETWORK}.2"

    def start(self, where: str, *words: str, **options: Any) -> subprocess.Popen[Any]:
        """A program on one of them, at the head of a process group."""
        return subprocess.Popen(["ip", "netns", "exec", where, *words], start_new_session=True, **options)

    def cut(self) -> None:
        """What is sent from here is lost without a word; there, the card says that it has no link."""
        _ip("-n", self.there, "link", "set", "cable", "down")

    def mend(self) -> None:
        _ip("-n", self.there, "link", "set", "cable", "up")


@contextmanager
def two_machines() -> Iterator[Machines]:
    """For as long as this lasts; the test is skipped, with the reason, where they cannot be had."""
    if shutil.which("ip") is None:
        pytest.skip("no `ip` here (Debian: apt-get install iproute2)")
    name = uuid4().hex[:8]
    made = Machines(f"vit-here-{name}", f"vit-there-{name}")
    try:
        try:
            for machine in (made.here, made.there):
                _ip("netns", "add", machine)
                _ip("-n", machine, "link", "set", "lo", "up")
            _ip("-n", made.here, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", made.there)
            for machine, address in ((made.here, made.here_address), (made.there, made.there_address)):
                _ip("-n", machine, "address", "add", f"{address}/24", "dev", "cable")
                _ip("-n", machine, "link", "set", "cable", "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        yield made
    finally:
        for machine in (made.here, made.there):
            subprocess.run(["ip", "netns", "delete", machine], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
