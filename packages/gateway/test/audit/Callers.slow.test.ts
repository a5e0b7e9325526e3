import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { callsIn } from "../support/AuditLines.js"
import * as Gateway from "../support/Gateway.js"
import * as Issuer from "../support/Issuer.js"
import { api, talking } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const script = fileURLToPath(new URL("../fixtures/named.mjs", import.meta.url))

const serving = Effect.fnUntraced(function*(lifeline: object) {
  const { base, path, save, serve } = yield* Gateway.place()
  const audit = join(path, "calls")
  save({ s: { command: process.execPath, args: [script, "s", "ok", "hidden", "die"] } }, lifeline)
  yield* serve(["--audit", audit])
  return { base, audit, lines: () => callsIn(audit) }
})

const calling = Effect.fnUntraced(function*(base: string, token: string, isStateless: boolean) {
  const talk = yield* talking(`${base}/mcp`, token, { isStateless, name: "a-program" })
  yield* Effect.promise(async () => {
    await talk.call("s__ok")
    await talk.error("tools/call", { name: "s__hidden" })
    await talk.error("tools/call", { name: "s__die" })
  })
})

const expected = (client: object) => [
  { server: "s", tool: "ok", outcome: "ok", fate: "answered", attempts: 1, client },
  { server: "s", tool: "hidden", outcome: "refused", reason: "NotAllowed", fate: "notSent", attempts: 0, client },
  { server: "s", tool: "die", outcome: "error", fate: "unknown", attempts: 1, client }
]

const tools = { hide: ["s__hidden"] }

describe("the lines of calls", () => {
  test.scopedLive("[G23:real G22] name the clients of the file, with sessions, and never their tokens", function*() {
    const token = (name: string) => `s3cret-token-of-${name}`
    const client = (name: string) => ({ token: token(name), tools })
    const { audit, base, lines } = yield* serving({ clients: { ci: client("ci"), bot: client("bot") } })
    yield* calling(base, token("ci"), false)
    yield* calling(base, token("bot"), false)
    const of = (name: string) => ({ name, subject: `client:${name}`, program: "a-program", version: "1" })
    expect(lines()).toMatchObject([...expected(of("ci")), ...expected(of("bot"))])
    expect(readFileSync(audit, "utf8")).not.toContain("s3cret")
  })

  test.scopedLive("[G23:real G21] name the people of access tokens by issuer and subject, without sessions, and never their tokens", function*() {
    const issuer = yield* Issuer.make
    const groups = { groups: { dev: { tools } } }
    const { audit, base, lines } = yield* serving({ auth: { issuer: issuer.url }, groups })
    const sign = (sub: string) =>
      Effect.promise(() => issuer.sign(`${base}/mcp`, { sub, preferred_username: "Ann", groups: ["dev"] }))
    const [one, other] = [yield* sign("1"), yield* sign("2")]
    yield* calling(base, one, true)
    yield* calling(base, other, true)
    // Two people may have the same name.
    const of = (sub: string) => ({ name: "Ann", subject: `${issuer.url} ${sub}`, program: "a-program", version: "1" })
    expect(lines()).toMatchObject([...expected(of("1")), ...expected(of("2"))])
    for (const token of [one, other]) expect(readFileSync(audit, "utf8")).not.toContain(token.slice(0, 40))
  })
})

describe("the lines of calls through the API", () => {
  test.scopedLive("[G23:real G21] name the caller, and what it may not use is refused", function*() {
    const issuer = yield* Issuer.make
    const groups = { groups: { dev: { tools, admin: true } } }
    const { base, lines } = yield* serving({ auth: { issuer: issuer.url }, groups })
    const claims = { sub: "1", preferred_username: "Ann", groups: ["dev"] }
    const token = yield* Effect.promise(() => issuer.sign(`${base}/mcp`, claims))
    const call = (name: string) => api(base, token, "/api/call", "POST", { name })
    expect((yield* call("s__ok")).status).toBe(200)
    expect((yield* call("s__hidden")).status).toBe(404)
    expect((yield* call("s__die")).status).toBe(502)
    const client = { name: "Ann", subject: `${issuer.url} 1` }
    expect(lines()).toMatchObject(expected(client))
    for (const line of lines()) expect(line).toMatchObject({ door: "api", client })
  }, 300_000)
})
