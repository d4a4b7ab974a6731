"""What a stranger does: README in a clone, the tutorial as it is written, a wheel in an empty environment, other Pythons."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from tests.pasted import blocks, filled, lines

from .checks import REPOSITORY, Collector, Context, met

LONGEST_TUTORIAL = 15 * 60
STRANGER = 12345
"""Number of a user whom this machine does not know."""

NETWORK = re.compile(r'(pip|ssl|requests)_.*|.*_proxy', re.IGNORECASE)
"""How a machine reaches its package index may stay in an empty environment."""

PLACES = '/usr/local/bin:/usr/bin:/bin'
PYTHONS = ('3.12', '3.13')
UNITS = ('tests/numerics', 'tests/stats', 'tests/figures', 'tests/simulated')
"""Tests of arrays and tables: what another numpy, scipy or pandas changes shows there."""


def run(
    words: list[str] | str, folder: Path, environment: dict[str, str] | None = None, *, is_bare: bool = False
) -> tuple[int, float]:
    """Run a command, or lines of a shell, with what it says shown; return status and seconds.

    ``is_bare`` is as somebody else (where we are root) and with nothing in the environment but what is given.
    """
    print('\n$', words if isinstance(words, str) else ' '.join(words), flush=True)
    kept = {name: value for name, value in os.environ.items() if not is_bare or NETWORK.fullmatch(name)}
    is_other = is_bare and os.geteuid() == 0
    start = time.monotonic()
    done = subprocess.run(
        ['bash', '-eo', 'pipefail', '-c', words] if isinstance(words, str) else words,
        cwd=folder,
        env={**kept, **(environment or {})},
        user=STRANGER if is_other else None,
        group=STRANGER if is_other else None,
        extra_groups=[] if is_other else None,
        check=False,
    )
    return done.returncode, time.monotonic() - start


def processor_time() -> float:
    """Return the seconds that all commands until now took of one core, however crowded the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def emptied(folder: Path) -> Path:
    """Return a folder with nothing in it that anybody may look into."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in (folder, folder.parent):
        path.chmod(path.stat().st_mode | 0o755)
    return folder


def fresh_clone(folder: Path) -> tuple[Path, dict[str, str]]:
    """Return a clone that belongs to somebody else, and the environment of a shell that was just opened."""
    clone, home = folder / 'clone', folder / 'home'
    run(['git', 'clone', '--quiet', str(REPOSITORY), str(clone)], folder)
    home.mkdir()
    if os.geteuid() == 0:
        run(['chown', '-R', f'{STRANGER}:{STRANGER}', str(folder)], folder)
    return clone, {'HOME': str(home), 'PATH': PLACES}


def readme(context: Context) -> Collector:
    """A fresh clone of another user without environment or scans: from clone to green, then README as it is written."""
    checks, folder = met('readme'), emptied(context.out / 'readme')
    clone, bare = fresh_clone(folder)
    names = sorted(path.name for path in (REPOSITORY / 'tests').glob('test_*.py'))
    chosen = ' '.join(['tests/deploy', *(f'tests/{name}' for name in names)])
    line = f"scripts/test --no-lint -m 'not slow' {chosen} | tee tests.log"
    status, seconds = run(line, clone, bare, is_bare=True)
    said = (clone / 'tests.log').read_text()
    checks.note('scripts/test', f'status {status}, {said.splitlines()[-1].strip("= ")}', not status)
    reasons = re.findall(r'^SKIPPED \[\d+\] \S+ (.*)', said, re.MULTILINE)
    checks.note(
        'what was skipped has a reason', '; '.join(sorted(set(reasons))), all(reasons) and bool(reasons)
    )
    (block,) = blocks('README.md', 'Try it')
    # quick: fewer people
    block = block.replace('scripts/demo ', 'scripts/demo demo 6 ') if context.sloppy else block
    status, seconds = run(block, clone, bare, is_bare=True)
    checks.note('what stands under "Try it"', f'status {status}, {seconds / 60:.0f} min', not status)
    report = clone / 'demo/clbpe/group/report.html'
    checks.note('the report that it names', report.is_file(), report.is_file())
    bare['PATH'] = f'{clone}/.venv/bin:{PLACES}'
    for layout, modality in (('raw', 'bold'), ('qsiprep', 'dwi')):
        options = f'--participants 1 --sessions pre --modalities {modality} --voxel-size 6'
        run(f'clbpe-simulate {layout} --layout {layout} {options}', clone, bare, is_bare=True)
    for line in synopsis():
        status, _ = run(line, clone, bare, is_bare=True)
        checks.note(line, f'status {status}', not status)
    return checks


def synopsis() -> Iterator[str]:
    """Yield the commands of README that name no files of their own, with those of the demo, as dry runs."""
    for block in (blocks('README.md')[0], *blocks('README.md', 'Use it')):
        for line in lines(block):
            command = line.partition('#')[0].strip()
            is_raw = ' participant ' in command and '--derivatives' not in command
            # somebody in the demo has no diffusion scan: with QSIPrep's output alone there is nothing for that person
            is_dwi = 'qsiprep=PATH' in command and 'fmriprep=PATH' not in command
            for name in ('fmriprep', 'qsiprep'):
                place = 'qsiprep' if is_dwi else f'demo/trial/derivatives/{name}'
                command = command.replace(f'{name}=PATH', f'{name}={place}')
            command = command.replace('trial.json', 'demo/trial/code/trial.json')
            results = 'demo/clbpe' if ' group ' in command else 'other'
            data = 'raw' if is_raw else 'qsiprep' if is_dwi else 'demo/trial'
            yield filled(command, BIDS_DIR=data, OUTPUT_DIR=results, WORK='otherwork') + ' --dry-run'


def tutorial(context: Context) -> Collector:
    """The tutorial of the documentation, each line as it is written, in 15 minutes of one core."""
    checks, folder = met('tutorial'), emptied(context.out / 'tutorial')
    path, total, before = (
        f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
        0.0,
        processor_time(),
    )
    for block in blocks('docs/tutorial.md'):
        for line in lines(block):
            # nobody has results when the group is asked first, and it says so
            status, seconds = run(line, folder, {'PATH': path})
            total += seconds
            checks.note(' '.join(line.split()[:4]), f'status {status}, {seconds:.0f} s', status == 0)
    used = processor_time() - before
    checks.note(
        'all of it', f'{total / 60:.1f} min, {used / 60:.1f} min of one core', used < LONGEST_TUTORIAL
    )
    for name in ('sub-01.html', 'group/report.html', 'group/results.json', 'group/mediation.tsv'):
        is_there = (folder / 'results' / name).is_file()
        checks.note(f'{name} is there', is_there, is_there)
    for asked, found, is_met in numbers(folder / 'results/group'):
        checks.note(asked, found, is_met)
    truth = json.loads((folder / 'mytrial/sourcedata/truth.json').read_text())
    checks.note('the truth that the text names', truth['Effects']['pain'], truth['Effects']['pain'] == -2)
    return checks


NUMBER = r'(-?\d+\.\d)'
SAID = {
    'outcomes.tsv': (
        f'outcome first: {NUMBER} points, 95 % interval {NUMBER} to {NUMBER}',
        {'outcome': 'nrs', 'analysis': 'main', 'visit': 'followup'},
    ),
    'mediation.tsv': (
        f'not shown: {NUMBER} with an interval from {NUMBER} to {NUMBER}',
        {'analysis': 'connectivity-nrs', 'path': 'indirect'},
    ),
}
"""What the tutorial says of a table of results, and the row that it is of."""


def numbers(group: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield the numbers that the tutorial names beside those that were found."""
    text = ' '.join((REPOSITORY / 'docs/tutorial.md').read_text().split())
    for name, (pattern, keys) in SAID.items():
        table = pd.read_csv(group / name, sep='\t')
        (row,) = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)].itertuples()
        told = re.search(pattern, text)
        found = [f'{value:.1f}' for value in (row.estimate, row.ci_low, row.ci_high)]
        yield (
            f'{name}: {", ".join(told.groups()) if told else "?"}',
            ', '.join(found),
            bool(told) and [*told.groups()] == found,
        )


