// The screens of analyses, of events and of people: what stands there is what the API answers, and
// they are used as people use them. A funnel is built by keys alone, a cell of a retention leads to
// those people, a way becomes a funnel.
import { check, follow, login, open, run, same, server, settled, site, visit } from './lib.mjs'
import { is, read } from './text.mjs'

const key = process.env.SECRET_KEY
let compared = 0

/** Compares a number of the page with one of the API. */
function equal (text, value, ...what) {
  compared++
  return check(text !== null && text !== undefined && is(text, value), ...what, text, 'is not', value)
}

/** Compares a rate in whole percents. */
function percents (text, value, ...what) {
  compared++
  return check(value === null ? !text : Math.abs(parseFloat(text) - 100 * value) < 0.5001, ...what, text, 'is not', value)
}

/** What the API answers to the call that a panel's link of some kind leads to. */
async function answer (page, panel, more = {}) {
  const href = await page.locator(`.p-${panel} footer a[download], .p-${panel} .over a[download]`).first().evaluate(a => a.href)
  const url = new URL(href)
  url.searchParams.delete('format')
  for (const [k, v] of Object.entries(more)) url.searchParams.set(k, v)
  const res = await page.context().request.get(url.href)
  check(res.ok(), panel, url.search, res.status())
  return await res.json()
}

/** The rows of the tables of a panel: [heading, cells]. */
const table = (page, panel, at = 'table') => page.$$eval(`.p-${panel} ${at} tbody tr`, all => all.map(r => ({
  head: r.querySelector('th [title]')?.title ?? r.querySelector('th')?.textContent.trim(), time: r.querySelector('time')?.getAttribute('datetime'),
  cells: [...r.querySelectorAll('td')].map(td => [...td.childNodes].find(n => n.nodeType === 3)?.textContent ?? td.textContent),
  small: [...r.querySelectorAll('td')].map(td => td.querySelector('small')?.textContent),
})))

/** Compares the table below a chart with the steps of an answer. */
async function course (page, panel, steps, of) {
  const rows = await table(page, panel, 'details.under table')
  same(rows.length, steps.length, panel, 'steps of the chart')
  rows.forEach((r, i) => {
    check(Date.parse(r.time) === Date.parse(steps[i].time), panel, r.time, 'is not', steps[i].time)
    equal(r.cells[0], of(steps[i]), panel, r.time)
  })
}

/** A funnel of three steps, without the pointer. */
async function byKeys (page) {
  await visit(page, site + '/funnels?range=30d')
  const focused = () => page.evaluate(() => { const e = document.activeElement; return e.tagName !== 'BUTTON' && e.name || e.getAttribute('aria-label') || e.textContent.trim() })
  const tabTo = async (name, back = '') => {
    for (let i = 0; i < 60 && await focused() !== name; i++) await page.keyboard.press(back + 'Tab')
    check(await focused() === name, 'Tab does not reach', name, 'but', await focused())
  }
  /** Presses a key that leads to another page, and waits for that. */
  const press = async key => {
    const before = page.url()
    await page.keyboard.press(key)
    await page.waitForFunction(before => location.href !== before, before)
    await settled(page)
  }
  await page.keyboard.press('Tab')
  same(await focused(), 'Skip to content', 'the first stop')
  await page.keyboard.press('Enter')
  await tabTo('_v0')
  await page.keyboard.type('/pricing')
  await tabTo('_k1')
  await page.keyboard.type('Event')
  await tabTo('_v1')
  await page.keyboard.type('signup')
  await tabTo('+ Step')
  await press('Enter')
  await tabTo('_k2')
  await page.keyboard.type('Page')
  await tabTo('_v2')
  await page.keyboard.type('/')
  // The last one moves to the front, two steps up, and the focus with it.
  await page.keyboard.press('Alt+ArrowUp')
  await page.keyboard.press('Alt+ArrowUp')
  same([await focused(), await page.textContent('#said')], ['_v2', 'Step 1 of 3'], 'the step that moved')
  await press('Enter')
  same(new URL(page.url()).searchParams.getAll('step'), ['type=page&type=screen&page=/', 'type=page&type=screen&page=/pricing', 'name=signup'], 'steps by keys')
  await tabTo('split')
  await page.keyboard.type('Country')
  await press('Enter').catch(() => {}) // a list may keep the key
  if (!/split=/.test(page.url())) { await tabTo('Show'); await press('Enter') }
  await page.waitForSelector('.p-split tbody tr')
  // With its buttons, too; the focus stays on the step.
  await tabTo('Step 3 up', 'Shift+')
  await press('Enter')
  same(new URL(page.url()).searchParams.getAll('step').at(1), 'name=signup', 'the second step after "up"')
  same(await focused(), 'Step 2 up', 'the button that has the focus')
  await tabTo('Step 2 down')
  await press('Enter')
  // Saved and named, it is among the others.
  await tabTo('name')
  await page.keyboard.type('Built by keys')
  await page.keyboard.press('Enter')
  await page.waitForSelector('.p-funnel footer :text("Saved")')
  await settled(page)
}

