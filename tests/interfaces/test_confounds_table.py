"""Tables of confounds, damaged in every way: refused with our own words, never a traceback."""

import json

import numpy as np
import pandas as pd
import pytest

from bids_app.scans.query import sidecar
from pipelines.errors import ClbpeError, DataError
from pipelines.interfaces.confounds_table import displacement_of, read_confounds
from pipelines.interfaces.design import build_design
from pipelines.params import DenoiseParams
from pipelines.terms import MOTION, PRESETS
from tests.interfaces.conftest import METADATA, simulate_confounds

N = 120


@pytest.fixture
def files(tmp_path, rng):
    table, about = tmp_path / 'c.tsv', tmp_path / 'c.json'
    simulate_confounds(rng, N).to_csv(table, sep='\t', index=False, na_rep='n/a')
    about.write_text(json.dumps(METADATA))
    return table, about


def design(files, preset='acompcor'):
    return build_design(read_confounds(files[0], N), DenoiseParams(denoising=preset), 2.0, files)


def test_text_among_numbers_is_missing_and_told(files):
    """A word in a kept row is a gap, not a zero and not a category."""
    table = pd.read_csv(files[0], sep='\t', dtype=str, keep_default_na=False)
    table.loc[40, 'trans_x'] = 'bad'
    table.to_csv(files[0], sep='\t', index=False)
    with pytest.raises(DataError, match='trans_x has no number in row 41 of 120'):
        design(files)


def test_infinity_is_no_number(files):
    table = pd.read_csv(files[0], sep='\t', dtype=str, keep_default_na=False)
    table.loc[40, 'rot_z'] = 'inf'
    table.to_csv(files[0], sep='\t', index=False)
    with pytest.raises(DataError, match='rot_z has no number in row 41'):
        design(files)


def test_displacement_is_power_s(files):
    """Computed where it is absent: the sum of absolute changes, rotations on a sphere of 50 mm."""
    table = pd.read_csv(files[0], sep='\t', na_values='n/a').drop(columns='framewise_displacement')
    table.to_csv(files[0], sep='\t', index=False, na_rep='n/a')
    change = table[list(MOTION)].diff().abs()
    expected = change[list(MOTION[:3])].sum(axis=1) + 50 * change[list(MOTION[3:])].sum(axis=1)
    found = displacement_of(read_confounds(files[0], N))
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-10)
    assert np.isnan(found[0])


ODD = [
    '[]',
    'null',
    '3',
    '{"a_comp_cor_00": 3}',
    '{"a_comp_cor_00": {"Mask": ["WM"]}}',
    '{"a_comp_cor_00": null}',
    '{' * 2000,
]


@pytest.mark.parametrize('content', ODD)
def test_metadata_of_another_shape_lacks_components(files, content):
    files[1].write_text(content)
    with pytest.raises(DataError):
        design(files)
    if content[-2:] != '{{':  # what is no JSON at all is damaged, whoever needs it
        design(files, '24p')


@pytest.mark.parametrize('seed', range(4))
def test_mutations_raise_nothing_but_our_own_errors(files, seed):
    """Bytes changed, cut out and doubled in table and JSON, for every preset: 60 of each seed."""
    rng = np.random.default_rng(seed)
    sound = [path.read_bytes() for path in files]
    refused = 0
    for number in range(60):
        which = number % 2
        content = sound[which]
        first, last = sorted(rng.integers(0, len(content), 2))
        last = min(last, first + int(rng.integers(1, 400)))
        middle = (
            bytes(rng.integers(0, 256, last - first, dtype=np.uint8)), b'', content[first:last] * 2, b'\t\n',
        )[number // 2 % 4]  # fmt: skip
        files[which].write_bytes(content[:first] + middle + content[last:])
        try:
            design(files, list(PRESETS)[number % len(PRESETS)])
            sidecar(files[1], files[1].parent)
        except ClbpeError:
            refused += 1
        files[which].write_bytes(content)
    assert refused > 10
