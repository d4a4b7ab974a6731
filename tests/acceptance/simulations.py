"""Long simulations: the committed table made anew, or a small share of it held against the table."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from .checks import Collector, Context, met
from .made import GOLDEN, STUDIES, source_of, stamp
from .studies import arms_error as arms_study
from .studies import circuit as circuit_study
from .studies import coverage as coverage_study
from .studies import discrete as discrete_study
from .studies import expression as expression_study
from .studies import map_error as map_error_study
from .studies import map_tail as map_tail_study
from .studies import mediation as mediation_study
from .studies import missing as missing_study
from .studies import placement as placement_study
from .studies import planning as planning_study
from .studies import quasi as quasi_study
from .studies import recovery as recovery_study
from .studies import reliability as reliability_study
from .studies import spread
from .studies import template_fit as template_study
from .studies import tract_change as tract_study
from .studies import tract_fa as tract_fa_study

Share = Callable[[Collector, pd.DataFrame], None]


def circuit(context: Context) -> Collector:
    """Effects planted in two pairs of a circuit of five regions are found: 20 trials of 57 people."""
    return _made_or_shared(context, 'circuit', circuit_study, share_of_circuit)


def coverage(context: Context) -> Collector:
    """Intervals of the outcome models and of BDNF cover the truth: 2,000 trials."""
    return _made_or_shared(context, 'coverage', coverage_study, share_of_coverage)


def arms_error(context: Context) -> Collector:
    """Arms of unequal size, spread and drop-out are compared without false findings: 2,000 trials of each kind."""
    return _made_or_shared(context, 'arms_error', arms_study, share_of_arms_error)


def discrete(context: Context) -> Collector:
    """Events, levels and counts of arms that do not differ are found to differ as seldom as they may: 400 trials of 20 kinds."""
    return _made_or_shared(context, 'discrete', discrete_study, share_of_discrete)


def missing(context: Context) -> Collector:
    """Imputed values tell what the primary analysis tells, and assumptions find nothing where nothing is: 300 trials of 10 kinds."""
    return _made_or_shared(context, 'missing', missing_study, share_of_missing)


def map_error(context: Context) -> Collector:
    """Maps of arms of unequal size and spread are compared without false findings: 1,000 data sets of each kind."""
    return _made_or_shared(context, 'map_error', map_error_study, share_of_map_error)


def map_tail(context: Context) -> Collector:
    """Tails of 1,000 permutations give the p values of 10,000 counted ones: 10 data sets."""
    return _made_or_shared(context, 'map_tail', map_tail_study, share_of_map_tail)


def mediation(context: Context) -> Collector:
    """Intervals of the indirect effect cover the truth: 2,000 trials of ten kinds."""
    return _made_or_shared(context, 'mediation', mediation_study, share_of_mediation)


def planning(context: Context) -> Collector:
    """Power of the model of a trial is that of the closed form: 2,000 trials of two kinds."""
    return _made_or_shared(context, 'planning', planning_study, share_of_planning)


def expression(context: Context) -> Collector:
    """Planted genes and pathways are found among 12,000: 20 trials."""
    return _made_or_shared(context, 'expression', expression_study, share_of_expression)


def quasi(context: Context) -> Collector:
    """Genes are called falsely as seldom as the rate says, in trials of 8 to 56 people: 500 trials, and 100 without any effect."""
    return _made_or_shared(context, 'quasi', quasi_study, share_of_quasi)


def recovery(context: Context) -> Collector:
    """Every effect planted in a trial is found by the group level's models: 20 trials of 57 people."""
    return _made_or_shared(context, 'recovery', recovery_study, share_of_recovery)


def reliability(context: Context) -> Collector:
    """Intervals of reliability hold the known one: 2,000 cohorts of six kinds."""
    return _made_or_shared(context, 'reliability', reliability_study, share_of_reliability)


def tract_change(context: Context) -> Collector:
    """A planted rise of FA is found along one tract of both sessions without bias: 20 acquisitions."""
    return _made_or_shared(context, 'tract_change', tract_study, share_of_tract_change)


def template_fit(context: Context) -> Collector:
    """A series is found to lie on another template than it is named after, and only then: 50 heads."""
    return _made_or_shared(context, 'template_fit', template_study, share_of_template_fit)


def placement(context: Context) -> Collector:
    """A region that a registration put elsewhere is told, and one that lies where it should is not: 40 heads."""
    return _made_or_shared(context, 'placement', placement_study, share_of_placement)


