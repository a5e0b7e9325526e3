/**
 * Watches through the root alone: Windows renames neither a folder that is watched itself, nor the one around it. It reports a folder when
 * something in it has changed, and a file that was only read: so reports are compared with what was there.
 */
import { type FSWatcher, realpathSync, statSync, watch } from "node:fs"
import { dirname, join, sep } from "node:path"
import { entriesOf, type Listener } from "./FolderWatch.js"

/** In milliseconds. Windows does not report that the folder was renamed. */
const lookInterval = 250

type Fingerprint = string

const missing = (error: unknown): boolean =>
  ["ENOENT", "ENOTDIR"].includes(String((error as NodeJS.ErrnoException).code))

/** `unknown` while another program has the file to itself, or is about to remove it. */
const look = (path: string): Fingerprint | "folder" | "nothing" | "unknown" => {
  try {
    const found = statSync(path, { bigint: true })
    return found.isDirectory() ? "folder" : `${found.mtimeNs} ${found.size}`
  } catch (error) {
    return missing(error) ? "nothing" : "unknown"
  }
}

/** Differs for another folder at the same path. */
const identityOf = (folder: string): bigint | undefined => {
  try {
    const found = statSync(folder, { bigint: true })
    return found.isDirectory() ? found.ino : undefined
  } catch {
    return undefined
  }
}

export class RecursiveWatch {
  readonly #root: string
  readonly #listener: Listener
  readonly #watch: typeof watch
  /** As they were last seen. */
  readonly #files = new Map<string, Fingerprint>()
  readonly #timer: ReturnType<typeof setInterval>
  #watcher: FSWatcher | undefined
  #identity: bigint | undefined

  /** `native`: for tests. */
  constructor(root: string, listener: Listener, native: typeof watch = watch) {
    this.#root = root
    this.#listener = listener
    this.#watch = native
    this.#timer = setInterval(() => this.#check(), lookInterval)
    this.#open((error) => missing(error) || listener.onError((error as Error).message))
    this.#compare(root, () => undefined)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#drop()
  }

  #open(failed: (error: unknown) => void): void {
    this.#identity = identityOf(this.#root)
    // Older versions of Windows remove a folder only when nobody watches it, so an empty one is not watched.
    if (this.#identity === undefined || entriesOf(this.#root).length === 0) return
    try {
      // With a short name, such as `RUNNER~1`, Node.js aborts when something changes (libuv#5010).
      const folder = realpathSync.native(this.#root)
      this.#watcher = this.#watch(folder, { recursive: true }, (event, name) => this.#onEvent(event, name))
      // Windows says EPERM when the folder is removed.
      this.#watcher.on("error", () => this.#drop())
    } catch (error) {
      // A removed folder is there, and cannot be opened, as long as another program has it open.
      this.#identity = undefined
      failed(error)
    }
  }

  #drop(): void {
    this.#watcher?.close()
    this.#watcher = undefined
    this.#identity = undefined
  }

  /** The folder may be there again, or another one in its place. */
  #check(): void {
    if (this.#watcher !== undefined && identityOf(this.#root) === this.#identity) return
    this.#drop()
    this.#open(() => undefined)
    this.#compare(this.#root)
  }

  #onEvent(event: string, name: string | null): void {
    // More has happened than Windows could keep.
    if (name === null) return this.#compare(this.#root)
    const path = join(this.#root, name)
    if (!this.#isWatched(path)) return
    const found = look(path)
    // What is in a folder that was moved here is not reported; that a folder has changed says nothing of use.
    if (found === "nothing" || (found === "folder" && event === "rename")) this.#compare(path)
    else if (found !== "folder") this.#see(path, found, this.#listener.onChange)
    if (event === "rename" && entriesOf(this.#root).length === 0) this.#drop()
  }

  #isWatched(path: string): boolean {
    for (let folder = dirname(path); folder.length > this.#root.length; folder = dirname(folder)) {
      if (!this.#listener.isOpened(folder)) return false
    }
    return true
  }

  #see(file: string, found: Fingerprint, changed: (path: string) => void): void {
    if (found !== "unknown" && this.#files.get(file) === found) return
    this.#files.set(file, found)
    changed(file)
  }

  /** Calls `changed` with each file, at or below a path, that differs from what was there. */
  #compare(path: string, changed: (path: string) => void = this.#listener.onChange): void {
    const there = new Set<string>()
    const visit = (folder: string): void => {
      if (folder !== this.#root && !this.#listener.isOpened(folder)) return
      for (const entry of entriesOf(folder)) {
        const inside = join(folder, entry.name)
        if (entry.isDirectory()) {
          visit(inside)
          continue
        }
        const found = look(inside)
        if (found === "folder" || found === "nothing") continue
        there.add(inside)
        this.#see(inside, found, changed)
      }
    }
    visit(path)
    for (const file of this.#files.keys()) {
      if (there.has(file) || (file !== path && !file.startsWith(path + sep))) continue
      this.#files.delete(file)
      changed(file)
    }
  }
}
