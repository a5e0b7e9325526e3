/**
 * Watches the files of a server, for people who write one (`--watch`).
 */
import type { Scope } from "effect"
import { Effect } from "effect"
import { existsSync, statSync } from "node:fs"
import { dirname, relative, resolve, sep } from "node:path"
import picomatch from "picomatch"
import * as Fibers from "../Fibers.js"
import { FolderWatch } from "./FolderWatch.js"

/** Changes within this time count as one, in milliseconds: editors and compilers write several files. */
const debounceTime = 200

/** Folders that programs write and nobody edits. */
const ignored = /(^|[\\/])(node_modules|\.git|__pycache__|\.venv|\.mypy_cache)([\\/]|$)/

/** A watched folder, and which of its files count. */
interface Watched {
  readonly folder: string
  readonly counts: (file: string) => boolean
}

const isFile = (file: string): boolean => existsSync(file) && statSync(file).isFile()

/** The folders of the files that a command line names. If it names none, only the program itself: what lies beside it is not the server's. */
const ofCommandLine = (command: string, args: ReadonlyArray<string>): ReadonlyArray<Watched> => {
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

/** What `--watch` watches: the files of a glob, or those that the command line names. */
export const watched = (
  glob: string | undefined,
  command: string,
  args: ReadonlyArray<string>
): ReadonlyArray<Watched> => glob === undefined ? ofCommandLine(command, args) : [ofGlob(glob)]

/** Calls `changed` with the last changed file when nothing has changed for 200 ms. */
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
    const onChange = (file: string): void => {
      clearTimeout(timer)
      timer = setTimeout(() => changed(file), debounceTime)
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => clearTimeout(timer)))
    for (const { counts, folder } of all) {
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          new FolderWatch(folder, {
            isOpened: (path) => !ignored.test(relative(folder, path)),
            onChange: (path) => {
              if (!ignored.test(relative(folder, path)) && counts(path)) onChange(path)
            },
            onError: (message) => void fork(Effect.logWarning(`${folder} is not watched: ${message}`))
          })
        ),
        (watch) => Effect.sync(() => watch.close())
      )
    }
  })
