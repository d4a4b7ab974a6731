"""A planted correlation comes back: simulated BOLD under real confounds, in both templates.

The true value of a run is the Fisher z of its two planted series after least squares on a design
that is built here from fMRIPrep's table alone: motion and derivatives, five components of white
matter and five of fluid, cosines, trend, stop band, and one spike per volume left out.
"""

import json
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.simulated.anatomy import Anatomy, load_anatomy
from bids_app.simulated.files import Given, Request, write_top
from bids_app.simulated.fmriprep import write_fmriprep
from bids_app.simulated.people import draw_people
from pipelines.interfaces import connectivity, denoise, design, regions
from pipelines.params import CircuitMaps, DenoiseParams
from pipelines.simulated import series as simulate
from pipelines.terms import default_circuit

pytestmark = [pytest.mark.real, pytest.mark.slow]

SPACES = ['MNI152NLin6Asym', 'MNI152NLin2009cAsym']
N, T_R, N_SEEDS = 240, 2.0, 50
BAND = 0.008, 0.09  # Hz
BOX_MM = np.array([[-30.0, -5, -45], [30, 75, 15]])
VOXEL = 4.0


class Model(NamedTuple):
    """A nuisance model by this file's own means: a basis, what it leaves, and what the scan is made of."""

    basis: np.ndarray
    dof: int
    path: Path
    given: Given

    @property
    def se(self):
        return 1 / np.sqrt(self.dof - 2)

    def true_z(self, series):
        residual = series - self.basis @ np.linalg.lstsq(self.basis, series, rcond=None)[0]
        return np.arctanh(np.corrcoef(residual.T)[0, 1])


@pytest.fixture(scope='module')
def models(test_data):
    paths = sorted(test_data.glob('confounds/*/sub-*/func/*_desc-confounds_regressors.tsv'))
    assert len(paths) == 3
    return [nuisance_model(path) for path in paths]


def nuisance_model(path):
    table = pd.read_csv(path, sep='\t', na_values='n/a')
    about = json.loads(path.with_suffix('.json').read_text())
    motion = [f'{kind}_{axis}' for kind in ('trans', 'rot') for axis in 'xyz']
    components = []
    for tissue in ('WM', 'CSF'):  # columns of the table go from the strongest to the weakest
        components += [n for n in table if n.startswith('a_comp_cor') and about[n]['Mask'] == tissue][:5]
    names = [*motion, *(f'{n}_derivative1' for n in motion), *components]
    names += [n for n in table if n.startswith('cosine')]
    cosines = np.cos(np.pi / N * np.outer(np.arange(N) + 0.5, np.arange(N)))
    hertz = np.arange(N) / (2 * N * T_R)
    outside = (hertz < BAND[0]) | (hertz > BAND[1])  # the constant among them
    spikes = np.eye(N)[:, table['framewise_displacement'].fillna(0) > 0.5]
    columns = np.hstack([cosines[:, outside], np.arange(N)[:, None], table[names].fillna(0), spikes])
    basis, size, _ = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), full_matrices=False)
    basis = basis[:, size > 1e-7 * size[0]]
    standard = (table[components] - table[components].mean()) / table[components].std()
    given = Given(
        path.read_bytes(),
        path.with_suffix('.json').read_bytes(),
        table[motion].to_numpy(),
        standard.to_numpy(),
    )
    return Model(basis, N - basis.shape[1], path, given)


@pytest.fixture(scope='module', params=[(SPACES[1], 2)], ids=SPACES[1:])
def whole_run(request, tmp_path_factory, models):
    """Return space, output folder, planted series and true model of a run of the whole brain at 2 mm."""
    (space, number), folder = request.param, tmp_path_factory.mktemp('recovery')
    model, root, out = models[number], folder / 'fmriprep', folder / 'out'
    wanted = Request(root, participants=1, sessions=['pre'], space=space, seed=7)
    person, again = (next(iter(draw_people(wanted))) for _ in range(2))
    write_fmriprep(wanted, load_anatomy(space, 2.0), 2.0, person, model.given)
    write_top(wanted, root)
    words = ['participant', '-d', f'fmriprep={root}', '-w', str(folder / 'work'), '--nprocs', '1']
    assert main([str(root), str(out), *words]) == 0
    drawn = simulate.draw_sources(N, T_R, again.rho, again.rng, model.given.motion, model.given.components)
    return space, out, drawn.regions, model


