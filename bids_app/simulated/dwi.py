"""Diffusion series of a head with a planted NAc-mPFC tract, as they leave the scanner."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from pipelines.numerics.motion import rigid_matrix
from pipelines.numerics.resample import grid_points, resample
from pipelines.simulated import diffusion as simulate_diffusion
from pipelines.simulated import head as simulate_head
from pipelines.simulated import series as simulate
from pipelines.simulated import tract as simulate_tract
from pipelines.terms import MOTION

from .anatomy import BOX_MM, Anatomy, load_anatomy, plant_region
from .files import Request, write_gradients, write_json, write_nifti, write_simulated_table
from .people import Person
from .raw import Head, epi_grid

_S0 = 1000.0
ECHO: dict[str, Any] = {
    'MagneticFieldStrength': 3,
    'EchoTime': 0.09,
    'FlipAngle': 90,
    'RepetitionTime': 8.0,
    'PhaseEncodingDirection': 'j-',
    'TotalReadoutTime': 0.05,
}
_SHARED, _PLACE, NOISE, T1W_NOISE = 0, 1, 2, 3
"""Purposes of random numbers."""


class Scene(NamedTuple):
    """A head on the grid of a series: signal without weighting, what its voxels hold, the tracts."""

    affine: np.ndarray
    s0: np.ndarray
    fractions: simulate_tract.Fractions
    visits: np.ndarray


@cache
def planted_bundles(space: str, seed: int, has_tract: bool) -> simulate_tract.Bundles:
    """Return the bundles of all participants, in the space of the template."""
    shape = tuple((BOX_MM[1] - BOX_MM[0]).astype(int))
    affine = np.eye(4)
    affine[:3, 3] = BOX_MM[0]
    points = grid_points(shape, affine)
    nac, mpfc = (plant_region(name, space, points).reshape(shape) for name in ('NAc', 'mPFC'))
    bundles = simulate_tract.plant_tracts(nac, mpfc, affine, np.random.default_rng([seed, 1000]))
    return bundles if has_tract else bundles._replace(left=bundles.left[:0], right=bundles.right[:0])


@cache
def painted_anatomy(space: str, voxel: float, planted: tuple[int, bool]) -> Anatomy:
    """Return a template brain that is white where bundles pass, and grey in the regions."""
    anatomy = load_anatomy(space, voxel)
    curves = np.concatenate(planted_bundles(space, *planted))
    tube = simulate_tract.curve_visitation(curves, anatomy.mask.shape, anatomy.affine) > 0
    region = np.any(anatomy.regions, axis=0)
    tube = ndimage.binary_closing(tube) & anatomy.mask & ~region
    white = np.median(anatomy.brain[anatomy.tissues.white])
    brain = np.where(tube, np.maximum(anatomy.brain, white), anatomy.brain)
    csf, grey, matter = simulate.classify(brain)
    tissues = simulate.Tissues(csf & ~region, (grey & ~region) | (region & anatomy.mask), matter & ~region)
    return anatomy._replace(brain=brain, tissues=tissues)


def bundles_of(request: Request) -> tuple[int, bool]:
    """Return what the planted bundles depend on besides the space."""
    return request.seed, request.tract_fa > 0


def tissue_voxel(request: Request) -> float:
    """Return the voxel (mm) of the brain behind the series: finer than those of the series."""
    return max(1.0, request.dwi_voxel_size / 2.5)


def head_of(person: Person) -> np.ndarray:
    """Return the (4, 4) matrix from points of a participant's head to points of the template."""
    return simulate_head.small_affine(person.stream(_SHARED))


