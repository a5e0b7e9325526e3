/**
 * A lock among processes: whoever has the only live claim in a folder holds it.
 *
 * A claim is an empty file whose name says whose it is. A process that wants the lock first makes its claim and then looks for others:
 * of two processes, the one that claims later sees the claim of the other, so both never hold the lock. A claim of a process that
 * has ended may be removed by anybody at any time, because no name is ever used twice.
 */
import { Effect, Exit, Random, Schedule, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { readdir, rm, stat, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { isRunning, machine } from "./machine.js"
import type { FileFailure } from "./privateFiles.js"
import { attempt, makePrivate } from "./privateFiles.js"

/** How often a waiting process looks again. */
const pollInterval = 50
/** How often a holder shows that it lives: also where process ids say nothing, as between containers. */
const touchInterval = 3_000
/** A claim that nobody has touched for so long, as seen by one that waits, is a dead one. Time in suspend does not count. */
const lease = 20_000

interface Claim {
  readonly file: string
  readonly machine: string
  readonly pid: number
}

const parse = (folder: string, lock: string, entry: string): ReadonlyArray<Claim> => {
  if (!entry.startsWith(`${lock}.`)) return []
  const [machine, pid, nonce, ...rest] = entry.slice(lock.length + 1).split(".")
  return machine === undefined || pid === undefined || nonce === undefined || rest.length > 0
    ? []
    : [{ file: join(folder, entry), machine, pid: Number(pid) }]
}

/** For what makes no difference where it fails. */
const ignored = (make: () => Promise<void>) => Effect.promise(() => make().catch(() => undefined))

/** Sees over time which claims are alive. */
const makeObserver = (folder: string, lock: string) => {
  /** When each claim was last touched, and how often in a row it was seen so. */
  const seen = new Map<string, { readonly touched: number; readonly times: number }>()

  const isDead = async (claim: Claim): Promise<boolean> => {
    if (claim.machine === machine && !isRunning(claim.pid)) return true
    const touched = await stat(claim.file).then(({ mtimeMs }) => mtimeMs, () => undefined)
    if (touched === undefined) return true
    const before = seen.get(claim.file)
    const times = before?.touched === touched ? before.times + 1 : 0
    seen.set(claim.file, { touched, times })
    return times * pollInterval > lease
  }

  /** The live claims but one's own. */
  return async (own: string | undefined): Promise<ReadonlyArray<string>> => {
    const claims = (await readdir(folder)).flatMap((entry) => parse(folder, lock, entry))
    const others = await Promise.all(
      claims.filter(({ file }) => file !== own).map(async (claim) => {
        if (!await isDead(claim)) return [claim.file]
        await rm(claim.file, { force: true })
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
export const acquire = (folder: string, name: string): Effect.Effect<void, FileFailure, Scope.Scope> =>
  Effect.gen(function*() {
    const others = makeObserver(folder, name)
    const look = (own?: string) => attempt(() => others(own))
    yield* attempt(() => makePrivate(folder))
    const outer = yield* Effect.scope

    const makeClaim = (file: string) =>
      Effect.acquireRelease(
        attempt(() => writeFile(file, "", { flag: "wx", mode: 0o600 })),
        () => ignored(() => rm(file, { force: true }))
      )

    /** Of several that claim at once the first by name keeps its claim, and waits until the others have gone. */
    const isAlone = (file: string): Effect.Effect<boolean, FileFailure> =>
      Effect.flatMap(look(file), (found) =>
        found.length === 0
          ? Effect.succeed(true)
          : found.every((other) => other > file)
          ? Effect.zipRight(Effect.sleep(pollInterval), isAlone(file))
          : Effect.succeed(false))

    /** The file of the claim, where it was made and has the lock. */
    const claim = Effect.gen(function*() {
      if ((yield* look()).length > 0) return undefined
      const scope = yield* Scope.make()
      const file = join(folder, `${name}.${machine}.${process.pid}.${randomBytes(8).toString("hex")}`)
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
      yield* Effect.sleep(pollInterval * (0.5 + (yield* Random.next)))
      file = yield* claim
    }
    const claimed = file
    yield* ignored(() => utimes(claimed, new Date(), new Date())).pipe(
      Effect.schedule(Schedule.spaced(touchInterval)),
      Effect.interruptible,
      Effect.forkScoped
    )
  })
