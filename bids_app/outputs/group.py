"""The table of every file of the group level, its name and its sidecar."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.stats.design import OutcomesDesign
from pipelines.terms import (
    ADJUSTMENTS,
    ANALYSES,
    BDNF_CONTRASTS,
    BIOMARKER_MODELS,
    DISCRETE_MODELS,
    EFFECT_SCALES,
    MAP_CONTRASTS,
    MISSING_ASSUMPTIONS,
    MODELS,
    SAMPLE_LEVEL,
    SHIFTED_ARMS,
    TAILS,
    TIPPING_ENDS,
    Described,
    maps_named,
)

from .plan import Planned
from .rows import Derivative

LEAST_WITH_MAPS = 6
"""People with maps that a voxel-wise test needs."""


def levels(words: Mapping[str, Described]) -> dict[str, str]:
    """Return what the words of a column mean, for its sidecar."""
    return {name: word.about for name, word in words.items()}


_NUMBERS = {
    'estimate': {'Description': 'difference at follow-up, treatment minus control, adjusted for baseline'},
    'se': {'Description': 'standard error'},
    'df': {'Description': 'degrees of freedom of t'},
    'ci_low': {'Description': 'lower limit of the 95 % confidence interval'},
    'ci_high': {'Description': 'upper limit of the 95 % confidence interval'},
    'statistic': {'Description': 't'},
    'p': {'Description': 'two-sided p value'},
    'flags': {'Description': 'what limits the result'},
    'note': {'Description': 'why there is no result'},
}
_EFFECTS = {
    **_NUMBERS,
    'estimate': {
        'Description': 'treated arm against control at the visit, adjusted for baseline: a difference, or the natural '
        'logarithm of a ratio'
    },
    'outcome': {'Description': 'name in the trial file'},
    'analysis': {'Description': 'place of the analysis', 'Levels': levels(ANALYSES)},
    'model': {'Description': 'statistical model', 'Levels': levels(MODELS) | levels(DISCRETE_MODELS)},
    'scale': {'Description': 'what the estimate is', 'Levels': levels(EFFECT_SCALES)},
    'arm': {'Description': 'that is compared with control'},
    'visit': {'Description': 'at which arms are compared'},
    'is_primary': {'Description': 'whether it is the visit of the primary contrasts'},
    'n_treatment': {'Description': 'people of the arm in the model'},
    'n_control': {'Description': 'people of the control arm in the model'},
    'n_treatment_seen': {'Description': 'those of them with the outcome at the visit'},
    'n_control_seen': {'Description': 'those of them with the outcome at the visit'},
    'p_adjusted': {
        'Description': 'p adjusted for the primary contrasts of all primary outcomes and arms, or of the imaging family'
    },
    'adjustment': {'Description': 'how p was adjusted', 'Levels': levels(ADJUSTMENTS)},
    'ratio': {'Description': 'exponential of the estimate, where it is the logarithm of a ratio'},
    'ratio_ci_low': {'Description': 'lower limit of its 95 % confidence interval'},
    'ratio_ci_high': {'Description': 'upper limit of its 95 % confidence interval'},
    'effect_size': {
        'Description': 'estimate in pooled baseline standard deviations, Hedges-corrected; without a baseline in those '
        'of the control arm at the visit'
    },
    'effect_ci_low': {'Description': 'lower limit of its 95 % confidence interval'},
    'effect_ci_high': {'Description': 'upper limit of its 95 % confidence interval'},
    'units': {'Description': 'of the estimate'},
    'note': {'Description': 'what was done, or why there is no result'},
}
_RESPONDERS = {
    'threshold': {'Description': 'improvement that counts'},
    'n': {'Description': 'people with the baseline and the visit'},
    'responders': {'Description': 'those of them who improved'},
    'share': {'Description': 'responders among them'},
    'difference': {'Description': 'of the share, arm minus control'},
    'n_missing': {'Description': 'people without one of the visits, not counted'},
    **{key: _NUMBERS[key] for key in ('ci_low', 'ci_high')},
}
_LEVELS = {
    'level': {'Description': 'of the outcome, as the trial file calls it'},
    'n': {'Description': 'people at the level'},
    'n_known': {'Description': 'people of the arm with the outcome at the visit'},
}
_MISSING = {
    **{name: words for name, words in _NUMBERS.items() if name != 'flags'},
    'assumption': {'Description': 'about values that are missing', 'Levels': levels(MISSING_ASSUMPTIONS)},
    'arm': {'Description': 'that is compared with control'},
    'missing_information': {'Description': 'share of the information that is lost with missing values'},
    'note': {'Description': 'what was done, or why there is no result'},
}
_TIPPING = {
    'shifted': {'Description': 'whose missing values are shifted', 'Levels': levels(SHIFTED_ARMS)},
    'arm': {'Description': 'that is compared with control'},
    'end': {'Description': 'how the search ended', 'Levels': levels(TIPPING_ENDS)},
    'delta': {
        'Description': 'smallest shift towards worse at which p is 0.05 or more, in units of the outcome'
    },
}
_BIOMARKERS = {
    **_NUMBERS,
    'estimate': {
        'Description': 'natural logarithm of a ratio, of a single sample that of its geometric mean'
    },
    'biomarker': {'Description': 'name in the trial file, bdnf of the part BDNF'},
    'model': {
        'Description': 'treatment of samples beyond the limits of detection',
        'Levels': levels(BIOMARKER_MODELS),
    },
    'arm': {'Description': 'an arm, or the difference of a treated arm from the control'},
    'treated': {'Description': 'the treated arm of a difference'},
    'contrast': {
        'Description': 'of samples, on the natural log scale: in the words of the trial file, or of the part BDNF',
        'Levels': levels({**BDNF_CONTRASTS, SAMPLE_LEVEL.name: SAMPLE_LEVEL}),
    },
    'ratio': {'Description': 'exponential of the estimate'},
    'n': {'Description': 'people'},
    'n_samples': {'Description': 'samples'},
    'n_censored': {'Description': 'samples beyond a limit of detection'},
}
_CLUSTERS = {
    'map': {'Description': 'seed, or icc for intrinsic connectivity'},
    'contrast': {'Description': 'what was tested, by its name in map_tests.tsv'},
    'volume': {'Description': 'size', 'Units': 'mm^3'},
    'peak_statistic': {'Description': 'largest t or F'},
    'peak_p_corrected': {
        'Description': 'two-sided p at the peak, corrected for all voxels of the map by TFCE'
    },
    'peak_p_over_maps': {'Description': 'the same, corrected for the maps of the same test as well'},
    'peak_region': {'Description': 'region of the atlas at the peak, or the nearest one and its distance'},
    'regions': {'Description': 'shares of the cluster in its largest regions'},
}
_MAP_TESTS = {
    'map': _CLUSTERS['map'],
    'contrast': {'Description': 'name of the test in file names'},
    'asks': {'Description': 'what is tested', 'Levels': levels(MAP_CONTRASTS)},
    'title': {'Description': 'what is tested of whom, in words'},
    'visits': {'Description': 'whose maps are tested'},
    'statistic': {'Description': 't, or F of several regressors'},
    'n': {'Description': 'people'},
    'n_permutations': {'Description': 'rearrangements, or all there are'},
    'variances': {'Description': 'common to all people, or of each arm'},
    'exchangeability': {
        'Description': 'what is rearranged: people, within blocks or blocks as wholes, or signs of residuals'
    },
    'p_by_tfce': {'Description': 'smallest p, corrected for all voxels of the map by TFCE'},
    'tail_by_tfce': {'Description': 'how p values below .10 came about', 'Levels': levels(TAILS)},
    'p_by_statistic': {
        'Description': 'smallest p, corrected for all voxels of the map by the largest statistic'
    },
    'tail_by_statistic': {'Description': 'how p values below .10 came about', 'Levels': levels(TAILS)},
    'n_maps': {'Description': 'maps that went through the same rearrangements of the same people'},
    'p_over_maps_by_tfce': {'Description': 'smallest p by TFCE, corrected for the voxels of all these maps'},
    'p_over_maps_by_statistic': {'Description': 'the same by the largest statistic'},
}


def table_row(output: str, description: str, columns: Mapping[str, Any]) -> Derivative:
    """Return the row of a table in ``group/``."""
    return Derivative(output, output, '.tsv', 'group', {}, False, description, 'n/a', columns)


def figure_row(output: str, name: str) -> Derivative:
    """Return the row of a figure of the group."""
    return Derivative(output, name, '.svg', 'figures')


OUTCOMES = (
    table_row('outcomes', 'Effects of treatment, a row per outcome, model, visit, arm and scale', _EFFECTS),
    table_row('descriptives', 'Description of every outcome per arm and visit, and of its change', {}),
    table_row(
        'responders', 'People who improved by the minimal important change, per visit and arm', _RESPONDERS
    ),
    table_row('levels', 'People at each level of the outcomes that have levels, per visit and arm', _LEVELS),
    table_row('missing', 'Effects on the primary outcome by assumptions about missing values', _MISSING),
    table_row('tipping', 'Shift of missing values at which an effect is no longer told from none', _TIPPING),
    table_row('values', 'Values of all outcomes, one row per participant and visit', {}),
)
FOREST = figure_row('forest', 'forest')
BIOMARKERS = table_row('biomarkers', 'Contrasts of biomarkers within arms and between them', _BIOMARKERS)
MAP_TABLES = (
    table_row('map_tests', 'Voxel-wise tests of all maps, with their smallest p values', _MAP_TESTS),
    table_row('clusters', 'Clusters where a map is significant (TFCE, p below 0.05)', _CLUSTERS),
)

STATISTICS = {
    'statistic': ('{statistic}', '{statistic} statistic', '{statistic}'),
    'tfce': ('tfce', 'Threshold-free cluster enhancement of {statistic} (E 0.5, H 2, 26 neighbours)', 'arbitrary'),
    'log_p_max': (
        'logpmax{statistic}', 'Significance by the largest {statistic} of permutations, two-sided', '-log10(p)',
    ),
    'log_p_max_tfce': ('logpmaxtfce', 'Significance by the largest TFCE of permutations, two-sided', '-log10(p)'),
}  # fmt: skip
"""Of a test's maps the label in file names, what is said of them, and units; ``{statistic}`` is t or F."""


