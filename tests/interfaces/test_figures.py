"""Figures of files: each function writes one picture that shows what its files say."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from nitransforms.linear import Affine
from PIL import Image

from pipelines import figures
from pipelines.errors import DataError, UnknownWordError
from pipelines.interfaces import _pictures as pictures
from pipelines.interfaces import figures as plot
from pipelines.interfaces import map_figures as maps
from pipelines.terms import circuit_of_labels, default_circuit

CIRCUIT = default_circuit()
LABELS = list(CIRCUIT.regions)
ICC = 'intrinsic_connectivity'

AFFINE = np.array([[-3.0, 0, 0, 81], [0, 3, 0, -111], [0, 0, 3, -66], [0, 0, 0, 1]])
SHAPE = (54, 66, 52)
"""A grid around the brain in MNI space whose first axis runs to the left, as many scanners store it."""

CENTRES = {'NAcL': (-9, 12, -8), 'NAcR': (9, 12, -8), 'mPFCL': (-6, 44, -12), 'mPFCR': (6, 44, -12)}


def positions() -> np.ndarray:
    indices = np.moveaxis(np.indices(SHAPE), 0, -1)
    return indices @ AFFINE[:3, :3].T + AFFINE[:3, 3]


def ball(centre: tuple[float, ...], radius: float) -> np.ndarray:
    return (np.linalg.norm(positions() - centre, axis=-1) < radius).astype(np.float32)


def save(folder: Path, name: str, values: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path = folder / f'{name}.nii'
    nb.save(nb.Nifti1Image(values.astype(np.float32), affine), path)
    return path


def head() -> np.ndarray:
    """Return a brain with ventricle, white matter, and a bright mark on the right front."""
    middle = (0, -18, 8)
    image = 40 * ball(middle, 62) + 50 * ball(middle, 45) - 70 * ball(middle, 15)
    return image + 60 * ball((30, 20, 10), 9)


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return one set of all the files that figures are made of."""
    folder = tmp_path_factory.mktemp('files')
    rng = np.random.default_rng(5)
    image = head()
    dseg = np.where(image > 80, 2, np.where(image > 30, 1, np.where(ball((0, -18, 8), 15) > 0, 3, 0)))
    regions = {name: ball(centre, 6) for name, centre in CENTRES.items()}
    regions['NAc'] = np.maximum(regions['NAcL'], regions['NAcR'])
    regions['mPFC'] = np.maximum(regions['mPFCL'], regions['mPFCR'])
    mask = ball((0, -18, 8), 66) > 0
    made = {
        't1w': save(folder, 't1w', image + rng.normal(0, 1, SHAPE)),
        'mask': save(folder, 'mask', mask),
        'dseg': save(folder, 'dseg', dseg),
        'bold': save(folder, 'bold', image),
        'regions': save(folder, 'regions', np.stack([regions[k] for k in LABELS], axis=-1)),
        'icc': save(folder, 'icc', np.where(mask, 0.2 + 0.1 * regions['mPFC'], 0)),
        'iccnorm': save(folder, 'iccnorm', np.where(mask, rng.standard_normal(SHAPE), 0)),
        **{f'seed_{k}': save(folder, f'seed_{k}', np.where(mask, 0.1 + regions[k], np.nan)) for k in LABELS},
    }
    flags = ['n/a', 'n/a', 'n/a', 'dropout', 'n/a', 'dropout']
    made['coverage'] = folder / 'coverage.tsv'
    pd.DataFrame({'region': LABELS, 'flags': flags}).to_csv(made['coverage'], sep='\t', index=False)
    matrix = pd.DataFrame(np.full((6, 6), 0.3), index=LABELS, columns=LABELS)
    matrix.index.name = 'node'
    made['relmat'] = folder / 'relmat.tsv'
    matrix.mask(np.eye(6, dtype=bool)).to_csv(made['relmat'], sep='\t', na_rep='n/a')
    made['carpet'] = folder / 'carpet.npz'
    series = rng.standard_normal((60, 30)).astype(np.float16)
    tissue = np.array(['grey matter'] * 40 + ['other'] * 20)
    trace = {'fd': np.abs(rng.normal(0, 0.1, 30)), 'dvars': np.ones(30), 'kept': np.arange(30) > 1}
    np.savez(made['carpet'], before=series, after=series, tissue=tissue, t_r=2.0, **trace)
    return made


def picture(figured: pictures.Figured) -> np.ndarray:
    assert figured.figure.read_bytes().startswith(b'\x89PNG')
    return np.asarray(Image.open(figured.figure).convert('RGB')).astype(int)


