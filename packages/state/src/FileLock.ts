/**
 * A lock among processes: the process with the only live claim in a folder holds it.
 *
 * A claim is an empty file whose name identifies its process. A process that wants the lock first makes its claim and then looks for others:
 * of two processes, the one that claims later sees the claim of the other, so both never hold the lock. Any process may remove the claim of a
 * process that has ended, at any time, because no name is ever used twice.
 *
 * A process keeps its claim on its own machine until it ends, also while it is stopped or the machine sleeps. Other machines cannot look at the
 * process: for them, its claim ends when the process has not touched it for long. It can find out that it has lost the lock.
 */
import { Effect, Exit, Random, Schedule, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { readdir, rm, stat, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { InUse } from "./InUse.js"
import { machine, type Process, processState, self } from "./machine.js"
import type { FileFailure } from "./privateFiles.js"
import * as privateFiles from "./privateFiles.js"
import { attempt, hasCode, makePrivate } from "./privateFiles.js"
import { within } from "./within.js"

/** Times in milliseconds. */
export interface Timing {
  /** How often a waiting process looks for other claims. */
  readonly poll: number
  /** How often a holder touches its claim, for processes of other machines. */
  readonly touch: number
  /**
   * How long a claim of a process on another machine lives without a touch. The waiting process counts its own looks, so time in suspend does
   * not count.
   */
  readonly lease: number
}

const defaultTiming: Timing = { poll: 50, touch: 3_000, lease: 20_000 }

/** A held lock. */
export interface Lock {
  /**
   * Whether this process still holds the lock. A process that was stopped for longer than 20 seconds may have lost it to one of another machine
   * or container, or on systems that do not tell when a process was started. Check this before doing what must happen only once.
   */
  readonly isHeld: Effect.Effect<boolean>
}

interface Claim extends Process {
  readonly file: string
  readonly machine: string
}

const nameOf = (lock: string, { pid, start }: Process): string =>
  [lock, machine, pid, start, randomBytes(8).toString("hex")].join(".")

const parse = (folder: string, lock: string, entry: string): ReadonlyArray<Claim> => {
  const [, name, machine = "", pid, start = ""] = /^([^.]+)\.([^.]+)\.([^.]+)\.([^.]*)\.[^.]+$/.exec(entry) ?? []
  return name === lock ? [{ file: join(folder, entry), machine, pid: Number(pid), start }] : []
}

/** Removes a claim of another process. If that fails, the next look tries again. */
const remove = (file: string): Promise<void> => rm(file).catch(() => undefined)

/** How soon to try again to remove a claim of ours that another program keeps open, in milliseconds. */
const releaseInterval = 1_000

/** Removes a claim of this process. While it is there, nobody else gets the lock, so on Windows this is tried until it works. */
const release = (file: string): Promise<void> =>
  privateFiles.remove(file).catch((cause: unknown) => {
    if (cause instanceof InUse) setTimeout(() => void release(file), releaseInterval).unref()
  })

/** Finds out over time which claims are alive. */
const makeObserver = (folder: string, lock: string, { lease, poll }: Timing) => {
  /** When each claim was last touched, and how many looks in a row have found the same. */
  const seen = new Map<string, { readonly touched: number; readonly times: number }>()

  const isDead = async (claim: Claim): Promise<boolean> => {
    const process = claim.machine === machine ? await processState(claim) : "unknown"
    if (process !== "unknown") return process === "gone"
    // A claim that was removed meanwhile is not listed the next time.
    const touched = await stat(claim.file).then(({ mtimeMs }) => mtimeMs, () => 0)
    const before = seen.get(claim.file)
    const times = before?.touched === touched ? before.times + 1 : 0
    seen.set(claim.file, { touched, times })
    return times * poll > lease
  }

  /** The live claims of others; undefined if our own claim is gone. */
  return async (own: string | undefined): Promise<ReadonlyArray<string> | undefined> => {
    const claims = (await readdir(folder)).flatMap((entry) => parse(folder, lock, entry))
    if (own !== undefined && !claims.some(({ file }) => file === own)) return undefined
    const others = await Promise.all(
      claims.filter(({ file }) => file !== own).map(async (claim) => {
        if (!await isDead(claim)) return [claim.file]
        await remove(claim.file)
        return []
      })
    )
    return others.flat()
  }
}

/**
 * Acquires the lock `name` of a folder, waiting as long as another process holds it, and releases it when the scope closes. A process that ends,
 * in whatever way, releases it, too. Fails if the folder cannot be written.
 */
export const acquire = (
  folder: string,
  name: string,
  timing: Timing = defaultTiming
): Effect.Effect<Lock, FileFailure, Scope.Scope> =>
  Effect.gen(function*() {
    const bounded = <A>(work: () => Promise<A>) => attempt(() => within(folder, work))
    const others = makeObserver(folder, name, timing)
    const look = (own?: string) => bounded(() => others(own))
    yield* bounded(() => makePrivate(folder))
    const outer = yield* Effect.scope
    const owner = yield* Effect.promise(self)

    const makeClaim = (file: string) =>
      Effect.acquireRelease(
        bounded(() => writeFile(file, "", { flag: "wx", mode: 0o600 })),
        () => Effect.promise(() => release(file))
      )

    /** If several processes claim at once, the first by name keeps its claim and waits until the others have removed theirs. */
    const isAlone = (file: string): Effect.Effect<boolean, FileFailure> =>
      Effect.flatMap(look(file), (found) =>
        found?.length === 0
          ? Effect.succeed(true)
          : found?.every((other) => other > file) === true
          ? Effect.zipRight(Effect.sleep(timing.poll), isAlone(file))
          : Effect.succeed(false))

    /** The file of the claim, if that has the lock; otherwise `undefined`, and the claim is removed. */
    const claim = Effect.gen(function*() {
      if ((yield* look())?.length !== 0) return undefined
      const scope = yield* Scope.make()
      const file = join(folder, nameOf(name, owner))
      const taken = yield* Scope.extend(makeClaim(file), scope).pipe(
        Effect.zipRight(isAlone(file)),
        Effect.onExit((exit) =>
          Exit.isSuccess(exit) && exit.value
            ? Scope.addFinalizer(outer, Scope.close(scope, Exit.void))
            : Scope.close(scope, exit)
        )
      )
      return taken ? file : undefined
    })

    let file = yield* claim
    while (file === undefined) {
      yield* Effect.sleep(timing.poll * (0.5 + (yield* Random.next)))
      file = yield* claim
    }
    const claimed = file
    let isLost = false
    /** Touches the claim, and finds out whether another process has removed it. */
    const isHeld = Effect.promise(async () => {
      const now = new Date()
      if (!isLost) isLost = await utimes(claimed, now, now).then(() => false, (cause) => hasCode(cause, "ENOENT"))
      return !isLost
    })
    yield* isHeld.pipe(Effect.schedule(Schedule.spaced(timing.touch)), Effect.interruptible, Effect.forkScoped)
    return { isHeld }
  })
