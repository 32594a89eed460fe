// The screen of now: numbers every five seconds and each event as it comes, over one stream. New
// lines never move what is looked at: while the list is pointed at, has the focus, is scrolled into
// or paused, they wait behind a button.
(() => {
  /** @type {AbortController|undefined} */
  let stream;

  /** @param {number} ms */
  const sleep = ms => new Promise(done => setTimeout(done, ms));
  const visible = () => new Promise(done => {
    if (!document.hidden) { done(null); return; }
    document.addEventListener('visibilitychange', () => done(null), {once: true});
  });

  /** @param {string} code */
  const flag = code => /^[A-Z]{2}$/.test(code) ? String.fromCodePoint(...[...code].map(c => 0x1f1a5 + c.charCodeAt(0))) : '';

  /** @param {Element|null} node @param {string} text */
  function put(node, text) {
    if (node && node.textContent !== text) node.textContent = text;
  }

  /** Shows the numbers of now. @param {any} live @param {Intl.DateTimeFormat} clock */
  function numbers(live, clock) {
    const root = document.querySelector('[data-live]');
    if (!root) return;
    cairn.lived = Date.now();
    for (const b of root.querySelectorAll('[data-n]')) put(b, Number(live[b.getAttribute('data-n') || '']).toLocaleString());
    const bars = root.querySelectorAll('.b'), hits = root.querySelectorAll('.hit title'), lines = root.querySelectorAll('.minutes tbody tr');
    /** @type {any[]} */
    const minutes = live.minutes;
    const most = Math.max(...minutes.map(m => m.visitors), 1);
    minutes.forEach((m, i) => {
      if (!bars[i]) return;
      const high = m.visitors ? Math.max(2, 100 * m.visitors / most) : 0;
      bars[i].setAttribute('y', 100 - high + '%');
      bars[i].setAttribute('height', high + '%');
      const at = clock.format(new Date(m.time)).slice(0, 5);
      put(hits[i], `${at}: ${m.visitors}`);
      put(lines[i].querySelector('span'), at);
      put(lines[i].querySelector('td'), m.visitors.toLocaleString());
    });
    const ends = root.querySelectorAll('figcaption span');
    put(ends[0], clock.format(new Date(live.minutes[0].time)).slice(0, 5));
    put(ends[2], clock.format(new Date(live.minutes[live.minutes.length - 1].time)).slice(0, 5));
    const names = new Intl.DisplayNames('en', {type: 'region', fallback: 'code'});
    for (const top of document.querySelectorAll('[data-top]')) {
      const kind = top.getAttribute('data-top') || '', rows = live[kind] || [];
      [...top.children].forEach((li, i) => {
        const row = rows[i];
        /** @type {HTMLElement} */ (li).hidden = !row;
        if (!row) return;
        const code = kind === 'countries' ? flag(row.value) : '', text = li.querySelector('bdi');
        put(li.querySelector('.flag'), code);
        put(text, code ? names.of(row.value) : row.value || '(none)');
        text?.setAttribute('title', row.value);
        put(li.querySelector('b'), row.visitors.toLocaleString());
        li.querySelector('rect')?.setAttribute('width', 100 * row.visitors / rows[0].visitors + '%');
      });
      /** @type {HTMLElement} */ (top.nextElementSibling).hidden = rows.length > 0;
    }
  }

  cairn.starts.push(root => {
    if (root === document && stream) { stream.abort(); stream = undefined; }
    const list = /** @type {HTMLElement} */ (root.querySelector('ol[data-stream]'));
    if (!list) return;
    if (stream) stream.abort();
    const mine = stream = new AbortController();
    const data = list.dataset, max = Number(data.max), types = JSON.parse(data.types || '{}');
    const pause = /** @type {HTMLButtonElement} */ (document.getElementById('pause'));
    const fresh = /** @type {HTMLButtonElement} */ (document.getElementById('fresh'));
    const told = document.getElementById('streaming');
    const line = /** @type {HTMLTemplateElement} */ (document.getElementById('line'));
    /** @type {Intl.DateTimeFormatOptions} */
    const time = {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZone: data.zoneOf};
    const clock = new Intl.DateTimeFormat('en-GB', time);
    const date = new Intl.DateTimeFormat('en-GB', {weekday: 'short', day: 'numeric', month: 'short', timeZone: data.zoneOf});
    const whole = new Intl.DateTimeFormat('en-GB', {...time, dateStyle: undefined, weekday: 'short', day: 'numeric', month: 'short', year: 'numeric'});
    /** What waits, the oldest first. @type {any[]} */
    let waiting = [];
    let pointed = false, drawing = false;

    const held = () => pause.getAttribute('aria-pressed') === 'true' || pointed || list.contains(document.activeElement) || list.getBoundingClientRect().top < 0;

    /** @param {any} e */
    function row(e) {
      if (e.n) return cairn.el('li', {class: 'gone'}, `${e.n.toLocaleString()} more events in that moment`);
      const li = /** @type {HTMLElement} */ (/** @type {Element} */ (line.content.firstElementChild).cloneNode(true));
      const c = e.context || {}, at = new Date(e.time), kind = types[e.type] || e.type, id = e.user || e.anonymous || '';
      const fill = (/** @type {string} */ at, /** @type {string} */ text) => { const b = /** @type {HTMLElement} */ (li.querySelector(at + ' bdi')); put(b, text); b.title = text; };
      const [what, who] = li.querySelectorAll('a'), t = /** @type {HTMLTimeElement} */ (li.querySelector('time'));
      what.href = data.event + e.id + data.rest;
      if (id) who.href = id === '.' || id === '..' ? data.person + id : data.people + encodeURIComponent(id) + data.rest;
      t.dateTime = e.time;
      t.title = whole.format(at);
      put(t, Date.now() - at.getTime() < 864e5 ? clock.format(at) : date.format(at));
      put(li.querySelector('.flag'), flag(c.country || ''));
      put(li.querySelector('.kind'), kind);
      fill('.say', e.name || c.title || c.path || kind);
      fill('.who', id);
      fill('.src', c.utm_source || c.referrer_host || '');
      return li;
    }

    /** Puts what waits into the list. */
    function show() {
      list.prepend(...waiting.splice(0).map(row).reverse());
      while (list.children.length > max) list.lastElementChild?.remove();
      count();
    }
    function count() {
      const n = waiting.reduce((sum, e) => sum + (e.n || 1), 0);
      fresh.hidden = !n || !held();
      put(fresh, `${n > 999 ? '999+' : n} new`);
    }
    function draw() {
      if (drawing) return;
      drawing = true;
      requestAnimationFrame(() => {
        drawing = false;
        if (held()) count();
        else show();
      });
    }
    /** @param {any} e */
    function take(e) {
      waiting.push(e);
      if (waiting.length > max) waiting.splice(0, waiting.length - max);
      draw();
    }

    pause.hidden = false;
    pause.onclick = () => {
      const on = pause.getAttribute('aria-pressed') !== 'true';
      pause.setAttribute('aria-pressed', String(on));
      put(pause, on ? 'Go on' : 'Pause');
      draw();
    };
    fresh.onclick = () => {
      show();
      if (list.getBoundingClientRect().top < 0) pause.closest('.panel')?.scrollIntoView();
    };
    list.onpointerenter = e => { pointed = e.pointerType === 'mouse'; };
    list.onpointerleave = () => { pointed = false; draw(); };
    list.addEventListener('focusout', draw);
    addEventListener('scroll', draw, {passive: true, signal: mine.signal});

    let after = data.after;
    /** @param {string} text */
    function message(text) {
      let name = '', id = '', body = '';
      for (const l of text.split('\n')) {
        if (l.startsWith('event: ')) name = l.slice(7);
        else if (l.startsWith('id: ')) id = l.slice(4);
        else if (l.startsWith('data: ')) body = l.slice(6);
      }
      if (id) after = id;
      if (!body) return;
      const value = JSON.parse(body);
      if (name === 'live') numbers(value, clock);
      else if (name === 'event' || name === 'skipped') take(value);
    }

    /** Reads one stream to its end. Returns what the next one waits for, in seconds; -1 = there is none. @param {AbortSignal} signal */
    async function read(signal) {
      const url = new URL(data.stream || '', location.href);
      if (after) url.searchParams.set('after', after);
      const res = await fetch(url, {signal, cache: 'no-store', credentials: 'same-origin'});
      if (res.status === 401) { location.reload(); return -1; }
      if (res.status === 400 && after) { after = ''; return 1; }
      if (res.status === 403) { put(told, (await res.json()).error); return -1; }
      if (!res.ok || !res.body) return Number(res.headers.get('Retry-After')) || 5;
      put(told, '');
      const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ''; ;) {
        const {value, done} = await reader.read();
        if (done) return 0;
        const parts = (rest + value).split('\n\n');
        rest = parts.pop() || '';
        if (rest.length > 1e6) return 5;
        parts.forEach(message);
        if (!list.isConnected) return -1;
      }
    }

    (async () => {
      for (let tries = 0; list.isConnected && !mine.signal.aborted;) {
        await visible();
        const own = new AbortController(), stop = () => own.abort();
        mine.signal.addEventListener('abort', stop);
        const hide = () => { if (document.hidden) stop(); };
        document.addEventListener('visibilitychange', hide);
        const from = after;
        let wait = 1;
        try {
          wait = await read(own.signal);
        } catch (e) { /* it broke off: another one goes on where it was */ }
        document.removeEventListener('visibilitychange', hide);
        stop();
        if (wait < 0 || mine.signal.aborted || !list.isConnected) return;
        if (document.hidden) continue;
        tries = after === from ? tries + 1 : 0;
        if (wait) put(told, 'The stream broke off. It is begun again.');
        const back = tries > 1 ? Math.min(30, 2 ** tries) : .2; // a stream that ends at once is not asked for without pause
        await sleep(1000 * Math.max(wait, back) * (.8 + Math.random() * .4));
      }
    })();
  });
})();
