"""Diffusion series as files, each changed in its own way, and what a dry run says of them."""

import json
import shutil
from pathlib import Path

import nibabel as nb
import numpy as np

from bids_app.cli import main, make_settings
from bids_app.scans.people import collect
from pipelines.simulated.diffusion import gradient_table

SIDECAR = {
    'PhaseEncodingDirection': 'j-',
    'TotalReadoutTime': 0.0475693,
    'EffectiveEchoSpacing': 0.00066999,
    'ReconMatrixPE': 72,
}
BOTH = ['sub-05_dir-AP_dwi', 'sub-05_dir-PA_dwi']


class Series:
    """One series of a case: image, table and sidecar, each changed by its own method."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name

    def file(self, extension: str) -> Path:
        return self.folder / f'{self.name}{extension}'

    def write(self, data, bvals=None, bvecs=None, affine=None):
        """Write the image, and (V,) and (3, V) as its table."""
        self.folder.mkdir(parents=True, exist_ok=True)
        nb.save(
            nb.Nifti1Image(data, np.diag([3.0, 3, 3, 1]) if affine is None else affine), self.file('.nii.gz')
        )
        if bvals is not None:
            self.put(bvals, bvecs)
        return self

    def put(self, bvals, bvecs, fmt='%g'):
        np.savetxt(self.file('.bval'), np.atleast_2d(bvals), fmt=fmt)
        np.savetxt(self.file('.bvec'), bvecs, fmt='%.6f')

    def data(self):
        return np.array(nb.load(self.file('.nii.gz')).dataobj)

    def table(self):
        return np.loadtxt(self.file('.bval')), np.loadtxt(self.file('.bvec'))

    def say(self, **facts):
        """Change the sidecar; None takes a key away."""
        known = json.loads(self.file('.json').read_text()) if self.file('.json').exists() else {}
        kept = {key: value for key, value in {**known, **facts}.items() if value is not None}
        self.file('.json').write_text(json.dumps(kept))
        return self

    def keep(self, volumes):
        """Keep some volumes with their rows of the table."""
        bvals, bvecs = self.table()
        self.write(self.data()[..., volumes], bvals[volumes], bvecs[:, volumes])

    def remove(self, *extensions):
        for extension in extensions or ('.nii.gz', '.bval', '.bvec', '.json'):
            self.file(extension).unlink()

    def copy(self, name):
        """Return a copy of all files under another name."""
        other = Series(self.folder, name)
        for extension in ('.nii.gz', '.bval', '.bvec', '.json'):
            if self.file(extension).exists():
                shutil.copy(self.file(extension), other.file(extension))
        return other

    def rename(self, name):
        if name == self.name:
            return self
        other = self.copy(name)
        self.remove()
        return other


def plan_of(n_directions=20, b=(2500.0,)):
    bvals, bvecs = gradient_table(n_directions, b, n_b0=1)
    return bvals, bvecs.T


def write_pair(folder):
    """Write a person with one b = 0 image and 20 directions in each of two opposite encodings; return the dataset."""
    for name, direction in zip(BOTH, ('j-', 'j')):
        series = Series(folder / 'sub-05' / 'dwi', name)
        series.write(np.full((4, 4, 4, 21), 100, np.int16), *plan_of())
        series.say(**{**SIDECAR, 'PhaseEncodingDirection': direction})
    return folder


def pair_in(root):
    return [Series(root / 'sub-05' / 'dwi', name) for name in BOTH]


class Plan:
    """What a dry run says, and what would be analysed."""

    def __init__(self, root, capsys, caplog, *words):
        out, work = root.parent / 'out', root.parent / 'work'
        asked = [str(root), str(out), 'participant', '-w', str(work), '--dry-run', *words]
        self.status = main(asked)
        shown = capsys.readouterr()
        self.said = shown.out + shown.err + caplog.text
        self.diffusion = collect(make_settings(asked), '05').diffusion
        self.sessions = self.diffusion.sessions if self.diffusion else []

    @property
    def scans(self):
        return [scan for session in self.sessions for scan in session.scans]

    @property
    def names(self):
        return [scan.dwi.name.removesuffix('.nii.gz') for scan in self.scans]
