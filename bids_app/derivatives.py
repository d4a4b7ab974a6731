"""The table of every file the program writes, its name, and its sidecar."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import OutputError

from . import __version__
from .files import replace_json, replace_text

_ENTITIES = (
    'ses', 'task', 'acq', 'ce', 'rec', 'dir', 'run', 'echo', 'part', 'hemi', 'from', 'to', 'mode', 'space', 'res', 'atlas',
    'seg', 'model', 'bundle', 'param', 'stat', 'label', 'desc',
)  # fmt: skip
"""Order of entities behind ``sub`` in a name (that of BIDS, with our own in between)."""

_NAME = f'sub-{{sub}}{"".join(f"[_{key}-{{{key}}}]" for key in _ENTITIES)}_{{suffix}}{{extension}}'
PATTERNS = (
    f'sub-{{sub}}/{{datatype<figures>}}/{_NAME}',
    f'sub-{{sub}}[/ses-{{ses}}]/{{datatype<anat|func|dwi>}}/{_NAME}',
)
"""Path patterns of PyBIDS: every name is built from them and from nothing else."""

BIDSIGNORE = (
    '*.html', 'figures', 'log', 'logs', 'group', '*_boldmap.*', '*_boldref.*', '*_statmap.*', '*_relmat.*', '*_timeseries.*',
    '*_coverage.*', '*_design.*', '*_outliers.*', '*_qc.json', '*_dwimap.*', '*_streamlines.*',
    '*_scalarstats.*', '*_xfm.*', '*_dwiref.*', '*_manifest.json',
)  # fmt: skip


@dataclass(frozen=True)
class Derivative:
    """One row: the outputnode's field, what its name adds to the source's entities, its sidecar.

    ``fields`` are further values of the sidecar; a row without description has none.
    """

    output: str
    suffix: str
    extension: str
    datatype: str = 'func'
    entities: Mapping[str, str] = field(default_factory=dict)
    is_standard: bool = False
    description: str = ''
    units: str = 'arbitrary'
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def index(self) -> tuple[str, int | None]:
        """Return the field's name and, for ``name[2]``, the number of the item."""
        name, _, number = self.output.partition('[')
        return name, int(number.rstrip(']')) if number else None


def _anatomical(
    output: str, suffix: str, description: str, units: str = 'arbitrary', **more: Any
) -> Derivative:
    standard, fields = more.pop('is_standard', False), more.pop('fields', {})
    return Derivative(output, suffix, '.nii.gz', 'anat', more, standard, description, units, fields)


def _functional(output: str, suffix: str, extension: str, description: str, **more: Any) -> Derivative:
    standard, fields, units = (
        more.pop('is_standard', False),
        more.pop('fields', {}),
        more.pop('units', 'arbitrary'),
    )
    return Derivative(output, suffix, extension, 'func', more, standard, description, units, fields)


def figures(suffix: str, *names: str) -> tuple[Derivative, ...]:
    """Return a row per picture of a scan."""
    return tuple(Derivative(f'{name}_figure', suffix, '.png', 'figures', {'desc': name}) for name in names)


MASK, _STRIPPED, HEAD = {'Type': 'Brain'}, {'SkullStripped': True}, {'SkullStripped': False}
_TISSUES = {'GM': 'grey matter', 'WM': 'white matter', 'CSF': 'cerebrospinal fluid'}

REGION_COLUMNS = {
    'source': {'Description': 'choice of the region'},
    'transform': {'Description': 'how the region came to the template of the series'},
    'volume': {'Description': 'volume on the grid of the series', 'Units': 'mm^3'},
    **{axis: {'Description': f'centre, RAS {axis}', 'Units': 'mm'} for axis in 'xyz'},
}

