// Every number of Overview and Pages is the one of the panel's own call, which its links JSON and
// CSV lead to; what it was before and how it changed, too. RECOUNT has what some of them must be, counted from what was sent. Filters, tabs,
// sorting and search lead to addresses that show the same again.
import { check, each, follow, links, login, open, run, same, server, settled, site, visit } from './lib.mjs'
import { csv, is, isChange, read } from './text.mjs'

const key = process.env.SECRET_KEY
const recount = JSON.parse(process.env.RECOUNT)

/** Which number of the API stands under a title. */
const keys = {
  Visitors: 'visitors', Visits: 'visits', 'Page views': 'views', 'Views per visit': 'views_per_visit', 'Bounce rate': 'bounce_rate',
  'Visit duration': 'duration', Events: 'events', People: 'users', Entries: 'entries', Exits: 'exits', 'Exit rate': 'exit_rate',
  'Time on page': 'time', Share: 'share', Conversions: 'conversions', 'Conversion rate': 'conversion_rate', 'Goal value': 'goal_value',
}

/** The tables and tiles of a page as they stand there. */
const shown = page => page.evaluate(() => {
  const own = td => [...td.childNodes].find(n => n.nodeType === 3)?.textContent || ''
  return [...document.querySelectorAll('main .panel')].map(p => ({
    name: p.dataset.panel,
    json: [...p.querySelectorAll('a')].find(a => a.textContent === 'JSON')?.href,
    csv: [...p.querySelectorAll('a')].find(a => a.textContent === 'CSV')?.href,
    tiles: [...p.querySelectorAll('.tiles li')].map(t => [t.querySelector('.name').textContent, t.querySelector('b').textContent, t.querySelector('.change')?.title.replace('before: ', ''), t.querySelector('.change [aria-hidden]')?.textContent]),
    tables: [...p.querySelectorAll('table')].map(t => ({
      chart: !!t.closest('details'),
      head: [...t.querySelectorAll('thead th')].map(h => h.textContent),
      rows: [...t.querySelectorAll('tbody tr')].map(r => ({
        value: r.querySelector('th .none') ? null : r.querySelector('th [title]')?.title ?? '',
        time: r.querySelector('time')?.getAttribute('datetime'),
        cells: [...r.querySelectorAll('td')].map(own),
        changes: [...r.querySelectorAll('td')].map(td => td.querySelector('.change [aria-hidden]')?.textContent),
      })),
    })),
  }))
})

let compared = 0

/** Compares what a page shows with its calls. */
async function compare (page, from) {
  const panels = await shown(page)
  const calls = new Map()
  const answer = async url => {
    if (!calls.has(url)) calls.set(url, page.context().request.get(url).then(async r => check(r.ok(), from, url, r.status()) ? await r.json() : {}))
    return await calls.get(url)
  }
  const shared = panels.find(p => p.name === 'chart')?.json
  for (const p of panels) {
    const what = `${from}, ${p.name}:`
    if (p.tiles.length && shared) {
      const { total, compare } = await answer(shared)
      for (const [title, text, before, change] of p.tiles) {
        compared++
        const now = total[keys[title]], was = compare?.total[keys[title]]
        check(is(text, now), what, title, text, 'is not', now)
        if (before !== undefined) check(is(before, was) && isChange(change, now, was), what, title, before, change, 'is not the way from', was, 'to', now)
        else check(!compare || now === null || was === null || !was && !now, what, title, 'has no change from', was, 'to', now)
      }
    }
    if (p.name === 'weekhour' && shared) {
      const want = Array.from({ length: 24 }, () => Array(7).fill(0))
      for (const { value, visits } of (await answer(shared)).by.weekhour.rows) want[Number(value.slice(2))][value[0] - 1] = visits
      compared += 168
      same(p.tables[0].rows.map(r => r.cells.map(text => Number(text.replace(',', '')))), want, what, 'visits')
      continue
    }
    if (p.name === 'properties') continue
    if (!check(!p.tables.length || p.json, what, 'has a table and no JSON')) continue
    for (const t of p.tables) {
      const a = await answer(p.json)
      if (t.chart) {
        const key = keys[t.head[1]]
        same(t.rows.length, a.series.length, what, 'steps of the chart')
        t.rows.forEach((r, i) => {
          compared++
          const want = a.series[i]
          check(Date.parse(r.time) === Date.parse(want.time) && is(r.cells[0], want[key]), what, r.time, r.cells[0], 'is not', want)
          if (t.head[2] !== 'Before') return
          const was = a.compare.series[i]?.[key]
          check(is(r.cells[1], was), what, r.time, r.cells[1], 'before is not', was)
          // A step that still runs is not compared.
          if (r.changes[2] !== undefined) check(isChange(r.changes[2], want[key], was), what, r.time, r.changes[2], 'is not the way from', was, 'to', want[key])
        })
        continue
      }
      const by = a.by && (a.by[t.head[0].toLowerCase()] || Object.values(a.by)[0])
      const rows = a.goals?.map(g => ({ ...g, value: g.name, goal_value: g.value })) ?? (by || a).rows
      same(t.rows.map(r => r.value), rows.map(r => r.value), what, 'rows')
      t.rows.forEach((r, i) => r.cells.forEach((text, c) => {
        compared++
        const key = keys[t.head[c + 1]]
        check(key && is(text, rows[i][key]), what, r.value, t.head[c + 1], text, 'is not', rows[i][key])
        if (r.changes[c] !== undefined) check(isChange(r.changes[c], rows[i][key], rows[i].was?.[key]), what, r.value, t.head[c + 1], r.changes[c], 'is not the way from', rows[i].was?.[key], 'to', rows[i][key])
      }))
    }
  }
  return panels
}

