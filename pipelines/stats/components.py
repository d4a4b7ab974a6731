"""Principal components of samples."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]


class Components(NamedTuple):
    """Principal components of samples.

    Attributes
    ----------
    scores
        Samples x components, in the unit of the values.
    share
        (components,) of the variance, 0 to 1.

    """

    scores: pd.DataFrame
    share: Array


def principal_components(vst: pd.DataFrame, *, n_genes: int = 500, n_components: int = 2) -> Components:
    """Return the principal components of the samples from the genes that vary most.

    Parameters
    ----------
    vst
        Genes x samples: variance-stabilised counts.
    n_genes, n_components
        How many.

    Notes
    -----
    Singular vectors of the values with the mean of each gene removed; the sign of a component is that
    which makes its largest loading positive.

    Examples
    --------
    >>> table = pd.DataFrame([[0.0, 2.0, 4.0], [1.0, 1.0, 1.0]], columns=list('abc'))
    >>> found = principal_components(table, n_components=1)
    >>> found.scores['PC1'].round(9).tolist(), found.share.round(9).tolist()
    ([-2.0, 0.0, 2.0], [1.0])

    """
    chosen = vst.loc[vst.var(axis=1).sort_values(ascending=False, kind='stable').index[:n_genes]]
    centred = chosen.sub(chosen.mean(axis=1), axis=0).to_numpy()
    loadings, singular, rows = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(loadings).argmax(axis=0)
    sign = np.sign(loadings[largest, np.arange(len(singular))])
    scores = ((sign * singular)[:, None] * rows)[:n_components].T
    names = [f'PC{number}' for number in range(1, scores.shape[1] + 1)]
    share = singular**2 / max(np.sum(singular**2), np.finfo(float).tiny)
    return Components(pd.DataFrame(scores, index=vst.columns, columns=names), share[:n_components])
