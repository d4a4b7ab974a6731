"""The participant level of diffusion from end to end: planted tracts come back in files that others read."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from dipy.io.streamline import load_tractogram

from bids_app.cli import main
from bids_app.simulated.cli import main as simulate
from pipelines.numerics.resample import apply_linear
from tests.app.trial_data import TRACT_COLUMNS

pytestmark = pytest.mark.slow

QUICK = ['--sloppy', '--skip', 'functional', '--n-streamlines', '60', '--max-seeds', '4000']
SMALL = [
    '--participants',
    '1',
    '--seed',
    '3',
    '--dwi-directions',
    '28',
    '--dwi-voxel-size',
    '4',
    '--snr',
    '100',
]
SESSIONS = ('pre', 'post')
SIDES = {'L': -1, 'R': 1}
COLUMNS = {
    '': ' '.join(TRACT_COLUMNS),
    '_desc-profile': 'session_id hemi node param mean sd',
    '_desc-threshold': 'session_id hemi threshold param value volume',
}  # fmt: skip


@pytest.fixture(scope='module')
def qsiprep(tmp_path_factory):
    root = tmp_path_factory.mktemp('simulated') / 'qsiprep'
    assert simulate([str(root), '--layout', 'qsiprep', *SMALL]) == 0
    return root


def run(root, out, work, *words):
    folders = ['-d', f'qsiprep={root}', '-w', str(work)]
    return main([str(root), str(out), 'participant', *folders, *QUICK, *words])


@pytest.fixture(scope='module')
def finished(qsiprep, tmp_path_factory):
    folder = tmp_path_factory.mktemp('person')
    assert run(qsiprep, folder / 'out', folder / 'work', '--nprocs', '2', '--write-tck') == 0
    return folder


@pytest.fixture(scope='module')
def person(finished):
    return finished / 'out' / 'sub-01' / 'dwi'


@pytest.fixture(scope='module')
def independent(qsiprep, finished):
    """The maps of the sessions are those in the work folder."""
    out = finished.parent / 'independent'
    assert run(qsiprep, out, finished / 'work', '--nprocs', '2', '--tract', 'independent') == 0
    return out


def table(folder, which=''):
    (path,) = folder.glob(f'*_bundle-NAcMPFC{which}_scalarstats.tsv')
    return pd.read_csv(path, sep='\t', na_values='n/a', keep_default_na=False)


def truth(root):
    return json.loads((root / 'sourcedata' / 'truth.json').read_text())['Tract']


def errors_of(root):
    beside = Path(sys.executable).with_name('bids-validator-deno')
    validator = str(beside) if beside.exists() else shutil.which('bids-validator-deno')
    if not validator:
        pytest.skip('bids-validator-deno is not installed')
    result = subprocess.run([validator, '--json', str(root)], capture_output=True, text=True, check=False)
    issues = json.loads(result.stdout)['issues']['issues']
    return [(i['code'], i.get('location')) for i in issues if i['severity'] == 'error']


def test_maps_lie_with_their_session_and_the_tract_with_the_person(finished, person):
    for session in SESSIONS:
        stem = f'sub-01_ses-{session}_space-ACPC'
        folder = finished / 'out' / 'sub-01' / f'ses-{session}' / 'dwi'
        maps = {f'{stem}_model-tensor_param-{name}_dwimap.nii.gz' for name in ('fa', 'md', 'ad', 'rd')}
        maps |= {f'{stem}_dwiref.nii.gz', f'{stem}_desc-brain_mask.nii.gz'}
        assert {p.name for p in folder.glob('*.nii.gz')} == maps
        assert {p.name for p in folder.glob('*.json')} == {m.replace('.nii.gz', '.json') for m in maps}
    kinds = [f'bundle-NAcMPFC{s}_streamlines.{e}' for s in SIDES for e in ('trk', 'tck', 'json')]
    kinds += [f'label-NAcMPFC{s}_probseg.{e}' for s in SIDES for e in ('nii.gz', 'json')]
    kinds += [f'desc-regions_dseg.{e}' for e in ('nii.gz', 'tsv', 'json')]
    tables = [f'sub-01_bundle-NAcMPFC{w}_scalarstats.{e}' for w in COLUMNS for e in ('tsv', 'json')]
    assert {p.name for p in person.iterdir()} == {*(f'sub-01_space-ACPC_{kind}' for kind in kinds), *tables}


def test_the_validator_finds_no_error(finished):
    assert errors_of(finished / 'out') == []


@pytest.mark.parametrize('side', SIDES)
def test_streamlines_open_elsewhere_and_lie_where_they_visit(person, side):
    """In RAS mm, from the accumbens forward to the cortex, inside the voxels of the visitation map."""
    stem = f'sub-01_space-ACPC_bundle-NAcMPFC{side}_streamlines'
    visits = nb.load(person / f'sub-01_space-ACPC_label-NAcMPFC{side}_probseg.nii.gz')
    checked = load_tractogram(str(person / f'{stem}.trk'), 'same', bbox_valid_check=True)
    np.testing.assert_allclose(checked.affine, visits.affine, atol=1e-5)
    assert tuple(checked.dimensions) == visits.shape
    checked.to_rasmm()
    trk, tck = (nb.streamlines.load(person / f'{stem}.{kind}').streamlines for kind in ('trk', 'tck'))
    assert len(trk) == len(tck) == len(checked.streamlines) > 50
    for one, other, third in zip(trk, tck, checked.streamlines):
        np.testing.assert_allclose(one, other, atol=1e-3)
        np.testing.assert_allclose(one, third, atol=1e-3)
    points = np.concatenate(list(tck))
    voxels = np.rint(apply_linear(np.linalg.inv(visits.affine), points)).astype(int)
    assert np.all(np.asarray(visits.dataobj)[tuple(voxels.T)] > 0)
    assert np.mean(np.sign(points[:, 0]) == SIDES[side]) > 0.99
    assert np.median([line[-1, 1] - line[0, 1] for line in tck]) > 10  # from NAc forward to mPFC
    assert nb.aff2axcodes(visits.affine) == ('R', 'A', 'S')


@pytest.mark.parametrize('side', SIDES)
def test_the_tract_is_the_planted_one(person, qsiprep, side):
    """Half and more of the visits fall on voxels of the planted curves, dilated by one of 4 mm."""
    from scipy.ndimage import binary_dilation

    name = f'sub-01_ses-pre_label-NAcMPFC{side}_probseg.nii.gz'
    planted = nb.as_closest_canonical(nb.load(qsiprep / 'sourcedata' / name))
    found = nb.load(person / f'sub-01_space-ACPC_label-NAcMPFC{side}_probseg.nii.gz')
    np.testing.assert_allclose(found.affine, planted.affine, atol=1e-4)
    visits, near = found.get_fdata(), binary_dilation(planted.get_fdata() > 0)
    assert visits.max() <= 1
    assert visits[near].sum() / visits.sum() > 0.9


def test_fa_is_near_the_planted_one_and_rises_as_planted(person, qsiprep):
    """Within 0.05 in voxels of 4 mm; between the sessions of one tract within 0.01."""
    rows = table(person).query('param == "fa" and method == "weighted"').set_index(['session_id', 'hemi'])
    planted = {session: truth(qsiprep)[f'sub-01_ses-{session}']['FA'] for session in SESSIONS}
    for hemi in ('L', 'R', 'B'):
        values = {session: float(rows.loc[(session, hemi), 'value']) for session in SESSIONS}
        for session in SESSIONS:
            assert values[session] == pytest.approx(planted[session][hemi], abs=0.05)
        change = planted['post'][hemi] - planted['pre'][hemi]
        assert values['post'] - values['pre'] == pytest.approx(change, abs=0.01)


def test_tables_have_the_columns_and_rows_of_the_conventions(person):
    stats, profile, curve = (table(person, which) for which in COLUMNS)
    for found, columns in zip((stats, profile, curve), COLUMNS.values()):
        assert list(found) == columns.split()
        assert set(found['session_id']) == set(SESSIONS)
    assert len(stats) == 2 * 3 * (
        2 * 4 + 1
    )  # with anisotropy beside free water, which has no mean of streamlines
    assert set(stats['hemi']) == {'L', 'R', 'B'}
    assert set(stats['method']) == {'weighted', 'streamline'}
    assert len(profile) == 2 * 2 * 4 * 100
    assert set(profile['node']) == set(range(1, 101))
    assert set(curve['param']) == {'fa'}
    for _, rows in curve.groupby(['session_id', 'hemi']):
        assert rows['threshold'].is_monotonic_increasing
        assert rows['volume'].is_monotonic_decreasing
    # one tract: what is said of it is the same in each session
    assert stats.groupby('hemi')[['n_streamlines', 'mean_length', 'volume']].nunique().eq(1).all(axis=None)
    diffusivity = stats.query('param == "md" and hemi == "L"')['value'].astype(float)
    assert diffusivity.between(0.4e-3, 1.2e-3).all()


def test_sidecars_say_what_the_value_rests_on(finished, person):
    stats = json.loads((person / 'sub-01_bundle-NAcMPFC_scalarstats.json').read_text())
    expected = {'FodModel', 'HarmonicOrder', 'StoppingCriterion', 'Tracking', 'CleaningSD', 'RegionCoverage'}
    assert expected | {'Sessions', 'Flags', 'SusceptibilityDistortionCorrection'} <= set(stats)
    assert set(COLUMNS[''].split()) <= set(stats)
    assert [uri.split(':')[1] for uri in stats['Sources']] == ['qsiprep', 'qsiprep']
    for directions in stats['Tracking'].values():
        for counts in directions.values():
            assert counts['Kept'] <= counts['Accepted'] <= 60
            assert counts['Accepted'] <= counts['Seeds'] <= 4000
    own = next((finished / 'out').rglob('*ses-pre*_param-fa_dwimap.json'))
    sidecar = json.loads(own.read_text())
    assert sidecar['SpatialReference'].startswith('bids:qsiprep:sub-01/anat/')
    assert sidecar['NumberOfDirections'] == 28
    assert sidecar['BValues'] == [1000]


def test_the_report_shows_it(finished):
    page = (finished / 'out' / 'sub-01.html').read_text()
    figures = {p.name for p in (finished / 'out' / 'sub-01' / 'figures').iterdir()}
    assert {f'sub-01_desc-{name}_dwi.png' for name in ('tract', 'profile', 'threshold')} < figures
    assert page.count('<figure') == len(figures) == 9


def test_the_second_run_does_nothing(finished, qsiprep, capsys):
    assert run(qsiprep, finished / 'out', finished / 'work', '--write-tck') == 0
    assert '0 processed, 1 already up to date' in capsys.readouterr().out
    names = {path.stem for path in (finished / 'out').glob('sub-01/log/manifest/*.json')}
    assert {'ses-pre_dwi', 'ses-post_dwi_figures', 'tract'} < names


def test_another_parameter_needs_overwrite(finished, qsiprep, capsys):
    assert run(qsiprep, finished / 'out', finished / 'work', '--write-tck', '--step-size', '1') == 73
    assert 'step_size' in capsys.readouterr().err


@pytest.mark.long
def test_independent_tracts_lie_with_their_session(independent):
    assert errors_of(independent) == []
    assert not (independent / 'sub-01' / 'dwi').exists()
    for session in SESSIONS:
        folder = independent / 'sub-01' / f'ses-{session}' / 'dwi'
        assert set(table(folder)['session_id']) == {session}
        assert (folder / f'sub-01_ses-{session}_space-ACPC_bundle-NAcMPFCL_streamlines.trk').is_file()
    assert not list(independent.rglob('*.tck'))


LISTED = {
    'words of the default': ('harvard-oxford', 'frontal-medial'),
    'labels': ('harvard-oxford:Accumbens', 'harvard-oxford:Frontal Medial Cortex'),
}
"""NAc and mPFC as a list may name them."""


def write_regions(path, nac, mpfc):
    rows = [
        (name, side, source, pairs)
        for name, source, pairs in (('NAc', nac, 'mPFC'), ('mPFC', mpfc, 'n/a'))
        for side in 'LR'
    ]
    lines = ['\t'.join([name, side, source, 'both', pairs]) for name, side, source, pairs in rows]
    path.write_text('\n'.join(['name\themisphere\tsource\trole\tpairs', *lines]) + '\n')
    return path


@pytest.mark.long
@pytest.mark.parametrize(('nac', 'mpfc'), LISTED.values(), ids=LISTED)
def test_the_pair_of_a_list_has_the_tract_of_the_default(qsiprep, finished, person, tmp_path, nac, mpfc):
    """Every streamline and every cell, whatever names the regions."""
    regions = write_regions(tmp_path / 'regions.tsv', nac, mpfc)
    out = tmp_path / 'out'
    assert (
        run(qsiprep, out, finished / 'work', '--nprocs', '2', '--write-tck', '--regions', str(regions)) == 0
    )
    folder = out / 'sub-01' / 'dwi'
    same = [
        path.name
        for path in person.iterdir()
        if path.suffix != '.json' and not path.name.endswith('dseg.tsv')
    ]
    assert len(same) == 3 + 2 * 3 + 1
    for name in same:
        assert (folder / name).read_bytes() == (person / name).read_bytes(), name
    names = [
        pd.read_csv(f / 'sub-01_space-ACPC_desc-regions_dseg.tsv', sep='\t')['name'] for f in (folder, person)
    ]
    assert list(names[0]) == list(names[1])


@pytest.fixture(scope='module')
def measured(qsiprep, finished):
    """Return a person with two further maps: their own anisotropy under another name, and one that the second session lacks."""
    folder = finished.parent / 'measured'
    for session in SESSIONS:
        (source,) = (finished / 'out').rglob(f'sub-01_ses-{session}_*_param-fa_dwimap.nii.gz')
        own = folder / 'maps' / 'sub-01' / f'ses-{session}' / 'dwi'
        own.mkdir(parents=True)
        stem = f'sub-01_ses-{session}_space-ACPC_model-noddi'
        shutil.copy(source, own / f'{stem}_param-icvf_dwimap.nii.gz')
        if session == 'pre':
            image = nb.load(source)
            fine = image.affine @ np.diag([0.5, 0.5, 0.5, 1])
            fine[:3, 3] = apply_linear(image.affine, np.array([[-0.25] * 3]))[0]
            flat = np.full([2 * n for n in image.shape], 0.37, np.float32)
            nb.save(nb.Nifti1Image(flat, fine), own / f'{stem}_param-od_dwimap.nii.gz')
    words = [
        '-d',
        f'noddi={folder / "maps"}',
        '--scalars',
        'again=*_param-icvf_dwimap.nii.gz',
        'od=*_param-od_*',
    ]
    assert run(qsiprep, folder / 'out', finished / 'work', '--nprocs', '2', '--write-tck', *words) == 0
    return folder / 'out'


def test_further_maps_are_measured_as_fa_is(measured, person):
    """Anisotropy under another name has the value of FA, the same everywhere has itself; what was there is as before."""
    folder = measured / 'sub-01' / 'dwi'
    name = 'sub-01_bundle-NAcMPFC_scalarstats.tsv'
    assert (folder / name).read_text().startswith((person / name).read_text())
    stats = table(folder)
    weighted = (
        stats.query('method == "weighted"').set_index(['param', 'session_id', 'hemi'])['value'].astype(float)
    )
    np.testing.assert_allclose(weighted['again'], weighted['fa'], rtol=1e-6)
    np.testing.assert_allclose(weighted['od']['pre'], 0.37, rtol=1e-6)
    assert weighted['od']['post'].isna().all()
    for name in (p.name for p in person.iterdir() if p.suffix in ('.trk', '.gz')):
        assert (folder / name).read_bytes() == (person / name).read_bytes(), name


def test_what_was_measured_and_what_not_is_said(measured):
    folder = measured / 'sub-01' / 'dwi'
    stats = table(folder)
    marks = stats.groupby(['param', 'session_id'])['flags'].first()
    assert marks['od', 'post'] == 'no_map:od'
    assert marks.drop(('od', 'post')).isna().all()
    told = json.loads((folder / 'sub-01_bundle-NAcMPFC_scalarstats.json').read_text())['Scalars']
    assert told['od']['pre']['Interpolation'] == 'linear'
    assert told['od']['post']['Missing'] == 'session post has no image that matches *_param-od_*'
    source = 'sub-01/ses-post/dwi/sub-01_ses-post_space-ACPC_model-noddi_param-icvf_dwimap.nii.gz'
    assert told['again']['post'] == {'Source': f'bids:noddi:{source}', 'Interpolation': 'none'}
    assert (
        'Further maps (again, od) were weighted in the same way'
        in (measured / 'logs' / 'CITATION.md').read_text()
    )
    page = (measured / 'sub-01.html').read_text()
    assert 'Further maps along the tract' in page
    assert 'od: session post has no image that matches' in page
    assert errors_of(measured) == []
