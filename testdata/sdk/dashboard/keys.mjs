// The keyboard alone. On each screen Tab reaches everything that can be clicked, each stop has a ring,
// and nothing keeps the focus. What a click does, a key does.
import { check, late, login, open, run, same, screens, settled, site, visit } from './lib.mjs'

const key = process.env.SECRET_KEY

/** Of long lists the first rows are walked: the others are like them. Parts that open are open, and on some screens the menus of the frame. */
const prepare = (page, menus) => page.evaluate(menus => {
  for (const d of document.querySelectorAll(menus ? 'details' : 'main .panel details')) d.open = true
  for (const e of document.querySelectorAll('tbody tr:nth-child(n+5), main ol:not(.edit) > li:nth-child(n+6), .facets > li:nth-child(n+5)')) e.style.display = 'none'
}, menus)

/** Everything that a click does something to, marked by a number. Returns how many. */
const mark = page => page.evaluate(() => {
  const seen = e => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && !e.closest('[inert], [aria-hidden=true]')
  const focusable = 'a[href], button:not([disabled]), summary, input:not([type=hidden]), select, textarea, [tabindex="0"]'
  const lost = []
  let n = 0
  for (const e of document.querySelectorAll(focusable)) if (seen(e) && e.tabIndex >= 0) e.setAttribute('data-stop', n++)
  // What looks as if it could be clicked, and is neither a stop nor in one nor a label of one.
  for (const e of document.querySelectorAll('main *, header.bar *')) {
    if (getComputedStyle(e).cursor === 'pointer' && seen(e) && !e.closest(focusable + ', label, option') && !e.closest('svg')) lost.push(e.outerHTML.slice(0, 120))
  }
  return { n, lost }
})

/** Presses Tab until all stops have had the focus, or the page is over. */
async function walk (page, name, menus) {
  await prepare(page, menus)
  const { n, lost } = await mark(page)
  same(lost, [], name, 'has what can be clicked and has no focus:')
  check(n > 10, name, 'has only', n, 'stops')
  const parts = await page.evaluate(() => {
    document.activeElement.blur()
    window.met = new Set()
    window.bare = []
    document.addEventListener('focusin', ({ target: e }) => {
      window.met.add(e.getAttribute('data-stop'))
      const ring = s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 || s.boxShadow !== 'none'
      if (![e, e.closest('.chip'), e.closest('label')].some(o => o && ring(getComputedStyle(o)))) window.bare.push(e.outerHTML.slice(0, 120))
    })
    return 4 * document.querySelectorAll('input[type=date]').length // of which each is a stop of its own
  })
  for (let i = 0; i < n + parts + 5; i++) await page.keyboard.press('Tab')
  const [missed, bare] = await page.evaluate(() => [[...document.querySelectorAll('[data-stop]')].filter(e => !window.met.has(e.getAttribute('data-stop'))).map(e => e.outerHTML.slice(0, 120)), window.bare])
  same(bare.slice(0, 3), [], name, `has ${bare.length} stops without a ring:`)
  same(missed.slice(0, 3), [], name, `has ${missed.length} of ${n} stops that Tab does not reach:`)
  return n
}

