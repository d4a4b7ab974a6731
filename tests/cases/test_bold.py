"""Preprocessed BOLD as people had it: the value of the sound run, or a refusal that says why."""

import gzip
import json
import shutil

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces.quality import Scan, save_coverage
from pipelines.terms import default_circuit
from tests.cases import preprocessed as made
from tests.cases.preprocessed import STEM, T_R, T
from tests.storage import along, on_turned_grid, write_image

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    return made.write_base(tmp_path_factory.mktemp('cases') / 'base', np.random.default_rng(20260711))


@pytest.fixture(scope='module')
def right(base, tmp_path_factory):
    value, metadata = made.outcome(made.copy_of(base, tmp_path_factory.mktemp('right') / 'data'))
    assert 0.4 < value < 0.9  # planted: r = .6, weakened by noise and mixed voxels
    return value, metadata['DegreesOfFreedom']


@pytest.fixture
def caught(capsys, caplog):
    return capsys, caplog


@pytest.fixture
def files(base, tmp_path):
    return made.copy_of(base, tmp_path / 'data')


def bytes_of(path):
    return bytearray(gzip.decompress(path.read_bytes()))


def edit_header(path, position, content):
    data = bytes_of(path)
    data[position : position + len(content)] = content
    made.write(path, gzip.compress(bytes(data), 1))


def stored(files, dtype, slope=1.0, **more):
    """Store the series in another type, with what scales it back."""
    write_image(files.bold, *made.load(files.bold), dtype=dtype, slope=slope, t_r=T_R, **more)


def with_axes(path, axes):
    data, affine = along(*made.load(path), axes)
    made.save(data, affine, path)


def ras(files):
    """The templates of FSL, on whose grid the sound run lies, are LAS."""
    with_axes(files.bold, 'RAS')
    with_axes(files.mask, 'RAS')


def psr(files):
    with_axes(files.bold, 'PSR')
    with_axes(files.mask, 'PSR')


def lps(files):
    with_axes(files.bold, 'LPS')
    with_axes(files.mask, 'LPS')


def sform_only_in_qform(files):
    for path in (files.bold, files.mask):
        data, affine = made.load(path)
        image = nb.Nifti1Image(data, affine)
        image.set_qform(affine, 4)
        image.header['sform_code'] = 0
        for row in ('srow_x', 'srow_y', 'srow_z'):
            image.header[row] = 0
        if data.ndim == 4:
            image.header.set_zooms((*image.header.get_zooms()[:3], T_R))
        path.unlink()
        nb.save(image, path)


def mirrored_qform(files):
    """The sform counts where both have a code."""
    data, affine = made.load(files.bold)
    image, mirror = nb.Nifti1Image(data, affine), affine.copy()
    mirror[0] *= -1
    image.set_sform(affine, 4)
    image.set_qform(mirror, 1)
    image.header.set_zooms((*image.header.get_zooms()[:3], T_R))
    files.bold.unlink()
    nb.save(image, files.bold)


def header_extension(files):
    image = nb.load(files.bold)
    data = np.asarray(image.dataobj)
    again = nb.Nifti1Image(data, image.affine, image.header)
    again.header.extensions.append(nb.nifti1.Nifti1Extension('comment', b'x' * 5000))
    files.bold.unlink()
    nb.save(again, files.bold)


def several_members(files):
    content = bytes(bytes_of(files.bold))
    third = len(content) // 3
    parts = (content[i : i + third] for i in range(0, len(content), third))
    made.write(files.bold, b''.join(gzip.compress(part, 1) for part in parts))


def mask_with_trailing_axis(files):
    data, affine = made.load(files.mask)
    made.write(files.mask, b'')
    image = nb.Nifti1Image(data[..., None], affine)
    files.mask.unlink()
    nb.save(image, files.mask)


def soft_mask(files):
    data, affine = made.load(files.mask)
    made.save(data.astype(np.float32) + 1e-7, affine, files.mask)


def nan_outside_the_mask(files):
    data, affine = made.load(files.bold)
    series = data.astype(np.float32)
    series[made.load(files.mask)[0] == 0] = np.nan
    series[0, 0, 0, :] = np.inf
    made.save(series, affine, files.bold)


