"""The functional chain on real scans: a usable run, and one that is too short."""

import json
import shutil
from pathlib import Path

import nibabel as nb
import numpy as np
from nilearn.image import resample_to_img

from bids_app.simulated.cli import main as simulate
from pipelines.interfaces.quality import Scan
from pipelines.interfaces.template_fit import fit_templates
from pipelines.numerics.seed import fisher_z_se
from pipelines.params import SPACES

from .checks import Collector, Context, met, read_json, read_matrix, read_one, run_clbpe, validator_errors

SPACE, OTHER_SPACE = 'MNI152NLin6Asym', 'MNI152NLin2009cAsym'


def studyforrest(context: Context) -> Collector:
    """sub-02: BOLD of 156 volumes and a defaced T1w of 0.67 mm."""
    checks, data = met('studyforrest'), context.data / 'bids' / 'studyforrest'
    out, work = context.out / 'studyforrest', context.out / 'studyforrest_work'
    words = ('--task-id', 'oneback', '--mpfc', 'frontal-medial')
    done = run_clbpe(context, data, out, *words, work=work)
    checks.note('exit status 0', done.status, done.status == 0)
    checks.note('under 25 minutes', f'{done.seconds / 60:.1f} min', done.is_in(25 * 60, context))
    if done.status:
        return checks
    qc = read_json(out, '*_qc.json')
    matrix = read_matrix(out)
    z, se = matrix.loc['NAcL', 'NAcR'], fisher_z_se(qc['DegreesOfFreedom'])
    low, high = np.tanh([z - 1.96 * se, z + 1.96 * se])
    checks.note(
        'NAc left-right r is reported with its interval',
        f'{np.tanh(z):.2f} ({low:.2f} to {high:.2f})',
        np.isfinite(z),
    )
    ratio = read_one(out, '*_coverage.tsv').set_index('region')['signal_ratio']
    lost = f'{ratio["mPFC"]:.2f} of the brain, NAc {ratio["NAc"]:.2f}'
    checks.note('frontal-medial has lost signal, NAc has not', lost, ratio['mPFC'] < 0.7 < ratio['NAc'])
    anatomy = read_json(out, f'*_space-{SPACE}_*desc-preproc_T1w.json')
    dice, fit, before = (anatomy[k] for k in ('MaskDice', 'TemplateCorrelation', 'TemplateCorrelationAffine'))
    checks.note('T1w mask fits the template (Dice > 0.97)', f'{dice:.3f}', dice > 0.97)
    checks.note(
        'T1w fits better than after its affine', f'r {before:.2f}, then {fit:.2f}', fit > before + 0.05
    )
    note_template(checks, out, SPACE)
    checks.note('validator finds 0 errors', validator_errors(out) or 0, not validator_errors(out))
    page = (out / 'sub-02.html').read_text()
    n_drawn = len(list((out / 'sub-02' / 'figures').iterdir()))
    checks.note('report has all pictures', page.count('<figure'), page.count('<figure') == n_drawn >= 8)
    plain = context.out / 'studyforrest_none'
    done = run_clbpe(context, data, plain, *words, '--denoising', 'none', work=work)
    r = np.tanh(read_matrix(plain).loc['NAcL', 'NAcR'])
    checks.note('NAc left-right r >= 0.4 without denoising', f'{r:.2f}', done.status == 0 and r >= 0.4)
    again = run_clbpe(context, data, out, *words, work=work)
    is_idle = '0 processed' in again.text and again.is_in(10, context)
    checks.note('a second run does nothing, under 10 s', f'{again.seconds:.1f} s', is_idle)
    return checks


def xa30_lowres(context: Context) -> Collector:
    """sub-05: 20 volumes, too few for any connectivity; eight times over they show anatomy and place."""
    checks, out = met('xa30_lowres'), context.out / 'xa30_lowres'
    data, work = context.data / 'bids' / 'xa30_lowres', context.out / 'xa30_lowres_work'
    words = ('--task-id', 'fa', '--skip', 'diffusion')
    done = run_clbpe(context, data, out, *words, work=work)
    checks.note('exit status 65', done.status, done.status == 65)
    said = next((line for line in done.text.splitlines() if 'degrees of freedom' in line), 'nothing')
    checks.note(
        'says how many degrees of freedom remain and are needed', said[-160:], '20 are needed' in said
    )
    images = [path.name for path in out.rglob('*.nii.gz')]
    checks.note('no step is spent on it', images or 'no image', not images)
    checks.note(
        'the report tells it', 'sub-05.html', 'degrees of freedom' in (out / 'sub-05.html').read_text()
    )
    checks.note('validator finds 0 errors', validator_errors(out) or 0, not validator_errors(out))
    longer = _repeated(data, context.out / 'xa30_repeated', 8)
    for space in (SPACE, OTHER_SPACE):
        out = context.out / f'xa30_repeated_{space}'
        done = run_clbpe(context, longer, out, *words, '--low-pass', '0', '--output-space', space, work=work)
        checks.note(f'eight times over, on {space}: exit status 0', done.status, done.status == 0)
        note_anatomy(checks, read_json(out, f'sub-05_*space-{space}_*desc-preproc_T1w.json'))
        note_template(checks, out, space)
    return checks


