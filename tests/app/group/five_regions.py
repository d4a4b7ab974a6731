"""A small trial of five regions on disk, as participants would have left it, with effects planted in two pairs."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd

from bids_app.outputs.bold import atlas_label
from bids_app.outputs.dataset import write_dataset_files
from pipelines.numerics.regions import voxel_centres
from pipelines.terms import circuit_of_rows
from tests.app.trial_data import AFFINE, SHAPE, SPACE, TRACT_COLUMNS, save, sign

REGIONS = [
    {'Name': name, 'Hemisphere': side, 'Source': source, 'Role': role, 'Pairs': pairs}
    for name, sides, source, role, pairs in (
        ('NAc', 'LR', 'sphere:9,9,-8,4', 'both', ['mPFC', 'AntIns']),
        ('mPFC', 'LR', 'sphere:6,45,-10,6', 'target', []),
        ('Amg', 'LR', 'sphere:24,-2,-20,6', 'target', ['PAG']),
        ('AntIns', 'LR', 'sphere:36,18,0,6', 'target', []),
        ('PAG', ['n/a'], 'sphere:0,-30,-10,6', 'seed', []),
    )
    for side in sides
]


def circuit_of(regions):
    """Return the circuit of a list of regions as a trial file writes it."""
    return circuit_of_rows(
        [
            {key.lower(): ' '.join(v) if isinstance(v, list) else v for key, v in row.items()}
            for row in regions
        ]
    )


CIRCUIT = circuit_of(REGIONS)
EFFECTS = {'fc_reward': -0.25, 'fa_reward': 0.03, 'fc_pain': 0.0, 'fa_pain': 0.03}
OUTCOMES = {
    'nrs': {
        'Table': 'phenotype/nrs.tsv', 'Column': 'nrs', 'Units': 'points', 'Range': [0, 10], 'Role': 'primary',
        'LowerIsBetter': True,
    },
    'fc_reward': {'Derivative': 'roi_connectivity', 'Regions': ['NAc', 'mPFC']},
    'fa_reward': {'Derivative': 'tract_fa', 'Regions': ['NAc', 'mPFC']},
    'fc_pain': {'Derivative': 'roi_connectivity', 'Regions': ['Amg', 'PAG']},
    'fa_pain': {'Derivative': 'tract_fa', 'Regions': ['PAG', 'Amg']},
    'icc_pag': {'Derivative': 'intrinsic_connectivity', 'Regions': ['PAG']},
}  # fmt: skip
TRIAL = {
    'Name': 'FIVE',
    'Arms': {'Table': 'participants.tsv', 'Column': 'group', 'Treatment': 'act', 'Control': 'wait'},
    'Visits': {'baseline': {'Session': 'pre'}, 'followup': {'Session': 'post'}},
    'Regions': REGIONS,
    'Outcomes': OUTCOMES,
    'Mediation': [{'Name': 'tract', 'Mediators': ['fa_pain'], 'Outcome': 'nrs'}],
}


def write_five(root: Path, *, n: int = 24, seed: int = 5) -> tuple[Path, Path, Path]:
    """Write ``root/bids``, ``root/out`` and the trial file; return all three."""
    rng, bids, out = np.random.default_rng(seed), root / 'bids', root / 'out'
    (bids / 'phenotype').mkdir(parents=True)
    (bids / 'dataset_description.json').write_text('{"Name": "five", "BIDSVersion": "1.10.0"}')
    labels = [f'sub-{number:02d}' for number in range(1, n + 1)]
    treated = np.arange(n) % 2 == 0
    save(
        pd.DataFrame({'participant_id': labels, 'group': np.where(treated, 'act', 'wait')}),
        bids / 'participants.tsv',
    )
    pain = rng.normal(5.5, 1, (n, 1)) + rng.normal(0, 0.6, (n, 2)) - np.outer(treated, [0, 2])
    rows = [
        (who, f'ses-{s}', f'{pain[k, v]:.2f}')
        for k, who in enumerate(labels)
        for v, s in enumerate(('pre', 'post'))
    ]
    save(pd.DataFrame(rows, columns=['participant_id', 'session_id', 'nrs']), bids / 'phenotype' / 'nrs.tsv')
    out.mkdir()
    write_dataset_files(out, bids, {})
    for label, moved in zip(labels, treated):
        _write_person(out, label, float(moved), rng)
        sign(out, label, regions=CIRCUIT.rows())
    path = root / 'trial.json'
    path.write_text(json.dumps(TRIAL))
    return bids, out, path


def _write_person(out: Path, label: str, moved: float, rng: np.random.Generator) -> None:
    trait, tracts = rng.normal(0, 1, 4), {pair.name: [] for pair in CIRCUIT.pairs}
    for session, late in (('pre', 0.0), ('post', moved)):
        folder = out / label / f'ses-{session}' / 'func'
        folder.mkdir(parents=True)
        stem = f'{folder}/{label}_ses-{session}_task-rest'
        pairs = {
            ('NAc', 'mPFC'): 0.4 + 0.15 * trait[0] + EFFECTS['fc_reward'] * late,
            ('Amg', 'PAG'): 0.3 + 0.15 * trait[1] + EFFECTS['fc_pain'] * late,
        }
        _write_matrices(stem, pairs, rng)
        _write_images(stem, late, rng)
        for number, (name, effect) in enumerate((('NAcMPFC', 'fa_reward'), ('AmgPAG', 'fa_pain'))):
            fa = 0.45 + 0.02 * trait[2 + number] + EFFECTS[effect] * late + rng.normal(0, 0.004)
            tracts[name] += [
                (session, hemi, 'weighted', 'fa', round(fa, 5), 1500, 35.0, 3000, 'n/a') for hemi in 'LRB'
            ]
    (out / label / 'dwi').mkdir()
    for name, rows in tracts.items():
        if rows:
            table = out / label / 'dwi' / f'{label}_bundle-{name}_scalarstats.tsv'
            save(pd.DataFrame(rows, columns=TRACT_COLUMNS), table)
            table.with_suffix('.json').write_text(json.dumps({'Flags': []}))


def _write_matrices(stem: str, pairs: dict[tuple[str, str], float], rng: np.random.Generator) -> None:
    """Write halves whose mean is the matrix of the run."""
    labels, halves = list(CIRCUIT.regions), []
    for part in (1, 2):
        matrix = pd.DataFrame(rng.normal(0, 0.05, (len(labels),) * 2), labels, labels)
        for (a, b), z in pairs.items():
            matrix.loc[a, b] = matrix.loc[b, a] = z + rng.normal(0, 0.07)
        halves.append(matrix)
        _save_matrix(matrix, stem, f'_desc-half{part}')
    _save_matrix((halves[0] + halves[1]) / 2, stem, '')


def _save_matrix(matrix: pd.DataFrame, stem: str, end: str) -> None:
    path = f'{stem}_space-{SPACE}_atlas-{atlas_label(CIRCUIT)}_stat-fisherz{end}_relmat.tsv'
    matrix.to_csv(path, sep='\t', index_label='node')


def _write_images(stem: str, late: float, rng: np.random.Generator) -> None:
    qc = {'DegreesOfFreedom': 80.0, 'MeanFD': round(float(rng.gamma(4, 0.04)), 3), 'Flags': []}
    Path(f'{stem}_desc-denoise_qc.json').write_text(json.dumps(qc))
    positions, labels = voxel_centres(SHAPE, AFFINE), list(CIRCUIT.regions)
    dseg = np.zeros(SHAPE, np.uint8)
    dseg[np.linalg.norm(positions - [0, -30, -10], axis=-1) < 9] = labels.index('PAG') + 1
    names = pd.DataFrame({'index': range(1, len(labels) + 1), 'name': labels})
    names.to_csv(f'{stem}_space-{SPACE}_desc-regions_dseg.tsv', sep='\t', index=False)
    _image(dseg, f'{stem}_space-{SPACE}_desc-regions_dseg.nii.gz')
    blob = np.linalg.norm(positions - [0, -55, 25], axis=-1) < 20
    for seed in ('NAc', 'PAG'):
        values = 0.2 + rng.normal(0, 0.1, SHAPE) + 0.4 * late * blob * (seed == 'PAG')
        _image(values.astype(np.float32), f'{stem}_space-{SPACE}_seg-{seed}_stat-fisherz_boldmap.nii.gz')
    icc = (0.2 + rng.normal(0, 0.01, SHAPE)).astype(np.float32)
    _image(icc, f'{stem}_space-{SPACE}_stat-icc_boldmap.nii.gz')


def _image(data: np.ndarray, path: str) -> None:
    nb.save(nb.Nifti1Image(data, AFFINE), path)
