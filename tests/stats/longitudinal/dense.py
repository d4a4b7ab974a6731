"""Textbook forms with one covariance of all values, which the engine never makes."""

from typing import NamedTuple

import numpy as np

STEP = 1e-30
"""Of a complex-step derivative, which loses no digits."""


class Long(NamedTuple):
    """Values seen, one row each."""

    y: np.ndarray
    design: np.ndarray
    person: np.ndarray
    visit: np.ndarray
    group: np.ndarray


def long_form(outcome, design, group):
    seen = ~np.isnan(outcome)
    person, visit = np.nonzero(seen)
    return Long(outcome[seen], design[seen], person, visit, np.asarray(group)[person])


def whole(sigmas, long):
    """Return the covariance of all values."""
    same = long.person[:, None] == long.person
    return sigmas[long.group[:, None], long.visit[:, None], long.visit] * same


def minus_two_loglik(sigmas, long):
    """Return -2 restricted log-likelihood; complex covariances give complex numbers."""
    inverse = np.linalg.inv(whole(sigmas, long))
    information = long.design.T @ inverse @ long.design
    coefficients = np.linalg.solve(information, long.design.T @ inverse @ long.y)
    residual = long.y - long.design @ coefficients
    determinants = log_det(whole(sigmas, long)) + log_det(information)
    constant = (len(long.y) - long.design.shape[1]) * np.log(2 * np.pi)
    return constant + determinants + residual @ inverse @ residual


def log_det(square):
    """Return the logarithm of a determinant, analytic in complex numbers."""
    if not np.iscomplexobj(square):
        return np.linalg.slogdet(square)[1]
    sign, size = np.linalg.slogdet(square)
    return size + 1j * np.angle(sign)


def gradient(sigmas_of, parameters, long):
    """Return derivatives of half of :func:`minus_two_loglik` by the parameters."""
    found = []
    for k in range(len(parameters)):
        ahead = parameters.astype(complex)
        ahead[k] += 1j * STEP
        found.append(minus_two_loglik(sigmas_of(ahead), long).imag / STEP / 2)
    return np.array(found)


def hessian(sigmas_of, parameters, long, step=1e-4):
    """Return second derivatives: Richardson's extrapolation of differences of :func:`gradient`."""
    rows = []
    for k in range(len(parameters)):
        unit = np.eye(len(parameters))[k] * max(abs(parameters[k]), 1)
        slopes = [
            (
                gradient(sigmas_of, parameters + h * unit, long)
                - gradient(sigmas_of, parameters - h * unit, long)
            )
            / (2 * h * unit[k])
            for h in (step, step / 2)
        ]
        rows.append((4 * slopes[1] - slopes[0]) / 3)
    return np.array(rows)


def derivatives(sigmas_of, parameters, long):
    """Return derivatives of the covariance of all values by the parameters."""
    found = []
    for k in range(len(parameters)):
        ahead = parameters.astype(complex)
        ahead[k] += 1j * STEP
        found.append(whole(sigmas_of(ahead), long).imag / STEP)
    return found


class Adjusted(NamedTuple):
    """Covariance of the coefficients, adjusted covariance, derivatives of the former."""

    covariance: np.ndarray
    adjusted: np.ndarray
    slopes: np.ndarray


def kenward_roger(sigmas_of, parameters, long, spread):
    """Return what Kenward and Roger define, second derivatives of V left out."""
    x, inverse = long.design, np.linalg.inv(whole(sigmas_of(parameters), long))
    phi = np.linalg.inv(x.T @ inverse @ x)
    moved = [inverse @ v @ inverse for v in derivatives(sigmas_of, parameters, long)]
    p = [-x.T @ m @ x for m in moved]
    total = np.zeros_like(phi)
    for k, first in enumerate(moved):
        for j, second in enumerate(moved):
            q = x.T @ first @ np.linalg.inv(inverse) @ second @ x
            total += spread[k, j] * (q - p[k] @ phi @ p[j])
    return Adjusted(phi, phi + 2 * phi @ total @ phi, np.array([-phi @ m @ phi for m in p]))


