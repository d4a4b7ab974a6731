"""Simulate gene expression of trials of known truth and record what differential expression finds."""

import numpy as np
import pandas as pd

from pipelines.simulated.counts import SimulatedCounts, simulate_counts
from pipelines.stats.enrich import preranked, signed_root
from pipelines.stats.expression import differential_expression
from tests.acceptance.studies import spread

SEED = 20260101
N_TRIALS = 20
N_GENES = 12_000
LEVEL = 0.1
COVARIATES = ('batch', 'neutrophils')
TABLE = 'expression_recovery.tsv'


def tables(drawn: SimulatedCounts) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return counts and samples as an analysis takes them."""
    genes = [f'gene{number:05d}' for number in range(len(drawn.counts))]
    visits = np.where(drawn.followup, 'followup', 'reference')
    names = [f'{who:02d}_{visit}' for who, visit in zip(drawn.participant, visits)]
    samples = pd.DataFrame(
        {
            'sample_id': names,
            'participant_id': [f'{who:02d}' for who in drawn.participant],
            'arm': np.where(drawn.treated, 'exercise', 'waitlist'),
            'visit': visits,
            'batch': [f'b{number}' for number in drawn.batch],
            'neutrophils': drawn.neutrophils,
        }
    )
    return pd.DataFrame(drawn.counts, index=genes, columns=names), samples


def trial(number: int, n_genes: int = N_GENES, covariates: tuple[str, ...] = COVARIATES) -> dict[str, float]:
    """Simulate a trial, analyse it and compare with the truth; each has a seed of its own."""
    n_changed = n_genes // 40
    drawn = simulate_counts(
        np.random.default_rng([SEED, number]), n_genes=n_genes, n_changed=n_changed, n_pathways=n_genes // 240
    )
    counts, samples = tables(drawn)
    found = differential_expression(counts, samples, arms=('exercise', 'waitlist'), covariates=covariates)
    table = found.table[found.table['contrast'] == 'difference'].set_index('gene_id')
    planted = pd.Series(drawn.effect, counts.index) != 0
    called = table.index[table['padj'] < LEVEL]
    null = table['pvalue'][~planted[table.index]].dropna()
    sets = {f'set{i:02d}': tuple(counts.index[genes]) for i, genes in enumerate(drawn.pathways)}
    ranking = preranked(signed_root(table['F'], table['log2FoldChange']), sets, seed=SEED)['set'].tolist()
    return {
        'trial': number,
        'n_genes': len(table),
        'n_called': len(called),
        'n_false': int((~planted[called]).sum()),
        'false_discovery_proportion': (~planted[called]).sum() / max(len(called), 1),
        'sensitivity': planted[called].sum() / planted.sum(),
        'null_below_05': (null < 0.05).mean(),
        'pathway_rank': ranking.index('set00') + 1,
    }


def simulate(trials: range) -> pd.DataFrame:
    """Return what these trials found, one row each."""
    return pd.DataFrame([trial(number) for number in trials])


def make() -> pd.DataFrame:
    """Return the table."""
    return spread(simulate, range(N_TRIALS))
