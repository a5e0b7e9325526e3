/**
 * Appends lines, and says of each when it is there. What is written stays when this process is killed. Lines that come while others are being
 * written are written together.
 */
import { constants } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import * as Files from "node:fs/promises"
import { codeOf, NoRegularFile, type Trouble, troubleOf } from "./trouble.js"

export interface Options {
  readonly path: string
  /** In bytes; beyond it, the file is rotated. */
  readonly size: number
  /** How many rotated files are kept: `FILE.1` is the youngest. */
  readonly files: number
  /** While the file cannot be written, refuse calls, or go on without their lines. */
  readonly full: "stop" | "go-on"
  /** For each new reason why the file cannot be written, and when it can again. `lost`: how many lines are missing. */
  readonly onTrouble: (trouble: Trouble | undefined, lost: number) => void
}

/** `later`: a timer that keeps no process alive; returns what stops it. */
export interface Platform extends Pick<typeof Files, "open" | "rename" | "rm" | "stat"> {
  readonly later: (run: () => void, millis: number) => () => void
}

export const node: Platform = {
  open: Files.open,
  rename: Files.rename,
  rm: Files.rm,
  stat: Files.stat,
  later: (run, millis) => {
    const timer = setTimeout(run, millis).unref()
    return () => clearTimeout(timer)
  }
}

interface Line {
  /** With its end. */
  readonly bytes: Buffer
  readonly done: (isWritten: boolean) => void
}

/** Windows lacks both. Without O_NONBLOCK, opening a pipe that nobody reads would block the program. */
const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_WRONLY } = constants

/** Bytes that are written at once. */
const maxBatch = 1024 * 1024
/** Before the file is tried again, in milliseconds. */
const pause = 1000
const newline = 0x0a

interface Opened {
  readonly handle: FileHandle
  readonly inode: bigint
  /** A device has no size, and is not rotated. */
  readonly isRegular: boolean
  size: number
  /** It ends within a line, as after a crash of the machine or on a full disk. */
  isTorn: boolean
}

