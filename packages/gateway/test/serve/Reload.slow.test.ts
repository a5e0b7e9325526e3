import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { Effect } from "effect"
import { renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import * as TestClient from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

const script = fileURLToPath(new URL("../fixtures/who.mjs", import.meta.url))

const who = (...args: ReadonlyArray<string>) => ({ command: process.execPath, args: [script, ...args] })

const lifeline = { timeouts: { connect: "2 minutes", wait: "2 minutes" } }

const textOf = (mcpServers: object) => JSON.stringify({ mcpServers, lifeline }, undefined, 2)

const serve = Effect.fnUntraced(function*(mcpServers: object) {
  const { base, file, program } = yield* Gateway.serve(mcpServers)
  const client = yield* TestClient.connect(`${base}/mcp`)
  const told = () => program.stdout().split("\n").filter((line) => line.includes("read again"))
  const next = (count: number) =>
    Effect.map(program.until(() => told()[count - 1]), (line) => line.replace(`${file}: read again: `, ""))
  const problem = Effect.map(Gateway.ask(`${base}/api/status`), ({ body }) => body.gateway.configProblem as unknown)
  return { file, program, client, told, next, problem }
})

interface Who {
  readonly pid: number
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly capabilities: object
  readonly roots?: number | string
}

const ask = (client: Client, backend: string) =>
  Effect.promise(async () => {
    const { content } = await client.callTool({ name: `${backend}__who`, arguments: {} })
    return JSON.parse((content as ReadonlyArray<{ readonly text: string }>)[0]?.text ?? "") as Who
  })

const names = (client: Client) => Effect.promise(() => TestClient.toolNames(client))

describe.concurrent("the file of serve", () => {
  test.scopedLive("[G5] [L15] a save starts, stops and replaces only what it changes, and clients go on", function*() {
    const { client, file, next, program } = yield* serve({ a: who("1"), b: who("1"), c: who("1") })
    const before = yield* Effect.all([ask(client, "a"), ask(client, "b"), ask(client, "c")])
    writeFileSync(file, `// edited\n${textOf({ d: who("1"), b: who("2"), a: who("1") })}`)
    expect(yield* next(1)).toBe("started d; stopped c; replaced b; 1 not changed")
    const [a, b] = yield* Effect.all([ask(client, "a"), ask(client, "b"), ask(client, "d")])
    expect((yield* names(client)).toSorted()).toEqual(["a__who", "b__who", "d__who"])
    expect(a.pid).toBe(before[0].pid)
    expect(b).toMatchObject({ args: ["2"] })
    expect(b.pid).not.toBe(before[1].pid)
    yield* Program.gone(before[1].pid)
    yield* Program.gone(before[2].pid)
    writeFileSync(file, JSON.stringify({ lifeline, mcpServers: { d: who("1"), b: who("2"), a: who("1") } }))
    expect(yield* next(2)).toBe("nothing has changed")
    expect((yield* ask(client, "b")).pid).toBe(b.pid)
    const secret = { ...who("1"), env: { WHO: "s3cret-value" } }
    writeFileSync(file, textOf({ d: who("1"), b: { ...who("2"), keepalive: { method: "none" } }, a: secret }))
    expect(yield* next(3)).toBe("replaced b, a; 1 not changed")
    const [d, edited] = [{ ...who("1"), lifeline: { placement: "each" } }, { ...secret, env: { WHO: "another" } }]
    writeFileSync(file, textOf({ d, b: { ...who("2"), keepalive: { method: "none" } }, a: edited }))
    expect(yield* next(4)).toBe("replaced d, a; 1 not changed")
    expect((yield* ask(client, "a")).env["WHO"]).toBe("another")
    expect(program.stdout() + program.stderr()).not.toContain("s3cret-value")
  })

  test.scopedLive("[G5] what has changed beside the servers is named by its key, and so is what is refused of it", function*() {
    const saved = (options: object, a = "1") =>
      JSON.stringify({ lifeline: { ...lifeline, ...options }, mcpServers: { a: who(a), b: who("1") } })
    const { file, next, program } = yield* serve({ a: who("1"), b: who("1") })
    const ci = (rules: object) => ({ statusTool: false, clients: { ci: { token: "a-token-of-ci-1234", ...rules } } })
    const another = "another-token-of-ci"
    const edits: ReadonlyArray<readonly [string, string]> = [
      [saved({ maxOwnServers: 7 }), "changed lifeline.maxOwnServers; no server has changed"],
      [saved({ statusTool: false }), "changed lifeline.maxOwnServers, lifeline.statusTool; no server has changed"],
      [saved(ci({})), "changed lifeline.clients; no server has changed"],
      [saved(ci({ servers: ["b"] })), "changed lifeline.clients; no server has changed"],
      [saved(ci({ servers: ["b"], token: another })), "changed lifeline.clients; no server has changed"],
      [saved(ci({ servers: ["a"] }), "2"), "changed lifeline.clients; replaced a; 1 not changed"],
      [saved({ ...ci({ servers: ["a"] }), groups: {} }, "2"), "changed lifeline.groups; no server has changed"],
      [`\n${saved({ ...ci({ servers: ["a"] }), groups: {} }, "2")}`, "nothing has changed"]
    ]
    for (const [index, [text, said]] of edits.entries()) {
      writeFileSync(file, text)
      expect(yield* next(index + 1)).toBe(said)
    }
    writeFileSync(file, saved(ci({ server: ["a"] }), "2"))
    const misspelt =
      /clients\.ci\.server: .*did you mean "servers".*\n.*mcp\.json: nothing is changed, and the servers go on/
    yield* program.until(() => misspelt.exec(program.stderr()) ?? undefined)
  })

  test.scopedLive("[G5] a broken save changes nothing and says so; a bad entry goes on as it was, and the others change", function*() {
    const { client, file, next, problem, program, told } = yield* serve({ a: who("1"), b: who("1") })
    expect(yield* problem).toBeUndefined()
    const { pid } = yield* ask(client, "a")
    const stays = Effect.gen(function*() {
      expect((yield* ask(client, "a")).pid).toBe(pid)
      expect(told()).toEqual([])
    })
    const says = (pattern: RegExp) => program.until(() => pattern.exec(program.stderr()) ?? undefined)
    writeFileSync(file, `{\n  "mcpServers": {\n    "a": {\n`)
    yield* says(/mcp\.json:4: not valid JSON: .*; nothing is changed, and the servers go on as they were$/m)
    expect(yield* problem).toMatch(/mcp\.json:4: not valid JSON/)
    yield* stays
    writeFileSync(file, "")
    yield* says(/mcp\.json:1: not valid JSON: .*; nothing is changed/m)
    yield* stays
    writeFileSync(file, `{\n  "keepalive": { "interval": "soon" },\n  "mcpServers": {} }`)
    yield* says(
      /mcp\.json:2: keepalive\.interval: is "soon"; .*\n.*mcp\.json: nothing is changed, and the servers go on/m
    )
    yield* stays
    writeFileSync(file, textOf({ a: { ...who("2"), env: { A: "${NOT_SET_ANYWHERE}" } }, c: who("3") }))
    expect(yield* next(1)).toBe("started c; stopped b; 1 not changed")
    yield* says(/mcpServers\.a\.env\.A: has \$\{NOT_SET_ANYWHERE\}, which is not set/)
    expect((yield* ask(client, "a")).pid).toBe(pid)
    expect(yield* problem).toMatch(/mcpServers\.a\.env\.A/)
    writeFileSync(file, textOf({ a: who("2") }))
    expect(yield* next(2)).toBe("stopped c; replaced a")
    expect(yield* problem).toBeUndefined()
    expect((yield* ask(client, "a")).args).toEqual(["2"])
  })

  test.scopedLive("[G5] several saves in a moment are one, however the editor saves, and a file may be gone for a moment", function*() {
    const { client, file, next, program, told } = yield* serve({ a: who("0") })
    const path = dirname(file)
    // On a busy machine this process is held up now and then. Saves between which that happened are not one.
    let last = 0
    let isMoment = false
    for (let burst = 1; burst <= 5 && !isMoment; burst++) {
      const off = { [`off${burst}`]: { ...who(), disabled: true } }
      const since = performance.now()
      for (let save = 1; save <= 5; save++) {
        writeFileSync(file, textOf({ a: who(`${save}`), ...(save === 5 ? off : {}) }))
        yield* Effect.sleep("20 millis")
      }
      isMoment = performance.now() - since < 180
      yield* program.until(() => told().find((line) => line.includes(`started off${burst}`)))
      if (isMoment) expect(told()).toHaveLength(last + 1)
      last = told().length
    }
    expect((yield* ask(client, "a")).args).toEqual(["5"])
    writeFileSync(join(path, ".mcp.json.swp"), textOf({ a: who("renamed") }))
    renameSync(join(path, ".mcp.json.swp"), file)
    expect(yield* next(last + 1)).toMatch(/^stopped off\d; replaced a$/)
    expect((yield* ask(client, "a")).args).toEqual(["renamed"])
    // Gone, and back; the old one under another name, as some editors keep it.
    const since = Date.now()
    renameSync(file, `${file}~`)
    yield* Effect.sleep("300 millis")
    writeFileSync(file, textOf({ a: who("back") }))
    // On a busy machine it may be gone for longer than a gateway waits.
    const wasMoment = Date.now() - since < 3000
    expect(yield* next(last + 2)).toBe("replaced a")
    expect((yield* ask(client, "a")).args).toEqual(["back"])
    // A link that leads elsewhere, of which the system says nothing.
    writeFileSync(join(path, "one.json"), textOf({ a: who("linked") }))
    unlinkSync(file)
    symlinkSync("one.json", file)
    expect(yield* next(last + 3)).toBe("replaced a")
    writeFileSync(join(path, "one.json"), textOf({ a: who("behind the link") }))
    expect(yield* next(last + 4)).toBe("replaced a")
    expect(told()).toHaveLength(last + 4)
    if (wasMoment) expect(program.stderr()).not.toContain("gone")
    unlinkSync(file)
    yield* program.until(() => program.stderr().includes("is gone; the servers go on as they were") || undefined)
    expect((yield* ask(client, "a")).args).toEqual(["behind the link"])
    renameSync(join(path, "one.json"), file)
    expect(yield* next(last + 5)).toBe("nothing has changed")
  })
})
