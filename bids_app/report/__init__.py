"""The participant report: one page, assembled from derivatives on disk alone."""

from .assemble import assemble_report
from .methods import write_methods

__all__ = ['assemble_report', 'write_methods']
