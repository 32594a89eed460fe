// What the tracker may keep in the browser and send: cookies, consent, opting out.

// sha1 returns the SHA-1 of a short ASCII text in hex. The name of an id cookie ends
// with four of its digits, as in Matomo's own tracker: a site that changes to cairn
// keeps its visitors.
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

function consents (c) {
  const { t, o } = c

  // --- Cookies

  let cookiesOff = false
  let cookieConsentAsked = false
  let cookieConsent = false
  c.readCookie = (name) => {
    const found = ('; ' + document.cookie).split('; ' + name + '=')[1]
    return found === undefined ? '' : attempt(() => decodeURIComponent(found.split(';')[0]), '')
  }
  c.writeCookie = (name, value, seconds) => {
    document.cookie = name + '=' + encodeURIComponent(value) + '; max-age=' + Math.round(seconds) + '; path=' + (o.CookiePath || '/') +
      (o.CookieDomain ? '; domain=' + o.CookieDomain : '') + (o.SecureCookie ? '; secure' : '') + (o.CookieSameSite ? '; samesite=' + o.CookieSameSite : '')
  }
  c.cookieName = (name) => o.CookieNamePrefix + name + '.' + o.SiteId + '.' + sha1((o.CookieDomain || host) + (o.CookiePath || '/')).slice(0, 4)
  // cookies says whether the tracker may set cookies. It keeps the visitor's choice about
  // consent in any case.
  c.cookies = () => !cookiesOff && (cookieConsent || !cookieConsentAsked) && !c.waits() && navigator.cookieEnabled !== false

  t.setCookieDomain = (domain) => { o.CookieDomain = domain.replace(/^\*/, '').replace(/\.$/, '') }
  t.deleteCookies = () => ['id', 'ses', 'ref', 'cvar'].forEach((name) => c.writeCookie(c.cookieName(name), '', 0))
  t.disableCookies = () => {
    cookiesOff = true
    if (given(o.SiteId)) t.deleteCookies()
  }
  t.enableCookies = () => { cookiesOff = false }
  t.areCookiesEnabled = c.cookies
  t.hasCookies = () => c.cookies() ? '1' : '0'
  t.getCookieName = c.cookieName

  // --- Consent

  let consentAsked = false
  let consent = false
  // The visitor opted out in this page. This works without cookies too.
  let refused = false
  let doNotTrack = false

  const remember = (name) => (hours) => c.writeCookie(name, Date.now(), hours ? hours * 3600 : FOREVER)
  t.requireConsent = () => {
    consentAsked = true
    consent = consent || !!c.readCookie('mtm_consent')
  }
  t.setConsentGiven = () => {
    consent = true
    t.forgetUserOptOut()
    c.schedule()
  }
  t.rememberConsentGiven = (hours) => {
    t.setConsentGiven()
    remember('mtm_consent')(hours)
  }
  t.forgetConsentGiven = () => {
    consent = false
    c.writeCookie('mtm_consent', '', 0)
    t.optUserOut()
    t.deleteCookies()
  }
  t.getRememberedConsent = () => c.readCookie('mtm_consent')
  t.hasRememberedConsent = () => !!c.readCookie('mtm_consent')
  t.isConsentRequired = () => consentAsked
  t.hasConsent = () => consent || !consentAsked && !t.isUserOptedOut()
  t.requireCookieConsent = () => {
    cookieConsentAsked = true
    cookieConsent = cookieConsent || !!c.readCookie('mtm_cookie_consent')
  }
  t.setCookieConsentGiven = () => { cookieConsent = true }
  t.rememberCookieConsentGiven = (hours) => {
    cookieConsent = true
    remember('mtm_cookie_consent')(hours)
  }
  t.forgetCookieConsentGiven = () => {
    cookieConsentAsked = true
    cookieConsent = false
    c.writeCookie('mtm_cookie_consent', '', 0)
    t.deleteCookies()
  }
  t.getRememberedCookieConsent = () => c.readCookie('mtm_cookie_consent')
  t.optUserOut = () => {
    refused = true
    c.drop()
    remember('mtm_consent_removed')()
  }
  t.forgetUserOptOut = () => {
    refused = false
    c.writeCookie('mtm_consent_removed', '', 0)
  }
  t.isUserOptedOut = () => refused || !!c.readCookie('mtm_consent_removed')

  t.setDoNotTrack = (honour) => {
    doNotTrack = honour && (navigator.doNotTrack || window.doNotTrack) === '1'
    if (doNotTrack) t.deleteCookies()
  }

  // mayTrack says whether hits are allowed at all.
  c.mayTrack = () => !doNotTrack && !t.isUserOptedOut()
  // waits says whether hits wait for consent.
  c.waits = () => consentAsked && !consent
}
