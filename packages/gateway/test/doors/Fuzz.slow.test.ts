import { Effect } from "effect"
import * as fc from "fast-check"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as Gateway from "../support/Gateway.js"
import { startWrap } from "../support/Host.js"
import * as Hostile from "../support/Hostile.js"
import * as Program from "../support/Program.js"
import * as TestClient from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

const anything = Effect.map(folder, (path) => {
  const file = join(path, "anything.json")
  const pieces = fc.sample(Hostile.piped, Hostile.runs(50)).map((piece) => piece.toString("base64"))
  writeFileSync(file, JSON.stringify({ pieces, results: fc.sample(Hostile.jsonText, Hostile.runs(50)) }))
  return Program.fixture("anything", file)
})

const fault = (answer: string): string | undefined => {
  if (answer === "") return undefined
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
  return status < 600 && status !== 500 ? undefined : answer.slice(0, 1000)
}

const saying = (stderr: () => string) =>
  Effect.catchAllDefect((cause: unknown) =>
    Effect.die(
      new Error(`${String(cause)}\nLIFELINE_FUZZ_SEED=${Hostile.seed}; it wrote: ${stderr().slice(-3000)}`, { cause })
    )
  )

describe("programs, whatever comes from outside", () => {
  test.scopedLive("[X1:real] `serve` lives on, answers each request with what is no defect, and serves its clients", function*() {
    const { base, program } = yield* Gateway.serve({ raw: yield* anything, fine: Program.fixture("who") })
    const { host, port } = new URL(base)
    const send = async (bytes: Uint8Array): Promise<void> => {
      const found = fault(await Hostile.exchange(Number(port), bytes))
      if (found !== undefined) throw new Error(`${Buffer.from(bytes).toString("latin1").slice(0, 1000)} => ${found}`)
    }
    const fuzz = async (): Promise<void> => {
      await Promise.all(Hostile.everyBrokenRequest(host).map(send))
      const session = await Raw.begin(`${base}/mcp`)
      const connection = Hostile.connection(host, session["Mcp-Session-Id"] ?? "")
      await fc.assert(
        fc.asyncProperty(
          fc.array(connection, { minLength: 20, maxLength: 30 }),
          async (all) => void (await Promise.all(all.map(send)))
        ),
        Hostile.runs(8)
      )
    }
    const lives = Effect.gen(function*() {
      expect((yield* Gateway.ask(`${base}/health`)).status).toBe(200)
      const client = yield* TestClient.connect(`${base}/mcp`)
      yield* Effect.promise(() => TestClient.toolNamesWith(client, ["fine__who"]))
      expect(yield* Effect.promise(() => TestClient.pid(client, "fine"))).toBeGreaterThan(0)
      expect(program.stderr()).not.toMatch(/failed inside/)
      expect(program.isRunning()).toBe(true)
    })
    yield* Effect.promise(fuzz).pipe(Effect.zipRight(lives), saying(program.stderr))
  })

  test.scopedLive("[X1:real] `wrap` lives on, writes only messages to its host, and passes on its calls", function*() {
    const { args, command } = yield* anything
    const state = yield* folder
    const start = async () => startWrap(["--", command, ...args], { state })
    const host = yield* TestClient.opened(start, (host) => host[Symbol.asyncDispose]())
    let asked = 0
    const step = async (pieces: ReadonlyArray<Buffer>): Promise<void> => {
      for (const piece of pieces) host.child.stdin?.write(piece)
      host.child.stdin?.write("\n")
      const id = `after-${++asked}`
      for (const method of ["tools/list", "tools/call", "resources/read"]) {
        host.send({ jsonrpc: "2.0", id: `${method}-${asked}`, method, params: { name: "any", uri: "any:x" } })
      }
      await host.request("ping", {}, id)
    }
    const fuzz = async (): Promise<void> => {
      await host.initialize()
      const pieces = fc.array(Hostile.piped, { minLength: 1, maxLength: 8 })
      await fc.assert(fc.asyncProperty(pieces, step), Hostile.runs(60))
      const { result } = await host.request("tools/call", { name: "fine", arguments: {} }, "the good one")
      expect(result).toEqual({ content: [{ type: "text", text: "fine" }] })
      expect(host.strange).toEqual([])
      expect(host.messages.filter(({ jsonrpc }) => jsonrpc !== "2.0")).toEqual([])
      expect(host.child.exitCode).toBe(null)
    }
    yield* Effect.promise(fuzz).pipe(saying(() => host.stderr))
  })
})
