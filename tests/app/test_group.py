"""The group level from end to end on a small trial with planted effects."""

import json
import shutil

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main

from .trial_data import BLOB, EFFECTS, SPACE, write_trial


def run(bids, out, work, *words):
    return main(
        [str(bids), str(out), 'group', '-w', str(work), '--nprocs', '2', '--n-permutations', '200', *words]
    )


def table(out, name):
    return pd.read_csv(out / 'group' / f'{name}.tsv', sep='\t', na_values='n/a', keep_default_na=False)


@pytest.fixture(scope='module')
def trial(tmp_path_factory):
    root = tmp_path_factory.mktemp('trial')
    bids, out = write_trial(root)
    assert run(bids, out, root / 'work') == 0
    return bids, out, root / 'work'


@pytest.fixture(scope='module')
def outcomes(trial):
    return table(trial[1], 'outcomes').set_index(['outcome', 'model'])


@pytest.mark.parametrize('name', EFFECTS)
def test_planted_effects_lie_in_their_intervals(outcomes, name):
    row = outcomes.loc[(name, 'clda')]
    assert row.ci_low < EFFECTS[name] < row.ci_high
    assert row.p < 0.01  # all are planted at several standard errors
    assert (row.n_treatment, row.n_control, row.n_pairs) == (8, 8, 16)
