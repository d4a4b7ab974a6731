"""Test the maps of a group voxel by voxel: arms, symptoms, and the mean of each visit."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple, assert_never

import numpy as np
import pandas as pd

from ..stats.outcomes import encode
from ..stats.permute import PermutationResult, flip_signs, permute
from ..stats.tfce import neighbour_table
from ..terms import MAP_CONTRASTS
from ._interface import interface, tell_progress
from .group_maps import blocks
from .headers import open_image
from .images import load_mask, save_map
from .tables import read_columns, read_table

Contrast = Literal['armOnChange', 'changeWithSymptoms', 'meanBaseline', 'meanFollowup']
"""Names of :data:`~pipelines.terms.MAP_CONTRASTS`."""


class _Tested(NamedTuple):
    statistic: list[Path]
    tfce: list[Path]
    log_p_max_t: list[Path]
    log_p_max_tfce: list[Path]
    facts: list[dict[str, Any]]


class _Question(NamedTuple):
    """What is asked of the maps: a contrast, who is treated (n,), and how symptoms changed (n,)."""

    contrast: Contrast
    people: pd.DataFrame
    is_treated: pd.Series
    symptoms: pd.Series


def infer_maps(
    stack: str,
    mask: Path,
    participants: Path,
    values: Path,
    contrasts: list[Contrast],
    treatment: str,
    primary: str,
    n_permutations: int,
    random_seed: int,
    *,
    out_dir: Path,
) -> _Tested:
    """Test contrasts of one kind of map at every voxel by permutation.

    Parameters
    ----------
    stack, mask
        Of :func:`~pipelines.interfaces.group_maps.stack_maps`.
    participants
        ``participant_id arm`` and covariates.
    values
        Of :func:`~pipelines.interfaces.trial.fit_outcomes`.
    contrasts
        What is tested, see :data:`~pipelines.terms.MAP_CONTRASTS`.
    treatment
        Name of the treated arm.
    primary
        Name of the outcome whose change the maps are compared with.
    n_permutations, random_seed
        See :func:`~pipelines.stats.permute.permute`.
    out_dir
        Folder of the maps.

    Returns
    -------
    _Tested
        t, TFCE, and -log10 of the p values corrected by the largest t and the largest TFCE, lists in the order
        of the contrasts.

    Raises
    ------
    DataError
        Too few people for the contrast.

    """
    like, folder = open_image(mask), Path(stack)
    inside = load_mask(mask, like)
    table = read_columns(participants).set_index('participant_id')
    own = table.drop(columns='arm'), table['arm'] == treatment, _change_of(read_table(values), primary)
    neighbours, done = neighbour_table(inside), []
    for contrast in contrasts:
        options: dict[str, Any] = {
            'neighbours': neighbours, 'n_permutations': n_permutations, 'rng': np.random.default_rng(random_seed),
            'progress': tell_progress(out_dir, f'permutations of {contrast}'),
        }  # fmt: skip
        n_people, found = _infer(folder, _Question(contrast, *own), options, out_dir)
        maps = found.t, found.tfce, -np.log10(found.p_max_t), -np.log10(np.asarray(found.p_max_tfce))
        paths = [
            save_map(
                np.nan_to_num(map_).astype(np.float32), inside, like, out_dir / f'{contrast}_{name}.nii.gz'
            )
            for name, map_ in zip(_Tested._fields, maps)
        ]
        done.append((*paths, _facts(contrast, n_people, found)))
    return _Tested(*map(list, zip(*done)))


InferMaps = interface(infer_maps)


def _facts(contrast: Contrast, n_people: int, found: PermutationResult) -> dict[str, Any]:
    return {
        'Contrast': MAP_CONTRASTS[contrast].about,
        'NumberOfPeople': n_people,
        'NumberOfPermutations': found.n_permutations,
        'AllArrangements': found.exact,
        'DegreesOfFreedom': found.dof,
        'UntestedVoxels': int(np.isnan(found.t).sum()),
        'SmallestCorrectedP': float(np.nanmin(np.asarray(found.p_max_tfce))),
        'LargestT': float(np.nanmax(np.abs(found.t))),
    }


def _change_of(values: pd.DataFrame, primary: str) -> pd.Series:
    own = values[values['outcome'] == primary]
    wide = own.pivot(index='participant_id', columns='visit', values='value')
    wide = wide.reindex(columns=['baseline', 'followup']).astype(float)
    return wide['followup'] - wide['baseline']


def _infer(
    folder: Path, question: _Question, options: dict[str, Any], out_dir: Path
) -> tuple[int, PermutationResult]:
    """Return how many people entered, and the result."""
    labels = json.loads((folder / 'people.json').read_text())
    pairs = labels['pairs']
    match question.contrast:
        case 'meanBaseline' | 'meanFollowup':
            visit = 'baseline' if question.contrast == 'meanBaseline' else 'followup'
            return len(labels[visit]), flip_signs(np.load(folder / f'{visit}.npy', mmap_mode='r'), **options)
        case 'armOnChange':
            tested, covariates = question.is_treated.loc[pairs], encode(question.people.loc[pairs])
        case 'changeWithSymptoms':
            tested, covariates = question.symptoms.reindex(pairs), pd.DataFrame(index=pairs)
        case _:
            assert_never(question.contrast)
    return _compare(folder, question.contrast, tested.to_numpy(float), covariates, options, out_dir)


def _compare(
    folder: Path,
    contrast: Contrast,
    tested: np.ndarray,
    covariates: pd.DataFrame,
    options: dict[str, Any],
    out_dir: Path,
) -> tuple[int, PermutationResult]:
    """Test changes against ``tested`` (n,), between arms with the map at baseline as covariate."""
    change, baseline = (np.load(folder / f'{name}.npy', mmap_mode='r') for name in ('change', 'baseline'))
    known = np.isfinite(tested) & covariates.notna().all(axis=1).to_numpy()
    varying = [name for name in covariates if covariates.loc[known, name].nunique() > 1]
    nuisance = np.column_stack([np.ones(known.sum()), covariates.loc[known, varying].to_numpy(float)])
    columns = np.flatnonzero(known)
    own: dict[str, Any] = {}
    if contrast == 'armOnChange':
        own['covariate'] = _chosen(baseline, columns, out_dir / 'baseline.npy')
    outcome = _chosen(change, columns, out_dir / 'change.npy')
    return len(columns), permute(outcome, tested[known], nuisance, **own, **options)


def _chosen(maps: np.ndarray, columns: np.ndarray, path: Path) -> np.ndarray:
    """Return some people of a file of maps: a view when they are the first ones, else a file of their own."""
    if len(columns) == 0 or columns[-1] == len(columns) - 1:
        return maps[:, : len(columns)]
    out = np.lib.format.open_memmap(path, 'w+', np.float32, (len(maps), len(columns)))
    for rows in blocks(len(maps)):
        out[rows] = maps[rows][:, columns]
    return out
