import { type Backend, BackendUnavailable, type CallError } from "@mcp-lifeline/core"
import { Bytes } from "@mcp-lifeline/core/text"
import { bytesOf, type SettingChange, subscriptionLimits } from "@mcp-lifeline/http-server"
import { type Excess, type Holding, Quota } from "@mcp-lifeline/protocol"
import { Subscriptions } from "@mcp-lifeline/protocol/Subscriptions"
import { Deferred, Effect, Exit, Fiber } from "effect"
import * as fc from "fast-check"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import { ClientSubscriptions } from "../../src/clients/ClientSubscriptions.js"
import type { ResolvedName } from "../../src/clients/NameResolver.js"
import { describe, expect, it, test } from "../support/vitest.js"
import * as Wrapped from "../support/Wrapped.js"

const key = (name: string) => `io.modelcontextprotocol/${name}`

const limits = { holder: { item: Bytes(30), count: 3, bytes: Bytes(60) }, all: { count: 9, bytes: Bytes(150) } }
const short = ["t://1", "t://1/below", "t://2", "t://33333333333333333333", "t://4/44444444444444444"]
const uris = [...short, `t://${"x".repeat(40)}`]
const owners = ["a", "a", "b", "c", "d"]

const lost = { backend: "b", state: "Reconnecting", reason: "connection", message: "down" } as never
const down = new BackendUnavailable(lost)

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

class Server {
  readonly asked: Array<Deferred.Deferred<void, CallError>> = []
  readonly subscribed = new Set<string>()
  readonly backend = {
    id: "b",
    subscribeResource: (uri: string) =>
      Effect.suspend(() => {
        const answer = Deferred.unsafeMake<void, CallError>(0 as never)
        this.asked.push(answer)
        return Effect.tap(Deferred.await(answer), () => Effect.sync(() => void this.subscribed.add(uri)))
      }),
    unsubscribeResource: (uri: string) => Effect.sync(() => void this.subscribed.delete(uri))
  } as unknown as Backend.Backend

  answer(number: number, error?: CallError): void {
    const [one] = this.asked.splice(number % Math.max(1, this.asked.length), 1)
    if (one !== undefined) Deferred.unsafeDone(one, error === undefined ? Exit.void : Exit.fail(error))
  }
}

type Status = "accepted" | "pending"

class Client {
  readonly owner: string
  readonly room: Holding
  readonly subscriptions: ClientSubscriptions
  readonly status = new Map<string, { readonly status: Status; readonly fiber: Fiber.RuntimeFiber<unknown, unknown> }>()
  readonly saved = new Set<string>()
  readonly told: Array<string> = []
  readonly #fleet: Subscriptions
  readonly #server: Server

  constructor(owner: string, quota: Quota, fleet: Subscriptions, server: Server) {
    this.owner = owner
    this.room = quota.holderOf(owner)
    this.#fleet = fleet
    this.#server = server
    this.subscriptions = new ClientSubscriptions({
      notify: (_, { params }) => void this.told.push(String(params?.["uri"])),
      saveSetting: async (change: SettingChange) => {
        if ("subscribed" in change) this.saved.add(change.subscribed)
        else if ("unsubscribed" in change) this.saved.delete(change.unsubscribed)
      },
      room: this.room,
      fleets: () => [{ subscriptions: fleet, levels: { leave: () => undefined, setLevel: () => undefined } }] as never
    })
  }

  uris(...wanted: ReadonlyArray<Status>): ReadonlyArray<string> {
    return [...this.status].flatMap(([uri, { status }]) => wanted.includes(status) ? [uri] : [])
  }

