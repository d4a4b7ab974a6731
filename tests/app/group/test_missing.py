"""Who has no results is told when the group runs, for a job of the participant level may have failed."""

import pandas as pd
import pytest

from bids_app.group.run import tell_missing
from bids_app.group.status import SCANNED, STATUS_COLUMNS


def rows(*found):
    places = [
        (label, 'exercise', visit, f'ses-{visit}', data, status, reason)
        for label, visit, data, status, reason in found
    ]
    return pd.DataFrame(places, columns=list(STATUS_COLUMNS))


RUN, FEW = 'participant level not run', 'bold.nii.gz: 12 degrees of freedom remain'


def test_who_has_nothing_is_told_once_with_all_reasons(capsys):
    tell_missing(rows(
        ('sub-01', 'pre', 'connectivity', 'missing', RUN), ('sub-01', 'post', 'connectivity', 'missing', FEW),
        ('sub-01', 'pre', 'tract', 'missing', RUN), ('sub-01', 'pre', 'nrs', 'analysed', 'n/a'),
        ('sub-02', 'pre', 'connectivity', 'analysed', 'n/a'), ('sub-02', 'post', 'connectivity', 'missing', FEW),
        ('sub-03', 'pre', 'tract', 'flagged', 'few_streamlines'), ('sub-03', 'pre', 'connectivity', 'missing', RUN),
    ))  # fmt: skip
    assert capsys.readouterr().err == f'clbpe: no results of sub-01: {RUN}; {FEW}\n'


@pytest.mark.parametrize('data', ['nrs', 'bdnf', 'expression', 'participant'])
def test_what_is_no_scan_is_not_meant(capsys, data):
    tell_missing(rows(('sub-01', 'pre', data, 'missing', 'no value')))
    assert capsys.readouterr().err == ''
    assert data not in SCANNED


def test_nobody_is_told_of_a_trial_without_scans(capsys):
    tell_missing(rows())
    assert capsys.readouterr().err == ''