/** What a click does, keys do. */
async function works (page) {
  await visit(page, site + '?range=30d')
  const url = () => new URL(page.url())
  const to = async (target, key = 'Enter') => {
    const before = page.url()
    await page.locator(target).first().focus()
    await page.keyboard.press(key)
    await page.waitForFunction(b => location.href !== b, before)
    await settled(page)
  }
  // Menus open, and Escape closes them and gives the focus back.
  for (const summary of await page.locator('details.menu > summary').all()) {
    if (!await summary.isVisible()) continue // another width has it
    await summary.focus()
    await page.keyboard.press('Enter')
    const open = await summary.evaluate(s => s.parentElement.open)
    await page.keyboard.press('Tab')
    const inside = await summary.evaluate(s => !s.parentElement.querySelector('a, button, input, select') || s.parentElement.contains(document.activeElement)) // a text is read, not entered
    if (!await summary.evaluate(s => s.parentElement.contains(document.activeElement))) await summary.focus()
    await page.keyboard.press('Escape')
    const closed = await summary.evaluate(s => [s.parentElement.open, document.activeElement === s])
    same([open, inside, closed], [true, true, [false, true]], 'the menu', await summary.textContent(), 'opens, is entered, closes')
  }
  await to('.tiles li:nth-child(2) a')
  same(url().searchParams.get('_metric'), 'visits', 'a number in the chart')
  await to('.p-sources .tabs li:nth-child(2) a')
  same(url().searchParams.get('_tab'), 'source', 'a tab')
  await to('.p-places tbody a')
  check(url().searchParams.has('visit.country'), 'a row filters', url().search)
  await to('.chip a[aria-label^="Remove the filter Country"]')
  check(!url().searchParams.has('visit.country'), 'a filter is removed', url().search)

  // The chart is walked and read out; Shift picks days, Enter zooms, Backspace goes back.
  await page.locator('.chart-plot').first().focus()
  const chart = page.url()
  await page.keyboard.press('Home')
  const first = await page.textContent('#said')
  await page.keyboard.press('ArrowRight')
  const second = await page.textContent('#said')
  check(first && second && first !== second && /Visits: /.test(second), 'points are read out:', first, second)
  await page.keyboard.press('Shift+ArrowRight')
  await page.keyboard.press('Shift+ArrowRight')
  await page.keyboard.press('Enter')
  await page.waitForURL(/from=.*to=/)
  await settled(page)
  const days = (Date.parse(url().searchParams.get('to')) - Date.parse(url().searchParams.get('from'))) / 864e5
  same(days, 2, 'days that were picked, less one')
  check(await page.evaluate(() => document.activeElement.matches('.chart-plot')), 'the chart keeps the focus')
  // So it does when the server is busy, and the chart comes after its page.
  await page.route(u => u.href === chart, async route => {
    const res = await route.fetch()
    await route.fulfill({ response: res, body: late(await res.text(), 'chart') })
  })
  const panel = page.waitForResponse(r => new URL(r.url()).searchParams.get('_panel') === 'chart')
  await page.keyboard.press('Backspace')
  await page.waitForURL(chart)
  await panel
  await settled(page)
  check(await page.evaluate(() => document.activeElement.matches('.chart-plot')), 'the chart that comes later gets the focus')
  await page.unrouteAll({ behavior: 'wait' })

  // The dialog takes the focus and gives it back.
  await page.locator('nav.screens a').first().focus()
  await page.keyboard.press('?')
  await page.waitForSelector('dialog[open]')
  check(await page.evaluate(() => document.querySelector('dialog').contains(document.activeElement)), 'the focus is not in the dialog')
  await page.keyboard.press('Escape')
  await page.waitForSelector('dialog', { state: 'detached' })
  check(await page.evaluate(() => document.activeElement.matches('nav.screens a')), 'the dialog does not give the focus back')

  // Letters, which can be switched off.
  for (const [key, path] of [['p', '/pages'], ['e', '/events'], ['u', '/people'], ['b', '/funnels'], ['r', '/retention'], ['h', '/paths'], ['s', '/shop'], ['l', '/live'], ['o', '']]) {
    await page.keyboard.press(key)
    await page.waitForURL(u => u.pathname === new URL(site).pathname + path)
    await settled(page)
  }
  for (const [key, range] of [['t', 'today'], ['y', 'yesterday'], ['d', '24h'], ['w', '7d'], ['q', '90d'], ['a', 'all'], ['m', '30d']]) {
    await page.keyboard.press(key)
    await page.waitForURL(u => u.searchParams.get('range') === range)
    await settled(page)
  }
  await page.keyboard.press('?')
  await page.waitForSelector('dialog[open]')
  await page.locator('dialog input[type=checkbox]').focus()
  await page.keyboard.press('Space')
  await page.keyboard.press('Escape')
  await page.waitForSelector('dialog', { state: 'detached' })
  const still = page.url()
  await page.keyboard.press('p')
  await page.keyboard.press('?')
  same([page.url(), await page.locator('dialog').count()], [still, 0], 'letters that are switched off')

  // A table is sorted and searched.
  await visit(page, site + '/pages?range=30d')
  await to('th[scope=col] a:has-text("Bounce rate")')
  same(await page.getAttribute('th:has-text("Bounce rate")', 'aria-sort'), 'descending', 'a column is sorted')
  await page.locator('#search').focus()
  await page.keyboard.type('blog')
  await page.keyboard.press('Enter')
  await page.waitForURL(/search=blog/)
  await settled(page)
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme || '')
  const was = await theme()
  await page.locator('#theme').focus()
  await page.keyboard.press('Enter')
  check(await theme() !== was, 'the theme does not change')
  await leaves(page)
}

/** A screen that comes late, when somebody has gone back already, changes neither the address nor what is shown. */
async function leaves (page) {
  await visit(page, site + '?range=30d')
  const first = page.url()
  const click = path => page.locator(`nav.screens a[href*="${path}?"]`).first().click()
  await click('/pages')
  await page.waitForURL(u => u.pathname.endsWith('/pages'))
  await settled(page)
  const second = page.url()
  await page.evaluate(() => {
    window.swaps = []
    document.startViewTransition = swap => { window.swaps.push(swap); return { ready: Promise.resolve() } }
  })
  await click('/events')
  await page.waitForFunction(() => window.swaps.length === 1)
  same(page.url(), second, 'the address of a screen that is not shown yet')
  await page.evaluate(() => history.back())
  await page.waitForSelector('.p-chart')
  await settled(page)
  await page.evaluate(() => window.swaps[0]())
  const on = await page.getAttribute('nav.screens a[aria-current]', 'href')
  same([page.url(), new URL(on, first).pathname, await page.locator('.p-chart').count()], [first, new URL(first).pathname, 1], 'address and screen after going back')

  // Who goes back and forth before anything comes stays where he is, and nothing waits any more.
  await visit(page, site + '?range=7d')
  await page.locator('.tiles li:nth-child(2) a').click()
  await page.waitForURL(/_metric=/)
  await settled(page)
  const here = page.url()
  await page.route(u => u.href === site + '?range=7d', () => {})
  await page.evaluate(() => history.back())
  await page.waitForSelector('.panel.stale')
  const waiting = await page.evaluate(async () => {
    const there = new Promise(resolve => addEventListener('popstate', resolve, { once: true }))
    history.forward()
    await there
    return document.querySelectorAll('.stale').length
  })
  same([page.url(), waiting], [here, 0], 'address and waiting panels after going back and forth')
  await page.unrouteAll({ behavior: 'ignoreErrors' })
}

await run(async browser => {
  const [page, other] = await Promise.all([1, 2].map(async () => await login(await open(browser), key)))
  const list = await screens(page)
  let stops = 0
  await Promise.all([works(other), (async () => {
    for (const { name, url } of list) {
      await visit(page, url)
      stops += await walk(page, name, ['overview', 'people', 'setup'].includes(name))
    }
  })()])
  console.log(`${stops} stops on ${list.length} screens`)
})