def place_head(person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrices of a session: points of the T1w to the template, of the DWI to the T1w."""
    rng = person.stream(_PLACE)
    return head_of(person) @ simulate_head.small_rigid(rng), simulate_head.small_rigid(rng)


@cache
def painted_head(space: str, voxel: float, planted: tuple[int, bool]) -> tuple[np.ndarray, np.ndarray]:
    """Return the head around a painted brain, and its affine."""
    anatomy = painted_anatomy(space, voxel, planted)
    return simulate_head.surround_with_head(anatomy.brain, anatomy.affine)


def session_head(request: Request, person: Person, voxel: float) -> Head:
    """Return the painted head and how it lies in a session: one head, in another position each time."""
    return Head(*painted_head(request.space, voxel, bundles_of(request)), place_head(person)[0])


@cache
def _blurred_head(
    space: str, voxel: float, planted: tuple[int, bool], series_voxel: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the head without weighting, averaged over what a voxel of the series covers, and its affine."""
    head, affine = painted_head(space, voxel, planted)
    mask = painted_anatomy(space, voxel, planted).mask
    pad = tuple((a - b) // 2 for a, b in zip(head.shape, mask.shape))
    contrast = simulate_head.epi_contrast(head, np.pad(mask, [(p, p) for p in pad]))
    return ndimage.gaussian_filter(contrast.astype(np.float32), 0.4 * series_voxel / voxel), affine


def build_scene(
    request: Request, to_template: np.ndarray, shape: tuple[int, int, int], affine: np.ndarray
) -> Scene:
    """Return a person's head on a grid.

    Parameters
    ----------
    request
        The options.
    to_template
        (4, 4) points of the grid's frame to points of the template.
    shape, affine
        The grid.

    """
    anatomy = painted_anatomy(request.space, tissue_voxel(request), bundles_of(request))
    back = np.linalg.inv(to_template)
    bundles = planted_bundles(request.space, *bundles_of(request)).move(back)
    upward = back[:3, :3] @ [0, 0, 1]
    fractions = simulate_tract.fibre_fractions(
        bundles, anatomy.tissues, anatomy.regions, back @ anatomy.affine, shape, affine,
        background=tuple(upward / np.linalg.norm(upward)),
    )  # fmt: skip
    blurred, head_affine = _blurred_head(
        request.space, tissue_voxel(request), bundles_of(request), request.dwi_voxel_size
    )
    s0 = _S0 * resample(blurred, head_affine, shape, affine, linear=to_template)
    visits = [
        simulate_tract.curve_visitation(c, shape, affine) if len(c) else np.zeros(shape) for c in bundles[:2]
    ]
    return Scene(affine, s0, fractions, np.stack(visits))


def series(
    scene: Scene,
    table: tuple[np.ndarray, np.ndarray],
    fa: float,
    snr: float,
    motion: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Yield the volumes of a moving head.

    Parameters
    ----------
    scene
        The head at rest.
    table
        b-values (V,) and directions (V, 3) of the scanner.
    fa
        Of the tracts' fibres.
    snr
        Of white matter without weighting.
    motion
        (V, 6) mm and rad.

    Notes
    -----
    With M_t the motion and R_t its rotation, a point x of the scanner shows the head's point M_t^-1 x, and
    the fibres of the head see the gradient R_t' g.

    """
    held, shape = scene.fractions.mask, scene.s0.shape
    sigma = simulate_diffusion.noise_level(scene.s0[held], scene.fractions, snr)
    population = simulate_diffusion.population_fa(fa)
    for b, g, parameters in zip(*table, motion):
        moved = rigid_matrix(parameters, np.zeros(3))
        seen = (np.array([b]), g[None] @ moved[:3, :3])
        # what is not brain behaves as grey matter does
        volume = scene.s0 * np.float32(np.exp(-b * simulate_diffusion.MEAN_DIFFUSIVITY[5]))
        signal = simulate_diffusion.simulate_signal(scene.fractions, population, *seen, scene.s0[held])
        volume[held] = signal[:, 0]
        if np.any(parameters):
            volume = resample(volume, scene.affine, shape, scene.affine, linear=np.linalg.inv(moved), order=3)
        yield np.rint(simulate_diffusion.add_rician(volume, sigma, rng)).clip(0, 32767)


def noise_free(scene: Scene, fa: float, table: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the signal (N, V) of the head at rest relative to that without weighting."""
    return simulate_diffusion.simulate_signal(scene.fractions, simulate_diffusion.population_fa(fa), *table)


def still_series(
    scene: Scene, bvals: np.ndarray, signal: np.ndarray, snr: float, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield the volumes of a head that does not move, from its signal without noise."""
    held = scene.fractions.mask
    sigma = simulate_diffusion.noise_level(scene.s0[held], scene.fractions, snr)
    for b, relative in zip(bvals, signal.T):
        volume = scene.s0 * np.float32(np.exp(-b * simulate_diffusion.MEAN_DIFFUSIVITY[5]))
        volume[held] = scene.s0[held] * relative
        yield np.rint(simulate_diffusion.add_rician(volume, sigma, rng)).clip(0, 32767)


def record_planted(
    request: Request, person: Person, scene: Scene, table: tuple[np.ndarray, np.ndarray], signal: np.ndarray
) -> dict[str, Any]:
    """Write where the tracts are, and return their FA."""
    used = scene.fractions
    found = simulate_diffusion.planted_fa(scene.visits, used, signal, *table)
    for side, visits in zip('LR', scene.visits):
        path = request.directory / 'sourcedata' / f'{person.prefix}_label-NAcMPFC{side}_probseg.nii.gz'
        path.parent.mkdir(exist_ok=True)
        write_nifti(path, [visits], visits.shape, scene.affine, dtype=np.float32)
    return {
        'PopulationFA': person.fa,
        'CrossingFA': simulate_diffusion.CROSSING_FA,
        'FA': {side: None if np.isnan(fa) else fa for side, fa in zip('LRB', found)},
        'SNR': request.snr,
    }


def _motion(request: Request, person: Person, n_volumes: int, rng: np.random.Generator) -> np.ndarray:
    """Draw motion whose largest shift along an axis is what was asked for, and write it."""
    motion = simulate.head_motion(n_volumes, rng)
    motion *= request.dwi_motion / max(np.abs(motion[:, :3]).max(), 1e-9)
    path = request.directory / 'sourcedata' / f'{person.prefix}_dwi_motion.tsv'
    path.parent.mkdir(exist_ok=True)
    write_simulated_table(path, dict(zip(MOTION, motion.T)))
    return motion


def write_raw_dwi(request: Request, person: Person) -> dict[str, Any]:
    """Write the raw diffusion series of one session and return what was planted."""
    rng = person.stream(NOISE)
    to_t1w_template, to_t1w = place_head(person)
    to_template = to_t1w_template @ to_t1w
    shape, affine = epi_grid(request.dwi_voxel_size, np.linalg.inv(to_template))
    scene = build_scene(request, to_template, shape, affine)
    table = simulate_diffusion.gradient_table(request.dwi_directions, request.dwi_bvals)
    motion = _motion(request, person, len(table[0]), rng)
    stem = f'{person.folder(request.directory, "dwi") / person.prefix}_dir-AP_dwi'
    volumes = series(scene, table, person.fa, request.snr, motion, rng)
    t_r = ECHO['RepetitionTime']
    write_nifti(Path(f'{stem}.nii.gz'), volumes, (*shape, len(motion)), affine, t_r=t_r, sform=1)
    write_gradients(stem, *table, affine)
    write_json(Path(f'{stem}.json'), ECHO)
    return {
        **record_planted(request, person, scene, table, noise_free(scene, person.fa, table)),
        'PointsT1wToTemplate': to_t1w_template.tolist(),
        'PointsDwiToT1w': to_t1w.tolist(),
    }
