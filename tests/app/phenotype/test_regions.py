"""Lists of regions as people write them: a table or a part of the trial file, files with their space, every fault by name."""

import json

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import make_settings
from bids_app.outputs.bold import atlas_label
from bids_app.outputs.plan import region_files
from bids_app.phenotype.regions import chosen_circuit, read_regions
from bids_app.phenotype.trial import DATA_DIR, read_trial
from pipelines.errors import DataError, MissingInputError, ParameterError
from pipelines.params import RegionParams
from pipelines.terms import COLUMNS, ROLES, SIDES, default_circuit

DEFAULT = default_circuit()
HEADER = ('name', 'hemisphere', 'source', 'role', 'pairs')
VTA = ('VTA', 'n/a', 'sphere:0,-16,-12,4', 'both', 'NAc')


def write(path, *rows, header=HEADER):
    path.write_text('\n'.join('\t'.join(row) for row in (header, *rows)) + '\n')
    return path


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), path)
    return path


def sources(circuit):
    return [source for own in circuit.structures for _, source in own.sources]


def test_a_table_with_what_spreadsheets_leave(tmp_path):
    path = write(
        tmp_path / 'r.tsv',
        ('VTA', '', 'sphere:0,-16,-12,4'),
        ('Ins', 'L', 'harvard-oxford:Insular Cortex'),
        header=('Name', 'Hemisphere', 'SOURCE'),
    )
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes().replace(b'\n', b'\r\n'))
    circuit = read_regions(path, DEFAULT)
    assert list(circuit.regions) == ['VTA', 'InsL']
    assert [own.role for own in circuit.structures] == ['both', 'both']


def test_a_list_adds_to_the_default_or_replaces_it(tmp_path):
    added = read_regions(write(tmp_path / 'a.tsv', VTA), DEFAULT)
    assert list(added.by_name) == ['VTA', 'NAc']
    alone = read_regions(write(tmp_path / 'b.tsv', (*VTA[:4], 'n/a')), DEFAULT)
    assert list(alone.by_name) == ['VTA']


