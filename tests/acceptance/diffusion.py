"""The diffusion chain: two real scans, and planted tracts as QSIPrep's output and as raw scans."""

import json
import shutil
import tempfile
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd

from bids_app.simulated.cli import main as simulate
from pipelines.interfaces._diffusion import load_table
from pipelines.interfaces.tract_domain import domain_of
from pipelines.numerics.bundle import weighted_mean
from pipelines.numerics.tracking import Domain
from pipelines.terms import Circuit, default_circuit
from tests.sums import checksums

from .checks import Collector, Context, Finished, met, read_json, read_one, run_clbpe, validator_errors

ONLY = ('--skip', 'functional')
TRACT = '*_bundle-NAcMPFC_scalarstats'


def philips_dwi32(context: Context) -> Collector:
    """sub-03: 32 directions at b = 1000 s/mm^2, no T1w, phase encoding unknown."""
    checks, data = met('philips_dwi32'), context.data / 'bids' / 'philips_dwi32'
    out = context.out / 'philips_dwi32'
    _tract(context, checks, data, out, *ONLY, minutes=30)
    if shutil.which('tckgen') and not context.sloppy and _fa(out)['value'].notna().all():
        compare_with_ifod2(checks, out, default_circuit(), 'NAcMPFC')
    return checks


def compare_with_ifod2(checks: Collector, out: Path, circuit: Circuit, pair: str) -> None:
    """Track the realigned scan with MRtrix3 between the same regions in the same tissue, each tract of a pair."""
    from benchmarks import scene

    root = out.with_name(f'{out.name}_work') / 'clbpe_wf' / 'sub_03_wf'
    (where,) = root.rglob('domain.npz')
    resampled = root / 'dwi_all_wf' / 'dwi_session_wf' / 'maps'
    facts = read_json(out, f'*_bundle-{pair}_scalarstats.json')
    response = np.array(facts['ResponseFunction']['ZonalCoefficients'])
    (fa_map,) = out.rglob('*_param-fa_dwimap.nii.gz')
    fa = nb.load(fa_map).get_fdata()
    data = nb.load(resampled / 'dwi.nii').get_fdata(dtype=np.float32)
    table = load_table(next(resampled.glob('*.npz')))
    with np.load(where) as grid, tempfile.TemporaryDirectory() as temporary:
        for tract in (own for own in circuit.bundles if own.pair.name == pair):
            own, side = domain_of(grid, circuit, tract), tract.hemisphere
            domain = Domain(own.first, own.second, own.ends, own.barred)
            made = scene.Scene(grid['affine'], data, table, grid['mask'], fa, fa, response, domain)
            scene.write_files(made, Path(temporary))
            scene.deconvolve(Path(temporary))
            visits = scene.visits_of(
                scene.both_ways(made, Path(temporary), n_seeds=150_000, select=250), made
            )
            theirs = weighted_mean(visits, fa, own.white)
            ours = _fa(out, pair).set_index('hemi').loc[side, 'value']
            written = next(root.rglob(f'{tract.name}_visits.nii.gz'))
            overlap = scene.dice(nb.load(written).get_fdata(), visits)
            found = f'FA {ours:.3f}, iFOD2 {theirs:.3f}; weighted Dice {overlap:.2f}'
            checks.note(
                f'{tract.name}: FA within 0.02 of iFOD2, Dice 0.7',
                found,
                abs(ours - theirs) <= 0.02 and overlap >= 0.7,
            )


def xa30_dwi(context: Context) -> Collector:
    """sub-05: a pair of opposite phase encoding at b = 2500 s/mm^2, with T1w."""
    checks, data, out = met('xa30_dwi'), context.data / 'bids' / 'xa30_lowres', context.out / 'xa30_dwi'
    _tract(context, checks, data, out, *ONLY, minutes=30)
    if list(out.rglob(f'{TRACT}.json')):
        done = read_json(out, f'{TRACT}.json')['SusceptibilityDistortionCorrection']
        checks.note('distortion is corrected with the pair', done, 'opposite phase encoding' in done)
    return checks


def simulated_qsiprep(context: Context) -> Collector:
    """Two sessions of a planted tract in QSIPrep's layout."""
    return _simulated(context, 'qsiprep', '--layout', 'qsiprep')