def rounded_mask_affine(files):
    data, affine = made.load(files.mask)
    moved = affine.copy()
    moved[:3, 3] += 5e-5
    made.save(data, moved, files.mask)


def mask_without_scaling(files):
    """fMRIPrep 20.2 wrote NaN as slope and intercept of masks."""
    edit_header(files.mask, 112, np.array([np.nan, np.nan], '<f4').tobytes())


def names_of_21(files):
    """From fMRIPrep 21 on components of tissues have names of their own, and a_comp_cor is both combined."""
    table, about = made.read_table(files), json.loads(files.metadata.read_text())
    names = {name: ('w' if entry['Mask'] == 'WM' else 'c') + name[1:] for name, entry in about.items()}
    table = table.rename(columns=names)
    new = {names[name]: entry for name, entry in about.items()}
    for number in range(6):
        name = f'a_comp_cor_{number:02d}'
        table[name] = np.random.default_rng(number).standard_normal(T)
        new[name] = {'Mask': 'combined', 'Retained': True, 'SingularValue': 99.0 - number}
    made.save_table(files, table)
    made.write(files.metadata, json.dumps(new))


def dropped_components(files):
    about = json.loads(files.metadata.read_text())
    about |= {f'dropped_{n}': {'Mask': 'WM', 'Retained': False, 'SingularValue': 100.0} for n in range(5)}
    made.write(files.metadata, json.dumps(about))


def bom_and_windows_line_ends(files):
    made.write(files.table, b'\xef\xbb\xbf' + files.table.read_bytes().replace(b'\n', b'\r\n'))


def without_cosines(files):
    """The stop band covers them."""
    table = made.read_table(files)
    made.save_table(files, table[[name for name in table if not name.startswith('cosine')]])


def two_resolutions(files):
    """The one named res-2 is used, whatever sorts first."""
    for path in list(files.root.rglob('*res-2*')):
        shutil.copy(path, path.with_name(path.name.replace('res-2', 'res-1')))
    data, affine = made.load(files.bold.with_name(files.bold.name.replace('res-2', 'res-1')))
    made.save(data[::-1], affine, files.bold.with_name(files.bold.name.replace('res-2', 'res-1')))


def other_entities(files):
    for path in sorted(files.root.rglob('sub-01_*')):
        path.rename(path.with_name(path.name.replace('task-rest', 'task-Rest_acq-mb4_dir-AP_run-1')))


def links_into_a_store(files):
    store = files.root.parent / 'objects'
    store.mkdir()
    for number, path in enumerate(sorted(p for p in files.root.rglob('*') if p.is_file())):
        target = store / f'MD5E-{number}{"".join(path.suffixes)}'
        path.rename(target)
        path.symlink_to(target)


def without_session(files):
    for root in (files.raw, files.root):
        shutil.move(root / 'sub-01/ses-pre/func', root / 'sub-01/func')
        shutil.rmtree(root / 'sub-01/ses-pre')
        for path in (root / 'sub-01/func').iterdir():
            path.rename(path.with_name(path.name.replace('_ses-pre', '')))


def constant_voxels(files):
    """Voxels far from the regions that do not vary, as where signal is lost."""
    data, affine = made.load(files.bold)
    data = data.copy()
    data[:, -2:] = 0
    made.save(data, affine, files.bold)


def nii_without_gz(files):
    image = nb.load(files.bold)
    nb.save(nb.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header), files.bold.with_suffix(''))
    files.bold.unlink()


def mask_of_255(files):
    data, affine = made.load(files.mask)
    made.save((data * 255).astype(np.uint8), affine, files.mask)


def zeros_behind_the_stream(files):
    made.write(files.bold, files.bold.read_bytes() + bytes(512))


def time_unit_missing(files):
    edit_header(files.bold, 123, bytes([0]))


def time_in_ms(files):
    edit_header(files.bold, 76 + 16, np.float32(2000).tobytes())
    edit_header(files.bold, 123, bytes([2 | 16]))


def no_time_in_the_header(files):
    edit_header(files.bold, 76 + 16, np.float32(0).tobytes())


def negative_pixdim(files):
    """As SPM writes it; the sform is right."""
    edit_header(files.bold, 80, np.float32(-made.VOXEL).tobytes())


