"""The application: its help, a second run with nothing to do, and the start in a large dataset."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from .data import write_skeleton
from .fresh import seconds

_HEAVY = 'import nipype.pipeline.engine, niworkflows.engine.workflows, niworkflows.interfaces.bids'
_FILTERS = {'suffix': 'bold', 'desc': 'preproc', 'task': ['rest']}


def help_page(repeats: int) -> dict[str, float]:
    """Time ``clbpe --help`` and what a program that imports its engine first would take for the import alone."""
    ours = seconds(lambda: _run('-m', 'bids_app', '--help'), repeats)
    theirs = seconds(lambda: _run('-c', _HEAVY), repeats)
    return {'ours': ours, 'theirs': theirs, 'ratio': theirs / ours}


def second_run(folder: Path, voxel: float, n_volumes: int) -> dict[str, float]:
    """Time the participant level on a simulated run, and the same command again."""
    source, out, work = folder / 'fmriprep', folder / 'clbpe', folder / 'work'
    for left in (out, work):  # by an earlier benchmark
        shutil.rmtree(left, ignore_errors=True)
    if not source.exists():
        size = '--voxel-size', str(voxel), '--n-volumes', str(n_volumes)
        _run('-m', 'bids_app.simulated.cli', str(source), '--participants', '1', '--sessions', 'pre', *size)
    places = str(source), str(out), 'participant', '--derivatives', f'fmriprep={source}'
    command = '-m', 'bids_app', *places, '--work-dir', str(work)
    first, again = (seconds(lambda: _run(*command)) for _ in range(2))
    return {'ours': again, 'theirs': first, 'ratio': first / again}


def make_skeleton(root: str, n_participants: int) -> dict[str, Any]:
    """Make the large dataset; its number of files."""
    if not Path(root).exists():
        write_skeleton(Path(root), n_participants)
    return {'files': sum(path.is_file() for path in Path(root).rglob('*'))}


def index_one(root: str) -> dict[str, Any]:
    """Find the runs of one participant as the application does, imports included."""
    from bids_app.scans.images import Images

    found: list[Path] = []
    label = sorted(Path(root).glob('sub-*'))[-1].name.removeprefix('sub-')
    elapsed = seconds(lambda: found.extend(Images().find(Path(root), label, _FILTERS)))
    return {'seconds': elapsed, 'found': sorted(path.name for path in found)}


def index_all(root: str) -> dict[str, Any]:
    """Find the same runs with PyBIDS as its manual shows, imports included."""
    label = sorted(Path(root).glob('sub-*'))[-1].name.removeprefix('sub-')
    found: list[str] = []

    def run() -> None:
        from bids import BIDSLayout

        layout = BIDSLayout(root, validate=False, is_derivative=True, config=['bids', 'derivatives'])
        found.extend(layout.get(subject=label, extension='.nii.gz', return_type='filename', **_FILTERS))

    return {'seconds': seconds(run), 'found': sorted(Path(path).name for path in found)}


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'{" ".join(arguments)}: exit status {done.returncode}\n{done.stderr[-2000:]}')
