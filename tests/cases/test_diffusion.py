"""Diffusion as people file it, through the command line: status, message, and what is analysed."""

import shutil

import numpy as np
import pytest

from tests.cases.dwi_files import BOTH, Plan, Series, pair_in, write_pair


@pytest.fixture
def root(tmp_path):
    return write_pair(tmp_path / 'raw')


@pytest.fixture
def plan(root, capsys, caplog):
    return lambda *words: Plan(root, capsys, caplog, *words)


# --- what is found, left out, refused ---


def only_b0(ap, pa):
    pa.write(pa.data()[..., [0, 0]], np.zeros(2), np.zeros((3, 2)))


def b0_of_five(ap, pa):
    pa.write(pa.data()[..., [0, 0]], np.full(2, 5), np.full((3, 2), 0.57735))


def b0_without_table(ap, pa):
    pa.write(pa.data()[..., [0, 0]])
    pa.remove('.bval', '.bvec')


def one_image(ap, pa):
    pa.write(pa.data()[..., 0])
    pa.remove('.bval', '.bvec')


def one_image_with_table(ap, pa):
    pa.write(pa.data()[..., :1], np.zeros(1), np.zeros((3, 1)))


def three_directions(ap, pa):
    pa.keep([0, 1, 2, 3])


def adc_file(ap, pa):
    Series(ap.folder, 'sub-05_acq-ADC_dwi').write(ap.data()[..., 0])


def maps_of_the_scanner(ap, pa):
    for suffix in ('ADC', 'trace', 'FA', 'sbref'):
        Series(ap.folder, f'sub-05_dir-AP_{suffix}').write(ap.data()[..., 0])


def too_long(ap, pa):
    bvals, bvecs = ap.table()
    ap.put(np.append(bvals, 0), np.c_[bvecs, np.zeros(3)])


def nan_b_value(ap, pa):
    bvals, bvecs = ap.table()
    bvals[4] = np.nan
    ap.put(bvals, bvecs)


def broken_sidecar(ap, pa):
    ap.file('.json').write_text('{"Phase')


def no_table(ap, pa):
    ap.remove('.bval', '.bvec')


def cut(ap, pa):
    ap.file('.nii.gz').write_bytes(ap.file('.nii.gz').read_bytes()[:40])


def phase_beside(ap, pa):
    for series in (ap, pa):
        series.copy(series.name.replace('_dwi', '_part-phase_dwi'))
        series.rename(series.name.replace('_dwi', '_part-mag_dwi'))


MAG = ['sub-05_dir-AP_part-mag_dwi', 'sub-05_dir-PA_part-mag_dwi']
AP, PA = BOTH[:1], BOTH[1:]
BESIDE = 'It is left out of the analysis, and distortion is not corrected with it; the session goes on.'
SHOWS = 'It is left out of the analysis, and its b = 0 images show the distortion of the others; the session goes on.'
EXTRAS = {
    'a pair': (lambda ap, pa: None, 0, BOTH, []),
    'reverse b0 only': (only_b0, 0, AP, [BOTH[1], 'all b-values are 0', SHOWS]),
    'reverse b0 of b = 5': (b0_of_five, 0, AP, [BOTH[1], 'largest b-value is 5', SHOWS]),
    'reverse b0, no table': (b0_without_table, 0, AP, [BOTH[1], '2 volumes and no gradient table of its own', SHOWS]),
    'reverse b0, one image': (one_image, 0, AP, [BOTH[1], 'one volume, shape (4, 4, 4)', SHOWS]),
    'reverse b0, one image in 4D': (one_image_with_table, 0, AP, [BOTH[1], 'one volume, shape (4, 4, 4', SHOWS]),
    'reverse with 3 directions': (three_directions, 0, AP, [BOTH[1], 'only 3 different directions', SHOWS]),
    'ADC as a series': (adc_file, 0, BOTH, ['sub-05_acq-ADC_dwi.nii.gz is one volume', BESIDE]),
    'ADC, trace, FA, SBRef': (maps_of_the_scanner, 0, BOTH, [
        'sub-05_dir-AP_ADC.nii.gz, sub-05_dir-AP_FA.nii.gz, sub-05_dir-AP_sbref.nii.gz, sub-05_dir-AP_trace.nii.gz: no magnitude',
    ]),
    'part-phase': (phase_beside, 0, MAG, ['sub-05_dir-AP_part-phase_dwi.nii.gz', 'not used']),
    'table too long': (too_long, 65, PA, [BOTH[0], '21 volumes, bval 22 values and bvec 22 directions', 'Mend']),
    'b-value NaN': (nan_b_value, 65, PA, [BOTH[0], 'negative or no numbers', 'Mend']),
    'broken sidecar': (broken_sidecar, 65, PA, [f'{BOTH[0]}.json is no valid JSON', 'Mend']),
    'no table': (no_table, 66, PA, [f'{BOTH[0]}.bval is not here', 'convert the scan again']),
    'cut image': (cut, 65, PA, [BOTH[0], 'cannot be read', 'Copy or fetch']),
}  # fmt: skip


