"""Tables of confounds, damaged in every way: refused with our own words, never a traceback."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from bids_app.scans.query import sidecar
from pipelines.errors import DataError
from pipelines.interfaces.confounds_table import DISPLACEMENT, displacement_of, read_confounds
from pipelines.interfaces.design import build_design
from pipelines.params import DenoiseParams
from pipelines.terms import MOTION, PRESETS
from tests import damage
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


def test_a_cell_too_many_or_too_few_moves_no_value(files):
    """A shifted row would give every column the values of its neighbour."""
    lines = files[0].read_text().splitlines()
    width = lines[0].count('\t') + 1
    for number, change, found in (
        (0, '\t{}', (width, width + 1)), (0, '{}\tx', (width, width + 1)), (30, '0\t{}', (width + 1, width)),
        (30, '{}\t', (width + 1, width)), (120, '{}\t0', (width + 1, width)),
    ):  # fmt: skip
        changed = [change.format(line) if k == number else line for k, line in enumerate(lines)]
        files[0].write_text('\n'.join(changed))
        said = f'c.tsv has {found[0]} cells in row {number or 1} and {found[1]} in its header'
        with pytest.raises(DataError, match=said):
            read_confounds(files[0], N)
    files[0].write_text('\n'.join([lines[0], *('0\t' + line for line in lines[1:])]))
    with pytest.raises(DataError, match='in row 1 and'):
        read_confounds(files[0], N)


def test_a_number_does_not_end_at_a_zero_byte(files):
    files[0].write_text(files[0].read_text().replace('.', '.\0', 1))
    with pytest.raises(DataError, match='holds zero bytes'):
        read_confounds(files[0], N)


def test_a_lone_quotation_mark_moves_no_value_to_another_column(files):
    """Between two marks a reader of quoted text would see one cell, and shift all that follow."""
    sound = read_confounds(files[0], N)
    files[0].write_text(files[0].read_text().replace('trans_x\ttrans_y', '"trans_x\t"trans_y', 1))
    found = read_confounds(files[0], N)
    assert {'trans_x', 'trans_y'}.isdisjoint(found.columns)
    pd.testing.assert_frame_equal(found[['trans_z', 'rot_x']], sound[['trans_z', 'rot_x']])


def test_quoted_cells_are_those_within(files):
    sound = read_confounds(files[0], N)
    quoted = [
        '\t'.join(f'"{cell}"' for cell in line.split('\t')) for line in files[0].read_text().splitlines()
    ]
    files[0].write_text('\n'.join(quoted) + '\n')
    pd.testing.assert_frame_equal(read_confounds(files[0], N), sound)


def test_two_columns_of_one_name_are_refused(files):
    files[0].write_text(files[0].read_text().replace('rot_y\t', 'rot_x\t', 1))
    with pytest.raises(DataError, match='two columns rot_x'):
        read_confounds(files[0], N)


@pytest.mark.fuzz
@pytest.mark.parametrize('preset', PRESETS)
def test_damaged_tables_are_read_or_refused(files, preset):
    """What is read makes a design of numbers, and each number stands below the name of its column."""
    sound = files[0].read_bytes()

    def read(content):
        damage.write(files[0], content)
        table = read_confounds(files[0], N)
        header, *rows = (
            line.split('\t') for line in re.split(r'\r\n|\r|\n', content.decode('utf-8-sig')) if line.strip()
        )
        for name, cells in zip(header, zip(*rows)):
            known = [(value, cell) for value, cell in zip(table.get(name, []), cells) if np.isfinite(value)]
            assert (
                not known
                or name == DISPLACEMENT
                or all(value == pytest.approx(float(c)) for value, c in known)
            )
        made = design(files, preset)
        assert np.isfinite(made.model.to_numpy()).all()
        assert np.isfinite(made.operator.reduce).all()

    assert damage.outcomes_of(damage.damaged(sound), read, 0.3) == {damage.READ, damage.REFUSED}


@pytest.mark.fuzz
@pytest.mark.parametrize('preset', ['acompcor', '24p'])
def test_odd_metadata_are_read_or_refused(files, preset):
    table = read_confounds(files[0], N)

    def read(content):
        damage.write(files[1], content)
        build_design(table, DenoiseParams(denoising=preset), 2.0, files)
        sidecar(files[0].with_suffix('.nii.gz'), files[1].parent)

    assert damage.outcomes_of(damage.json_files(METADATA), read) == {damage.READ, damage.REFUSED}
