// Content: blocks of a page that visitors see and click on.
//
// A class or attribute marks a block. The block itself, or an element in it, holds the
// name, piece and target.

const BLOCK = '[data-track-content],.matomoTrackContent,.piwikTrackContent'
const mark = (kind) => '[data-content-' + kind + '],.matomoContent' + kind[0].toUpperCase() + kind.slice(1) + ',.piwikContent' + kind[0].toUpperCase() + kind.slice(1)
const within = (block, selector) => block.matches(selector) ? block : block.querySelector(selector)
const address = (e) => e && (e.currentSrc || e.src || e.href) || ''
const trimmed = (text) => (text || '').trim()
function content (block) {
  const read = (kind, otherwise) => {
    const e = within(block, mark(kind))
    return e && trimmed(e.getAttribute('data-content-' + kind)) || trimmed(otherwise(e))
  }
  const piece = read('piece', (e) => e ? address(e) || e.textContent : address(within(block, 'img,video,audio')))
  const target = read('target', (e) => address(e) || address(within(block, 'a[href]')))
  const name = read('name', () => piece || block.title || target)
  return { c_n: name || 'Unknown', c_p: piece || 'Unknown', c_t: target }
}

function contents (c) {
  const { t } = c
  let contentAsked = false
  // Impressions of this page view.
  const seen = new Set()
  c.forgetContent = () => seen.clear()

  function impressions (blocks) {
    watchContent()
    blocks.forEach((block) => {
      const found = content(block)
      const key = JSON.stringify(found)
      if (seen.has(key)) return
      seen.add(key)
      c.hit(Object.assign(found, { ca: 1 }))
    })
  }
  function watchContent () {
    if (contentAsked) return
    contentAsked = true
    clicked((element) => {
      const block = element.closest(BLOCK)
      if (!block || element.closest('[data-content-ignoreinteraction],.matomoContentIgnoreInteraction,.piwikContentIgnoreInteraction')) return
      if (within(block, mark('target')) && !element.closest(mark('target'))) return
      t.trackContentInteractionNode(element)
    })
  }
  const blocksIn = (root) => [...root.querySelectorAll(BLOCK)].concat(root.matches && root.matches(BLOCK) ? [root] : [])
  t.trackAllContentImpressions = () => ready(() => impressions(blocksIn(document)))
  t.trackContentImpressionsWithinNode = (node) => ready(() => { if (node) impressions(blocksIn(node)) })
  t.trackVisibleContentImpressions = () => ready(() => {
    if (!window.IntersectionObserver) return impressions(blocksIn(document))
    watchContent()
    const observer = new IntersectionObserver((entries) => entries.forEach((entry) => {
      if (!entry.isIntersecting) return
      observer.unobserve(entry.target)
      impressions([entry.target])
    }))
    blocksIn(document).forEach((block) => observer.observe(block))
  })
  t.trackContentImpression = (name, piece, target) => { if (given(name)) c.hit({ c_n: name, c_p: piece || 'Unknown', c_t: target, ca: 1 }) }
  t.trackContentInteraction = (interaction, name, piece, target) => {
    if (given(interaction) && given(name)) c.hit({ c_i: interaction, c_n: name, c_p: piece || 'Unknown', c_t: target, ca: 1 })
  }
  t.trackContentInteractionNode = (node, interaction) => {
    const block = node && node.closest && node.closest(BLOCK)
    if (block) c.hit(Object.assign(content(block), { c_i: interaction || 'click', ca: 1 }))
  }
}
