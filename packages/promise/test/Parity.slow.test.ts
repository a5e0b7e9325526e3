/** Where programs rely on what the official Client does, Lifeline does the same: each is asked of both, and compared. */
import { connect, connectAll, RemoteError, ResultUnknown } from "@mcp-lifeline/client"
import type { ClientCapabilities } from "@modelcontextprotocol/sdk/types.js"
import {
  ElicitRequestSchema,
  ErrorCode,
  LoggingMessageNotificationSchema,
  McpError,
  ToolListChangedNotificationSchema,
  UrlElicitationRequiredError
} from "@modelcontextprotocol/sdk/types.js"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it, vi } from "vitest"
import { pairs } from "../../testing/test/support/pairs.js"
import { doors } from "./fixtures/Door.js"
import * as Peer from "./fixtures/Peer.js"
import { rejection } from "./fixtures/rejection.js"
import { withDirectory } from "./fixtures/withDirectory.js"

const { official, said, ways } = Peer

let host: Peer.Host

beforeAll(async () => {
  host = await Peer.host()
})

afterAll(() => host[Symbol.asyncDispose]())

const kinds = ["stdio", "http"] as const

const using = <A>(
  kind: typeof kinds[number],
  way: Peer.Way,
  use: (client: Peer.Some) => Promise<A>,
  capabilities?: ClientCapabilities
): Promise<A> => Peer.using(kind === "stdio" ? Peer.stdio : host.peer(), way, use, capabilities)

const all = pairs(Object.entries(ways), kinds, 1).map(([[name, way], kind]) => [name, kind, way] as const)

/** What the official Client does over a transport: asked once, for all ways that are compared with it. */
const yardstick = <A>(
  kind: typeof kinds[number],
  use: (client: Peer.Some) => Promise<A>,
  capabilities?: ClientCapabilities
): Promise<A> => {
  const key = `${kind} ${use.toString()} ${JSON.stringify(capabilities)}`
  const known = (measured.get(key) ?? using(kind, official, use, capabilities)) as Promise<A>
  measured.set(key, known)
  return known
}

const measured = new Map<string, Promise<unknown>>()

const hang = async (client: Peer.Some, signal: AbortSignal): Promise<{ readonly ended: Promise<unknown> }> => {
  const hanging = new Promise<void>((resolve) => {
    client.setNotificationHandler(LoggingMessageNotificationSchema, () => resolve())
  })
  const ended = rejection(client.callTool({ name: "hang" }, undefined, { signal }))
  await hanging
  return { ended }
}

