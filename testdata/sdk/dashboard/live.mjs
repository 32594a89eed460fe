// Now, and the way from an event to its person, to the visit, and back: new lines do not move what
// is looked at, and a stream that breaks off goes on where it was.
import { ask, check, follow, login, open, run, same, server, settled, site } from './lib.mjs'

const env = process.env
let sent = 0

/** Sends so many events, each with a name of its own. */
async function send (n) {
  const events = Array.from({ length: n }, () => {
    sent++
    return { type: sent % 3 ? 'page' : 'track', name: 'live-' + sent, anonymous: 'person ' + sent % 7, context: { path: '/p' + sent % 5, country: ['DE', 'US', 'JP'][sent % 3] } }
  })
  const post = () => fetch(server + '/api/v1/events', { method: 'POST', body: JSON.stringify(events), headers: { Authorization: 'Bearer ' + env.SECRET_KEY, 'Content-Type': 'application/json' } })
  const res = await post().catch(post) // a connection that was kept may be gone after a restart
  check(res.ok, 'events are answered', res.status)
}

const names = page => page.$$eval('ol.lines li .say bdi', all => all.map(b => b.textContent))
const newest = page => page.waitForFunction(name => document.querySelector('ol.lines li .say bdi')?.textContent === name, 'live-' + sent)
const waiting = (page, n) => page.waitForFunction(n => { const b = document.getElementById('fresh'); return !b.hidden && b.textContent === n + ' new' }, n)
const place = (page, n) => page.$eval(`ol.lines li:nth-child(${n})`, li => [li.textContent, li.getBoundingClientRect().top])

async function live (browser) {
  const context = await open(browser, { expected: /ERR_|status of 50/ }) // while the server is away
  await send(60)
  const page = await login(context, env.SECRET_KEY, new URL(site).pathname + '/live?range=7d')
  same((await names(page))[0], 'live-60', 'the first state has the newest event')
  await send(5)
  await newest(page)
  await page.waitForFunction(() => document.querySelector('[data-n=visitors]').textContent === '7')
  same(await page.$$eval('[data-top=countries] li:not([hidden]) bdi', all => all.map(b => b.textContent).sort()), ['Germany', 'Japan', 'United States'], 'countries of now')

  await page.hover('ol.lines li:nth-child(6)')
  let before = await place(page, 6)
  await send(30)
  await waiting(page, 30)
  same(await place(page, 6), before, 'a line that is pointed at stays')
  await page.keyboard.press('n')
  await newest(page)

  await page.mouse.move(600, 5)
  await page.evaluate(() => scrollTo(0, document.querySelector('ol.lines').getBoundingClientRect().top + 300))
  before = await place(page, 20)
  await send(20)
  await waiting(page, 20)
  same(await place(page, 20), before, 'a list that is scrolled into stays')
  await page.click('#fresh')
  await newest(page)

  await page.evaluate(() => scrollTo(0, 0))
  await page.focus('ol.lines li:nth-child(3) a')
  await send(3)
  await waiting(page, 3)
  await page.focus('#pause')
  await newest(page)
  await page.click('#pause')
  await send(4)
  await waiting(page, 4)
  await page.click('#pause')
  await newest(page)

  await ask('restart')
  await send(10)
  await newest(page)
  same(await names(page), Array.from({ length: sent }, (_, i) => 'live-' + (sent - i)).slice(0, (await names(page)).length), 'each event once, in its order, after the server came back')
  check((await names(page)).length >= 60, 'the list keeps its lines')
  await send(600)
  await page.waitForSelector('ol.lines .gone') // no more than 50 a second are told one by one
  check(await page.locator('ol.lines li').count() <= 500, 'the list keeps 500 lines')

  await heap(page)

  await follow(page, 'ol.lines li:last-child a')
  await page.waitForSelector('.p-event .facts')
  const event = page.url()
  await follow(page, '.p-event .facts a') // its person
  check(/\/people\/person%20\d/.test(page.url()), 'the person of an event is at', page.url())
  await follow(page, 'ol.visits > li > a')
  await follow(page, '.p-story .story ~ footer a') // the whole visit
  await page.waitForSelector('.p-visit .story')
  await page.goBack()
  await page.waitForSelector('.p-person')
  await page.goto(event)
  await settled(page)
  await page.locator('.tree tr', { hasText: 'country' }).hover()
  await follow(page, '.tree tr:has(th[title=country]) a[aria-label^="Events with this"]')
  check(/[?&]country=[A-Z]{2}(&|$)/.test(page.url()), 'a filter of a field leads to', page.url())
  check(await page.locator('table.events tbody tr').count() > 0, 'the filter finds events')
  await context.close()
}

/**
 * Prints what the page keeps after many events. This is an hour shortened to 3,000 events as fast as
 * they are shown: the list has long had its 500 lines by then, so that only a leak would grow.
 */
async function heap (page) {
  const cdp = await page.context().newCDPSession(page)
  const used = async () => {
    await cdp.send('HeapProfiler.collectGarbage')
    return (await cdp.send('Runtime.getHeapUsage')).usedSize / 1e6
  }
  const before = await used()
  for (let i = 0; i < 60; i++) {
    await page.$eval('ol.lines li', li => { li.setAttribute('data-seen', '') })
    await send(50)
    await page.waitForSelector('ol.lines li:first-child:not([data-seen])') // fifty a second are told one by one, the others by their count
  }
  console.log(`JS heap with 500 lines: ${before.toFixed(1)} MB, after 3,000 more events: ${(await used()).toFixed(1)} MB (goal 40 after an hour)`)
  await cdp.detach()
}

run(live)
