"""A planted tract in a box around it, acquired and tracked: arrays only."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from pipelines.numerics import bundle
from pipelines.numerics.fod import estimate_response, fit_fod, response_voxels
from pipelines.numerics.gradients import Gradients
from pipelines.numerics.tensor import fit_tensor
from pipelines.numerics.tracking import Domain, track
from pipelines.simulated import diffusion as simulate_diffusion
from pipelines.simulated import tract as simulate_tract
from pipelines.simulated.series import Tissues

SHAPE, VOXEL = (38, 38, 20), 2.0
AFFINE = np.array([[VOXEL, 0, 0, -36.25], [0, VOXEL, 0, -15], [0, 0, VOXEL, -19], [0, 0, 0, 1]])
BVALS, BVECS = simulate_diffusion.gradient_table(64)
TABLE = Gradients(BVALS, BVECS, BVECS)
S0 = 1000.0


class Person(NamedTuple):
    """What is planted, where it may be tracked, and the planted visitation (2, X, Y, Z)."""

    fractions: simulate_tract.Fractions
    domains: list[Domain]
    white: np.ndarray
    visits: np.ndarray


class Found(NamedTuple):
    """FA of the tract, its visitation, and streamlines accepted in either direction."""

    fa: float
    visits: np.ndarray
    accepted: list[int]


def make_person(has_tract=True):
    """White matter with a grey rim, NAc and mPFC as balls 34 mm apart on both sides; domains as the application's."""
    position = np.moveaxis(np.indices(SHAPE), 0, -1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    regions = np.stack([
        np.min([np.linalg.norm(position - [side * 9, y, z], axis=-1) for side in (-1, 1)], axis=0) < radius
        for y, z, radius in ((8, 0, 5), (42, -2, 7))
    ])  # fmt: skip
    bundles = simulate_tract.plant_tracts(*regions, AFFINE, np.random.default_rng(2), n_curves=1000)
    visits = np.stack([simulate_tract.curve_visitation(c, SHAPE, AFFINE) for c in bundles[:2]])
    inside = np.zeros(SHAPE, bool)
    inside[1:-1, 1:-1, 1:-1] = True
    # as a brain has it, the tract runs in white matter, with grey matter between the sides
    tube = ndimage.binary_dilation(visits.any(axis=0) | (np.abs(position[..., 0]) > 14))
    white = inside & tube & (np.abs(position[..., 0]) > 2) & ~regions.any(axis=0)
    if not has_tract:
        bundles = bundles._replace(left=bundles.left[:0], right=bundles.right[:0])
    fractions = simulate_tract.fibre_fractions(
        bundles, Tissues(np.zeros(SHAPE, bool), inside & ~white, white), regions, AFFINE, SHAPE, AFFINE
    )
    domains = []
    for side in (-1, 1):
        own = [region & (side * position[..., 0] > 0) for region in regions]
        free = regions.any(axis=0)
        barred = np.where(free, 0, (side * position[..., 0] < -1) | ~inside)
        domains.append(Domain(*own, np.where(free, 0, inside & ~white), barred))
    return Person(fractions, domains, white, visits)


def clean_signal(person, fa=0.55):
    return simulate_diffusion.simulate_signal(
        person.fractions, simulate_diffusion.population_fa(fa), BVALS, BVECS, S0
    )


def add_noise(person, clean, snr, seed):
    s0 = np.full(len(clean), S0)
    sigma = simulate_diffusion.noise_level(s0, person.fractions, snr)
    return simulate_diffusion.add_rician(clean, sigma, np.random.default_rng(seed))


def acquire(person, snr, seed):
    clean = clean_signal(person)
    return clean, add_noise(person, clean, snr, seed)


def orientations(person, signals):
    """Return FODs and FA near the tracts, which is all that tracking sees."""
    mask = person.fractions.mask
    near = mask & ndimage.binary_dilation(person.visits.any(axis=0), iterations=3)
    own = signals[near[mask]]
    tensor = fit_tensor(own, TABLE)
    voxels = response_voxels(tensor, ndimage.binary_erosion(mask)[near], person.white[near])
    response = estimate_response(own, TABLE, tensor.evec, voxels, 8)
    fod, fa = np.zeros((*SHAPE, 45), np.float32), np.zeros(SHAPE, np.float32)
    fod[near], fa[near] = fit_fod(own, TABLE, response), tensor.fa
    return fod, fa


def follow(person, fod, side, seed, n_streamlines=300, max_seeds=20_000):
    """Return visitation, and how many streamlines were accepted from either region."""
    domain = person.domains[side]
    pair = [domain, domain._replace(start=domain.goal, goal=domain.start)]
    both = [
        track(
            fod, AFFINE, d, n_streamlines=n_streamlines, max_seeds=max_seeds,
            rng=np.random.default_rng([seed, side, number]),
        ).streamlines
        for number, d in enumerate(pair)
    ]  # fmt: skip
    both[1] = [line[::-1] for line in both[1]]
    origin = {id(line): number for number, lines in enumerate(both) for line in lines}
    kept = bundle.clean([*both[0], *both[1]])
    visits = [
        bundle.visitation([line for line in kept if origin[id(line)] == n], SHAPE, AFFINE) for n in (0, 1)
    ]
    return (visits[0] + visits[1]) / 2, [len(lines) for lines in both]


def truth_of(person, clean):
    return simulate_diffusion.planted_fa(person.visits, person.fractions, clean, BVALS, BVECS)


def measure(person, signals, side, seed):
    fod, fa = orientations(person, signals)
    visits, accepted = follow(person, fod, side, seed)
    return Found(bundle.weighted_mean(visits, fa, person.white), visits, accepted)
