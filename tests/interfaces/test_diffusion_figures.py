"""Diffusion figures of files: each picture shows what its files say, at its place."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipelines import figures
from pipelines.interfaces import _pictures as pictures
from pipelines.interfaces import diffusion_figures as plot
from pipelines.terms import default_circuit

CIRCUIT = default_circuit()
LABELS = list(CIRCUIT.regions)

AFFINE = np.array([[-4.0, 0, 0, 80], [0, 4, 0, -110], [0, 0, 4, -66], [0, 0, 0, 1]])
SHAPE = (41, 50, 40)
"""A grid whose first axis runs to the left, as many scanners store it."""

NAC, MPFC = {'L': (-10, 12, -8), 'R': (10, 12, -8)}, {'L': (-6, 48, -8), 'R': (6, 48, -8)}


def positions() -> np.ndarray:
    return np.moveaxis(np.indices(SHAPE), 0, -1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]


def ball(centre: tuple[float, ...], radius: float) -> np.ndarray:
    return (np.linalg.norm(positions() - centre, axis=-1) < radius).astype(np.float32)


def save(folder: Path, name: str, values: np.ndarray) -> Path:
    path = folder / f'{name}.nii'
    nb.save(nb.Nifti1Image(values.astype(np.float32), AFFINE), path)
    return path


def tube(side: str) -> np.ndarray:
    ends = np.array(NAC[side], float), np.array(MPFC[side], float)
    return np.max([ball(ends[0] + (ends[1] - ends[0]) * t, 5) for t in np.linspace(0, 1, 9)], axis=0)


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return one set of the files that figures are made of: fibres run forward left, upward right."""
    folder = tmp_path_factory.mktemp('files')
    brain = ball((0, -10, 8), 60)
    evec = np.zeros((*SHAPE, 3))
    evec[..., 1], evec[..., 2] = positions()[..., 0] < 0, -1.0 * (positions()[..., 0] >= 0)
    regions = {'NAcL': NAC['L'], 'NAcR': NAC['R'], 'mPFCL': MPFC['L'], 'mPFCR': MPFC['R']}
    dseg = sum(ball(centre, 5) * (LABELS.index(name) + 1) for name, centre in regions.items())
    made = {
        'fa': save(folder, 'fa', 0.6 * brain),
        'evec': save(folder, 'evec', evec * brain[..., None]),
        'mask': save(folder, 'mask', brain),
        'dwiref': save(folder, 'dwiref', 100 * brain + 50 * ball((30, 20, 10), 9)),
        'dseg': save(folder, 'dseg', 2 * brain),
        'regions': save(folder, 'regions', dseg),
        'left': save(folder, 'left', 0.6 * tube('L')),
        'right': save(folder, 'right', 0.4 * tube('R')),
    }
    rows = [
        ('01', hemi, method, 'fa', 0.4, n)
        for hemi, n in (('L', 1900), ('R', 'n/a'), ('B', 1900))
        for method in ('weighted', 'streamline')
    ]
    columns = ['session_id', 'hemi', 'method', 'param', 'value', 'n_streamlines']
    write(folder, made, 'scalarstats', pd.DataFrame(rows, columns=columns))
    profile = pd.DataFrame({'session_id': '01', 'hemi': 'L', 'node': np.arange(1, 101), 'param': 'fa'})
    profile = profile.assign(mean=0.4, sd=0.05)
    other = profile.assign(hemi='R', mean='n/a', sd='n/a')
    write(folder, made, 'profile', pd.concat([profile, other, profile.assign(param='md', mean=7e-4)]))
    curve = pd.DataFrame({'session_id': 'n/a', 'hemi': 'L', 'threshold': [0.01, 0.1, 0.5], 'param': 'fa'})
    write(folder, made, 'threshold', curve.assign(value=[0.3, 0.35, 0.4], volume=[900, 500, 'n/a']))
    motion = pd.DataFrame(np.full((6, 6), 0.1), columns=[*plot._SHIFTS, *plot._TURNS])
    fd = ['n/a', *[0.2] * 5]
    write(folder, made, 'confounds', motion.assign(framewise_displacement=fd, b_value=[0, *[1000] * 5]))
    return made


