// analytics-node 6: every call once; or COUNT track calls.
import Analytics from 'analytics-node'

const analytics = new Analytics(process.env.WRITE_KEY, { host: process.env.URL, flushAt: Number(process.env.FLUSH_AT ?? 20), flushInterval: 200 })
const count = Number(process.env.COUNT ?? 0)
if (count) {
  for (let i = 0; i < count; i++) analytics.track({ userId: 'u' + (i % 3), event: 'Counted', properties: { i } })
} else {
  analytics.identify({ userId: 'ada', anonymousId: 'dev1', traits: { plan: 'pro' } })
  analytics.track({ userId: 'ada', event: 'Order Completed', properties: { revenue: 49.9 } })
  analytics.page({ userId: 'ada', name: 'Home' })
  analytics.screen({ userId: 'ada', name: 'Main' })
  analytics.group({ userId: 'ada', groupId: 'acme', traits: { name: 'Acme' } })
  analytics.alias({ userId: 'ada@example.org', previousId: 'ada' })
}
await analytics.flush()
