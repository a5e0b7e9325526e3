import type { Connection, Loss, Peer, ProcessSight, ResourceUsage } from "@mcp-lifeline/core"
import { ConnectError, RequestError } from "@mcp-lifeline/core"
import { type Bytes, ExactJson } from "@mcp-lifeline/core/text"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { Arrivals, Messages, Oversized } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { Framing } from "./Framing.js"
import * as Installer from "./Installer.js"
import type { Exit, Options as GroupOptions } from "./ProcessGroup.js"
import { describeExit, ProcessGroup } from "./ProcessGroup.js"
import * as Secrets from "./Secrets.js"
import * as Sight from "./Sight.js"
import * as SpawnFailure from "./SpawnFailure.js"
import { StderrTail } from "./StderrTail.js"
import { StdinQueue, unreadLimits } from "./StdinQueue.js"
import { HeaderFraming, StdoutNoise } from "./StdoutNoise.js"
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

/** Milliseconds for the last output; a grandchild may hold the pipe open for ever. */
const lastWords = 50
/** Milliseconds from a closed stdout or stdin to the exit, so that the loss can say how. */
const lastSteps = 200

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
  #stdin: StdinQueue | undefined
  #stderrFailed = false
  readonly #noise: StdoutNoise
  readonly #headers = new HeaderFraming()
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

  get #isOver(): boolean {
    return this.#loss !== undefined || this.#closed !== undefined
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
    const unread = new UnreadInput(stdin, pid, () => group.exit !== undefined)
    this.#stdin = new StdinQueue(stdin, unread, () => this.#isOver)
    child.stdout.on("data", (chunk: Buffer) => {
      this.#framing.push(
        chunk,
        (frame) => frame._tag === "Line" ? { line: frame.text, read: Messages.read(frame.text) } : frame,
        (frame) => this.#onFrame(frame)
      )
      if (!this.#answered && this.#headers.isUsed(this.#framing.begun, this.#framing.begunBytes)) this.#lose(true)
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
      unread.failed(error)
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
    const stdin = this.#stdin
    if (stdin === undefined || this.#isOver) return Promise.reject(this.#unsent())
    const line = `${ExactJson.stringify(message)}\n`
    const request = "method" in message && "id" in message ? message : undefined
    if (request !== undefined && !this.#answered) this.#first = request
    return new Promise((resolve, reject) => {
      const unsent = (isPartlySent: boolean) => reject(this.#unsent(isPartlySent))
      if (stdin.add({ id: request?.id, line, resolve, reject: unsent })) return
      const held =
        `${this.#command()} does not read its stdin, and ${unreadLimits.bytes} bytes wait for that, the maximum`
      reject(new RequestError({ fate: "notSent", reason: "network", message: held }))
    })
  }

  withdraw(id: RequestId): boolean {
    return this.#stdin?.withdraw(id) === true
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
    this.#stdin?.unread.ended()
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
    this.#stdin?.end()
    const { count } = this.#noise
    if (this.#answered && count > 1) this.#options.warn(`${count} lines on stdout were not JSON-RPC`)
    try {
      await this.#group?.shutdown()
    } finally {
      const finished = this.#group?.finished
      if (finished === undefined) this.#group?.destroyStreams()
      else this.#letFinish(finished)
      this.onclose?.()
    }
  }

  #letFinish(finished: Promise<void>): void {
    const { installing } = this.#options
    const ended = finished.catch(() => {}).finally(() => {
      installing?.delete(ended)
      this.#group?.destroyStreams()
    })
    installing?.add(ended)
  }

  #onFrame(frame: Oversized.Oversized | { readonly line: string; readonly read: Messages.Read }): void {
    if (this.#closed !== undefined) return
    if (!("line" in frame)) return this.#onTooLong(frame)
    const { line, read: { isJson, messages, unread } } = frame
    if (isJson) this.#headers.forget()
    else if (!this.#answered && this.#headers.add(line)) this.#lose(true)
    for (const one of unread) {
      this.#noise.add(one.text)
      if (this.#noise.count === 1 && this.#answered) this.#options.warn(this.#noise.warning)
      this.onunread?.(one)
    }
    for (const message of messages) this.#onMessage(message)
  }

  #onMessage(message: JSONRPCMessage): void {
    if (!("method" in message)) {
      if (!this.#answered && this.#isBegun(message)) this.#handshake()
      this.#stdin?.unread.answered(message.id)
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

  /** Undefined once the first request is answered. */
  describe(): string | undefined {
    const { pid } = this.peer
    if (pid === undefined || this.#answered) return undefined
    const seen = this.#seen(`${this.#command()} runs (pid ${pid}) but has not answered ${this.#asked}`)
    if (this.#isLifeless) {
      return `${seen}: ${advice}, and not one that waits for Content-Length headers, as language servers do`
    }
    const { installer } = this.#options
    if (installer !== undefined) return `${seen}: ${Installer.downloading(installer)}`
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
    if (frame.isResponse) this.#stdin?.unread.answered(frame.id)
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

  #settle(millis: number): void {
    const due = performance.now() + millis
    if (due >= this.#due) return
    this.#due = due
    clearTimeout(this.#settling)
    if (millis === 0) this.#framing.turns.run(0, () => this.#lose())
    // When busy, the timer is due before the pipe has been read: one more turn reads it.
    else this.#settling = setTimeout(() => setImmediate(() => this.#framing.turns.run(0, () => this.#lose())), millis)
  }

  #lose(hasHeaders = false): void {
    if (this.#isOver) return
    this.#stderr.end()
    const exit = this.#group?.exit
    const message = hasHeaders ? `${this.#command()} ${framed}` : this.#ended(exit)
    const cause = hasHeaders
      ? new ConnectError({ backend: "", reason: "incompatible", permanent: true, message, cause: undefined })
      : undefined
    const loss: Loss = { kind: "closed", message, cause }
    this.#loss = loss
    if (exit !== undefined) this.#group?.destroyStreams()
    // Before the loss, with which requests end that may have been read.
    this.#failUnread()
    this.onlost?.(loss)
    this.#stdin?.end()
  }

  #failUnread(): void {
    for (const { id, isPartlyRead } of this.#stdin?.unread.requests ?? []) {
      this.onfailed?.(id, this.#unsent(isPartlyRead))
    }
  }

  #ended(exit: Exit | undefined): string {
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
