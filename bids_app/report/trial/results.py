"""The numbers of a trial, arranged for its report: imaging, maps, genes, mediation."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.stats.describe import describe
from pipelines.stats.outcomes import CHANGE
from pipelines.terms import (
    BDNF_CONTRASTS,
    FALSE_DISCOVERY_RATE,
    SAMPLE_LEVEL,
    split_flags,
)

from ...outputs.group import end_of_test, map_name
from ..read import TableRow, read_json
from ..words import number
from .record import OutcomeRecord, TrialRecord
from .tables import GroupTables, rows_where
from .words import METHOD_TITLES, TEST_TITLES, count, map_kinds, significant

_SHOWN = 25
"""Genes and sets of a contrast that the page lists; all are in the tables."""


class Test(NamedTuple):
    """One voxel-wise test: its name, title, facts of its sidecar, row of the table of tests, clusters; ``image`` has t or F."""

    kind: str
    contrast: str
    title: str
    facts: dict[str, Any]
    row: TableRow
    clusters: list[TableRow]
    image: Path | None


class Genes(NamedTuple):
    """Differential expression of one contrast: counts, and the genes with the smallest p values.

    ``about`` is its row of contrasts; ``is_joint``: of several changes at once, which have no sign.
    """

    contrast: str
    title: str
    is_joint: bool
    about: TableRow
    n_tested: int
    n_called: int
    n_up: int
    top: list[TableRow]
    flags: list[str]


class Sets(NamedTuple):
    """Enrichment of one contrast by one method."""

    contrast: str
    method: str
    title: str
    n_sets: int
    n_called: int
    top: list[TableRow]


def tests(output_dir: Path, trial: TrialRecord, tables: GroupTables) -> dict[str, list[Test]]:
    """Return the voxel-wise tests that were made, by kind of map, the main ones first."""
    clusters, rows = tables.get('clusters', ()), tables.get('map_tests', ())
    found: dict[str, list[Test]] = {}
    for kind in map_kinds(trial.circuit):
        for row in rows_where(rows, map=kind):
            name = Path(map_name('*', kind, end_of_test(row['contrast'], 'statistic', row['statistic'])))
            for sidecar in sorted(output_dir.glob(name.with_suffix('').with_suffix('.json').as_posix())):
                image = sidecar.with_suffix('.nii.gz')
                test = Test(
                    kind=kind, contrast=row['contrast'], title=_test_title(row), facts=read_json(sidecar), row=row,
                    clusters=rows_where(clusters, map=kind, contrast=row['contrast']),
                    image=image if image.is_file() else None,
                )  # fmt: skip
                found.setdefault(kind, []).append(test)
    return found


def _test_title(row: TableRow) -> str:
    """Return what was tested, with arm and visits where there are several."""
    _, *more = row['title'].split('; ')
    return '; '.join([TEST_TITLES[row['asks']], *more])


class Sampled(NamedTuple):
    """A biomarker: of every model what is shown of each arm, the comparisons of arms first, with a heading."""

    name: str
    title: str
    models: list[tuple[str, list[tuple[str, list[TableRow]]]]]


def biomarkers(trial: TrialRecord, tables: GroupTables) -> list[Sampled]:
    """Return the biomarkers that have results."""
    found = []
    for name, title in trial.biomarkers.items():
        rows = rows_where(tables.get('biomarkers', ()), biomarker=name)
        models = dict.fromkeys(row['model'] for row in rows)
        own = [(model, _by_arm(trial, rows_where(rows, model=model))) for model in models]
        found += [Sampled(name, title, own)] if own else []
    return found


def _by_arm(trial: TrialRecord, rows: Sequence[TableRow]) -> list[tuple[str, list[TableRow]]]:
    """Return rows under their headings; those of a model without a result are of no arm."""
    parts = [
        (
            f'Difference between arms, {arm} over {trial.control}',
            rows_where(rows, arm='difference', treated=arm),
        )
        for arm in trial.treated
    ]
    parts += [(arm, rows_where(rows, arm=arm)) for arm in trial.arms]
    parts += [('Not estimated', rows_where(rows, arm='n/a'))]
    return [(heading, part) for heading, part in parts if part]


def contrast_titles(tables: GroupTables) -> dict[str, str]:
    """Return the contrasts of expression in words."""
    return {row['contrast']: row['title'] for row in tables.get('expression_contrasts', ())}


def genes(tables: GroupTables) -> list[Genes]:
    """Return differential expression by contrast."""
    about = {row['contrast']: row for row in tables.get('expression_contrasts', ())}
    found = []
    for contrast, rows in _grouped(
        tables.get('expression_deseq2', ()), lambda row: (row['contrast'],)
    ).items():
        called = [row for row in rows if _is_called(row)]
        found.append(
            Genes(
                contrast=contrast[0],
                title=about[contrast[0]]['title'],
                is_joint=about[contrast[0]]['is_joint'] == 'True',
                about=about[contrast[0]],
                n_tested=sum(row['padj'] != 'n/a' for row in rows),
                n_called=len(called),
                n_up=sum((number(row['log2FoldChange']) or 0) > 0 for row in called),
                top=_smallest(rows, 'pvalue'),
                flags=list(dict.fromkeys(row.get('flags', 'n/a') for row in rows)),
            )
        )
    return found


def gene_flags(output_dir: Path, found: Sequence[Genes]) -> list[str]:
    """Return what limits all contrasts of expression, as their sidecar says, and no row does."""
    of_rows = {flag for part in found for cell in part.flags for flag in split_flags(cell)}
    said = (
        split_flags(read_json(output_dir / 'group' / 'expression_deseq2.json').get('Flags')) if found else []
    )
    return [flag for flag in said if flag not in of_rows]


def sets(tables: GroupTables) -> list[Sets]:
    """Return enrichment by contrast and method."""
    titles = contrast_titles(tables)
    rows = tables.get('expression_enrichment', ())
    found = []
    for (contrast, method), own in _grouped(rows, lambda row: (row['contrast'], row['method'])).items():
        title = f'{METHOD_TITLES.get(method, method)}: {titles.get(contrast, contrast)}'
        n_called = sum(map(_is_called, own))
        found.append(Sets(contrast, method, title, len(own), n_called, _smallest(own, 'p')))
    return found


def _is_called(row: TableRow) -> bool:
    padj = number(row['padj'])
    return padj is not None and padj < FALSE_DISCOVERY_RATE


def _grouped(
    rows: Sequence[TableRow], key: Callable[[TableRow], tuple[str, ...]]
) -> dict[tuple[str, ...], list[TableRow]]:
    groups: dict[tuple[str, ...], list[TableRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _smallest(rows: Sequence[TableRow], column: str) -> list[TableRow]:
    def size(row: TableRow) -> float:
        found = number(row[column])
        return float('inf') if found is None else found

    return sorted(rows, key=size)[:_SHOWN]


def attendance(trial: TrialRecord) -> list[tuple[str, dict[str, float]]]:
    """Return the description of attended sessions of each arm; empty where not supplied."""
    if trial.attended is None:
        return []
    found = []
    for arm in trial.arms:
        own = [row['attended'] for row in trial.attended if row['arm'] == arm]
        found.append((arm, describe([float('nan') if value is None else float(value) for value in own])))
    return found


def events(trial: TrialRecord) -> list[tuple[str, list[int]]]:
    """Return adverse events with their number in each arm; empty where not supplied."""
    names = sorted({str(row['event']) for row in trial.events or ()})
    return [
        (
            name,
            [
                sum(row['event'] == name and row['arm'] == arm for row in trial.events or ())
                for arm in trial.arms
            ],
        )
        for name in names
    ]


def sample_contrast(contrast: str) -> str:
    """Return a contrast of samples in words; those of the trial file are words already.

    Examples
    --------
    >>> sample_contrast('acute_s7'), sample_contrast('week 6: post - pre')
    ('After against before session 7', 'week 6: post − pre')

    """
    titles = {**BDNF_CONTRASTS.titles(), SAMPLE_LEVEL.name: SAMPLE_LEVEL.title}
    return titles.get(contrast, contrast.replace(' - ', ' − '))


def about_circuit(trial: TrialRecord) -> str:
    """Return a sentence on what imaging measured, by the regions and their pairs."""
    circuit = trial.circuit
    named = [own.name if own.title == own.name else f'{own.title} ({own.name})' for own in circuit.structures]
    listed = ' and '.join(filter(None, [', '.join(named[:-1]), named[-1]]))
    what = f'Connectivity between {listed}, intrinsic connectivity of each'
    if not circuit.pairs:
        return f'{what}.'
    if len(circuit.pairs) == 1 and len(named) == 2:
        return f'{what}, and fractional anisotropy (FA) of the tract between them.'
    pairs = ', '.join(pair.title for pair in circuit.pairs)
    return f'{what}, and fractional anisotropy (FA) of the {"tract" if len(circuit.pairs) == 1 else "tracts"} {pairs}.'


class Course(NamedTuple):
    """An imaging outcome by arm: for each, the text of every visit and of the change."""

    outcome: OutcomeRecord
    arms: list[tuple[str, list[str]]]


def imaging_courses(trial: TrialRecord, tables: GroupTables) -> tuple[list[str], list[Course]]:
    """Return the headings of the visits of imaging, and the imaging outcomes as they were described."""
    rows = tables.get('descriptives', ())
    own = [
        (outcome, rows_where(rows, outcome=outcome.name)) for outcome in trial.outcomes if outcome.derivative
    ]
    seen = {row['visit'] for _, of_outcome in own for row in of_outcome}
    titles = {visit.name: visit.title for visit in trial.visits} | {CHANGE: 'Change'}
    shown = [name for name in titles if name in seen]
    found = []
    for outcome, of_outcome in own:
        cells = {(row['arm'], row['visit']): _mean(row) for row in of_outcome}
        arms = [(arm, [cells.get((arm, name), '') for name in shown]) for arm in trial.arms]
        if of_outcome:
            found.append(Course(outcome, arms))
    return [titles[name] for name in shown], found


def _mean(row: TableRow) -> str:
    if number(row['mean']) is None:
        return 'n/a'
    return f'{significant(row["mean"])} ({significant(row["sd"])}), n = {count(row["n"])}'
