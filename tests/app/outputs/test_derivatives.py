"""Names of outputs: order of entities, nothing dropped."""

import json
import re

import pytest

from bids_app.outputs.anatomy import ANATOMICAL_FIGURES, ANATOMY
from bids_app.outputs.bold import (
    CONNECTIVITY_FIGURES,
    DENOISED,
    FUNCTIONAL,
    FUNCTIONAL_FIGURES,
    connectivity_rows,
)
from bids_app.outputs.dataset import write_dataset_files
from bids_app.outputs.rows import Derivative, derivative_name
from pipelines.errors import OutputError
from pipelines.terms import default_circuit

SOURCE = {'sub': '01', 'ses': 'pre', 'task': 'rest', 'run': '1'}
KEYS = {'space': 'MNI152NLin6Asym', 'res': '2', 'atlas': 'A'}
ROWS = (
    *(*FUNCTIONAL, *connectivity_rows(default_circuit()), *DENOISED),
    *(*FUNCTIONAL_FIGURES, *CONNECTIVITY_FIGURES),
)
ANATOMY_ROWS = (*ANATOMY, *ANATOMICAL_FIGURES)


def names():
    of_run = [derivative_name(SOURCE, row, **KEYS) for row in ROWS]
    return of_run + [derivative_name({'sub': '01', 'ses': 'pre'}, row, **KEYS) for row in ANATOMY_ROWS]


def test_names_are_unique_and_ordered():
    """The order of entities is that of the BIDS specification, with our own before ``desc``."""
    assert len(set(names())) == len(names())
    order = [
        'sub',
        'ses',
        'task',
        'run',
        'from',
        'to',
        'mode',
        'space',
        'res',
        'atlas',
        'seg',
        'stat',
        'label',
        'desc',
    ]
    for name in names():
        places = [order.index(key) for key in re.findall(r'(?:^|_)([a-z]+)-', name.rsplit('/', 1)[1])]
        assert places == sorted(places)


@pytest.mark.parametrize(
    'expected',
    [
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_space-MNI152NLin6Asym_res-2_seg-NAcL_stat-fisherz_boldmap.nii.gz',
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_space-MNI152NLin6Asym_res-2_stat-icc_desc-norm_boldmap.nii.gz',
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_space-MNI152NLin6Asym_res-2_atlas-A_stat-fisherz_relmat.tsv',
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_desc-denoise_qc.json',
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_desc-confounds_timeseries.tsv',
        'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_from-boldref_to-T1w_mode-image_xfm.txt',
        'sub-01/ses-pre/anat/sub-01_ses-pre_label-GM_probseg.nii.gz',
        'sub-01/ses-pre/anat/sub-01_ses-pre_space-MNI152NLin6Asym_atlas-A_placement.tsv',
        'sub-01/ses-pre/anat/sub-01_ses-pre_from-T1w_to-MNI152NLin6Asym_mode-image_xfm.nii.gz',
        'sub-01/figures/sub-01_ses-pre_task-rest_run-1_desc-carpet_bold.png',
        'sub-01/figures/sub-01_ses-pre_desc-normalization_T1w.png',
    ],
)
def test_names_of_the_convention(expected):
    assert expected in names()


def test_unknown_entity_is_never_dropped():
    row = Derivative('x', 'bold', '.nii.gz', entities={'flavour': 'a'})
    with pytest.raises(OutputError, match='flavour'):
        derivative_name(SOURCE, row, **KEYS)


def test_session_is_optional():
    name = derivative_name(
        {'sub': '1', 'task': 'rest'}, connectivity_rows(default_circuit())[0], space='S', res=None
    )
    assert name == 'sub-1/func/sub-1_task-rest_desc-denoise_design.tsv'


def test_dataset_files_name_the_source(tmp_path):
    write_dataset_files(tmp_path, tmp_path, {'fmriprep': tmp_path / 'f'})
    about = json.loads((tmp_path / 'dataset_description.json').read_text())
    assert about['DatasetType'] == 'derivative'
    assert set(about['DatasetLinks']) == {'raw', 'fmriprep'}
    assert not any(line.endswith('/') for line in (tmp_path / '.bidsignore').read_text().split())
