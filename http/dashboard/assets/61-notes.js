// A right click on a chart, or the key for menus, adds a note on the day of the step that is looked at.
document.addEventListener('contextmenu', e => {
  const at = /** @type {Element} */ (e.target);
  const form = at.closest('.chart-plot') && at.closest('.panel')?.querySelector('.note form');
  const step = at.closest('[data-from]') || cairn.charts.at();
  if (!(form instanceof HTMLFormElement) || !step) return;
  e.preventDefault();
  cairn.charts.hide();
  const from = step.getAttribute('data-from') || '', zone = document.querySelector('[data-zone]')?.getAttribute('data-zone') || 'UTC';
  const input = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
  input('time').value = from.length > 10 ? new Intl.DateTimeFormat('sv', {timeZone: zone}).format(new Date(from)) : from;
  form.parentElement?.setAttribute('open', '');
  input('text').focus();
});
