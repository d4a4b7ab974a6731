"""The group: outcome models and biomarkers."""

from collections.abc import Sequence
from typing import Any

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.biomarkers import FitSamples
from ..interfaces.imaging_outcomes import MeasureImaging
from ..interfaces.missing import ImputeOutcomes
from ..interfaces.reliability import RateReliability
from ..interfaces.trial import FitOutcomes
from ..interfaces.trial_figures import DrawOutcomes, DrawSamples
from ..params import GroupParams
from ..stats.biomarker_design import SamplesDesign
from ..stats.design import OutcomesDesign


def init_outcomes_wf(
    *,
    scans: list[dict[str, Any]],
    tracts: list[dict[str, str]],
    design: OutcomesDesign,
    params: GroupParams,
    random_seed: int,
    name: str = 'outcomes_wf',
) -> LiterateWorkflow:
    """Collect imaging outcomes and fit every outcome of the trial.

    Parameters
    ----------
    scans, tracts
        Files of the participant level, see :func:`~pipelines.interfaces.imaging_outcomes.measure_imaging`.
    design
        Arms, outcomes and visits.
    params
        How often missing values are imputed.
    random_seed
        Of imputations.
    name
        Name of the workflow.

    Inputs
    ------
    tables, participants
        Clinical outcomes; arms and covariates.

    Outputs
    -------
    outcomes, descriptives, responders, levels, missing, tipping, values, reliability, reliable_changes
        Tables; values of everybody at all visits, and of two arms before and after.
    trajectories, tipping_figure, forest
        Figures; of trajectories one per outcome, of tipping points one per primary outcome that is imputed.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe_outcomes(design, params)
    inputnode = pe.Node(IdentityInterface(fields=['tables', 'participants']), name='inputnode')
    fields = ['outcomes', 'descriptives', 'responders', 'levels', 'values']
    drawn, imputed = ['trajectories', 'forest'], ['missing', 'tipping', 'tipping_figure']
    rated = ['reliability', 'reliable_changes']
    outputnode = pe.Node(IdentityInterface(fields=[*fields, *drawn, *imputed, *rated]), name='outputnode')
    measure = pe.Node(MeasureImaging(scans=scans, tracts=tracts, outcomes=design.imaging), name='measure')
    fit = pe.Node(FitOutcomes(design=design), name='fit')
    rate = pe.Node(RateReliability(design=design), name='rate')
    draw = pe.Node(DrawOutcomes(design=design), name='draw')
    impute = pe.Node(
        ImputeOutcomes(design=design, n_imputations=params.n_imputations, random_seed=random_seed),
        name='impute',
    )
    workflow.connect([
        (inputnode, fit, [('tables', 'tables'), ('participants', 'participants')]),
        (measure, fit, [('imaging', 'imaging')]),
        (fit, outputnode, [(field, field) for field in fields]),
        (fit, draw, [('values', 'values'), ('outcomes', 'outcomes')]),
        (draw, outputnode, [(field, field) for field in drawn]),
        (measure, rate, [('repeats', 'repeats')]),
        (fit, rate, [('values', 'values')]),
        (rate, outputnode, [(field, field) for field in rated]),
        (inputnode, impute, [('participants', 'participants')]),
        (fit, impute, [('values', 'values')]),
        (impute, outputnode, [(field, field) for field in imputed]),
    ])  # fmt: skip
    return workflow


_RELIABILITY = (
    'Reliability of imaging outcomes is the intraclass correlation of halves of a run, of repeated runs and of the '
    'visits of the control arm, with F intervals [@mcgraw1996]; single connections are known to have one of about '
    '0.29 [@noble2019].'
)


def _describe_outcomes(design: OutcomesDesign, params: GroupParams) -> str:
    kinds = {outcome.kind for outcome in design.outcomes}
    baseline = (
        'arms share the mean at baseline [@lu2010]' if design.is_randomised
        else 'arms were not allocated at random and have means of their own at baseline, so that changes are compared'
    )  # fmt: skip
    at_random = design.sites is not None and design.sites.use == 'random'
    sites = ' Sites have a random intercept, the same at all visits and in all arms.' if at_random else ''
    words = []
    if 'continuous' in kinds:
        words += [
            f'Continuous outcomes of all visits were fitted together by restricted maximum likelihood: {baseline}, '
            'covariates have a slope at each visit, people with one visit count, and the covariance of visits is '
            f'unstructured, one for each arm where every arm has enough people with the primary visit.{sites} Inference is by '
            'Kenward and Roger with the observed information [@kenward1997; @kenward1998]; where arms share one '
            'covariance, by a cluster-robust standard error (CR2) with Satterthwaite degrees of freedom '
            '[@pustejovsky2018]. ANCOVA with HC3 standard errors [@mackinnon1985], with and without a slope per arm, '
            'stands beside it. Effects are given in standard deviations as well [@hedges1981].'
        ]
    if kinds - {'continuous'}:
        words += [
            'Binary outcomes were compared by logistic regression (with the penalty of Firth where a cell is empty '
            '[@firth1993]), ordinal ones by proportional odds, counts by quasi-binomial or negative binomial regression, '
            'as ratios and as standardised differences, whose standard errors include the sampling of covariates '
            '[@ye2023].'
        ]
    if design.imputed:
        reference = ', by jump to reference and by copied increments [@carpenter2013]'
        words += [
            f'Beside the primary analysis missing values were imputed {params.n_imputations:,} times at random'
            f'{reference if design.is_randomised else ""}, and shifted until the effect was no longer told from none '
            '(tipping point).'
        ]
    if design.imaging:
        words.append(_RELIABILITY)
    words += [
        'Primary contrasts were tested in the order of the trial file.' if design.sequence
        else 'p values of several primary contrasts, and of the imaging outcomes, were adjusted by Holm [@aickin1996].'
    ]  # fmt: skip
    return ' '.join(words) + '\n\n'


def init_biomarkers_wf(*, designs: Sequence[SamplesDesign], name: str = 'biomarkers_wf') -> LiterateWorkflow:
    """Fit the contrasts of biomarkers.

    Parameters
    ----------
    designs
        Arms, unit and samples of each.
    name
        Name of the workflow.

    Inputs
    ------
    samples
        Samples of all of them with their limits of detection.

    Outputs
    -------
    biomarkers, biomarker_figure
        Table of contrasts, and the samples drawn, a figure for each biomarker.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = (
        f'The logarithm of {" and ".join(design.title for design in designs)} was fitted by a mixed model with a mean of '
        'each sample in each arm, random effects of the person and of the session within it, and samples beyond the '
        'limits of detection as censored observations, by maximum likelihood with adaptive Gauss-Hermite quadrature '
        '[@pinheiro1995].\n\n'
    )
    inputnode = pe.Node(IdentityInterface(fields=['samples']), name='inputnode')
    outputnode = pe.Node(IdentityInterface(fields=['biomarkers', 'biomarker_figure']), name='outputnode')
    fit = pe.Node(FitSamples(designs=list(designs)), name='fit')
    draw = pe.Node(DrawSamples(designs=list(designs)), name='draw')
    workflow.connect([
        (inputnode, fit, [('samples', 'samples')]),
        (inputnode, draw, [('samples', 'samples')]),
        (fit, outputnode, [('biomarkers', 'biomarkers')]),
        (draw, outputnode, [('biomarker_figure', 'biomarker_figure')]),
    ])  # fmt: skip
    return workflow
