"""Simulate trials of known truth, analyze them as the group level does, and record whether intervals hold it.

Truth is what the same model estimates of the measured values in a very large cohort.  Measured values of that
cohort are drawn from how measured values of other trials lie about the latent ones; see ``docs/simulate.md``.

Everything but FA is measured by the program's own functions in every trial.  Tracking takes too long for that:
FA is drawn from how the participant level measured it in one trial, ``tract_fa.tsv``.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd

from bids_app.simulated import genes as gene_files
from bids_app.simulated.anatomy import Anatomy, load_anatomy
from bids_app.simulated.files import TRIAL_SIZES, Request, write_json, write_nifti, write_simulated_table
from bids_app.simulated.flaws import Flaws, draw_flaws
from bids_app.simulated.people import Person
from bids_app.simulated.series import noise_masks, simulate_run
from pipelines.errors import DegreesOfFreedomError
from pipelines.interfaces.connectivity import region_matrix
from pipelines.interfaces.denoise import region_series
from pipelines.interfaces.design import make_design
from pipelines.interfaces.regions import make_regions
from pipelines.numerics.clean import reduce_series
from pipelines.params import DenoiseParams
from pipelines.simulated.confounds import confounds
from pipelines.simulated.trial import (
    Cohort,
    Effects,
    TrialParameters,
    answer_items,
    draw_cohort,
    planted_effects,
    rate_pain,
)
from pipelines.stats.change import ancova
from pipelines.stats.design import Outcome, OutcomesDesign, Visit
from pipelines.stats.expression import differential_expression
from pipelines.stats.mediate import mediate
from pipelines.stats.mediation_model import PathModel
from pipelines.stats.outcomes import model_outcomes
from pipelines.stats.scores import pathway_scores
from pipelines.terms import default_circuit
from tests.acceptance.studies import divide, spread
from tests.four_samples import fit_four_samples

SEED = 20260301
N_PEOPLE, N_GENES, N_BOOTSTRAPS = 57, 2000, 1000
N_LARGE = 40_000
N_TRIALS, N_OTHERS = 20, 10
TABLE = 'recovery.tsv'
TRACTS = Path(__file__).resolve().parents[2] / 'golden' / 'tract_fa.tsv'
SPACE = 'MNI152NLin6Asym'
VISITS = (
    Visit(name='baseline', session_id='ses-pre', is_baseline=True),
    Visit(name='followup', session_id='ses-post', is_primary=True),
)
FC, FA, SCORE, NRS = 'fc_nac_mpfc', 'fa_nac_mpfc', 'expression:INFLAMMATION', 'nrs'
OUTCOMES = (NRS, 'odi', 'submap85', 'sixmwd', FC, FA)
LATENT = {
    NRS: 'pain', 'odi': 'disability', 'submap85': 'submap85', 'sixmwd': 'sixmwd', FC: 'connectivity', FA: 'fa',
}  # fmt: skip
MODELS = {
    'connectivity': PathModel('connectivity', 'arm', (FC,), NRS, (f'{FC}_0', f'{NRS}_0')),
    'inflammation': PathModel('inflammation', 'arm', (SCORE,), NRS, (f'{SCORE}_0', f'{NRS}_0')),
    'parallel': PathModel(
        'parallel', 'arm', (FC, SCORE), NRS, (f'{FC}_0', f'{SCORE}_0', f'{NRS}_0'), structure='parallel'
    ),
}  # fmt: skip
PATHS = ('a', 'b', 'indirect', 'joint_indirect', 'direct', 'total')


class Scanner:
    """What all runs share: the template, the regions of the program, and a folder for its files."""

    def __init__(self, folder: Path) -> None:
        """Put the regions on the grid of the runs."""
        self.folder = folder
        self.request = Request(folder, **TRIAL_SIZES)
        self.anatomy: Anatomy = load_anatomy(SPACE, TRIAL_SIZES['voxel_size'])
        a = self.anatomy
        mask = folder / 'mask.nii.gz'
        write_nifti(mask, [a.mask], a.mask.shape, a.affine, dtype=np.uint8)
        found = make_regions(mask, SPACE, default_circuit(), out_dir=folder)
        stack = np.asarray(nb.load(found.regions).dataobj) > 0
        self.members = np.moveaxis(stack, -1, 0)[:, a.mask]
        self.bold = folder / 'bold.nii.gz'  # only its number of volumes is looked at
        shape = (1, 1, 1, self.request.n_volumes)
        write_nifti(self.bold, [np.ones(shape[:3])] * shape[3], shape, np.eye(4), t_r=self.request.t_r)

    def measure(self, person: Person) -> float:
        """Simulate a run and return its Fisher z of both regions, as the participant level computes it."""
        sources, series = simulate_run(self.request, self.anatomy, person)
        table, about = confounds(series, noise_masks(self.anatomy), sources.motion, self.request.t_r)
        paths = self.folder / 'confounds.tsv', self.folder / 'confounds.json'
        write_simulated_table(paths[0], table)
        write_json(paths[1], about)
        params = DenoiseParams()
        made = make_design(
            self.bold,
            paths[0],
            params,
            self.request.t_r,
            'run',
            confounds_metadata=paths[1],
            out_dir=self.folder,
        )
        with np.load(made.operator) as archive:
            factors = dict(archive)
        inside = self.members.any(axis=0)
        stored = np.rint(series[:, inside]).astype(np.float32)
        reduced = reduce_series(factors['reduce'], stored)
        means = region_series(reduced, factors['expand'], self.members[:, inside], default_circuit())
        return float(region_matrix(means[list(default_circuit().regions)]).loc['NAc', 'mPFC'])


class Trial(NamedTuple):
    """One trial: its people, and what was measured of them; (n, 2) each, NaN where it is missing."""

    cohort: Cohort
    measured: dict[str, np.ndarray]
    bdnf: np.ndarray


def scan_cohort(scanner: Scanner, cohort: Cohort, flaws: Flaws, number: int) -> np.ndarray:
    """Return measured connectivity (n, 2) of everybody."""
    z = np.full(cohort.connectivity.shape, np.nan)
    for who, visit in np.ndindex(z.shape):
        if visit and who in flaws.scan_lost:
            continue
        seeds = (SEED, number, who, visit)
        rng, rho = np.random.default_rng(seeds), float(np.tanh(cohort.connectivity[who, visit]))
        try:
            z[who, visit] = scanner.measure(Person('01', 'pre', rho, rng, flaw=flaws.of_run(who, visit)))
        except DegreesOfFreedomError:
            continue  # the participant level refuses the scan, too
    return z


def score_cohort(cohort: Cohort, flaws: Flaws, rng: np.random.Generator) -> np.ndarray:
    """Return scores of the pathway (n, 2) from counts."""
    found = gene_files.sequence(cohort, N_GENES, rng)
    drawn = found.drawn
    lost = {(p, 0) for p in flaws.first_rna_lost} | {(p, 1) for p in flaws.last_rna_lost}
    samples = pd.DataFrame(
        {
            'sample_id': [f's{k}' for k in range(len(found.person))],
            'participant_id': [f'{who:03d}' for who in found.person],
            'arm': np.where(drawn.treated, 'exercise', 'waitlist'),
            'visit': np.where(drawn.followup, 'followup', 'reference'),
            'batch': [f'b{number}' for number in drawn.batch],
            'neutrophils': drawn.neutrophils,
        }
    )
    kept = [(int(p), int(v)) not in lost for p, v in zip(found.person, drawn.followup)]
    genes = [f'gene{k}' for k in range(len(drawn.counts))]
    samples = samples[kept]
    counts = pd.DataFrame(drawn.counts[:, kept], genes, samples['sample_id'])
    fit = differential_expression(
        counts, samples, arms=('exercise', 'waitlist'), covariates=gene_files.COVARIATES
    ).fit
    members = tuple(genes[g] for g in drawn.pathways[0])
    scores = pathway_scores(fit.vst, {gene_files.PATHWAY: members}).loc[gene_files.PATHWAY]
    table = np.full((len(cohort.treated), 2), np.nan)
    at = samples.set_index('sample_id').loc[scores.index]
    table[at['participant_id'].astype(int), (at['visit'] == 'followup').astype(int)] = scores
    return table


def simulate_trial(scanner: Scanner, number: int, tracts: 'Instrument') -> Trial:
    """Draw and measure a trial; each has seeds of its own."""
    rng = np.random.default_rng([SEED, number])
    cohort = draw_cohort(rng, N_PEOPLE, (N_PEOPLE + 1) // 2)
    flaws = draw_flaws(rng, N_PEOPLE)
    measured = measure_tables(cohort, rng)
    measured[NRS][list(flaws.rating_lost), 1] = np.nan
    measured[FC] = scan_cohort(scanner, cohort, flaws, number)
    measured[SCORE] = score_cohort(cohort, flaws, rng)
    measured[FA] = tracts.read(cohort.fa, np.random.default_rng([SEED, number, 1]))
    measured[FA][list(flaws.scan_lost), 1] = np.nan
    measured[FA][flaws.no_dwi] = np.nan
    bdnf = np.exp(cohort.log_bdnf)
    bdnf[flaws.bdnf_lost] = np.nan
    return Trial(cohort, measured, bdnf)


def measure_tables(cohort: Cohort, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what stands in the tables of the instruments."""
    return {
        NRS: rate_pain(cohort.pain),
        'odi': answer_items(cohort.disability, rng).sum(axis=-1),
        'submap85': np.rint(cohort.submap85),
        'sixmwd': np.rint(cohort.sixmwd),
    }


