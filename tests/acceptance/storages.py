"""The same images in other orientations, types of number and forms of file, through whole chains by the command line."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from bids_app.outputs.bold import REGIONS_DSEG, REGIONS_TABLE, map_rows
from bids_app.outputs.rows import Derivative
from bids_app.simulated.cli import main as simulate
from pipelines.interfaces.imaging_outcomes import region_mean
from pipelines.terms import default_circuit
from tests.storage import STORAGES, Storage, store

from .checks import Collector, Context, met, read_matrix, read_one, run_clbpe

Values = Mapping[str, float]


class Chain(NamedTuple):
    """A chain, the small person that goes through it, and by how much a value may differ.

    Attributes
    ----------
    simulated, asked
        Words of ``clbpe-simulate`` and ``clbpe``; ``{data}`` is the dataset.
    read
        Values of a folder of results.
    is_head_turned
        Oblique scans are those of a turned head, not of a turned grid.
    limits
        Largest difference of each family of storages, for every value.
    """

    simulated: tuple[str, ...]
    asked: tuple[str, ...]
    read: Callable[[Path], Values]
    is_head_turned: bool
    limits: Mapping[str, float]


def _found(out: Path, row: Derivative) -> Path:
    (path,) = (path for path in sorted(out.rglob('sub-*')) if path.is_file() and row.is_name(path.name, {}))
    return path


def connectivity(out: Path) -> Values:
    """Return Fisher z of the two regions, and the mean intrinsic connectivity of each."""
    z = read_matrix(out).loc['NAc', 'mPFC']
    icc, labels = (
        _found(out, map_rows(default_circuit())['icc']),
        (_found(out, row) for row in (REGIONS_DSEG, REGIONS_TABLE)),
    )
    return {'z': float(z), **{f'ICC {name}': region_mean(icc, labels, [name]) for name in ('NAc', 'mPFC')}}


def anisotropy(out: Path) -> Values:
    """Return the FA of the tract of each side."""
    table = read_one(out, '*_bundle-NAcMPFC_scalarstats.tsv').query('param == "fa" and method == "weighted"')
    return {f'FA {row.hemi}': row.value for row in table.itertuples() if row.hemi != 'B'}


PERSON = ('--participants', '1', '--sessions', 'pre')
RUN = ('--n-volumes', '150', '--voxel-size', '4')
SAME = 0.0
"""The same numbers, read in another way."""

CHAINS = {
    'preprocessed BOLD': Chain(
        (*PERSON, *RUN), ('-d', 'fmriprep={data}'), connectivity, False,
        # float32 sums in another order; voxels of 4 mm mixed by interpolation; 255 steps for a signal whose noise spans
        # a few of them, which the mean over a region evens out
        {'axes': 1e-5, 'grid': 0.1, 'rounding': 0.005, 'type': SAME, 'file': SAME},
    ),
    'preprocessed DWI': Chain(
        (*PERSON, '--layout', 'qsiprep', '--dwi-voxel-size', '4', '--dwi-directions', '32'),
        ('-d', 'qsiprep={data}', '--skip', 'functional'), anisotropy, False,
        # six digits of directions let a hundred streamlines take other random steps; interpolated twice, to the oblique grid and back, which takes FA from a thin tract;
        # 255 steps from the brightest fluid down to the signal along fibres
        {'axes': 0.005, 'grid': 0.03, 'rounding': 0.01, 'type': SAME, 'file': SAME},
    ),
    'raw T1w and BOLD': Chain(
        (*PERSON, *RUN, '--layout', 'raw', '--modalities', 'bold'), (), connectivity, True,
        # registrations begin elsewhere and end within a tenth of a voxel; a head that is turned is found, not interpolated
        {'axes': 0.05, 'grid': 0.05, 'rounding': 0.05, 'type': SAME, 'file': SAME},
    ),
}  # fmt: skip


def storages(context: Context) -> Collector:
    """LAS, LPS, oblique, uint8, float64, NIfTI-2, big endian: the same values through three whole chains."""
    checks = met('storages')
    for name, chain in CHAINS.items():
        _compare(context, checks, name, chain)
    return checks


def chosen(*, sloppy: bool) -> dict[str, Storage]:
    """Return all storages, or in a quick run the first of each family."""
    first = {storage.family: name for name, storage in reversed(STORAGES.items())}
    return {name: storage for name, storage in STORAGES.items() if not sloppy or name in first.values()}


def _compare(context: Context, checks: Collector, name: str, chain: Chain) -> None:
    """Run one chain with the images as they are simulated, and with each storage; one work folder for all."""
    folder = context.out / 'storages' / name.replace(' ', '_')
    if simulate([str(folder / 'plain'), *chain.simulated]):
        checks.note(f'{name}: dataset is written', 'no', False)
        return
    plain = _values(context, checks, f'{name}, plain', chain, folder / 'plain')
    for number, (how, storage) in enumerate(chosen(sloppy=context.sloppy).items()):
        data = folder / f'storage{number}'
        _store_all(folder / 'plain', data, storage, is_head_turned=chain.is_head_turned)
        values = _values(context, checks, f'{name}, {how}', chain, data)
        if not plain or not values:
            continue
        differences = {key: values[key] - plain[key] for key in plain}
        limit = chain.limits[storage.family]
        found = ', '.join(
            f'{key} {plain[key]:.4f} {difference:+.1e}' for key, difference in differences.items()
        )
        checks.note(f'{name}, {how}: within {limit:g}', found, max(map(abs, differences.values())) <= limit)


def _store_all(plain: Path, data: Path, storage: Storage, *, is_head_turned: bool) -> None:
    """Write a copy of a dataset whose images are stored in another way; what was planted stays behind."""
    shutil.copytree(plain, data, ignore=shutil.ignore_patterns('sourcedata'))
    for path in sorted(data.rglob('*.nii.gz')):
        store(path, storage, is_head_turned=is_head_turned)


def _values(context: Context, checks: Collector, what: str, chain: Chain, data: Path) -> Values:
    """Return the values of a run, none where it failed; chains are always quick and rough: what is compared is storages."""
    out = data.with_name(f'{data.name}_out')
    asked = [word.format(data=data) for word in chain.asked]
    done = run_clbpe(context._replace(sloppy=True), data, out, *asked, work=data.parent / 'work')
    if done.status:
        checks.note(f'{what}: exit status 0', done.status, False)
        return {}
    return chain.read(out)
