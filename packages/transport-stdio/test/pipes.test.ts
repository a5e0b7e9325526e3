import { Bytes } from "@mcp-lifeline/core/text"
import { afterEach, assert, describe, it } from "vitest"
import { unreadLimits } from "../src/StdinQueue.js"
import * as Pause from "./Pause.js"
import { answer, closeAll, event, gate, holdTime, long, make, note, pass, start, until } from "./transport.js"

describe("the pipes of a process", () => {
  afterEach(closeAll)

  it("[C19:real] behind a full pipe: what waits is taken back once, and none of it has left when the process is closed", async () => {
    const { losses, send, transport } = make("exec sleep 100")
    await transport.start()
    const first = send({ id: 1, method: "ping", params: long })
    const second = send({ id: 2, method: "ping" })
    const third = send({ id: 3, method: "ping" })
    const told = send({ method: "notifications/x" })
    assert.deepStrictEqual([2, 2, 1, 9].map((id) => transport.withdraw(id)), [true, false, false, false])
    assert.deepInclude(await second, { fate: "notSent", reason: "lost" })
    await transport.close()
    assert.isFalse(transport.withdraw(3))
    for (const ended of [third, told]) assert.deepInclude(await ended, { fate: "notSent", reason: "lost" })
    // Of this one the pipe has a part. Where the exit is seen before the broken pipe, Node does not say that it was no more.
    await first
    assert.deepStrictEqual(losses, [])
  })

  it(
    "[X5:real] behind a full pipe, notifications wait up to a limit, and more are not sent; requests wait all the same",
    async () => {
      const { send, transport } = make("exec sleep 100")
      await transport.start()
      const first = send({ id: 1, method: "ping", params: long })
      const count = Math.ceil(unreadLimits.bytes / long.text.length)
      const told = Array.from({ length: count }, () => send({ method: "notifications/x", params: long }))
      const request = send({ id: 2, method: "ping", params: long })
      const refused = await told.at(-1)
      assert.deepInclude(refused, { fate: "notSent", reason: "network" })
      assert.include(refused?.message, "does not read its stdin")
      assert.isTrue(transport.withdraw(2))
      assert.deepInclude(await request, { fate: "notSent", reason: "lost" })
      await transport.close()
      for (const one of await Promise.all(told.slice(0, -2))) assert.deepInclude(one, { reason: "lost" })
      await first
    },
    300_000
  )

  it.runIf(process.platform !== "win32")(
    "[X5:real] what the pipe has taken makes room for as many notifications again, in number and in bytes",
    async () => {
      const { send, transport } = make("exec grep nothing")
      const { pid = 0 } = await start(transport)
      const refused = { fate: "notSent", reason: "network" } as const
      for (
        const [count, params] of [[unreadLimits.count, {}], [Math.floor(unreadLimits.bytes / 1_000_100), long]] as const
      ) {
        for (let round = 0; round < 2; round++) {
          Pause.stop(pid)
          const request = send({ id: round, method: "ping", params: long })
          const told = Array.from({ length: count }, () => send({ method: "notifications/x", params }))
          assert.deepInclude(await send({ method: "notifications/x", params: long }), refused)
          Pause.resume(pid)
          assert.lengthOf((await Promise.all([request, ...told])).filter((one) => one !== undefined), 0)
        }
      }
    },
    60_000
  )

  it("[C19:real] what the pipe has in part when the process closes it was not sent, also during a close", async () => {
    const [broken, ended] = [gate(), gate()]
    const { losses, send, transport } = make(`trap '' TERM; echo up; ${broken.wait}; exec <&-; ${ended.wait}`)
    const up = event((await start(transport)).stdout, "data")
    const sent = send({ id: 1, method: "ping", params: long })
    await up
    const closing = transport.close()
    const notSent = { fate: "notSent", message: "the process is being closed" } as const
    assert.deepInclude(await send({ id: 2, method: "ping" }), notSent)
    broken.open()
    assert.deepInclude(await sent, notSent)
    ended.open()
    await closing
    assert.deepStrictEqual(losses, [])
  })

  it("[S3] what waits for a pipe when the process ends was not sent; its loss comes first", async () => {
    const { lost, send, transport } = make("sleep 0.1; exit 5")
    await transport.start()
    const order: Array<string> = []
    void lost.then(() => order.push("lost"))
    const first = send({ id: 1, method: "ping", params: long })
    const waiting = [2, 3].map((id) =>
      send({ id, method: "ping", params: long }).then((error) => {
        order.push(`${id}`)
        return error
      })
    )
    const { message } = await lost
    assert.include(message, "exited with code 5 before it answered ping")
    for (const error of await Promise.all(waiting)) assert.deepInclude(error, { fate: "notSent", message })
    assert.deepStrictEqual(order, ["lost", "2", "3"])
    await first
  })

  it("[S9] nothing is read while its reader cannot take more, and all of it at the end", async () => {
    let resume: () => void = () => {}
    const drained = new Promise<void>((resolve) => {
      resume = resolve
    })
    const held = gate()
    const lines: Array<string> = []
    const { messages, transport } = make(
      `echo '${note}'; ${held.wait}; echo '${note}'; echo written >&2; exec sleep 100`,
      { onStderr: (line) => lines.push(line) }
    )
    let asked = 0
    transport.drained = () => asked++ === 0 ? drained : undefined
    await transport.start()
    await until(() => messages.length === 1)
    held.open()
    await until(() => lines.length === 1)
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.lengthOf(messages, 1)
    resume()
    await until(() => messages.length === 2)
  })

  it("[S9] what comes while its reader cannot take more, and what a program writes before it ends, is read at the end", async () => {
    // Without time, only what has been read to its end is lost.
    holdTime()
    const { lost, messages, send, transport } = make(
      `echo '${note}'; read go; echo '${note}'; printf '%100000s\\n'; echo '${note}'`,
      { maxMessageBytes: Bytes(1_000_000) }
    )
    transport.drained = () => {
      void send({ method: "go" })
      return new Promise(() => {})
    }
    await transport.start()
    await lost
    assert.lengthOf(messages, 3)
  })

  it("[S3] long messages, which are handled in later turns, come before the end of their program", async () => {
    holdTime()
    const many = Array.from({ length: 30 }, () => `{"jsonrpc":"2.0","method":"x","params":{"long":"%270000s"}}\\n`)
    const { lost, messages, transport } = make(`printf '${many.join("")}'; echo '${note}'`, {
      maxMessageBytes: Bytes(2_000_000)
    })
    await transport.start()
    await lost
    assert.strictEqual(messages.length, many.length + 1)
  })

  it("[S2] a close reads on, without its reader: a server that cannot write would not see the end of its stdin", async () => {
    const script =
      `read go; echo '${answer}'; head -c 1000000 /dev/zero | tr '\\0' '\\n'; echo '${note}'; read end; exit 5`
    const { messages, send, transport } = make(script, { stdinGrace: 600_000 })
    let asked = 0
    transport.drained = () => {
      asked++
      return new Promise(() => {})
    }
    const child = await start(transport)
    await send({ id: 1, method: "initialize" })
    await until(() => asked > 0)
    const before = asked
    await transport.close()
    // By itself, not by a signal.
    assert.deepStrictEqual([messages.length, asked, child.exitCode], [1, before, 5])
  })

  it.skipIf(process.platform !== "linux")("[S2] a daemon that holds the pipes holds none of ours", async () => {
    const lines: Array<string> = []
    const { transport } = make(`setsid sh -c 'echo $$ >&2; exec sleep 100' & exec cat`, {
      onStderr: (line) => lines.push(line)
    })
    const closed = event(await start(transport), "close")
    await until(() => lines.length === 1)
    await transport.close()
    await closed
    process.kill(Number(lines[0]), "SIGKILL")
  })

  it("[C19:real] [S9] only what waits is taken back, and only a request: what the pipe has taken is sent", async () => {
    const held = gate()
    const { messages, send, transport } = make(`${held.wait}; exec cat`, { maxMessageBytes: Bytes(3_000_000) })
    await transport.start()
    const small = [send({ id: 1, method: "a" }), send({ id: 2, method: "b" })]
    assert.isFalse(transport.withdraw(2))
    const others = [
      send({ id: 3, method: "c", params: long }),
      send({ id: 4, result: {} }),
      send({ id: 5, method: "d" }),
      send({ method: "e" }),
      send({ id: 6, method: "f" })
    ]
    await Promise.all(small)
    assert.deepStrictEqual([1, 2, 3, 4, 5].map((id) => transport.withdraw(id)), [false, false, false, false, true])
    assert.deepInclude(await others[2], { fate: "notSent" })
    held.open()
    await until(() => messages.length === 6)
    assert.deepStrictEqual(
      messages.map((message) => "method" in message ? message.method : message.id),
      ["a", "b", "c", 4, "e", "f"]
    )
    for (const [index, sent] of others.entries()) if (index !== 2) assert.isUndefined(await sent)
  })

  it("[C19:real] behind one that the pipe has taken in part, the next still waits", async () => {
    const text = "x".repeat(1_000_000)
    const first = { id: 1, method: "ping", params: { text } }
    const bytes = JSON.stringify({ jsonrpc: "2.0", ...first }).length + 1
    const { send, transport } = make(`head -c ${bytes} >&2; exec sleep 100`)
    await transport.start()
    const sent = [send(first), send({ id: 2, method: "ping", params: long }), send({ id: 3, method: "ping" })]
    await sent[0]
    assert.deepStrictEqual([1, 2, 3].map((id) => transport.withdraw(id)), [false, false, true])
    await transport.close()
    await sent[1]
  })

  it("[S3] an end is known at once when all pipes have been read; one that has closed a pipe has time to end first", async () => {
    holdTime()
    const { lost, send, transport } = make("exec >&-; read end; exit 3")
    const child = await start(transport)
    await event(child.stdout, "close")
    await pass(199)
    await send({ id: 1, method: "ping" })
    assert.include((await lost).message, "exited with code 3 before it answered ping")
  })

  it("[S3] a process that has closed a pipe and lives on is lost after a while, and still heard", async () => {
    holdTime()
    const held = gate()
    const lines: Array<string> = []
    const { losses, send, transport } = make(`exec >&-; ${held.wait}; echo later >&2; exec <&-; exec sleep 100`, {
      onStderr: (line) => lines.push(line)
    })
    const child = await start(transport)
    const written = send({ id: 1, method: "ping", params: long })
    await event(child.stdout, "close")
    await pass(199)
    assert.deepStrictEqual(losses, [])
    await pass(1)
    assert.include(losses[0]?.message ?? "", "closed its stdin or stdout before")
    assert.deepInclude(await send({ id: 2, method: "ping" }), { fate: "notSent", message: losses[0]!.message })
    held.open()
    await until(() => lines.includes("later"))
    // What the pipe has in part ends with the pipe, also where nobody closes.
    assert.deepInclude(await written, { fate: "notSent", message: losses[0]!.message })
    assert.lengthOf(losses, 1)
  })

  it("[S3] a write to a process that has closed its stdin is not sent, and the process lost", async () => {
    holdTime()
    const held = gate()
    const { losses, send, transport } = make(`${held.wait}; exec <&-; exec sleep 100`)
    const child = await start(transport)
    const closed = event(child.stdio[0], "close")
    const partly = send({ id: 1, method: "ping", params: long })
    const waiting = send({ id: 2, method: "ping" })
    held.open()
    await closed
    const late = send({ id: 3, method: "initialize" })
    await pass(199)
    assert.deepStrictEqual(losses, [])
    await pass(1)
    const message = losses[0]?.message ?? ""
    assert.include(message, "closed its stdin or stdout before it answered initialize")
    for (const ended of [partly, waiting, late]) assert.deepInclude(await ended, { fate: "notSent", message })
  })

  it("[S3] who holds the pipes of a process that has ended delays its loss only a moment, and is not heard after it", async () => {
    holdTime()
    const held = gate()
    const { losses, send, transport } = make(
      `(trap '' TERM; echo up >&2; ${held.wait}; exec sleep 100 >&-) & read end; exit 3`
    )
    const child = await start(transport)
    await event(child.stderr, "data")
    const [exit, pipes] = [event(child, "exit"), event(child, "close")]
    await send({ id: 1, method: "ping" })
    await exit
    const late = send({ id: 2, method: "initialize" })
    await pass(30)
    // That the holder closes one of them now changes nothing.
    const closed = event(child.stdout, "close")
    held.open()
    await closed
    await pass(19)
    assert.deepStrictEqual(losses, [])
    await pass(1)
    assert.include(losses[0]?.message ?? "", "exited with code 3 before it answered initialize")
    assert.deepInclude(await late, { fate: "notSent", message: losses[0]!.message })
    await pipes
    process.kill(-child.pid!, "SIGKILL")
  })

  for (const listens of [true, false]) {
    it(`[S3] pipes that break are no end of this program, where somebody listens: ${listens}`, async () => {
      holdTime()
      const { losses, transport } = make("exec sleep 100")
      const errors: Array<string> = []
      if (listens) transport.onerror = ({ message }) => errors.push(message)
      const child = await start(transport)
      for (const stream of [child.stderr, child.stdout]) {
        const closed = event(stream, "close")
        stream.destroy(new Error(stream === child.stderr ? "stderr" : "stdout"))
        await closed
      }
      assert.deepStrictEqual([errors, losses], [listens ? ["stderr", "stdout"] : [], []])
      await pass(200)
      assert.lengthOf(losses, 1)
    })
  }
})