/** Every tab of the overview and of the pages. */
async function tabs (browser) {
  const page = await login(await open(browser), key)
  const all = [site, ...await links(page, 'main .tabs a')]
  await visit(page, site + '/pages')
  all.push(...await links(page, 'main .tabs a'))
  const askers = [page, await login(await open(browser), key)]
  const seen = new Set()
  await each([...new Set(all)], askers.length, async (url, n) => {
    await visit(askers[n], url)
    const panels = await compare(askers[n], url.slice(site.length) || 'overview')
    for (const p of panels) if (p.tables.length) seen.add(p.name)
  })
  for (const name of ['chart', 'sources', 'pages', 'places', 'devices', 'events']) check(seen.has(name), 'no table was seen in', name)
}

/** What was sent is what is shown. */
async function sent (browser) {
  const page = await login(await open(browser), key)
  await visit(page, site + '?range=30d&visit.dialect=native')
  const [tiles] = await shown(page)
  same(tiles.tiles.map(t => t[0]).sort(), Object.keys(recount.tiles).sort(), 'tiles')
  for (const [title, text] of tiles.tiles) check(is(text, recount.tiles[title]), title, text, 'but what was sent has', recount.tiles[title])
  for (const r of recount.rows) {
    await visit(page, site + '?range=30d' + (r.tab && '&_tab=' + r.tab))
    const panel = (await shown(page)).find(p => p.name === r.panel)
    const [table] = panel.tables
    const text = table.rows.find(row => row.value === r.row)?.cells[table.head.indexOf(r.column) - 1]
    check(text !== undefined && is(text, r.value), r.panel, r.tab, r.row, r.column, text ?? 'is not there', 'but what was sent has', r.value)
  }

  // The day on which the clock changed has one hour more or less, compared with a day of 24.
  await visit(page, `${site}?from=${recount.day}&to=${recount.day}&interval=hour&compare=previous&visit.dialect=native&_metric=visits`)
  await compare(page, 'the day of the clock')
  const chart = (await shown(page)).find(p => p.name === 'chart').tables[0]
  same(chart.rows.map(r => [Date.parse(r.time), Number(r.cells[0])]), recount.hours.map(h => [Date.parse(h.time), h.visits]), 'hours of', recount.day)
  check(chart.rows.length !== 24, recount.day, 'has 24 hours')
  const [, visits, before] = (await shown(page))[0].tiles.find(t => t[0] === 'Visits')
  const sum = recount.hours.reduce((n, h) => n + h.visits, 0)
  check(is(visits, sum) && is(before, recount.before), 'visits of the day of the clock', visits, 'and of the one before', before, 'want', sum, recount.before)
  check(recount.before > 0 && recount.before !== sum, 'the days beside the change of the clock are the same')
}

/** What a screen shows, to be compared with another look at it. */
const picture = async page => JSON.stringify([(await shown(page)).map(p => ({ ...p })), await page.locator('.chip').allTextContents(), await page.title()])

