"""Platforms that start the program by scripts of their own: BABS, whose generated jobs run in Apptainer."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from bids_app.simulated.cli import main as simulate
from tests.pasted import commented

from .checks import REPOSITORY, Collector, Context, met, read_matrix, run_clbpe
from .strangers import emptied, run

PROGRAMS = {'git-annex': 'git-annex', '7z': 'p7zip-full', 'apptainer': 'apptainer'}
"""Beside Python, and the package of Debian that has each."""

PACKAGES = ('babs==0.5.4', 'datalad==1.7.1', 'datalad-container==1.2.6')
EXAMPLE = 'examples/babs.yaml'
PEOPLE, SESSIONS = ('01', '02'), ('post', 'pre')
PREPROCESSED = ('fmriprep', 'qsiprep')
CONTAINER = 'clbpe-0-1-0'
SCANS = (
    *('--trial', '--participants', '6', '--genes', '500', '--n-volumes', '120', '--voxel-size', '4'),
    *('--dwi-voxel-size', '4', '--anatomy-voxel-size', '3'),
)

APPTAINER = """#!/bin/sh
# Apptainer may run as somebody else than the jobs, and its user takes a work folder of nobody else
[ {inside} = {outside} ] || chown -hR {inside}:{inside} .
{program} "$@"
status=$?
[ {inside} = {outside} ] || chown -hR {outside}:{outside} .
exit $status
"""

SBATCH = """#!/bin/bash
# stands in for Slurm: the tasks of an array one after the other, each with an environment of its own
while true; do
    case $1 in
        --export=*) named=${1#--export=}; shift ;;
        --array=1-*) last=${1#--array=1-}; shift ;;
        -o) log=${2//%A/1}; shift 2 ;;
        --job-name | -e) shift 2 ;;
        *) break ;;
    esac
done
for task in $(seq "$last"); do
    env -i HOME="$HOME" USER="$(id -un)" PATH=/usr/local/bin:/usr/bin:/bin "$named" \\
        SLURM_ARRAY_JOB_ID=1 SLURM_ARRAY_TASK_ID="$task" bash "$@" >"${log//%a/$task}" 2>&1 </dev/null
