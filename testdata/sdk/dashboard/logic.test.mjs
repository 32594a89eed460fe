// What the scripts of the dashboard decide, without a browser: which panels are asked for and when
// again, where a stream goes on, which days a drag picks, and how the steps of a funnel move.
// "node --test" runs it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answered, open } from './dom.mjs'

const panel = (name, more = ' data-load') => `<section class="panel" data-panel="${name}"${more}><p>old ${name}</p></section>`
const fresh = (name, text = 'new', more = '') => answered(200, 'text/html; charset=utf-8', `<section class="panel" data-panel="${name}"${more}><p>${text} ${name}</p></section>`)
const names = page => page.fetched.map(f => f.url.searchParams.get('_panel'))

test('at most three panels are asked for at once, in their order', async () => {
  const waits = []
  const page = open(['a', 'b', 'c', 'd', 'e'].map(n => panel(n)).join(''), url => new Promise(resolve => waits.push(() => resolve(fresh(url.searchParams.get('_panel'))))))
  await page.settle()
  assert.deepEqual(names(page), ['a', 'b', 'c'])
  waits[1]()
  await page.settle()
  assert.deepEqual(names(page), ['a', 'b', 'c', 'd'])
  waits.forEach(w => w())
  await page.settle()
  waits.forEach(w => w())
  await page.settle()
  assert.deepEqual(names(page), ['a', 'b', 'c', 'd', 'e'])
  assert.equal(page.$('main').textContent, 'new anew bnew cnew dnew e')
  assert.ok(page.fetched.every(f => f.url.searchParams.get('range') === '30d'), 'the address of the page')
})

test('a screen that is left asks for nothing any more', async () => {
  const page = open(['a', 'b', 'c', 'd', 'e'].map(n => panel(n)).join(''), () => new Promise(() => {}))
  await page.settle()
  const [{ options: { signal } }] = page.fetched
  page.$('main').replaceChildren()
  page.cairn.start(page.document)
  await page.pass(60000)
  assert.equal(signal.aborted, true)
  assert.deepEqual(names(page).filter(Boolean), ['a', 'b', 'c'])
})

test('a panel that waits for its turn is asked of its own screen, whatever the address is by then', async () => {
  const page = open(['a', 'b', 'c', 'd'].map(n => panel(n)).join(''), url => url.searchParams.get('_panel') === 'a' ? fresh('a') : new Promise(() => {}))
  page.location.url.pathname = '/dashboard/site/shop/funnels' // where a click leads, before its screen is there
  await page.settle()
  assert.deepEqual(page.fetched.map(f => f.url.pathname), Array(4).fill('/dashboard/site/shop'))
})

for (const status of [429, 503]) {
  test(`a server that is busy (${status}) is asked again when it said so, three times`, async () => {
    const page = open(panel('a'), () => answered(status, 'application/json', '{}', { 'Retry-After': '7' }))
    await page.pass(6900)
    assert.equal(page.fetched.length, 1, 'before its time')
    await page.pass(60000)
    const times = page.fetched.filter(f => f.url.searchParams.get('_panel') === 'a').map(f => f.at)
    assert.equal(times.length, 4, 'tries')
    assert.deepEqual(times.slice(1).map((t, i) => t - times[i]), [7000, 7000, 7000])
    assert.equal(page.$('[data-panel=a]').textContent, 'old a')
    assert.equal(page.$('#offline'), null, 'it can be reached')
  })
}

test('a panel that says when it is worth another try gets it, and shows the error in the end', async () => {
  let n = 0
  const page = open(panel('a'), () => ++n < 3 ? fresh('a', 'busy', ' data-wait="4"') : fresh('a'))
  await page.pass(3900)
  assert.equal(page.$('[data-panel=a]').textContent, 'old a')
  await page.pass(5000)
  assert.equal(page.$('[data-panel=a]').textContent, 'new a')
  assert.equal(n, 3)
  const stays = open(panel('a'), () => fresh('a', 'busy', ' data-wait="4"'))
  await stays.pass(13000)
  assert.equal(stays.$('[data-panel=a]').textContent, 'busy a')
})

