/** Each list is read to its end, bounded against a server that never ends (P5). */
import { Effect, Predicate } from "effect"
import { empty, type Kind, type Lists, type Problem, type Snapshot } from "../catalog/Catalog.js"
import { byKind, changeOf, keyOf, keys, kinds, largestList, longestKey } from "../catalog/Kind.js"
import { isGone, RequestError } from "../Errors.js"
import * as JsonValue from "../internal/JsonValue.js"
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

export const changedBy = (method: string): ReadonlyArray<Kind> => kinds.filter((kind) => changeOf(kind) === method)

export interface ReadList {
  readonly kind: Kind
  readonly entries: ReadonlyArray<unknown>
  readonly problems: ReadonlyArray<Problem>
  readonly truncated: boolean
  readonly given: boolean
  /** Milliseconds, if the server says so. */
  readonly timeToLive: number | undefined
  /** The server's error: what was known of the list stays. */
  readonly refused: RequestError | undefined
}

export const whyRefused = (backend: string, kind: Kind, { message }: RequestError): string =>
  `${methods[kind]} of ${backend}: ${message}`

const methodNotFound = -32601

/** Of one list; others are only counted. */
const mostProblems = 100

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
  refused: undefined
})

const hasCapability = ({ capabilities }: Connection, kind: Kind): boolean =>
  capabilities[kind === "resourceTemplates" ? "resources" : kind] !== undefined

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
      size += JsonValue.sizeOf(value)
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
      const leftOut = (why: string) => `${backend} has ${quoted()} that ${why}; it is left out`
      const most = longestKey[kind]
      if (key.length > most) return leftOut(`has a ${keys[kind]} of more than ${most} characters`)
      const limit = `${maxDepth} levels deep (discovery.maxDepth)`
      if (JsonValue.isTooDeep(entry, maxDepth)) return leftOut(`is nested more than ${limit}`)
      return byKey.has(key) ? `${backend} names ${quoted()} twice; the first is used` : undefined
    }
    const onPage = ({ nextCursor, ttlMs, ...page }: Listing.Page): boolean => {
      timeToLive = Freshness.shorter(timeToLive, Freshness.timeToLive(ttlMs))
      for (const entry of page[kind] as ReadonlyArray<unknown>) {
        const name = keyOf(kind, entry)
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
      (error) => Effect.succeed({ ...nothing(kind), refused: error.code === methodNotFound ? undefined : error })
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
  const read = new Map(lists.map((list) => [list.kind, list]))
  const fresh = (kind: Kind): ReadList | undefined => {
    const list = read.get(kind)
    return list?.refused === undefined ? list : undefined
  }
  const problems = lists.flatMap(({ kind, problems, refused }) =>
    refused === undefined ? problems : [{ backend, kind, name: "", message: whyRefused(backend, kind, refused) }]
  )
  return {
    ...byKind((kind) => fresh(kind)?.entries ?? known[kind]) as Lists,
    problems: [...known.problems.filter(({ kind }) => !read.has(kind)), ...problems],
    truncated: kinds.filter((kind) => fresh(kind)?.truncated ?? known.truncated.includes(kind))
  }
}
