"""The same image stored in the ways that programs store images: axes, grid, type of number, order of bytes, form of header."""

import gzip
import json
from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel import orientations
from scipy import ndimage
from scipy.spatial.transform import Rotation

_DIRECTIONS = ('PhaseEncodingDirection', 'SliceEncodingDirection')


class Storage(NamedTuple):
    """How an image is stored; what is not said stays as it is.

    Attributes
    ----------
    family
        Storages of one family are undone by the same code.
    axes
        Letters that the voxel axes point along.
    turn
        Angle between the axes of voxels and those of the world, about x in degrees.
    dtype, endian
        Type of number, and its order of bytes.
    cls
        Form of the header.
    """

    family: str
    axes: str = ''
    turn: float = 0.0
    dtype: str = ''
    endian: str = '<'
    cls: type = nb.Nifti1Header


STORAGES = {
    'LPS': Storage('axes', axes='LPS'),
    'LAS': Storage('axes', axes='LAS'),
    'RAS': Storage('axes', axes='RAS'),
    'axes in another order': Storage('axes', axes='PSR'),
    'oblique by 15 degrees': Storage('grid', turn=15.0),
    'uint8 with slope': Storage('rounding', dtype='u1'),
    'float64': Storage('type', dtype='f8'),
    'NIfTI-2': Storage('file', cls=nb.Nifti2Header),
    'big endian': Storage('file', endian='>'),
}


def write_image(
    path, data, affine, *, dtype='f4', slope=1.0, inter=0.0, endian='<', cls=nb.Nifti1Header, t_r=1.0
):
    """Write a compressed image byte by byte; ``slope`` and ``inter`` scale what is stored back."""
    header, stored = cls(endianness=endian), np.dtype(dtype).newbyteorder(endian)
    header.set_data_dtype(stored)
    header.set_data_shape(data.shape)
    header.set_sform(affine, 2)
    header.set_zooms((*np.linalg.norm(affine[:3, :3], axis=0), *[t_r] * (data.ndim - 3)))
    header.set_xyzt_units('mm', 'sec')
    header['vox_offset'] = header.single_vox_offset
    header['scl_slope'], header['scl_inter'] = slope, inter
    values = (data - inter) / slope if (slope, inter) != (1, 0) else data
    if stored.kind in 'iu':
        values = np.rint(values).clip(np.iinfo(stored).min, np.iinfo(stored).max)
    rest = bytes(header.single_vox_offset - header.sizeof_hdr)
    path.unlink(missing_ok=True)
    path.write_bytes(gzip.compress(header.binaryblock + rest + values.astype(stored).tobytes(order='F'), 1))


def _change(affine, axes):
    """Return axis and sign that each voxel axis gets."""
    return orientations.ornt_transform(orientations.io_orientation(affine), orientations.axcodes2ornt(axes))


def along(data, affine, axes):
    """Return the same image with its voxel axes along letters: flipped and swapped, nothing is interpolated."""
    change = _change(affine, axes)
    moved = orientations.apply_orientation(data, change)
    return np.ascontiguousarray(moved), affine @ orientations.inv_ornt_aff(change, data.shape[:3])


def direction_along(direction, affine, axes):
    """Return a direction of BIDS (``j-``), which counts voxel axes, of the image that :func:`along` gives.

    Examples
    --------
    >>> [direction_along(direction, np.eye(4), 'LPS') for direction in ('i', 'j-', 'k')]
    ['i-', 'j', 'k']
    >>> direction_along('j-', np.eye(4), 'PSR')
    'i'
    """
    axis, sign = _change(affine, axes)['ijk'.index(direction[0])]
    is_backwards = (direction[1:] == '-') != bool(sign < 0)
    return 'ijk'[int(axis)] + ('-' if is_backwards else '')


def rotation(degrees):
    """Return a (4, 4) rotation about x."""
    found = np.eye(4)
    found[:3, :3] = Rotation.from_euler('x', degrees, degrees=True).as_matrix()
    return found


