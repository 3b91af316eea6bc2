"""What this machine is: processor, cores, memory, system, GPU. No host name."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import torch

CPUINFO = Path("/proc/cpuinfo")
CAPABILITIES = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "asimd", "bf16", "sve")
"""Of a processor, as Linux names them: what decides which kernels torch may choose. The last three are ARM's."""


def machine_facts(device: str) -> dict[str, Any]:
    """``cpu, cores, memory_gib, system``, and ``gpu`` where the device is one; for records, so plain values.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    """
    facts: dict[str, Any] = {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "memory_gib": memory_gib(),
        "system": system(),
    }
    if device.startswith("cuda"):
        facts["gpu"] = gpu_name(device)
    return facts


def processor_label(device: str) -> str:
    """The processor that does the work, for example ``AMD EPYC, 2 cores``, or the GPU's name."""
    return (gpu_name(device) or device) if device.startswith("cuda") else f"{cpu_name()}, {usable_cores()} cores"


def device_label(device: str) -> str:
    """A short name for folders: ``cpu``, ``mps``, or the GPU's model such as ``h100``."""
    if not device.startswith("cuda"):
        return device
    model = re.search(r"\b[A-Z]*\d+[A-Z]*\b", gpu_name(device) or "")
    return model.group().lower() if model else "cuda"


def pick_device() -> str:
    """``cuda`` or ``mps`` where there is one, else ``cpu``."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def gpu_name(device: str = "cuda") -> str | None:
    """The name of a CUDA device, or None where there is none."""
    return torch.cuda.get_device_name(device) if torch.cuda.is_available() else None


def cpu_name() -> str:
    """The processor's model name; one without a number, as virtual machines have it, gets those of its kind.

    ``AMD EPYC`` is a Zen 3, 4 or 5, of which one trains 1.5 times as fast as another, with other bits.
    """
    name = _cpuinfo("model name") or platform.processor() or platform.machine()
    family, model = _cpuinfo("cpu family"), _cpuinfo("model")
    return name if re.search(r"\d", name) or not (family and model) else f"{name} (family {family}, model {model})"


@cache
def capabilities() -> tuple[str, ...]:
    """Those of ``CAPABILITIES`` that this processor has, in that order; none where it cannot be read (not Linux)."""
    flags = (_cpuinfo("flags") or _cpuinfo("Features") or "").split()
    return tuple(name for name in CAPABILITIES if name in flags)


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_gib() -> float:
    """Installed memory in GiB, to one decimal."""
    return float(round(psutil.virtual_memory().total / 2**30, 1))


def memory_gib_of(device: str) -> float:
    """Memory that a model on this device can have: the GPU's own, else the machine's."""
    if device.startswith("cuda"):
        return float(torch.cuda.get_device_properties(torch.device(device)).total_memory / 2**30)
    return memory_gib()


def system() -> str:
    """For example ``Linux x86_64``."""
    return f"{platform.system()} {platform.machine()}"


def _cpuinfo(key: str) -> str | None:
    """The first processor's entry of that name; None where there is none, or no such file."""
    try:
        text = CPUINFO.read_text()
    except OSError:
        return None
    found = re.search(rf"^{key}[ \t]*:[ \t]*(\S.*)$", text, re.MULTILINE)
    return found[1].strip() if found else None