def wheel(context: Context) -> Collector:
    """A release, installed without the lock as the page says into an empty environment, beside folders of our names."""
    checks, folder = met('wheel'), emptied(context.out / 'wheel')
    (folder / 'data/pipelines').mkdir(parents=True)
    (folder / 'data/bids_app').mkdir()
    status, _ = run([str(REPOSITORY / 'scripts/release'), str(folder / 'dist')], folder)
    checks.note('scripts/release', f'status {status}', not status)
    if status:
        return checks
    (built,) = (folder / 'dist').glob('clbpe-*.whl')
    install, path = blocks('docs/start.md', 'With pip')
    status, seconds = run(filled(install, FILE=built), folder, {'PATH': PLACES})
    checks.note('what stands under "With pip"', f'status {status}, {seconds:.0f} s', not status)
    for line in (
        'clbpe --version',
        'clbpe-simulate small --participants 1 --sessions pre --voxel-size 4',
        'clbpe small out participant --derivatives fmriprep=small --skip diffusion --work-dir work',
        'clbpe-plan --help',
        'python -c "import clbpe; print(clbpe.fisher_z(0.5))"',
    ):
        status, seconds = run(f'{path}cd data\n{line}', folder, {'PATH': PLACES})
        checks.note(line, f'status {status}, {seconds:.0f} s', not status)
    return checks


def interpreters() -> Iterator[tuple[str, str]]:
    """Yield the Pythons beside the one of the lock that are on this machine, with their versions."""
    for version in PYTHONS:
        managed = Path.home().glob(f'.pyenv/versions/{version}.*/bin/python{version}')
        for program in (shutil.which(f'python{version}'), *map(str, managed)):
            # a shim of a version manager is on the path, and ends with an error where its version is not chosen
            if (
                program
                and not subprocess.run([program, '--version'], capture_output=True, check=False).returncode
            ):
                yield version, program
                break


def newest(context: Context) -> Collector:
    """Tests of arrays and tables with Pythons 3.12 and 3.13 and the newest libraries that setup.cfg allows."""
    checks, folder = met('newest'), emptied(context.out / 'newest')
    found = dict(interpreters())
    checks.note('Pythons on this machine', ', '.join(found) or 'none of these', bool(found))
    for version, program in found.items():
        place = folder / version
        environment = {'CLBPE_VENV': str(place), 'CLBPE_NEWEST': '1', 'PYTHON': program}
        status, seconds = run([str(REPOSITORY / 'scripts/install')], folder, environment)
        checks.note(f'{version}: scripts/install', f'status {status}, {seconds:.0f} s', not status)
        python = str(place / 'bin/python')
        told = 'from importlib.metadata import version as v; print(*(f"{n} {v(n)}" for n in "numpy scipy pandas".split()))'
        libraries = subprocess.run(
            [python, '-c', told], capture_output=True, text=True, check=False
        ).stdout.strip()
        words = ['-m', 'not slow'] if context.sloppy else []
        status, seconds = run(
            [python, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *words, *UNITS], REPOSITORY
        )
        checks.note(f'{version}: tests with {libraries}', f'status {status}, {seconds:.0f} s', not status)
    return checks
