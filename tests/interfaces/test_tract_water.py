"""Anisotropy beside free water in the tables of tracts: its weights, what is not known, and that nothing else moves."""

import warnings

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces._diffusion import write_gradient_table
from pipelines.interfaces.tract_domain import read_fields
from pipelines.interfaces.tract_water import add_free_water
from pipelines.numerics.free_water import free_water
from pipelines.terms import default_circuit
from tests.app.trial_data import TRACT_COLUMNS
from tests.numerics.test_free_water import signals_of, table_of

CIRCUIT = default_circuit()
SHAPE = (4, 3, 2)
HEAD = '\t'.join(TRACT_COLUMNS) + '\n'


def save(data, path):
    nb.save(nb.Nifti1Image(np.asarray(data, np.float32), np.eye(4)), path)
    return path


@pytest.fixture
def files(tmp_path, rng):
    """Return a function that writes two sessions of shells, the tracts of both sides, and their table."""

    def write(*shells):
        table, visits = table_of(*shells), rng.uniform(0.1, 1, (2, *SHAPE))
        visits[0, 2:], visits[1, :2] = 0, 0
        white = np.ones(SHAPE, bool)
        white[0, 0, 0] = False
        regions = np.zeros((len(CIRCUIT.drawn), *SHAPE), bool)
        np.savez(
            tmp_path / 'domain.npz', regions=regions, ends=np.zeros(SHAPE), barred=np.zeros((3, *SHAPE)), white=white,
            affine=np.eye(4),
        )  # fmt: skip
        signals = [signals_of(table, share, white.size, rng).reshape(*SHAPE, -1) for share in (0.1, 0.4)]
        signals[1][3, 2, 1] = signals_of(table, 0.95, 1, rng, snr=500)
        dwi = [save(own, tmp_path / f'dwi{n}.nii') for n, own in enumerate(signals)]
        gradients = [write_gradient_table(tmp_path / f'g{n}.npz', table) for n in range(2)]
        probsegs = [save(own, tmp_path / f'v{n}.nii.gz') for n, own in enumerate(visits)]
        rows = [
            (session, hemi, method, param, '0.50000000' if (session, hemi) != ('post', 'L') else 'n/a')
            for session in ('pre', 'post')
            for hemi in 'LRB'
            for param in ('fa', 'md')
            for method in ('weighted', 'streamline')
        ]
        lines = ['\t'.join([*row, '1500', '35.25', '3000', 'n/a']) for row in rows]
        path = tmp_path / 'NAcMPFC_scalarstats.tsv'
        before = HEAD + '\n'.join(lines) + '\n'
        path.write_text(before)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            scans = [path for pair in zip(dwi, gradients) for path in pair]
            (found,) = add_free_water([path], probsegs, read_fields(tmp_path / 'domain.npz'), CIRCUIT, scans)
            maps = [free_water(own.reshape(-1, own.shape[-1]), table) for own in signals]
        return before, found.read_text(), visits, white, maps

    return write


def rows_of(text):
    table = pd.DataFrame([line.split('\t') for line in text.splitlines()[1:]], columns=TRACT_COLUMNS)
    return table[table['param'] == 'fwfa'].set_index(['session_id', 'hemi'])


def test_values_are_weighted_as_fa_is(files):
    """Against sums written out; a voxel of water is left out of the second session."""
    before, after, visits, white, maps = files(500, 1500)
    assert after.startswith(before)
    rows = rows_of(after)
    assert (rows['method'] == 'weighted').all()
    assert list(rows.index) == [(session, hemi) for session in ('pre', 'post') for hemi in 'LRB']
    weights = {'L': visits[0], 'R': visits[1], 'B': visits.mean(axis=0)}
    assert np.isnan(maps[1].fa.reshape(SHAPE)[3, 2, 1])
    for (session, hemi), value in rows['value'].items():
        fa = maps[session == 'post'].fa.reshape(SHAPE)
        used = np.where(white & np.isfinite(fa), weights[hemi], 0)
        expected = (used * np.nan_to_num(fa)).sum() / used.sum()
        if (session, hemi) == ('post', 'L'):
            assert value == 'n/a'  # as FA is
        else:
            assert float(value) == pytest.approx(expected, rel=1e-5)
    assert (rows['n_streamlines'] == '1500').all()


def test_one_shell_has_none(files):
    before, after, *_ = files(1000)
    assert after.startswith(before)
    assert (rows_of(after)['value'] == 'n/a').all()
