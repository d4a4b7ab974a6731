"""How many cores and how much memory this process may use: affinity, control groups, Slurm."""

import os
from collections.abc import Iterable
from pathlib import Path

CGROUP = Path('/sys/fs/cgroup')


def available_cores(cgroup: Path = CGROUP) -> int:
    """Return the number of cores, the least of affinity, cgroup quota and Slurm's allocation."""
    cores = [len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1]
    for quota, period in (_cpu_quota_v2(cgroup), _cpu_quota_v1(cgroup)):
        if quota > 0 and period > 0:
            cores.append(max(1, quota // period))
    slurm = os.environ.get('SLURM_CPUS_PER_TASK', '')
    return min([*cores, int(slurm)] if slurm.isdigit() else cores)


def available_memory_gb(cgroup: Path = CGROUP) -> float:
    """Return usable memory in GB: the least of the machine, the cgroup and Slurm, times 0.9."""
    pages = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    limits = [float(pages)]
    limits += [
        v for v in _first_integers((cgroup / 'memory.max', cgroup / 'memory/memory.limit_in_bytes')) if v > 0
    ]
    slurm = os.environ.get('SLURM_MEM_PER_NODE', '')
    if slurm.isdigit() and int(slurm) > 0:
        limits.append(int(slurm) * 1024.0**2)
    return 0.9 * min(limits) / 1024**3


def _first_integers(files: Iterable[Path]) -> list[int]:
    values = []
    for file in files:
        try:
            word = file.read_text().split()[0]
        except (OSError, IndexError):
            continue
        if word.lstrip('-').isdigit():  # "max" means no limit
            values.append(int(word))
    return values


def _cpu_quota_v2(cgroup: Path) -> tuple[int, int]:
    try:
        quota, period = (cgroup / 'cpu.max').read_text().split()
        return int(quota), int(period)
    except (OSError, ValueError):
        return -1, -1


def _cpu_quota_v1(cgroup: Path) -> tuple[int, int]:
    values = _first_integers((cgroup / 'cpu/cpu.cfs_quota_us', cgroup / 'cpu/cpu.cfs_period_us'))
    return (values[0], values[1]) if len(values) == 2 else (-1, -1)
