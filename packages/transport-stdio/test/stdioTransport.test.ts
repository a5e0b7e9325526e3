/** The transport alone, over small programs of the shell, which start at once. */
import type { Loss, RequestError } from "@mcp-lifeline/core"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { afterEach, assert, describe, it } from "vitest"
import { StdioTransport } from "../src/StdioTransport.js"
import { livingIn, transportOptions } from "./support.js"

const open: Array<StdioTransport> = []

const make = (script: string, more: Partial<ConstructorParameters<typeof StdioTransport>[0]> = {}) => {
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
  /** Sends a message; gives the error, or undefined where it has left. */
  const send = (message: object): Promise<RequestError | undefined> =>
    transport.send({ jsonrpc: "2.0", ...message } as JSONRPCMessage)
      .then(() => undefined, (error: RequestError) => error)
  return { closes: () => closes, losses, lost, messages, send, transport, warnings }
}

const until = async (test: () => boolean): Promise<void> => {
  while (!test()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => undefined, (error: unknown) => error)

describe("the transport of a process", () => {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((transport) => transport.close()))
  })

  it("[S2] is started once, and not after its close; before and after nothing is sent", async () => {
    const running = make("exec sleep 100")
    assert.deepInclude(await running.send({ id: 1, method: "ping" }), { fate: "notSent", reason: "lost" })
    await running.transport.start()
    assert.instanceOf(await rejection(running.transport.start()), Error)
    const { pid } = running.transport.peer
    const closed = running.transport.close()
    assert.strictEqual(running.transport.close(), closed)
    assert.deepInclude(await running.send({ id: 1, method: "ping" }), {
      fate: "notSent",
      message: "the process is being closed"
    })
    await closed
    assert.deepStrictEqual([running.closes(), running.losses, livingIn(pid!)], [1, [], []])
    const never = make("exec sleep 100")
    await never.transport.close()
    assert.instanceOf(await rejection(never.transport.start()), Error)
    assert.deepStrictEqual([never.closes(), never.transport.peer.pid], [1, undefined])
  })

  it("[S6] one that cannot be started says so, and leaves nothing to close", async () => {
    const { closes, losses, transport } = make("", { command: "/no/such/program" })
    assert.include(String(await rejection(transport.start())), "/no/such/program")
    await transport.close()
    assert.deepStrictEqual([closes(), losses], [1, []])
  })

  it("[C19:real] behind a full pipe: what waits is taken back once, and none of it has left when the process is closed", async () => {
    const { losses, send, transport } = make("exec sleep 100")
    await transport.start()
    const first = send({ id: 1, method: "ping", params: { text: "x".repeat(1_000_000) } })
    const second = send({ id: 2, method: "ping" })
    const third = send({ id: 3, method: "ping" })
    const told = send({ method: "notifications/x" })
    assert.deepStrictEqual([2, 2, 1, 9].map((id) => transport.withdraw(id)), [true, false, false, false])
    assert.deepInclude(await second, { fate: "notSent", reason: "lost" })
    await transport.close()
    assert.isFalse(transport.withdraw(3))
    for (const ended of [first, third, told]) assert.deepInclude(await ended, { fate: "notSent", reason: "lost" })
    assert.deepStrictEqual(losses, [])
  })

  it("[S9] what waited is written in its order, and is as sent as any other", async () => {
    const { messages, send, transport } = make("sleep 0.2; exec cat", { maxMessageBytes: 3_000_000 })
    await transport.start()
    const text = "x".repeat(500_000)
    const ids = [1, 2, 3, 4]
    const sent = ids.map((id) => send({ id, method: "ping", params: { text } }))
    assert.deepStrictEqual(await Promise.all(sent), ids.map(() => undefined))
    await until(() => messages.length === ids.length)
    assert.deepStrictEqual(messages.map((message) => (message as { readonly id: number }).id), ids)
    assert.deepStrictEqual(ids.map((id) => transport.withdraw(id)), ids.map(() => false))
  })

  const ends: ReadonlyArray<readonly [string, string, ReadonlyArray<string>, boolean]> = [
    [
      "fails",
      "echo why >&2; exit 3",
      ["exited with code 3 before it answered its first request", "stderr: why"],
      false
    ],
    ["ends", "exit 0", ["exited with code 0 before"], true],
    ["is killed", "kill -9 $$", ["was killed by SIGKILL before"], false],
    ["writes what is no message, and fails", "echo noise; echo more; exit 3", [
      "2 lines on stdout were",
      'first "noise"'
    ], true],
    ["asks a question, and fails", "printf 'sure? '; exit 3", ["1 line on stdout was", 'last "sure?"'], true],
    ["closes its stdout", "exec sleep 100 >&-", ["closed its stdin or stdout before"], true]
  ]
  for (const [what, script, words, advised] of ends) {
    it(`[S3] a program that ${what} is lost, once, and its error says what is known`, async () => {
      const { losses, lost, send, transport } = make(script)
      await transport.start()
      const { message } = await lost
      for (const word of words) assert.include(message, word)
      assert.strictEqual(message.includes("check that command and args"), advised)
      const late = await send({ id: 1, method: "ping" })
      assert.deepInclude(late, { fate: "notSent", reason: "lost", message })
      await transport.close()
      assert.lengthOf(losses, 1)
    })
  }

  it("[S3] what waits for a pipe when the process ends was not sent; its loss comes first", async () => {
    const { lost, send, transport } = make("sleep 0.1; exit 5")
    await transport.start()
    const order: Array<string> = []
    void lost.then(() => order.push("lost"))
    const all = [1, 2].map((id) =>
      send({ id, method: "ping", params: { text: "x".repeat(1_000_000) } }).then((error) => {
        order.push(`${id}`)
        return error
      })
    )
    const { message } = await lost
    assert.include(message, "exited with code 5 before it answered ping")
    for (const error of await Promise.all(all)) assert.deepInclude(error, { fate: "notSent", message })
    assert.strictEqual(order[0], "lost")
  })

  it("[S4] noise is told once it is known to be a server, and counted at the close", async () => {
    const script =
      `read line; echo noise; echo '{"jsonrpc":"2.0","id":1,"result":{}}'; echo more; echo '  '; echo '{"jsonrpc":"2.0","method":"n"}'; read line`
    const { messages, send, transport, warnings } = make(script)
    await transport.start()
    assert.include(transport.describe() ?? "", "has not answered its first request")
    await send({ id: 1, method: "initialize" })
    await until(() => messages.length > 0)
    assert.lengthOf(warnings, 1)
    assert.include(warnings[0]!, '"noise"')
    assert.isUndefined(transport.describe())
    await until(() => messages.length === 2)
    await transport.close()
    assert.deepStrictEqual(warnings.slice(1), ["2 lines on stdout were not JSON-RPC"])
  })

  it("[S9] nothing is read while its reader cannot take more, and all of it at the end", async () => {
    let resume: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      resume = resolve
    })
    const message = `{"jsonrpc":"2.0","method":"n"}`
    const { messages, transport } = make(`echo '${message}'; sleep 0.1; echo '${message}'; exec sleep 100`)
    let asked = 0
    transport.drained = () => asked++ === 0 ? held : undefined
    await transport.start()
    await until(() => messages.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.lengthOf(messages, 1)
    resume()
    await until(() => messages.length === 2)
    // One that has ended is read to its end, whoever reads.
    const ended = make(`echo '${message}'; echo '${message}'`)
    ended.transport.drained = () => new Promise(() => {})
    await ended.transport.start()
    await ended.lost
    assert.lengthOf(ended.messages, 2)
  })

  it("[S3] a listener to stderr that throws ends nothing, and is logged once", async () => {
    const lines: Array<string> = []
    const { lost, transport, warnings } = make("echo a >&2; echo b >&2; echo c >&2", {
      onStderr: (line) => {
        lines.push(line)
        throw new Error("a listener")
      }
    })
    await transport.start()
    await lost
    assert.deepStrictEqual(lines, ["a", "b", "c"])
    assert.lengthOf(warnings, 1)
    assert.include(warnings[0]!, "a listener")
  })
})
