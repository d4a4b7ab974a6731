"""A small trial on disk: tables, and what the participant level would have written, with effects planted."""

import json
from collections.abc import Collection
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd

from bids_app.outputs.bold import connectivity_rows
from bids_app.outputs.dataset import write_dataset_files
from bids_app.running.manifest import Receipt, receipts_folder
from pipelines.numerics.regions import voxel_centres
from pipelines.simulated.counts import simulate_counts
from pipelines.terms import default_circuit

SPACE = 'MNI152NLin6Asym'
AFFINE = np.diag([8.0, 8, 8, 1])
AFFINE[:3, 3] = [-76, -112, -72]
SHAPE = (20, 24, 20)
LABELS = {
    'NAcL': (1, (-9, 12, -7)),
    'NAcR': (2, (9, 12, -7)),
    'mPFCL': (4, (-6, 44, -18)),
    'mPFCR': (5, (6, 44, -18)),
}
BLOB = (0.0, -55.0, 25.0)
SET = 'HALLMARK_INFLAMMATORY_RESPONSE'
EFFECTS = {'nrs': -2.0, 'fc_nac_mpfc': -0.25, 'fa_nac_mpfc': 0.03}
VISITS = ('pre', 'post')
CIRCUIT = default_circuit()
REGIONS = tuple(CIRCUIT.regions)
TRACT_COLUMNS = [
    'session_id',
    'hemi',
    'method',
    'param',
    'value',
    'n_streamlines',
    'mean_length',
    'volume',
    'flags',
]
"""Of a table of the values of tracts, in their order."""

N_MAPS = sum(row.suffix == 'boldmap' for row in connectivity_rows(CIRCUIT))
"""Maps of a BOLD run."""


def write_trial(
    root: Path, *, n: int = 16, seed: int = 1, images: bool = True, seeds: Collection[str] = REGIONS
) -> tuple[Path, Path]:
    """Write ``root/bids`` and ``root/out``, with maps of some seed regions or all; return both folders."""
    rng = np.random.default_rng(seed)
    bids, out = root / 'bids', root / 'out'
    labels = [f'sub-{number:02d}' for number in range(1, n + 1)]
    treated = np.arange(n) % 2 == 0
    _write_tables(bids, labels, treated, rng)
    out.mkdir(parents=True)
    write_dataset_files(out, bids, {})
    if images:
        for label, is_treated in zip(labels, treated):
            _write_person(out, label, is_treated, rng, seeds)
    return bids, out


def _write_tables(bids: Path, labels: list[str], treated: np.ndarray, rng: np.random.Generator) -> None:
    n = len(labels)
    (bids / 'phenotype').mkdir(parents=True)
    (bids / 'dataset_description.json').write_text('{"Name": "trial", "BIDSVersion": "1.10.0"}')
    arm = np.where(treated, 'exercise', 'waitlist')
    people = {
        'participant_id': labels,
        'group': arm,
        'age': rng.integers(20, 65, n),
        'sex': rng.choice(['F', 'M'], n),
    }
    save(pd.DataFrame(people), bids / 'participants.tsv')
    pain = rng.normal(5.5, 1, n)
    after = pain + EFFECTS['nrs'] * treated + rng.normal(0, 0.8, n)
    wide = {'nrs_average_pre': pain.clip(0, 10).round(2), 'nrs_average_post': after.clip(0, 10).round(2)}
    save(pd.DataFrame({'participant_id': labels, **wide}), bids / 'phenotype' / 'nrs.tsv')
    rows = []
    for label, is_treated, level in zip(labels, treated, rng.normal(5, 0.3, n)):
        for session, is_late in (('wk3', 0), ('wk14', 1)):
            shift = level + rng.normal(0, 0.1)
            for time, is_post in (('pre', 0), ('post', 1)):
                log = shift + is_post * (0.2 + 0.3 * is_late * is_treated) + rng.normal(0, 0.1)
                rows.append((label, f'ses-{session}', time, round(float(np.exp(log)), 2), 60.0, 'n/a'))
    columns = ['participant_id', 'session_id', 'time', 'bdnf', 'lod', 'uloq']
    save(pd.DataFrame(rows, columns=columns), bids / 'phenotype' / 'bdnf.tsv')