@pytest.mark.parametrize(
    ('rows', 'header', 'says'),
    [
        ([VTA[:2]], HEADER[:2], 'has no column source. Columns are name, hemisphere, source, role, pairs'),
        ([(*VTA, 'x')], (*HEADER, 'colour'), 'the column colour is unknown'),
        ([(*VTA[:2], 'n/a', 'both', '')], HEADER, 'row 1: VTA has no source'),
        ([(*VTA[:4], 'Amygdala')], HEADER, 'Amygdala in pairs is none of the regions. Listed: VTA'),
        ([('VTA', 'n/a', 'atlas.nii.gz:left', 'both', '')], HEADER, 'label left of atlas.nii.gz is no number'),
        ([('VTA', 'n/a', 'space-fsnative_dseg.nii.gz:1', 'both', '')], HEADER, 'is in space fsnative; MNI152NLin6Asym'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_and_row(tmp_path, rows, header, says):
    path = write(tmp_path / 'r.tsv', *rows, header=header)
    with pytest.raises(ParameterError, match=says) as caught:
        read_regions(path, DEFAULT)
    assert str(path) in str(caught.value)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(MissingInputError, match=r'--regions .*gone.tsv: there is no such file'):
        read_regions(tmp_path / 'gone.tsv', DEFAULT)
    (tmp_path / 'r.xlsx').write_bytes(b'PK\x03\x04rest')
    with pytest.raises(ParameterError, match='Excel workbook'):
        read_regions(tmp_path / 'r.xlsx', DEFAULT)


@pytest.mark.parametrize(
    ('name', 'space'),
    [
        ('tpl-MNI152NLin2009cAsym_atlas-CIT168_dseg.nii.gz', '@MNI152NLin2009cAsym'),
        ('sub-01_space-T1w_desc-hand_dseg.nii.gz', '@T1w'),
        ('sub-01_space-ACPC_dseg.nii', '@ACPC'),
        ('mine.nii.gz', ''),
        ('sub-{subject}/sub-{subject}_desc-hand_dseg.nii.gz', '@T1w'),
        ('sub-{subject}/sub-{subject}_space-MNI152NLin6Asym_dseg.nii.gz', '@MNI152NLin6Asym'),
    ],
)
def test_the_name_of_a_file_tells_its_space(tmp_path, name, space):
    path = write(tmp_path / 'r.tsv', ('VTA', 'n/a', f'atlases/{name}:3', 'both', ''))
    assert sources(read_regions(path, DEFAULT)) == [f'{tmp_path}/atlases/{name}:3{space}']


def test_a_label_by_its_name_in_the_table_beside(tmp_path):
    (tmp_path / 'atlas.tsv').write_text('index\tname\n7\tVTA\n9\tPBP\n')
    path = write(tmp_path / 'r.tsv', ('VTA', 'n/a', 'atlas.nii.gz:vta + PBP', 'both', ''))
    assert sources(read_regions(path, DEFAULT)) == [f'{tmp_path}/atlas.nii.gz:7+9']
    write(path, ('VTA', 'n/a', 'atlas.nii.gz:VTB', 'both', ''))
    with pytest.raises(ParameterError, match=r'atlas.tsv has no label VTB. .*VTA'):
        read_regions(path, DEFAULT)


def settings_of(tmp_path, *words, level='participant'):
    for folder in ('bids', 'out'):
        (tmp_path / folder).mkdir(exist_ok=True)
    return make_settings([str(tmp_path / 'bids'), str(tmp_path / 'out'), level, *map(str, words)])


def test_files_of_each_person_are_their_inputs(tmp_path):
    mine = image(tmp_path / 'hand' / 'sub-07_dseg.nii.gz')
    path = write(tmp_path / 'r.tsv', ('VTA', 'n/a', 'hand/sub-{subject}_dseg.nii.gz:1', 'both', ''))
    settings = settings_of(tmp_path, '--regions', path)
    assert region_files(settings, '07') == [mine]
    assert region_files(settings, '08') == []
    assert settings.region_parameters() == {'regions': [
        {'name': 'VTA', 'hemisphere': 'n/a', 'source': 'sub-{subject}_dseg.nii.gz:1@T1w', 'role': 'both', 'pairs': ''}
    ]}  # fmt: skip


def test_a_list_of_the_default_is_the_default(tmp_path):
    rows = [tuple(row.values()) for row in DEFAULT.rows()]
    settings = settings_of(tmp_path, '--regions', write(tmp_path / 'r.tsv', *rows))
    assert settings.circuit == DEFAULT
    assert settings.region_parameters() == settings_of(tmp_path).region_parameters() == {
        'nac': 'harvard-oxford', 'mpfc': 'frontal-medial',
    }  # fmt: skip
    assert atlas_label(settings.circuit) == 'HarvardOxfordFrontalMedial'


def trial_with(tmp_path, **parts):
    content = json.loads((DATA_DIR / 'trial.json').read_text())
    content.pop('$schema', None)
    path = tmp_path / 'trial.json'
    path.write_text(json.dumps({**content, **parts}))
    return path


ROWS = [
    {'Name': 'VTA', 'Hemisphere': 'n/a', 'Source': 'sphere:0,-16,-12,4', 'Pairs': ['NAc', 'mPFC']},
    *(
        {'Name': 'Amg', 'Hemisphere': side, 'Source': 'harvard-oxford:Amygdala', 'Role': 'target'}
        for side in 'LR'
    ),
]


def outcomes(**more):
    return {
        'nrs': {'Table': 'phenotype/nrs.tsv', 'Column': 'nrs', 'Units': 'points', 'Role': 'primary'},
        **more,
    }


def test_regions_of_the_trial_file_are_those_of_the_table(tmp_path):
    trial = trial_with(tmp_path, Regions=ROWS, Outcomes=outcomes(), Mediation=[])
    table = write(
        tmp_path / 'r.tsv', ('VTA', 'n/a', ROWS[0]['Source'], 'both', 'NAc,mPFC'),
        *(('Amg', side, 'harvard-oxford:Amygdala', 'target', 'n/a') for side in 'LR'),
    )  # fmt: skip
    both = [chosen_circuit(RegionParams(), trial), chosen_circuit(RegionParams(regions=str(table)), None)]
    assert both[0] == both[1] == chosen_circuit(RegionParams(regions=str(table)), trial)
    assert (
        settings_of(tmp_path, '--trial', trial).circuit
        == settings_of(tmp_path, '--trial', trial, level='group').circuit
        == both[0]
    )
    write(table, VTA)
    with pytest.raises(ParameterError, match=r'r.tsv and Regions of .*trial.json differ'):
        settings_of(tmp_path, '--regions', table, '--trial', trial)


def test_options_beside_a_list(tmp_path):
    table = write(tmp_path / 'r.tsv', VTA)
    found = settings_of(tmp_path, '--regions', table, '--nac', 'sphere:9,9,-8,4').circuit
    assert found.by_name['NAc'].choice == 'sphere:9,9,-8,4'
    with pytest.raises(ParameterError, match='--mpfc sphere:4,45,4,4 has no effect beside a list'):
        settings_of(tmp_path, '--regions', table, '--mpfc', 'sphere:4,45,4,4')


def test_outcomes_name_regions_of_the_list_and_tracts_their_pair(tmp_path):
    fine = outcomes(
        fc={'Derivative': 'roi_connectivity', 'Regions': ['VTA', 'AmgL']},
        icc={'Derivative': 'intrinsic_connectivity', 'Regions': ['Amg']},
        fa={'Derivative': 'tract_fa', 'Regions': ['mPFC', 'VTA']},
        first={'Derivative': 'tract_fa'},
    )
    trial = read_trial(trial_with(tmp_path, Regions=ROWS, Outcomes=fine, Mediation=[]))
    assert trial.outcomes['fa'].regions == ('mPFC', 'VTA')
    for change, says in (
        ({'fc': {'Derivative': 'roi_connectivity', 'Regions': ['VTA', 'Amy']}}, r'Outcomes.fc.Regions.1: "Amy" is no region. .*Amg'),
        ({'fa': {'Derivative': 'tract_fa', 'Regions': ['Amg', 'VTA']}}, 'no tract joins Amg and VTA. Pairs: VTA and NAc; VTA and mPFC'),
        ({'fa': {'Derivative': 'tract_fa', 'Regions': ['VTA']}}, 'Outcomes.fa.Regions: 1 regions where tract_fa has 0'),
    ):  # fmt: skip
        with pytest.raises(DataError, match=says):
            read_trial(trial_with(tmp_path, Regions=ROWS, Outcomes=outcomes(**change), Mediation=[]))


def test_a_trial_of_regions_that_a_table_lists(tmp_path):
    """The names are those of --regions where the trial file lists none."""
    path = trial_with(
        tmp_path, Outcomes=outcomes(icc={'Derivative': 'alff', 'Regions': ['VTA']}), Mediation=[]
    )
    table = write(tmp_path / 'r.tsv', VTA)
    assert read_trial(path, read_regions(table, DEFAULT)).outcomes['icc'].regions == ('VTA',)
    with pytest.raises(DataError, match='"VTA" is no region'):
        read_trial(path)


@pytest.mark.parametrize('given', ['VTA', {'Name': 'VTA'}, [['VTA']], 3])
def test_regions_that_are_no_list(tmp_path, given):
    with pytest.raises(DataError, match='Regions is no list of objects'):
        chosen_circuit(RegionParams(), trial_with(tmp_path, Regions=given))


@pytest.mark.parametrize('level', ['participant', 'group'])
def test_a_file_of_regions_that_is_missing_ends_the_run(tmp_path, level):
    with pytest.raises(MissingInputError, match='there is no such file'):
        settings_of(tmp_path, '--regions', tmp_path / 'gone.tsv', level=level)


def test_settings_without_a_list_are_those_of_before(tmp_path):
    settings = settings_of(tmp_path, '--nac', 'sphere:9,9,-8,4')
    assert settings.listed is None
    assert settings.parameters()['nac'] == 'sphere:9,9,-8,4'
    assert 'regions' not in settings.parameters()
    assert settings.circuit_of('07') == settings.circuit == default_circuit('sphere:9,9,-8,4')


@pytest.mark.parametrize(
    ('key', 'value', 'says'),
    [
        ('Hemisphere', 'left', 'Regions.0.Hemisphere: "left" is not allowed'),
        ('Role', 'sink', 'Regions.0.Role: "sink" is not allowed'),
        ('Pairs', 'NAc', 'Regions.0.Pairs: "NAc" is not a list'),
        ('Colour', 'red', 'Regions.0.Colour is no known key'),
        ('Source', '', 'Regions.0.Source: "" is empty'),
    ],
)
def test_faults_of_the_part_regions_are_told_by_their_keys(tmp_path, key, value, says):
    listed = [{**ROWS[0], key: value}, *ROWS[1:]]
    with pytest.raises(DataError, match=says):
        read_trial(trial_with(tmp_path, Regions=listed, Outcomes=outcomes(), Mediation=[]))


def test_words_of_the_schema_are_those_of_the_terms():
    schema = json.loads((DATA_DIR / 'trial.schema.json').read_text())
    row = schema['properties']['Regions']['items']['properties']
    assert row['Role']['enum'] == list(ROLES)
    assert set(row['Hemisphere']['enum']) | {'B', 'C'} == set(SIDES)
    assert set(schema['$defs']['derivativeOutcome']['properties']['Hemisphere']['enum']) | {'n/a'} == set(
        SIDES
    )
    assert [key.lower() for key in row] == list(COLUMNS)