/** The numbers of the funnel that is shown. */
async function funnel (page) {
  check(await page.locator('.p-split tbody tr').count() > 2, 'rows of a split')
  const a = await answer(page, 'funnel', { limit: 10 })
  const steps = await page.$$eval('.p-funnel ol.funnel > li', all => all.map(li => ({ count: li.querySelector('b').textContent, first: li.querySelector('.funnel-count small').textContent, note: li.querySelector('.funnel-note').textContent, drop: li.querySelector('.funnel-drop')?.textContent })))
  same(steps.length, a.steps.length, 'steps of a funnel')
  steps.forEach((s, i) => {
    const { count, median } = a.steps[i], before = a.steps[i - 1]?.count, next = a.steps[i + 1]?.count
    equal(s.count, count, 'step', i + 1)
    equal(s.first, count / a.entered, 'step', i + 1, 'of the first')
    const [, rate, time] = /^(?:(.*) of the step before)?(?: · (.*) after it)?/.exec(s.note)
    if (i) equal(rate, count / before, 'step', i + 1, 'of the one before')
    if (i && median !== null) equal(time, median, 'step', i + 1, 'after the one before')
    const [, stopped, part] = /^(\S+) stopped here, (.*)$/.exec(s.drop || '') || []
    if (next !== undefined) { equal(stopped, count - next, 'stopped at', i + 1); equal(part, (count - next) / count, 'part that stopped at', i + 1) }
  })
  const rows = await table(page, 'split')
  same(rows.length, a.split.length, 'rows of the split')
  rows.forEach((r, i) => {
    const s = a.split[i]
    s.steps.forEach((step, k) => {
      equal(r.cells[k], step.count, 'split', r.head, 'step', k + 1)
      if (k && s.steps[k - 1].count) equal(r.small[k], step.step_rate, 'split', r.head, 'rate of step', k + 1)
    })
    equal(r.cells.at(-1), s.entered ? s.converted / s.entered : null, 'split', r.head, 'rate')
  })
  await course(page, 'rate', a.series, s => s.rate)

  // Who stopped is a list of people, of that many.
  const stopped = a.steps[0].count - a.steps[1].count
  await follow(page, '.funnel-drop a')
  same(await page.locator('.p-entities li').count(), Math.min(100, stopped), 'people who stopped')
  await follow(page, '.p-entities li a')
  check(await page.locator('.p-person').count() === 1, 'somebody who stopped is at', page.url())
  await visit(page, site + '/funnels?range=30d')
  check(await page.locator('h2', { hasText: 'Built by keys' }).count() === 1, 'the funnel that was saved is not in the list')
}

