// axe-core looks at each screen, menu and dialog, in light and dark, at three widths, and at
// what is seldom seen: an error, an empty panel, one that is loading. No rule of WCAG 2.2 A and
// AA is broken. These contexts pass by the policy of the page, since axe-core is put into it.
import { readFileSync } from 'node:fs'
import { check, each, late, login, open, run, same, screens, server, settled, site, visit } from './lib.mjs'

const key = process.env.SECRET_KEY
const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
let looks = 0

/** Judges a page as it is. Of long lists it sees the first rows: the others are like them. */
async function judge (page, what, within = 'html') {
  looks++
  const broken = await page.evaluate(async ([axe, tags, within]) => {
    if (!window.axe) (0, eval)(axe)
    const res = await window.axe.run({ include: [within], exclude: ['tbody tr:nth-child(n+7)', '.chart-plot .steps > :nth-child(n+4)', 'main ol > li:nth-child(n+7)'] }, { runOnly: tags, resultTypes: ['violations'], elementRef: false })
    return res.violations.map(v => `${v.id}: ` + v.nodes.slice(0, 3).map(n => `${n.target.join(' ')} (${n.any[0]?.message || n.all[0]?.message || n.none[0]?.message || ''})`).join('; ') + (v.nodes.length > 3 ? ` and ${v.nodes.length - 3} more` : ''))
  }, [axe, tags, within])
  for (const b of broken) check(false, what, b)
}

const looksAll = [[1280, 'light'], [1280, 'dark'], [768, 'light'], [320, 'dark']] // colours differ by theme, places by width
const looksFew = [[1280, 'light'], [320, 'dark']] // of what is drawn as it is elsewhere

/** Judges a page, or a part of it, in both themes and all widths, though not in each pair. */
async function all (page, what, within, looks = looksAll) {
  for (const [width, colorScheme] of looks) {
    await page.setViewportSize({ width, height: 900 })
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await judge(page, `${what}, ${colorScheme}, ${width} px:`, within)
  }
}

await run(async browser => {
  const askers = await Promise.all([1, 2].map(async () => await login(await open(browser, { bypassCSP: true }), key)))
  const list = await screens(askers[0])
  await each(list, askers.length, async ({ name, url }, n) => {
    const page = askers[n]
    await visit(page, url)
    await all(page, name)
  })
  const page = askers[0]
  await page.setViewportSize({ width: 1280, height: 900 })
  await visit(page, site)
  await page.keyboard.press('?')
  await page.waitForSelector('dialog[open]')
  await all(page, 'the dialog of shortcuts', 'dialog')
  await page.keyboard.press('Escape')

  // Each menu and table that opens, alone: open ones lie over each other.
  for (const path of ['', '/setup']) {
    await visit(page, site + path)
    for (let i = 0, n = await page.locator('details').count(); i < n; i++) {
      const what = `${path || 'overview'}, ${await page.locator('details > summary').nth(i).textContent()} open`
      for (const look of looksFew) {
        for (let tries = 1; ; tries++) { // a refresh may replace the panel that it is in
          await page.locator('details').nth(i).evaluate(d => { d.open = true; d.setAttribute('data-judged', '') })
          try {
            await all(page, what, '[data-judged]', [look])
            break
          } catch (err) {
            if (tries === 3 || !String(err).includes('No elements found for include')) throw err
          }
        }
      }
      await page.locator('details').nth(i).evaluate(d => { d.open = false; d.removeAttribute('data-judged') })
    }
  }

  // Nothing, and what the server refuses, on each kind of screen.
  const step = '&step=name%3Dsignup&step=type%3Dpage'
  for (const [path, query, most] of [['', '', 4], ['/pages', '', 1], ['/events', '', 1], ['/people', '', 1], ['/funnels', step, 2], ['/retention', '', 2], ['/paths', '', 1], ['/numbers', '&of=prop.amount', 2], ['/shop', '', 3]]) {
    for (const [kind, filter, what] of [['.empty', '&visit.country=AQ', 'empty panels'], ['.error', '&nonsense=1', 'errors']]) {
      await visit(page, `${site}${path}?range=30d${query}${filter}`)
      const n = await page.locator(kind).count()
      check(n >= most, what, 'of', path || 'overview', n)
      await all(page, `${path || 'overview'}, ${what}`, 'main', path ? looksFew : looksAll)
    }
  }
  await visit(page, site + '/pages?range=30d')
  await all(page, 'a whole table')

  // What comes while panels are counted: the screen as it is sent then, whose panels never come.
  await page.route(u => u.searchParams.has('_panel'), () => {})
  await page.route(u => u.href === site + '?range=7d', async route => {
    const res = await route.fetch()
    await route.fulfill({ response: res, body: late(await res.text()) })
  })
  await page.goto(site + '?range=7d')
  check(await page.locator('[data-load]').count() > 3, 'panels that load', await page.locator('[data-load]').count())
  await all(page, 'loading panels')
  await page.unrouteAll({ behavior: 'ignoreErrors' })

  // The door, and who is not in.
  const out = await (await open(browser, { bypassCSP: true, expected: /status of 40[34]/ })).newPage()
  await out.goto(server + '/dashboard/login')
  await all(out, 'the login')
  await out.fill('#key', 'no-key-of-anybody-00000000000000001')
  await out.click('form button')
  await out.waitForSelector('[role=alert]')
  await all(out, 'a refused login')
  await out.goto(server + '/dashboard/open/AAAA-AAAA-AAAA-AAAA-AAAA')
  await out.waitForSelector('[role=alert]')
  await all(out, 'a spent link')
  askers[1].context().allowed = /status of 404/
  await askers[1].goto(site + '/nowhere')
  await all(askers[1], 'no such page')
  await visit(askers[1], server + '/dashboard/sites')
  await all(askers[1], 'the sites')

  // What others see.
  const saved = { kind: 'share', name: 'axe', scope: 'numbers', embed: ['http://intranet.example'] }
  const res = await fetch(server + '/api/v1/saved', { method: 'POST', body: JSON.stringify(saved), headers: { Authorization: 'Bearer ' + key, 'Content-Type': 'application/json' } })
  const { token } = await res.json()
  await out.goto(server + '/dashboard/s/' + token)
  await settled(out)
  await all(out, 'a share')
  for (const theme of ['light', 'dark']) {
    await out.goto(`${server}/dashboard/e/${token}?_show=numbers,chart,pages&_theme=${theme}`)
    await settled(out)
    await all(out, `an embed, ${theme}`)
  }
  await fetch(server + '/api/v1/saved/' + (await (await fetch(server + '/api/v1/saved?kind=share', { headers: { Authorization: 'Bearer ' + key } })).json()).saved[0].id, { method: 'DELETE', headers: { Authorization: 'Bearer ' + key } })
  same(await settled(page), undefined)
  console.log(`${looks} looks at ${list.length} screens and more`)
})
