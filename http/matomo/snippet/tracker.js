// A tracker: an address, a site, and its calls.

// All trackers of the page.
const trackers = []

function Tracker (trackerUrl, siteId) {
  // t has the calls that pages make. o has the values of the setters below, by the name
  // after "set". All parts share c, which has t, o and what each part gives the others.
  const t = this
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
  // Calls of Matomo's own tracker that this one does not need.
  'addListener setLinkTrackingTimer setAPIUrl setApiUrl setCountPreRendered setGenerationTimeMs setCustomData storeCustomVariablesInCookie killFrame'
    .split(' ').forEach((name) => { t[name] = () => {} })

  const c = { t, o }
  for (const part of [addresses, consents, visitors, hits, reports, clicks, contents, presence]) part(c)
  trackers.push(t)
}
