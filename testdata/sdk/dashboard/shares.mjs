// A share, from its form to its end: in a private window, in a frame of a page of another site
// where cookies and storage of third parties are blocked, and open while it is ended.
import { chromium } from 'playwright-core'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { check, launch, login, open, run, same, server, settled, site, visit, watch } from './lib.mjs'

const env = process.env
const numbers = page => page.locator('.tiles b').allTextContents()

/** A page of somebody else that shows an address in a frame. Its site is localhost, the server's 127.0.0.1. */
async function elsewhere (address) {
  const http = createServer((req, res) => res.setHeader('Content-Type', 'text/html').end(`<!doctype html><link rel="icon" href="data:,"><title>intranet</title><iframe title="numbers" width="900" height="700" src="${req.url === '/share' ? address().replace('/e/', '/s/') : address()}"></iframe>`))
  await new Promise(resolve => http.listen(0, 'localhost', resolve))
  return { url: 'http://localhost:' + http.address().port, close: () => http.close() }
}

/** The owner makes the share. Its link is shown once. */
async function made (page, pageThatEmbeds) {
  await visit(page, site + '/setup')
  await page.locator('#saved summary', { hasText: 'New share' }).click()
  const form = page.locator('#saved details[open] form')
  await form.locator('[name=name]').fill('Board & co')
  await form.locator('[name=embed]').fill(pageThatEmbeds)
  await form.getByRole('button', { name: 'Make the link' }).click()
  await page.waitForSelector('input.copy')
  const link = await page.inputValue('input.copy')
  check(link.startsWith(server + '/dashboard/s/'), 'the link of a share is', link)
  await page.getByRole('link', { name: 'Go on' }).click()
  await page.waitForSelector('#saved')
  check(!(await page.content()).includes(link.split('/').pop()), 'the link is shown again')
  return link
}

/** A private window: numbers alone, filters and CSV, no cookie and no storage. */
async function privately (browser, link, want) {
  const context = await open(browser, { expected: /status of 404/ })
  const page = await context.newPage()
  const res = await visit(page, link + '?range=7d')
  same([res.headers()['set-cookie'], res.headers()['referrer-policy'], res.headers()['x-robots-tag']], [undefined, 'no-referrer', 'noindex'], 'headers of a share')
  same(await numbers(page), want, 'numbers of a share')
  const screens = await page.locator('nav.screens a').allTextContents()
  check(screens.includes('Pages') && !screens.includes('People') && !screens.includes('Events'), 'screens of a share of numbers', screens)
  await page.locator('.p-places tbody a').first().click()
  await page.waitForURL(/visit\.country=DE/)
  await settled(page)
  check((await numbers(page))[0] === '10', 'numbers of a filter in a share', await numbers(page))
  const csv = await context.request.get(await page.locator('.p-places a[download]').evaluate(a => a.href))
  check(csv.status() === 200 && /^value,.*\n,,10,10,10,/.test((await csv.text()).replaceAll("\r", "")), 'CSV of a share', csv.status(), await csv.text())
  same((await page.goto(link + '/people')).status(), 404, 'people of a share of numbers')
  same(await context.cookies(), [], 'cookies of a share')
  same(await page.evaluate(() => [localStorage.length, sessionStorage.length]), [0, 0], 'storage of a share')
  await visit(page, link + '?range=7d')
  return page
}

