"""The science of CLBPE: functions of arrays, thin file interfaces and Nipype workflow factories.

Nothing in this package knows BIDS: factories take file paths and end in an ``outputnode``.
"""

DISTRIBUTION = 'clbpe'
"""Whose package this is: PyPI has another that installs a folder of the same name."""
