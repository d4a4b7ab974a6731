"""Cores and memory from control groups, affinity and Slurm."""

import os

import pytest

from bids_app import cli
from bids_app.running import resources
from pipelines.errors import StoppedError

GB = 1024**3
SLURM = ('SLURM_CPUS_PER_TASK', 'SLURM_CPUS_ON_NODE', 'SLURM_MEM_PER_NODE', 'SLURM_MEM_PER_CPU')


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of eight cores and 64 GB outside of any batch system."""
    monkeypatch.setattr(resources.os, 'sched_getaffinity', lambda _: set(range(8)))
    monkeypatch.setattr(resources.os, 'sysconf', lambda name: 4096 if 'SIZE' in name else 64 * GB // 4096)
    for name in SLURM:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def own(tmp_path):
    """Return a function that writes the list of control groups of this process."""

    def write(text):
        path = tmp_path / 'own'
        path.write_text(text)
        return path

    return write


def limit(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace('__', '.')).write_text(f'{text}\n')


@pytest.mark.parametrize(('quota', 'cores'), [('max 100000', 8), ('250000 100000', 2), ('50000 100000', 1)])
def test_cores_follow_version_2(tmp_path, own, quota, cores):
    limit(tmp_path, cpu__max=quota)
    assert resources.available_cores(tmp_path, own('0::/\n')) == cores


@pytest.mark.parametrize(('quota', 'cores'), [('-1', 8), ('300000', 3)])
def test_cores_follow_version_1(tmp_path, own, quota, cores):
    limit(tmp_path / 'cpu', cpu__cfs_quota_us=quota, cpu__cfs_period_us=100000)
    assert resources.available_cores(tmp_path, own('1:cpu,cpuacct:/docker/ab\n0::/\n')) == cores


def test_limits_of_all_groups_above_count_in_version_2(tmp_path, own):
    """A job's limit stands at the job, its process is in a step below; the root has no limit."""
    listed = own('0::/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0\n')
    job = tmp_path / 'system.slice/slurmstepd.scope/job_7'
    limit(tmp_path, cgroup__procs='')
    limit(job, memory__max=3 * GB, cpu__max='max 100000')
    limit(job / 'step_batch/user', memory__max='max', cpu__max='200000 100000')
    assert resources.available_memory_gb(tmp_path, listed) == pytest.approx(2.7)
    assert resources.available_cores(tmp_path, listed) == 2
    (job / 'memory.high').write_text(str(2 * GB))
    assert resources.available_memory_gb(tmp_path, listed) == pytest.approx(1.8)


def test_limits_of_all_groups_above_count_in_version_1(tmp_path, own):
    listed = own('4:memory:/slurm/uid_5/job_7/step_batch\n1:cpu:/other\n0::/\n')
    job = tmp_path / 'memory/slurm/uid_5/job_7'
    limit(tmp_path / 'memory', memory__limit_in_bytes=2**63 - 4096)  # what the root shows
    limit(job, memory__limit_in_bytes=4 * GB)
    limit(job / 'step_batch', memory__limit_in_bytes=2**63 - 4096)
    limit(tmp_path / 'cpu', cpu__cfs_quota_us=-1, cpu__cfs_period_us=100000)
    limit(tmp_path / 'cpu/other', cpu__cfs_quota_us=450000, cpu__cfs_period_us=100000)
    assert resources.available_memory_gb(tmp_path, listed) == pytest.approx(3.6)
    assert resources.available_cores(tmp_path, listed) == 4


def test_a_container_that_shows_its_own_group_as_the_root(tmp_path, own):
    limit(tmp_path / 'memory', memory__limit_in_bytes=2 * GB)
    listed = own('4:memory:/docker/0123\n0::/docker/0123\n')
    assert resources.available_memory_gb(tmp_path, listed) == pytest.approx(1.8)


def test_nothing_is_limited_without_groups(tmp_path):
    assert resources.available_memory_gb(tmp_path, tmp_path / 'absent') == pytest.approx(0.9 * 64)
    assert resources.available_cores(tmp_path, tmp_path / 'absent') == 8


@pytest.mark.parametrize(
    ('variables', 'cores', 'memory'),
    [
        ({'SLURM_CPUS_PER_TASK': '2', 'SLURM_CPUS_ON_NODE': '6', 'SLURM_MEM_PER_NODE': '1024'}, 2, 1),
        ({'SLURM_CPUS_ON_NODE': '6', 'SLURM_MEM_PER_CPU': '512'}, 6, 3),
        ({'SLURM_CPUS_PER_TASK': '3', 'SLURM_MEM_PER_CPU': '1024'}, 3, 3),
        ({'SLURM_CPUS_ON_NODE': '16', 'SLURM_MEM_PER_NODE': '0'}, 8, 64),  # 0: all there is
        ({'SLURM_CPUS_PER_TASK': '', 'SLURM_MEM_PER_NODE': '8G'}, 8, 64),  # not as Slurm writes it
    ],
)
def test_cores_and_memory_follow_slurm(tmp_path, monkeypatch, variables, cores, memory):
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert resources.available_cores(tmp_path, tmp_path / 'absent') == cores
    assert resources.available_memory_gb(tmp_path, tmp_path / 'absent') == pytest.approx(0.9 * memory)


def test_this_machine_has_something(monkeypatch):
    monkeypatch.undo()
    assert 1 <= resources.available_cores() <= os.cpu_count()
    assert resources.available_memory_gb() > 0.1


@pytest.mark.parametrize(('megabytes', 'is_refused'), [(120, True), (240, True), (300, False)])
def test_what_is_too_little_for_anything_is_refused_at_once(monkeypatch, megabytes, is_refused):
    monkeypatch.setenv('SLURM_JOB_ID', '7')
    monkeypatch.setattr(resources, 'available_memory_gb', lambda: 0.9 * megabytes / 1024)
    if not is_refused:
        resources.check_memory()
        return
    with pytest.raises(
        StoppedError,
        match=r'0\.[12]\d GB of memory, and the program alone needs 0\.25 GB\. .*sbatch --mem=16G',
    ):
        resources.check_memory()


def test_the_program_begins_with_it(monkeypatch, tmp_path, capsys):
    (tmp_path / 'bids').mkdir()
    monkeypatch.setattr(resources, 'available_memory_gb', lambda: 0.1)
    assert cli.main([str(tmp_path / 'bids'), str(tmp_path / 'out'), 'participant']) == StoppedError.exit_code
    assert 'the program alone needs' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
