// N increments of one property at once, each by a client of its own. With KEYED=1
// each has an Idempotency-Key and is sent until it is acknowledged: neither the SDK's
// own retries nor those beyond them count anything twice.
import { OpenPanel } from '@openpanel/sdk'

let tries = 0
const fetched = globalThis.fetch
globalThis.fetch = (...args) => { tries++; return fetched(...args) }
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
