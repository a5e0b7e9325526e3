import { Bytes } from "@mcp-lifeline/core/text"
import { afterEach, assert, describe, it } from "vitest"
import { livingIn } from "./support.js"
import { answer, closeAll, event, gate, make, note, start, until } from "./transport.js"

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => undefined, (error: unknown) => error)

describe("the transport of a process", () => {
  afterEach(closeAll)

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
    const { closes, losses, send, transport } = make("", { command: "/no/such/program" })
    assert.include(String(await rejection(transport.start())), "/no/such/program")
    assert.deepInclude(await send({ id: 1, method: "ping" }), { fate: "notSent", reason: "lost" })
    await transport.close()
    assert.deepStrictEqual([closes(), losses], [1, []])
  })

  const ends: ReadonlyArray<readonly [string, string, ReadonlyArray<string>, boolean]> = [
    [
      "fails",
      "echo why >&2; exit 3",
      ["exited with code 3 before it answered its first request", "stderr: why"],
      false
    ],
    ["ends", "exit 0", ["exited with code 0 before"], true],
    [
      "has a last line on stderr without an end",
      "printf why >&2; exit 3",
      ["with code 3 before", "stderr: why"],
      false
    ],
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

  it("[S3] one that nobody listens to is lost and closed like any other", async () => {
    const { send, transport } = make(`echo '${note}'; echo said >&2; exit 3`)
    for (const name of ["onmessage", "onlost", "onclose"] as const) transport[name] = undefined
    await event(await start(transport), "close")
    assert.include((await send({ id: 1, method: "ping" }))?.message, "exited with code 3")
    await transport.close()
  })

  it("[S2] nothing is handed on or logged after the close", async () => {
    const held = gate()
    const script = `trap '' TERM; echo noise; echo noise; echo '${note}'; read end; echo '${note}'; ${held.wait}`
    const { closes, losses, messages, transport, warnings } = make(script)
    const child = await start(transport)
    await until(() => messages.length === 1)
    const [more, ended] = [event(child.stdout, "data"), event(child, "close")]
    const closing = transport.close()
    await more
    held.open()
    await closing
    await ended
    assert.deepStrictEqual([messages.length, warnings, losses, closes()], [1, [], [], 1])
  })

  it("[S4] nothing is read behind a line that has no end, not even when the program has ended", async () => {
    const held = gate()
    const { lost, messages, send, transport } = make(
      `printf '%5000s' x; ${held.wait}; echo; echo '${note}'`,
      { maxMessageBytes: Bytes(1_000), maxLineBytes: Bytes(4_000) }
    )
    const child = await start(transport)
    const { message } = await lost
    assert.include(
      message,
      "wrote a line of more than 4000 bytes to stdout, which is no message of the protocol before"
    )
    assert.include(message, "check that command and args")
    held.open()
    await event(child, "close")
    assert.deepStrictEqual(messages, [])
    assert.deepInclude(await send({ id: 1, method: "ping" }), { fate: "notSent", message })
  })

  it("[S4] several messages in one line are taken apart, and what is none among them is skipped", async () => {
    const { lost, messages, transport } = make(`echo '[${note},7,${note},null]'; exit 3`)
    await transport.start()
    assert.include((await lost).message, "2 lines on stdout were not JSON-RPC")
    assert.lengthOf(messages, 2)
  })

  it("[S3] the error names the last request that was sent before the server answered, and no other message", async () => {
    const { lost, send, transport } = make("read a; read b; read c; read d; exit 3")
    await transport.start()
    for (const message of [{ id: 1, method: "server/discover" }, { id: 2, method: "initialize" }]) await send(message)
    for (const message of [{ method: "notifications/x" }, { id: 9, result: {} }]) await send(message)
    assert.include((await lost).message, "exited with code 3 before it answered initialize")
  })

  it("[S3] a server that has answered needs no advice when it ends", async () => {
    const { lost, send, transport, warnings } = make(
      `read a; echo noise; echo '${answer}'; echo bye >&2; read b; exit 0`
    )
    await transport.start()
    await send({ id: 1, method: "initialize" })
    await until(() => warnings.length > 0)
    await send({ method: "notifications/x" })
    assert.strictEqual((await lost).message, "exited with code 0; stderr: bye")
    await transport.close()
    assert.lengthOf(warnings, 1)
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
