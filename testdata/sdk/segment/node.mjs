// @segment/analytics-node 3: every call once; or COUNT track calls.
import { Analytics } from '@segment/analytics-node'

const count = Number(process.env.COUNT ?? 0)
const analytics = new Analytics({
  writeKey: process.env.WRITE_KEY,
  host: process.env.URL,
  flushAt: Number(process.env.FLUSH_AT ?? 15),
  flushInterval: 200,
  maxRetries: Number(process.env.RETRIES ?? 10),
})
const errors = []
analytics.on('error', (err) => errors.push(err))

if (count) {
  for (let i = 0; i < count; i++) {
    analytics.track({ userId: 'u' + (i % 3), event: 'Counted', properties: { i, pad: 'x'.repeat(i === Number(process.env.LARGE ?? -1) ? 20000 : 10) } })
  }
} else {
  analytics.identify({ userId: 'ada', anonymousId: 'dev1', traits: { email: 'ada@example.org', plan: 'pro' } })
  analytics.track({ userId: 'ada', event: 'Order Completed', properties: { revenue: 49.9, products: [{ sku: 'a' }, { sku: 'b' }] }, context: { ip: '203.0.113.9', campaign: { source: 'news', name: 'spring' }, locale: 'en-GB', timezone: 'Europe/London', groupId: 'acme', userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36' } })
  analytics.track({ anonymousId: 'dev1', event: 'Old', timestamp: new Date('2026-11-01T10:00:00Z') })
  analytics.page({ userId: 'ada', name: 'Home', category: 'Docs', properties: { url: 'https://shop.example/', title: 'Shop' } })
  analytics.screen({ userId: 'ada', name: 'Main' })
  analytics.group({ userId: 'ada', groupId: 'acme', traits: { name: 'Acme', employees: 7 } })
  analytics.alias({ userId: 'ada@example.org', previousId: 'ada' })
}
await analytics.closeAndFlush({ timeout: 60000 })
console.log(JSON.stringify({ errors: errors.map((e) => e.reason?.message ?? String(e.reason ?? e)) }))
