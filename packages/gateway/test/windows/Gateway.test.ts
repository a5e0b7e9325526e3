import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { install } from "../../../testing/test/support/windows/installed.js"
import * as Wine from "../../../testing/test/support/Wine.js"

/** Of a server: itself, a child, one in a group of its own, and one whose parent has exited. */
const all = 4

const here = (name: string): URL => new URL(name, import.meta.url)

const script = String.raw`@ECHO OFF
"%LIFELINE_NODE%" "%~dp0..\tree.cjs" %*
`

describe("the gateway on Windows, as npm installs it there", () => {
  let wine: Wine.Wine

  beforeAll(async () => {
    wine = Wine.make(Wine.nodes[0]!, { isBare: true })
    const to = (name: string): string => join(wine.directory, name)
    await install(wine.directory, "mcp-lifeline")
    for (const name of ["conversation.mjs", "host.mjs", "client.mjs"]) copyFileSync(here(name), to(name))
    copyFileSync(here("../../../testing/test/support/windows/tree.cjs"), to("tree.cjs"))
    mkdirSync(to("bin"))
    writeFileSync(to("bin/tree.cmd"), script.replaceAll("\n", "\r\n"))
  })
  afterAll(() => wine.end())

  for (const node of Wine.nodes) {
    const { name, path } = node
    const server = [Wine.windows(path), "tree.cjs", "server"]

    const seen = async (program: string, file: string, ...args: ReadonlyArray<string>): Promise<unknown> => {
      await wine.run(path, program, `${name} ${file}`, ...args)
      return JSON.parse(wine.read(`${name} ${file}`))
    }
    const wrapped = { server: "tree", before: all, afterKill: 0, again: all, code: 0, afterEnd: 0 }

    it(`[S10:real] wrap brings a server back that was killed, and ends it with its host (${name})`, async () => {
      assert.deepStrictEqual(await seen("host.mjs", "wrap.json", ...server, "plain"), wrapped)
    })

    it(`[S10:real] wrap does so with a script in the PATH, and a server that ignores the end of its stdin (${name})`, async () => {
      assert.deepStrictEqual(await seen("host.mjs", "script.json", "tree", "server", "stubborn"), wrapped)
    })

    it(`[S10:real] serve brings one server back, leaves the other alone, and leaves nothing (${name})`, async () => {
      const [command, ...args] = server
      const mcpServers = { one: { command, args: [...args, "plain"] }, other: { command, args: [...args, "stubborn"] } }
      writeFileSync(join(wine.directory, "mcp.json"), JSON.stringify({ mcpServers }))
      const expected = { before: 2 * all, afterKill: 0, isOneNew: true, isOtherSame: true, afterEnd: 0 }
      assert.deepStrictEqual(await seen("client.mjs", "serve.json", "mcp.json"), expected)
    })
  }
})
