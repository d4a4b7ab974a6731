"""Reports of participants and of the trial: one page each, assembled from derivatives on disk alone."""

from .assemble import assemble_report
from .methods import write_methods
from .trial import write_trial_report
from .trial_record import record_trial

__all__ = ['assemble_report', 'record_trial', 'write_methods', 'write_trial_report']
