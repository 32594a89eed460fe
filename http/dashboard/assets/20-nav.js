// Links and forms inside the dashboard change the page in place. Anything odd is left to the browser.
(() => {
  /** @type {AbortController|undefined} */
  let loading;
  /** The page that is shown, without its fragment. */
  let shown = location.href.split('#')[0];
  /** What gets the focus once it is there: a panel may come later than its page. */
  let awaited = '';

  /** @param {URL} url */
  const ours = url => url.origin === location.origin && /\/dashboard\/(site|s)\//.test(url.pathname);

  /** The screen that is shown stays: nothing is under way any more. */
  function stay() {
    loading?.abort();
    document.querySelectorAll('main .stale').forEach(p => p.classList.remove('stale'));
  }

  /**
   * @param {string} href
   * @param {{push?: boolean, focus?: boolean|string}} [how] focus: a selector of what has it and keeps it, or whether another screen gets it
   */
  async function go(href, {push = true, focus = true} = {}) {
    if (loading) loading.abort();
    const mine = loading = new AbortController();
    const samePath = new URL(href, location.href).pathname === location.pathname;
    if (samePath) document.querySelectorAll('main .panel').forEach(p => p.classList.add('stale'));
    let page;
    try {
      page = await cairn.page(href, {signal: mine.signal});
    } catch (e) {
      if (mine.signal.aborted) return;
      stay();
      if ('status' in /** @type {object} */ (e)) location.href = href;
      else cairn.offline(true); // the old numbers stay
      return;
    }
    const main = page.doc.querySelector('main'), bar = page.doc.querySelector('header.bar');
    if (!main || !bar || !ours(new URL(page.url))) {
      location.href = page.url;
      return;
    }
    const url = page.url + new URL(href, location.href).hash;
    const swap = () => { // the address and the page at once, for a transition may begin it late
      if (mine.signal.aborted) return;
      if (push && url !== location.href) history.pushState(null, '', url);
      shown = page.url;
      document.title = page.doc.title;
      awaited = typeof focus === 'string' && document.activeElement?.matches(focus) ? focus : '';
      document.querySelector('header.bar')?.replaceWith(document.adoptNode(bar));
      document.querySelector('main')?.replaceWith(document.adoptNode(main));
      cairn.start(document);
      const at = document.getElementById(new URL(url).hash.slice(1));
      if (at) at.scrollIntoView({block: 'center'});
      else if (!samePath) scrollTo(0, 0);
      /** @type {HTMLElement|null} */
      const field = at ? at.querySelector('form.sheet :is(select,input:not([type=hidden]))') : null;
      if (field) field.focus();
      else if (focus && !samePath) document.getElementById('main')?.focus({preventScroll: true});
      cairn.say(document.title);
    };
    if (document.startViewTransition && !samePath && !matchMedia('(prefers-reduced-motion: reduce)').matches) document.startViewTransition(swap).ready.catch(() => { /* the next page came before it was shown */ });
    else swap();
  }
  cairn.go = go;

  cairn.starts.push(() => {
    const node = awaited && /** @type {HTMLElement|SVGElement|null} */ (document.querySelector(awaited));
    if (!node) return;
    awaited = '';
    node.focus({preventScroll: true});
  });
  for (const type of ['keydown', 'pointerdown', 'wheel']) addEventListener(type, () => { awaited = ''; }, {capture: true, passive: true}); // somebody goes on

  document.addEventListener('click', e => {
    const target = /** @type {Element} */ (e.target);
    document.querySelectorAll('details.menu[open]').forEach(d => d.contains(target) || d.removeAttribute('open'));
    const a = target.closest('a[href]');
    if (!(a instanceof HTMLAnchorElement) || e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    if (a.target || a.hasAttribute('download') || !ours(new URL(a.href)) || a.hash && a.href.split('#')[0] === shown) return;
    e.preventDefault();
    go(a.href);
  });

  document.addEventListener('submit', e => {
    const form = /** @type {HTMLFormElement} */ (e.target);
    if (e.defaultPrevented || form.method !== 'get' || !ours(new URL(form.action))) return;
    e.preventDefault();
    const url = new URL(form.action);
    // @ts-ignore: all fields of these forms are text
    url.search = new URLSearchParams(new FormData(form, e.submitter)).toString();
    go(url.href);
  });

  addEventListener('popstate', () => {
    if (location.href.split('#')[0] !== shown) go(location.href, {push: false});
    else stay(); // there and back again
  });
})();
