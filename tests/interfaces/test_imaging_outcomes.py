"""Imaging outcomes from their files: what is read is what the models get."""

import json

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError, UnknownWordError
from pipelines.interfaces.imaging_outcomes import measure_imaging
from pipelines.stats.design import DerivativeOutcome
from tests.app.trial_data import TRACT_COLUMNS


@pytest.fixture
def scan(tmp_path, rng):
    """Return a function that writes the results of one run."""

    def write(name, z, dof, fd=0.2, flags=()):
        labels = ['NAcL', 'NAcR', 'NAc', 'mPFCL', 'mPFCR', 'mPFC']
        matrix = pd.DataFrame(np.full((6, 6), np.nan), labels, labels)
        matrix.loc['NAc', 'mPFC'] = z
        paths = {key: tmp_path / f'{name}_{key}' for key in ('relmat', 'qc')}
        matrix.to_csv(paths['relmat'], sep='\t', na_rep='n/a', index_label='node')
        paths['qc'].write_text(json.dumps({'DegreesOfFreedom': dof, 'MeanFD': fd, 'Flags': list(flags)}))
        icc, dseg = np.zeros((4, 4, 4), np.float32), np.zeros((4, 4, 4), np.uint8)
        dseg[0], dseg[1] = 1, 2
        icc[0], icc[1] = 0.2, 0.4
        icc[1, 0] = 0  # outside the map
        names = pd.DataFrame({'index': [1, 2, 3], 'name': ['NAcL', 'NAcR', 'NAc']})
        paths['region_names'] = tmp_path / f'{name}_regions.tsv'
        names.to_csv(paths['region_names'], sep='\t', index=False)
        for key, data in (('icc', icc), ('regions', dseg)):
            paths[key] = tmp_path / f'{name}_{key}.nii.gz'
            nb.save(nb.Nifti1Image(data, np.eye(4)), paths[key])
        files = {key: str(path) for key, path in paths.items()}
        return {'maps': {'icc': files.pop('icc')}, **files}

    return write


def outcome(name, derivative, regions=(), hemisphere='B'):
    return DerivativeOutcome(name=name, derivative=derivative, regions=tuple(regions), hemisphere=hemisphere)


def measure(tmp_path, scans, tracts, *outcomes):
    path = measure_imaging(scans, tracts, list(outcomes), out_dir=tmp_path).imaging
    return pd.read_csv(path, sep='\t', na_values='n/a', keep_default_na=False)


def test_runs_are_averaged_by_their_degrees_of_freedom(scan, tmp_path):
    who = {'participant_id': 'sub-01', 'visit': 'baseline'}
    scans = [{**who, **scan('a', 0.2, 42, 0.1)}, {**who, **scan('b', 0.6, 82, 0.3, ['short'])}]
    row = measure(tmp_path, scans, [], outcome('fc', 'roi_connectivity', ['NAc', 'mPFC'])).iloc[0]
    assert row['value'] == pytest.approx((40 * 0.2 + 80 * 0.6) / 120)
    assert row['mean_fd'] == pytest.approx(0.2)
    assert (row['n_scans'], row['flags']) == (2, 'short')


def repeated(tmp_path, scans, *outcomes):
    path = measure_imaging(scans, [], list(outcomes), out_dir=tmp_path).repeats
    return pd.read_csv(path, sep='\t', na_values='n/a', keep_default_na=False)


def test_what_was_measured_more_than_once_is_listed(scan, tmp_path):
    """Two runs, of which each has halves, and one run that has none."""
    who = {'participant_id': 'sub-01', 'visit': 'baseline'}
    scans = []
    for name, dof, halves in (('a', 42, (0.1, 0.3)), ('b', 82, (0.5, 0.7))):
        own = {f'half{part}': scan(f'{name}{part}', z, dof)['relmat'] for part, z in enumerate(halves, 1)}
        scans.append({**who, **scan(name, sum(halves) / 2, dof), **own})
    scans.append({'participant_id': 'sub-02', 'visit': 'baseline', **scan('c', 0.4, 42)})
    asked = (
        outcome('fc', 'roi_connectivity', ['NAc', 'mPFC']),
        outcome('icc', 'intrinsic_connectivity', ['NAc']),
    )
    table = repeated(tmp_path, scans, *asked)
    assert set(table['participant_id']) == {'sub-01'}
    found = table.set_index(['outcome', 'repeated', 'part'])['value']
    assert found['fc', 'runs'].tolist() == pytest.approx([0.2, 0.6])
    assert found['fc', 'halves'].tolist() == pytest.approx(
        [(40 * a + 80 * b) / 120 for a, b in ((0.1, 0.5), (0.3, 0.7))]
    )
    assert 'halves' not in found['icc'].index.get_level_values('repeated')
    assert len(found['icc', 'runs']) == 2


