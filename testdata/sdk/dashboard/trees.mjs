// What a screen reader is told: the accessibility tree of each screen, compared with the one in
// trees/. Numbers, dates and ids are replaced, and rows that are alike stand once. UPDATE=1 writes
// the files; read git diff before they are committed.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { check, login, open, run, server, settled, site, visit } from './lib.mjs'

const env = process.env
const folder = new URL('trees/', import.meta.url)
const step = v => '&step=' + encodeURIComponent(v)
const screens = {
  overview: '?range=7d&compare=previous', 'overview-table': '?range=7d&_full=places', live: '/live', pages: '/pages?range=7d', page: '/page?range=7d&_page=/docs', events: '/events?range=7d&_facet=name', people: '/people?range=7d',
  visits: '/people?range=7d&_tab=visits', person: '/people/ada?range=7d', funnels: '/funnels?range=7d', funnel: '/funnels?range=7d&split=visit.country' + step('page=/') + step('name=signup'), retention: '/retention?range=7d&period=day',
  paths: '/paths?range=7d&then=/', numbers: '/numbers?range=7d&of=prop.amount&by=prop.plan', shop: '/shop?range=7d', setup: '/setup?_tab=native', empty: '?range=7d&visit.country=AQ', errors: '?range=7d&nonsense=1',
}

/** Seven days of a small shop, ending with yesterday. noon is that of today, in the site's zone. */
async function send (noon) {
  const events = []
  for (let day = 6; day >= 1; day--) {
    for (let i = 0; i < 7 - day; i++) {
      const at = noon - day * 864e5 + i * 60000
      const one = { anonymous: 'p' + i, session: `s${day}.${i}`, context: { country: ['DE', 'US'][i % 2], browser: 'Firefox', os: 'Linux', device: 'desktop', referrer: i ? 'https://www.google.com/' : '' } }
      const page = (path, s) => events.push({ ...one, type: 'page', name: 'The page ' + path, time: at + s * 1000, context: { ...one.context, path, url: 'https://shop.example' + path } })
      page('/', 0)
      if (i % 2 === 0) page('/docs', 20)
      if (i < 2) events.push({ ...one, type: 'track', name: 'signup', user: i ? undefined : 'ada', time: at + 40000, properties: { plan: i ? 'free' : 'pro', amount: 3 + i } })
      if (i === 0) events.push({ ...one, type: 'order', name: 'order ' + day, user: 'ada', value: 42.5, time: at + 50000, properties: { items: [{ sku: 'A', name: 'Stone', quantity: 1, price: 42.5 }], currency: 'EUR' } })
    }
  }
  const post = async (path, body) => {
    const res = await fetch(server + path, { method: 'POST', body: JSON.stringify(body), headers: { Authorization: 'Bearer ' + env.SECRET_KEY, 'Content-Type': 'application/json' } })
    check(res.ok, path, 'is answered', res.status, await res.text())
  }
  await post('/api/v1/events', events)
  await post('/api/v1/saved', { kind: 'funnel', name: 'To a sign-up', query: 'step=page%3D/&step=name%3Dsignup' })
  await post('/api/v1/saved', { kind: 'filter', name: 'Germany', query: 'visit.country=DE' })
}

/** A tree without what changes from day to day. */
function still (tree, name) {
  const lines = tree
    .replaceAll(/https?:\/\/127\.0\.0\.1:\d+/g, 'http://SERVER').replaceAll(server.replace('http://', ''), 'SERVER').replaceAll(env.WRITE_KEY, 'WRITE_KEY')
    .split('\n').filter(l => !/^\s*- \/url:/.test(l)) // where links lead is in the golden screens
    .map(l => l
      .replace(/\b[0-9a-f]{32}\b/g, 'ID').replace(/\d{4}-\d\d-\d\d(T[\d:.]+Z?)?/g, 'DATE').replace(/\b\d{1,2}:\d\d(:\d\d)?\b/g, 'TIME')
      .replace(/\b(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b|\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b/g, 'DAY')
      .replace(/(DAY )?(\d+ )?\b(Jan(uary)?|Feb(ruary)?|Mar(ch)?|Apr(il)?|May|June?|July?|Aug(ust)?|Sep(tember)?|Oct(ober)?|Nov(ember)?|Dec(ember)?)\b( \d{4})?/g, 'DATE').replace(/DATE – DATE|\d+ – DATE/g, 'DATE')
      .replace(name === 'live' ? /(- link "|- time: )DATE\b/ : /$^/, '$1TIME') // there the day stands in place of a time of long ago
      .replace(/(Europe\/Berlin|America\/New_York)/g, 'ZONE')
      .replace(/[▲▼=]\s?[\d.,]+\s?(%|pt|s)|\b(up|down) [\d.,]+\s?(%|pt|s)|no change|\bnew\b/g, 'CHANGE')
      .replace(/\d[\d.,]*\s(h|m|s|d)( \d+\s(h|m|s|d))?(?![\w])/g, 'DURATION').replace(/(\d+\s)?(seconds?|minutes?|min|hours?|h|days?) ago|just now|yesterday/g, 'AGO')
      .replace(/(?<!level=)<?\d[\d.,]*/g, 'N'))
    .filter(l => !/^\s*- text: N now$/.test(l)) // it comes when it is known
  // What repeats stands once: rows, days, cells.
  const block = []
  for (const l of lines) {
    const depth = l.search(/\S/)
    while (block.length && block.at(-1).depth >= depth) block.pop()
    const parent = block.at(-1) ?? root
    const node = { depth, text: l.trim(), children: [] }
    parent.children.push(node)
    block.push(node)
  }
  const print = (nodes, indent) => {
    const out = []
    for (const n of nodes) {
      const text = ['  '.repeat(indent) + n.text, ...print(n.children, indent + 1)].join('\n')
      if (!out.includes(text)) out.push(text)
    }
    return out
  }
  const text = print(root.children, 0).join('\n')
  root.children = []
  return text + '\n'
}
const root = { depth: -1, children: [] }

await run(async browser => {
  await send(Number(env.NOON))
  const page = await login(await open(browser), env.SECRET_KEY)
  if (env.UPDATE) mkdirSync(folder, { recursive: true })
  for (const [name, path] of Object.entries(screens)) {
    await visit(page, site + path)
    const got = still(await page.locator('body').ariaSnapshot(), name)
    const file = new URL(name + '.txt', folder)
    if (env.UPDATE) { writeFileSync(file, got); continue }
    const want = readFileSync(file, 'utf8')
    if (got === want) continue
    const [a, b] = [want.split('\n'), got.split('\n')], at = a.findIndex((l, i) => l !== b[i])
    check(false, name, `is told differently, from line ${at + 1}:`, a.slice(at, at + 4).join(' | '), 'is now', b.slice(at, at + 4).join(' | '))
  }
  await settled(page)
})
