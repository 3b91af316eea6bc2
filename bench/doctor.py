"""What a number was measured with: versions, machine, threads, commit, limits."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from bench.limits import Limits, measure_limits
from bench.machine import (
    capabilities,
    cpu_name,
    gpu_name,
    memory_gib,
    pick_device,
    processor_label,
    system,
    usable_cores,
)

PACKAGES = ("torch", "numpy", "einops", "optuna", "scipy", "pandas", "matplotlib")


def diagnose(device: str = "auto", measure: bool = True) -> list[tuple[str, str]]:
    """Rows (name, value) about this installation and machine.

    Args:
        device: ``"auto"`` takes a GPU where there is one.
        measure: also measure the limits, about 2 s on a CPU and 1 s on a GPU.
    """
    device = pick_device() if device == "auto" else device
    rows = [
        ("vit-ablate", _version("vit-ablate")),
        ("commit", commit()),
        ("python", platform.python_version()),
        *((name, _version(name)) for name in PACKAGES),
        ("system", system()),
        ("cpu", cpu_name()),
        ("capabilities", ", ".join(capabilities()) or "unknown"),
        ("memory", f"{memory_gib()} GiB"),
        ("cores", f"{usable_cores()} usable of {os.cpu_count()}"),
        ("torch threads", f"{torch.get_num_threads()} (OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')})"),
        ("gpu", gpu_name() or "none"),
        ("device used", device),
    ]
    if measure:
        for threads in sorted({1, usable_cores()}) if device == "cpu" else (None,):
            rows += limit_rows(measure_limits(device, threads))
    return rows


def limit_rows(limits: Limits) -> list[tuple[str, str]]:
    """Limits as rows (name, value)."""
    many = "s" if limits.threads > 1 else ""
    where = f", {limits.threads} thread{many}" if limits.device == "cpu" else f", {limits.device}"
    rows = [(f"matrix product {name}{where}", f"{rate:,.0f} GFLOP/s") for name, rate in limits.gemm.items()]
    return [*rows, (f"copy, read + written{where}", f"{limits.copy:,.1f} GB/s")]


def provenance(command: str, device: str) -> dict[str, str]:
    """What belongs under a table of measurements: commit, versions, machine, command, date."""
    return {
        "commit": commit(),
        "versions": f"python {platform.python_version()}, {package_versions('torch', 'numpy', 'einops')}",
        "machine": processor_label(device),
        "threads": str(torch.get_num_threads()),
        "command": command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def package_versions(*packages: str) -> str:
    """For example ``torch 2.13.0, numpy 2.4.6``."""
    return ", ".join(f"{name} {_version(name)}" for name in packages)


def commit() -> str:
    """Short commit, ``+ changes`` when files other than results differ from it, ``unknown`` outside a checkout."""
    root = Path(__file__).parent
    try:
        head = _git(root, "rev-parse", "--short", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)results")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{head} + changes" if changed else head


def _git(root: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=root, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