def of_run(out, space, name):
    func = out / 'sub-01' / 'ses-pre' / 'func'
    return func / f'sub-01_ses-pre_task-rest_space-{space}_res-2_{name}'


def test_a_whole_run_recovers_what_was_planted(whole_run):
    """Both sides and both together, within 3 SE; noise of 110 voxels or more leaves it within 0.2 SE."""
    space, out, planted, model = whole_run
    table = of_run(out, space, 'atlas-HarvardOxfordFrontalMedial_stat-fisherz_relmat.tsv')
    z = pd.read_csv(table, sep='\t', index_col='node')
    errors = [
        z.loc[a, b] - model.true_z(planted)
        for a, b in (('NAc', 'mPFC'), ('NAcL', 'mPFCL'), ('NAcR', 'mPFCR'))
    ]
    assert np.abs(errors).max() < 3 * model.se
    assert np.abs(errors).max() < 0.2 * model.se


def test_degrees_of_freedom_are_those_of_the_model(whole_run):
    _, out, _, model = whole_run
    qc = json.loads(next(out.rglob('*desc-denoise_qc.json')).read_text())
    assert qc['DegreesOfFreedom'] == model.dof
    assert qc['FisherZStandardError'] == pytest.approx(model.se, abs=1e-6)
    outliers = pd.read_csv(next(out.rglob('*desc-denoise_outliers.tsv')), sep='\t')
    assert qc['NKept'] == N - outliers.any(axis=1).sum()


def test_the_written_design_spans_the_same_model(whole_run):
    """The volumes that outliers.tsv keeps of design.tsv span what this file removes from them."""
    _, out, _, model = whole_run
    written = pd.read_csv(next(out.rglob('*desc-denoise_design.tsv')), sep='\t').to_numpy(float)
    kept = ~pd.read_csv(next(out.rglob('*desc-denoise_outliers.tsv')), sep='\t').any(axis=1).to_numpy()
    columns = np.zeros_like(written)
    columns[kept] = written[kept] / np.linalg.norm(written[kept], axis=0)
    assert np.abs(columns - model.basis @ (model.basis.T @ columns)).max() < 1e-7  # 8 digits are written
    assert np.linalg.matrix_rank(columns, tol=1e-6) + np.sum(~kept) == N - model.dof


def test_the_seed_map_is_high_where_it_was_planted(whole_run):
    """A voxel of mPFC carries 1.2 % of signal on 1 % of noise: its z lies far above that of the brain."""
    space, out, _, model = whole_run
    labels = nb.load(next(out.rglob('*_dseg.nii.gz'))).get_fdata()
    z = nb.load(of_run(out, space, 'seg-NAc_stat-fisherz_boldmap.nii.gz')).get_fdata()
    assert z.shape == labels.shape
    elsewhere = (z != 0) & (labels == 0)
    assert np.median(z[labels > 3]) > 3 * model.se
    assert abs(np.median(z[elsewhere])) < model.se


def cropped(space):
    """Return the template's brain in a box about both regions, at 4 mm."""
    whole = load_anatomy(space, VOXEL)
    inverse = np.linalg.inv(whole.affine)
    corners = np.sort(np.rint(BOX_MM @ inverse[:3, :3].T + inverse[:3, 3]).astype(int), axis=0)
    box = tuple(slice(low, high) for low, high in corners.T)
    affine = whole.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ corners[0]
    return Anatomy(
        whole.brain[box], affine, whole.mask[box], simulate.Tissues(*(t[box] for t in whole.tissues)),
        whole.regions[:, *box], whole.network[box],
    )  # fmt: skip


