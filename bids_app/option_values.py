"""Values of options that are no plain number: memory sizes, numbers of processes."""

import argparse


def whole_number(text: str) -> int:
    """Read a number of processes or threads.

    Examples
    --------
    >>> whole_number('2')
    2

    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r}: a whole number from 1 on is needed')
    return int(text)


def memory_gb(text: str) -> float:
    """Read a memory size in GB; a bare number is MB, as in fMRIPrep.

    Examples
    --------
    >>> memory_gb('16G'), memory_gb('2048'), memory_gb('512MB')
    (16.0, 2.0, 0.5)

    """
    scale = {'G': 1.0, 'M': 1 / 1024, 'T': 1024.0, 'K': 1 / 1024**2}
    word = text.strip().upper().removesuffix('B')
    unit = word[-1:] if word[-1:] in scale else 'M'
    try:
        value = float(word.rstrip('GMTK')) * scale[unit]
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no memory size; write for example 16G') from None
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text!r}: memory must be above 0')
    return value