def write(folder: Path, made: dict[str, Path], name: str, table: pd.DataFrame) -> None:
    made[name] = folder / f'{name}.tsv'
    table.to_csv(made[name], sep='\t', index=False)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Record what would be drawn, as (arguments, options), and draw nothing."""
    calls: list[tuple] = []
    for name in [name for name in figures.__all__ if name.startswith('draw_')]:
        monkeypatch.setattr(figures, name, lambda *a, **k: calls.append((a, k)) or Figure((1, 1)))
    return calls


def is_picture(figured: pictures.Figured, name: str) -> bool:
    return figured.figure.name == name and Image.open(figured.figure).size > (500, 300)


class TestScan:
    def test_colours_are_those_of_the_voxels(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]
    ) -> None:
        plot.plot_color_fa(files['fa'], files['evec'], files['mask'], out_dir=tmp_path)
        (place, rgb, mask), _ = drawn[0]
        inside = np.linalg.norm(place.points - (0, -10, 8), axis=-1) < 50  # a voxel from the surface
        x = place.points[..., 0]
        # float32 and linear interpolation of a constant
        assert np.abs(rgb[inside & (x < -4)] - [0, 0.6, 0]).max() < 1e-6
        assert np.abs(rgb[inside & (x > 4)] - [0, 0, 0.6]).max() < 1e-6
        assert np.all(mask[inside] == 1)

    def test_colour_picture(self, files: dict[str, Path], tmp_path: Path) -> None:
        figured = plot.plot_color_fa(files['fa'], files['evec'], files['mask'], out_dir=tmp_path)
        assert is_picture(figured, 'colorfa.png')

    def test_mask_is_outlined_on_the_reference(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]
    ) -> None:
        plot.plot_diffusion_mask(files['dwiref'], files['mask'], out_dir=tmp_path)
        (place, grey), options = drawn[0]
        (outline,) = options['outlines']
        assert grey.max() == pytest.approx(150)
        assert np.array_equal(outline.canvas, pictures.on(place, files['mask']))

    def test_mask_picture(self, files: dict[str, Path], tmp_path: Path) -> None:
        figured = plot.plot_diffusion_mask(files['dwiref'], files['mask'], out_dir=tmp_path)
        assert is_picture(figured, 'mask.png')

    def test_reference_lies_below_the_anatomy(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]
    ) -> None:
        fields = files['dwiref'], files['fa'], files['mask'], files['dseg']
        plot.plot_diffusion_coregistration(*fields, out_dir=tmp_path)
        (_, (fixed, moving), names, outlines), _ = drawn[0]
        assert (fixed.max(), moving.max()) == (pytest.approx(0.6), pytest.approx(150))
        assert names[1].startswith('Diffusion')
        assert len(outlines) == 2

    def test_motion_is_in_mm_and_degrees(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]
    ) -> None:
        plot.plot_diffusion_motion(files['confounds'], out_dir=tmp_path)
        (shifts, turns, fd, b_values), _ = drawn[0]
        assert shifts == pytest.approx(np.full((6, 3), 0.1))
        assert turns == pytest.approx(np.full((6, 3), np.rad2deg(0.1)))
        assert np.isnan(fd).tolist() == [True, *[False] * 5]
        assert b_values.tolist() == [0, *[1000] * 5]


class TestTract:
    def test_each_side_is_where_its_name_says(
        self, files: dict[str, Path], tmp_path: Path, drawn: list[tuple]
    ) -> None:
        visits = [files['left'], files['right']]
        plot.plot_tract(
            files['fa'], visits, files['regions'], [files['scalarstats']], CIRCUIT, out_dir=tmp_path
        )
        (place, _, shown), options = drawn[0]
        for hemi, sign in (('L', -1), ('R', 1)):
            assert set(np.sign(place.points[shown[hemi] > 0.2][:, 0])) == {sign}
        y = {o.label: place.points[o.canvas > 0.5][:, 1].mean() for o in options['regions']}
        assert y['NAc'] == pytest.approx(12, abs=4)  # a voxel
        assert y['mPFC'] == pytest.approx(48, abs=4)

    def test_cuts_go_through_the_tract(self, files: dict[str, Path]) -> None:
        place = plot.tract_places(
            files['regions'], dict(zip(CIRCUIT.bundles, (files['left'], files['right']))), CIRCUIT
        )
        at = [text.split(' = ') for *_, text in place.labels]
        x = [float(value) for axis, value in at if axis == 'x']
        y = [float(value) for axis, value in at if axis == 'y']
        assert len(x) == len(y) == 6
        assert [value < 0 for value in x] == [True] * 3 + [False] * 3
        assert min(y) > 5
        assert max(y) < 55

    def test_without_any_tract_the_regions_are_shown(self, files: dict[str, Path], tmp_path: Path) -> None:
        empty = save(tmp_path, 'empty', np.zeros(SHAPE))
        place = plot.tract_places(files['regions'], dict.fromkeys(CIRCUIT.bundles, empty), CIRCUIT)
        assert sum(text.startswith('x') for *_, text in place.labels) == 6

    def test_without_tract_and_regions(self, files: dict[str, Path], tmp_path: Path) -> None:
        empty = save(tmp_path, 'empty', np.zeros(SHAPE))
        fields = [empty, empty], empty, [files['scalarstats']], CIRCUIT
        assert plot.plot_tract(files['fa'], *fields, out_dir=tmp_path).figure.is_file()

    def test_picture(self, files: dict[str, Path], tmp_path: Path) -> None:
        visits = [files['left'], files['right']]
        fields = files['fa'], visits, files['regions'], [files['scalarstats']], CIRCUIT
        assert is_picture(plot.plot_tract(*fields, out_dir=tmp_path), 'tract.png')

    def test_counts_of_sides(self, files: dict[str, Path]) -> None:
        assert plot.streamline_counts(files['scalarstats']) == {'L': '1900', 'R': 'n/a', 'B': '1900'}

    def test_counts_that_differ_between_sessions(self, tmp_path: Path) -> None:
        rows = [('1', 'L', 'weighted', '10'), ('2', 'L', 'weighted', '20'), ('2', 'L', 'streamline', '9')]
        table = pd.DataFrame(rows, columns=['session_id', 'hemi', 'method', 'n_streamlines'])
        table.to_csv(tmp_path / 's.tsv', sep='\t', index=False)
        assert plot.streamline_counts(tmp_path / 's.tsv') == {'L': '10 / 20'}


class TestCurves:
    def test_labels_keep_their_zeros_and_missing_sides_stay_out(self, files: dict[str, Path]) -> None:
        (curve,) = plot.curves(files['profile'], 'node', 'mean', 'sd')
        assert (curve.session, curve.hemi, len(curve.x)) == ('01', 'L', 100)
        assert set(curve.y) == {0.4}
        assert set(curve.spread) == {0.05}

    def test_one_session_has_no_name(self, files: dict[str, Path]) -> None:
        (curve,) = plot.curves(files['threshold'], 'threshold', 'volume')
        assert curve.session == ''
        assert curve.spread is None
        assert np.isnan(curve.y).tolist() == [False, False, True]

    @pytest.mark.parametrize('name', ['profile', 'threshold'])
    def test_pictures(self, files: dict[str, Path], tmp_path: Path, name: str) -> None:
        draw = {'profile': plot.plot_profile, 'threshold': plot.plot_threshold}[name]
        assert is_picture(draw([files[name]], CIRCUIT, out_dir=tmp_path), f'{name}.png')

    def test_motion_picture(self, files: dict[str, Path], tmp_path: Path) -> None:
        assert is_picture(plot.plot_diffusion_motion(files['confounds'], out_dir=tmp_path), 'motion.png')
