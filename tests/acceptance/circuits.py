"""Circuits of a user on two real scans: every file of five regions, and one other pair against MRtrix3."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tests.app.group.five_regions import CIRCUIT, REGIONS, circuit_of

from .checks import Collector, Context, met, read_json, read_one, run_clbpe, validator_errors
from .diffusion import compare_with_ifod2

OTHER = [
    {'Name': name, 'Hemisphere': side, 'Source': source, 'Role': 'target', 'Pairs': pairs}
    for name, source, pairs in (
        ('Thalamus', 'harvard-oxford:Thalamus', ['Motor']), ('Motor', 'harvard-oxford:Precentral Gyrus', []),
    )
    for side in 'LR'
]  # fmt: skip
"""The pair that MRtrix3 is asked for: of a great tract, so that both find enough streamlines to be compared."""


def five_bold(context: Context) -> Collector:
    """sub-02 with five regions: their series, matrix, maps and page."""
    checks, out = met('five_bold'), context.out / 'five_bold'
    words = ('--task-id', 'oneback', '--regions', str(_listed(context.out, REGIONS)))
    done = run_clbpe(context, context.data / 'bids' / 'studyforrest', out, *words)
    checks.note('exit status 0', done.status, done.status == 0)
    if done.status:
        return checks
    labels = list(CIRCUIT.regions)
    matrix = read_one(out, '*_stat-fisherz_relmat.tsv').set_index('node')
    checks.note('all regions are in the matrix', len(matrix), list(matrix) == list(matrix.index) == labels)
    coverage = read_one(out, '*_coverage.tsv').set_index('region')
    known = coverage['coverage'].between(0.5, 1).to_dict()
    checks.note(
        'all regions are covered', [name for name in labels if not known[name]] or 'yes', all(known.values())
    )
    seeds = {
        path.name.partition('_seg-')[2].partition('_')[0] for path in out.rglob('*_seg-*_boldmap.nii.gz')
    }
    wanted = {region.name for region in CIRCUIT.seeds}
    checks.note('a map of every seed', len(seeds), seeds == wanted)
    _page(checks, out, 'sub-02')
    return checks


def five_dwi(context: Context) -> Collector:
    """sub-03 with five regions and three pairs: the tract of each, or why there is none."""
    checks, out = met('five_dwi'), context.out / 'five_dwi'
    data = context.data / 'bids' / 'philips_dwi32'
    words = ('--skip', 'functional', '--regions', str(_listed(context.out, REGIONS)))
    done = run_clbpe(context, data, out, *words)
    checks.note('exit status 0', done.status, done.status == 0)
    if done.status:
        return checks
    for pair in CIRCUIT.pairs:
        table = read_one(out, f'*_bundle-{pair.name}_scalarstats.tsv')
        fa = table.query('param == "fa" and method == "weighted"').set_index('hemi')
        for tract in (own for own in CIRCUIT.bundles if own.pair == pair):
            value, flags = fa.loc[tract.hemisphere, ['value', 'flags']]
            is_told = bool(np.isfinite(value)) != ('few_streamlines' in str(flags))
            checks.note(f'{tract.name}: FA, or why there is none', f'{value:.3f} ({flags})', is_told)
    _page(checks, out, 'sub-03')
    return checks


def other_tract(context: Context) -> Collector:
    """sub-03: the tract between thalamus and motor cortex, against MRtrix3's iFOD2 between the same regions."""
    checks, out = met('other_tract'), context.out / 'other_tract'
    words = ('--skip', 'functional', '--regions', str(_listed(context.out, OTHER)))
    done = run_clbpe(context, context.data / 'bids' / 'philips_dwi32', out, *words)
    checks.note('exit status 0', done.status, done.status == 0)
    if done.status:
        return checks
    pair = 'ThalamusMotor'
    kept = read_json(out, f'*_bundle-{pair}_scalarstats.json')['Tracking']
    counts = {side: [way['Kept'] for way in ways.values()] for side, ways in kept.items()}
    checks.note('50 streamlines each way', counts, min(map(min, counts.values())) >= 50)
    if shutil.which('tckgen') and not context.sloppy:
        compare_with_ifod2(checks, out, circuit_of(OTHER), pair)
    return checks


def _listed(folder: Path, regions: Iterable[dict[str, Any]]) -> Path:
    """Write a list of regions; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = ('Name', 'Hemisphere', 'Source', 'Role', 'Pairs')
    rows = [[','.join(row[c]) or 'n/a' if c == 'Pairs' else str(row[c]) for c in columns] for row in regions]
    lines = ['\t'.join(row) for row in [[column.lower() for column in columns], *rows]]
    path = folder / f'regions-{len(rows)}.tsv'
    path.write_text('\n'.join(lines) + '\n')
    return path


def _page(checks: Collector, out: Path, participant: str) -> None:
    page = (out / f'{participant}.html').read_text()
    n_drawn = len(list((out / participant / 'figures').iterdir()))
    checks.note('report has all pictures', page.count('<figure'), page.count('<figure') == n_drawn > 0)
    checks.note('page below 15 MB', f'{len(page) / 1e6:.1f} MB', len(page) < 15e6)
    checks.note('validator finds 0 errors', validator_errors(out) or 0, not validator_errors(out))
