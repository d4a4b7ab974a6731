"""A trial at the sizes of real scans, from what preprocessing left to its page, with the full numbers of everything.

Eight people with two visits are analysed, and take as long as they take; 57 take 57 / 8 of it. The group is one of 57 people:
its tables are those of 57, and its maps, matrices and tracts are those of the eight, again and again under other labels.
"""

import csv
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from bids_app.running.manifest import receipts_folder

from .table import Row

N_SCANNED, N_PEOPLE = 8, 57
N_CORES = 2
LONGEST = 2 * 3600.0
"""Seconds that the whole may take on two cores."""

SCANS = '--voxel-size 2 --n-volumes 240 --t-r 2 --dwi-voxel-size 2 --dwi-directions 32 --anatomy-voxel-size 1'
TINY = '--voxel-size 8 --n-volumes 100 --dwi-voxel-size 8 --dwi-directions 12'
_OF_SESSION = re.compile(r'^sub-\w+ | ?\bses-\w+ ?| ?\btask-\w+ ?')


class Ran(NamedTuple):
    """A command: s on the clock, and s of the cores it used."""

    seconds: float
    used: float


def whole_trial(work_dir: Path) -> list[Row]:
    """Analyse the people who have scans, make them a trial of 57, and analyse that."""
    folder = work_dir / 'trial'
    scanned, trial = folder / 'scanned', folder / 'people'
    _simulate(scanned, N_SCANNED, SCANS)
    _simulate(trial, N_PEOPLE, TINY)
    out, many = folder / 'out', folder / 'many'
    for left in (out, many, folder / 'work'):  # by an earlier benchmark
        shutil.rmtree(left, ignore_errors=True)
    prepared = (f'{name}={scanned / "derivatives" / name}' for name in ('fmriprep', 'qsiprep'))
    people = _clbpe(scanned, out, 'participant', '-w', str(folder / 'work'), '-d', *prepared)
    multiply(out, many, N_PEOPLE)
    file = str(trial / 'code' / 'trial.json')
    group = _clbpe(trial, many, 'group', '-w', str(folder / 'work'), '--trial', file)
    return rows(people, group, stages(out), stages(many))


def _simulate(folder: Path, n_people: int, options: str) -> None:
    if not (folder / 'code' / 'trial.json').exists():
        shutil.rmtree(folder, ignore_errors=True)
        words = ['--trial', '--participants', str(n_people), *options.split()]
        _run('bids_app.simulated.cli', str(folder), *words)


def _clbpe(*words: object) -> Ran:
    return _run('bids_app', *map(str, words), '--nprocs', str(N_CORES))


def _run(module: str, *words: str) -> Ran:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, '-m', module, *words], stdout=sys.stderr, check=False)
    if done.returncode:
        raise RuntimeError(f'{module} {" ".join(words)}: exit status {done.returncode}')
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(time.perf_counter() - start, used)


def multiply(out: Path, many: Path, n_people: int) -> None:
    """Give the results of a few to many: person k has those of person k modulo the few, files linked under other names.

    What names a person inside are the receipts, by which the group sees that a run came to its end.
    """
    sources = sorted(path for path in out.glob('sub-*') if path.is_dir())
    many.mkdir(parents=True)
    shutil.copy2(out / 'dataset_description.json', many)
    for shared in out.glob('tpl-*'):
        shutil.copytree(shared, many / shared.name)
    for number in range(n_people):
        source, label = sources[number % len(sources)], f'sub-{number + 1:02d}'
        for path in source.rglob('*'):
            if path.is_file():
                target = many / label / Path(str(path.relative_to(source)).replace(source.name, label))
                target.parent.mkdir(parents=True, exist_ok=True)
                if path.parent == receipts_folder(source):
                    target.write_text(path.read_text().replace(source.name, label))
                else:
                    os.link(path, target)


def stages(out: Path) -> dict[str, float]:
    """Return the seconds of each stage, summed over people and visits: ``logs/resources.tsv`` by the names of steps."""
    took: defaultdict[str, float] = defaultdict(float)
    with (out / 'logs' / 'resources.tsv').open(newline='') as file:
        for row in csv.DictReader(file, delimiter='\t'):
            took[stage_of(row['step'])] += float(row['seconds'])
    return dict(sorted(took.items(), key=lambda stage: -stage[1]))


def stage_of(step: str) -> str:
    """Return the stage that a step is one of.

    >>> stage_of('sub-01 dwi ses-pre: track NAcL-mPFCL'), stage_of('sub-01 ses-pre task-rest connectivity: clean')
    ('dwi: track NAcL-mPFCL', 'connectivity: clean')
    """
    return _OF_SESSION.sub('', _OF_SESSION.sub('', step)).strip(': ')


def rows(people: Ran, group: Ran, of_people: dict[str, float], of_group: dict[str, float]) -> list[Row]:
    """Return the stages that take longest, what is left, and the whole scaled to 57 people."""
    scale = N_PEOPLE / N_SCANNED
    table = [_stage(f'participants, {name}', scale * took, '') for name, took in list(of_people.items())[:10]]
    table += [_stage(f'group, {name}', took, '') for name, took in list(of_group.items())[:6]]
    both = (('participants', people, scale), ('group and page', group, 1))
    for name, ran, times in both:
        busy = f'{times * ran.used / N_CORES / 60:.0f} min if both cores were ours alone'
        table.append(_stage(f'{name}, all of it on the clock', times * ran.seconds * N_CORES, busy))
    total = sum(times * ran.used for _, ran, times in both) / N_CORES
    clock = sum(times * ran.seconds for _, ran, times in both)
    told = f'{clock / 60:.0f} min on the clock', f'{total / 60:.0f} min of two cores'
    # other programs that run here take from the clock, not from the cores
    return [
        *table,
        Row(f'{N_PEOPLE} people with two visits', *told, '', 'under 2 hours of two cores', total < LONGEST),
    ]


def _stage(name: str, seconds: float, instead: str) -> Row:
    return Row(name, f'{seconds / N_CORES / 60:.1f} min', instead, '', 'reported', True)
