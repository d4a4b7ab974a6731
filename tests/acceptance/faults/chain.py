"""Chains that faults strike: how each is started, and what it writes when nobody disturbs it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bids_app.simulated.cli import main as simulate
from tests.app.trial_data import write_expression, write_trial
from tests.sums import checksums

from ..checks import REPOSITORY
from ..interrupted import Ended, wait

TOLD = ('report.html', 'results.json')
"""Files of the group that tell the command and the time."""


class Chain(NamedTuple):
    """A run of small data: ``words`` with ``{data}``, and the results of before that it stands on."""

    name: str
    data: Path
    words: tuple[str, ...]
    before: Path | None = None


class Place(NamedTuple):
    """Folders that one run, and those that resume it, write to."""

    out: Path
    work: Path


def place_of(folder: Path, chain: Chain) -> Place:
    """Return empty folders, the output with what the chain stands on."""
    shutil.rmtree(folder, ignore_errors=True)
    place = Place(folder / 'out', folder / 'work')
    place.out.mkdir(parents=True)
    place.work.mkdir()
    fill(place, chain)
    return place


def fill(place: Place, chain: Chain) -> None:
    """Put the results of before into the output folder."""
    if chain.before:
        shutil.copytree(chain.before, place.out, dirs_exist_ok=True)


def command_of(chain: Chain, place: Place) -> list[str]:
    """Return the command line of a chain, one step at a time."""
    filled = [word.format(data=chain.data) for word in chain.words]
    fixed = ['-w', str(place.work), '--sloppy', '--nprocs', '1']
    return [sys.executable, '-m', 'bids_app', str(chain.data), str(place.out), *filled, *fixed]


def begin(command: Sequence[str]) -> 'subprocess.Popen[str]':
    """Start a command as the first of a group of processes, so that all of it can be killed."""
    return subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )  # fmt: skip


def run(chain: Chain, place: Place, *before: str) -> Ended:
    """Run to the end, with the words of a shell before the command (a limit, a namespace)."""
    return wait(begin([*before, *command_of(chain, place)]))


def strike(process: 'subprocess.Popen[str]', *, is_whole: bool) -> None:
    """Kill the program, or all its processes, without a word."""
    with suppress(ProcessLookupError):  # it may end in this moment
        (os.killpg if is_whole else os.kill)(process.pid, signal.SIGKILL)
    wait(process)


def results(out: Path) -> dict[str, str]:
    """Return the checksums of what a run writes, but for records and what tells a command or the time."""
    kinds = ('.tsv', '.gz', '.json', '.trk', '.svg')
    folders = [*out.glob('sub-*'), *out.glob('tpl-*'), out / 'group']
    paths = [path for folder in folders if folder.is_dir() for path in folder.rglob('*')]
    is_result = [
        p.suffix in kinds and 'log' not in p.relative_to(out).parts and p.name not in TOLD for p in paths
    ]
    return checksums(out, [path for path, kept in zip(paths, is_result, strict=True) if kept])


class Undisturbed(NamedTuple):
    """What a chain writes when nothing strikes it, and how long that takes here."""

    results: dict[str, str]
    seconds: float


def undisturbed(chain: Chain, folder: Path) -> Undisturbed:
    """Run a chain once."""
    place, start = place_of(folder / 'undisturbed', chain), time.monotonic()
    ended = run(chain, place)
    found = Undisturbed(results(place.out), time.monotonic() - start)
    if ended.status:
        raise RuntimeError(f'{chain.name} ends with {ended.status}: {ended.text[-500:]}')
    print(f'{chain.name}: {len(found.results)} files in {found.seconds:.0f} s', flush=True)
    return found


def problem_of(ended: Ended, place: Place, expected: dict[str, str]) -> str:
    """Return why a run that should be complete is not, or nothing."""
    if ended.status:
        return f'status {ended.status}: {last_line(ended.text)}'
    found = results(place.out)
    other = sorted(name for name in {**expected, **found} if expected.get(name) != found.get(name))
    drafts = sorted(path.name for path in place.out.rglob('.*.draft'))
    return f'{len(other)} files differ ({other[0]})' if other else f'{drafts[0]} is left' if drafts else ''


def last_line(text: str) -> str:
    """Return the last thing that was said."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), 'nothing said')


def derivatives(folder: Path) -> Chain:
    """One session of BOLD and of diffusion, as fMRIPrep and QSIPrep leave them, 4 mm."""
    person = ['--participants', '1', '--sessions', 'pre']
    bold = ['--n-volumes', '150', '--voxel-size', '4']
    dwi = ['--layout', 'qsiprep', '--dwi-voxel-size', '4', '--dwi-directions', '15']
    _written(folder / 'fmriprep', *person, *bold)
    _written(folder / 'qsiprep', *person, *dwi)
    given = ('-d', 'fmriprep={data}', f'qsiprep={folder / "qsiprep"}')
    return Chain('participant, from derivatives', folder / 'fmriprep', ('participant', *given))


def raw(folder: Path) -> Chain:
    """T1w and BOLD of one session as the scanner wrote them, BOLD of 4 mm."""
    words = ['--participants', '1', '--sessions', 'pre', '--layout', 'raw', '--modalities', 'bold']
    _written(folder / 'raw', *words, '--n-volumes', '60', '--voxel-size', '4')
    # few volumes: registrations are what takes the time
    return Chain(
        'participant, from raw scans',
        folder / 'raw',
        ('participant', '--denoising', 'none', '--low-pass', '0'),
    )


def group(folder: Path) -> Chain:
    """Twelve people with maps, tables, blood and gene counts."""
    shutil.rmtree(folder / 'trial', ignore_errors=True)
    bids, out = write_trial(folder / 'trial', n=12, seeds=['NAc'])
    write_expression(bids).rename(bids / 'sets.gmt')
    return Chain(
        'group, with voxel-wise tests and gene expression',
        bids,
        ('group', '--gene-sets', '{data}/sets.gmt'),
        out,
    )


CHAINS: tuple[Callable[[Path], Chain], ...] = (derivatives, group, raw)


def _written(folder: Path, *words: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if simulate([str(folder), *words]):
        raise RuntimeError(f'{folder} was not written')
