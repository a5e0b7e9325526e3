import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { gateway } from "../../../testing/test/support/Built.js"
import { unknownServer } from "../../src/conversation/introductions.js"
import * as InProcess from "./InProcess.js"
import { family } from "./Program.js"

export interface Message {
  readonly jsonrpc: "2.0"
  readonly id?: string | number
  readonly method?: string
  readonly params?: Record<string, any>
  readonly result?: Record<string, any>
  readonly error?: { readonly code: number; readonly message: string; readonly data?: any }
}

export type Answers = Readonly<Record<string, (params: any) => unknown>>

const guessed = unknownServer("any", "2025-11-25")

/** Whether an introduction is what a host is told that could not wait for the server any longer. A server of 2026-07-28 need not name itself either. */
export const isGuess = (introduction: Message["result"]): boolean =>
  introduction?.["serverInfo"]?.version === guessed.serverInfo.version && introduction["instructions"] === undefined &&
  Object.keys(guessed.capabilities).every((kind) => Object.hasOwn(introduction["capabilities"], kind))

export class Host {
  readonly child: ChildProcessWithoutNullStreams
  readonly messages: Array<Message> = []
  /** Lines of standard output that are no messages. */
  readonly strange: Array<string> = []
  stderr = ""
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  readonly #waiting = new Set<() => void>()
  #last = 0

  constructor(child: ChildProcessWithoutNullStreams, answers: Answers = {}) {
    this.child = child
    let rest = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) this.#line(line, answers)
      for (const wake of this.#waiting) wake()
    })
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.stderr += chunk
      for (const wake of this.#waiting) wake()
    })
    child.stdin.on("error", () => undefined)
    this.ended = new Promise((resolve) =>
      child.once("close", (code, signal) => {
        if (rest !== "") this.strange.push(rest)
        resolve({ code, signal })
        for (const wake of this.#waiting) wake()
      })
    )
  }

  static start(command: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv, answers?: Answers): Host {
    return new Host(spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe"] }), answers)
  }

  get url(): string | undefined {
    return this.strange.map((line) => /^Serving (http:\S+)$/.exec(line)?.[1]).find((url) => url !== undefined)
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  #line(line: string, answers: Answers): void {
    let message: Message
    try {
      message = JSON.parse(line)
    } catch {
      this.strange.push(line)
      return
    }
    this.messages.push(message)
    if (message.method !== undefined && message.id !== undefined && answers[message.method] !== undefined) {
      this.send({ jsonrpc: "2.0", id: message.id, result: answers[message.method]?.(message.params) as never })
    }
  }

  send(message: object): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  notify(method: string, params?: object): void {
    this.send({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) })
  }

  async request(method: string, params?: object, id: string | number = ++this.#last): Promise<Message> {
    this.send({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) })
    return this.until(() => this.messages.find((one) => one.id === id && one.method === undefined))
  }

  async result(method: string, params?: object): Promise<Record<string, any>> {
    const { error, result } = await this.request(method, params)
    if (result === undefined) throw new Error(`${method}: ${JSON.stringify(error)}`)
    return result
  }

  async call(name: string, args: object = {}): Promise<string> {
    return (await this.result("tools/call", { name, arguments: args }))["content"][0].text
  }

  /** Waits until there is what is looked for. Rejects where the process ends before that. */
  until<A>(look: () => A | undefined): Promise<A> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        const found = look()
        if (found !== undefined) resolve(found)
        else if (this.child.exitCode !== null && this.child.stdout?.readableEnded === true) {
          reject(new Error(`it ended before that: ${this.stderr}`))
        } else return
        this.#waiting.delete(wake)
      }
      this.#waiting.add(wake)
      wake()
    })
  }

  notified(method: string): ReadonlyArray<Message> {
    return this.messages.filter((message) => message.method === method && message.id === undefined)
  }

  /** What the server has said of its progress. What has a text is Lifeline's: of a server that takes long to start. */
  progress(): ReadonlyArray<Message> {
    return this.notified("notifications/progress").filter(({ params }) => params?.["message"] === undefined)
  }

  /** Gives the response, whatever it is. A guess is one only after the 8 s that a server has, or where a login is needed. */
  async introduction(
    capabilities: object = {},
    protocolVersion = "2025-11-25",
    isLoginNeeded = false
  ): Promise<Message> {
    const sentAt = performance.now()
    const response = await this.request("initialize", {
      protocolVersion,
      capabilities,
      clientInfo: { name: "test-host", version: "1" }
    })
    const took = performance.now() - sentAt
    if (isGuess(response.result) && took < 7900 && !isLoginNeeded) throw new Error(`a guess after ${took} ms`)
    return response
  }

  /** Begins the session. Waits for the server, also where the machine is so slow that `initialize` is answered without it. */
  async initialize(capabilities: object = {}, protocolVersion?: string): Promise<Record<string, any>> {
    const { error, result } = await this.introduction(capabilities, protocolVersion)
    if (result === undefined) throw new Error(`initialize: ${JSON.stringify(error)}`)
    this.notify("notifications/initialized")
    if (isGuess(result)) await this.#serverIsThere()
    return result
  }

  /** Waits for the lists that the host is told of when the server is there at last, and forgets them. */
  async #serverIsThere(): Promise<void> {
    const isAnnouncement = ({ method }: Message): boolean => /^notifications\/.*\/list_changed$/.test(method ?? "")
    await this.until(() => this.messages.find(isAnnouncement))
    // All of them are said at once, before this is answered.
    await this.request("ping")
    this.messages.splice(0, this.messages.length, ...this.messages.filter((message) => !isAnnouncement(message)))
  }

  get family(): ReadonlyArray<number> {
    const { child } = this
    return child instanceof InProcess.InProcess
      ? child.children.flatMap((pid) => [pid, ...family(pid)])
      : family(this.pid)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.stdin?.end()
    // Over HTTP, the end of its input is not the end of its clients.
    if (this.url !== undefined) this.child.kill("SIGTERM")
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 60_000)
    await this.ended
    clearTimeout(timer)
  }
}

