// Addresses: the address of the page, its referrer, and whether an address is the site's own.

const CAMPAIGN_NAMES = 'pk_cpn pk_campaign piwik_campaign mtm_campaign matomo_campaign utm_campaign utm_source utm_medium'.split(' ')
const CAMPAIGN_KEYWORDS = 'pk_kwd pk_keyword piwik_kwd mtm_kwd mtm_keyword matomo_kwd utm_term'.split(' ')

// parameter returns the value of the first of names that is in the query or fragment of a URL.
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

function addresses (c) {
  const { t, o } = c
  let discardHash = false

  // resolve returns the absolute form of a URL.
  c.resolve = (url) => attempt(() => new URL(url, location.href).href, String(url))
  t.getCurrentUrl = () => {
    const [rest, ...hash] = (given(o.CustomUrl) ? c.resolve(o.CustomUrl) : location.href).split('#')
    const [path, query] = rest.split(/\?(.*)/s)
    const unwanted = list(o.ExcludedQueryParams)
    const kept = (query || '').split('&').filter((part) => part && !unwanted.includes(part.split('=')[0])).join('&')
    return path + (kept && '?' + kept) + (hash.length && !discardHash ? '#' + hash.join('#') : '')
  }
  // referrer returns the address of the page that led to this one.
  c.referrer = () => o.ReferrerUrl !== undefined ? String(o.ReferrerUrl) : document.referrer
  // lies says whether a URL belongs to one of the domains. A domain is "example.com" or
  // "*.example.com" (with its subdomains). A path may follow it.
  c.lies = (domains, url) => {
    const u = attempt(() => new URL(url, location.href))
    return !!u && list(domains).some((domain) => {
      const [at, ...path] = String(domain).toLowerCase().replace(/^https?:\/\//, '').split('/').filter((part) => part !== '*' && part)
      const name = (at || '').replace(/:\d+$/, '')
      const below = name.replace(/^\*?\./, '')
      return (u.hostname === name || below !== name && (u.hostname === below || u.hostname.endsWith('.' + below))) &&
        (u.pathname.toLowerCase() + '/').startsWith(['', ...path, ''].join('/'))
    })
  }
  c.isOwn = (url) => c.lies([host].concat(list(o.Domains)), url)
  t.getTrackerUrl = () => o.TrackerUrl
  t.getSiteId = () => o.SiteId
  t.getMatomoUrl = t.getPiwikUrl = () => o.TrackerUrl.replace(/[^/]*$/, '')
  t.discardHashTag = (discard) => { discardHash = discard }
}
