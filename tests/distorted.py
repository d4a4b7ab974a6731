"""A simulated head that susceptibility distorts, and what a scanner measures of it, for tests of every estimator."""

from typing import NamedTuple

import nibabel as nb
import numpy as np

from pipelines.numerics.motion import rigid_matrix
from pipelines.numerics.resample import grid_points, resample
from pipelines.simulated.distortion import cavity_field, displace, echoes
from pipelines.simulated.head import epi_contrast, surround_with_head
from tests.heads import template_at

LARGEST_MM = 8.0
SPACING = 0.0005  # s, effective echo spacing of the series
TIMES = (0.00492, 0.00738)  # s, of the echoes
_MOVED = rigid_matrix(np.array([1.5, -1.0, 2.0, 0.02, 0.01, 0.03]), np.array([0.0, -18, 10]))
NOISE = 0.02  # of white matter


class Head(NamedTuple):
    """T1w head, EPI at rest and brain (X, Y, Z), affine, field in Hz, and the same head as it lay in another scan."""

    t1w: np.ndarray
    epi: np.ndarray
    brain: np.ndarray
    affine: np.ndarray
    hertz: np.ndarray
    moved_epi: np.ndarray
    moved_t1w: np.ndarray
    moved_hertz: np.ndarray

    @property
    def readout_time(self) -> float:
        """Return BIDS' ``TotalReadoutTime``, s: one line less than there are."""
        return SPACING * (self.epi.shape[1] - 1)

    def displaced_mm(self) -> np.ndarray:
        """Return how far ``j`` displaces the signal, mm along +y."""
        return self.hertz * SPACING * self.epi.shape[1] * self.voxel

    @property
    def voxel(self) -> float:
        return float(self.affine[1, 1])


def make_head(voxel: float) -> Head:
    """Return a head whose field displaces the brain by 8 mm at most."""
    brain, affine = template_at(voxel)
    t1w, affine = surround_with_head(brain, affine)
    inside = np.pad(brain > 0, (t1w.shape[0] - brain.shape[0]) // 2)
    epi = epi_contrast(t1w, inside).astype(np.float32)
    field = cavity_field(grid_points(t1w.shape, affine).reshape(*t1w.shape, 3))
    field *= LARGEST_MM / np.abs(field[inside]).max()
    hertz = (field / (SPACING * t1w.shape[1] * voxel)).astype(np.float32)
    moved = [resample(v, affine, v.shape, affine, linear=_MOVED, order=3) for v in (epi, t1w, hertz)]
    return Head(t1w, epi, inside, affine, hertz, *moved)


def seen(volume, hertz, polarity, rng, *, spacing=SPACING):
    """Return an EPI: its signal displaced by echo spacing times number of lines, and noise."""
    distorted = displace(volume, polarity * hertz * spacing * volume.shape[1], 1)
    return np.hypot(
        distorted + rng.normal(0, NOISE, volume.shape), rng.normal(0, NOISE, volume.shape)
    ).astype(np.float32)


def save(path, values, affine):
    nb.save(nb.Nifti1Image(np.asarray(values), affine), path)
    return path


def write_maps(folder, head, rng):
    """Write magnitude, phase of two echoes, their difference in two scales, and the field in three units."""
    (first, early), (_, late) = echoes(head.moved_t1w.clip(0), head.moved_hertz, TIMES, NOISE, rng)
    difference = np.angle(np.exp(1j * (late - early)))
    noisy = head.moved_hertz + rng.normal(0, 2, first.shape)
    files = {
        'magnitude1': first,
        'phase1': ((early + np.pi) / (2 * np.pi) * 4096).astype(np.int16).clip(0, 4095),
        'phase2': ((late + np.pi) / (2 * np.pi) * 4096).astype(np.int16).clip(0, 4095),
        'phasediff': (difference / np.pi * 4096).astype(np.int16).clip(-4096, 4094),
        'radians': difference.astype(np.float32),
        'Hz': noisy.astype(np.float32),
        'rad/s': (2 * np.pi * noisy).astype(np.float32),
        'T': (noisy / 42.577478518e6).astype(np.float32),
    }
    return {name: save(folder / f'{name.replace("/", "_")}.nii', v, head.affine) for name, v in files.items()}
