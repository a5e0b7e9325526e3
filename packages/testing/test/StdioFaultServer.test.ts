import { StdioFaultServer } from "@mcp-lifeline/testing"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

let directory = ""
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "stdio-faults-"))
})
afterAll(() => rmSync(directory, { recursive: true }))

const talk = async (
  options: StdioFaultServer.Options,
  ...said: ReadonlyArray<readonly [method: string, params?: object]>
) => {
  const { args, command, env } = StdioFaultServer.command(options)
  const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "ignore"] })
  child.stdin.on("error", () => {})
  const ended = once(child, "exit")
  const lines: Array<string> = []
  const output = createInterface({ input: child.stdout })
  const closed = once(output, "close")
  let next = 0
  const say = (): void => {
    const message = said[next++]
    if (message === undefined) child.stdin.end()
    else child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: next, method: message[0], params: message[1] })}\n`)
  }
  output.on("line", (line) => {
    lines.push(line)
    say()
  })
  say()
  const [code, signal] = await ended as [number | null, NodeJS.Signals | null]
  await closed
  const results = lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as { readonly result?: any; readonly error?: { readonly code: number } }]
    } catch {
      return []
    }
  })
  return { lines, results, code, signal }
}

const tool = (name: string, args: object = {}) => ["tools/call", { name, arguments: args }] as const

describe.concurrent("the stdio fault server", () => {
  it("works on a key: says it in a log message and as progress, applies it once, and answers with it", async () => {
    const journal = join(directory, "work")
    const { code, lines } = await talk(
      { journal, logs: true },
      ["tools/call", { name: "work", arguments: { key: "k" }, _meta: { progressToken: 1 } }]
    )
    const [progress, log, answer] = lines.map((line) => JSON.parse(line))
    assert.deepStrictEqual(progress.params, { progressToken: 1, progress: 1, message: "k" })
    assert.deepStrictEqual(log.params, { level: "info", data: "k" })
    assert.deepStrictEqual(answer.result.content, [{ type: "text", text: "k" }])
    assert.deepStrictEqual([code, StdioFaultServer.count(journal, "apply", "k")], [0, 1])
  })

  it("exits where in its work it is told to, and applies nothing where it only reads", async () => {
    const journal = join(directory, "exits")
    for (const [exit, lines, applied] of [["received", 0, 0], ["applied", 0, 1], ["answered", 1, 1]] as const) {
      const key = `at ${exit}`
      const ended = await talk({ journal }, tool("work", { key, exit }))
      assert.deepStrictEqual([ended.code, ended.lines.length, StdioFaultServer.count(journal, "apply", key)], [
        1,
        lines,
        applied
      ])
    }
    const { results } = await talk({ journal }, tool("read", { key: "read" }))
    assert.deepStrictEqual(results[0]?.result.content, [{ type: "text", text: "read" }])
    assert.strictEqual(StdioFaultServer.count(journal, "apply", "read"), 0)
  })

  it("behaves without options, and ends with its stdin", async () => {
    const { code, results } = await talk(
      {},
      ["initialize", { protocolVersion: "2025-06-18" }],
      ["ping"],
      ["tools/list"],
      tool("count", { key: "k" }),
      tool("count", { key: "k" }),
      tool("no such tool"),
      ["no/such/method"]
    )
    assert.strictEqual(code, 0)
    assert.strictEqual(results[0]?.result.protocolVersion, "2025-06-18")
    assert.deepStrictEqual(results[1]?.result, {})
    const hints = new Map<string, unknown>(
      results[2]?.result.tools.map((one: { name: string; annotations?: unknown }) => [one.name, one.annotations])
    )
    assert.deepStrictEqual(
      [hints.get("count"), hints.get("set"), hints.get("look")],
      [undefined, { idempotentHint: true }, { readOnlyHint: true }]
    )
    assert.isFalse(hints.has("added"))
    assert.deepStrictEqual(results.slice(3, 5).map(({ result }) => result.content[0].text), ["1", "2"])
    assert.deepStrictEqual(results.slice(5).map(({ error }) => error?.code), [-32602, -32601])
  })

  it("dies at each point of a call, by exit code or by signal, and the journal tells how far it came", async () => {
    const cases = [
      ["received", 0, 0],
      ["applied", 1, 0],
      ["answering", 1, 0],
      ["answered", 1, 1]
    ] as const
    for (const [point, applied, answered] of cases) {
      const journal = join(directory, point)
      const crashes: ReadonlyArray<StdioFaultServer.Crash> = [
        { at: "call", nth: 1, point, exitCode: 7 },
        { at: "call", nth: 2, point, signal: "SIGKILL" }
      ]
      for (const [nth, end] of [[1, [7, null]], [2, [null, "SIGKILL"]]] as const) {
        const { code, lines, results, signal } = await talk({ journal, crashes }, tool("count", { key: "k" }))
        assert.deepStrictEqual<ReadonlyArray<number | string | null>>([code, signal], end, point)
        assert.lengthOf(results, answered, point)
        assert.lengthOf(lines, point === "answering" ? 1 : answered, point)
        assert.strictEqual(StdioFaultServer.count(journal, "call", "count"), nth, point)
        assert.strictEqual(StdioFaultServer.count(journal, "apply", "k"), nth * applied, point)
      }
      // The third is not due, and knows of those before it.
      const { code, results } = await talk({ journal, crashes }, tool("count", { key: "k" }))
      assert.strictEqual(code, 0)
      assert.strictEqual(results[0]?.result.content[0].text, String(2 * applied + 1))
    }
  })

  it("crashes at its start as often as asked, and then has a tool more", async () => {
    const journal = join(directory, "loop")
    const options: StdioFaultServer.Options = {
      journal,
      crashes: [1, 2].map((nth) => ({ at: "start", nth, exitCode: 3 })),
      addedFrom: 3
    }
    assert.strictEqual((await talk(options, ["ping"])).code, 3)
    assert.strictEqual((await talk(options, ["ping"])).code, 3)
    const { results } = await talk(options, ["ping"], tool("added"))
    assert.strictEqual(results[1]?.result.content[0].text, "new here")
    assert.strictEqual(StdioFaultServer.count(journal, "start"), 3)
    assert.strictEqual(StdioFaultServer.count(journal, "ping"), 1)
  })

  it("answers a ping, or not, as asked", async () => {
    assert.strictEqual((await talk({ ping: "unsupported" }, ["ping"])).results[0]?.error?.code, -32601)
    const crashes: ReadonlyArray<StdioFaultServer.Crash> = [{ at: "initialize", exitCode: 5 }]
    const journal = join(directory, "initialize")
    assert.strictEqual((await talk({ journal, crashes }, ["initialize", {}])).code, 5)
    assert.deepStrictEqual(StdioFaultServer.journal(journal).map(({ event }) => event), ["start", "initialize"])
  })

  it("leaves children of its own behind when it ends with 0", async () => {
    const journal = join(directory, "children")
    const { args, command, env } = StdioFaultServer.command({ journal, grandchildren: 2 })
    const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "ignore"], detached: true })
    child.stdin.end(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })}\n`)
    const [code] = await once(child, "exit") as [number]
    assert.strictEqual(code, 0)
    const left = StdioFaultServer.journal(journal).filter(({ event }) => event === "grandchild")
    assert.lengthOf(left, 2)
    for (const { detail } of left) process.kill(Number(detail), "SIGKILL")
  })

  it("a journal that does not exist yet is empty", () => {
    assert.deepStrictEqual(StdioFaultServer.journal(join(directory, "none")), [])
    assert.throws(() => readFileSync(join(directory, "none")))
  })
})
