"""Files of any circuit: which there are, what they are called, and which of them belong to which pair."""

import json

import pytest

from bids_app.outputs.bold import (
    DISTORTION_FIGURES,
    FUNCTIONAL_FIGURES,
    RELMAT,
    atlas_label,
    connectivity_rows,
    map_rows,
)
from bids_app.outputs.diffusion import SCALARSTATS, tck_rows, tract_rows
from bids_app.outputs.recorded import with_recorded_regions
from bids_app.outputs.rows import derivative_name
from bids_app.outputs.tract_tables import tract_tables
from bids_app.phenotype.trial import read_trial
from bids_app.settings import Settings
from pipelines.errors import DataError
from pipelines.terms import circuit_of_rows, default_circuit
from tests.app.trial_data import TRACT_COLUMNS

ROWS = [
    *({'name': 'NAc', 'hemisphere': side, 'source': 'harvard-oxford', 'pairs': 'Amg PAG'} for side in 'LR'),
    *({'name': 'Amg', 'hemisphere': side, 'source': 'harvard-oxford:Amygdala', 'role': 'target'} for side in 'LR'),
    {'name': 'PAG', 'hemisphere': 'n/a', 'source': 'sphere:0,-30,-10,5', 'role': 'seed', 'pairs': 'DRN'},
    {'name': 'DRN', 'hemisphere': 'n/a', 'source': 'sphere:0,-28,-24,4', 'role': 'seed'},
]  # fmt: skip
FIVE = circuit_of_rows(ROWS)
SOURCE = {'sub': '1', 'task': 'rest'}


def names(rows, **more):
    return [derivative_name(SOURCE, row, space='S', res=None, **more).split('/')[-1] for row in rows]


def test_maps_are_those_of_the_seeds():
    found = names(map_rows(FIVE).values())
    assert found[:5] == [
        f'sub-1_task-rest_space-S_seg-{seed}_stat-fisherz_boldmap.nii.gz' for seed in ('NAcL', 'NAcR', 'NAc', 'PAG', 'DRN')
    ]  # fmt: skip
    assert [name.split('_')[3] for name in found[5:]] == ['stat-icc', 'stat-alff', 'stat-falff']


def test_every_row_has_a_name_and_an_output_of_its_own():
    for rows in (connectivity_rows(FIVE), (*tract_rows(FIVE), *tck_rows(FIVE))):
        assert (
            len(set(names(rows, atlas=atlas_label(FIVE)))) == len(rows) == len({row.output for row in rows})
        )
    (matrix,) = names([RELMAT], atlas=atlas_label(FIVE))
    assert matrix.split('_')[3] == f'atlas-{atlas_label(FIVE)}'


def test_tracts_by_side_and_tables_by_pair():
    rows = {row.output: row for row in tract_rows(FIVE)}
    bundles = [rows[f'streamlines[{n}]'].entities['bundle'] for n in range(5)]
    assert bundles == ['NAcAmgL', 'NAcAmgR', 'NAcPAGL', 'NAcPAGR', 'PAGDRN']
    assert [rows[f'probsegs[{n}]'].entities['label'] for n in range(5)] == bundles
    assert [rows[f'streamlines[{n}]'].facts for n in range(5)] == [f'metadata[{n}]' for n in (0, 0, 1, 1, 2)]
    assert [rows[f'scalarstats[{n}]'].entities['bundle'] for n in range(3)] == ['NAcAmg', 'NAcPAG', 'PAGDRN']
    assert rows['streamlines[4]'].description == 'Streamlines from PAG to DRN, on the midline'
    assert rows['profile[1]'].fields['node'] == {'Description': '1 at the nucleus accumbens, 100 at the PAG'}


def test_the_row_tells_every_column():
    assert sorted(SCALARSTATS.fields) == sorted(TRACT_COLUMNS)


def test_one_row_finds_the_table_of_any_pair():
    found = [name for name in names(tract_rows(FIVE)) if SCALARSTATS.is_name(name, {})]
    assert [name.split('_')[2] for name in found] == ['bundle-NAcAmg', 'bundle-NAcPAG', 'bundle-PAGDRN']


def test_tables_of_pairs_come_in_the_order_of_the_list(tmp_path):
    """Of alphabetic names: the first pair is the one that an outcome without Regions means."""
    folder = tmp_path / 'sub-1'
    (folder / 'dwi').mkdir(parents=True)
    for bundle in ('PAGDRN', 'NAcAmg', 'Aged', 'NAcPAG'):
        (folder / 'dwi' / f'sub-1_bundle-{bundle}_scalarstats.tsv').touch()
    (folder / 'ses-post' / 'dwi').mkdir(parents=True)
    (folder / 'ses-post' / 'dwi' / 'sub-1_ses-post_bundle-NAcPAG_scalarstats.tsv').touch()
    found = [(table.session_id, table.bundle) for table in tract_tables(folder, read_trial(), FIVE)]
    assert found == [
        *(('ses-pre', bundle) for bundle in ('NAcAmg', 'NAcPAG', 'PAGDRN', 'Aged')), ('ses-post', 'NAcPAG'),
    ]  # fmt: skip


def settings_of(tmp_path, listed=None):
    return Settings(
        bids_dir=tmp_path, output_dir=tmp_path, level='group', work_dir=tmp_path / 'work', listed=listed
    )


def record(tmp_path, **parameters):
    folder = tmp_path / 'sub-1' / 'log' / 'manifest'
    folder.mkdir(parents=True)
    content = {'version': '0', 'parameters': parameters, 'inputs': {}, 'outputs': {}}
    (folder / 'task-rest_connectivity.json').write_text(json.dumps(content))


def test_the_group_takes_the_regions_that_participants_were_processed_with(tmp_path):
    assert with_recorded_regions(settings_of(tmp_path)).listed is None
    record(tmp_path, regions=FIVE.rows())
    assert (
        with_recorded_regions(settings_of(tmp_path)).listed
        == with_recorded_regions(settings_of(tmp_path, FIVE)).listed
        == FIVE
    )
    other = circuit_of_rows(ROWS[4:])
    with pytest.raises(DataError, match='processed with other regions than those of --regions'):
        with_recorded_regions(settings_of(tmp_path, other))


def test_a_list_where_participants_have_the_default(tmp_path):
    record(tmp_path, nac='harvard-oxford', mpfc='frontal-medial')
    assert with_recorded_regions(settings_of(tmp_path)).listed is None
    with pytest.raises(DataError, match='process them again with it'):
        with_recorded_regions(settings_of(tmp_path, FIVE))
    assert settings_of(tmp_path).circuit == default_circuit()


def test_a_picture_before_and_after_belongs_to_runs_that_are_corrected():
    """It has a name of its own beside that of the coregistration."""
    (coregistration,), (distortion,) = FUNCTIONAL_FIGURES, DISTORTION_FIGURES
    run = {'sub': '01', 'task': 'rest'}
    named = [derivative_name(run, row, space='', res=None) for row in (coregistration, distortion)]
    assert named[1] == 'sub-01/figures/sub-01_task-rest_desc-distortion_bold.png'
    assert named[0] != named[1]
    assert distortion.output == 'distortion_figure'
