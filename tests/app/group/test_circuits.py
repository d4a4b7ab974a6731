"""A trial of other regions: outcomes, maps and tracts by their names."""

import json

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from bids_app.group.assemble import _with_pairs
from bids_app.group.maps import map_tests_of, maps_by_kind
from bids_app.outputs.found import Results, ScanResult
from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from pipelines.errors import DataError
from pipelines.interfaces.imaging_outcomes import measure_imaging
from pipelines.stats.design import DerivativeOutcome, OutcomesDesign
from pipelines.terms import circuit_of_rows
from tests.acceptance.made import GOLDEN
from tests.acceptance.studies import circuit as study
from tests.app.group.shapes import PEOPLE, write_whole

CIRCUIT = circuit_of_rows([
    *({'name': 'Amg', 'hemisphere': side, 'source': 'harvard-oxford:Amygdala', 'pairs': 'PAG VTA'} for side in 'LR'),
    {'name': 'PAG', 'hemisphere': 'n/a', 'source': 'sphere:0,-30,-10,5', 'pairs': 'VTA'},
    {'name': 'VTA', 'hemisphere': 'n/a', 'source': 'sphere:0,-16,-12,4', 'role': 'target'},
])  # fmt: skip


def outcome(name, derivative, *regions, hemisphere='B'):
    return DerivativeOutcome(name=name, derivative=derivative, regions=regions, hemisphere=hemisphere)


@pytest.fixture
def scan(tmp_path):
    """Return a run whose values tell where they come from: a matrix of counts, a map of the numbers of regions."""
    labels = list(CIRCUIT.regions)
    matrix = np.arange(len(labels) ** 2, dtype=float).reshape(len(labels), -1)
    pd.DataFrame(matrix, index=labels, columns=labels).to_csv(
        tmp_path / 'relmat.tsv', sep='\t', index_label='node'
    )
    numbers = np.array([[CIRCUIT.numbers(label)[0] for label in CIRCUIT.drawn]], np.uint8)[..., None]
    nb.save(nb.Nifti1Image(numbers, np.eye(4)), tmp_path / 'dseg.nii')
    nb.save(nb.Nifti1Image(numbers.astype(np.float32), np.eye(4)), tmp_path / 'icc.nii')
    names = pd.DataFrame({'index': range(1, len(labels) + 1), 'name': labels})
    names.to_csv(tmp_path / 'dseg.tsv', sep='\t', index=False)
    (tmp_path / 'qc.json').write_text(json.dumps({'DegreesOfFreedom': 80, 'MeanFD': 0.1, 'Flags': []}))
    return {
        'participant_id': 'sub-1', 'visit': 'baseline', 'qc': str(tmp_path / 'qc.json'),
        'relmat': str(tmp_path / 'relmat.tsv'), 'regions': str(tmp_path / 'dseg.nii'),
        'region_names': str(tmp_path / 'dseg.tsv'), 'maps': {'icc': str(tmp_path / 'icc.nii')},
    }  # fmt: skip


def values(scans, tracts, *outcomes, out_dir):
    path = measure_imaging(scans, tracts, list(outcomes), out_dir=out_dir).imaging
    return pd.read_csv(path, sep='\t').set_index('outcome')['value'].to_dict()


def test_matrices_and_maps_are_read_by_the_names_of_regions(scan, tmp_path):
    """Both sides of a map are the mean over the voxels of either; a name that begins another is not that."""
    found = values(
        [scan], [], outcome('fc', 'roi_connectivity', 'AmgL', 'PAG'), outcome('mid', 'intrinsic_connectivity', 'PAG'),
        outcome('both', 'intrinsic_connectivity', 'Amg'), outcome('right', 'intrinsic_connectivity', 'AmgR'),
        out_dir=tmp_path,
    )  # fmt: skip
    assert found == {'fc': 3, 'mid': 4, 'both': 1.5, 'right': 2}
    with pytest.raises(DataError, match='has no region NAc; it holds AmgL, AmgR, Amg, PAG, VTA'):
        values([scan], [], outcome('x', 'intrinsic_connectivity', 'NAc'), out_dir=tmp_path)


def tract(tmp_path, bundle, rows):
    path = tmp_path / f'{bundle}.tsv'
    columns = ['session_id', 'hemi', 'param', 'method', 'value', 'flags']
    table = [('pre', hemi, 'fa', 'weighted', value, 'n/a') for hemi, value in rows.items()]
    pd.DataFrame(table, columns=columns).to_csv(path, sep='\t', index=False)
    path.with_suffix('.json').write_text('{}')
    return {
        'participant_id': 'sub-1',
        'visit': 'baseline',
        'session_id': 'pre',
        'table': str(path),
        'bundle': bundle,
    }


def test_tracts_are_those_of_their_pair(tmp_path):
    """On the midline there is one tract, whatever side an outcome names; across it is a side of its own."""
    tracts = [
        tract(tmp_path, 'AmgPAG', {'L': 0.1, 'R': 0.2, 'B': 0.15, 'C': 0.3}), tract(tmp_path, 'AmgVTA', {'L': 0.5, 'R': 0.7, 'B': 0.6}),
        tract(tmp_path, 'PAGVTA', {'n/a': 0.4}),
    ]  # fmt: skip
    asked = [
        outcome('first', 'tract_fa'), outcome('turned', 'tract_fa', 'VTA', 'Amg', hemisphere='R'),
        outcome('midline', 'tract_fa', 'PAG', 'VTA'), outcome('across', 'tract_fa', 'Amg', 'PAG', hemisphere='C'),
    ]  # fmt: skip
    design = _with_pairs(OutcomesDesign(treated=('a',), control='b', outcomes=tuple(asked)), CIRCUIT)
    found = values([], tracts, *design.imaging, out_dir=tmp_path)
    assert found == {'first': 0.15, 'turned': 0.7, 'midline': 0.4, 'across': 0.3}


def test_intervals_of_a_circuit_of_five_hold_what_was_planted_in_two_pairs():
    """At least 17 of 20 for each, a null among them: 95 % of 20 fall short of that once in 60.

    Errors average to less than three standard errors, and 2 % of z for what noise of voxels takes off.
    """
    table = pd.read_csv(GOLDEN / study.TABLE, sep='\t').set_index('quantity')
    assert table['truth'].to_dict() == study.PLANTED
    assert (table['n'] == 20).all()
    assert table['held'].min() >= 17
    away = table['mean_error'].abs() - 0.02 * table['truth'].abs()
    assert (away < 3 * table['sd'] / np.sqrt(table['n'])).all()


def test_each_seed_of_the_circuit_is_tested_voxel_by_voxel(tmp_path):
    bids, path = write_whole(tmp_path)
    trial = read_trial(path)
    image = tmp_path / 'map.nii'
    image.touch()
    scans = [
        ScanResult(
            who, visit.session_id, 'x', {}, {'AmgL': image, 'PAG': image, 'NAc': image}, 'S', 50.0, [], {}
        )
        for who in PEOPLE
        for visit in trial.visits
    ]
    tests = map_tests_of(trial, 'nrs')
    found = maps_by_kind(trial, read_tables(bids, trial), Results(scans, [], circuit=CIRCUIT), tests)
    assert list(found) == ['AmgL', 'PAG']