test('a session that has ended loads the page again, which leads to the login', async () => {
  const page = open(panel('a'), () => answered(401, 'text/plain', 'log in again'))
  await page.pass(0)
  assert.equal(page.location.reloads, 1)
})

test('a share that has ended loads the page again, which says so; a server that is broken does not', async () => {
  for (const [status, reloads] of [[404, 1], [500, undefined]]) {
    const door = answered(status, 'text/html; charset=utf-8', '<main id="main"><h1>There is no such page.</h1></main>')
    const page = open(panel('a', ''), () => door)
    page.cairn.refresh()
    await page.pass(0)
    assert.equal(page.location.reloads, reloads, 'asked for the screen: ' + status)
    const loads = open(panel('a'), () => door)
    await loads.pass(0)
    assert.equal(loads.location.reloads, reloads, 'asked for a panel: ' + status)
  }
})

test('a server that is away leaves the old numbers and a bar until it is back', async () => {
  let away = true
  const page = open(panel('a'), () => { if (away) throw new TypeError('Failed to fetch'); return fresh('a') })
  await page.pass(1000)
  assert.match(page.$('#offline').textContent, /cannot be reached/)
  assert.equal(page.$('[data-panel=a]').textContent, 'old a')
  away = false
  await page.pass(5000)
  assert.equal(page.$('#offline'), null)
  assert.equal(page.$('[data-panel=a]').textContent, 'new a')
})

const stream = '<section class="panel" data-panel="lines"><button id="pause"></button><button id="fresh" hidden></button><span id="streaming"></span>' +
  '<ol class="lines" data-stream="/api/v1/live/stream?country=DE" data-after="id0" data-event="/e/" data-people="/p/" data-rest="?range=7d" data-person="/l?user=" data-types="{}" data-zone-of="UTC" data-max="3"></ol>' +
  '<template id="line"><li><a><time></time><span class="flag"></span><span class="say"><small class="kind"></small><bdi></bdi></span></a><a class="who"><bdi></bdi></a><span class="src"><bdi></bdi></span></li></template></section>'
/** A stream of some chunks, which then ends. */
const flow = (...chunks) => ({ ...answered(200, 'text/event-stream', ''), body: new ReadableStream({ start (c) { for (const t of chunks) c.enqueue(new TextEncoder().encode(t)); c.close() } }) })
const hang = () => new Promise(() => {})
const event = (id, name) => `id: ${id}\nevent: event\ndata: ${JSON.stringify({ id, name, type: 'track', time: '2026-11-29T12:00:00Z' })}\n\n`
const streams = page => page.fetched.filter(f => f.url.pathname.endsWith('/live/stream'))
const lines = page => page.all('ol.lines li .say bdi').map(b => b.textContent)

test('a stream that breaks off goes on after the last id, whole lines only', async () => {
  const one = event('id1', 'first'), two = event('id2', 'second')
  const page = open(stream, (url, _, n) => n === 1 ? flow(one.slice(0, 20), one.slice(20) + two.slice(0, 40)) : hang())
  await page.pass(5000)
  assert.deepEqual(streams(page).map(f => f.url.searchParams.get('after')), ['id0', 'id1'])
  assert.ok(streams(page).every(f => f.url.searchParams.get('country') === 'DE'))
  assert.deepEqual(lines(page), ['first'])
})

test('an id that the server does not know any more is forgotten', async () => {
  const page = open(stream, (url, _, n) => n === 1 ? answered(400, 'application/json', '{}') : hang())
  await page.pass(5000)
  assert.deepEqual(streams(page).map(f => f.url.searchParams.get('after')), ['id0', null])
})

