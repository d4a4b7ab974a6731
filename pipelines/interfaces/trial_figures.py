"""Draw the results of a trial as SVG: outcomes, blood, maps."""

from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import ndimage

from ..figures.forest import ForestWords, plot_forest
from ..figures.statmap import plot_coverage, plot_statmap
from ..figures.timecourse import plot_time_course
from ..figures.trajectories import TrajectoryWords, plot_trajectories
from ..numerics.resample import apply_linear
from ..stats.biomarker_design import SamplesDesign
from ..stats.design import Outcome, OutcomesDesign, primary_visit, visits_of
from ..terms import EFFECT_SCALES, MAIN, TAILS, maps_named
from ._interface import interface
from .clusters import SIGNIFICANT_P
from .headers import open_image
from .tables import read_columns, read_table
from .templates import target_brain

_PEAKS = 4
_TAILS = {TAILS['pareto'].name: ' with a generalised Pareto tail', TAILS['counted'].name: ''}


class _Outcomes(NamedTuple):
    trajectories: list[Path]
    forest: Path


class _Samples(NamedTuple):
    biomarker_figure: list[Path]


class _Tests(NamedTuple):
    test_figure: list[Path]
    count_figure: Path


def draw_outcomes(values: Path, outcomes: Path, design: OutcomesDesign, *, out_dir: Path) -> _Outcomes:
    """Draw the course of every outcome in each arm, and all effects side by side.

    Parameters
    ----------
    values, outcomes
        Of :func:`~pipelines.interfaces.trial.fit_outcomes`.
    design
        Arms, outcomes, and the label of each visit.
    out_dir
        Folder of the figures.

    Returns
    -------
    _Outcomes
        A figure per outcome in their order, and the forest.

    """
    seen = read_table(values)
    effects = read_table(outcomes)
    effects = effects[effects['analysis'] == MAIN]
    paths = []
    for outcome in design.outcomes:
        people, found = (table[table['outcome'] == outcome.name] for table in (seen, effects))
        figure = _course(people, found, outcome, design)
        paths.append(save_svg(figure, out_dir / f'{outcome.name}_trajectories.svg'))
    forest = plot_forest(_forest_rows(effects, design), _forest_words(design))
    return _Outcomes(paths, save_svg(forest, out_dir / 'forest.svg'))


DrawOutcomes = interface(draw_outcomes, is_brief=True)


def _course(seen: pd.DataFrame, effects: pd.DataFrame, outcome: Outcome, design: OutcomesDesign) -> Figure:
    """Return the figure of the course of one outcome."""
    units = '' if outcome.units == '1' else outcome.units
    visits = {visit.name: visit.session for visit in visits_of(outcome, design.visits)}
    words = TrajectoryWords(
        title=outcome.title, units=units, visits=visits, arms={arm: arm for arm in design.arms},
        primary=primary_visit(outcome, design.visits).name, lower_is_better=outcome.lower_is_better,
    )  # fmt: skip
    shown = _differences(effects, outcome)
    said = _in_words(shown.iloc[0], units) if shown is not None and len(shown) == 1 else ''
    people = seen.loc[seen['visit'].isin(visits), ['participant_id', 'arm', 'visit', 'value']]
    return plot_trajectories(people, words, shown, said)


def _differences(effects: pd.DataFrame, outcome: Outcome) -> pd.DataFrame | None:
    """Return the effects that have the unit of the values; of levels there are none."""
    is_ratio = effects['scale'].map(lambda scale: EFFECT_SCALES[scale].is_ratio).astype(bool)
    return None if outcome.kind == 'ordinal' else effects[~is_ratio]


def _in_words(effect: pd.Series, units: str) -> str:
    if pd.isna(effect['estimate']):
        return 'not estimated'
    numbers = (
        f'{effect["estimate"]:.3g} {units}'.strip()
        + f' (95 % CI {effect["ci_low"]:.3g} to {effect["ci_high"]:.3g})'
    )
    return f'{numbers}\np = {effect["p"]:.2g}'


def _forest_words(design: OutcomesDesign) -> ForestWords:
    """Return what the forest says: of groups that chance did not make, that they differ and not why."""
    one = len(design.treated) == 1
    if design.is_randomised:
        who = design.treatment if one else 'treatment'
        title = f'Effect of {who} against {design.control} at follow-up'
        return ForestWords(title=title, treatment=who, control=design.control)
    who = design.treatment if one else 'other groups'
    change = ' in change' if design.baseline else ''
    title = f'Differences{change}: {who} compared with {design.control}'
    return ForestWords(title=title, treatment=who, control=design.control, better='better in {}')


def _forest_rows(effects: pd.DataFrame, design: OutcomesDesign) -> pd.DataFrame:
    """Return the rows of the forest: every arm and visit of an outcome, of the other ones the primary visit."""
    rows = []
    for outcome in design.outcomes:
        own = effects[effects['outcome'] == outcome.name].drop_duplicates(['arm', 'visit'])
        own = own[own['is_primary'].astype(bool)] if outcome.role == 'other' else own
        visits = {visit.name: visit.session for visit in visits_of(outcome, design.visits)}
        for row in own.to_dict('records'):
            more = [row['arm']] * (len(design.treated) > 1) + [visits[row['visit']]] * (
                own['visit'].nunique() > 1
            )
            rows.append({
                'label': ', '.join([outcome.title, *more]), 'group': outcome.role,
                'lower_is_better': outcome.lower_is_better, 'effect_size': row['effect_size'],
                'ci_low': row['effect_ci_low'], 'ci_high': row['effect_ci_high'],
                'n_treatment': row['n_treatment_seen'], 'n_control': row['n_control_seen'],
                'p': row['p'], 'flags': row['flags'],
            })  # fmt: skip
    return pd.DataFrame(rows)


