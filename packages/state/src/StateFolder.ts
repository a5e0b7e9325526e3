/** One private folder, which all processes of Lifeline share. */
import { Clock, Context, Effect, Either, Layer, Option, Schema } from "effect"
import type { Scope } from "effect"
import { createHash } from "node:crypto"
import { readdir } from "node:fs/promises"
import { join, sep } from "node:path"
import { type Bounds, prune, touch } from "./Bounds.js"
import * as FileLock from "./FileLock.js"
import { InUse } from "./InUse.js"
import {
  attempt,
  type FileFailure,
  hasCode,
  prepare,
  readPrivate,
  remove,
  removeUnfinished,
  replace,
  UntrustedFile,
  verify
} from "./privateFiles.js"
import { ofUser as userPath } from "./statePath.js"
import { Unreadable } from "./Unreadable.js"
import * as UserFile from "./UserFile.js"
import { NoAnswer, within } from "./within.js"

/** Each value is a file. Keys and names of collections consist of letters, digits, `_` and `-`. */
export interface Collection<A> {
  /** Whichever process wrote it. None also if the file cannot be decoded, which is logged once. */
  readonly get: (key: string) => Effect.Effect<Option.Option<A>>
  /** For a value whose absence means something: fails if what is there cannot be read or decoded. Logs nothing. */
  readonly read: (key: string) => Effect.Effect<Option.Option<A>, Unreadable>
  /** Replaces the value atomically. Returns whether it is on disk; otherwise this process keeps it in memory. */
  readonly set: (key: string, value: A) => Effect.Effect<boolean>
  readonly remove: (key: string) => Effect.Effect<void>
  /** All that can be read, by key. */
  readonly entries: Effect.Effect<ReadonlyArray<readonly [key: string, value: A]>>
  /** Also those of values that cannot be read. Fails if that cannot be found out. */
  readonly keys: Effect.Effect<ReadonlyArray<string>, Unreadable>
}

/**
 * The first write makes the folder, with mode 0700; files have mode 0600 and are written atomically. Files that another user could have
 * written are ignored. Only `privateFolder`, and `read` and `keys` of a collection fail: if the folder cannot be written, or its file
 * system does not answer for 10 seconds, one warning says so, and everything works in the memory of this process; on Windows also for a
 * file that another program keeps open for 3 seconds.
 *
 * On Windows nothing is checked: the folder is as private as the one in which it lies. `%USERPROFILE%` is open to its user, the system and
 * administrators only. Who names another folder with `MCP_LIFELINE_STATE` makes sure of that.
 */
export class StateFolder extends Context.Tag("mcp-lifeline/StateFolder")<StateFolder, {
  readonly path: string
  /** In `<path>/<name>/<key>.json`. With `bounds`, those unused for longest are removed. */
  readonly collection: <A, I>(
    name: string,
    schema: Schema.Schema<A, I>,
    bounds?: Bounds,
    json?: Pick<JSON, "parse" | "stringify">
  ) => Collection<A>
  /**
   * Waits while another fiber or process holds the lock. Released when the scope closes, or the process ends. If the folder cannot be
   * written, it works in this process only.
   */
  readonly lock: (name: string) => Effect.Effect<FileLock.Lock, never, Scope.Scope>
  /** Of mode 0700, for other files. Returns its path. */
  readonly privateFolder: (name: string) => Effect.Effect<string, FileFailure>
}>() {}

/** A key of texts that may be long or have any character, such as an address. */
export const key = (...parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 40)

const checked = (name: string): string => {
  if (!/^[\w-]{1,100}$/.test(name)) throw new Error(`not a name for something in the state folder: ${name}`)
  return name
}

/** undefined if there is no file, or that cannot be found out. */
const shapeOf = (file: string): Effect.Effect<string | undefined> =>
  Effect.orElseSucceed(UserFile.fingerprint(file), () => undefined)

const reasonOf = ({ cause }: FileFailure): string => cause instanceof Error ? cause.message : String(cause)

const isAbsent = ({ cause }: FileFailure): boolean => hasCode(cause, "ENOENT", "ENOTDIR")

const foreign = "not what this version of mcp-lifeline keeps there"

interface Unwritten {
  /** undefined: the file could not be removed. */
  readonly text: string | undefined
  /** The file then, if it was in use: once it differs, another process has written something newer. */
  readonly over?: string | undefined
}

