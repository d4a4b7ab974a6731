'use strict';
(() => {
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Two images of equal layout, one above the other in one picture, are laid over each other.
  document.querySelectorAll('figure.compare').forEach((figure, index) => {
    const frame = figure.querySelector('.scroll');
    const picture = frame.querySelector('img');
    const [fixed, moving] = figure.dataset.names.split('|');
    const layer = (alt) => make('img', { src: picture.src, alt });
    const viewer = make('div', { className: 'viewer' }, layer(picture.alt), layer(''));
    viewer.style.aspectRatio = `${picture.getAttribute('width')} / ${picture.getAttribute('height') / 2}`;
    const slider = make('input', { type: 'range', min: 0, max: 100, value: 0, id: `mix-${index}` });
    const label = make('label', {}, fixed, slider, moving);
    slider.setAttribute('aria-label', `From ${fixed} to ${moving}`);
    const show = (value) => {
      slider.value = value;
      viewer.style.setProperty('--mix', value / 100);
      slider.setAttribute('aria-valuetext', `${value} % ${moving}`);
    };
    const flicker = make('button', { type: 'button', textContent: 'Alternate' });
    let timer = null;
    const alternate = (on) => {
      clearInterval(timer);
      timer = on ? setInterval(() => show(slider.value > 50 ? 0 : 100), 700) : null;
      flicker.setAttribute('aria-pressed', String(on));
    };
    flicker.addEventListener('click', () => alternate(timer === null));
    slider.addEventListener('input', () => { alternate(false); show(slider.value); });
    const controls = make('div', { className: 'controls' }, label, flicker);
    alternate(false);
    show(0);
    frame.append(viewer);
    frame.before(controls);
    figure.classList.add('enhanced');
  });

  // The menu lies beside the text on a wide screen and is folded on a narrow one.
  const menu = document.querySelector('nav details');
  const wide = matchMedia('(min-width: 1080px)');
  const fold = () => { menu.open = wide.matches; };
  wide.addEventListener('change', fold);
  fold();
  menu.addEventListener('click', (event) => {
    if (event.target.closest('a') && !wide.matches) menu.open = false;
  });

  const links = new Map([...menu.querySelectorAll('a')].map((a) => [a.getAttribute('href').slice(1), a]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((a) => a.removeAttribute('aria-current'));
      links.get(entry.target.id)?.setAttribute('aria-current', 'true');
    }
  }, { rootMargin: '-10% 0px -80% 0px' });
  links.forEach((_, id) => { const target = document.getElementById(id); if (target) seen.observe(target); });
})();
