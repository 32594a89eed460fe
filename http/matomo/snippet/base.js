// cairn's browser tracker. It answers the calls that pages make through _paq or
// through the Matomo and Piwik globals, and sends what they report to matomo.php.
//
// These files are one script, in the order snippet.go has them, within one function.
// base.js has what all of them use; tracker.js puts a tracker together from its parts,
// a function each; queue.js starts it all.
//
// Comments and indentation are taken out before the script is served: a comment has
// lines of its own, and no text goes over several lines.

// Seconds.
const MINUTE = 60
const DAY = 24 * 60 * MINUTE
const FOREVER = 30 * 365 * DAY

const now = () => Math.floor(Date.now() / 1000)
const list = (v) => Array.isArray(v) ? v : v === undefined || v === null ? [] : [v]
const attempt = (f, otherwise) => { try { return f() } catch (e) { return otherwise } }
const given = (v) => v !== undefined && v !== null && v !== false && v !== ''
const number = (v) => given(v) && isFinite(v)
const warn = (text, e) => { if (window.console) console.error('cairn tracker: ' + text, e === undefined ? '' : e) }
const host = location.hostname.replace(/\.$/, '')
const random = (bytes) => [...crypto.getRandomValues(new Uint8Array(bytes))]
const on = (target, names, f, options) => names.split(' ').forEach((name) => target.addEventListener(name, f, options))
const ready = (f) => document.readyState === 'loading' ? on(document, 'DOMContentLoaded', f) : f()

// Where the tracker was loaded from is where it sends to unless a page says so.
const script = document.currentScript && document.currentScript.src
const home = script ? script.replace(/(js\/)?[^/]*([?#].*)?$/, '') + 'matomo.php' : ''
