"""A trial as it is run by who has one: everybody, the group, the page, and the same commands once more."""

import json
import shutil
from pathlib import Path

import pandas as pd

from bids_app.simulated.cli import main as simulate

from .checks import Collector, Context, Finished, met, run_clbpe, validator_errors

N_PEOPLE = 57
QUICKEST = 60.0
"""Seconds for a command that has nothing to do."""


def whole_trial(context: Context) -> Collector:
    """57 people with two visits at the image size of the demo: participants, group and page in one go, and again."""
    checks, folder = met('whole_trial'), context.out / 'whole_trial'
    shutil.rmtree(folder, ignore_errors=True)
    trial, out, n_people = folder / 'trial', folder / 'out', 6 if context.sloppy else N_PEOPLE
    size = ['--dwi-voxel-size', '4'] + ['--genes', '500'] * context.sloppy
    if simulate([str(trial), '--trial', '--participants', str(n_people), *size]):
        checks.note('dataset is written', 'no', False)
        return checks
    quick = context._replace(sloppy=True)  # as the demo, whose size this is
    derivatives = [f'{name}={trial / "derivatives" / name}' for name in ('fmriprep', 'qsiprep')]

    def run(level: str) -> Finished:
        words = (
            ['-d', *derivatives]
            if level == 'participant'
            else ['--trial', str(trial / 'code' / 'trial.json')]
        )
        return run_clbpe(quick, trial, out, *words, work=folder / 'work', level=level)

    for level in ('participant', 'group'):
        done = run(level)
        checks.note(f'{level} ends with 0', f'{done.status}, {done.seconds / 60:.1f} min', not done.status)
    pages = sorted(out.glob('sub-*.html'))
    checks.note('everybody has a page', f'{len(pages)} of {n_people}', len(pages) == n_people)
    _group(checks, trial, out)
    for level in ('participant', 'group'):
        again = run(level)
        is_quick = again.is_in(QUICKEST, context) and not again.status
        checks.note(f'{level} again, in under a minute', f'{again.status}, {again.seconds:.0f} s', is_quick)
    errors = validator_errors(out)
    checks.note('validator finds 0 errors', errors or 0, not errors)
    return checks


def _group(checks: Collector, trial: Path, out: Path) -> None:
    """Note that the group has every scan, and a page that is not too large to open."""
    page = out / 'group' / 'report.html'
    size = page.stat().st_size / 1e6 if page.is_file() else 0.0
    checks.note('the page of the group, below 10 MB', f'{size:.1f} MB', 0 < size < 10)
    scans = {
        name: list(trial.glob(f'derivatives/*/sub-*/ses-*/*/*_{name}.nii.gz')) for name in ('bold', 'dwi')
    }
    # a tract of the person stands beside those of both visits
    people = {path.parts[-4] for path in scans['dwi']}
    for name, wanted in (('bold', len(scans['bold'])), ('dwi', len(scans['dwi']) + len(people))):
        rows = len(pd.read_csv(out / 'group' / f'group_{name}.tsv', sep='\t', dtype=str))
        checks.note(f'rows of scans of {name}', f'{rows} of {wanted}', rows == wanted)
    results = json.loads((out / 'group' / 'results.json').read_text())
    checks.note('tables of results', len(results['tables']), len(results['tables']) > 10)
