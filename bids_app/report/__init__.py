"""Reports of participants and of the trial: one page each, assembled from derivatives on disk alone."""

from .methods import write_methods
from .person.page import assemble_report
from .trial.page import PAGE, write_trial_report

__all__ = ['PAGE', 'assemble_report', 'write_methods', 'write_trial_report']
