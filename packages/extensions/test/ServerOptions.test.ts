import { describe, expect, it } from "@effect/vitest"
import { Policy } from "@mcp-lifeline/core"
import { Pins, ServerOptions } from "@mcp-lifeline/extensions"
import { ConfigProvider, Effect } from "effect"
import { readFileSync } from "node:fs"

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

  it.effect("[G24] is read from Effect's configuration", () =>
    Effect.gen(function*() {
      const read = (entries: ReadonlyArray<readonly [string, string]>) =>
        Effect.withConfigProvider(Effect.exit(Pins.config), ConfigProvider.fromMap(new Map(entries)))
      expect(yield* read([["pin", "warn"]])).toMatchObject({ value: "warn" })
      expect(yield* read([])).toMatchObject({ value: "off" })
      expect((yield* read([["pin", "yes"]]))._tag).toBe("Failure")
    }))
})
