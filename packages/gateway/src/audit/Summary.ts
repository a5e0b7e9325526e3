/**
 * Adds up calls: by client, by server and by tool, their errors, and the slowest. Its memory does not grow with their number.
 */
import { type AuditLine, callerOf, durationOf, isError, rounded, shownCaller } from "./AuditLine.js"

/** The sums of some calls. */
export interface Sums {
  readonly name: string
  /** What it is shown as, if that is more than its name. */
  shown?: string | undefined
  calls: number
  errors: number
  /** Of those, how many may have been carried out without anybody knowing. */
  unknown: number
  /** All their time, in milliseconds. */
  time: number
  /** The longest, in milliseconds. */
  longest: number
  /** When the last of them arrived. */
  last: string
}

/** Errors of one kind. */
export interface Errors {
  readonly server: string
  readonly tool: string
  /** The outcome, and why. */
  readonly what: string
  readonly fate: string
  calls: number
  last: string
}

/** All that is said of the calls of a file. */
export interface Report {
  readonly calls: number
  readonly errors: number
  readonly from: string | undefined
  readonly to: string | undefined
  /** Lines that a full disk or a crash has cut off. */
  readonly torn: number
  /** Other lines that are no calls, and nothing else that is known. */
  readonly unreadable: number
  /** Lines of calls that could not be written. */
  readonly lost: number
  readonly clients: ReadonlyArray<Sums>
  readonly servers: ReadonlyArray<Sums>
  readonly tools: ReadonlyArray<Sums>
  readonly failures: ReadonlyArray<Errors>
  readonly slowest: ReadonlyArray<AuditLine>
}

/** How many different names are kept of each kind, and how many characters of each. The calls of others are counted together. */
const most = 10_000
const longestName = 1100
const others = "(others)"

/** What a call names. Names of which a line has not the whole are told apart by their hashes. */
const namedBy = ({ tool, toolHash }: AuditLine): string =>
  toolHash === undefined ? tool : `${tool} #${toolHash.slice(7, 19)}`

/** Most calls first. */
const byCalls = (a: { readonly calls: number }, b: { readonly calls: number }): number => b.calls - a.calls

export class Summary {
  readonly #top: number
  readonly #clients = new Map<string, Sums>()
  readonly #servers = new Map<string, Sums>()
  readonly #tools = new Map<string, Sums>()
  readonly #failures = new Map<string, Errors>()
  #slowest: Array<AuditLine> = []
  /** Calls that took no longer are not among the slowest. */
  #least = -1
  #calls = 0
  #errors = 0
  #from: string | undefined
  #to: string | undefined
  torn = 0
  unreadable = 0
  lost = 0

  /** `top`: how many rows each list has at most. */
  constructor(top: number) {
    this.#top = top
  }

  add(line: AuditLine): void {
    const server = line.server ?? "-"
    this.#calls++
    if (isError(line)) this.#errors++
    if (this.#from === undefined || line.time < this.#from) this.#from = line.time
    if (this.#to === undefined || line.time > this.#to) this.#to = line.time
    const client = callerOf(line.client)
    const sums = count(this.#clients, client, line)
    const shown = shownCaller(line.client)
    if (sums.name === client && shown !== client && sums.last === line.time) sums.shown = shown
    count(this.#servers, server, line)
    count(this.#tools, `${server} ${namedBy(line)}`, line)
    if (isError(line)) this.#addFailure(server, line)
    this.#addSlow(line)
  }

  #addFailure(server: string, line: AuditLine): void {
    const { code, fate, outcome, reason, time } = line
    const tool = namedBy(line)
    const what = reason ?? (code === undefined ? outcome : `${outcome} ${code}`)
    const key = JSON.stringify([server, tool, what, fate])
    const known = this.#failures.get(key)
    if (known !== undefined) {
      known.calls++
      if (time > known.last) known.last = time
    } else if (this.#failures.size < most) {
      this.#failures.set(key, { server, tool, what, fate, calls: 1, last: time })
    }
  }

  #addSlow(line: AuditLine): void {
    if (durationOf(line) <= this.#least) return
    // Arguments may be long.
    const { arguments: _, ...rest } = line
    // To sort for each line would cost more than to read it.
    if (this.#slowest.push(rest) < 2 * this.#top) return
    this.#slowest = slowestOf(this.#slowest, this.#top)
    this.#least = durationOf(this.#slowest[this.#top - 1] ?? line)
  }

  get report(): Report {
    const rows = (all: ReadonlyMap<string, Sums>): ReadonlyArray<Sums> =>
      [...all.values()].toSorted(byCalls).slice(0, this.#top).map((one) => ({ ...one, time: rounded(one.time) }))
    return {
      calls: this.#calls,
      errors: this.#errors,
      from: this.#from,
      to: this.#to,
      torn: this.torn,
      unreadable: this.unreadable,
      lost: this.lost,
      clients: rows(this.#clients),
      servers: rows(this.#servers),
      tools: rows(this.#tools),
      failures: [...this.#failures.values()].toSorted(byCalls).slice(0, this.#top),
      slowest: slowestOf(this.#slowest, this.#top)
    }
  }
}

const slowestOf = (lines: ReadonlyArray<AuditLine>, top: number): Array<AuditLine> =>
  lines.toSorted((a, b) => durationOf(b) - durationOf(a)).slice(0, top)

const count = (all: Map<string, Sums>, given: string, line: AuditLine): Sums => {
  const asked = given.length > longestName ? given.slice(0, longestName) : given
  const name = all.has(asked) || all.size < most ? asked : others
  const sums = all.get(name) ?? { name, calls: 0, errors: 0, unknown: 0, time: 0, longest: 0, last: "" }
  const duration = durationOf(line)
  sums.calls++
  if (isError(line)) sums.errors++
  if (line.fate === "unknown") sums.unknown++
  sums.time += duration
  if (duration > sums.longest) sums.longest = duration
  if (line.time > sums.last) sums.last = line.time
  all.set(name, sums)
  return sums
}
