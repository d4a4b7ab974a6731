"""Tracking and deconvolution against MRtrix3 on a real scan, and the memory of a large one."""

import tempfile
from functools import partial
from pathlib import Path

import nibabel as nb
import numpy as np

from pipelines.interfaces.dwi import prepare_scan, resample_scans
from pipelines.interfaces.dwi_maps import model_tensor
from pipelines.interfaces.transforms import write_linear
from pipelines.numerics.fod import fit_fod
from pipelines.numerics.tracking import track
from pipelines.simulated.diffusion import gradient_table

from .fresh import peak_gb, seconds
from .scene import SIDES, Scene, deconvolve, generate, make_scene, read_scan, write_files

TURNS = 3


def compare(folder: str, n_seeds: int, turns: int = TURNS) -> dict[str, dict[str, float]]:
    """Time tracking and deconvolution of both sides, ours and theirs in turn, one thread each."""
    whole = read_scan(Path(folder))
    found: dict[str, dict[str, float]] = {}
    for side in SIDES:
        scene = make_scene(whole, side)
        with tempfile.TemporaryDirectory() as temporary:
            files = Path(temporary)
            write_files(scene, files)
            deconvolve(files)
            jobs = {
                'tracking': (
                    partial(_track, scene, n_seeds),
                    partial(generate, files, 'start', 'goal', n_seeds=n_seeds, n_threads=1),
                ),
                'deconvolution': (partial(_fit, scene, whole.response), partial(deconvolve, files, 1)),
            }
            for name, (ours, theirs) in jobs.items():
                # in turn, so that a busy machine slows both
                times = np.array([(seconds(ours), seconds(theirs)) for _ in range(turns)])
                own, other = times.min(axis=0)
                found[f'{name}, {side}'] = {'ours': own, 'theirs': other, 'ratio': other / own}
    return found


def _track(scene: Scene, n_seeds: int) -> None:
    # more streamlines than seeds: all seeds are spent, as theirs are
    track(
        scene.fod, scene.affine, scene.domain, n_streamlines=n_seeds + 1, max_seeds=n_seeds,
        rng=np.random.default_rng(1),
    )  # fmt: skip


def _fit(scene: Scene, response: object) -> None:
    fit_fod(scene.data[scene.mask], scene.table, response)


def write_large(folder: str, shape: tuple[int, int, int], n_directions: int) -> dict[str, str]:
    """Write a scan of a round head of which every voxel holds fibres along its radius."""
    root = Path(folder)
    bvals, bvecs = gradient_table(n_directions)
    affine = np.diag([1.75, 1.75, 2.5, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    at = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing='ij'), -1)
    radius = np.linalg.norm(at, axis=-1)
    inside, axis = radius < 0.8, at / np.maximum(radius, 1e-6)[..., None]
    rng = np.random.default_rng(1)
    data = np.empty((*shape, len(bvals)), np.int16)
    for number, (b, g) in enumerate(zip(bvals, bvecs)):
        signal = (
            1000 * (1 + 0.3 * np.cos(12 * radius)) * np.exp(-b * (3e-4 + 1e-3 * (axis @ g) ** 2)) * inside
        )
        data[..., number] = np.hypot(*(part + 25 * rng.standard_normal(shape) for part in (signal, 0)))
    image = nb.Nifti1Image(data, affine)
    image.header.set_xyzt_units('mm', 'sec')
    nb.save(image, root / 'dwi.nii.gz')
    np.savetxt(root / 'dwi.bval', bvals[None])
    # FSL's x runs against RAS where the image does not
    np.savetxt(root / 'dwi.bvec', (bvecs * [-1, 1, 1]).T)
    return {'volumes': str(len(bvals))}


def memory(folder: str, step: str) -> dict[str, float]:
    """Return the peak of one step of the chain in GB, input and imports included."""
    root = Path(folder)
    out = root / step
    out.mkdir(exist_ok=True)
    made = root / 'prepare'
    if step == 'prepare':
        prepare_scan(*(root / f'dwi.{end}' for end in ('nii.gz', 'bval', 'bvec')), 'j', out_dir=out)
    elif step == 'resample':
        same = write_linear(root / 'same.txt', np.eye(4))
        resample_scans(
            [made / 'series.nii'], [made / 'gradients.npz'], [made / 'motion.npz'], [same], [], same,
            made / 'mask.nii', out_dir=out,
        )  # fmt: skip
    else:
        model_tensor(made / 'series.nii', made / 'gradients.npz', made / 'mask.nii', out_dir=out)
    return {'peak': peak_gb()}
