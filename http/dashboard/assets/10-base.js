// cairn's pages work without this script, but for Live. What is here makes them quicker to the
// hand. The server joins these files in the order of their names.
'use strict';

/** What the files share. */
const cairn = /** @type {Cairn} */ ({
  /** The one way from text to nodes: pages of this server. @type {{createHTML(text: string): any}} */
  policy: window.trustedTypes ? trustedTypes.createPolicy('cairn', {createHTML: text => text}) : {createHTML: text => text},

  /**
   * Fetches a page of this server. Anything but HTML is an error, with its status.
   * @param {string} url
   * @param {RequestInit} [options]
   * @returns {Promise<{doc: Document, url: string, status: number, wait: number}>}
   */
  async page(url, options) {
    const res = await fetch(url, {...options, credentials: 'same-origin'});
    const wait = Number(res.headers.get('Retry-After')) || 0;
    if (!(res.headers.get('Content-Type') || '').startsWith('text/html')) {
      throw Object.assign(new Error('no page'), {status: res.status, wait});
    }
    const doc = new DOMParser().parseFromString(cairn.policy.createHTML(await res.text()), 'text/html');
    return {doc, url: res.url, status: res.status, wait};
  },

  /**
   * Makes an element. Children are nodes or text.
   * @param {string} tag
   * @param {Record<string, any>} [attrs]
   * @param {...(Node|string)} children
   */
  el(tag, attrs = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attrs)) {
      if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  },

  /** Says something to a screen reader. @param {string} text */
  say(text) {
    const out = document.getElementById('said');
    if (out) out.textContent = text;
  },

  /** What runs for each new part of the page. @type {((root: ParentNode) => void)[]} */
  starts: [],

  /** @param {ParentNode} root */
  start(root) {
    for (const f of cairn.starts) f(root);
  },
});
