"""Test the maps of a group voxel by voxel: arms, symptoms, and the mean of each visit."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd

from ..stats.map_questions import MapQuestion, ask
from ..stats.map_tests import MapsDesign, MapTest
from ..stats.permute import PermutationResult, flip_signs, permute
from ..stats.question import Effort
from ..stats.tfce import neighbour_table
from ..terms import TAILS
from ._interface import interface, tell_progress
from .group_maps import combine
from .headers import open_image
from .images import load_mask, save_map
from .tables import read_columns, read_table


class _Tested(NamedTuple):
    statistic: list[Path]
    tfce: list[Path]
    log_p_max: list[Path]
    log_p_max_tfce: list[Path]
    facts: list[dict[str, Any]]
    null: Path


class Null(NamedTuple):
    """Largest statistics and TFCE of all rearrangements of one test, (B,) each, and what they are shared with.

    Attributes
    ----------
    largest, largest_tfce
        The first is of the data as they are.
    alike
        The same for tests of other maps that went through the same rearrangements of the same people.
    counts_only
        See :func:`~pipelines.stats.tail.corrected_p`.

    """

    largest: np.ndarray
    largest_tfce: np.ndarray
    alike: str
    counts_only: bool


def infer_maps(
    stack: str,
    mask: Path,
    participants: Path,
    values: Path,
    design: MapsDesign,
    tests: list[MapTest],
    n_permutations: int,
    exact_tail: bool,
    random_seed: int,
    *,
    out_dir: Path,
) -> _Tested:
    """Test one kind of map at every voxel by permutation.

    Parameters
    ----------
    stack, mask
        Of :func:`~pipelines.interfaces.group_maps.stack_maps`.
    participants
        ``participant_id arm``, covariates and blocks.
    values
        Of :func:`~pipelines.interfaces.trial.fit_outcomes`.
    design
        Arms, covariates, blocks, and the outcome whose change the maps are compared with.
    tests
        What is tested.
    n_permutations, exact_tail
        See :class:`~pipelines.stats.question.Effort`.
    random_seed
        Of the permutations, the same for all kinds of maps: so that those of the same people go through the same.
    out_dir
        Folder of the maps.

    Returns
    -------
    _Tested
        t or F, TFCE, and -log10 of the p values corrected by the largest statistic and the largest TFCE, lists in
        the order of the tests; the null distributions, see :func:`read_nulls`.

    Raises
    ------
    DataError
        Too few people for a test.

    """
    like, folder = open_image(mask), Path(stack)
    inside, seen = load_mask(mask, like), json.loads((folder / 'people.json').read_text())
    people, symptoms = read_columns(participants), _wide(read_table(values), design.primary)
    neighbours, done, nulls = neighbour_table(inside), [], {}
    for test in tests:
        asked = ask(test, design, people, symptoms, seen)
        progress = tell_progress(out_dir, f'permutations of {test.name}')
        effort = Effort(n_permutations=n_permutations, exact_tail=exact_tail, progress=progress)
        options = {'neighbours': neighbours, 'effort': effort}
        found = _test(folder, test, asked, options, random_seed, out_dir)
        done.append((*_save(test, found, inside, like, out_dir), _facts(test, asked, found)))
        alike = '\n'.join([test.name, str(random_seed), *asked.people])
        nulls[test.name] = _null(found, alike, counts_only=found.exact or exact_tail)
    found_of: dict[str, Any] = {name: list(column) for name, column in zip(_Tested._fields, zip(*done))}
    return _Tested(**found_of, null=write_nulls(nulls, out_dir / 'null.npz'))


InferMaps = interface(infer_maps)


def _save(
    test: MapTest, found: PermutationResult, inside: np.ndarray, like: nb.Nifti1Image, out_dir: Path
) -> list[Path]:
    """Write the maps of a test in the order of the outputs."""
    p_values = found.p_max, np.asarray(found.p_max_tfce)
    maps = found.statistic, np.asarray(found.tfce), *(-np.log10(p) for p in p_values)
    return [
        save_map(np.nan_to_num(m).astype(np.float32), inside, like, out_dir / f'{test.name}_{name}.nii.gz')
        for name, m in zip(_Tested._fields, maps)
    ]


def _null(found: PermutationResult, alike: str, *, counts_only: bool) -> Null:
    digest = hashlib.sha256(alike.encode()).hexdigest()
    return Null(found.largest, np.asarray(found.largest_tfce), digest, counts_only)


def write_nulls(nulls: dict[str, Null], path: Path) -> Path:
    """Write the null distributions of the tests of a kind of map by their names."""
    arrays: dict[str, Any] = {
        f'{name} {field}': np.asarray(value)
        for name, null in nulls.items()
        for field, value in null._asdict().items()
    }
    np.savez(path, **arrays)
    return path


def read_nulls(path: Path) -> dict[str, Null]:
    """Return what :func:`write_nulls` wrote."""
    with np.load(path) as file:
        names = dict.fromkeys(key.split()[0] for key in file)
        return {
            name: Null(
                file[f'{name} largest'], file[f'{name} largest_tfce'], str(file[f'{name} alike']),
                bool(file[f'{name} counts_only']),
            )
            for name in names
        }  # fmt: skip


def _wide(values: pd.DataFrame, primary: str) -> pd.DataFrame:
    """Return the values of an outcome, people by visits."""
    own = values[values['outcome'] == primary]
    return own.pivot(index='participant_id', columns='visit', values='value').astype(float)


def _test(
    folder: Path, test: MapTest, asked: MapQuestion, options: dict[str, Any], random_seed: int, out_dir: Path
) -> PermutationResult:
    rng = np.random.default_rng(random_seed)
    outcome = combine(folder, test.visits, test.weights, asked.people, out_dir / 'outcome.npy')
    if asked.question is None:
        return flip_signs(outcome, blocks=asked.blocks, rng=rng, **options)
    own = None
    if asked.covariate:
        own = combine(folder, [asked.covariate], [1.0], asked.people, out_dir / 'covariate.npy')
    return permute(outcome, asked.question, covariate=own, rng=rng, **options)


def _facts(test: MapTest, asked: MapQuestion, found: PermutationResult) -> dict[str, Any]:
    p_values = {'SmallestCorrectedP': found.p_max_tfce, 'SmallestCorrectedPByStatistic': found.p_max}
    tails = {
        name: {'Method': TAILS['counted'].name} if tail is None else {
            'Method': TAILS['pareto'].name, 'ShareAbove': tail.share, 'Threshold': tail.threshold, 'Scale': tail.scale,
            'Shape': tail.shape,
        }
        for name, tail in (('Tail', found.tail_tfce), ('TailByStatistic', found.tail))
    }  # fmt: skip
    return {
        'Contrast': test.about,
        'Statistic': test.statistic,
        'Visits': list(test.visits),
        'NumberOfPeople': len(asked.people),
        'NumberOfPermutations': found.n_permutations,
        'AllArrangements': found.exact,
        'DegreesOfFreedom': found.dof,
        **asked.facts,
        'UntestedVoxels': int(np.isnan(found.statistic).sum()),
        **{name: float(np.nanmin(np.asarray(p))) for name, p in p_values.items()},
        **tails,
        'LargestStatistic': float(np.nanmax(np.abs(found.statistic))),
    }