interface StateFolder extends Disposable {
  readonly path: string
  /** Waits until the lists of a server are in it: they are written in the background, once the last of them is there. */
  readonly hasLists: () => Promise<void>
}

export const stateFolder = (): StateFolder => {
  const path = mkdtempSync(join(tmpdir(), "lifeline-state-"))
  const servers = join(path, "servers")
  const isKept = () =>
    existsSync(servers) &&
    readdirSync(servers).some((name) => readFileSync(join(servers, name), "utf8").includes('"tools/list"'))
  return {
    path,
    hasLists: async () => {
      while (!isKept()) await sleep(20)
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 })
  }
}

export const options = (...given: ReadonlyArray<string>): ReadonlyArray<string> =>
  given.flatMap((one) => ["--option", one])

interface Surroundings {
  readonly answers?: Answers
  readonly env?: NodeJS.ProcessEnv
  /** The state folder. Default: one of its own. */
  readonly state?: string
}

const begin = (
  start: (env: NodeJS.ProcessEnv) => ChildProcessWithoutNullStreams,
  { answers, env, state }: Surroundings
): Host => {
  const own = state === undefined ? stateFolder() : undefined
  const host = new Host(start({ ...process.env, MCP_LIFELINE_STATE: state ?? own?.path, ...env }), answers)
  void host.ended.then(() => own?.[Symbol.dispose]())
  return host
}

export const wrap = (args: ReadonlyArray<string>, surroundings: Surroundings = {}): Host =>
  begin((env) => InProcess.start(["wrap", ...args], env), surroundings)

export const serve = (command: ReadonlyArray<string>): Host =>
  begin((env) => InProcess.start(["serve", "--port", "0", ...command], env), {})

export const startWrap = (args: ReadonlyArray<string>, surroundings: Surroundings = {}): Host =>
  begin((env) => spawn(process.execPath, [gateway, "wrap", ...args], { env }), surroundings)

/** The same, in a session. */
export const initialized = async (
  args: ReadonlyArray<string>,
  { capabilities, run = wrap, ...surroundings }: Surroundings & {
    readonly capabilities?: object
    readonly run?: typeof wrap
  } = {}
): Promise<Host> => {
  const host = run(args, surroundings)
  try {
    await host.initialize(capabilities)
    return host
  } catch (error) {
    await host[Symbol.asyncDispose]()
    throw error
  }
}

/** The same once the server itself has introduced itself, which the host is told, if not the first time, then the second. */
export const introduced = async (
  args: ReadonlyArray<string>,
  surroundings?: Surroundings
): Promise<{ readonly host: Host; readonly introduction: Record<string, any> }> => {
  for (;;) {
    const host = wrap(args, surroundings)
    const introduction = await host.initialize()
    if (!isGuess(introduction)) return { host, introduction }
    await host[Symbol.asyncDispose]()
  }
}

const lastError = async (host: Host): Promise<string> => {
  for (;;) {
    const { error } = await host.request("tools/call", { name: "any", arguments: {} })
    if (error === undefined) throw new Error("the call was answered")
    if (!/no connection came/.test(error.message) || /last error/.test(error.message)) return error.message
  }
}

/** Why a server cannot be used: `initialize` is answered with it where it never will be, else, and on a slow machine, a call is. */
export const refusal = async (host: Host): Promise<string> => {
  const { error } = await host.introduction()
  if (error === undefined) return lastError(host)
  const { code } = await host.ended
  if (code !== 1) throw new Error(`it ended with ${code}: ${host.stderr}`)
  return error.message
}
