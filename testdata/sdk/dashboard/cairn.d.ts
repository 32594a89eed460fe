// Types of what the scripts of the dashboard share. They stand here, where no browser loads them.

interface Cairn {
  policy: { createHTML(text: string): any }
  page(url: string, options?: RequestInit): Promise<{ doc: Document, url: string, status: number, wait: number }>
  el<K extends keyof HTMLElementTagNameMap>(tag: K, attrs?: Record<string, any>, ...children: (Node | string)[]): HTMLElementTagNameMap[K]
  say(text: string): void
  starts: ((root: ParentNode) => void)[]
  start(root: ParentNode): void
  // Of the files after the first.
  go(href: string, how?: { push?: boolean, focus?: boolean | string }): Promise<void>
  refresh(): void
  offline(is: boolean): void
  keys(): void
  lived?: number
  charts: { hide(): void, at(): Element | undefined }
}

interface TrustedTypes { createPolicy(name: string, rules: { createHTML(text: string): string }): { createHTML(text: string): any } }
declare var trustedTypes: TrustedTypes
interface Window { trustedTypes?: TrustedTypes }
