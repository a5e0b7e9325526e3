import { Effect, Fiber } from "effect"
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { eventually } from "../../../testing/test/support/Processes.js"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import * as Wine from "../../../testing/test/support/Wine.js"
import * as AuthServer from "../support/AuthServer.js"
import * as Signer from "../support/Signer.js"

/** In the place of rundll32.exe, which is a node.exe, this is its script: it goes where the browser would go. */
const browser = `
const { appendFileSync } = require("node:fs")
const { get } = require("node:http")
const [, , address] = process.argv
appendFileSync("opened.txt", JSON.stringify(process.argv.slice(2)) + "\\n")
const go = (address) => get(address, (answer) => {
  if (answer.headers.location) go(new URL(answer.headers.location, address))
  answer.on("data", (text) => appendFileSync("page.txt", text))
})
go(address)
`

for (const node of Wine.nodes) {
  describe(`a login on Windows (${node.name})`, () => {
    let wine: Wine.Wine

    beforeAll(async () => {
      wine = Wine.make(node)
      await wine.bundle(new URL("signer.ts", import.meta.url))
    })
    afterAll(() => wine.end())

    const linesOf = (file: string): ReadonlyArray<Signer.Line> => {
      const path = join(wine.directory, file)
      if (!existsSync(path)) return []
      return readFileSync(path, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as Signer.Line)
    }
    const start = (...args: ReadonlyArray<string>) => Effect.promise(() => wine.run(wine.node, "signer.cjs", ...args))

    test.scopedLive("[A1][A2] comes back to either address of localhost, and its tokens are those of the next process", function*() {
      const server = yield* AuthServer.make
      const first = yield* Effect.fork(start(server.url, "state", "first.txt"))
      const address = yield* eventually(() => linesOf("first.txt").find(({ _tag }) => _tag === "LoginNeeded")?.address)
      const { port } = new URL(new URL(address).searchParams.get("redirect_uri") ?? "")
      for (const host of ["127.0.0.1", "[::1]", "localhost"]) {
        const { status, text } = yield* Signer.visit(`http://${host}:${port}/`)
        expect([host, status, text]).toEqual([host, 404, expect.stringContaining("There is nothing here.")])
      }
      expect((yield* Signer.visit(address)).text).toContain("Signed in")
      yield* Fiber.join(first)
      expect(linesOf("first.txt").at(-1)).toEqual({ called: true })
      yield* start(server.url, "state", "second.txt")
      expect(linesOf("second.txt").at(-1)).toEqual({ called: true })
      expect(linesOf("second.txt").map(({ _tag }) => _tag)).not.toContain("LoginNeeded")
      expect(server.grants("authorization_code")).toHaveLength(1)
    })

    test.scopedLive("[A4] opens the browser with the whole address, by a program of Windows that no shell starts", function*() {
      const server = yield* AuthServer.make
      mkdirSync(join(wine.directory, "root", "System32"), { recursive: true })
      copyFileSync(wine.node, join(wine.directory, "root", "System32", "rundll32.exe"))
      writeFileSync(join(wine.directory, "url.dll,FileProtocolHandler"), browser)
      // It would be run by its name alone: Windows looks in the current folder first.
      writeFileSync(join(wine.directory, "rundll32.exe"), "no program")
      server.knobs.metadata = { authorization_endpoint: `${server.origin}/authorize?a=%PATH%&b=^x&calc&c=%22x%22` }
      yield* start(server.url, "other", "third.txt", "root")
      const lines = linesOf("third.txt")
      expect(lines.at(-1)).toEqual({ called: true })
      const { address = "" } = lines.find(({ _tag }) => _tag === "LoginNeeded") ?? {}
      expect(address).toContain("/authorize?a=%25PATH%25&b=%5Ex&calc=&c=%22x%22&response_type=code")
      expect(wine.read("opened.txt")).toBe(`${JSON.stringify([address])}\n`)
      expect(wine.read("page.txt")).toContain("Signed in")
    })
  })
}
