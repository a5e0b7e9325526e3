/**
 * How much of one kind is kept: files that nobody has used for longest are removed. When a file was used last, its time of modification
 * says.
 */
import { readdir, rm, stat, utimes } from "node:fs/promises"
import { join } from "node:path"

/** How much is kept. */
export interface Bounds {
  /** Files. */
  readonly maxFiles: number
  /** How long an unused file is kept, in milliseconds. */
  readonly maxUnused: number
}

/** A file is used. Never fails: what cannot be written is as it was. */
export const touch = (file: string, now: number): Promise<void> =>
  utimes(file, now / 1000, now / 1000).catch(() => undefined)

/** Removes what is past the bounds. Never fails: what another process has removed meanwhile is gone, and what stays is looked at again. */
export const prune = async (folder: string, { maxFiles, maxUnused }: Bounds, now: number): Promise<void> => {
  const names = await readdir(folder).catch((): Array<string> => [])
  const files = await Promise.all(
    names.filter((name) => name.endsWith(".json")).map(async (name) => {
      const file = join(folder, name)
      return { file, usedAt: await stat(file).then(({ mtimeMs }) => mtimeMs, () => now) }
    })
  )
  const unused = files.toSorted((a, b) => b.usedAt - a.usedAt).filter(({ usedAt }, index) =>
    index >= maxFiles || now - usedAt > maxUnused
  )
  await Promise.all(unused.map(({ file }) => rm(file).catch(() => undefined)))
}
