"""Which images belong to a series, by every form that people write, and what is read of them."""

import json
import logging

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import make_settings
from bids_app.scans.encoding import encoding_of
from bids_app.scans.field_images import (
    describe_epi,
    find_belonging,
    magnitude_of,
    phases_of,
    suffix_of,
    unweighted,
)
from bids_app.scans.fieldmaps import choose_estimator, is_opposite
from pipelines.terms import ESTIMATORS, FIELD_UNITS

SESSION = 'sub-01/ses-a'
DWI = 'dwi/sub-01_ses-a_dir-AP_dwi'
ENCODED = {'PhaseEncodingDirection': 'j-', 'TotalReadoutTime': 0.05}
PHASE = {'EchoTime1': 0.005, 'EchoTime2': 0.0075}


@pytest.fixture
def root(tmp_path):
    """Return a dataset of one session with one diffusion series along ``j-``."""
    root = tmp_path / 'raw'
    write(root, DWI, **ENCODED)
    (root / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    return root


def write(root, name, **facts):
    """Write an image of the session and its sidecar; return the path of the image."""
    path = root / SESSION / f'{name}.nii.gz'
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.int16), np.eye(4)), path)
    (root / SESSION / f'{name}.json').write_text(json.dumps(facts))
    return path


def fmap(root, suffix, **facts):
    return write(root, f'fmap/sub-01_ses-a_{suffix}', **facts)


def settings_of(root, *words):
    work = str(root.parent / 'work')
    return make_settings([str(root), str(root.parent / 'out'), 'participant', '-w', work, *words])


def series_of(root, name=DWI):
    return root / SESSION / f'{name}.nii.gz'


def belonging(root, *names):
    found = find_belonging(settings_of(root), [series_of(root, name) for name in names or (DWI,)])
    return [
        path.name.removeprefix('sub-01_ses-a_').removesuffix('.nii.gz') for path in found.facts
    ], found.reasons


FORMS = {
    'relative to the participant': f'ses-a/{DWI}.nii.gz',
    'a BIDS URI': f'bids::{SESSION}/{DWI}.nii.gz',
    'a BIDS URI with a dataset': f'bids:raw:{SESSION}/{DWI}.nii.gz',
    'with the participant': f'{SESSION}/{DWI}.nii.gz',
    'from the root': f'/ses-a/{DWI}.nii.gz',
    'with a dot': f'./ses-a/{DWI}.nii.gz',
    'not compressed': f'ses-a/{DWI}.nii',
    'one of a list': ['ses-a/func/other_bold.nii.gz', f'ses-a/{DWI}.nii.gz'],
}


@pytest.mark.parametrize('form', FORMS.values(), ids=FORMS)
def test_every_form_of_intended_for(root, form):
    fmap(root, 'phasediff', IntendedFor=form)
    fmap(root, 'dir-PA_epi', IntendedFor='ses-a/func/other_bold.nii.gz')
    assert belonging(root) == (['phasediff'], [])


@pytest.mark.parametrize(
    ('identifier', 'source', 'belongs'),
    [
        ('a', 'a', True),
        (['a', 'b'], 'b', True),
        ('a', ['b', 'a'], True),
        ('a', 'b', False),
        ('a', None, False),
        (7, 7, False),
    ],
)
def test_identifier_and_source(root, identifier, source, belongs):
    write(root, DWI, **ENCODED, B0FieldSource=source)
    fmap(root, 'dir-PA_epi', B0FieldIdentifier=identifier)
    assert (belonging(root)[0] == ['dir-PA_epi']) is belongs


def test_an_identifier_goes_before_intended_for(root):
    write(root, DWI, **ENCODED, B0FieldSource='a')
    fmap(root, 'phasediff', IntendedFor=f'ses-a/{DWI}.nii.gz')
    fmap(root, 'dir-PA_epi', B0FieldIdentifier='a')
    assert belonging(root)[0] == ['dir-PA_epi']


