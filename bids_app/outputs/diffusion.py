"""The rows of the table of files that diffusion gives; see :mod:`.rows`."""

from typing import Any

from pipelines.terms import MEASURES

from .rows import HEAD, MASK, REGION_COLUMNS, Derivative, figures


def _diffusion(output: str, suffix: str, extension: str, description: str, **more: Any) -> Derivative:
    """Return a row; keywords that are none of a row's fields are entities of its name."""
    about = {key: more.pop(key) for key in ('is_standard', 'units', 'fields', 'term') if key in more}
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

_BUNDLE = 'NAcMPFC'
_TRACT_COLUMNS = {
    'session_id': {'Description': 'session whose maps are read'},
    'hemi': {
        'Description': 'hemisphere',
        'Levels': {'L': 'left', 'R': 'right', 'B': 'mean of both visitation maps'},
    },
    'param': {'Description': 'fa fractional anisotropy; md, ad, rd diffusivities in mm^2/s'},
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
    'node': {'Description': '1 at the nucleus accumbens, 100 at the medial prefrontal cortex'},
    'mean': {'Description': 'weighted by nearness to the core of the bundle'},
    'sd': {'Description': 'over streamlines, same weights'},
}
_CURVE_COLUMNS = {
    'threshold': {'Description': 'least share of streamlines that visit a voxel'},
    'value': {'Description': 'plain mean over these voxels'},
    'volume': {'Description': 'of these voxels', 'Units': 'mm^3'},
}
TRACT = (
    *(
        _diffusion(
            f'streamlines[{i}]', 'streamlines', '.trk', f'Streamlines from nucleus accumbens to medial prefrontal cortex, {side}',
            units='mm', is_standard=True, bundle=f'{_BUNDLE}{side[0].upper()}',
        )
        for i, side in enumerate(('left', 'right'))
    ),
    *(
        _diffusion(
            f'probsegs[{i}]', 'probseg', '.nii.gz', f'Share of streamlines that visit a voxel, mean of both directions, {side}',
            units='probability', is_standard=True, label=f'{_BUNDLE}{side[0].upper()}',
        )
        for i, side in enumerate(('left', 'right'))
    ),
    *(
        _diffusion(
            name, 'dseg', extension, 'Regions: labels in the image, what they are in the table', desc='regions',
            is_standard=True, units='label', fields=REGION_COLUMNS,
        )
        for name, extension in (('regions_table', '.tsv'), ('regions_dseg', '.nii.gz'))
    ),
    _diffusion(
        'scalarstats', 'scalarstats', '.tsv', 'Values of the tract', bundle=_BUNDLE, term=MEASURES['tract_fa'],
        fields={**_TRACT_COLUMNS, **_VALUE_COLUMNS},
    ),
    _diffusion(
        'profile', 'scalarstats', '.tsv', 'Values along the tract', bundle=_BUNDLE, desc='profile',
        fields={**_TRACT_COLUMNS, **_NODE_COLUMNS},
    ),
    _diffusion(
        'threshold', 'scalarstats', '.tsv', 'Anisotropy by visitation threshold', bundle=_BUNDLE, desc='threshold',
        fields={**_TRACT_COLUMNS, **_CURVE_COLUMNS},
    ),
)  # fmt: skip
"""Of a person, or of every session with --tract independent."""

SCALARSTATS = next(row for row in TRACT if row.term is MEASURES['tract_fa'])

TCK = tuple(
    _diffusion(
        f'tck[{i}]', 'streamlines', '.tck', row.description, units='mm', is_standard=True, **row.entities
    )
    for i, row in enumerate(TRACT[:2])
)
DIFFUSION_FIGURES = figures('dwi', 'mask', 'colorfa')
TRACT_FIGURES = figures('dwi', 'tract', 'profile', 'threshold')
(DIFFUSION_COREGISTRATION, DIFFUSION_NORMALIZATION, DIFFUSION_MOTION) = figures(
    'dwi', 'coregistration', 'normalization', 'motion'
)
