// What the page does when its server is killed, busy, or changes the key that let it in. The test
// kills and starts the server when it is asked.
import { ask, check, late, login, open, run, same, server, settled, site } from './lib.mjs'

const env = process.env
const numbers = page => page.locator('.tiles b').allTextContents()
const post = async events => {
  const res = await fetch(server + '/api/v1/events', { method: 'POST', body: JSON.stringify(events), headers: { Authorization: 'Bearer ' + env.SECRET_KEY, 'Content-Type': 'application/json' } })
  check(res.ok, 'events are answered', res.status, await res.text())
}
const visitors = (from, n) => Array.from({ length: n }, (_, i) => ({ type: 'page', name: 'Home', anonymous: 'p' + (from + i), session: 's' + (from + i), context: { path: '/' } }))

await run(async browser => {
  await post(visitors(0, 30))
  const context = await open(browser, { expected: /Failed to load resource/ })
  const page = await login(context, env.READ_KEY)
  await killed(page)
  await busy(page)
  await rotated(page)
})

/** Killed: the old numbers and a bar. Back: no bar, new numbers. */
async function killed (page) {
  const before = await numbers(page)
  same(before[0], '30', 'visitors')
  await ask('kill')
  await page.keyboard.press('.')
  await page.waitForSelector('#offline')
  check(/cannot be reached/.test(await page.textContent('#offline')), 'the bar says', await page.textContent('#offline'))
  same(await numbers(page), before, 'numbers while the server is gone')
  await page.keyboard.press('.')
  same(await page.locator('#offline').count(), 1, 'bars after another try')
  await ask('start')
  await post(visitors(100, 12))
  await page.waitForFunction(() => document.querySelector('.tiles b')?.textContent === '42' || void cairn.refresh(), null, { polling: 500 })
  same(await page.locator('#offline').count(), 0, 'bars when the server is back')
  await settled(page)
}

/** Busy: a panel is asked again, as the server says; the others stay. */
async function busy (page) {
  for (const status of [429, 503]) {
    let refused = 0, asked = 0
    // The first answer leaves the panel of pages to be fetched; the next fetches are refused.
    await page.route(u => u.pathname === new URL(site).pathname && !u.searchParams.has('_panel'), async route => {
      const res = await route.fetch()
      await route.fulfill({ response: res, body: late(await res.text(), 'pages') })
    })
    await page.route(u => u.searchParams.get('_panel') === 'pages', async route => {
      asked++
      if (refused < 2) {
        refused++
        await route.fulfill({ status, headers: { 'Retry-After': '1' }, contentType: 'application/json', body: '{"error":"busy"}' })
      } else await route.continue()
    })
    await page.goto(site + '?range=7d')
    await page.waitForSelector('.p-pages tbody tr')
    same([refused, asked], [2, 3], status, 'refusals and tries')
    check(await page.locator('.tiles b').count() > 0, status, 'takes the other panels away')
    await page.unrouteAll({ behavior: 'wait' })
  }
}

/** The key is changed: the session that it opened ends, and the new key goes on where one was. */
async function rotated (page) {
  await page.goto(site + '/pages?range=7d')
  await settled(page)
  await ask('rotate')
  await page.evaluate(() => cairn.refresh())
  await page.waitForURL(/\/dashboard\/login\?next=/)
  check(new URL(page.url()).searchParams.get('next')?.includes('/pages?range=7d'), 'the login goes on to', page.url())
  await page.fill('#key', env.READ_KEY)
  await page.click('form button')
  await page.waitForSelector('[role=alert]')
  check(/no key of a site/.test(await page.textContent('[role=alert]')), 'the old key is told', await page.textContent('[role=alert]'))
  await page.fill('#key', env.NEXT_KEY)
  await page.click('form button')
  await page.waitForURL(/\/pages\?range=7d/)
  await settled(page)
}
