"""Test every voxel of the maps of a group by permutation.

Simulated maps of 24 people; in a ball of voxels the change of the treated arm is larger.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

import clbpe

rng = np.random.default_rng(1)
shape, n = (16, 16, 8), 24
mask = np.ones(shape, bool)
arm = np.arange(n) % 2

# %%
# Smooth noise of everybody, and the effect: 1.5 standard deviations in a ball.
noise = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), 1.0) for _ in range(n)])
change = noise / noise.std()
ball = np.linalg.norm(np.indices(shape).T - [8, 8, 4], axis=-1).T < 3.5
change[arm == 1] += 1.5 * ball

# %%
# Welch's t of the arms, corrected for all voxels by the largest t and by the largest TFCE.
outcome = change.reshape(n, -1).T.astype(np.float32)
neighbours = clbpe.neighbour_table(mask)
question = clbpe.Question(tested=arm.astype(float), nuisance=np.ones((n, 1)), groups=arm)
effort = clbpe.Effort(n_permutations=200)
found = clbpe.permute(outcome, question, neighbours=neighbours, rng=rng, effort=effort)
called = found.p_max_tfce.reshape(shape) <= 0.05
print(
    f'{called.sum()} voxels; of the {ball.sum()} planted ones {np.mean(called[ball]):.0%}, of the others {np.mean(called[~ball]):.1%}'
)

# %%
# TFCE of any map.
enhanced = clbpe.tfce(found.statistic, neighbours)
print(f'largest t {np.nanmax(found.statistic):.1f}, largest TFCE {enhanced.max():.0f}')

# %%
# Whether the treated arm changed at all, by flipping signs.
within = clbpe.flip_signs(outcome[:, arm == 1], rng=rng, effort=effort)
print(f'within the arm: smallest corrected p {np.nanmin(within.p_max):.3f}')

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout='constrained')
maps = {'t': found.statistic, 'TFCE': enhanced, '-log10 p, corrected': -np.log10(found.p_max_tfce)}
for axis, (title, values) in zip(axes, maps.items()):
    shown = axis.imshow(np.reshape(values, shape)[:, :, 4].T, origin='lower', cmap='magma')
    axis.contour(ball[:, :, 4].T, [0.5], colors='white', linewidths=0.8)
    axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(shown, ax=axis, shrink=0.8)
