"""Which label of a three-tissue segmentation is which tissue: two conventions are in use."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CONVENTIONS = {'of BIDS': (1, 2, 3), 'of FAST': (2, 3, 1)}
"""Labels of grey matter, white matter and fluid, the order of :data:`~.segment.TISSUES`."""

_APART = 0.5  # of the spread in a tissue: medians of neighbours in brightness are at least this far apart


def tissue_labels(dseg: Array, t1w: Array) -> tuple[int, int, int]:
    """Return the labels of grey matter, white matter and fluid by how bright each is in the T1w image.

    Parameters
    ----------
    dseg
        (X, Y, Z) labels 1, 2, 3; 0 outside.
    t1w
        (X, Y, Z) intensities on the same grid.

    Raises
    ------
    ValueError
        If other labels are there or one is absent, or their brightness fits neither convention, or is
        not told apart.  The message says which.

    Notes
    -----
    Fluid is darkest and white matter brightest.  Medians of two tissues next to each other in
    brightness must differ by half of the larger of their median absolute deviations.

    Examples
    --------
    >>> dseg = np.repeat([1, 2, 3], 9).reshape(3, 3, 3)
    >>> tissue_labels(dseg, np.array([0, 60.0, 90.0, 30.0])[dseg])
    (1, 2, 3)
    >>> tissue_labels(dseg, np.array([0, 30.0, 60.0, 90.0])[dseg])
    (2, 3, 1)

    """
    present = sorted(int(label) for label in np.unique(dseg) if label)
    if present != [1, 2, 3]:
        some = ', '.join(map(str, present[:8])) + (' ...' if len(present) > 8 else '')
        raise ValueError(f'it has the labels {some or "0 only"}, and not 1, 2, 3')
    values = {label: t1w[dseg == label].astype(float) for label in present}
    medians = {label: float(np.median(own)) for label, own in values.items()}
    spreads = {label: float(np.median(np.abs(own - medians[label]))) for label, own in values.items()}
    darkest, middle, brightest = sorted(present, key=lambda label: medians[label])
    told = ', '.join(f'{label}: {medians[label]:.4g}' for label in present)
    for one, other in ((darkest, middle), (middle, brightest)):
        if medians[other] - medians[one] <= _APART * max(spreads[one], spreads[other]):
            raise ValueError(f'labels {one} and {other} are equally bright in the T1w image (medians {told})')
    found = middle, brightest, darkest
    if found not in CONVENTIONS.values():
        raise ValueError(
            f'by the brightness in the T1w image (medians {told}) grey matter, white matter and fluid would be '
            f'{", ".join(map(str, found))}, which no program writes'
        )
    return found


def split_labels(dseg: Array, labels: tuple[tuple[int, ...], ...]) -> Array:
    """Return (3, X, Y, Z) bool, where a segmentation holds one of the labels of each tissue.

    Examples
    --------
    >>> split_labels(np.array([[[0, 1, 2, 3, 5]]]), ((1, 5), (2,), (3,))).astype(int)[:, 0, 0].tolist()
    [[0, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]

    """
    return np.stack([np.isin(dseg, own) for own in labels])
