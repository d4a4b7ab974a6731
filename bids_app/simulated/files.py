"""A simulated dataset: what is asked for, and its images, tables and JSON; equal requests give equal data."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import nibabel as nb
import numpy as np
from isal.igzip import IGzipFile

from pipelines.errors import DataError, MissingInputError, OutputError, ParameterError
from pipelines.terms import MOTION

_VERSION = '0.1.0'
_MODALITIES = {
    'fmriprep': ('bold',),
    'raw': ('bold', 'dwi'),
    'qsiprep': ('dwi',),
    'preprocessed': ('bold', 'dwi'),
}
_SPACES = {'qsiprep': 'MNI152NLin2009cAsym'}
_USUAL_SPACE = 'MNI152NLin6Asym'
_LPS_FROM_RAS = np.diag([-1.0, -1, 1, 1])
_ABOUT_BOLD = """Simulated data: no person was scanned. Every run carries a known correlation between nucleus
accumbens and medial prefrontal cortex, given in sourcedata/truth.json with the seed that
reproduces all files. In the exercise arm it falls from the first session to the last.
"""
_ABOUT_DWI = """Simulated data: no person was scanned. Every diffusion series holds a tract of known FA from
nucleus accumbens to medial prefrontal cortex, given in sourcedata/truth.json with the seed that
reproduces all files. In the exercise arm it rises from the first session to the last.
"""
_ABOUT_BOTH = """Simulated data: no person was scanned. Every run carries a known correlation between nucleus
accumbens and medial prefrontal cortex, and every diffusion series a tract of known FA between
them. Both are given in sourcedata/truth.json with the seed that reproduces all files. In the
exercise arm the correlation falls, and the FA rises, from the first session to the last.
"""


TRIAL_SIZES: dict[str, Any] = {
    'participants': 57,
    'layout': 'preprocessed',
    'n_volumes': 150,
    't_r': 3.0,
    'voxel_size': 4.0,
    'dwi_directions': 32,
    'dwi_voxel_size': 3.0,
    'anatomy_voxel_size': 2.0,
}
"""What a trial has by default; 450 s leave enough degrees of freedom after denoising."""


@dataclass(frozen=True)
class Request:
    """What to simulate; the fields are the options of the command line."""

    directory: Path
    participants: int = 2
    sessions: tuple[str, ...] | list[str] = ('pre', 'post')
    layout: str = 'fmriprep'
    n_volumes: int = 240
    t_r: float = 2.0
    voxel_size: float | None = None
    space: str = ''
    seed: int = 1
    confounds: Path | None = None
    modalities: tuple[str, ...] | list[str] = ()
    dwi_directions: int = 64
    dwi_bvals: tuple[float, ...] | list[float] = (1000.0,)
    dwi_voxel_size: float = 2.5
    dwi_motion: float = 0.2
    snr: float = 30.0
    tract_fa: float = 0.55
    anatomy_voxel_size: float | None = None
    trial: bool = False
    raw_participants: int = 0
    genes: int = 12_000

    def completed(self) -> 'Request':
        """Return the request with the modalities and the space that its layout has by default."""
        return replace(
            self,
            sessions=tuple(self.sessions),
            modalities=tuple(self.modalities or _MODALITIES[self.layout]),
            dwi_bvals=tuple(self.dwi_bvals),
            space=self.space or _SPACES.get(self.layout, _USUAL_SPACE),
        )


class Given(NamedTuple):
    """Confounds of a real run, copied byte for byte, and what drives the simulated BOLD.

    ``motion`` (T, 6); ``components`` (T, up to 10), standardised aCompCor of white matter, then fluid.
    """

    table: bytes
    metadata: bytes
    motion: np.ndarray
    components: np.ndarray


def check(request: Request) -> None:
    """Refuse a request that cannot be met; see :func:`.dataset.write_dataset`."""
    root, offered = request.directory, _MODALITIES[request.layout]
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OutputError(f'{root} is not an empty folder. Give a new one.')
    if 'bold' in request.modalities and request.n_volumes * request.t_r < 60:
        raise ParameterError(
            f'{request.n_volumes} volumes of {request.t_r:g} s are too short: 60 s are needed.'
        )
    if request.seed < 0:
        raise ParameterError(f'--seed {request.seed}: 0 or a positive number is needed.')
    if not set(request.modalities) <= set(offered):
        raise ParameterError(
            f'--modalities {" ".join(request.modalities)}: --layout {request.layout} has {" ".join(offered)}.'
        )
    if request.layout == 'preprocessed' and not request.trial:
        raise ParameterError('--layout preprocessed is for --trial. Choose fmriprep or qsiprep.')
    if not 0 <= request.tract_fa <= 0.9:
        raise ParameterError(f'--tract-fa {request.tract_fa:g}: a number from 0 (no tract) to 0.9 is needed.')


def read_given_confounds(path: Path) -> Given:
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
    """Write volumes one by one; the gzip header holds neither name nor time."""
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
    with path.open('wb') as raw, IGzipFile('', 'wb', 1, raw, mtime=0) as stream:
        stream.write(header.binaryblock + bytes(4))
        for volume in volumes:
            stream.write(np.asarray(volume, dtype).tobytes(order='F'))


def write_simulated_table(path: Path, table: Mapping[str, np.ndarray]) -> None:
    """Write columns as TSV, NaN as n/a."""
    rows = ('\t'.join('n/a' if np.isnan(v) else f'{v:.8g}' for v in row) for row in zip(*table.values()))
    path.write_text('\n'.join(['\t'.join(table), *rows]) + '\n')


def write_json(path: Path, content: Mapping[str, Any], *, sort_keys: bool = True) -> None:
    """Write JSON with a fixed layout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=sort_keys) + '\n')


