/**
 * Notices that a file has been saved: in place, by another file in its place, or by a link that leads elsewhere.
 */
import { firstOf } from "@mcp-lifeline/core/internal"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import type { Scope } from "effect"
import { Effect, Queue } from "effect"
import { type FSWatcher, watch } from "node:fs"
import { basename, dirname, resolve } from "node:path"

/** How a file looks from outside; `undefined` where there is none. It differs after each save. */
export type Seen = string | undefined

/** Saves closer together than this are one, in milliseconds; a file that has been unchanged for so long is written to its end. */
const quiet = 200

/** How often that is looked at. What is still being written, or gone, after so many times is taken as it is. */
const looks = 15

/** How often is looked without a word from the system, which says nothing of some file systems and of folders that are replaced. */
const pace = "2 seconds"

/** How a file looks now; as `before` where its file system does not answer. */
export const look = (file: string, before: Seen): Effect.Effect<Seen> =>
  Effect.orElseSucceed(UserFile.fingerprint(file), () => before)

/** How a file looks when it has been left alone for a moment. */
const settled = (file: string, before: Seen): Effect.Effect<Seen> =>
  Effect.gen(function*() {
    let last = yield* look(file, before)
    for (let count = 0; count < looks; count++) {
      yield* Effect.sleep(quiet)
      const now = yield* look(file, last)
      if (now !== undefined && now === last) return now
      last = now
    }
    return last
  })

/** Puts a word into the queue when the system says that a file of this name has changed. */
const listen = (file: string, hints: Queue.Enqueue<void>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): FSWatcher | undefined => {
      try {
        const watcher = watch(dirname(file), (_, name) => {
          if (name === null || name === basename(file)) hints.unsafeOffer(undefined)
        })
        // Looking now and then goes on without it.
        watcher.on("error", () => watcher.close())
        return watcher
      } catch {
        return undefined
      }
    }),
    (watcher) => Effect.sync(() => watcher?.close())
  ).pipe(Effect.asVoid)

/**
 * Runs `changed` after each save, and after several in a moment once; saves while it runs are noticed when it has ended. `gone` runs
 * when the file has been gone for longer than a save takes. `before` is how the file looked when it was read.
 */
export const follow = (
  path: string,
  before: Seen,
  on: { readonly changed: Effect.Effect<void>; readonly gone: Effect.Effect<void> }
): Effect.Effect<never, never, Scope.Scope> =>
  Effect.gen(function*() {
    const file = resolve(path)
    const hints = yield* Queue.sliding<void>(1)
    yield* listen(file, hints)
    let last = before
    while (true) {
      if ((yield* look(file, last)) !== last) {
        const now = yield* settled(file, last)
        const isNew = now !== last
        last = now
        if (isNew) yield* now === undefined ? on.gone : on.changed
      }
      yield* firstOf(Queue.take(hints), Effect.sleep(pace))
    }
  })
