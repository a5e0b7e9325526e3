import { spawn } from "node:child_process"
import { once } from "node:events"
import { PassThrough, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { StdioHost } from "../../src/wrap/StdioHost.js"
import { type Host, initialized, startWrap } from "../support/Host.js"
import { alive } from "../support/Program.js"
import { scripted } from "../support/Scripted.js"

const flood = fileURLToPath(new URL("../fixtures/flood.mjs", import.meta.url))

const served = async () => {
  const child = spawn(process.execPath, [flood, "http"], { stdio: ["ignore", "pipe", "pipe"] })
  let stderr = ""
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk))
  const [url] = await once(child.stdout.setEncoding("utf8"), "data") as [string]
  return {
    url: url.trim(),
    said: () => stderr,
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await once(child, "exit")
    }
  }
}

const until = async <A>(look: () => A | undefined): Promise<A> => {
  for (;;) {
    const found = look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const stopReading = async (host: Host, stderr: () => string): Promise<void> => {
  await host.initialize()
  const called = host.request("tools/call", { name: "flood", arguments: {} })
  host.child.stdout?.pause()
  const [, stuck = ""] = await until(() => /stuck at (\d+)|never stuck/.exec(stderr()) ?? undefined)
  // Of the hundred megabytes that it would say, the few that pipes and we hold.
  assert.isBelow(Number(stuck), 10_000)
  assert.notStrictEqual(stuck, "")
  host.child.stdout?.resume()
  const answer = await called
  const numbers = host.notified("notifications/message").map(({ params }) => params?.["data"].n as number)
  assert.deepEqual(numbers, Array.from({ length: Number(answer.result?.["content"][0].text) + 1 }, (_, n) => n))
}

const loud = scripted(`
  const text = "x".repeat(1000) + "\\n"
  let left = Number(name)
  const next = () => left-- > 0 ? process.stderr.write(text, next) : send(said("said"))
  next()`)

const hostThatReads = (output: Writable, onEnd: (why: string) => void = () => undefined): StdioHost =>
  new StdioHost(new PassThrough(), output, { conversation: { request: () => {}, receive: () => {} }, onEnd })

describe.concurrent("a host that does not read", () => {
  it("[W5] is given up where it goes on to ask for what it does not read", () => {
    const output = new Writable({ write: () => undefined })
    const ends: Array<string> = []
    const host = hostThatReads(output, (why) => ends.push(why))
    host.write({ jsonrpc: "2.0", method: "said", params: { id: 1 } })
    assert.deepEqual(ends, [])
    Object.defineProperty(output, "writableLength", { value: 300 * 1024 * 1024 })
    host.write({ jsonrpc: "2.0", method: "said", params: { id: 2 } })
    host.write({ jsonrpc: "2.0", method: "said", params: { id: 3 } })
    assert.deepEqual(ends, ["stdout"])
  })

  it("[W3] is given the messages of one step in one piece, in order, and those of the next after them", async () => {
    const pieces: Array<string> = []
    const output = new Writable({
      decodeStrings: false,
      write: (piece: string, _, done) => {
        pieces.push(piece)
        done()
      }
    })
    const host = hostThatReads(output)
    for (const id of [1, 2]) host.write({ jsonrpc: "2.0", method: "said", params: { id } })
    assert.deepEqual(pieces, [])
    await new Promise(setImmediate)
    host.write({ jsonrpc: "2.0", method: "said", params: { id: 3 } })
    await host.flushed()
    const ids = pieces.map((piece) => piece.trim().split("\n").map((line) => JSON.parse(line).params.id))
    assert.deepEqual(ids, [[1, 2], [3]])
  })

  it("[W3] is waited for as soon as a step has said more than it may leave unread, until it reads", async () => {
    let read: (() => void) | undefined
    const output = new Writable({ decodeStrings: false, write: (_, __, done) => (read = done) })
    const host = hostThatReads(output)
    host.write({ jsonrpc: "2.0", method: "said", params: { id: 1, text: "x".repeat(2 * 1024 * 1024) } })
    const drained = host.drained()
    assert.instanceOf(drained, Promise)
    await until(() => read)
    assert.instanceOf(host.drained(), Promise)
    read?.()
    await drained
    assert.isUndefined(host.drained())
  })

  it("[W1] standard error loses lines there, and is told how many; calls are answered", async () => {
    await using host = await initialized(["--protocol", "2025", ...loud], { run: startWrap })
    host.child.stderr?.pause()
    assert.strictEqual(await host.call("20000"), "said")
    host.child.stderr?.resume()
    await host.until(() => host.stderr.length > 1_000_000 ? true : undefined)
    await until(() => host.child.stderr?.readableLength === 0 ? true : undefined)
    assert.strictEqual(await host.call("1"), "said")
    const [, missing] = await host.until(() => /(\d+) lines are missing here/.exec(host.stderr) ?? undefined)
    assert.isAbove(Number(missing), 10_000)
    assert.isBelow(host.stderr.length, 10_000_000)
  })

  it("[W3] keeps a server that is started waiting, as its own pipe would; then everything comes, in order", async () => {
    await using host = startWrap(["--", process.execPath, flood, "stdio"])
    await stopReading(host, () => host.stderr)
  })

  it("[W3] keeps a server at a URL waiting; then everything comes, in order", async () => {
    await using server = await served()
    await using host = startWrap([server.url])
    await stopReading(host, server.said)
  })

  it("[W5] and closes its end: all has ended, also the server that waits to be read", async () => {
    const host = startWrap(["--", process.execPath, flood, "stdio"])
    await host.initialize()
    host.child.stdout?.pause()
    host.send({ jsonrpc: "2.0", id: "unread", method: "tools/call", params: { name: "flood", arguments: {} } })
    await until(() => /stuck at/.exec(host.stderr) ?? undefined)
    const family = host.family
    host.child.stdin?.end()
    await once(host.child, "exit")
    await until(() => family.every((pid) => !alive(pid)) ? true : undefined)
    host.child.stdout?.resume()
    await host.ended
  })
})
