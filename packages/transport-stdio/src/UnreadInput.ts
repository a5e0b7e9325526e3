/**
 * What a process had not read of its stdin when it ended, as far as Linux proves it. (V7)
 *
 * The stdin of a child is one end of a pair of sockets. If all who hold it are gone while bytes are unread, the kernel resets our end: then
 * the last message was not read to its end. How much was unread it does not say; but a process that has ended and was not yet waited for
 * still has its count of bytes read (`rchar` of /proc/PID/io). Where that was seen to count exactly what was written to it, its last value
 * says for each message whether it can have been read.
 */
import { kibibytes } from "@mcp-lifeline/core/internal"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { readdirSync, readFileSync } from "node:fs"
import { Socket } from "node:net"
import type { Writable } from "node:stream"
import * as ProcStat from "./ProcStat.js"

export interface UnreadRequest {
  readonly id: RequestId
  /** Whether the process may have read a part of it. */
  readonly isPartlyRead: boolean
}

interface Message {
  readonly id: RequestId | undefined
  /** Its place in the stream of all messages, in bytes. */
  readonly begin: number
  readonly end: number
}

/** What a process may write to its stdin before we stop to read it, in bytes. It has no use, and is thrown away. */
const mostThrownAway = kibibytes(64)
/** The time between two looks at what the process has read, in milliseconds. A look takes about 15 us. */
const pause = 50
/** So many looks do not wait for that, so that the count is known to be right soon after the start. */
const quickLooks = 10

export class UnreadInput {
  readonly #pid: number
  readonly #hasExited: () => boolean
  #isWatched: boolean
  /** Bytes of all messages whose writing has begun. */
  #begun = 0
  /** An answer shows that everything up to here was read. */
  #read = 0
  #last: Message | undefined
  /** The requests after that, in order. */
  readonly #requests = new Map<string, Message>()
  #isReset = false
  /** Nothing after this was read. */
  #bound = Number.POSITIVE_INFINITY

  /** Whether the process counts what it reads of us; undefined until it is known. */
  #isCounted: boolean | undefined
  /** By how much the bytes of messages exceeded its count: at the last look at which everything had been read, and at the lowest. */
  #excess: { readonly begun: number; readonly value: number } | undefined
  #lowestExcess = Number.POSITIVE_INFINITY
  #lookAt = 0
  #looks = 0

  /** `hasExited`: the process was waited for, and its number may be that of another one. */
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

  /** A request was answered: the process has read it, and all that was written before. */
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

  /** The stdin failed. If that shows that nobody can read it any more, what was unread stays so. */
  failed({ code }: NodeJS.ErrnoException): void {
    if (!this.#isWatched || (code !== "ECONNRESET" && code !== "EPIPE")) return
    this.#isReset = code === "ECONNRESET"
    this.ended()
    this.#isWatched = false
  }

  /** The process reads nothing more: it has ended, or was sent SIGKILL. */
  ended(): void {
    if (!this.#isWatched) return
    const count = this.#isCounted === true ? this.#count() : undefined
    if (count !== undefined) this.#bound = this.#lowestExcess + count
  }

  get unread(): ReadonlyArray<UnreadRequest> {
    return [...this.#requests.values()].flatMap((message) =>
      this.#isUnread(message) ? [this.#unreadRequest(message)] : []
    )
  }

  /** A reader of JSON may act on a message of which only the line break is missing. */
  #isUnread(message: Message): boolean {
    return message.end - 1 > this.#bound || (this.#isReset && message === this.#last && message.end - 1 !== this.#bound)
  }

  #unreadRequest({ begin, id }: Message): UnreadRequest {
    return { id: id!, isPartlyRead: begin < this.#bound }
  }

  /** Looks at the count before a message is written: it is of use only as long as the process reads nothing else. */
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

/** Node reports that the socket was reset only if it reads, and it takes a child's stdin for one that nobody reads. */
const watch = (stdin: Socket): void => {
  let thrownAway = 0
  stdin.push = (chunk: Buffer | null) => (thrownAway += chunk?.length ?? 0) < mostThrownAway
  stdin._read(0)
}

/** Whether a process has children, which may have its stdin, too. True if that cannot be known. */
const hasChildren = (pid: number): boolean => {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1") !== ""
    )
  } catch {
    return true
  }
}
