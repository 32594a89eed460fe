// cairn's browser tracker. It answers the calls that pages make through _paq or
// through the Matomo and Piwik globals, and sends what they report to matomo.php.
//
// snippet.go joins these files in its order to one script, within one function.
// base.js has the helpers that all files use. Each part of a tracker is a function;
// tracker.js combines the parts. queue.js starts everything.
//
// The server removes comments and indentation before it serves the script. So each
// comment stands on its own line, and no string spans several lines.

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

// By default the tracker sends to the server that it was loaded from.
const script = document.currentScript && document.currentScript.src
const home = script ? script.replace(/(js\/)?[^/]*([?#].*)?$/, '') + 'matomo.php' : ''
