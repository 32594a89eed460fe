// Opens PAGE in a headless Chromium and waits until it says that it is done.
import { chromium } from 'playwright-core'

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
const page = await browser.newPage()
const log = []
page.on('console', (m) => log.push(m.type() + ': ' + m.text()))
page.on('pageerror', (e) => log.push('error: ' + e))
page.on('requestfailed', (r) => log.push('failed: ' + r.method() + ' ' + r.url() + ' ' + r.failure()?.errorText))
const hosts = new Set()
page.on('request', (r) => hosts.add(new URL(r.url()).host))
try {
  await page.goto(process.env.PAGE)
  await page.waitForFunction(() => window.done, null, { timeout: 60000 })
  console.log(JSON.stringify({ hosts: [...hosts].sort(), ...(await page.evaluate(() => window.done)) }))
} catch (err) {
  console.log(err + '\n' + log.join('\n'))
  process.exitCode = 1
} finally {
  await browser.close()
}
