/** Calls wait for places by when they began; Effect's Semaphore goes by when they came to wait. */

interface Places {
  readonly limit: number
  taken: number
}

interface Line {
  readonly key: unknown
  readonly own: Places
  readonly tickets: Array<Ticket>
}

/**
 * `out`: has nothing. `away`: keeps its position, waits for something else. `waiting`: for a place. `turn`: one is kept for it. `inFlight`:
 * has one.
 */
export interface Ticket {
  /** By when calls began: a repeated call comes before those that began later. */
  readonly order: number
  readonly line: Line
  state: "out" | "away" | "waiting" | "turn" | "inFlight"
  wake: (() => void) | undefined
}

const hasRoom = ({ limit, taken }: Places): boolean => taken < limit

export class Queue<Key> {
  readonly #all: Places
  readonly #lines: Array<Line> = []
  #order = 0
  #waiting = 0

  constructor(limit = Infinity) {
    this.#all = { limit, taken: 0 }
  }

  /** `key`, `limit`: of the calls that share further places. Nothing if nothing limits the call. */
  ticket(key?: Key, limit = Infinity): Ticket | undefined {
    if (Math.min(this.#all.limit, limit) === Infinity) return undefined
    let line = this.#lines.find((one) => one.key === key)
    if (line === undefined) {
      line = { key, own: { limit, taken: 0 }, tickets: [] }
      this.#lines.push(line)
    }
    return { order: this.#order++, line, state: "out", wake: undefined }
  }

  /** After false the call has to `wait` or `leave`: it has its position from now on. */
  take(ticket: Ticket): boolean {
    if (ticket.state !== "turn") {
      const { line } = ticket
      if (!hasRoom(this.#all) || !hasRoom(line.own) || !this.#isFirst(ticket)) {
        if (ticket.state === "out") {
          ticket.state = "away"
          this.#insert(ticket)
        }
        return false
      }
      if (ticket.state === "away") this.#remove(ticket)
      this.#count(line, 1)
    }
    ticket.state = "inFlight"
    this.#next(ticket.line)
    return true
  }

  /** `wake` is called once: when a place is kept, or when no call can be sent. */
  wait(ticket: Ticket, wake: () => void): void {
    if (ticket.state === "away") this.#remove(ticket)
    ticket.state = "waiting"
    ticket.wake = wake
    this.#insert(ticket)
    this.#next(ticket.line)
  }

  /** No other call can be sent either: those that wait are woken, and keep their positions. */
  away(ticket: Ticket): void {
    if (ticket.state === "away") return
    if (ticket.state === "waiting") this.#remove(ticket)
    else if (ticket.state !== "out") this.#count(ticket.line, -1)
    ticket.state = "away"
    ticket.wake = undefined
    this.#insert(ticket)
    if (this.#waiting === 0) return
    for (const { tickets } of this.#lines) {
      for (const one of tickets) {
        if (one.state !== "waiting") continue
        one.state = "away"
        this.#waiting--
        this.#wake(one)
      }
    }
  }

  leave(ticket: Ticket): void {
    const { line, state } = ticket
    ticket.wake = undefined
    if (state === "out") return
    if (state === "waiting" || state === "away") this.#remove(ticket)
    else this.#count(line, -1)
    ticket.state = "out"
    this.#next(ticket.line)
  }

  #count({ own }: Line, places: 1 | -1): void {
    this.#all.taken += places
    own.taken += places
  }

  #wake(ticket: Ticket): void {
    const { wake } = ticket
    ticket.wake = undefined
    wake?.()
  }

  #sharing(line: Line): ReadonlyArray<Line> {
    return this.#all.limit === Infinity ? [line] : this.#lines
  }

  #isFirst(ticket: Ticket): boolean {
    return this.#sharing(ticket.line).every(({ own, tickets: [first] }) =>
      first === undefined || first === ticket || first.order > ticket.order || !hasRoom(own)
    )
  }

  /** Those that are away come by themselves, and others wait for them. */
  #next(line: Line): void {
    while (this.#waiting > 0 && hasRoom(this.#all)) {
      let next: Ticket | undefined
      for (const { own, tickets: [first] } of this.#sharing(line)) {
        if (first !== undefined && hasRoom(own) && (next === undefined || first.order < next.order)) next = first
      }
      if (next?.state !== "waiting") return
      this.#remove(next)
      this.#count(next.line, 1)
      next.state = "turn"
      this.#wake(next)
    }
  }

  #insert(ticket: Ticket): void {
    const { tickets } = ticket.line
    let at = tickets.length
    while (at > 0 && tickets[at - 1]!.order > ticket.order) at--
    tickets.splice(at, 0, ticket)
    if (ticket.state === "waiting") this.#waiting++
  }

  #remove(ticket: Ticket): void {
    const { tickets } = ticket.line
    tickets.splice(tickets.indexOf(ticket), 1)
    if (ticket.state === "waiting") this.#waiting--
  }
}
