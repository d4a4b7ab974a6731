"""Scans are prepared and brought to the person's grid: what moved, was stretched or dropped is said, and undone."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces import dwi
from pipelines.interfaces._diffusion import load_course, write_course
from pipelines.interfaces.transforms import write_linear
from pipelines.numerics.course import VolumeCourse
from pipelines.simulated.diffusion import gradient_table
from tests import eddied


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Return series and table of a simulated head at 6 mm, on a grid along RAS."""
    folder = tmp_path_factory.mktemp('scan')
    bvals, bvecs = gradient_table(12, (1000.0,), n_b0=2)
    scan = eddied.make_scan(bvals, bvecs, np.random.default_rng(2), voxel=6.0)
    nb.save(nb.Nifti1Image(scan.data, scan.affine), folder / 'dwi.nii')
    np.savetxt(folder / 'dwi.bval', bvals[None])
    np.savetxt(folder / 'dwi.bvec', (bvecs * [-1, 1, 1]).T)
    return [folder / f'dwi.{end}' for end in ('nii', 'bval', 'bvec')], scan


def test_a_course_is_read_as_it_was_written(tmp_path, rng):
    course = VolumeCourse(rng.normal(size=(3, 4, 4)), rng.normal(size=(3, 9)), np.eye(3)[1], np.ones(3))
    dropped = rng.random((5, 3)) > 0.5
    found, again = load_course(write_course(tmp_path / 'motion.npz', course, dropped))
    for name in VolumeCourse._fields:
        np.testing.assert_array_equal(getattr(found, name), getattr(course, name))
    np.testing.assert_array_equal(again, dropped)


@pytest.mark.parametrize('axis', ['j', ''])
def test_eddy_currents_are_taken_back_where_the_axis_is_known(files, tmp_path, axis):
    paths, scan = files
    made = dwi.prepare_scan(*paths, axis, sloppy=True, out_dir=tmp_path)
    course, dropped = load_course(made.motion)
    assert course.coefficients.any() == bool(axis)
    assert dropped.shape == (scan.data.shape[2], scan.data.shape[3])
    same = write_linear(tmp_path / 'same.txt', np.eye(4))
    moved = dwi.resample_scans(
        [made.series], [made.gradients], [made.motion], [same], [], same, made.mask, out_dir=tmp_path
    )
    assert moved.facts['EddyCurrentCorrection'] == bool(axis)
    table = pd.read_csv(moved.confounds, sep='\t')
    assert table['outlier_slices'].sum() == moved.facts['OutlierSlices'] == dropped.sum()
    assert nb.load(moved.dwi).shape == scan.data.shape