def test_intrinsic_connectivity_is_the_mean_of_the_region_inside_the_map(scan, tmp_path):
    scans = [{'participant_id': 'sub-01', 'visit': 'baseline', **scan('a', 0.2, 42)}]
    table = measure(
        tmp_path,
        scans,
        [],
        outcome('both', 'intrinsic_connectivity', ['NAc']),
        outcome('right', 'intrinsic_connectivity', ['NAcR']),
    ).set_index('outcome')
    assert table.loc['both', 'value'] == pytest.approx((16 * 0.2 + 12 * 0.4) / 28)
    assert table.loc['right', 'value'] == pytest.approx(0.4)


def test_a_run_without_its_maps_still_has_its_connectivity(scan, tmp_path):
    bare = {**scan('a', 0.2, 42), 'maps': {}}
    scans = [{'participant_id': 'sub-01', 'visit': 'baseline', **bare}]
    asked = [
        outcome('fc', 'roi_connectivity', ['NAc', 'mPFC']),
        outcome('icc', 'intrinsic_connectivity', ['NAc']),
    ]
    table = measure(tmp_path, scans, [], *asked)
    assert list(table['outcome']) == ['fc']
    assert table['value'].tolist() == [0.2]


@pytest.mark.parametrize('word', ['reho', 'Tract_FA', ''])
def test_an_unknown_measure_is_refused_not_read_as_another(word, scan, tmp_path):
    scans = [{'participant_id': 'sub-01', 'visit': 'baseline', **scan('a', 0.2, 42)}]
    with pytest.raises(UnknownWordError, match='offered: roi_connectivity'):
        measure(tmp_path, scans, [], outcome('x', word, ['NAc']))


def test_an_unknown_region_is_refused(scan, tmp_path):
    scans = [{'participant_id': 'sub-01', 'visit': 'baseline', **scan('a', 0.2, 42)}]
    with pytest.raises(DataError, match='has no region VTA; it holds NAcL, NAcR'):
        measure(tmp_path, scans, [], outcome('x', 'intrinsic_connectivity', ['VTA']))


def test_tract_without_streamlines_is_missing_and_flagged(tmp_path):
    path = tmp_path / 'x_scalarstats.tsv'
    path.write_text(
        '\t'.join(TRACT_COLUMNS) + '\n'
        'pre\tB\tweighted\tfa\t0.41\t900\t30\t4000\tno_sdc\npost\tB\tweighted\tfa\tn/a\t12\t30\t0\tfew_streamlines,no_sdc\n'
    )
    path.with_suffix('.json').write_text(
        json.dumps({'Sessions': {'pre': {'MeanFD': 0.4}, 'post': {'MeanFD': 0.6}}})
    )
    tracts = [
        {
            'participant_id': 'sub-01',
            'visit': visit,
            'session_id': session,
            'table': str(path),
            'bundle': 'NAcMPFC',
        }
        for visit, session in (('baseline', 'pre'), ('followup', 'post'))
    ]
    table = measure(tmp_path, [], tracts, outcome('fa', 'tract_fa', ['NAc', 'mPFC'])).set_index('visit')
    assert table.loc['baseline', ['value', 'mean_fd', 'flags']].tolist() == [0.41, 0.4, 'no_sdc']
    assert np.isnan(table.loc['followup', 'value'])
    assert table.loc['followup', 'flags'] == 'few_streamlines no_sdc'
