# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Everything a person runs; `nox -l` lists it. One environment with torch serves all sessions but lint.

What a session measures goes to results/NAME, which git ignores; `vit-ablate publish NAME` copies it to
results/published/NAME, which git keeps.
"""

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

OWN_PYTHON = os.environ.get("VIT_ABLATE_PYTHON")
NEEDS_CUDA = """
import sys, torch
if not torch.cuda.is_available():
    sys.exit(f"{sys.executable}: torch {torch.__version__} sees no CUDA device; run this on a machine with one, "
             "or name an interpreter whose torch does: VIT_ABLATE_PYTHON=python3 nox -s gpu")
"""
COMMAND = "import sys; sys.argv[0] = 'vit-ablate'; from studies.cli import main; main()"
"""The program `vit-ablate` where it is not installed."""

ABREAST = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")


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
    """Train the default study, and say how it compares with what was published: ten minutes on two cores.

    With `-- --quick` the same table from less training, in 75 seconds (both on an AMD Zen 4). Everything is
    written to results/<study>/.
    """
    in_env(session, "vit-ablate", "run", "ablations")


@nox.session(requires=["env"], venv_backend="none")
def tests(session: nox.Session) -> None:
    """The whole test suite, a file a process; the benches run in it once each, as tests."""
    in_env(session, "python", "-m", "pytest", *ABREAST)


@nox.session(requires=["env"], venv_backend="none", default=False)
def bench(session: nox.Session) -> None:
    """Time the parts, einops against manual first, and write results/bench-<device>/."""
    in_env(session, "python", "-m", "pytest", "bench", "--benchmark-enable")


@nox.session(requires=["env"], venv_backend="none", default=False)
def chaos(session: nox.Session) -> None:
    """Kill a real study 50 times at random moments, and see that its results stay the same bits; results/chaos/."""
    session.env.setdefault("CHAOS_KILLS", "50")
    in_env(session, "python", "-m", "pytest", "bench/test_chaos.py", "-x", "-s")


@nox.session(requires=["env"], venv_backend="none", default=False)
def calibration(session: nox.Session) -> None:
    """Prove the statistics on simulated studies: error rates, coverage, power; writes results/calibration/."""
    in_env(session, "vit-ablate", "calibrate")


@nox.session(requires=["env"], venv_backend="none", default=False)
def dashboard(session: nox.Session) -> None:
    """Open a study in optuna-dashboard: `-- STUDY`, `-- STUDY --storage URL`; by default the one written to last."""
    in_env(session, "vit-ablate", "dashboard")


@nox.session(requires=[] if OWN_PYTHON else ["env"], venv_backend="none", default=False)
def gpu(session: nox.Session) -> None:
    """Test and measure on this machine's CUDA device: the study `ablations` and its benches; into results/.

    What is typed behind `--` goes to the study. Installs torch by constraints.txt, whose wheel from PyPI brings
    CUDA on Linux. Where torch is there already, or no network, name an interpreter that has the packages of
    pyproject.toml, and nothing is installed: `VIT_ABLATE_PYTHON=python3 nox -s gpu`.
    """
    python = OWN_PYTHON or program(session, "python")
    session.env["PYTHONPATH"] = str(Path(__file__).parent)  # the project need not be installed there
    session.run(python, "-c", NEEDS_CUDA, external=True)
    on_gpu = [str(path) for path in Path("tests").rglob("test_*.py") if "mark.gpu" in path.read_text()]
    session.run(python, "-m", "pytest", "-m", "gpu", *on_gpu, external=True)
    session.run(python, "-c", COMMAND, "run", "ablations", "--device", "cuda", *session.posargs, external=True)
    session.run(python, "-m", "pytest", "bench", "--benchmark-enable", "--device", "cuda", external=True)


@nox.session(default=False)
def peers(session: nox.Session) -> None:
    """Time ours beside timm, vit-pytorch and transformers, and write results/peers-<device>/; its own environment."""
    session.install("-c", "constraints.txt", "-e", ".", *nox.project.dependency_groups(PYPROJECT, "bench", "peers"))
    files = ("bench/test_peer_functions.py", "bench/test_peers.py")
    session.run("python", "-m", "pytest", *files, "--benchmark-enable", *session.posargs)


@nox.session(requires=["env"], venv_backend="none", default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation as a site that asks nobody for anything: docs/_site/index.html."""
    groups = nox.project.dependency_groups(PYPROJECT, "docs")
    pip = (program(session, "python"), "-m", "pip", "install", "-q", "-c", "constraints.txt")
    session.run(*pip, *groups, external=True)
    in_env(session, "python", "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", "docs/_site")


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