test('a stream waits as long as the server says, and not for ever shorter than it ends', async () => {
  const busy = open(stream, (url, _, n) => n === 1 ? answered(503, 'application/json', '{}', { 'Retry-After': '9' }) : hang())
  await busy.pass(8900)
  assert.equal(streams(busy).length, 1)
  await busy.pass(1000)
  assert.equal(streams(busy).length, 2)
  const ends = open(stream, () => flow())
  await ends.pass(60000)
  const times = streams(ends).map(f => f.at), gaps = times.slice(1).map((t, i) => t - times[i])
  assert.ok(gaps.length < 10 && gaps.at(-1) === 30000, 'pauses ' + gaps)
  const refused = open(stream, () => answered(403, 'application/json', '{"error":"This link may not see people."}'))
  await refused.pass(60000)
  assert.equal(streams(refused).length, 1)
  assert.match(refused.$('#streaming').textContent, /may not see people/)
})

test('the newest events are on top, no more than the list keeps, and none while it is paused', async () => {
  let send
  const page = open(stream, () => ({ ...answered(200, 'text/event-stream', ''), body: new ReadableStream({ start (c) { send = t => c.enqueue(new TextEncoder().encode(t)) } }) }))
  await page.pass(0)
  send([1, 2, 3, 4, 5].map(i => event('id' + i, 'e' + i)).join(''))
  await page.pass(100)
  assert.deepEqual(lines(page), ['e5', 'e4', 'e3'])
  page.$('#pause').click()
  send(event('id6', 'e6'))
  await page.pass(100)
  assert.deepEqual(lines(page), ['e5', 'e4', 'e3'])
  assert.equal(page.$('#fresh').textContent, '1 new')
  page.$('#fresh').click()
  assert.deepEqual(lines(page), ['e6', 'e5', 'e4'])
})

const days = [1, 2, 3, 4, 5].map(d => `<rect x="${20 * (d - 1)}%" width="20%" data-p="${20 * d - 10},50" data-from="2026-11-0${d}" data-to="2026-11-0${d}"><title>day ${d}\nVisitors: ${d}</title></rect>`).join('')
const chart = `<section class="panel"><figure class="chart" data-zoom><svg class="chart-plot" tabindex="0"><g class="steps">${days}</g></svg></figure></section>`
const screen = answered(200, 'text/html', '<header class="bar"></header><main id="main"></main>')
/** Where the chart has led: the last address that was fetched. */
const led = page => page.fetched.at(-1)?.url.search.slice(1)
const at = 'http://stats.example/dashboard/site/shop?range=7d&interval=hour&country=DE'

test('a drag picks its days whichever way it goes, and keeps the filters', async () => {
  for (const [from, to, want] of [[1, 3, 'country=DE&from=2026-11-02&to=2026-11-04'], [3, 0, 'country=DE&from=2026-11-01&to=2026-11-04']]) {
    const page = open(chart, () => screen, at)
    const steps = page.all('.steps rect')
    steps[from].dispatch('pointerdown', { buttons: 1 })
    steps[to].dispatch('pointermove', { buttons: 1 })
    steps[to].dispatch('pointerup')
    await page.settle()
    assert.equal(led(page), want)
  }
})

test('a press without a drag, a finger and the other button pick nothing', async () => {
  for (const how of [{}, { pointerType: 'touch' }, { button: 2 }]) {
    const page = open(chart, () => screen, at)
    const steps = page.all('.steps rect')
    steps[1].dispatch('pointerdown', how)
    if (how.pointerType || how.button) steps[3].dispatch('pointermove', { ...how, buttons: 1 })
    steps[3].dispatch('pointerup', how)
    await page.settle()
    assert.equal(page.fetched.length, 0, JSON.stringify(how))
  }
})