def regressors(files):
    """The name of the table before fMRIPrep 20.2."""
    for path in (files.table, files.metadata):
        path.rename(path.with_name(path.name.replace('timeseries', 'regressors')))


def without_res(files):
    for path in sorted(files.root.rglob('*_res-2*')):
        path.rename(path.with_name(path.name.replace('_res-2', '')))


def first_displacement_zero(files):
    table = made.read_table(files)
    table.loc[0, 'framewise_displacement'] = 0.0
    made.save_table(files, table)


def marks_of_dvars(files):
    """fMRIPrep marks volumes of high DVARS as well; the rule here is displacement alone."""
    table = made.read_table(files)
    for number, row in enumerate((50, 90, 91)):
        table[f'motion_outlier{number:02d}'] = np.eye(T)[row].astype(int)
    made.save_table(files, table)


def reconstruction_and_part(files):
    for path in sorted(files.root.rglob('sub-01_*')):
        path.rename(path.with_name(path.name.replace('task-rest', 'task-rest_rec-magnitude_run-01_part-mag')))


def linked_participant(files):
    elsewhere = files.root.parent / 'elsewhere'
    elsewhere.mkdir()
    (files.root / 'sub-01').rename(elsewhere / 'sub-01')
    (files.root / 'sub-01').symlink_to(elsewhere / 'sub-01')


def linked_dataset(files):
    for root in (files.root, files.raw):
        root.rename(root.with_name(f'real_{root.name}'))
        root.symlink_to(root.with_name(f'real_{root.name}'))


SAME = [
    ras, lps, psr, sform_only_in_qform, mirrored_qform, header_extension, several_members, mask_with_trailing_axis, soft_mask,
    nan_outside_the_mask, rounded_mask_affine, mask_without_scaling, names_of_21, dropped_components,
    bom_and_windows_line_ends, without_cosines, two_resolutions, other_entities, links_into_a_store, without_session,
    constant_voxels, nii_without_gz, mask_of_255, zeros_behind_the_stream, time_unit_missing, time_in_ms,
    no_time_in_the_header, negative_pixdim, regressors, without_res, first_displacement_zero, marks_of_dvars,
    reconstruction_and_part, linked_participant, linked_dataset,
]  # fmt: skip


@pytest.mark.parametrize('change', SAME, ids=lambda change: change.__name__)
def test_the_value_is_that_of_the_sound_run(files, right, change):
    """To the precision of float32 sums: axes turned round add up voxels in another order."""
    change(files)
    value, metadata = made.outcome(files)
    assert value == pytest.approx(right[0], abs=1e-5)
    assert metadata['DegreesOfFreedom'] == right[1]
    assert metadata['Flags'] == ['low_dof']


STORED = {
    'float64': ('f8', {}), 'big endian': ('i2', {'endian': '>'}), 'uint16': ('u2', {}),
    'scaled int16': ('i2', {'slope': 0.25, 'inter': 500}), 'negative slope': ('i4', {'slope': -1.0}),
    'NIfTI-2': ('f4', {'cls': nb.Nifti2Header}),
}  # fmt: skip


@pytest.mark.parametrize('how', STORED)
def test_how_numbers_are_stored_does_not_matter(files, right, how):
    dtype, options = STORED[how]
    stored(files, dtype, **options)
    assert made.outcome(files)[0] == pytest.approx(right[0], abs=1e-5)


def test_coarse_storage_is_near(files, right):
    """Steps of 8 in a signal of 15 to 30: rounding noise of variance 64 / 12 on 225 and 900."""
    stored(files, 'u1', slope=8.0)
    assert made.outcome(files)[0] == pytest.approx(right[0], abs=0.02)


def test_an_oblique_grid_is_near(files, right):
    """The same series on a grid turned by 15 degrees: interpolation mixes voxels of 6 mm."""
    for path, order in ((files.bold, 1), (files.mask, 0)):
        data, affine = made.load(path)
        made.save(*on_turned_grid(data, affine, 15.0, order), path)
    assert made.outcome(files)[0] == pytest.approx(right[0], abs=0.1)


# --- times ---


