import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, expect, it } from "vitest"
import { isGuess, wrap } from "../support/Host.js"
import { fixture } from "../support/Program.js"

const tools = ["read", "write"].map((name) => ({ name, inputSchema: { type: "object" } }))

const folders: Array<string> = []
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true, maxRetries: 5 })
})

const server = () => {
  const path = mkdtempSync(join(tmpdir(), "lifeline-wrap-"))
  folders.push(path)
  const [file, state] = [join(path, "tools.json"), join(path, "state")]
  return {
    pins: join(state, "tool-pins"),
    up: () => writeFileSync(file, JSON.stringify(tools)),
    down: () => rmSync(file, { force: true }),
    shown: async (...options: ReadonlyArray<string>): Promise<ReadonlyArray<string> | undefined> => {
      const { args, command } = fixture("pinned", file)
      await using host = wrap([...options, "--name", "s", "--", command, ...args], { state })
      const { error, result } = await host.introduction()
      if (error !== undefined) return undefined
      host.notify("notifications/initialized")
      const { tools } = await host.result("tools/list")
      if (isGuess(result) && tools.length === 0) return undefined
      return tools.map(({ name }: { readonly name: string }) => name)
    }
  }
}

it("[G19:real W4] what a host saw under other filters is not shown while the server is down", async () => {
  const { down, shown, up } = server()
  up()
  expect(await shown("--only", "read")).toEqual(["read"])
  down()
  expect(await shown("--only", "read")).toEqual(["read"])
  expect(await shown()).toBeUndefined()
  expect(await shown("--hide", "read")).toBeUndefined()
  up()
  expect(await shown()).toEqual(["read", "write"])
  down()
  expect(await shown()).toEqual(["read", "write"])
  expect(await shown("--pin", "block")).toBeUndefined()
})

it("[G24:real W4] while it cannot be read what was approved, no tools are shown of earlier runs", async () => {
  const { down, pins, shown, up } = server()
  up()
  expect(await shown("--pin", "block")).toEqual(["read", "write"])
  down()
  expect(await shown("--pin", "block")).toEqual(["read", "write"])
  for (const name of readdirSync(pins)) writeFileSync(join(pins, name), "{")
  expect(await shown("--pin", "block")).toBeUndefined()
  up()
  expect(await shown("--pin", "block")).toEqual([])
})
