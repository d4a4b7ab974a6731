'use strict';
(() => {
  // Maps: the viewer is made when it is asked for, for each holds a picture of all slices.
  const whenLoaded = (image) => (image.complete ? Promise.resolve() : image.decode());
  document.querySelectorAll('.look[data-settings]').forEach((place) => {
    const button = place.querySelector('button');
    button.addEventListener('click', async () => {
      place.append(place.querySelector('template').content.cloneNode(true));
      button.remove();
      const settings = JSON.parse(place.dataset.settings);
      await Promise.all([...place.querySelectorAll('img'), document.getElementById(settings.sprite)].map(whenLoaded));
      const brain = brainsprite(settings);
      const frame = place.querySelector('.brain');
      const keys = { ArrowLeft: ['X', -1], ArrowRight: ['X', 1], ArrowDown: ['Y', -1], ArrowUp: ['Y', 1], PageDown: ['Z', -1], PageUp: ['Z', 1] };
      frame.addEventListener('keydown', (event) => {
        if (!(event.key in keys)) return;
        event.preventDefault();
        const [axis, step] = keys[event.key];
        brain.numSlice[axis] = Math.min(Math.max(brain.numSlice[axis] + step, 0), brain.nbSlice[axis] - 1);
        brain.init();
        brain.drawAll();
      });
      frame.focus();
    });
  });

  // One viewer for several maps: the chosen one is made and shown, the others are hidden.
  document.querySelectorAll('select.maps').forEach((choice) => {
    const places = [...document.querySelectorAll(`#${choice.dataset.places} .look`)];
    const show = () => {
      places.forEach((place) => { place.hidden = place.id !== choice.value; });
      places.find((place) => place.id === choice.value)?.querySelector('button.open')?.click();
    };
    places.forEach((place) => { place.hidden = true; });
    choice.disabled = false;
    choice.addEventListener('change', show);
  });
})();
