// Panels that were not ready come later, and all are asked again while the range holds now.
(() => {
  const most = 3, tries = 3;
  let busy = 0, leaving = new AbortController(); // ends what a screen asks for when it is left
  /** @type {(() => Promise<void>)[]} */
  let queue = [];

  function next() {
    while (busy < most && queue.length) {
      busy++;
      /** @type {() => Promise<void>} */ (queue.shift())().finally(() => { busy--; next(); });
    }
  }

  /** @param {string} name */
  function address(name) {
    const url = new URL(location.href);
    url.searchParams.set('_panel', name);
    url.hash = '';
    return url.href;
  }

  /**
   * Puts a panel in the place of the one of its name, unless it is the same.
   * @param {Element} old
   * @param {Element} fresh
   * @param {boolean} [asked] somebody has asked for it
   */
  function put(old, fresh, asked) {
    const open = old.contains(document.activeElement);
    if (!old.hasAttribute('data-load') && document.querySelector('main [data-touched]')) return; // somebody is at a form
    if (old.classList.contains('stale')) old.classList.remove('stale');
    const newer = /** @type {HTMLElement|null} */ (old.querySelector('[data-newer]'));
    if (newer && !asked && fresh.querySelector('[data-newer]')) { // a list does not move by itself
      if (newer.hidden) newer.hidden = old.outerHTML === fresh.outerHTML;
      return;
    }
    if (old.outerHTML === fresh.outerHTML || open && !old.hasAttribute('data-load')) return;
    const node = document.adoptNode(fresh);
    old.replaceWith(node);
    cairn.start(node);
  }

  /** Whether there is a login now, or no such page, where a screen was. @param {{doc: Document, status: number}} page */
  const ended = page => (page.status === 200 || page.status === 404) && !page.doc.querySelector('[data-panel]');

  /**
   * @param {Element} panel
   * @param {number} [n] tries before
   */
  function load(panel, n = 0) {
    const url = address(panel.getAttribute('data-panel') || ''), {signal} = leaving; // those of the screen that asks, whenever its turn comes
    queue.push(async () => {
      if (!panel.isConnected) return;
      let wait = 0;
      try {
        const page = await cairn.page(url, {signal});
        if (signal.aborted || !panel.isConnected) return;
        offline(false);
        if (ended(page)) { location.reload(); return; }
        const fresh = page.doc.querySelector('[data-panel]');
        if (fresh?.hasAttribute('data-gone')) { cairn.go(location.href, {push: false}); return; } // the screen has other panels by now
        wait = Number(fresh?.getAttribute('data-wait')) || 0;
        if (fresh && !(wait && n < tries)) put(panel, fresh);
      } catch (e) {
        if (signal.aborted) return;
        // @ts-ignore: of cairn.page
        if (e.status === 401) { location.reload(); return; }
        // @ts-ignore
        wait = e.wait || 5;
        if (!('status' in /** @type {object} */ (e))) offline(true);
      }
      if (wait && n < tries && panel.isConnected) setTimeout(() => load(panel, n + 1), wait * 1000);
    });
    next();
  }

  /** Says that the server cannot be reached; the old numbers stay. @param {boolean} is */
  function offline(is) {
    let bar = document.getElementById('offline');
    if (is && !bar) {
      bar = cairn.el('p', {id: 'offline', role: 'alert'}, 'The server cannot be reached. These are the numbers of before.');
      document.querySelector('main')?.prepend(bar);
    } else if (!is && bar) {
      bar.remove();
    }
  }

  /** @param {boolean} [asked] somebody has asked for it */
  async function refresh(asked) {
    const from = location.href;
    let page;
    try {
      page = await cairn.page(from);
    } catch (e) {
      offline(!('status' in /** @type {object} */ (e))); // a busy server can be reached
      return;
    }
    offline(false);
    if (from !== location.href) return;
    if (ended(page)) { location.reload(); return; }
    for (const fresh of page.doc.querySelectorAll('main [data-panel]')) {
      const old = document.querySelector(`main [data-panel="${CSS.escape(fresh.getAttribute('data-panel') || '')}"]`);
      if (!old || old.hasAttribute('data-load')) continue;
      if (fresh.hasAttribute('data-load')) load(old);
      else put(old, fresh, asked);
    }
    fresh = Date.now();
    const as = page.doc.querySelector('.asof'), was = document.querySelector('.asof');
    if (as && was) was.replaceWith(document.adoptNode(as));
    tell();
  }

  let told = '', toldAt = 0;
  /** Reads the first number out when it has changed, once a minute at most. */
  function tell() {
    const tile = document.querySelector('.tiles .on a');
    const text = tile ? (tile.textContent || '').replace(/\s+/g, ' ').trim() : '';
    if (text && told && text !== told && Date.now() - toldAt > 60000) {
      toldAt = Date.now();
      cairn.say(text);
    }
    told = text;
  }

  let at = Date.now(), nowAt = Date.now(), fresh = Date.now(); // fresh: when the server last said what it knows
  async function tick() {
    if (document.hidden) return;
    const live = document.querySelector('main [data-live]'), main = document.querySelector('main[data-now],main:has([data-live])');
    main?.classList.toggle('old', Date.now() - Math.max(fresh, cairn.lived || 0) > 60000);
    if (!live && Date.now() - at >= 30000 && document.querySelector('main[data-now]')) {
      at = Date.now();
      refresh();
    }
    if (Date.now() - nowAt >= 15000) {
      nowAt = Date.now();
      const old = document.querySelector('[data-panel=now]');
      if (!old) return; // forms, embeds
      try {
        const fresh = (await cairn.page(address('now'))).doc.querySelector('[data-panel=now]');
        if (fresh) old.replaceWith(document.adoptNode(fresh));
      } catch (e) { /* the next one tells */ }
    }
  }
  setInterval(tick, 1000);
  document.addEventListener('visibilitychange', tick);
  cairn.offline = offline;
  cairn.refresh = () => { at = Date.now(); refresh(true); };

  cairn.starts.push(root => {
    if (root === document) {
      queue = [];
      fresh = Date.now();
      leaving.abort();
      leaving = new AbortController();
    }
    const all = [...root.querySelectorAll('[data-load]')];
    if (root instanceof Element && root.matches('[data-load]')) all.push(root);
    for (const p of all) load(p);
    const again = [...root.querySelectorAll('[data-again]')];
    if (root instanceof Element && root.matches('[data-again]')) again.push(root);
    for (const p of again) {
      const timer = setInterval(() => {
        if (!p.isConnected) clearInterval(timer);
        else if (!document.hidden) load(p);
      }, Number(p.getAttribute('data-again')) * 1000);
    }
    for (const p of root.querySelectorAll('[data-wait]')) setTimeout(() => p.isConnected && load(p, 1), Number(p.getAttribute('data-wait')) * 1000);
  });
})();
