"""How treatment may work: gene expression, its sets, and mediation."""

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.expression import EnrichSets, FitExpression, ScoreSets
from ..interfaces.mechanism_figures import DrawEnrichment, DrawExpression, DrawMediation
from ..interfaces.mediation import MediateOutcomes
from ..params import GroupParams
from ..stats.deseq import SizeFactorType
from ..stats.expression_contrasts import ExpressionDesign
from ..stats.mediation_design import MediationDesign
from ..stats.mediation_visits import order_of
from ..terms import REFERENCES, ReferenceKind

_FIT_GB = 2.5  # 60,000 genes of 114 samples


def init_expression_wf(
    *,
    design: ExpressionDesign,
    gene_sets: list[str],
    random_seed: int,
    size_factors: SizeFactorType = 'ratio',
    name: str = 'expression_wf',
) -> LiterateWorkflow:
    """Compare the change of gene expression between arms, gene by gene and set by set.

    Parameters
    ----------
    design
        Arms, covariates of samples, contrasts, visits, and what the first of these is.
    gene_sets
        GMT files; without any there are neither enrichment nor scores.
    random_seed
        Of the permutations of sets.
    size_factors
        How these counts will have them, for the text of methods.
    name
        Name of the workflow.

    Inputs
    ------
    counts, samples
        Genes x samples; participant, arm and visit of every sample.

    Outputs
    -------
    expression_deseq2, expression_contrasts, expression_samples, expression_dispersions, expression_facts
        Tables, and what a sidecar says of them.
    expression_enrichment, expression_sets, expression_scores, enrichment_facts
        The same of sets.
    ma, volcano, components, enrichment_figures
        Figures: the first two a list per contrast whose changes have a sign, the last a list per contrast and method.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = ''.join(
        [
            _EXPRESSION_TEXT,
            _about_reference(design.reference),
            _SIZE_FACTOR_TEXTS[size_factors],
            _SETS_TEXT if gene_sets else '',
        ]
    )
    inputnode = pe.Node(IdentityInterface(fields=['counts', 'samples']), name='inputnode')
    tables = ['expression_deseq2', 'expression_contrasts', 'expression_samples', 'expression_dispersions']
    of_sets = ['expression_enrichment', 'expression_sets', 'enrichment_facts', 'expression_scores']
    drawn = ['ma', 'volcano', 'components']
    fields = [*tables, 'expression_facts', *of_sets, *drawn, 'enrichment_figures']
    outputnode = pe.Node(IdentityInterface(fields=fields), name='outputnode')
    fit = pe.Node(FitExpression(design=design), name='fit', mem_gb=_FIT_GB)
    draw = pe.Node(DrawExpression(design=design), name='draw')
    workflow.connect([
        (inputnode, fit, [('counts', 'counts'), ('samples', 'samples')]),
        (fit, outputnode, [*((field, field) for field in tables), ('facts', 'expression_facts')]),
        (fit, draw, [(f, f) for f in ('expression_deseq2', 'expression_samples', 'vst')]),
        (draw, outputnode, [(field, field) for field in drawn]),
    ])  # fmt: skip
    if not gene_sets:
        return workflow
    enrich = pe.Node(EnrichSets(gene_sets=gene_sets, seed=random_seed), name='enrich')
    score = pe.Node(ScoreSets(gene_sets=gene_sets), name='score')
    show = pe.Node(DrawEnrichment(design=design), name='draw_enrichment')
    workflow.connect([
        (fit, enrich, [('expression_deseq2', 'expression_deseq2')]),
        (fit, score, [('vst', 'vst')]),
        (inputnode, score, [('samples', 'samples')]),
        (enrich, show, [('expression_enrichment', 'expression_enrichment')]),
        (enrich, outputnode, [(f, f) for f in of_sets[:2]]),
        (enrich, outputnode, [('facts', 'enrichment_facts')]),
        (score, outputnode, [('expression_scores', 'expression_scores')]),
        (show, outputnode, [('enrichment_figures', 'enrichment_figures')]),
    ])  # fmt: skip
    return workflow


_EXPRESSION_TEXT = (
    'Reads of genes were fitted by negative binomial models with a mean per person, the change from the first blood '
    'sample to each later one in each arm, and covariates of the sample. Size factors, dispersions over the mean and '
    'fold changes are those of DESeq2 [@love2014], as PyDESeq2 computes them [@muzellec2023]; p values are of '
    'quasi-likelihood F tests [@lund2012] with the trend of the dispersion, residual degrees of freedom without samples '
    'that are fitted as zero [@lun2017], and quasi-dispersions moderated robustly towards a trend over abundance '
    '[@smyth2004; @phipson2016], adjusted for the number of genes [@benjamini1995]. '
)
_DEPTH_TEXT = 'Differences of sequencing depth were accounted for by size factors, '


def _about_reference(reference: ReferenceKind) -> str:
    said = REFERENCES[reference].about
    return f'{said} {_DEPTH_TEXT}' if said else _DEPTH_TEXT


_SIZE_FACTOR_TEXTS: dict[SizeFactorType, str] = {
    'ratio': 'the median over genes of the ratio to their geometric mean.\n\n',
    'poscounts': (
        'the median over genes of the ratio to a geometric mean of positive counts (DESeq2’s “poscounts”), because nearly '
        'every gene had no read in some sample.\n\n'
    ),
}
_SETS_TEXT = (
    'Sets of genes were tested by their place in the ranking of all genes [@subramanian2005] with GSEApy [@fang2023] '
    'and by over-representation among the called genes. Scores of sets [@lee2008; @barbie2009; @hanzelmann2013] '
    'were computed from variance-stabilised counts with arm and visit unseen.\n\n'
)


def init_mediation_wf(
    *,
    design: MediationDesign,
    params: GroupParams,
    random_seed: int,
    name: str = 'mediation_wf',
) -> LiterateWorkflow:
    """Ask what an effect of treatment goes through.

    Parameters
    ----------
    design
        Arms, visits and outcomes of the trial, and the analyses.
    params
        Number of resamples.
    random_seed
        Of the resamples.
    name
        Name of the workflow.

    Inputs
    ------
    values, participants
        Outcomes at all visits; arms and covariates.
    scores
        Of gene sets, where a mediator is one.

    Outputs
    -------
    mediation, mediation_models, mediation_sensitivity
        Tables.
    path_figures
        A list, a figure per model.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe_mediation(design, params)
    inputnode = pe.Node(IdentityInterface(fields=['values', 'participants', 'scores']), name='inputnode')
    tables = ['mediation', 'mediation_models', 'mediation_sensitivity']
    outputnode = pe.Node(IdentityInterface(fields=[*tables, 'path_figures']), name='outputnode')
    fit = pe.Node(
        MediateOutcomes(design=design, seed=random_seed, n_bootstraps=params.n_bootstraps), name='mediate'
    )
    draw = pe.Node(DrawMediation(design=design), name='draw')
    workflow.connect([
        (inputnode, fit, [(f, f) for f in ('values', 'participants', 'scores')]),
        (fit, outputnode, [(f, f) for f in tables]),
        (fit, draw, [(f, f) for f in tables]),
        (draw, outputnode, [('path_figures', 'path_figures')]),
    ])  # fmt: skip
    return workflow


