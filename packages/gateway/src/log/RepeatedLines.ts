/**
 * The first line of a kind is written immediately; the following ones, which many clients may cause at once, are counted, and one line
 * reports their number.
 */
import { Clock, Effect, FiberSet, type Scope } from "effect"
import { span } from "../text/Text.js"
import type * as EventLog from "./EventLog.js"

/** How long lines are counted, in milliseconds. Doubles as long as more lines follow. */
const minWindow = 2000
const maxWindow = 5 * 60 * 1000

/** After this time without a line of a kind, in milliseconds, the next one counts as the first again. */
const resetAfter = 60 * 1000

interface Following {
  readonly since: number
  /** In milliseconds. */
  readonly window: number
  count: number
  last: EventLog.Entry | undefined
  isQuiet: boolean
}

const lineOf = ({ count, last, since }: Following, now: number): EventLog.Entry | undefined => {
  if (last === undefined || count === 1) return last && { ...last, at: now }
  return { ...last, at: now, text: `${last.text}  (${count} times in ${span(Math.max(1000, now - since))})` }
}

/** Closing the scope writes lines that are still being counted. */
export const make = (
  write: (line: EventLog.Entry) => Effect.Effect<void>
): Effect.Effect<(kind: string, line: EventLog.Entry) => void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const all = new Map<string, Following>()
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.forEach(all.values(), (one) => {
          const line = lineOf(one, now)
          return line === undefined ? Effect.void : write(line)
        }))
    )
    const run = yield* FiberSet.makeRuntime<never>()
    const follow = (kind: string, since: number, window: number): Effect.Effect<void> => {
      const following: Following = { since, window, count: 0, last: undefined, isQuiet: false }
      all.set(kind, following)
      const ended = Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const line = lineOf(following, now)
        if (line !== undefined) return Effect.zipRight(write(line), follow(kind, now, longer(window)))
        following.isQuiet = true
        const forget = Effect.sync(() => void (all.get(kind) === following && all.delete(kind)))
        return Effect.delay(forget, resetAfter)
      })
      return Effect.delay(ended, window)
    }
    return (kind, line) => {
      const before = all.get(kind)
      if (before === undefined || before.isQuiet) {
        const window = before === undefined ? minWindow : longer(before.window)
        run(Effect.zipRight(write(line), follow(kind, line.at, window)))
      } else {
        before.count++
        before.last = line
      }
    }
  })

const longer = (window: number): number => Math.min(2 * window, maxWindow)