@pytest.mark.parametrize('header', [1.0, 2000.0])
def test_a_header_of_known_slips_is_a_warning(files, right, caught, header):
    """FMRIPrep 23.2.0 wrote 1 s, old versions ms as s; the sidecar counts."""
    edit_header(files.bold, 76 + 16, np.float32(header).tobytes())
    assert made.outcome(files)[0] == pytest.approx(right[0], abs=1e-6)
    status, said = made.dry_run(files, caught)
    assert status == 0
    assert f'{header:g} s in its header' in said
    assert 'says 2 s, which counts' in said


def test_a_header_that_contradicts_is_refused(files, caught):
    edit_header(files.bold, 76 + 16, np.float32(2.5).tobytes())
    status, said = made.dry_run(files, caught)
    assert status == 65
    assert '2.5 s in its header' in said
    assert 'Correct the one that is wrong' in said


def test_the_sidecar_of_the_raw_series_counts_before_the_header(files, right, caught):
    made.write(files.sidecar(), '{}')
    edit_header(files.bold, 76 + 16, np.float32(1.0).tobytes())
    (files.raw / 'sub-01/ses-pre/func' / f'{STEM}_bold.json').write_text(json.dumps({'RepetitionTime': T_R}))
    assert made.outcome(files)[0] == pytest.approx(right[0], abs=1e-6)


def test_the_header_counts_where_nothing_else_says_it(files, right, caught):
    made.write(files.sidecar(), '{}')
    assert made.outcome(files)[0] == pytest.approx(right[0], abs=1e-6)
    status, said = made.dry_run(files, caught)
    assert status == 0
    assert 'the 2 s of its header count' in said


def test_nothing_says_the_time(files, caught):
    made.write(files.sidecar(), '{}')
    edit_header(files.bold, 76 + 16, np.float32(0.0).tobytes())
    status, said = made.dry_run(files, caught)
    assert status == 66
    assert 'has no RepetitionTime. Add it' in said


@pytest.mark.parametrize('encoding', ['latin-1', 'utf-8-sig'])
def test_a_sidecar_in_another_encoding_is_read(files, right, encoding):
    made.write(
        files.sidecar(),
        json.dumps({'RepetitionTime': 2.0, 'InstitutionName': 'Universität'}, ensure_ascii=False).encode(
            encoding
        ),
    )
    assert made.outcome(files)[0] == pytest.approx(right[0], abs=1e-6)


# --- what cannot be right ---


def without_orientation(files):
    for path in (files.bold, files.mask):
        edit_header(path, 252, bytes(4))


def mask_without_orientation(files):
    edit_header(files.mask, 252, bytes(4))


def other_grid(files):
    with_axes(files.bold, 'RAS')


def mask_in_4d(files):
    data, affine = made.load(files.mask)
    files.mask.unlink()
    nb.save(nb.Nifti1Image(np.stack([data, data], -1), affine), files.mask)


def five_dimensions(files):
    data, affine = made.load(files.bold)
    files.bold.unlink()
    nb.save(nb.Nifti1Image(data[:, :, :, None, :], affine), files.bold)


def claims_too_much(files):
    edit_header(files.bold, 40, np.array([4, 2000, 2000, 2000, 3000], '<i2').tobytes())


def colours(files):
    edit_header(files.mask, 70, np.array([128, 24], '<i2').tobytes())


def confounds_of_a_cut_run(files):
    data, affine = made.load(files.bold)
    made.save(data[..., 4:], affine, files.bold)


def short(files):
    data, affine = made.load(files.bold)
    made.save(data[..., :47], affine, files.bold)
    made.save_table(files, made.read_table(files).iloc[:47])


def components_without_numbers(files):
    table = made.read_table(files)
    made.save_table(files, table.assign(a_comp_cor_07=np.nan))


def gap(files):
    table = made.read_table(files)
    table.loc[1, 'trans_x_derivative1'] = np.nan
    made.save_table(files, table)


def no_mask(files):
    files.mask.unlink()


def no_json(files):
    files.metadata.unlink()


