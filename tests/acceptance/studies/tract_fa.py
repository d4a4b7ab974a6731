"""Simulate a trial, have the participant level measure its tracts, and record measured beside planted FA."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from pipelines.numerics import bundle, fod, gradients, tensor, tracking
from pipelines.simulated import diffusion, tract, trial

N_PEOPLE = 12
TABLE = 'tract_fa.tsv'
RESTS_ON = bundle, fod, gradients, tensor, tracking, diffusion, tract, trial
"""What computes; the program is run in processes of its own."""


def run_program(*words: object) -> None:
    """Run one of the program's commands."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    subprocess.run([sys.executable, '-m', *map(str, words)], check=True, env=environment)


def measure(folder: Path, *labels: str) -> pd.DataFrame:
    """Return ``participant_id session_id latent measured`` of people of a trial, or of all but the first."""
    bids, out = folder / 'trial', folder / 'clbpe'
    options = ['--participants', N_PEOPLE, '--raw-participants', 1, '--genes', 3000, '--dwi-voxel-size', 4]
    run_program('bids_app.simulated.cli', bids, '--trial', *options)
    scans = bids / 'derivatives' / 'qsiprep'
    labels = labels or tuple(path.name for path in sorted(scans.glob('sub-*')) if path.is_dir())
    people = ['--participant-label', *labels, '--derivatives', f'qsiprep={scans}', '--skip', 'functional']
    run_program('bids_app', bids, out, 'participant', '-w', folder / 'work', '--sloppy', *people)
    return read_tracts(bids, out)


def read_tracts(bids: Path, out: Path) -> pd.DataFrame:
    """Return ``participant_id session_id latent measured`` of what the participant level wrote."""
    people = json.loads((bids / 'sourcedata' / 'truth.json').read_text())['People']
    rows = []
    for path in sorted(out.glob('sub-*/dwi/*_bundle-NAcMPFC_scalarstats.tsv')):
        label = path.parts[-3]
        table = pd.read_csv(path, sep='\t', na_values='n/a')
        table = table.query("hemi == 'B' and method == 'weighted' and param == 'fa'").set_index('session_id')
        for visit, session in enumerate(('pre', 'post')):
            if session in table.index:
                rows.append((label, session, people[label]['fa'][visit], table.loc[session, 'value']))
    return pd.DataFrame(rows, columns=['participant_id', 'session_id', 'latent', 'measured'])


def make() -> pd.DataFrame:
    """Return the table."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder))
