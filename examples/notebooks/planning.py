"""Plan a trial: power of a difference, and of a mediator.

Closed forms, for a first idea of the size; `clbpe-plan` simulates the trial with its visits and drop-out.
"""

import matplotlib.pyplot as plt
import numpy as np

import clbpe

# %%
# A difference of 1.5 points of SD 2.5, in analysis of covariance: a correlation of 0.6 with the baseline leaves 80 % of the SD.
left = np.sqrt(1 - 0.6**2)
sizes = np.arange(20, 161, 4)
difference = [clbpe.difference_power(size / 2, size / 2, 1.5 / (2.5 * left), n_baselines=1) for size in sizes]
enough = int(sizes[np.argmax(np.array(difference) >= 0.8)])
print(f'{enough} people for the difference; with 15 % lost {int(np.ceil(enough / 0.85))}')

# %%
# A mediator: standardised paths of 0.39 are medium, 0.26 lie half-way to small ones.
paths = {path: [clbpe.mediation_power(size, path, path) for size in sizes] for path in (0.39, 0.26)}
for path, power in paths.items():
    print(f'paths of {path}: power {power[list(sizes).index(60)]:.2f} with 60 people')

# %%
# One size for both questions: the larger.
print(
    f'the mediator alone needs {int(sizes[np.argmax(np.array(paths[0.39]) >= 0.8)])} people for medium paths'
)

# %%
figure, axis = plt.subplots(figsize=(6, 3), layout='constrained')
axis.plot(sizes, difference, label='difference of 0.6 SD')
for path, power in paths.items():
    axis.plot(sizes, power, '--', label=f'both paths {path}')
axis.axhline(0.8, color='gray', linewidth=0.8)
axis.set(xlabel='people of both arms', ylabel='power', ylim=(0, 1))
axis.legend()
