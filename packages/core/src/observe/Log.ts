/** Events as log lines; lines that repeat are counted. */
import { Clock, Duration, Effect, LogLevel, Scope, Stream } from "effect"
import type { DurationInput } from "effect/Duration"
import * as SafeLog from "../internal/SafeLog.js"
import { formatMillis } from "../internal/Time.js"
import { inWords } from "../lifecycle/Lifecycle.js"
import type { StateName } from "../lifecycle/States.js"
import { Event } from "./Event.js"

export interface Entry {
  readonly level: LogLevel.LogLevel
  readonly message: string
  /** For programs: `backend`, `event`, and the other members of the event. */
  readonly annotations: Readonly<Record<string, string | number | boolean>>
}

export interface Options {
  /**
   * Meanwhile the first `burst` lines of one kind about one backend are written, and others counted; then one line says how many. Doubles
   * while such lines continue, up to an hour, and is reset after a time without them. Default 1 minute.
   */
  readonly window?: DurationInput | undefined
  /** Lines of one kind before counting. Default 5. */
  readonly burst?: number | undefined
}

type Annotations = Readonly<Record<string, string | number | boolean | undefined>>

const longestWindow = Duration.toMillis("1 hour")

export const entryOf = (event: Event): Entry => {
  const line = (level: LogLevel.LogLevel, what: string, rest: Annotations): Entry => ({
    level,
    message: `${event.backend}: ${what}`,
    annotations: { backend: event.backend, event: event._tag, ...present(rest) }
  })
  return Event.$match(event, {
    StateChanged: ({ from, generation, to }) =>
      line(levels[to] ?? LogLevel.Debug, `${from} -> ${inWords(to)}`, { from, to, generation }),
    AttemptStarted: ({ attempt }) => line(LogLevel.Debug, `connecting, attempt ${attempt}`, { attempt }),
    AttemptFailed: ({ at, duration, error: { message, permanent, reason }, nextAttemptAt }) => {
      const nextAttemptIn = nextAttemptAt === undefined ? undefined : Math.max(0, nextAttemptAt - at)
      const next = nextAttemptIn === undefined ? "" : `; next attempt in ${formatMillis(nextAttemptIn)}`
      const level = permanent ? LogLevel.Error : LogLevel.Warning
      return line(level, `could not connect: ${message}${next}`, { reason, permanent, duration, nextAttemptIn })
    },
    Installed: ({ downtime, duration, generation, resumed }) => {
      const after = downtime === undefined ? "" : `, after ${formatMillis(downtime)} without a connection`
      const what = `connected (generation ${generation})${after}${resumed ? ", in the same session" : ""}`
      return line(LogLevel.Info, what, { generation, duration, downtime, resumed })
    },
    RuntimeLost: ({ generation, loss: { kind, message }, uptime }) => {
      const what = `${kind === "memory" ? "restarted" : "connection lost"} after ${formatMillis(uptime)}: ${message}`
      return line(LogLevel.Warning, what, { generation, kind, uptime })
    },
    RuntimeClosed: ({ generation, installed, message, outcome }) =>
      line(LogLevel.Debug, `generation ${generation}: ${outcome}`, { generation, installed, outcome, message }),
    CatalogChanged: ({ generation, revision, stale }) => {
      const what = revision === undefined ? "withdrawn" : stale ? "stale" : `revision ${revision}`
      return line(LogLevel.Debug, `catalogue: ${what}`, { generation, revision, stale })
    },
    MemoryHigh: ({ generation, limit, memory, message }) =>
      line(LogLevel.Warning, `uses ${message}`, { generation, memory, limit }),
    DiscoveryFailed: ({ generation, message }) =>
      line(LogLevel.Warning, `could not read the lists: ${message}`, { generation }),
    Judged: ({ generation, kind, reason }) =>
      line(kind === "busy" ? LogLevel.Info : LogLevel.Debug, `${kind}: ${reason}`, { generation, kind }),
    KeepaliveChanged: ({ generation, reason, state }) =>
      line(LogLevel.Debug, `keepalive: ${state}`, { generation, state, reason })
  })
}

const levels: { readonly [S in StateName]?: LogLevel.LogLevel } = {
  PermanentlyFailed: LogLevel.Error,
  Dormant: LogLevel.Warning,
  Disabled: LogLevel.Info,
  Disconnected: LogLevel.Info
}

