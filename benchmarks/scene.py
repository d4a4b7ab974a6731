"""The tract of a real scan for MRtrix3 and for us: the same data, regions, tissue and response."""

import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from scipy import ndimage

from pipelines.interfaces import _diffusion
from pipelines.numerics import bundle
from pipelines.numerics.dwi import find_mask
from pipelines.numerics.fod import estimate_response, fit_fod, response_voxels
from pipelines.numerics.gradients import Gradients
from pipelines.numerics.resample import grid_points, resample, sample
from pipelines.numerics.tensor import fit_tensor
from pipelines.numerics.tracking import Domain, join

VOXEL = 2.5
STEP, ANGLE, LENGTH = 0.5, 30, 100
SIDES = ('left', 'right')
# RAS mm of the scan: boxes about the regions of harvard-oxford and frontal-medial and about the tract, put
# on this head once by registration of its FA to the white matter of the template
_NAC = {'left': [[-10, 14, -5], [-3, 24, 4]], 'right': [[3, 13, -5], [9, 25, 3]]}
_MPFC = {'left': [[-9, 44, -10], [-1, 63, 11]], 'right': [[1, 43, -10], [7, 63, 10]]}
_BOX = {'left': [[-26, 4, -22], [4, 72, 24]], 'right': [[-4, 4, -22], [26, 72, 24]]}


class Whole(NamedTuple):
    """A scan on its own grid, and the response of its white matter."""

    data: np.ndarray
    affine: np.ndarray
    table: Gradients
    brain: np.ndarray
    response: Any


class Scene(NamedTuple):
    """The box around the tract of one side on a grid along RAS."""

    affine: np.ndarray
    data: np.ndarray
    table: Gradients
    mask: np.ndarray
    fa: np.ndarray
    fod: np.ndarray
    zonal: np.ndarray
    domain: Domain


def read_scan(folder: Path) -> Whole:
    """Read the only scan of a ``dwi`` folder and estimate its response."""
    dwi = next(folder.glob('*_dwi.nii.gz'))
    stem = dwi.name.removesuffix('.nii.gz')
    table, data, affine = _diffusion.read_dwi(dwi, folder / f'{stem}.bval', folder / f'{stem}.bvec')
    brain = find_mask(data)
    tensor = fit_tensor(data[brain], table)
    voxels = response_voxels(tensor, ndimage.binary_erosion(brain, iterations=3)[brain])
    return Whole(data, affine, table, brain, estimate_response(data[brain], table, tensor.evec, voxels, 6))


def make_scene(whole: Whole, side: str) -> Scene:
    """Cut out the surroundings of one tract, with FA, FODs and what a streamline meets there."""
    low, high = np.array(_BOX[side])
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    affine[:3, 3] = low
    shape = tuple(((high - low) / VOXEL).astype(int))
    points = grid_points(shape, affine)
    data = np.stack([sample(v, whole.affine, points, 1) for v in np.moveaxis(whole.data, 3, 0)], 1)
    mask = resample(whole.brain.astype(np.float32), whole.affine, shape, affine) > 0.5
    fa, fod = np.zeros(shape, np.float32), np.zeros((*shape, 28), np.float32)
    fa[mask] = fit_tensor(data[mask.ravel()], whole.table).fa
    fod[mask] = fit_fod(data[mask.ravel()], whole.table, whole.response)
    start, goal = (
        np.all((points >= box[side][0]) & (points <= box[side][1]), axis=1).reshape(shape) & mask
        for box in (_NAC, _MPFC)
    )
    free = start | goal
    across = points[:, 0].reshape(shape) * (1 if side == 'left' else -1) > 1
    domain = Domain(start, goal, (fa < 0.15) & ~free, (across | ~mask) & ~free)
    return Scene(affine, data.reshape(*shape, -1), whole.table, mask, fa, fod, whole.response.white, domain)


def turned(domain: Domain) -> Domain:
    """Return the domain for the way back."""
    return domain._replace(start=domain.goal, goal=domain.start)


def write_files(scene: Scene, folder: Path) -> None:
    """Write what MRtrix reads; gradients in RAS, as it wants them."""
    goes = ~(scene.domain.ends > 0.5)
    images = {'dwi': scene.data, 'mask': scene.mask, 'goes': goes, **scene.domain._asdict()}
    for name, image in images.items():
        nb.save(nb.Nifti1Image(np.asarray(image, np.float32), scene.affine), folder / f'{name}.nii')
    np.savetxt(folder / 'grad.txt', np.column_stack([scene.table.bvecs, scene.table.bvals]))
    np.savetxt(folder / 'response.txt', scene.zonal)


def mrtrix(folder: Path, *words: Any, n_threads: int = 2) -> None:
    """Run a program of MRtrix3 in a folder."""
    command = [*map(str, words), '-force', '-quiet', '-nthreads', str(n_threads)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)


def deconvolve(folder: Path, n_threads: int = 2) -> None:
    """Fit their FODs with our response."""
    words = 'dwi2fod csd dwi.nii response.txt fod.nii -grad grad.txt -mask mask.nii'
    mrtrix(folder, *words.split(), n_threads=n_threads)


def generate(
    folder: Path,
    seed: str,
    include: str,
    *,
    n_seeds: int,
    select: int = 0,
    cutoff: float = 0.05,
    n_threads: int = 2,
) -> list[np.ndarray]:
    """Return the streamlines of iFOD2 from one region to the other, each seed tried once."""
    mrtrix(
        folder, 'tckgen', 'fod.nii', 'found.tck', '-algorithm', 'iFOD2', '-seed_image', f'{seed}.nii',
        '-include', f'{include}.nii', '-exclude', 'barred.nii', '-mask', 'goes.nii', '-step', STEP,
        '-angle', ANGLE, '-maxlength', LENGTH, '-minlength', 1, '-max_attempts_per_seed', 1,
        '-select', select, '-seeds', n_seeds, '-cutoff', cutoff, n_threads=n_threads,
    )  # fmt: skip
    return list(nb.streamlines.load(folder / 'found.tck').streamlines)


def both_ways(
    scene: Scene, folder: Path, *, n_seeds: int, select: int, cutoff: float = 0.05
) -> list[list[np.ndarray]]:
    """Return the streamlines of iFOD2 from either region, all running from the first to the second."""
    found = []
    for number, ends in enumerate((('start', 'goal'), ('goal', 'start'))):
        lines = generate(folder, *ends, n_seeds=n_seeds, select=select, cutoff=cutoff)
        joined = between(lines, scene, turned(scene.domain) if number else scene.domain)
        found.append([line[::-1] if number else line for line in joined])
    return found


def visits_of(both: list[list[np.ndarray]], scene: Scene) -> np.ndarray:
    """Return the visitation of streamlines of two directions as the application does: cleaned together, mean of both."""
    origin = {id(line): number for number, lines in enumerate(both) for line in lines}
    kept = bundle.clean([*both[0], *both[1]])
    parts = [[line for line in kept if origin[id(line)] == number] for number in (0, 1)]
    return np.mean([bundle.visitation(part, scene.mask.shape, scene.affine) for part in parts], axis=0)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the weighted Dice of two visitation maps: the share of both that lies in common voxels."""
    common = (first > 0) & (second > 0)
    return float((first[common].sum() + second[common].sum()) / (first.sum() + second.sum()))


def between(lines: list[np.ndarray], scene: Scene, domain: Domain) -> list[np.ndarray]:
    """Return of their streamlines the pieces between the regions, as ours are cut."""
    return [line for _, line in join(list(enumerate(lines)), scene.affine, domain.start, domain.goal)]
