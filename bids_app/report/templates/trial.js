(() => {
  // Tables: a click on a heading sorts; numbers by size, what has no number last.
  const valueOf = (cell) => {
    const text = (cell.dataset.value ?? cell.textContent).trim().replace('−', '-');
    const found = /^<?\s*(-?[\d,]*\.?\d+(?:e[-+]?\d+)?)/.exec(text);
    return found && cell.classList.contains('n') ? Number(found[1].replaceAll(',', '')) : text;
  };
  const compare = (a, b, sign) => {
    const [first, second] = [typeof a === 'number', typeof b === 'number'];
    if (first && second) return sign * (a - b);
    if (first !== second) return first ? -1 : 1;
    return sign * a.localeCompare(b, undefined, { numeric: true });
  };
  document.querySelectorAll('table.sortable').forEach((table) => {
    const body = table.tBodies[0];
    table.querySelectorAll('thead th').forEach((head, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const sign = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
        table.querySelectorAll('th[aria-sort]').forEach((other) => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
        const rows = [...body.rows].map((row) => [valueOf(row.cells[column]), row]);
        rows.sort((a, b) => compare(a[0], b[0], sign));
        body.append(...rows.map(([, row]) => row));
      });
    });
  });

  // Long tables are packed; a button unpacks them.
  document.querySelectorAll('tbody[data-packed] .unpack').forEach((button) => {
    const body = button.closest('tbody');
    button.addEventListener('click', async () => {
      button.disabled = true;
      const bytes = Uint8Array.from(atob(body.dataset.packed), (letter) => letter.charCodeAt(0));
      const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
      body.innerHTML = await new Response(plain).text();
      body.removeAttribute('data-packed');
      body.closest('table').dispatchEvent(new Event('unpacked'));
    });
  });

  // Rows that hold all words of the box are shown.
  document.querySelectorAll('input[data-filters]').forEach((input) => {
    const table = document.getElementById(input.dataset.filters);
    const said = document.querySelector(`output[for="${input.dataset.filters}"]`);
    const show = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = [...table.tBodies[0].rows];
      rows.forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      });
      said.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    };
    input.addEventListener('input', show);
    const begin = () => {
      input.closest('.filter').hidden = false;
      show();
    };
    if (table.querySelector('tbody[data-packed]')) table.addEventListener('unpacked', begin);
    else begin();
  });

  // People in a figure: one stop for the Tab key, then the arrow keys.
  document.querySelectorAll('svg.drawn').forEach((figure) => {
    const people = [...figure.querySelectorAll('a.person')];
    if (!people.length) return;
    people[0].setAttribute('tabindex', '0');
    figure.addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const at = people.indexOf(document.activeElement);
      if (!step || at < 0) return;
      event.preventDefault();
      const next = people[(at + step + people.length) % people.length];
      people[at].setAttribute('tabindex', '-1');
      next.setAttribute('tabindex', '0');
      next.focus();
    });
  });

  // On paper everything is open but what would fill it: maps beside the main ones.
  let closed = [];
  addEventListener('beforeprint', () => {
    closed = [...document.querySelectorAll('main details:not([open]):not(.screen)')];
    closed.forEach((part) => { part.open = true; });
  });
  addEventListener('afterprint', () => { closed.forEach((part) => { part.open = false; }); });
})();
