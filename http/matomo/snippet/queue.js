// The queue and the globals: how pages reach their trackers.

// The trackers that receive the calls of _paq.
const shared = []
// The handlers of Matomo.on, by event.
const listeners = {}

// Settings in a queue apply to every call in it, at any position. So the calls are sorted:
// first the address and site, then additional trackers, then other settings, then the rest.
const WHERE = /^set(TrackerUrl|SiteId)$/
const HOW = new RegExp('^(require\\w+|disable\\w+|alwaysUseSendBeacon|enable(File|Link)Tracking|setConsentGiven|setCookie\\w+|setSecureCookie|set\\w+CookieTimeout|' +
  'setDomains|setDoNotTrack|setRequestMethod|setExcluded\\w+|setUserId|setVisitorId|setPagePerformanceTiming)$')
const rank = ([name]) => WHERE.test(name) ? 0 : name === 'addTracker' ? 1 : HOW.test(name) ? 2 : 3

function run (f, self, args) {
  try {
    f.apply(self, args)
  } catch (e) {
    warn('a call failed', e)
  }
}
function addTracker (url, site) {
  const first = shared[0]
  const t = new Tracker(url || first.getTrackerUrl(), given(site) ? site : first.getSiteId())
  shared.push(t)
  Matomo.trigger('TrackerAdded', [t])
  return t
}
// configured sets up the first tracker and returns it, unless that already has a site.
function configured (url, site) {
  const t = shared[0]
  if (given(t.getSiteId()) || !given(site)) return
  if (url) t.setTrackerUrl(url)
  t.setSiteId(site)
  return t
}
function call ([name, ...args]) {
  if (name === 'addTracker') return addTracker(...args)
  // Trackers added later have their own address and site.
  const those = WHERE.test(name) ? shared.slice(0, 1) : shared
  those.forEach((t) => {
    const f = typeof name === 'function' ? name : t[name]
    if (f) run(f, t, args)
    else warn(name + ' is not among its calls')
  })
}
// callsOf returns the calls of a pushed entry: a call, a function or several calls.
const callsOf = (entry) => typeof entry === 'function' ? [[entry]] : !entry || !entry.length ? [] : Array.isArray(entry[0]) ? [...entry] : [[...entry]]
const push = (...entries) => entries.forEach((entry) => callsOf(entry).forEach(call))

const Matomo = {
  initialized: true,
  getTracker: (url, site) => new Tracker(url, site),
  getAsyncTracker: (url, site) => shared.find((t) => (!url || t.getTrackerUrl() === url) && (!given(site) || String(t.getSiteId()) === String(site))) ||
    configured(url, site) || shared[0],
  getAsyncTrackers: () => shared.slice(),
  addTracker: (url, site) => configured(url, site) || addTracker(url, site),
  addPlugin: () => {},
  on: (name, f) => { listeners[name] = list(listeners[name]).concat(f) },
  off: (name, f) => { listeners[name] = list(listeners[name]).filter((one) => one !== f) },
  trigger: (name, args) => list(listeners[name]).forEach((f) => run(f, Matomo, list(args)))
}
function start () {
  window.Matomo = window.Piwik = Matomo
  askHints()
  shared.push(new Tracker())
  for (const name of ['matomoAsyncInit', 'piwikAsyncInit', 'matomoPluginAsyncInit', 'piwikPluginAsyncInit']) {
    list(window[name]).forEach((f) => run(f, Matomo, []))
  }
  const queue = [].concat(...(Array.isArray(window._paq) ? window._paq : []).map(callsOf))
  window._paq = { push }
  queue.sort((a, b) => rank(a) - rank(b)).forEach(call)
  Matomo.trigger('MatomoInitialized', [])
}

// A page may include the script twice.
if (!window.Matomo || !window.Matomo.initialized) start()
