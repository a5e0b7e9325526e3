/** A disk in memory, each of whose operations waits until the test lets it happen: no run depends on the speed of a machine. */
import { constants } from "node:fs"
import type { Platform } from "../../src/audit/AuditFile.js"

/** What becomes of an operation: a write takes all, or so many bytes; anything may fail with the code of an error. */
export type Fate = "all" | number | "ENOSPC" | "EIO" | "EMFILE" | "EACCES"

type Inode = { readonly ino: bigint; content: Buffer }

const failure = (code: string): Error => Object.assign(new Error(code), { code })

/** Made once: most of the numbers of rotated files are free. */
const missing = failure("ENOENT")

export class MemoryDisk implements Platform {
  readonly #files = new Map<string, Inode>()
  readonly #waiting: Array<() => void> = []
  readonly #timers = new Set<() => void>()
  readonly writes: Array<Fate> = []
  readonly others: Array<Fate> = []
  readonly modes: Array<number> = []
  openFiles = 0
  #inodes = 0n

  get timers(): number {
    return this.#timers.size
  }

  get names(): ReadonlyArray<string> {
    return [...this.#files.keys()]
  }

  text(path: string): string {
    return this.#files.get(path)?.content.toString() ?? ""
  }

  put(path: string, text: string): void {
    this.#files.set(path, { ino: ++this.#inodes, content: Buffer.from(text) })
  }

  move(path: string, to: string): void {
    const inode = this.#files.get(path)
    if (inode === undefined) return
    this.#files.delete(path)
    this.#files.set(to, inode)
  }

  /** Lets the oldest operation happen, and what follows from it. Returns whether there was one. */
  async step(): Promise<boolean> {
    await new Promise(setImmediate)
    const next = this.#waiting.shift()
    next?.()
    await new Promise(setImmediate)
    return next !== undefined
  }

  async settle(): Promise<void> {
    while (await this.step());
  }

  async pass(): Promise<void> {
    const all = [...this.#timers]
    this.#timers.clear()
    for (const run of all) run()
    await new Promise(setImmediate)
  }

  readonly later: Platform["later"] = (run) => {
    this.#timers.add(run)
    return () => void this.#timers.delete(run)
  }

  #later<A>(act: () => A): Promise<A> {
    return new Promise((resolve, reject) =>
      this.#waiting.push(() => {
        try {
          resolve(act())
        } catch (error) {
          reject(error)
        }
      })
    )
  }

  #other<A>(act: () => A): Promise<A> {
    return this.#later(() => {
      const fate = this.others.shift() ?? "all"
      if (typeof fate === "string" && fate !== "all") throw failure(fate)
      return act()
    })
  }

  #found(path: string): Inode {
    const inode = this.#files.get(path)
    if (inode === undefined) throw missing
    return inode
  }

  readonly stat = ((path: string) => this.#later(() => this.#found(path))) as never as Platform["stat"]

  readonly rm = ((path: string) =>
    this.#other(() => {
      this.#found(path)
      this.#files.delete(path)
    })) as never as Platform["rm"]

  readonly rename = ((path: string, to: string) =>
    // To wait for each number that is free would be most of a run.
    this.#files.has(path)
      ? this.#other(() => {
        this.#files.set(to, this.#found(path))
        this.#files.delete(path)
      })
      : Promise.reject(missing)) as never as Platform["rename"]

  readonly open = ((path: string, flags: number, mode: number) =>
    this.#other(() => {
      if (!this.#files.has(path) && (flags & constants.O_CREAT) !== 0) {
        this.modes.push(mode)
        this.put(path, "")
      }
      const inode = this.#found(path)
      this.openFiles++
      return {
        stat: () =>
          this.#later(() => ({
            ino: inode.ino,
            size: BigInt(inode.content.length),
            isFile: () => true,
            isCharacterDevice: () => false
          })),
        chmod: () => this.#later(() => undefined),
        read: ({ buffer, position }: { readonly buffer: Buffer; readonly position: number }) =>
          this.#later(() => ({ buffer, bytesRead: inode.content.copy(buffer, 0, position) })),
        write: (piece: Buffer, from: number) =>
          this.#later(() => {
            const fate = this.writes.shift() ?? "all"
            if (typeof fate === "string" && fate !== "all") throw failure(fate)
            const taken = piece.subarray(from, fate === "all" ? undefined : from + fate)
            inode.content = Buffer.concat([inode.content, taken])
            return { bytesWritten: taken.length }
          }),
        close: () => {
          this.openFiles--
          return this.#later(() => undefined)
        }
      }
    })) as never as Platform["open"]
}