def draw_samples(samples: Path, designs: list[SamplesDesign], *, out_dir: Path) -> _Samples:
    """Draw every biomarker at every sample.

    Parameters
    ----------
    samples
        As for :func:`~pipelines.interfaces.biomarkers.fit_samples`.
    designs
        Name, title, unit and arms of each biomarker, and the samples with session and time.
    out_dir
        Folder of the figures.

    """
    table = read_columns(samples)
    for side, limit in {'left': 'lower', 'right': 'upper'}.items():
        bare = (table['censored'] == side) & table['value'].isna()
        table.loc[bare, 'value'] = table.loc[bare, limit]
    table['censored'] = table['censored'].fillna('')
    drawn = []
    for design in designs:
        own = table[(table['biomarker'] == design.name) & table['sample'].isin(design.names)]
        figure = plot_time_course(
            own, title=design.title, units=design.units,
            sample_labels={sample.name: (sample.session, sample.time) for sample in design.samples},
            arm_labels={arm: arm for arm in (*design.treated, design.control)},
        )  # fmt: skip
        drawn.append(save_svg(figure, out_dir / f'biomarker_{design.name}.svg'))
    return _Samples(drawn)


DrawSamples = interface(draw_samples, is_brief=True)


def draw_tests(
    statistic: list[Path],
    log_p_max_tfce: list[Path],
    facts: list[dict[str, Any]],
    n_map: Path,
    stack_facts: dict[str, Any],
    kind: str,
    space: str,
    *,
    out_dir: Path,
) -> _Tests:
    """Draw every voxel-wise test of one kind of map, and in how many people each voxel has data.

    Parameters
    ----------
    statistic, log_p_max_tfce, facts
        Of :func:`~pipelines.interfaces.voxelwise.infer_maps`.
    n_map, stack_facts
        Of :func:`~pipelines.interfaces.group_maps.stack_maps`.
    kind
        Seed, or ``icc``.
    space
        Template of the images.
    out_dir
        Folder of the figures.

    """
    tests = [
        save_svg(draw_test(*test, kind, space), out_dir / f'test{number}.svg')
        for number, test in enumerate(zip(statistic, log_p_max_tfce, facts, strict=True))
    ]
    return _Tests(tests, save_svg(draw_count(n_map, stack_facts, kind, space), out_dir / 'count.svg'))


DrawTests = interface(draw_tests)


def draw_test(statistic: Path, log_p_max_tfce: Path, facts: dict[str, Any], kind: str, space: str) -> Figure:
    """Return the figure of one voxel-wise test."""
    image = open_image(statistic)
    t = np.asarray(image.dataobj, float)
    log_p = np.asarray(open_image(log_p_max_tfce).dataobj, float)
    significant = log_p > -np.log10(SIGNIFICANT_P)
    brain = open_image(target_brain(space))
    return plot_statmap(
        np.where(t == 0, np.nan, t),
        np.asarray(image.affine, float),
        np.asarray(brain.dataobj, np.float32),
        significant=significant,
        title=f'{maps_named([kind])[kind].short}: {facts["Contrast"]}',
        units=f'{facts["Statistic"]} ({facts["DegreesOfFreedom"]} degrees of freedom)',
        peaks=_peaks(t, significant, np.asarray(image.affine, float)),
        background_affine=np.asarray(brain.affine, float),
        note=(
            f'{facts["NumberOfPeople"]} people; outlined: p < {SIGNIFICANT_P:g}, two-sided, corrected for all voxels by '
            f'TFCE and {facts["NumberOfPermutations"]} rearrangements{_TAILS[facts["Tail"]["Method"]]}; smallest corrected p '
            f'{facts["SmallestCorrectedP"]:.2g}.'
        ),
    )


def _peaks(t: np.ndarray, significant: np.ndarray, affine: np.ndarray) -> np.ndarray | None:
    """Return the largest values of the clusters, at most four, in mm."""
    labels, count = ndimage.label(significant, np.ones((3, 3, 3)))
    if not count:
        return None
    size = np.abs(t)
    places = ndimage.maximum_position(size, labels, np.arange(1, count + 1))
    places = sorted(places, key=lambda place: -size[place])[:_PEAKS]
    return np.asarray(apply_linear(affine, np.array(places, float)))


def draw_count(n_map: Path, facts: dict[str, Any], kind: str, space: str) -> Figure:
    """Return the figure of in how many people each voxel has data; ``facts`` are those of the stacked maps."""
    image, brain = open_image(n_map), open_image(target_brain(space))
    return plot_coverage(
        np.asarray(image.dataobj, float), np.asarray(image.affine, float), np.asarray(brain.dataobj, np.float32),
        facts['NumberOfPeople'], title=f'{maps_named([kind])[kind].short}: people with data at each voxel',
        background_affine=np.asarray(brain.affine, float),
    )  # fmt: skip


def save_svg(figure: Figure, path: Path) -> Path:
    """Write a figure whose bytes depend on nothing but what is drawn; text stays text."""
    with mpl.rc_context({'svg.fonttype': 'none', 'svg.hashsalt': 'clbpe'}):
        figure.savefig(path, metadata={'Date': None})
    return path