/**
 * Writes a line for each event to Effect's logger until the scope closes, and then the counts. Called right after making the backend or the
 * fleet, it also reports the first attempts.
 *
 * @example
 * import { Fleet, Log } from "@mcp-lifeline/core"
 * import { Effect } from "effect"
 *
 * export const program = Effect.gen(function*() {
 *   const fleet = yield* Fleet.Fleet
 *   yield* Log.follow(fleet)
 * })
 */
export const follow = (
  source: { readonly events: Stream.Stream<Event> },
  options: Options = {}
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const repeats = new Repeats(Duration.toMillis(options.window ?? "1 minute"), options.burst ?? 5)
    const ended = (kind: Kind): Effect.Effect<void> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const entry = repeats.end(kind, now)
        return entry === undefined ? Effect.void : write(entry)
      })
    const take = (event: Event): Effect.Effect<unknown> =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const { counted, print } = repeats.take(event, now)
        if (print !== undefined) yield* write(print)
        if (counted !== undefined) yield* Effect.forkIn(Effect.delay(ended(counted), counted.until - now), scope)
      })
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.forEach(repeats.endAll(now), write, { discard: true }))
    )
    yield* Effect.forkIn(Stream.runForEach(source.events, take), scope)
  })

const write = ({ annotations, level, message }: Entry): Effect.Effect<void> =>
  SafeLog.safely(Effect.annotateLogs(Effect.logWithLevel(level, message), annotations))

interface Kind {
  until: number
  window: number
  left: number
  count: number
  last: Entry | undefined
}

interface Remembered {
  state: StateName | undefined
  readonly kinds: Map<string, Kind>
}

const roomy = 64

export class Repeats {
  readonly #window: number
  readonly #burst: number
  readonly #backends = new Map<string, Remembered>()
  /** So many new kinds until others are forgotten. */
  #room = roomy

  constructor(window: number, burst: number) {
    this.#window = window
    this.#burst = burst
  }

  /** A line to print, or the kind that began counting and is ended at its `until`. */
  take(event: Event, now: number): { readonly print?: Entry; readonly counted?: Kind } {
    const remembered = this.#backends.get(event.backend) ?? { state: undefined, kinds: new Map() }
    this.#backends.set(event.backend, remembered)
    if (event._tag === "StateChanged") remembered.state = event.to
    const entry = entryOf(event)
    const { stale, state, to } = entry.annotations
    const key = [event._tag, entry.level.label, to, state, stale].join(" ")
    const kind = remembered.kinds.get(key)
    if (kind === undefined || now >= kind.until) {
      const quiet = kind === undefined || now >= kind.until + kind.window
      const window = quiet ? this.#window : kind.window
      const left = quiet ? this.#burst - 1 : 0
      remembered.kinds.set(key, { until: now + window, window, left, count: 0, last: undefined })
      if (kind === undefined && --this.#room < 0) this.#forget(now)
      return { print: entry }
    }
    if (kind.left > 0) {
      kind.left--
      return { print: entry }
    }
    kind.last = entry
    return kind.count++ === 0 ? { counted: kind } : {}
  }

  end(kind: Kind, now: number): Entry | undefined {
    const { count, last, window } = kind
    if (last === undefined) return undefined
    kind.window = Math.max(window, Math.min(longestWindow, window * 2))
    kind.until = now + kind.window
    kind.count = 0
    kind.last = undefined
    const state = this.#backends.get(String(last.annotations["backend"]))?.state
    const then = state === undefined ? "" : `; now ${state}`
    return {
      level: last.level,
      message: `${last.message} (${count} times in ${formatMillis(window)}${then})`,
      annotations: { ...last.annotations, repeats: count, ...present({ state }) }
    }
  }

  endAll(now: number): ReadonlyArray<Entry> {
    return [...this.#backends.values()].flatMap(({ kinds }) =>
      [...kinds.values()].flatMap((kind) => this.end(kind, now) ?? [])
    )
  }

  get size(): number {
    return this.#backends.size
  }

  #forget(now: number): void {
    let kept = 0
    for (const [backend, { kinds, state }] of this.#backends) {
      for (const [key, kind] of kinds) {
        if (kind.last === undefined && now >= kind.until + kind.window) kinds.delete(key)
      }
      kept += kinds.size
      if (kinds.size === 0 && (state === undefined || state === "Closed")) this.#backends.delete(backend)
    }
    this.#room = Math.max(roomy - kept, kept)
  }
}

const present = (values: Annotations): Entry["annotations"] =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
