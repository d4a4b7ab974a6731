"""Tensor maps of one session, and what its sidecars say."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from ..numerics.agreement import Correction
from ..numerics.gain import MUCH, spread
from ..numerics.gradients import best_convention, find_shells
from ..numerics.quality import repeated_snr
from ..numerics.tensor import fit_tensor, tensor_volumes
from ..terms import NO_CORRECTION, raised
from ._diffusion import MAP_NAMES, fill_mask, inside, load_table, signals_in
from ._series import load_image, write_volume

_HIGH_MOTION = 2.0  # mm from volume to volume: eddy currents alone shift volumes by about one
_FLIPPED = 1.05  # the coherence of another convention exceeds that of the table by this factor


class _Maps(NamedTuple):
    fa: Path
    md: Path
    ad: Path
    rd: Path
    evec: Path
    facts: dict[str, Any]


def model_tensor(dwi: Path, gradients: Path, dwi_mask: Path, *, out_dir: Path) -> _Maps:
    """Fit a tensor to every voxel of the brain.

    Parameters
    ----------
    dwi, gradients
        Uncompressed series on a grid along RAS and its table.
    dwi_mask
        Brain.
    out_dir
        Folder of the results.

    Returns
    -------
    _Maps
        Anisotropy (0 to 1), diffusivities (mm^2/s), principal direction (RAS), facts.

    """
    mask, table = inside(dwi_mask), load_table(gradients)
    affine = load_image(dwi_mask).affine
    signals = signals_in(dwi, mask)
    tensor = fit_tensor(signals, table)
    paths = {
        name: write_volume(fill_mask(getattr(tensor, name), mask), affine, out_dir / f'{name}.nii.gz')
        for name in (*MAP_NAMES, 'evec')
    }
    core = ndimage.binary_erosion(mask, iterations=3)
    found, ratio = best_convention(
        fill_mask(tensor.evec, mask), np.where(core, fill_mask(tensor.fa, mask), 0)
    )
    flags = raised(flipped_bvecs=found != 'none' and ratio > _FLIPPED)
    used = tensor_volumes(table) & ~table.is_b0
    facts = {'TensorBValues': [round(b) for b, _ in find_shells(table.bvals[used])], 'Flags': flags}
    if np.isfinite(snr := repeated_snr(signals[core[mask]][:, table.is_b0].T)):
        facts['B0SNR'] = round(snr, 2)
    return _Maps(**paths, facts={**facts, 'BestConvention': found})


def describe_session(scan: dict[str, Any], maps: dict[str, Any], correction: Correction) -> dict[str, Any]:
    """Return what sidecars and report say of the diffusion scans of a session.

    Parameters
    ----------
    scan, maps
        Facts of resampling and tensor.
    correction
        Of susceptibility distortion, ``none`` without one, and how the T1w image judges it.

    """
    gains = np.array(scan.get('RelativeGains', [1.0]), dtype=float)
    found = raised(
        no_sdc=correction.method == NO_CORRECTION,
        doubtful_sdc=correction.is_doubtful,
        high_motion_dwi=scan.get('MeanFD', 0) > _HIGH_MOTION,
        unequal_gain=spread(gains) > MUCH,
        unknown_gain=bool(np.isnan(gains).any()),
    )
    flags = [*maps['Flags'], *found]
    return {**scan, **maps, **correction.facts(), 'Flags': flags}