REFUSED = {
    without_orientation: (
        65,
        ['desc-preproc_bold.nii.gz', 'sform_code and qform_code are 0', 'Convert it again'],
    ),
    mask_without_orientation: (65, ['desc-brain_mask.nii.gz', 'sform_code and qform_code are 0']),
    other_grid: (65, ['desc-brain_mask.nii.gz', 'not on the grid of', 'Give a mask']),
    mask_in_4d: (65, ['desc-brain_mask.nii.gz', 'three dimensions']),
    five_dimensions: (65, ['desc-preproc_bold.nii.gz', 'four dimensions']),
    claims_too_much: (65, ['2000 x 2000 x 2000 x 3000 needs 48,000,000,000,352 bytes', 'Copy or fetch']),
    colours: (65, ['desc-brain_mask.nii.gz', 'colours']),
    confounds_of_a_cut_run: (65, ['confounds_timeseries.tsv has 150 rows', '146 volumes']),
    short: (65, [f'{STEM}', '47 of 47 volumes', '20 are needed', '--denoising none --low-pass 0 (44 left)']),
    components_without_numbers: (65, ['a_comp_cor_07 has no number in any row', '--denoising 24p']),
    gap: (65, ['trans_x_derivative1 has no number in row 2 of 150']),
    no_mask: (66, ['its brain mask', 'Fetch it']),
    no_json: (66, ['its JSON', '--denoising 24p, which needs none']),
}


@pytest.mark.parametrize('change', REFUSED, ids=lambda change: change.__name__)
def test_what_cannot_be_used_is_refused_before_the_first_step(files, caught, change):
    change(files)
    status, said = made.dry_run(files, caught)
    code, words = REFUSED[change]
    assert status == code, said
    for word in words:
        assert word in said


def test_what_stands_behind_the_compressed_stream_is_damage(files):
    made.write(files.bold, files.bold.read_bytes() + b'GARBAGE not gzip' * 40)
    with pytest.raises(ValueError, match='is damaged at volume 150 of 150'):
        made.outcome(files)


@pytest.mark.parametrize('is_compressed', [True, False])
def test_more_than_the_header_announces_is_asked_about(files, caught, is_compressed):
    """As after an edit of the number of volumes; a last block that was filled up is nothing."""
    bold = files.bold
    if not is_compressed:
        nii_without_gz(files)
        bold = files.bold.with_suffix('')
    for n_bytes, is_told in ((300, False), (4096, True)):
        content = bytes(bytes_of(bold)) if is_compressed else bold.read_bytes()
        longer = content + b'\1' * n_bytes
        made.write(bold, gzip.compress(longer, 1) if is_compressed else longer)
        status, said = made.dry_run(files, caught)
        assert status == 0
        assert ('holds more than the 150 volumes of its header' in said) == is_told


def test_people_with_and_without_sessions_lie_side_by_side(files, right):
    """Each has the value of the sound run."""
    for root in (files.root, files.raw):
        shutil.copytree(root / 'sub-01/ses-pre/func', root / 'sub-02/func')
        for path in (root / 'sub-02/func').iterdir():
            path.rename(path.with_name(path.name.replace('sub-01_ses-pre', 'sub-02')))
    settings = made.make_settings(made.words_of(files))
    assert [len(made.collect(settings, label).runs) for label in ('01', '02')] == [1, 1]
    assert made.outcome(files)[0] == pytest.approx(right[0], abs=1e-6)


def test_nan_inside_the_mask_is_refused(files):
    data, affine = made.load(files.bold)
    series = data.astype(np.float32)
    series[tuple(np.argwhere(made.load(files.mask)[0])[50])] = np.nan
    made.save(series, affine, files.bold)
    with pytest.raises(ValueError, match='volume 0 holds NaN or infinite values inside the brain mask'):
        made.outcome(files)


# --- confounds ---


def test_no_json_serves_presets_that_need_none(files, caught):
    files.metadata.unlink()
    for preset in ('24p', 'none'):
        assert made.dry_run(files, caught, '--denoising', preset)[0] == 0
        assert np.isfinite(made.outcome(files, '--denoising', preset)[0])


@pytest.mark.parametrize('how', ['n/a throughout', 'absent'])
def test_displacement_is_computed_where_there_is_none(files, caught, how):
    table = made.read_table(files)
    table.loc[60, 'trans_y'] += 3.0
    moved = np.abs(table[['trans_x', 'trans_y', 'trans_z']].diff()).sum(axis=1) + 50 * np.abs(
        table[['rot_x', 'rot_y', 'rot_z']].diff()
    ).sum(axis=1)
    is_absent = how == 'absent'
    column = 'framewise_displacement'
    made.save_table(files, table.drop(columns=column) if is_absent else table.assign(**{column: np.nan}))
    _, metadata = made.outcome(files)
    assert metadata['NLeftOut']['motion'] == np.sum(moved > 0.5) == 2
    assert metadata['MeanFD'] == pytest.approx(moved[1:].mean(), rel=1e-4)
    status, said = made.dry_run(files, caught)
    assert status == 0
    assert 'it was computed from the motion parameters' in said


