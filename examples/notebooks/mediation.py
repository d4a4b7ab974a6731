"""Ask what carries the effect of a treatment.

A simulated trial of 120 people: training lowers a connectivity by 0.3, and each 0.1 of it lowers pain by 0.4.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import clbpe

rng = np.random.default_rng(1)
n = 120
people = pd.DataFrame({'arm': np.arange(n) % 2, 'connectivity_0': rng.normal(0.6, 0.25, n)})
people['connectivity'] = 0.6 * people.connectivity_0 + 0.24 - 0.3 * people.arm + rng.normal(0, 0.2, n)
people['pain_0'] = 4 + 4 * people.connectivity_0 + rng.normal(0, 1, n)
people['pain'] = 0.5 * people.pain_0 + 4 * people.connectivity - 0.5 * people.arm + rng.normal(0, 1, n)

# %%
# Indirect effect planted: -0.3 x 4 = -1.2; direct -0.5; total -1.7.
model = clbpe.PathModel(
    'connectivity to pain', 'arm', ('connectivity',), 'pain', baselines=('connectivity_0', 'pain_0')
)
fit = clbpe.mediate(people, model, rng, n_bootstraps=2000)
paths = fit.paths.set_index('path')
for name in ('a', 'b', 'indirect', 'direct', 'total'):
    row = paths.loc[name]
    print(f'{name:9} {row.estimate:6.2f} ({row.ci_low:.2f} to {row.ci_high:.2f})')

# %%
# How strongly mediator and outcome would have to share an unmeasured cause for the indirect effect to be none.
print(f'correlation of errors at which it is zero: {paths.estimate.rho_at_zero:.2f}')

# %%
# Power of both paths (standardised 0.39 each, medium) by the number of people.
sizes = np.arange(40, 201, 20)
power = [clbpe.mediation_power(size, 0.39, 0.39) for size in sizes]
print(f'57 people: {clbpe.mediation_power(57, 0.39, 0.39):.2f}')

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout='constrained')
shown = paths.loc[['indirect', 'direct', 'total']]
spans = np.abs(shown[['ci_low', 'ci_high']].to_numpy().T - shown.estimate.to_numpy())
left.errorbar(shown.estimate, shown.index, xerr=spans, fmt='o', capsize=4)
left.plot([-1.2, -0.5, -1.7], shown.index, 'x', color='black', label='planted')
left.axvline(0, color='gray', linewidth=0.8)
left.set(xlabel='effect on pain, points')
left.legend()
right.plot(sizes, power)
right.axhline(0.8, color='gray', linewidth=0.8)
right.set(xlabel='people', ylabel='power of two medium paths', ylim=(0, 1))
