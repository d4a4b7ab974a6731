"""Where a tract may lie: regions that a scan shows in part, or not at all, cost their own tracts only."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.interfaces._series import write_volume
from pipelines.interfaces.templates import target_brain
from pipelines.interfaces.tract import track_tract
from pipelines.interfaces.tract_domain import domain_of, map_domain, read_fields
from pipelines.interfaces.transforms import write_linear
from pipelines.numerics.resample import grid_points, resample
from pipelines.terms import circuit_of_rows

SPACE = 'MNI152NLin6Asym'
GRID = np.array([[3.0, 0, 0, -75], [0, 3, 0, -108], [0, 0, 3, -60], [0, 0, 0, 1]])
SHAPE = (51, 64, 51)


def _circuit(**spheres):
    rows = [
        {
            'name': name,
            'hemisphere': side,
            'source': source,
            'role': 'both',
            'pairs': 'Far' if name == 'Near' else 'n/a',
        }
        for name, source in spheres.items()
        for side in 'LR'
    ]
    return circuit_of_rows(rows)


@pytest.fixture
def mapped(tmp_path):
    """Return a function that maps regions in a brain of which everything below a height is not shown."""
    image = nb.load(target_brain(SPACE))
    brain = resample((image.get_fdata() > 0).astype(np.float32), image.affine, SHAPE, GRID) > 0.5
    points = grid_points(SHAPE, GRID).reshape(*SHAPE, 3)

    def run(circuit, below=-100.0):
        shown = brain & (points[..., 2] > below)
        mask = write_volume(shown.astype(np.uint8), GRID, tmp_path / 'mask.nii')
        fa = write_volume(np.where(shown, 0.3, 0).astype(np.float32), GRID, tmp_path / 'fa.nii')
        identity = write_linear(tmp_path / 'identity.txt', np.eye(4))
        return map_domain(mask, [mask], [fa], identity, circuit, {'Template': SPACE}, out_dir=tmp_path)

    return run


def test_whole_regions_have_no_flag(mapped):
    found = mapped(_circuit(Near='sphere:9,9,-8,6', Far='sphere:6,45,-4,6'))
    assert found.facts['RegionFlags'] == {}
    assert set(found.facts['RegionCoverage'].values()) == {1.0}


@pytest.mark.parametrize(('below', 'shares'), [(-20.0, (0.3, 0.7)), (-5.0, (0.0, 0.0))])
def test_a_region_that_is_cut_has_a_flag(mapped, tmp_path, below, shares):
    """The sphere about the amygdala is cut through its middle, or not shown at all; that about the nucleus is whole."""
    circuit = _circuit(Near='sphere:12,9,6,5', Far='sphere:24,-2,-20,6')
    found = mapped(circuit, below)
    assert found.facts['RegionFlags'].keys() == {'FarL', 'FarR', 'Far'}
    assert all('region_outside' in flags for flags in found.facts['RegionFlags'].values())
    coverage = found.facts['RegionCoverage']
    assert coverage['NearL'] == coverage['NearR'] == 1
    assert shares[0] <= coverage['FarR'] <= shares[1]


def test_a_region_that_is_not_shown_has_no_streamlines(mapped, tmp_path):
    """Nothing is tracked, nothing fails, and a pair of which neither is shown has no place to bend in."""
    circuit = _circuit(Near='sphere:30,-8,-26,5', Far='sphere:24,-2,-20,6')
    found = mapped(circuit, -5.0)
    own = domain_of(read_fields(found.domain), circuit, circuit.bundles[0])
    assert not own.first.any()
    fod = tmp_path / 'fod.npz'
    mask = np.ones(SHAPE, bool)
    np.savez(fod, fod=np.full((mask.sum(), 6), 0.1, np.float32), near=mask)
    limits = {'n_streamlines': 10, 'max_seeds': 100, 'step_size': 0.5, 'max_angle': 30.0, 'max_length': 100.0}
    for part in (0, 1):
        tracked = track_tract([fod], found.domain, circuit, part, random_seed=1, **limits, out_dir=tmp_path)
        assert tracked.counts == {'Seeds': 0, 'Accepted': 0}


def test_a_region_outside_every_brain_is_refused(mapped):
    with pytest.raises(DataError, match=r'FarL .* lies outside the brain'):
        mapped(_circuit(Near='sphere:9,9,-8,6', Far='sphere:70,60,40,5'))
