/**
 * Reads files that a user names or other programs write. A file system may not answer; a named pipe, with which some secret managers
 * provide a `.env`, may have no writer; a path may lead to a device. None of them blocks the event loop, or a thread of Node for longer
 * than the file system does.
 */
import { Data, Effect } from "effect"
import { constants, type Stats } from "node:fs"
import { type FileHandle, open, stat } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { hasCode } from "./privateFiles.js"
import { NoAnswer, within } from "./within.js"

export class ReadError extends Data.TaggedError("ReadError")<{
  readonly reason: "missing" | "denied" | "other"
  /** As a clause, for example `there is no such file`. */
  readonly message: string
  readonly cause?: unknown
}> {}

export interface Options {
  /** In milliseconds. Default 10 seconds. */
  readonly limit?: number | undefined
  /** Whether it may be a named pipe. Default true. */
  readonly pipes?: boolean | undefined
}

/** In milliseconds: a person may have to allow a secret manager to write. */
const readTimeout = 10_000

/** Nobody writes longer files by hand. */
const maxBytes = 16 * 1024 * 1024

/** In milliseconds. */
const pollInterval = 20

/** In bytes; a full buffer is doubled. */
const firstBytes = 64 * 1024

/** 0 for those that Windows does not have. With `O_NONBLOCK`, a named pipe is opened and read without waiting for a writer. */
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)

const other = (message: string): ReadError => new ReadError({ reason: "other", message })

const tooLong = (): ReadError => other(`it is longer than ${maxBytes / 1024 / 1024} MiB`)

/** Before opening: opening a device may itself have an effect. */
const assertReadable = (found: Stats, pipes: boolean): void => {
  if (found.isFile() || (pipes && found.isFIFO())) {
    if (found.size > maxBytes) throw tooLong()
    return
  }
  const kind = found.isDirectory()
    ? "a directory"
    : found.isFIFO()
    ? "a named pipe"
    : found.isSocket()
    ? "a socket"
    : "a device"
  throw other(`it is ${kind}, not a file`)
}

/** `again`: when there is nothing to read, whether to try again. */
const readAll = async (
  handle: FileHandle,
  again: (isOpen: boolean, isEmpty: boolean) => Promise<boolean>
): Promise<Buffer> => {
  let read = Buffer.allocUnsafe(firstBytes)
  let length = 0
  for (;;) {
    if (length === read.length) {
      const longer = Buffer.allocUnsafe(2 * length)
      read.copy(longer)
      read = longer
    }
    const count = await handle.read(read, length, read.length - length, null).then(
      ({ bytesRead }) => bytesRead,
      (cause: unknown) => {
        if (hasCode(cause, "EAGAIN")) return undefined
        throw cause
      }
    )
    if (count !== undefined && count > 0) {
      length += count
      if (length > maxBytes) throw tooLong()
    } else if (!(await again(count === undefined, length === 0))) {
      return read.subarray(0, length)
    }
  }
}

const readNow = async (file: string, limit: number, pipes: boolean, signal: AbortSignal): Promise<Buffer> => {
  assertReadable(await stat(file), pipes)
  const handle = await open(file, flags)
  try {
    const found = await handle.stat()
    assertReadable(found, pipes)
    if (!found.isFIFO()) return await readAll(handle, () => Promise.resolve(false))
    const until = performance.now() + limit
    return await readAll(handle, async (isOpen, isEmpty) => {
      // A pipe without a writer reads as ended, even before its first: that is the end only if something was read.
      if (!isOpen && !isEmpty) return false
      const now = await stat(file).catch(() => undefined)
      if (found.ino !== now?.ino) throw other("it was replaced while it was read")
      if (performance.now() > until) {
        throw other(`it is a named pipe, into which nobody has written all within ${limit / 1000} seconds`)
      }
      await sleep(pollInterval, undefined, { signal })
      return true
    })
  } finally {
    await handle.close()
  }
}

export const explain = (cause: unknown): ReadError => {
  if (cause instanceof ReadError) return cause
  const [reason, message] = hasCode(cause, "ENOENT", "ENOTDIR")
    ? ["missing", "there is no such file"] as const
    : hasCode(cause, "EACCES", "EPERM")
    ? ["denied", "it may not be read"] as const
    : cause instanceof NoAnswer
    ? ["other", "its file system does not answer"] as const
    : ["other", `it cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`] as const
  return new ReadError({ reason, message, cause })
}

export const bytes = (
  file: string,
  { limit = readTimeout, pipes = true }: Options = {}
): Effect.Effect<Buffer, ReadError> =>
  Effect.tryPromise({
    // `readNow` limits the wait for a pipe itself, so only a slow file system exceeds this limit.
    try: (signal) => within(file, () => readNow(file, limit, pipes, signal), limit + 1000),
    catch: explain
  })

/** In UTF-8. */
export const text = (file: string, options?: Options): Effect.Effect<string, ReadError> =>
  Effect.map(bytes(file, options), (all) => all.toString("utf8"))

/**
 * Differs after each save of a file, without reading it; undefined if there is none. For what is no regular file, it differs only when
 * another takes its place: writing into a pipe is no save.
 */
export const fingerprint = (file: string): Effect.Effect<string | undefined, ReadError> =>
  Effect.tryPromise({
    try: () => within(file, () => stat(file, { bigint: true })),
    catch: explain
  }).pipe(
    Effect.map((found) =>
      found.isFile() ? `${found.ino} ${found.mtimeNs} ${found.size}` : `${found.ino} ${found.mode}`
    ),
    Effect.catchIf(({ cause }) => !(cause instanceof NoAnswer), () => Effect.succeed(undefined))
  )
