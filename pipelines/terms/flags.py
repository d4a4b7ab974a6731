"""Flags: what limits a value, in words, and whether a value that carries one is still used."""

from dataclasses import dataclass
from typing import Literal

from .words import Term, Words

Scope = Literal['bold', 'region', 'dwi', 'scan', 'tract', 'map', 'model', 'value']
"""What carries a flag: a scan of one kind or of any, a region of one, a tract, a map of the group, a model, a value of a table."""


@dataclass(frozen=True, kw_only=True)
class Flag(Term):
    """A flag; ``title`` says what it means.

    ``is_unusable``: a value that carries it may be wrong, not only less precise, and is left out in the
    analysis without flagged scans.  ``has_no_value``: it says why there is none.  ``takes`` is what
    stands behind the name: a region after ``_``, or a word after ``:``.
    """

    scope: Scope
    is_unusable: bool = False
    has_no_value: bool = False
    takes: Literal['', 'region', 'word'] = ''


FLAGS = Words(
    'flag',
    [
        Flag(
            name='no_sdc', scope='dwi',
            title='no correction of distortion by magnetic susceptibility: the frontal part of the tract may be '
            'displaced by some millimetres',
        ),
        Flag(
            name='doubtful_sdc', scope='scan', is_unusable=True,
            title='the T1-weighted image contradicts the correction of distortion: the scan fits it better uncorrected or '
            'corrected the other way round, as with a wrong sign or axis of phase encoding',
        ),
        Flag(
            name='few_streamlines', scope='tract', is_unusable=True, has_no_value=True,
            title='fewer than 50 streamlines join the regions in one direction, too few for a value',
        ),
        Flag(
            name='budget', scope='tract',
            title='the search ended before the wanted number of streamlines was found: the value rests on fewer',
        ),
        Flag(
            name='no_t1w', scope='tract',
            title='no T1-weighted image: regions come from the template by way of FA, and tissue is told by FA alone',
        ),
        Flag(
            name='low_lmax', scope='tract', is_unusable=True,
            title='few diffusion directions (harmonic order 4): crossing fibres are told apart poorly',
        ),
        Flag(
            name='high_motion_dwi', scope='dwi', is_unusable=True,
            title='strong head movement during the diffusion scan, on average above 2 mm from volume to volume: '
            'FA may be too low',
        ),
        Flag(
            name='flipped_bvecs', scope='dwi', is_unusable=True,
            title='the table of directions looks flipped: neither tract nor FA along it can be trusted',
        ),
        Flag(
            name='unequal_gain', scope='dwi',
            title='scans of one session differed in intensity by more than a fifth: they were brought to one by their '
            'images without diffusion weighting',
        ),
        Flag(
            name='unknown_gain', scope='dwi', is_unusable=True,
            title='a scan has no image without diffusion weighting: whether its intensities are those of the others '
            'of its session is not known',
        ),
        Flag(
            name='region_outside', scope='tract', is_unusable=True, has_no_value=True,
            title='a region lies partly outside the diffusion scan: streamlines that end there are lost',
        ),
        Flag(
            name='no_map', scope='value', takes='word',
            title='a map that was asked for is not there, cannot be read, or does not show the tract: it has no value, and '
            'others are as they would be',
        ),
        Flag(
            name='small', scope='region', takes='region',
            title='a region of fewer than 4 voxels: its mean follows the noise of single voxels',
        ),
        Flag(
            name='overlap', scope='region', takes='region',
            title='a region that shares voxels with another: they are alike by construction, and in the label image the '
            'first of the list has what is shared',
        ),
        Flag(
            name='placement', scope='region', takes='region',
            title='doubtful place: contrast around this region, its grey matter or its volume is below what 95 % of good '
            'registrations of the T1-weighted image have; look whether its outline lies where it should',
        ),
        Flag(
            name='dropout', scope='region', is_unusable=True, takes='region',
            title='signal dropout: this region lies where the scan has lost much of its signal, or partly '
            'outside the scan; its connectivity is unreliable',
        ),
        Flag(
            name='high_motion', scope='bold', is_unusable=True,
            title='strong head movement: the mean displacement between volumes is above 0.5 mm',
        ),
        Flag(
            name='short', scope='bold', is_unusable=True,
            title='little data: less time is left than is required (--min-time)',
        ),
        Flag(
            name='template_mismatch', scope='bold', is_unusable=True, takes='word',
            title='the series lies on another template than the one it is named after: regions are misplaced',
        ),
        Flag(
            name='poor_template_fit', scope='bold',
            title='the series fits no template well: where its regions lie, and on which template, cannot be told',
        ),
        Flag(
            name='no_mean_signal', scope='bold',
            title='the mean was taken off this series before: signal dropout cannot be judged',
        ),
        Flag(
            name='no_displacement', scope='bold', is_unusable=True,
            title='nothing is known of movement: no volume could be left out for it',
        ),
        Flag(
            name='empty_confounds', scope='bold',
            title='confounds that the preset asks for do not vary, and removed nothing',
        ),
        Flag(
            name='low_dof', scope='bold', is_unusable=True,
            title='few degrees of freedom remain after denoising: the result is imprecise',
        ),
        Flag(
            name='template_overlap', scope='bold', is_unusable=True,
            title='the scan covers less than 90 % of the template’s grey matter: intrinsic connectivity is not '
            'comparable with that of complete scans',
        ),
        Flag(
            name='small_mask', scope='map',
            title='many voxels that most people have are not in the scans of all, and are not tested',
        ),
        Flag(name='resampled', scope='map', title='some maps were on another grid than most, and were resampled'),
        Flag(name='not_estimated', scope='model', title='there is no estimate; the reason stands beside it'),
        Flag(
            name='covariate_missing', scope='model',
            title='people without a value of a covariate are not in this model',
        ),
        Flag(
            name='dropped', scope='model', takes='word',
            title='this covariate says nothing that the others do not, and was left out',
        ),
        Flag(
            name='within_arm_not_randomised', scope='model',
            title='a change within arms, not a randomised comparison',
        ),
        Flag(
            name='reference_post_randomisation', scope='model',
            title='the first sample was drawn after randomisation and may itself be an effect of treatment',
        ),
        Flag(
            name='no_cell_counts', scope='model',
            title='counts of blood cells were not supplied: changes of expression may be changes of cell types',
        ),
        Flag(
            name='dispersion_trend_constant', scope='model',
            title='the trend of dispersions could not be fitted: their mean stands in its place',
        ),
        Flag(
            name='size_factors_poscounts', scope='model',
            title='nearly every gene has no read in some sample: size factors rest on positive counts (poscounts)',
        ),
        Flag(name='exploratory', scope='model', title='the gene set was not named before the data were seen'),
        Flag(
            name='no_baseline', scope='model', title='a mediator or outcome has no value before treatment',
        ),
        Flag(
            name='constant_baseline', scope='model',
            title='the first value of a mediator or outcome is the same for everybody and left out',
        ),
        Flag(name='flagged_values', scope='model', title='some values come from scans with quality flags'),
        Flag(name='degenerate_resamples', scope='model', title='some resamples had no estimate'),
        Flag(
            name='separated', scope='model',
            title='treatment, mediator or covariates separate those with the event from those without: fitted with the '
            'penalty of Firth',
        ),
        Flag(
            name='separated_resamples', scope='model',
            title='in some resamples the event is separated: these were fitted with the penalty of Firth',
        ),
        Flag(
            name='total_not_away_from_zero', scope='model',
            title='no proportion is given of a total effect that may be zero',
        ),
        Flag(
            name='opposite_signs', scope='model',
            title='no proportion is given of direct and indirect effects that oppose each other',
        ),
        Flag(name='decimal_comma', scope='value', title='written with a decimal comma, converted'),
        Flag(name='converted', scope='value', title='converted to the units of the trial'),
        Flag(name='out_of_range', scope='value', title='out of range: counts as missing'),
        Flag(name='prorated', scope='value', title='total scaled up from the items that were answered'),
        Flag(name='items_missing', scope='value', title='too many items without an answer'),
        Flag(name='no_exposure', scope='value', title='a count without its time at risk'),
    ],
)  # fmt: skip
