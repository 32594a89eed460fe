// Walks all screens, with script and without: no error, no other host, nothing that makes a
// phone scroll sideways, and no link that leads nowhere. CAIRN_PICTURES is a folder for pictures
// of each screen in both themes and three widths.
import { mkdirSync } from 'node:fs'
import { check, each, links, login, open, run, same, screens, server, settled, site, visit } from './lib.mjs'

const key = process.env.SECRET_KEY
const widths = [1280, 768, 320]
const pictures = process.env.CAIRN_PICTURES
if (pictures) mkdirSync(pictures, { recursive: true })

/** What is wider than the page, unless a box of its own scrolls it. */
const tooWide = page => page.evaluate(() => {
  const root = document.documentElement
  if (root.scrollWidth <= root.clientWidth) return []
  const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > root.clientWidth + 0.5 &&
    ![...ancestors(e)].some(a => ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(a).overflowX) &&
      (getComputedStyle(e).position !== 'absolute' || getComputedStyle(a).position !== 'static')))
  function * ancestors (e) { for (let a = e.parentElement; a && a !== document.body; a = a.parentElement) yield a }
  return [`${root.scrollWidth} > ${root.clientWidth}`, ...wide.slice(0, 4).map(e => `${e.tagName}.${e.className?.baseVal ?? e.className} ${e.textContent.trim().slice(0, 30)}`)]
})

/** Whether an address asks for a saved thing that another test has deleted. */
async function gone (address) {
  const id = new URL(address).searchParams.get('saved')
  const res = await fetch(server + '/api/v1/saved', { headers: { Authorization: 'Bearer ' + key } })
  return id && !(await res.json()).saved.some(s => s.id === id)
}

/** Looks at a screen in all widths and themes. */
async function look (page, name) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 })
    same(await tooWide(page), [], name, 'at', String(width), page.noScript ? 'without script' : '', 'scrolls sideways:')
    if (page.noScript) continue
    for (const menu of width === 320 ? await page.$$('details:not([open])') : []) { // none opens in another
      await menu.evaluate(d => { d.open = true })
      same(await tooWide(page), [], name, 'at 320 with', await menu.evaluate(d => d.querySelector('summary').textContent), 'open scrolls sideways:')
      await menu.evaluate(d => { d.open = false })
    }
    if (!pictures) continue
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: `${pictures}/${name}-${colorScheme}-${width}.png`, fullPage: true, animations: 'disabled' })
    }
  }
}

await run(async browser => {
  const first = await open(browser)
  const page = await login(first, key)
  const list = await screens(page)
  console.log('screens: ' + list.map(s => s.name).join(' '))
  const menu = await page.locator('nav.screens a').count()
  check(list.length > menu && menu >= 8, 'only so many screens:', list.length, menu)
  const names = new Set(list.map(s => s.name))
  same(['overview', 'overview-full', 'live', 'pages', 'page', 'events', 'events-one', 'people', 'people-one', 'visit-one', 'funnels', 'funnels-steps', 'retention', 'paths', 'numbers', 'shop', 'setup'].filter(n => !names.has(n)), [], 'screens that no link leads to:')

  // With script. Some pages at once, each with a session of its own: a session asks four
  // questions at a time.
  const found = new Map()
  const askers = await Promise.all([1, 2, 3].map(async () => await login(await open(browser), key)))
  await each(list, askers.length, async ({ name, url }, n) => {
    const page = askers[n]
    await page.setViewportSize({ width: 1280, height: 900 })
    await visit(page, url)
    check(await page.locator('h1').count() === 1, name, 'has', await page.locator('h1').count(), 'h1')
    check(!/undefined|\[object|NaN|%!|&lt;nil|<no value>/.test(await page.innerText('body')), name, 'shows', /.{20}(undefined|\[object|NaN|%!|<no value>).{20}/.exec(await page.innerText('body'))?.[0] || '')
    same(await page.locator('main .error').allTextContents(), [], name, 'shows an error:')
    same(await page.$$eval('.chart-plot, .chart-plot :is(rect, path, circle)', all => all.filter(e => getComputedStyle(e).opacity === '0' || getComputedStyle(e).display === 'none').length), 0, name, 'marks of charts that nobody sees:')
    for (const to of await links(page, 'a[href]')) if (!found.has(to.split('#')[0])) found.set(to.split('#')[0], name)
    await look(page, name)
  })

  // On a phone the menu folds into the name of the screen that is open.
  await page.setViewportSize({ width: 320, height: 900 })
  await visit(page, (await links(page, 'nav.screens a')).at(-1))
  const fold = page.locator('nav.fold summary')
  same([await page.locator('nav.screens').isVisible(), await fold.textContent()], [false, await page.locator('nav.screens [aria-current]').textContent()], 'the menu of a phone')
  await fold.click()
  await page.locator('nav.fold a').first().click()
  await page.waitForURL(u => u.pathname === new URL(site).pathname)
  await page.waitForFunction(() => document.querySelector('nav.fold summary')?.textContent === 'Overview') // the screen follows its address

  // Without script.
  const plain = await open(browser, { javaScriptEnabled: false })
  const dumb = await plain.newPage()
  dumb.noScript = true
  await dumb.goto(server + '/dashboard/login')
  await dumb.fill('#key', key)
  await Promise.all([dumb.waitForURL(/site/), dumb.click('form button')])
  for (const { name, url } of list) {
    await visit(dumb, url)
    const all = dumb.locator('noscript a').first()
    if (await all.count()) {
      const more = new URL(await all.getAttribute('href'), server).href
      check(/_wait=1/.test(more), name, 'without script: the link to all is', more)
      await visit(dumb, more)
    }
    check(await dumb.locator('main .panel').count() > 0, name, 'without script: no panel')
    same(await dumb.locator('main [data-load]').count(), 0, name, 'without script: panels that are not there:')
    for (const to of await links(dumb, 'a[href]')) if (!found.has(to.split('#')[0])) found.set(to.split('#')[0], name + ' without script')
    await look(dumb, name)
  }

  // Every link, each once.
  const all = [...found].filter(([to]) => to.startsWith(server))
  await each(all, askers.length, async ([to, from], n) => {
    let res = await askers[n].context().request.get(to, { maxRedirects: 0 })
    for (let i = 0; i < 5 && res.status() === 429; i++) { // the panels of screens that were left are still counted
      await new Promise(r => setTimeout(r, 1000 * (res.headers()['retry-after'] || 1)))
      res = await askers[n].context().request.get(to, { maxRedirects: 0 })
    }
    if (res.status() === 404 && await gone(to)) return
    check(res.status() === 200 || res.status() === 303 && to.startsWith(server + '/dashboard/sites'), from + ':', to, 'is answered', res.status(), res.status() === 200 ? '' : (await res.text()).slice(0, 200))
    await res.dispose()
  })
  for (const [to, from] of found) check(to.startsWith(server) || /^https?:/.test(to), from, 'links to', to)
  console.log(`${list.length} screens, ${all.length} links`)
  await settled(page)
})
