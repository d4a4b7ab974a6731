"""Disks of 2 and 4 MB for results and for the work folder: one message that says which disk, then the same files."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..checks import Collector, Context, met
from .chain import (
    Chain,
    Undisturbed,
    derivatives,
    fill,
    group,
    place_of,
    problem_of,
    run,
    undisturbed,
)  # fmt: skip
from .limits import problem_of_message
from .record import Tally, record

SIZES = (2, 4)
"""MB; that of results has room for what the chain stands on beside it."""

ENDS = {'out': (73, 'the disk of the output folder'), 'work': (75, 'disk')}
"""Status and words by the folder whose disk is full; the work folder is told by several messages."""


def disks(context: Context) -> Collector:
    """Full disks of 2 and 4 MB, for results and for the work folder, of participant and group."""
    checks = met('disks')
    if os.geteuid() or not shutil.which('mount'):
        checks.note('disks of 2 and 4 MB', 'only root can make a disk', True)
        return checks
    tallies = [Tally(f'full disk of {size} MB') for size in SIZES]
    # scans of the scanner go through the same folders as those of other programs
    for make in (derivatives,) if context.sloppy else (derivatives, group):
        folder = context.out / 'disks' / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        chain = make(folder)
        expected = undisturbed(chain, folder)
        for size, tally in zip(SIZES, tallies, strict=True):
            for which in ENDS:
                tally.note(_strike(chain, expected, folder, (which, size)), f'{which}, {chain.name}')
    record(context, checks, tallies)
    return checks


def _strike(chain: Chain, expected: Undisturbed, folder: Path, tried: tuple[str, int]) -> str:
    """Run with a small disk, then with the same one made larger."""
    which, size = tried
    place = place_of(folder / 'full', chain)
    path = place.out if which == 'out' else place.work
    with disk(path, size + held(path)):
        if which == 'out':
            fill(place, chain)
        status, words = ENDS[which]
        ended = run(chain, place)
        problem = problem_of_message(ended, status, (words,))
        subprocess.run(['mount', '-o', 'remount,size=2g', path], check=True)
        if ended.status:
            problem = problem or problem_of(run(chain, place), place, expected.results)
        return problem


def held(folder: Path) -> int:
    """Return what a folder holds on a disk of pages of 4 kB, in MB, rounded up."""
    pages = sum(path.stat().st_size // 4096 + 1 for path in folder.rglob('*'))
    return pages // 256 + 1 if pages else 0


@contextmanager
def disk(path: Path, size: int) -> Iterator[None]:
    """Put an empty disk of a size (MB) in place of a folder."""
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}m,mode=755', 'tmpfs', path], check=True)
    try:
        yield
    finally:
        subprocess.run(['umount', path], check=True)
