// Shortcuts of one letter, which can be switched off, and the theme.
(() => {
  const on = () => { try { return localStorage.getItem('cairn.keys') !== 'off'; } catch (e) { return true; } };

  /** @param {string} key */
  const of = key => document.querySelector(`[data-key="${CSS.escape(key)}"]`);

  document.addEventListener('keydown', e => {
    const target = /** @type {HTMLElement} */ (e.target);
    if (e.key === 'Escape') {
      const menu = document.querySelector('details.menu[open]');
      if (menu) {
        menu.removeAttribute('open');
        menu.querySelector('summary')?.focus();
        return;
      }
      const clear = document.querySelector('a[data-clear]');
      if (on() && clear instanceof HTMLElement && !document.querySelector('dialog[open]') && target.tagName !== 'INPUT' && confirm('Take off all filters?')) clear.click();
      return;
    }
    if (!on() || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || target.isContentEditable || document.querySelector('dialog[open]')) return;
    if (e.key === '?') { list(); return; }
    if (e.key === '.') { cairn.refresh(); return; }
    if (e.key.startsWith('Arrow') && target.closest('[data-walk], .scroll')) return;
    const node = of(e.key);
    if (!(node instanceof HTMLElement)) return;
    e.preventDefault();
    if (node.tagName === 'SUMMARY') {
      node.parentElement?.toggleAttribute('open');
      /** @type {HTMLElement|null|undefined} */ (node.parentElement?.querySelector('select,input:not([type=hidden])'))?.focus();
    } else if (node.tagName === 'INPUT') node.focus();
    else node.click();
  });

  /** @param {string} key @param {string} text */
  const row = (key, text) => cairn.el('li', {}, cairn.el('kbd', {}, key), ' ', text);

  // A form that opens takes the focus of what opened it.
  document.addEventListener('toggle', e => {
    const menu = /** @type {Element} */ (e.target);
    if (menu.matches('details.menu[open]') && menu.firstElementChild === document.activeElement) /** @type {HTMLElement|null} */ (menu.querySelector('form.sheet :is(select,input:not([type=hidden]))'))?.focus();
  }, true);

  function list() {
    const rows = [...document.querySelectorAll('[data-key]')].map(n => {
      const key = n.getAttribute('data-key') || '';
      const text = {c: 'Days of your choice', x: 'Comparison on or off', i: 'Next steps of time', n: 'New lines'}[key] || n.getAttribute('aria-label') || n.querySelector('.name')?.textContent || n.textContent || n.getAttribute('placeholder') || '';
      return row({ArrowLeft: '←', ArrowRight: '→'}[key] || key, text.trim());
    });
    const box = cairn.el('input', {type: 'checkbox', onchange: () => {
      try { localStorage.setItem('cairn.keys', box.checked ? 'on' : 'off'); } catch (e) { /* not kept */ }
    }});
    box.checked = on();
    const dialog = cairn.el('dialog', {'aria-labelledby': 'keys'},
      cairn.el('header', {},
        cairn.el('h2', {id: 'keys'}, 'Shortcuts'),
        cairn.el('label', {}, box, ' on'),
        cairn.el('form', {method: 'dialog'}, cairn.el('button', {}, 'Close'))),
      cairn.el('ul', {tabindex: '0', 'aria-labelledby': 'keys'}, ...rows, row('.', 'Refresh'), row('Esc', 'Close, then take off all filters')));
    dialog.addEventListener('close', () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
  cairn.keys = list;

  cairn.starts.push(root => {
    const button = root.querySelector('#theme');
    if (button instanceof HTMLElement) {
      button.hidden = false;
      button.onclick = () => {
        const html = document.documentElement;
        const dark = (html.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
        html.dataset.theme = dark ? 'light' : 'dark';
        document.cookie = `cairn_theme=${html.dataset.theme};path=${location.pathname.split('/dashboard')[0] || '/'};max-age=31536000;samesite=lax` + (location.protocol === 'https:' ? ';secure' : '');
      };
    }
    for (const b of root.querySelectorAll('button[data-keys]')) {
      /** @type {HTMLElement} */ (b).hidden = false;
      /** @type {HTMLElement} */ (b).onclick = list;
    }
    for (const b of root.querySelectorAll('button[data-copy-link]')) {
      if (!navigator.clipboard) continue;
      /** @type {HTMLElement} */ (b).hidden = false;
      /** @type {HTMLElement} */ (b).onclick = () => navigator.clipboard.writeText(location.href).then(() => { b.textContent = 'Copied'; cairn.say('Link copied'); });
    }
    const zone = root.querySelector('[data-zone]');
    if (zone instanceof HTMLElement) {
      const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
      if (own !== zone.dataset.zone) zone.title += `. Yours is ${own}`;
    }
    for (const form of root.querySelectorAll('form[data-press]')) /** @type {HTMLFormElement} */ (form).submit();
  });
})();