def tract_fa(context: Context) -> Collector:
    """How FA of a tract is measured in a trial, from which the recovery draws it: 12 people."""
    return _made_or_shared(context, 'tract_fa', tract_fa_study, share_of_tract_fa)


def _made_or_shared(context: Context, name: str, study: ModuleType, share: Share) -> Collector:
    """Make the table of a study; in a quick run hold new trials against it."""
    checks, path = met(name), GOLDEN / study.TABLE
    if context.sloppy:
        share(checks, pd.read_csv(path, sep='\t', na_values='n/a'))
        return checks
    source = source_of(STUDIES / f'{name}.py')  # of now: files may change while it runs
    table = study.make()
    table.to_csv(path, sep='\t', index=False, float_format='%.5f', na_rep='n/a')
    stamp(path, name, source)
    checks.note('table is made; scripts/test holds it to its limits', path.name, len(table) > 0)
    return checks


def share_of_template_fit(checks: Collector, recorded: pd.DataFrame, n: int = 4) -> None:
    """New heads are judged as those of the table are."""
    study = template_study
    found = study.simulate(range(study.N_HEADS, study.N_HEADS + n))
    is_right = found['space'] == found['named']
    n_alarms = int((found.loc[is_right, 'better'] != 'n/a').sum())
    n_found = int((found.loc[~is_right, 'better'] == found.loc[~is_right, 'space']).sum())
    checks.note('no false alarm', n_alarms, n_alarms == 0)
    checks.note(f'at least {n - 1} of {n} wrong names are found', n_found, n_found >= n - 1)


def share_of_placement(checks: Collector, recorded: pd.DataFrame, n: int = 1) -> None:
    """A new head is judged as those of the table are."""
    study = placement_study
    found = study.summarise(study.simulate(range(study.N_HEADS, study.N_HEADS + n)))
    flagged = found[found['region'] == 'all'].set_index('kind')['flagged']
    checks.note(
        'at most 1 of 6 regions of a good registration is flagged', flagged['good'], flagged['good'] < 0.2
    )
    missed = 1 - flagged['shift_6mm']
    checks.note('at most 1 of 6 regions 6 mm away is missed', missed, missed < 0.2)


def share_of_circuit(checks: Collector, recorded: pd.DataFrame) -> None:
    """Two new trials estimate every quantity as those of the table do."""
    study, table = circuit_study, recorded.set_index('quantity')
    rows = spread(study.simulate, range(study.N_TRIALS, study.N_TRIALS + 2)).set_index('quantity')
    known = table.loc[rows.index]
    # prediction interval of one more trial after 20: t of 19 degrees of freedom at 1 in 1,000
    errors = rows['estimate'] - known['truth'] - known['mean_error']
    away = errors.abs() / (known['sd'] * np.sqrt(1 + 1 / known['n']))
    checks.note(
        'every estimate of two new trials within 3.9 SD of the table', f'{away.max():.1f}', away.max() < 3.9
    )


def share_of_coverage(checks: Collector, recorded: pd.DataFrame, n: int = 200) -> None:
    """Coverage, false positives and bias of new trials are those of the table."""
    study = coverage_study
    repeated = study.summarise(spread(study.simulate, range(study.N_TRIALS, study.N_TRIALS + n)))
    table = recorded.set_index('quantity').loc[repeated['quantity']].reset_index()
    for column in ('coverage', 'type_I'):
        _compare_shares(checks, column, repeated[column], table[column], n, study.N_TRIALS)
    _compare_bias(checks, repeated, table)


def share_of_arms_error(checks: Collector, recorded: pd.DataFrame, n: int = 40) -> None:
    """Rejections, coverage and bias of new trials are those of the table: of one setting in nine, and all unlike."""
    study, first = arms_study, arms_study.N_TRIALS
    chosen = [one for one in study.settings()[::9] if one.visits == 2]
    repeated = study.summarise(study.simulate(range(first, first + n), chosen))
    _compare_bias(checks, *_compare_settings(checks, study, repeated, recorded, ['estimator'], n))


def share_of_discrete(checks: Collector, recorded: pd.DataFrame, n: int = 40) -> None:
    """Rejections, coverage and bias of new trials are those of the table: of one setting in three."""
    study, first = discrete_study, discrete_study.N_TRIALS
    repeated = study.summarise(study.simulate(range(first, first + n), study.settings()[::3]))
    _compare_bias(checks, *_compare_settings(checks, study, repeated, recorded, ['scale'], n))


