"""Whether arms can be told from a category that models are adjusted for."""

import pandas as pd


def arms_without_link(arm: pd.Series, levels: pd.Series) -> list[tuple[str, ...]]:
    """Return the groups of arms that no level of a category links; empty where all arms are linked.

    Parameters
    ----------
    arm, levels
        Of the same people; missing levels take no part.

    Returns
    -------
    list[tuple[str, ...]]
        Two groups or more, each sorted.

    Notes
    -----
    Arms and levels are the nodes of a graph, people its edges.  Differences between arms can be estimated beside the
    levels if and only if the arms lie in one connected part [1]_.

    References
    ----------
    .. [1] Weeks DL, Williams DR. A note on the determination of connectedness in an N-way cross classification.
       Technometrics 1964;6:319-324.

    Examples
    --------
    >>> arm = pd.Series(['yoga', 'wait', 'wait', 'gym'])
    >>> arms_without_link(arm, pd.Series(['x', 'x', 'y', 'y']))
    []
    >>> arms_without_link(arm, pd.Series(['x', 'x', 'x', 'y']))
    [('wait', 'yoga'), ('gym',)]

    """
    parts: list[set[str]] = []
    for _, own in arm.groupby(levels):
        touching = [part for part in parts if part & set(own)]
        parts = [*(part for part in parts if part not in touching), set(own).union(*touching)]
    return [tuple(sorted(part)) for part in parts] if len(parts) > 1 else []
