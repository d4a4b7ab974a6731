"""The science of CLBPE: functions of arrays, thin file interfaces and Nipype workflow factories.

Nothing in this package knows BIDS: factories take file paths and end in an ``outputnode``.
"""
