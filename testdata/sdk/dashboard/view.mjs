// What the browser loads for the first view of the overview, and when it paints. Only the bytes
// and the count of requests are held; times are printed.
import { check, login, open, run, server, settled, site } from './lib.mjs'

const bytesMax = 47_000, requestsMax = 3

await run(async browser => {
  const context = await open(browser)
  const page = await login(context, process.env.SECRET_KEY)
  await page.goto(site + '?range=30d')
  await settled(page) // the answers are kept for some seconds now
  for (const round of ['cold cache of the browser', 'kept']) {
    const fresh = await context.newPage()
    const cdp = await context.newCDPSession(fresh)
    await cdp.send('Network.enable')
    if (round !== 'kept') await cdp.send('Network.clearBrowserCache')
    const sizes = new Map(), urls = new Map()
    cdp.on('Network.responseReceived', e => { if (e.response.url.startsWith(server) && e.type !== 'Other') urls.set(e.requestId, e.response.url) })
    cdp.on('Network.loadingFinished', e => sizes.set(e.requestId, e.encodedDataLength))
    await fresh.goto(site, { waitUntil: 'load' })
    await settled(fresh)
    const icon = [...urls].filter(([, url]) => url.endsWith('.svg')).map(([id]) => id)
    const ids = [...urls.keys()].filter(id => !icon.includes(id))
    const bytes = ids.reduce((sum, id) => sum + (sizes.get(id) || 0), 0)
    const paint = await (await fresh.waitForFunction(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime)).jsonValue()
    const panels = await fresh.evaluate(() => performance.getEntriesByType('resource').filter(r => r.name.includes('_panel=')).length)
    console.log(`${round}: ${ids.length} requests, ${bytes} bytes with headers (${ids.map(id => new URL(urls.get(id)).pathname.replace(/.*\//, '') + ' ' + sizes.get(id)).join(', ')}), first paint ${Math.round(paint)} ms, ${panels} panels came later`)
    // Panels that came later are the store's time, not the view's size.
    check(ids.length - panels <= requestsMax, round, 'requests', ids.map(id => urls.get(id)))
    check(bytes <= bytesMax, round, 'bytes', bytes)
    await fresh.close()
  }
})
