// What the scripts of this folder share: a browser, pages that are watched for faults, getting
// in, and a list of faults that is printed at the end. URL is the server, CHROMIUM the browser.
import { chromium } from 'playwright-core'

export const server = process.env.URL
export const site = server + '/dashboard/site/' + (process.env.SITE || 'default')

// How long something that the page does by itself may take before it counts as missing. Nothing
// is measured by it.
export const patience = 30000

const faults = []

/** Notes a fault unless ok. Returns ok. */
export function check (ok, ...what) {
  if (!ok) faults.push(what.map(w => typeof w === 'string' ? w : JSON.stringify(w)).join(' '))
  return ok
}

/** Notes a fault unless two values are the same as JSON. */
export function same (got, want, ...what) {
  return check(JSON.stringify(got) === JSON.stringify(want), ...what, got, 'want', want)
}

/** How the browser of a script is started. */
export const launch = {
  executablePath: process.env.CHROMIUM,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--hide-scrollbars',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
}

/** Runs a script with a browser, prints its faults, and ends with 1 when there are any. */
export async function run (main) {
  const browser = await chromium.launch(launch)
  try {
    await main(browser)
  } catch (e) {
    faults.push(e.stack || String(e))
  } finally {
    await browser.close()
  }
  for (const f of faults.slice(0, 60)) console.log('FAULT ' + f.slice(0, 800))
  if (faults.length > 60) console.log(`and ${faults.length - 60} more`)
  process.exit(faults.length ? 1 : 0)
}

/**
 * Opens a context whose pages are watched: an error of a script, a line of the console that is an
 * error, a dialog, a violation of the policy and a request to another host are faults. expected
 * is a pattern of lines that are none.
 */
export async function open (browser, { expected, ...options } = {}) {
  // Each context comes from an address of its own, as far as the server trusts this one: an
  // address may try ten logins a minute.
  const from = `198.51.${Math.floor(Math.random() * 256)}.${Math.floor(Math.random() * 256)}`
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-US', extraHTTPHeaders: { 'X-Forwarded-For': from }, ...options })
  await watch(context, expected)
  return context
}

/** Watches the pages of a context, see open. Requests to others than the server and more are faults. */
export async function watch (context, expected, ...more) {
  context.setDefaultTimeout(patience)
  context.allowed = expected
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', e => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`))
  })
  const hosts = [server, ...more].map(u => new URL(u).host)
  context.on('page', page => {
    const fault = (...what) => context.allowed?.test(what.join(' ')) || check(false, page.url().slice(0, 200) + ':', ...what)
    page.on('pageerror', e => fault('script error:', String(e.stack || e)))
    page.on('console', m => ['error', 'warning'].includes(m.type()) && fault('console:', m.text(), m.location().url || ''))
    page.on('dialog', d => { fault('dialog:', d.message()); d.dismiss() })
  })
  context.on('request', r => {
    const url = new URL(r.url())
    if (!['about:', 'data:', 'blob:'].includes(url.protocol)) check(hosts.includes(url.host), 'request to another host:', r.url())
  })
}

/** Logs a context in by a key, and returns the page, which shows what comes then. */
export async function login (context, key, next = '') {
  const page = await context.newPage()
  await page.goto(server + '/dashboard/login' + (next && '?next=' + encodeURIComponent(next)))
  await page.fill('#key', key)
  await Promise.all([page.waitForURL(u => !u.pathname.endsWith('/login')), page.click('form button')])
  await settled(page)
  return page
}

/** Waits until nothing of a page is under way: no panel is loaded, tried again or stale. */
export async function settled (page) {
  await page.waitForFunction(() => !document.querySelector('[data-load], [data-wait], .panel.stale') && document.readyState === 'complete')
}

/** A page as a busy server sends it: its panels, or the one of a name, come later. */
export const late = (html, name = '[^"]*') => html.replace(new RegExp(`<section class="panel([^>]*data-panel="${name}"[^>]*)>\\s*(<header>.*?</header>)[^]*?</section>`, 'g'),
  '<section class="panel$1 aria-busy="true" data-load>$2<div class="loading l10"><p class="late">Still counting …</p></div></section>')

/** Goes to an address and waits until all of it is there. */
export async function visit (page, address) {
  const res = await page.goto(address)
  check(res.status() === 200, address, 'answers', res.status())
  if (!page.noScript) await settled(page)
  return res
}

/** Clicks what leads to another state of the dashboard, and waits for it. */
export async function follow (page, target) {
  const before = page.url()
  await page.locator(target).first().click()
  await page.waitForFunction(before => location.href !== before, before)
  await settled(page)
}

/** The addresses of links, those in drawings as well. */
export const links = (page, selector) => page.$$eval(selector, all => all.map(a => new URL(a.getAttribute('href'), location.href).href))

/**
 * Finds the screens: those of the page's own navigation and menu, and of every other kind of
 * address below the site that their links have, one each. Returns [{name, url}].
 */
export async function screens (page) {
  const base = new URL(site).pathname
  const found = new Map()
    const add = urls => {
    for (const href of urls) {
      const url = new URL(href)
      if (url.origin !== server || !(url.pathname + '/').startsWith(base + '/')) continue
      const [view = '', ...rest] = url.pathname.slice(base.length + 1).split('/')
      let name = view || 'overview'
      if (rest.length) name += '-' + rest.map((_, i) => rest.length > 1 && i === rest.length - 1 ? rest[i] : 'one').join('-')
      if (view === 'page' && !url.searchParams.get('_page')) continue
      for (const [key, what] of [['step', 'steps'], ['_full', 'full'], ['_open', 'open']]) if (url.searchParams.has(key)) name += '-' + what
      if (!found.has(name)) found.set(name, href)
    }
  }
  await visit(page, site)
  add(await links(page, 'nav.screens a'))
  add(await links(page, 'header.bar .side a'))
  const seen = new Set()
  const look = async url => {
    if (seen.has(url)) return
    seen.add(url)
    await visit(page, url)
    add(await links(page, 'main a[href]'))
  }
  for (let before = 0; before < found.size;) {
    before = found.size
    for (const [name, url] of [...found]) {
      await look(url)
      // The other tabs have other rows. Those of the overview lead where its own rows lead.
      if (name === 'people') for (const tab of await links(page, '.tabs a')) await look(tab)
    }
  }
  return [...found].map(([name, url]) => ({ name, url }))
}

/** Runs work on each of list, a few at a time. */
export async function each (list, workers, work) {
  let next = 0
  const one = async (n) => {
    for (let i; (i = next++) < list.length;) await work(list[i], n)
  }
  await Promise.all(Array.from({ length: workers }, (_, n) => one(n)))
}

/** Asks the test to do something with the server: see dashboard_test.go. */
export async function ask (what) {
  const res = await fetch(process.env.CONTROL + '/' + what, { method: 'POST' })
  if (!res.ok) throw new Error(what + ': ' + await res.text())
  return await res.text()
}
