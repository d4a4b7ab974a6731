"""Compare the arms of a trial: measurements at several visits, events, levels and counts.

A simulated trial of 120 people, three visits after the baseline, and drop-out.  The effect on pain grows to -1.5 points.
"""

import matplotlib.pyplot as plt
import numpy as np

import clbpe

rng = np.random.default_rng(1)
n, visits = 120, ['baseline', 'week 6', 'week 12', 'week 26']
arm = np.arange(n) % 2
planted = np.array([0, -0.8, -1.5, -1.5])

# %%
# Pain of four visits, correlated by 0.6; one in four leaves before the end.
covariance = 4 * (0.6 + 0.4 * np.eye(4))
pain = rng.multivariate_normal([6, 5.6, 5.4, 5.4], covariance, n) + arm[:, None] * planted
leaves = rng.random(n) < 0.25
pain[leaves, rng.integers(2, 4)] = np.nan
pain[leaves, 3] = np.nan

# %%
# Power of 60 people in an arm for 1.5 points of SD 2, adjusted for the baseline; then the trial.
power = clbpe.difference_power(60, 60, 1.5 / (2 * np.sqrt(1 - 0.6**2)), n_baselines=1)
print(f'power {power:.2f}')

# %%
# One model of all visits (REML, unstructured covariance of each arm, Kenward and Roger).  Who left counts as far as they came.
model = clbpe.TrialModel(arms=('waiting list', 'exercise'), visits=tuple(visits), primary=2)
fit = clbpe.mmrm(pain, arm, model=model)
for found in fit.effects:
    low, high = found.effect.ci_low, found.effect.ci_high
    print(
        f'{visits[found.visit]}: {found.effect.estimate:.2f} ({low:.2f} to {high:.2f}), p = {found.effect.p:.3g}'
    )

# %%
# Who improved by two points or more: odds ratio, and difference in risk standardised over everybody.
change = pain[:, 2] - pain[:, 0]
responded = np.where(np.isnan(change), np.nan, change <= -2)
events = clbpe.logistic(clbpe.Groups(outcome=responded, arm=arm))
(contrast,) = events.contrasts
print(
    f'odds ratio {np.exp(contrast.log_ratio.estimate):.1f}, difference in risk {contrast.difference.estimate:.2f}'
)

# %%
# Global impression of change, levels 1 to 7, planted odds ratio 3.
latent = rng.logistic(size=n) + np.log(3) * arm
impression = 1.0 + np.digitize(latent, [-2, -1, 0, 1, 2, 3])
levels = clbpe.proportional_odds(clbpe.Groups(outcome=impression, arm=arm), responder=6)
(shift,) = levels.fit.contrasts
print(f'proportional odds {np.exp(shift.log_ratio.estimate):.1f}, planted 3')

# %%
# Days with a painkiller in four weeks, planted ratio of rates 0.6; their dispersion is estimated.
days = rng.negative_binomial(2, 2 / (2 + np.where(arm, 6, 10)), n).astype(float)
counts = clbpe.negative_binomial(clbpe.Groups(outcome=days, arm=arm), time=np.full(n, 4.0))
(ratio,) = counts.contrasts
print(f'ratio of rates {np.exp(ratio.log_ratio.estimate):.2f}, planted 0.60')

# %%
# Three secondary outcomes, adjusted by Holm.
adjusted = clbpe.holm([contrast.log_ratio.p, shift.log_ratio.p, ratio.log_ratio.p])
print('adjusted p:', ', '.join(f'{p:.3g}' for p in adjusted))

# %%
figure, axis = plt.subplots(figsize=(6, 3), layout='constrained')
estimates = np.array([found.effect.estimate for found in fit.effects])
spans = [[e - f.effect.ci_low, f.effect.ci_high - e] for e, f in zip(estimates, fit.effects)]
axis.errorbar(visits[1:], estimates, np.transpose(spans), fmt='o', capsize=4, label='estimate, 95 % interval')
axis.plot(visits[1:], planted[1:], 'x', color='black', label='planted')
axis.axhline(0, color='gray', linewidth=0.8)
axis.set(ylabel='difference in pain, points')
axis.legend()
