// Hostile strings in every field that a protocol has. Every screen shows them as text: no dialog,
// no request to anybody, no error of a script, no node that an event made.
import { check, links, login, open, run, same, screens, server, settled, site, visit } from './lib.mjs'

const env = process.env
const hosts = 'https://evil.example/'
const strings = [
  '<script>alert(1)</script>', `"><img src=${hosts}a.png onerror=alert(2)>`, "'onmouseover='alert(3)", 'javascript:alert(4)',
  `</title></select></textarea><svg onload=alert(5)>`, '{{.}}${7*7}%00', `x" autofocus onfocus="alert(6)`, '‮right to left​ zero',
  'é'.repeat(500), `url(${hosts}b.png)`, '-->]]><!--', '../../../login?next=//evil.example', '\\\n\t"\'`', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'.repeat(20), 'constructor', '__proto__',
]
const post = (path, body, headers) => fetch(server + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } })
const form = fields => new URLSearchParams(fields).toString()
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0'

/** Sends one string in all fields of each protocol. Returns how many of them were taken. */
async function send (s, i) {
  const bearer = { Authorization: 'Bearer ' + env.SECRET_KEY }, basic = { Authorization: 'Basic ' + Buffer.from(env.WRITE_KEY + ':').toString('base64') }
  const key = s.slice(0, 60)
  const answers = await Promise.all([
    post('/api/v1/events', [
      { type: 'page', name: s, user: key, anonymous: key, session: key, context: { path: '/' + s, url: hosts + encodeURIComponent(s), title: s, referrer: hosts + encodeURIComponent(s), utm_source: s, utm_medium: s, utm_campaign: s, utm_term: s, utm_content: s, browser: key, os: key, device: key, city: key, region: key, screen: key, language: key }, properties: { [key]: s, deep: { [key]: [s, { [key]: s }] } } },
      { type: 'track', name: s, user: key, session: key, groups: [key], value: i, properties: { plan: s, href: s } },
      { type: 'search', name: s, user: key, session: key }, { type: 'download', name: s, user: key, session: key }, { type: 'outlink', name: s, user: key, session: key },
      { type: 'identify', user: key, properties: { name: s, email: s, [key]: s } },
    ], bearer),
    post('/v1/batch', { batch: [{ type: 'page', userId: key, name: s, properties: { url: s, title: s, path: s, referrer: s, [key]: s } }, { type: 'track', event: s, userId: key, properties: { [key]: s }, context: { campaign: { name: s, source: s }, page: { title: s, url: s } } }, { type: 'identify', userId: key, traits: { [key]: s, name: s } }] }, basic),
    post('/track', { type: 'track', payload: { name: s, profileId: key, properties: { __path: hosts + s, __title: s, __referrer: s, [key]: s } } }, { 'openpanel-client-id': env.CLIENT_ID, 'openpanel-client-secret': env.CLIENT_SECRET, 'User-Agent': firefox }),
    post('/matomo.php', form({ idsite: '1', rec: '1', url: hosts + s, action_name: s, urlref: s, uid: key, e_c: s, e_a: s, e_n: s, search: s, dimension1: s, cvar: JSON.stringify({ 1: [s, s] }), _rcn: s, _rck: s, link: hosts + s, res: s, lang: s, ua: s }), { 'Content-Type': 'application/x-www-form-urlencoded', 'User-Agent': firefox }),
    post('/matomo.php', form({ idsite: '1', rec: '1', url: hosts + s, uid: key, idgoal: '0', ec_id: key, revenue: '3', ec_items: JSON.stringify([[s, s, s, 1, 1]]) }), { 'Content-Type': 'application/x-www-form-urlencoded', 'User-Agent': firefox }),
    fetch(server + '/?' + form({ si: 'default', ti: s, uid: key, sid: key, [key]: s }), { headers: { 'User-Agent': firefox } }),
    post('/tracking/events', { eventName: s, value: 1, userId: key, metadata: { [key]: s } }, bearer),
  ])
  return answers.filter(r => r.ok).length
}

await run(async browser => {
  let taken = 0
  for (const [i, s] of strings.entries()) taken += await send(s, i)
  check(taken > strings.length * 5, 'only', taken, 'requests were taken') // some fields have rules of their own
  const bearer = { Authorization: 'Bearer ' + env.SECRET_KEY }
  for (const s of strings.slice(0, 5)) {
    for (const saved of [{ kind: 'filter', name: s, query: 'name=' + encodeURIComponent(s) }, { kind: 'goal', name: s, query: 'name=' + encodeURIComponent(s) }, { kind: 'funnel', name: s, query: 'step=' + encodeURIComponent('name=' + encodeURIComponent(s)) + '&step=type%3Dpage' }, { kind: 'note', time: new Date().toISOString(), text: s }]) {
      const res = await post('/api/v1/saved', saved, bearer)
      check(res.ok, 'saved', saved, res.status, res.ok ? '' : await res.text())
    }
  }

  const context = await open(browser)
  const page = await login(context, env.SECRET_KEY)
  const list = await screens(page)
  // Rows and tabs of one kind lead to screens of one kind; each hostile value gets its turn here.
  await visit(page, site + '/pages?range=7d')
  const pages = await links(page, 'tbody th a')
  await visit(page, site + '/people')
  const people = await links(page, 'tbody th a')
  await visit(page, site)
  const tabs = await links(page, 'main .tabs a')
  check(pages.length > 10 && people.length > 10, 'rows with hostile values:', pages.length, people.length)
  const filters = strings.map(s => site + '?range=7d&' + ['name', 'page', 'visit.campaign', 'prop.plan', 'nonsense', s.slice(0, 40)].map(k => encodeURIComponent(k) + '=' + encodeURIComponent([...s].slice(0, 60).join(''))).slice(0, 5).join('&'))
  const paths = strings.map(s => site + '/people/' + encodeURIComponent(s.slice(0, 60)) + '?_tab=' + encodeURIComponent(s) + '&_metric=' + encodeURIComponent(s))
  context.allowed = /status of 404/ // of people whose name is no id
  let shown = 0
  for (const url of [...list.map(s => s.url), ...tabs, ...pages.slice(0, 6), ...people.slice(0, 6), ...filters, ...paths.slice(0, 8)]) {
    await page.goto(url)
    await settled(page)
    const found = await page.evaluate(() => ({
      made: [...document.querySelectorAll('img, iframe, object, embed, base, body script, body style, [onerror], [onload], [onfocus], [onmouseover], svg[onload]')].map(e => e.outerHTML.slice(0, 80)),
      bad: [...document.querySelectorAll('a[href], form[action]')].map(e => e.getAttribute('href') || e.getAttribute('action')).filter(h => !/^(https?:|\/|#|\?|$)/.test(h)),
      out: [...document.querySelectorAll('a[href]')].filter(e => new URL(e.getAttribute('href'), location.href).origin !== location.origin && e.rel !== 'noopener noreferrer nofollow').map(e => e.outerHTML.slice(0, 120)),
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      text: document.body.innerText.includes('alert('),
    }))
    const where = url.slice(site.length, site.length + 160)
    same([found.made, found.bad, found.out], [[], [], []], where, 'has what events made, links that run, links without rel:')
    check(found.wide <= 0, where, 'is', found.wide, 'pixels too wide')
    if (found.text) shown++
  }
  check(shown > 10, 'only', shown, 'pages show the strings at all')
  console.log(`${taken} requests of ${strings.length} strings, seen on ${shown} pages`)
})
