"""What is asked of the maps of a group, and how often chance is asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..errors import ParameterError
from .rearrange import Blocks

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """What is asked of n people.

    Attributes
    ----------
    tested
        (n,) regressor of interest, tested by t, or (n, s) several, tested together by F.
    nuisance
        (n, k) common to all voxels; without a constant column the model has no intercept.
    groups
        (n,) a label for everyone of one variance; None: all have the same.
    blocks
        Who may change places; None: everybody.

    """

    tested: Array
    nuisance: Array
    groups: Array | None = None
    blocks: Blocks | None = None


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How often chance is asked, and with what.

    Attributes
    ----------
    n_permutations
        Random permutations, at least 1; where no more distinct ones exist, each of these is used once.
    exact_tail
        Count small p values too, rather than fit a tail.
    block
        Voxels at a time, at least 1.
    max_bytes
        Memory for the maps of the permutations done together.
    n_threads
        Threads over the TFCE maps; no result depends on it.
    progress
        Called with the permutations done and their total after each batch.

    """

    n_permutations: int = 1000
    exact_tail: bool = False
    block: int = 128
    max_bytes: int = 2**28
    n_threads: int = 1
    progress: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        """Refuse numbers below 1."""
        for name in ('n_permutations', 'block', 'n_threads'):
            if getattr(self, name) < 1:
                raise ParameterError(f'{name} {getattr(self, name)} is below 1')
