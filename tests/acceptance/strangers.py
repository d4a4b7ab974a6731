"""What a stranger does: the tutorial as it is written, and a wheel in an empty environment."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

from .checks import REPOSITORY, Collector, Context, met

LONGEST_TUTORIAL = 15 * 60


def run(words: list[str] | str, folder: Path, environment: dict[str, str] | None = None) -> tuple[int, float]:
    """Run a command with its lines shown; return status and seconds."""
    print('\n$', words if isinstance(words, str) else ' '.join(words), flush=True)
    start = time.monotonic()
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        shell=isinstance(words, str),
        check=False,
    )
    return done.returncode, time.monotonic() - start


def tutorial(context: Context) -> Collector:
    """The tutorial of the documentation, each line as it is written, in 15 minutes."""
    checks, folder = met('tutorial'), context.out / 'tutorial'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    text = (REPOSITORY / 'docs/tutorial.md').read_text()
    total = 0.0
    for block in re.findall(r'^```bash\n(.*?)^```', text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            # nobody has results when the group is asked first, and it says so
            status, seconds = run(line, folder, {'PATH': path})
            total += seconds
            checks.note(' '.join(line.split()[:4]), f'status {status}, {seconds:.0f} s', status == 0)
    checks.note('all of it', f'{total / 60:.0f} min', context.sloppy or total < LONGEST_TUTORIAL)
    for name in ('sub-01.html', 'group/report.html', 'group/results.json', 'group/mediation.tsv'):
        checks.note(
            f'{name} is there', (folder / 'results' / name).is_file(), (folder / 'results' / name).is_file()
        )
    truth = json.loads((folder / 'mytrial/sourcedata/truth.json').read_text())
    checks.note('the truth that the text names', truth['Effects']['pain'], truth['Effects']['pain'] == -2)
    return checks


def wheel(context: Context) -> Collector:
    """A release built in isolation, installed without the lock into an empty environment, in a folder of its own."""
    checks, folder = met('wheel'), context.out / 'wheel'
    shutil.rmtree(folder, ignore_errors=True)
    (folder / 'data/pipelines').mkdir(parents=True)
    (folder / 'data/bids_app').mkdir()
    status, _ = run([str(REPOSITORY / 'scripts/release'), str(folder / 'dist')], folder)
    checks.note('scripts/release', f'status {status}', not status)
    if status:
        return checks
    (built,) = (folder / 'dist').glob('clbpe-*.whl')
    venv.create(folder / 'env', with_pip=True)
    programs = folder / 'env/bin'
    status, seconds = run([str(programs / 'pip'), 'install', '--quiet', str(built)], folder)
    checks.note('pip install', f'status {status}, {seconds:.0f} s', not status)
    for line in (
        'clbpe --version',
        'clbpe-simulate small --participants 1 --sessions pre --voxel-size 4',
        'clbpe small out participant --derivatives fmriprep=small --skip diffusion --work-dir work',
        'clbpe-plan --help',
        'python -c "import clbpe; print(clbpe.fisher_z(0.5))"',
    ):
        status, seconds = run(line, folder / 'data', {'PATH': f'{programs}{os.pathsep}{os.defpath}'})
        checks.note(line, f'status {status}, {seconds:.0f} s', not status)
    return checks
