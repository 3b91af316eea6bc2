# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Everything a person runs; `nox -l` lists it. One environment with torch serves all sessions but lint."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
INPUTS = ("pyproject.toml", "constraints.txt")


def program(session: nox.Session, name: str) -> str:
    """Path of a program in the environment made by the session `env`."""
    folder = "Scripts" if os.name == "nt" else "bin"
    return str(session.cache_dir.parent / "env" / folder / name)


def in_env(session: nox.Session, name: str, *arguments: str) -> None:
    """Run a program of that environment, with what the person typed behind `--`."""
    session.run(program(session, name), *arguments, *session.posargs, external=True)


@nox.session(default=False)
def env(session: nox.Session) -> None:
    """Make the environment: the project, torch, and what tests, types and benches need."""
    stamp = Path(session.virtualenv.location) / "installed.sha256"
    wanted = hashlib.sha256(b"".join(Path(name).read_bytes() for name in INPUTS)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        session.log("up to date")
        return
    groups = nox.project.dependency_groups(PYPROJECT, "test", "types", "bench")
    session.install("-c", "constraints.txt", "-e", ".", *groups)
    stamp.write_text(wanted)


@nox.session(requires=["env"], venv_backend="none", default=False)
def ablations(session: nox.Session) -> None:
    """Train the default study and write its tables: about ten minutes on two cores (-- --quick: a minute)."""
    in_env(session, "vit-ablate", "run", "ablations")


@nox.session(requires=["env"], venv_backend="none")
def tests(session: nox.Session) -> None:
    """The whole test suite; the benches run in it once each, as tests."""
    in_env(session, "python", "-m", "pytest")


@nox.session(requires=["env"], venv_backend="none", default=False)
def bench(session: nox.Session) -> None:
    """Time the parts, einops against manual first, and write results/bench-<device>/."""
    in_env(session, "python", "-m", "pytest", "bench", "--benchmark-enable")


@nox.session(requires=["env"], venv_backend="none", default=False)
def calibration(session: nox.Session) -> None:
    """Prove the statistics on simulated studies: error rates, coverage, power; writes results/calibration/."""
    in_env(session, "vit-ablate", "calibrate")


@nox.session(default=False)
def peers(session: nox.Session) -> None:
    """Time ours beside timm, vit-pytorch and transformers, and write results/peers-<device>/; its own environment."""
    session.install("-c", "constraints.txt", "-e", ".", *nox.project.dependency_groups(PYPROJECT, "bench", "peers"))
    session.run("python", "-m", "pytest", "bench/test_peers.py", "--benchmark-enable", *session.posargs)


@nox.session(requires=["env"], venv_backend="none")
def types(session: nox.Session) -> None:
    """mypy, strict, on vit and studies."""
    in_env(session, "python", "-m", "mypy")


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: rules and format."""
    session.install("-c", "constraints.txt", *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
