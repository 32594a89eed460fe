// A store with damage: what cannot be counted says so, and names the file to admins alone. The other
// screens go on.
import { ask, check, login, open, run, same, settled, site } from './lib.mjs'

await run(async browser => {
  const { ReadKey, AdminToken } = JSON.parse(await ask('keys'))
  for (const [key, admin] of [[ReadKey, false], [AdminToken, true]]) {
    const page = await login(await open(browser), key)
    await page.goto(site + '?range=7d')
    await page.waitForSelector('main .error')
    const errors = await page.locator('main .error').allTextContents()
    check(errors.length > 0, 'a store with damage shows no error')
    for (const text of errors) check(/Data on the disk is damaged, so this cannot be counted\./.test(text), 'a damaged panel says', text)
    same(errors.every(e => e.includes('The file: store/' + process.env.FILE)), admin, admin ? 'an admin' : 'who only looks', 'is told the file:', errors)
    same(await page.locator('main .panel').evaluateAll(all => all.filter(p => p.textContent.trim() === '').length), 0, 'blank panels')
    await page.goto(site + '/setup')
    await settled(page)
    same(await page.locator('main .error').allTextContents(), [], 'the set-up, which reads no run')
  }
})
