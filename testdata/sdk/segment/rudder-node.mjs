// @rudderstack/rudder-sdk-node: every call once; or COUNT track calls.
import Analytics from '@rudderstack/rudder-sdk-node'

const Client = Analytics.default ?? Analytics
const client = new Client(process.env.WRITE_KEY, { dataPlaneUrl: process.env.URL, gzip: process.env.GZIP !== '0', flushInterval: 200, flushAt: Number(process.env.FLUSH_AT ?? 20) })
const count = Number(process.env.COUNT ?? 0)
if (count) {
  for (let i = 0; i < count; i++) client.track({ userId: 'u' + (i % 3), event: 'Counted', properties: { i } })
} else {
  client.identify({ userId: 'ada', anonymousId: 'dev1', traits: { plan: 'pro' } })
  client.track({ userId: 'ada', event: 'Order Completed', properties: { revenue: 49.9 } })
  client.page({ userId: 'ada', name: 'Home' })
  client.screen({ userId: 'ada', name: 'Main' })
  client.group({ userId: 'ada', groupId: 'acme', traits: { name: 'Acme' } })
  client.alias({ userId: 'ada@example.org', previousId: 'ada' })
}
await client.flush()
