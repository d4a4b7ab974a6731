"""Text stays text and numbers stay numbers in every table that steps hand on."""

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.interfaces.tables import columns_text, read_columns, read_table, write_table


def written(table, tmp_path):
    path = tmp_path / 'table.json'
    path.write_text(columns_text(table))
    return read_columns(path)


@pytest.mark.parametrize(
    'arms', [['0', '1'], ['1', '2'], ['01', '1'], ['yes', 'no'], ['1e3', '1000'], ['nan', 'NA']]
)
def test_arms_come_back_as_they_were(arms, tmp_path):
    table = pd.DataFrame({'participant_id': ['sub-01', '02'], 'arm': arms, 'age': [40.5, np.nan]})
    found = written(table, tmp_path)
    pd.testing.assert_frame_equal(found, table)
    assert all(isinstance(arm, str) for arm in found['arm'])


def test_words_of_digits_and_numbers_stay_apart(tmp_path):
    table = pd.DataFrame({'site': ['1', None, '2'], 'age': [1, 2, 3], 'score': [0.1 + 0.2, np.nan, -1e-300]})
    found = written(table, tmp_path)
    assert found['site'].tolist()[::2] == ['1', '2']
    assert np.isnan(found['site'][1])
    assert found['age'].tolist() == [1, 2, 3]
    assert found['score'].tolist()[::2] == [0.1 + 0.2, -1e-300]


def test_nothing_is_a_table_too(tmp_path):
    found = written(pd.DataFrame({'arm': [], 'age': []}), tmp_path)
    assert list(found) == ['arm', 'age']
    assert len(found) == 0


def test_names_that_look_like_numbers_stay_names(tmp_path):
    table = pd.DataFrame(
        {'gene_id': ['7157', '0012', 'null'], 'arm': ['0', '1', '1'], 'stat': [1.5, np.nan, 2]}
    )
    path = write_table(table, tmp_path / 'genes.tsv')
    found = read_table(path)
    assert found['gene_id'].tolist() == ['7157', '0012', 'null']
    assert found['arm'].tolist() == ['0', '1', '1']
    assert found['stat'].dtype == float


def test_a_word_among_numbers_is_told(tmp_path):
    (tmp_path / 'x.tsv').write_text('outcome\tvalue\nnrs\t4\nnrs\tfour\n')
    with pytest.raises(DataError, match=r'x\.tsv: column value holds "four", where a number'):
        read_table(tmp_path / 'x.tsv')


def test_only_the_columns_asked_for_are_read(tmp_path):
    (tmp_path / 'x.tsv').write_text('arm\tcells\tsample_id\n0\thigh\ts1\n')
    assert read_table(tmp_path / 'x.tsv', columns=['sample_id', 'arm']).to_dict('list') == {
        'arm': ['0'],
        'sample_id': ['s1'],
    }
