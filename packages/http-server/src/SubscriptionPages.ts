/**
 * A change rewrites its page instead of all subscriptions.
 */

export const pageRoom = { uris: 256, chars: 64 * 1024 }

interface Page {
  readonly uris: Set<string>
  chars: number
}

export class SubscriptionPages {
  readonly #pages: Array<Page> = []
  readonly #pageOf = new Map<string, number>()
  readonly #changed = new Set<number>()

  /** What the pages have no room for goes to others, and counts as changed. */
  constructor(pages: ReadonlyArray<ReadonlyArray<string>> = []) {
    for (const number of pages.keys()) this.#at(number)
    for (const [number, uris] of pages.entries()) {
      for (const uri of uris) {
        if (this.#pageOf.has(uri) || !this.#hasRoom(number, uri)) this.#changed.add(number)
        else this.#put(number, uri)
      }
    }
    for (const uri of pages.flat()) if (!this.#pageOf.has(uri)) this.add(uri)
  }

  /** Pages after the last with a subscription are gone. */
  get size(): number {
    return 1 + this.#pages.findLastIndex(({ uris }) => uris.size > 0)
  }

  get uris(): ReadonlyArray<string> {
    return this.#pages.flatMap(({ uris }) => [...uris])
  }

  page(number: number): ReadonlyArray<string> {
    return [...this.#pages[number]?.uris ?? []]
  }

  add(uri: string): void {
    if (this.#pageOf.has(uri)) return
    const found = this.#pages.findIndex((_, number) => this.#hasRoom(number, uri))
    const number = found === -1 ? this.#pages.length : found
    this.#put(number, uri)
    this.#changed.add(number)
  }

  delete(uri: string): void {
    const number = this.#pageOf.get(uri)
    if (number === undefined) return
    const page = this.#at(number)
    this.#pageOf.delete(uri)
    page.uris.delete(uri)
    page.chars -= uri.length
    this.#changed.add(number)
  }

  touch(): void {
    for (const number of this.#pages.keys()) this.#changed.add(number)
  }

  /** Since the last call, with those that are gone. */
  takeChanged(): ReadonlyArray<number> {
    const changed = [...this.#changed]
    this.#changed.clear()
    return changed
  }

  #at(number: number): Page {
    return this.#pages[number] ??= { uris: new Set(), chars: 0 }
  }

  #hasRoom(number: number, uri: string): boolean {
    const { chars, uris } = this.#at(number)
    return uris.size === 0 || (uris.size < pageRoom.uris && chars + uri.length <= pageRoom.chars)
  }

  #put(number: number, uri: string): void {
    const page = this.#at(number)
    page.uris.add(uri)
    page.chars += uri.length
    this.#pageOf.set(uri, number)
  }
}
