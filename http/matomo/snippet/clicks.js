// Clicks on links to other sites and to files.

const DOWNLOADS = ('7z aac apk arc arj asc asf asx avi azw3 bin bz bz2 csv deb dmg doc docx epub exe flac flv gif gz gzip hqx ibooks jar jpg jpeg js ' +
  'm4a m4v md5 mobi mov movie mp2 mp3 mp4 mpeg mpg msi msp odb odf odg ods odt ogg ogv pdf phps png ppt pptx qt qtm ra ram rar rpm rtf sea sha256 sig sit ' +
  'tar tbz tbz2 tgz torrent txt wav webm webp wma wmv wpd xls xlsx xml xz z zip').split(' ')

// clicked calls f with each element that is clicked with the left or middle button.
const clicked = (f) => on(document, 'click auxclick', (e) => {
  const target = e.composedPath ? e.composedPath()[0] : e.target
  const element = target.nodeType === 1 ? target : target.parentElement
  if (element && !(e.type === 'auxclick' && e.button !== 1)) f(element)
}, true)

function clicks (c) {
  const { t, o } = c
  const extensions = (f) => (v) => { o.DownloadExtensions = f(Array.isArray(v) ? v : String(v).split('|')) }
  t.setDownloadExtensions = extensions((v) => v)
  t.addDownloadExtensions = extensions((v) => o.DownloadExtensions.concat(v))
  t.removeDownloadExtensions = extensions((v) => o.DownloadExtensions.filter((one) => !v.includes(one)))

  const hasClass = (element, own, kind) => ['matomo_' + kind, 'piwik_' + kind].concat(list(own)).some((name) => element.classList.contains(name))
  // linkType returns how a link counts: download, link (to another site) or "".
  function linkType (a) {
    if (typeof a.href !== 'string' || hasClass(a, o.IgnoreClasses, 'ignore')) return ''
    const u = attempt(() => new URL(a.href))
    if (!u || !/^(https?|ftp):$/.test(u.protocol)) return ''
    if (hasClass(a, o.LinkClasses, 'link')) return 'link'
    const extension = (u.pathname + u.search).match(/\.([a-z0-9]+)(?=$|[?&])/gi) || []
    const file = extension.some((e) => o.DownloadExtensions.includes(e.slice(1).toLowerCase()))
    if (file || a.hasAttribute('download') || hasClass(a, o.DownloadClasses, 'download')) return 'download'
    return c.isOwn(u.href) ? '' : 'link'
  }

  let linksAsked = false
  t.enableLinkTracking = () => {
    if (linksAsked) return
    linksAsked = true
    clicked((element) => {
      const a = element.closest('a[href],area[href]')
      const type = a && linkType(a)
      if (type) t.trackLink(a.href, type)
    })
  }
}
