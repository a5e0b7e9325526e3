/** Records what a scripted connector opened, sent and closed: everything must be closed exactly once. */

/** Times are of the connector's Clock. */
export type Entry =
  | { readonly _tag: "Attempt"; readonly at: number }
  | { readonly _tag: "Opened"; readonly at: number; readonly connection: number }
  | {
    readonly _tag: "Sent"
    readonly at: number
    readonly connection: number
    readonly method: string
    readonly refused: boolean
  }
  | { readonly _tag: "Closing"; readonly at: number; readonly connection: number }
  | { readonly _tag: "Closed"; readonly at: number; readonly connection: number }

/** A session begins with a connection, may be suspended and resumed by another, and is ended by Lifeline or forgotten by the server. */
export interface SessionEntry {
  readonly at: number
  readonly session: number
  readonly event: SessionEvent
  readonly connection: number | undefined
}

export type SessionEvent = "begun" | "suspended" | "resumed" | "ended" | "forgotten"

/** Possible successors. */
const sessionOrder: Readonly<Record<SessionEvent, ReadonlyArray<SessionEvent>>> = {
  begun: ["suspended", "ended", "forgotten"],
  suspended: ["resumed", "ended", "forgotten"],
  resumed: ["suspended", "ended", "forgotten"],
  ended: [],
  forgotten: []
}

/** In order. */
export class Ledger {
  readonly entries: Array<Entry> = []
  readonly sessions: Array<SessionEntry> = []
  /** Called synchronously on each entry. */
  onWrite: ((entry: Entry) => void) | undefined

  write(entry: Entry): void {
    this.entries.push(entry)
    this.onWrite?.(entry)
  }

  /** Start times, in milliseconds. */
  get attempts(): ReadonlyArray<number> {
    return this.entries.flatMap((entry) => entry._tag === "Attempt" ? [entry.at] : [])
  }

  /** In order. */
  get opened(): ReadonlyArray<number> {
    return this.#connections("Opened")
  }

  /** In the order in which their close began; duplicates if closed twice. */
  get closing(): ReadonlyArray<number> {
    return this.#connections("Closing")
  }

  /** In the order in which their close ended. */
  get closed(): ReadonlyArray<number> {
    return this.#connections("Closed")
  }

  /** When accepted requests of a method were sent, in milliseconds. */
  sent(method: string, connection?: number): ReadonlyArray<number> {
    return this.entries.flatMap((entry) =>
      entry._tag === "Sent" && entry.method === method && !entry.refused &&
        (connection === undefined || entry.connection === connection)
        ? [entry.at]
        : []
    )
  }

  /** Open now. */
  get live(): ReadonlyArray<number> {
    const closing = new Set(this.closing)
    return this.opened.filter((connection) => !closing.has(connection))
  }

  /** Connections that were not closed exactly once. Empty if all is well. */
  get faults(): ReadonlyArray<string> {
    const counts = new Map<number, number>()
    for (const connection of this.closing) counts.set(connection, (counts.get(connection) ?? 0) + 1)
    return this.opened.flatMap((connection) => {
      const closes = counts.get(connection) ?? 0
      return closes === 1 ? [] : [`connection ${connection} was closed ${closes} times`]
    })
  }

  /** In order. */
  get begun(): ReadonlyArray<number> {
    return this.sessions.flatMap(({ event, session }) => event === "begun" ? [session] : [])
  }

  /** Events of a session, in order. */
  session(id: number): ReadonlyArray<SessionEvent> {
    return this.sessions.flatMap(({ event, session }) => session === id ? [event] : [])
  }

  /** Sessions that were resumed twice or after their end, or not ended. Empty if all is well. */
  get sessionFaults(): ReadonlyArray<string> {
    return this.begun.flatMap((session) => {
      const events = this.session(session)
      const last = events.at(-1)
      return [
        ...events.flatMap((event, i) => {
          const before = events[i - 1]
          return before === undefined || sessionOrder[before].includes(event)
            ? []
            : [`session ${session} was ${event} after it was ${before}`]
        }),
        ...(last === "ended" || last === "forgotten" ? [] : [`session ${session} was left ${last}`])
      ]
    })
  }

  #connections(tag: "Opened" | "Closing" | "Closed"): ReadonlyArray<number> {
    return this.entries.flatMap((entry) => entry._tag === tag ? [entry.connection] : [])
  }
}
