import json
import platform

import pytest

from bench import machine
from bench.machine import (
    capabilities,
    cpu_name,
    device_label,
    gpu_name,
    machine_facts,
    processor_label,
    usable_cores,
)

INTEL = """processor\t: 0
model name\t: Abacus 3000
flags\t\t: fpu avx2 avx512f amx_bf16_not amx_tile avx512_bf16

processor\t: 1
model name\t: another
flags\t\t: amx_bf16
"""
ARM = "processor\t: 0\nBogoMIPS\t: 100.00\nFeatures\t: fp asimd bf16 sve\n"


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    """Writes what Linux would say of the processor."""
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    capabilities.cache_clear()
    yield (tmp_path / "cpuinfo").write_text
    capabilities.cache_clear()


def test_the_first_processor_is_read(cpuinfo):
    cpuinfo(INTEL)
    assert cpu_name() == "Abacus 3000"
    assert capabilities() == ("avx2", "avx512f", "avx512_bf16")


def test_a_name_that_several_processors_bear_gets_numbers(cpuinfo):
    numbers = "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: "
    cpuinfo(f"{numbers}AMD EPYC\n")
    assert cpu_name() == "AMD EPYC (family 25, model 17)"
    cpuinfo(f"{numbers}AMD EPYC 9R14\n")
    assert cpu_name() == "AMD EPYC 9R14"


def test_arm_has_features_and_no_model_name(cpuinfo):
    cpuinfo(ARM)
    assert cpu_name() == (platform.processor() or platform.machine())
    assert capabilities() == ("asimd", "bf16", "sve")


def test_without_the_file_nothing_is_claimed(cpuinfo):
    assert capabilities() == ()
    assert cpu_name()


def test_facts_are_plain_and_name_no_host():
    facts = machine_facts("cpu")
    assert json.loads(json.dumps(facts)) == facts
    assert set(facts) == {"cpu", "cores", "memory_gib", "system"}
    assert facts["cores"] == usable_cores() >= 1
    assert 0 < facts["memory_gib"] < 10_000
    assert platform.node() not in facts.values()


def test_a_gpu_is_a_fact_of_its_device_alone(monkeypatch):
    monkeypatch.setattr(machine, "gpu_name", lambda device: f"Abacus on {device}")
    assert machine_facts("cuda:1")["gpu"] == "Abacus on cuda:1"
    assert processor_label("cuda:1") == "Abacus on cuda:1"
    assert processor_label("cpu") == f"{cpu_name()}, {usable_cores()} cores"


def test_no_gpu_has_no_name(monkeypatch):
    monkeypatch.setattr(machine.torch.cuda, "is_available", lambda: False)
    assert gpu_name() is None
    assert processor_label("cuda") == "cuda"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("Tesla T4", "t4"),
        ("Graphics", "cuda"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
    ],
)
def test_a_folder_is_named_after_the_gpu(monkeypatch, name, label):
    monkeypatch.setattr(machine, "gpu_name", lambda device: name)
    assert device_label("cuda") == label
    assert device_label("cpu") == "cpu"
