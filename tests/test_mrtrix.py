"""Against MRtrix3: anisotropy of a real scan, and where streamlines of a planted tract run."""

import shutil

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from pipelines.numerics import bundle
from pipelines.numerics.fod import estimate_response, response_voxels
from pipelines.numerics.tensor import fit_tensor
from tests.planted_tract import AFFINE, TABLE, acquire, follow, make_person, orientations

from .conftest import REPOSITORY

pytestmark = [
    pytest.mark.mrtrix,
    pytest.mark.skipif(shutil.which('tckgen') is None, reason='MRtrix3 is not installed'),
]

N_STREAMLINES, N_SEEDS = 300, 20_000


@pytest.fixture(scope='module')
def scenes():
    """Make the folder of benchmarks importable whatever the way pytest was started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY)
        from benchmarks import scene

        yield scene


@pytest.fixture(scope='module')
def whole(scenes, test_data):
    folder = test_data / 'bids' / 'philips_dwi32' / 'sub-03' / 'dwi'
    if not folder.is_dir():
        pytest.skip(f'{folder} is not here')
    return scenes.read_scan(folder)


@pytest.mark.real
def test_anisotropy_is_that_of_mrtrix(whole, scenes, tmp_path):
    """Unweighted, then twice weighted; what is left is that ours keeps eigenvalues positive (theirs are not in 2 %)."""
    scene, files = scenes.make_scene(whole, 'left'), tmp_path
    scenes.write_files(scene, files)
    words = 'dwi2tensor dwi.nii tensor.nii -grad grad.txt -mask mask.nii -ols -iter 2'
    scenes.mrtrix(files, *words.split())
    xx, yy, zz, xy, xz, yz = nb.load(files / 'tensor.nii').get_fdata()[scene.mask].T
    tensors = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).transpose(2, 0, 1)
    evals = np.clip(np.linalg.eigvalsh(tensors), 0, None)
    theirs = np.sqrt(1.5 * ((evals - evals.mean(1, keepdims=True)) ** 2).sum(1) / (evals**2).sum(1))
    ours = scene.fa[scene.mask]
    r, difference = np.corrcoef(ours, theirs)[0, 1], np.abs(ours - theirs)
    print(f'FA: r = {r:.6f}, difference median {np.median(difference):.1e}, largest {difference.max():.1e}')
    assert r > 0.999
    assert np.median(difference) < 1e-3


@pytest.fixture(scope='module')
def planted(scenes):
    """Return a planted tract at SNR 30 with its person, as a scene of the left side."""
    person = make_person()
    mask = person.fractions.mask
    signals = acquire(person, 30, seed=1)[1]
    fod, fa = orientations(person, signals)
    tensor = fit_tensor(signals, TABLE)
    white = person.white[mask]
    voxels = response_voxels(tensor, ndimage.binary_erosion(mask)[mask], white)
    response = estimate_response(signals, TABLE, tensor.evec, voxels, 8)
    data = np.zeros((*mask.shape, signals.shape[1]), np.float32)
    data[mask] = signals
    return person, scenes.Scene(
        AFFINE, data, TABLE, fod.any(axis=-1), fa, fod, response.white, person.domains[0]
    )


def test_the_tract_is_that_of_ifod2(planted, scenes, tmp_path):
    """Their deconvolution and tracker with our response, steps, angle, length, tissue and regions.

    Theirs stops below an amplitude, ours below a tenth of the voxel's largest, which is 0.5 in the median of
    white matter: hence 0.05.  scripts/accept compares both sides of a real scan, and benchmarks the speed.
    """
    person, scene = planted
    scenes.write_files(scene, tmp_path)
    scenes.deconvolve(tmp_path)
    visits, accepted = follow(person, scene.fod, 0, 1, N_STREAMLINES, N_SEEDS)
    other = scenes.both_ways(scene, tmp_path, n_seeds=N_SEEDS, select=N_STREAMLINES)
    their_visits = scenes.visits_of(other, scene)
    fa, their_fa = (bundle.weighted_mean(map_, scene.fa, person.white) for map_ in (visits, their_visits))
    overlap = scenes.dice(visits, their_visits)
    counts = [*accepted, *map(len, other)]
    print(f'tract FA {fa:.4f}, iFOD2 {their_fa:.4f}; weighted Dice {overlap:.3f}; accepted {counts}')
    assert min(counts) >= 0.9 * N_STREAMLINES
    assert abs(fa - their_fa) <= 0.02
    assert overlap >= 0.9
