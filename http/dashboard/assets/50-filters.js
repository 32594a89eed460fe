// Suggestions for the value of a filter, from the values that there are.
cairn.starts.push(root => {
  const form = root.querySelector('form[data-values]');
  if (!(form instanceof HTMLFormElement)) return;
  const field = /** @type {HTMLSelectElement} */ (form.elements.namedItem('_field'));
  const op = /** @type {HTMLSelectElement} */ (form.elements.namedItem('_op'));
  const values = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll('input[name=_value]')]);
  let value = values[values.length - 1];
  const list = cairn.el('datalist', {id: 'values'});
  form.append(list);
  let timer = 0;
  /** @type {AbortController|undefined} */
  let asking;
  const ask = async () => {
    if (asking) asking.abort();
    asking = new AbortController();
    const url = new URL(form.dataset.values || '', location.href);
    url.searchParams.set('field', field.value.replace(/^visit\./, ''));
    url.searchParams.set('limit', '20');
    if (value.value) url.searchParams.set('search', value.value);
    try {
      const res = await fetch(url, {signal: asking.signal});
      if (!res.ok) return;
      /** @type {any[]} */
      const rows = (await res.json()).rows || [];
      list.replaceChildren(...rows.filter(r => r.value !== null).map(r => cairn.el('option', {value: r.value}, String(r.events))));
    } catch (e) { /* there are no suggestions then */ }
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(ask, 150); };
  for (const v of values) {
    v.setAttribute('list', 'values');
    v.addEventListener('input', later);
    v.addEventListener('focus', () => { value = v; later(); });
  }
  field.addEventListener('change', () => { list.replaceChildren(); });
  const hide = () => { for (const v of values) { v.disabled = op.value.startsWith('has'); /** @type {HTMLElement} */ (v.parentElement).hidden = v.disabled; } };
  op.addEventListener('change', hide);
  hide();
});
