import type { ConnectReason } from "@mcp-lifeline/client"
import { connect, connectAll, ConnectError, supervisedTransport } from "@mcp-lifeline/client"
import { HttpExchange, HttpFaultServer } from "@mcp-lifeline/testing"
import { Client as ClientV2, UnauthorizedError as UnauthorizedErrorV2 } from "@modelcontextprotocol/client"
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { McpError } from "@modelcontextprotocol/sdk/types.js"
import { assert, describe, it } from "vitest"
import * as SignIn from "../../testing/test/support/SignIn.js"
import * as Everything from "./fixtures/Everything.js"
import { rejection } from "./fixtures/rejection.js"

const { fault } = HttpExchange

/** What connect says where it has not waited for `timeouts.connect`, which is 30 s. */
const gaveUp = "connect gave up after 5 s; to wait longer for a server that is still starting, set timeouts.connect"

const page = ({ response }: HttpExchange.Turn) => fault(response, 200, { "content-type": "text/html" }, "<h1>Shop</h1>")

const notFound = ({ response }: HttpExchange.Turn) => fault(response, 404, { "content-type": "text/html" }, "<h1>no")

describe("the first connection", () => {
  it(
    "[F1] where nothing listens, nothing is found or no MCP server answers, connect says so long before timeouts.connect",
    async () => {
      await using shop = await HttpFaultServer.open()
      shop.hook = page
      await using other = await HttpFaultServer.open()
      other.hook = notFound
      const nobody = `http://127.0.0.1:${await Everything.freePort()}/mcp`
      const rejected = async (url: string, reason: ConnectReason, what: RegExp, status?: number) => {
        const error = await rejection(connect({ url }, { name: "docs" }))
        assert.instanceOf(error, ConnectError)
        assert.deepInclude({ ...error }, {
          backend: "docs",
          reason,
          status,
          permanent: false,
          retryable: true
        })
        assert.match(error.message, what)
        assert.isTrue(error.message.startsWith(`docs: ${url}: `), error.message)
        assert.strictEqual(error.message.split(url).length, 2)
        assert.include(error.message, gaveUp)
      }
      const exited = async () => {
        const server = { command: process.execPath, args: ["-e", "console.error('no database'); process.exit(3)"] }
        const error = await rejection(connect(server, { name: "docs" }))
        assert.instanceOf(error, ConnectError)
        assert.match(error.message, /^docs: .*3.*no database/)
        assert.include(error.message, gaveUp)
      }
      const quoted = async () => {
        const server = { command: process.execPath, args: ["-e", 'console.error("a \\"mark\\""); process.exit(4)'] }
        const error = await rejection(connect(server, { name: "docs" }))
        assert.instanceOf(error, ConnectError)
        assert.strictEqual(error.message.split("process.exit(4)").length, 2, error.message)
      }
      const initialized = async (url: string, reason: ConnectReason, status?: number) => {
        const client = new Client({ name: "a-test", version: "1.2.3" })
        const error = await rejection(client.connect(supervisedTransport({ url }, { name: "docs" })))
        assert.instanceOf(error, McpError)
        assert.deepInclude(error.data as object, { fate: "notSent", tag: "ConnectError", reason, status })
      }
      await Promise.all([
        rejected(nobody, "refused", /refused/),
        rejected(shop.url, "protocol", /text\/html/),
        rejected(other.url, "notFound", /HTTP 404/, 404),
        initialized(nobody, "refused"),
        initialized(other.url, "notFound", 404),
        exited(),
        quoted()
      ])
      await Promise.all([shop, other].map((server) => server.until(() => server.sockets.size === 0)))
    }
  )

  it("[F1] a server that does not answer, and a login that is not finished, are told as what they are", async () => {
    await using server = await HttpFaultServer.open()
    server.hook = () => true
    const silent = await rejection(connect({ url: server.url }, { name: "docs", timeouts: { connect: 300 } }))
    assert.instanceOf(silent, ConnectError)
    assert.strictEqual(silent.reason, "timeout")
    assert.match(silent.message, /^docs: .*no connection (in time|within 300 ms).*has not answered/)
    assert.include(silent.message, server.url)
    const { logins, provider } = SignIn.askFor(server)
    provider.redirectToAuthorization = (url) => {
      logins.push(url)
      return new Promise(() => undefined)
    }
    const docs = { url: server.url, authProvider: provider }
    const waits = await rejection(connect(docs, { name: "docs", timeouts: { connect: 6000 } }))
    assert.instanceOf(waits, ConnectError)
    assert.match(waits.message, /login waits for a person/)
    assert.strictEqual(logins.length, 1)
    await server.until(() => server.sockets.size === 0)
  })

  it("[F1] a server that may still be starting is waited for", async () => {
    await using server = await HttpFaultServer.open()
    const began = performance.now()
    server.hook = ({ at, response }) => at - began < 5500 ? fault(response, 503) : undefined
    await using client = await connect({ url: server.url }, {
      reconnect: { initialDelay: 200, maxDelay: 400, maxAttempts: 1000 }
    })
    assert.deepEqual(await client.ping(), {})
  })

  it("[F1] an attempt that is under way when the time is over is waited for", async () => {
    await using server = await HttpFaultServer.open()
    await server.stop()
    let answers = 0
    server.hook = ({ response, rpc }) => {
      if (rpc !== "initialize" || answers++ > 0) return undefined
      // Answered 6 s later, as what it is: the server was starting.
      setTimeout(() => fault(response, 503), 6000)
      return true
    }
    const connecting = connect({ url: server.url }, {
      reconnect: { initialDelay: 100, maxDelay: 200, maxAttempts: 1000 }
    })
    await server.start()
    await using client = await connecting
    assert.strictEqual(answers, 2)
    assert.strictEqual(client.status.generation, 1)
  })
})

