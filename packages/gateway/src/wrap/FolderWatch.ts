/**
 * Watches a folder and what lies in it, through everything that editors and compilers do: files that are replaced by others of the
 * same name, folders that are removed and made again. The recursive watch of Node.js 20 loses both.
 */
import { type Dirent, type FSWatcher, readdirSync, watch } from "node:fs"
import { basename, join, relative } from "node:path"

/** How often a folder that is not there is looked for, in milliseconds. */
const lookInterval = 250

/** What is told, and what is asked. */
export interface Listener {
  /** Whether what lies in a folder counts. */
  readonly isOpened: (folder: string) => boolean
  /** Called with a file that was written, made, replaced or removed. */
  readonly onChange: (path: string) => void
  /** Called once where a folder cannot be watched for another reason than that it is not there. */
  readonly onError: (message: string) => void
}

const entriesOf = (folder: string): ReadonlyArray<Dirent> => {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

/** Watches until it is closed. */
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

  /** Watches a folder and those in it. `isNew`: the files that are there count as changed. Says whether it is there. */
  #open(folder: string, isNew: boolean): boolean {
    if (this.#isClosed || this.#watchers.has(folder) || !this.#listener.isOpened(folder)) return true
    let watcher: FSWatcher
    try {
      watcher = watch(folder, (event, name) => this.#noticed(folder, event, name))
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

  #noticed(folder: string, event: string, name: string | null): void {
    const path = name === null ? folder : join(folder, name)
    if (event !== "rename") return this.#listener.onChange(path)
    const entries = entriesOf(folder)
    const entry = entries.find((entry) => entry.name === name)
    // What is watched under this name may be another folder by now.
    this.#drop(path)
    if (entry?.isDirectory() === true) this.#open(path, true)
    this.#listener.onChange(path)
    // The removal of a folder is told under its own name; another may be in its place.
    if (entries.length === 0 || (entry === undefined && name === basename(folder))) this.#lost(folder)
  }

  /** A folder may be gone; one in another is opened again by the event of that. */
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
