// Buttons that copy the value before them. They are hidden where the browser does not allow it.
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
