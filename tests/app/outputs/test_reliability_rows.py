"""Tables of reliability: every column that a reader cannot guess is explained."""

from pathlib import Path

import pytest

from bids_app.outputs.group import of_table
from bids_app.outputs.reliability import RELIABILITY
from pipelines.stats.reliable_change import CHANGE_COLUMNS, RELIABILITY_COLUMNS
from pipelines.terms import REPEATS

PLAIN = {'participant_id', 'arm', 'outcome', 'visit', 'units'}
"""Columns of other tables too."""


@pytest.mark.parametrize(('row', 'columns'), zip(RELIABILITY, (RELIABILITY_COLUMNS, CHANGE_COLUMNS)))
def test_columns_are_explained(row, columns):
    """Limits of an interval are told by the estimate that they belong to."""
    told = {name for name in columns if not name.endswith(('_ci_low', '_ci_high'))} - PLAIN
    assert told == set(row.fields)
    assert all(about['Description'] for about in row.fields.values())


def test_kinds_of_repetition_are_levels():
    for row in RELIABILITY:
        assert set(row.fields['repeated']['Levels']) == set(REPEATS)


def test_their_places():
    paths = [of_table(Path('out'), 'outcomes', row).path.as_posix() for row in RELIABILITY]
    assert paths == ['out/group/reliability.tsv', 'out/group/reliable_changes.tsv']
