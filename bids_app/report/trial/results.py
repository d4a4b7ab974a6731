"""The numbers of a trial, arranged for its report: baseline, effects, maps, genes, mediation."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.stats.describe import describe
from pipelines.terms import (
    BDNF_CONTRASTS,
    EXPRESSION_CONTRASTS,
    FALSE_DISCOVERY_RATE,
    PRIMARY_MODEL,
    split_flags,
)

from ...outputs.group import end_of_test, map_name
from ..read import TableRow, read_json
from ..words import number
from .record import OutcomeRecord, TrialRecord
from .tables import GroupTables, rows_where
from .words import MAP_TITLES, METHOD_TITLES, TEST_TITLES, significant

_SHOWN = 25
"""Genes and sets of a contrast that the page lists; all are in the tables."""


class Effect(NamedTuple):
    """The effect on one outcome: of the primary model in ``main``, of the others in ``others``."""

    outcome: OutcomeRecord
    main: TableRow
    others: list[TableRow]
    responders: TableRow | None


class BaselineRow(NamedTuple):
    """A line of the baseline table: what, and its text in each arm; ``is_level``: of the line above."""

    what: str
    cells: list[str]
    is_level: bool = False


class Test(NamedTuple):
    """One voxel-wise test: contrast in words, facts of its sidecar, clusters; ``image`` has t."""

    kind: str
    contrast: str
    title: str
    facts: dict[str, Any]
    clusters: list[TableRow]
    image: Path | None


class Genes(NamedTuple):
    """Differential expression of one contrast: counts, and the genes with the smallest p values."""

    contrast: str
    title: str
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


def effects(trial: TrialRecord, tables: GroupTables) -> list[Effect]:
    """Return the effects of all outcomes that were analysed, the primary ones first."""
    order = {role: place for place, role in enumerate(('primary', 'secondary', 'other'))}
    found = []
    for outcome in sorted(trial.outcomes, key=lambda o: order[o.role]):
        own = rows_where(tables.get('outcomes', ()), outcome=outcome.name)
        main = [row for row in own if row['model'] == PRIMARY_MODEL]
        if main:
            others = [row for row in own if row['model'] != PRIMARY_MODEL]
            responders = rows_where(tables.get('responders', ()), outcome=outcome.name)
            found.append(Effect(outcome, main[0], others, responders[0] if responders else None))
    return found


def say(effect: Effect, trial: TrialRecord) -> str:
    """Say what an effect means, as far as its interval allows."""
    low, high = number(effect.main.get('ci_low')), number(effect.main.get('ci_high'))
    if low is None or high is None:
        return f'There is no estimate: {effect.main.get("note", "no reason was recorded")}.'
    if low <= 0 <= high:
        return 'No difference in either direction is shown: the interval includes zero.'
    word = 'Lower' if high < 0 else 'Higher'
    better = effect.outcome.lower_is_better
    judged = '' if better is None else f', which is {"better" if better == (high < 0) else "worse"}'
    return f'{word} at follow-up with {trial.treatment} than with {trial.control}{judged}.'


def baseline_rows(trial: TrialRecord, tables: GroupTables) -> list[BaselineRow]:
    """Return the baseline table: covariates, then every outcome; without a test, as CONSORT asks."""
    lines = [line for name in trial.covariates for line in _covariate(trial, name)]
    for outcome in trial.outcomes:
        own = rows_where(tables.get('descriptives', ()), outcome=outcome.name, visit='baseline')
        by_arm = {row['arm']: row for row in own}
        if own:
            units = f', {outcome.units}' if outcome.units else ''
            cells = [_described(by_arm.get(arm, {})) for arm in trial.arms]
            lines.append(BaselineRow(f'{outcome.title}{units}, mean (SD)', cells))
    return lines


def _covariate(trial: TrialRecord, name: str) -> list[BaselineRow]:
    values = {arm: [p.get(name) for p in trial.people if p['arm'] == arm] for arm in trial.arms}
    known = [value for own in values.values() for value in own if value is not None]
    if not known:
        return []
    if all(isinstance(value, int | float) for value in known):
        numbers = [[float('nan') if v is None else float(v) for v in own] for own in values.values()]
        return [BaselineRow(f'{name}, mean (SD)', [_described(describe(own)) for own in numbers])]
    levels = sorted({str(value) for value in known})
    head = BaselineRow(f'{name}, n (%)', [_missing(sum(v is None for v in own)) for own in values.values()])
    rows = [BaselineRow(level, [_share(own, level) for own in values.values()], True) for level in levels]
    return [head, *rows]


def _described(found: Mapping[str, Any]) -> str:
    if number(found.get('mean')) is None:
        return 'n/a'
    text = f'{significant(found["mean"])} ({significant(found["sd"])})'
    return f'{text} {_missing(int(number(found["n_missing"]) or 0))}'.strip()


def _missing(n: int) -> str:
    return f'[{n} missing]' if n else ''


def _share(values: Sequence[Any], level: str) -> str:
    known = [value for value in values if value is not None]
    n = sum(str(value) == level for value in known)
    return f'{n} ({n / len(known):.0%})'.replace('%', ' %') if known else 'n/a'


def tests(output_dir: Path, tables: GroupTables) -> dict[str, list[Test]]:
    """Return the voxel-wise tests that were made, by kind of map, the main ones first."""
    clusters = tables.get('clusters', ())
    found: dict[str, list[Test]] = {}
    for kind in MAP_TITLES:
        for contrast, title in TEST_TITLES.items():
            name = Path(map_name('*', kind, end_of_test(contrast, 'statistic')))
            for sidecar in sorted(output_dir.glob(name.with_suffix('').with_suffix('.json').as_posix())):
                image = sidecar.with_suffix('.nii.gz')
                own = rows_where(clusters, map=kind, contrast=contrast)
                test = Test(
                    kind, contrast, title, read_json(sidecar), own, image if image.is_file() else None
                )
                found.setdefault(kind, []).append(test)
    return found


def bdnf(trial: TrialRecord, tables: GroupTables) -> list[tuple[str, list[tuple[str, list[TableRow]]]]]:
    """Return the rows of BDNF by model, then by arm, the comparison of arms first."""
    rows = tables.get('bdnf', ())
    models = list(dict.fromkeys(row['model'] for row in rows))
    arms = [arm for arm in ('difference', *trial.arms) if any(row['arm'] == arm for row in rows)]
    rest = [row for row in rows if row['arm'] not in arms]
    found = []
    for model in models:
        own = [(arm, rows_where(rows, model=model, arm=arm)) for arm in arms]
        own += [('', [row for row in rest if row['model'] == model])]
        found.append((model, [(arm, part) for arm, part in own if part]))
    return found


def contrast_titles(trial: TrialRecord) -> dict[str, str]:
    """Return the contrasts of expression in words."""
    arms = {'treatment': trial.treatment, 'control': trial.control}
    return {name: title.format(**arms) for name, title in EXPRESSION_CONTRASTS.titles().items()}


def genes(trial: TrialRecord, tables: GroupTables) -> list[Genes]:
    """Return differential expression by contrast."""
    titles = contrast_titles(trial)
    found = []
    for contrast, rows in _grouped(
        tables.get('expression_deseq2', ()), lambda row: (row['contrast'],)
    ).items():
        called = [row for row in rows if _is_called(row)]
        found.append(
            Genes(
                contrast=contrast[0],
                title=titles.get(contrast[0], contrast[0]),
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


def sets(trial: TrialRecord, tables: GroupTables) -> list[Sets]:
    """Return enrichment by contrast and method."""
    titles = contrast_titles(trial)
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


def bdnf_title(contrast: str) -> str:
    """Return a contrast of BDNF in words."""
    return BDNF_CONTRASTS.titles().get(contrast, contrast)


def side_by_side(
    arms: tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]],
) -> list[tuple[str, str, str]]:
    """Return what was counted in either arm with both numbers; an arm without it has 0.

    Examples
    --------
    >>> side_by_side(([('Pain', '3'), ('FA', '2')], [('Pain', '4')]))
    [('Pain', '3', '4'), ('FA', '2', '0')]

    """
    first, second = dict(arms[0]), dict(arms[1])
    return [(what, first.get(what, '0'), second.get(what, '0')) for what in {**first, **second}]
