import type { Authorization } from "@mcp-lifeline/transport-http"
import { Effect, type Scope } from "effect"
import { writeFileSync } from "node:fs"
import { createServer, type IncomingHttpHeaders } from "node:http"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import * as Target from "../../src/login/Target.js"
import { StartError } from "../../src/text/Errors.js"
import { environment } from "../support/environment.js"
import { mistake } from "../support/mistake.js"
import { describe, expect, it, test } from "../support/vitest.js"

const file = (mcpServers: unknown) =>
  Effect.map(folder, (path) => {
    const file = join(path, "mcp.json")
    writeFileSync(file, typeof mcpServers === "string" ? mcpServers : JSON.stringify({ mcpServers }, undefined, 2))
    return file
  })

const none = { tokens: () => Effect.succeed(undefined), renew: () => Effect.succeed(false) }
const authorization: Authorization = { ...none, isRunning: () => false }

const headersOf = (configured: (url: string) => Effect.Effect<Target.Target, unknown, Scope.Scope>) =>
  Effect.scoped(Effect.gen(function*() {
    const seen: Array<IncomingHttpHeaders> = []
    const url = yield* listening(createServer((request, response) => {
      seen.push(request.headers)
      response.writeHead(403).end()
    }))
    const target = yield* configured(`${url}/mcp`)
    const connector = yield* target.connector(authorization)
    yield* Effect.flip(connector.connect({ clientInfo: { name: "test", version: "1" }, report: () => {} }))
    return seen[0] ?? {}
  }))

describe("the server that login and logout name", () => {
  test.effect("[A1] is an address of the web, in any case", function*() {
    for (const address of ["https://a.example/mcp", "http://a.example/mcp", "HTTPS://a.example/mcp"]) {
      expect((yield* Target.find(address, undefined)).url).toBe(address)
      expect((yield* Target.find(address, "/no/such/file")).url).toBe(address)
    }
  })

  test.effect("[A1] is an address of the web or has a name in a file: anything else is a mistake of the command line", function*() {
    for (const address of ["https://", "http://a b", "https://a.example:port"]) {
      const unlike = mistake(`${address} is not an address; write https://HOST/PATH`)
      expect(yield* Effect.flip(Target.find(address, undefined))).toEqual(unlike)
    }
    for (const name of ["docs", "ftp://a.example", "xhttps://a.example", "https:a.example"]) {
      const unknown = mistake(`${name} is not an address; for the name of a server give its file with --config`)
      expect(yield* Effect.flip(Target.find(name, undefined))).toEqual(unknown)
    }
  })

  test.scopedLive("[A1] is found by its name, with variables of the environment filled in, and connected to with its headers", function*() {
    yield* environment({ LIFELINE_TEST_TEAM: "blue" })
    const headers = yield* headersOf(Effect.fnUntraced(function*(url) {
      const docs = { url: `${url}?version=2`, headers: { "x-team": "${LIFELINE_TEST_TEAM}" } }
      const other = { url: "https://other.example/mcp" }
      const target = yield* Target.find("docs", yield* file({ local: { command: "server" }, docs, other }))
      expect(target.url).toBe(`${url}?version=2`)
      return target
    }))
    expect(headers).toMatchObject({ "x-team": "blue" })
  })

  test.scopedLive("[A1] that is only an address is connected to as it is", function*() {
    const headers = yield* headersOf((url) => Target.find(url, undefined))
    expect(headers).toMatchObject({ accept: expect.stringContaining("text/event-stream") })
    expect(headers).not.toHaveProperty("authorization")
  })

  test.scoped("[A1] that cannot be used says why", function*() {
    const failure = (name: string, path: string) => Effect.flip(Target.find(name, path))
    const servers = { docs: { url: "https://docs.example/mcp" }, local: { command: "server" }, broken: { url: 1 } }
    const path = yield* file(servers)
    const wrong = yield* failure("local", path)
    expect(wrong).toBeInstanceOf(StartError)
    expect(wrong.message).toBe(`${path}: Lifeline starts local as a process; such a server needs no login`)
    expect((yield* failure("other", path)).message).toBe(`${path}: there is no server other; there are: docs, local`)
    const at = new RegExp(`^${path}:10: mcpServers\\.broken\\.url: [^\\n]+$`)
    expect((yield* failure("broken", path)).message).toMatch(at)
    const none = yield* file({})
    expect((yield* failure("docs", none)).message).toBe(`${none}: there is no server docs; there is none`)
    const gone = join(yield* folder, "none.json")
    const missing = `${gone}: there is no such file; give one that exists with --config`
    expect((yield* failure("docs", gone)).message).toBe(missing)
    const text = yield* file("{")
    const unread = yield* failure("docs", text)
    expect(unread).toBeInstanceOf(StartError)
    expect(unread.message).toMatch(new RegExp(`^${text}:1: [^\\n]+$`))
  })

  test.scoped("[A1] that cannot be connected to as it is configured says what to change", function*() {
    const path = yield* file({ docs: { url: "https://docs.example/mcp" } })
    yield* environment({ https_proxy: "ftp://proxy.example", no_proxy: "" })
    const url = yield* Target.find("https://docs.example/mcp", undefined)
    const name = yield* Target.find("docs", path)
    const ofUrl = yield* Effect.flip(url.connector(authorization))
    const ofName = yield* Effect.flip(name.connector(authorization))
    expect(ofUrl).toBeInstanceOf(StartError)
    expect(ofUrl.message).toContain("https_proxy")
    expect(ofUrl.message).not.toMatch(/^\w+:/)
    expect(ofName).toBeInstanceOf(StartError)
    expect(ofName.message).toMatch(new RegExp(`^${path}:\\d+: mcpServers\\.docs[^\\n]*https_proxy`))
  })

  it("[A1] is kept by its address without its query and what else is only for the connection", () => {
    const whole = "https://user:pass@a.example:8443/mcp/?key=secret#part"
    expect(Target.storedUrl(whole)).toBe("https://a.example:8443/mcp/")
    expect(Target.storedUrl("https://a.example")).toBe("https://a.example/")
  })
})
