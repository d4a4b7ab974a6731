"""Find the tract between two regions, and its anisotropy.

A simulated scan of 45 directions at b = 1000 s/mm²: a bundle of fibres (FA 0.7) in a curve from one ball to another, in
tissue without direction.  With scans of your own the table is that of the `.bval` and `.bvec` beside the series.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

import clbpe

rng = np.random.default_rng(1)
shape, affine = (30, 20, 7), np.diag([2.5, 2.5, 2.5, 1.0])

# %%
# Directions spread over half a sphere (a Fibonacci spiral), as FSL writes them: x is mirrored on this grid.
n = np.arange(45) + 0.5
up, turn = 1 - n / 45, np.pi * (1 + np.sqrt(5)) * n
directions = np.stack([np.sqrt(1 - up**2) * np.cos(turn), np.sqrt(1 - up**2) * np.sin(turn), up])
bvals = np.r_[np.zeros(5), np.full(45, 1000.0)]
bvecs = np.hstack([np.zeros((3, 5)), directions * [[-1], [1], [1]]])
table = clbpe.read_gradients(bvals, bvecs, affine, 50)

# %%
# An arc of fibres, 6 mm thick: a tensor along the arc inside it, a ball outside.
x, y, z = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3).T * 2.5
radius, angle = np.hypot(x - 35, y - 4), np.arctan2(y - 4, x - 35)
is_fibre = (np.hypot(radius - 26, z - 7.5) < 5) & (angle > 0.25) & (angle < np.pi - 0.25)
along = np.stack([-np.sin(angle), np.cos(angle), 0 * angle], axis=1)
cosine = along @ table.bvecs.T
attenuation = np.where(is_fibre[:, None], 0.3e-3 + 1.2e-3 * cosine**2, 0.9e-3)
signal = 1000 * np.exp(-table.bvals * attenuation)
data = np.abs(signal + rng.normal(0, 25, signal.shape)).reshape(*shape, 50)
white = is_fibre.reshape(shape)
mask = ndimage.binary_dilation(white)

# %%
# The tensor: FA of the fibres as planted (eigenvalues 1.5 and twice 0.3).
tensor = clbpe.fit_tensor(data.reshape(-1, 50), table)
fa = tensor.fa.reshape(shape)
planted = 1.2 / np.sqrt(1.5**2 + 2 * 0.3**2)
print(f'FA of the fibres {fa[white].mean():.2f}, planted {planted:.2f}')

# %%
# Orientations, then streamlines from both regions.
ends = (np.hypot(np.hypot(x - 35 - side * 25, y - 10), z - 7.5) < 5 for side in (-1, 1))
regions = tuple(end.reshape(shape) for end in ends)
fod = clbpe.fibre_orientations(data, table, mask, white)
tract = clbpe.track_between(fod, affine, regions, white=white, rng=rng, n_streamlines=50)
print(
    f'{len(tract.streamlines)} streamlines, {tract.n_found[0]} and {tract.n_found[1]} found from either region'
)

# %%
# FA of the tract, each voxel weighted by the streamlines that visit it, and along the way.
outside = white & ~(regions[0] | regions[1])
fa_of_tract = clbpe.tract_mean(tract.visits, fa, outside)
profile = clbpe.tract_profile(tract.streamlines, fa, affine)
print(f'FA of the tract {fa_of_tract:.2f}')

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout='constrained')
left.imshow(fa[:, :, 3].T, origin='lower', cmap='gray', extent=(-1.25, 73.75, -1.25, 48.75))
for line in tract.streamlines:
    left.plot(*line[:, :2].T, color='tab:orange', linewidth=0.5, alpha=0.6)
left.set(title='fractional anisotropy and the tract', xlabel='mm', ylabel='mm')
right.plot(profile.mean)
right.fill_between(range(100), profile.mean - profile.sd, profile.mean + profile.sd, alpha=0.3)
right.set(title='along the tract', xlabel='node', ylabel='FA', ylim=(0, 1))
