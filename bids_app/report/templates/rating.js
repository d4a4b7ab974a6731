'use strict';
(() => {
  // Ratings are kept in the page alone, and leave it as the JSON that --exclude takes.
  const form = document.getElementById('ratings');
  if (!form) return;
  const output = document.getElementById('rated');
  const rows = () => [...form.querySelectorAll('fieldset')]
    .filter((scan) => scan.querySelector('input[value="exclude"]').checked)
    .map((scan) => ({
      participant_id: form.dataset.participant,
      session_id: scan.dataset.session,
      modality: scan.dataset.modality,
      reason: scan.querySelector('input[type="text"]').value.trim() || 'left out on looking at the page',
    }));
  const tell = () => { output.value = JSON.stringify(rows(), null, 2); };
  form.hidden = false;
  form.addEventListener('input', tell);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    tell();
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([`${output.value}\n`], { type: 'application/json' }));
    link.download = `${form.dataset.participant}_exclude.json`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  tell();
})();