/** In a frame of another site, where third parties have no cookies and no storage. */
async function framed (link, embedding, stranger, want) {
  const profile = mkdtempSync(tmpdir() + '/cairn-profile-')
  mkdirSync(profile + '/Default')
  writeFileSync(profile + '/Default/Preferences', JSON.stringify({ profile: { block_third_party_cookies: true, cookie_controls_mode: 1 } }))
  const context = await chromium.launchPersistentContext(profile, { ...launch, locale: 'en-US' })
  try {
    await watch(context, /frame-ancestors|Failed to load/, embedding.url, stranger.url)
    await context.addInitScript(() => { // some browsers have none at all in such a frame
      if (window.top === window) return
      for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) Object.defineProperty(window, name, { get () { throw new DOMException('blocked', 'SecurityError') } })
    })
    const owner = await login(context, env.SECRET_KEY) // whoever embeds it may be logged in, too
    check((await context.cookies()).length === 1, 'cookies of whoever is logged in', await context.cookies())
    await owner.close()
    const page = await context.newPage()
    const sent = []
    page.on('request', r => { if (r.url().startsWith(server)) sent.push(r) })
    await page.goto(embedding.url)
    const frame = page.frameLocator('iframe')
    await frame.locator('.tiles b').first().waitFor()
    await frame.locator('.p-pages tbody tr').first().waitFor()
    same(await frame.locator('.tiles b').allTextContents(), want, 'numbers of an embed')
    same(await frame.locator('header.bar, .tools, main a[href]').count(), 0, 'bars and links of an embed')
    const inside = page.frames()[1]
    same(await inside.evaluate(() => document.hasStorageAccess()), false, 'a third party has storage here')
    same(await inside.evaluate(() => document.cookie), '', 'cookies of an embed')
    for (const r of sent) check(!(await r.allHeaders()).cookie, 'a cookie is sent with', r.url())
    check(sent.length >= 3, 'requests of an embed', sent.length)
    same((await (await sent[0].response()).allHeaders())['set-cookie'], undefined, 'cookies that an embed sets')

    // No other page may show it, and none shows the share itself.
    for (const at of [stranger.url, embedding.url + '/share']) {
      await page.goto(at)
      await page.waitForFunction(() => document.readyState === 'complete')
      same(await page.frames()[1].locator('.tiles').count(), 0, 'panels in a frame of', at)
    }
  } finally {
    await context.close()
    rmSync(profile, { recursive: true, force: true })
  }
}

/** Its end needs its name; then it is gone at once, also for who has it open. */
async function ended (page, looking, link) {
  await visit(page, site + '/setup')
  for (const [typed, gone] of [['Board', false], ['Board & co', true]]) {
    await page.locator('.saved li', { hasText: 'Board & co' }).locator('summary').click()
    await page.locator('.saved details[open] [name=confirm]').fill(typed)
    await page.getByRole('button', { name: 'End the share' }).click()
    if (!gone) {
      await page.waitForSelector('body.door')
      check(/type its name/.test(await page.textContent('main')), 'an end without the name says', await page.textContent('main'))
      await page.getByRole('link', { name: 'Go on' }).click()
    }
    await page.waitForSelector('#saved')
    await settled(page)
    same(await page.locator('.saved li', { hasText: 'Board & co' }).count(), gone ? 0 : 1, 'shares that are left')
  }
  await looking.keyboard.press('.')
  await looking.waitForSelector('body.door')
  same(await looking.textContent('h1'), 'There is no such page.', 'a share that was ended says')
  const res = await fetch(link + '/data/visits?range=7d')
  same(res.status, 404, 'the data of a share that was ended')
}

await run(async browser => {
  const res = await fetch(server + '/api/v1/events', { method: 'POST', headers: { Authorization: 'Bearer ' + env.SECRET_KEY, 'Content-Type': 'application/json' },
    body: JSON.stringify(Array.from({ length: 24 }, (_, i) => ({ type: 'page', name: 'Home', anonymous: 'p' + i, session: 's' + i, context: { path: '/', country: i < 10 ? 'DE' : i < 17 ? 'US' : 'JP' } }))) })
  check(res.ok, 'events are answered', res.status)
  let link = ''
  const embed = () => link && link.replace('/dashboard/s/', '/dashboard/e/') + '?range=7d&_show=numbers,chart,pages&_theme=dark'
  const embedding = await elsewhere(() => embed()), stranger = await elsewhere(() => embed())
  const page = await login(await open(browser, { expected: /status of 400/ }), env.SECRET_KEY)
  await visit(page, site + '?range=7d')
  const want = await numbers(page)
  same(want[0], '24', 'visitors')
  link = await made(page, embedding.url)
  const looking = await privately(browser, link, want)
  await framed(link, embedding, stranger, want)
  await ended(page, looking, link)
  embedding.close()
  stranger.close()
})
