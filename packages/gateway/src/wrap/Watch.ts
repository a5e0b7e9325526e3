/**
 * Notices that the files of a server have changed, for people who write one.
 */
import type { Scope } from "effect"
import { Effect } from "effect"
import { existsSync, statSync } from "node:fs"
import { dirname, relative, resolve, sep } from "node:path"
import picomatch from "picomatch"
import * as Fibers from "../Fibers.js"
import { FolderWatch } from "./FolderWatch.js"

/** Changes closer together than this are one: editors and compilers write several files. */
const quiet = 200

/** Folders that programs fill and nobody edits. */
const ignored = /(^|[\\/])(node_modules|\.git|__pycache__|\.venv|\.mypy_cache)([\\/]|$)/

/** What is watched: folders, and which files in them count. */
interface Watched {
  readonly folder: string
  readonly counts: (file: string) => boolean
}

const isFile = (file: string): boolean => existsSync(file) && statSync(file).isFile()

/** The folders of the files that a command line names. Of a program from elsewhere only itself: what lies beside it is not the server's. */
const named = (command: string, args: ReadonlyArray<string>): ReadonlyArray<Watched> => {
  const program = resolve(command)
  const isOurs = !relative(".", program).startsWith("..")
  const files = [...(isOurs ? [command] : []), ...args].map((argument) => resolve(argument))
    .filter((file) => isFile(file) && !ignored.test(file))
  if (files.length === 0 && isFile(program)) {
    return [{ folder: dirname(program), counts: (file) => file === program }]
  }
  return [...new Set(files.map(dirname))].map((folder) => ({ folder, counts: () => true }))
}

const ofGlob = (glob: string): Watched => {
  const pattern = resolve(glob).split(sep).join("/")
  const { base } = picomatch.scan(pattern)
  const matches = picomatch(pattern, { dot: true })
  return { folder: resolve(base || "/"), counts: (file) => matches(file.split(sep).join("/")) }
}

/** What `--watch` means: a glob, or what the command line names. */
export const watched = (
  glob: string | undefined,
  command: string,
  args: ReadonlyArray<string>
): ReadonlyArray<Watched> => glob === undefined ? named(command, args) : [ofGlob(glob)]

/** Calls `changed` with the name of a file once it and those around it have stopped changing. */
export const start = (
  all: ReadonlyArray<Watched>,
  changed: (file: string) => void
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { fork } = yield* Fibers.make()
    if (all.length === 0) {
      yield* Effect.logWarning("--watch has found no file in the command line; name them with --watch=GLOB")
    }
    let timer: ReturnType<typeof setTimeout> | undefined
    const noticed = (file: string): void => {
      clearTimeout(timer)
      timer = setTimeout(() => changed(file), quiet)
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => clearTimeout(timer)))
    for (const { counts, folder } of all) {
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          new FolderWatch(folder, {
            isOpened: (path) => !ignored.test(relative(folder, path)),
            onChange: (path) => {
              if (!ignored.test(relative(folder, path)) && counts(path)) noticed(path)
            },
            onError: (message) => void fork(Effect.logWarning(`${folder} is not watched: ${message}`))
          })
        ),
        (watch) => Effect.sync(() => watch.close())
      )
    }
  })
