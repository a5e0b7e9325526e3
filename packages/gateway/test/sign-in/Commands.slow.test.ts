import { describe, expect, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { generateKeyPairSync, verify } from "node:crypto"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import type { Server } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import * as Signer from "../../../sign-in/test/support/Signer.js"
import * as Program from "../support/Program.js"

const setup = Effect.gen(function*() {
  const server = yield* AuthServer.make
  const state = yield* Signer.folder
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
  it.scopedLive("[A1] login signs in, auth shows it, logout forgets it and tells the authorization server", () =>
    Effect.gen(function*() {
      const { browser, run, server } = yield* setup
      const login = yield* run(["login", server.url, "--browser"])
      expect(login).toMatchObject({ code: 0, stderr: "" })
      expect(login.stdout).toContain(`Signed in to ${server.url}`)
      expect(browser.opened()).toHaveLength(1)
      const again = yield* run(["login", server.url, "--browser"])
      expect(again.code).toBe(0)
      expect(again.stdout).toContain("Already signed in")

      const shown = yield* run(["auth"])
      expect(shown.stdout).toContain(server.url)
      expect(shown.stdout).toMatch(/valid for \d+ min/)
      const json = yield* run(["auth", "--json"])
      expect(JSON.parse(json.stdout)).toMatchObject([
        { server: server.url, account: "default", issuer: server.origin, state: "valid", scope: "basic", address: null }
      ])
      for (
        const { access_token: token } of [{ access_token: server.presented.find((one) => one !== undefined) ?? "?" }]
      ) {
        expect(login.stdout + shown.stdout + json.stdout).not.toContain(token)
      }

      const logout = yield* run(["logout", server.url])
      expect(logout).toMatchObject({ code: 0, stderr: "" })
      expect(server.revocations).toHaveLength(1)
      expect((yield* run(["auth", "--json"])).stdout.trim()).toBe("[]")
      expect((yield* run(["logout", "--all"])).stdout).toContain("No login is stored")
      expect(browser.opened()).toHaveLength(1)
    }))

  it.scopedLive("[A4] --no-browser prints the address; the login works from there", () =>
    Effect.gen(function*() {
      const { browser, server, start } = yield* setup
      const login = yield* start(["login", server.url, "--no-browser"])
      const [, address = ""] = yield* login.prints(printed)
      // The listener is up before the address is shown.
      expect((yield* Signer.visit(address)).text).toContain("Signed in")
      expect(yield* login.ended).toEqual({ code: 0, signal: null })
      expect(browser.opened()).toEqual([])
    }))

  it.scopedLive("[A4] a login without a person waits for nobody who waits for a browser, and its tokens end that wait", () =>
    Effect.gen(function*() {
      const { run, server, state } = yield* setup
      const signer = yield* Signer.start({ url: server.url, state })
      yield* signer.next(({ _tag }) => _tag === "LoginNeeded")
      const robot = ["--client-credentials", "--client-id", "robot", "--client-issuer", server.origin]
      const secret = { MCP_LIFELINE_CLIENT_SECRET: "robot-secret" }
      expect((yield* run(["login", server.url, ...robot], secret)).code).toBe(0)
      yield* signer.next(({ backend }) => backend === "Connected")
      expect((yield* run(["auth", "--json"])).stdout).not.toContain("waiting")
    }))

  it.scopedLive("[A1] a machine logs in with its credentials, and its tokens are renewed without any further configuration", () =>
    Effect.gen(function*() {
      const { run, server, state } = yield* setup
      const secret = { MCP_LIFELINE_CLIENT_SECRET: "robot-secret" }
      const login = ["login", server.url, "--client-credentials", "--client-id", "robot"]
      const unbound = yield* run(login, secret)
      expect(unbound.code).toBe(1)
      expect(unbound.stderr).toContain(`add --client-issuer ${server.origin}\n`)
      expect(server.tokenRequests).toEqual([])
      expect(yield* run([...login, "--client-issuer", "http://mcp.example"], secret)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("--client-issuer must be an address that begins with https://")
      })
      expect((yield* run([...login, "--client-issuer", server.origin], secret)).code).toBe(0)
      server.expire()
      const signer = yield* Signer.start({ url: server.url, state })
      yield* signer.next(({ backend }) => backend === "Connected")
      const basic = `Basic ${Buffer.from("robot:robot-secret").toString("base64")}`
      expect(server.grants("client_credentials").map(({ authorization }) => authorization)).toEqual([basic, basic])
    }))

  it.scopedLive("[A1] a machine signs who it is with a private key, which stays in its file", () =>
    Effect.gen(function*() {
      const { run, server, state } = yield* setup
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const file = join(state, "key.pem")
      writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }))
      const { code } = yield* run([
        "login",
        server.url,
        "--client-credentials",
        "--client-id",
        "robot",
        "--client-issuer",
        server.origin,
        "--client-key-file",
        file
      ])
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
        expect(JSON.parse(Buffer.from(body ?? "", "base64url").toString())).toMatchObject({
          iss: "robot",
          aud: server.origin
        })
      }
      for (const name of readdirSync(join(state, "grants"))) {
        expect(readFileSync(join(state, "grants", name), "utf8")).not.toContain("PRIVATE")
      }
    }))

  it.scopedLive("[A1] a name stands for the server of that name in a file; accounts are kept apart", () =>
    Effect.gen(function*() {
      const { run, server, state } = yield* setup
      const file = join(state, "mcp.json")
      writeFileSync(file, JSON.stringify({ mcpServers: { docs: { url: server.url }, local: { command: "server" } } }))
      expect((yield* run(["login", "docs", "--config", file, "--browser", "--account", "work"])).code).toBe(0)
      expect((yield* run(["login", "docs", "--config", file, "--browser"])).code).toBe(0)
      const kept = JSON.parse((yield* run(["auth", "--json"])).stdout) as ReadonlyArray<{ account: string }>
      expect(kept.map(({ account }) => account).toSorted()).toEqual(["default", "work"])
      yield* run(["logout", "docs", "--config", file, "--account", "work"])
      expect(JSON.parse((yield* run(["auth", "--json"])).stdout)).toHaveLength(1)
      const errors = yield* Effect.forEach(
        [["local", "--config", file], ["other", "--config", file], ["docs"]],
        (args) => run(["login", ...args])
      )
      expect(errors.map(({ code, stderr }) => [code, stderr.trim()])).toEqual([
        [1, `mcp-lifeline: ${file}: Lifeline starts local as a process; such a server needs no login`],
        [1, `mcp-lifeline: ${file}: there is no server other; there are: docs, local`],
        [2, "mcp-lifeline: docs is not an address; for the name of a server give its file with --config"]
      ])
    }))

  it.scopedLive("[A1] a login that is declined, or cannot be, ends with 1 and one line that says why", () =>
    Effect.gen(function*() {
      const declined = yield* setup
      declined.server.knobs.consent = false
      expect(yield* declined.run(["login", declined.server.url, "--browser"])).toMatchObject({
        code: 1,
        stderr:
          `mcp-lifeline: ${declined.server.url}: the login was not granted: access_denied: the person said no; to be asked again, run mcp-lifeline login ${declined.server.url}\n`
      })
      const unsafe = yield* setup
      unsafe.server.knobs.metadata = { code_challenge_methods_supported: ["plain"] }
      const refused = yield* unsafe.run(["login", unsafe.server.url, "--browser"])
      expect(refused.code).toBe(1)
      expect(refused.stderr).toMatch(/^mcp-lifeline: [^\n]*PKCE[^\n]*\n$/)
      const gone = yield* unsafe.run(["login", "http://127.0.0.1:1/mcp"])
      expect(gone.code).toBe(1)
      expect(gone.stderr).toContain("connection refused")
    }))

  it.scopedLive("[A1] a login that is interrupted ends with 130; the next one goes on at the same address", () =>
    Effect.gen(function*() {
      const { server, start } = yield* setup
      const first = yield* start(["login", server.url])
      const [, address = ""] = yield* first.prints(printed)
      first.signal("SIGINT")
      expect(yield* first.ended).toEqual({ code: 130, signal: null })
      const second = yield* start(["login", server.url])
      expect((yield* second.prints(printed))[1]).toBe(address)
      yield* Effect.retry(Signer.visit(address), Schedule.spaced("50 millis"))
      expect((yield* second.ended).code).toBe(0)
    }))

  it.scopedLive("[A3] serve shows the address of a login, and connects when it is done; what offers no login says what it wants", () =>
    Effect.gen(function*() {
      const { browser, server, start, state } = yield* setup
      const plain = yield* Effect.acquireRelease(
        Effect.async<Server>((resume) => {
          const http = createServer((_, response) => void response.writeHead(_.url === "/mcp" ? 401 : 404).end())
          http.listen(0, "127.0.0.1", () => resume(Effect.succeed(http)))
        }),
        (http) => Effect.sync(() => http.close().closeAllConnections())
      )
      const file = join(state, "mcp.json")
      const { port } = plain.address() as AddressInfo
      const servers = { docs: { url: server.url }, plain: { url: `http://127.0.0.1:${port}/mcp` } }
      writeFileSync(file, JSON.stringify({ mcpServers: servers }))
      const gateway = yield* start(["serve", "--config", file, "--port", "0"])
      const [, address = ""] = yield* gateway.prints(/^docs: a login is needed: open (http:\S+)$/m)
      yield* gateway.prints(/^plain: the server wants credentials, and offers no login at [^\n]*: give it headers$/m)
      yield* Signer.visit(address)
      yield* gateway.prints(/docs {2}Connected/)
      expect(browser.opened()).toEqual([])
    }))
})
