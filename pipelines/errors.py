"""Every error the program raises on purpose.

::

    ClbpeError
    +-- ParameterError   (ValueError)           2   an option or parameter is out of its range
    |   +-- UnknownWordError (KeyError)         2   a name is none of those offered
    +-- DatasetError     (ValueError)          16   the input folder is not a usable dataset
    +-- LevelError       (ValueError)          17   unknown analysis level
    +-- SelectionError   (LookupError)         18   the filters selected nothing
    +-- DataError        (ValueError)          65   a file is damaged or contradicts itself
    |   +-- DegreesOfFreedomError              65   too little data is left after denoising
    |   +-- SingleVolumeError                  65   a series of one volume: a scan that was broken off
    |   +-- FewDirectionsError                 65   a series shows too few directions for a tensor
    |   +-- NoMaximumError                     65   a likelihood has no maximum for these people
    +-- MissingInputError (FileNotFoundError)  66   a file the analysis needs is absent
    +-- OutputError      (OSError)             73   the output cannot be written
    +-- StoppedError     (RuntimeError)        75   stopped by a limit; run again to resume

The number is the exit status of the command line (BIDS execution specification and
``sysexits.h``).  A message names the file, the value, the allowed values and what to do.
"""


class ClbpeError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is the status of the command line."""

    exit_code = 1


class ParameterError(ClbpeError, ValueError):
    """An option or parameter is out of its range."""

    exit_code = 2


class UnknownWordError(ParameterError, KeyError):
    """A name is none of those offered."""

    def __str__(self) -> str:
        """Return the message as it is; a KeyError would put it in quotes."""
        return str(self.args[0])


class DatasetError(ClbpeError, ValueError):
    """The input folder is not a usable dataset."""

    exit_code = 16


class LevelError(ClbpeError, ValueError):
    """The analysis level is none of those offered."""

    exit_code = 17


class SelectionError(ClbpeError, LookupError):
    """Labels or filters selected nothing."""

    exit_code = 18


class DataError(ClbpeError, ValueError):
    """A file is damaged, or its content contradicts itself or its sidecar."""

    exit_code = 65


class DegreesOfFreedomError(DataError):
    """Denoising leaves too few degrees of freedom for a correlation."""


class SingleVolumeError(DataError):
    """An image that should be a series has one volume, as a scan that was broken off."""


class FewDirectionsError(DataError):
    """A diffusion series shows too few directions for a tensor: b = 0 only, one image, a trace.

    The first argument says what there is, a second what to do where more was meant to be there.
    """

    def __str__(self) -> str:
        """Return both as one text."""
        return ' '.join(map(str, self.args))


class NoMaximumError(DataError):
    """A likelihood has no maximum: the people seen do not tell what a model asks."""


class MissingInputError(ClbpeError, FileNotFoundError):
    """A file that the analysis needs is absent."""

    exit_code = 66


class OutputError(ClbpeError, OSError):
    """The output cannot be written."""

    exit_code = 73


class StoppedError(ClbpeError, RuntimeError):
    """The run was stopped by a limit (memory, time, signal); the next run resumes."""

    exit_code = 75