ANATOMY = (
    _anatomical('t1w_preproc', 'T1w', 'Reference: bias-corrected, averaged over images', desc='preproc', fields=HEAD),
    _anatomical('t1w_mask', 'mask', 'Brain mask', 'boolean', desc='brain', fields=MASK),
    _anatomical('t1w_dseg', 'dseg', 'Tissues: 1 grey matter, 2 white matter, 3 cerebrospinal fluid', 'label'),
    *(
        _anatomical(f't1w_probseg_{label.lower()}', 'probseg', f'Probability of {name}', 'probability', label=label)
        for label, name in _TISSUES.items()
    ),
    _anatomical(
        't1w_std', 'T1w', 'Brain of the reference in template space', desc='preproc', is_standard=True, fields=_STRIPPED
    ),
    _anatomical('t1w_mask_std', 'mask', 'Brain mask', 'boolean', desc='brain', is_standard=True, fields=MASK),
    _anatomical(
        'anat2std_xfm', 'xfm', 'Displacement field (LPS) that resamples T1w images onto the template', 'mm',
        **{'from': 'T1w', 'to': '{space}', 'mode': 'image'},
    ),
    _anatomical(
        'std2anat_xfm', 'xfm', 'Displacement field (LPS) that resamples template images onto the T1w', 'mm',
        **{'from': '{space}', 'to': 'T1w', 'mode': 'image'},
    ),
)  # fmt: skip
"""From raw T1-weighted images: one reference per participant."""

FUNCTIONAL = (
    _functional('boldref', 'boldref', '.nii.gz', 'Reference volume of the run', fields=HEAD),
    _functional('bold_mask', 'mask', '.nii.gz', 'Brain mask of the reference', desc='brain', units='boolean', fields=MASK),
    _functional('boldref_std', 'boldref', '.nii.gz', 'Reference in template space', is_standard=True, fields=HEAD),
    _functional('bold_mask_std', 'mask', '.nii.gz', 'Brain mask in template space', units='boolean', is_standard=True, desc='brain', fields=MASK),
    _functional('confounds', 'timeseries', '.tsv', '', desc='confounds'),
    _functional('confounds_metadata', 'timeseries', '.json', '', desc='confounds'),
    _functional(
        'bold2anat_xfm', 'xfm', '.txt', 'Linear transform (ITK) that resamples the reference onto the T1w',
        **{'from': 'boldref', 'to': 'T1w', 'mode': 'image'},
    ),
)  # fmt: skip
"""From raw BOLD."""

SEEDS = ('NAcL', 'NAcR', 'NAc', 'mPFCL', 'mPFCR', 'mPFC')


def _map(output: str, description: str, units: str, **entities: str) -> Derivative:
    return _functional(output, 'boldmap', '.nii.gz', description, units=units, is_standard=True, **entities)


CONNECTIVITY = (
    _functional('design', 'design', '.tsv', 'Nuisance regressors, one row per volume', desc='denoise'),
    _functional('outliers', 'outliers', '.tsv', 'Volumes left out (1), one column per reason', desc='denoise'),
    _functional('qc', 'qc', '.json', '', desc='denoise'),
    _functional(
        'timeseries', 'timeseries', '.tsv', 'Mean denoised, unsmoothed series of each region; kept volumes only',
        atlas='{atlas}', stat='mean', is_standard=True,
    ),
    _functional(
        'coverage', 'coverage', '.tsv', 'Quality of each region before denoising', atlas='{atlas}', is_standard=True
    ),
    _functional(
        'relmat', 'relmat', '.tsv', 'Correlation between regions', units='Fisher z',
        atlas='{atlas}', stat='fisherz', is_standard=True,
    ),
    *(
        # both have one sidecar: it says the same for either
        _functional(
            name, 'dseg', extension, 'Regions: labels in the image, what they are in the table', desc='regions',
            is_standard=True, units='label', fields=REGION_COLUMNS,
        )
        for name, extension in (('regions_table', '.tsv'), ('regions_dseg', '.nii.gz'))
    ),
    *(
        _map(f'seed_maps[{i}]', f'Correlation of every voxel with {seed}', 'Fisher z', seg=seed, stat='fisherz')
        for i, seed in enumerate(SEEDS)
    ),
    _map('icc', 'Intrinsic connectivity: root mean square of correlations', 'r', stat='icc'),
    _map('iccadj', 'Squared intrinsic connectivity adjusted for degrees of freedom', 'r^2', stat='iccadj'),
    _map('iccnorm', 'Intrinsic connectivity as normal scores of its ranks', 'z', stat='icc', desc='norm'),
)  # fmt: skip
DENOISED = (
    _functional('denoised', 'bold', '.nii.gz', 'Denoised', desc='denoised', is_standard=True, fields=_STRIPPED),
    _functional(
        'denoised_smoothed', 'bold', '.nii.gz', 'Denoised and smoothed inside the mask',
        desc='denoisedSmoothed', is_standard=True, fields=_STRIPPED,
    ),
    _functional('analysis_mask', 'mask', '.nii.gz', 'Voxels analysed', units='boolean', desc='analysis', is_standard=True, fields=MASK),
)  # fmt: skip
ANATOMICAL_FIGURES = figures('T1w', 'mask', 'normalization')
FUNCTIONAL_FIGURES = figures('bold', 'coregistration')
CONNECTIVITY_FIGURES = figures('bold', 'regions', 'carpet', 'seed', 'icc', 'relmat')


