/**
 * Each change writes its part only: many subscriptions are in pages, which are records of their own.
 */
import { Struct } from "effect"
import type { ClientSettings, SettingChange } from "./Conversation.js"
import type { Record, SessionRecords } from "./SessionRecords.js"
import { SubscriptionPages } from "./SubscriptionPages.js"

const pageId = (id: string, page: number): string => `${id}/${page}`

/** A long `initialize` is not written again for a subscription. */
const firstApart = ({ initialize }: Record): number => initialize === undefined ? 1 : 0

/** Earlier versions wrote these subscriptions outside of pages. */
const isEarlier = (record: Record): boolean => firstApart(record) === 0 && record.subscriptions !== undefined

const ownerIn = ({ owner }: Record) => owner === undefined ? {} : { owner }

export class SessionRecord {
  readonly #records: Pick<SessionRecords, "set">
  readonly #id: string
  #head: Record
  readonly #pages: SubscriptionPages
  /** Pages that are records of their own, as the written record says; undefined if it has to be written, as one of an earlier version. */
  #apart: number | undefined

  constructor(
    records: Pick<SessionRecords, "set">,
    id: string,
    record: Record,
    subscriptions = new SubscriptionPages()
  ) {
    this.#records = records
    this.#id = id
    this.#head = Struct.omit(record, "pages", "subscriptions")
    this.#pages = subscriptions
    this.#apart = isEarlier(record) ? undefined : record.pages ?? 0
  }

  /** See `SessionRecords.get`. */
  static async load(
    records: SessionRecords,
    id: string,
    born?: number,
    owner?: string
  ): Promise<SessionRecord | "unknown" | undefined> {
    const record = await records.get(id, born, owner)
    if (record === undefined || record === "unknown") return record
    const first = firstApart(record)
    const numbers = Array.from({ length: record.pages ?? 0 }, (_, index) => first + index)
    const apart = await Promise.all(numbers.map((number) => records.get(pageId(id, number))))
    const { subscriptions = [] } = record
    const pages: Array<ReadonlyArray<string>> = first === 0 && subscriptions.length === 0 ? [] : [subscriptions]
    for (const page of apart) {
      if (page === "unknown") return page
      pages.push(page?.subscriptions ?? [])
    }
    const found = new SubscriptionPages(pages)
    if (isEarlier(record)) found.touch()
    return new SessionRecord(records, id, record, found)
  }

  get initialize(): Record["initialize"] {
    return this.#head.initialize
  }

  get hasEnded(): boolean {
    return this.#head.hasEnded === true
  }

  get usedAt(): number {
    return this.#head.usedAt
  }

  get settings(): ClientSettings {
    return { level: this.#head.level, subscriptions: this.#pages.uris }
  }

  drop(uris: Iterable<string>): void {
    for (const uri of uris) this.#pages.delete(uri)
  }

  /** Resolves when that is on disk, or cannot be written. */
  touch(): Promise<void> {
    this.#pages.touch()
    return this.#write({ ...this.#head })
  }

  save(change: SettingChange): Promise<void> {
    if ("level" in change) return this.#write({ ...this.#head, level: change.level })
    if ("subscribed" in change) this.#pages.add(change.subscribed)
    else this.#pages.delete(change.unsubscribed)
    return this.#write(this.#head)
  }

  /** `born`: in seconds since 1970. */
  end(born: number): Promise<void> {
    const first = firstApart(this.#head)
    const pages = Array.from(
      { length: this.#apart ?? 0 },
      (_, index) => this.#set(pageId(this.#id, first + index), this.#gone)
    )
    const ended = { usedAt: Date.now(), hasEnded: true, born, ...ownerIn(this.#head) }
    return Promise.all([...pages, this.#set(this.#id, ended)]).then(() => undefined)
  }

  /** A page that nobody reads any more: as old as this, it is removed. */
  get #gone(): Record {
    return { usedAt: 0, ...ownerIn(this.#head) }
  }

  #set(id: string, record: Record): Promise<void> {
    return this.#records.set(id, record)
  }

  #write(head: Record): Promise<void> {
    const changed = this.#pages.takeChanged()
    const [first, { size }] = [firstApart(head), this.#pages]
    const apart = Math.max(0, size - first)
    const usedAt = Date.now()
    const page = (number: number) => ({ subscriptions: this.#pages.page(number) })
    const writes = changed.filter((number) => number >= first).map((number) =>
      this.#set(
        pageId(this.#id, number),
        number < size ? { usedAt, ...ownerIn(head), ...page(number) } : this.#gone
      )
    )
    if (head !== this.#head || apart !== this.#apart || (first > 0 && changed.includes(0))) {
      this.#head = { ...head, usedAt }
      this.#apart = apart
      writes.push(this.#set(this.#id, {
        ...this.#head,
        ...(first > 0 && size > 0 ? page(0) : {}),
        ...(apart > 0 ? { pages: apart } : {})
      }))
    }
    return Promise.all(writes).then(() => undefined)
  }
}
