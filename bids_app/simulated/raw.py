"""A raw T1-weighted head and its resting BOLD as they leave the scanner."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipelines.numerics.motion import framewise_displacement, rigid_matrix
from pipelines.numerics.resample import apply_linear, resample
from pipelines.simulated import head as simulate_head
from pipelines.simulated import series as simulate
from pipelines.simulated import trial as simulate_trial
from pipelines.terms import MOTION

from .anatomy import Anatomy, load_anatomy
from .files import Request, write_json, write_nifti, write_simulated_table
from .people import Person
from .series import dropout_zone, sources_of

_T1W_UNIT = 1000.0
_FIELD_OF_VIEW_MM = np.array([200.0, 230.0, 160.0])
_BRAIN_CENTRE = np.array([0.0, -18.0, 10.0])
_BRIGHTER = (1.3, 1.1)
"""Factors of the first volumes, before longitudinal magnetisation is steady."""

_BACKGROUND = 80.0
_NOISE, _DRIFT, _AR = 0.01, 0.01, 0.3
_T1W = {
    'MagneticFieldStrength': 3,
    'EchoTime': 0.003,
    'RepetitionTime': 2.3,
    'InversionTime': 0.9,
    'FlipAngle': 8,
}
_BOLD = {
    'MagneticFieldStrength': 3,
    'EchoTime': 0.03,
    'FlipAngle': 77,
    'TaskName': 'rest',
    'PhaseEncodingDirection': 'j-',
    'TotalReadoutTime': 0.04,
    'Instructions': 'Look at the cross and let your mind wander.',
}


class Head(NamedTuple):
    """A head in the template's frame, and how the session's T1w lies in it (points of the T1w to it)."""

    image: np.ndarray
    affine: np.ndarray
    to_template: np.ndarray


def t1w_voxel(voxel: float) -> float:
    """Return the voxel (mm) of the T1w beside BOLD of ``voxel`` mm."""
    return max(1.0, voxel / 3)


def write_t1w(
    request: Request, voxel: float, person: Person, head: Head | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Write the T1w of one session; return the matrices of points: T1w to template, BOLD to T1w."""
    to_template = simulate_head.small_affine(person.rng)
    to_t1w = simulate_head.small_rigid(person.rng)
    if head is None:
        head = Head(*template_head(request.space, t1w_voxel(voxel)), to_template)
    _write_head(request, t1w_voxel(voxel), head, person)
    return head.to_template, to_t1w


def write_bold(
    request: Request, voxel: float, person: Person, to_template: np.ndarray, to_t1w: np.ndarray
) -> dict[str, Any]:
    """Write the BOLD of one session and return what was planted."""
    # made from a grid at 2 mm: an EPI holds no finer detail
    anatomy = load_anatomy(request.space, 2.0)
    sources = sources_of(request.n_volumes, request.t_r, person)
    shape, affine = epi_grid(voxel, np.linalg.inv(to_template @ to_t1w))
    zone = dropout_zone(anatomy) if person.flaw == 'dropout' else None
    volumes = epi_volumes(anatomy, sources, to_template @ to_t1w, shape, affine, person.rng, zone=zone)
    stem = person.folder(request.directory, 'func') / f'{person.prefix}_task-rest'
    write_nifti(
        Path(f'{stem}_bold.nii.gz'), volumes, (*shape, request.n_volumes), affine, t_r=request.t_r, sform=1
    )
    write_json(Path(f'{stem}_bold.json'), {**_BOLD, 'RepetitionTime': request.t_r})
    motion = request.directory / 'sourcedata' / f'{person.prefix}_task-rest_motion.tsv'
    motion.parent.mkdir(exist_ok=True)
    write_simulated_table(motion, dict(zip(MOTION, sources.motion.T)))
    fd = framewise_displacement(sources.motion)
    return {
        'NAcMPFCCorrelation': person.rho,
        'FisherZ': float(np.arctanh(person.rho)),
        'MeanFD': float(np.nanmean(fd)),
        'NonSteadyStateVolumes': len(_BRIGHTER),
        'PointsT1wToTemplate': to_template.tolist(),
        'PointsBoldToT1w': to_t1w.tolist(),
        'Motion': motion.name,
    }