  /** Returns why it is refused. */
  async subscribe(uri: string): Promise<Excess | undefined> {
    const before = this.status.get(uri)
    if (before?.status === "pending") return undefined
    const route = { backend: this.#server.backend, original: uri }
    const resolved = { fleet: { subscriptions: this.#fleet }, route, key: uri } as unknown as ResolvedName
    const fiber = Effect.runFork(this.subscriptions.subscribe(uri, resolved))
    this.status.set(uri, { status: before?.status ?? "pending", fiber })
    let refused: Excess | undefined
    fiber.addObserver((exit) => {
      if (this.status.get(uri)?.fiber !== fiber) return
      if (Exit.isSuccess(exit) && exit.value === undefined) this.status.set(uri, { status: "accepted", fiber })
      else this.status.delete(uri)
      if (Exit.isSuccess(exit)) refused = exit.value
    })
    await turn()
    return refused
  }

  async unsubscribe(uri: string): Promise<void> {
    this.status.delete(uri)
    await this.subscriptions.unsubscribe(uri)
  }

  /** As the conversation and its session do it. */
  leave(): void {
    for (const { fiber } of this.status.values()) Effect.runFork(Fiber.interrupt(fiber))
    this.status.clear()
    this.subscriptions.close()
    this.room.close()
  }
}

type Command =
  | { readonly do: "cancel" | "subscribe" | "unsubscribe"; readonly client: number; readonly uri: string }
  | { readonly do: "leave"; readonly client: number }
  | { readonly do: "accept" | "down" | "refuse"; readonly which: number }
  | { readonly do: "reconnect" }
  | { readonly do: "update"; readonly uri: string }

type Answer = "accept" | "down" | "refuse"
const [client, uri, which] = [fc.nat(owners.length - 1), fc.constantFrom(...uris), fc.nat(20)]
const commands: fc.Arbitrary<ReadonlyArray<Command>> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("subscribe" as const), client, uri }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom<"unsubscribe" | "cancel">("unsubscribe", "cancel"), client, uri })
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constantFrom<Answer>("accept", "accept", "refuse", "down"), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), client }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("reconnect" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("update" as const), uri }) }
  ),
  { minLength: 5, maxLength: 40 }
)

const refusal = { _tag: "RemoteError", message: "no" } as unknown as CallError

describe("subscriptions of several clients to one server", () => {
  it(
    "[X5 G3 G17] count what is held after each step, whoever subscribes, unsubscribes, cancels, leaves or is refused, and nothing at the end",
    async () => {
      let refusals = 0
      await fc.assert(
        fc.asyncProperty(commands, async (all) => {
          const [quota, server] = [new Quota(limits), new Server()]
          const fleet = new Subscriptions((effect) => void Effect.runFork(effect))
          const join = (owner: string) => new Client(owner, quota, fleet, server)
          const clients = owners.map(join)
          const at = (number: number) => clients[number] as Client
          const amountOf = (some: ReadonlyArray<Client>) => {
            const held = some.flatMap((one) => one.uris("accepted", "pending"))
            return { count: held.length, bytes: held.reduce((sum, uri) => sum + bytesOf(uri), 0) }
          }
          for (const one of all) {
            const before = quota.held
            const wrong: Array<string> = []
            switch (one.do) {
              case "subscribe": {
                const refused = await at(one.client).subscribe(one.uri)
                if (refused === undefined) break
                refusals++
                if (quota.held.count !== before.count) wrong.push("what is refused takes no room")
                break
              }
              case "unsubscribe":
                await at(one.client).unsubscribe(one.uri)
                break
              case "cancel": {
                const open = at(one.client).status.get(one.uri)
                if (open?.status === "pending") await Effect.runPromise(Fiber.interrupt(open.fiber))
                break
              }
              case "leave": {
                const gone = at(one.client)
                gone.leave()
                clients[one.client] = join(gone.owner)
                break
              }
              case "accept":
                server.answer(one.which)
                break
              case "refuse":
                server.answer(one.which, refusal)
                break
              case "down":
                server.answer(one.which, down)
                break
              case "reconnect":
                fleet.connected(server.backend)
                break
              case "update": {
                for (const { told } of clients) told.length = 0
                fleet.updated("b", { uri: one.uri })
                for (const client of clients) {
                  const { told } = client
                  const held = client.uris("accepted", "pending")
                  const mayHear = held.some((uri) => one.uri === uri || one.uri.startsWith(`${uri}/`))
                  if (client.uris("accepted").includes(one.uri) && told.length === 0) wrong.push("a subscriber is told")
                  if (told.length > (mayHear ? 1 : 0)) wrong.push("nobody else, and once")
                }
              }
            }
            await turn()
            expect(wrong).toEqual([])
            expect(quota.held).toEqual(amountOf(clients))
            for (const owner of new Set(owners)) {
              expect(quota.heldBy(owner)).toEqual(amountOf(clients.filter((one) => one.owner === owner)))
            }
            for (const one of clients) expect(one.saved).toEqual(new Set(one.uris("accepted")))
          }
          for (const one of clients) one.leave()
          for (let round = 0; server.asked.length > 0 || round < 2; round++) {
            server.answer(0)
            await turn()
          }
          expect([quota.held, [...server.subscribed]]).toEqual([{ count: 0, bytes: 0 }, []])
          fleet.connected(server.backend)
          await turn()
          expect(server.asked).toEqual([])
        }),
        { numRuns: 150 }
      )
      expect(refusals).toBeGreaterThan(50)
    },
    60_000
  )
})

