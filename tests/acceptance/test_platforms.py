"""What the runs on platforms need is told where it is missing, and what they paste is in the files."""

import subprocess
import zipfile
from pathlib import Path

from tests.acceptance import platforms
from tests.acceptance.checks import Context
from tests.pasted import commented


def test_what_is_missing_is_told_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('CLBPE_SIF', raising=False)
    (check,) = platforms.babs(Context(tmp_path, tmp_path, sloppy=True))
    assert not check.is_met
    for word in ('git-annex', '7z (Debian: p7zip-full)', 'apptainer', 'CLBPE_SIF'):
        assert word in check.found


def test_the_lines_that_combine_are_those_of_the_file():
    text = commented(platforms.EXAMPLE)
    assert text.startswith('babs merge <BABS project>\n')
    assert [text.count(word) for word in ('--reports-only', ' group ', '7z x')] == [1, 1, 1]
    words = {'BABS project': '/a', 'BIDS dataset': '/b'}
    filled = platforms.written(text, words)
    assert '<' not in filled
    done = subprocess.run(['bash', '-n'], input=filled, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_zip_file_holds_one_session_and_the_anatomy(tmp_path):
    for name in ('dataset_description.json', 'sub-01/anat/t1w', 'sub-01/ses-pre/func/bold', 'sub-01/ses-post/func/bold', 'sub-02/ses-pre/func/bold'):  # fmt: skip
        path = tmp_path / 'fmriprep' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    platforms.zip_session(tmp_path / 'fmriprep', '01', 'pre', tmp_path)
    (path,) = tmp_path.glob('*.zip')
    assert path.name.startswith('sub-01_ses-pre_fmriprep-')
    held = {Path(name).relative_to('fmriprep').as_posix() for name in zipfile.ZipFile(path).namelist()}
    assert held == {'dataset_description.json', 'sub-01/anat/t1w', 'sub-01/ses-pre/func/bold'}


def test_the_stand_in_for_slurm_runs_tasks_as_slurm_does(tmp_path):
    """With an environment of their own, one task after the other, and a log for each."""
    platforms.program(tmp_path / 'sbatch', platforms.SBATCH)
    (tmp_path / 'job').write_text('echo "$SLURM_ARRAY_TASK_ID $LOCK $HOSTED $1"\n')
    words = f'sbatch --export=LOCK=there  --job-name clb -e {tmp_path}/e%A_%a -o {tmp_path}/o%A_%a --array=1-2 {tmp_path}/job word'.split()
    done = subprocess.run(
        [tmp_path / words[0], *words[1:]], env={'HOSTED': 'leaks', 'HOME': '/', 'PATH': '/usr/bin:/bin'}, capture_output=True, text=True
    )  # fmt: skip
    assert done.stdout == 'Submitted batch job 1\n'
    assert [(tmp_path / f'o1_{task}').read_text() for task in (1, 2)] == [
        '1 there  word\n',
        '2 there  word\n',
    ]