def _write_head(request: Request, voxel: float, head: Head, person: Person) -> None:
    shape = head.image.shape
    centre = apply_linear(head.affine, (np.array(shape) - 1) / 2)
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = centre - voxel * (np.array(shape) - 1) / 2
    native = resample(head.image, head.affine, shape, affine, linear=head.to_template)
    image = np.rint(_T1W_UNIT * simulate_head.scan(native, person.rng)).clip(0, 32767)
    stem = person.folder(request.directory, 'anat') / f'{person.prefix}_T1w'
    write_nifti(Path(f'{stem}.nii.gz'), [image], image.shape, affine, sform=1)
    write_json(Path(f'{stem}.json'), _T1W)


@cache
def template_head(space: str, voxel: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the head around a template brain, and its affine."""
    anatomy = load_anatomy(space, voxel)
    return simulate_head.surround_with_head(anatomy.brain, anatomy.affine)


def epi_grid(voxel: float, from_template: np.ndarray) -> tuple[tuple[int, int, int], np.ndarray]:
    """Return shape and affine of an EPI grid centred on the brain."""
    shape = np.ceil(_FIELD_OF_VIEW_MM / voxel).astype(int)
    affine = np.diag([-voxel, voxel, voxel, 1.0])
    affine[:3, 3] = apply_linear(from_template, _BRAIN_CENTRE) - affine[:3, :3] @ ((shape - 1) / 2)
    return (int(shape[0]), int(shape[1]), int(shape[2])), affine


def epi_volumes(
    anatomy: Anatomy,
    sources: simulate.Sources,
    to_template: np.ndarray,
    shape: tuple[int, int, int],
    affine: np.ndarray,
    rng: np.random.Generator,
    *,
    zone: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Yield volumes of a moving head.

    Parameters
    ----------
    anatomy
        The template on its own grid.
    sources
        Series of the regions, network, physiology and motion.
    to_template
        (4, 4) points of the EPI at rest to points of the template.
    shape, affine
        Grid of the EPI.
    zone
        (X, Y, Z) bool of the template's grid: where most of the signal is lost.

    Notes
    -----
    With M_t the motion, a point x of the scanner shows the head's point M_t^-1 x.

    """
    weights = simulate.source_weights(anatomy.tissues, anatomy.regions, anatomy.network, anatomy.mask, rng)[
        :6
    ]
    series = np.column_stack([sources.regions, sources.network, sources.physiology]).astype(np.float32)
    head, head_affine = simulate_head.surround_with_head(anatomy.brain, anatomy.affine)
    pad = tuple((a - b) // 2 for a, b in zip(head.shape, anatomy.mask.shape))
    mask = np.pad(anatomy.mask, [(p, p) for p in pad])
    still = simulate.BOLD_MEAN * simulate_head.epi_contrast(head, mask).astype(np.float32)
    if zone is not None:
        still[np.pad(zone, [(p, p) for p in pad])] *= simulate_trial.SIGNAL_LEFT
    drift = _DRIFT * np.linspace(-0.5, 0.5, len(series))
    noise = rng.standard_normal(shape, dtype=np.float32)
    for t, moved in enumerate(rigid_matrix(m, np.zeros(3)) for m in sources.motion):
        volume = still.copy()
        volume[mask] *= 1 + series[t] @ weights
        seen = resample(volume, head_affine, shape, affine, linear=to_template @ np.linalg.inv(moved))
        seen *= (1 + drift[t]) * (_BRIGHTER[t] if t < len(_BRIGHTER) else 1)
        if t:
            noise = _AR * noise + float(np.sqrt(1 - _AR**2)) * rng.standard_normal(shape, dtype=np.float32)
        first, second = _BACKGROUND * rng.standard_normal((2, *shape), dtype=np.float32)
        yield np.rint(np.hypot(seen * (1 + _NOISE * noise) + first, second)).clip(0, 32767)
