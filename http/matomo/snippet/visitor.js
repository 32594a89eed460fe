// Who the visitor is, and where the visit comes from.

function visitors (c) {
  const { t, o } = c
  // The id that the page set, that a cookie kept or that the tracker made.
  let visitorId = ''
  let visitorSet = false
  let created = now()
  // Without cookies a visit lasts as long as the page.
  let visiting = false

  function loadVisitor () {
    if (!visitorSet && c.cookies()) {
      const [id, since] = c.readCookie(c.cookieName('id')).split('.')
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
  t.getVisitorInfo = () => [c.readCookie(c.cookieName('id')) ? '0' : '1', loadVisitor(), created]
  t.getUserId = () => o.UserId
  t.setUserId = (id) => { o.UserId = given(id) ? String(id) : '' }
  t.resetUserId = () => { o.UserId = '' }

  // attribution returns the campaign or site that led to a conversion:
  // [name, keyword, seconds, referrer]. It is determined when a visit begins.
  let attributed = ['', '', 0, '']
  function attribution () {
    if (c.cookies()) {
      const kept = attempt(() => JSON.parse(c.readCookie(c.cookieName('ref'))))
      if (Array.isArray(kept) && kept.length === 4) attributed = kept
    }
    return attributed
  }
  // beginVisit says whether this hit begins a visit that comes from a campaign.
  function beginVisit () {
    const running = visiting || c.cookies() && c.readCookie(c.cookieName('ses'))
    visiting = true
    if (running) return false
    const before = attribution()
    const name = parameter(location.href, list(o.CampaignNameKey))
    const from = c.referrer()
    const other = from && !c.isOwn(from) && !c.lies(o.ExcludedReferrers, from)
    if (!name && !other || o.ConversionAttributionFirstReferrer && (before[0] || before[3])) return false
    attributed = [name, name && parameter(location.href, list(o.CampaignKeywordKey)), now(), other ? from.slice(0, 1024) : '']
    return !!name
  }
  t.getAttributionInfo = attribution
  t.getAttributionCampaignName = () => attribution()[0]
  t.getAttributionCampaignKeyword = () => attribution()[1]
  t.getAttributionReferrerTimestamp = () => attribution()[2]
  t.getAttributionReferrerUrl = () => attribution()[3]

  // identify adds the visitor to a hit that is sent. To a conversion, and to the first hit
  // of a visit from a campaign, it also adds the attribution. Then it keeps both in cookies.
  c.identify = (hit) => {
    if (c.cookies() || visitorSet) hit._id = loadVisitor()
    if (!hit.ping && (beginVisit() || hit.idgoal)) {
      const [name, keyword, time, from] = attribution().map((v) => given(v) && v !== 0 ? String(v) : '')
      Object.assign(hit, { _rcn: name, _rck: keyword, _refts: time, _ref: from })
    }
    if (c.cookies()) {
      c.writeCookie(c.cookieName('id'), visitorId + '.' + created + '.', created - now() + +o.VisitorCookieTimeout)
      c.writeCookie(c.cookieName('ses'), '1', o.SessionCookieTimeout)
      if (attributed[2]) c.writeCookie(c.cookieName('ref'), JSON.stringify(attributed), o.ReferralCookieTimeout)
    }
  }
}
