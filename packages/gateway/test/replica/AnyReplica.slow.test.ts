import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema
} from "@modelcontextprotocol/sdk/types.js"
import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import { describeCluster, ManyGateways } from "../support/ManyGateways.js"
import { fixture } from "../support/Program.js"
import { RoundRobin } from "../support/RoundRobin.js"
import { reconnectionOptions } from "../support/Unaware.js"

const chatty = fixture("chatty")
const patience = 300_000

type Heard = { readonly logs: Array<unknown>; readonly updated: Array<string>; listChanged: number }

describeCluster("a client at any replica", () => {
  let all: ManyGateways
  let balancer: RoundRobin
  const clients: Array<Client> = []

  beforeAll(async () => {
    all = await ManyGateways.start(3, {
      servers: [],
      entries: { shared: chatty, own: { ...chatty, lifeline: { sessions: "per-client" } } },
      // One test waits for the end of a lease.
      lease: "15s"
    })
    balancer = await RoundRobin.start(all.replicas.map(({ port }) => port))
  }, patience)
  afterEach(async () => {
    await Promise.allSettled(clients.splice(0).map((client) => client.close()))
  })
  afterAll(async () => {
    await balancer[Symbol.asyncDispose]()
    await all[Symbol.asyncDispose]()
  }, patience)

  const connected = async (clientInfo = { name: "anywhere", version: "1" }, asked = (): void => undefined) => {
    const heard: Heard = { logs: [], updated: [], listChanged: 0 }
    const client = new Client(clientInfo, { capabilities: { elicitation: {} } })
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.logs.push(params.data))
    client.setNotificationHandler(
      ResourceUpdatedNotificationSchema,
      ({ params }) => void heard.updated.push(params.uri)
    )
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.listChanged++)
    client.setRequestHandler(ElicitRequestSchema, () => {
      asked()
      return { action: "accept", content: { name: clientInfo.name } }
    })
    const transport = new StreamableHTTPClientTransport(balancer.url, { reconnectionOptions })
    await client.connect(transport as Transport)
    clients.push(client)
    const call = async (name: string, args: Record<string, unknown> = {}, options = {}): Promise<string> => {
      const { content } = await client.callTool({ name, arguments: args }, undefined, { timeout: patience, ...options })
      return (content as ReadonlyArray<{ readonly text: string }>)[0]!.text
    }
    return { client, transport, heard, call }
  }
  /** Often enough that each replica has had a request. */
  const often = Array.from({ length: 6 })

  it("[D1:real D3] has one process of a shared server, and one of its own", async () => {
    const one = await connected()
    const other = await connected()
    const pids = async (tool: string, { call }: typeof one) => {
      const all = new Set<string>()
      for (const _ of often) all.add(await call(tool))
      return [...all]
    }
    const shared = await pids("shared__pid", one)
    expect(shared).toHaveLength(1)
    expect(await pids("shared__pid", other)).toEqual(shared)
    const own = await pids("own__pid", one)
    expect(own).toHaveLength(1)
    const others = await pids("own__pid", other)
    expect(others).toHaveLength(1)
    expect(others).not.toEqual(own)
  })

  it("[D3] gets the answer of a call whose stream broke, from wherever it asks for it", async () => {
    // The question makes the answer a stream.
    const { call } = await connected(undefined, () => balancer.cut())
    const params = { message: "Who?", requestedSchema: { type: "object", properties: {} } }
    for (const _ of often) {
      const answer = await call("own__ask", { method: "elicitation/create", params })
      expect(JSON.parse(answer)).toMatchObject({ action: "accept" })
    }
  })

  it("[D7] ends its session for all replicas", async () => {
    const { transport } = await connected()
    const session = transport.sessionId!
    await transport.terminateSession()
    for (const { url } of all.replicas) {
      const { body, status } = await Raw.send(url.href, "POST", { "mcp-session-id": session }, {
        id: 1,
        method: "ping"
      })
      expect(status).toBe(404)
      await body
    }
  })

  it("[D5 D7] goes on with its settings on another replica when the one with its session is killed", async () => {
    const long = { name: "anywhere", version: "1", title: "t".repeat(4000) }
    const { call, client, heard, transport } = await connected(long)
    await client.setLoggingLevel("emergency")
    await client.subscribeResource({ uri: "test://two" })
    const session = transport.sessionId
    const pid = Number(await call("own__pid"))
    const home = all.owner(pid)!
    await home.end("SIGKILL")
    const after = Number(await call("own__pid"))
    expect(after).not.toBe(pid)
    expect(transport.sessionId).toBe(session)
    await expect.poll(async () => {
      await call("shared__change", { uri: "test://two" })
      return heard.updated.length
    }, { timeout: patience }).toBeGreaterThan(0)
    heard.logs.length = 0
    await call("shared__log")
    await expect.poll(() => heard.logs.length, { timeout: patience }).toBe(1)
    expect(heard.logs).toMatchObject([{ level: "emergency" }])
    await home.start()
  })

  it("[D1:real D8] has the server as it is configured anew on one replica, until it is the same on all", async () => {
    const { call } = await connected()
    const before = Number(await call("shared__pid"))
    const owner = all.owner(before)!
    const newest = all.replicas.find((one) => one !== owner)!
    const configured = { ...newest.configured, shared: { ...chatty, args: [...chatty.args, "new"] } }
    newest.configure(configured)
    const owning = async () => all.owner(Number(await call("shared__pid")))
    await expect.poll(owning, { timeout: patience }).toBe(newest)
    const warned = async () => {
      const { servers } = await owner.status()
      return servers.find(({ name }) => name === "shared")!.warnings.filter((warning) =>
        warning.includes("has an older configuration")
      ).length
    }
    await expect.poll(warned, { timeout: patience }).toBe(2)
    for (const replica of all.replicas) replica.configure(configured)
    await expect.poll(warned, { timeout: patience }).toBe(0)
    expect(await owning()).toBe(newest)
  })

  it("[D3] hears of changed lists from all replicas", async () => {
    const { client, heard } = await connected()
    await client.listTools()
    for (const replica of all.replicas) replica.configure({ ...replica.configured, more: chatty })
    await expect.poll(async () => {
      const { tools } = await client.listTools()
      return tools.some(({ name }) => name === "more__pid")
    }, { timeout: patience }).toBe(true)
    await expect.poll(() => heard.listChanged, { timeout: patience }).toBeGreaterThan(0)
  })
}, 2 * patience)
