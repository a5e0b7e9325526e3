import { Effect, PubSub, Stream } from "effect"
import type * as EventLog from "../log/EventLog.js"
import type { ReplicaName } from "../replica/Gateways.js"
import type { LogQuery } from "./Operations.js"
import type { OtherGateways } from "./OtherGateways.js"

/** How many new lines of a replica are read at once. */
const most = 200

/** How many lines a slow reader may lag behind before it misses the oldest. */
const backlog = 500

/** The last known line of a replica: its time, and all lines of that time. */
interface Cursor {
  readonly at: number
  readonly lines: ReadonlySet<string>
}

export interface OtherLogs {
  /** Of all replicas that answer soon. */
  readonly last: (query: LogQuery) => Effect.Effect<ReadonlyArray<EventLog.Entry>>
  /** Adds new lines to `added`: none when a replica is asked for the first time. */
  readonly look: Effect.Effect<void>
  readonly forget: Effect.Effect<void>
  readonly added: Stream.Stream<EventLog.Entry>
}

export const said = (entry: EventLog.Entry, { id }: ReplicaName): EventLog.Entry => ({ ...entry, replica: id })

const timeOf = ({ at }: EventLog.Entry): number => at

/** By time, and the lines of one log in their order. */
export const merged = (logs: ReadonlyArray<ReadonlyArray<EventLog.Entry>>): ReadonlyArray<EventLog.Entry> =>
  logs.flat().toSorted((one, other) => timeOf(one) - timeOf(other))

/** Asks nobody by itself. */
export const make = (
  { askSoon }: Pick<OtherGateways, "askSoon">,
  others: () => ReadonlyArray<ReplicaName>
): Effect.Effect<OtherLogs> =>
  Effect.map(PubSub.sliding<EventLog.Entry>(backlog), (added) => {
    let cursors: ReadonlyMap<string, Cursor> = new Map()
    const ask = (replica: ReplicaName, urlParams: Partial<LogQuery>) =>
      Effect.map(askSoon(replica, ({ gateway }) => gateway.logs({ urlParams })), ({ events }) => events)
    const next = (replica: ReplicaName) => {
      const before = cursors.get(replica.id)
      const query = before === undefined ? { limit: 1 } : { limit: most, since: before.at }
      return Effect.map(ask(replica, query), (lines) => {
        const at = Math.max(before?.at ?? 0, ...lines.map(timeOf))
        const cursor = {
          at,
          lines: new Set(lines.filter((line) => line.at === at).map((line) => JSON.stringify(line)))
        }
        const fresh = before === undefined ? [] : lines.filter((line) => !before.lines.has(JSON.stringify(line)))
        return { replica, cursor, fresh: fresh.map((line) => said(line, replica)) }
      })
    }
    return {
      last: (query) =>
        Effect.map(
          Effect.forEach(
            others(),
            (replica) =>
              ask(replica, query).pipe(
                Effect.map((lines) => lines.map((line) => said(line, replica))),
                Effect.orElseSucceed((): ReadonlyArray<EventLog.Entry> => [])
              ),
            { concurrency: "unbounded" }
          ),
          merged
        ),
      look: Effect.gen(function*() {
        const before = cursors
        const all = yield* Effect.forEach(others(), (replica) => Effect.option(next(replica)), {
          concurrency: "unbounded"
        })
        const answers = all.flatMap((one) => one._tag === "Some" ? [one.value] : [])
        // Who did not answer goes on from where it was.
        const known = others().flatMap(({ id }): ReadonlyArray<readonly [string, Cursor]> => {
          const cursor = answers.find(({ replica }) => replica.id === id)?.cursor ?? before.get(id)
          return cursor === undefined ? [] : [[id, cursor]]
        })
        cursors = new Map(known)
        yield* PubSub.publishAll(added, merged(answers.map(({ fresh }) => fresh)))
      }),
      forget: Effect.sync(() => {
        cursors = new Map()
      }),
      added: Stream.fromPubSub(added)
    }
  })
