/**
 * Detects that a file has been saved: in place, by replacing it, or by changing a link.
 */
import { firstOf } from "@mcp-lifeline/core/internal"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import type { Scope } from "effect"
import { Effect, Queue } from "effect"
import { type FSWatcher, watch } from "node:fs"
import { basename, dirname, resolve } from "node:path"

/** A fingerprint of a file's metadata, which differs after each save; `undefined` if there is no file. */
export type Fingerprint = string | undefined

/** Saves within this time count as one, in milliseconds. A file that has not changed for this time counts as completely written. */
const settleTime = 200

/** How many times to check that. After these checks, a file that is still being written, or gone, is taken as it is. */
const maxChecks = 15

/** How often to check without a notification, because the operating system sends none for some file systems and for replaced folders. */
const pollInterval = "2 seconds"

/** The fingerprint of a file now; `before` if its file system does not answer. */
export const fingerprint = (file: string, before: Fingerprint): Effect.Effect<Fingerprint> =>
  Effect.orElseSucceed(UserFile.fingerprint(file), () => before)

/** The fingerprint of a file once it has stopped changing. */
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

/** Adds a message to the queue when the operating system reports a change of a file with this name. */
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
 * Runs `changed` after each save, or once after several in a short time; it detects saves during `changed` when that ends. Runs `gone` when
 * the file has been missing for longer than a save takes. `before`: the fingerprint of the file when it was read.
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
