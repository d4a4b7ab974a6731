"""The rows of files that come of T1-weighted images."""

from typing import Any

from .rows import HEAD, MASK, STRIPPED, Derivative, figures


def _anatomical(
    output: str, suffix: str, description: str, units: str = 'arbitrary', **more: Any
) -> Derivative:
    """Return a row; keywords that are none of a row's fields are entities of its name."""
    about = {key: more.pop(key) for key in ('is_standard', 'fields') if key in more}
    return Derivative(output, suffix, '.nii.gz', 'anat', more, description=description, units=units, **about)


PLACEMENT = Derivative(
    'placement_table', 'placement', '.tsv', 'anat', {'space': '{space}', 'atlas': '{atlas}'},
    description='How each region of the template lies in the person; n/a: it does not come from a template, or is not shown',
    units='see columns', facts='placement_facts', fields={
        'region': {'Description': 'label of the region'},
        'in_view': {'Description': 'share of it that the T1-weighted image shows', 'Units': '1'},
        'correlation': {
            'Description': 'rank correlation of the T1-weighted image with the template within 10 mm of it', 'Units': '1'
        },
        'grey_matter': {'Description': 'share of its volume in the person’s grey matter', 'Units': '1'},
        'volume': {'Description': 'in the person', 'Units': 'mm^3'},
        'relative_volume': {
            'Description': 'volume over that in the template, divided by the same of the whole brain', 'Units': '1'
        },
        'template_grey_matter': {
            'Description': 'share of it in grey matter of the template; below one half the person’s is not judged',
            'Units': '1',
        },
        **{axis: {'Description': f'centre in the person, RAS {axis}', 'Units': 'mm'} for axis in 'xyz'},
        'flags': {
            'Description': 'placement: correlation, grey_matter over template_grey_matter, or relative_volume is below its '
            'limit'
        },
    },
)  # fmt: skip
"""Of every region that the registration of the T1-weighted image brings to the person."""


_TISSUES = {'GM': 'grey matter', 'WM': 'white matter', 'CSF': 'cerebrospinal fluid'}

ANATOMY = (
    _anatomical('t1w_preproc', 'T1w', 'Reference: bias-corrected, averaged over images', desc='preproc', fields=HEAD),
    _anatomical('t1w_mask', 'mask', 'Brain mask', 'boolean', desc='brain', fields=MASK),
    _anatomical('t1w_dseg', 'dseg', 'Tissues: 1 grey matter, 2 white matter, 3 cerebrospinal fluid', 'label'),
    *(
        _anatomical(f't1w_probseg_{label.lower()}', 'probseg', f'Probability of {name}', 'probability', label=label)
        for label, name in _TISSUES.items()
    ),
    _anatomical(
        't1w_std', 'T1w', 'Brain of the reference in template space', desc='preproc', is_standard=True, fields=STRIPPED
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
    PLACEMENT,
)  # fmt: skip
"""From raw T1-weighted images: one reference per participant."""
ANATOMICAL_FIGURES = figures('T1w', 'mask', 'normalization', 'placement')