def atlas_label(nac: str, mpfc: str) -> str:
    """Return the ``atlas-`` label of a choice of regions: alphanumeric, different for each choice.

    Examples
    --------
    >>> atlas_label('harvard-oxford', 'frontal-medial')
    'HarvardOxfordFrontalMedial'
    >>> atlas_label('sphere:9,9,-8,4', 'paracingulate-ventral')
    'Sphere99m84ParacingulateVentral'

    """
    words = re.split(
        r'[^0-9A-Za-z]+', f'{nac}+{mpfc}'.replace(',-', ',m').replace(':-', ':m').replace('.', 'p')
    )
    return ''.join(
        word[:1].upper() + word[1:] if word[:1] != 'm' or not word[1:2].isdigit() else word for word in words
    )


def derivative_name(
    source: Mapping[str, str], row: Derivative, *, space: str, res: str | None, atlas: str = ''
) -> str:
    """Return the path of a derivative relative to the output folder.

    Parameters
    ----------
    source
        Entities of the source file, short names (``sub``, ``ses``, ``task``, ``run`` ...).
    row
        Row of the table.
    space, res
        Template space and resolution label of standard-space files.
    atlas
        Label of the chosen regions.

    Raises
    ------
    OutputError
        No pattern holds all entities: a name is never written without one.

    """
    from bids.layout.writing import build_path

    standard = {'space': space, 'res': res} if row.is_standard else {}
    added = {key: value.format(atlas=atlas, space=space) for key, value in row.entities.items()}
    what = {'suffix': row.suffix, 'extension': row.extension, 'datatype': row.datatype}
    name = build_path({**source, **standard, **added, **what}, PATTERNS, strict=True)
    if not isinstance(name, str):
        raise OutputError(f'no pattern for the entities {sorted({**source, **added})} of {row.suffix}.')
    return name


def write_dataset_files(output_dir: Path, bids_dir: Path, links: Mapping[str, Path]) -> None:
    """Write ``dataset_description.json``, ``.bidsignore`` and ``README`` of the output dataset."""
    generated = {'Name': 'clbpe', 'Version': __version__}
    container = os.environ.get('CLBPE_DOCKER_TAG')
    if container:
        generated['Container'] = {'Type': 'docker', 'Tag': container}  # type: ignore[assignment]
    description = {
        'Name': 'clbpe: connectivity of nucleus accumbens and medial prefrontal cortex',
        'BIDSVersion': '1.10.0',
        'DatasetType': 'derivative',
        'GeneratedBy': [generated],
        'SourceDatasets': [{'URL': bids_dir.resolve().as_uri()}],
        'DatasetLinks': {name: path.resolve().as_uri() for name, path in {'raw': bids_dir, **links}.items()},
    }
    replace_json(description, output_dir / 'dataset_description.json')
    for name, text in (
        ('.bidsignore', '\n'.join(BIDSIGNORE) + '\n'),
        ('README', 'Derivatives of clbpe. Open sub-<label>.html for the report of a participant.\n'),
    ):
        replace_text(text, output_dir / name)
