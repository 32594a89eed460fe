// Opens each of PAGES, a JSON array of URLs, in a headless Chromium without a past,
// waits until the page says that it is done (window.done), leaves it, and prints what
// the pages said, what was logged and which hosts were asked, as a JSON array in the
// order of PAGES.
import { chromium } from 'playwright-core'

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
async function visit (url) {
  const context = await browser.newContext()
  const page = await context.newPage()
  const log = []
  page.on('console', (m) => log.push(m.type() + ': ' + m.text()))
  page.on('pageerror', (e) => log.push('error: ' + e))
  page.on('requestfailed', (r) => log.push('failed: ' + r.method() + ' ' + r.url() + ' ' + r.failure()?.errorText))
  const hosts = new Set()
  page.on('request', (r) => hosts.add(new URL(r.url()).host))
  await page.goto(url)
  await page.waitForFunction(() => window.done !== undefined, null, { timeout: 60000 }).catch((e) => log.push(String(e)))
  const done = await page.evaluate(() => window.done)
  await page.goto('about:blank')
  await new Promise((resolve) => setTimeout(resolve, 50))
  await context.close()
  return { done, log, hosts: [...hosts].sort() }
}

// A few at a time: each waits more than it works.
const urls = JSON.parse(process.env.PAGES)
const told = []
let next = 0
const work = async () => {
  for (let i; (i = next++) < urls.length;) told[i] = await visit(urls[i])
}
try {
  await Promise.all([work(), work(), work(), work()])
} finally {
  await browser.close()
}
console.log(JSON.stringify(told))
