/**
 * Files are looked at again and again: that holds no folder open, and shows what was replaced, moved or copied, on every platform.
 */
import { hasCode } from "@mcp-lifeline/state/privateFiles"
import { Duration, Effect, Option, Stream } from "effect"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"

/** Between two looks, in milliseconds. */
const pause = 250
/** Longer where a look takes long, so that all of them have at most a twentieth of the time. */
const restFactor = 20

export interface Watched {
  readonly folder: string
  /** Of what is below the folder. */
  readonly isOpened: (path: string) => boolean
  readonly counts: (file: string) => boolean
}

/** By path: when it was written, how large it is, and which one of its name. */
export type Files = ReadonlyMap<string, string>

/** `undefined` if there is no file. As `before` while another program has it to itself. */
const look = (path: string, before: string | undefined): Promise<string | undefined> =>
  stat(path).then(
    (found) => found.isFile() ? `${found.mtimeMs} ${found.size} ${found.ino}` : undefined,
    (error: unknown) => hasCode(error, "ENOENT", "ENOTDIR") ? undefined : before
  )

/** No link to a folder is followed. */
export const below = async (all: ReadonlyArray<Watched>, before: Files): Promise<Files> => {
  const files = new Map<string, string>()
  const visit = async (folder: string, watched: Watched): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
    await Promise.all(entries.map(async (entry) => {
      const path = join(folder, entry.name)
      if (!watched.isOpened(path)) return
      if (entry.isDirectory()) return visit(path, watched)
      const found = watched.counts(path) ? await look(path, before.get(path)) : undefined
      if (found !== undefined) files.set(path, found)
    }))
  }
  await Promise.all(all.map((watched) => visit(watched.folder, watched)))
  return files
}

export const between = (before: Files, after: Files): ReadonlyArray<string> =>
  [...new Set([...before.keys(), ...after.keys()])].filter((path) => before.get(path) !== after.get(path))

/** Since this effect. Those of several looks come together, once a look finds nothing more: editors and compilers write several files. */
export const of = (all: ReadonlyArray<Watched>): Effect.Effect<Stream.Stream<ReadonlySet<string>>> => {
  const timed = (before: Files) => Effect.timed(Effect.promise(() => below(all, before)))
  const none: ReadonlySet<string> = new Set()
  return Effect.map(
    timed(new Map()),
    (first) =>
      Stream.unfoldEffect([first, none] as const, ([[took, before], changed]) =>
        timed(before).pipe(
          Effect.delay(Duration.max(pause, Duration.times(took, restFactor))),
          Effect.map((next) => {
            const more = between(before, next[1])
            return Option.some(
              more.length === 0
                ? [changed, [next, none]] as const
                : [none, [next, new Set([...changed, ...more])]] as const
            )
          })
        )).pipe(Stream.filter(({ size }) => size > 0))
  )
}
