'use strict';
(() => {
  // Tracts in three dimensions, drawn as lines and dots without perspective: no graphics card and no library is needed.
  const START = { yaw: -0.6, pitch: 0.25, zoom: 1 };
  const SIDES = [['R', [1, 0, 0]], ['L', [-1, 0, 0]], ['A', [0, 1, 0]], ['P', [0, -1, 0]], ['S', [0, 0, 1]], ['I', [0, 0, -1]]];

  const make = (frame, parts) => {
    const canvas = frame.querySelector('canvas');
    const pen = canvas.getContext('2d');
    const view = { ...START };
    const all = parts.flatMap((part) => [...part.lines, part.dots]).flat();
    const ends = [0, 1, 2].map((axis) => {
      let [low, high] = [Infinity, -Infinity];
      for (let at = axis; at < all.length; at += 3) { low = Math.min(low, all[at]); high = Math.max(high, all[at]); }
      return [low, high];
    });
    const centre = ends.map(([low, high]) => (low + high) / 2);
    const reach = Math.hypot(...ends.map(([low, high]) => (high - low) / 2)) || 1;

    // From the front at yaw 0: the person's left is on the viewer's right, front is nearest.
    const turn = (x, y, z) => {
      const [a, b] = [Math.cos(view.yaw), Math.sin(view.yaw)];
      const [across, away] = [-x * a + y * b, -x * b - y * a];
      const [c, d] = [Math.cos(view.pitch), Math.sin(view.pitch)];
      return [across, z * c + away * d, away * c - z * d];
    };

    const draw = () => {
      const ratio = window.devicePixelRatio || 1;
      const width = frame.clientWidth;
      const height = Math.round(width * 0.75);
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      canvas.style.height = `${height}px`;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      const scale = (0.48 * height * view.zoom) / (0.8 * reach);
      const place = (x, y, z) => {
        const [across, up, away] = turn(x - centre[0], y - centre[1], z - centre[2]);
        return [width / 2 + scale * across, height / 2 - scale * up, away / reach];
      };
      pen.fillStyle = '#fff';
      pen.fillRect(0, 0, width, height);
      parts.forEach((part) => {
        pen.fillStyle = part.colour;
        for (let at = 0; at < part.dots.length; at += 3) {
          const [x, y, away] = place(part.dots[at], part.dots[at + 1], part.dots[at + 2]);
          pen.globalAlpha = 0.55 - 0.4 * Math.max(-1, Math.min(1, away));
          pen.fillRect(x - part.size / 2, y - part.size / 2, part.size, part.size);
        }
      });
      pen.lineWidth = 1;
      pen.globalAlpha = 0.5;
      parts.forEach((part) => {
        pen.strokeStyle = part.colour;
        part.lines.forEach((line) => {
          pen.beginPath();
          for (let at = 0; at < line.length; at += 3) {
            const [x, y] = place(line[at], line[at + 1], line[at + 2]);
            if (at) pen.lineTo(x, y); else pen.moveTo(x, y);
          }
          pen.stroke();
        });
      });
      pen.globalAlpha = 1;
      pen.fillStyle = '#333';
      pen.font = '14px sans-serif';
      pen.textAlign = 'center';
      pen.textBaseline = 'middle';
      const [halfWidth, halfHeight] = [width / 2 - 12, height / 2 - 12];
      SIDES.forEach(([letter, axis]) => {
        const [across, up, away] = turn(...axis);
        const size = Math.hypot(across, up);
        // one that points at the viewer or away has no side
        if (size < 0.5 || away > 0.9) return;
        const length = Math.min(halfWidth / (Math.abs(across) || 1e-9), halfHeight / (Math.abs(up) || 1e-9));
        pen.fillText(letter, width / 2 + length * across, height / 2 - length * up);
      });
    };

    const change = (by) => {
      Object.entries(by).forEach(([name, step]) => { view[name] += step; });
      view.pitch = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, view.pitch));
      view.zoom = Math.max(0.5, Math.min(6, view.zoom));
      draw();
    };
    const keys = {
      ArrowLeft: { yaw: -0.1 }, ArrowRight: { yaw: 0.1 }, ArrowUp: { pitch: 0.1 }, ArrowDown: { pitch: -0.1 },
      '+': { zoom: 0.2 }, '=': { zoom: 0.2 }, '-': { zoom: -0.2 },
    };
    frame.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'Home') Object.assign(view, START);
      else if (!(event.key in keys)) return;
      event.preventDefault();
      change(keys[event.key] || {});
    });
    canvas.addEventListener('pointerdown', (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener('pointermove', (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      change({ yaw: event.movementX / 150, pitch: event.movementY / 150 });
    });
    window.addEventListener('resize', () => { if (frame.clientWidth) draw(); });
    draw();
  };

  document.querySelectorAll('.look[data-scene]').forEach((place) => {
    const button = place.querySelector('button');
    button.addEventListener('click', () => {
      place.append(place.querySelector('template').content.cloneNode(true));
      button.remove();
      const frame = place.querySelector('.scene');
      make(frame, JSON.parse(place.dataset.scene));
      frame.focus();
    });
  });
})();
