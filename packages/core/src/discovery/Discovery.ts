/** Each list is read to its end, bounded against a server that never ends (P5). */
import { Effect, Predicate } from "effect"
import { largestList, longestKey, mostProblems } from "../catalog/Bounds.js"
import { empty, type Kind, type Lists, type Problem, type Snapshot } from "../catalog/Catalog.js"
import * as EntrySize from "../catalog/EntrySize.js"
import { byKind, keys, kinds } from "../catalog/Kind.js"
import * as Nesting from "../catalog/Nesting.js"
import { isGone, RequestError } from "../Errors.js"
import { cut } from "../observe/PlainText.js"
import type { Policy } from "../options/Policy.js"
import type { Connection } from "../port/Connection.js"
import type { Method } from "../port/Method.js"
import * as Sending from "../port/Sending.js"
import { withDeadline } from "../port/withDeadline.js"
import * as Freshness from "./Freshness.js"
import * as Listing from "./Listing.js"

export const methods: { readonly [K in Kind]: Method } = {
  tools: "tools/list",
  prompts: "prompts/list",
  resources: "resources/list",
  resourceTemplates: "resources/templates/list"
}

export const changedBy = (method: string): ReadonlyArray<Kind> => {
  switch (method) {
    case "notifications/tools/list_changed":
      return ["tools"]
    case "notifications/prompts/list_changed":
      return ["prompts"]
    case "notifications/resources/list_changed":
      return ["resources", "resourceTemplates"]
    default:
      return []
  }
}

export interface ReadList {
  readonly kind: Kind
  readonly entries: ReadonlyArray<unknown>
  readonly problems: ReadonlyArray<Problem>
  /** Too long, or without end. */
  readonly truncated: boolean
  readonly given: boolean
  /** Milliseconds, if the server says so. */
  readonly timeToLive: number | undefined
  /** The server's error: what was known of the list stays. */
  readonly refused: string | undefined
  /** That error, if a forgotten session may also cause it. (R12) */
  readonly doubtful: RequestError | undefined
}

const methodNotFound = -32601

/** Kinds without a capability are empty. Fails if the server did not answer; an error concerns its list alone (H2, H3). */
export const read = (
  backend: string,
  connection: Connection,
  wanted: Iterable<Kind>,
  policy: Policy,
  answered: () => void
): Effect.Effect<ReadonlyArray<ReadList>, RequestError> =>
  Effect.forEach([...wanted], (kind) =>
    hasCapability(connection, kind)
      ? Effect.tap(readList(backend, connection, kind, policy), () => Effect.sync(answered))
      : Effect.succeed(nothing(kind)))

const nothing = (kind: Kind): ReadList => ({
  kind,
  entries: [],
  problems: [],
  truncated: false,
  given: false,
  timeToLive: undefined,
  refused: undefined,
  doubtful: undefined
})

const hasCapability = (connection: Connection, kind: Kind): boolean =>
  connection.capabilities[kind === "resourceTemplates" ? "resources" : kind] !== undefined

