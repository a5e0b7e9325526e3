import { Effect, Schedule } from "effect"
import { generateKeyPairSync, verify } from "node:crypto"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import * as Signer from "../../../sign-in/test/support/Signer.js"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const setup = Effect.gen(function*() {
  const server = yield* AuthServer.make
  const state = yield* folder
  const browser = yield* Signer.browser(false)
  const env = { MCP_LIFELINE_STATE: state, BROWSER: browser.command, CI: "" }
  return {
    server,
    state,
    browser,
    run: (args: ReadonlyArray<string>, more: Record<string, string> = {}) => Program.run(args, { ...env, ...more }),
    start: (args: ReadonlyArray<string>, more: Record<string, string> = {}) => Program.start(args, { ...env, ...more })
  }
})

const printed = /^ {2}(http:\S+)$/m

describe("login, logout and auth", () => {
  test.scopedLive("[A4] a login without a person waits for nobody who waits for a browser, and its tokens end that wait", function*() {
    const { run, server, state } = yield* setup
    const signer = yield* Signer.start({ url: server.url, state })
    yield* signer.next(({ _tag }) => _tag === "LoginNeeded")
    const robot = ["--client-credentials", "--client-id", "robot", "--client-issuer", server.origin]
    const secret = { MCP_LIFELINE_CLIENT_SECRET: "robot-secret" }
    expect((yield* run(["login", server.url, ...robot], secret)).code).toBe(0)
    yield* signer.next(({ backend }) => backend === "Connected")
    expect((yield* run(["auth", "--json"])).stdout).not.toContain("waiting")
  })

  test.scopedLive("[A1] a machine signs who it is with a private key, which stays in its file", function*() {
    const { run, server, state } = yield* setup
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const file = join(state, "key.pem")
    writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }))
    const robot = ["--client-credentials", "--client-id", "robot", "--client-issuer", server.origin]
    const { code } = yield* run(["login", server.url, ...robot, "--client-key-file", file])
    expect(code).toBe(0)
    server.expire()
    const signer = yield* Signer.start({ url: server.url, state })
    yield* signer.next(({ backend }) => backend === "Connected")
    const requests = server.grants("client_credentials")
    expect(requests).toHaveLength(2)
    for (const { form } of requests) {
      const [head, body, signature = ""] = (form["client_assertion"] ?? "").split(".")
      const key = { key: publicKey, dsaEncoding: "ieee-p1363" } as const
      expect(verify("sha256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url"))).toBe(true)
      const claims = { iss: "robot", aud: server.origin }
      expect(JSON.parse(Buffer.from(body ?? "", "base64url").toString())).toMatchObject(claims)
    }
    for (const name of readdirSync(join(state, "grants"))) {
      expect(readFileSync(join(state, "grants", name), "utf8")).not.toContain("PRIVATE")
    }
  })

  test.scopedLive("[A1] a login that is interrupted ends with 130; the next one goes on at the same address", function*() {
    const { server, start } = yield* setup
    const first = yield* start(["login", server.url])
    const [, address = ""] = yield* first.prints(printed)
    first.signal("SIGINT")
    expect(yield* first.ended).toEqual({ code: 130, signal: null })
    const second = yield* start(["login", server.url])
    expect((yield* second.prints(printed))[1]).toBe(address)
    yield* Effect.retry(Signer.visit(address), Schedule.spaced("50 millis"))
    expect((yield* second.ended).code).toBe(0)
  })

  test.scopedLive("[A3] serve shows the address of a login, and connects when it is done; what offers no login says what it wants", function*() {
    const { browser, server, start, state } = yield* setup
    const refusing = createServer(({ url }, response) => void response.writeHead(url === "/mcp" ? 401 : 404).end())
    const plain = yield* listening(refusing)
    const file = join(state, "mcp.json")
    const servers = { docs: { url: server.url }, plain: { url: `${plain}/mcp` } }
    writeFileSync(file, JSON.stringify({ mcpServers: servers }))
    const gateway = yield* start(["serve", "--config", file, "--port", "0"])
    const [, address = ""] = yield* gateway.prints(/^docs: a login is needed: open (http:\S+)$/m)
    yield* gateway.prints(/^plain: the server wants credentials, and offers no login at [^\n]*: give it headers$/m)
    yield* Signer.visit(address)
    yield* gateway.prints(/docs {2}Connected/)
    expect(browser.opened()).toEqual([])
  })
})
