"""Many people: the start of the participant level, and the group with its page; time, memory, size of the page."""

import gzip
import json
import re
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from .data import write_skeleton
from .fresh import peak_gb, seconds

SPACE, ATLAS = 'MNI152NLin6Asym', 'HarvardOxford'
NODES = ('NAcL', 'NAcR', 'NAc', 'mPFCL', 'mPFCR', 'mPFC')
SESSIONS = ('pre', 'post')


def write_start(root: str, n_people: int) -> None:
    """Write fMRIPrep's files for two sessions of each, tiny and sound."""
    import nibabel as nb

    folder = Path(root)
    if folder.exists():
        return
    write_skeleton(folder, n_people)
    contents = {}
    for end, shape in (('_bold.nii.gz', (2, 2, 2, 200)), ('_mask.nii.gz', (2, 2, 2))):
        image = nb.Nifti1Image(np.ones(shape, np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
        image.header.set_zooms((2.0,) * len(shape))
        image.header.set_xyzt_units('mm', 'sec')
        contents[end] = gzip.compress(image.to_bytes(), 1)
    for end, content in contents.items():
        for path in folder.rglob(f'*{end}'):
            path.write_bytes(content)


def start(root: str, n_people: int) -> dict[str, float]:
    """Find what everybody has, as the participant level does before its first step; s of the processor."""
    from bids_app.cli import make_settings
    from bids_app.scans.people import collect_all

    write_start(root, n_people)
    places = [root, f'{root}-out', 'participant', '-d', f'fmriprep={root}', '-w', f'{root}-work']
    words = [*places, '--denoising', '24p']
    collect_all(make_settings([*words, '--participant-label', '0001']))  # imports are made once
    began = time.process_time()
    found = collect_all(make_settings(words))
    elapsed = time.process_time() - began
    if sum(len(person.runs) for person in found) != 2 * n_people:
        raise RuntimeError(f'{root}: runs are missing')
    return {'n': n_people, 'seconds': elapsed, 'gb': peak_gb()}


def index(root: str, n_people: int) -> dict[str, float]:
    """Index the files of some people with PyBIDS, without metadata and without the folders of others."""
    from bids.layout import BIDSLayout, BIDSLayoutIndexer

    labels = '|'.join(f'{number:04d}' for number in range(1, n_people + 1))
    others = re.compile(rf'^/(?:sub-(?!(?:{labels})(?:/|$))|logs)')
    began = time.process_time()
    indexer = BIDSLayoutIndexer(validate=False, index_metadata=False, ignore=[others])
    BIDSLayout(root, validate=False, is_derivative=True, indexer=indexer, config=['bids', 'derivatives'])
    return {'n': n_people, 'seconds': time.process_time() - began}


def write_group(root: Path, n_people: int) -> tuple[Path, Path]:
    """Write pain ratings of a trial, and the connectivity of both visits of each; return dataset and results."""
    from bids_app.outputs.bold import QC, RELMAT
    from bids_app.outputs.rows import derivative_name

    rng = np.random.default_rng(20260101)
    bids, out = root / 'bids', root / 'out'
    if root.exists():
        return bids, out
    (bids / 'phenotype').mkdir(parents=True)
    (bids / 'dataset_description.json').write_text('{"Name": "many", "BIDSVersion": "1.10.0"}')
    people = [f'sub-{number:05d}' for number in range(1, n_people + 1)]
    arms = ['exercise' if number % 2 else 'waitlist' for number in range(n_people)]
    _table(bids / 'participants.tsv', ('participant_id', 'group'), zip(people, arms))
    pain = rng.normal(5, 1, (n_people, 2)).clip(0, 10).round(2)
    rated = zip(people, *pain.T.tolist())
    _table(bids / 'phenotype' / 'nrs.tsv', ('participant_id', 'nrs_average_pre', 'nrs_average_post'), rated)
    for label in people:
        for session in SESSIONS:
            source = {'sub': label.removeprefix('sub-'), 'ses': session, 'task': 'rest'}
            names = [derivative_name(source, row, space=SPACE, res='2', atlas=ATLAS) for row in (QC, RELMAT)]
            quality, matrix = (out / name for name in names)
            quality.parent.mkdir(parents=True, exist_ok=True)
            flags = ['high_motion'] if rng.random() < 0.1 else []
            facts = {'DegreesOfFreedom': 120, 'Flags': flags, 'MeanFD': 0.2, 'SecondsKept': 480.0}
            quality.write_text(json.dumps(facts))
            values = np.tanh(rng.normal(0.3, 0.1, (len(NODES), len(NODES)))).round(4)
            _table(matrix, ('node', *NODES), zip(NODES, *values.tolist()))
    return bids, out


def _table(path: Path, columns: tuple[str, ...], rows: Any) -> None:
    lines = ['\t'.join(columns), *('\t'.join(map(str, row)) for row in rows)]
    path.write_text('\n'.join(lines) + '\n')


def group(root: str, n_people: int) -> dict[str, float]:
    """Run the group level on tables and connectivity, and write its page."""
    from bids_app.cli import main

    bids, out = write_group(Path(root), n_people)
    for left in (out / 'group', Path(root) / 'work'):  # by an earlier benchmark
        shutil.rmtree(left, ignore_errors=True)
    skipped = ['--skip', 'voxelwise', 'expression', 'mediation', 'diffusion']
    words = [str(bids), str(out), 'group', '-w', str(Path(root) / 'work'), '--n-bootstraps', '1000', *skipped]
    status: list[int] = []
    standard, sys.stdout = sys.stdout, sys.stderr
    try:
        elapsed = seconds(lambda: status.append(main(words)))
    finally:
        sys.stdout = standard
    if status != [0]:
        raise RuntimeError(f'{root}: exit status {status}')
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    page = (out / 'group' / 'report.html').stat().st_size / 1e6
    return {'n': n_people, 'seconds': elapsed, 'gb': max(peak_gb(), workers), 'page_mb': page}


def draw(found: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Draw time, memory and size against the number of people; a straight line from the first is linear."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3), layout='constrained')
    kinds = (
        ('seconds', 'time, s (start: of the processor)'),
        ('gb', 'peak memory, GB'),
        ('page_mb', 'page, MB'),
    )
    for axes, (key, title) in zip(figure.subplots(1, len(kinds)), kinds):
        for name, rows in found.items():
            known = [row for row in rows if key in row]
            if known:
                axes.plot([row['n'] for row in known], [row[key] for row in known], 'o-', label=name)
        axes.set(xlabel='people', title=title, xlim=(0, None), ylim=(0, None))
        axes.legend(frameon=False)
    figure.savefig(path, metadata={'Date': None})
