"""Denoise a series and map its connectivity.

A simulated run: two regions that share a slow signal of correlation 0.5, a head that moves, and voxels that move with it.
With scans of your own `series` is `nibabel.load(bold).get_fdata()[mask].T`, and the confounds are columns of fMRIPrep's
table.
"""

import matplotlib.pyplot as plt
import numpy as np

import clbpe

rng = np.random.default_rng(1)
shape, t_r, n_volumes = (20, 20, 10), 2.0, 240

# %%
# Two regions, a slow signal in each, and noise everywhere.  Planted: r = 0.5, Fisher z = 0.55.
x, y, z = np.indices(shape)
regions = [np.hypot(x - centre, y - 10) < 3 for centre in (5, 14)]
freq = np.fft.rfftfreq(n_volumes, t_r)
pair = rng.standard_normal((2, n_volumes))
pair[1] = 0.5 * pair[0] + np.sqrt(0.75) * pair[1]
slow = np.fft.irfft(np.fft.rfft(pair) * ((freq > 0.01) & (freq < 0.08)), n_volumes)
slow /= slow.std(axis=1, keepdims=True)
series = 1000 + 10 * rng.standard_normal((n_volumes, x.size))
for region, signal in zip(regions, slow):
    series[:, region.ravel()] += 10 * signal[:, None]

# %%
# The head turns and shifts; for a moment it moves strongly.  Every voxel follows with a weight of its own.
motion = np.cumsum(rng.normal(0, [0.02] * 3 + [0.0003] * 3, (n_volumes, 6)), axis=0)
motion[100:104, 1] += 1.5
series += motion @ rng.normal(0, 30, (6, x.size))
fd = clbpe.framewise_displacement(motion)
kept = np.nan_to_num(fd) <= 0.5
print(f'volumes left out: {np.sum(~kept)}; mean displacement {np.nanmean(fd):.2f} mm')

# %%
# Confounds, trend and the stop band go in one projection, and the volumes left out take no part in it.
cleaned = clbpe.clean(series, motion, t_r=t_r, band=(0.008, 0.09), sample_mask=kept)
smoothed = clbpe.smooth(cleaned.series, np.ones(shape, bool), (3.0, 3.0, 3.0), fwhm=6.0)
change, _ = clbpe.dvars(series)
print(
    f'{cleaned.dof:.0f} degrees of freedom of {kept.sum()} volumes; DVARS at the movement {np.nanmax(change):.1f} times that of noise'
)

# %%
# A seed map, and the connectivity of the two regions with its standard error.
seed = cleaned.series[:, regions[0].ravel()].mean(axis=1)
target = cleaned.series[:, regions[1].ravel()].mean(axis=1)
map_of_seed = clbpe.seed_map(smoothed, seed)
connectivity = float(clbpe.seed_map(target[:, None], seed)[0])
error = clbpe.fisher_z_se(cleaned.dof)
print(f'z = {connectivity:.2f} (standard error {error:.2f}); planted {float(clbpe.fisher_z(0.5)):.2f}')

# %%
# Two runs of a session: the mean, weighted by what each run knows.
both = clbpe.average_fisher_z(np.array([connectivity, 0.40]), np.array([cleaned.dof, 60]))
print(f'mean of two runs {float(both.z):.2f} (standard error {both.se:.2f})')

# %%
# Intrinsic connectivity: the root mean square of a voxel's correlations with all voxels.  Noise alone has a floor.
intrinsic = clbpe.intrinsic_connectivity(smoothed, cleaned.dof)
print(
    f'intrinsic connectivity {intrinsic.icc.max():.2f} in the regions; floor of noise {clbpe.noise_floor(cleaned.dof):.2f}'
)

# %%
# Amplitudes are taken before any filter.
amplitudes = clbpe.alff(series, motion, t_r=t_r, sample_mask=kept)
in_regions = np.any(regions, axis=0).ravel()
print(
    f'fALFF {amplitudes.falff[in_regions].mean():.2f} in the regions, {amplitudes.falff[~in_regions].mean():.2f} outside'
)

# %%
maps = {
    'seed map (z)': map_of_seed,
    'intrinsic connectivity': intrinsic.icc,
    'fALFF': amplitudes.falff,
}
figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout='constrained')
for axis, (title, values) in zip(axes, maps.items()):
    shown = axis.imshow(values.reshape(shape)[:, :, 5].T, origin='lower', cmap='magma')
    axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(shown, ax=axis, shrink=0.8)