@pytest.mark.parametrize(('change', 'status', 'used', 'says'), EXTRAS.values(), ids=EXTRAS)
def test_a_series_costs_itself_and_is_named(root, plan, change, status, used, says):
    change(*pair_in(root))
    found = plan()
    assert found.status == status
    assert found.names == used
    for word in says:
        assert word in found.said
    if not says:
        assert 'not used (further dwi)' not in found.said


@pytest.mark.parametrize(
    ('change', 'status', 'says'),
    [
        (only_b0, 65, 'all b-values are 0'),
        (b0_without_table, 65, 'Exclude the scan, or fetch its .bval and .bvec'),
        (one_image, 65, 'one volume'),
        (lambda ap, pa: too_long(pa, ap), 65, 'bval 22 values'),
        (lambda ap, pa: no_table(pa, ap), 66, 'is not here'),
    ],
)
def test_what_is_all_that_a_session_has_is_lost_with_its_reason(root, plan, change, status, says):
    ap, pa = pair_in(root)
    change(ap, pa)
    ap.remove()
    found = plan()
    assert (found.status, found.names) == (status, [])
    assert f'not used (dwi): {pa.file(".nii.gz")}'.rsplit('.', 2)[0] in found.said
    assert says in found.said
    assert 'goes on' not in found.said


@pytest.mark.parametrize(
    ('change', 'volumes'),
    [
        (only_b0, (0, 1)), (b0_of_five, (0, 1)), (b0_without_table, ()), (one_image, ()), (one_image_with_table, (0,)),
        (three_directions, (0,)),
    ],
)  # fmt: skip
def test_a_reverse_series_of_too_few_directions_shows_the_distortion(root, plan, change, volumes):
    """By its b = 0 images alone; not where there is nothing against it, and not where that is forbidden."""
    change(*pair_in(root))
    found = plan().sessions[0].estimator
    assert (found.kind, found.run.direction) == ('reverse', 'j-')
    (epi,) = found.epi
    assert (epi.path.name, epi.direction, epi.volumes) == (f'{BOTH[1]}.nii.gz', 'j', volumes)
    assert plan('--ignore', 'fieldmaps').sessions[0].estimator is None
    pair_in(root)[1].say(PhaseEncodingDirection='j-')
    assert plan().sessions[0].estimator is None


def reverse_epi(ap, pa):
    fmap = Series(ap.folder.parent / 'fmap', 'sub-05_dir-PA_epi').write(pa.data()[..., 0])
    fmap.say(
        PhaseEncodingDirection='j', TotalReadoutTime=0.0475693, B0FieldIdentifier='pepolar_dwi',
        IntendedFor=['bids::sub-05/dwi/sub-05_dir-AP_dwi.nii.gz'],
    )  # fmt: skip
    ap.say(B0FieldSource='pepolar_dwi')
    pa.remove()


def phase_maps(ap, pa):
    for name in ('phasediff', 'magnitude1'):
        Series(ap.folder.parent / 'fmap', f'sub-05_{name}').write(pa.data()[..., 0]).say(
            EchoTime1=0.01, EchoTime2=0.01246, IntendedFor='dwi/sub-05_dir-AP_dwi.nii.gz'
        )
    pa.remove()


@pytest.mark.parametrize(
    ('change', 'kind', 'files'),
    [
        (reverse_epi, 'reverse', ['sub-05_dir-PA_epi.nii.gz']),
        (phase_maps, 'phasediff', ['sub-05_phasediff.nii.gz', 'sub-05_magnitude1.nii.gz']),
    ],
)
def test_a_fieldmap_that_names_the_series_is_used(root, plan, change, kind, files):
    change(*pair_in(root))
    found = plan()
    (session,) = found.sessions
    assert (session.estimator.kind, [path.name for path in session.estimator.files()]) == (kind, files)
    assert {path.name for path in session.files()} > set(files)
    assert 'dwi fieldmap' not in found.said


