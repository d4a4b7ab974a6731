"""How many cores and how much memory this process may use: affinity, control groups, Slurm."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipelines.access import container_type
from pipelines.errors import StoppedError

CGROUP = Path('/sys/fs/cgroup')
OWN = Path('/proc/self/cgroup')
_USABLE = 0.9
"""Part of the memory that steps may plan with; the program itself needs some."""

_LEAST_GB = 0.25
"""What the program alone needs, on the smallest data; with less the kernel ends it in the middle, and it can say nothing."""


def available_cores(cgroup: Path = CGROUP, own: Path = OWN) -> int:
    """Return the number of cores: the least of affinity, control groups and Slurm's allocation."""
    cores = [len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1]
    for folder in _folders(cgroup, own, 'cpu'):
        quota = _integers(folder / 'cpu.max') or [
            *_integers(folder / 'cpu.cfs_quota_us'), *_integers(folder / 'cpu.cfs_period_us'),
        ]  # fmt: skip
        if len(quota) == 2 and min(quota) > 0:
            cores.append(max(1, quota[0] // quota[1]))
    return min([*cores, *_slurm_cores()])


def available_memory_gb(cgroup: Path = CGROUP, own: Path = OWN) -> float:
    """Return usable memory in GB: the least of the machine, control groups and Slurm, times 0.9."""
    limits = [float(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'))]
    for folder in _folders(cgroup, own, 'memory'):
        limits += [
            value
            for name in ('memory.max', 'memory.high', 'memory.limit_in_bytes')
            for value in _integers(folder / name)
            if value > 0
        ]
    return _USABLE * min([*limits, *_slurm_bytes()]) / 1024**3


def check_memory() -> None:
    """Refuse to begin where there is too little memory for anything.

    Raises
    ------
    StoppedError
        Says how much there is, and how to get more.

    """
    given = available_memory_gb() / _USABLE
    if given < _LEAST_GB:
        raise StoppedError(
            f'there are {given:.2f} GB of memory, and the program alone needs {_LEAST_GB} GB. {more_memory()}'
        )


def _folders(cgroup: Path, own: Path, controller: str) -> Iterator[Path]:
    """Yield the control groups this process is in, for versions 1 and 2, from its own up to the root.

    A batch system limits a group far below the root; a container may show its own group as the root,
    and then the path of the host is not there.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    paths = dict.fromkeys(('', controller), '/')
    for line in lines:
        _, controllers, path = line.split(':', 2)
        paths |= {name: path for name in controllers.split(',') if name in paths}
    for root, path in ((cgroup, paths['']), (cgroup / controller, paths[controller])):
        group = root / path.strip('/')
        while group != root:
            yield group
            group = group.parent
        yield root


def _integers(file: Path) -> list[int]:
    """Return the numbers in a file; none when it is absent or says "max", which means no limit."""
    try:
        words = file.read_text().split()
    except OSError:
        return []
    return [int(word) for word in words] if all(re.fullmatch(r'-?\d+', word) for word in words) else []


def _slurm_cores() -> list[int]:
    """Return Slurm's cores for a task, or for the job on this machine when tasks have no number."""
    for name in ('SLURM_CPUS_PER_TASK', 'SLURM_CPUS_ON_NODE'):
        if _variable(name):
            return [_variable(name)]
    return []


def _slurm_bytes() -> list[float]:
    """Return the memory Slurm grants on this machine, asked for per machine or per core."""
    per_node, per_core = _variable('SLURM_MEM_PER_NODE'), _variable('SLURM_MEM_PER_CPU')
    cores = _variable('SLURM_CPUS_ON_NODE') or (_slurm_cores() or [1])[0]
    return [megabytes * 1024.0**2 for megabytes in (per_node, per_core * cores) if megabytes]


def _variable(name: str) -> int:
    """Return a whole number of the environment, 0 when it is absent; Slurm writes 0 for "all"."""
    text = os.environ.get(name, '')
    return int(text) if text.isdigit() else 0


def more_memory() -> str:
    """Return how this process gets more memory, or needs less."""
    less = 'Run fewer steps at a time (--nprocs, --low-mem)'
    if _variable('SLURM_JOB_ID'):
        return f'{less}, or ask Slurm for more (sbatch --mem=16G).'
    if container_type() in ('docker', 'podman'):
        return f'{less}, or give the container more (docker run --memory).'
    return f'{less}, or use a machine with more.'
