"""A real Slurm: the script of an array, jobs over their memory, and steps as jobs of their own."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import LIMIT, of_person, participant_results, run_plain

pytestmark = pytest.mark.slurm

REPOSITORY = Path(__file__).resolve().parents[2]
STAND_IN = """#!{python}
# apptainer run ... --env A=1,B=2 --bind HOST:INSIDE,... IMAGE words: the plain installation under the host's names
import os, sys
words = sys.argv[1:]
binds = [bind.split(':')[:2] for bind in words[words.index('--bind') + 1].split(',')]
os.environ.update(pair.split('=') for pair in words[words.index('--env') + 1].split(','))
def outside(word):
    name, equals, path = word.rpartition('=')
    found = [host + path[len(inside):] for host, inside in binds if (path + '/').startswith(inside + '/')]
    return name + equals + (found + [path])[0]
program = words[words.index('--bind') + 3:]
os.execv(sys.executable, [sys.executable, '-m', 'bids_app', *map(outside, program)])
"""


def slurm(*words, **options):
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=LIMIT, **options)


@pytest.fixture(scope='module', autouse=True)
def controller():
    """Skip where no Slurm takes jobs."""
    if not shutil.which('sinfo'):
        pytest.skip('no Slurm here (sinfo)')
    if not slurm('sinfo', '--noheader').stdout.strip():
        pytest.skip('no Slurm answers')


@pytest.fixture
def site(tmp_path, dataset, monkeypatch):
    """Return the folder of a user who submits the script, with a stand-in for Apptainer on the path."""
    programs = tmp_path / 'bin'
    programs.mkdir()
    (programs / 'apptainer').write_text(STAND_IN.format(python=sys.executable))
    (programs / 'apptainer').chmod(0o755)
    monkeypatch.setenv('PATH', f'{programs}:{os.environ["PATH"]}')
    shutil.copy(REPOSITORY / 'examples/slurm/participants.sbatch', tmp_path)
    (tmp_path / 'participants.txt').write_text('01\nsub-02\n')
    for name, value in (('DATA', dataset), ('OUT', tmp_path / 'out'), ('WORK', tmp_path / 'work')):
        monkeypatch.setenv(f'CLBPE_{name}', str(value))
    return tmp_path


def submit(site, *words):
    done = slurm('sbatch', '--parsable', '--cpus-per-task=1', *words, cwd=site)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split(';')[0])


def facts_of(job):
    """Wait for a job or an array, and return what Slurm says of it."""
    end = time.monotonic() + LIMIT
    while slurm('squeue', '--noheader', '--jobs', job).stdout.strip():
        assert time.monotonic() < end
        time.sleep(1)
    return slurm('scontrol', 'show', 'job', job).stdout


def logs_of(site, job):
    return '\n'.join(path.read_text() for path in sorted(site.glob(f'clbpe-{job}_*.log')))


def is_enforced():
    """Return whether this Slurm ends a job that takes more memory than it asked for."""
    plugins = slurm('scontrol', 'show', 'config').stdout
    return bool(re.search(r'TaskPlugin\s*=.*cgroup', plugins))


def test_an_array_then_the_group(site, plain):
    """Both jobs write into one folder at the same time; the group begins when all are done."""
    words = ['participants.sbatch', 'participant', '--derivatives', '/data']
    first = submit(site, '--array=1-2', '--mem=1500M', *words)
    group = submit(site, f'--dependency=afterany:{first}', '--mem=1500M', 'participants.sbatch', 'group')
    states = re.findall(r'JobState=(\w+)', facts_of(first))
    assert states == ['COMPLETED'] * 2, logs_of(site, first)
    assert of_person(participant_results(site / 'out'), '01') == plain
    assert len(of_person(participant_results(site / 'out'), '02')) == len(plain)
    facts = facts_of(group)
    assert 'JobState=COMPLETED' in facts, logs_of(site, group)
    assert 'the group is done' in logs_of(site, group)
    assert 'at most 1 at a time, in 1.3 GB' in logs_of(site, first)  # 0.9 x 1500 MB
    assert not list((site / 'out').rglob('*.draft'))


def test_a_job_over_its_memory_is_told_and_resumes(site, plain):
    if not is_enforced():
        pytest.skip('this Slurm enforces no memory (no cgroup version 1)')
    words = ['participants.sbatch', 'participant', '--derivatives', '/data']
    job = submit(site, '--array=1', '--mem=300M', *words)
    assert 'JobState=OUT_OF_MEMORY' in facts_of(job)
    assert re.search(r'sub-01, clbpe_wf\S+: a worker process was killed', logs_of(site, job)), logs_of(
        site, job
    )
    again = submit(site, '--array=1', '--mem=1500M', *words)
    assert 'JobState=COMPLETED' in facts_of(again), logs_of(site, again)
    assert participant_results(site / 'out') == plain


def test_a_cancelled_job_ends_with_75(site):
    job = submit(
        site, '--array=1', '--mem=1500M', 'participants.sbatch', 'participant', '--derivatives', '/data'
    )
    end = time.monotonic() + 120
    while 'running' not in logs_of(site, job):
        assert time.monotonic() < end, logs_of(site, job)
        time.sleep(0.2)
    began = time.monotonic()
    slurm('scancel', job)
    facts = facts_of(job)
    assert time.monotonic() - began < 12  # 10 s, and the time to ask
    assert 'ExitCode=75:0' in facts
    assert 'stopped by SIGTERM; run the same command again to resume' in logs_of(site, job)


@pytest.fixture
def plugin(tmp_path):
    """Return a function that writes a plugin file."""

    def write(arguments=''):
        path = tmp_path / 'plugin.yml'
        path.write_text(f'plugin: SLURM\nplugin_args: {{sbatch_args: "{arguments}"}}\n')
        return path

    return write


def test_steps_as_jobs_of_their_own(dataset, plain, tmp_path, plugin, monkeypatch):
    """Each asks for its own memory; the user has no name in the environment."""
    monkeypatch.delenv('LOGNAME', raising=False)
    words = ['--participant-label', '01', '-d', dataset, '-w', tmp_path / 'work', '--use-plugin', plugin()]
    done = run_plain(dataset, tmp_path / 'out', 'participant', *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert participant_results(tmp_path / 'out') == plain
    assert 'run by SLURM' in done.stdout


def test_a_step_over_its_memory_is_told(dataset, tmp_path, plugin):
    if not is_enforced():
        pytest.skip('this Slurm enforces no memory (no cgroup version 1)')
    words = ['--participant-label', '01', '-d', dataset, '-w', tmp_path / 'work']
    words += ['--use-plugin', plugin('--mem=60M')]
    done = run_plain(dataset, tmp_path / 'out', 'participant', *words)
    assert done.returncode == 75, done.stdout + done.stderr
    assert re.search(r'sub-01, \S+: Slurm job \d+ ended without a result, state OUT_OF_MEMORY', done.stderr)
    assert 'run again to resume' in done.stderr