const readList = (
  backend: string,
  connection: Connection,
  kind: Kind,
  policy: Policy
): Effect.Effect<ReadList, RequestError> =>
  Effect.gen(function*() {
    const { discovery: { maxDepth, maxEntries, maxPages }, timeouts: { request: timeout } } = policy
    const method = methods[kind]
    const byKey = new Map<string, unknown>()
    const problems: Array<Problem> = []
    const problem = (message: string, name = ""): Problem => ({ backend, kind, name: cut(name, 200), message })
    let [unreported, size] = [0, 0]
    let [dropped, isFull, truncated] = [false, false, false]
    let timeToLive: number | undefined
    const fits = (value: unknown): boolean => {
      size += EntrySize.of(value)
      isFull ||= size > largestList
      return !isFull
    }
    const stop = (why: string): void => {
      truncated = true
      problems.unshift(problem(`${method} of ${backend} ${why}`))
    }
    const tooLarge = () => stop(`is too large: took ${byKey.size} entries, of 32 MiB together`)
    const flawOf = (key: string, entry: unknown): string | undefined => {
      if (key === "") return `${backend} has an entry of ${kind} without a name`
      const quoted = () => `${kind} ${JSON.stringify(cut(key, 200))}`
      if (key.length > longestKey[kind]) {
        const limit = `has a ${keys[kind]} of more than ${longestKey[kind]} characters`
        return `${backend} has ${quoted()} that ${limit}; it is left out`
      }
      if (Nesting.isDeeper(entry, maxDepth)) {
        const limit = `more than ${maxDepth} levels deep (discovery.maxDepth)`
        return `${backend} has ${quoted()} that is nested ${limit}; it is left out`
      }
      return byKey.has(key) ? `${backend} names ${quoted()} twice; the first is used` : undefined
    }
    const onPage = ({ nextCursor, ttlMs, ...page }: Listing.Page): boolean => {
      timeToLive = Freshness.shorter(timeToLive, Freshness.timeToLive(ttlMs))
      for (const entry of page[kind] as ReadonlyArray<unknown>) {
        const name = Predicate.isRecord(entry) ? entry[keys[kind]] : undefined
        const key = typeof name === "string" ? name : ""
        const flaw = flawOf(key, entry)
        if (flaw !== undefined && problems.length < mostProblems) problems.push(problem(flaw, key))
        else if (flaw !== undefined) unreported++
        else if (byKey.size >= maxEntries) dropped = true
        else if (fits(entry)) byKey.set(key, entry)
        else break
      }
      const goesOn = typeof nextCursor === "string"
      if (isFull || (goesOn && !fits(nextCursor))) tooLarge()
      else if (byKey.size >= maxEntries && (dropped || goesOn)) {
        stop(`is too long: took ${maxEntries} entries (discovery.maxEntries)`)
      }
      return !truncated
    }
    const ask = (cursor: string | undefined) => {
      const asked = Sending.ask(connection, method, cursor === undefined ? undefined : { cursor }, { timeout })
      return Effect.flatMap(withDeadline<unknown>(asked, timeout), (result) => pageOf(kind, result))
    }
    const ending = yield* Listing.readPages(kind, maxPages, ask, onPage)
    if (ending === "repeated") stop("repeats a cursor: the list ends there")
    if (ending === "large") tooLarge()
    if (ending === "pages") stop(`does not end: read ${maxPages} pages (discovery.maxPages)`)
    if (unreported > 0) {
      problems.push(problem(`${backend} has ${unreported} more entries of ${kind} with such problems`))
    }
    return { ...nothing(kind), entries: [...byKey.values()], problems, truncated, timeToLive, given: true }
  }).pipe(
    Effect.catchIf(
      (error) => error.reason === "remote" || error.reason === "protocol" || isGone(error),
      (error) =>
        Effect.succeed<ReadList>(
          error.code === methodNotFound
            ? nothing(kind)
            : {
              ...nothing(kind),
              refused: `${methods[kind]} of ${backend}: ${error.message}`,
              doubtful: error.ifSessionLost === undefined ? undefined : error
            }
        )
    )
  )

const pageOf = (kind: Kind, result: unknown): Effect.Effect<Listing.Page, RequestError> =>
  Predicate.isRecord(result) && Array.isArray(result[kind])
    ? Effect.succeed(result)
    : Effect.fail(
      new RequestError({ fate: "answered", reason: "protocol", message: `the answer has no list of ${kind}` })
    )

type Known = Lists & Pick<Snapshot, "problems" | "truncated">

/** A refused list keeps its last good entries (P3). */
export const merge = (before: Known | undefined, lists: ReadonlyArray<ReadList>, backend: string): Known => {
  const known = before ?? { ...empty, problems: [], truncated: [] }
  const fresh = new Map<Kind, ReadonlyArray<unknown>>()
  const problems: Array<Problem> = []
  for (const { entries, kind, problems: found, refused } of lists) {
    if (refused === undefined) fresh.set(kind, entries)
    problems.push(...(refused === undefined ? found : [{ backend, kind, name: "", message: refused }]))
  }
  const readKinds = new Set(lists.map((list) => list.kind))
  const truncated = new Set(lists.filter((list) => list.truncated).map((list) => list.kind))
  return {
    ...byKind((kind) => fresh.get(kind) ?? known[kind]) as Lists,
    problems: [...known.problems.filter((problem) => !readKinds.has(problem.kind)), ...problems],
    truncated: kinds.filter((kind) => fresh.has(kind) ? truncated.has(kind) : known.truncated.includes(kind))
  }
}
