// How long a visitor looks at the page, and the page's JavaScript errors.

const PING_SECONDS_MIN = 5
// A visit ends after 30 minutes without a hit.
const PING_SECONDS_MAX = 10 * MINUTE

function presence (c) {
  const { t } = c
  // --- Heart beat

  // How long the visitor must look at the page before a heart beat, in ms; 0 = no heart beats.
  let least = 0
  let beating = false
  t.disableHeartBeatTimer = () => { least = 0 }
  t.enableHeartBeatTimer = (seconds) => {
    least = Math.max(seconds || 15, PING_SECONDS_MIN) * 1000
    if (beating) return
    beating = true
    // When the visitor began to look at the page, in ms; 0 = the page is not in view.
    let since = document.hasFocus() ? Date.now() : 0
    const beat = (after) => { if (least && c.lastSent && since && Date.now() - Math.max(since, c.lastSent) >= after) t.ping() }
    on(window, 'focus', () => { since = since || Date.now() })
    const leave = () => {
      beat(least)
      since = 0
    }
    on(window, 'blur', leave)
    on(window, 'pagehide', () => {
      leave()
      t.flush(true)
    })
    on(document, 'visibilitychange', () => document.hidden ? leave() : since = since || Date.now())
    setInterval(() => beat(PING_SECONDS_MAX * 1000), MINUTE * 1000)
  }

  // --- Errors

  let errorsOn = false
  t.enableJSErrorTracking = () => {
    if (errorsOn) return
    errorsOn = true
    const reported = new Set()
    on(window, 'error', (e) => {
      const where = e.filename + ':' + e.lineno + ':' + e.colno
      if (!e.message || reported.has(where + e.message) || reported.size > 50) return
      reported.add(where + e.message)
      t.trackEvent('JavaScript Errors', where, e.message)
    })
  }
}
