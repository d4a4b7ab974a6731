"""Gene expression of a trial: which files, whether they can be used, and what can be asked of them."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipelines.errors import DataError, MissingInputError, ParameterError
from pipelines.interfaces.counts import read_counts, read_layout
from pipelines.interfaces.expression import read_sets
from pipelines.params import GroupParams
from pipelines.stats.count_columns import is_annotation
from pipelines.stats.counts import VISITS, check_counts, kept_genes, pair_samples, sample_visits
from pipelines.stats.deseq import SizeFactorType, size_factor_type
from pipelines.stats.design import GENE_SET
from pipelines.stats.expression_contrasts import ExpressionContrast, contrasts_of
from pipelines.stats.expression_design import MIN_PAIRS, arrange_pairs
from pipelines.stats.genesets import MAX_SIZE, MIN_SIZE, GeneSets, identifier_kind, match_sets
from pipelines.stats.remarks import Remark
from pipelines.stats.visit import Visit

from ..tables.problems import Problems, Severity, nearest
from .check_shape import BLOOD_ENDS
from .parts import Expression, Trial

LOGGER = logging.getLogger(__name__)


class ExpressionPlan(NamedTuple):
    """What is computed of gene expression.

    ``samples`` has ``sample_id participant_id arm visit session_id counts_column`` and covariates; ``visits`` their
    labels by the names that tables have for them; ``sets`` are
    the sets that can be analysed; ``findings`` what was set right or set aside in counts and sets, as in the
    report of the tables.
    """

    counts: Path
    samples: pd.DataFrame
    gene_sets: tuple[Path, ...]
    contrasts: tuple[ExpressionContrast, ...]
    visits: Mapping[str, str]
    covariates: tuple[str, ...]
    sets: tuple[str, ...]
    size_factors: SizeFactorType
    findings: pd.DataFrame


class NoExpression(NamedTuple):
    """Why a part of the analysis is left out."""

    reason: str


def with_named_files(trial: Trial, params: GroupParams) -> Trial:
    """Return the trial with the files of the command line in place of its own.

    Raises
    ------
    ParameterError
        The trial file does not say at which visits the samples were taken.
    MissingInputError
        A file is absent.

    """
    given: dict[str, Any] = {}
    for option, key, value in (
        ('--gene-counts', 'counts', params.gene_counts), ('--gene-samples', 'samples', params.gene_samples),
        ('--gene-sets', 'gene_sets', params.gene_sets),
    ):  # fmt: skip
        paths = [Path(each).absolute() for each in ([value] if isinstance(value, str) else value or ())]
        for path in paths:
            if not path.is_file():
                raise MissingInputError(f'{option} {path}: there is no such file. Correct the path.')
        if paths and trial.expression is None:
            raise ParameterError(
                f'{option}: the trial file has no part Expression, whose Visits say when blood was taken. Add it.'
            )
        if paths:
            given[key] = tuple(map(str, paths)) if key == 'gene_sets' else str(paths[0])
    if not given:
        return trial
    assert trial.expression
    return replace(
        trial, expression=replace(trial.expression, **given, is_named=given.keys() != {'gene_sets'})
    )


def plan_expression(root: Path, trial: Trial, table: pd.DataFrame | None) -> ExpressionPlan | NoExpression:
    """Check counts, samples and gene sets, and decide what can be asked of them.

    Parameters
    ----------
    root
        The raw dataset.
    trial
        Its part ``Expression``, and the mediators that are sets.
    table
        Samples, as :func:`~bids_app.phenotype.samples.read_expression` returns them.

    Raises
    ------
    DataError
        Counts are none, the design is not possible, or sets have other identifiers than the counts.
    MissingInputError
        A file of gene sets is absent.

    """
    wanted = trial.expression
    if wanted is None:
        return NoExpression('the trial file has no part Expression')
    if table is None:
        return NoExpression(f'{wanted.counts} or {wanted.samples} is absent')
    covariates = tuple(name for name in wanted.covariates if name in table)
    names = [visit.name for visit in wanted.visits]
    renamed = dict(zip(names, sample_visits(names)))
    visits = {renamed[visit.name]: _label(visit) for visit in wanted.visits}
    samples, path, problems = _samples(table, renamed), root / wanted.counts, Problems()
    try:
        counts, remarks = read_counts(path, dict(zip(samples['sample_id'], samples['counts_column'])))
        check_counts(counts, samples, tuple(visits))
    except DataError as error:
        raise DataError(f'{path}: {error}') from error
    _note(problems, wanted.counts, remarks)
    if few := _too_few(samples, covariates, visits):
        return NoExpression(few)
    arranged = arrange_pairs(samples, arms=trial.arms.names, covariates=covariates, visits=tuple(visits))
    factors = _size_factors(problems, path, wanted, counts[arranged.design.index], arranged.n_pairs)
    files, sets = _sets(root, trial, wanted, counts.index, problems)
    for message in problems.messages(Severity.WARNING):
        LOGGER.warning(message)
    contrasts = tuple(contrasts_of(list(arranged.n_pairs), trial.arms.names, visits))
    return ExpressionPlan(
        path, samples, files, contrasts, visits, covariates, sets, factors, problems.report()
    )


def _too_few(samples: pd.DataFrame, covariates: Sequence[str], visits: Mapping[str, str]) -> str:
    """Return why nobody can be compared, empty where people can."""
    paired = pair_samples(samples, covariates, tuple(visits)).paired
    counted = {
        (arm, visit): int(((paired['arm'] == arm) & (paired['visit'] == visit)).sum())
        for arm in samples['arm'].unique()
        for visit in visits
    }
    if counted and min(counted.values()) >= MIN_PAIRS:
        return ''
    if len(visits) == len(VISITS):
        said = 'both blood samples'
        found = {arm: n for (arm, _), n in counted.items()}
    else:
        said = 'two blood samples'
        found = {f'{arm} at {visits[visit]}': n for (arm, visit), n in counted.items()}
    listed = ', '.join(f'{n} of {who}' for who, n in found.items()) or 'none'
    return f'too few people with {said} and all covariates: {listed}; {MIN_PAIRS} of an arm are needed'


def _note(problems: Problems, name: str, remarks: Iterable[Remark]) -> None:
    for remark in remarks:
        problems.warn(name, remark.problem, remark.action, outcome='expression', value=remark.value)


def _size_factors(
    problems: Problems, path: Path, wanted: Expression, counts: pd.DataFrame, n_pairs: Mapping[str, int]
) -> SizeFactorType:
    """Return how sequencing depth will be told, and say so where it is not the usual way."""
    try:
        found = size_factor_type(kept_genes(counts, n_pairs))
    except DataError as error:
        raise DataError(f'{path}: {error}') from error
    if found == 'poscounts':
        problem = 'nearly every gene that is tested has no read in some sample'
        action = 'size factors are those of the positive counts (poscounts); are these counts of blood, sequenced in bulk?'
        problems.warn(wanted.counts, problem, action, outcome='expression')
    return found


def _label(visit: Visit) -> str:
    """Return what a visit of samples is called in words: its session where its name tells the order only."""
    return visit.session if visit.name in BLOOD_ENDS else visit.name


def _samples(table: pd.DataFrame, visits: Mapping[str, str]) -> pd.DataFrame:
    table = table[table['counts_column'] != ''].reset_index(drop=True)
    renamed = table.rename(columns={'sample': 'sample_id'}).assign(visit=table['visit'].map(visits))
    first = ['sample_id', 'participant_id', 'arm', 'visit', 'session_id', 'counts_column']
    return renamed[[*first, *(name for name in renamed if name not in first)]]


def _sets(
    root: Path, trial: Trial, wanted: Expression, genes: Sequence[str], problems: Problems
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the files of gene sets and the names of those that can be analysed."""
    files = tuple(root / name for name in wanted.gene_sets)
    for path in files:
        if not path.is_file():
            raise MissingInputError(f'{path} (gene sets of the trial file) does not exist. Correct the path.')
    if not files:
        return (), ()
    sets, remarks = read_sets(files, list(genes))
    _note(problems, ', '.join(wanted.gene_sets), remarks)
    try:
        matched = match_sets(sets, genes)
    except DataError as error:
        beside = _named_alike(root / wanted.counts, sets)
        hint = f'; column {beside} of {wanted.counts} has such names: put it first' if beside else ''
        raise DataError(f'{", ".join(map(str, files))} (gene sets): {error}{hint}') from error
    if not matched.sets:
        raise DataError(
            f'{", ".join(map(str, files))} (gene sets): none of {len(sets)} sets has {MIN_SIZE} to {MAX_SIZE} measured genes'
        )
    if not trial.is_default:
        sizes = dict(zip(matched.left_out['set'], matched.left_out['size']))
        for name in named_sets(trial):
            _check_set(name, matched.sets, sizes, sets)
    return files, tuple(matched.sets)


def _named_alike(counts: Path, sets: GeneSets) -> str:
    """Return the column of annotation that names genes as the sets do, empty if there is none."""
    layout = read_layout(counts)
    wanted = identifier_kind(gene for own in sets.values() for gene in own)
    for name in layout.named:
        place = layout.place(name)
        if is_annotation(name) and identifier_kind(row[place] for row in layout.rows) == wanted:
            return name
    return ''


def named_sets(trial: Trial) -> Iterator[str]:
    """Yield the gene sets that are mediators."""
    names = (name for model in trial.mediation for name in model.mediators)
    yield from dict.fromkeys(name.removeprefix(GENE_SET) for name in names if name.startswith(GENE_SET))


def _check_set(
    name: str, usable: Mapping[str, Any], sizes: Mapping[str, int], sets: Mapping[str, Any]
) -> None:
    """Refuse a mediator that has no score."""
    if name in usable:
        return
    if name in sizes:
        raise DataError(
            f'the mediator expression:{name}: {sizes[name]} genes of the set are measured; {MIN_SIZE} to {MAX_SIZE} '
            'are needed. Name another set in the trial file.'
        )
    raise DataError(f'the mediator expression:{name} is none of the gene sets. {nearest(name, list(sets))}')