def simulated_dwi(context: Context) -> Collector:
    """Two raw sessions of a planted tract, with T1w."""
    return _simulated(context, 'dwi', '--layout', 'raw', '--modalities', 'dwi', '--voxel-size', '6')


def _simulated(context: Context, name: str, *words: str) -> Collector:
    checks, data = met(f'simulated_{name}'), context.out / f'simulated_{name}_input'
    size = '3' if context.sloppy else '2.5'
    options = ['--participants', '1', '--dwi-voxel-size', size, '--dwi-directions', '32', *words]
    options += ['--sessions', 'pre'] if context.sloppy else []
    if simulate([str(data), *options]):
        checks.note('dataset is written', 'no', False)
        return checks
    given = ['-d', f'qsiprep={data}'] if name == 'qsiprep' else []
    out = context.out / f'simulated_{name}'
    _tract(context, checks, data, out, *ONLY, *given, minutes=15)
    if not list(out.rglob(f'{TRACT}.tsv')):
        return checks
    if not context.sloppy:
        _same_on_one_core(context, checks, data, out, *ONLY, *given)
    planted = json.loads((data / 'sourcedata' / 'truth.json').read_text())['Tract']
    for row in _fa(out).itertuples():
        truth = planted[f'sub-01_ses-{row.session_id}']['FA'][row.hemi]
        checks.note(
            f'{row.session_id} {row.hemi}: planted FA within 0.05',
            f'{row.value:.3f}, planted {truth:.3f}',
            abs(row.value - truth) < 0.05,
        )
    return checks


def _same_on_one_core(context: Context, checks: Collector, data: Path, out: Path, *words: str) -> None:
    """Run once more with one process, and note whether every file is the same."""
    again = out.with_name(f'{out.name}_one_core')
    run_clbpe(context, data, again, *words, '--nprocs', '1')
    kinds = {'.tsv', '.gz', '.trk', '.png'}
    first, second = (
        checksums(folder, [path for path in (folder / 'sub-01').rglob('sub-01_*') if path.suffix in kinds])
        for folder in (out, again)
    )
    differ = [name for name in {*first, *second} if first.get(name) != second.get(name)]
    checks.note('one core gives the same files', differ or len(first), len(first) > 30 and not differ)


def _tract(
    context: Context, checks: Collector, data: Path, out: Path, *words: str, minutes: int
) -> Collector:
    """Run, and note what every tract promises."""
    done = run_clbpe(context, data, out, *words)
    checks.note('exit status 0', done.status, done.status == 0)
    checks.note(f'under {minutes} minutes', f'{done.seconds / 60:.1f} min', done.is_in(60 * minutes, context))
    if done.status:
        return checks
    for row in _fa(out).itertuples():
        checks.note(f'{row.session_id} {row.hemi}: FA is finite', f'{row.value:.3f}', np.isfinite(row.value))
    for side, directions in read_json(out, f'{TRACT}.json')['Tracking'].items():
        counts = {name: (count['Accepted'], count['Seeds']) for name, count in directions.items()}
        checks.note(f'{side}: 50 streamlines per direction', counts, min(counts.values())[0] >= 50)
    _files(checks, out)
    checks.note('validator finds 0 errors', validator_errors(out) or 0, not validator_errors(out))
    again: Finished = run_clbpe(context, data, out, *words)
    checks.note('a second run does nothing', f'{again.seconds:.1f} s', '0 processed' in again.text)
    return checks


def _fa(out: Path, pair: str = 'NAcMPFC') -> pd.DataFrame:
    table = read_one(out, f'*_bundle-{pair}_scalarstats.tsv').fillna({'session_id': 'n/a'})
    return table.query('param == "fa" and method == "weighted" and hemi != "B"')


def _files(checks: Collector, out: Path) -> None:
    kinds = [f'bundle-NAcMPFC{s}_streamlines.trk' for s in 'LR']
    kinds += [f'label-NAcMPFC{s}_probseg.nii.gz' for s in 'LR']
    kinds += ['param-fa_dwimap.nii.gz', 'desc-profile_scalarstats.tsv', 'desc-threshold_scalarstats.tsv']
    missing = [kind for kind in kinds if not list(out.rglob(f'*_{kind}'))]
    checks.note('all files are there', missing or 'yes', not missing)
