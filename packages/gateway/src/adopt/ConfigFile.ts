import { hasCode } from "@mcp-lifeline/state/privateFiles"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { within } from "@mcp-lifeline/state/within"
import { Data, Effect } from "effect"
import { randomBytes } from "node:crypto"
import type { Stats } from "node:fs"
import { chmod, readdir, realpath, rename, rm, stat, writeFile } from "node:fs/promises"
import { join, parse } from "node:path"
import { pattern } from "./Hosts.js"

/** `message` says why, and what to do. */
export class FileProblem extends Data.TaggedError("FileProblem")<{ readonly message: string }> {}

export interface ConfigFile {
  /** Behind all symbolic links. */
  readonly path: string
  readonly text: string
  readonly stat: Stats
}

const problem = (message: string) => new FileProblem({ message })

const reasonOf = (cause: unknown): string => {
  if (hasCode(cause, "EACCES", "EPERM", "EROFS")) return "permission denied; make the file and its folder writable"
  if (hasCode(cause, "EBUSY")) return "another program has it open; close that and run the command again"
  if (hasCode(cause, "ENOSPC")) return "no space is left on the disk"
  if (hasCode(cause, "ELOOP")) return "its symbolic links go round in circles"
  return cause instanceof Error ? cause.message : String(cause)
}

export const read = (path: string): Effect.Effect<ConfigFile | undefined, FileProblem> =>
  Effect.gen(function*() {
    const attempt = <A>(work: () => Promise<A>) =>
      Effect.tryPromise({ try: () => within(path, work), catch: UserFile.explain })
    const real = yield* attempt(() => realpath(path))
    const bytes = yield* bytesOf(real)
    const text = bytes.toString("utf8")
    if (!Buffer.from(text, "utf8").equals(bytes)) {
      return yield* problem("is not written in UTF-8; save it so and adopt it again")
    }
    return { path: real, text, stat: yield* attempt(() => stat(real)) }
  }).pipe(
    Effect.catchAll((failure) => {
      if (failure._tag === "FileProblem") return failure
      const { cause, message } = failure
      if (hasCode(cause, "ENOENT", "ENOTDIR")) return Effect.succeed(undefined)
      return problem(`cannot be read: ${cause === undefined ? message : reasonOf(cause)}`)
    })
  )

/** Refuses pipes, because `write` replaces the file. */
const bytesOf = (file: string) => UserFile.bytes(file, { pipes: false })

/** By a new file with the same mode, so that no reader sees half of it. */
const replaceFile = async (path: string, text: string, { mode }: Stats): Promise<void> => {
  const next = `${path}.${randomBytes(6).toString("hex")}.tmp`
  try {
    await writeFile(next, text, { mode: mode & 0o777, flag: "wx" })
    await chmod(next, mode & 0o777)
    await rename(next, path)
  } catch (cause) {
    await rm(next, { force: true })
    throw cause
  }
}

/** Fails if the file has changed since it was read, or cannot be written. */
export const write = (file: ConfigFile, text: string): Effect.Effect<void, FileProblem> =>
  Effect.zipRight(unchanged(file), replaced(file, text))

const unchanged = (file: ConfigFile): Effect.Effect<void, FileProblem> =>
  Effect.matchEffect(bytesOf(file.path), {
    onFailure: ({ message }) => problem(`cannot be written: ${message}`),
    onSuccess: (bytes) =>
      bytes.equals(Buffer.from(file.text, "utf8"))
        ? Effect.void
        : problem("has changed since it was read; nothing was written, run the command again")
  })

const replaced = (file: ConfigFile, text: string): Effect.Effect<void, FileProblem> =>
  Effect.tryPromise({
    try: async () => {
      if ((file.stat.mode & 0o222) === 0) {
        const how = process.platform === "win32" ? "attrib -r" : "chmod u+w"
        throw problem(`is read-only; make it writable (${how}) and run the command again`)
      }
      const isOurs = process.getuid === undefined || (file.stat.uid === process.getuid() && file.stat.nlink === 1)
      // A new file would have another owner, or would not be the one that its hard links name.
      if (!isOurs) return await writeFile(file.path, text)
      await replaceFile(file.path, text, file.stat).catch((cause: unknown) => {
        // The folder cannot be written, or, on Windows, another program has the file open.
        if (!hasCode(cause, "EACCES", "EPERM", "EBUSY", "EROFS")) throw cause
        return writeFile(file.path, text)
      })
    },
    catch: (cause) => cause instanceof FileProblem ? cause : problem(`cannot be written: ${reasonOf(cause)}`)
  })

/** A path without `*` is returned as it is, whether it exists or not. */
export const expand = (path: string): Effect.Effect<ReadonlyArray<string>> => {
  if (!path.includes("*")) return Effect.succeed([path])
  const { root } = parse(path)
  const steps = path.slice(root.length).split(/[/\\]/)
  return Effect.reduce(steps, [root] as ReadonlyArray<string>, (folders, step) =>
    step.includes("*")
      ? Effect.map(
        Effect.forEach(folders, (folder) =>
          Effect.promise(() =>
            within(folder, () => readdir(folder)).catch((): Array<string> => [])
          ).pipe(
            Effect.map((names) =>
              names.filter((name) => pattern(step, process.platform).test(name)).toSorted().map((name) =>
                join(folder, name)
              )
            )
          )),
        (found) => found.flat()
      )
      : Effect.succeed(folders.map((folder) => join(folder, step))))
}
