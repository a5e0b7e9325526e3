import type { Connection, Loss, Peer, ProcessSight, ResourceUsage } from "@mcp-lifeline/core"
import { ConnectError, RequestError } from "@mcp-lifeline/core"
import { Bytes, ExactJson, mebibytes } from "@mcp-lifeline/core/internal"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { Arrivals, Holding, Messages, Oversized } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type { Writable } from "node:stream"
import type { Frame } from "./Framing.js"
import { Framing } from "./Framing.js"
import { HeaderFraming } from "./HeaderFraming.js"
import * as Installer from "./Installer.js"
import type { Exit, Options as GroupOptions } from "./ProcessGroup.js"
import { ProcessGroup } from "./ProcessGroup.js"
import * as Secrets from "./Secrets.js"
import * as Sight from "./Sight.js"
import * as SpawnFailure from "./SpawnFailure.js"
import { StderrTail } from "./StderrTail.js"
import { StdoutNoise } from "./StdoutNoise.js"
import { UnreadInput } from "./UnreadInput.js"
import * as UsageSampler from "./UsageSampler.js"

export interface Options extends GroupOptions {
  readonly target: string
  readonly maxMessageBytes: Bytes
  readonly maxLineBytes: Bytes
  readonly secrets: Secrets.Secrets
  readonly onStderr: ((line: string) => void) | undefined
  readonly warn: (message: string) => void
  /** The program that may download the server first. Default: none. */
  readonly installer?: string | undefined
  readonly installing?: Set<Promise<void>> | undefined
  readonly hasMemoryLimit?: boolean | undefined
}

interface Write {
  /** Undefined for what cannot be taken back. */
  readonly id: RequestId | undefined
  readonly line: string
  readonly resolve: () => void
  readonly reject: (error: RequestError) => void
}

/** Beside requests, which their callers limit. */
export const unreadLimits = { item: Bytes(Number.POSITIVE_INFINITY), count: 10_000, bytes: mebibytes(64) }

const bytesOf = (line: string): Bytes => Bytes(Buffer.byteLength(line))

/** Milliseconds for the last output; a grandchild may hold the pipe open for ever. */
const lastWords = 50
/** Milliseconds from a closed stdout or stdin to the exit, so that the loss can say how. */
const lastSteps = 200

const describeExit = ({ code, signal }: Exit): string =>
  signal === null ? `exited with code ${code}` : `was killed by ${signal}`

export const downloading = (installer: string): string =>
  `${installer} may still be downloading the server. Lifeline lets it finish and then tries again: call again later, or run the command once in a terminal until the server is installed. If it is installed and only slow to start, raise startLimit`

const maxTarget = 200
const advice = "check that command and args start an MCP server over stdio"

const framed =
  "frames its messages with Content-Length headers, as language servers do, but MCP over stdio has one message a line: use a version "
  + "of it, or an option, that writes lines"

export class StdioTransport implements AdapterTransport {
  readonly stateful = true
  onmessage?: (<T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void) | undefined
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onlost?: ((loss: Loss) => void) | undefined
  onfailed?: ((id: RequestId, error: RequestError) => void) | undefined
  onunread?: AdapterTransport["onunread"]
  drained?: (() => Promise<void> | undefined) | undefined

  readonly #options: Options
  readonly #framing: Framing
  readonly #stderr: StderrTail
  #group: ProcessGroup | undefined
  #closed: Promise<void> | undefined
  #endMeasuring: (() => void) | undefined
  #loss: Loss | undefined
  #settling: NodeJS.Timeout | undefined
  #due = Number.POSITIVE_INFINITY
  #writing: Write | undefined
  readonly #waiting = new Set<Write>()
  readonly #waitingRequests = new Map<RequestId, Write>()
  readonly #room = new Holding(unreadLimits)
  /** Their requests end with the loss: nobody acts on a part of a line. */
  #failed: Array<Write> = []
  #input: UnreadInput | undefined
  #stderrFailed = false
  readonly #noise: StdoutNoise
  readonly #headers = new HeaderFraming()
  #hasHeaders = false
  #answered = false
  #first: { readonly id: RequestId; readonly method: string } | undefined
  #isLifeless = false
  #tooLong = 0

  constructor(options: Options) {
    this.#options = options
    this.#framing = new Framing(options.maxMessageBytes, options.maxLineBytes, new Arrivals.Arrivals().begin())
    this.#stderr = new StderrTail(options.secrets, (line) => this.#onStderr(line))
    this.#noise = new StdoutNoise(options.secrets)
  }

