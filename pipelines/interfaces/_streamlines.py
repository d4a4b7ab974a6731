"""Streamlines on disk: between nodes, and for other programs."""

from pathlib import Path

import nibabel as nb
import numpy as np

from ..numerics.resample import voxel_sizes


def write_streamlines(path: Path, lines: list[np.ndarray]) -> Path:
    """Write streamlines (n_points, 3) for a later node."""
    points = np.concatenate([np.empty((0, 3)), *lines]).astype(np.float32)
    np.savez(path, points=points, sizes=np.array([len(line) for line in lines], int))
    return path


def read_streamlines(path: Path) -> list[np.ndarray]:
    """Return streamlines (n_points, 3) that an earlier node wrote."""
    with np.load(path) as stored:
        return np.split(stored['points'], np.cumsum(stored['sizes'])[:-1]) if len(stored['sizes']) else []


def save_streamlines(path: Path, lines: list[np.ndarray], shape: tuple[int, ...], affine: np.ndarray) -> Path:
    """Write streamlines in RAS mm; the suffix says the format, ``.trk`` or ``.tck``."""
    tractogram = nb.streamlines.Tractogram(lines, affine_to_rasmm=np.eye(4))
    header = {
        'voxel_to_rasmm': affine.astype(np.float32), 'voxel_sizes': voxel_sizes(affine).astype(np.float32),
        'dimensions': np.array(shape, np.int16), 'voxel_order': 'RAS',
    }  # fmt: skip
    nb.streamlines.save(tractogram, str(path), header=header if path.suffix == '.trk' else None)
    return path