def analyze(trial: Trial, seed: int) -> pd.DataFrame:
    """Return ``quantity estimate ci_low ci_high`` by the models of the group level."""
    treated = trial.cohort.treated
    labels = [f'{who:03d}' for who in range(len(treated))]
    people = pd.DataFrame({'participant_id': labels, 'arm': np.where(treated, 'exercise', 'waitlist')})
    people = people.assign(age=trial.cohort.age.astype(float), sex=np.where(trial.cohort.female, 'F', 'M'))
    values = pd.concat(
        pd.DataFrame(
            {'participant_id': labels, 'visit': visit, 'outcome': name, 'value': values[:, k], 'flags': ''}
        )
        for name, values in trial.measured.items()
        for k, visit in enumerate(('baseline', 'followup'))
    )
    design = OutcomesDesign(
        treated=('exercise',), control='waitlist', outcomes=tuple(Outcome(name=name) for name in OUTCOMES),
        visits=VISITS,
    )  # fmt: skip
    found = model_outcomes(values, people, design)
    rows = found[found['model'] == 'clda'].rename(columns={'outcome': 'quantity'})
    parts = [rows, *mediations(trial, seed, N_BOOTSTRAPS), bdnf_contrasts(trial)]
    return pd.concat(parts, ignore_index=True)[['quantity', 'estimate', 'ci_low', 'ci_high']]


