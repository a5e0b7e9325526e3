/**
 * Notices that the files of a server have changed, for people who write one.
 */
import type { Scope } from "effect"
import { Effect, Runtime } from "effect"
import { existsSync, type FSWatcher, statSync, watch } from "node:fs"
import { dirname, relative, resolve, sep } from "node:path"
import picomatch from "picomatch"

/** Changes closer together than this are one: editors and compilers write several files. */
const quiet = 200

/** Folders that programs fill and nobody edits. */
const ignored = /(^|[\\/])(node_modules|\.git|__pycache__|\.venv|\.mypy_cache)([\\/]|$)/

/** What is watched: folders, and which files in them count. */
interface Watched {
  readonly folder: string
  readonly counts: (file: string) => boolean
}

/** The folders of the files that a command line names. */
const named = (command: string, args: ReadonlyArray<string>): ReadonlyArray<Watched> => {
  const files = [command, ...args].map((argument) => resolve(argument))
    .filter((file) => existsSync(file) && statSync(file).isFile() && !ignored.test(file))
  return [...new Set(files.map(dirname))].map((folder) => ({ folder, counts: () => true }))
}

const ofGlob = (glob: string): Watched => {
  const { base } = picomatch.scan(glob)
  const matches = picomatch(glob, { dot: true })
  return { folder: resolve(base || "."), counts: (file) => matches(relative(".", file).split(sep).join("/")) }
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
    const runtime = yield* Effect.runtime<never>()
    let timer: ReturnType<typeof setTimeout> | undefined
    const noticed = (file: string): void => {
      clearTimeout(timer)
      timer = setTimeout(() => changed(file), quiet)
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => clearTimeout(timer)))
    for (const { counts, folder } of all) {
      const watcher = yield* Effect.acquireRelease(
        Effect.try((): FSWatcher | undefined =>
          watch(folder, { recursive: true }, (_, name) => {
            const file = name === null ? folder : resolve(folder, name)
            if (!ignored.test(relative(folder, file)) && counts(file)) noticed(file)
          })
        ).pipe(
          Effect.catchAll(({ error }) =>
            Effect.as(Effect.logWarning(`${folder} cannot be watched: ${(error as Error).message}`), undefined)
          )
        ),
        (watcher) => Effect.sync(() => watcher?.close())
      )
      watcher?.on("error", (error: Error) =>
        Runtime.runFork(runtime)(Effect.logWarning(`${folder} is not watched any more: ${error.message}`)))
    }
  })
