import { RemoteError } from "@mcp-lifeline/core"
import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import type { Options } from "../../src/clients/SettingMethods.js"
import { restore } from "../../src/clients/SettingMethods.js"

const unknown = new RemoteError({ backend: "fleet", method: "resources/read", code: -32_002, message: "no server" })

/** What becomes of the subscriptions of a session that goes on. `known`: whether a server offers the URI now, or after the others have been looked for. */
const restored = (uris: ReadonlyArray<string>, known: (uri: string) => boolean) => {
  const [looked, resumed] = [new Set<string>(), new Set<string>()]
  const resolved = (uri: string) => (known(uri) ? {} : undefined)
  const names = {
    find: (_: string, uri: string) => resolved(uri),
    resolve: (_: string, uri: string) =>
      Effect.suspend(() => {
        looked.add(uri)
        return resolved(uri) === undefined ? Effect.fail(unknown) : Effect.succeed({})
      })
  }
  const subscriptions = { resume: (uri: string) => Effect.sync(() => void resumed.add(uri)) }
  const options = { names, subscriptions } as unknown as Pick<Options, "names" | "subscriptions">
  restore(options, { subscriptions: uris }, (work) => void Effect.runFork(work))
  return { looked, resumed }
}

const uris = (count: number) => Array.from({ length: count }, (_, index) => `test://${index}`)

describe("the subscriptions of a session that goes on", () => {
  it.each([0, 1, 15, 16, 17, 500])(
    "[G10:unit] all %i are looked for, and those made again that a server offers",
    async (count) => {
      const offered = new Set(uris(count).filter((_, index) => index % 3 > 0))
      const { looked, resumed } = restored(uris(count), (uri) => offered.has(uri))
      await expect.poll(() => looked.size).toBe(count)
      await expect.poll(() => resumed).toEqual(offered)
    }
  )

  it("[G10:unit X5] let in what others send meanwhile, however many there are", async () => {
    const { looked } = restored(uris(2000), () => false)
    while (looked.size < 2000) {
      const before = looked.size
      await setImmediate()
      expect(looked.size - before).toBeLessThan(100)
    }
  })

  it("[G10:unit] that a server offers once its lists are in do not wait for those of a server that is down", async () => {
    const { resumed } = restored(uris(500), (uri) => Number(uri.slice(7)) >= 100)
    await expect.poll(() => resumed.size).toBe(400)
    const [last] = [...resumed].slice(-1)
    expect(last).toBe("test://499")
  })
})
