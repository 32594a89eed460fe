// A document as small as the scripts of the dashboard need one, so that "node --test" can run them
// without a browser: elements from HTML, selectors, events, and a clock that stands until it is
// moved. It draws nothing: boxes are what a test says.
import { readdirSync, readFileSync } from 'node:fs'
import vm from 'node:vm'

const assets = new URL('../../../http/dashboard/assets/', import.meta.url)
const script = readdirSync(assets).filter(n => n.endsWith('.js')).sort().map(n => readFileSync(new URL(n, assets), 'utf8')).join('')

class Element {
  #text = ''
  constructor (document, tag) {
    Object.assign(this, { document, tag, tagName: tag.toUpperCase(), attrs: {}, children: [], parentElement: null, handlers: {}, style: {}, box: { left: 0, top: 0, right: 0, bottom: 0, width: 0, height: 0 } })
    this.classList = {
      contains: c => this.classes().includes(c),
      add: c => { if (!this.classes().includes(c)) this.attrs.class = [...this.classes(), c].join(' ') },
      remove: c => { this.attrs.class = this.classes().filter(o => o !== c).join(' ') },
      toggle: (c, on = !this.classes().includes(c)) => on ? this.classList.add(c) : this.classList.remove(c),
    }
    const name = key => 'data-' + key.replace(/[A-Z]/g, c => '-' + c.toLowerCase())
    this.dataset = new Proxy({}, { get: (_, key) => this.attrs[name(key)], set: (_, key, v) => { this.attrs[name(key)] = String(v); return true } })
    for (const flag of ['hidden', 'disabled', 'open', 'checked']) Object.defineProperty(this, flag, { get: () => flag in this.attrs, set: on => this.toggleAttribute(flag, !!on) })
    for (const text of ['value', 'id', 'href', 'name', 'action', 'method', 'title']) Object.defineProperty(this, text, { get: () => this.attrs[text] ?? '', set: v => { this.attrs[text] = String(v) } })
  }

