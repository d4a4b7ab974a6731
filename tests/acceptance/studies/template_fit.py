"""Bring heads to a template, name them rightly and wrongly, and record how well they fit either."""

import itertools
import math

import nibabel as nb
import numpy as np
import pandas as pd

from pipelines.interfaces.quality import Scan
from pipelines.interfaces.template_fit import fit_templates
from pipelines.params import SPACES
from tests.acceptance.studies import spread
from tests.standard_head import standard_head

N_HEADS = 50
KINDS = tuple(itertools.product((2, 3, 4), (False, True), SPACES))
"""Voxel size (mm), signal dropout, and the template that a head lies on; heads take turns."""

TABLE = 'template_fit.tsv'


def judge(number: int) -> list[dict[str, object]]:
    """Return one row per name given to a head: how much better the best template fits than the named one."""
    voxel, has_dropout, space = KINDS[number % len(KINDS)]
    rng = np.random.default_rng(number)
    misplaced = rng.uniform(1.0, 2.0)
    bold, mask, affine = standard_head(space, voxel, rng, misplaced=misplaced, has_dropout=has_dropout)
    kept = np.ones(1, bool)
    scan = Scan(nb.Nifti1Image(bold, affine), mask, np.empty((1, 0)), bold, np.ones(1), kept)
    rows = []
    for named in SPACES:
        found = fit_templates(scan, named)
        rows.append({
            'head': number, 'voxel': voxel, 'has_dropout': has_dropout, 'space': space, 'named': named,
            'log_ratio': math.log(max(found.fits.values()) / found.fits[named]), 'better': found.better or 'n/a',
        })  # fmt: skip
    return rows


def simulate(heads: range) -> pd.DataFrame:
    """Return the rows of these heads."""
    return pd.DataFrame([row for number in heads for row in judge(number)])


def make() -> pd.DataFrame:
    """Return the table."""
    return spread(simulate, range(N_HEADS))