def test_nothing_known_of_movement_is_a_flag(files, caught):
    table = made.read_table(files)
    made.save_table(files, table.assign(framewise_displacement=np.nan, rot_x=np.nan))
    _, metadata = made.outcome(files, '--denoising', 'none')
    assert 'no_displacement' in metadata['Flags']
    assert metadata['MeanFD'] is None
    assert 'says nothing of movement' in made.dry_run(files, caught, '--denoising', 'none')[1]


def test_components_that_are_zero_are_told(files, right, caught):
    table = made.read_table(files)
    zero = [f'a_comp_cor_{number:02d}' for number in range(6, 12)]
    made.save_table(files, table.assign(**dict.fromkeys(zero, 0.0)))
    _, metadata = made.outcome(files)
    assert metadata['DegreesOfFreedom'] == right[1] + 5
    assert 'empty_confounds' in metadata['Flags']
    assert metadata['ConfoundsWithoutVariation'] == zero[:5]
    assert not set(zero) & set(metadata['Confounds'])
    assert 'do not vary and remove nothing' in made.dry_run(files, caught)[1]


def test_marks_of_motion_are_counted_once(files, right):
    table = made.read_table(files)
    for number, row in enumerate((50, 90, 91)):
        table.loc[row, 'framewise_displacement'] = 1.2
        table[f'motion_outlier{number:02d}'] = np.eye(T)[row].astype(int)
    made.save_table(files, table)
    assert made.outcome(files)[1]['DegreesOfFreedom'] == right[1] - 3


def test_volumes_before_the_steady_state_are_dropped(files):
    without, _ = made.outcome(files, '--dummy-scans', '4')
    data, affine = made.load(files.bold)
    series = data.astype(np.float32)
    series[..., :4] *= np.array([3, 2, 1.5, 1.2])
    made.save(series, affine, files.bold)
    table = made.read_table(files)
    for number in range(4):
        table[f'non_steady_state_outlier{number:02d}'] = np.eye(T)[number].astype(int)
    made.save_table(files, table)
    value, metadata = made.outcome(files)
    assert value == pytest.approx(without, abs=1e-5)
    assert metadata['NKept'] == T - 4


# --- layouts ---


def rename_all(files, change):
    for path in sorted(files.root.rglob('sub-01_*')):
        path.rename(path.with_name(change(path.name)))


def test_the_next_complete_space_serves_where_a_mask_is_absent(files, right, caught):
    for path in list(files.root.rglob('*space-*')):
        shutil.copy(path, path.with_name(path.name.replace('MNI152NLin6Asym', 'MNI152NLin2009cAsym')))
    files.mask.unlink()
    status, said = made.dry_run(files, caught)
    assert status == 0
    assert f'{files.bold.name} has no brain mask' in said
    assert 'MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz is used in its place' in said


def test_the_resolution_nearest_to_2_mm_is_the_same_for_all(files):
    """Without res-2 the voxels decide, not the order of names."""
    small, large = (
        files.bold.with_name(files.bold.name.replace('res-2', f'res-{r}')) for r in ('1', 'native')
    )
    data, affine = made.load(files.bold)
    mask = made.load(files.mask)[0]
    rename_all(files, lambda name: name.replace('res-2', 'res-native'))
    for path, step in ((small, 2), (large, 1)):
        scaled = affine @ np.diag([step, step, step, 1])
        made.save(data[::step, ::step, ::step], scaled, path)
        made.save(
            mask[::step, ::step, ::step],
            scaled,
            path.with_name(path.name.replace('desc-preproc_bold', 'desc-brain_mask')),
        )
        path.with_name(path.name.replace('.nii.gz', '.json')).write_text(json.dumps({'RepetitionTime': T_R}))
    settings = made.make_settings(made.words_of(files))
    (run,) = made.collect(settings, '01').runs
    assert run.res == 'native'  # 6 mm; that named res-1 has 12


