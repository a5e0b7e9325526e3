import type * as Grant from "@mcp-lifeline/sign-in/Grant"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Fiber, Redacted, TestClock } from "effect"
import { existsSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import { grant, keep, metadata, waiting } from "../../../sign-in/test/support/grants.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as Logout from "../../src/login/logout.js"
import { mistake } from "../support/mistake.js"
import * as RecordedOutput from "../support/RecordedOutput.js"
import { describe, expect, test } from "../support/vitest.js"

const setup = Effect.fnUntraced(function*(kept: Parameters<typeof keep>[1] = {}) {
  const state = StateFolder.make(yield* folder)
  yield* keep(state, kept)
  const count = (path: string): number => existsSync(path) ? readdirSync(path).length : 0
  const files = () =>
    Object.fromEntries(["grants", "clients", "logins"].map((name) => [name, count(join(state.path, name))]))
  return {
    path: state.path,
    files,
    logout: (options: Partial<Logout.Options>) =>
      Effect.gen(function*() {
        const { lines, output, problems } = RecordedOutput.make()
        const given = { target: undefined, config: undefined, account: undefined, client: undefined, ...options }
        yield* Effect.provideService(Logout.run(given, output), StateFolder.StateFolder, state)
        return { lines, problems }
      })
  }
})

const endpoints = (origin: string) => ({ token_endpoint: `${origin}/token`, revocation_endpoint: `${origin}/revoke` })

const of = (server: AuthServer.AuthServer, given: Partial<Grant.Grant> = {}): Grant.Grant =>
  grant({
    server: server.url,
    issuer: server.origin,
    metadata: { ...metadata, issuer: server.origin, ...endpoints(server.origin) },
    refresh: Redacted.make("the refresh token"),
    ...given
  })

const unrevoked = (issuer: string) =>
  `mcp-lifeline: the tokens could not be revoked at ${issuer}; they stay valid until they expire`

const until = 1e15
const [a, b] = ["https://a.example/mcp", "https://b.example/mcp"]

const three = {
  grants: [grant({ server: a }), grant({ server: a, account: "work" }), grant({ server: b })],
  logins: [waiting(until, { server: a }), waiting(until, { server: a, account: "work" }), waiting(until, { server: b })]
}
const left = (count: number) => ({ grants: count, clients: count, logins: count })

describe("logout", () => {
  test.scoped("[A1] deletes all that is stored for a server, whatever the account, and nothing of others", function*() {
    const { files, logout } = yield* setup(three)
    expect(files()).toEqual(left(3))
    const { lines, problems } = yield* logout({ target: `${a}?key=secret` })
    expect(lines.toSorted()).toEqual([`Signed out of ${a}`, `Signed out of ${a} (work)`])
    expect([files(), problems]).toEqual([left(1), []])
    expect(yield* logout({ target: a })).toEqual({ lines: [`No login is stored for ${a}`], problems: [] })
    expect(files()).toEqual(left(1))
  })

  test.scoped("[A1] deletes that of one account alone", function*() {
    const { files, logout } = yield* setup(three)
    const first = { lines: [`Signed out of ${a} (work)`], problems: [] }
    expect(yield* logout({ target: a, account: "work" })).toEqual(first)
    expect(files()).toEqual(left(2))
    const second = { lines: [`No login is stored for ${a}`], problems: [] }
    expect(yield* logout({ target: a, account: "work" })).toEqual(second)
    expect(yield* logout({ target: a, account: "default" })).toEqual({ lines: [`Signed out of ${a}`], problems: [] })
    expect(files()).toEqual(left(1))
  })

  test.scoped("[A1] deletes all of all servers, or of one account at all of them", function*() {
    const { files, logout } = yield* setup(three)
    const both = [`Signed out of ${a}`, `Signed out of ${b}`]
    expect((yield* logout({ account: "default" })).lines.toSorted()).toEqual(both)
    expect(files()).toEqual(left(1))
    expect((yield* logout({})).lines).toEqual([`Signed out of ${a} (work)`])
    expect(files()).toEqual(left(0))
    expect(yield* logout({})).toEqual({ lines: ["No login is stored"], problems: [] })
  })

  test.scoped("[A1] finds a server by its name, and says so where it cannot", function*() {
    const { files, logout, path } = yield* setup(three)
    const config = join(path, "mcp.json")
    writeFileSync(config, JSON.stringify({ mcpServers: { docs: { url: `${b}?key=secret` } } }))
    expect((yield* logout({ target: "docs", config })).lines).toEqual([`Signed out of ${b}`])
    expect(files()).toEqual(left(2))
    const unknown = mistake("docs is not an address; for the name of a server give its file with --config")
    expect(yield* Effect.flip(logout({ target: "docs" }))).toEqual(unknown)
    expect(files()).toEqual(left(2))
  })

  test.scoped("[A1] ends a login that waits also where there are no tokens", function*() {
    const { files, logout } = yield* setup({ logins: three.logins })
    expect(yield* logout({ target: b })).toEqual({ lines: [`No login is stored for ${b}`], problems: [] })
    expect(files()).toEqual({ ...left(2), grants: 0, clients: 0 })
  })

  test.scoped("[A1] revokes the refresh token, with which all of a login ends, otherwise the access token", function*() {
    const server = yield* AuthServer.make
    const client = { ...grant().client, secret: Redacted.make("client secret") }
    const machine = { account: "machine", refresh: undefined, access: Redacted.make("the access token"), client }
    const { files, logout } = yield* setup({ grants: [of(server), of(server, machine)] })
    const signedOut = `Signed out of ${server.url}`
    expect(yield* logout({ account: "default" })).toEqual({ lines: [signedOut], problems: [] })
    expect(yield* logout({})).toEqual({ lines: [`${signedOut} (machine)`], problems: [] })
    const first = { token: "the refresh token", token_type_hint: "refresh_token", client_id: "client-1" }
    const second = { token: "the access token", token_type_hint: "access_token" }
    const basic = `Basic ${Buffer.from("client-1:client+secret").toString("base64")}`
    const revoked = [{ form: first, authorization: undefined }, { form: second, authorization: basic }]
    expect(server.revocations).toEqual(revoked)
    expect(files()).toEqual(left(0))
  })

  test.scoped("[A1] deletes what is stored also where the server does not revoke it, and says that", function*() {
    const server = yield* AuthServer.make
    server.knobs.revokeStatus = 400
    const gone = yield* Effect.scoped(AuthServer.make)
    const unsafe = of(server, { account: "unsafe" })
    const metadata = { ...unsafe.metadata, revocation_endpoint: "http://login.example/revoke" }
    const { files, logout } = yield* setup({ grants: [of(server), { ...unsafe, metadata }] })
    const first = { lines: [`Signed out of ${server.url}`], problems: [unrevoked(server.origin)] }
    expect(yield* logout({ account: "default" })).toEqual(first)
    const second = { lines: [`Signed out of ${server.url} (unsafe)`], problems: [unrevoked(server.origin)] }
    expect(yield* logout({})).toEqual(second)
    expect([files(), server.revocations.length]).toEqual([left(0), 1])
    const other = yield* setup({ grants: [of(gone)] })
    const third = { lines: [`Signed out of ${gone.url}`], problems: [unrevoked(gone.origin)] }
    expect(yield* other.logout({})).toEqual(third)
    expect(other.files()).toEqual(left(0))
  })

  test.scoped("[A1] waits 10 seconds for an authorization server that does not answer", function*() {
    const server = yield* AuthServer.make
    server.knobs.revokeReady = new Promise(() => {})
    const { files, logout } = yield* setup({ grants: [of(server)] })
    const ending = yield* Effect.fork(logout({}))
    yield* Effect.promise(() => expect.poll(() => server.revocations).not.toEqual([]))
    yield* TestClock.adjust("9999 millis")
    expect([ending.unsafePoll(), files().grants]).toEqual([null, 1])
    yield* TestClock.adjust("1 millis")
    const ended = { lines: [`Signed out of ${server.url}`], problems: [unrevoked(server.origin)] }
    expect(yield* Fiber.join(ending)).toEqual(ended)
    expect(files()).toEqual(left(0))
  })

  test.scoped("[X2] sends tokens of a server elsewhere to an authorization server on this machine only where the user has named that", function*() {
    const local = yield* AuthServer.make
    const named = (issuer: string | undefined, account: string) =>
      of(local, { server: "https://192.0.2.1/mcp", account, client: { ...grant().client, issuer } })
    const { logout } = yield* setup({
      grants: [named(undefined, "none"), named("https://login.example", "other"), named(local.origin, "named")]
    })
    for (const account of ["none", "other"]) {
      const lines = [`Signed out of https://192.0.2.1/mcp (${account})`]
      expect(yield* logout({ account })).toEqual({ lines, problems: [unrevoked(local.origin)] })
      expect(local.revocations).toEqual([])
    }
    const revoked = { lines: ["Signed out of https://192.0.2.1/mcp (named)"], problems: [] }
    expect(yield* logout({ account: "named" })).toEqual(revoked)
    expect(local.revocations).toHaveLength(1)
  })
})