def write_expression(bids: Path, *, seed: int = 1, n_genes: int = 600) -> Path:
    """Write counts and samples of everyone in participants.tsv; return a file of gene sets.

    The first set rises with exercise by 0.4 on the log2 scale.
    """
    people = pd.read_csv(bids / 'participants.tsv', sep='\t', dtype=str)
    people = people.sort_values('group', kind='stable')  # exercise first, as the counts are
    n_treated = int((people['group'] == 'exercise').sum())
    drawn = simulate_counts(
        np.random.default_rng(seed), n_people=len(people), n_treated=n_treated, n_genes=n_genes, n_changed=20,
        n_pathways=8,
    )  # fmt: skip
    labels = people['participant_id'].to_numpy()[drawn.participant]
    sessions = np.where(drawn.followup == 1, 'wk14', 'wk3')
    samples = [f'{label[4:]}_{session}' for label, session in zip(labels, sessions)]
    genes = [f'GENE{number}' for number in range(n_genes)]
    table = pd.DataFrame(drawn.counts, genes, samples).rename_axis('gene').reset_index()
    (bids / 'sourcedata' / 'rnaseq').mkdir(parents=True)
    save(table, bids / 'sourcedata' / 'rnaseq' / 'counts.tsv.gz')
    rows = {
        'participant_id': labels, 'session_id': [f'ses-{session}' for session in sessions], 'sample_id': samples,
        'batch': [f'b{number}' for number in drawn.batch], 'neutrophils': drawn.neutrophils.round(3),
    }  # fmt: skip
    save(pd.DataFrame(rows), bids / 'phenotype' / 'rnaseq.tsv')
    sets = bids / 'code' / 'sets.gmt'
    sets.parent.mkdir()
    names = [SET, *(f'SET_{number}' for number in range(1, 8))]
    lines = ['\t'.join([name, 'a set', *(genes[g] for g in own)]) for name, own in zip(names, drawn.pathways)]
    sets.write_text('\n'.join(lines) + '\n')
    return sets


def save(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, sep='\t', index=False, na_rep='n/a')


def _write_person(
    out: Path, label: str, treated: bool, rng: np.random.Generator, seeds: Collection[str]
) -> None:
    trait, rows = rng.normal(0, 1, 3), []
    for session in VISITS:
        late = float(treated and session == 'post')
        folder = out / label / f'ses-{session}' / 'func'
        folder.mkdir(parents=True)
        stem = folder / f'{label}_ses-{session}_task-rest'
        _write_scan(stem, 0.4 + 0.1 * trait[0] + EFFECTS['fc_nac_mpfc'] * late, late, trait[2], rng, seeds)
        fa = 0.45 + 0.02 * trait[1] + EFFECTS['fa_nac_mpfc'] * late + rng.normal(0, 0.003)
        rows += [(session, hemi, 'weighted', 'fa', round(fa, 5), 1500, 35.0, 3000, 'n/a') for hemi in 'LRB']
    folder = out / label / 'dwi'
    folder.mkdir()
    table = folder / f'{label}_bundle-NAcMPFC_scalarstats.tsv'
    save(pd.DataFrame(rows, columns=TRACT_COLUMNS), table)
    table.with_suffix('.json').write_text(json.dumps({'Flags': []}))


def sign(out: Path, label: str, **parameters: object) -> None:
    """Write the receipt of everything that a participant has."""
    files = [path for path in (out / label).rglob(f'{label}_*') if path.is_file()]
    Receipt(receipts_folder(out / label) / 'all.json', out, parameters, {}).write(files)


def _write_scan(
    stem: Path, z: float, late: float, trait: float, rng: np.random.Generator, seeds: Collection[str]
) -> None:
    positions = voxel_centres(SHAPE, AFFINE)
    dseg = np.zeros(SHAPE, np.uint8)
    for label, centre in LABELS.values():
        dseg[np.linalg.norm(positions - centre, axis=-1) < 9] = label
    qc = {'DegreesOfFreedom': 80.0, 'MeanFD': round(float(rng.gamma(4, 0.04)), 3), 'Flags': []}
    Path(f'{stem}_desc-denoise_qc.json').write_text(json.dumps(qc))
    matrix = pd.DataFrame(z + rng.normal(0, 0.05), index=list(REGIONS), columns=list(REGIONS))
    matrix.to_csv(f'{stem}_space-{SPACE}_atlas-A_stat-fisherz_relmat.tsv', sep='\t', index_label='node')
    names = pd.DataFrame({'index': range(1, len(REGIONS) + 1), 'name': REGIONS})
    names.to_csv(f'{stem}_space-{SPACE}_desc-regions_dseg.tsv', sep='\t', index=False)
    _image(dseg, f'{stem}_space-{SPACE}_desc-regions_dseg.nii.gz')
    blob = np.linalg.norm(positions - BLOB, axis=-1) < 20
    for seed in REGIONS:
        values = 0.2 + 0.05 * trait + rng.normal(0, 0.1, SHAPE) + (0.4 * late * blob if seed == 'NAc' else 0)
        if seed in seeds:  # drawn all the same: the other values stay as they are
            _image(values.astype(np.float32), f'{stem}_space-{SPACE}_seg-{seed}_stat-fisherz_boldmap.nii.gz')
    icc = (0.2 + rng.normal(0, 0.01, SHAPE)).astype(np.float32)
    _image(icc, f'{stem}_space-{SPACE}_stat-icc_boldmap.nii.gz')


def _image(data: np.ndarray, path: str) -> None:
    nb.save(nb.Nifti1Image(data, AFFINE), path)