def test_a_fieldmap_beside_a_pair_of_series_is_told_not_to_be_used(root, plan):
    ap, pa = pair_in(root)
    kept = pa.copy('kept')
    phase_maps(ap, pa)
    kept.rename(pa.name)
    found = plan()
    assert (found.names, found.sessions[0].estimator) == (BOTH, None)
    assert 'which show their distortion themselves' in found.said


def test_phase_images_alone_are_told_so(root, plan):
    for series in pair_in(root):
        series.rename(series.name.replace('_dwi', '_part-phase_dwi'))
    found = plan()
    assert (found.status, found.names) == (66, [])
    assert 'sub-05_dir-AP_part-phase_dwi.nii.gz is a phase image; part-mag is needed' in found.said


def test_another_session_goes_on(root, plan):
    """The reverse series of one session is unusable, that of the other is not."""
    for series in pair_in(root):
        for label in ('pre', 'post'):
            other = Series(
                root / 'sub-05' / f'ses-{label}' / 'dwi', series.name.replace('05', f'05_ses-{label}')
            )
            other.folder.mkdir(parents=True, exist_ok=True)
            series.folder, old = other.folder, series.folder
            for extension in ('.nii.gz', '.bval', '.bvec', '.json'):
                shutil.copy(old / f'{series.name}{extension}', other.file(extension))
            series.folder = old
            if label == 'post' and 'PA' in series.name:
                one_image(series, other)
        series.remove()
    found = plan()
    assert found.status == 0
    assert [[len(session.scans), session.label] for session in found.sessions] == [[1, 'post'], [2, 'pre']]
    assert found.said.count('not used (further dwi)') == 1


# --- tables ---


def transposed(bvals, bvecs, put):
    put(bvals[:, None], bvecs.T)


def nan_for_b0(bvals, bvecs, put):
    put(bvals, np.where(bvals == 0, np.nan, bvecs))


def five_for_b0(bvals, bvecs, put):
    put(np.where(bvals == 0, 5, bvals), np.where(bvals == 0, [[0.7], [0.7], [0]], bvecs))


def scientific(bvals, bvecs, put):
    put(bvals, bvecs, fmt='%.6e')


def vector_for_b0(bvals, bvecs, put):
    put(bvals, np.where(bvals == 0, [[1], [0], [0]], bvecs))


@pytest.mark.parametrize('change', [transposed, nan_for_b0, five_for_b0, scientific, vector_for_b0])
def test_tables_as_converters_write_them(root, plan, change):
    for series in pair_in(root):
        change(*series.table(), series.put)
    found = plan()
    assert (found.status, found.names) == (0, BOTH)
    assert 'not used (further dwi)' not in found.said


def test_trailing_blanks_and_returns(root, plan):
    for series in pair_in(root):
        for path in (series.file('.bval'), series.file('.bvec')):
            lines = path.read_bytes().rstrip().split(b'\n')
            path.write_bytes(b'\xef\xbb\xbf' + b' \r\n'.join(lines) + b' \r\n\r\n')
    found = plan()
    assert (found.status, found.names) == (0, BOTH)


def test_one_table_for_all(root, plan):
    ap, pa = pair_in(root)
    for extension in ('.bval', '.bvec'):
        shutil.move(ap.file(extension), root / f'dwi{extension}')
        pa.remove(extension)
    found = plan()
    assert (found.status, found.names) == (0, BOTH)
    assert {scan.bval for scan in found.scans} == {root / 'dwi.bval'}