def halves(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the grey values of both halves of a comparison below their heads."""
    middle = len(image) // 2
    upper, lower = image[:middle].mean(axis=2), image[middle:].mean(axis=2)
    return upper[60:], lower[60:]  # the head is 0.36 inch at 160 dots


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Record what would be drawn, as (arguments, options), and draw nothing."""
    calls: list[tuple] = []
    for name in ('draw_montage', 'draw_pair'):
        monkeypatch.setattr(figures, name, lambda *a, **k: calls.append((a, k)) or Figure((1, 1)))
    return calls


def seeds(files: dict[str, Path]) -> list[Path]:
    return [files[f'seed_{label}'] for label in LABELS]


class TestSampling:
    def test_value_of_a_pixel_is_that_of_its_place(self, tmp_path: Path) -> None:
        """An image that holds its own x, y or z must show the place of each pixel."""
        place = figures.montage([[(2, 0.0), (1, 6.0)]], np.array([[-60.0, -60, -40], [60, 60, 60]]))
        head = np.abs(place.points).max(axis=2) < 1000
        for axis in range(3):
            path = save(tmp_path, f'axis{axis}', positions()[..., axis])
            shown = pictures.on(place, path)
            # float32 and linear interpolation of a linear function: exact up to rounding
            assert shown[head] == pytest.approx(place.points[..., axis][head], abs=1e-3)
            assert np.all(shown[~head] == 0)

    def test_matrix_maps_places_of_the_picture_to_places_of_the_image(self, tmp_path: Path) -> None:
        place = figures.montage([[(2, 0.0)]], np.array([[-30.0, -30, -30], [30, 30, 30]]))
        shift = np.eye(4)
        shift[0, 3] = 5
        path = save(tmp_path, 'x', positions()[..., 0])
        assert pictures.on(place, path, matrix=shift) == pytest.approx(place.points[..., 0] + 5, abs=1e-3)

    def test_labels_are_selected(self, files: dict[str, Path]) -> None:
        place = figures.montage([[(2, 8.0)]], np.array([[-60.0, -80, 0], [60, 40, 20]]))
        both = pictures.on(place, files['dseg'], labels=(1, 2))
        one, two = (pictures.on(place, files['dseg'], labels=(label,)) for label in (1, 2))
        assert both == pytest.approx(one + two, abs=1e-5)
        assert set(np.unique(pictures.on(place, files['dseg'], labels=(9,)))) == {0}

    def test_nan_counts_as_zero(self, tmp_path: Path) -> None:
        path = save(tmp_path, 'nan', np.full(SHAPE, np.nan))
        assert np.all(pictures.on(figures.montage([[(2, 0.0)]], pictures.MNI_BOX), path) == 0)

    def test_three_planes_enclose_the_mask(self, files: dict[str, Path]) -> None:
        place = pictures.three_planes(files['mask'])
        inside = place.points[np.abs(place.points).max(axis=2) < 1000]
        brain = positions()[ball((0, -18, 8), 66) > 0]
        assert np.all(inside.min(axis=0) <= brain.min(axis=0))
        assert np.all(inside.max(axis=0) >= brain.max(axis=0))
        assert len(place.labels) == 20

    def test_empty_mask(self, tmp_path: Path) -> None:
        path = save(tmp_path, 'empty', np.zeros(SHAPE))
        with pytest.raises(DataError, match=r'empty\.nii: no voxel is above 0'):
            pictures.three_planes(path)

    def test_centre_of_a_region(self, files: dict[str, Path]) -> None:
        image = pictures.open_picture(files['regions'])
        found = pictures.centre(image, LABELS.index('mPFCR'))
        assert found == pytest.approx(CENTRES['mPFCR'], abs=1.5)  # half a voxel
        empty = nb.Nifti1Image(np.zeros((2, 2, 2, 1), np.float32), np.eye(4))
        assert pictures.centre(empty, 0) is None

    def test_cuts_go_through_both_sides(self) -> None:
        centres = {name: np.array(centre, float) for name, centre in CENTRES.items()}
        rows = pictures.rows_through({**centres, 'NAc': None, 'mPFC': None}, CIRCUIT)
        assert [[axis for axis, _ in row] for row in rows] == [[0, 0, 1, 2]] * 2
        assert [at for axis, at in rows[1] if axis == 0] == [-9, 9]

    def test_cuts_when_one_side_or_all_are_empty(self) -> None:
        one = pictures.rows_through({'NAcL': np.array([-9.0, 12, -8]), 'NAcR': None}, CIRCUIT)
        assert one == [[(0, -9.0), (1, 12.0), (2, -8.0)]]
        assert len(pictures.rows_through({'NAcL': None}, CIRCUIT)) == 1


class TestAnatomy:
    def test_mask(self, files: dict[str, Path], tmp_path: Path) -> None:
        image = picture(plot.plot_mask(files['t1w'], files['mask'], files['dseg'], out_dir=tmp_path))
        red, green, blue = np.moveaxis(image[60:], 2, 0)
        assert (red - blue > 150).sum() > 1000  # orange: the mask
        assert (blue - red > 100).sum() > 1000  # blue: white matter
        assert ((green - red > 100) & (green - blue > 30)).sum() > 1000  # green: grey matter

    def test_normalization_that_fits_has_equal_halves(self, files: dict[str, Path], tmp_path: Path) -> None:
        figured = plot.plot_normalization(files['bold'], files['bold'], 'MNI', out_dir=tmp_path)
        upper, lower = halves(picture(figured))
        assert np.abs(upper - lower).max() <= 2

    def test_normalization_that_fails_is_seen(self, files: dict[str, Path], tmp_path: Path) -> None:
        shifted = AFFINE.copy()
        shifted[1, 3] += 15
        moved = save(tmp_path, 'moved', head(), shifted)
        upper, lower = halves(picture(plot.plot_normalization(files['bold'], moved, 'MNI', out_dir=tmp_path)))
        assert np.corrcoef(upper.ravel(), lower.ravel())[0, 1] < 0.9


class TestCoregistration:
    def likeness(self, files: dict[str, Path], matrix: np.ndarray, folder: Path, drawn: list[tuple]) -> float:
        """Return how much the two images are alike when BOLD was moved by a known matrix."""
        transform = folder / 'bold2anat.txt'
        Affine(matrix).to_filename(transform, fmt='itk')
        # points of the T1w, mapped by the matrix, are points of this BOLD image
        bold = save(folder, 'moved', head(), self.true_matrix() @ AFFINE)
        fields = (files['bold'], files['mask'], files['dseg'], transform)
        plot.plot_coregistration(bold, *fields, out_dir=folder)
        (_, (fixed, moving), *_), _ = drawn[0]
        return float(np.corrcoef(fixed.ravel(), moving.ravel())[0, 1])

    def true_matrix(self) -> np.ndarray:
        angle = np.deg2rad(8)
        matrix = np.eye(4)
        matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        matrix[:3, 3] = 12, -7, 5
        return matrix

    def test_right_transform_aligns(self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]) -> None:
        # the moved image has the same voxels behind another affine: equal up to float32
        assert self.likeness(files, self.true_matrix(), tmp_path, drawn) > 1 - 1e-6

    @pytest.mark.parametrize('wrong', ['identity', 'inverse'])
    def test_wrong_transform_is_seen(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple], wrong: str
    ) -> None:
        matrix = np.eye(4) if wrong == 'identity' else np.linalg.inv(self.true_matrix())
        assert self.likeness(files, matrix, tmp_path, drawn) < 0.95

    def test_picture(self, files: dict[str, Path], tmp_path: Path) -> None:
        transform = tmp_path / 'identity.txt'
        Affine(np.eye(4)).to_filename(transform, fmt='itk')
        fields = (files['bold'], files['bold'], files['mask'], files['dseg'], transform)
        upper, lower = halves(picture(plot.plot_coregistration(*fields, out_dir=tmp_path)))
        assert np.abs(upper - lower).max() <= 2


