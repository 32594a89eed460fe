// What the screens of events do besides: buttons copy the value before them. They stay hidden where
// the browser does not allow it.
cairn.starts.push(root => {
  if (!navigator.clipboard) return;
  for (const b of root.querySelectorAll('button[data-copy]')) {
    /** @type {HTMLElement} */ (b).hidden = false;
    /** @type {HTMLElement} */ (b).onclick = async () => {
      await navigator.clipboard.writeText(b.closest('tr')?.querySelector('td bdi')?.textContent || '');
      b.textContent = 'copied';
      cairn.say('Copied');
      setTimeout(() => { b.textContent = 'copy'; }, 1500);
    };
  }
});

// With Alt, or the right button, a value of a field is left out.
for (const kind of ['click', 'contextmenu']) {
  document.addEventListener(kind, e => {
    const a = (kind !== 'click' || /** @type {MouseEvent} */ (e).altKey) && /** @type {Element} */ (e.target).closest('.facets ul a:first-of-type');
    const not = a && a.parentElement?.querySelector('.not');
    if (!not) return;
    e.preventDefault();
    /** @type {HTMLElement} */ (not).click();
  }, true);
}