/** A click filters; the address shows the same again, whichever way one comes to it. */
async function filters (browser) {
  const context = await open(browser)
  const page = await login(context, key)
  const plain = await picture(page)
  const chips = await page.locator('.chip').count()
  await follow(page, '.p-places tbody a')
  const country = await picture(page), address = page.url()
  check(new URL(address).searchParams.get('visit.country'), 'a click on a country leads to', address)
  same(await page.locator('.chip').count(), chips + 1, 'chips after a click')
  await follow(page, '.p-pages tbody a')
  const both = await picture(page)
  await compare(page, 'two filters')
  check(country !== plain && both !== country, 'a filter changes nothing')

  await page.goBack(); await page.waitForURL(address); await settled(page)
  same(await picture(page) === country, true, 'back shows the same as before')
  await page.goForward(); await page.waitForURL(u => u.href !== address); await settled(page)
  same(await picture(page) === both, true, 'forward shows the same as before')
  await page.reload(); await settled(page)
  same(await picture(page) === both, true, 'reloaded, it shows the same')
  const other = await context.newPage()
  await visit(other, page.url())
  same(await picture(other) === both, true, 'a copied link shows the same')
  await other.close()
  await follow(page, '.chip:last-of-type > a:last-child')
  same(await picture(page) === country, true, 'with the second filter removed it shows the same as before it')
  await follow(page, '.chip:last-of-type > a:last-child')
  same(await page.locator('.chip').count(), chips, 'chips when all are removed')

  // The form does what a click does.
  await page.locator('#filter > summary').click()
  await page.selectOption('[name=_field]', 'visit.country')
  await page.fill('[name=_value]', new URL(address).searchParams.get('visit.country'))
  const was = page.url()
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.waitForFunction(was => location.href !== was, was)
  await settled(page)
  same(await page.locator('.tiles b').allTextContents(), JSON.parse(country)[0][0].tiles.map(t => t[1]), 'numbers by the form')

  // A chip opens the form with what it says.
  await follow(page, '.chip:last-of-type > a.said')
  await page.locator('#filter[open] [name=_value]').first().fill('FR')
  const editing = page.url()
  await page.getByRole('button', { name: 'Change', exact: true }).click()
  await page.waitForFunction(editing => location.href !== editing, editing)
  await settled(page)
  same(new URL(page.url()).searchParams.getAll('visit.country'), ['FR'], 'countries after a change')
  same(await page.locator('.chip').count(), chips + 1, 'chips after a change')
}

/** The whole table: sorted, searched, page by page, and its CSV. */
async function whole (browser) {
  const page = await login(await open(browser), key)
  await visit(page, site + '/pages?range=30d')
  await compare(page, 'all pages')
  const [{ csv: address }] = await shown(page)
  const res = await page.context().request.get(address)
  const [head, ...want] = csv(await res.text())
  const rows = []
  for (let more = true; more;) {
    const [{ tables: [t] }] = await shown(page)
    rows.push(...t.rows.map(r => ({ ...r, head: t.head })))
    more = await page.locator('a[rel=next]').count() > 0
    if (more) await follow(page, 'a[rel=next]')
  }
  check(rows.length > 100, 'only', rows.length, 'rows: no second page')
  same(rows.map(r => r.value ?? ''), want.map(r => r[0]), 'rows of all pages and of the CSV')
  rows.forEach((r, i) => r.cells.forEach((text, c) => {
    const value = want[i][head.indexOf(keys[r.head[c + 1]])]
    check(is(text, value === '' ? null : Number(value)), 'CSV:', r.value, r.head[c + 1], text, 'is not', value)
  }))

  await visit(page, site + '/pages?range=30d')
  for (const title of ['Visitors', 'Bounce rate']) {
    await page.getByRole('columnheader', { name: title }).getByRole('link').click()
    await page.waitForSelector(`th[aria-sort=descending]:has-text("${title}")`)
    await settled(page)
    const [{ tables: [t] }] = await shown(page)
    const column = t.rows.map(r => read(r.cells[t.head.indexOf(title) - 1])?.[0] ?? -1)
    same(column, [...column].sort((a, b) => b - a), 'sorted by', title)
    await compare(page, 'sorted by ' + title)
  }
  await page.fill('#search', 'blog')
  await page.keyboard.press('Enter')
  await page.waitForURL(/search=blog/)
  await settled(page)
  const [{ tables: [t] }] = await shown(page)
  same(t.rows.map(r => r.value).sort(), ['/blog/hello-world', '/blog/why-pebbles'], 'rows of a search')
  await compare(page, 'searched')
}

await run(async browser => {
  await Promise.all([tabs(browser), (async () => {
    await sent(browser)
    await filters(browser)
    await whole(browser)
  })()])
  check(compared > 500, 'only', compared, 'numbers were compared')
  console.log(`${compared} numbers are those of the API; server ${server}`)
})
