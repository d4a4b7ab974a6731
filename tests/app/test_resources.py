"""Cores and memory from control groups, affinity and Slurm."""

import pytest

from bids_app import resources


@pytest.mark.parametrize(('quota', 'cores'), [('max 100000', 8), ('250000 100000', 2), ('50000 100000', 1)])
def test_cores_follow_cgroup_v2(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(resources.os, 'sched_getaffinity', lambda _: set(range(8)))
    monkeypatch.delenv('SLURM_CPUS_PER_TASK', raising=False)
    (tmp_path / 'cpu.max').write_text(quota)
    assert resources.available_cores(tmp_path) == cores


def test_cores_follow_cgroup_v1_and_slurm(tmp_path, monkeypatch):
    monkeypatch.setattr(resources.os, 'sched_getaffinity', lambda _: set(range(8)))
    (tmp_path / 'cpu').mkdir()
    (tmp_path / 'cpu/cpu.cfs_quota_us').write_text('300000')
    (tmp_path / 'cpu/cpu.cfs_period_us').write_text('100000')
    monkeypatch.delenv('SLURM_CPUS_PER_TASK', raising=False)
    assert resources.available_cores(tmp_path) == 3
    monkeypatch.setenv('SLURM_CPUS_PER_TASK', '2')
    assert resources.available_cores(tmp_path) == 2


def test_memory_is_the_least_limit(tmp_path, monkeypatch):
    monkeypatch.delenv('SLURM_MEM_PER_NODE', raising=False)
    (tmp_path / 'memory.max').write_text(str(2 * 1024**3))
    assert resources.available_memory_gb(tmp_path) == pytest.approx(1.8)
    monkeypatch.setenv('SLURM_MEM_PER_NODE', '1024')
    assert resources.available_memory_gb(tmp_path) == pytest.approx(0.9)
    (tmp_path / 'memory.max').write_text('max')
    monkeypatch.delenv('SLURM_MEM_PER_NODE')
    assert resources.available_memory_gb(tmp_path) > 0.5