/** A retention, and the people of a cell. */
async function retention (page) {
  await visit(page, site + '/retention?range=30d&period=week')
  await page.selectOption('[name=cohort]', 'range')
  const before = page.url()
  await page.locator('.asks .go').click()
  await page.waitForFunction(b => location.href !== b, before)
  await settled(page)
  check(/cohort=range/.test(page.url()), 'the form of a retention leads to', page.url())
  const a = await answer(page, 'cohorts')
  const [average, ...rows] = await table(page, 'cohorts')
  const cohorts = a.cohorts.slice(a.cohorts.findIndex(c => c.size > 0))
  same(rows.length, cohorts.length, 'cohorts')
  let link
  rows.forEach((r, i) => {
    equal(r.cells[0], cohorts[i].size, r.time, 'size')
    cohorts[i].cells.forEach((c, k) => {
      percents(r.cells[k + 1], cohorts[i].size ? c.users / cohorts[i].size : null, r.time, 'cell', k + 1)
      if (c.users && !link) link = { period: cohorts[i].period, cell: k + 1, users: c.users }
    })
  })
  a.average.forEach((x, k) => percents(average.cells[k + 1], x, 'the average of', k + 1))
  const curve = await table(page, 'curve', 'details.under table')
  same(curve.length, a.average.filter(x => x !== null).length, 'steps of the curve')
  curve.forEach((r, i) => equal(r.cells[0], a.average[i], 'the curve at', i + 1))

  await follow(page, `.p-cohorts a[href*="_at=${link.period}"][href*="_cell=${link.cell}"]`)
  const people = []
  for (let more = true; more;) {
    people.push(...await page.locator('.p-entities li').allTextContents())
    more = await page.locator('a[rel=next]').count() > 0
    if (more) await follow(page, 'a[rel=next]')
  }
  same([people.length, new Set(people).size], [link.users, link.users], 'people of a cell')
  await follow(page, '.p-entities li a')
  same(await page.locator('.p-person').count(), 1, 'somebody of a cell is at', page.url())
}

/** A way, step by step, and its funnel. */
async function paths (page) {
  const look = async () => {
    const a = await answer(page, 'paths', { limit: 12 })
    const columns = await page.$$eval('.p-paths .paths > section', all => all.map(s => [...s.querySelectorAll('li')].map(li => ({ label: li.querySelector('[title]').title, count: li.querySelector('b').textContent, share: li.querySelector('small').textContent }))))
    same(columns.length, a.columns.length, 'columns of paths')
    columns.forEach((rows, i) => {
      const c = a.columns[i], all = c.other + c.stopped + c.rows.reduce((n, r) => n + r.count, 0)
      for (const r of c.rows) {
        const row = rows.find(o => o.label === r.label)
        if (r.label && check(row, 'column', i + 1, 'has no', r.label)) { equal(row.count, r.count, 'column', i + 1, r.label); equal(row.share, r.count / all, 'column', i + 1, 'share of', r.label) }
      }
      if (c.stopped) equal(rows.find(o => o.label === 'Left')?.count, c.stopped, 'column', i + 1, 'left')
    })
    return a
  }
  await visit(page, site + '/paths?range=30d')
  await look()
  await follow(page, '.paths section:nth-child(1) li a[title="/pricing"]')
  await look()
  await follow(page, '.paths section:nth-child(2) li a[title="/docs"]')
  const a = await look()
  const went = a.columns[1].rows.find(r => r.label === '/docs').count
  const text = await page.textContent('.way > b')
  same(text.replace(/\u00a0/g, ' ').split(', ')[0], `${went.toLocaleString('en-US')} of ${a.anchored.toLocaleString('en-US')} visits`, 'the way’s share')
  await follow(page, 'a:has-text("Make a funnel of it")')
  same(new URL(page.url()).searchParams.getAll('step'), ['type=page&type=screen&page=/pricing', 'type=page&type=screen&page=/docs'], 'steps of a way')
  same(new URL(page.url()).searchParams.get('entity'), 'visit', 'who goes through it')
  check(/went all the way/.test(await page.textContent('.funnel-summary')), 'the funnel of a way shows', await page.textContent('main'))
}

