// Every call of @openpanel/sdk, as an application's server makes them.
import { OpenPanel } from '@openpanel/sdk'

const op = new OpenPanel({ apiUrl: process.env.URL, clientId: process.env.CLIENT_ID, clientSecret: process.env.CLIENT_SECRET })
const answers = []
const call = async (promise) => answers.push(await promise)

await call(op.track('started', { step: 1, nested: { deep: ['a', 2] } }))
const before = [op.getDeviceId(), op.getSessionId()]
await call(op.identify({ profileId: 'ada', firstName: 'Ada', lastName: 'Lovelace', email: 'ada@example.com', company: 'Engines', properties: { tier: 'premium', visits: 1 } }))
await call(op.increment({ profileId: 'ada', property: 'visits', value: 2 })) // at once: upstream may say 404
await call(op.decrement({ profileId: 'ada', property: 'credit.left', value: 0.25 }))
await call(op.upsertGroup({ id: 'acme', type: 'company', name: 'Acme Inc', properties: { plan: 'enterprise', seats: 25 } }))
await call(op.setGroup('acme'))
await call(op.setGroups(['beta', 'gamma']))
op.setGlobalProperties({ release: '1.2' })
await call(op.track('report_exported', { format: 'pdf', groups: ['delta'] }))
await call(op.revenue(4200, { product: 'tea', deviceId: 'device-of-the-buyer' }))
op.alias({ profileId: 'ada', alias: 'lovelace' }) // the SDK's sends nothing

// A client that is not known gets null, once.
let tries = 0
const fetched = globalThis.fetch
globalThis.fetch = (...args) => { tries++; return fetched(...args) }
const stranger = new OpenPanel({ apiUrl: process.env.URL, clientId: process.env.CLIENT_ID, clientSecret: 'sec_wrong' })
const refused = await stranger.track('never')
console.log(JSON.stringify({ answers, before, after: [op.getDeviceId(), op.getSessionId()], refused, tries }))
