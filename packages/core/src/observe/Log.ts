/** Events as log lines; lines that repeat are counted. */
import { Duration, Effect, LogLevel, Scope, Stream } from "effect"
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
    Judged: ({ enforced, generation, kind, reason }) => {
      const isNews = kind === "busy" || kind === "held" || (kind === "wedged" && !enforced)
      const what = enforced ? kind : `${kind}, not enforced`
      return line(isNews ? LogLevel.Info : LogLevel.Debug, `${what}: ${reason}`, { generation, kind, enforced })
    },
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
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    const repeats = new Repeats(Duration.toMillis(options.window ?? "1 minute"), options.burst ?? 5)
    const end = (kind: Kind) => Effect.suspend(() => write(repeats.end(kind, now())))
    const take = (event: Event): Effect.Effect<unknown> =>
      Effect.suspend(() => {
        const at = now()
        const { counted, print } = repeats.take(event, at)
        return counted === undefined
          ? write(print)
          : Effect.forkIn(Effect.delay(end(counted), counted.until - at), scope)
      })
    const endAll = Effect.suspend(() => Effect.forEach(repeats.endAll(now()), write, { discard: true }))
    yield* Effect.addFinalizer(() => endAll)
    yield* Effect.forkIn(Stream.runForEach(source.events, take), scope)
  })

const write = (entry: Entry | undefined): Effect.Effect<void> =>
  entry === undefined
    ? Effect.void
    : SafeLog.safely(Effect.annotateLogs(Effect.logWithLevel(entry.level, entry.message), entry.annotations))

interface Followed {
  state: StateName | undefined
}

interface Kind {
  readonly of: Followed
  until: number
  window: number
  left: number
  count: number
  last: Entry | undefined
}

const roomy = 64

export class Repeats {
  readonly #window: number
  readonly #burst: number
  readonly #backends = new Map<string, Followed>()
  readonly #kinds = new Map<string, Kind>()
  /** So many new kinds until others are forgotten. */
  #room = roomy

  constructor(window: number, burst: number) {
    this.#window = window
    this.#burst = burst
  }

  /** `counted` has begun to count: `end` it at its `until`. */
  take(event: Event, now: number): { readonly print?: Entry; readonly counted?: Kind } {
    const of = this.#backends.get(event.backend) ?? { state: undefined }
    this.#backends.set(event.backend, of)
    if (event._tag === "StateChanged") of.state = event.to
    const entry = entryOf(event)
    const { stale, state, to } = entry.annotations
    const key = [event._tag, entry.level.label, to, state, stale, event.backend].join(" ")
    const kind = this.#kinds.get(key)
    if (kind === undefined || now >= kind.until) {
      const quiet = kind === undefined || isQuiet(kind, now)
      const window = quiet ? this.#window : kind.window
      const left = quiet ? this.#burst - 1 : 0
      this.#kinds.set(key, { of, until: now + window, window, left, count: 0, last: undefined })
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
    const { count, last, of: { state }, window } = kind
    if (last === undefined) return undefined
    kind.window = Math.max(window, Math.min(longestWindow, window * 2))
    kind.until = now + kind.window
    kind.count = 0
    kind.last = undefined
    const then = state === undefined ? "" : `; now ${state}`
    return {
      level: last.level,
      message: `${last.message} (${count} times in ${formatMillis(window)}${then})`,
      annotations: { ...last.annotations, repeats: count, ...present({ state }) }
    }
  }

  endAll(now: number): ReadonlyArray<Entry> {
    return [...this.#kinds.values()].flatMap((kind) => this.end(kind, now) ?? [])
  }

  get size(): number {
    return this.#backends.size
  }

  #forget(now: number): void {
    for (const [key, kind] of this.#kinds) if (kind.last === undefined && isQuiet(kind, now)) this.#kinds.delete(key)
    const kept = new Set(Array.from(this.#kinds.values(), ({ of }) => of))
    for (const [backend, one] of this.#backends) {
      if (!kept.has(one) && (one.state === undefined || one.state === "Closed")) this.#backends.delete(backend)
    }
    this.#room = Math.max(roomy - this.#kinds.size, this.#kinds.size)
  }
}

const isQuiet = ({ until, window }: Kind, now: number): boolean => now >= until + window

const present = (values: Annotations): Entry["annotations"] =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
