"""What was tested of which map, and p values corrected over all maps that went through the same rearrangements."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from ..stats.tail import p_over_maps
from ..terms import MAP_CONTRASTS
from ._interface import interface
from .tables import write_table
from .voxelwise import Null, read_nulls

TEST_COLUMNS = (
    'map', 'contrast', 'asks', 'title', 'visits', 'statistic', 'n', 'n_permutations', 'variances', 'exchangeability', 'p_by_tfce',
    'tail_by_tfce', 'p_by_statistic', 'tail_by_statistic', 'n_maps', 'p_over_maps_by_tfce', 'p_over_maps_by_statistic',
)  # fmt: skip


class _Tests(NamedTuple):
    map_tests: Path


class OverMaps:
    """The null distributions of all maps, by kind of map and test.

    Parameters
    ----------
    maps
        Kinds of maps.
    nulls
        Of :func:`~pipelines.interfaces.voxelwise.infer_maps`, in the order of the kinds.

    """

    def __init__(self, maps: list[str], nulls: list[Path]) -> None:
        self._nulls = {
            (kind, name): null for kind, path in zip(maps, nulls) for name, null in read_nulls(path).items()
        }

    def together(self, kind: str, test: str) -> list[Null]:
        """Return the tests that went through the same rearrangements of the same people, this one among them."""
        own = self._nulls[kind, test]
        return [
            null
            for null in self._nulls.values()
            if null.alike == own.alike and len(null.largest) == len(own.largest)
        ]

    def p(self, kind: str, test: str, p: np.ndarray, by: Literal['largest', 'largest_tfce']) -> np.ndarray:
        """Return p values, corrected for the voxels of their map, corrected for all voxels of all maps."""
        maxima = np.array([getattr(null, by) for null in self.together(kind, test)])
        return p_over_maps(maxima, p, counts_only=self._nulls[kind, test].counts_only)


def list_tests(
    maps: list[str], tests: list[list[str]], contrasts: list[list[str]], nulls: list[Path], facts: list[list[dict]],
    *, out_dir: Path,
) -> _Tests:  # fmt: skip
    """List the voxel-wise tests, with their smallest p values in their map and over all maps.

    Parameters
    ----------
    maps
        Kinds of maps.
    tests, contrasts
        Of each kind the names of its tests, and what they are of :data:`~pipelines.terms.MAP_CONTRASTS`.
    nulls, facts
        Of :func:`~pipelines.interfaces.voxelwise.infer_maps`.
    out_dir
        Folder of the table.

    """
    over = OverMaps(maps, nulls)
    rows = [
        _row(kind, name, contrast, known, over)
        for kind, *each in zip(maps, tests, contrasts, facts, strict=True)
        for name, contrast, known in zip(*each, strict=True)
    ]
    return _Tests(write_table(pd.DataFrame(rows, columns=list(TEST_COLUMNS)), out_dir / 'map_tests.tsv'))


ListTests = interface(list_tests, is_brief=True)


def _row(kind: str, name: str, contrast: str, facts: dict[str, Any], over: OverMaps) -> dict[str, Any]:
    by_tfce, by_statistic = facts['SmallestCorrectedP'], facts['SmallestCorrectedPByStatistic']
    return {
        'map': kind, 'contrast': name, 'asks': MAP_CONTRASTS[contrast].name, 'title': facts['Contrast'],
        'visits': '; '.join(facts['Visits']), 'statistic': facts['Statistic'], 'n': facts['NumberOfPeople'], 'n_permutations': facts['NumberOfPermutations'],
        'variances': facts.get('Variances'), 'exchangeability': facts.get('Exchangeability'),
        'p_by_tfce': by_tfce, 'tail_by_tfce': facts['Tail']['Method'],
        'p_by_statistic': by_statistic, 'tail_by_statistic': facts['TailByStatistic']['Method'],
        'n_maps': len(over.together(kind, name)),
        'p_over_maps_by_tfce': float(over.p(kind, name, np.array([by_tfce]), 'largest_tfce')[0]),
        'p_over_maps_by_statistic': float(over.p(kind, name, np.array([by_statistic]), 'largest')[0]),
    }  # fmt: skip