describe("subscriptions of the host of one wrapped server", () => {
  const { bytes, item } = subscriptionLimits.holder
  const uri = (number: number, length = item) => `t://${number}/`.padEnd(length, "x")
  const fitting = Array.from({ length: bytes / item }, (_, number) => uri(number))
  const wrapped = Effect.gen(function*() {
    const asked: Array<string> = []
    const capabilities = { resources: { subscribe: true }, tools: { listChanged: true } }
    const host = yield* Wrapped.make(({ method, params }) => {
      if (method?.startsWith("resources/") === true) asked.push(`${method} ${params?.["uri"]}`)
      if (method !== "initialize") return {}
      return { protocolVersion: params?.["protocolVersion"], serverInfo: { name: "raw", version: "1" }, capabilities }
    })
    return { ...host, asked }
  })

  test.scopedLive("[X5 W3] are limited in length and in all, where it has a session; what is refused reaches no server", function*() {
    mayLeave("quotas")
    const { asked, initialize, request } = yield* wrapped
    yield* Effect.promise(async () => {
      await initialize()
      let id = 0
      const errorOf = async (method: string, uri: string) => (await request(++id, method, { uri })).error?.message
      for (const one of fitting) expect(await errorOf("resources/subscribe", one)).toBeUndefined()
      asked.length = 0
      const long = uri(1, Bytes(item + 1))
      expect(await errorOf("resources/subscribe", long)).toContain(`one that is subscribed to may have ${item}`)
      expect(await errorOf("resources/subscribe", "t://more")).toContain(`may have ${bytes} of one client`)
      expect(asked).toEqual([])
      expect(await errorOf("resources/subscribe", uri(7))).toBeUndefined()
      expect(await errorOf("resources/unsubscribe", uri(7))).toBeUndefined()
      expect(await errorOf("resources/subscribe", "t://more")).toBeUndefined()
    })
  })

  test.scopedLive("[X5 W3 E8] are limited in length and in all, where it has none; what is refused reaches no server", function*() {
    mayLeave("quotas")
    const { asked, receive, request, until, said } = yield* wrapped
    const clientInfo = { [key("clientInfo")]: { name: "host", version: "1" } }
    const _meta = { [key("protocolVersion")]: "2026-07-28", ...clientInfo, [key("clientCapabilities")]: {} }
    const listen = (uris: ReadonlyArray<string>) => ({ _meta, notifications: { resourceSubscriptions: uris } })
    yield* Effect.promise(async () => {
      receive({ id: "open", method: "subscriptions/listen", params: listen(fitting) })
      await until(() => said.find(({ method }) => method === "notifications/subscriptions/acknowledged"))
      asked.length = 0
      const errorOf = async (id: string, uri: string) =>
        (await request(id, "subscriptions/listen", listen([uri]))).error?.message
      expect(await errorOf("long", uri(1, Bytes(item + 1)))).toContain(`one that is subscribed to may have ${item}`)
      expect(await errorOf("more", "t://more")).toContain(`may have ${bytes} of one client`)
      expect(asked).toEqual([])
      receive({ method: "notifications/cancelled", params: { requestId: "open" } })
      said.length = 0
      receive({ id: "then", method: "subscriptions/listen", params: listen(["t://more"]) })
      await until(() => said.find(({ method }) => method === "notifications/subscriptions/acknowledged"))
    })
  })
})
