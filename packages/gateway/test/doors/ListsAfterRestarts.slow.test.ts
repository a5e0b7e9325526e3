import { Effect } from "effect"
import { pairs } from "../../../testing/test/support/pairs.js"
import { doors, http, late, lists, stdio, until } from "../support/ListDoors.js"
import { describe, expect, test } from "../support/vitest.js"

const changed = (...kinds: ReadonlyArray<string>) => kinds.map((kind) => `notifications/${kind}/list_changed`)

const servers = Object.entries({ stdio, http }).flatMap(([wire, make]) =>
  (["2025", "2026"] as const).map((era) => [`${wire} ${era}`, () => make(era)] as const)
)

describe.concurrent("lists after restarts", () => {
  for (const [[door, open], [name, make]] of pairs(Object.entries(doors), servers)) {
    test.scopedLive(`[F3:real W4] ${door}, ${name}: a client is notified of lists that differ, once, and of no others`, function*() {
      const server = yield* make()
      const client = yield* open(server.definition)
      yield* Effect.promise(client.read)
      const restart = Effect.promise(async () => {
        const before = await client.call("pid")
        await server.stop(before)
        const answered = client.call("pid")
        await server.start()
        await answered
      })
      yield* restart
      yield* restart
      yield* Effect.promise(client.read)
      expect(client.notified).toEqual([])

      const differs = function*(next: typeof lists, kind: string) {
        const before = client.notified.length
        server.offer(next)
        yield* restart
        yield* until(() => client.notified.length > before)
        yield* restart
        yield* Effect.promise(client.read)
        expect(client.notified.slice(before)).toEqual(changed(kind))
      }
      const tools = [...lists.tools, late]
      yield* differs({ ...lists, tools }, "tools")
      const prompts = [{ name: "greet", description: "Says hello." }]
      yield* differs({ ...lists, tools, prompts }, "prompts")
      const resources = [{ uri: "file:///b", name: "a" }]
      yield* differs({ ...lists, tools, prompts, resources }, "resources")
      yield* differs({ ...lists, tools, prompts, resources, resourceTemplates: [] }, "resources")
    })
  }
})