describe("a login that a person has to finish", () => {
  it("[F1] rejects connect at once with the official UnauthorizedError, asks for one login, and leaves nothing", async () => {
    await using server = await HttpFaultServer.open()
    const { finish, logins, provider } = SignIn.askFor(server)
    const docs = { url: server.url, authProvider: provider }
    const error = await rejection(connect(docs, { name: "docs", timeouts: { connect: "10 minutes" } }))
    assert.instanceOf(error, UnauthorizedError)
    assert.deepInclude({ ...error } as object, {
      _tag: "UnauthorizedError",
      name: "UnauthorizedError",
      code: "ERR_LIFELINE_UNAUTHORIZED",
      backend: "docs",
      reason: "unauthorized",
      retryable: true
    })
    assert.include(error.message, server.url)
    assert.strictEqual(server.count("POST"), 1)
    assert.strictEqual(logins.length, 1)
    await server.until(() => server.sockets.size === 0)
    await finish()
    await using client = await connect(docs)
    assert.deepEqual(await client.ping(), {})
    assert.strictEqual(logins.length, 1)
  })

  it("[F1 F3] rejects the official Client over supervisedTransport in the same way", async () => {
    await using server = await HttpFaultServer.open()
    const { finish, logins, provider } = SignIn.askFor(server)
    const docs = { url: server.url, authProvider: provider }
    const transport = supervisedTransport(docs, { name: "docs" })
    const error = await rejection(new Client({ name: "a-test", version: "1.2.3" }).connect(transport))
    assert.instanceOf(error, UnauthorizedError)
    assert.deepInclude({ ...error } as object, { _tag: "UnauthorizedError", backend: "docs" })
    assert.strictEqual(server.count("POST"), 1)
    assert.strictEqual(logins.length, 1)
    await server.until(() => server.sockets.size === 0)
    await finish()
    const client = new Client({ name: "a-test", version: "1.2.3" })
    await client.connect(supervisedTransport(docs))
    assert.deepEqual(await client.ping(), {})
    await client.close()
  })

  it("[F1 F3] rejects the official Client of v2 with an error that its UnauthorizedError knows", async () => {
    await using server = await HttpFaultServer.open()
    const { provider } = SignIn.askFor(server)
    const transport = supervisedTransport({ url: server.url, authProvider: provider }, { name: "docs" })
    const error = await rejection(new ClientV2({ name: "a-test", version: "1.2.3" }).connect(transport))
    assert.instanceOf(error, UnauthorizedErrorV2)
    assert.instanceOf(error, UnauthorizedError)
    assert.notInstanceOf(new UnauthorizedError(), UnauthorizedErrorV2)
  })

  it.each([
    ["Streamable HTTP", StreamableHTTPClientTransport],
    ["HTTP+SSE", SSEClientTransport]
  ])("[F1] rejects connect in the same way over the SDK's own transport of %s", async (_, Official) => {
    await using server = await HttpFaultServer.open()
    const { logins, provider } = SignIn.askFor(server)
    const transport = () => new Official(new URL(server.url), { authProvider: provider }) as Transport
    const error = await rejection(connect({ transport }, { name: "docs", timeouts: { connect: "10 minutes" } }))
    assert.instanceOf(error, UnauthorizedError)
    assert.deepInclude({ ...error } as object, { _tag: "UnauthorizedError", backend: "docs", status: 401 })
    assert.match(error.message, /^docs: .*a person has to log in/)
    assert.strictEqual(logins.length, 1)
  })

  it("[F1] rejects connectAll that requires all, and the commands of a client", async () => {
    await using server = await HttpFaultServer.open()
    const { finish, kept, logins, provider } = SignIn.askFor(server)
    const docs = { url: server.url, authProvider: provider }
    const error = await rejection(connectAll({ mcpServers: { docs } }, { require: "all" }))
    assert.instanceOf(error, UnauthorizedError)
    assert.strictEqual(logins.length, 1)
    await finish()
    await using client = await connect(docs)
    await client.disconnect()
    kept.tokens = undefined
    assert.instanceOf(await rejection(client.reconnect()), UnauthorizedError)
    assert.strictEqual(logins.length, 2)
    await finish()
    await client.reconnect()
    assert.deepEqual(await client.ping(), {})
  })

  it("[F1] why OAuth failed is said to the client of a supervised transport", async () => {
    await using server = await HttpFaultServer.open()
    const { kept, logins, onToken, origin, provider } = SignIn.askFor(server)
    kept.tokens = { access_token: "old", refresh_token: "good", token_type: "bearer", issuer: origin }
    onToken(() => [503, "server_error"])
    const client = new Client({ name: "a-test", version: "1.2.3" })
    const transport = supervisedTransport({ url: server.url, authProvider: provider }, {
      timeouts: { connect: "5 seconds" }
    })
    const error = await rejection(client.connect(transport))
    assert.instanceOf(error, McpError)
    assert.include(error.message, "HTTP 503")
    assert.deepInclude(error.data as object, { tag: "ConnectError", reason: "unauthorized" })
    assert.strictEqual(logins.length, 0)
  })
})
