import { Backend, type Catalog, Fleet } from "@mcp-lifeline/core"
import { make as toolkitOf } from "@mcp-lifeline/core/toolkit"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ResultSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, ExecutionStrategy, Exit, JSONSchema, Scope } from "effect"
import { Endpoint, ServerPool, StateFolder } from "mcp-lifeline"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { connect, connectAll, supervisedTransport } from "../../../promise/src/index.js"
import { bySize } from "../../../testing/test/support/bySize.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as ServerCache from "../../src/cache/ServerCache.js"
import { CachedAnswers } from "../../src/wrap/CachedAnswers.js"
import { initialized } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"
import * as Served from "../support/Served.js"
import { random, Shuffling } from "../support/Shuffling.js"
import { opened } from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"
import * as Wrapped from "../support/Wrapped.js"

/** All lists, page by page, as text. */
type Read = () => Promise<string>

/** What lasts over restarts of Lifeline. */
interface Kept {
  readonly memories: Map<string, { remembered?: Catalog.Remembered }>
  readonly folder: string
  wrapped: ConstructorParameters<typeof CachedAnswers>[0]
}

type Open = (servers: ReadonlyArray<Shuffling>, kept: Kept) => Effect.Effect<Read, never, Scope.Scope>

const methods = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] as const

const reconnect = { initialDelay: "1 milli", maxDelay: "5 millis", demandInterval: "1 milli" } as const
const options = { keepalive: { method: "none" }, reconnect } as const

const paged = (ask: (method: string, params: object) => Promise<any>): Read => async () => {
  const pages: Array<string> = []
  for (const method of methods) {
    for (let params: object | undefined = {}; params !== undefined;) {
      const page = await ask(method, params)
      pages.push(JSON.stringify(page))
      params = page.nextCursor === undefined ? undefined : { cursor: page.nextCursor }
    }
  }
  return pages.join("\n")
}

const asking = (client: Pick<Client, "request">) =>
  paged((method, params) => client.request({ method, params } as never, ResultSchema, { timeout: 120_000 }))

const backendOf = (server: Shuffling, { memories }: Kept) => {
  const memory = memories.get(server.name) ?? {}
  memories.set(server.name, memory)
  const catalogMemory: Catalog.CatalogMemory = {
    remembered: memory.remembered,
    keep: (snapshot) => void (memory.remembered = snapshot)
  }
  return { ...options, connector: server.connector, catalogMemory }
}

const backend = ([server]: ReadonlyArray<Shuffling>, kept: Kept) =>
  Effect.orDie(Backend.make("s", backendOf(server!, kept)))

const fleet = (servers: ReadonlyArray<Shuffling>, kept: Kept) =>
  Effect.orDie(Fleet.make({
    backends: Object.fromEntries(servers.map((server) => [server.name, { ...backendOf(server, kept), prefix: "" }]))
  }))

const catalogue = ({ prompts, resources, resourceTemplates, tools }: Catalog.Lists) =>
  JSON.stringify({ prompts, resources, resourceTemplates, tools })

const listsOf = (catalog: Fleet.FleetCatalog) => {
  const values = (kind: "prompts" | "resources" | "resourceTemplates" | "tools") =>
    Array.from<Fleet.Entry<unknown>, unknown>(catalog[kind].values() as never, ({ value }) => value)
  return JSON.stringify([values("tools"), values("prompts"), values("resources"), values("resourceTemplates")])
}

const definition = (server: Shuffling) => ({ transport: server.transport, ...options })

const closing = <A extends { readonly close: () => Promise<void> }>(open: () => Promise<A>) =>
  opened(open, (one) => one.close())

const everyone = (servers: ReadonlyArray<Shuffling>) => ({
  mcpServers: Object.fromEntries(servers.map((server) => [server.name, definition(server)]))
})

/** `reads`: reads the lists itself, whatever callers ask for. `lasts`: over restarts of Lifeline. */
const doors: Readonly<
  Record<string, { readonly open: Open; readonly reads: boolean; readonly isFleet: boolean; readonly lasts: boolean }>
