"""Write volumes and series that later nodes read: uncompressed, so that any volume is at hand."""

from collections.abc import Iterable
from pathlib import Path
from typing import cast

import nibabel as nb
import numpy as np


def load_image(path: Path) -> nb.Nifti1Image:
    """Open a NIfTI of either form that an earlier node wrote, or that was looked at before."""
    return cast(nb.Nifti1Image, nb.load(path))


def write_series(
    path: Path, volumes: Iterable[np.ndarray], shape: tuple[int, ...], affine: np.ndarray, t_r: float
) -> Path:
    """Write volumes one after the other as an uncompressed float32 NIfTI; none is kept in memory."""
    header = nb.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape(shape)
    header.set_zooms((*np.linalg.norm(affine[:3, :3], axis=0), t_r))
    header.set_xyzt_units('mm', 'sec')
    header.set_sform(affine, 'aligned')
    header.set_qform(affine, 'aligned')
    header.set_data_offset(352)
    with path.open('wb') as stream:
        header.write_to(stream)
        stream.write(b'\0' * (352 - stream.tell()))
        for volume in volumes:
            stream.write(np.asarray(volume, dtype=np.float32).tobytes(order='F'))
    return path


def write_volume(volume: np.ndarray, affine: np.ndarray, path: Path) -> Path:
    """Write one volume with its affine, in the order of :func:`.images.save_volume`; the suffix compresses."""
    image = nb.Nifti1Image(volume, affine)
    image.header.set_xyzt_units('mm')
    nb.save(image, path)
    return path
