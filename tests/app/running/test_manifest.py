"""Receipts: when a step has nothing to do, and what makes it run again."""

import json
import os

import pytest

from bids_app.running.manifest import (
    Receipt,
    fingerprint,
    is_unchanged,
    read_receipt,
    read_receipts,
    receipts_folder,
)
from pipelines.errors import OutputError


@pytest.fixture
def dataset(tmp_path):
    source = tmp_path / 'in.txt'
    source.write_text('x')
    made = [tmp_path / 'out' / 'sub-01' / name for name in ('a.txt', 'b.txt')]
    made[0].parent.mkdir(parents=True)
    for path in made:
        path.write_text(path.name)
    return source, made


def receipt(dataset, **parameters):
    source, made = dataset
    folder = receipts_folder(made[0].parent)
    known = fingerprint({'raw:in.txt': source})
    return Receipt(folder / 'ses-1_step.json', made[0].parents[1], {'fwhm': 6.0, **parameters}, known)


def test_what_was_written_is_current_until_something_changes(dataset):
    source, made = dataset
    own = receipt(dataset)
    assert not own.is_current(made, overwrite=False)
    own.write(made)
    assert own.is_current(made, overwrite=False)
    assert own.is_current(made[:1], overwrite=False), 'files beside those asked for do no harm'
    assert not own.is_current([*made, made[0].with_name('c.txt')], overwrite=False)
    made[0].write_text('other')
    assert not own.is_current(made, overwrite=False)
    made[0].write_text('a.txt')
    assert own.is_current(made, overwrite=False), 'another time alone is no change: the content is read'
    source.write_text('xy')
    assert not receipt(dataset).is_current(made, overwrite=False)
    own.void()
    assert not own.is_current(made, overwrite=False)
    own.void()  # twice is no error


def test_other_parameters_are_refused_by_name_unless_they_may_replace(dataset):
    receipt(dataset).write(dataset[1])
    other = receipt(dataset, fwhm=4.0)
    with pytest.raises(OutputError, match=r'ses-1 step of sub-01 was made with fwhm = 6\.0, now 4\.0'):
        other.is_current(dataset[1], overwrite=False)
    assert not other.is_current(dataset[1], overwrite=True)


def test_what_an_older_version_was_not_asked_is_made_anew(dataset):
    """A parameter that is new overrules no choice; one that took the place of another does, and so does another value."""
    receipt(dataset).write(dataset[1])
    assert not receipt(dataset, regions=['NAc']).is_current(dataset[1], overwrite=False)
    with pytest.raises(OutputError, match='fwhm'):
        receipt(dataset, fwhm=4.0, regions=['NAc']).is_current(dataset[1], overwrite=False)
    receipt(dataset, nac='cit168').write(dataset[1])
    with pytest.raises(OutputError, match='regions = None'):
        receipt(dataset, regions=['NAc']).is_current(dataset[1], overwrite=False)


@pytest.mark.parametrize('content', ['', '{', '[]', '{"version": "1"}', 'null', '\x00\x00'])
def test_a_receipt_that_cannot_be_read_is_none(dataset, content):
    own = receipt(dataset)
    own.write(dataset[1])
    own.path.write_text(content)
    assert read_receipt(own.path) is None
    assert read_receipts(dataset[1][0].parent) == {}
    assert not own.is_current(dataset[1], overwrite=False)


def test_files_are_named_by_their_place_in_the_dataset(dataset):
    own = receipt(dataset)
    own.write(dataset[1])
    content = json.loads(own.path.read_text())
    assert list(content['outputs']) == ['sub-01/a.txt', 'sub-01/b.txt']
    assert list(content['inputs']) == ['raw:in.txt']


def test_an_absent_file_is_changed(dataset):
    path = dataset[1][0]
    assert not is_unchanged(path.with_name('none'), [1, 1, ''])
    stat = path.stat()
    os.utime(path, ns=(0, 0))
    assert not is_unchanged(path, [stat.st_size, stat.st_mtime_ns, 'other checksum'])
