"""A plan from a seed to its files."""

from pathlib import Path

import numpy as np

from ..figures.power import plot_power
from ..interfaces.tables import write_table
from ..interfaces.trial_figures import save_svg
from .planned import PlannedTrial, Tick
from .sizes import SizeQuestion, Sizes, plan_sizes


def simulate_sizes(plan: PlannedTrial, question: SizeQuestion, seed: int, tick: Tick) -> Sizes:
    """Return :func:`~pipelines.simulated.sizes.plan_sizes` of a seed."""
    return plan_sizes(plan, question, np.random.default_rng(seed), tick)


def write_plan(sizes: Sizes, title: str, target: float | None, *, out_dir: Path) -> tuple[Path, Path]:
    """Write ``plan.tsv`` and ``plan.svg``; ``target`` is the power that was asked for."""
    table = write_table(sizes.table, out_dir / 'plan.tsv')
    figure = plot_power(sizes.table, title=f'Power: {title}', target=target)
    return table, save_svg(figure, out_dir / 'plan.svg')
