"""Echoes of a moving head with a dropout zone: combined from files, steadier there than any single echo."""

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from pipelines.errors import DataError
from pipelines.interfaces.echoes import combine_echoes
from pipelines.numerics.motion import rigid_matrix
from pipelines.numerics.resample import resample

SHAPE, VOXEL, N, NOISE = (16, 18, 14), 4.0, 30, 8.0
AFFINE = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
TIMES = {2: [0.014, 0.036], 3: [0.012, 0.028, 0.044]}


@pytest.fixture(scope='module')
def head():
    """Return signal at TE 0 and T2* (X, Y, Z): 45 ms, and 12 ms in a zone; the head, and the zone."""
    x, y, z = np.indices(SHAPE) - np.array(SHAPE)[:, None, None, None] / 2
    inside = (x / 7) ** 2 + (y / 8) ** 2 + (z / 6) ** 2 < 1
    zone = inside & (y > 3) & (z < 0)
    return 1000.0 * inside, np.where(zone, 0.012, 0.045), inside, zone


def write(folder, head, times):
    """Write the echoes of a head that moves by up to 1 mm, its motion in two chunks, and the mask."""
    s0, t2star, inside, _ = head
    rng = np.random.default_rng(len(times))
    motion = np.array(
        [rigid_matrix(np.array([0, np.sin(t / 4), 0, 0, 0, 0.01]), np.zeros(3)) for t in range(N)]
    )
    paths = []
    for number, time in enumerate(times):
        clean = s0 * np.exp(-time / t2star)
        volumes = [resample(clean, AFFINE, SHAPE, AFFINE, linear=np.linalg.inv(m)) for m in motion]
        noisy = [np.hypot(v + rng.normal(0, NOISE, SHAPE), rng.normal(0, NOISE, SHAPE)) for v in volumes]
        image = nb.Nifti1Image(np.stack(noisy, axis=-1).astype(np.float32), AFFINE)
        image.header.set_zooms((VOXEL, VOXEL, VOXEL, 2.0))
        paths.append(folder / f'echo{number}.nii')
        nb.save(image, paths[-1])
    chunks = [folder / 'first.npy', folder / 'last.npy']
    for path, part in zip(chunks, (motion[:20], motion[20:])):
        np.save(path, part)
    nb.save(nb.Nifti1Image(inside.astype(np.uint8), AFFINE), folder / 'mask.nii')
    return paths, chunks, motion


def steadiness(path, motion, where):
    """Return the median over voxels of mean / SD in time, where the head lies in the reference."""
    data = nb.load(path).get_fdata()
    still = np.stack(
        [resample(data[..., t], AFFINE, SHAPE, AFFINE, linear=m) for t, m in enumerate(motion)], axis=-1
    )
    series = still[where]
    return float(np.median(series.mean(axis=1) / series.std(axis=1)))


@pytest.mark.parametrize('n_echoes', [2, 3])
def test_the_combination_is_steadier_in_the_head_and_where_signal_is_lost(head, tmp_path, n_echoes):
    paths, chunks, motion = write(tmp_path, head, TIMES[n_echoes])
    found = combine_echoes(paths, TIMES[n_echoes], chunks, tmp_path / 'mask.nii', 2, out_dir=tmp_path)
    *_, inside, zone = head
    facts = found.decay.facts()
    assert facts['EchoTimes'] == TIMES[n_echoes]
    assert facts['MedianT2Star'] == pytest.approx(0.045, rel=0.05)
    assert np.all(np.diff(facts['SignalLost']) >= 0)
    assert facts['SignalLost'][-1] == pytest.approx(zone.sum() / inside.sum(), abs=0.1)
    core = ndimage.binary_erosion(inside, iterations=2) & ~ndimage.binary_dilation(zone)
    alone = [steadiness(path, motion, core) for path in paths]
    assert steadiness(found.series, motion, core) > max(alone)
    # where signal is lost the first echo is the steadiest, and shows least of BOLD; the later ones lose what it has
    alone = [steadiness(path, motion, zone) for path in paths]
    assert steadiness(found.series, motion, zone) > max(alone[1:])
    assert steadiness(found.series, motion, zone) > 0.6 * alone[0]
    image = nb.load(found.series)
    assert image.shape == (*SHAPE, N)
    assert image.header.get_zooms()[3] == 2.0


def test_echoes_that_do_not_fit_are_named(head, tmp_path):
    paths, chunks, _ = write(tmp_path, head, TIMES[2])
    kept = nb.load(paths[1]).get_fdata(dtype=np.float32)[..., :9].copy()
    nb.save(nb.Nifti1Image(kept, AFFINE), tmp_path / 'short.nii')
    short = [paths[0], tmp_path / 'short.nii']
    with pytest.raises(DataError, match=r'short\.nii has shape'):
        combine_echoes(short, TIMES[2], chunks, tmp_path / 'mask.nii', 0, out_dir=tmp_path)
    with pytest.raises(DataError, match='head motion is known of 20'):
        combine_echoes([paths[0]] * 2, TIMES[2], chunks[:1], tmp_path / 'mask.nii', 0, out_dir=tmp_path)
