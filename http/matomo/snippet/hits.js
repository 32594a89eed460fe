// Hits. Each call builds the parameters of one hit. Hits wait until the current task of
// the page ends, or longer for consent and client hints. Then they are sent in the order
// of the calls: a single hit as a beacon with everything in the URL, several hits as one
// bulk beacon. Without beacons, the tracker uses fetch and images.

// The parameters of a longer URL go into the body.
const URL_LENGTH_MAX = 2000
const BULK_COUNT_MAX = 50
// Browsers refuse beacons of more than 64 KiB in total.
const BULK_LENGTH_MAX = 50000

// The browser returns client hints with a short delay; hits wait for them.
let hints = ''
let hinting = false
function askHints () {
  const agent = navigator.userAgentData
  if (!agent || !agent.getHighEntropyValues) return
  hinting = true
  const done = (values) => {
    hints = values ? JSON.stringify(values) : ''
    hinting = false
    trackers.forEach((t) => t.flush())
  }
  agent.getHighEntropyValues(['brands', 'fullVersionList', 'mobile', 'model', 'platform', 'platformVersion', 'formFactors']).then(done, () => done())
}

function hits (c) {
  const { t, o } = c
  let beacons = true
  let features = true
  let files = false
  // The text that appendToTrackingUrl adds to every hit.
  let extra = ''
  // Custom dimensions by id.
  const custom = {}
  const variables = { visit: {}, page: {} }
  // Hits that are not sent yet: [hit, callback].
  let pending = []
  let scheduled = false
  // When the last hit was sent, in ms.
  c.lastSent = 0

  // query encodes a hit. A lone surrogate, for example from a text that was cut within a
  // character, cannot be encoded and is replaced.
  const encode = (text) => encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, '\ufffd'))
  const query = (hit) => Object.keys(hit).filter((name) => hit[name]).map((name) => name + '=' + encode(hit[name])).join('&')
  const json = (object) => Object.keys(object).length ? JSON.stringify(object) : ''

  // hit builds a hit from the parameters of a call. It omits parameters without a value and
  // adds the state at the time of the call. dimensions are for this hit only:
  // {dimension3: 'x'}.
  c.hit = (parameters, dimensions, callback) => {
    if (!o.TrackerUrl || !given(o.SiteId)) return warn('setTrackerUrl and setSiteId come first')
    if (!c.mayTrack() || location.protocol === 'file:' && !files) return
    const time = new Date()
    const all = Object.assign({}, parameters, {
      idsite: o.SiteId, rec: 1, r: String(Math.random()).slice(2, 8),
      h: time.getHours(), m: time.getMinutes(), s: time.getSeconds(),
      url: t.getCurrentUrl(), urlref: c.referrer(), uid: o.UserId, pv_id: t.getPageViewId(),
      _cvar: json(variables.visit), cvar: json(variables.page)
    })
    for (const id in custom) all['dimension' + id] = custom[id]
    for (const name in Object(dimensions)) if (/^dimension\d+$/.test(name)) all[name] = dimensions[name]
    if (features) {
      all.res = screen.width + 'x' + screen.height
      all.pdf = navigator.pdfViewerEnabled ? 1 : 0
      if (document.characterSet !== 'UTF-8') all.cs = document.characterSet
    }
    // Values become text now: a value that cannot become text fails only this call, not
    // the other hits that are pending.
    const hit = {}
    for (const name in all) if (given(all[name])) hit[name] = String(all[name])
    pending.push([hit, callback])
    c.schedule()
  }

  // complete adds the values that hits wait for, when a hit is sent.
  function complete (hit) {
    c.identify(hit)
    if (features) {
      hit.cookie = t.hasCookies()
      hit.uadata = hints
    }
    return query(hit) + (extra && '&' + extra.replace(/^[?&]/, ''))
  }

  // schedule sends the pending hits when the current task ends.
  c.schedule = () => {
    if (!scheduled) {
      scheduled = true
      Promise.resolve().then(() => t.flush())
    }
  }
  // drop discards the pending hits.
  c.drop = () => { pending = [] }
  // flush sends the pending hits; with atOnce it does not wait for client hints.
  t.flush = (atOnce) => {
    scheduled = false
    if (!pending.length || c.waits() || hinting && features && !atOnce || document.prerendering) return
    let hits = pending.map(([hit, callback]) => [complete(hit), callback])
    pending = []
    if (o.CustomRequestProcessing) {
      hits = hits.map(([text, callback]) => [attempt(() => o.CustomRequestProcessing(text), text), callback]).filter(([text]) => text)
    }
    c.lastSent = Date.now()
    while (hits.length) {
      let n = 1
      if (beacons) {
        for (let length = hits[0][0].length; n < hits.length && n < BULK_COUNT_MAX && (length += hits[n][0].length) < BULK_LENGTH_MAX;) n++
      }
      send(hits.splice(0, n))
    }
  }

  function send (hits) {
    const text = hits[0][0] + '&send_image=0'
    const bulk = hits.length > 1
    const body = bulk ? JSON.stringify({ requests: hits.map(([text]) => '?' + text), send_image: 0 }) : text
    const get = !bulk && String(o.RequestMethod).toUpperCase() === 'GET' && text.length <= URL_LENGTH_MAX
    const url = o.TrackerUrl + (get ? (o.TrackerUrl.includes('?') ? '&' : '?') + text : '')
    const done = (success, isSendBeacon) => hits.forEach(([text, callback]) => {
      if (typeof callback === 'function') attempt(() => callback({ request: text, trackerUrl: o.TrackerUrl, success, isSendBeacon }))
    })
    if (beacons && navigator.sendBeacon) {
      const blob = new Blob([get ? '' : body], { type: 'application/x-www-form-urlencoded; charset=UTF-8' })
      if (attempt(() => navigator.sendBeacon(url, blob), false)) return done(true, true)
    }
    if (get && !beacons) {
      const image = new Image()
      image.onload = () => done(true, false)
      image.onerror = () => done(false, false)
      image.src = url.replace('send_image=0', 'send_image=1')
      return
    }
    const options = { method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: body.length < BULK_LENGTH_MAX, headers: { 'Content-Type': o.RequestContentType } }
    if (!get) options.body = body
    fetch(url, options).then(() => done(true, false), () => done(false, false))
  }
  on(document, 'prerenderingchange', () => t.flush())
  // A page that is hidden may never run again, so it sends its pending hits now.
  on(document, 'visibilitychange', () => { if (document.hidden) t.flush(true) })
  on(window, 'pagehide', () => t.flush(true))

  t.appendToTrackingUrl = (text) => { extra = text }
  t.alwaysUseSendBeacon = () => { beacons = true }
  t.disableAlwaysUseSendBeacon = () => { beacons = false }
  t.disableBrowserFeatureDetection = () => { features = false }
  t.enableBrowserFeatureDetection = () => { features = true }
  t.enableFileTracking = () => { files = true }
  t.trackRequest = (text, dimensions, callback) => {
    const parameters = {}
    String(text).replace(/^\?/, '').split('&').forEach((part) => {
      const [name, value] = part.split(/=(.*)/s)
      if (value) parameters[name] = attempt(() => decodeURIComponent(value.replace(/\+/g, ' ')), value)
    })
    c.hit(parameters, dimensions, callback)
  }

  t.setCustomDimension = (id, value) => { custom[id] = value }
  t.getCustomDimension = (id) => custom[id]
  t.deleteCustomDimension = (id) => { delete custom[id] }
  const scoped = (scope) => variables[scope === 'page' || scope === 3 ? 'page' : 'visit']
  t.setCustomVariable = (index, name, value, scope) => { scoped(scope)[index] = [String(name), String(given(value) ? value : '')] }
  t.getCustomVariable = (index, scope) => scoped(scope)[index] || false
  t.deleteCustomVariable = (index, scope) => { delete scoped(scope)[index] }
  t.deleteCustomVariables = (scope) => { for (const index in scoped(scope)) delete scoped(scope)[index] }
}
