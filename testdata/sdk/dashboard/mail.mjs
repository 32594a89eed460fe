// The HTML of a mail, MAIL, as a mail program shows it: it loads nothing, runs nothing, is no wider than a
// phone, and its bars are as long as its numbers. PICTURE is a file for a picture of it.
import { readFileSync } from 'node:fs'
import { check, patience, run, same } from './lib.mjs'

const html = readFileSync(process.env.MAIL, 'utf8')

await run(async browser => {
  const context = await browser.newContext({ viewport: { width: 680, height: 900 }, deviceScaleFactor: 1 })
  context.setDefaultTimeout(patience)
  context.on('request', r => check(false, 'the mail asks for', r.url()))
  const page = await context.newPage()
  page.on('console', m => check(false, 'console:', m.text()))
  page.on('pageerror', e => check(false, 'script error:', String(e)))
  await page.setContent(html, { waitUntil: 'load' })
  same(await page.$$eval('a', all => all.map(a => a.textContent)), ['Open the dashboard'], 'the links')
  same(await page.$$eval('img, script, style, link, form, iframe, svg, object', all => all.length), 0, 'elements that no mail has')
  // Every bar is a cell, and as long as its share of the longest.
  const tables = await page.evaluate(() => [...document.querySelectorAll('h2 + table')].filter(t => t.querySelector('th')).map(t => [...t.rows].slice(1).map(row => {
    const cells = [...row.cells]
    return { number: Number(cells[1].textContent.replaceAll(',', '')), bar: row.querySelector('td[bgcolor]').getBoundingClientRect().width }
  })))
  check(tables.length >= 4, 'only so many tables:', tables.length)
  for (const rows of tables) {
    const most = Math.max(...rows.map(r => r.number))
    for (const r of rows) check(most > 0 && Math.abs(r.bar - r.number / most * 96) <= 1, 'a bar of', r, 'of', most)
  }
  const columns = await page.evaluate(() => [...document.querySelectorAll('td[title]')].map(td => ({
    number: Number(td.title.split(': ')[1].replaceAll(',', '')), height: td.querySelector('td[bgcolor]')?.getBoundingClientRect().height ?? 0, width: td.getBoundingClientRect().width,
  })))
  const most = Math.max(...columns.map(c => c.number))
  check(columns.length === 7 && most > 0, 'the chart has', columns)
  for (const c of columns) check(Math.abs(c.height - c.number / most * 72) <= 1 && Math.abs(c.width - columns[0].width) < 1, 'a column of', c, 'of', most)
  if (process.env.PICTURE) await page.screenshot({ path: process.env.PICTURE, type: 'jpeg', quality: 85, fullPage: true })
  for (const width of [680, 360]) {
    await page.setViewportSize({ width, height: 900 })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    check(wide <= width, 'at', width, 'the mail is as wide as', wide)
  }
})