const opened = async (path: string, platform: Platform): Promise<Opened> => {
  const handle = await platform.open(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0o600)
  try {
    const found = await handle.stat({ bigint: true })
    const isRegular = found.isFile()
    if (!isRegular && !found.isCharacterDevice()) throw new NoRegularFile()
    if (isRegular) await handle.chmod(0o600)
    const size = isRegular ? Number(found.size) : 0
    return { handle, inode: found.ino, isRegular, size, isTorn: size > 0 && await endsWithin(path, size, platform) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

const endsWithin = async (path: string, size: number, { open }: Platform): Promise<boolean> => {
  const handle = await open(path, constants.O_RDONLY | O_NOFOLLOW)
  try {
    const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position: size - 1 })
    return buffer[0] !== newline
  } finally {
    await handle.close()
  }
}

export class AuditFile {
  readonly #options: Options
  readonly #platform: Platform
  #file: Opened | undefined
  #queue: Array<Line> = []
  #isWriting = false
  #written: Promise<void> = Promise.resolve()
  #stopRetry = (): void => undefined
  #trouble: Trouble | undefined
  #lost = 0
  #isClosed = false

  private constructor(options: Options, platform: Platform, file: Opened) {
    this.#options = options
    this.#platform = platform
    this.#file = file
  }

  /** Creates the file if it does not exist. Rejects with an error for `troubleOf`. */
  static async open(options: Options, platform: Platform = node): Promise<AuditFile> {
    return new AuditFile(options, platform, await opened(options.path, platform))
  }

  get trouble(): Trouble | undefined {
    return this.#trouble
  }

  get lost(): number {
    return this.#lost
  }

  /** `done` is called once, when the line is in the file, or cannot be written now. */
  write(text: string, done: Line["done"]): void {
    if (this.#isClosed) return done(false)
    this.#queue.push({ bytes: Buffer.from(`${text}\n`), done })
    this.#begin()
  }

  async close(): Promise<void> {
    this.#stopRetry()
    this.#begin()
    this.#isClosed = true
    await this.#written
    this.#lost += this.#queue.length
    this.#queue = []
    const file = this.#file
    this.#file = undefined
    await file?.handle.close().catch(() => undefined)
  }

  #begin(): void {
    if (this.#isWriting) return
    this.#isWriting = true
    this.#written = this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    // So that it goes into one file.
    const most = Math.min(maxBatch, this.#options.size)
    while (this.#queue.length > 0) {
      let size = 0
      const count = this.#queue.findIndex(({ bytes }) => (size += bytes.length) > most)
      const lines = this.#queue.splice(0, count === -1 ? this.#queue.length : Math.max(1, count))
      const written = await this.#append(lines)
      for (const { done } of lines.slice(0, written)) done(true)
      const left = lines.slice(written)
      if (left.length > 0 && this.#failed(left)) break
    }
    // In the same step in which the queue is empty: a line that comes in the next one begins anew.
    this.#isWriting = false
  }

  /** Returns whether to stop writing for now. */
  #failed(lines: ReadonlyArray<Line>): boolean {
    const { full } = this.#options
    if (full === "go-on") this.#lost += lines.length
    else {
      // These calls were carried out: their lines follow later.
      const kept = [...lines, ...this.#queue].map(({ bytes }) => ({ bytes, done: () => undefined }))
      const waiting = this.#queue
      this.#queue = kept
      for (const { done } of waiting) done(false)
      this.#stopRetry()
      if (!this.#isClosed) this.#stopRetry = this.#platform.later(() => this.#begin(), pause)
    }
    for (const { done } of lines) done(false)
    return full === "stop"
  }

  async #append(lines: ReadonlyArray<Line>): Promise<number> {
    const before = this.#trouble
    const ends: Array<number> = []
    let written = 0
    try {
      const pieces = lines.map(({ bytes }) => bytes)
      const file = await this.#fileFor(pieces.reduce((sum, { length }) => sum + length, 0))
      const parts = [...(file.isTorn ? [Buffer.from("\n")] : []), ...pieces]
      let end = 0
      for (const [i, part] of parts.entries()) {
        end += part.length
        if (!file.isTorn || i > 0) ends.push(end)
      }
      const all = Buffer.concat(parts)
      while (written < all.length) {
        const { bytesWritten } = await file.handle.write(all, written)
        written += bytesWritten
        file.size += bytesWritten
        if (bytesWritten > 0) file.isTorn = all[written - 1] !== newline
      }
      this.#trouble = undefined
      if (before !== undefined) this.#options.onTrouble(undefined, this.#lost)
    } catch (error) {
      this.#trouble = troubleOf(error, this.#options.path)
      if (before?.reason !== this.#trouble.reason) this.#options.onTrouble(this.#trouble, this.#lost)
    }
    return ends.filter((end) => end <= written).length
  }

  /** Another file if somebody has moved or removed it, or it would become too large. */
  async #fileFor(bytes: number): Promise<Opened> {
    const { path, size } = this.#options
    const file = this.#file
    if (file !== undefined) {
      const found = await this.#platform.stat(path, { bigint: true }).catch(() => undefined)
      const isThere = found?.ino === file.inode
      if (isThere && (!file.isRegular || file.size === 0 || file.size + Number(file.isTorn) + bytes <= size)) {
        return file
      }
      if (isThere) await this.#rotate()
      this.#file = undefined
      await file.handle.close()
    }
    return this.#file = await opened(path, this.#platform)
  }

  async #rotate(): Promise<void> {
    const { files, path } = this.#options
    const { rename, rm } = this.#platform
    // Another program may just have done the same.
    const ignoreMissing = (error: unknown): void => {
      if (codeOf(error) !== "ENOENT") throw error
    }
    if (files === 0) return rm(path).catch(ignoreMissing)
    for (let i = files - 1; i >= 0; i--) {
      await rename(i === 0 ? path : `${path}.${i}`, `${path}.${i + 1}`).catch(ignoreMissing)
    }
  }
}
