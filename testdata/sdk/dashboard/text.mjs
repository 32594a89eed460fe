// Numbers as the page writes them, read back: what a text may stand for.

/** Reads a number: its least and greatest value. null is no number. */
export function read (text) {
  text = text.replace(/\u00a0/g, ' ').replace(/^≈ ?/, '').replace('−', '-').trim()
  if (text === '–' || text === '') return null
  const units = { s: 1, m: 60, h: 3600, d: 86400 }
  const parts = [...text.matchAll(/([\d.,]+) ([smhd])(?= |$)/g)]
  if (parts.length) {
    const value = parts.reduce((sum, [, n, unit]) => sum + Number(n) * units[unit], 0)
    const [, n, unit] = parts.at(-1)
    const half = n.includes('.') ? 0.05 : parts.length === 1 && unit === 's' ? 0.5 : units[unit] / 2
    return [value - half, value + half]
  }
  const n = Number(text.replace(/[<%,]/g, ''))
  if (text.endsWith('%')) return text.startsWith('<') ? [0, n / 100] : [n / 100 - 0.00051, n / 100 + 0.00051]
  const digits = (text.split('.')[1] || '').length
  return [n - 0.5 / 10 ** Math.max(digits, 1), n + 0.5 / 10 ** Math.max(digits, 1)] // what the API gives has more digits
}

/** Whether a text of the page is a number of the API. */
export function is (text, value) {
  const range = read(text)
  if (range === null) return value === null || value === undefined
  return typeof value === 'number' && value >= range[0] - 1e-9 && value <= range[1] + 1e-9
}

/** Whether a text such as "▲ 4.1 %", "▼ 0.6 pt" or "▲ 5 s" is the way from one number to another. */
export function isChange (text, now, was) {
  text = text.replace(/\u00a0/g, ' ')
  const [, sign, amount, unit] = /^([▲▼=]) ?([\d.,]+)? ?(%|pt|.*)$/.exec(text) || []
  if (!was) return !now ? !text || sign === '=' : text === 'new'
  if (!sign) return false
  const up = now - was
  if (sign !== '=' && (sign === '▲') !== up > 0) return false
  if (unit === 'pt') return Math.abs(Number(amount.replace(/,/g, '')) - Math.abs(up) * 100) < 0.0501
  if (unit === '%') return Math.abs(Number(amount.replace(/,/g, '')) - Math.abs(up / was) * 100) < (amount.includes('.') || Math.abs(up / was) < 1 ? 0.0501 : 0.501)
  return is(text.slice(1), Math.abs(Math.round(now) - Math.round(was))) // of what is shown
}

/** Rows of CSV, in which only texts are quoted. */
export function csv (text) {
  const rows = [[]]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1).push(quoted !== undefined ? quoted.replace(/""/g, '"') : plain)
    if (end === '') break
    if (end !== ',') rows.push([])
  }
  return rows.filter(r => r.length > 1)
}
