/**
 * Lines of the log that may come from many clients at once. However many clients there are, the lines stay few: the first line of a kind is
 * written at once, those that follow are counted, and one line says how many they were.
 */
import { Clock, Effect, FiberSet, type Scope } from "effect"
import * as Table from "../serve/Table.js"
import type * as EventLog from "./EventLog.js"

/** How long lines are counted at first, and at most, in milliseconds. The time doubles as long as there are more. */
const shortest = 2000
const longest = 5 * 60 * 1000

/** After so long without a line of its kind, the next one is the first again, in milliseconds. */
const forgotten = 60 * 1000

/** Lines of one kind, which follow one that was written. */
interface Following {
  readonly since: number
  /** How long they are counted. */
  readonly window: number
  count: number
  last: EventLog.Entry | undefined
  /** That time is over, and there were none. */
  isQuiet: boolean
}

/** What was counted, as one line. */
const lineOf = ({ count, last, since }: Following, now: number): EventLog.Entry | undefined => {
  if (last === undefined || count === 1) return last && { ...last, at: now }
  return { ...last, at: now, text: `${last.text}  (${count} times in ${Table.span(Math.max(1000, now - since))})` }
}

/** Gives lines of some kind to `write` as long as the scope is open; those that are counted when it closes, too. */
export const make = (
  write: (line: EventLog.Entry) => Effect.Effect<void>
): Effect.Effect<(kind: string, line: EventLog.Entry) => void, never, Scope.Scope> =>
  Effect.gen(function*() {
    /** By kind. */
    const all = new Map<string, Following>()
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.forEach(all.values(), (one) => {
          const line = lineOf(one, now)
          return line === undefined ? Effect.void : write(line)
        }))
    )
    const run = yield* FiberSet.makeRuntime<never>()
    /** Counts from now on. */
    const follow = (kind: string, since: number, window: number): Effect.Effect<void> => {
      const following: Following = { since, window, count: 0, last: undefined, isQuiet: false }
      all.set(kind, following)
      const ended = Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const line = lineOf(following, now)
        if (line !== undefined) return Effect.zipRight(write(line), follow(kind, now, longer(window)))
        following.isQuiet = true
        const forget = Effect.sync(() => void (all.get(kind) === following && all.delete(kind)))
        return Effect.delay(forget, forgotten)
      })
      return Effect.delay(ended, window)
    }
    return (kind, line) => {
      const before = all.get(kind)
      if (before === undefined || before.isQuiet) {
        const window = before === undefined ? shortest : longer(before.window)
        run(Effect.zipRight(write(line), follow(kind, line.at, window)))
      } else {
        before.count++
        before.last = line
      }
    }
  })

const longer = (window: number): number => Math.min(2 * window, longest)