/** Sums and percentiles of a property, by another. */
async function numbers (page) {
  await visit(page, site + '/numbers?range=30d&of=prop.amount&by=prop.plan&_metric=sum')
  const names = { Count: 'count', Sum: 'sum', Mean: 'avg', Least: 'min', Greatest: 'max', Median: 'p50', p90: 'p90', p99: 'p99' }
  const a = await answer(page, 'series')
  const tiles = await page.$$eval('.p-numbers .tiles li', all => all.map(li => [li.querySelector('.name').textContent, li.querySelector('b').textContent]))
  same(tiles.map(t => t[0]), Object.keys(names), 'tiles of numbers')
  for (const [name, text] of tiles) equal(text, a.total[names[name]], name, 'of amount')
  await course(page, 'series', a.series, s => s.sum)
  const by = await answer(page, 'by', { limit: 100 })
  const head = await page.$$eval('.p-by thead th', all => all.slice(1).map(th => th.textContent))
  const rows = await table(page, 'by')
  same(rows.map(r => r.head), by.rows.map(r => r.value), 'values of plan')
  rows.forEach((r, i) => head.forEach((h, c) => equal(r.cells[c], by.rows[i][names[h]], r.head, h)))
}

/** The shop, in the currency that is shown. */
async function shop (page) {
  await visit(page, site + '/shop?range=30d')
  const a = await answer(page, 'products', { limit: 10 })
  const names = { Revenue: 'revenue', Orders: 'orders', 'Average order': 'average_order', 'Conversion rate': 'conversion_rate', Customers: 'customers', 'Abandoned carts': 'carts_abandoned', 'Left in carts': 'carts_value', Refunds: 'refunds' }
  const { currency } = a.totals[0]
  for (const [name, text] of await page.$$eval('.p-numbers .tiles li', all => all.map(li => [li.querySelector('.name').textContent, li.querySelector('b').textContent]))) {
    check(names[name], 'tile of the shop', name) && equal(text, a.totals[0][names[name]], 'shop:', name)
  }
  const res = await page.context().request.get(server + '/api/v1/shop?range=30d&by=sku')
  await course(page, 'chart', (await res.json()).series.filter(s => s.currency === currency), s => s.revenue)
  const head = await page.$$eval('.p-products thead th', all => all.slice(1).map(th => th.textContent))
  const rows = await table(page, 'products')
  same(rows.length, a.products.rows.length, 'products')
  const columns = { Revenue: 'revenue', Orders: 'orders', Quantity: 'quantity', Sold: 'quantity', Pieces: 'quantity', 'Average price': 'average_price', Price: 'average_price' }
  rows.forEach((r, i) => head.forEach((h, c) => check(columns[h], 'column of products', h) && equal(r.cells[c], a.products.rows[i][columns[h]], r.head, h)))
}