done
echo 'Submitted batch job 1'
"""


def babs(context: Context) -> Collector:
    """BABS: the jobs it writes for two people and two sessions, in Apptainer; its merge, and the group as its file says."""
    checks, folder = met('babs'), emptied(context.out / 'babs')
    missing = [f'{name} (Debian: {package})' for name, package in PROGRAMS.items() if not shutil.which(name)]
    if not Path(os.environ.get('CLBPE_SIF', '')).is_file():
        missing.append('the image: set CLBPE_SIF')
    checks.note('what BABS and its jobs need is here', ', '.join(missing) or 'all of it', not missing)
    if missing:
        return checks
    environment = installed(folder)
    words = {
        'url of the BIDS dataset': folder / 'sources/BIDS',
        "url of the dataset of fMRIPrep's zip files": folder / 'sources/fmriprep',
        "url of the dataset of QSIPrep's zip files": folder / 'sources/qsiprep',
        'activate of the environment of BABS': folder / 'env/bin/activate',
        'scratch': folder / 'scratch',
        'BABS project': folder / 'project',
        'BIDS dataset': folder / 'sources/BIDS',
    }
    for line in (*sources(folder), *project(folder, words, is_sloppy=context.sloppy)):
        status, seconds = run(line, folder, environment)
        checks.note(line.splitlines()[0], f'status {status}, {seconds:.0f} s', not status)
        if status:
            return checks
    finish_jobs(environment)
    status, seconds = run(written(commented(EXAMPLE), words), folder, environment)
    checks.note('the lines of the file that combine', f'status {status}, {seconds:.0f} s', not status)
    if status:
        return checks
    for asked, found, is_met in results(context, folder):
        checks.note(asked, found, is_met)
    return checks


def program(path: Path, text: str) -> None:
    """Write a program."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def installed(folder: Path) -> dict[str, str]:
    """Install BABS into an environment of its own; return the variables of a shell that has activated it."""
    environment, programs = folder / 'env', folder / 'programs'
    run([sys.executable, '-m', 'venv', str(environment)], folder)
    pip = [str(environment / 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check']
    status, _ = run([*pip, *PACKAGES], folder)
    if status:
        raise OSError(f'{", ".join(PACKAGES)}: not installed, status {status}')
    image = folder / 'clbpe.sif'
    image.symlink_to(os.environ['CLBPE_SIF'])
    apptainer = str(shutil.which('apptainer'))
    asked = [apptainer, 'exec', str(image), 'id', '-u']
    inside = subprocess.run(asked, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    for name in ('apptainer', 'singularity'):  # BABS knows the old name
        text = APPTAINER.format(inside=inside, outside=os.geteuid(), program=apptainer)
        program(programs / name, text)
    if subprocess.run('sinfo', shell=True, capture_output=True, check=False).returncode:
        program(programs / 'sbatch', SBATCH)
        program(programs / 'squeue', '#!/bin/sh\n')
    (folder / 'gitconfig').write_text('[user]\nname = clbpe\nemail = clbpe@localhost\n')
    variables = {
        'PATH': f'{environment}/bin:{programs}:{os.environ["PATH"]}',
        'GIT_CONFIG_GLOBAL': str(folder / 'gitconfig'),
    }
    # jobs have an environment of their own, and what the file says of it is this script
    with (environment / 'bin/activate').open('a') as stream:
        stream.writelines(f"export {name}='{value}'\n" for name, value in variables.items())
    return variables


def sources(folder: Path) -> Iterator[str]:
    """Simulate scans; yield the lines that make DataLad datasets: BIDS, zip files as BABS leaves them, the container."""
    trial = folder / 'trial'
    if simulate([str(trial), *SCANS]):
        raise OSError('the scans were not simulated')
    others = [path.name for path in trial.glob('sub-*') if path.name.removeprefix('sub-') not in PEOPLE]
    left = shutil.ignore_patterns('derivatives', *others)
    shutil.copytree(trial, folder / 'sources/BIDS', ignore=left)
    for name in PREPROCESSED:
        (folder / 'sources' / name).mkdir()
        for person in PEOPLE:
            for session in SESSIONS:
                zip_session(trial / 'derivatives' / name, person, session, folder / 'sources' / name)
    for person in PEOPLE:
        anatomy = f'derivatives/qsiprep/sub-{person}/anat/sub-{person}_space-ACPC_desc-preproc_T1w.nii.gz'
        for session in SESSIONS:
            place = folder / f'sources/BIDS/sub-{person}/ses-{session}/anat'
            place.mkdir(parents=True)
            shutil.copy(trial / anatomy, place / f'sub-{person}_ses-{session}_T1w.nii.gz')
    for name in ('BIDS', *PREPROCESSED):
        yield f'datalad create --force sources/{name} && datalad save --dataset sources/{name}'
    added = f'datalad containers-add --dataset sources/containers {CONTAINER} --url clbpe.sif'
    assert f'datalad containers-add {CONTAINER} --url clbpe.sif' in (REPOSITORY / EXAMPLE).read_text()
    yield f'datalad create sources/containers && {added}'


def zip_session(dataset: Path, person: str, session: str, place: Path) -> None:
    """Write what a job for one session leaves of a preprocessed dataset."""
    own = {f'sub-{person}/{part}' for part in ('anat', f'ses-{session}')}
    with zipfile.ZipFile(place / f'sub-{person}_ses-{session}_{dataset.name}-1-0-0.zip', 'w') as archive:
        for path in sorted(dataset.rglob('*')):
            inside = path.relative_to(dataset)
            if path.is_file() and (len(inside.parts) == 1 or '/'.join(inside.parts[:2]) in own):
                archive.write(path, Path(dataset.name) / inside)


def written(text: str, words: Mapping[str, object]) -> str:
    """Return text with what it has in <> replaced by words of the reader."""
    for name, word in words.items():
        text = text.replace(f'<{name}>', str(word))
    return text


def project(folder: Path, words: Mapping[str, object], *, is_sloppy: bool) -> Iterator[str]:
    """Yield the lines that make a project of BABS from the file that comes with the program, and start its jobs."""
    text = written((REPOSITORY / EXAMPLE).read_text(), words)
    if is_sloppy:
        text = text.replace('bids_app_args:\n', 'bids_app_args:\n    --sloppy: ""\n')
    assert yaml.safe_load(text)['job_compute_space'] == str(folder / 'scratch')
    (folder / 'babs.yaml').write_text(text)
    (folder / 'scratch').mkdir()
    container = f'--container-ds {folder}/sources/containers --container-name {CONTAINER}'
    level = '--processing-level session --queue slurm'
    yield f'babs init {container} --container-config babs.yaml {level} {folder}/project'
    yield f'babs check-setup {folder}/project'
    yield f'babs submit {folder}/project'


def finish_jobs(environment: Mapping[str, str]) -> None:
    """Wait until no job is left in the queue."""
    while subprocess.run(
        ['squeue', '--noheader'], env={**os.environ, **environment}, capture_output=True, check=True
    ).stdout:
        time.sleep(5)


def results(context: Context, folder: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield what is asked of the zip files, of what they are combined to, and of the group."""
    expected = [f'sub-{person}_ses-{session}' for person in PEOPLE for session in SESSIONS]
    found = sorted(path.name for path in (folder / 'results').glob('sub-*.zip'))
    yield (
        'a zip file per person and session',
        ', '.join(found),
        found == [f'{name}_{CONTAINER}.zip' for name in expected],
    )
    for name in found:
        person, session = name.split('_')[:2]
        with zipfile.ZipFile(folder / 'results' / name) as archive:
            held = [path.removeprefix('clbpe/') for path in archive.namelist()]
            page = archive.read(f'clbpe/{person}.html').decode()
        tables = [
            path for path in held if path.endswith(('_stat-fisherz_relmat.tsv', 'NAcMPFC_scalarstats.tsv'))
        ]
        own = [path for path in tables if path.startswith(f'{person}/{session}/')]
        yield (
            f'{name}: page and tables of this session alone',
            f'{len(own)} tables',
            len(own) == len(tables) == 2,
        )
        yield f'{name}: the page tells of the session', len(page), session in page
    (log,) = (folder / 'project/analysis/logs').glob('*.o*_1')
    is_done = 'SUCCESS' in log.read_text()
    yield 'the script of the first job comes to its end', is_done, is_done
    yield from together(context, folder)


def together(context: Context, folder: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield what is asked of the results of all jobs in one folder."""
    out = folder / 'clbpe'
    for person in PEOPLE:
        page = (out / f'sub-{person}.html').read_text()
        told = [session for session in SESSIONS if f'ses-{session}' in page]
        yield f'the page of sub-{person} is of all sessions', ', '.join(told), tuple(told) == SESSIONS
    values = pd.read_csv(out / 'group/values.tsv', sep='\t')
    for outcome in ('fc_nac_mpfc', 'fa_nac_mpfc'):
        n = values.query('outcome == @outcome')['value'].notna().sum()
        yield f'the group has {outcome} of every person and visit', n, n == len(PEOPLE) * len(SESSIONS)
    yield 'the page of the group', 'group/report.html', (out / 'group/report.html').is_file()
    leaks = [
        path.name for path in out.rglob('*') if path.is_file() and str(folder).encode() in path.read_bytes()
    ]
    yield 'nothing names a folder of the machine', ', '.join(leaks) or 'nothing', not leaks
    trial, plain = folder / 'trial', folder / 'plain'
    options = ('--participant-label', '01', '--session-label', 'pre', '--skip', 'diffusion')
    done = run_clbpe(context, trial, plain, '-d', f'fmriprep={trial}/derivatives/fmriprep', *options)
    found, asked = read_matrix(out / 'sub-01/ses-pre'), read_matrix(plain) if not done.status else None
    # eight digits are written, and the image's kernel of linear algebra may end on another last one
    same = asked is not None and bool(np.allclose(found, asked, rtol=0, atol=1e-6, equal_nan=True))
    yield 'connectivity of sub-01 ses-pre is that of this installation', same, same
