import type { Loss, RequestError } from "@mcp-lifeline/core"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { vi } from "vitest"
import { StdioTransport } from "../src/StdioTransport.js"
import { transportOptions } from "./support.js"

const open: Array<StdioTransport> = []
const directories: Array<string> = []

export const note = `{"jsonrpc":"2.0","method":"n"}`
export const answer = `{"jsonrpc":"2.0","id":1,"result":{}}`
/** Longer than what any pipe takes at once. */
export const long = { text: "x".repeat(1_000_000) }

/** A gate: `wait` is what a program of the shell says to wait until it is opened. */
export const gate = () => {
  const directory = mkdtempSync(join(tmpdir(), "stdio-"))
  directories.push(directory)
  const file = join(directory, "open")
  return { wait: `until [ -e '${file}' ]; do sleep 0.01; done`, open: () => writeFileSync(file, "") }
}

export const make = (script: string, more: Partial<ConstructorParameters<typeof StdioTransport>[0]> = {}) => {
  const warnings: Array<string> = []
  const losses: Array<Loss> = []
  const messages: Array<JSONRPCMessage> = []
  let closes = 0
  let lose: (loss: Loss) => void = () => {}
  const lost = new Promise<Loss>((resolve) => {
    lose = resolve
  })
  const transport = new StdioTransport({
    command: "/bin/sh",
    args: ["-c", script],
    env: { PATH: process.env["PATH"] ?? "" },
    ...transportOptions,
    warn: (message) => warnings.push(message),
    ...more
  })
  open.push(transport)
  transport.onlost = (loss) => {
    losses.push(loss)
    lose(loss)
  }
  transport.onmessage = (message: JSONRPCMessage) => messages.push(message)
  transport.onclose = () => {
    closes++
  }
  const send = (message: object): Promise<RequestError | undefined> =>
    transport.send({ jsonrpc: "2.0", ...message } as JSONRPCMessage)
      .then(() => undefined, (error: RequestError) => error)
  return { closes: () => closes, losses, lost, messages, send, transport, warnings }
}

/** Starts the process, and gives it: to break its pipes as no program can, and to know what has been seen of it. */
export const start = async (transport: StdioTransport): Promise<ChildProcessWithoutNullStreams> => {
  const started: Array<ChildProcessWithoutNullStreams> = []
  const onChild = (message: unknown): void => {
    started.push((message as { readonly process: ChildProcessWithoutNullStreams }).process)
  }
  subscribe("child_process", onChild)
  try {
    await transport.start()
  } finally {
    unsubscribe("child_process", onChild)
  }
  return started[0]!
}

export const event = (emitter: NodeJS.EventEmitter, name: string): Promise<void> =>
  new Promise((resolve) => {
    emitter.once(name, () => resolve())
  })

/** Also while time is held. */
const pause = ((real) => (): Promise<void> => new Promise((resolve) => real(resolve, 5)))(setTimeout)

export const until = async (test: () => boolean): Promise<void> => {
  while (!test()) await pause()
}

/** Until `closeAll`. */
export const holdTime = () => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"], now: 0 })

export const pass = async (millis: number): Promise<void> => {
  vi.advanceTimersByTime(millis)
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
}

export const closeAll = async (): Promise<void> => {
  let closed = false
  const closing = Promise.all(open.splice(0).map((transport) => transport.close())).finally(() => {
    closed = true
  })
  while (!closed) {
    if (vi.isFakeTimers()) vi.advanceTimersByTime(5)
    await pause()
  }
  vi.useRealTimers()
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
  await closing
}
