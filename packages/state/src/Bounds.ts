/** The modification time of a file says when it was last used. */
import { readdir, rm, stat, utimes } from "node:fs/promises"
import { join } from "node:path"

export interface Bounds {
  readonly maxFiles: number
  /** How long an unused file is kept, in milliseconds. */
  readonly maxUnused: number
}

/** Never fails: a file that cannot be written stays as it was. */
export const touch = (file: string, now: number): Promise<void> =>
  utimes(file, now / 1000, now / 1000).catch(() => undefined)

/** Those unused for longest. Never fails: the next call tries again. */
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
