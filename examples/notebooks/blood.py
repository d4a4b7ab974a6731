"""Biomarkers with limits of detection, and gene expression in pairs of samples.

Simulated: a biomarker that doubles after exercise in the trained arm, where a third of the samples is below the limit of
the assay; and reads of 500 genes, of which 25 of one set fall.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import clbpe

rng = np.random.default_rng(2)
people = [f'sub-{number:02d}' for number in range(1, 25)]
arms = np.where(np.arange(24) % 2, 'exercise', 'waiting list')

# %%
# Concentrations before and after: planted ratio 2 in the trained arm, 1 in the other.  The limit is 100 pg/mL.
levels = rng.normal(4.7, 0.6, 24)
gain = np.where(arms == 'exercise', np.log(2), 0)
rows = [
    {
        'participant_id': person,
        'arm': arm,
        'sample': name,
        'value': np.exp(level + is_after * more + rng.normal(0, 0.2)),
    }
    for person, arm, level, more in zip(people, arms, levels, gain)
    for is_after, name in enumerate(('before', 'after'))
]
samples = pd.DataFrame(rows).assign(lower=100.0, upper=np.inf)
samples['value'] = samples.value.clip(lower=100)
design = clbpe.SamplesDesign(
    name='il6', title='IL-6', units='pg/mL', treated=('exercise',), control='waiting list',
    samples=tuple(clbpe.SampleLabel(name=time, session='1', time=time) for time in ('before', 'after')),
)  # fmt: skip
fit = clbpe.biomarker(samples, design)
contrast = fit.contrasts.iloc[-1]
ratio = np.exp([contrast.estimate, contrast.ci_low, contrast.ci_high])
print(
    f'{(samples.value <= 100).mean():.0%} below the limit; ratio {ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f}), planted 2'
)

# %%
# Reads of 500 genes at two visits; 25 genes of the set INFLAMED fall by log2 = 1 in the trained arm.
genes = [f'GENE{number}' for number in range(500)]
mean = rng.lognormal(5, 1, 500)
tables, of_samples = {}, []
for person, arm in zip(people, arms):
    own = mean * rng.lognormal(0, 0.3, 500)
    for visit in ('reference', 'followup'):
        falls = arm == 'exercise' and visit == 'followup'
        expected = own * np.where((np.arange(500) < 25) & falls, 0.5, 1)
        tables[f'{person}_{visit}'] = rng.poisson(rng.gamma(20, expected / 20))
        of_samples.append((f'{person}_{visit}', person, arm, visit))
counts = pd.DataFrame(tables, index=genes)
who = pd.DataFrame(of_samples, columns=['sample_id', 'participant_id', 'arm', 'visit'])
expression = clbpe.differential_expression(counts, who, arms=('exercise', 'waiting list'))
change = expression.table.query('contrast == "difference"').set_index('gene_id')
called = change.index[change.padj < 0.1]
print(f'{len(called)} genes called, {sum(int(gene[4:]) < 25 for gene in called)} of them of the 25 planted')

# %%
# Sets by rank: sign of the change times the root of F.
ranking = np.sign(change.log2FoldChange) * np.sqrt(change.F)
sets = {'INFLAMED': tuple(genes[:25]), 'OTHERS': tuple(genes[100:140])}
enriched = clbpe.preranked(ranking, sets, seed=1, n_permutations=200).set_index('set')
print(enriched[['nes', 'p', 'padj']].round(3))

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout='constrained')
for arm, colour in (('waiting list', 'tab:gray'), ('exercise', 'tab:orange')):
    own = samples[samples.arm == arm].pivot(index='participant_id', columns='sample', values='value')
    left.plot([0, 1], own[['before', 'after']].T, color=colour, alpha=0.6)
left.axhline(100, color='black', linestyle='--', linewidth=0.8)
left.set(title='IL-6, pg/mL', xticks=[0, 1], xticklabels=['before', 'after'], yscale='log')
planted = change.index.isin(genes[:25])
for who, colour in ((~planted, 'tab:gray'), (planted, 'tab:orange')):
    right.scatter(change.log2FoldChange[who], -np.log10(change.pvalue[who]), s=8, color=colour)
right.set(title='genes', xlabel='log2 fold change', ylabel='-log10 p')