class TestFunction:
    def test_flagged_regions_are_dashed_and_say_so(self, files: dict[str, Path]) -> None:
        place = figures.montage([[(2, -12.0)]], pictures.MNI_BOX)
        image = pictures.open_picture(files['regions'])
        sound = pictures.region_outline(place, image, 3, 'mPFCL', 'n/a', CIRCUIT)
        flagged = pictures.region_outline(place, image, 3, 'mPFCL', 'dropout', CIRCUIT)
        assert (sound.dash, sound.label) == ('solid', 'mPFCL')
        assert (flagged.dash, flagged.label) == ('dashed', 'mPFCL: flagged')
        assert np.array_equal(sound.canvas, flagged.canvas)
        x = place.points[..., 0]
        assert x[sound.canvas > 0.5].max() < 0  # the left region lies at the left

    def test_regions(self, files: dict[str, Path], tmp_path: Path) -> None:
        figured = plot.plot_regions(files['bold'], files['regions'], files['coverage'], out_dir=tmp_path)
        red, green, blue = np.moveaxis(picture(figured)[60:], 2, 0)
        assert ((blue - red) > 100).sum() > 100  # accumbens
        assert ((red - blue > 100) & (green - blue > 100)).sum() > 100  # prefrontal

    def test_regions_with_the_mask(self, files: dict[str, Path], tmp_path: Path) -> None:
        names = ('bold', 'regions', 'coverage', 'mask')
        figured = plot.plot_regions(*(files[name] for name in names), out_dir=tmp_path)
        assert picture(figured).size

    def test_carpet(self, files: dict[str, Path], tmp_path: Path) -> None:
        figured = plot.plot_carpet(files['carpet'], 0.5, out_dir=tmp_path)
        assert figured.figure == tmp_path / 'carpet.png'
        assert np.median(picture(figured)) > 50

    def test_relmat(self, files: dict[str, Path], tmp_path: Path) -> None:
        assert picture(maps.plot_relmat(files['relmat'], CIRCUIT, out_dir=tmp_path)).size

    def test_seed_maps_show_each_seed_in_its_row(self, files: dict[str, Path], tmp_path: Path) -> None:
        meta = {'DegreesOfFreedom': 100}
        image = picture(maps.plot_seed_maps(seeds(files), files['bold'], meta, CIRCUIT, out_dir=tmp_path))[
            58:
        ]
        rows = np.array_split(image, 6)
        warm = [(row[..., 0] - row[..., 2] > 50).sum() for row in rows]
        assert min(warm) > 20
        # a bilateral seed has its left and its right part, each as large as that of one side
        assert warm[2] > max(warm[:2])

    @pytest.mark.parametrize(('dof', 'level'), [(100, 3.29 / np.sqrt(98)), (None, None), (2, None)])
    def test_level_needs_degrees_of_freedom(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple], dof: float, level: float
    ) -> None:
        meta = {'DegreesOfFreedom': dof}
        maps.plot_seed_maps(seeds(files), files['bold'], meta, CIRCUIT, out_dir=tmp_path)
        (overlay,) = drawn[0][1]['overlays']
        assert overlay.limits[0] == -overlay.limits[1]
        assert overlay.level == (level if level is None else pytest.approx(level))
        assert overlay.limits[1] > (level or 0)

    def test_each_map_is_where_its_name_says(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]
    ) -> None:
        maps.plot_seed_maps(seeds(files), files['bold'], {}, CIRCUIT, out_dir=tmp_path)
        (place, _), options = drawn[0]
        z = np.array_split(options['overlays'][0].canvas, 6)
        x = np.array_split(place.points[..., 0], 6)
        for name, values, across in zip(options['row_names'], z, x):
            sides = set(np.sign(across[values > 0.6]))
            assert sides == {'L': {-1}, 'R': {1}}.get(name[-1], {-1, 1}), name

    def test_seed_maps_of_nothing(self, files: dict[str, Path], tmp_path: Path) -> None:
        empty = save(tmp_path, 'empty', np.zeros(SHAPE))
        assert picture(maps.plot_seed_maps([empty] * 6, files['bold'], {}, CIRCUIT, out_dir=tmp_path)).size

    def test_background_replaces_the_mean_bold(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]
    ) -> None:
        dark = save(tmp_path, 'dark', np.zeros(SHAPE))
        for background in (None, dark):
            maps.plot_seed_maps(seeds(files), files['bold'], {}, CIRCUIT, background, out_dir=tmp_path)
            maps.plot_map(
                files['icc'], files['bold'], {}, ICC, files['iccnorm'], background, out_dir=tmp_path
            )
        assert [bool(arguments[1].any()) for arguments, _ in drawn] == [True, True, False, False]

    def test_intrinsic_scale_begins_at_the_floor(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]
    ) -> None:
        meta = {'ICCNoiseFloor': 0.113}
        maps.plot_map(files['icc'], files['bold'], meta, ICC, files['iccnorm'], out_dir=tmp_path)
        normal, raw = drawn[0][1]['overlays']
        assert raw.limits[0] == 0.113
        assert normal.limits == (-3, 3)
        # the maps share the picture: each pixel belongs to one of them
        assert np.all(np.isnan(raw.canvas) != np.isnan(normal.canvas))

    def test_floor_above_the_map(self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]) -> None:
        meta = {'ICCNoiseFloor': 5.0}
        maps.plot_map(files['icc'], files['bold'], meta, ICC, files['iccnorm'], out_dir=tmp_path)
        low, high = drawn[0][1]['overlays'][1].limits
        assert low < high

    def test_map_without_a_normalised_form_is_one_row(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]
    ) -> None:
        maps.plot_map(files['icc'], files['bold'], {}, ICC, out_dir=tmp_path)
        place, (arguments) = drawn[0][0][0], drawn[0][1]
        assert arguments['row_names'] == ['ICC (root mean square of r)']
        assert [overlay.canvas.shape for overlay in arguments['overlays']] == [place.points.shape[:2]]

    def test_map_of_an_unknown_measure_is_refused(self, files: dict[str, Path], tmp_path: Path) -> None:
        with pytest.raises(UnknownWordError, match='measure reho is unknown'):
            maps.plot_map(files['icc'], files['bold'], {}, 'reho', out_dir=tmp_path)

    def test_intrinsic_picture(self, files: dict[str, Path], tmp_path: Path) -> None:
        figured = maps.plot_map(files['icc'], files['bold'], {}, ICC, files['iccnorm'], out_dir=tmp_path)
        assert picture(figured).size

    def test_existing_read_only_picture_is_replaced(self, files: dict[str, Path], tmp_path: Path) -> None:
        old = tmp_path / 'relmat.png'
        old.write_text('old')
        old.chmod(0o444)
        assert picture(maps.plot_relmat(files['relmat'], CIRCUIT, out_dir=tmp_path)).size