class Scanner:
    """Simulate and analyse many runs on one grid; regions and operators are made once."""

    def __init__(self, space, folder, models):
        self.anatomy, self.folder = cropped(space), folder
        self.bold, self.mask = folder / 'bold.nii', folder / 'mask.nii'
        nb.save(nb.Nifti1Image(self.anatomy.mask.astype(np.uint8), self.anatomy.affine), self.mask)
        drawn = regions.make_regions(self.mask, space, default_circuit(), out_dir=folder)
        self.drawn = drawn.regions, drawn.tissue, drawn.brain
        self.designs = {}
        for model in models:
            out = folder / model.path.stem
            out.mkdir()
            self.write(np.zeros((N, int(self.anatomy.mask.sum()))))
            self.designs[model.path] = design.make_design(
                self.bold, model.path, DenoiseParams(), T_R, 'run',
                confounds_metadata=model.path.with_suffix('.json'), out_dir=out,
            )  # fmt: skip

    def write(self, series):
        volume = np.zeros((*self.anatomy.mask.shape, N), np.float32)
        volume[self.anatomy.mask] = series.T
        nb.save(nb.Nifti1Image(volume, self.anatomy.affine), self.bold)

    def measure(self, sources, model, rng):
        """Write one run, analyse it and return z of both sides together."""
        a, made = self.anatomy, self.designs[model.path]
        weights = simulate.source_weights(a.tissues, a.regions, a.network, a.mask, rng)
        self.write(simulate.simulate_series(simulate.baseline(a.brain, a.mask), weights, sources, rng))
        cleaned = denoise.clean_series(
            self.bold, self.mask, made.operator, *self.drawn, model.path, CircuitMaps(circuit=default_circuit(), fwhm=0.0), T_R, made.metadata,
            out_dir=self.folder,
        )  # fmt: skip
        maps = connectivity.map_seeds(
            cleaned.smoothed,
            cleaned.analysis_mask,
            made.operator,
            cleaned.timeseries,
            default_circuit(),
            out_dir=self.folder,
        )
        return pd.read_csv(maps.relmat, sep='\t', index_col='node').loc['NAc', 'mPFC']


@pytest.fixture(scope='module', params=SPACES[:1])
def scanner(request, tmp_path_factory, models):
    return Scanner(request.param, tmp_path_factory.mktemp('seeds'), models)


def draw(given, rho, rng):
    """Draw sources that share a part with the confounds, so that only the projection shows rho."""
    slow = simulate.slow_series(N, T_R, 3, rng)
    pair = np.column_stack([slow[:, 0], rho * slow[:, 0] + np.sqrt(1 - rho**2) * slow[:, 1]])
    shared = given.components @ rng.standard_normal((given.components.shape[1], 1))
    return simulate.Sources(
        pair + 0.8 * shared / shared.std(), slow[:, 2], given.components[:, :3], given.motion
    )


def randomise_phases(series, rng):
    """Return a series of the same spectrum whose phases are random (T even)."""
    spectrum = np.fft.rfft(series)
    phases = rng.uniform(0, 2 * np.pi, len(spectrum))
    phases[[0, -1]] = 0
    return np.fft.irfft(np.abs(spectrum) * np.exp(1j * phases), len(series))


def test_the_mean_error_of_50_seeds_vanishes(scanner, models):
    """Each within 3 SE of its own true value, the mean within 2 SE / sqrt(50).

    Noise of about 30 voxels (1 % each, against 1.2 % of signal) adds errors of 0.17 SE; a wrong model
    adds more: 0.28 SE without scrubbing, 0.4 SE without the upper edge of the band.  Without any
    projection the part shared with the confounds would move z by 0.2 and more.
    """
    errors, shifts = [], []
    for seed in range(N_SEEDS):
        rng, model = np.random.default_rng([20260101, seed]), models[seed % len(models)]
        sources = draw(model.given, rng.uniform(-0.3, 0.8), rng)
        truth = model.true_z(sources.regions)
        errors.append((scanner.measure(sources, model, rng) - truth) / model.se)
        shifts.append(np.arctanh(np.corrcoef(sources.regions.T)[0, 1]) - truth)
    assert np.abs(errors).max() < 3
    assert abs(np.mean(errors)) < 2 / np.sqrt(N_SEEDS)
    assert np.std(errors) < 0.25
    assert np.mean(shifts) > 0.2


def test_a_phase_randomised_seed_gives_nothing(scanner, models):
    """Twenty surrogates of NAc's series: each z within 3 SE of 0."""
    z = []
    for seed in range(20):
        rng, model = np.random.default_rng([20260102, seed]), models[seed % len(models)]
        sources = draw(model.given, 0.7, rng)
        sources.regions[:, 0] = randomise_phases(sources.regions[:, 0], rng)
        z.append(scanner.measure(sources, model, rng) / model.se)
    assert np.abs(z).max() < 3
    # and the standard error has the right size: RMS of 20 standard normal values, 3 SD
    assert np.sqrt(np.mean(np.square(z))) < 1.4
