// The first minutes: the printed link, a site without events, one event by each protocol, and
// the keys that let in. LINK is what "cairn dashboard" printed.
import { ask, check, login, open, patience, run, same, server, settled, site } from './lib.mjs'

const env = process.env

/** The link opens once, and the site waits for its first event. */
async function first (browser) {
  const context = await open(browser)
  const page = await context.newPage()
  await page.goto(env.LINK)
  await page.waitForURL(site) // the script has pressed the button
  await settled(page)
  check(/no events yet/.test(await page.textContent('main')), 'an empty site says', await page.textContent('main'))
  same(await page.locator('main .panel').count(), 1, 'panels of an empty site')

  const other = await open(browser, { expected: /status of 403/ })
  const late = await other.newPage()
  await late.goto(env.LINK)
  await late.waitForSelector('[role=alert]')
  check(/cairn dashboard/.test(await late.textContent('main')), 'a spent link says', await late.textContent('main'))
  await other.close()

  await page.getByRole('link', { name: 'Set up tracking' }).click()
  await page.waitForSelector('.waiting')
  await settled(page)
  const tabs = await page.locator('.p-tracking .tabs a').allTextContents()
  same(tabs.length, 6, 'protocols of the set-up', tabs)
  const own = await page.locator('.p-tracking .tabs a', { hasText: 'API' }).getAttribute('href')
  await page.goto(server + own)
  await settled(page)

  // The very line of the page, as it would be pasted.
  const line = await page.textContent('.p-tracking pre')
  const key = /Bearer ([^']+)'/.exec(line)[1], body = /-d '(.*)'/s.exec(line)[1], to = /curl -sS (\S+)/.exec(line)[1]
  same(key, env.WRITE_KEY, 'the key of the set-up')
  const sentAt = Date.now()
  const res = await fetch(to, { method: 'POST', body, headers: { Authorization: 'Bearer ' + key, 'Content-Type': 'application/json' } })
  check(res.ok, 'the line of the set-up is answered', res.status)
  await page.waitForFunction(() => /^1 events/.test(document.querySelector('.p-arrived p')?.textContent.trim() || ''))
  console.log(`the first event is on the page after ${Date.now() - sentAt} ms`)

  await page.goto(site + '/events')
  await settled(page)
  await page.waitForSelector('text=signup')
  for (const [protocol, send] of Object.entries(protocols)) {
    const at = Date.now()
    const res = await send('by ' + protocol)
    check(res.ok, protocol, 'is answered', res.status, await res.text())
    await page.keyboard.press('.')
    await page.waitForSelector(`main :text("by ${protocol}")`, { timeout: patience })
    console.log(`by ${protocol}: on the page after ${Date.now() - at} ms`)
  }
  await page.goto(site)
  await settled(page)
  check(await page.locator('.tiles b').count() >= 6, 'the overview has numbers')
  await context.close()
}

const form = fields => new URLSearchParams(fields).toString()
const post = (path, body, headers = {}) => fetch(server + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } })
const basic = key => ({ Authorization: 'Basic ' + Buffer.from(key + ':').toString('base64') })

/** One event by each protocol, with a name of its own. */
const protocols = {
  native: name => post('/api/v1/events', { name, user: 'ada' }, { Authorization: 'Bearer ' + env.WRITE_KEY }),
  segment: name => post('/v1/track', { event: name, userId: 'ada' }, basic(env.WRITE_KEY)),
  openpanel: name => post('/track', { type: 'track', payload: { name, profileId: 'ada' } }, { 'openpanel-client-id': env.CLIENT_ID, 'openpanel-client-secret': env.CLIENT_SECRET }),
  matomo: name => post('/matomo.php', form({ idsite: '1', rec: '1', e_c: 'c', e_a: name, e_n: name, url: 'https://shop.example/', uid: 'ada' }), { 'Content-Type': 'application/x-www-form-urlencoded', 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0' }),
  opentracker: name => fetch(server + '/?' + form({ si: 'default', ti: name, uid: '0123456789abcdef0123456789abcdef' })),
  oppizi: name => post('/tracking/events', { eventName: name, value: 1 }, { Authorization: 'Bearer ' + env.SECRET_KEY }),
}

/** Which key lets in, and what a login may do. */
async function keys (browser) {
  const { ReadKey, AdminToken } = JSON.parse(await ask('keys'))
  for (const [name, key, saves] of [['read_key', ReadKey, false], ['secret_key', env.SECRET_KEY, true], ['admin_token', AdminToken, true]]) {
    const context = await open(browser)
    const page = await login(context, key, new URL(site).pathname + '/pages')
    same(new URL(page.url()).pathname, new URL(site).pathname + '/pages', name, 'leads to')
    same(await page.locator('.tools summary', { hasText: 'Save' }).count() > 0, saves, name, 'may save')
    await page.locator('summary[aria-label=More]').click()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.waitForURL(/login/)
    await page.goto(site)
    check(page.url().includes('/login?next='), 'after the logout the site leads to', page.url())
    await context.close()
  }
  const context = await open(browser, { expected: /status of 40[13]/ })
  const page = await context.newPage()
  for (const [key, says] of [[env.WRITE_KEY, /can only send/], [env.CLIENT_ID, /can only send/], ['sk-nobody-has-this-key-00000000001', /no key of a site/]]) {
    await page.goto(server + '/dashboard/login')
    await page.fill('#key', key)
    await page.click('form button')
    await page.waitForSelector('[role=alert]')
    check(says.test(await page.textContent('[role=alert]')), key, 'is told', await page.textContent('[role=alert]'))
  }
  await context.close()
}

await run(async browser => {
  await first(browser)
  await keys(browser)
})