> = {
  "the catalogue of a backend": {
    reads: true,
    isFleet: false,
    lasts: true,
    open: (servers, kept) =>
      Effect.map(
        backend(servers, kept),
        ({ catalog }) => async () =>
          catalogue(
            (await Effect.runPromise(catalog)) ?? { tools: [], prompts: [], resources: [], resourceTemplates: [] }
          )
      )
  },
  "the lists of a backend": {
    reads: false,
    isFleet: false,
    lasts: true,
    open: (servers, kept) =>
      Effect.map(
        backend(servers, kept),
        (backend) =>
          paged((method, params) =>
            Effect.runPromise(backend.request(method as never, params as never)) as Promise<any>
          )
      )
  },
  "the catalogue of a fleet": {
    reads: true,
    isFleet: true,
    lasts: true,
    open: (servers, kept) =>
      Effect.map(fleet(servers, kept), ({ catalog }) => async () => listsOf(await Effect.runPromise(catalog)))
  },
  "the toolkit of a fleet": {
    reads: true,
    isFleet: true,
    lasts: true,
    open: (servers, kept) =>
      Effect.map(fleet(servers, kept), (fleet) => async () => {
        const { toolkit } = await Effect.runPromise(toolkitOf(fleet))
        return JSON.stringify(
          Object.values(toolkit.tools).map((tool) => ({
            name: tool.name,
            schema: JSONSchema.make(tool.parametersSchema)
          }))
        )
      })
  },
  connect: {
    reads: false,
    isFleet: false,
    lasts: false,
    open: ([server]) => Effect.map(closing(() => connect(definition(server!))), (client) => asking(client as never))
  },
  "a typed list of connect": {
    reads: false,
    isFleet: false,
    lasts: false,
    open: ([server]) =>
      Effect.map(
        closing(() => connect(definition(server!))),
        (client) => async () =>
          JSON.stringify([await client.listTools(), await client.listPrompts(), await client.listResources()])
      )
  },
  connectAll: {
    reads: true,
    isFleet: true,
    lasts: false,
    open: (servers) =>
      Effect.map(closing(() => connectAll(everyone(servers) as never)), (fleet) => async () =>
        JSON.stringify([
          await fleet.listTools(),
          await fleet.listPrompts(),
          await fleet.listResources(),
          await fleet.listResourceTemplates()
        ]))
  },
  supervisedTransport: {
    reads: false,
    isFleet: false,
    lasts: false,
    open: ([server]) =>
      Effect.map(
        closing(async () => {
          const client = new Client({ name: "test", version: "1" })
          await client.connect(supervisedTransport(definition(server!)) as never)
          return client
        }),
        asking
      )
  },
  wrap: {
    reads: false,
    isFleet: false,
    lasts: true,
    open: Effect.fnUntraced(function*([server], kept) {
      const save = (cached: Kept["wrapped"]): void => void (kept.wrapped = cached)
      const host = yield* Wrapped.make(() => undefined, {
        connector: server!.connector,
        policy: options,
        bridge: { loadCache: () => Effect.succeed(new CachedAnswers(kept.wrapped, save, (_, result) => result)) }
      })
      yield* Effect.promise(() => host.initialize())
      let last = 0
      return paged(async (method, params) => (await host.request(`r${++last}`, method, params)).result)
    })
  },
  serve: {
    reads: true,
    isFleet: true,
    lasts: true,
    open: Effect.fnUntraced(function*(all, { folder }) {
      const cache = yield* Effect.provide(ServerCache.make, StateFolder.layerAt(folder))
      const servers = yield* ServerPool.make(
        all.map(({ connector, name }) => ({ id: name, identity: name, connector, ...options })),
        { kept: cache, waitTimeout: "50 millis" }
      )
      const { url } = yield* Endpoint.serve({ ...yield* Served.bind(), servers, introductionWait: 0, drain: 0 })
      const { client } = yield* Served.connected(url)
      return asking(client)
    }, Effect.orDie)
  }
}

const until = (isSo: () => boolean | Promise<boolean>) =>
  Effect.promise(async () => {
    while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
    // What was read is published.
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
  })

const seeds = bySize([1], [1, 2, 3])

describe.each(Object.entries(doors))("the bytes of lists, through %s", (_, { isFleet, lasts, open, reads }) => {
  test.scopedLive.each(seeds)(
    "[P13] are equal over reconnects, restarts and orders of start: seed %i",
    function*(seed) {
      const draw = random(seed)
      const servers = (isFleet ? ["a", "b"] : ["a"]).map((name, nth) => new Shuffling(name, 10 * seed + nth))
      const kept: Kept = { memories: new Map(), folder: yield* folder, wrapped: undefined }
      const areUp = until(() => servers.every(({ hasBegun, read }) => reads ? read >= methods.length : hasBegun))
      const inAnyOrder = () => draw() < 0.5 ? servers : servers.toReversed()
      let first: string | undefined
      for (let life = 0; life < (lasts ? 3 : 1); life++) {
        const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
        for (const server of servers) server.stop()
        const [late, ...others] = inAnyOrder()
        for (const server of others) server.start()
        if (life === 0) setTimeout(() => late!.start(), 5)
        const read = yield* Scope.extend(open(servers, kept), scope)
        const isFirst = Effect.map(Effect.promise(read), (text) => expect(text).toBe(first ??= text))
        // What is remembered stands in for what is late.
        if (life > 0 && reads) yield* isFirst
        late!.start()
        yield* areUp
        for (let round = 0; round < 4; round++) {
          yield* isFirst
          const order = inAnyOrder()
          for (const server of order) if (server === order[0] || draw() < 0.5) server.stop()
          if (reads) yield* isFirst
          for (const server of order) server.start()
          yield* areUp
        }
        yield* isFirst
        yield* Scope.close(scope, Exit.void)
      }
      expect(servers[0]!.orders.size).toBeGreaterThan(2)
      servers[0]!.lists["tools/list"]!.entries.push({ name: "new", inputSchema: { type: "object" } })
      const read = yield* open(servers, kept)
      yield* until(async () => /"name":"(a__)?new"/.test(await read()))
    }
  )
})

test.scopedLive("[P13:real] wrap gives a list in the same bytes when the server or wrap itself starts again", function*() {
  const path = yield* folder
  const order = `const entries = ["a", "b", "c"].map((name) => run % 2 ? { inputSchema, name } : { name, inputSchema })`
  const rotated = `answer({ tools: [...entries.slice(run % 3), ...entries.slice(0, run % 3)] })`
  const program = scripted(`if (name === "b") process.exit(); send(said("x"))`, join(path, "runs"), {
    before: `const inputSchema = { type: "object" }; ${order}; if (method === "tools/list") return send(${rotated})`,
    capabilities: { tools: {} }
  })
  const given = yield* Effect.promise(async () => {
    const texts: Array<string> = []
    for (let life = 0; life < 2; life++) {
      await using host = await initialized([...program], { state: join(path, "state") })
      for (let start = 0; start < 3; start++) {
        // From the server, not from memory.
        await host.call("a")
        texts.push(JSON.stringify(await host.result("tools/list")))
        await host.request("tools/call", { name: "b" })
      }
    }
    return texts
  })
  expect(readFileSync(join(path, "runs"), "utf8").length).toBeGreaterThan(5)
  expect(new Set(given).size).toBe(1)
})
