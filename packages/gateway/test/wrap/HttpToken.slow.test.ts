import { layerAt } from "@mcp-lifeline/state/StateFolder"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect, Redacted } from "effect"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import * as SecretFile from "../../src/http/SecretFile.js"
import * as HttpHost from "../../src/wrap/HttpHost.js"
import * as HttpToken from "../../src/wrap/HttpToken.js"
import { wrapOf } from "../support/arguments.js"
import { stateFolder, wrap } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

/** What is found for a command line, an environment and a state folder. */
const found = async (state: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv) => {
  const { http } = wrapOf("--http", ...args, "http://h/mcp")
  assert.isDefined(http)
  const token = await Effect.runPromise(Effect.provide(HttpToken.find(http, env), layerAt(state)))
  return { token, text: token.value && Redacted.value(token.value.current()[0]) }
}

describe("the token of wrap --http", () => {
  it("[X6] is made once and kept for the user alone, where none is given", async () => {
    using state = stateFolder()
    const [one, other] = await Promise.all([
      found(state.path, [], {}),
      found(state.path, [], { MCP_LIFELINE_TOKEN: "" })
    ])
    assert.match(one.text ?? "", /^[\w-]{43}$/)
    assert.strictEqual(other.text, one.text)
    const file = join(state.path, "wrap", "token")
    assert.strictEqual(one.token.place, file)
    assert.strictEqual(readFileSync(file, "utf8").trim(), one.text)
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    assert.strictEqual((await found(state.path, [], {})).text, one.text)
    using another = stateFolder()
    assert.notStrictEqual((await found(another.path, [], {})).text, one.text)
  })

  it("[X6] is given as a variable, which the server does not inherit, or as a file; or there is none", async () => {
    using state = stateFolder()
    const env = { MCP_LIFELINE_TOKEN: "of-the-variable-given", PATH: "/bin" }
    const given = await found(state.path, [], env)
    assert.strictEqual(given.text, "of-the-variable-given")
    assert.deepEqual(env as NodeJS.ProcessEnv, { PATH: "/bin" })
    const folder = mkdtempSync(join(tmpdir(), "lifeline-token-"))
    try {
      const file = join(folder, "token")
      writeFileSync(file, "of-the-file-on-disk\n")
      const read = await found(state.path, ["--token-file", file], { MCP_LIFELINE_TOKEN: "of-the-variable-given" })
      assert.strictEqual(read.text, "of-the-file-on-disk")
      assert.strictEqual(read.token.place, file)
    } finally {
      rmSync(folder, { recursive: true })
    }
    const rest = { MCP_LIFELINE_TOKEN: "of-the-variable-given" }
    assert.isUndefined((await found(state.path, ["--no-token"], rest)).text)
    assert.deepEqual(rest as NodeJS.ProcessEnv, {})
  })

  it("[X6] is there also where it cannot be kept", async () => {
    const { text, token } = await found("/dev/null/nowhere", [], {})
    assert.match(text ?? "", /^[\w-]{43}$/)
    assert.include(HttpToken.line(token, false), "give one with --token-file or MCP_LIFELINE_TOKEN")
    assert.include(HttpToken.line(token, true), `Authorization: Bearer ${text}`)
  })

  it("[X6] is shown on a terminal only; elsewhere where it is", () => {
    const value = SecretFile.fixed([Redacted.make("a-secret")])
    assert.include(HttpToken.line({ value, place: "/a/token" }, true), "Authorization: Bearer a-secret")
    assert.strictEqual(
      HttpToken.line({ value, place: "/a/token" }, false),
      "Clients must send the header Authorization: Bearer <token>; the token is in /a/token"
    )
    // Whoever gave it knows it.
    assert.include(HttpToken.line({ value, place: "MCP_LIFELINE_TOKEN" }, true), "the token is in MCP_LIFELINE_TOKEN")
    assert.include(
      HttpToken.line({ value: undefined, place: undefined }, true),
      "every user of this machine can use it"
    )
  })

  it.each([
    [["--no-token", "http://h/mcp"], "--no-token is for --http"],
    [["--token-file", "a", "http://h/mcp"], "--token-file is for --http"],
    [["--http", "--no-token", "--token-file", "a", "http://h/mcp"], "--no-token cannot be combined with --token-file"]
  ])("[W1] %j is refused", (args, message) => {
    assert.throws(() => wrapOf(...args), message)
  })

  it("[G10] [X6:unit] a session goes on with another token, once that is the one that is asked for", async () => {
    using state = stateFolder()
    const begin: HttpHost.Begin = () => ({
      ...Raw.conversing(() => undefined, { request: (request) => request.answer({ result: Raw.introduction }) }),
      isIdle: () => true,
      tick: () => undefined
    })
    const served = <A>(token: string, use: (url: string, headers: { readonly authorization: string }) => Promise<A>) =>
      HttpHost.serve({ port: 0, token: SecretFile.fixed([Redacted.make(token)]) }, begin).pipe(
        Effect.flatMap(({ url }) => Effect.promise(() => use(url, { authorization: `Bearer ${token}` }))),
        Effect.scoped,
        Effect.provide(layerAt(state.path)),
        Effect.runPromise
      )
    const { "Mcp-Session-Id": id = "" } = await served("one", (url, headers) => Raw.begin(url, undefined, headers))
    const statuses = await served("another", async (url, headers) => {
      const ping = { id: 1, method: "ping" }
      const sent = [headers, { authorization: "Bearer one" }, {}].map((headers) =>
        Raw.send(url, "POST", { ...headers, "Mcp-Session-Id": id }, ping)
      )
      return (await Promise.all(sent)).map(({ status }) => status)
    })
    assert.deepStrictEqual(statuses, [200, 401, 401])
  })

  it("[X6:real] whoever does not send it calls no tool, and the server does not see it", async () => {
    using state = stateFolder()
    const server = scripted('send(said(String(process.env["MCP_LIFELINE_TOKEN"])))')
    for (const given of [undefined, "of-the-variable-given"]) {
      const env = given === undefined ? {} : { MCP_LIFELINE_TOKEN: given }
      await using host = wrap(["--http", "--port", "0", ...server], { state: state.path, env })
      const place = await host.until(() => /; the token is in (\S+)$/m.exec(host.stderr)?.[1])
      const token = given ?? readFileSync(place, "utf8").trim()
      assert.notInclude(host.stderr, token)
      const url = await host.until(() => /^Serving \S+ at (http:\S+)$/m.exec(host.stderr)?.[1])
      for (const authorization of [undefined, "Bearer another", `Basic ${token}`]) {
        const headers = {
          "Content-Type": "application/json",
          ...(authorization === undefined ? {} : { authorization })
        }
        const { status } = await fetch(url, { method: "POST", headers, body: "{}" })
        assert.strictEqual(status, 401)
      }
      const client = new Client({ name: "c", version: "1" })
      const requestInit = { headers: { Authorization: `Bearer ${token}` } }
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }) as never)
      const { content } = await client.callTool({ name: "any" })
      assert.include(JSON.stringify(content), "undefined")
      await client.close()
    }
  })
})
