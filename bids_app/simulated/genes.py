"""Gene expression of a simulated trial: counts, their samples, and sets of genes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from isal.igzip import IGzipFile

from pipelines.simulated.counts import PATHWAY_SIZE, SimulatedCounts, simulate_counts
from pipelines.simulated.trial import Cohort

from .flaws import Flaws
from .tables import numbers, write_texts

PATHWAY = 'INFLAMMATION'
COUNTS, SAMPLES, SETS = 'sourcedata/rnaseq/counts.tsv.gz', 'phenotype/rnaseq.tsv', 'code/genesets.gmt'
COVARIATES = ('batch', 'neutrophils')
_VISITS = ('wk3', 'wk14')
_CHANGED, _PER_SET, _MOST_SETS = 40, 240, 50
_INTEGRITY = (7.0, 9.8)


class Sequenced(NamedTuple):
    """Counts of a cohort; ``person`` (2 n,) is whose sample each column is."""

    drawn: SimulatedCounts
    person: np.ndarray
    integrity: np.ndarray


def sequence(cohort: Cohort, n_genes: int, rng: np.random.Generator) -> Sequenced:
    """Draw counts in which the first pathway is as active as the cohort says."""
    order = np.argsort(~cohort.treated, kind='stable')  # those who train come first
    drawn = simulate_counts(
        rng, n_people=len(order), n_treated=int(cohort.treated.sum()), n_genes=n_genes,
        n_changed=n_genes // _CHANGED, n_pathways=min(_MOST_SETS, n_genes // _PER_SET),
        shifts=cohort.expression[order],
    )  # fmt: skip
    return Sequenced(drawn, order[drawn.participant], rng.uniform(*_INTEGRITY, len(drawn.participant)))


def write_genes(root: Path, labels: Sequence[str], found: Sequenced, flaws: Flaws) -> dict[str, Any]:
    """Write counts, samples and sets; return what was planted."""
    lost = {(p, 0) for p in flaws.first_rna_lost} | {(p, 1) for p in flaws.last_rna_lost}
    drawn = found.drawn
    at = {(int(p), int(v)): k for k, (p, v) in enumerate(zip(found.person, drawn.followup))}
    kept = [key for key in sorted(at) if key not in lost]
    names = {key: f'{labels[key[0]]}_{_VISITS[key[1]]}' for key in kept}
    genes = [f'gene{number + 1:05d}' for number in range(len(drawn.counts))]
    _write_counts(root / COUNTS, genes, list(names.values()), drawn.counts[:, [at[key] for key in kept]])
    _write_samples(root / SAMPLES, labels, found, at, names)
    sets = {
        PATHWAY if k == 0 else f'PATHWAY_{k + 1:02d}': [genes[g] for g in members]
        for k, members in enumerate(drawn.pathways)
    }
    path = root / SETS
    path.parent.mkdir(parents=True, exist_ok=True)
    about = [f'{PATHWAY_SIZE} genes that move together', *['nothing planted'] * (len(sets) - 1)]
    lines = ['\t'.join([name, text, *own]) for (name, own), text in zip(sets.items(), about)]
    path.write_text('\n'.join(lines) + '\n')
    planted = np.flatnonzero(drawn.effect)
    effects = {genes[g]: round(float(drawn.effect[g]), 4) for g in planted}
    return {'Pathway': PATHWAY, 'Log2EffectOnChange': effects, 'Covariates': list(COVARIATES)}


def _write_counts(path: Path, genes: Sequence[str], names: Sequence[str], counts: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ['\t'.join(['gene_id', *names])]
    lines += ['\t'.join([gene, *map(str, row)]) for gene, row in zip(genes, counts.tolist())]
    with path.open('wb') as raw, IGzipFile('', 'wb', 1, raw, mtime=0) as stream:
        stream.write(('\n'.join(lines) + '\n').encode())


def _write_samples(
    path: Path,
    labels: Sequence[str],
    found: Sequenced,
    at: dict[tuple[int, int], int],
    names: dict[tuple[int, int], str],
) -> None:
    """Write a row per participant, with the two samples side by side as BIDS wants it."""
    columns, about = {'participant_id': list(labels)}, dict[str, Any]()
    values = {
        'batch': [f'b{number + 1}' for number in found.drawn.batch],
        'rna_integrity': numbers(found.integrity, 1),
        'neutrophils': numbers(found.drawn.neutrophils, 3),
    }
    texts = {
        'sample_id': {'Description': 'Column of the table of counts'},
        'batch': {'Description': 'Sequencing batch', 'Levels': {f'b{k}': f'batch {k}' for k in (1, 2, 3)}},
        'rna_integrity': {'Description': 'RNA integrity number, 1 to 10'},
        'neutrophils': {'Description': 'Share of neutrophils among leukocytes, 0 to 1'},
    }
    for v, visit in enumerate(_VISITS):
        keys = [(person, v) for person in range(len(labels))]
        columns[f'sample_id_{visit}'] = [names.get(key, 'n/a') for key in keys]
        for name, own in values.items():
            columns[f'{name}_{visit}'] = [own[at[key]] if key in names else 'n/a' for key in keys]
        about |= {f'{name}_{visit}': text for name, text in texts.items()}
    write_texts(path, columns, about)
