"""Arrays of samples as the biomarker of four samples takes them."""

import numpy as np
import pandas as pd

from pipelines.stats.biomarker import BiomarkerFit, fit_biomarker
from pipelines.stats.biomarker_design import FOUR_SAMPLES, SampleLabel, SamplesDesign

DESIGN = SamplesDesign(
    name='bdnf', title='BDNF', units='pg/mL', treated=('treated',), control='control',
    samples=tuple(SampleLabel(name=name, session=name.split('_')[0], time=name.split('_')[1]) for name in FOUR_SAMPLES),
)  # fmt: skip


def fit_four_samples(
    concentration: np.ndarray,
    person: np.ndarray,
    sample: np.ndarray,
    is_treated: np.ndarray,
    limits: tuple[float, float],
) -> BiomarkerFit:
    """Fit concentrations of ``person`` at ``sample``, of which there are four by their numbers."""
    table = pd.DataFrame({
        'participant_id': person, 'arm': np.array(['control', 'treated'])[is_treated.astype(int)],
        'sample': np.array(FOUR_SAMPLES)[sample], 'value': concentration, 'lower': limits[0], 'upper': limits[1],
    })  # fmt: skip
    return fit_biomarker(table, DESIGN)