class TestManyRegions:
    def test_a_legend_names_flagged_regions_first_and_each_structure_once(self) -> None:
        names = [f'r{letter}' for letter in 'abcdefghij']
        circuit = circuit_of_labels(f'{name}{side}' for name in names for side in ('L', 'R', ''))
        flagged = {label: label == 'rjR' for label in circuit.drawn}
        shown = [name for name in plot._briefly(circuit, flagged) if name]
        assert shown == ['ra', 'rb', 'rc', 'rd', 're', 'rf', 'rjR: flagged']
        assert len(plot._briefly(circuit, flagged)) == len(circuit.drawn)


def placed(folder: Path, flags: tuple[str, str]) -> tuple[Path, ...]:
    """Return image, table, labels on a template that lies 30 mm lower, and the way there."""
    from pipelines.interfaces.transforms import write_field

    grid = AFFINE.copy()
    grid[2, 3] -= 30
    labels = ball(CENTRES['NAcL'], 6) + 2 * ball(CENTRES['NAcR'], 6)
    field = np.broadcast_to(np.array([0.0, 0, -30]), (*SHAPE, 3))
    rows = [
        (name, *CENTRES[name], flag) for name, flag in zip(('NAcL', 'NAcR'), flags)
    ] + [('OwnL', 'n/a', 'n/a', 'n/a', 'n/a')]  # fmt: skip
    table = folder / 'placement.tsv'
    columns = ['region', 'x', 'y', 'z', 'flags']
    pd.DataFrame(rows, columns=columns).to_csv(table, sep='\t', index=False)
    return (
        save(folder, 't1w', head()),
        table,
        save(folder, 'dseg', labels, grid),
        write_field(folder / 'std2anat.nii.gz', field, AFFINE),
    )


