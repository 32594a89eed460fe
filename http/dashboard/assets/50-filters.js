// Suggestions for the value of a filter, from the values that there are.
cairn.starts.push(root => {
  const form = root.querySelector('form[data-values]');
  if (!(form instanceof HTMLFormElement)) return;
  const field = /** @type {HTMLSelectElement} */ (form.elements.namedItem('_field'));
  const op = /** @type {HTMLSelectElement} */ (form.elements.namedItem('_op'));
  const value = /** @type {HTMLInputElement} */ (form.elements.namedItem('_value'));
  const list = cairn.el('datalist', {id: 'values'});
  form.append(list);
  value.setAttribute('list', 'values');
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
      const rows = (await res.json()).rows || [];
      list.replaceChildren(...rows.filter(r => r.value !== null).map(r => cairn.el('option', {value: r.value}, String(r.events))));
    } catch (e) { /* there are no suggestions then */ }
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(ask, 150); };
  value.addEventListener('input', later);
  value.addEventListener('focus', later);
  field.addEventListener('change', () => { list.replaceChildren(); });
  const hide = () => { const no = op.value.startsWith('has'); value.disabled = no; /** @type {HTMLElement} */ (value.parentElement).hidden = no; };
  op.addEventListener('change', hide);
  hide();
});
