"""A small run on disk with a planted correlation, and what is known of the atlas in its own space."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces import denoise, design
from pipelines.params import CircuitMaps, DenoiseParams
from pipelines.terms import MOTION, default_circuit

SHAPE = (8, 8, 6)
T_R = 2.0
SPACE = 'MNI152NLin6Asym'
MNI_SHAPE = (91, 109, 91)
MNI_AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
MNI_REGIONS = {
    'NAcL': ((-9.5, 11.6, -7.4), 971),
    'NAcR': ((9.2, 12.3, -6.8), 893),
    'mPFCL': ((-4.8, 43.5, -18.2), 3641),
    'mPFCR': ((4.7, 42.9, -18.7), 4045),
}
"""Centre (mm) and volume (mm3) of the Harvard-Oxford regions at 25 %, winner takes all."""

METADATA = {f'a_comp_cor_{i:02d}': {'Mask': ('CSF', 'WM')[i % 2], 'Retained': True} for i in range(10)}


class Run(NamedTuple):
    """Files of a run with slab regions and confounds on every voxel, and the series planted in the two regions."""

    bold: Path
    mask: Path
    regions: Path
    tissue: Path
    confounds: Path
    metadata: Path
    planted: np.ndarray


def simulate_confounds(rng, n_volumes: int) -> pd.DataFrame:
    names = [name + suffix for suffix in ('', '_derivative1') for name in MOTION]
    table = pd.DataFrame(0.001 * rng.standard_normal((n_volumes, 12)), columns=names)
    for name in names:
        table[f'{name}_power2'] = table[name] ** 2
    for name in METADATA:
        table[name] = rng.standard_normal(n_volumes)
    table['global_signal'] = rng.standard_normal(n_volumes)
    table['framewise_displacement'] = 0.1
    table.loc[0, [*names[6:], 'framewise_displacement']] = np.nan
    return table


@pytest.fixture
def write_run(tmp_path, rng) -> Callable[..., Run]:
    def write(n_volumes=240, planted=0.5, confounds=None, noise=0.5) -> Run:
        stack = np.zeros((6, *SHAPE), bool)
        for place, label in ((0, 0), (1, 1), (4, 3), (5, 4)):
            stack[label, place] = True
        stack[2], stack[5] = stack[0] | stack[1], stack[3] | stack[4]
        shared = rng.standard_normal((2, n_volumes))
        series = np.stack([shared[0], planted * shared[0] + np.sqrt(1 - planted**2) * shared[1]])
        data = noise * rng.standard_normal((*SHAPE, n_volumes))
        data[stack[2]] += series[0]
        data[stack[5]] += series[1]
        table = simulate_confounds(rng, n_volumes) if confounds is None else confounds
        data += table['trans_x'].to_numpy() * 2000
        image = nb.Nifti1Image((1000 + 10 * data).astype(np.float32), np.diag([3, 3, 3, 1]))
        image.header.set_zooms((3, 3, 3, T_R))
        files = [tmp_path / name for name in ('b.nii.gz', 'm.nii', 'r.nii', 't.nii', 'c.tsv', 'c.json')]
        tissue = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 4
        volumes = [image.dataobj, np.ones(SHAPE, np.uint8), np.moveaxis(stack, 0, -1).astype(np.uint8)]
        for path, volume in zip(files, [*volumes, tissue.astype(np.uint8)]):
            nb.save(nb.Nifti1Image(volume, image.affine, image.header if path == files[0] else None), path)
        table.to_csv(files[4], sep='\t', index=False, na_rep='n/a')
        files[5].write_text(json.dumps(METADATA))
        return Run(*files, series)

    return write


@pytest.fixture
def run_chain(tmp_path) -> Callable[..., tuple[design.DesignFiles, denoise.Cleaned]]:
    def run(files, fwhm=0, **params):
        made = design.make_design(
            files.bold,
            files.confounds,
            DenoiseParams(**params),
            T_R,
            'run',
            confounds_metadata=files.metadata,
            out_dir=tmp_path,
        )
        cleaned = denoise.clean_series(
            files.bold,
            files.mask,
            made.operator,
            files.regions,
            files.tissue,
            files.mask,
            files.confounds,
            CircuitMaps(circuit=default_circuit(), fwhm=fwhm),
            T_R,
            made.metadata,
            out_dir=tmp_path,
        )
        return made, cleaned

    return run