ABSENT = {
    'names of fMRIPrep 1.0': (
        lambda n: n.replace(f'_space-{made.SPACE}_res-2_desc-preproc_bold', f'_bold_space-{made.SPACE}_preproc').replace('_res-2_desc-brain_mask', '_brainmask').replace('_desc-confounds_timeseries', '_bold_confounds'),
        ['named as fMRIPrep 1.0 and 1.1 did', 'Run a version of fMRIPrep'],
    ),
    'surfaces only': (
        lambda n: n.replace(f'space-{made.SPACE}_res-2_desc-preproc_bold.nii.gz', 'hemi-L_space-fsaverage5_bold.func.gii'),
        ['on surfaces only', '--output-spaces'],
    ),
    'references only': (
        lambda n: n.replace('desc-preproc_bold', 'desc-coreg_boldref'), ['--level full', 'references only'],
    ),
    'denoised by another program': (
        lambda n: n.replace('desc-preproc_bold', 'desc-denoised_bold'), ['is denoised already', 'output of fMRIPrep'],
    ),
    'single echoes': (
        lambda n: n.replace('task-rest_space', 'task-rest_echo-1_space'), ['single echoes only', 'combines them'],
    ),
    'another task': (lambda n: n.replace('task-rest', 'task-movie'), ['It has task movie', '--task-id']),
    'another space': (lambda n: n.replace(made.SPACE, 'MNI152NLin6Sym'), ['found in space MNI152NLin6Sym', '--output-spaces']),
}  # fmt: skip


@pytest.mark.parametrize('what', ABSENT)
def test_the_true_reason_is_said(files, caught, what):
    change, words = ABSENT[what]
    rename_all(files, change)
    status, said = made.dry_run(files, caught)
    assert status == 66
    for word in words:
        assert word in said
    assert 'no BOLD at all' not in said
    assert 'labels or filters' not in said


def test_labels_that_leave_nothing_are_said(files, caught):
    status, said = made.dry_run(files, caught, '--run', '3')
    assert status == 18
    assert 'labels or filters leave none of it' in said


def test_preprocessed_data_inside_the_dataset_are_offered(files, caught):
    inside = files.raw / 'derivatives' / 'fmriprep'
    shutil.copytree(files.root, inside)
    words = [word for word in made.words_of(files) if not word.startswith('fmriprep=') and word != '-d']
    made.main([*words, '--dry-run'])
    assert f'-d fmriprep={inside}' in caught[1].text


def test_hidden_files_of_macos_are_no_scans(files, right):
    for path in list(files.root.rglob('*.nii.gz')):
        (path.parent / f'._{path.name}').write_bytes(b'\0\5\x16\7')
    assert made.outcome(files)[0] == pytest.approx(right[0], abs=1e-6)


def test_the_table_of_cases_is_used():
    assert pd.Series([change.__name__ for change in [*SAME, *REFUSED]]).is_unique


def test_a_series_without_mean_has_no_signal_ratio(files, tmp_path):
    """Centred before: dropout cannot be judged, which is told; a ratio of two numbers next to 0 said -73."""
    data, affine = made.load(files.bold)
    inside = made.load(files.mask)[0] > 0
    series = data.astype(np.float32)
    series[inside] -= series[inside].mean(axis=1, keepdims=True)
    made.save(series, affine, files.bold)
    mean = np.where(inside, 1e-5 * np.random.default_rng(0).standard_normal(inside.shape), 0).astype(
        np.float32
    )
    scan = Scan(
        nb.load(files.bold), inside, series[inside].T, mean, series[inside].std(axis=1), np.ones(T, bool)
    )
    stack = np.zeros((6, *inside.shape), bool)
    for own, places in zip(stack, np.array_split(np.argwhere(inside), 6)):
        own[tuple(places.T)] = True
    table, flags = save_coverage(scan, stack, inside, default_circuit(), tmp_path)
    coverage = pd.read_csv(table, sep='\t', na_values='n/a')
    assert coverage[['tsnr', 'signal_ratio']].isna().to_numpy().all()
    assert (coverage['coverage'] == 1).all()
    assert flags == ['no_mean_signal']
