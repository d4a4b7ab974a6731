#!/usr/bin/env python3
"""Record the labels of the CIT168 atlas in pipelines/data from its RGBA image: scripts/record_cit168.py CIT168.nii.gz.

A voxel of the image names up to two labels (bytes R and G) with their probabilities in 255ths (bytes B and A).
"""

import json
import sys
from pathlib import Path

import nibabel as nb
import numpy as np

DATA = Path(__file__).resolve().parents[1] / 'pipelines' / 'data'
NAME = 'tpl-MNI152NLin2009cAsym_res-01_atlas-CIT168_dseg'
LEAST = 128  # of 255: above one half, so that two labels never claim a voxel
STRUCTURES = (
    ('Putamen', 'Pu'),
    ('Caudate', 'Ca'),
    ('Accumbens', 'NAC'),
    ('Extended Amygdala', 'EXA'),
    ('Globus Pallidus External', 'GPe'),
    ('Globus Pallidus Internal', 'GPi'),
    ('Substantia Nigra Compacta', 'SNc'),
    ('Red Nucleus', 'RN'),
    ('Substantia Nigra Reticulata', 'SNr'),
    ('Parabrachial Pigmented Nucleus', 'PBP'),
    ('Ventral Tegmental Area', 'VTA'),
    ('Ventral Pallidum', 'VeP'),
    ('Habenula', 'HN'),
    ('Hypothalamus', 'HTH'),
    ('Mammillary Nucleus', 'MN'),
    ('Subthalamic Nucleus', 'STH'),
)
"""In the order of the image, each left, then right; with the abbreviations of the atlas."""


def main(path: Path) -> None:
    """Write image, table and JSON."""
    image = nb.load(path)
    voxels = np.asarray(image.dataobj)
    labels = np.select([voxels['B'] >= LEAST, voxels['A'] >= LEAST], [voxels['R'], voxels['G']], 0)
    saved = nb.Nifti1Image(labels.astype(np.uint8), image.affine)
    saved.set_sform(image.affine, 'mni')
    saved.set_qform(image.affine, 'mni')
    nb.save(saved, DATA / f'{NAME}.nii.gz')
    sides = [(f'{side} {name}', short) for name, short in STRUCTURES for side in ('Left', 'Right')]
    rows = [f'{number}\t{name}\t{short}\n' for number, (name, short) in enumerate(sides, 1)]
    (DATA / f'{NAME}.tsv').write_text('index\tname\tabbreviation\n' + ''.join(rows))
    about = {
        'Description': 'CIT168 subcortical atlas: the label of a voxel where its probability is above one half',
        'Source': 'Pauli WM, Nili AN, Tyszka JM. A high-resolution probabilistic in vivo atlas of human subcortical '
        'brain nuclei. Scientific Data 5, 180063 (2018), doi:10.1038/sdata.2018.63; 1 mm image as carried by NiiVue',
        'Changes': 'probabilities replaced by labels (scripts/record_cit168.py)',
        'License': 'CC-BY-4.0',
        'SpatialReference': 'MNI152NLin2009cAsym',
        'Resolution': '1 mm',
    }
    (DATA / f'{NAME}.json').write_text(json.dumps(about, indent=2) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
