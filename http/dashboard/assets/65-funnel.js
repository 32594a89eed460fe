// The steps of a funnel move by drag and by Alt with the arrow keys. The form tells the server
// their order.
(() => {
  /** @param {EventTarget|null} t @param {string} s @returns {HTMLElement|null} */
  const up = (t, s) => t instanceof Element ? t.closest(s) : null;

  /** Numbers the steps anew. @param {HTMLElement} li the one that moved */
  function order(li) {
    const list = /** @type {HTMLElement[]} */ ([.../** @type {HTMLElement} */ (li.parentElement).children]);
    list.forEach((step, i) => {
      const grip = step.querySelector('.grip'), [u, d] = step.querySelectorAll('button');
      if (grip) grip.textContent = String(i + 1);
      for (const e of step.querySelectorAll('[aria-label]')) e.setAttribute('aria-label', (e.getAttribute('aria-label') || '').replace(/(step) \d+/i, '$1 ' + (i + 1)));
      u.disabled = !i;
      d.disabled = i === list.length - 1;
    });
    const form = /** @type {HTMLFormElement} */ (up(li, 'form'));
    /** @type {HTMLInputElement} */ (form.elements.namedItem('_order')).value = list.map(s => s.dataset.n).join();
    touched(form);
    cairn.say(`Step ${list.indexOf(li) + 1} of ${list.length}`);
  }

  /** What is shown is not what the form says any more. @param {Element} form */
  function touched(form) {
    form.setAttribute('data-touched', '');
    document.querySelectorAll('main .panel').forEach(p => p.contains(form) || p.classList.add('stale'));
  }

  document.addEventListener('keydown', e => {
    const li = e.altKey && /^Arrow(Up|Down)$/.test(e.key) && up(e.target, '.edit>li');
    if (!li) return;
    e.preventDefault();
    const focus = /** @type {HTMLElement} */ (document.activeElement);
    if (e.key === 'ArrowUp') li.previousElementSibling?.before(li);
    else li.nextElementSibling?.after(li);
    focus.focus();
    order(li);
  });

  document.addEventListener('pointerdown', e => {
    const grip = up(e.target, '.edit .grip'), li = up(grip, 'li');
    if (!grip || !li) return;
    e.preventDefault();
    grip.setPointerCapture(e.pointerId);
    li.classList.add('drag');
    grip.onpointermove = m => {
      for (const other of /** @type {HTMLElement} */ (li.parentElement).children) {
        const r = other.getBoundingClientRect();
        if (other === li || m.clientY < r.top || m.clientY > r.bottom) continue;
        if (li.compareDocumentPosition(other) & 4) other.after(li);
        else other.before(li);
        break;
      }
    };
    grip.onlostpointercapture = () => {
      grip.onpointermove = grip.onlostpointercapture = null;
      li.classList.remove('drag');
      order(li);
    };
  });

  // Suggestions fit what a step looks for.
  document.addEventListener('input', e => {
    const form = up(e.target, 'form.asks');
    if (!form) return;
    touched(form);
    const kind = e.target;
    if (kind instanceof HTMLSelectElement && kind.hasAttribute('data-kind')) {
      kind.parentElement?.querySelector('input')?.setAttribute('list', kind.value === 'page' ? 's-page' : 's-name');
    }
  });

  // A button that sent the form has the focus again where its step is now.
  let after = '';
  document.addEventListener('submit', e => {
    const [, what, n] = /** @type {any} */ (e.submitter)?.name === '_do' && /^(\w+)\.?(\d*)/.exec(/** @type {any} */ (e.submitter).value) || [];
    after = {up: `[value="up.${+n - 1}"]`, down: `[value="down.${+n + 1}"]`, remove: '.edit [data-kind]', add: '.edit>li:last-child [data-kind]'}[what || ''] || '';
  });
  cairn.starts.push(root => {
    const e = root === document && after && document.querySelector(after);
    after = '';
    if (e instanceof HTMLButtonElement && e.disabled) /** @type {HTMLElement|null|undefined} */ (up(e, '.moves')?.querySelector('button:enabled'))?.focus();
    else if (e instanceof HTMLElement) e.focus();
  });
})();
