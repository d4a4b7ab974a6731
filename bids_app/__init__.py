"""The BIDS App: command line, inputs, derivatives and reports; it does no arithmetic."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version('clbpe')
except PackageNotFoundError:  # a source tree that was not installed
    __version__ = '0+unknown'

DISTRIBUTION = 'clbpe'
"""Whose package this is: its name is a common one."""
