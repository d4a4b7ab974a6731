"""The rows of the table of files that diffusion gives; see :mod:`.rows`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pipelines.terms import MEASURES, Bundle, Circuit, Pair

from .rows import HEAD, MASK, REGION_COLUMNS, Derivative, figures


def _diffusion(output: str, suffix: str, extension: str, description: str, **more: Any) -> Derivative:
    """Return a row; keywords that are none of a row's fields are entities of its name."""
    about = {key: more.pop(key) for key in ('is_standard', 'units', 'fields', 'term', 'facts') if key in more}
    return Derivative(output, suffix, extension, 'dwi', more, description=description, **about)


_TENSOR_MAPS = {
    'fa': ('Fractional anisotropy', '1'),
    'md': ('Mean diffusivity', 'mm^2/s'),
    'ad': ('Axial diffusivity', 'mm^2/s'),
    'rd': ('Radial diffusivity', 'mm^2/s'),
}
DIFFUSION = (
    _diffusion('dwiref', 'dwiref', '.nii.gz', 'Mean of the volumes without diffusion weighting', is_standard=True, fields=HEAD),
    _diffusion('dwi_mask', 'mask', '.nii.gz', 'Brain mask', units='boolean', is_standard=True, desc='brain', fields=MASK),
    *(
        _diffusion(name, 'dwimap', '.nii.gz', text, units=unit, is_standard=True, model='tensor', param=name)
        for name, (text, unit) in _TENSOR_MAPS.items()
    ),
)  # fmt: skip
"""Of every session, in the space of the person."""

ANISOTROPY, BRAIN = (next(row for row in DIFFUSION if row.output == name) for name in ('fa', 'dwi_mask'))

DIFFUSION_RAW = (
    _diffusion(
        'confounds', 'timeseries', '.tsv', 'Head motion of every volume, and its b-value', desc='confounds'
    ),
)
DIFFUSION_T1W = (
    _diffusion(
        'person2dwi_xfm', 'xfm', '.txt', 'Linear transform (ITK) that resamples the reference onto the T1w',
        **{'from': 'dwiref', 'to': 'T1w', 'mode': 'image'},
    ),
)  # fmt: skip

_TRACT_COLUMNS = {
    'session_id': {'Description': 'session whose maps are read'},
    'hemi': {
        'Description': 'hemisphere',
        'Levels': {
            'L': 'left',
            'R': 'right',
            'B': 'mean of both visitation maps',
            'C': 'across the midline',
            'n/a': 'on the midline',
        },
    },
    'param': {
        'Description': 'fa fractional anisotropy; md, ad, rd diffusivities in mm^2/s; fwfa anisotropy of tissue beside free '
        'water (weighted only), n/a without two shells up to b = 1500 s/mm^2; others maps of --scalars (weighted only), '
        'in their own units'
    },
}
_VALUE_COLUMNS = {
    'method': {
        'Description': 'weighted: mean over voxels by visitation; streamline: mean over streamlines of their mean'
    },
    'value': {
        'Description': 'white matter outside the regions; n/a: fewer than 50 streamlines in one direction'
    },
    'n_streamlines': {'Description': 'streamlines kept, both directions'},
    'mean_length': {'Description': 'of the kept streamlines, between the regions', 'Units': 'mm'},
    'volume': {'Description': 'voxels that 1 % of the streamlines visit', 'Units': 'mm^3'},
    'flags': {'Description': 'what limits the value'},
}
_NODE_COLUMNS = {
    'node': {'Description': '1 at the {first}, 100 at the {second}'},
    'mean': {'Description': 'weighted by nearness to the core of the bundle'},
    'sd': {'Description': 'over streamlines, same weights'},
}
_CURVE_COLUMNS = {
    'threshold': {'Description': 'least share of streamlines that visit a voxel'},
    'value': {'Description': 'plain mean over these voxels'},
    'volume': {'Description': 'of these voxels', 'Units': 'mm^3'},
}
_WORDS = {'L': 'left', 'R': 'right', 'C': 'across the midline', 'n/a': 'on the midline'}

SCALARSTATS = _diffusion(
    'scalarstats', 'scalarstats', '.tsv', 'Values of the tract', bundle='{bundle}', term=MEASURES['tract_fa'],
    fields={**_TRACT_COLUMNS, **_VALUE_COLUMNS},
)  # fmt: skip
"""Of any pair."""

