"""Scans of one session whose gain differs: the maps are those of equal gain.  Real scans at 9 mm."""

import shutil
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pytest

from pipelines.acquisition import SessionEncoding
from pipelines.interfaces import dwi, dwi_distortion
from pipelines.interfaces.dwi_maps import describe_session, model_tensor
from pipelines.interfaces.dwi_space import find_half_way
from pipelines.numerics import displacement
from pipelines.numerics.agreement import Correction

pytestmark = pytest.mark.real

VOXEL = 9.0  # mm, so that a chain takes seconds
SAME = {'least': 0.99, 'most': 0.005}
"""Correlation of the maps of fractional anisotropy, and the largest difference of their medians."""


class Made(NamedTuple):
    fa: np.ndarray
    mask: np.ndarray
    facts: dict


def coarse(path):
    """Return a series averaged over cubes of three voxels, and its affine."""
    image = nb.load(path)
    data, affine = np.asanyarray(image.dataobj).astype('f4'), image.affine
    n = [size // 3 * 3 for size in data.shape[:3]]
    cubes = data[: n[0], : n[1], : n[2]].reshape(n[0] // 3, 3, n[1] // 3, 3, n[2] // 3, 3, -1)
    step = np.diag([3.0, 3, 3, 1])
    step[:3, 3] = 1
    return cubes.mean((1, 3, 5)), affine @ step


def write(path, data, affine, table):
    nb.save(nb.Nifti1Image(data.astype('f4'), affine), path)
    for extension, values in zip(('.bval', '.bvec'), table):
        np.savetxt(path.with_suffix(extension), np.atleast_2d(values), fmt='%.6f')
    return path


@pytest.fixture(scope='module')
def scans(tmp_path_factory, test_data):
    """Return folders: two runs with half of the directions each, a run without b = 0, and a pair."""
    root = tmp_path_factory.mktemp('gain')
    source = test_data / 'bids' / 'xa30_lowres' / 'sub-05' / 'dwi'
    for name in ('AP', 'PA'):
        stem = source / f'sub-05_dir-{name}_dwi'
        table = [np.loadtxt(f'{stem}{extension}', ndmin=2) for extension in ('.bval', '.bvec')]
        data, affine = coarse(f'{stem}.nii.gz')
        (root / 'pair').mkdir(exist_ok=True)
        write(root / 'pair' / f'{name}.nii', data, affine, table)
        if name == 'AP':
            weighted = np.arange(1, 21)
            for folder, halves in {
                'runs': (np.r_[0, weighted[:10]], np.r_[0, weighted[10:]]),
                'no b0': (np.r_[0, weighted[:10]], weighted[10:]),
            }.items():
                (root / folder).mkdir()
                for number, rows in enumerate(halves):
                    part = [values[:, rows] for values in table]
                    write(root / folder / f'{number}.nii', data[..., rows], affine, part)
    return root


def analyse(folder, out, gain=1.0, directions=('j-', 'j-')):
    """Return the anisotropy of a session whose second scan has another gain."""
    prepared = []
    for number, path in enumerate(sorted(folder.glob('*.nii'))):
        own = out / str(number)
        own.mkdir(parents=True)
        image = nb.load(path)
        scaled = own / 'scan.nii'
        nb.save(nb.Nifti1Image(image.get_fdata(dtype='f4') * (gain if number else 1), image.affine), scaled)
        tables = path.with_suffix('.bval'), path.with_suffix('.bvec')
        prepared.append(dwi.prepare_scan(scaled, *tables, 'j', sloppy=True, out_dir=own))
    series, tables, motion, b0s, masks = (list(files) for files in zip(*prepared))
    place = dwi_distortion.combine_scans(
        b0s, masks, SessionEncoding(directions=directions, readout_times=(0.05, 0.05)), 1, True, out_dir=out
    )
    space = find_half_way([place.reference], [place.reference_mask], VOXEL, 1, True, out_dir=out)
    moved = dwi.resample_scans(
        series, tables, motion, place.scan_xfms, place.displacements, space.person2dwi_xfms[0], space.person_mask,
        out_dir=out,
    )  # fmt: skip
    maps = model_tensor(moved.dwi, moved.gradients, moved.dwi_mask, out_dir=out)
    facts = describe_session(moved.facts, maps.facts, Correction(place.correction))
    made = Made(nb.load(maps.fa).get_fdata(), nb.load(moved.dwi_mask).get_fdata() > 0.5, facts)
    shutil.rmtree(out)
    return made


def compare(one, other):
    both = one.mask & other.mask
    assert both.sum() > 0.99 * one.mask.sum()
    correlation = np.corrcoef(one.fa[both], other.fa[both])[0, 1]
    return correlation, abs(np.median(one.fa[both]) - np.median(other.fa[both]))


KINDS = {'runs': ('j-', 'j-'), 'pair': ('j-', 'j')}


@pytest.fixture(scope='module')
def equal(scans, tmp_path_factory):
    return {
        kind: analyse(scans / kind, tmp_path_factory.mktemp('equal') / 'out', directions=directions)
        for kind, directions in KINDS.items()
    }


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
    'gain', [1.5, *(pytest.param(gain, marks=pytest.mark.long) for gain in (0.6, 1.2, 2.0))]
)
def test_maps_are_those_of_equal_gain(scans, equal, tmp_path, kind, gain):
    found = analyse(scans / kind, tmp_path / 'out', gain, KINDS[kind])
    correlation, difference = compare(equal[kind], found)
    assert correlation > SAME['least']
    assert difference < SAME['most']
    # the head moves between the scans of a pair, and its distortion is not undone to the last voxel
    assert found.facts['RelativeGains'] == [1.0, pytest.approx(gain, rel=0.002 if kind == 'runs' else 0.015)]
    assert ('unequal_gain' in found.facts['Flags']) == (max(gain, 1 / gain) > 1.21)
    assert equal[kind].facts['RelativeGains'] == [1.0, 1.0]
    assert 'unequal_gain' not in equal[kind].facts['Flags']


def test_it_matters(scans, equal, tmp_path, monkeypatch):
    """Left as they are, two runs of different gain look anisotropic."""
    monkeypatch.setattr(dwi, 'relative_gains', lambda references, mask: np.ones(len(references)))
    found = analyse(scans / 'runs', tmp_path / 'out', 2.0)
    correlation, difference = compare(equal['runs'], found)
    assert correlation < 0.9
    assert difference > 0.1


@pytest.mark.parametrize('kind', KINDS)
def test_equal_gain_changes_nothing(scans, equal, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(dwi, 'relative_gains', lambda references, mask: np.ones(len(references)))
    monkeypatch.setattr(displacement, 'opposite_gain', lambda *given: 1.0)
    found = analyse(scans / kind, tmp_path / 'out', directions=KINDS[kind])
    np.testing.assert_array_equal(found.fa, equal[kind].fa)


def test_a_run_without_b0_is_said(scans, tmp_path):
    """Its gain cannot be known: it is pooled as it is, and its value may be wrong."""
    found = analyse(scans / 'no b0', tmp_path / 'out')
    assert found.facts['RelativeGains'] == [1.0, None]
    assert 'unknown_gain' in found.facts['Flags']
