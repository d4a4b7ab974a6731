"""A planted field of sinuses and ears is found through every kind of estimator, and what is none is refused by name."""

import numpy as np
import pytest

from pipelines.acquisition import FieldSource
from pipelines.errors import DataError, UnknownWordError
from pipelines.interfaces._field import place_source
from tests.distorted import SPACING, TIMES, make_head, save, seen, write_maps

VOXEL = 4.0
LARGEST_LEFT_MM = 2.0
OPTIONS = {'rng_seed': 1, 'sloppy': False}


@pytest.fixture(scope='module')
def scan(tmp_path_factory):
    """Return folder, head, reference along ``j-``, and the files that were acquired after a small movement."""
    folder = tmp_path_factory.mktemp('field')
    head, rng = make_head(VOXEL), np.random.default_rng(3)
    reference = seen(head.epi, head.hertz, -1, rng)
    files = write_maps(folder, head, rng)
    for name, polarity, spacing in (('pa', 1, SPACING), ('ap', -1, SPACING), ('slow', 1, 1.5 * SPACING)):
        values = seen(head.moved_epi, head.moved_hertz, polarity, rng, spacing=spacing)
        files[name] = save(folder / f'{name}.nii', values, head.affine)
    return folder, head, reference, files


def source_of(head, kind, **about):
    return FieldSource(kind=kind, direction='j-', readout_time=head.readout_time, **about)


def cases(head):
    """Return for every kind its description and the names of its files."""
    t = head.readout_time
    pair = {'directions': ('j-', 'j'), 'readout_times': (t, t)}
    phase = {'echo_times': TIMES}
    return {
        'pair': (source_of(head, 'pair', **pair), ['ap', 'pa']),
        'reverse': (source_of(head, 'reverse', directions=('j',), readout_times=(t,)), ['pa']),
        'reverse of a longer readout': (
            source_of(head, 'reverse', directions=('j',), readout_times=(1.5 * t,)), ['slow']
        ),
        'phasediff': (source_of(head, 'phasediff', **phase), ['phasediff', 'magnitude1']),
        'phasediff in radians': (source_of(head, 'phasediff', **phase), ['radians', 'magnitude1']),
        'phases': (source_of(head, 'phases', **phase), ['phase1', 'phase2', 'magnitude1']),
        **{f'fieldmap in {u}': (source_of(head, 'fieldmap', units=u), [u, 'magnitude1']) for u in ('Hz', 'rad/s', 'T')},
    }  # fmt: skip


KINDS = [
    'pair', 'reverse', 'phasediff', 'fieldmap in Hz',
    *(
        pytest.param(kind, marks=pytest.mark.long)
        for kind in ('reverse of a longer readout', 'phasediff in radians', 'phases', 'fieldmap in rad/s', 'fieldmap in T')
    ),
]  # fmt: skip


@pytest.mark.parametrize('kind', KINDS)
def test_planted_displacement_is_found(scan, kind):
    """Half a mm at the 95th percentile in the brain.

    A twentieth of the brain is displaced by more than 1 mm, some of it beside a cavity, where the field jumps from
    one voxel to the next and a smooth one cannot follow.
    """
    _, head, reference, files = scan
    source, names = cases(head)[kind]
    shift = place_source(source, [files[n] for n in names], (reference, head.affine), **OPTIONS).shift
    planted = -head.displaced_mm()
    error = np.abs(shift * VOXEL - planted)
    far = head.brain & (np.abs(planted) > 1)
    assert np.abs(planted[head.brain]).max() > 7.9
    inside, there = (float(np.percentile(error[mask], 95)) for mask in (head.brain, far))
    assert inside < 0.5
    assert there < LARGEST_LEFT_MM
    assert np.median(error[far]) < 0.25


@pytest.mark.parametrize('direction', ['j', 'j-'])
def test_sign_follows_the_direction_of_the_series(scan, direction):
    """The same map of the field displaces ``j`` and ``j-`` by opposite amounts."""
    _, head, _, files = scan
    polarity = -1 if direction == 'j-' else 1
    reference = seen(head.epi, head.hertz, polarity, np.random.default_rng(4))
    source = FieldSource(kind='fieldmap', direction=direction, readout_time=head.readout_time, units='Hz')
    placed = place_source(
        source, [files['Hz'], files['magnitude1']], (reference, head.affine), rng_seed=1, sloppy=True
    )
    planted = polarity * head.displaced_mm()
    far = head.brain & (np.abs(planted) > 2)
    # .87 and .88 in the quick form of the registration; the other sign would be as far below 0
    assert np.corrcoef(placed.shift[far], planted[far])[0, 1] > 0.8


def check_refused(scan, kind, names, says, **about):
    _, head, reference, files = scan
    paths = [files[name] if isinstance(name, str) else name for name in names]
    with pytest.raises(DataError, match=says) as error:
        place_source(source_of(head, kind, **about), paths, (reference, head.affine), **OPTIONS)
    assert str(paths[0]) in str(error.value)


def test_phase_of_an_unknown_scale_is_refused(scan, tmp_path):
    head = scan[1]
    odd = save(
        tmp_path / 'odd.nii', np.linspace(-2048, 2047, head.epi.size).reshape(head.epi.shape), head.affine
    )
    check_refused(scan, 'phasediff', [odd, 'magnitude1'], 'neither radians', echo_times=TIMES)


def test_what_does_not_fit_together_is_refused(scan, tmp_path):
    head = scan[1]
    small = save(tmp_path / 'small.nii', np.ones((4, 4, 4), np.float32), head.affine)
    check_refused(scan, 'fieldmap', [small, 'magnitude1'], 'differ', units='Hz')
    times = (head.readout_time,) * 2
    check_refused(
        scan, 'pair', ['ap', 'pa'], 'no pair of opposite', directions=('j', 'j'), readout_times=times
    )


def test_another_kind_is_refused(scan):
    with pytest.raises(UnknownWordError, match='of_tomorrow'):
        place_source(source_of(scan[1], 'of_tomorrow'), [], (scan[2], scan[1].affine), **OPTIONS)
