"""BOLD of a run in template space: its sources, the series of all voxels, and flaws."""

import numpy as np
from scipy import ndimage

from pipelines.simulated import series as simulate
from pipelines.simulated import trial as simulate_trial

from .anatomy import Anatomy
from .files import Given, Request
from .people import Person


def simulate_run(
    request: Request, anatomy: Anatomy, person: Person, given: Given | None = None
) -> tuple[simulate.Sources, np.ndarray]:
    """Return the sources of a preprocessed run, and its series (T, N) in the mask of the brain."""
    a = anatomy
    sources = sources_of(len(given.motion) if given else request.n_volumes, request.t_r, person, given)
    weights = simulate.source_weights(a.tissues, a.regions, a.network, a.mask, person.rng)
    series = simulate.simulate_series(simulate.baseline(a.brain, a.mask), weights, sources, person.rng)
    if person.flaw == 'dropout':
        series = simulate_trial.lose_signal(series, dropout_zone(a)[a.mask], person.rng)
    return sources, series


def noise_masks(anatomy: Anatomy) -> dict[str, np.ndarray]:
    """Return which voxels of the mask (N,) the confounds of fluid and white matter come from."""
    # the accumbens is as bright as white matter: its signal must not become a confound
    free = ~np.any(anatomy.regions, axis=0)
    white = ndimage.binary_erosion(anatomy.tissues.white)
    white = white if np.sum(white) > 50 else anatomy.tissues.white
    return {'CSF': (anatomy.tissues.csf & free)[anatomy.mask], 'WM': (white & free)[anatomy.mask]}


def sources_of(n_volumes: int, t_r: float, person: Person, given: Given | None = None) -> simulate.Sources:
    """Draw the series behind a run, with the confounds given, or with the motion that its flaw means."""
    if given:
        known = given.motion, given.components
        drawn = simulate.draw_sources(n_volumes, t_r, person.rho, person.rng, *known)
        return drawn._replace(physiology=given.components[:, :3])
    motion = simulate_trial.restless_motion(n_volumes, person.rng) if person.flaw == 'motion' else None
    return simulate.draw_sources(n_volumes, t_r, person.rho, person.rng, motion)


def dropout_zone(anatomy: Anatomy) -> np.ndarray:
    """Return where a flawed scan loses its signal: the accumbens and one voxel around it."""
    return np.asarray(ndimage.binary_dilation(anatomy.regions[0]) & anatomy.mask)