_PROFILE = _diffusion(
    'profile', 'scalarstats', '.tsv', 'Values along the tract', bundle='{bundle}', desc='profile',
    fields={**_TRACT_COLUMNS, **_NODE_COLUMNS},
)  # fmt: skip
_THRESHOLD = _diffusion(
    'threshold', 'scalarstats', '.tsv', 'Anisotropy by visitation threshold', bundle='{bundle}', desc='threshold',
    fields={**_TRACT_COLUMNS, **_CURVE_COLUMNS},
)  # fmt: skip


STREAMLINES = _diffusion(
    'streamlines', 'streamlines', '.trk', 'Streamlines', units='mm', is_standard=True, bundle='{bundle}'
)
VISITATION = _diffusion(
    'probsegs', 'probseg', '.nii.gz', 'Share of streamlines that visit a voxel, mean of both directions',
    units='probability', is_standard=True, label='{bundle}',
)  # fmt: skip
"""Of any tract, as the one before."""


def _streamlines(circuit: Circuit, output: str, extension: str) -> Iterator[Derivative]:
    for number, own, facts in _bundles(circuit):
        yield replace(
            STREAMLINES, output=f'{output}[{number}]', extension=extension, entities={'bundle': own.name}, facts=facts,
            description=f'Streamlines from {_joined(circuit, own)}',
        )  # fmt: skip


def _bundles(circuit: Circuit) -> Iterator[tuple[int, Bundle, str]]:
    """Yield number and bundle, and the output that has the facts of its pair."""
    for number, own in enumerate(circuit.bundles):
        yield number, own, f'metadata[{circuit.pairs.index(own.pair)}]'


def _joined(circuit: Circuit, own: Bundle) -> str:
    first, second = (circuit.by_name[name].title for name in (own.pair.first, own.pair.second))
    return f'{first} to {second}, {_WORDS[own.hemisphere]}'


def tract_rows(circuit: Circuit) -> tuple[Derivative, ...]:
    """Return the rows of the tracts of a person, or of every session with --tract independent."""
    return (
        *_streamlines(circuit, 'streamlines', '.trk'),
        *(
            replace(
                VISITATION, output=f'probsegs[{number}]', entities={'label': own.name}, facts=facts,
                description=f'{VISITATION.description}, {_WORDS[own.hemisphere]}',
            )
            for number, own, facts in _bundles(circuit)
        ),
        *(
            _diffusion(
                name, 'dseg', extension, 'Regions: labels in the image, what they are in the table', desc='regions',
                is_standard=True, units='label', fields=REGION_COLUMNS, facts='metadata[0]',
            )
            for name, extension in (('regions_table', '.tsv'), ('regions_dseg', '.nii.gz'))
        ),
        *(
            _of_pair(row, number, pair, circuit)
            for number, pair in enumerate(circuit.pairs)
            for row in (SCALARSTATS, _PROFILE, _THRESHOLD)
        ),
    )  # fmt: skip


def _of_pair(row: Derivative, number: int, pair: Pair, circuit: Circuit) -> Derivative:
    """Return the row of a table of any pair as that of one."""
    fields = {key: dict(value) for key, value in row.fields.items()}
    if 'node' in fields:
        first, second = (circuit.by_name[name].title for name in (pair.first, pair.second))
        fields['node']['Description'] = fields['node']['Description'].format(first=first, second=second)
    return replace(
        row, output=f'{row.output}[{number}]', entities={**row.entities, 'bundle': pair.name}, fields=fields,
        facts=f'metadata[{number}]',
    )  # fmt: skip


def tck_rows(circuit: Circuit) -> tuple[Derivative, ...]:
    """Return the rows of streamlines for other programs."""
    return tuple(_streamlines(circuit, 'tck', '.tck'))


DIFFUSION_FIGURES = figures('dwi', 'mask', 'colorfa')
TRACT_FIGURES = figures('dwi', 'tract', 'profile', 'threshold')
(DIFFUSION_COREGISTRATION, DIFFUSION_NORMALIZATION, DIFFUSION_MOTION) = figures(
    'dwi', 'coregistration', 'normalization', 'motion'
)