def write_gradients(stem: str, bvals: np.ndarray, bvecs: np.ndarray, affine: np.ndarray) -> None:
    """Write ``stem.bval`` and ``stem.bvec``.

    Parameters
    ----------
    stem
        Path without extension.
    bvals
        (V,) s/mm2.
    bvecs
        (V, 3) unit vectors, RAS.
    affine
        (4, 4) of the image.

    Notes
    -----
    FSL's convention: components along the axes of the image, the first one negated when the affine has a
    positive determinant.

    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    vectors = np.linalg.solve(axes, bvecs.T)
    if np.linalg.det(axes) > 0:
        vectors[0] *= -1
    # adding 0 turns -0 into 0
    rows = [' '.join(f'{v:.6f}' for v in row) for row in vectors.round(6) + 0.0]
    Path(f'{stem}.bvec').write_text('\n'.join(rows) + '\n')
    Path(f'{stem}.bval').write_text(' '.join(f'{b:g}' for b in bvals) + '\n')


def write_itk_affine(path: Path, matrix: np.ndarray) -> None:
    """Write a (4, 4) RAS matrix of points as a composite transform of ITK in HDF5; no time in the file."""
    lps = _LPS_FROM_RAS @ matrix @ _LPS_FROM_RAS
    parts: list[dict[str, Any]] = [
        {'TransformType': [b'CompositeTransform_double_3_3']},
        {
            'TransformType': [b'AffineTransform_double_3_3'],
            'TransformFixedParameters': np.zeros(3),
            'TransformParameters': np.concatenate([lps[:3, :3].ravel(), lps[:3, 3]]),
        },
    ]
    with h5py.File(path, 'w') as file:
        for name, part in enumerate(parts):
            group = file.create_group(f'TransformGroup/{name}')
            for key, value in part.items():
                kind = h5py.string_dtype('ascii') if key == 'TransformType' else float
                group.create_dataset(key, data=value, dtype=kind, track_times=False)


def write_top(request: Request, root: Path) -> None:
    """Write the files that describe the dataset."""
    has_bold, has_dwi = 'bold' in request.modalities, 'dwi' in request.modalities
    about = _ABOUT_BOTH if has_bold and has_dwi else _ABOUT_DWI if has_dwi else _ABOUT_BOLD
    describe_dataset(root, request.layout, about)
    width = max(2, len(str(request.participants)))
    rows = [f'sub-{n + 1:0{width}d}\t{("exercise", "waitlist")[n % 2]}' for n in range(request.participants)]
    (root / 'participants.tsv').write_text('\n'.join(['participant_id\tgroup', *rows]) + '\n')
    levels = {'exercise': 'trained between the sessions', 'waitlist': 'waited'}
    write_json(root / 'participants.json', {'group': {'Description': 'Arm', 'Levels': levels}})


def describe_dataset(root: Path, layout: str, about: str, ignored: tuple[str, ...] = ()) -> None:
    """Write what a dataset is, and ``.bidsignore`` with what the schema does not know."""
    description: dict[str, Any] = {
        'Name': 'Simulated trial',
        'BIDSVersion': '1.10.0',
        'DatasetType': 'raw' if layout == 'raw' else 'derivative',
        'License': 'CC0',
        'Authors': ['clbpe-simulate', 'no person was scanned'],
        'GeneratedBy': [{'Name': 'clbpe-simulate', 'Version': _VERSION}],
    }
    write_json(root / 'dataset_description.json', description)
    (root / 'README').write_text(about)
    # fMRIPrep and QSIPrep ignore these likewise
    unknown = ['*_boldref.*', '*_timeseries.*', *ignored]
    if layout == 'qsiprep':
        unknown += ['*_dwiref.*', '*_xfm.*', '*_dwi.bval', '*_dwi.bvec']
    (root / '.bidsignore').write_text('\n'.join([*unknown, '']))