/** The list of events, its bars and its fields; the lists of people and of visits; one person. */
async function lists (page) {
  const get = async path => (await (await page.context().request.get(server + '/api/v1/' + path)).json())
  await visit(page, site + '/events?range=30d&_facet=name')
  const all = await page.context().request.get(server + '/api/v1/count?range=30d&bot=false')
  const total = (await all.json()).events
  equal((await page.textContent('.p-course footer .muted')).replace(/ events.*/, ''), total, 'events in all')
  const bars = await answer(page, 'course')
  await course(page, 'course', bars.buckets, b => b.events)
  const { events } = await get('events?range=30d&bot=false&limit=100&order=desc')
  same(await page.$$eval('.p-list tbody tr th a', list => list.map(a => a.pathname.split('/').pop())), events.map(e => e.id), 'events of the list')
  const values = await get('values?range=30d&bot=false&field=name&limit=20')
  const shown = await page.$$eval('.facets ul li', list => list.map(li => [li.querySelector('a')?.title, li.querySelector('span')?.textContent]))
  check(shown.length > 2, 'values of a field', shown)
  for (const [value, count] of shown) {
    const row = values.rows.find(r => r.value === value)
    if (row) equal(count, row.events, 'events with the name', value)
  }

  await visit(page, site + '/people?range=30d')
  const { users } = await get('users?range=30d&bot=false&sort=last&limit=100')
  const rows = await table(page, 'people')
  same(rows.map(r => r.head), users.slice(0, rows.length).map(u => u.id), 'people')
  rows.forEach((r, i) => { equal(r.cells[2], users[i].sessions, r.head, 'visits'); equal(r.cells[3], users[i].events, r.head, 'events') })

  await visit(page, site + '/people?range=30d&_tab=visits')
  const { sessions } = await get('sessions?range=30d&bot=false&limit=100')
  const visits = await table(page, 'people')
  check(visits.length > 20, 'visits', visits.length)
  visits.forEach((r, i) => {
    check(Date.parse(r.time) === Math.floor(Date.parse(sessions[i].start) / 1000) * 1000, 'a visit began', r.time, 'not', sessions[i].start)
    equal(r.cells.at(-3), sessions[i].duration, 'the duration of a visit')
    equal(r.cells.at(-2), sessions[i].events, 'the events of a visit')
  })

  await follow(page, '.p-people tbody tr a[href*="/people/"]')
  const id = decodeURIComponent(new URL(page.url()).pathname.split('/').pop())
  const user = await get('users/' + encodeURIComponent(id))
  const facts = Object.fromEntries(await page.$$eval('.p-person .facts > div', list => list.map(d => [d.querySelector('dt').textContent, d.querySelector('dd').textContent])))
  equal(facts.Visits, user.sessions, id, 'visits')
  equal(facts.Events, user.events, id, 'events')
}

/** The page of one page, now, and what has arrived. */
async function others (page) {
  const get = async path => (await (await page.context().request.get(server + '/api/v1/' + path)).json())
  await visit(page, site + '/page?range=30d&_page=/docs')
  const row = (await get('pages?range=30d&bot=false&page=/docs')).rows.find(r => r.value === '/docs')
  const names = { 'Page views': 'views', Visitors: 'visitors', Visits: 'visits', Entries: 'entries', Exits: 'exits', 'Bounce rate': 'bounce_rate', 'Exit rate': 'exit_rate', 'Time on page': 'time' }
  for (const [name, text] of await page.$$eval('.p-numbers .tiles li', all => all.map(li => [li.querySelector('.name').textContent, li.querySelector('b').textContent]))) equal(text, row[names[name]], '/docs:', name)
  for (const [panel, anchor] of [['before', 'end'], ['after', 'start']]) {
    const a = await get(`paths?range=30d&bot=false&${anchor}=${encodeURIComponent('page=/docs')}&anchor=each&depth=1`)
    for (const r of await table(page, panel)) {
      const want = a.columns[0].rows.find(o => o.label === r.head)
      if (want) equal(r.cells[0], want.count, panel, '/docs:', r.head)
    }
  }
  await visit(page, site + '/live')
  const live = await get('live?bot=false')
  check(read(await page.textContent('[data-n=visitors]')) !== null, 'people of now')
  equal(await page.textContent('[data-n=events_30]'), live.events_30, 'events of 30 minutes')
  equal(await page.textContent('[data-n=views_30]'), live.views_30, 'views of 30 minutes')
  await visit(page, site + '/setup')
  equal((await page.textContent('.p-arrived p')).replace(/ events.*/s, ''), (await get('site')).events, 'events that have arrived')
}

await run(async browser => {
  const [page, other] = await Promise.all([1, 2].map(async () => await login(await open(browser), key)))
  const each = async (page, ...parts) => { for (const part of parts) await part(page).catch(e => check(false, part.name, e.stack)) }
  await Promise.all([each(page, byKeys, funnel, retention, paths), each(other, numbers, shop, lists, others)])
  check(compared > 600, 'only', compared, 'numbers were compared')
  console.log(`${compared} numbers are those of the API`)
})
