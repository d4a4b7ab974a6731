"""The rows of files that come of a BOLD run."""

import re
from typing import Any

from pipelines.terms import MAP_MEASURES, MAPS, MEASURES, REGIONS, Map

from .rows import HEAD, MASK, REGION_COLUMNS, STRIPPED, Derivative, figures


def _functional(output: str, suffix: str, extension: str, description: str, **more: Any) -> Derivative:
    """Return a row; keywords that are none of a row's fields are entities of its name."""
    about = {key: more.pop(key) for key in ('is_standard', 'units', 'fields', 'term') if key in more}
    return Derivative(output, suffix, extension, 'func', more, description=description, **about)


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


def _map(output: str, description: str, units: str, **more: Any) -> Derivative:
    return _functional(output, 'boldmap', '.nii.gz', description, units=units, is_standard=True, **more)


CONNECTIVITY = (
    _functional('design', 'design', '.tsv', 'Nuisance regressors, one row per volume', desc='denoise'),
    _functional('outliers', 'outliers', '.tsv', 'Volumes left out (1), one column per reason', desc='denoise'),
    _functional(
        'timeseries', 'timeseries', '.tsv', 'Mean denoised, unsmoothed series of each region; kept volumes only',
        atlas='{atlas}', stat='mean', is_standard=True,
    ),
    _functional(
        'coverage', 'coverage', '.tsv', 'Quality of each region before denoising', atlas='{atlas}', is_standard=True
    ),
    _functional(
        'relmat', 'relmat', '.tsv', 'Correlation between regions', units='Fisher z',
        atlas='{atlas}', stat='fisherz', is_standard=True, term=MEASURES['roi_connectivity'],
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
        _map(
            f'seed_maps[{i}]', f'Correlation of every voxel with {seed}', 'Fisher z', seg=seed, stat='fisherz',
            term=MAPS[seed],
        )
        for i, seed in enumerate(REGIONS)
    ),
    _map('icc', 'Intrinsic connectivity: root mean square of correlations', 'r', stat='icc', term=MAPS['icc']),
    _map('iccadj', 'Squared intrinsic connectivity adjusted for degrees of freedom', 'r^2', stat='iccadj'),
    _map('iccnorm', 'Intrinsic connectivity as normal scores of its ranks', 'z', stat='icc', desc='norm'),
    _map('alff', 'Amplitude of low-frequency fluctuations, over its mean in the brain', '1', stat='alff', term=MAPS['alff']),
    _map('falff', 'Share of the band in the amplitude of all frequencies up to 0.25 Hz', '1', stat='falff', term=MAPS['falff']),
    _functional('qc', 'qc', '.json', '', desc='denoise'),  # last: a run that has it is complete
)  # fmt: skip

MAP_ROWS = {row.term.name: row for row in CONNECTIVITY if isinstance(row.term, Map)}
"""Row of each kind of map."""
if MAP_ROWS.keys() != MAPS.keys():
    raise TypeError(f'kinds of maps without a file: {sorted(MAPS.keys() ^ MAP_ROWS.keys())}')

QC, RELMAT, COVERAGE, REGIONS_DSEG = (
    next(row for row in CONNECTIVITY if row.output == output)
    for output in ('qc', 'relmat', 'coverage', 'regions_dseg')
)
"""Rows that readers ask for by name."""

DENOISED = (
    _functional('denoised', 'bold', '.nii.gz', 'Denoised', desc='denoised', is_standard=True, fields=STRIPPED),
    _functional(
        'denoised_smoothed', 'bold', '.nii.gz', 'Denoised and smoothed inside the mask',
        desc='denoisedSmoothed', is_standard=True, fields=STRIPPED,
    ),
    _functional('analysis_mask', 'mask', '.nii.gz', 'Voxels analysed', units='boolean', desc='analysis', is_standard=True, fields=MASK),
)  # fmt: skip
FUNCTIONAL_FIGURES = figures('bold', 'coregistration')
CONNECTIVITY_FIGURES = figures(
    'bold', 'regions', 'carpet', 'seed', *(measure.map for measure in MAP_MEASURES), 'relmat'
)  # fmt: skip


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