def _repeated(data: Path, copy: Path, times: int) -> Path:
    """Write a dataset whose BOLD is repeated: what it says of connectivity means nothing, of place as much as before."""
    shutil.copytree(data, copy, ignore=shutil.ignore_patterns('dwi', 'fmap'))
    for path in copy.rglob('*_bold.nii.gz'):
        image = nb.load(path)
        series = np.concatenate([np.asanyarray(image.dataobj)] * times, axis=-1)
        nb.save(nb.Nifti1Image(series, image.affine, image.header), path)
    return copy


def note_template(checks: Collector, out: Path, space: str) -> None:
    """A run that we brought to a template is told from one on the other, whatever its name; or it fits neither, and says so."""
    (other,) = set(SPACES) - {space}
    image, anatomy = (
        nb.load(next(out.rglob(f'*_space-{space}_*{kind}.nii.gz'))) for kind in ('boldref', 'desc-brain_mask')
    )
    mask = resample_to_img(anatomy, image, interpolation='nearest', force_resample=True, copy_header=True)
    mean, inside = np.asarray(image.dataobj, np.float32), np.asarray(mask.dataobj) > 0
    scan = Scan(image, inside, np.empty((1, 0)), mean, np.ones(1), np.ones(1, bool))
    right, wrong = fit_templates(scan, space), fit_templates(scan, other)
    fits = right.fits[space], right.fits[other]
    flags = ', '.join(wrong.flags()) or 'none'
    told = not right.flags() and wrong.flags() == [f'template_mismatch:{space}']
    checks.note(
        f'on {space}: template_mismatch by the other name alone, or poor_template_fit by both',
        f'fits {fits[0]:.3f} and {fits[1]:.3f}; by the other name: {flags}',
        told or right.flags() == wrong.flags() == ['poor_template_fit'],
    )


def note_anatomy(checks: Collector, facts: dict) -> None:
    """A 2 mm head with a neck and a strong coil profile is placed, cut out and matched to the template."""
    placed, dice, fit = (facts[name] for name in ('PlacementScore', 'MaskDice', 'TemplateCorrelation'))
    before, volume = facts['TemplateCorrelationAffine'], sum(facts['TissueVolumesML'].values())
    checks.note('head is placed (score > 0.6)', f'{placed:.2f}', placed > 0.6)
    checks.note('T1w mask fits the template (Dice > 0.93)', f'{dice:.3f}', dice > 0.93)
    checks.note('T1w fits better than after its affine', f'r {before:.2f}, then {fit:.2f}', fit > before)
    checks.note('brain of an adult (0.9 to 1.7 litres)', f'{volume:.0f} ml', 900 < volume < 1700)


def simulated_raw(context: Context) -> Collector:
    """Two raw sessions with a planted correlation: one anatomical reference, each session recovered."""
    checks, data, out = met('simulated_raw'), context.out / 'simulated', context.out / 'simulated_raw'
    voxel = '4' if context.sloppy else '3'
    options = ['--layout', 'raw', '--modalities', 'bold', '--participants', '1', '--voxel-size', voxel]
    options += ['--sessions', 'pre', 'post']
    if simulate([str(data), *options]):
        checks.note('dataset is written', 'no', False)
        return checks
    done = run_clbpe(context, data, out)
    checks.note('exit status 0', done.status, done.status == 0)
    references = (
        len(list(out.rglob('sub-01_*desc-preproc_T1w.nii.gz'))),
        len(list(out.rglob('sub-01_desc-preproc_T1w.nii.gz'))),
    )
    checks.note(
        'one reference of two T1w', references, references == (2, 1)
    )  # its own space, and the template
    truth = json.loads((data / 'sourcedata' / 'truth.json').read_text())['Runs']
    for session in ('pre', 'post'):
        stem = f'sub-01_ses-{session}_task-rest'
        z = read_matrix(out, stem).loc['NAc', 'mPFC']
        se = fisher_z_se(read_json(out, f'{stem}_*_qc.json')['DegreesOfFreedom'])
        error = (z - truth[stem]['FisherZ']) / se
        checks.note(f'{session}: planted z within 3 SE', f'{z:.2f}, {error:+.1f} SE', abs(error) < 3)
    checks.note('validator finds 0 errors', validator_errors(out) or 0, not validator_errors(out))
    return checks
