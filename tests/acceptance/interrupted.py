"""Runs that are killed, and runs side by side: nothing is lost, mixed or hung."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from bids_app.running.manifest import read_receipts
from bids_app.simulated.cli import main as simulate
from tests.sums import checksums

from .checks import REPOSITORY, Collector, Context, met, validator_errors

N_PEOPLE = 8
_LIMIT = 900.0  # s after which a run hangs
DIE_AT_RENAME = """
import os, signal, sys
main, wanted, replace = os.getpid(), int(sys.argv.pop(1)), os.replace
count = os.environ['CLBPE_RENAMES']
def die(source, target, **more):
    with open(count, 'a') as file:
        file.write('.')
    if os.path.getsize(count) == wanted:
        os.kill(main, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target, **more)
os.replace = die
from bids_app.cli import main as run
sys.exit(run())
"""
"""A program that dies just before one of its files takes its place; workers are forked from it."""


class Ended(NamedTuple):
    """How a process ended."""

    status: int
    text: str


class Trial(NamedTuple):
    """A simulated trial whose results lie in ``out``."""

    data: Path
    out: Path
    work: Path

    def words(self, level: str, *more: str, out: Path | None = None, work: Path | None = None) -> list[str]:
        """Return the words behind the name of the program."""
        given = ['-d', f'fmriprep={self.data / "derivatives" / "fmriprep"}'] if level == 'participant' else []
        fixed = [
            '-w',
            str(work or self.work),
            '--sloppy',
            '--nprocs',
            '2',
            '--skip',
            'diffusion',
            'voxelwise',
        ]
        return [str(self.data), str(out or self.out), level, *given, *fixed, *more]

    def run(self, level: str, *more: str, work: Path | None = None) -> Ended:
        """Run to the end."""
        return wait(self.start(level, *more, work=work))

    def start(self, level: str, *more: str, work: Path | None = None) -> 'subprocess.Popen[str]':
        """Start a run."""
        return start([sys.executable, '-m', 'bids_app', *self.words(level, *more, work=work)])

    def results(self) -> dict[str, str]:
        """Return the checksums of the results of all participants."""
        found = (path for path in self.out.glob('sub-*/**/*') if path.suffix in ('.tsv', '.gz', '.json'))
        return checksums(self.out, [path for path in found if 'log' not in path.relative_to(self.out).parts])


def start(command: Sequence[str], **environment: str) -> 'subprocess.Popen[str]':
    """Start a process whose words are kept."""
    return subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip


def wait(process: 'subprocess.Popen[str]') -> Ended:
    """Wait for the end; what hangs is killed."""
    try:
        text, _ = process.communicate(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
        return Ended(-1, f'{text}\nhangs')
    return Ended(process.returncode, text)


def interrupted(context: Context) -> Collector:
    """Twenty kills, of them ten just before a rename, and runs side by side, on a trial of eight people."""
    checks, folder = met('interrupted'), context.out / 'interrupted'
    trial = Trial(folder / 'trial', folder / 'out', folder / 'work')
    shutil.rmtree(folder, ignore_errors=True)
    options = ['--trial', '--participants', str(N_PEOPLE), '--genes', '500', '--dwi-directions', '12']
    if simulate([str(trial.data), *options, '--voxel-size', '6', '--dwi-voxel-size', '5']):
        checks.note('dataset is written', 'no', False)
        return checks
    _side_by_side(checks, trial)
    n = 2 if context.sloppy else 10
    _kills(checks, trial, n)
    _renames(checks, trial, n)
    checks.note('validator finds 0 errors', validator_errors(trial.out) or 0, not validator_errors(trial.out))
    return checks


def _labels(trial: Trial) -> list[str]:
    return sorted(path.name[4:] for path in (trial.data / 'derivatives' / 'fmriprep').glob('sub-*'))


def _n_runs(trial: Trial, label: str) -> int:
    folder = trial.data / 'derivatives' / 'fmriprep' / f'sub-{label}'
    return len(list(folder.rglob('*_desc-preproc_bold.nii.gz')))


def _side_by_side(checks: Collector, trial: Trial) -> None:
    """Everybody at once in jobs of their own, then the same again in other constellations."""
    labels = _labels(trial)
    jobs = [trial.start('participant', '--participant-label', label) for label in labels]
    with ThreadPoolExecutor(len(jobs)) as pool:
        ended = list(pool.map(wait, jobs))
    checks.note(
        f'{len(jobs)} participants at once end with 0',
        [e.status for e in ended],
        not any(e.status for e in ended),
    )
    finished = [
        label
        for label in labels
        if len(read_receipts(trial.out / f'sub-{label}')) == 2 * _n_runs(trial, label)
    ]
    checks.note('each has all its receipts', len(finished), finished == labels)
    links = json.loads((trial.out / 'dataset_description.json').read_text())['DatasetLinks']
    checks.note('sources of all are kept', sorted(links), set(links) == {'raw', 'fmriprep'})
    lost = [uri for uri in _uris(trial.out) if not _resolves(uri, trial.out, links)]
    checks.note('every bids: URI resolves', lost[:3] or 'yes', not lost)
    again = ['--participant-label', labels[0], '--overwrite', '--fwhm', '5']
    first = trial.start('participant', *again)
    _wait_for(first, 'running')
    second = trial.run('participant', *again)
    said = next((line for line in second.text.splitlines() if 'is being processed by' in line), 'nothing')
    checks.note('the second of two ends with 75', second.status, second.status == 75)
    checks.note('and says who holds it', said[-110:], 'process' in said)
    idle = trial.run('participant', '--participant-label', labels[1], '--clean-workdir')
    checks.note('an idle job beside it ends with 0', idle.status, idle.status == 0)
    done = wait(first)
    checks.note('the first is not disturbed', done.status, done.status == 0)
    refused = trial.run('group')
    checks.note(
        'the group refuses mixed parameters by name', refused.text.strip().splitlines()[-3:],
        refused.status == 65 and 'fwhm' in refused.text and f'sub-{labels[0]}' in refused.text,
    )  # fmt: skip
    mended = trial.run('participant', '--overwrite')
    checks.note('they are made alike again', mended.status, mended.status == 0)
    groups = [trial.start('group') for _ in range(2)]
    statuses = sorted(wait(group).status for group in groups)
    checks.note('of two groups at once one ends with 75', statuses, statuses in ([0, 75], [0, 0]))


def _kills(checks: Collector, trial: Trial, n: int) -> None:
    """Kill ``--overwrite`` at random moments: the group refuses what is mixed, the next run mends it."""
    rng, expected = random.Random(1), trial.results()
    refused = mended = 0
    for number in range(n):
        changed = ('--overwrite', '--fwhm', '5', '--participant-label', *_labels(trial)[:2])
        shutil.rmtree(trial.work / 'clbpe_wf', ignore_errors=True)
        job = trial.start('participant', *changed)
        _wait_for(job, 'running')
        time.sleep(rng.uniform(0, 20))
        job.send_signal(signal.SIGKILL)
        wait(job)
        group = trial.run('group', '--dry-run')
        is_mixed = trial.results() != expected
        # a receipt may be gone before the first file is
        refused += group.status == 65 and 'sub-' in group.text if is_mixed else group.status in (0, 65)
        trial.run('participant', '--overwrite')
        mended += trial.results() == expected and trial.run('group', '--dry-run').status == 0
        print(f'kill {number + 1} of {n}: mixed {is_mixed}, group {group.status}', flush=True)
    checks.note('the group refuses every mixture by name', f'{refused} of {n}', refused == n)
    checks.note('the next run mends each', f'{mended} of {n}', mended == n)


def _renames(checks: Collector, trial: Trial, n: int) -> None:
    """Die just before a file takes its place: what is there is whole, and a further run completes it."""
    expected, whole, resumed = trial.results(), 0, 0
    own = [path for path in expected if path.startswith(f'sub-{_labels(trial)[0]}/')]
    for number in range(n):
        label = _labels(trial)[0]
        shutil.rmtree(trial.out / f'sub-{label}')
        count = trial.out.with_name(f'renames{number}')
        words = trial.words('participant', '--participant-label', label)
        program = [sys.executable, '-c', DIE_AT_RENAME, str(3 + 5 * number), *words]
        ended = wait(start(program, CLBPE_RENAMES=str(count)))
        there = trial.results()
        whole += ended.status == -signal.SIGKILL and all(there[p] == expected[p] for p in own if p in there)
        trial.run('participant')
        left = [path for path in trial.out.rglob('.*.draft') if path.is_file()]
        resumed += trial.results() == expected and not left
    checks.note('what is there is whole', f'{whole} of {n}', whole == n)
    checks.note('the next run completes it, no draft is left', f'{resumed} of {n}', resumed == n)


def _wait_for(process: 'subprocess.Popen[str]', word: str) -> None:
    """Read what a process says until a word; the rest is read by whoever waits for its end."""
    assert process.stdout
    for line in process.stdout:
        if word in line:
            return


def _uris(out: Path) -> Iterable[str]:
    for path in out.glob('sub-*/**/*.json'):
        yield from re.findall(r'"(bids:[^"]*)"', path.read_text())


def _resolves(uri: str, out: Path, links: dict[str, str]) -> bool:
    _, name, place = uri.split(':', 2)
    link = links.get(name, '.') if name else '.'
    root = out / unquote(link)
    return (root / unquote(place)).exists()
