// Charts: the pointer and the keys walk over the points of a drawing; a drag, or Shift with an
// arrow, picks steps, and a pick becomes the range of the page. All listeners are on the document,
// so a chart that comes later needs no start.

/**
 * @typedef {object} Walk the chart under the pointer or the focus
 * @property {SVGSVGElement} svg
 * @property {SVGRectElement[]} steps
 * @property {string[]} texts of the steps; lines
 * @property {number} columns of a grid; 0 = a line
 * @property {HTMLElement} tip
 * @property {SVGElement} marks
 * @property {number} at the step that is looked at; -1 = none
 * @property {number} pick where a pick begins; -1 = none
 */

cairn.charts = (() => {
  /** @type {WeakMap<SVGSVGElement, Walk>} */
  const walks = new WeakMap();
  /** @type {Walk | undefined} */
  let shown;
  /** @type {string[]} addresses from before each zoom */
  const before = [];

  /** @param {string} name @param {Record<string, string>} attributes */
  function svgElement(name, attributes) {
    const el = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const key in attributes) el.setAttribute(key, attributes[key]);
    return el;
  }

  /** @param {EventTarget | null} target @returns {Walk | undefined} */
  function walkOf(target) {
    const svg = target instanceof Element && target.closest('.chart-plot');
    if (!(svg instanceof SVGSVGElement)) return undefined;
    let walk = walks.get(svg);
    if (walk) return walk;
    const grid = svg.closest('.hours');
    const steps = /** @type {SVGRectElement[]} */ ([...svg.querySelectorAll(grid ? 'rect' : '.steps rect')]);
    walk = {
      svg, steps, columns: grid ? 24 : 0, at: -1, pick: -1,
      texts: steps.map(step => {
        const title = step.querySelector('title');
        title?.remove(); // or the browser's own tooltip lies over ours
        return title?.textContent ?? '';
      }),
      marks: svgElement('g', {'pointer-events': 'none'}),
      tip: cairn.el('div', {class: 'chart-tip', 'aria-hidden': 'true', hidden: ''}),
    };
    svg.after(walk.tip);
    svg.append(walk.marks);
    walks.set(svg, walk);
    return walk;
  }

  /** @param {Walk} walk @param {number} i @param {boolean} [aloud] */
  function show(walk, i, aloud) {
    if (shown && shown !== walk) hide();
    shown = walk;
    const step = walk.steps[i];
    if (walk.at !== i) {
      walk.steps[walk.at]?.classList.remove('here');
      walk.at = i;
      const lines = walk.texts[i].split('\n');
      walk.tip.replaceChildren(...lines.map(line => cairn.el('div', {}, line)));
    }
    if (aloud) cairn.say(spoken(walk.texts[i]));
    draw(walk, step);
    walk.tip.hidden = false;
    const plot = walk.svg.getBoundingClientRect();
    const figure = /** @type {Element} */ (walk.svg.parentElement).getBoundingClientRect();
    const box = step.getBoundingClientRect();
    const middle = walk.columns ? box.left + box.width / 2 : plot.left + plot.width * parseFloat(step.dataset.p ?? '0') / 100;
    const width = walk.tip.offsetWidth;
    let left = middle + 14;
    if (left + width > Math.max(figure.right, plot.right)) left = middle - 14 - width;
    walk.tip.style.left = Math.max(0, left - figure.left) + 'px';
    walk.tip.style.top = walk.columns ? box.bottom - figure.top + 6 + 'px' : '';
  }

  /** @param {Walk} walk @param {SVGRectElement} step */
  function draw(walk, step) {
    if (walk.columns) {
      step.classList.add('here');
      return;
    }
    const [x, now, was] = (step.dataset.p ?? '').split(',');
    const marks = [];
    if (walk.pick >= 0 && walk.pick !== walk.at) {
      const [first, last] = picked(walk);
      const from = first.x.baseVal.valueInSpecifiedUnits;
      const to = last.x.baseVal.valueInSpecifiedUnits + last.width.baseVal.valueInSpecifiedUnits;
      marks.push(svgElement('rect', {class: 'pick', x: from + '%', width: to - from + '%', height: '100%'}));
    }
    marks.push(svgElement('line', {class: 'cursor', x1: x + '%', x2: x + '%', y2: '100%'}));
    if (was) {
      const diamond = svgElement('svg', {x: x + '%', y: was + '%', overflow: 'visible'});
      diamond.append(svgElement('path', {class: 'dot-before', d: 'M0-5 5 0 0 5-5 0Z'}));
      marks.push(diamond);
    }
    if (now) marks.push(svgElement('circle', {class: 'dot', cx: x + '%', cy: now + '%', r: '5'}));
    walk.marks.replaceChildren(...marks);
  }

  /** @param {string} text lines of a tooltip */
  function spoken(text) {
    return text.replaceAll('▲', 'up').replaceAll('▼', 'down').replaceAll('◆', 'note:').replaceAll('\n', ', ');
  }

  function hide() {
    if (!shown) return;
    shown.steps[shown.at]?.classList.remove('here');
    shown.at = shown.pick = -1;
    shown.tip.hidden = true;
    shown.marks.replaceChildren();
    shown = undefined;
  }

  /** @param {Walk} walk the first and the last picked step */
  function picked(walk) {
    const from = walk.pick < 0 ? walk.at : walk.pick;
    return [walk.steps[Math.min(from, walk.at)], walk.steps[Math.max(from, walk.at)]];
  }

  /** @param {Walk} walk */
  function zoom(walk) {
    const [first, last] = picked(walk);
    if (!first?.dataset.from || !last.dataset.to) return;
    const url = new URL(location.href);
    for (const name of ['range', 'interval']) url.searchParams.delete(name);
    url.searchParams.set('from', first.dataset.from);
    url.searchParams.set('to', last.dataset.to);
    before.push(location.href);
    go(walk, url.href);
  }

  /** @param {Walk} walk */
  function back(walk) {
    const url = new URL(location.href);
    if (!url.searchParams.has('from')) return;
    for (const name of ['from', 'to']) url.searchParams.delete(name);
    go(walk, before.pop() ?? url.href);
  }

  /** The focus stays on the chart. @param {Walk} walk @param {string} address */
  function go(walk, address) {
    const focus = document.activeElement === walk.svg && '[data-zoom] .chart-plot';
    hide();
    cairn.go(address, {focus});
  }

  /** @param {Walk} walk @param {KeyboardEvent} event @returns {number} the step to go to; -1 = the key is none of ours */
  function next(walk, event) {
    const last = walk.steps.length - 1;
    /** @type {Record<string, number>} */
    const ways = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -walk.columns, ArrowDown: walk.columns };
    if (event.key === 'Home') return 0;
    if (event.key === 'End') return last;
    if (!ways[event.key]) return -1;
    if (walk.at < 0) return ways[event.key] > 0 ? 0 : last;
    const i = walk.at + ways[event.key];
    return i < 0 || i > last ? walk.at : i;
  }

  document.addEventListener('pointermove', event => {
    if (shown && !event.buttons) shown.pick = -1;
    const walk = walkOf(event.target);
    const i = walk ? walk.steps.indexOf(/** @type {SVGRectElement} */ (event.target)) : -1;
    if (walk && i >= 0) show(walk, i);
    else if (shown && !walk && shown.pick < 0 && document.activeElement !== shown.svg) hide();
  }, { passive: true });

  document.addEventListener('pointerdown', event => {
    const walk = walkOf(event.target);
    if (!walk || event.button !== 0) return;
    const i = walk.steps.indexOf(/** @type {SVGRectElement} */ (event.target));
    if (i < 0) return;
    show(walk, i);
    // A finger scrolls and looks; it does not pick.
    if (event.pointerType === 'mouse' && walk.svg.closest('[data-zoom]')) walk.pick = i;
  });

  document.addEventListener('pointerup', () => {
    if (!shown || shown.pick < 0) return;
    if (shown.pick !== shown.at) zoom(shown);
    else shown.pick = -1;
  });

  document.addEventListener('dblclick', event => {
    const walk = walkOf(event.target);
    if (walk?.svg.closest('[data-zoom]')) back(walk);
  });

  // In the capture phase, so that a key that walks is not a shortcut of the page, too.
  document.addEventListener('keydown', event => {
    const walk = walkOf(event.target);
    if (!walk || event.target !== walk.svg || event.ctrlKey || event.metaKey || event.altKey) return;
    const i = next(walk, event);
    if (i >= 0) {
      if (!event.shiftKey) walk.pick = -1;
      else if (walk.pick < 0 && walk.svg.closest('[data-zoom]')) walk.pick = walk.at;
      show(walk, i, true);
    } else if (event.key === 'Enter' && walk.at >= 0) {
      const link = walk.steps[walk.at].closest('a');
      if (link) link.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
      else zoom(walk);
    } else if (event.key === 'Escape' && shown === walk) hide();
    else if (event.key === 'Backspace') back(walk);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);

  document.addEventListener('focusout', event => {
    if (shown && event.target === shown.svg) hide();
  });

  return { hide, at: () => shown?.steps[shown.at] };
})();