export const make = (path: string): StateFolder["Type"] => {
  const memory = new Map<string, Unwritten>()
  const locks = new Map<string, Effect.Semaphore>()
  const warned = new Set<string>()

  const warnOnce = (about: string, text: string) =>
    Effect.suspend(() => {
      if (warned.has(about)) return Effect.void
      warned.add(about)
      return Effect.logWarning(text)
    })

  const inUse = ({ file, message }: InUse) =>
    warnOnce(
      file,
      `${message}, so this process keeps its new content in its memory only, and others do not see it: end the program that has it open, `
        + `except ${path} from virus scanners and synchronization, or name another folder with MCP_LIFELINE_STATE`
    )

  const unwritable = (failure: FileFailure) => {
    if (failure.cause instanceof InUse) return inUse(failure.cause)
    const lost = `the state folder ${path} cannot be written, so nothing is kept when this process exits`
    const remedy = hasCode(failure.cause, "EMFILE", "ENFILE")
      ? "raise the limit of open files (ulimit -n)"
      : "make it writable or name another with MCP_LIFELINE_STATE"
    return warnOnce("unwritable", `${lost}; ${remedy}: ${reasonOf(failure)}`)
  }

  const bounded = <A>(work: () => Promise<A>) => attempt(() => within(path, work))
  const ignored = (work: () => Promise<void>) => Effect.ignore(bounded(work))

  const remember = (file: string, text: string | undefined, failure: FileFailure): Effect.Effect<void> =>
    Effect.flatMap(failure.cause instanceof InUse ? shapeOf(file) : Effect.succeed(undefined), (over) => {
      memory.set(file, { text, over })
      return unwritable(failure)
    })

  /** Unless another process has written since. */
  const remembered = (file: string): Effect.Effect<Unwritten | undefined> =>
    Effect.gen(function*() {
      const unwritten = memory.get(file)
      const now = unwritten?.over === undefined ? undefined : yield* shapeOf(file)
      if (now === undefined || now === unwritten?.over) return unwritten
      memory.delete(file)
      return undefined
    })

  const unreadable = (file: string, failure: FileFailure): Effect.Effect<void> => {
    const { cause } = failure
    if (cause instanceof NoAnswer) return unwritable(failure)
    return cause instanceof UntrustedFile
      ? warnOnce(cause.message, `what mcp-lifeline finds there is ignored: ${cause.message}`)
      : warnOnce(file, `${file} cannot be read and is ignored: ${reasonOf(failure)}`)
  }

  const textOf = (folder: string, file: string): Effect.Effect<Option.Option<string>, FileFailure> =>
    Effect.gen(function*() {
      const unwritten = yield* remembered(file)
      if (unwritten !== undefined) return Option.fromNullable(unwritten.text)
      const text = bounded(() => verify(path, folder).then(() => readPrivate(file)))
      return yield* Effect.catchIf(Effect.asSome(text), isAbsent, () => Effect.succeedNone)
    })

  const collection: StateFolder["Type"]["collection"] = <A, I>(
    name: string,
    schema: Schema.Schema<A, I>,
    bounds?: Bounds,
    json: Pick<JSON, "parse" | "stringify"> = JSON
  ): Collection<A> => {
    const folder = join(path, checked(name))
    let isBounded = false
    /** One process never writes much. */
    const bound = Effect.suspend(() => {
      if (isBounded || bounds === undefined) return Effect.void
      isBounded = true
      return Effect.flatMap(Clock.currentTimeMillis, (now) => ignored(() => prune(folder, bounds, now)))
    })
    const fileOf = (key: string) => join(folder, `${checked(key)}.json`)
    const decodeValue = Schema.decodeUnknownEither(schema)
    const encodeValue = Schema.encodeSync(schema)
    const decode = (text: string) => Either.flatMap(Either.try((): unknown => json.parse(text)), decodeValue)
    const encode = (value: A): string => json.stringify(encodeValue(value))

    const find = (file: string): Effect.Effect<Option.Option<A>, FileFailure | typeof foreign> =>
      Effect.gen(function*() {
        const text = yield* textOf(folder, file)
        if (Option.isNone(text)) return Option.none()
        const value = yield* Either.mapLeft(decode(text.value), (): typeof foreign => foreign)
        const now = yield* Clock.currentTimeMillis
        if (bounds !== undefined) yield* ignored(() => touch(file, now))
        return Option.some(value)
      })

    const get = (key: string): Effect.Effect<Option.Option<A>> => {
      const file = fileOf(key)
      // Does not quote the file, which may have secrets.
      const what = `${file} is ${foreign} and is ignored; remove it if this stays so`
      return Effect.catchAll(
        find(file),
        (failure) => Effect.as(failure === foreign ? warnOnce(file, what) : unreadable(file, failure), Option.none())
      )
    }

    const read = (key: string): Effect.Effect<Option.Option<A>, Unreadable> => {
      const file = fileOf(key)
      return Effect.mapError(find(file), (failure) =>
        failure === foreign
          ? new Unreadable({ file, reason: `it is ${foreign}`, isForeign: true })
          : new Unreadable({ file, reason: reasonOf(failure) }))
    }

    const listed = bounded(async () => {
      await verify(path, folder)
      const found = await readdir(folder)
      await removeUnfinished(folder, found)
      return found
    })
    const names = Effect.catchIf(listed, isAbsent, () => Effect.succeed<Array<string>>([]))
    const keysOf = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
      const own = join(folder, sep)
      const kept = [...memory.keys()].flatMap((file) => file.startsWith(own) ? file.slice(own.length) : [])
      return [...new Set([...names, ...kept])].flatMap((file) => /^([\w-]+)\.json$/.exec(file)?.[1] ?? []).toSorted()
    }

    return {
      get,
      read,
      set: (key, value) =>
        Effect.suspend(() => {
          const file = fileOf(key)
          const text = encode(value)
          return bounded(() => prepare(path, folder).then(() => replace(file, text))).pipe(
            Effect.tap(() => memory.delete(file)),
            Effect.tap(() => bound),
            Effect.as(true),
            Effect.catchAll((failure) => Effect.as(remember(file, text, failure), false)),
            Effect.uninterruptible
          )
        }),
      remove: (key) =>
        Effect.suspend(() => {
          const file = fileOf(key)
          memory.delete(file)
          return bounded(() => remove(file)).pipe(
            Effect.catchAll((failure) => isAbsent(failure) ? Effect.void : remember(file, undefined, failure))
          )
        }),
      entries: Effect.gen(function*() {
        const all = yield* Effect.catchAll(names, (failure) => Effect.as(unreadable(folder, failure), []))
        const found = yield* Effect.forEach(
          keysOf(all),
          (key) => Effect.map(get(key), Option.map((value) => [key, value] as const)),
          { concurrency: 4 }
        )
        return found.flatMap(Option.toArray)
      }),
      keys: Effect.mapBoth(names, {
        onFailure: (failure) => new Unreadable({ file: folder, reason: reasonOf(failure) }),
        onSuccess: keysOf
      })
    }
  }

  const lock = (name: string): Effect.Effect<FileLock.Lock, never, Scope.Scope> =>
    Effect.suspend(() => {
      checked(name)
      const semaphore = locks.get(name) ?? Effect.unsafeMakeSemaphore(1)
      locks.set(name, semaphore)
      const folder = join(path, "locks")
      return Effect.uninterruptibleMask((restore) =>
        Effect.zipRight(restore(semaphore.take(1)), Effect.addFinalizer(() => semaphore.release(1)))
      ).pipe(
        Effect.zipRight(bounded(() => prepare(path, folder))),
        Effect.zipRight(FileLock.acquire(folder, name)),
        Effect.catchAll((failure) => Effect.as(unwritable(failure), { isHeld: Effect.succeed(true) }))
      )
    })

  const privateFolder = (name: string): Effect.Effect<string, FileFailure> => {
    const folder = join(path, checked(name))
    return Effect.as(bounded(() => prepare(path, folder)), folder)
  }

  return { path, collection, lock, privateFolder }
}

export const layerAt = (path: string): Layer.Layer<StateFolder> => Layer.sync(StateFolder, () => make(path))

/** At the path that the platform or `MCP_LIFELINE_STATE` names. */
export const layer: Layer.Layer<StateFolder> = Layer.sync(StateFolder, () => make(userPath()))
