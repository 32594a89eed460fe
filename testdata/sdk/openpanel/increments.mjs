// N increments of one property at once, each by a client of its own. With KEYED=1
// each has an Idempotency-Key and is sent until it is acknowledged: neither the SDK's
// own retries nor those beyond them count anything twice.
import { OpenPanel } from '@openpanel/sdk'

// A request whose connection dies at the wrong moment can leave Node's fetch, or the
// reading of the body, without a result and without an error. The timer ends such a
// request, so that the SDK retries it.
const limit = 20_000
let tries = 0
const fetched = globalThis.fetch
const whole = async (...args) => {
  const answer = await fetched(...args)
  return new Response(await answer.arrayBuffer(), { status: answer.status, headers: answer.headers })
}
globalThis.fetch = (...args) => {
  tries++
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${limit} ms`)), limit)
    whole(...args).then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
console.error = () => {}

const n = Number(process.env.N)
const waves = Number(process.env.WAVES ?? 1)
let acked = 0
for (let wave = 0; wave < waves; wave++) {
  await Promise.all(Array.from({ length: n }, async (_, i) => {
    const op = new OpenPanel({ apiUrl: process.env.URL, clientId: process.env.CLIENT_ID, clientSecret: process.env.CLIENT_SECRET })
    const keyed = process.env.KEYED === '1'
    if (keyed) op.api.addHeader('Idempotency-Key', `${process.env.PROPERTY}-${wave}-${i}`)
    for (let round = 0; round < (keyed ? 50 : 1); round++) {
      if (await op.increment({ profileId: 'ada', property: process.env.PROPERTY, value: 1 })) {
        acked++
        break
      }
    }
  }))
}
console.log(JSON.stringify({ acked, tries }))