def mediations(trial: Trial, seed: int, n_bootstraps: int) -> Iterable[pd.DataFrame]:
    """Yield the paths of every mediation."""
    columns = {'arm': trial.cohort.treated.astype(float)}
    for name in (FC, SCORE, NRS):
        columns[f'{name}_0'], columns[name] = trial.measured[name].T
    for name, model in MODELS.items():
        rng = np.random.default_rng([SEED, seed, 1])
        paths = mediate(pd.DataFrame(columns), model, rng, n_bootstraps=n_bootstraps).paths
        paths = paths[paths['path'].isin(PATHS)]
        mediator = paths['mediator'].fillna('') if name == 'parallel' else ''
        yield paths.assign(quantity=name + ' ' + paths['path'] + ' ' + mediator)


def bdnf_contrasts(trial: Trial) -> pd.DataFrame:
    """Return the differences between arms in the responses of BDNF."""
    who, session, post = (grid.ravel() for grid in np.indices(trial.bdnf.shape))
    fit = fit_four_samples(
        trial.bdnf.ravel(), who, 2 * session + post, trial.cohort.treated[who], TrialParameters().bdnf_limits
    )
    own = fit.contrasts[fit.contrasts['arm'] == 'difference']
    return own.assign(quantity='bdnf ' + own['contrast'])