def test_one_table_for_all_but_a_reverse_b0(root, plan):
    """The table at the top is of another length than the reverse images: it is that of the others."""
    ap, pa = pair_in(root)
    b0_without_table(ap, pa)
    for extension in ('.bval', '.bvec'):
        shutil.move(ap.file(extension), root / f'dwi{extension}')
    found = plan()
    assert (found.status, found.names) == (0, AP)
    assert '2 volumes and no gradient table of its own' in found.said


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        (lambda series: series.put(series.table()[0] * 1e6, series.table()[1]), 'Divide bval by 1,000,000'),
        (lambda series: series.put(series.table()[0] / 1e3, series.table()[1]), 'perhaps ms/um^2'),
        (
            lambda series: series.file('.bval').write_text(','.join(f'{b:g}' for b in series.table()[0])),
            'it holds commas',
        ),
        (lambda series: series.file('.bval').write_text('b0 b1000'), 'no table of numbers'),
        (lambda series: series.file('.bval').write_text(''), 'bval 0 values'),
        (
            lambda series: series.put(np.full(21, 2500), series.table()[1]),
            'no volume has b = 0, and volume 0 has a b-value of 2500 s/mm^2 but no direction',
        ),
    ],
)
@pytest.mark.filterwarnings('ignore:loadtxt')
def test_tables_that_are_refused_say_what_to_do(root, plan, change, says):
    for series in pair_in(root):
        change(series)
    found = plan()
    assert (found.status, found.names) == (65, [])
    assert says in found.said
    assert BOTH[0] in found.said


def test_the_length_of_a_vector_says_its_shell(root, plan):
    for series in pair_in(root):
        bvals, bvecs = series.table()
        bvecs[:, 1:6] *= np.sqrt(0.4)
        series.put(bvals, bvecs)
    found = plan()
    assert (found.status, found.names) == (0, BOTH)


@pytest.mark.parametrize('vector', [0, np.nan])
def test_an_adc_volume_is_left_out_by_name(root, plan, vector):
    for series in pair_in(root):
        bvals, bvecs = series.table()
        data = series.data()
        series.write(
            np.concatenate([data, data[..., -1:]], -1),
            np.append(bvals, 1000),
            np.c_[bvecs, np.full(3, vector)],
        )
    found = plan()
    assert (found.status, found.names) == (0, BOTH)
    assert [scan.left_out for scan in found.scans] == [(21,), (21,)]
    assert found.sessions[0].left_out() == {f'{name}.nii.gz': [21] for name in BOTH}
    for name in BOTH:
        assert f'{name}.nii.gz: volume 21 (the first is 0) with a b-value but no direction' in found.said


# --- phase encoding ---


@pytest.mark.parametrize(
    ('facts', 'direction', 'time', 'says'),
    [
        ({}, 'j-', 0.0475693, ''),
        ({'TotalReadoutTime': '0.05'}, 'j-', 0.05, 'TotalReadoutTime is text, read as 0.05 s'),
        ({'TotalReadoutTime': None}, 'j-', 0.00066999 * 71, 'EffectiveEchoSpacing x (ReconMatrixPE - 1) = 0.0475693 s'),
        ({'TotalReadoutTime': 47.5}, 'j-', 0.00066999 * 71, 'TotalReadoutTime is 47.5; EffectiveEchoSpacing'),
        ({'TotalReadoutTime': 'soon', 'ReconMatrixPE': None}, 'j-', 0, "'soon' is no time in seconds"),
        ({'TotalReadoutTime': None, 'ReconMatrixPE': None}, 'j-', 0, ''),
        ({'TotalReadoutTime': True, 'ReconMatrixPE': None}, 'j-', 0, 'True is no time in seconds'),
        ({'PhaseEncodingDirection': 'AP'}, '', 0.0475693, "PhaseEncodingDirection is 'AP', none of i, i-, j, j-"),
        ({'PhaseEncodingDirection': None, 'PhaseEncodingAxis': 'j'}, '', 0.0475693, "PhaseEncodingAxis 'j' has no sign"),
        ({'PhaseEncodingDirection': None}, '', 0.0475693, 'PhaseEncodingDirection is absent: its distortion stays'),
    ],
)  # fmt: skip
def test_how_a_series_was_encoded(root, plan, facts, direction, time, says):
    pair_in(root)[0].say(**facts)
    found = plan()
    assert (found.status, found.names) == (0, BOTH)
    assert found.scans[0].direction == direction
    assert found.scans[0].readout_time == pytest.approx(time, rel=1e-12)
    assert says in found.said
    if says:
        assert f'{BOTH[0]}.nii.gz: ' in found.said
    else:
        assert 'PhaseEncoding' not in found.said


def test_the_fallback_stands_behind_what_can_be_computed(root, plan):
    ap, pa = pair_in(root)
    ap.say(TotalReadoutTime=None)
    pa.say(TotalReadoutTime=None, ReconMatrixPE=None)
    found = plan('--fallback-total-readout-time', '0.03')
    assert [scan.readout_time for scan in found.scans] == [pytest.approx(0.00066999 * 71), 0.03]
