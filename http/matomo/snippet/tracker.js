// cairn's browser tracker. It answers the calls that pages make through _paq or
// through the Matomo and Piwik globals, and sends what they report to matomo.php.
//
// A call builds the parameters of one hit. Hits wait until the current task of the
// page is over, or for longer while consent is asked for, then leave in the order
// of the calls: one as a beacon with everything in the URL, several as one bulk
// beacon. Where there are no beacons, fetch and images do it.
//
// Comments and indentation are taken out before the file is served: a comment has
// lines of its own, and no string goes over several lines.
(function (window, document, navigator, location) {
  'use strict'
  // The page has the script twice.
  if (window.Matomo && window.Matomo.initialized) return

  const MINUTE = 60
  const DAY = 24 * 60 * MINUTE
  const FOREVER = 30 * 365 * DAY
  // Beyond it the parameters go into the body.
  const URL_LENGTH_MAX = 2000
  const BULK_COUNT_MAX = 50
  // Browsers refuse beacons of 64 KiB in all.
  const BULK_LENGTH_MAX = 50000
  const PING_SECONDS_MIN = 5
  // A visit ends after 30 minutes without one.
  const PING_SECONDS_MAX = 10 * MINUTE

  const CAMPAIGN_NAMES = 'pk_cpn pk_campaign piwik_campaign mtm_campaign matomo_campaign utm_campaign utm_source utm_medium'.split(' ')
  const CAMPAIGN_KEYWORDS = 'pk_kwd pk_keyword piwik_kwd mtm_kwd mtm_keyword matomo_kwd utm_term'.split(' ')
  const DOWNLOADS = ('7z aac apk arc arj asc asf asx avi azw3 bin bz bz2 csv deb dmg doc docx epub exe flac flv gif gz gzip hqx ibooks jar jpg jpeg js ' +
    'm4a m4v md5 mobi mov movie mp2 mp3 mp4 mpeg mpg msi msp odb odf odg ods odt ogg ogv pdf phps png ppt pptx qt qtm ra ram rar rpm rtf sea sha256 sig sit ' +
    'tar tbz tbz2 tgz torrent txt wav webm webp wma wmv wpd xls xlsx xml xz z zip').split(' ')

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

  // Client hints come a moment after they are asked for; hits wait for them.
  let hints = ''
  let hinting = false
  const agent = navigator.userAgentData
  if (agent && agent.getHighEntropyValues) {
    hinting = true
    const done = (values) => {
      hints = values ? JSON.stringify(values) : ''
      hinting = false
      trackers.forEach((t) => t.flush())
    }
    agent.getHighEntropyValues(['brands', 'fullVersionList', 'mobile', 'model', 'platform', 'platformVersion', 'formFactors']).then(done, () => done())
  }

  // Every tracker there is.
  const trackers = []
  // Those that _paq talks to.
  const shared = []
  // The handlers of Matomo.on, by event.
  const listeners = {}

  // sha1 in hex of a short ASCII text: the name of an id cookie ends with four
  // digits of it, and pages that had another Matomo tracker keep their visitors.
  function sha1 (text) {
    const words = []
    const end = (text.length + 8 >> 6) * 16 + 15
    for (let i = 0; i < text.length; i++) words[i >> 2] |= (text.charCodeAt(i) & 255) << 24 - i % 4 * 8
    words[text.length >> 2] |= 128 << 24 - text.length % 4 * 8
    words[end] = text.length * 8
    let sum = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]
    for (let at = 0; at <= end; at += 16) {
      const w = []
      let [a, b, c, d, e] = sum
      for (let i = 0; i < 80; i++) {
        const x = i < 16 ? words[at + i] : w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16]
        w[i] = i < 16 ? x | 0 : x << 1 | x >>> 31
        const mix = i < 20 ? (b & c | ~b & d) + 0x5a827999 : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
          : i < 60 ? (b & c | b & d | c & d) + 0x8f1bbcdc : (b ^ c ^ d) + 0xca62c1d6
        const next = (a << 5 | a >>> 27) + mix + e + w[i] | 0
        e = d; d = c; c = b << 30 | b >>> 2; b = a; a = next
      }
      sum = [sum[0] + a | 0, sum[1] + b | 0, sum[2] + c | 0, sum[3] + d | 0, sum[4] + e | 0]
    }
    return sum.map((n) => (n >>> 0).toString(16).padStart(8, '0')).join('')
  }

  // parameter is the first of names that stands in the query or fragment of a URL.
  function parameter (url, names) {
    const parts = url.split(/[?#&]/).slice(1)
    for (const name of names) {
      for (const part of parts) {
        if (part.split('=')[0].toLowerCase() === name) {
          const value = part.slice(name.length + 1).replace(/\+/g, ' ')
          if (value) return attempt(() => decodeURIComponent(value), value)
        }
      }
    }
    return ''
  }

  function Tracker (trackerUrl, siteId) {
    const t = this
    // What the setters below keep, by the name behind "set".
    const o = {
      TrackerUrl: trackerUrl || home, SiteId: siteId, UserId: '', RequestMethod: 'GET', RequestContentType: 'application/x-www-form-urlencoded; charset=UTF-8',
      CookieNamePrefix: '_pk_', CookieSameSite: 'Lax',
      VisitorCookieTimeout: 393 * DAY, SessionCookieTimeout: 30 * MINUTE, ReferralCookieTimeout: 182 * DAY,
      DownloadExtensions: DOWNLOADS, CampaignNameKey: CAMPAIGN_NAMES, CampaignKeywordKey: CAMPAIGN_KEYWORDS
    }
    const keep = (names) => names.split(' ').forEach((name) => { t['set' + name] = (v) => { o[name] = v } })
    keep('TrackerUrl SiteId CustomUrl DocumentTitle ReferrerUrl RequestMethod RequestContentType CustomRequestProcessing ' +
      'CookieNamePrefix CookiePath CookieSameSite SecureCookie VisitorCookieTimeout SessionCookieTimeout ReferralCookieTimeout ' +
      'ExcludedQueryParams ExcludedReferrers Domains DownloadClasses LinkClasses IgnoreClasses PageViewId ConversionAttributionFirstReferrer')

    let beacons = true
    let features = true
    let timing = true
    let discardHash = false
    // What appendToTrackingUrl adds to every hit.
    let extra = ''
    // The id that the hits of a page view share.
    let pageView = ''
    let pageViews = 0
    // Custom dimensions by id.
    const custom = {}
    const variables = { visit: {}, page: {} }
    // The cart by SKU.
    const items = new Map()
    // The product that setEcommerceView names for the next page view.
    let product = {}
    // What setPagePerformanceTiming has for the next page view.
    let timings
    // Hits that have not left: [parameters, callback].
    let pending = []
    let scheduled = false
    // When a hit last left, in ms.
    let lastSent = 0

    // --- Cookies and consent

    let cookiesOff = false
    let consentAsked = false
    let consent = false
    let cookieConsentAsked = false
    let cookieConsent = false
    // Opted out in this page, also where no cookie can say it.
    let refused = false

    const readCookie = (name) => {
      const found = ('; ' + document.cookie).split('; ' + name + '=')[1]
      return found === undefined ? '' : attempt(() => decodeURIComponent(found.split(';')[0]), '')
    }
    const writeCookie = (name, value, seconds) => {
      document.cookie = name + '=' + encodeURIComponent(value) + '; max-age=' + Math.round(seconds) + '; path=' + (o.CookiePath || '/') +
        (o.CookieDomain ? '; domain=' + o.CookieDomain : '') + (o.SecureCookie ? '; secure' : '') + (o.CookieSameSite ? '; samesite=' + o.CookieSameSite : '')
    }
    const cookieName = (name) => o.CookieNamePrefix + name + '.' + o.SiteId + '.' + sha1((o.CookieDomain || host) + (o.CookiePath || '/')).slice(0, 4)
    const cookies = () => !cookiesOff && (cookieConsent || !cookieConsentAsked) && (consent || !consentAsked) && navigator.cookieEnabled !== false

    t.setCookieDomain = (domain) => { o.CookieDomain = domain.replace(/^\*/, '').replace(/\.$/, '') }
    t.deleteCookies = () => ['id', 'ses', 'ref', 'cvar'].forEach((name) => writeCookie(cookieName(name), '', 0))
    t.disableCookies = () => {
      cookiesOff = true
      if (given(o.SiteId)) t.deleteCookies()
    }
    t.enableCookies = () => { cookiesOff = false }
    t.areCookiesEnabled = cookies
    t.hasCookies = () => cookies() ? '1' : '0'
    t.getCookieName = cookieName

    const remember = (name) => (hours) => writeCookie(name, Date.now(), hours ? hours * 3600 : FOREVER)
    t.requireConsent = () => {
      consentAsked = true
      consent = consent || !!readCookie('mtm_consent')
    }
    t.setConsentGiven = () => {
      consent = true
      t.forgetUserOptOut()
      schedule()
    }
    t.rememberConsentGiven = (hours) => {
      t.setConsentGiven()
      remember('mtm_consent')(hours)
    }
    t.forgetConsentGiven = () => {
      consent = false
      writeCookie('mtm_consent', '', 0)
      t.optUserOut()
      t.deleteCookies()
    }
    t.getRememberedConsent = () => readCookie('mtm_consent')
    t.hasRememberedConsent = () => !!readCookie('mtm_consent')
    t.isConsentRequired = () => consentAsked
    t.hasConsent = () => consent || !consentAsked && !t.isUserOptedOut()
    t.requireCookieConsent = () => {
      cookieConsentAsked = true
      cookieConsent = cookieConsent || !!readCookie('mtm_cookie_consent')
    }
    t.setCookieConsentGiven = () => { cookieConsent = true }
    t.rememberCookieConsentGiven = (hours) => {
      cookieConsent = true
      remember('mtm_cookie_consent')(hours)
    }
    t.forgetCookieConsentGiven = () => {
      cookieConsentAsked = true
      cookieConsent = false
      writeCookie('mtm_cookie_consent', '', 0)
      t.deleteCookies()
    }
    t.getRememberedCookieConsent = () => readCookie('mtm_cookie_consent')
    t.optUserOut = () => {
      refused = true
      pending = []
      remember('mtm_consent_removed')()
    }
    t.forgetUserOptOut = () => {
      refused = false
      writeCookie('mtm_consent_removed', '', 0)
    }
    t.isUserOptedOut = () => refused || !!readCookie('mtm_consent_removed')

    let doNotTrack = false
    t.setDoNotTrack = (honour) => {
      doNotTrack = honour && (navigator.doNotTrack || window.doNotTrack) === '1'
      if (doNotTrack) t.deleteCookies()
    }

    // --- The visitor

    // As set, or made up before there was a cookie.
    let visitorId = ''
    let visitorSet = false
    let created = now()
    // Without cookies a visit is as long as the page.
    let visiting = false

    function loadVisitor () {
      if (!visitorSet && cookies()) {
        const [id, since] = readCookie(cookieName('id')).split('.')
        if (/^[0-9a-f]{16}$/.test(id)) {
          visitorId = id
          created = since || created
        }
      }
      return visitorId || (visitorId = random(8).map((b) => b.toString(16).padStart(2, '0')).join(''))
    }
    t.getVisitorId = loadVisitor
    t.setVisitorId = (id) => {
      if (!/^[0-9a-f]{16}$/i.test(id)) return warn('a visitor id is 16 hexadecimal digits')
      visitorId = id.toLowerCase()
      visitorSet = true
    }
    t.getVisitorInfo = () => [readCookie(cookieName('id')) ? '0' : '1', loadVisitor(), created]
    t.getUserId = () => o.UserId
    t.setUserId = (id) => { o.UserId = given(id) ? String(id) : '' }
    t.resetUserId = () => { o.UserId = '' }

    // attribution is the campaign or site that a conversion is owed to:
    // [name, keyword, seconds, referrer]. It is looked for when a visit begins.
    let attributed = ['', '', 0, '']
    function attribution () {
      if (cookies()) {
        const kept = attempt(() => JSON.parse(readCookie(cookieName('ref'))))
        if (Array.isArray(kept) && kept.length === 4) attributed = kept
      }
      return attributed
    }
    function beginVisit () {
      const running = visiting || cookies() && readCookie(cookieName('ses'))
      visiting = true
      if (running) return false
      const before = attribution()
      const name = parameter(location.href, list(o.CampaignNameKey))
      const from = referrer()
      const other = from && !isOwn(from) && !excludes(o.ExcludedReferrers, from)
      if (!name && !other || o.ConversionAttributionFirstReferrer && (before[0] || before[3])) return false
      attributed = [name, name && parameter(location.href, list(o.CampaignKeywordKey)), now(), other ? from.slice(0, 1024) : '']
      return !!name
    }
    t.getAttributionInfo = attribution
    t.getAttributionCampaignName = () => attribution()[0]
    t.getAttributionCampaignKeyword = () => attribution()[1]
    t.getAttributionReferrerTimestamp = () => attribution()[2]
    t.getAttributionReferrerUrl = () => attribution()[3]

    // --- Addresses

    const resolve = (url) => attempt(() => new URL(url, location.href).href, String(url))
    function currentUrl () {
      const [rest, ...hash] = (given(o.CustomUrl) ? resolve(o.CustomUrl) : location.href).split('#')
      const [path, query] = rest.split(/\?(.*)/s)
      const unwanted = list(o.ExcludedQueryParams)
      const kept = (query || '').split('&').filter((part) => part && !unwanted.includes(part.split('=')[0])).join('&')
      return path + (kept && '?' + kept) + (hash.length && !discardHash ? '#' + hash.join('#') : '')
    }
    const referrer = () => o.ReferrerUrl !== undefined ? String(o.ReferrerUrl) : document.referrer
    // excludes says whether a URL lies in one of the domains: "example.com",
    // "*.example.com" (itself and those below), either with a path behind it.
    function excludes (domains, url) {
      const u = attempt(() => new URL(url, location.href))
      return !!u && list(domains).some((domain) => {
        const [at, ...path] = String(domain).toLowerCase().replace(/^https?:\/\//, '').split('/').filter((part) => part !== '*' && part)
        const name = (at || '').replace(/:\d+$/, '')
        const below = name.replace(/^\*?\./, '')
        return (u.hostname === name || below !== name && (u.hostname === below || u.hostname.endsWith('.' + below))) &&
          (u.pathname.toLowerCase() + '/').startsWith(['', ...path, ''].join('/'))
      })
    }
    const isOwn = (url) => excludes([host].concat(list(o.Domains)), url)
    t.getCurrentUrl = currentUrl
    t.getTrackerUrl = () => o.TrackerUrl
    t.getSiteId = () => o.SiteId
    t.getMatomoUrl = t.getPiwikUrl = () => o.TrackerUrl.replace(/[^/]*$/, '')
    t.discardHashTag = (discard) => { discardHash = discard }
    t.appendToTrackingUrl = (text) => { extra = text }

    // --- Hits

    // query writes parameters; what is not given is left out. Half a character, as of a
    // text that was cut in the middle of one, cannot be encoded and is replaced.
    const encode = (v) => encodeURIComponent(String(v).replace(/[\ud800-\udfff]/gu, '\ufffd'))
    const query = (parameters) => Object.keys(parameters).filter((name) => given(parameters[name]))
      .map((name) => name + '=' + encode(parameters[name])).join('&')
    const json = (object) => Object.keys(object).length ? JSON.stringify(object) : ''

    // hit takes one call's parameters and adds what is true at the time of the call.
    // dimensions are values for this hit alone: {dimension3: 'x'}.
    function hit (parameters, dimensions, callback) {
      if (!o.TrackerUrl || !given(o.SiteId)) return warn('setTrackerUrl and setSiteId come first')
      if (doNotTrack || t.isUserOptedOut() || location.protocol === 'file:' && !t.files) return
      const time = new Date()
      const at = {
        idsite: o.SiteId, rec: 1, r: String(Math.random()).slice(2, 8),
        h: String(time.getHours()), m: String(time.getMinutes()), s: String(time.getSeconds()),
        url: currentUrl(), urlref: referrer(), uid: o.UserId, pv_id: o.PageViewId || pageView,
        _cvar: json(variables.visit), cvar: json(variables.page)
      }
      for (const id in custom) at['dimension' + id] = custom[id]
      for (const name in Object(dimensions)) if (/^dimension\d+$/.test(name)) at[name] = dimensions[name]
      if (features) {
        at.res = screen.width + 'x' + screen.height
        at.pdf = navigator.pdfViewerEnabled ? 1 : 0
        if (document.characterSet !== 'UTF-8') at.cs = document.characterSet
      }
      pending.push([Object.assign({}, parameters, at), callback])
      schedule()
    }

    // complete adds what may have been waited for, when a hit leaves.
    function complete (p) {
      if (cookies() || visitorSet) p._id = loadVisitor()
      if (!p.ping) {
        const campaign = beginVisit()
        if (campaign || p.idgoal !== undefined) {
          const [name, keyword, time, from] = attribution()
          Object.assign(p, { _rcn: name, _rck: keyword, _refts: time || '', _ref: from })
        }
      }
      if (cookies()) {
        writeCookie(cookieName('id'), visitorId + '.' + created + '.', created - now() + +o.VisitorCookieTimeout)
        writeCookie(cookieName('ses'), '1', o.SessionCookieTimeout)
        if (attributed[2]) writeCookie(cookieName('ref'), JSON.stringify(attributed), o.ReferralCookieTimeout)
      }
      if (features) {
        p.cookie = t.hasCookies()
        p.uadata = hints
      }
      return query(p) + (extra && '&' + extra.replace(/^[?&]/, ''))
    }

    const schedule = () => {
      if (!scheduled) {
        scheduled = true
        Promise.resolve().then(() => t.flush())
      }
    }
    // flush sends what is pending; now does not wait for client hints.
    t.flush = (atOnce) => {
      scheduled = false
      if (!pending.length || consentAsked && !consent || hinting && features && !atOnce || document.prerendering) return
      let hits = pending.map(([parameters, callback]) => [complete(parameters), callback])
      pending = []
      if (o.CustomRequestProcessing) {
        hits = hits.map(([text, callback]) => [attempt(() => o.CustomRequestProcessing(text), text), callback]).filter(([text]) => text)
      }
      lastSent = Date.now()
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
    // A page that goes away may not come back for what waits.
    const hurry = () => { if (document.hidden) t.flush(true) }
    on(document, 'visibilitychange', hurry)
    on(window, 'pagehide', () => t.flush(true))

    t.alwaysUseSendBeacon = () => { beacons = true }
    t.disableAlwaysUseSendBeacon = () => { beacons = false }
    t.disableBrowserFeatureDetection = () => { features = false }
    t.enableBrowserFeatureDetection = () => { features = true }
    t.disablePerformanceTracking = () => { timing = false }
    t.enableFileTracking = () => { t.files = true }
    t.trackRequest = (text, dimensions, callback) => {
      const parameters = {}
      String(text).replace(/^\?/, '').split('&').forEach((part) => {
        const [name, value] = part.split(/=(.*)/s)
        if (value) parameters[name] = attempt(() => decodeURIComponent(value.replace(/\+/g, ' ')), value)
      })
      hit(parameters, dimensions, callback)
    }

    // --- What a page reports

    t.setPagePerformanceTiming = (...ms) => { timings = ms }
    function performanceOf () {
      const names = ['pf_net', 'pf_srv', 'pf_tfr', 'pf_dm1', 'pf_dm2', 'pf_onl']
      let ms = timings
      const entry = !ms && timing && !pageViews && window.performance && performance.getEntriesByType && performance.getEntriesByType('navigation')[0]
      if (entry) {
        const span = (end, start) => end > 0 && end >= start ? end - start : undefined
        ms = [span(entry.connectEnd, entry.fetchStart), span(entry.responseStart, entry.requestStart), span(entry.responseEnd, entry.responseStart),
          span(entry.domInteractive, entry.responseEnd), span(entry.domComplete, entry.domInteractive), span(entry.loadEventEnd, entry.loadEventStart)]
      }
      timings = undefined
      const out = {}
      if (ms) names.forEach((name, i) => { if (number(ms[i])) out[name] = String(Math.round(ms[i])) })
      return out
    }
    t.trackPageView = (title, dimensions, callback) => {
      pageView = random(6).map((b) => 'abcdefghijklmnopqrstuvwxyz012345'[b % 32]).join('')
      seen.clear()
      const name = [title, o.DocumentTitle, document.title].find(given)
      hit(Object.assign({ action_name: name && (name.text || name) }, product, performanceOf()), dimensions, callback)
      product = {}
      pageViews++
    }
    t.getPageViewId = () => o.PageViewId || pageView
    t.getNumTrackedPageViews = () => pageViews
    t.ping = () => hit({ ping: 1 })

    t.trackEvent = (category, action, name, value, dimensions, callback) => {
      if (!given(category) || !given(action)) return warn('an event has a category and an action')
      hit({ e_c: category, e_a: action, e_n: name, e_v: number(value) ? String(value) : '', ca: 1 }, dimensions, callback)
    }
    t.trackSiteSearch = (keyword, category, count, dimensions) => {
      hit({ search: keyword, search_cat: category, search_count: number(count) ? String(count) : '' }, dimensions)
    }
    t.trackGoal = (id, revenue, dimensions, callback) => hit({ idgoal: id, revenue: number(revenue) ? String(revenue) : '' }, dimensions, callback)
    t.trackLink = (url, type, dimensions, callback) => hit({ [type === 'download' ? type : 'link']: resolve(url) }, dimensions, callback)

    t.setCustomDimension = (id, value) => { custom[id] = value }
    t.getCustomDimension = (id) => custom[id]
    t.deleteCustomDimension = (id) => { delete custom[id] }
    const scoped = (scope) => variables[scope === 'page' || scope === 3 ? 'page' : 'visit']
    t.setCustomVariable = (index, name, value, scope) => { scoped(scope)[index] = [String(name), String(given(value) ? value : '')] }
    t.getCustomVariable = (index, scope) => scoped(scope)[index] || false
    t.deleteCustomVariable = (index, scope) => { delete scoped(scope)[index] }
    t.deleteCustomVariables = (scope) => { for (const index in scoped(scope)) delete scoped(scope)[index] }

    t.setEcommerceView = (sku, name, category, price) => {
      product = { _pks: sku, _pkn: name, _pkc: Array.isArray(category) ? JSON.stringify(category) : category, _pkp: number(price) ? String(price) : '' }
    }
    t.addEcommerceItem = (sku, name, category, price, quantity) => {
      if (given(sku)) items.set(String(sku), [String(sku), name || '', category || '', price || 0, quantity || 1])
    }
    t.removeEcommerceItem = (sku) => { items.delete(String(sku)) }
    t.clearEcommerceCart = () => items.clear()
    t.getEcommerceItems = () => {
      const out = {}
      items.forEach((item, sku) => { out[sku] = item.slice() })
      return out
    }
    const sale = (parameters, amounts) => {
      for (const name in amounts) parameters[name] = number(amounts[name]) ? String(amounts[name]) : ''
      hit(Object.assign({ idgoal: '0', ec_items: JSON.stringify([...items.values()]) }, parameters))
    }
    t.trackEcommerceCartUpdate = (total) => sale({}, { revenue: total })
    t.trackEcommerceOrder = (id, total, subtotal, tax, shipping, discount) => {
      if (!given(id)) return warn('an order has an id')
      sale({ ec_id: id }, { revenue: total, ec_st: subtotal, ec_tx: tax, ec_sh: shipping, ec_dt: discount })
      items.clear()
    }

    // --- Clicks: outlinks, downloads, content

    const extensions = (f) => (v) => { o.DownloadExtensions = f(Array.isArray(v) ? v : String(v).split('|')) }
    t.setDownloadExtensions = extensions((v) => v)
    t.addDownloadExtensions = extensions((v) => o.DownloadExtensions.concat(v))
    t.removeDownloadExtensions = extensions((v) => o.DownloadExtensions.filter((one) => !v.includes(one)))

    const hasClass = (element, own, kind) => ['matomo_' + kind, 'piwik_' + kind].concat(list(own)).some((name) => element.classList.contains(name))
    // linkType is how a link counts: download, link (one that leads away) or "".
    function linkType (a) {
      if (typeof a.href !== 'string' || hasClass(a, o.IgnoreClasses, 'ignore')) return ''
      const u = attempt(() => new URL(a.href))
      if (!u || !/^(https?|ftp):$/.test(u.protocol)) return ''
      if (hasClass(a, o.LinkClasses, 'link')) return 'link'
      const extension = (u.pathname + u.search).match(/\.([a-z0-9]+)(?=$|[?&])/gi) || []
      const file = extension.some((e) => o.DownloadExtensions.includes(e.slice(1).toLowerCase()))
      if (file || a.hasAttribute('download') || hasClass(a, o.DownloadClasses, 'download')) return 'download'
      return isOwn(u.href) ? '' : 'link'
    }
    const clicked = (f) => on(document, 'click auxclick', (e) => {
      const target = e.composedPath ? e.composedPath()[0] : e.target
      const element = target.nodeType === 1 ? target : target.parentElement
      if (element && !(e.type === 'auxclick' && e.button !== 1)) f(element)
    }, true)

    let linksAsked = false
    t.enableLinkTracking = () => {
      if (linksAsked) return
      linksAsked = true
      clicked((element) => {
        const a = element.closest('a[href],area[href]')
        const type = a && linkType(a)
        if (type) t.trackLink(a.href, type)
      })
    }

    // A content block is marked by a class or attribute; its name, piece and target
    // stand on itself or on an element in it.
    const mark = (kind) => '[data-content-' + kind + '],.matomoContent' + kind[0].toUpperCase() + kind.slice(1) + ',.piwikContent' + kind[0].toUpperCase() + kind.slice(1)
    const BLOCK = '[data-track-content],.matomoTrackContent,.piwikTrackContent'
    // Impressions of this page view.
    const seen = new Set()
    let contentAsked = false

    const within = (block, selector) => block.matches(selector) ? block : block.querySelector(selector)
    const address = (e) => e && (e.currentSrc || e.src || e.href) || ''
    const trimmed = (text) => (text || '').trim()
    function content (block) {
      const read = (kind, otherwise) => {
        const e = within(block, mark(kind))
        return e && trimmed(e.getAttribute('data-content-' + kind)) || trimmed(otherwise(e))
      }
      const piece = read('piece', (e) => e ? address(e) || e.textContent : address(within(block, 'img,video,audio')))
      const target = read('target', (e) => address(e) || address(within(block, 'a[href]')))
      const name = read('name', () => piece || block.title || target)
      return { c_n: name || 'Unknown', c_p: piece || 'Unknown', c_t: target }
    }
    function impressions (blocks) {
      watchContent()
      blocks.forEach((block) => {
        const c = content(block)
        const key = JSON.stringify(c)
        if (seen.has(key)) return
        seen.add(key)
        hit(Object.assign(c, { ca: 1 }))
      })
    }
    function watchContent () {
      if (contentAsked) return
      contentAsked = true
      clicked((element) => {
        const block = element.closest(BLOCK)
        if (!block || element.closest('[data-content-ignoreinteraction],.matomoContentIgnoreInteraction,.piwikContentIgnoreInteraction')) return
        if (within(block, mark('target')) && !element.closest(mark('target'))) return
        t.trackContentInteractionNode(element)
      })
    }
    const blocksIn = (root) => [...root.querySelectorAll(BLOCK)].concat(root.matches && root.matches(BLOCK) ? [root] : [])
    t.trackAllContentImpressions = () => ready(() => impressions(blocksIn(document)))
    t.trackContentImpressionsWithinNode = (node) => ready(() => { if (node) impressions(blocksIn(node)) })
    t.trackVisibleContentImpressions = () => ready(() => {
      if (!window.IntersectionObserver) return impressions(blocksIn(document))
      watchContent()
      const observer = new IntersectionObserver((entries) => entries.forEach((entry) => {
        if (!entry.isIntersecting) return
        observer.unobserve(entry.target)
        impressions([entry.target])
      }))
      blocksIn(document).forEach((block) => observer.observe(block))
    })
    t.trackContentImpression = (name, piece, target) => { if (given(name)) hit({ c_n: name, c_p: piece || 'Unknown', c_t: target, ca: 1 }) }
    t.trackContentInteraction = (interaction, name, piece, target) => {
      if (given(interaction) && given(name)) hit({ c_i: interaction, c_n: name, c_p: piece || 'Unknown', c_t: target, ca: 1 })
    }
    t.trackContentInteractionNode = (node, interaction) => {
      const block = node && node.closest && node.closest(BLOCK)
      if (block) hit(Object.assign(content(block), { c_i: interaction || 'click', ca: 1 }))
    }

    // --- Time on the page, errors

    // How long a look must last to be told, in ms; 0 = no heart beat.
    let least = 0
    let beating = false
    t.disableHeartBeatTimer = () => { least = 0 }
    t.enableHeartBeatTimer = (seconds) => {
      least = Math.max(seconds || 15, PING_SECONDS_MIN) * 1000
      if (beating) return
      beating = true
      // Since when somebody looks at the page, in ms; 0 = nobody does.
      let since = document.hasFocus() ? Date.now() : 0
      const beat = (after) => { if (least && lastSent && since && Date.now() - Math.max(since, lastSent) >= after) t.ping() }
      on(window, 'focus', () => { since = since || Date.now() })
      const leave = () => {
        beat(least)
        since = 0
      }
      on(window, 'blur', leave)
      on(window, 'pagehide', () => {
        leave()
        t.flush(true)
      })
      on(document, 'visibilitychange', () => document.hidden ? leave() : since = since || Date.now())
      setInterval(() => beat(PING_SECONDS_MAX * 1000), MINUTE * 1000)
    }

    let errorsOn = false
    t.enableJSErrorTracking = () => {
      if (errorsOn) return
      errorsOn = true
      const reported = new Set()
      on(window, 'error', (e) => {
        const where = e.filename + ':' + e.lineno + ':' + e.colno
        if (!e.message || reported.has(where + e.message) || reported.size > 50) return
        reported.add(where + e.message)
        t.trackEvent('JavaScript Errors', where, e.message)
      })
    }

    // What trackers of other makes do and this one has no need of.
    'addListener setLinkTrackingTimer setAPIUrl setApiUrl setCountPreRendered setGenerationTimeMs setCustomData storeCustomVariablesInCookie killFrame'
      .split(' ').forEach((name) => { t[name] = () => {} })

    trackers.push(t)
  }

  // --- The queue and the globals

  // What a queue says about how to track holds for everything in it, wherever it
  // stands: first where to send to, then other trackers, then the rest of this.
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
  // configured is the first tracker, unless it already has a site of its own.
  function configured (url, site) {
    const t = shared[0]
    if (given(t.getSiteId()) || !given(site)) return
    if (url) t.setTrackerUrl(url)
    t.setSiteId(site)
    return t
  }
  function call ([name, ...args]) {
    if (name === 'addTracker') return addTracker(...args)
    // A tracker that was added has its own address and site.
    const those = WHERE.test(name) ? shared.slice(0, 1) : shared
    those.forEach((t) => {
      const f = typeof name === 'function' ? name : t[name]
      if (f) run(f, t, args)
      else warn(name + ' is not among its calls')
    })
  }
  // callsOf are the calls of what was pushed: a call, a function or several calls.
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
  window.Matomo = window.Piwik = Matomo

  shared.push(new Tracker())
  ;['matomoAsyncInit', 'piwikAsyncInit', 'matomoPluginAsyncInit', 'piwikPluginAsyncInit'].forEach((name) => list(window[name]).forEach((f) => run(f, Matomo, [])))
  const queue = [].concat(...(Array.isArray(window._paq) ? window._paq : []).map(callsOf))
  window._paq = { push }
  queue.sort((a, b) => rank(a) - rank(b)).forEach(call)
  Matomo.trigger('MatomoInitialized', [])
})(window, document, navigator, location)