def share_of_missing(checks: Collector, recorded: pd.DataFrame, n: int = 20) -> None:
    """Rejections and coverage of new trials are those of the table: of one setting in three."""
    study, first = missing_study, missing_study.N_TRIALS
    repeated = study.summarise(study.simulate(range(first, first + n), study.settings()[::3]))
    _compare_settings(checks, study, repeated, recorded, ['assumption'], n)


def _compare_settings(
    checks: Collector,
    study: ModuleType,
    repeated: pd.DataFrame,
    recorded: pd.DataFrame,
    more: list[str],
    n: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare rejections and coverage of ``n`` new trials of some settings; return both tables by setting and ``more``."""
    keys = [*study.Setting._fields, *more]
    repeated = repeated.set_index(keys)
    table = recorded.set_index(keys).loc[repeated.index]
    for column in ('rejected', 'coverage'):
        # and one trial, for shares near 0 and 1
        _compare_shares(checks, column, repeated[column], table[column], n, study.N_TRIALS, 1 / n)
    return repeated, table


def share_of_map_error(checks: Collector, recorded: pd.DataFrame, n: int = 40) -> None:
    """As many new data sets hold a false finding as those of the table."""
    study, keys = map_error_study, [*map_error_study.Setting._fields, 'variances', 'by']
    first = study.N_TRIALS - study.N_ENHANCED  # modulo the number of trials: none of these is enhanced
    repeated = study.summarise(study.simulate(range(study.N_TRIALS + first, study.N_TRIALS + first + n)))
    repeated = repeated.set_index(keys)
    table = recorded.set_index(keys).loc[repeated.index]
    for column in study.LEVELS:
        # and two data sets, for shares near 0
        _compare_shares(checks, column, repeated[column], table[column], n, study.N_TRIALS, 2 / n)


def share_of_map_tail(checks: Collector, recorded: pd.DataFrame) -> None:
    """The p values of one new data set by a tail are as near to counted ones as those of the table."""
    found = map_tail_study.agreement(
        map_tail_study.simulate(range(map_tail_study.N_TRIALS, map_tail_study.N_TRIALS + 1))
    )
    away = found['share'].min()
    checks.note(
        'at least 85 % of the p values of a new data set within their factor', f'{away:.0%}', away >= 0.85
    )


def share_of_mediation(checks: Collector, recorded: pd.DataFrame, n: int = 200) -> None:
    """Coverage, power and bias of new trials are those of the table."""
    study = mediation_study
    repeated = study.summarise(spread(study.simulate, range(study.N_TRIALS, study.N_TRIALS + n)))
    for column in ('coverage', 'excludes_zero'):
        # and one trial, for shares near 0
        _compare_shares(checks, column, repeated[column], recorded[column], n, study.N_TRIALS, 1 / n)
    _compare_bias(checks, repeated, recorded)


def share_of_planning(checks: Collector, recorded: pd.DataFrame, n: int = 100) -> None:
    """Power of new trials is that of the table."""
    study = planning_study
    repeated = study.summarise(spread(study.simulate, range(study.N_TRIALS, study.N_TRIALS + n)))
    _compare_shares(checks, 'power', repeated['power'], recorded['power'], n, study.N_TRIALS)


def share_of_expression(checks: Collector, recorded: pd.DataFrame) -> None:
    """Two new trials find what those of the table find."""
    rows = spread(expression_study.simulate, range(101, 103))
    # of 340 planted genes; the largest of 20 trials is rarely 3.5 standard deviations away
    for column in ('sensitivity', 'false_discovery_proportion', 'null_below_05'):
        mean, sd = recorded[column].mean(), recorded[column].std()
        found = ', '.join(f'{value:.3f}' for value in rows[column])
        checks.note(
            f'{column} within 3.5 SD of {mean:.3f}', found, ((rows[column] - mean).abs() < 3.5 * sd).all()
        )
    ranks = rows['pathway_rank'].tolist()
    checks.note('planted pathway is first', ranks, ranks == [1, 1])


def share_of_quasi(checks: Collector, recorded: pd.DataFrame, n: int = 6) -> None:
    """The test in use discovers as often falsely in new trials of each size as in those of the table."""
    study, keys = quasi_study, [*quasi_study.Setting._fields, 'test']
    first = study.N_TRIALS + study.N_NULL  # new, and with effects only
    rows = pd.DataFrame(study.simulate(range(first, first + n)))
    table = recorded.set_index(keys)
    for place, own in rows[rows['test'] == 'F'].groupby(keys, sort=False):
        known = table.loc[place]
        error = known['se'] * np.sqrt(known['n_trials'] * (1 / n + 1 / known['n_trials']))
        mean = own['false_discovery_proportion'].mean()
        away = abs(mean - known['false_discovery_proportion']) / error
        checks.note(f'{place[0]} pairs: {n} new trials within 4 SE of the table', f'{mean:.3f}', away < 4)


def share_of_recovery(checks: Collector, recorded: pd.DataFrame) -> None:
    """Two new trials estimate every quantity as those of the table do, and most intervals hold the truth."""
    study, table = recovery_study, recorded.set_index('quantity')
    rows = spread(study.simulate, range(study.N_TRIALS, study.N_TRIALS + 2)).set_index('quantity')
    known = table.loc[rows.index]
    # prediction interval of one more trial after 20: t of 19 degrees of freedom at 1 in 1,000
    away = (rows['estimate'] - known['mean']).abs() / (known['sd'] * np.sqrt(1 + 1 / known['n']))
    found = f'{away.max():.1f} ({away.idxmax()})'
    checks.note('every estimate of two new trials within 3.9 SD of the table', found, away.max() < 3.9)
    held = known['truth'].between(rows['ci_low'], rows['ci_high']).mean()
    checks.note('at least 80 % of the intervals hold the truth', f'{100 * held:.0f} %', held >= 0.8)


def share_of_reliability(checks: Collector, recorded: pd.DataFrame, n: int = 100) -> None:
    """Intervals of new cohorts hold the truth as often as those of the table."""
    study = reliability_study
    repeated = study.simulate(n, study.SEED + 1)
    _compare_shares(checks, 'coverage', repeated['coverage'], recorded['coverage'], n, study.N_COHORTS, 1 / n)


def share_of_tract_change(checks: Collector, recorded: pd.DataFrame) -> None:
    """Two new acquisitions find the change as those of the table do."""
    rows = spread(tract_study.simulate, range(100, 102))
    errors, before = rows['found'] - rows['planted'], recorded['found'] - recorded['planted']
    # prediction interval of one more trial after 20: t of 19 degrees of freedom at 1 in 1,000
    away = (errors - before.mean()).abs() / (before.std() * np.sqrt(1 + 1 / len(before)))
    checks.note(
        'error of two new trials within 3.9 SD of the table', f'{away.max():.1f} SD', away.max() < 3.9
    )


def share_of_tract_fa(checks: Collector, recorded: pd.DataFrame) -> None:
    """One person of the same trial is measured as before."""
    with tempfile.TemporaryDirectory() as folder:
        rows = tract_fa_study.measure(Path(folder), 'sub-02')
    table = recorded.set_index(['participant_id', 'session_id'])
    # the same seeds: other libraries round otherwise, and a streamline more or less moves FA by less than 0.005
    for row in rows.itertuples():
        before = table.loc[(row.participant_id, row.session_id), 'measured']
        checks.note(
            f'{row.participant_id} {row.session_id}: FA within 0.01 of {before:.3f}',
            f'{row.measured:.3f}',
            abs(row.measured - before) < 0.01,
        )


def _compare_shares(
    checks: Collector,
    name: str,
    repeated: pd.Series,
    share: pd.Series,
    n: int,
    n_before: int,
    extra: float = 0,
) -> None:
    """Three standard errors of the difference between the two studies."""
    error = np.sqrt(share * (1 - share) * (1 / n + 1 / n_before))
    away = ((repeated - share).abs() - extra) / error
    checks.note(f'{name} of {n} new trials within 3 SE of the table', f'{away.max():.1f} SE', away.max() < 3)


def _compare_bias(checks: Collector, repeated: pd.DataFrame, table: pd.DataFrame) -> None:
    error = np.hypot(repeated['mc_se_bias'], table['mc_se_bias'])
    away = (repeated['mean_bias'] - table['mean_bias']).abs() / error
    checks.note('bias of new trials within 3 SE of the table', f'{away.max():.1f} SE', away.max() < 3)
