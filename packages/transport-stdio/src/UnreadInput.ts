/**
 * What a process had not read of its stdin when it ended, as far as Linux proves it. (V7)
 *
 * Its stdin is one end of a pair of sockets. If all who hold it are gone while bytes are unread, the kernel resets our end: the last
 * message was not read to its end. Until it is waited for, a process has its count of bytes read (`rchar` of /proc/PID/io). Where that was
 * seen to be exact, it says for each message whether it can have been read.
 */
import { kibibytes } from "@mcp-lifeline/core/text"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { readdirSync, readFileSync } from "node:fs"
import { Socket } from "node:net"
import type { Writable } from "node:stream"
import * as ProcStat from "./ProcStat.js"

export interface UnreadRequest {
  readonly id: RequestId
  readonly isPartlyRead: boolean
}

interface Message {
  readonly id: RequestId | undefined
  /** In bytes. */
  readonly begin: number
  readonly end: number
}

/** Bytes from the process that are thrown away before we stop to read. */
const mostThrownAway = kibibytes(64)
/** Milliseconds between two looks; each takes about 15 us. */
const pause = 50
/** Looks without a pause, so that the count is soon known to be right. */
const quickLooks = 10

export class UnreadInput {
  readonly #pid: number
  readonly #hasExited: () => boolean
  #isWatched: boolean
  #begun = 0
  /** An answer shows that everything up to here was read. */
  #read = 0
  #last: Message | undefined
  readonly #requests = new Map<string, Message>()
  #isReset = false
  /** Nothing after this was read. */
  #bound = Number.POSITIVE_INFINITY

  /** Undefined until it is known. */
  #isCounted: boolean | undefined
  /** Bytes of messages beyond its count: at the last look with everything read, and at the lowest. */
  #excess: { readonly begun: number; readonly value: number } | undefined
  #lowestExcess = Number.POSITIVE_INFINITY
  #lookAt = 0
  #looks = 0

  /** `hasExited`: its number may be that of another process. */
  constructor(stdin: Writable, pid: number, hasExited: () => boolean) {
    this.#pid = pid
    this.#hasExited = hasExited
    this.#isWatched = process.platform === "linux" && stdin instanceof Socket
    if (this.#isWatched) watch(stdin as Socket)
  }

  begin(id: RequestId | undefined, line: string): void {
    if (!this.#isWatched) return
    this.#look()
    const begin = this.#begun
    this.#begun += Buffer.byteLength(line)
    this.#last = { id, begin, end: this.#begun }
    if (id !== undefined) this.#requests.set(String(id), this.#last)
  }

  answered(id: unknown): void {
    const request = this.#requests.get(String(id))
    if (request === undefined) return
    this.#read = request.end
    for (const [key, { end }] of this.#requests) {
      if (end > this.#read) return
      this.#requests.delete(key)
    }
  }

  forget(id: RequestId): void {
    this.#requests.delete(String(id))
  }

  failed({ code }: NodeJS.ErrnoException): void {
    if (!this.#isWatched || (code !== "ECONNRESET" && code !== "EPIPE")) return
    this.#isReset = code === "ECONNRESET"
    this.ended()
    this.#isWatched = false
  }

  /** It has ended, or was sent SIGKILL. */
  ended(): void {
    if (!this.#isWatched) return
    const count = this.#isCounted === true ? this.#count() : undefined
    if (count !== undefined) this.#bound = this.#lowestExcess + count
  }

  get requests(): ReadonlyArray<UnreadRequest> {
    return [...this.#requests.values()].filter((message) => this.#isUnread(message))
      .map(({ begin, id }) => ({ id: id!, isPartlyRead: begin < this.#bound }))
  }

  /** A reader may act on JSON of which only the line break is missing. */
  #isUnread(message: Message): boolean {
    return message.end - 1 > this.#bound || (this.#isReset && message === this.#last && message.end - 1 !== this.#bound)
  }

  /** Before a write: the count is of use only while the process reads nothing else. */
  #look(): void {
    if (this.#isCounted === false || this.#hasExited()) return
    const now = performance.now()
    const isQuiet = this.#read === this.#begun
    if (now < this.#lookAt && !(isQuiet && this.#looks < quickLooks)) return
    this.#lookAt = now + pause
    this.#looks++
    const count = this.#count()
    if (count === undefined) return
    const value = this.#begun - count
    this.#lowestExcess = Math.min(this.#lowestExcess, value)
    if (isQuiet) this.#compare(value)
  }

  /** Between two looks, everything that was written was read. */
  #compare(value: number): void {
    const before = this.#excess
    this.#excess = { begun: this.#begun, value }
    if (before === undefined || before.begun === this.#begun) return
    // It has read what it does not count, or somebody else has read it.
    if (value > before.value) this.#isCounted = false
    else if (value === before.value && this.#isCounted === undefined && !hasChildren(this.#pid)) this.#isCounted = true
  }

  #count(): number | undefined {
    return this.#hasExited() ? undefined : ProcStat.transferred(String(this.#pid))?.read
  }
}

/** Node reports a reset only if it reads, which it does not do with a child's stdin. */
const watch = (stdin: Socket): void => {
  let thrownAway = 0
  stdin.push = (chunk: Buffer | null) => (thrownAway += chunk?.length ?? 0) < mostThrownAway
  stdin._read(0)
}

/** Children may have its stdin, too. True if that cannot be known. */
const hasChildren = (pid: number): boolean => {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1") !== ""
    )
  } catch {
    return true
  }
}
