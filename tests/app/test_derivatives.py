"""Names of outputs: order of entities, nothing dropped, files replaced in one step."""

import json
import re

import pytest

from bids_app import derivatives
from bids_app.derivatives import CONNECTIVITY, DENOISED, FIGURES, Derivative, derivative_name
from pipelines.errors import OutputError

SOURCE = {'sub': '01', 'ses': 'pre', 'task': 'rest', 'run': '1'}
KEYS = {'space': 'MNI152NLin6Asym', 'res': '2', 'atlas': 'A'}


def names():
    return [derivative_name(SOURCE, row, **KEYS) for row in (*CONNECTIVITY, *DENOISED, *FIGURES)]


def test_names_are_unique_and_ordered():
    assert len(set(names())) == len(names())
    order = {key: place for place, key in enumerate(derivatives.ENTITY_ORDER)}
    for name in names():
        places = [order[key] for key in re.findall(r'(?:^|_)([a-z]+)-', name.rsplit('/', 1)[1])]
        assert places == sorted(places)


@pytest.mark.parametrize(
    'expected',
    [
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_space-MNI152NLin6Asym_res-2_seg-NAcL_stat-fisherz_boldmap.nii.gz',
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_space-MNI152NLin6Asym_res-2_stat-icc_desc-norm_boldmap.nii.gz',
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_space-MNI152NLin6Asym_res-2_atlas-A_stat-fisherz_relmat.tsv',
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_desc-denoise_qc.json',
        'sub-01/figures/sub-01_ses-pre_task-rest_run-1_desc-carpet_bold.png',
    ],
)
def test_names_of_the_convention(expected):
    assert expected in names()


def test_unknown_entity_is_never_dropped():
    row = Derivative('x', 'bold', '.nii.gz', entities={'flavour': 'a'})
    with pytest.raises(OutputError, match='flavour'):
        derivative_name(SOURCE, row, **KEYS)


def test_session_is_optional():
    name = derivative_name({'sub': '1', 'task': 'rest'}, CONNECTIVITY[0], space='S', res=None, atlas='A')
    assert name == 'sub-1/func/sub-1_task-rest_desc-denoise_design.tsv'


def test_replacing_unlinks_a_read_only_link(tmp_path):
    """An annexed output is a link to a read-only object that must stay as it is."""
    annexed = tmp_path / 'object'
    annexed.write_text('old')
    annexed.chmod(0o444)
    (tmp_path / 'out.tsv').symlink_to(annexed)
    (tmp_path / 'new').write_text('new')
    derivatives.replace_file(tmp_path / 'new', tmp_path / 'out.tsv')
    assert (tmp_path / 'out.tsv').read_text() == 'new'
    assert annexed.read_text() == 'old'


def test_dataset_files_name_the_source(tmp_path):
    derivatives.write_dataset_files(tmp_path, tmp_path, {'fmriprep': tmp_path / 'f'})
    about = json.loads((tmp_path / 'dataset_description.json').read_text())
    assert about['DatasetType'] == 'derivative'
    assert set(about['DatasetLinks']) == {'raw', 'fmriprep'}
    assert not any(line.endswith('/') for line in (tmp_path / '.bidsignore').read_text().split())