def test_images_of_any_series_of_the_session_count(root):
    """One names the first, another the second of two series that are corrected together."""
    other = 'dwi/sub-01_ses-a_dir-AP_run-2_dwi'
    write(root, other, **ENCODED)
    fmap(root, 'acq-1_phasediff', IntendedFor=f'ses-a/{DWI}.nii.gz')
    fmap(root, 'acq-2_phasediff', IntendedFor=f'ses-a/{other}.nii.gz')
    assert belonging(root)[0] == ['acq-1_phasediff']
    assert belonging(root, DWI, other)[0] == ['acq-1_phasediff', 'acq-2_phasediff']


def test_images_of_another_session_do_not(root):
    """Their shim may be that of this one, by default settings of the scanner."""
    write(root, DWI, **ENCODED, ShimSetting=[1, 2])
    path = root / 'sub-01/ses-b/fmap/sub-01_ses-b_phasediff.nii.gz'
    path.parent.mkdir(parents=True)
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.int16), np.eye(4)), path)
    path.with_name('sub-01_ses-b_phasediff.json').write_text(json.dumps({'ShimSetting': [1, 2]}))
    assert belonging(root) == ([], [])


@pytest.mark.parametrize(
    ('own', 'theirs', 'belongs'),
    [
        ([1, 2], [1, 2], True),
        ([1, 2], [1, 3], False),
        ([1, 2], None, False),
        (None, None, False),
        ([], [], False),
    ],
)
def test_shim(root, own, theirs, belongs):
    write(root, DWI, **ENCODED, **({} if own is None else {'ShimSetting': own}))
    fmap(root, 'phasediff', **({} if theirs is None else {'ShimSetting': theirs}))
    found, reasons = belonging(root)
    assert (found == ['phasediff']) is belongs
    assert (
        any('phasediff.nii.gz: no B0FieldIdentifier or IntendedFor' in reason for reason in reasons)
        is not belongs
    )


def test_a_broken_sidecar_costs_its_image_alone(root):
    fmap(root, 'acq-1_phasediff', IntendedFor=f'ses-a/{DWI}.nii.gz')
    path = fmap(root, 'acq-2_phasediff')
    path.with_name(path.name.replace('.nii.gz', '.json')).write_text('{"Intended')
    found, reasons = belonging(root)
    assert found == ['acq-1_phasediff']
    assert ['no valid JSON' in reason for reason in reasons] == [True]


def test_images_that_show_no_field_are_not_spoken_of(root):
    for suffix in ('magnitude1', 'part-phase_epi', 'TB1map', 'dir-PA_m0scan'):
        fmap(root, suffix, IntendedFor=f'ses-a/{DWI}.nii.gz')
    assert belonging(root) == ([], [])


def test_suffix():
    from pathlib import Path

    assert suffix_of(Path('sub-01_acq-x_phasediff.nii.gz')) == 'phasediff'


def test_magnitudes_and_phases_are_those_of_one_acquisition(root):
    for acquisition in ('acq-1', 'acq-2'):
        for suffix in ('magnitude2', 'magnitude1', 'phase2', 'phase1'):
            fmap(root, f'{acquisition}_{suffix}')
    own = root / SESSION / 'fmap/sub-01_ses-a_acq-2_phase2.nii.gz'
    assert magnitude_of(own).name == 'sub-01_ses-a_acq-2_magnitude1.nii.gz'
    assert [path.name[13:] for path in phases_of(own)] == ['acq-2_phase1.nii.gz', 'acq-2_phase2.nii.gz']
    assert magnitude_of(root / SESSION / 'fmap/sub-01_ses-a_acq-3_phase2.nii.gz') is None


@pytest.mark.parametrize(
    ('table', 'volumes'),
    [
        ('0 1000 5 2000\n', (0, 2)),
        ('0\n1000\n100\n', (0, 2)),
        ('a b\n', ()),
        ('', ()),
    ],
)
def test_volumes_without_weighting(root, table, volumes):
    path = series_of(root)
    path.with_name(path.name.replace('.nii.gz', '.bval')).write_text(table)
    assert unweighted(path, root) == volumes
    assert describe_epi(settings_of(root), path, ENCODED) == (path, 'j-', 0.05, volumes)