describe.each(all)("%s over %s", (_, kind, way) => {
  it("[F2:real] what the server said before its answer has been handled when the call resolves", async () => {
    const heard = async (client: Peer.Some) => {
      const lines: Array<unknown> = []
      const progress: Array<unknown> = []
      let changes = 0
      client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void lines.push(params.data))
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++)
      await client.callTool({ name: "talk", arguments: { lines: 9 } })
      assert.lengthOf(lines.splice(0), 9)
      await client.callTool({ name: "talk", arguments: { lines: 9 } }, undefined, {
        onprogress: (update) => void progress.push(update.progress)
      })
      const said = { lines, progress }
      // Of changes that follow each other, ours are told in a pace.
      await vi.waitFor(() => assert.strictEqual(changes, 2))
      return said
    }
    const theirs = await yardstick(kind, heard)
    assert.deepEqual(theirs.lines, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    // In the official Client an answer overtakes progress that comes with it in one read.
    assert.deepEqual(await using(kind, way, heard), { ...theirs, progress: theirs.lines })
  })

  it("[C4:real] the server is told the caller's own reason to cancel", async () => {
    const reasons = [new Error("enough"), "a text", { some: "object" }, undefined]
    const told = async (client: Peer.Some) => {
      let cancelled: ReadonlyArray<unknown> = []
      for (const reason of reasons) {
        const controller = new AbortController()
        const { ended } = await hang(client, controller.signal)
        controller.abort(reason)
        await ended
        // Over HTTP, two messages may arrive in another order than they were sent in.
        cancelled = JSON.parse(await said(client, "cancelled", { count: cancelled.length + 1 })) as typeof cancelled
      }
      return cancelled
    }
    const theirs = await yardstick(kind, told)
    assert.deepEqual(theirs.slice(0, 3), ["Error: enough", "a text", "[object Object]"])
    assert.lengthOf(theirs, 4)
    assert.deepEqual(await using(kind, way, told), theirs)
  })

  it("[C8:real] a handler is told the server's own reason to cancel what it asked", async () => {
    const asked = async (client: Peer.Some) => {
      let begun = (): void => undefined
      const beginning = new Promise<void>((resolve) => {
        begun = resolve
      })
      const reason = new Promise<unknown>((resolve) => {
        client.setRequestHandler(ElicitRequestSchema, (_, { signal }) => {
          signal.addEventListener("abort", () => resolve(signal.reason))
          begun()
          return new Promise(() => undefined)
        })
      })
      const call = said(client, "ask")
      await beginning
      await said(client, "cancelAsk", { reason: "the user has gone" })
      return [await reason, await call]
    }
    const capabilities = { elicitation: { form: {} } }
    const theirs = await yardstick(kind, asked, capabilities)
    assert.deepEqual(theirs, ["the user has gone", "given up"])
    assert.deepEqual(await using(kind, way, asked, capabilities), theirs)
  })

  it("[C8:real] capabilities are declared as the caller declared them, byte for byte", async () => {
    const declared: ReadonlyArray<ClientCapabilities> = [
      {},
      { elicitation: { url: {} } },
      { roots: {} },
      { elicitation: {}, sampling: { context: {}, tools: {} }, roots: { listChanged: false } },
      { experimental: { b: { x: 1 }, a: {} }, elicitation: { form: { applyDefaults: true } }, tasks: { list: {} } }
    ]
    for (const capabilities of declared) {
      const sent = (client: Peer.Some) => said(client, "handshake")
      const theirs = await yardstick(kind, sent, capabilities)
      assert.strictEqual(theirs, JSON.stringify(capabilities))
      assert.strictEqual(await using(kind, way, sent, capabilities), theirs)
    }
  })

  it("[C9:real] the server's errors are of the official Client's class, with its code, message and data", async () => {
    const elicitations = [{ mode: "url", elicitationId: "1", url: "http://127.0.0.1/sign", message: "sign" }]
    const errors: ReadonlyArray<Record<string, unknown>> = [
      { code: ErrorCode.UrlElicitationRequired, message: "sign first", data: { elicitations } },
      { code: ErrorCode.UrlElicitationRequired, message: "without data" },
      { code: ErrorCode.UrlElicitationRequired, message: "other data", data: { hint: 1 } },
      { code: ErrorCode.InvalidParams, message: "no", data: { field: "x" } },
      { code: 7, message: "its own" }
    ]
    const seen = async (client: Peer.Some) => {
      const all: Array<unknown> = []
      for (const error of errors) {
        const thrown = await rejection(client.callTool({ name: "fail", arguments: error }))
        assert.instanceOf(thrown, McpError)
        const urls = thrown instanceof UrlElicitationRequiredError ? thrown.elicitations : undefined
        all.push([thrown.code, thrown.message, thrown.data, urls])
      }
      return all
    }
    const theirs = await yardstick(kind, seen)
    assert.deepEqual((theirs[0] as ReadonlyArray<unknown>)[3], elicitations)
    assert.deepEqual(await using(kind, way, seen), theirs)
  })

  it("[F2:real] requests in flight at close are rejected with ConnectionClosed, and that they were sent is not denied", async () => {
    const closed = async (client: Peer.Some) => {
      const hanging = new Promise<void>((resolve) => {
        client.setNotificationHandler(LoggingMessageNotificationSchema, () => resolve())
      })
      const ended = [
        rejection(client.readResource({ uri: "test://never" })),
        rejection(client.callTool({ name: "hang" }))
      ]
      await hanging
      await client.close()
      return Promise.all(ended)
    }
    for (const error of await yardstick(kind, closed)) {
      assert.instanceOf(error, McpError)
      assert.strictEqual(error.code, ErrorCode.ConnectionClosed)
    }
    for (const error of await using(kind, way, closed)) {
      assert.instanceOf(error, McpError)
      assert.strictEqual(error.code, ErrorCode.ConnectionClosed)
      assert.strictEqual((error.data as { readonly fate: string }).fate, "unknown")
      assert.notMatch(error.message, /not sent|not carried out/)
    }
  })
})

