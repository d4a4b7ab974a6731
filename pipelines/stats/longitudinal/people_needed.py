"""How many people an arm needs to tell a covariance of visits of its own."""


def people_needed(n_visits: int, n_slopes: int = 0) -> int:
    """Return how many people an arm needs for a covariance of its own.

    Parameters
    ----------
    n_visits
        J.
    n_slopes
        Slopes of covariates that are the arm's own at each visit; 0 where arms share them.

    Notes
    -----
    Twice the visits and two, and one for each slope.  Fixed once by simulated trials of 30 and 57 people, one in
    four in the smaller arm (``tests/golden/arms_error.tsv``): with fewer, the variances of that arm are too uncertain
    for Kenward and Roger's approximation (10 % false findings with four or five people at two visits); with more, one
    covariance for all arms is the worse choice, since people who drop out are then thought to go on as those of the
    other arm do.

    Examples
    --------
    >>> people_needed(1), people_needed(2), people_needed(4), people_needed(2, n_slopes=3)
    (4, 6, 10, 9)

    """
    return 2 * n_visits + 2 + n_slopes