def _describe_mediation(design: MediationDesign, params: GroupParams) -> str:
    """Say which models were fitted, and what is known of the order of mediators and outcomes."""
    kinds = {design.kind_of(analysis.outcome) for analysis in design.analyses}
    orders = {order_of(analysis) for analysis in design.analyses}
    models = {
        frozenset({'continuous'}): 'linear models of mediator and outcome',
        frozenset({'binary'}): 'a linear model of the mediator and a logistic model of the outcome',
    }.get(frozenset(kinds), 'linear models of mediators and outcomes, logistic ones of binary outcomes,')
    words = [
        f'Mediation was estimated by {models} after treatment began, with the baselines that there are of both in each '
        f'[@landau2018], with intervals from {params.n_bootstraps:,} resamples of people within arms.'
    ]
    if len(design.treated) > 1:
        words.append('Each treated arm was compared with the control by models of these two arms.')
    if 'continuous' in kinds:
        words.append(
            'The correlation of errors at which an indirect effect would be zero was computed for single mediators '
            '[@imai2010].'
        )
    if 'binary' in kinds:
        words.append(
            'Effects on a binary outcome are natural effects on the risk [@imaikeele2010], the logistic model averaged over '
            'the normal distribution of the mediator; resamples in which the event is separated were fitted with the '
            'penalty of Firth [@firth1993].'
        )
    words.append(
        'That nothing else affects both mediator and outcome is an assumption which randomisation does not give.'
        if design.is_randomised
        else 'That nothing else affects two of group, mediator and outcome is an assumption: chance did not make the groups.'
    )
    start = 'In some analyses ' if len(orders) > 1 else ''
    told = (start + text for name, text in _ORDER_TEXTS.items() if name in orders)
    words += [f'{text[0].upper()}{text[1:]}.' for text in told]
    return ' '.join(words) + '\n\n'


_ORDER_TEXTS = {
    'before': 'mediators were measured at a visit before that of the outcome',
    'partly': 'one mediator was measured before the outcome and another at its visit',
    'same_visit': 'mediator and outcome are of the same visit, and that the mediator comes first is an assumption',
    'not_known': 'the last blood sample is of a session that is no visit, and that it comes before the outcome is an '
    'assumption',
}
