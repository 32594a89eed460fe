// What the browser loads for the first view of the overview, when it paints, and how soon a key is
// seen. Only the bytes and the count of requests are held; times are printed.
import { check, login, open, run, server, settled, site } from './lib.mjs'

const bytesMax = 47_000, requestsMax = 3
const rounds = 5
const list = ms => { const s = ms.map(Math.round).sort((a, b) => a - b); return `median ${s[s.length >> 1]} ms of ${s.join(', ')}` }

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
  await times(context)
})

/** When numbers are first on the screen, and how soon after a key its frame is drawn. */
async function times (context) {
  const page = await context.newPage()
  await page.addInitScript(() => {
    const look = new MutationObserver(() => {
      if (!document.querySelector('.tiles b')) return
      look.disconnect()
      requestAnimationFrame(() => setTimeout(() => { window.numbersAt = performance.now() }))
    })
    look.observe(document, { childList: true, subtree: true })
  })
  const first = async address => {
    await page.goto(address)
    const at = await (await page.waitForFunction(() => window.numbersAt)).jsonValue()
    await settled(page)
    return at
  }
  const kept = [], cold = []
  await first(site + '?range=7d')
  for (let i = 0; i < rounds; i++) kept.push(await first(site + '?range=7d'))
  for (let i = 0; i < rounds; i++) cold.push(await first(`${site}?range=7d&path!=/no-such-page-${i}`)) // nobody has asked that
  console.log(`first paint with numbers, 7 days, kept: ${list(kept)} (goal 200)`)
  console.log(`first paint with numbers, 7 days, cold: ${list(cold)} (goal 400)`)

  await page.evaluate(() => addEventListener('keydown', e => requestAnimationFrame(() => setTimeout(() => { window.drawn.push(performance.now() - e.timeStamp) })), { capture: true }))
  const keys = []
  for (const [focus, key] of [['.chart-plot', 'ArrowRight'], ['nav.screens a', 'f']]) {
    await page.locator(focus).first().focus()
    for (let i = 0; i < rounds; i++) {
      await page.evaluate(() => { window.drawn = [] })
      await page.keyboard.press(key)
      keys.push(await (await page.waitForFunction(() => window.drawn[0])).jsonValue())
      if (key === 'f') await page.keyboard.press('Escape')
    }
  }
  console.log(`key press to drawn frame: ${list(keys)} (goal 50)`)
  await page.close()
}