def map_name(space: str, kind: str, end: str) -> str:
    """Return the path of a group map relative to the output folder.

    Examples
    --------
    >>> map_name('MNI152NLin6Asym', 'NAc', 'desc-armOnChange_stat-t_statmap')
    'tpl-MNI152NLin6Asym/tpl-MNI152NLin6Asym_seg-NAc_desc-armOnChange_stat-t_statmap.nii.gz'
    >>> map_name('MNI152NLin6Asym', 'icc', 'desc-n_statmap').split('/')[1]
    'tpl-MNI152NLin6Asym_param-icc_desc-n_statmap.nii.gz'

    """
    return f'tpl-{space}/tpl-{space}_{maps_named([kind])[kind].entity}-{kind}_{end}.nii.gz'


def end_of_test(contrast: str, output: str, statistic: str = 't') -> str:
    """Return the end of a group map's name: what was tested, and which of :data:`STATISTICS` it holds.

    Examples
    --------
    >>> end_of_test('armsOnChange', 'log_p_max', 'F')
    'desc-armsOnChange_stat-logpmaxF_statmap'

    """
    return f'desc-{contrast}_stat-{STATISTICS[output][0].format(statistic=statistic)}_statmap'


def of_maps(
    output_dir: Path, space: str, kind: str, number: int, tests: Iterable[tuple[str, str]]
) -> Iterator[Planned]:
    """Yield the files of one kind of map, the ``number``-th of the step that tests them: names and statistics of tests."""
    for output, end, text, units in (
        ('n_map', 'desc-count_statmap', 'Number of people with data at all their visits', 'people'),
        ('mask', 'desc-common_statmap', 'Voxels of everyone, which were tested', 'boolean'),
    ):
        fields = {'Type': 'Brain'} if output == 'mask' else {}
        row = Derivative(f'{output}[{number}]', 'statmap', '.nii.gz', 'group', {}, True, text, units, fields)
        yield Planned('voxelwise', row, output_dir / map_name(space, kind, end))
    for test, (name, statistic) in enumerate(tests):
        for output, (_, *said) in STATISTICS.items():
            text, units = (words.format(statistic=statistic) for words in said)
            row = Derivative(
                f'{output}[{number}][{test}]', 'statmap', '.nii.gz', 'group', {}, True, text, units
            )
            path = output_dir / map_name(space, kind, end_of_test(name, output, statistic))
            yield Planned('voxelwise', row, path)


