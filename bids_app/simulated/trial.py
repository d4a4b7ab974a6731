"""A simulated two-arm trial on disk: scans, tables and gene counts of one causal story."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.errors import ParameterError
from pipelines.simulated.trial import (
    Cohort,
    TrialParameters,
    answer_items,
    draw_cohort,
    planted_effects,
)
from pipelines.stats.design import GENE_SET

from ..phenotype.trial import DATA_DIR
from . import genes as gene_files
from . import tables as table_files
from .dataset import write_session
from .files import Request, check, describe_dataset, write_json
from .flaws import Flaws, draw_flaws, list_flaws
from .people import Person

SESSIONS = ('pre', 'post')
DERIVATIVES = {'fmriprep': 'bold', 'qsiprep': 'dwi'}
SMALLEST, FEWEST_GENES = 6, 500
_COHORT, _ITEMS, _FLAWS, _GENES = range(4)
_STREAM = 5000
"""Keeps the random numbers of the cohort apart from those of its scans."""

_ABOUT = """Simulated data: no person was scanned or asked. A trial of training against waiting, in which
training lowers the connectivity of nucleus accumbens and medial prefrontal cortex and the activity of
an inflammatory pathway, and through both, and by itself, pain. The values of everybody behind the
data, the equations' parameters, the effects that follow from them and the flaws of the data are given
in sourcedata/truth.json with the seed that reproduces all files.

code/trial.json is the trial file. Preprocessed scans are in derivatives/.
"""


def write_trial(request: Request) -> None:
    """Write the trial, with one line of progress per session.

    Raises
    ------
    OutputError
        The folder holds something already.
    ParameterError
        The trial is too small, or an option does not go with it.

    """
    check_trial(request)
    root = request.directory
    root.mkdir(parents=True, exist_ok=True)
    parameters = parameters_of(request)
    n = request.participants
    cohort = draw_cohort(_stream(request, _COHORT), n, (n + 1) // 2, parameters)
    items = answer_items(cohort.disability, _stream(request, _ITEMS))
    n_spared = n if request.layout == 'raw' else request.raw_participants
    flaws = draw_flaws(_stream(request, _FLAWS), n, n_spared if n - n_spared >= SMALLEST else 0)
    labels = [f'sub-{number + 1:0{max(2, len(str(n)))}d}' for number in range(n)]
    describe_dataset(root, 'raw', _ABOUT, (table_files.EVENTS,))
    table_files.write_people(root, labels, cohort)
    table_files.write_phenotype(root, labels, cohort, items, flaws, parameters.bdnf_limits)
    genes = gene_files.sequence(cohort, request.genes, _stream(request, _GENES))
    truth: dict[str, Any] = {
        'Seed': request.seed,
        'Parameters': parameters._asdict(),
        'Effects': planted_effects(parameters)._asdict(),
        'Genes': gene_files.write_genes(root, labels, genes, flaws),
        'Flaws': list_flaws(flaws, labels, SESSIONS),
        'People': _latent(labels, cohort),
    }
    write_json(root / 'code' / 'trial.json', trial_file(), sort_keys=False)  # reports keep the order
    for section, name, planted in _write_scans(request, labels, cohort, flaws):
        truth.setdefault(section, {})[name] = planted
    write_json(root / 'sourcedata' / 'truth.json', truth)


def check_trial(request: Request) -> None:
    """Refuse a trial that cannot be simulated."""
    if request.layout not in ('preprocessed', 'raw'):
        raise ParameterError(f'--trial --layout {request.layout}: choose preprocessed or raw.')
    if tuple(request.sessions) != SESSIONS or request.confounds:
        raise ParameterError(
            '--trial has its own sessions and confounds: leave out --sessions and --confounds.'
        )
    if request.participants < SMALLEST:
        raise ParameterError(f'--participants {request.participants}: a trial needs {SMALLEST} or more.')
    if request.genes < FEWEST_GENES:
        raise ParameterError(f'--genes {request.genes}: {FEWEST_GENES} or more are needed.')
    if request.raw_participants > request.participants:
        raise ParameterError(f'--raw-participants {request.raw_participants}: more than take part.')
    check(request.completed())


def parameters_of(request: Request) -> TrialParameters:
    """Return what the cohort is drawn from; without a tract there is no FA."""
    usual = TrialParameters()
    if not request.tract_fa:
        return usual._replace(fa_mean=0.0, fa_sd=0.0, fa_effect=0.0)
    return usual._replace(fa_mean=request.tract_fa)


def trial_file() -> dict[str, Any]:
    """Return the trial CLBPE with the sets of genes of this dataset, and its pathway as mediator."""
    content: dict[str, Any] = json.loads((DATA_DIR / 'trial.json').read_text())
    content.pop('$schema')
    content['Name'] = 'Simulation'
    content['Expression'] |= {
        'GeneSets': [gene_files.SETS],
        'Covariates': list(gene_files.COVARIATES),
    }
    own = f'{GENE_SET}{gene_files.PATHWAY}'
    for model in content['Mediation']:
        model['Mediators'] = [own if m.startswith(GENE_SET) else m for m in model['Mediators']]
    return content


def _stream(request: Request, purpose: int) -> np.random.Generator:
    return np.random.default_rng([request.seed, _STREAM, purpose])


def _latent(labels: list[str], cohort: Cohort) -> dict[str, dict[str, Any]]:
    """Return the latent values of everybody, rounded for reading."""
    names = [name for name in cohort._fields if name not in ('treated', 'age', 'female')]
    values = {name: np.round(getattr(cohort, name), 5).tolist() for name in names}
    values['attended'] = [None if np.isnan(value) else value for value in cohort.attended]
    return {label: {name: own[i] for name, own in values.items()} for i, label in enumerate(labels)}


def _write_scans(
    request: Request, labels: list[str], cohort: Cohort, flaws: Flaws
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Write the scans of everybody; yield section, name and content of what was planted."""
    parts = _parts(request)
    for number, label in enumerate(labels):
        is_raw = request.layout == 'raw' or number < request.raw_participants
        for order, session in enumerate(SESSIONS):
            if order and number in flaws.scan_lost:
                continue
            print(f'[{number + 1}/{len(labels)}] {label} ses-{session}', flush=True)
            for name, modality in (('raw', ''),) if is_raw else DERIVATIVES.items():
                person = _person(request, label, number, order, cohort, flaws)
                part = parts[name]
                if number == flaws.no_dwi and modality == 'dwi':
                    continue
                if number == flaws.no_dwi and not modality:
                    part = replace(part, modalities=('bold',))
                yield from write_session(part, person, None)


def _parts(request: Request) -> dict[str, Request]:
    """Return the request of every dataset of scans, and describe those that there are."""
    root = request.directory
    parts = {'raw': replace(request, layout='raw').completed()}
    for name, modality in DERIVATIVES.items():
        folder = root / 'derivatives' / name
        own = replace(request, directory=folder, layout=name, modalities=(modality,)).completed()
        parts[name] = own
        if request.layout != 'raw':
            folder.mkdir(parents=True)
            describe_dataset(folder, name, _ABOUT)
    return parts


def _person(request: Request, label: str, number: int, order: int, cohort: Cohort, flaws: Flaws) -> Person:
    seeds = (request.seed, number, order + 1)
    return Person(
        subject=label.removeprefix('sub-'),
        session=SESSIONS[order],
        rho=round(float(np.tanh(cohort.connectivity[number, order])), 4),
        rng=np.random.default_rng(seeds),
        fa=round(float(np.clip(cohort.fa[number, order], 0, 0.95)), 4),
        seeds=seeds,
        flaw=flaws.of_run(number, order),
    )
