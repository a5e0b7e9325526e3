/**
 * The recursive watch of Node.js 20 loses files that are replaced by others of the same name, and folders that are removed and made again,
 * as editors and compilers do.
 */
import { type Dirent, type FSWatcher, readdirSync, watch } from "node:fs"
import { basename, join, relative } from "node:path"

/** In milliseconds. */
const lookInterval = 250

export interface Listener {
  readonly isOpened: (folder: string) => boolean
  /** For each file that was written, made, replaced or removed; not on Windows also for a folder that was removed or got other rights. */
  readonly onChange: (path: string) => void
  /** At most once, if a folder is there and cannot be watched. */
  readonly onError: (message: string) => void
}

/** Nothing if the folder is gone. */
export const entriesOf = (folder: string): ReadonlyArray<Dirent> => {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

/** What happens to the folder itself comes under its own name, which something in it may have, too. */
const pathOf = (folder: string, name: string | null): string =>
  name === null || (name === basename(folder) && entriesOf(folder).every((entry) => entry.name !== name))
    ? folder
    : join(folder, name)

export class FolderWatch {
  readonly #root: string
  readonly #listener: Listener
  readonly #watchers = new Map<string, FSWatcher>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #hasFailed = false
  #isClosed = false

  constructor(root: string, listener: Listener) {
    this.#root = root
    this.#listener = listener
    if (!this.#open(root, false)) this.#wait()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const folder of [...this.#watchers.keys()]) this.#drop(folder)
  }

  /** With `isNew`, the files in it count as changed. Returns whether the folder is there. */
  #open(folder: string, isNew: boolean): boolean {
    if (this.#isClosed || this.#watchers.has(folder) || !this.#listener.isOpened(folder)) return true
    let watcher: FSWatcher
    try {
      watcher = watch(folder, (event, name) => this.#onEvent(folder, event, name))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== "ENOENT" && code !== "ENOTDIR") this.#failed(message)
      return false
    }
    watcher.on("error", () => {
      this.#drop(folder)
      if (folder === this.#root) this.#wait()
    })
    this.#watchers.set(folder, watcher)
    for (const entry of entriesOf(folder)) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) this.#open(path, isNew)
      else if (isNew) this.#listener.onChange(path)
    }
    return true
  }

  #onEvent(folder: string, event: string, name: string | null): void {
    const path = pathOf(folder, name)
    if (event !== "rename") return this.#listener.onChange(path)
    const entries = entriesOf(folder)
    // It may be another folder of this name.
    this.#drop(path)
    if (entries.some((entry) => entry.name === name && entry.isDirectory())) this.#open(path, true)
    this.#listener.onChange(path)
    // Another folder may be in the place of a removed one.
    if (entries.length === 0 || path === folder) this.#lost(folder)
  }

  /** If a subfolder comes back, the event of its parent opens it again. */
  #lost(folder: string): void {
    this.#drop(folder)
    if (!this.#open(folder, true) && folder === this.#root) this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    this.#timer = setTimeout(() => {
      if (!this.#open(this.#root, true)) this.#wait()
    }, lookInterval)
  }

  #drop(folder: string): void {
    for (const [path, watcher] of this.#watchers) {
      const inside = relative(folder, path)
      if (inside.startsWith("..")) continue
      this.#watchers.delete(path)
      watcher.close()
    }
  }

  #failed(message: string): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#listener.onError(message)
  }
}