def test_remarks_are_made_where_an_image_can_be_used(root, caplog):
    facts = {'TotalReadoutTime': '0.05'}
    with caplog.at_level(logging.WARNING):
        describe_epi(settings_of(root), series_of(root), facts)
        assert caplog.text == ''
        describe_epi(settings_of(root), series_of(root), {**facts, 'PhaseEncodingDirection': 'j'})
    assert 'TotalReadoutTime is text' in caplog.text


@pytest.mark.parametrize(
    ('facts', 'time', 'said'),
    [
        ({'EstimatedTotalReadoutTime': 0.026}, 0.026, 'an estimate of the converter'),
        ({'EstimatedTotalReadoutTime': 0.026, 'TotalReadoutTime': 0.03}, 0.03, ''),
        ({'EstimatedTotalReadoutTime': 26}, 0.0, ''),
        (
            {'EstimatedTotalReadoutTime': 0.026, 'EffectiveEchoSpacing': 0.0005, 'ReconMatrixPE': 101},
            0.05,
            'EffectiveEchoSpacing x (ReconMatrixPE - 1)',
        ),
    ],
)
def test_readout_times_that_converters_write(facts, time, said):
    found = encoding_of({'PhaseEncodingDirection': 'j', **facts})
    assert found.readout_time == pytest.approx(time)
    assert said in ' '.join(found.remarks)
    assert bool(said) == bool(found.remarks)


@pytest.mark.parametrize(
    ('one', 'other', 'is_so'),
    [
        ('j', 'j-', True),
        ('i-', 'i', True),
        ('j', 'j', False),
        ('i', 'j-', False),
        ('', 'j', False),
        ('j', '', False),
    ],
)
def test_opposite(one, other, is_so):
    assert is_opposite(one, other) is is_so


def choose(root, *words, **about):
    return choose_estimator(settings_of(root, *words), [series_of(root)], **about)


INTENDED = {'IntendedFor': f'ses-a/{DWI}.nii.gz'}


@pytest.mark.parametrize('unit', FIELD_UNITS)
def test_fields_in_every_unit(root, unit):
    fmap(root, 'fieldmap', **INTENDED, Units=unit)
    fmap(root, 'magnitude')
    found = choose(root).estimator
    assert (found.kind, found.units) == ('fieldmap', unit)
    assert [path.name[13:] for path in found.files()] == ['fieldmap.nii.gz', 'magnitude.nii.gz']


def test_kinds_are_asked_in_their_order(root):
    """Each is used once those before it are taken away, and the others are told each time."""
    files = {
        'pair': [fmap(root, 'dir-AP_epi', **INTENDED, **ENCODED)],
        'reverse': [fmap(root, 'dir-PA_epi', **INTENDED, **{**ENCODED, 'PhaseEncodingDirection': 'j'})],
        'fieldmap': [fmap(root, 'fieldmap', **INTENDED, Units='Hz')],
        'phasediff': [fmap(root, 'phasediff', **INTENDED, **PHASE)],
        'phases': [fmap(root, f'phase{n}', **INTENDED, EchoTime=0.0025 * n) for n in (1, 2)],
    }
    fmap(root, 'magnitude1')
    assert list(files) == list(ESTIMATORS)
    for kind, own in files.items():
        found = choose(root)
        assert found.estimator.kind == kind
        others = {path for paths in files.values() for path in paths if path.exists()} - set(
            found.estimator.files()
        )
        assert all(any(path.name in reason for reason in found.passed_over) for path in others)
        for path in own:
            path.unlink()
    assert choose(root) == (None, [])


def test_a_pair_of_series_goes_before_everything(root):
    fmap(root, 'phasediff', **INTENDED, **PHASE)
    fmap(root, 'magnitude1')
    estimator, reasons = choose(root, has_own_pair=True)
    assert estimator is None
    assert ['which show their distortion themselves' in reason for reason in reasons] == [True]


@pytest.mark.parametrize('word', ['fieldmaps', 'sdc'])
def test_what_is_left_out_by_an_option_is_not_missed(root, word):
    fmap(root, 'phasediff', **INTENDED, **PHASE)
    assert choose(root, '--ignore', word) == (None, [])