def scaled_f(contrasts, values, found, spread):
    """Return statistic, and denominator degrees of freedom, as printed in the paper of 1997."""
    m = len(contrasts)
    theta = contrasts.T @ np.linalg.inv(contrasts @ found.covariance @ contrasts.T) @ contrasts
    # the derivatives of the covariance are minus phi P phi
    terms = [theta @ -slope for slope in found.slopes]
    n = range(len(terms))
    a1 = sum(spread[k, j] * np.trace(terms[k]) * np.trace(terms[j]) for k in n for j in n)
    a2 = sum(spread[k, j] * np.trace(terms[k] @ terms[j]) for k in n for j in n)
    b = (a1 + 6 * a2) / (2 * m)
    g = ((m + 1) * a1 - (m + 4) * a2) / ((m + 2) * a2)
    c1 = g / (3 * m + 2 * (1 - g))
    c2 = (m - g) / (3 * m + 2 * (1 - g))
    c3 = (m + 2 - g) / (3 * m + 2 * (1 - g))
    mean = 1 / (1 - a2 / m)
    variance = 2 / m * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    rho = variance / (2 * mean**2)
    df = 4 + (m + 2) / (m * rho - 1)
    scale = df / (mean * (df - 2))
    f = values @ np.linalg.inv(contrasts @ found.adjusted @ contrasts.T) @ values / m
    return scale * f, df


class Robust(NamedTuple):
    """CR2 covariance of contrasts, and of each person the (m, N) vectors whose products with the outcome make it."""

    covariance: np.ndarray
    vectors: list


def inverse_root(square):
    values, vectors = np.linalg.eigh(square)
    return vectors @ np.diag(values**-0.5) @ vectors.T


def cr2(sigmas, long, contrasts):
    """Return CR2 by its definition."""
    v = whole(sigmas, long)
    x, w = long.design, np.linalg.inv(v)
    bread = np.linalg.inv(x.T @ w @ x)
    left = np.eye(len(long.y)) - x @ bread @ x.T @ w
    covariance, vectors = 0, []
    for person in np.unique(long.person):
        own = np.flatnonzero(long.person == person)
        block = np.ix_(own, own)
        root = np.linalg.cholesky(v[block]).T
        b = root @ (left @ v @ left.T)[block] @ root.T
        adjust = root.T @ inverse_root(b) @ root
        # the precision of a person is that of the whole, for people do not correlate
        weights = contrasts @ bread @ x[own].T @ w[block] @ adjust
        vectors.append(weights @ left[own])
        score = vectors[-1] @ long.y
        covariance = covariance + np.outer(score, score)
    return Robust(covariance, vectors)


def cr2_degrees(found, sigmas, long):
    """Return Satterthwaite's degrees of freedom of the first contrast."""
    v = whole(sigmas, long)
    g = np.stack([vector[0] for vector in found.vectors])
    products = g @ v @ g.T
    return np.trace(products) ** 2 / np.sum(products**2)


def hotelling(found, values, contrasts, sigmas, long):
    """Return statistic and denominator degrees of freedom of the approximate Hotelling test."""
    v, m = whole(sigmas, long), len(contrasts)
    bread = np.linalg.inv(long.design.T @ np.linalg.inv(v) @ long.design)
    turn = inverse_root(contrasts @ bread @ contrasts.T)
    g = [turn @ vector for vector in found.vectors]
    total = 0.0
    for s in range(m):
        for t in range(m):
            for a in g:
                for b in g:
                    cross = a @ v @ b.T
                    total += cross[s, s] * cross[t, t] + cross[s, t] * cross[t, s]
    eta = m * (m + 1) / total
    q = values @ np.linalg.inv(found.covariance) @ values
    return (eta - m + 1) / (eta * m) * q, eta - m + 1
