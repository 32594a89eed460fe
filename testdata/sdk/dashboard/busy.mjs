// What the page says when the server itself refuses: a question that took too long, and more
// questions at once than a session may have. The test makes the server slow and quick.
import { request } from 'node:http'
import { ask, check, login, open, run, same, server, settled, site } from './lib.mjs'

const env = process.env
const days = site + '?range=7d'
const errors = page => page.locator('main .error').allTextContents()

/** Sends events whose CSV is larger than what a connection takes that nobody reads. */
async function send () {
  const events = Array.from({ length: 5000 }, (_, i) => ({ type: 'page', name: 'Home ' + 'x'.repeat(1000), anonymous: 'p' + i % 300, context: { path: '/' } }))
  const res = await fetch(server + '/api/v1/events', { method: 'POST', body: JSON.stringify(events), headers: { Authorization: 'Bearer ' + env.SECRET_KEY, 'Content-Type': 'application/json' } })
  check(res.ok, 'events are answered', res.status, await res.text())
}

/** Too long: the panel says what would help, and is not asked again by itself. Then the button works. */
async function slow (browser) {
  await ask('slow')
  const page = await login(await open(browser), env.SECRET_KEY)
  let panels = 0
  page.on('request', r => { if (r.url().includes('_panel=') && !r.url().includes('_panel=now')) panels++ })
  await page.goto(days)
  await page.waitForSelector('.p-numbers .error')
  await settled(page)
  const said = await errors(page)
  check(said.length > 3, 'panels that took too long', said)
  for (const text of said) check(/This is too much for ten seconds\. Choose fewer days\. Try again/.test(text), 'a panel that took too long says', text)
  same(await page.locator('.p-numbers[data-wait]').count(), 0, 'panels that are asked again by themselves')
  check(panels <= said.length * 2, 'panels are asked', panels, 'times')
  await ask('quick')
  await page.click('.p-numbers .again')
  await page.waitForSelector('.tiles b')
  await settled(page)
  same(await errors(page), [], 'errors once the server is quick')
}

/** Opens a download of all events of a share, and reads nothing of it. Returns what ends it. */
async function hold (share) {
  const req = request(share + '/data/events?range=7d&format=csv', { agent: false })
  const res = await new Promise((resolve, reject) => { req.on('response', resolve).on('error', reject); req.end() })
  check(res.statusCode === 200, 'a download is answered', res.statusCode)
  res.on('error', () => {})
  await new Promise(resolve => res.once('readable', resolve)) // it is at work now
  return () => req.destroy()
}

/** Four downloads are all that one address may have at work: a fifth question is refused, a page waits for its turn. */
async function full (browser) {
  const res = await fetch(server + '/api/v1/saved', { method: 'POST', body: JSON.stringify({ kind: 'share', name: 'all', scope: 'people' }), headers: { Authorization: 'Bearer ' + env.SECRET_KEY, 'Content-Type': 'application/json' } })
  const share = server + '/dashboard/s/' + (await res.json()).token
  const downloads = []
  for (let i = 0; i < 4; i++) downloads.push(await hold(share))
  const data = await fetch(share + '/data/visits?range=7d&path!=/new') // whose answer is not kept
  same([data.status, data.headers.get('retry-after'), (await data.json()).status], [429, '1', 429], 'a fifth question of an address')
  const page = await (await open(browser)).newPage()
  await page.goto(share + '?range=7d&path!=/other&_wait=1')
  // Its questions wait for the downloads, which the server cuts off when nobody reads them for long: a
  // panel is refused, a skeleton, or there by then, and none is blank. faults.mjs refuses for sure.
  const panels = await page.locator('main .panel[data-wait], main .panel[data-load]').allTextContents()
  for (const text of panels) check(/The server is busy\. It is asked again in a moment\. Try again|Still counting/.test(text), 'a panel without a turn says', text)
  check(await page.locator('nav.screens a').count() > 5, 'the page has its frame')
  for (const end of downloads) end()
  // They come by themselves. A machine that takes longer than the tries last has the button.
  await settled(page)
  while (await page.locator('main .again').count()) {
    console.log('the tries were over before the downloads had ended')
    await page.locator('main .again').first().click()
    await settled(page)
  }
  check(await page.locator('.tiles b').count() > 5, 'numbers in the end')
}

await run(async browser => {
  for (let i = 0; i < 3; i++) await send()
  await slow(browser)
  await full(browser)
})
