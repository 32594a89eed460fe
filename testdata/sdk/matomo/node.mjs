// Every call of matomo-tracker and piwik-tracker, as an application's server makes them.
import http from 'node:http'
import MatomoTracker from 'matomo-tracker'
import PiwikTracker from 'piwik-tracker'

const answers = []
// A tracker's track() says nothing when it went well and leaves the answer unread:
// its agent is asked instead.
const call = (tracker, options) => new Promise((resolve, reject) => {
  tracker.agent = { ...http, get: (url, f) => http.get(url, (res) => {
    f(res)
    let text = ''
    res.setEncoding('latin1').on('data', (data) => { text += data }).on('end', () => {
      answers.push([res.statusCode, res.headers['content-type'] ?? '', Buffer.from(text, 'latin1').toString('base64')])
      resolve()
    })
  }).on('error', reject) }
  tracker.track(options)
})

const matomo = new MatomoTracker(1, process.env.URL + '/matomo.php')
const piwik = new PiwikTracker(1, process.env.URL + '/analytics/piwik.php')
const errors = []
matomo.on('error', (e) => errors.push(e))
piwik.on('error', (e) => errors.push(e))

const ago = (hours) => new Date(Date.now() - hours * 3600e3).toISOString()
await call(matomo, 'https://shop.example/plain')
await call(matomo, {
  url: 'https://shop.example/full?utm_campaign=Spring', action_name: 'Shop / Full', _id: 'AA814767-7B1F-5C52-97BA-8D35A1A4BB51', uid: 'ada',
  ua: 'Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0', lang: 'de-AT,de', urlref: 'https://news.example/story', rand: 1,
  cvar: JSON.stringify({ 1: ['custom variable name', 'custom variable value'] }), send_image: 0,
})
await call(matomo, { url: 'https://shop.example/video', e_c: 'Video', e_a: 'play', e_n: 'Intro', e_v: 1.5, cid: '0123456789abcdef' })
await call(matomo, { url: 'https://shop.example/old', action_name: 'Old', token_auth: process.env.TOKEN_AUTH, cip: '203.0.113.77', cdt: ago(48), country: 'fr' })
await call(matomo, { url: 'https://shop.example/refused', cdt: ago(48) })
await call(new MatomoTracker(99, process.env.URL + '/matomo.php'), 'https://shop.example/elsewhere')
await call(piwik, 'https://shop.example/piwik')
await call(piwik, { url: 'https://shop.example/piwik', download: 'https://shop.example/a.zip' })

const bulk = (events) => new Promise((resolve) => matomo.trackBulk(events, resolve))
const said = await bulk([
  { url: 'https://shop.example/bulk', action_name: 'First', cid: '0123456789abcdee' },
  { url: 'https://shop.example/bulk', action_name: 'short', cid: '123' },
  { url: 'https://shop.example/bulk?q=tea', search: 'tea', search_count: 0, cid: '0123456789abcdee' },
])
console.log(JSON.stringify({ answers, errors, said }))
process.exit(0)
