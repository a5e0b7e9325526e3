/** For people who write a server (`--watch`). */
import type { Scope } from "effect"
import { Effect, Stream } from "effect"
import { realpathSync, type Stats, statSync } from "node:fs"
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path"
import picomatch from "picomatch"
import * as FileChanges from "./FileChanges.js"

/** Folders that programs write and nobody edits. */
const ignored = /(^|[\\/])(node_modules|\.git|__pycache__|\.venv|\.mypy_cache)([\\/]|$)/i

const isSameInAnyCase = process.platform === "win32"

const folded = (path: string): string => isSameInAnyCase ? path.toLowerCase() : path

const isSame = (one: string, other: string): boolean => folded(one) === folded(other)

/** What follows our path in paths that belong to it: nothing, the number of a full file (`FILE.1`), or a name in it. */
const belonging = /^(\.\d+)?([\\/]|$)/

/** Of what may not be there yet. */
const realOf = (path: string): string => {
  try {
    return realpathSync.native(path)
  } catch {
    const folder = dirname(path)
    return folder === path ? path : join(realOf(folder), basename(path))
  }
}

/** Folders may be named through symbolic links. */
export const ownedBy = (own: ReadonlyArray<string>): (folder: string) => (path: string) => boolean => {
  // A link counts under its own name, and under that of its target.
  const owned = own.map((one) => resolve(one))
    .flatMap((path) => [realOf(path), join(realOf(dirname(path)), basename(path))])
    .map(folded)
  return (folder) => {
    // No link below a watched folder is followed.
    const real = realOf(resolve(folder))
    return (path) => {
      const found = folded(resolve(real, relative(folder, path)))
      return owned.some((one) => found.startsWith(one) && belonging.test(found.slice(one.length)))
    }
  }
}

type Watched = Pick<FileChanges.Watched, "counts" | "folder">

const statOf = (path: string): Stats | undefined => {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}
const isFile = (path: string): boolean => statOf(path)?.isFile() === true
const isFolder = (path: string): boolean => statOf(path)?.isDirectory() === true

/** A path on another drive of Windows has no way there. */
const isBelow = (path: string): boolean => {
  const way = relative(".", path)
  return !way.startsWith("..") && !isAbsolute(way)
}

const all = (): boolean => true

/** If the command line names no file, only the program itself: what lies beside it is not the server's. */
const ofCommandLine = (command: string, args: ReadonlyArray<string>): ReadonlyArray<Watched> => {
  const program = resolve(command)
  const files = [...(isBelow(program) ? [command] : []), ...args].map((argument) => resolve(argument))
    .filter((file) => isFile(file) && !ignored.test(file))
  if (files.length === 0 && isFile(program)) {
    return [{ folder: dirname(program), counts: (file) => isSame(file, program) }]
  }
  return [...new Set(files.map(dirname))].map((folder) => ({ folder, counts: all }))
}

/** The folders above the current one may have any name, such as `Program Files (x86)`: they are no pattern. */
const ofGlob = (glob: string): Watched => {
  const { base, glob: pattern } = picomatch.scan(glob.split(sep).join("/"), { nonegate: true })
  // `C:` alone is the current folder of that drive.
  const path = resolve(base.endsWith(":") ? `${base}/` : base)
  if (pattern === "") {
    return isFolder(path)
      ? { folder: path, counts: all }
      : { folder: dirname(path), counts: (file) => isSame(file, path) }
  }
  const matches = picomatch(pattern, { dot: true, nocase: isSameInAnyCase })
  return { folder: path, counts: (file) => matches(relative(path, file).split(sep).join("/")) }
}

export const watched = (
  glob: string | undefined,
  command: string,
  args: ReadonlyArray<string>
): ReadonlyArray<Watched> => glob === undefined ? ofCommandLine(command, args) : [ofGlob(glob)]

/** `changed` gets one of the files that have changed together. `own`: what Lifeline writes, which does not count. */
export const start = (
  folders: ReadonlyArray<Watched>,
  own: ReadonlyArray<string>,
  changed: (file: string) => void
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    if (folders.length === 0) {
      yield* Effect.logWarning("--watch has found no file in the command line; name them with --watch=GLOB")
    }
    const isOwnIn = ownedBy(own)
    const changes = yield* FileChanges.of(folders.map(({ counts, folder }) => {
      const isOwn = isOwnIn(folder)
      return { folder, counts, isOpened: (path) => !ignored.test(relative(folder, path)) && !isOwn(path) }
    }))
    yield* Effect.forkScoped(Stream.runForEach(changes, ([file = ""]) => Effect.sync(() => changed(file))))
  })