def on_turned_grid(data, affine, degrees, order):
    """Return the same head on a grid that is turned about its centre: interpolated, and what leaves the box is lost.

    Splines of order 3 blur least: linear interpolation of voxels of 4 mm takes a fifth of the FA of a thin tract.
    """
    centre = nb.affines.apply_affine(affine, (np.array(data.shape[:3]) - 1) / 2)
    turned = (
        nb.affines.from_matvec(np.eye(3), centre)
        @ rotation(degrees)
        @ nb.affines.from_matvec(np.eye(3), -centre)
        @ affine
    )
    matrix = np.linalg.inv(affine) @ turned
    volumes = np.moveaxis(data, -1, 0) if data.ndim == 4 else data[None]
    moved = [
        ndimage.affine_transform(volume.astype(np.float32), matrix[:3, :3], matrix[:3, 3], order=order)
        for volume in volumes
    ]
    found = np.clip(np.stack(moved, -1) if data.ndim == 4 else moved[0], data.min(), data.max())
    return (np.rint(found).astype(data.dtype) if order == 0 else found), turned


def fsl_vectors(world, affine):
    """Return directions of the world (V, 3) by FSL's rule: along the voxel axes, x turned round where det > 0."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    found = world @ np.linalg.inv(axes).T
    if np.linalg.det(axes) > 0:
        found[:, 0] *= -1
    return found


def world_vectors(vectors, affine):
    """Return what :func:`fsl_vectors` was given."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    flip = [-1 if np.linalg.det(axes) > 0 else 1, 1, 1]
    return (vectors * flip) @ axes.T


def slope_of(data, dtype):
    """Return the slope that lets a type hold all values: 1 where they are few whole numbers, as labels are."""
    if np.dtype(dtype).kind == 'f':
        return 1.0
    most, largest = float(data.max()), np.iinfo(dtype).max
    is_label = most <= largest and np.array_equal(data, np.rint(data))
    return 1.0 if is_label else float(np.float32(most / largest))


def store(path, storage, *, is_head_turned=False):
    """Store an image, and the directions beside it, in another way in its place; return the step of its numbers, or 0.

    Parameters
    ----------
    path
        Compressed NIfTI.
    storage
        How.
    is_head_turned
        An oblique image is one of a turned head, which interpolates nothing, not of a turned grid.
    """
    image = nb.load(path)
    data, affine, t_r = np.asarray(image.dataobj), image.affine, float(image.header['pixdim'][4])
    table = path.with_name(path.name.replace('.nii.gz', '.bvec'))
    world = world_vectors(np.loadtxt(table).T, affine) if table.exists() else None
    if storage.axes:
        _turn_directions(path.with_name(path.name.replace('.nii.gz', '.json')), affine, storage.axes)
        data, affine = along(data, affine, storage.axes)
    if storage.turn and is_head_turned:
        affine = rotation(storage.turn) @ affine
        world = None if world is None else world @ rotation(storage.turn)[:3, :3].T
    elif storage.turn:
        is_label = data.dtype == np.uint8
        data, affine = on_turned_grid(data, affine, storage.turn, 0 if is_label else 3)
    dtype = storage.dtype or data.dtype.str[1:]
    slope = slope_of(data, dtype)
    write_image(path, data, affine, dtype=dtype, slope=slope, endian=storage.endian, cls=storage.cls, t_r=t_r)
    if world is not None:
        table.unlink()
        np.savetxt(table, fsl_vectors(world, affine).T, fmt='%.6f')
    return slope if slope != 1 else 0.0


def _turn_directions(sidecar, affine, axes):
    """Let the directions of a sidecar, which count voxel axes, mean the same in the world."""
    content = json.loads(sidecar.read_text()) if sidecar.exists() else {}
    turned = {key: direction_along(content[key], affine, axes) for key in _DIRECTIONS if key in content}
    if turned:
        sidecar.unlink()
        sidecar.write_text(json.dumps({**content, **turned}))