def of_figures(output_dir: Path, design: OutcomesDesign) -> Iterator[Planned]:
    """Yield the figures of the outcomes."""
    for number, outcome in enumerate(design.outcomes):
        row = figure_row(f'trajectories[{number}]', f'{outcome.name}_trajectories')
        yield of_table(output_dir, 'outcomes', row)
    for number, outcome in enumerate(design.imputed):
        row = figure_row(f'tipping_figure[{number}]', f'{outcome.name}_tipping')
        yield of_table(output_dir, 'outcomes', row)
    yield of_table(output_dir, 'outcomes', FOREST)


def of_biomarkers(output_dir: Path, names: Iterable[str]) -> Iterator[Planned]:
    """Yield the table of biomarkers, and a figure of each."""
    yield of_table(output_dir, 'biomarkers', BIOMARKERS)
    for number, name in enumerate(names):
        row = figure_row(f'biomarker_figure[{number}]', f'biomarker_{name}')
        yield of_table(output_dir, 'biomarkers', row)


def of_map_figures(output_dir: Path, kind: str, number: int, contrasts: Iterable[str]) -> Iterator[Planned]:
    """Yield the figures of one kind of map, see :func:`of_maps`."""
    for test, contrast in enumerate(contrasts):
        row = figure_row(f'test_figure[{number}][{test}]', f'{kind}_{contrast}')
        yield of_table(output_dir, 'voxelwise', row)
    yield of_table(output_dir, 'voxelwise', figure_row(f'count_figure[{number}]', f'{kind}_count'))


def of_table(output_dir: Path, stage: str, row: Derivative) -> Planned:
    """Return the file of a table or figure in ``group/``."""
    folder = output_dir / 'group' / ('figures' if row.datatype == 'figures' else '')
    return Planned(stage, row, folder / f'{row.suffix}{row.extension}')


TRIAL_RECORD = Path('group', 'log', 'trial.json')
