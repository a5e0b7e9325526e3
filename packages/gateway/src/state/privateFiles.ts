/**
 * Files and folders that only their user can read, written so that nobody ever reads half of one.
 */
import { Data, Effect } from "effect"
import { randomBytes } from "node:crypto"
import { chmod, lstat, mkdir, rename, rm, writeFile } from "node:fs/promises"

/** What `node:fs` failed with. */
export class FileFailure extends Data.TaggedError("FileFailure")<{ readonly cause: unknown }> {}

/** Work on files as an Effect. */
export const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, FileFailure> =>
  Effect.tryPromise({ try: work, catch: (cause) => new FileFailure({ cause }) })

/** Whether a failure of `node:fs` has this code, such as `ENOENT`. */
export const hasCode = (cause: unknown, ...codes: ReadonlyArray<string>): boolean =>
  codes.includes(String((cause as { readonly code?: unknown } | null)?.code))

/**
 * Makes a folder of mode 0700, or takes the one that is there. Rejects where that one belongs to somebody else, who could read or
 * replace what is put into it.
 */
export const makePrivate = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { mode, uid } = await lstat(folder)
  const user = process.getuid?.()
  if (user === undefined) return
  if (uid !== user) throw new Error(`${folder} belongs to another user`)
  if ((mode & 0o077) !== 0) await chmod(folder, 0o700)
}

/** Replaces a file by one of mode 0600. A reader sees the old content or the new, never a part. */
export const replace = async (file: string, text: string): Promise<void> => {
  const next = `${file}.${randomBytes(6).toString("hex")}.tmp`
  try {
    await writeFile(next, text, { mode: 0o600, flag: "wx" })
    await rename(next, file)
  } catch (cause) {
    await rm(next, { force: true })
    // Windows replaces no file that another process has open at that moment.
    if (!hasCode(cause, "EPERM", "EACCES", "EBUSY") || process.platform !== "win32") throw cause
    await writeFile(file, text, { mode: 0o600 })
  }
}