  classes () { return (this.attrs.class || '').split(' ').filter(Boolean) }
  getAttribute (n) { return this.attrs[n] ?? null }
  setAttribute (n, v) { this.attrs[n] = String(v) }
  hasAttribute (n) { return n in this.attrs }
  removeAttribute (n) { delete this.attrs[n] }
  toggleAttribute (n, on = !(n in this.attrs)) { if (on) this.attrs[n] ??= ''; else delete this.attrs[n] }
  get textContent () { return this.#text + this.children.map(c => c.textContent).join('') }
  set textContent (t) { this.replaceChildren(); this.#text = String(t) }
  get outerHTML () { return `<${this.tag}${Object.entries(this.attrs).map(([k, v]) => ` ${k}="${v}"`).join('')}>${this.#text}${this.children.map(c => c.outerHTML).join('')}</${this.tag}>` }
  get firstElementChild () { return this.children[0] ?? null }
  get lastElementChild () { return this.children.at(-1) ?? null }
  beside (by) { return this.parentElement?.children[this.parentElement.children.indexOf(this) + by] ?? null }
  get previousElementSibling () { return this.beside(-1) }
  get nextElementSibling () { return this.beside(1) }
  get isConnected () { return this === this.document.root || !!this.parentElement?.isConnected }
  contains (n) { return !!n && (n === this || this.contains(n.parentElement)) }
  compareDocumentPosition (n) { const all = [...this.document.root.all()]; return all.indexOf(this) < all.indexOf(n) ? 4 : 2 }
  remove () { if (this.parentElement) this.parentElement.children = this.parentElement.children.filter(c => c !== this); this.parentElement = null }
  put (at, nodes) {
    for (const n of nodes.flat()) {
      if (typeof n === 'string') { this.#text += n; continue }
      const before = this.children[at] === n ? this.children[at + 1] : this.children[at]
      n.remove()
      this.children.splice(before ? this.children.indexOf(before) : this.children.length, 0, n)
      n.parentElement = this
      at = this.children.indexOf(n) + 1
    }
  }
  append (...nodes) { this.put(this.children.length, nodes) }
  prepend (...nodes) { this.put(0, nodes) }
  before (n) { n.remove(); this.parentElement.put(this.parentElement.children.indexOf(this), [n]) }
  after (n) { n.remove(); this.parentElement.put(this.parentElement.children.indexOf(this) + 1, [n]) }
  replaceWith (n) { const { parentElement: p } = this; const at = p.children.indexOf(this); this.remove(); p.put(at, [n]) }
  replaceChildren (...nodes) { for (const c of [...this.children]) c.remove(); this.#text = ''; this.append(...nodes) }
  * all () { yield this; for (const c of this.children) yield * c.all() }
  querySelectorAll (s) { return [...this.all()].slice(1).filter(n => n.matches(s)) }
  querySelector (s) { return this.querySelectorAll(s)[0] ?? null }
  closest (s) { return this.matches(s) ? this : this.parentElement?.closest(s) ?? null }
  matches (s) { return s.split(',').some(one => this.fits(one.trim().replace(/\s*>\s*/g, ' > ').split(/\s+/))) }
  fits (parts) {
    if (!this.is(parts.at(-1))) return false
    const rest = parts.slice(0, -1)
    if (!rest.length) return true
    if (rest.at(-1) === '>') return !!this.parentElement?.fits(rest.slice(0, -1))
    for (let p = this.parentElement; p; p = p.parentElement) if (p.fits(rest)) return true
    return false
  }
  is (simple) {
    for (const [, tag, cls, id, attr, quoted, bare, pseudo, arg] of simple.matchAll(/^([a-z0-9]+)|\.([\w-]+)|#([\w-]+)|\[([\w-]+)(?:="([^"]*)"|=([^\]]*))?\]|:([\w-]+)(?:\(([^)]*)\))?|\*/g)) {
      const value = quoted ?? bare
      if (tag && tag !== this.tag || cls && !this.classes().includes(cls) || id && this.attrs.id !== id) return false
      if (attr && !(attr in this.attrs && (value === undefined || this.attrs[attr] === value))) return false
      if (pseudo === 'not' && this.is(arg) || pseudo === 'enabled' && this.disabled) return false
    }
    return true
  }

  addEventListener (type, f) { (this.handlers[type] ??= []).push(f) }
  focus () { this.document.activeElement = this }
  setPointerCapture () {}
  scrollIntoView () {}
  getBoundingClientRect () { return this.box }
  get offsetWidth () { return this.box.width }
  get elements () { return { namedItem: name => this.querySelector(`[name=${name}]`) } }
  get content () { return this }
  cloneNode () { return parse(this.document, this.outerHTML)[0] }
  get x () { return length(this.attrs.x) }
  get width () { return length(this.attrs.width) }
  click () { this.dispatch('click', { button: 0 }) }

  /** Sends an event the way a browser does: capturing, here, and up. Returns it. */
  dispatch (type, more = {}) {
    const event = { type, target: this, button: 0, buttons: 0, pointerType: 'mouse', defaultPrevented: false, preventDefault () { this.defaultPrevented = true }, stopPropagation () { this.stopped = true }, ...more }
    for (const f of this.document.captures[type] || []) if (!event.stopped) f(event)
    for (let n = this; n && !event.stopped; n = n.parentElement) {
      n['on' + type]?.(event)
      for (const f of n.handlers[type] || []) f(event)
    }
    for (const f of this.document.listeners[type] || []) if (!event.stopped) f(event)
    return event
  }
}

const length = text => ({ baseVal: { valueInSpecifiedUnits: parseFloat(text) } })

/** The elements of some HTML. */
function parse (document, html) {
  const top = new Element(document, 'top'), open = [top]
  for (const [, end, tag, attrs, single, text] of html.matchAll(/<(\/?)([a-z0-9]+)((?:\s+[\w-]+(?:="[^"]*")?)*)\s*(\/?)>|([^<]+)/g)) {
    if (text !== undefined) {
      if (text.trim()) open.at(-1).put(0, [text.trim()])
    } else if (end) open.pop()
    else {
      const e = new Element(document, tag)
      for (const [, name, value = ''] of attrs.matchAll(/([\w-]+)(?:="([^"]*)")?/g)) e.attrs[name] = value.replaceAll('&amp;', '&')
      open.at(-1).append(e)
      if (!single && !['input', 'rect', 'br'].includes(tag)) open.push(e)
      else if (tag === 'rect' && !single) open.push(e)
    }
  }
  return top.children
}

/** An address whose parts can be set, as far as the scripts do. */
function place (href) {
  const at = new URL(href)
  return { url: at, get href () { return at.href }, set href (h) { at.href = new URL(h, at).href; this.left = at.href }, get origin () { return at.origin }, get pathname () { return at.pathname }, get search () { return at.search }, get hash () { return at.hash }, reload () { this.reloads = (this.reloads || 0) + 1 } }
}

/**
 * Runs the scripts in a page with some HTML in its <main>. answer(url, options) is asked for what
 * they fetch. Returns the page: its cairn, document, location, and pass(ms), which moves the clock.
 */
export function open (html, answer, address = 'http://stats.example/dashboard/site/shop?range=30d') {
  let now = 1.7e12, timers = []
  const document = { listeners: {}, captures: {}, hidden: false, readyState: 'complete', title: '' }
  document.root = new Element(document, 'html')
  document.root.append(...parse(document, `<body><header class="bar"></header><main id="main">${html}</main><div id="said"></div></body>`))
  document.documentElement = document.root
  document.body = document.activeElement = document.root.children[0]
  for (const f of ['querySelector', 'querySelectorAll', 'contains']) document[f] = (...a) => document.root[f](...a)
  document.getElementById = id => document.querySelector('#' + id)
  document.createElement = tag => new Element(document, tag)
  document.createElementNS = (_, tag) => new Element(document, tag)
  document.adoptNode = n => { n.remove(); for (const e of n.all()) e.document = document; return n }
  document.addEventListener = (type, f, options) => { ((options === true ? document.captures : document.listeners)[type] ??= []).push(f) }
  document.removeEventListener = (type, f) => { document.listeners[type] = (document.listeners[type] || []).filter(g => g !== f) }
  document.dispatch = (type, more) => Element.prototype.dispatch.call({ document, parentElement: null, handlers: {} }, type, more)

  const is = tags => ({ [Symbol.hasInstance]: e => e instanceof Element && (!tags || tags.includes(e.tag)) })
  const at = (ms, f, every) => { const t = { at: now + (Number(ms) || 0), f, every }; timers.push(t); return t }
  const location = place(address)
  const fetched = []
  const context = {
    document, location, console, URL, URLSearchParams, AbortController, TextDecoderStream, Intl, Promise,
    history: { pushState: (_, __, url) => { location.url.href = new URL(url, location.url).href } },
    Element: is(), HTMLElement: is(), SVGElement: is(), SVGSVGElement: is(['svg']), SVGRectElement: is(['rect']), HTMLAnchorElement: is(['a']), HTMLFormElement: is(['form']), HTMLSelectElement: is(['select']), HTMLButtonElement: is(['button']), HTMLInputElement: is(['input']),
    DOMParser: class { parseFromString (text) { const root = new Element(document, 'root'); root.append(...parse(document, text)); return Object.assign(root, { title: '' }) } },
    MouseEvent: class { constructor (type, o) { Object.assign(this, o, { type }) } },
    Date: class extends Date { constructor (...a) { super(...(a.length ? a : [now])) } static now () { return now } },
    Math: Object.create(Math, { random: { value: () => 0.5 } }),
    CSS: { escape: s => s }, navigator: {}, matchMedia: () => ({ matches: false }), localStorage: { getItem: () => null, setItem () {}, removeItem () {} }, sessionStorage: { getItem: () => null, setItem () {} },
    scrollTo () {}, confirm: () => true, requestAnimationFrame: f => at(16, f), FormData: class {},
    setTimeout: (f, ms) => at(ms, f), clearTimeout: t => { timers = timers.filter(o => o !== t) }, setInterval: (f, ms) => at(ms, f, ms), clearInterval: t => { timers = timers.filter(o => o !== t) },
    addEventListener () {}, removeEventListener () {},
    fetch: async (url, options = {}) => {
      const one = { url: new URL(String(url), location.url), options, at: now }
      fetched.push(one)
      const res = await answer(one.url, options, fetched.length)
      return { ...res, url: one.url.href }
    },
  }
  context.window = context
  const settle = async () => { for (let i = 0; i < 12; i++) await new Promise(resolve => setImmediate(resolve)) }
  vm.runInContext(script + '\n;globalThis.cairn = cairn', vm.createContext(context))
  return {
    cairn: context.cairn, document, location, fetched, settle,
    $: s => document.querySelector(s), all: s => document.querySelectorAll(s),
    /** Moves the clock, and runs what is due on the way in its order. */
    async pass (ms) {
      await settle()
      for (const end = now + ms; ;) {
        const due = timers.filter(t => t.at <= end).sort((a, b) => a.at - b.at)[0]
        if (!due) { now = end; break }
        now = Math.max(now, due.at)
        if (due.every) due.at = now + due.every
        else timers = timers.filter(t => t !== due)
        due.f()
        await settle()
      }
    },
  }
}

/** An answer as fetch gives it. */
export const answered = (status, type, text, headers = {}) => ({ status, ok: status >= 200 && status < 300, url: '', headers: new Headers({ 'Content-Type': type, ...headers }), text: async () => text, json: async () => JSON.parse(text) })
