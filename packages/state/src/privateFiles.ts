/**
 * Files and folders that only their user can write: read only if that is so, and written atomically.
 *
 * On Windows nothing is checked: a file is as private as the folder in which it was made.
 */
import { Data, Effect } from "effect"
import { randomBytes } from "node:crypto"
import { constants, type Stats } from "node:fs"
import { chmod, lstat, mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as InUse from "./InUse.js"

export class FileFailure extends Data.TaggedError("FileFailure")<{ readonly cause: unknown }> {}

/** Another user could have written it. */
export class UntrustedFile extends Error {
  override readonly name = "UntrustedFile"
}

export const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, FileFailure> =>
  Effect.tryPromise({ try: work, catch: (cause) => new FileFailure({ cause }) })

export const hasCode = (cause: unknown, ...codes: ReadonlyArray<string>): boolean =>
  codes.includes(String((cause as { readonly code?: unknown } | null)?.code))

/** It can write everything anyway. */
const superuser = 0

/** Does nothing on Windows. */
const assertOwner = (path: string, { uid }: Stats, ...others: ReadonlyArray<number>): void => {
  const user = process.getuid?.()
  if (user !== undefined && uid !== user && !others.includes(uid)) {
    throw new UntrustedFile(`${path} belongs to another user (uid ${uid})`)
  }
}

const assertOurs = (path: string, found: Stats): void => {
  assertOwner(path, found)
  if (process.getuid !== undefined && (found.mode & 0o022) !== 0) {
    throw new UntrustedFile(`${path} can be written by other users; chmod go-w it if you trust what it says`)
  }
}

/** Follows no link, because its owner decides where it leads. */
const folderAt = async (path: string): Promise<Stats> => {
  const found = await lstat(path)
  if (!found.isDirectory()) throw new UntrustedFile(`${path} is not a folder`)
  return found
}

/** Others may be able to write it, as with `/tmp`, so check its files, too. */
export const assertTrusted = async (folder: string): Promise<void> => {
  assertOwner(folder, await stat(folder), superuser)
}

/**
 * With its parents, with mode 0700, unless they exist. (`recursive` of `node:fs` never ends on a file system that takes no folders, such as
 * `/proc`.)
 */
export const makeFolder = async (folder: string): Promise<void> => {
  const make = () =>
    mkdir(folder, { mode: 0o700 }).catch(async (cause: unknown) => {
      const found = await stat(folder).catch(() => undefined)
      if (found?.isDirectory() !== true) throw cause
    })
  await make().catch(async (cause: unknown) => {
    const around = dirname(folder)
    if (!hasCode(cause, "ENOENT") || around === folder) throw cause
    await makeFolder(around)
    await make()
  })
}

/** With mode 0700, also an existing one. Rejects if that belongs to another user, who could read or replace what is in it. */
export const makePrivate = async (folder: string): Promise<void> => {
  await makeFolder(folder)
  const found = await folderAt(folder)
  assertOwner(folder, found)
  if (process.getuid !== undefined && (found.mode & 0o077) !== 0) await chmod(folder, 0o700)
}

/** Rejects if another user could have put something into a folder. */
export const assertPrivate = async (folder: string): Promise<void> => assertOurs(folder, await folderAt(folder))

/** Makes a private folder in one that may have other things of the user. */
export const prepare = async (around: string, folder: string): Promise<void> => {
  await makeFolder(around)
  await assertTrusted(around)
  await makePrivate(folder)
}

/** Rejects if `prepare` would not have left them so. */
export const verify = async (around: string, folder: string): Promise<void> => {
  await assertTrusted(around)
  await assertPrivate(folder)
}

const readOnly = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/**
 * Only a regular file that only this user can have written. Follows no link, and waits for no writer of a named pipe. On Windows,
 * waits while the file is being replaced.
 */
export const readPrivate = async (file: string, platform: NodeJS.Platform = process.platform): Promise<string> => {
  const handle = await InUse.retry(file, () => open(file, readOnly), platform)
  try {
    const found = await handle.stat()
    if (!found.isFile()) throw new UntrustedFile(`${file} is not a regular file`)
    assertOurs(file, found)
    return await handle.readFile("utf8")
  } finally {
    await handle.close()
  }
}

/** On Windows, waits while it is open in another program, and rejects with `InUse` in the end. */
export const remove = (file: string, platform: NodeJS.Platform = process.platform): Promise<void> =>
  InUse.retry(file, () => rm(file), platform)

/** Left by a killed `replace`. */
const unfinished = /\.[0-9a-f]{12}\.tmp$/
/** Nobody is writing it any more then, in milliseconds. */
const unfinishedAge = 10 * 60 * 1000

/** Never rejects. */
export const removeUnfinished = async (folder: string, names: ReadonlyArray<string>): Promise<void> => {
  for (const name of names) {
    if (!unfinished.test(name)) continue
    const file = join(folder, name)
    const { mtimeMs } = await lstat(file).catch(() => ({ mtimeMs: Infinity }))
    if (Date.now() - mtimeMs > unfinishedAge) await rm(file, { force: true }).catch(() => undefined)
  }
}

/**
 * Atomically, by one with mode 0600. On Windows, waits while another program has it open, and rejects with `InUse` in the end: writing in
 * place would show halves to readers, and a crash would lose both texts.
 */
export const replace = async (
  file: string,
  text: string,
  platform: NodeJS.Platform = process.platform
): Promise<void> => {
  const next = `${file}.${randomBytes(6).toString("hex")}.tmp`
  try {
    await writeFile(next, text, { mode: 0o600, flag: "wx" })
    await InUse.retry(file, () => rename(next, file), platform)
  } catch (cause) {
    await InUse.retry(next, () => rm(next, { force: true }), platform).catch(() => undefined)
    throw cause
  }
}
