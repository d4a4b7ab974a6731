"""Models of a trial: outcomes over visits, mediation, maps of a group, biomarkers, gene expression, power."""

from pipelines.stats.biomarker import fit_biomarker as biomarker
from pipelines.stats.biomarker_design import SampleLabel, SamplesDesign
from pipelines.stats.discrete.binary import compare_binary as logistic
from pipelines.stats.discrete.ordinal import compare_ordinal as proportional_odds
from pipelines.stats.discrete.people import Groups
from pipelines.stats.discrete.rates import compare_rates as negative_binomial
from pipelines.stats.enrich import preranked
from pipelines.stats.expression import differential_expression
from pipelines.stats.longitudinal.trial import fit_trial as mmrm
from pipelines.stats.longitudinal.trial_design import TrialModel
from pipelines.stats.mediate import mediate
from pipelines.stats.mediation_model import PathModel
from pipelines.stats.multiplicity import holm
from pipelines.stats.permute import flip_signs, permute
from pipelines.stats.power import difference_power
from pipelines.stats.power import paths_power as mediation_power
from pipelines.stats.question import Effort, Question
from pipelines.stats.tfce import neighbour_table, tfce

__all__ = [
    'Effort',
    'Groups',
    'PathModel',
    'Question',
    'SampleLabel',
    'SamplesDesign',
    'TrialModel',
    'biomarker',
    'difference_power',
    'differential_expression',
    'flip_signs',
    'holm',
    'logistic',
    'mediate',
    'mediation_power',
    'mmrm',
    'negative_binomial',
    'neighbour_table',
    'permute',
    'preranked',
    'proportional_odds',
    'tfce',
]  # fmt: skip
