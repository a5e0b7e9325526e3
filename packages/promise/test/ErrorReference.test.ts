/** Holds docs/reference/errors.md to the code. */
import * as Facade from "@mcp-lifeline/client"
import * as Core from "@mcp-lifeline/core"
import { JsonRpcError } from "@mcp-lifeline/protocol"
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

const root = new URL("../../../", import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), "utf8")

const page = read("docs/reference/errors.md")

const rows = (heading: string): ReadonlyArray<ReadonlyArray<string>> => {
  const [, after = ""] = page.split(new RegExp(`^#+ ${heading}$`, "m"))
  const lines = (after.split(/^#/m)[0] ?? "").split("\n").filter((line) => line.startsWith("| `"))
  assert.isNotEmpty(lines, `the page has no table ${heading}`)
  return lines.map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()))
}

const named = (cell = ""): ReadonlyArray<string> => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name)

const row = (heading: string, name: string): ReadonlyArray<string> => {
  const found = rows(heading).find(([first]) => named(first).includes(name))
  assert.isDefined(found, `${heading} has no ${name}`)
  return found ?? []
}

const firstOf = (heading: string): ReadonlyArray<string> => rows(heading).flatMap(([first]) => named(first))

const isError = (value: unknown): value is new(fields: object) => Error =>
  typeof value === "function" && (value as { readonly prototype?: unknown }).prototype instanceof Error

const errorsOf = (module: object): ReadonlyArray<readonly [string, new(fields: object) => Error]> =>
  Object.entries(module).flatMap(([name, value]) => isError(value) ? [[name, value] as const] : [])

const fields = {
  backend: "files",
  message: "it failed",
  state: "Busy",
  reason: "spawn",
  permanent: true,
  newGeneration: 2,
  method: "tools/call",
  timeout: 1,
  code: -1,
  field: "name"
}

describe("docs/reference/errors.md", () => {
  it("[F4] has each error of the Promise API, with its code, and whether to try again", () => {
    const errors = errorsOf(Facade)
    assert.isAbove(errors.length, 8)
    for (const [name, Class] of errors) {
      assert.include(firstOf("The table"), name)
      const error = new Class(fields) as Error & { readonly code: number | string; readonly retryable: boolean }
      const [, code = "", retryable = ""] = row("In the Promise API", name)
      if (name !== "RemoteError") assert.strictEqual(code.replaceAll("`", ""), String(error.code), name)
      if (!retryable.includes("unless")) assert.strictEqual(retryable === "yes", error.retryable, name)
    }
    assert.include(firstOf("The table"), "UnauthorizedError")
    assert.sameMembers([...firstOf("In the Promise API")], [...errors.map(([name]) => name), "UnauthorizedError"])
  })

  it("[F4] has each error of both Effects", () => {
    const known = [...firstOf("The table"), ...firstOf("Errors of packages that you build with")]
    assert.includeMembers(known, errorsOf(Core).map(([name]) => name))
    const of4 = [...read("packages/effect4/src/index.ts").matchAll(/export \{([^}]+)\} from "\.\/Errors\.js"/g)]
      .flatMap(([, names = ""]) => names.match(/\w+/g) ?? [])
    assert.isAbove(of4.length, 8)
    assert.includeMembers(known, of4)
  })

  it("[F4] has each error that the index of another package exports", () => {
    const known = [...firstOf("The table"), ...firstOf("Errors of packages that you build with")]
    for (const name of readdirSync(new URL("packages/", root))) {
      const sources = readdirSync(new URL(`packages/${name}/src/`, root), { recursive: true, encoding: "utf8" })
      // The gateway is a program: nobody imports it.
      if (name === "gateway" || !sources.includes("index.ts")) continue
      const exported = new Set(
        [...read(`packages/${name}/src/index.ts`).matchAll(/export \{([^}]+)\}/g)]
          .flatMap(([, names = ""]) => names.match(/\w+/g) ?? [])
      )
      for (const source of sources.filter((file) => file.endsWith(".ts"))) {
        const text = read(`packages/${name}/src/${source}`)
        const classes = text.matchAll(/export class (\w+)\s+extends\s+(?:(?:Data|Schema)\.(?:Tagged)?)?Error\b/g)
        for (const [, own = ""] of classes) {
          // A module that users import by a path of its own.
          if (source === "toolkit.ts" || exported.has(own)) assert.include(known, own, `${name} exports ${own}`)
        }
      }
    }
  })

  it("[W4] has the code and the fate of each error at the door", () => {
    const failures = [
      new Core.SessionExpired({ backend: "files", message: "m", newGeneration: 2 }),
      new Core.ConnectionLost({ backend: "files", message: "m" }),
      new Core.BackendUnavailable({
        backend: "files",
        message: "m",
        state: "Dormant",
        lastError: "e",
        nextAttemptAt: 1
      }),
      new Core.RequestTimeout({ backend: "files", message: "m", method: "tools/call", timeout: 1 }),
      new Core.ResultUnknown({ backend: "files", message: "m", method: "tools/call" }),
      new Core.ProtocolError({ backend: "files", message: "m" })
    ]
    const known = rows("At the door of `wrap` and `serve`").flatMap(([first]) => named(first))
    for (const failure of failures) {
      const { code, data } = JsonRpcError.fromCallError(failure)
      const [, itsCode = "", fate = ""] = row("The table", failure._tag)
      assert.strictEqual(itsCode, String(code), failure._tag)
      assert.deepEqual(named(fate), [(data as { readonly fate: string }).fate], failure._tag)
      assert.includeMembers(known, Object.keys(data as object), failure._tag)
    }
  })

  it("[F4] has each reason of a ConnectError", () => {
    assert.sameMembers([...firstOf("Why it could not connect")], [...Core.ConnectReason.literals])
  })
})