def test_regions_are_drawn_where_the_way_brings_them(tmp_path: Path, drawn: list[tuple]) -> None:
    """Outlines enclose the balls around the centres of the table; a flagged one has its own line."""
    plot.plot_placement(*placed(tmp_path, ('n/a', 'placement')), out_dir=tmp_path)
    (((place, _), options),) = drawn
    sound, flagged = options['outlines']
    assert (sound.label, flagged.label, flagged.dash) == ('region', 'region: flagged', 'dashed')
    for outline, name in ((sound, 'NAcL'), (flagged, 'NAcR')):
        inside = place.points[outline.canvas > 0.5]
        assert len(inside) > 100
        assert np.linalg.norm(inside - CENTRES[name], axis=1).max() < 8
    names = {text for _, _, text in place.labels}
    assert names >= {'NAcL', 'NAcR'}
    assert 'OwnL' not in names


def test_without_any_region_of_the_template_the_picture_says_so(tmp_path: Path) -> None:
    image, table, *others = placed(tmp_path, ('n/a', 'n/a'))
    pd.DataFrame([('OwnL', *['n/a'] * 4)], columns=['region', 'x', 'y', 'z', 'flags']).to_csv(
        table, sep='\t', index=False
    )
    assert plot.plot_placement(image, table, *others, out_dir=tmp_path).figure.is_file()
