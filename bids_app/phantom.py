"""Simulated datasets on disk: raw BIDS, or derivatives laid out as fMRIPrep does."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from scipy import ndimage

from pipelines.interfaces import templates
from pipelines.numerics import regions as region_tools
from pipelines.numerics import simulate, simulate_confounds
from pipelines.numerics.motion import framewise_displacement
from pipelines.numerics.resample import apply_field, apply_linear, grid_points, resample, sample

from .phantom_files import (
    Given,
    Request,
    check,
    read_confounds,
    write_json,
    write_nifti,
    write_table,
    write_top,
)

_BRAINS = {
    'MNI152NLin6Asym': 'MNI152_T1_1mm_brain.nii.gz',
    'MNI152NLin2009cAsym': 'mni_icbm152_t1_tal_nlin_asym_09c_brain.nii.gz',
}
_HARVARD_OXFORD_SPACE = 'MNI152NLin6Asym'
_LABELS = {'NAc': (104, 112), 'mPFC': (48, 49)}
BOX_MM = np.array([[-30.0, -5, -45], [30, 75, 15]])
"""Corners that hold both regions, so that only this part of the atlas is classified."""

_NETWORK_CENTRE, _NETWORK_RADIUS = (0.0, -55.0, 30.0), 25.0
_RHO, _RHO_CHANGE = 0.6, -0.25
_FA_SPREAD, _FA_CHANGE = 0.05, 0.03


class Anatomy(NamedTuple):
    """A template brain on a grid, with the regions to plant in."""

    brain: np.ndarray
    affine: np.ndarray
    mask: np.ndarray
    tissues: simulate.Tissues
    regions: np.ndarray
    network: np.ndarray


class Person(NamedTuple):
    """One session of one participant: labels, folder and random numbers of its own."""

    subject: str
    session: str
    rho: float
    rng: np.random.Generator
    fa: float = 0.0
    seeds: tuple[int, int, int] = (0, 0, 1)
    """Of the dataset, number of the participant from 0, of the session from 1."""
    flaw: str = ''
    """What is wrong with the BOLD: ``dropout`` in the accumbens, or ``motion``."""

    @property
    def is_first(self) -> bool:
        """Return whether it is the participant's first session."""
        return self.seeds[2] == 1

    def stream(self, purpose: int) -> np.random.Generator:
        """Return random numbers for one purpose; those of purpose 0 are the same in all sessions."""
        dataset, number, session = self.seeds
        return np.random.default_rng([dataset, number, session if purpose else 0, 7 + purpose])

    @property
    def prefix(self) -> str:
        """Return the start of the file names."""
        return f'sub-{self.subject}_ses-{self.session}'

    def folder(self, root: Path, kind: str) -> Path:
        """Return the folder of ``anat`` or ``func``, made if absent."""
        path = root / f'sub-{self.subject}' / f'ses-{self.session}' / kind
        path.mkdir(parents=True, exist_ok=True)
        return path


def write_dataset(request: Request) -> None:
    """Write the dataset, with one line of progress per session.

    Raises
    ------
    OutputError
        The folder holds something already.
    ParameterError
        The run is too short for series between 0.01 and 0.08 Hz, or the layout lacks a modality.

    """
    request, root = request.completed(), request.directory
    check(request)
    given = read_confounds(request.confounds) if request.confounds else None
    root.mkdir(parents=True, exist_ok=True)
    people = list(draw_people(request))
    truth: dict[str, Any] = {'Seed': request.seed, 'Space': request.space}
    for number, person in enumerate(people, 1):
        print(f'[{number}/{len(people)}] sub-{person.subject} ses-{person.session}', flush=True)
        for section, name, planted in write_session(request, person, given):
            truth.setdefault(section, {})[name] = planted
    write_top(request, root)
    write_json(root / 'sourcedata' / 'truth.json', truth)


