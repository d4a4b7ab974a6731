"""The table of every file the program writes, its name, and its sidecar."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import OutputError

from . import __version__

ENTITY_ORDER = (
    'sub', 'ses', 'task', 'acq', 'ce', 'rec', 'dir', 'run', 'echo', 'hemi', 'from', 'to', 'mode', 'space',
    'res', 'atlas', 'seg', 'model', 'bundle', 'param', 'stat', 'label', 'desc',
)  # fmt: skip
"""Order of entities in a name (CONVENTIONS of the field, with our own in between)."""

BIDSIGNORE = (
    '*.html', 'figures', 'log', 'logs', 'group', '*_boldmap.*', '*_statmap.*', '*_relmat.*', '*_timeseries.*',
    '*_coverage.*', '*_design.*', '*_outliers.*', '*_qc.json', '*_dwimap.*', '*_streamlines.*',
    '*_scalarstats.*', '*_xfm.*', '*_manifest.json',
)  # fmt: skip


@dataclass(frozen=True)
class Derivative:
    """One row: the outputnode's field, what its name adds to the source's entities, its sidecar."""

    output: str
    suffix: str
    extension: str
    datatype: str = 'func'
    entities: Mapping[str, str] = field(default_factory=dict)
    is_standard: bool = False
    description: str = ''
    units: str = 'arbitrary'


def _map(name: str, description: str, units: str, **entities: str) -> Derivative:
    return Derivative(name, 'boldmap', '.nii.gz', 'func', entities, True, description, units)


SEEDS = ('NAcL', 'NAcR', 'NAc', 'mPFCL', 'mPFCR', 'mPFC')

CONNECTIVITY = (
    Derivative(
        'design',
        'design',
        '.tsv',
        entities={'desc': 'denoise'},
        description='Nuisance regressors, one row per volume',
    ),
    Derivative(
        'outliers',
        'outliers',
        '.tsv',
        entities={'desc': 'denoise'},
        description='Volumes left out (1), one column per reason',
    ),
    Derivative('qc', 'qc', '.json', entities={'desc': 'denoise'}),
    Derivative(
        'timeseries',
        'timeseries',
        '.tsv',
        entities={'atlas': '{atlas}', 'stat': 'mean'},
        is_standard=True,
        description='Mean denoised, unsmoothed series of each region; kept volumes only',
    ),
    Derivative(
        'coverage',
        'coverage',
        '.tsv',
        entities={'atlas': '{atlas}'},
        is_standard=True,
        description='Quality of each region before denoising',
    ),
    Derivative(
        'relmat',
        'relmat',
        '.tsv',
        entities={'atlas': '{atlas}', 'stat': 'fisherz'},
        is_standard=True,
        description='Correlation between regions',
        units='Fisher z',
    ),
    *(
        _map(
            f'seed_maps[{i}]', f'Correlation of every voxel with {seed}', 'Fisher z', seg=seed, stat='fisherz'
        )
        for i, seed in enumerate(SEEDS)
    ),
    _map('icc', 'Intrinsic connectivity: root mean square of correlations', 'r', stat='icc'),
    _map('iccadj', 'Squared intrinsic connectivity adjusted for degrees of freedom', 'r^2', stat='iccadj'),
    _map('iccnorm', 'Intrinsic connectivity as normal scores of its ranks', 'z', stat='icc', desc='norm'),
)
DENOISED = (
    Derivative(
        'denoised', 'bold', '.nii.gz', entities={'desc': 'denoised'}, is_standard=True, description='Denoised'
    ),
    Derivative(
        'denoised_smoothed',
        'bold',
        '.nii.gz',
        entities={'desc': 'denoisedSmoothed'},
        is_standard=True,
        description='Denoised and smoothed inside the mask',
    ),
    Derivative(
        'analysis_mask',
        'mask',
        '.nii.gz',
        entities={'desc': 'analysis'},
        is_standard=True,
        description='Voxels that were analysed',
    ),
)
FIGURES = tuple(
    Derivative(f'{what}_figure', 'bold', '.png', 'figures', {'desc': what})
    for what in ('regions', 'carpet', 'seed', 'icc', 'relmat')
)


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
    source: Mapping[str, str], row: Derivative, *, space: str, res: str | None, atlas: str
) -> str:
    """Return the path of a derivative relative to the output folder.

    Parameters
    ----------
    source
        Entities of the BOLD file, short names (``sub``, ``ses``, ``task``, ``run`` ...).
    row
        Row of the table.
    space, res
        Template space and resolution label of standard-space files.
    atlas
        Label of the chosen regions.

    Raises
    ------
    OutputError
        If an entity is not in the order of the table: a name is never written without it.

    """
    entities = dict(source)
    if row.is_standard:
        entities['space'] = space
        if res:
            entities['res'] = res
    entities |= {key: value.format(atlas=atlas) for key, value in row.entities.items()}
    unknown = set(entities) - set(ENTITY_ORDER)
    if unknown:
        raise OutputError(f'no place for the entities {sorted(unknown)} in the name of {row.suffix}.')
    name = '_'.join(f'{key}-{entities[key]}' for key in ENTITY_ORDER if key in entities)
    parts = [f'sub-{source["sub"]}']
    if row.datatype != 'figures' and 'ses' in source:
        parts.append(f'ses-{source["ses"]}')
    return '/'.join([*parts, row.datatype, f'{name}_{row.suffix}{row.extension}'])


def replace_file(source: Path, target: Path) -> None:
    """Copy ``source`` to ``target`` in one step, compressing .nii to .nii.gz where asked.

    The old file is unlinked, never written through: an annexed file is a read-only link.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f'.{os.getpid()}.{target.name}')
    try:
        draft.write_bytes(source.read_bytes())
        os.replace(draft, target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OutputError(
            f'{target} cannot be written ({error.strerror}). Check space and permissions.'
        ) from error


def replace_json(content: Mapping[str, Any], target: Path) -> None:
    """Write a JSON file in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f'.{os.getpid()}.{target.name}')
    draft.write_text(json.dumps(content, indent=2, default=str) + '\n')
    os.replace(draft, target)


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
        draft = output_dir / f'.{os.getpid()}.{name.strip(".")}'
        draft.write_text(text)
        os.replace(draft, output_dir / name)
