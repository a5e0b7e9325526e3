/**
 * A lock among processes: whoever has the only live claim in a folder holds it.
 *
 * A claim is an empty file whose name says whose it is. A process that wants the lock first makes its claim and then looks for others:
 * of two processes, the one that claims later sees the claim of the other, so both never hold the lock. A claim of a process that
 * has ended may be removed by anybody at any time, because no name is ever used twice.
 *
 * On its own machine a process that has not ended keeps its claim, also while it is stopped or the machine sleeps. Of a process of another
 * machine nobody can tell: its claim ends when it has not touched it for long, and it can find out that it has lost the lock.
 */
import { Effect, Exit, Random, Schedule, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { readdir, rm, stat, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { machine, type Process, processState, self } from "./machine.js"
import type { FileFailure } from "./privateFiles.js"
import { attempt, hasCode, makePrivate } from "./privateFiles.js"
import { within } from "./within.js"

/** Times in milliseconds. */
export interface Timing {
  /** How often a waiting process looks again. */
  readonly poll: number
  /** How often a holder shows that it lives: for those that cannot look at its process. */
  readonly touch: number
  /**
   * A claim that nobody has touched for so long, as seen by one that waits, is a dead one, where the process itself cannot be looked at.
   * Time in suspend does not count.
   */
  readonly lease: number
}

const defaultTiming: Timing = { poll: 50, touch: 3_000, lease: 20_000 }

/** A lock that is held. */
export interface Lock {
  /**
   * Whether it still is. A process that was stopped for longer than 20 seconds may have lost it to one of another machine (or another
   * container, or where the system does not say when a process was started), and looks before it does what must be done once.
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

/** Removes a claim; one that cannot be removed is looked at again. */
const remove = (file: string): Promise<void> => rm(file).catch(() => undefined)

/** Sees over time which claims are alive. */
const makeObserver = (folder: string, lock: string, { lease, poll }: Timing) => {
  /** When each claim was last touched, and how often in a row it was seen so. */
  const seen = new Map<string, { readonly touched: number; readonly times: number }>()

  const isDead = async (claim: Claim): Promise<boolean> => {
    const process = claim.machine === machine ? await processState(claim) : "unknown"
    if (process !== "unknown") return process === "gone"
    // One that has been removed meanwhile is not listed the next time.
    const touched = await stat(claim.file).then(({ mtimeMs }) => mtimeMs, () => 0)
    const before = seen.get(claim.file)
    const times = before?.touched === touched ? before.times + 1 : 0
    seen.set(claim.file, { touched, times })
    return times * poll > lease
  }

  /** The live claims but one's own; undefined where that one is not there any more. */
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
 * Takes the lock `name` of a folder, and waits for it as long as another process has it; gives it back when the scope closes. Fails
 * where the folder cannot be written. Whoever holds it loses it when the process ends, however it ends.
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
        () => Effect.promise(() => remove(file))
      )

    /** Of several that claim at once the first by name keeps its claim, and waits until the others have gone. */
    const isAlone = (file: string): Effect.Effect<boolean, FileFailure> =>
      Effect.flatMap(look(file), (found) =>
        found?.length === 0
          ? Effect.succeed(true)
          : found?.every((other) => other > file) === true
          ? Effect.zipRight(Effect.sleep(timing.poll), isAlone(file))
          : Effect.succeed(false))

    /** The file of the claim, where it was made and has the lock. */
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
    /** Shows that this process lives, and finds out whether others have taken it for dead. */
    const isHeld = Effect.promise(async () => {
      const now = new Date()
      if (!isLost) isLost = await utimes(claimed, now, now).then(() => false, (cause) => hasCode(cause, "ENOENT"))
      return !isLost
    })
    yield* isHeld.pipe(Effect.schedule(Schedule.spaced(timing.touch)), Effect.interruptible, Effect.forkScoped)
    return { isHeld }
  })