def write_session(
    request: Request, person: Person, given: Given | None
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Write one session; yield section, name and content of what was planted."""
    voxel = request.voxel_size or (2.0 if request.layout == 'fmriprep' else 3.0)
    run = f'{person.prefix}_task-rest'
    if request.layout == 'fmriprep':
        anatomy = load_anatomy(request.space, voxel)
        yield 'Runs', run, write_fmriprep(request, anatomy, voxel, person, given)
        return
    from . import phantom_dwi, phantom_qsiprep, phantom_raw

    if request.layout == 'qsiprep':
        yield 'Tract', person.prefix, phantom_qsiprep.write_qsiprep(request, person)
        return
    has_dwi = 'dwi' in request.modalities
    head = phantom_dwi.session_head(request, person, phantom_raw.t1w_voxel(voxel)) if has_dwi else None
    placed = phantom_raw.write_t1w(request, voxel, person, head)
    if 'bold' in request.modalities:
        yield 'Runs', run, phantom_raw.write_bold(request, voxel, person, *placed)
    if has_dwi:
        yield 'Tract', person.prefix, phantom_dwi.write_raw_dwi(request, person)


def draw_people(request: Request) -> Iterable[Person]:
    """Yield every session; in the exercise arm the correlation falls and the tract's FA rises."""
    width = max(2, len(str(request.participants)))
    for number in range(request.participants):
        own = np.random.default_rng([request.seed, number])
        typical = _RHO + 0.1 * own.uniform(-1, 1)
        typical_fa = request.tract_fa + _FA_SPREAD * own.uniform(-1, 1)
        for order, session in enumerate(request.sessions):
            rng = np.random.default_rng([request.seed, number, order + 1])
            progress = order / max(1, len(request.sessions) - 1)
            change = _RHO_CHANGE * progress * (number % 2 == 0) + rng.uniform(-0.05, 0.05)
            fa = typical_fa + _FA_CHANGE * progress * (number % 2 == 0) if request.tract_fa else 0.0
            yield Person(
                f'{number + 1:0{width}d}',
                session,
                round(float(typical + change), 4),
                rng,
                round(float(np.clip(fa, 0, 0.95)), 4),
                (request.seed, number, order + 1),
            )


def template_path(space: str) -> Path:
    """Return the 1 mm brain of a template space."""
    # always the built-in one: bytes must not depend on what TemplateFlow's folder holds
    return templates.harvard_oxford().parents[1] / 'templates' / _BRAINS[space]


@cache
def region_labels() -> tuple[np.ndarray, np.ndarray]:
    """Return Harvard-Oxford labels (-1 = none) around the regions, winner takes all, and their affine."""
    image = nb.load(templates.harvard_oxford())
    corners = apply_linear(np.linalg.inv(image.affine), BOX_MM).round().astype(int)
    low, high = corners.min(axis=0), corners.max(axis=0)
    box = np.asarray(image.dataobj)[tuple(slice(a, b) for a, b in zip(low, high))]
    affine = image.affine.copy()
    affine[:3, 3] = apply_linear(image.affine, low)
    return region_tools.winner_take_all(np.ascontiguousarray(box), 25), affine


@cache
def load_anatomy(space: str, voxel: float) -> Anatomy:
    """Return a template brain at ``voxel`` mm on the box of its own grid."""
    image = nb.load(template_path(space))
    fine = np.asarray(image.dataobj, np.float32)
    shape = tuple(int(np.ceil(n / voxel)) for n in image.shape)
    affine = image.affine @ np.diag([voxel, voxel, voxel, 1.0])
    width = 0.4 * voxel if voxel > 1 else 0.0
    brain = resample(ndimage.gaussian_filter(fine, width), image.affine, shape, affine)
    inside = resample((fine > 0).astype(np.float32), image.affine, shape, affine) > 0.5
    inside = ndimage.binary_fill_holes(inside)
    # the template leaves the ventricles empty: they hold fluid
    brain = np.where(inside, np.maximum(brain, 0.3 * np.percentile(fine[fine > 0], 99)), 0)
    points = grid_points(shape, affine)
    distance = np.linalg.norm(points - np.array(_NETWORK_CENTRE), axis=1).reshape(shape)
    planted = np.stack([plant_region(name, space, points).reshape(shape) & inside for name in _LABELS])
    network = np.exp(-0.5 * (distance / _NETWORK_RADIUS) ** 2)
    return Anatomy(brain, affine, inside, simulate.classify(brain), planted, network)


def plant_region(name: str, space: str, points: np.ndarray) -> np.ndarray:
    """Return which points (N, 3) of ``space`` lie in a region, both sides together."""
    if space != _HARVARD_OXFORD_SPACE:
        points = _to_atlas_space(space, points)
    labels, affine = region_labels()
    # shifted by one, because points beyond the box are given 0
    return np.isin(sample(labels + 1.0, affine, points, 0).round() - 1, _LABELS[name])


def _to_atlas_space(space: str, points: np.ndarray) -> np.ndarray:
    from pipelines.interfaces.transforms import read_field

    return apply_field(*read_field(templates.recorded_field(_HARVARD_OXFORD_SPACE, space)), points)


def write_fmriprep(
    request: Request, anatomy: Anatomy, voxel: float, person: Person, given: Given | None
) -> dict[str, Any]:
    """Write one preprocessed run and return what was planted."""
    from .phantom_bold import noise_masks, simulate_run

    folder = person.folder(request.directory, 'func')
    sources, series = simulate_run(request, anatomy, person, given)
    stem = folder / f'{person.prefix}_task-rest'
    if given:
        Path(f'{stem}_desc-confounds_timeseries.tsv').write_bytes(given.table)
        Path(f'{stem}_desc-confounds_timeseries.json').write_bytes(given.metadata)
    else:
        table, metadata = simulate_confounds.confounds(
            series, noise_masks(anatomy), sources.motion, request.t_r
        )
        write_table(Path(f'{stem}_desc-confounds_timeseries.tsv'), table)
        write_json(Path(f'{stem}_desc-confounds_timeseries.json'), metadata)
    _write_images(request, anatomy, voxel, f'{stem}_space-{request.space}', series)
    fd = framewise_displacement(sources.motion)
    return {
        'NAcMPFCCorrelation': person.rho,
        'FisherZ': float(np.arctanh(person.rho)),
        'MeanFD': float(np.nanmean(fd)),
        'NVoxels': {name: int(region.sum()) for name, region in zip(_LABELS, anatomy.regions)},
        'ConfoundsFrom': 'file' if given else 'simulation',
    }


def _write_images(request: Request, anatomy: Anatomy, voxel: float, stem: str, series: np.ndarray) -> None:
    # fMRIPrep calls the template's own 2 mm grid res-2
    label = f'{voxel:g}'.replace('.', 'p')
    stem = f'{stem}_res-{label}'
    shared = {'Resolution': f'{voxel:g} mm isotropic', 'Sources': []}
    timing = {
        'RepetitionTime': request.t_r,
        'TaskName': 'rest',
        'StartTime': 0.0,
        'SliceTimingCorrected': False,
    }
    mask = anatomy.mask
    volumes = (_fill(mask, np.rint(row)) for row in series)
    shape = (*mask.shape, len(series))
    write_nifti(Path(f'{stem}_desc-preproc_bold.nii.gz'), volumes, shape, anatomy.affine, t_r=request.t_r)
    write_json(Path(f'{stem}_desc-preproc_bold.json'), {**timing, **shared, 'SkullStripped': True})
    mean = _fill(mask, np.rint(series.mean(axis=0)))
    write_nifti(Path(f'{stem}_boldref.nii.gz'), [mean], mask.shape, anatomy.affine)
    write_json(Path(f'{stem}_boldref.json'), {**shared, 'SkullStripped': True})
    write_nifti(Path(f'{stem}_desc-brain_mask.nii.gz'), [mask], mask.shape, anatomy.affine, dtype=np.uint8)
    write_json(Path(f'{stem}_desc-brain_mask.json'), {**shared, 'Type': 'Brain', 'RawSources': []})


def _fill(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    volume = np.zeros(mask.shape, np.int16)
    volume[mask] = np.clip(values, 0, 32767)
    return volume
