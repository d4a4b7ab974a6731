"""The rows of files that come of a BOLD run."""

import hashlib
import json
import re
from typing import Any

from pipelines.terms import MAP_MEASURES, MEASURES, Circuit, Map, default_circuit, map_words

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


RELMAT = _functional(
    'relmat', 'relmat', '.tsv', 'Correlation between regions', units='Fisher z',
    atlas='{atlas}', stat='fisherz', is_standard=True, term=MEASURES['roi_connectivity'],
)  # fmt: skip
HALVES = tuple(
    _functional(
        f'half{number}', 'relmat', '.tsv', f'Correlation between regions in the {word} half of the volumes that were kept',
        units='Fisher z', atlas='{atlas}', stat='fisherz', desc=f'half{number}', is_standard=True,
    )
    for number, word in ((1, 'first'), (2, 'second'))
)  # fmt: skip
"""Results of other versions have none: no analysis lacks them."""

COVERAGE = _functional(
    'coverage', 'coverage', '.tsv', 'Quality of each region before denoising', atlas='{atlas}', is_standard=True
)  # fmt: skip
# both have one sidecar: it says the same for either
REGIONS_TABLE, REGIONS_DSEG = (
    _functional(
        name, 'dseg', extension, 'Regions: labels in the image, what they are in the table', desc='regions',
        is_standard=True, units='label', fields=REGION_COLUMNS,
    )
    for name, extension in (('regions_table', '.tsv'), ('regions_dseg', '.nii.gz'))
)  # fmt: skip
MEAN = _functional(
    'mean_bold', 'boldref', '.nii.gz', 'Mean of the volumes that were kept, before denoising', desc='mean', is_standard=True,
    fields=HEAD,
)  # fmt: skip
QC = _functional('qc', 'qc', '.json', '', desc='denoise')
"""Rows that readers ask for by name."""


def map_rows(circuit: Circuit) -> dict[str, Derivative]:
    """Return the row of each kind of map of a circuit.

    Raises
    ------
    TypeError
        A kind of map has no file.

    """
    kinds = map_words(circuit.seeds)
    rows = [
        *(
            _map(
                f'seed_maps[{i}]', f'Correlation of every voxel with {seed.name}', 'Fisher z', seg=seed.name,
                stat='fisherz', term=kinds[seed.name],
            )
            for i, seed in enumerate(circuit.seeds)
        ),
        _map('icc', 'Intrinsic connectivity: root mean square of correlations', 'r', stat='icc', term=kinds['icc']),
        _map('alff', 'Amplitude of low-frequency fluctuations, over its mean in the brain', '1', stat='alff', term=kinds['alff']),
        _map('falff', 'Share of the band in the amplitude of all frequencies up to 0.25 Hz', '1', stat='falff', term=kinds['falff']),
    ]  # fmt: skip
    found = {row.term.name: row for row in rows if isinstance(row.term, Map)}
    if found.keys() != kinds.keys():
        raise TypeError(f'kinds of maps without a file: {sorted(kinds.keys() ^ found.keys())}')
    return found


def connectivity_rows(circuit: Circuit) -> tuple[Derivative, ...]:
    """Return the rows of the connectivity of a run."""
    maps = map_rows(circuit)
    return (
        _functional('design', 'design', '.tsv', 'Nuisance regressors, one row per volume', desc='denoise'),
        _functional('outliers', 'outliers', '.tsv', 'Volumes left out (1), one column per reason', desc='denoise'),
        _functional(
            'timeseries', 'timeseries', '.tsv', 'Mean denoised, unsmoothed series of each region; kept volumes only',
            atlas='{atlas}', stat='mean', is_standard=True,
        ),
        COVERAGE,
        RELMAT,
        *HALVES,
        REGIONS_TABLE,
        REGIONS_DSEG,
        MEAN,
        *(maps[seed.name] for seed in circuit.seeds),
        maps['icc'],
        _map('iccadj', 'Squared intrinsic connectivity adjusted for degrees of freedom', 'r^2', stat='iccadj'),
        _map('iccnorm', 'Intrinsic connectivity as normal scores of its ranks', 'z', stat='icc', desc='norm'),
        maps['alff'],
        maps['falff'],
        QC,  # last: a run that has it is complete
    )  # fmt: skip


DENOISED = (
    _functional('denoised', 'bold', '.nii.gz', 'Denoised', desc='denoised', is_standard=True, fields=STRIPPED),
    _functional(
        'denoised_smoothed', 'bold', '.nii.gz', 'Denoised and smoothed inside the mask',
        desc='denoisedSmoothed', is_standard=True, fields=STRIPPED,
    ),
    _functional('analysis_mask', 'mask', '.nii.gz', 'Voxels analysed', units='boolean', desc='analysis', is_standard=True, fields=MASK),
)  # fmt: skip
FUNCTIONAL_FIGURES = figures('bold', 'coregistration')
DISTORTION_FIGURES = figures('bold', 'distortion')
"""Of raw runs whose distortion is corrected."""

CONNECTIVITY_FIGURES = figures(
    'bold', 'regions', 'carpet', 'seed', *(measure.map for measure in MAP_MEASURES), 'relmat'
)  # fmt: skip


def atlas_label(circuit: Circuit) -> str:
    """Return the ``atlas-`` label of a circuit: alphanumeric, different for each.

    Nucleus accumbens and medial prefrontal cortex, each from one source, are called by those; any other list by a
    digest of it.

    Examples
    --------
    >>> atlas_label(default_circuit())
    'HarvardOxfordFrontalMedial'
    >>> atlas_label(default_circuit('sphere:9,9,-8,4', 'paracingulate-ventral'))
    'Sphere99m84ParacingulateVentral'

    """
    choices = [own.choice for own in circuit.structures]
    if len(choices) != 2 or circuit != default_circuit(*choices):
        rows = json.dumps(circuit.rows(), sort_keys=True)
        return f'Custom{hashlib.sha256(rows.encode()).hexdigest()[:6]}'
    words = re.split(
        r'[^0-9A-Za-z]+', '+'.join(choices).replace(',-', ',m').replace(':-', ':m').replace('.', 'p')
    )
    return ''.join(
        word[:1].upper() + word[1:] if word[:1] != 'm' or not word[1:2].isdigit() else word for word in words
    )
