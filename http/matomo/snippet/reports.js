// What a page reports with calls: page views, events, searches, goals, orders.

function reports (c) {
  const { t, o } = c
  const amount = (v) => number(v) ? v : ''
  let timing = true
  let pageViews = 0
  // The product that setEcommerceView sets for the next page view.
  let product = {}
  // The cart by SKU.
  const items = new Map()
  // The id that the hits of a page view share.
  let pageView = ''
  // The times that setPagePerformanceTiming sets for the next page view.
  let timings

  t.disablePerformanceTracking = () => { timing = false }
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
    if (ms) names.forEach((name, i) => { if (number(ms[i])) out[name] = Math.round(ms[i]) })
    return out
  }
  t.trackPageView = (title, dimensions, callback) => {
    pageView = random(6).map((b) => 'abcdefghijklmnopqrstuvwxyz012345'[b % 32]).join('')
    c.forgetContent()
    const name = [title, o.DocumentTitle, document.title].find(given)
    c.hit(Object.assign({ action_name: name && (name.text || name) }, product, performanceOf()), dimensions, callback)
    product = {}
    pageViews++
  }
  t.getPageViewId = () => o.PageViewId || pageView
  t.getNumTrackedPageViews = () => pageViews
  t.ping = () => c.hit({ ping: 1 })

  t.trackEvent = (category, action, name, value, dimensions, callback) => {
    if (!given(category) || !given(action)) return warn('an event has a category and an action')
    c.hit({ e_c: category, e_a: action, e_n: name, e_v: amount(value), ca: 1 }, dimensions, callback)
  }
  t.trackSiteSearch = (keyword, category, count, dimensions) => {
    c.hit({ search: keyword, search_cat: category, search_count: amount(count) }, dimensions)
  }
  t.trackGoal = (id, revenue, dimensions, callback) => c.hit({ idgoal: id, revenue: amount(revenue) }, dimensions, callback)
  t.trackLink = (url, type, dimensions, callback) => c.hit({ [type === 'download' ? type : 'link']: c.resolve(url) }, dimensions, callback)

  t.setEcommerceView = (sku, name, category, price) => {
    product = { _pks: sku, _pkn: name, _pkc: Array.isArray(category) ? JSON.stringify(category) : category, _pkp: amount(price) }
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
    for (const name in amounts) parameters[name] = amount(amounts[name])
    c.hit(Object.assign({ idgoal: 0, ec_items: JSON.stringify([...items.values()]) }, parameters))
  }
  t.trackEcommerceCartUpdate = (total) => sale({}, { revenue: total })
  t.trackEcommerceOrder = (id, total, subtotal, tax, shipping, discount) => {
    if (!given(id)) return warn('an order has an id')
    sale({ ec_id: id }, { revenue: total, ec_st: subtotal, ec_tx: tax, ec_sh: shipping, ec_dt: discount })
    items.clear()
  }
}