  get peer(): Peer {
    return { pid: this.#group?.pid }
  }

  start(): Promise<void> {
    const options = this.#options
    const target = {
      command: options.command,
      cwd: options.cwd,
      show: (text: string) => Secrets.mask(options.secrets, text),
      showArgs: (args: ReadonlyArray<string>) => Secrets.args(options.secrets, args)
    }
    if (this.#group !== undefined || this.#closed !== undefined) {
      return Promise.reject(new Error("a transport is started once"))
    }
    try {
      this.#group = new ProcessGroup(options)
    } catch (error) {
      return Promise.reject(SpawnFailure.make(error, target))
    }
    const { child, pid } = this.#group
    const started = new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve)
      child.on("error", (error) => reject(SpawnFailure.make(error, target)))
    })
    // What was not started has only an error to come, and perhaps no streams.
    if (pid !== undefined) this.#listen(this.#group, pid)
    return started
  }

  #listen(group: ProcessGroup, pid: number): void {
    const { child, stdin } = group
    const input = this.#input = new UnreadInput(stdin, pid, () => group.exit !== undefined)
    child.stdout.on("data", (chunk: Buffer) => {
      this.#framing.push(
        chunk,
        (frame) => frame._tag === "Line" ? { ...frame, ...Messages.read(frame.text) } : frame,
        (frame) => this.#onFrame(frame)
      )
      this.#lookForHeaders(({ begun, begunBytes }) => this.#headers.isUsed(begun, begunBytes))
      if (!this.#framing.isEndless) {
        this.#framing.turns.hold(child.stdout)
        return this.#framing.turns.run(0, () => this.#pause(group))
      }
      // After a pause, Node would go on once the process has exited.
      child.stdout.destroy()
      this.#settle(0)
    })
    child.stdout.on("error", (error) => this.onerror?.(error))
    child.stdout.on("close", () => {
      this.#framing.end()
      this.#settle(lastSteps)
    })
    child.stderr.on("data", (chunk: Buffer) => this.#stderr.push(chunk))
    child.stderr.on("error", (error) => this.onerror?.(error))
    stdin.on("error", (error) => {
      input.failed(error)
      this.#settle(lastSteps)
    })
    child.on("exit", () => {
      child.stdout.resume()
      this.#settle(lastWords)
    })
    child.on("close", () => this.#settle(0))
  }

  /** The pipe fills, and the server waits. One that has ended is read to its end. */
  #pause({ child, exit }: ProcessGroup): void {
    const drained = exit === undefined && this.#closed === undefined ? this.drained?.() : undefined
    if (drained === undefined) return
    child.stdout.pause()
    void drained.then(() => child.stdout.resume())
  }

  send(message: JSONRPCMessage): Promise<void> {
    const group = this.#group
    if (group?.pid === undefined || this.#loss !== undefined || this.#closed !== undefined) {
      return Promise.reject(this.#unsent())
    }
    const line = `${ExactJson.stringify(message)}\n`
    const request = "method" in message && "id" in message ? message : undefined
    if (request !== undefined && !this.#answered) this.#first = request
    return new Promise((resolve, reject) => {
      const write = { id: request?.id, line, resolve, reject }
      if (this.#writing === undefined) return this.#write(group.stdin, write)
      if (write.id !== undefined || this.#room.take(bytesOf(line)) === undefined) return this.#wait(write)
      const held =
        `${this.#command()} does not read its stdin, and ${unreadLimits.bytes} bytes wait for that, the maximum`
      reject(new RequestError({ fate: "notSent", reason: "network", message: held }))
    })
  }

  withdraw(id: RequestId): boolean {
    const write = this.#waitingRequests.get(id)
    this.#input?.forget(id)
    if (write === undefined) return false
    this.#waitingRequests.delete(id)
    this.#waiting.delete(write)
    write.reject(this.#unsent())
    return true
  }

  #wait(write: Write): void {
    this.#waiting.add(write)
    if (write.id !== undefined) this.#waitingRequests.set(write.id, write)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** What runs in a container is not in the group: only its client is. */
  get look(): Connection["look"] {
    const { pid } = this.peer
    if (pid === undefined || this.#options.container !== undefined) return undefined
    return Effect.promise(() => this.#answered ? Sight.of(pid) : this.#lookAtStart(pid))
  }

  async #lookAtStart(pid: number): Promise<ProcessSight | undefined> {
    const sight = await Sight.ofStart(pid, Installer.waiting.test(this.#options.installer ?? ""))
    const hasSaid = this.#stderr.text !== "" || this.#noise.describe(this.#framing.begun) !== ""
    return sight && hasSaid ? { ...sight, mayWait: true } : sight
  }

  /** A start that does nothing downloads nothing. */
  hangs(): void {
    this.#isLifeless = true
    this.#group?.installed()
  }

  condemn(loss: Loss): void {
    this.#loss ??= loss
    this.#group?.condemn()
    this.#input?.ended()
    this.#failUnread()
  }

  measure(listener: (usage: ResourceUsage) => void): void {
    const { pid } = this.peer
    if (pid === undefined || this.#closed !== undefined || this.#options.container !== undefined) return
    this.#endMeasuring = UsageSampler.shared.watch(pid, this.#options.hasMemoryLimit === true, listener)
  }

  async #close(): Promise<void> {
    clearTimeout(this.#settling)
    this.#endMeasuring?.()
    // A server that cannot write may not see that it is to end.
    if (this.#group?.pid !== undefined) this.#group.child.stdout.resume()
    this.#rejectAll()
    const { count } = this.#noise
    if (this.#answered && count > 1) this.#options.warn(`${count} lines on stdout were not JSON-RPC`)
    try {
      await this.#group?.shutdown()
    } finally {
      const finished = this.#group?.finished
      if (finished === undefined) this.#destroy()
      else this.#letFinish(finished)
      this.onclose?.()
    }
  }

  #letFinish(finished: Promise<void>): void {
    const { installing } = this.#options
    const ended = finished.catch(() => {}).finally(() => {
      installing?.delete(ended)
      this.#destroy()
    })
    installing?.add(ended)
  }

  #destroy(): void {
    if (this.#group?.pid === undefined) return
    const { child: { stderr, stdout }, stdin } = this.#group
    for (const stream of [stdin, stdout, stderr]) stream.destroy()
  }

  #onFrame(frame: Extract<Frame, { _tag: "TooLong" }> | (Extract<Frame, { _tag: "Line" }> & Messages.Read)): void {
    if (this.#closed !== undefined) return
    if (frame._tag === "TooLong") return this.#onTooLong(frame)
    const { isJson, messages, text, unread } = frame
    if (isJson) this.#headers.forget()
    else this.#lookForHeaders(() => this.#headers.add(text))
    for (const one of unread) {
      this.#skip(one.text)
      this.onunread?.(one)
    }
    for (const message of messages) this.#onMessage(message)
  }

  #onMessage(message: JSONRPCMessage): void {
    if (!("method" in message)) {
      if (!this.#answered && this.#isBegun(message)) this.#handshake()
      this.#input?.answered(message.id)
    }
    this.onmessage?.(message)
  }

  /** A server that does not know `server/discover` is asked for `initialize` next. */
  #isBegun(response: { readonly id?: RequestId | undefined }): boolean {
    const first = this.#first
    return first !== undefined && response.id === first.id &&
      !(first.method === "server/discover" && "error" in response)
  }

  #handshake(): void {
    this.#answered = true
    this.#group?.serves()
    if (this.#noise.count > 0) this.#options.warn(this.#noise.warning)
  }

  #lookForHeaders(areUsed: (framing: Framing) => boolean): void {
    if (this.#answered || this.#hasHeaders || !areUsed(this.#framing)) return
    this.#hasHeaders = true
    this.#lose()
  }

  #skip(text: string): void {
    this.#noise.add(text)
    if (this.#noise.count === 1 && this.#answered) this.#options.warn(this.#noise.warning)
  }

  /** Undefined once the first request is answered. */
  describe(): string | undefined {
    const { pid } = this.peer
    if (pid === undefined || this.#answered) return undefined
    const seen = this.#seen(`${this.#command()} runs (pid ${pid}) but has not answered ${this.#asked}`)
    if (this.#isLifeless) {
      return `${seen}: ${advice}, and not one that waits for Content-Length headers, as language servers do`
    }
    const { installer } = this.#options
    if (installer !== undefined) return `${seen}: ${downloading(installer)}`
    return `${seen}: ${advice}; if it is only slow to start, raise startLimit`
  }

  get #asked(): string {
    return this.#first?.method ?? "its first request"
  }

  #command(): string {
    const { target } = this.#options
    return JSON.stringify(target.length > maxTarget ? `${target.slice(0, maxTarget)}...` : target)
  }

  #seen(what: string): string {
    const tail = this.#stderr.text
    return `${what}${this.#answered ? "" : this.#noise.describe(this.#framing.begun)}${
      tail === "" ? "" : `; stderr: ${tail}`
    }`
  }

  #onTooLong(frame: Oversized.Oversized): void {
    const { maxMessageBytes, warn } = this.#options
    if (frame.isResponse) this.#input?.answered(frame.id)
    if (++this.#tooLong === 1) warn(Oversized.warning(frame, maxMessageBytes))
    Oversized.answer(this, frame, maxMessageBytes)
  }

  #onStderr(line: string): void {
    try {
      this.#options.onStderr?.(line)
    } catch (error) {
      if (this.#stderrFailed) return
      this.#stderrFailed = true
      this.#options.warn(
        `the function given as option stderr threw: ${String(error)}; it misses that line (this is logged once)`
      )
    }
  }

  /** The others wait here and not in the stream, from which nothing can be taken back. */
  #write(stdin: Writable, write: Write): void {
    this.#writing = write
    this.#input?.begin(write.id, write.line)
    stdin.write(write.line, (error) => {
      // Of what a destroyed stream had not handed on, Node says that it was written.
      const isTaken = !error && !(stdin.destroyed && this.#writing === write)
      if (isTaken) {
        write.resolve()
        if (this.#writing === write) this.#flush(stdin)
      } else if (this.#loss === undefined && this.#closed === undefined) this.#failed.push(write)
      else write.reject(this.#unsent(true))
    })
    if (stdin.writableLength === 0) this.#writing = undefined
  }

  #flush(stdin: Writable): void {
    this.#writing = undefined
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      if (next.id === undefined) this.#room.release(bytesOf(next.line))
      else this.#waitingRequests.delete(next.id)
      this.#write(stdin, next)
      if (this.#writing !== undefined) return
    }
  }

  #settle(millis: number): void {
    const due = performance.now() + millis
    if (due >= this.#due) return
    this.#due = due
    clearTimeout(this.#settling)
    if (millis === 0) this.#framing.turns.run(0, () => this.#lose())
    // When busy, the timer is due before the pipe has been read: one more turn reads it.
    else this.#settling = setTimeout(() => setImmediate(() => this.#framing.turns.run(0, () => this.#lose())), millis)
  }

  #lose(): void {
    if (this.#loss !== undefined || this.#closed !== undefined) return
    this.#stderr.end()
    const exit = this.#group?.exit
    const message = this.#ended(exit)
    const cause = this.#hasHeaders
      ? new ConnectError({ backend: "", reason: "incompatible", permanent: true, message, cause: undefined })
      : undefined
    const loss: Loss = { kind: "closed", message, cause }
    this.#loss = loss
    if (exit !== undefined) this.#destroy()
    // Before the loss, with which requests end that may have been read.
    this.#failUnread()
    this.onlost?.(loss)
    this.#rejectAll()
  }

  #failUnread(): void {
    for (const { id, isPartlyRead } of this.#input?.unread ?? []) this.onfailed?.(id, this.#unsent(isPartlyRead))
  }

  #ended(exit: Exit | undefined): string {
    if (this.#hasHeaders) return `${this.#command()} ${framed}`
    const what = exit !== undefined
      ? describeExit(exit)
      : this.#framing.isEndless
      ? `wrote a line of more than ${this.#options.maxLineBytes} bytes to stdout, which is no message of the protocol`
      : "closed its stdin or stdout"
    if (this.#answered) return this.#seen(what)
    const seen = this.#seen(`${this.#command()} ${what} before it answered ${this.#asked}`)
    // A program that has failed says why.
    return exit?.code === 0 || exit === undefined || this.#noise.describe(this.#framing.begun) !== ""
      ? `${seen}: ${advice}`
      : seen
  }

  #rejectAll(): void {
    for (const write of this.#failed) write.reject(this.#unsent(true))
    for (const write of this.#waiting) write.reject(this.#unsent())
    this.#failed = []
    this.#room.close()
    this.#waiting.clear()
    this.#waitingRequests.clear()
  }

  #unsent(partlySent = false): RequestError {
    return new RequestError({
      fate: "notSent",
      reason: "lost",
      message: this.#loss?.message ?? "the process is being closed",
      cause: this.#loss?.cause,
      ...(partlySent ? { partlySent } : {})
    })
  }
}
