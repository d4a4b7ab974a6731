"""Gene expression of a trial: which files, whether they can be used, and what can be asked of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipelines.errors import DataError, MissingInputError, ParameterError
from pipelines.interfaces.expression import read_counts, read_sets
from pipelines.params import GroupParams
from pipelines.stats.counts import VISITS, check_counts, pair_samples
from pipelines.stats.design import GENE_SET
from pipelines.stats.expression import MIN_PAIRS, arrange_pairs, contrasts_of
from pipelines.stats.genesets import MAX_SIZE, MIN_SIZE, match_sets

from ..tables.problems import nearest
from .trial import Expression, Trial


class ExpressionPlan(NamedTuple):
    """What is computed of gene expression.

    ``samples`` has ``sample_id participant_id arm visit session_id`` and covariates; ``sets`` are the sets
    that can be analysed.
    """

    counts: Path
    samples: pd.DataFrame
    gene_sets: tuple[Path, ...]
    contrasts: tuple[str, ...]
    covariates: tuple[str, ...]
    sets: tuple[str, ...]


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
        Samples, as :func:`~bids_app.phenotype.blood.read_expression` returns them.

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
    samples = _samples(table, wanted)
    path = root / wanted.counts
    try:
        counts = read_counts(path)[list(samples['sample_id'])]
        check_counts(counts, samples)
    except DataError as error:
        raise DataError(f'{path}: {error}') from error
    paired = pair_samples(samples, covariates).paired
    n_pairs = {arm: int((paired['arm'] == arm).sum()) // 2 for arm in samples['arm'].unique()}
    if not n_pairs or min(n_pairs.values()) < MIN_PAIRS:
        listed = ', '.join(f'{n} of {arm}' for arm, n in n_pairs.items()) or 'none'
        return NoExpression(
            f'too few people with both blood samples and all covariates: {listed}; {MIN_PAIRS} of an arm are needed'
        )
    arrange_pairs(samples, treatment=trial.arms.treatment, covariates=covariates)
    files, sets = _sets(root, trial, wanted, counts)
    contrasts = tuple(contrasts_of(n_pairs, trial.arms.treatment))
    return ExpressionPlan(path, samples, files, contrasts, covariates, sets)


def _samples(table: pd.DataFrame, wanted: Expression) -> pd.DataFrame:
    visits = {visit.name: name for visit, name in zip(wanted.visits, VISITS)}
    renamed = table.rename(columns={'sample': 'sample_id'}).assign(visit=table['visit'].map(visits))
    first = ['sample_id', 'participant_id', 'arm', 'visit', 'session_id']
    return renamed[[*first, *(name for name in renamed if name not in first)]]


def _sets(
    root: Path, trial: Trial, wanted: Expression, counts: pd.DataFrame
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the files of gene sets and the names of those that can be analysed."""
    files = tuple(root / name for name in wanted.gene_sets)
    for path in files:
        if not path.is_file():
            raise MissingInputError(f'{path} (gene sets of the trial file) does not exist. Correct the path.')
    if not files:
        return (), ()
    sets = read_sets(files)
    try:
        matched = match_sets(sets, counts.index)
    except DataError as error:
        raise DataError(f'{", ".join(map(str, files))} (gene sets): {error}') from error
    if not matched.sets:
        raise DataError(
            f'{", ".join(map(str, files))} (gene sets): none of {len(sets)} sets has {MIN_SIZE} to {MAX_SIZE} measured genes'
        )
    if not trial.is_default:
        sizes = dict(zip(matched.left_out['set'], matched.left_out['size']))
        for name in named_sets(trial):
            _check_set(name, matched.sets, sizes, sets)
    return files, tuple(matched.sets)


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
