/**
 * Detects saves in place, by replacing the file, or by changing a link.
 */
import { firstOf } from "@mcp-lifeline/core/internal"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import type { Scope } from "effect"
import { Effect, Queue } from "effect"
import { type FSWatcher, watch } from "node:fs"
import { basename, dirname, resolve } from "node:path"

/** Differs after each save; `undefined` if there is no file. */
export type Fingerprint = string | undefined

/** In milliseconds. Saves within this time count as one; a file unchanged for so long counts as completely written. */
const settleTime = 200

/** Then a file that is still being written, or gone, is taken as it is. */
const maxChecks = 15

/** The operating system sends no notification for some file systems and for replaced folders. */
const pollInterval = "2 seconds"

export const fingerprint = (file: string, before: Fingerprint): Effect.Effect<Fingerprint> =>
  Effect.orElseSucceed(UserFile.fingerprint(file), () => before)

/** Once the file has stopped changing. */
const settled = (file: string, before: Fingerprint): Effect.Effect<Fingerprint> =>
  Effect.gen(function*() {
    let last = yield* fingerprint(file, before)
    for (let count = 0; count < maxChecks; count++) {
      yield* Effect.sleep(settleTime)
      const now = yield* fingerprint(file, last)
      if (now !== undefined && now === last) return now
      last = now
    }
    return last
  })

const listen = (file: string, hints: Queue.Enqueue<void>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): FSWatcher | undefined => {
      try {
        const watcher = watch(dirname(file), (_, name) => {
          if (name === null || name === basename(file)) hints.unsafeOffer(undefined)
        })
        // Polling continues without the watcher.
        watcher.on("error", () => watcher.close())
        return watcher
      } catch {
        return undefined
      }
    }),
    (watcher) => Effect.sync(() => watcher?.close())
  ).pipe(Effect.asVoid)

/**
 * Runs `changed` once after several saves in a short time; saves during it count when it ends. Runs `gone` when the file is missing for
 * longer than a save takes. `before`: when the file was read.
 */
export const follow = (
  path: string,
  before: Fingerprint,
  on: { readonly changed: Effect.Effect<void>; readonly gone: Effect.Effect<void> }
): Effect.Effect<never, never, Scope.Scope> =>
  Effect.gen(function*() {
    const file = resolve(path)
    const hints = yield* Queue.sliding<void>(1)
    yield* listen(file, hints)
    let last = before
    while (true) {
      if ((yield* fingerprint(file, last)) !== last) {
        const now = yield* settled(file, last)
        const isNew = now !== last
        last = now
        if (isNew) yield* now === undefined ? on.gone : on.changed
      }
      yield* firstOf(Queue.take(hints), Effect.sleep(pollInterval))
    }
  })
