"""What a diffusion scan is, from its header and its table alone: grid, shells, volumes that show no direction."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..numerics.gradients import find_shells
from ..numerics.resample import voxel_sizes
from ._diffusion import open_dwi, read_gradient_table

_SAME_MM = 0.05  # edges of voxels, which converters round
_SAME_SHELL = 0.05  # share of the b-value


class Protocol(NamedTuple):
    """How a scan was acquired.

    ``grid`` holds number and edge in mm of the voxels along each axis, in rising order: how an image is stored does
    not count.  ``shells`` are b-values in s/mm^2; ``left_out`` are the volumes, from 0, whose b-value has no direction.
    """

    grid: tuple[tuple[int, float], ...]
    shells: tuple[float, ...]
    left_out: tuple[int, ...] = ()

    def has_grid_of(self, other: 'Protocol') -> bool:
        """Return whether two scans have as many voxels of the same size."""
        return all(n == m and abs(a - b) < _SAME_MM for (n, a), (m, b) in zip(self.grid, other.grid))

    def has_shells_of(self, other: 'Protocol') -> bool:
        """Return whether two scans have the same b-values."""
        return len(self.shells) == len(other.shells) and all(
            abs(a - b) <= _SAME_SHELL * max(a, b) for a, b in zip(self.shells, other.shells)
        )

    def in_words(self) -> str:
        """Return what the scan is.

        Examples
        --------
        >>> Protocol(((39, 3.0), (72, 2.5), (72, 2.5)), (1000.0, 2000.0)).in_words()
        '39 x 72 x 72 voxels of 3 x 2.5 x 2.5 mm, b 1000 2000'

        """
        counts, edges = (' x '.join(f'{part:.4g}' for part in parts) for parts in zip(*self.grid))
        return f'{counts} voxels of {edges} mm, b {" ".join(f"{b:.0f}" for b in self.shells)}'


def read_protocol(dwi: Path, bval: Path, bvec: Path) -> Protocol:
    """Return how a scan was acquired; its table is checked.

    Raises
    ------
    MissingInputError
        A file is not there.
    FewDirectionsError
        The scan shows too few directions for a tensor.
    DataError
        The table cannot be used; says why and what to do.

    """
    image = open_dwi(dwi)
    table, used = read_gradient_table(dwi, bval, bvec)
    edges = np.round(voxel_sizes(image.affine), 3)
    grid = tuple(sorted((int(n), float(edge)) for n, edge in zip(image.shape[:3], edges)))
    left_out = tuple(int(number) for number in np.flatnonzero(~used))
    return Protocol(grid, tuple(b for b, _ in find_shells(table.bvals)), left_out)


def count_volumes(dwi: Path) -> int:
    """Return the number of volumes of a scan, from its header alone.

    Raises
    ------
    FewDirectionsError
        It is one volume.
    DataError
        It cannot be read.

    """
    return int(open_dwi(dwi).shape[3])