describe("what only Lifeline does", () => {
  it("[C9:real] UrlElicitationRequiredError is a RemoteError, too", async () => {
    const data = { elicitations: [] }
    const error = await using(
      "stdio",
      ways["connect"]!,
      (client) => rejection(client.callTool({ name: "fail", arguments: { code: -32042, message: "sign", data } }))
    )
    assert.instanceOf(error, UrlElicitationRequiredError)
    assert.instanceOf(error, RemoteError)
    assert.deepInclude({ ...error }, { _tag: "RemoteError", method: "tools/call", retryable: false })
  })

  it.each(Object.entries(ways))(
    "[C3:real C15] %s: what the caller has listed says what may be sent again, else what the next server lists does",
    (_, way) =>
      withDirectory((directory) =>
        using("stdio", way, async (client) => {
          const call = (file: string) => said(client, "lookOnce", { file: join(directory, file) })
          await client.listTools()
          assert.strictEqual(await call("one"), "looked again")
          // The caller has listed nothing of the next server.
          assert.strictEqual(await call("two"), "looked again")
        })
      )
  )

  it.each(doors)(
    "[F2:real] %s: close while a read that was cut off waits for a connection does not say that it was not sent",
    async (door, open) => {
      await using mortal = await Peer.host()
      // It never answers with all its lists.
      await using client = await open(mortal.peer().server, { discovery: { mode: "learn" } })
      const read = rejection(client.readResource({ uri: "test://never" }))
      await client.ping()
      await mortal[Symbol.asyncDispose]()
      for await (const { state } of client.statusChanges()) if (state !== "Connected") break
      await client.close()
      const error = await read
      assert.deepInclude({ ...error as object }, { _tag: "ResultUnknown", method: "resources/read", retryable: false })
      if (door !== "connect") return
      assert.instanceOf(error, ResultUnknown)
      assert.strictEqual(error.code, ErrorCode.ConnectionClosed)
    }
  )
})

describe("a caller's slip", () => {
  const slip = { timeout: 500 } as never

  it("[C3:real, F2:real] options where the result schema belongs are a TypeError at once, and nothing is sent", async () => {
    const peer = host.peer()
    const theirs = await official(peer)
    assert.instanceOf(await rejection(theirs.callTool({ name: "look" }, slip)), TypeError)
    await theirs.close()
    await using client = await connect(peer.server)
    await using fleet = await connectAll({ mcpServers: { one: peer.server } }, { waitTimeout: 0 })
    await client.listTools()
    const before = await said(client as never, "calls", { tool: "look" })
    for (
      const wrong of [
        client.callTool({ name: "look" }, slip),
        client.callTool({ name: "look" }, null as never),
        client.request({ method: "tools/call", params: { name: "look" } }, slip),
        fleet.client("one").callTool({ name: "look" }, slip),
        fleet.callTool({ name: "one__look" }, slip)
      ]
    ) {
      const error = await rejection(wrong)
      assert.instanceOf(error, TypeError)
      assert.match(error.message, /result schema.*options come after it/)
    }
    assert.match((await rejection(client.callTool({ name: "look" }, slip)) as Error).message, /\{ timeout \}/)
    assert.strictEqual(await said(client as never, "calls", { tool: "look" }), before)
  })

  it.each(kinds)(
    "[F2:real] parameters that are no JSON, over %s: the error of JSON, and nothing is sent",
    async (kind) => {
      const circular: Record<string, unknown> = {}
      circular["self"] = circular
      const given = [{ big: 1n }, circular]
      const thrown = (client: Peer.Some) =>
        Promise.all(given.map((args) => rejection(client.callTool({ name: "look", arguments: args }))))
      const theirs = await using(kind, official, thrown)
      for (const error of theirs) assert.instanceOf(error, TypeError)
      await using(kind, ways["connect"]!, async (client) => {
        const ours = await thrown(client)
        assert.deepEqual(ours.map(String), theirs.map(String))
        for (const error of ours) assert.instanceOf(error, TypeError)
        assert.strictEqual(await said(client, "calls", { tool: "look" }), "0")
      })
      await using(kind, ways["supervisedTransport"]!, async (client) => {
        for (const error of await thrown(client)) {
          assert.instanceOf(error, McpError)
          assert.strictEqual(error.code, ErrorCode.InternalError)
        }
      })
    }
  )

  it("[C3:real] a schema that throws is asked once, and what it threw is what the caller gets", async () => {
    const peer = host.peer()
    await using client = await connect(peer.server)
    const broken = new RangeError("a broken schema")
    const schema = {
      safeParse: () => {
        throw broken
      }
    }
    const error = await rejection(client.callTool({ name: "look" }, schema as never, { idempotent: true }))
    assert.strictEqual(error, broken)
    assert.strictEqual(await said(client as never, "calls", { tool: "look" }), "1")
  })
})
