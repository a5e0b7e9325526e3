/**
 * A lock among processes: the process with the only live claim in a folder holds it.
 *
 * A claim is an empty file whose name identifies its process. A process makes its claim, and then looks for others: of two, the later sees
 * the other's, so both never hold the lock. Anyone may remove the claim of an ended process at any time, because no name is used twice.
 *
 * On its own machine, a claim lasts until its process ends, even while that is stopped or the machine sleeps. Other machines cannot see the
 * process: for them, its claim ends when untouched for long. It can find out that it has lost the lock.
 */
import { Effect, Exit, Random, Schedule, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { readdir, rm, stat, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { InUse } from "./InUse.js"
import { machine, type Process, processState, self } from "./machine.js"
import * as privateFiles from "./privateFiles.js"
import { attempt, type FileFailure, hasCode, makePrivate } from "./privateFiles.js"
import { within } from "./within.js"

/** Times in milliseconds. */
export interface Timing {
  readonly poll: number
  /** How often a holder touches its claim, for other machines. */
  readonly touch: number
  /** How long an untouched claim of another machine lives, by the looks of the waiting process, so time in suspend does not count. */
  readonly lease: number
}

const defaultTiming: Timing = { poll: 50, touch: 3_000, lease: 20_000 }

export interface Lock {
  /**
   * After more than 20 seconds stopped, the lock may be lost to a process of another machine or container, or on systems that do not tell
   * when a process was started. Check this before what must happen only once.
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

/** In milliseconds. */
const releaseInterval = 1_000

/** Nobody else gets the lock before, so on Windows this is tried until it works. */
const release = (file: string): Promise<void> =>
  privateFiles.remove(file).catch((cause: unknown) => {
    if (cause instanceof InUse) setTimeout(() => void release(file), releaseInterval).unref()
  })

const makeObserver = (folder: string, lock: string, { lease, poll }: Timing) => {
  /** And how many looks in a row have found the same. */
  const seen = new Map<string, { readonly touched: number; readonly times: number }>()

  const isDead = async (claim: Claim): Promise<boolean> => {
    const process = claim.machine === machine ? await processState(claim) : "unknown"
    if (process !== "unknown") return process === "gone"
    // A claim removed meanwhile is not listed next time.
    const touched = await stat(claim.file).then(({ mtimeMs }) => mtimeMs, () => 0)
    const before = seen.get(claim.file)
    const times = before?.touched === touched ? before.times + 1 : 0
    seen.set(claim.file, { touched, times })
    return times * poll > lease
  }

  /** Of others; undefined if our own claim is gone. */
  return async (own: string | undefined): Promise<ReadonlyArray<string> | undefined> => {
    const claims = (await readdir(folder)).flatMap((entry) => parse(folder, lock, entry))
    if (own !== undefined && !claims.some(({ file }) => file === own)) return undefined
    const others = await Promise.all(
      claims.filter(({ file }) => file !== own).map(async (claim) => {
        if (!await isDead(claim)) return [claim.file]
        // If that fails, the next look tries again.
        await rm(claim.file).catch(() => undefined)
        return []
      })
    )
    return others.flat()
  }
}

/**
 * Waits while another process holds the lock. Released when the scope closes, or the process ends in any way. Fails if the folder cannot be
 * written.
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

    /** Of several that claim at once, the first by name waits until the others have removed their claims. */
    const isAlone = (file: string): Effect.Effect<boolean, FileFailure> =>
      Effect.flatMap(look(file), (found) =>
        found?.length === 0
          ? Effect.succeed(true)
          : found?.every((other) => other > file) === true
          ? Effect.zipRight(Effect.sleep(timing.poll), isAlone(file))
          : Effect.succeed(false))

    /** undefined if another process has the lock; the claim is then removed. */
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
    const isHeld = Effect.promise(async () => {
      const now = new Date()
      if (!isLost) isLost = await utimes(claimed, now, now).then(() => false, (cause) => hasCode(cause, "ENOENT"))
      return !isLost
    })
    yield* isHeld.pipe(Effect.schedule(Schedule.spaced(timing.touch)), Effect.interruptible, Effect.forkScoped)
    return { isHeld }
  })
