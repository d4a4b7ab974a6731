"""A small run in fMRIPrep's layout with a planted correlation, and what the program makes of it."""

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd

from bids_app.cli import main, make_settings
from bids_app.participant.feasible import feasible
from bids_app.scans.people import collect
from pipelines.interfaces.connectivity import region_matrix
from pipelines.interfaces.denoise import read_scan, region_series
from pipelines.interfaces.design import make_design
from pipelines.interfaces.regions import make_regions
from pipelines.interfaces.templates import target_brain
from pipelines.numerics.clean import reduce_series
from pipelines.terms import MOTION, default_circuit

SPACE = 'MNI152NLin6Asym'
STEM = 'sub-01_ses-pre_task-rest'
VOXEL, T, T_R = 6, 150, 2.0


class Files(NamedTuple):
    """The parts of a dataset that cases change."""

    raw: Path
    root: Path
    bold: Path
    mask: Path
    table: Path
    metadata: Path

    def sidecar(self):
        """Return the JSON beside the series."""
        return self.bold.with_name(self.bold.name.replace('.nii.gz', '.json'))


def files_of(folder, space=f'space-{SPACE}_res-2'):
    """Return where everything is."""
    func = folder / 'fmriprep/sub-01/ses-pre/func'
    table = func / f'{STEM}_desc-confounds_timeseries.tsv'
    return Files(
        folder / 'raw', folder / 'fmriprep', func / f'{STEM}_{space}_desc-preproc_bold.nii.gz',
        func / f'{STEM}_{space}_desc-brain_mask.nii.gz', table, table.with_suffix('.json'),
    )  # fmt: skip


def write_base(folder, rng):
    """Write one person, one run: the template's brain with noise, two regions that share half of their series."""
    files = files_of(folder)
    files.bold.parent.mkdir(parents=True)
    (files.raw / 'sub-01/ses-pre/func').mkdir(parents=True)
    for root, kind in ((files.raw, 'raw'), (files.root, 'derivative')):
        about = {'Name': 'base', 'BIDSVersion': '1.9.0', 'DatasetType': kind}
        (root / 'dataset_description.json').write_text(json.dumps(about))
    image = nb.load(target_brain(SPACE))
    corner = [45, 105, 30]  # around the two regions alone: a tenth of the voxels
    data = np.asarray(image.dataobj, np.float32)[tuple(slice(c, c + 96, VOXEL) for c in corner)]
    affine = image.affine @ np.diag([VOXEL, VOXEL, VOXEL, 1])
    affine[:3, 3] = image.affine[:3] @ np.append(corner, 1)
    mask = nb.Nifti1Image((data > 0).astype(np.uint8), affine)
    nb.save(mask, files.mask)
    drawn = make_regions(files.mask, SPACE, default_circuit(), out_dir=folder)
    stack = np.asarray(nb.load(drawn.regions).dataobj) > 0
    shared = rng.standard_normal((2, T))
    series = 1000 + 15 * rng.standard_normal((*data.shape, T))
    series[stack[..., 2]] += 30 * shared[0]
    series[stack[..., 5]] += 30 * (0.6 * shared[0] + 0.8 * shared[1])
    series[data == 0] = 0
    save(series.astype(np.int16), affine, files.bold)
    files.sidecar().write_text(json.dumps({'RepetitionTime': T_R}))
    write_confounds(files, rng)
    for path in folder.glob('*.*'):
        path.unlink()
    return files


def write_confounds(files, rng):
    """Write a table with everything that the presets ask for, and its JSON."""
    motion = np.cumsum(0.01 * rng.standard_normal((T, 6)) * [1, 1, 1, 0.01, 0.01, 0.01], axis=0)
    table = pd.DataFrame(motion, columns=MOTION)
    for name in MOTION:
        table[f'{name}_derivative1'] = table[name].diff()
        table[f'{name}_power2'] = table[name] ** 2
        table[f'{name}_derivative1_power2'] = table[f'{name}_derivative1'] ** 2
    about = {}
    for number in range(12):
        name = f'a_comp_cor_{number:02d}'
        table[name] = rng.standard_normal(T)
        about[name] = {
            'Mask': 'WM' if number < 6 else 'CSF', 'Method': 'aCompCor', 'Retained': True, 'SingularValue': 12.0 - number,
        }  # fmt: skip
    times = np.arange(T)
    for number in range(int(2 * T * T_R / 128)):
        table[f'cosine{number:02d}'] = np.cos(np.pi * (number + 1) * (2 * times + 1) / (2 * T))
    table['global_signal'] = 1000 + rng.standard_normal(T)
    table['framewise_displacement'] = np.r_[np.nan, np.abs(np.diff(motion[:, :3], axis=0)).sum(1)]
    save_table(files, table)
    files.metadata.write_text(json.dumps(about))


def copy_of(base, folder):
    """Return a copy that shares its files until they are replaced."""
    shutil.copytree(base.root.parent, folder, copy_function=os.link, dirs_exist_ok=True)
    return files_of(folder)


def save(data, affine, path, cls=nb.Nifti1Image, t_r=T_R):
    """Write an image in place of another."""
    image = cls(data, affine)
    if data.ndim == 4:
        image.header.set_zooms((*image.header.get_zooms()[:3], t_r))
        image.header.set_xyzt_units('mm', 'sec')
    path.unlink(missing_ok=True)
    nb.save(image, path)


def load(path):
    """Return data and affine."""
    image = nb.load(path)
    return np.asarray(image.dataobj), image.affine


def read_table(files):
    """Return the confounds."""
    return pd.read_csv(files.table, sep='\t', na_values='n/a')


def save_table(files, table):
    """Write confounds in place of others."""
    files.table.unlink(missing_ok=True)
    table.to_csv(files.table, sep='\t', index=False, na_rep='n/a')


def write(path, content):
    """Write text or bytes in place of what is there."""
    path.unlink(missing_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def words_of(files, *more):
    """Return a command line; its output lies beside the datasets."""
    folder = files.root.parent
    return [
        str(files.raw), str(folder / 'out'), 'participant', '-d', f'fmriprep={files.root}',
        '-w', str(folder / 'work'), *more,
    ]  # fmt: skip


def dry_run(files, said, *more):
    """Return status and words of a dry run; ``said`` are the fixtures that catch what is printed and logged."""
    status = main([*words_of(files, *more), '--dry-run'])
    printed = said[0].readouterr()
    return status, printed.out + printed.err + said[1].text


def outcome(files, *more):
    """Return z of NAc and mPFC as the steps of a run compute it, and what was counted of the run."""
    settings = make_settings(words_of(files, *more))
    label = next(files.root.glob('sub-*')).name.removeprefix('sub-')
    (run,) = feasible(settings, collect(settings, label)).runs
    folder = files.root.parent / 'steps'
    folder.mkdir(exist_ok=True)
    assert run.preprocessed
    made = make_design(
        run.bold, run.preprocessed.confounds, settings.denoise, run.t_r, run.bold.name,
        confounds_metadata=run.preprocessed.confounds_metadata, out_dir=folder,
    )  # fmt: skip
    drawn = make_regions(run.preprocessed.mask, run.space, settings.circuit, out_dir=folder)
    scan, factors = read_scan(run.bold, run.preprocessed.mask, made.operator)
    stack = np.moveaxis(np.asarray(nb.load(drawn.regions).dataobj) > 0, -1, 0)
    cleaned = reduce_series(factors['reduce'], scan.series)
    series = region_series(cleaned, factors['expand'], stack[:, scan.mask], settings.circuit)
    return float(region_matrix(series).loc['NAc', 'mPFC']), made.metadata
