import { Backend, Policy } from "@mcp-lifeline/core"
import { Pins, PinStore, ServerOptions } from "@mcp-lifeline/extensions"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { ConfigProvider, Effect } from "effect"
import { readFileSync } from "node:fs"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"

describe("the option pin", () => {
  it("[G24] has a row in the page of options with its default, and what it accepts, in the words of its error", () => {
    const document = readFileSync(new URL("../../../docs/reference/tools.md", import.meta.url), "utf8")
    const [, fallback = "", accepted] = /^\| `pin` \| `([^|]*)` \| ([^|]*) \|/m.exec(document) ?? []
    expect(ServerOptions.problems({ pin: true })).toEqual([{
      path: ["pin"],
      message: `is true; accepted: ${accepted}`
    }])
    expect(JSON.parse(fallback)).toBe(ServerOptions.schemas()["pin"]?.["default"])
  })

  it("[G24] stands beside the options of a backend wherever those are picked, merged or marked", () => {
    const own = { pin: "block", keepalive: { timeout: 5 } } as const
    expect(ServerOptions.pick({ ...own, connector: 1 } as never)).toEqual(own)
    expect(ServerOptions.merge({ pin: "warn" }, own)).toEqual(own)
    expect(ServerOptions.merge(own, { keepalive: { timeout: 6 } })).toEqual({ pin: "block", keepalive: { timeout: 6 } })
    expect(ServerOptions.forAll({ pin: "warn" })).toEqual({ pin: "warn" })
    expect(ServerOptions.problems({ pinn: "warn" })[0]?.message).toContain('did you mean "pin"?')
    expect(ServerOptions.groups).toEqual([...Policy.groups, "prompts", "resources", "pin"])
  })

  test.scoped("[G24] is refused with what is accepted, and keeps the definitions of each backend apart", function*() {
    const asked: Array<string> = []
    const wrong = Pins.make({ mode: "blok" as never })
    const refused = yield* Effect.flip(
      Backend.make("one", { connector: ScriptedConnector.make(), extensions: [wrong] })
    )
    expect(refused.message).toBe('one: pin is "blok"; accepted: "warn" or "block"')
    const extensions = [
      Pins.make({
        mode: "block",
        store: (backend) => {
          asked.push(backend)
          return PinStore.memory()
        }
      })
    ]
    for (const id of ["one", "two"]) {
      yield* Backend.make(id, { connector: ScriptedConnector.make(), extensions, keepalive: { method: "none" } })
    }
    expect(asked).toEqual(["one", "two"])
  })

  test.effect("[G24] is read from Effect's configuration", function*() {
    const read = (entries: ReadonlyArray<readonly [string, string]>) =>
      Effect.withConfigProvider(Effect.exit(Pins.config), ConfigProvider.fromMap(new Map(entries)))
    expect(yield* read([["pin", "warn"]])).toMatchObject({ value: "warn" })
    expect(yield* read([])).toMatchObject({ value: "off" })
    expect((yield* read([["pin", "yes"]]))._tag).toBe("Failure")
  })
})