class Instrument(NamedTuple):
    """How measured values lie about latent ones: a polynomial, and the covariance of errors of two visits."""

    slopes: np.ndarray
    errors: np.ndarray

    def read(self, latent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return measured values (n, 2)."""
        noise = rng.multivariate_normal(np.zeros(2), self.errors, len(latent))
        return np.polyval(self.slopes, latent) + noise


def calibrate(trials: Iterable[Trial], name: str, latent: str, degree: int) -> Instrument:
    """Learn an instrument from trials without looking at arms."""
    pairs = [(getattr(t.cohort, latent), t.measured[name]) for t in trials]
    true, seen = (np.concatenate(part) for part in zip(*pairs))
    known = ~np.isnan(seen).any(axis=1)
    slopes = np.polyfit(true[known].ravel(), seen[known].ravel(), degree)
    return Instrument(slopes, np.cov((seen - np.polyval(slopes, true))[known].T))


def tract_instrument(table: pd.DataFrame) -> Instrument:
    """Learn from people with both visits how FA is measured."""
    wide = table.pivot(index='participant_id', columns='session_id', values=['latent', 'measured']).dropna()
    true, seen = (wide[part][['pre', 'post']].to_numpy() for part in ('latent', 'measured'))
    slopes = np.polyfit(true.ravel(), seen.ravel(), 1)
    return Instrument(slopes, np.cov((seen - np.polyval(slopes, true)).T))


def estimands(trials: list[Trial], tracts: Instrument) -> dict[str, float]:
    """Return what the models estimate in a very large cohort."""
    rng = np.random.default_rng([SEED, 999_999])
    cohort = draw_cohort(rng, N_LARGE, N_LARGE // 2)
    measured = measure_tables(cohort, rng)
    measured[FC] = calibrate(trials, FC, 'connectivity', 3).read(cohort.connectivity, rng)
    measured[SCORE] = calibrate(trials, SCORE, 'expression', 1).read(cohort.expression, rng)
    measured[FA] = tracts.read(cohort.fa, rng)
    large = Trial(cohort, measured, np.empty(0))
    found = {}
    for name in OUTCOMES:
        baseline, followup = measured[name].T
        found[name] = ancova(baseline, followup, cohort.treated.astype(float)).effect.estimate
    for paths in mediations(large, 0, 99):
        found |= dict(zip(paths['quantity'], paths['estimate']))
    effects = planted_effects(TrialParameters())
    acute = effects.bdnf_acute_s7, effects.bdnf_acute_s42
    found |= {
        'bdnf acute_s7': acute[0],
        'bdnf acute_s42': acute[1],
        'bdnf change_of_acute': acute[1] - acute[0],
    }
    return {**found, 'bdnf resting_change': effects.bdnf_resting_change}


def latent_values(effects: Effects) -> dict[str, float]:
    """Return the effects on latent values where a quantity has one."""
    other_than = {
        'connectivity': effects.pain - effects.pain_by_connectivity,
        'inflammation': effects.pain - effects.pain_by_expression,
    }
    by = {'connectivity': effects.pain_by_connectivity, 'inflammation': effects.pain_by_expression}
    found = {name: getattr(effects, LATENT[name]) for name in OUTCOMES}
    for name, indirect in by.items():
        found |= {f'{name} indirect ': indirect, f'{name} direct ': other_than[name]}
        found[f'{name} total '] = effects.pain
    found |= {f'parallel indirect {FC}': by['connectivity'], f'parallel indirect {SCORE}': by['inflammation']}
    return found


def simulate_trials(trials: range) -> list[Trial]:
    """Return these trials as they were measured."""
    tracts = tract_instrument(pd.read_csv(TRACTS, sep='\t'))
    with tempfile.TemporaryDirectory() as folder:
        scanner = Scanner(Path(folder))
        return [simulate_trial(scanner, number, tracts) for number in trials]


def simulate(trials: range) -> pd.DataFrame:
    """Return what the models estimate in these trials."""
    return pd.concat(analyze(trial, number) for number, trial in zip(trials, simulate_trials(trials)))


def summarise(estimates: pd.DataFrame, truth: dict[str, float]) -> pd.DataFrame:
    """Return how often intervals hold the truth."""
    table = estimates.assign(truth=estimates['quantity'].map(truth))
    table['held'] = table['truth'].between(table['ci_low'], table['ci_high'])
    table['excludes_zero'] = ~pd.Series(0.0, table.index).between(table['ci_low'], table['ci_high'])
    summary = table.groupby('quantity', sort=False).agg(
        truth=('truth', 'first'), mean=('estimate', 'mean'), sd=('estimate', 'std'),
        held=('held', 'sum'), excludes_zero=('excludes_zero', 'sum'), n=('held', 'size'),
    )  # fmt: skip
    summary.insert(0, 'latent', pd.Series(latent_values(planted_effects(TrialParameters()))))
    return summary.reset_index()


def make() -> pd.DataFrame:
    """Return the table; how measured values lie about latent ones is learned from trials of their own."""
    others = [trial for part in divide(simulate_trials, range(1000, 1000 + N_OTHERS)) for trial in part]
    truth = estimands(others, tract_instrument(pd.read_csv(TRACTS, sep='\t')))
    return summarise(spread(simulate, range(N_TRIALS)), truth)
