"""Assemble the report of a trial from the files of the group level alone."""

from pathlib import Path
from typing import Any

from pipelines.figures.flow import plot_flow
from pipelines.interfaces.templates import target_brain

from ...running.files import replace_text
from ...running.taken import OF_NOBODY, read_taken
from ..page import render_page
from ..person import results
from ..read import RunRecord
from ..viewer import STATISTIC, MapFile, make_viewer
from . import absent, contrasts, flow, quality, reliability, reporting
from . import results as trial_results
from . import words as trial_words
from .baseline import about_differences, baseline_rows, share_of
from .figures import Drawings, draw_flow
from .mediation import mediation_analyses
from .missing import missing_values
from .record import TrialRecord, read_group_record, read_trial_record
from .tables import GroupTables, read_group_tables, write_results

PAGE = 'report.html'
_OPEN = 2
"""Structures whose maps stand open on the page; those of more fold under a table of all tests."""


def write_trial_report(output_dir: Path) -> Path:
    """Write ``group/report.html``, which needs no other file and no network, and ``group/results.json``.

    Parameters
    ----------
    output_dir
        Dataset of derivatives with the results of the group level, and ``group/log/trial.json`` of
        :func:`~bids_app.group.record.record_trial`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    MissingInputError
        There is no record of a trial.

    """
    output_dir = Path(output_dir)
    trial, record = read_trial_record(output_dir), read_group_record(output_dir)
    tables = read_group_tables(output_dir)
    write_results(output_dir, trial, record, tables)
    folder = output_dir / 'group'
    context = _context(output_dir, trial, record, tables)
    html = render_page('trial.html', output_dir, record, [folder], context, filters=trial_words.TRIAL_FILTERS)
    return replace_text(html, folder / PAGE)


def _context(output_dir: Path, trial: TrialRecord, record: RunRecord, tables: GroupTables) -> dict[str, Any]:
    folder = output_dir / 'group'
    tests = trial_results.tests(output_dir, trial, tables)
    titles = trial_results.contrast_titles(tables)
    drawings = Drawings(folder / 'figures', trial, quality.pages_of(trial, folder), titles)
    return {
        'trial': trial,
        'tables': tables,
        'drawing': drawings.get,
        'drawings': drawings.names,
        'files': sorted(path.name for path in folder.glob('*.tsv')),
        'words': trial_words,
        'results': results,
        'find': trial_results,
        'compare': contrasts,
        'share_of': share_of,
        'taken': read_taken(output_dir, OF_NOBODY),
        **_numbers(output_dir, trial, record, tables),
        **_maps(tests, trial, output_dir),
        **_flow(folder, trial, tables),
    }


def _numbers(output_dir: Path, trial: TrialRecord, record: RunRecord, tables: GroupTables) -> dict[str, Any]:
    """Return the results by part of the report."""
    folder = output_dir / 'group'
    has_maps = bool(tables.get('map_tests'))
    pages = quality.pages_of(trial, folder)
    scans = quality.scan_quality(trial, tables, pages)
    flags = [flag for scan in scans for flag in scan.flags]
    genes = trial_results.genes(tables)
    effects = contrasts.effects(trial, tables)
    return {
        'effects': effects,
        'adjustments': contrasts.adjustments(effects),
        'unseen': missing_values(effects, tables),
        'baseline': baseline_rows(trial, tables),
        'about_baseline': about_differences(trial),
        'courses': trial_results.imaging_courses(trial, tables),
        'reliability': reliability.reliabilities(trial, tables, pages),
        'estimands': reporting.estimands(trial),
        'supplied': reporting.supplied(trial),
        'lacking': reporting.lacking(trial),
        'biomarkers': trial_results.biomarkers(trial, tables),
        'genes': genes,
        'gene_flags': trial_results.gene_flags(output_dir, genes),
        'sets': trial_results.sets(tables),
        'mediation': mediation_analyses(trial, tables),
        'absent': absent.absent_parts(trial, record, tables, has_maps=has_maps),
        'trying': absent.trials_only(record),
        'changed': absent.changed_options(record),
        'scans': scans,
        'scan_flags': list(dict.fromkeys(flags)),
        'left_out': quality.people_left_out(tables),
        'findings': quality.findings(tables),
        'attendance': trial_results.attendance(trial),
        'events': trial_results.events(trial),
    }


def _maps(tests: dict[str, list[trial_results.Test]], trial: TrialRecord, output_dir: Path) -> dict[str, Any]:
    spaces = sorted(path.name.removeprefix('tpl-') for path in output_dir.glob('tpl-*'))
    viewer = make_viewer([
        MapFile(f'{test.kind}-{test.contrast}', test.image, STATISTIC, target_brain(spaces[0]))
        for own in tests.values() for test in own if test.image is not None
    ])  # fmt: skip
    kinds = trial_words.map_kinds(trial.circuit)
    folds = len(trial.circuit.structures) > _OPEN
    return {
        'kinds_fold': folds,
        'tests': tests,
        'viewer': viewer,
        'main_kinds': [name for name, kind in kinds.items() if kind.is_main and not folds],
        'map_titles': {name: kind.title for name, kind in kinds.items()},
    }


def _flow(folder: Path, trial: TrialRecord, tables: GroupTables) -> dict[str, Any]:
    enrolled, stages = flow.enrolled(trial, tables), flow.stages(trial, tables)
    figure = plot_flow(enrolled, trial.arms, stages)
    alt = 'Flow of participants; its numbers stand in the table below.'
    drawn = draw_flow(figure, folder / 'figures', alt)
    return {'enrolled': enrolled, 'stages': stages, 'flow': drawn, 'side_by_side': flow.side_by_side}
