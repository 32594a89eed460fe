// The range that was last chosen for a site is that of an address of it without one. Shares keep
// nothing, and without storage all works.
(() => {
  const key = () => { const m = /\/dashboard\/site\/([^/]+)/.exec(location.pathname); return m && 'cairn.range.' + m[1]; };
  /** @param {HTMLAnchorElement} a */
  const of = a => new URL(a.href).searchParams.get('range') || '';
  const choices = () => /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll('#range li>a')]);

  document.addEventListener('click', e => {
    const at = key(), a = choices().find(c => c.contains(/** @type {Node} */ (e.target)));
    if (at && a) try { localStorage.setItem(at, of(a)); } catch (e) { /* not kept */ }
  }, true);

  cairn.starts.push(root => {
    const at = key();
    if (root !== document || !at || /[?&](range|from|to)=/.test(location.search)) return;
    let last;
    try { last = localStorage.getItem(at); } catch (e) { return; }
    const a = last && choices().find(c => of(c) === last && !c.hasAttribute('aria-current'));
    if (!a) return;
    history.replaceState(null, '', a.href); // so that the address says what is shown, and back leads away
    cairn.go(a.href, {push: false, focus: false});
  });
})();
