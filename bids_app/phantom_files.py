"""Files of a simulated dataset: images, tables, JSON; equal content gives equal bytes."""

import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np

from pipelines.errors import DataError, MissingInputError
from pipelines.numerics.simulate_confounds import MOTION


class Given(NamedTuple):
    """Confounds of a real run, copied byte for byte, and what drives the simulated BOLD.

    ``motion`` (T, 6); ``components`` (T, up to 10), standardised aCompCor of white matter, then fluid.
    """

    table: bytes
    metadata: bytes
    motion: np.ndarray
    components: np.ndarray


def read_confounds(path: Path) -> Given:
    """Read a confounds table of fMRIPrep and the JSON beside it.

    Raises
    ------
    MissingInputError
        A file is absent.
    DataError
        A motion column or the aCompCor components of white matter are absent.

    """
    beside = path.with_suffix('.json')
    for needed in (path, beside):
        if not needed.is_file():
            raise MissingInputError(f'{needed} is not a file. --confounds needs FILE.tsv and FILE.json.')
    with path.open(newline='') as stream:
        rows = list(csv.DictReader(stream, delimiter='\t'))
    metadata = json.loads(beside.read_text())
    white, fluid = (_strongest(metadata, tissue) for tissue in ('WM', 'CSF'))
    names = [*MOTION, *white[:5], *fluid[:5]]
    absent = [name for name in names if not rows or name not in rows[0]]
    if absent or len(white) < 3:
        raise DataError(f'{path} lacks {", ".join(absent) or "three aCompCor components of white matter"}.')
    values = np.array([[float(row[n]) if row[n] != 'n/a' else 0.0 for n in names] for row in rows])
    components = values[:, 6:] - values[:, 6:].mean(axis=0)
    components /= np.maximum(components.std(axis=0), 1e-12)
    return Given(path.read_bytes(), beside.read_bytes(), values[:, :6], components)


def _strongest(metadata: Mapping[str, Mapping[str, Any]], tissue: str) -> list[str]:
    """Return the aCompCor components of a tissue, the strongest first."""
    found = [n for n, f in metadata.items() if n.startswith('a_comp_cor') and f.get('Mask') == tissue]
    return sorted(found, key=lambda name: -metadata[name].get('SingularValue', 0))


def write_nifti(
    path: Path,
    volumes: Iterable[np.ndarray],
    shape: tuple[int, ...],
    affine: np.ndarray,
    *,
    dtype: type = np.int16,
    t_r: float | None = None,
    sform: int = 4,
) -> None:
    """Write volumes one by one; equal input gives equal bytes (no name or time in the gzip header)."""
    header = nb.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(affine, sform)
    header.set_qform(affine, sform)
    header.set_xyzt_units('mm', 'sec')
    header['pixdim'][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    header['pixdim'][4] = t_r or 0
    header['magic'], header['vox_offset'] = b'n+1', 352
    header.set_slope_inter(1, 0)
    with path.open('wb') as raw, gzip.GzipFile('', 'wb', 1, raw, mtime=0) as stream:
        stream.write(header.binaryblock + bytes(4))
        for volume in volumes:
            stream.write(np.asarray(volume, dtype).tobytes(order='F'))


def write_table(path: Path, table: Mapping[str, np.ndarray]) -> None:
    """Write columns as TSV, NaN as n/a."""
    rows = ('\t'.join('n/a' if np.isnan(v) else f'{v:.8g}' for v in row) for row in zip(*table.values()))
    path.write_text('\n'.join(['\t'.join(table), *rows]) + '\n')


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with a fixed layout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + '\n')
