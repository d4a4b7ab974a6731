"""The checksum that runs are compared by tells contents and headers apart, not how they were packed."""

import gzip

from tests.sums import checksum, checksums


def test_packing_does_not_count_but_content_and_header_do(tmp_path):
    made = {
        'fast': gzip.compress(b'map' * 99, 1, mtime=0),
        'small': gzip.compress(b'map' * 99, 9, mtime=0),
        'other': gzip.compress(b'mop' * 99, 1, mtime=0),
        'dated': gzip.compress(b'map' * 99, 1, mtime=7),
    }
    for name, content in made.items():
        made[name] = tmp_path / f'{name}.nii.gz'
        made[name].write_bytes(content[:8] + b'\0' + content[9:])  # the byte that names the level
    assert made['fast'].read_bytes() != made['small'].read_bytes()
    sums = checksums(tmp_path, tmp_path.iterdir())
    assert checksum(made['fast']) == sums['small.nii.gz'] == sums['fast.nii.gz']
    assert len(set(sums.values())) == 3