test('keys walk over the days and are read out; Shift picks, Enter zooms, Backspace goes back', async () => {
  const page = open(chart, () => screen, at)
  const svg = page.$('.chart-plot')
  svg.focus()
  const key = (key, more) => svg.dispatch('keydown', { key, ...more })
  key('End')
  assert.equal(page.$('#said').textContent, 'day 5, Visitors: 5')
  key('ArrowRight')
  assert.equal(page.$('#said').textContent, 'day 5, Visitors: 5', 'beyond the end')
  key('ArrowLeft', { shiftKey: true })
  key('ArrowLeft', { shiftKey: true })
  key('Enter')
  await page.settle()
  assert.equal(led(page), 'country=DE&from=2026-11-03&to=2026-11-05')
  page.$('main').append(svg) // the page that came has the chart as well
  svg.dispatch('keydown', { key: 'Backspace' })
  await page.settle()
  assert.equal(led(page), 'range=7d&interval=hour&country=DE', 'back to where the zoom began')

  const zoomed = open(chart, () => screen, 'http://stats.example/dashboard/site/shop?from=2026-11-01&to=2026-11-05&country=DE')
  zoomed.$('.chart-plot').dispatch('dblclick')
  await zoomed.settle()
  assert.equal(led(zoomed), 'country=DE', 'where no zoom led here, the days are taken off')
  const whole = open(chart, () => screen, at)
  whole.$('.chart-plot').dispatch('dblclick')
  whole.$('.chart-plot').dispatch('keydown', { key: 'Backspace' })
  await whole.settle()
  assert.equal(whole.fetched.length, 0, 'there is nothing to go back to')
})

const step = (n, value) => `<li data-n="${n}"><b class="grip">${n + 1}</b><div><input aria-label="Step ${n + 1}: value" value="${value}"/></div><span class="moves"><button aria-label="Step ${n + 1} up"${n ? '' : ' disabled'}>up</button><button aria-label="Step ${n + 1} down"${n === 2 ? ' disabled' : ''}>down</button></span></li>`
const editor = `<section class="panel"><form class="asks"><input name="_order" value=""/><ol class="edit">${['a', 'b', 'c'].map((v, i) => step(i, v)).join('')}</ol></form></section><section class="panel" id="result"></section>`
const order = page => [page.all('.edit input').map(i => i.value).join(''), page.$('[name=_order]').value, page.all('.grip').map(g => g.textContent).join('')]

test('steps of a funnel move by Alt with an arrow, as far as there is room', () => {
  const page = open(editor, hang)
  const press = (value, key, more = { altKey: true }) => page.$(`.edit input[value="${value}"]`).dispatch('keydown', { key, ...more })
  assert.equal(press('c', 'ArrowUp', {}).defaultPrevented, false, 'without Alt it is the field’s own key')
  page.$('.edit input[value="c"]').focus()
  assert.equal(press('c', 'ArrowUp').defaultPrevented, true)
  assert.deepEqual(order(page), ['acb', '0,2,1', '123'])
  assert.equal(page.document.activeElement.value, 'c', 'the focus goes with the step')
  assert.equal(page.$('#said').textContent, 'Step 2 of 3')
  press('c', 'ArrowUp')
  press('c', 'ArrowUp')
  assert.deepEqual(order(page), ['cab', '2,0,1', '123'])
  press('c', 'ArrowDown')
  assert.deepEqual(order(page), ['acb', '0,2,1', '123'])
  assert.deepEqual(page.all('.edit>li').map(li => li.querySelectorAll('button').map(b => [b.getAttribute('aria-label'), b.disabled])), [
    [['Step 1 up', true], ['Step 1 down', false]], [['Step 2 up', false], ['Step 2 down', false]], [['Step 3 up', false], ['Step 3 down', true]]])
  assert.ok(page.$('form').hasAttribute('data-touched') && page.$('#result').classList.contains('stale'), 'the result is of the order before')
})

test('steps of a funnel move by drag', () => {
  const page = open(editor, hang)
  const steps = page.all('.edit>li')
  steps.forEach((li, i) => { li.box = { top: 50 * i, bottom: 50 * i + 49 } })
  const grip = steps[0].querySelector('.grip')
  grip.dispatch('pointerdown', { pointerId: 1 })
  grip.dispatch('pointermove', { clientY: 120 })
  grip.dispatch('lostpointercapture')
  assert.deepEqual(order(page), ['bca', '1,2,0', '123'])
})
