import { Effect, Either, Logger, Redacted } from "effect"
import { McpJson } from "mcp-lifeline"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"
import { folder } from "../../../testing/test/support/folder.js"
import { eventually } from "../../../testing/test/support/Processes.js"
import * as AccessInUse from "../../src/access/AccessInUse.js"
import * as GatewayAuthentication from "../../src/access/GatewayAuthentication.js"
import { describe, expect, it, test } from "../support/vitest.js"

const token = "t".repeat(16)

const parse = (lifeline: object, env: Record<string, string> = {}) =>
  Either.getOrThrow(McpJson.parse(
    "mcp.json",
    JSON.stringify({ lifeline, mcpServers: { github: { command: "x" }, docs: { command: "y" } } }),
    env
  ))

const said = (lifeline: object, env: Record<string, string> = {}) => {
  const { isUsable, notices, problems } = parse(lifeline, env)
  return [isUsable, ...[...problems, ...notices].map(({ key, message }) => `${key}: ${message}`)]
}

describe("clients and groups of a file", () => {
  it("[G22] a pattern in a file without servers is told that there are none", () => {
    const { notices } = Either.getOrThrow(McpJson.parse(
      "mcp.json",
      JSON.stringify({ lifeline: { clients: { ci: { token, servers: ["x"] } } }, mcpServers: {} }),
      {}
    ))
    expect(notices.map(({ message }) => message))
      .toEqual(['names "x", which is no server of this file; the file has no servers'])
  })

  it.each<[object, ReadonlyArray<unknown>]>([
    [{ ci: { token, servers: ["github"], tools: { hide: ["github__delete_*"] }, callsPerMinute: 60, admin: true } }, [
      true
    ]],
    [{ ci: {} }, [false, "~.ci: has no token; add tokenFile, the path of a file with it"]],
    [{ ci: { token, tokenFile: "f" } }, [false, "~.ci.token: is given twice, here and as tokenFile; keep one"]],
    [{ ci: { token: "x".repeat(15) } }, [
      false,
      "~.ci.token: has fewer than 16 characters, so that it could be guessed; make one with: openssl rand -base64 32"
    ]],
    [{ a: { token: "x" }, b: { token: "${NONE}" }, c: { token: "y y" } }, [
      false,
      expect.stringMatching(/^~\.a\.token: has fewer than 16/),
      expect.stringMatching(/^~\.b\.token: has \$\{NONE\}, which is not set/),
      expect.stringMatching(/^~\.c\.token: is no token/)
    ]],
    [{ ci: { token, tools: {} } }, [
      false,
      '~.ci.tools: is empty, which could mean all or none; give "only" or "hide", [] for none, or leave it out'
    ]],
    [{ ci: { token, tools: null, servers: { only: "x" } } }, [
      false,
      '~.ci.tools: is null; accepted: an array of patterns, or an object with "only" and "hide"',
      "~.ci.servers.only: is a string; accepted: an array of patterns"
    ]],
    // It gives away more than it seems to.
    [{ ci: { token, tools: ["docs__search"] } }, [
      true,
      "~.ci.tools: says which tools, and nothing says which servers, so that the prompts and resources of all may be used; add servers"
    ]],
    // Whoever has removed the last one does not mean everybody.
    [{}, [
      true,
      "~: is empty, so that nobody but the operator, with the token of the gateway itself, is let in; add a client, or leave clients out"
    ]],
    // With no effect, it would allow everything.
    [{ ci: { token, server: ["github"] } }, [
      false,
      '~.ci.server: is not an option of a client; did you mean "servers"?'
    ]],
    [{ ci: { token, tools: { none: [] } } }, [
      false,
      "~.ci.tools.none: is not an option of what is allowed; there are: only, hide"
    ]],
    [{ ci: { token, servers: "github" } }, [
      false,
      '~.ci.servers: is a string; accepted: an array of patterns, or an object with "only" and "hide"'
    ]],
    [{ ci: { token, callsPerMinute: 0 } }, [
      false,
      "~.ci.callsPerMinute: is 0; accepted: a whole number from 1 to 1000000"
    ]],
    [{ "a b": { token } }, [false, "~.a b: is no name for a client; accepted: up to 64 letters, digits and . _ @ -"]],
    [{ ci: { token: "${CI}" } }, [
      false,
      "~.ci.token: has ${CI}, which is not set; set CI in the environment or write ${CI:-default}"
    ]],
    [{ ci: { token: "a b" } }, [false, "~.ci.token: is no token; accepted: letters, digits and signs, without spaces"]],
    [{ ci: { token, servers: ["githb", "doc*", "nothing*"] } }, [
      true,
      '~.ci.servers: names "githb", which is no server of this file; did you mean "github"?',
      '~.ci.servers: names "nothing*", which is no server of this file; there are: github, docs'
    ]],
    [{ ci: { token, servers: ["*"], tools: ["search", "githb__search", "*__search", "git*"] } }, [
      true,
      '~.ci.tools: names "search", which begins with no server of this file, as <server>__<tool> does; there are: github, docs',
      '~.ci.tools: names "githb__search", which begins with no server of this file, as <server>__<tool> does; did you mean "github__search"?'
    ]]
  ])("[G22:unit] %j", (clients, expected) => {
    const [isUsable, ...messages] = said({ clients })
    // `~` stands for the place of the clients.
    expect([isUsable, ...messages.map((one) => String(one).replace(/^lifeline\.clients/, "~"))]).toEqual(expected)
  })

  it("[G22:unit] a group without auth has no effect, and says so; a misspelt rule of one makes the file unusable", () => {
    expect(said({ groups: { groups: { dev: { servers: ["github"] } } } })).toEqual([
      true,
      "lifeline.groups: is about claims of tokens, and without lifeline.auth no token has any, so that nobody but the operator, with the token of the gateway itself, is let in; add auth"
    ])
    expect(said({ auth: { issuer: "https://issuer.example.com" }, groups: { groups: { dev: { servers: [] } } } })[0])
      .toBe(true)
    expect(said({ groups: { groups: { dev: { admn: true } } } })[0]).toBe(false)
  })

  it("[G22:unit] what is no table is refused, and an empty one of people who sign in is reported", () => {
    for (const none of [null, [], "ci", 5, true]) {
      const { isUsable, problems } = parse({ clients: none })
      expect([isUsable, problems[0]?.message])
        .toEqual([false, expect.stringMatching(/^is .*; accepted: an object of clients by name$/)])
      expect(parse({ groups: none }).isUsable).toBe(false)
    }
    const auth = { issuer: "https://issuer.example.com" }
    expect(said({ auth, clients: {}, groups: {} })).toEqual([
      true,
      "lifeline.clients: is empty, so that only people with access tokens are let in; add a client, or leave clients out",
      "lifeline.groups: is empty, so that nobody with an access token may use anything; add a group, or leave groups out"
    ])
  })

  test.scopedLive("[G22:unit] rules without any client let in nobody without the token of the gateway, also when they are saved later", function*() {
    const needs = Effect.fnUntraced(function*(lifeline: object) {
      const loaded = yield* AccessInUse.load(parse(lifeline).access, "/", [])
      return yield* AccessInUse.make(loaded, () => Effect.void)
    })
    for (const lifeline of [{ clients: {} }, { groups: {} }, { groups: { c: { v: {} } } }]) {
      const access = yield* needs(lifeline)
      expect(access.isNeeded()).toBe(true)
      const { check } = GatewayAuthentication.byToken({
        clients: access,
        isNeeded: false,
        tokens: () => [Redacted.make("own")]
      })
      const as = (authorization?: string) => check({ headers: { authorization } } as never)
      expect([as(), as("Bearer own")]).toMatchObject([{ status: 401 }, { subject: "" }])
    }
    const open = yield* needs({})
    expect(open.isNeeded()).toBe(false)
    yield* open.use(yield* AccessInUse.load(parse({ clients: {} }).access, "/", []))
    expect(open.isNeeded()).toBe(true)
  })

  test.scopedLive("[G22:real G26] a token that is saved later and that somebody else has lets in nobody, is reported, and does no harm once each has its own", function*() {
    const path = yield* folder
    const [a, b] = [join(path, "a.token"), join(path, "b.token")]
    const tokenOf = (name: string) => `token-of-${name}-of-sixteen`
    writeFileSync(a, tokenOf("a"))
    writeFileSync(b, tokenOf("b"))
    let ofGateway = [tokenOf("gateway")]
    const own = () => ofGateway.map((one) => Redacted.make(one))
    const warnings: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel._tag === "Warning") warnings.push(String(message))
    })
    const { access } = parse({ clients: { a: { tokenFile: "a.token" }, b: { tokenFile: "b.token" } } })
    const inUse = yield* Effect.flatMap(
      AccessInUse.load(access, path, own()),
      (loaded) => AccessInUse.make(loaded, () => Effect.void, own)
    ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    const { check } = GatewayAuthentication.byToken({ clients: inUse, isNeeded: true, tokens: own })
    const who = (token: string) => {
      const found = check({ headers: { authorization: `Bearer ${token}` } } as never) as {
        readonly name?: string
        readonly status?: number
      }
      return found.status ?? found.name ?? "operator"
    }
    const seen = () => ["a", "b", "gateway"].map((name) => who(tokenOf(name)))
    const becomes = (expected: ReadonlyArray<unknown>) =>
      eventually(() => JSON.stringify(seen()) === JSON.stringify(expected) ? true : undefined)
    expect(seen()).toEqual(["a", "b", "operator"])
    // Of two lines, the other one goes on.
    writeFileSync(b, `${tokenOf("a")}\n${tokenOf("b")}\n`)
    yield* becomes([401, "b", "operator"])
    const message = (name: string, other: string) =>
      `mcp.json:1: lifeline.clients.${name}: has the same token as ${other}, so that nobody is let in with it; give each its own: openssl rand -base64 32`
    expect(inUse.problem()).toBe(message("b", "a"))
    yield* eventually(() => warnings.includes(message("b", "a")) ? true : undefined)
    writeFileSync(b, tokenOf("a"))
    yield* becomes([401, 401, "operator"])
    writeFileSync(a, tokenOf("b"))
    yield* becomes(["b", "a", "operator"])
    expect(inUse.problem()).toBeUndefined()
    // Nobody becomes the operator, nor the operator a client.
    writeFileSync(a, tokenOf("gateway"))
    yield* becomes(["b", 401, 401])
    expect(inUse.problem()).toBe(message("a", "the gateway itself"))
    ofGateway = [tokenOf("another")]
    expect(seen()).toEqual(["b", 401, "a"])
    // Too short: the one before stays.
    writeFileSync(a, "short")
    yield* eventually(() =>
      warnings.some((one) => /a\.token.* has fewer than 16 characters.*stays as it was/.test(one)) ? true : undefined
    )
    expect(seen()).toEqual(["b", 401, "a"])
  })

  it("[G22:unit] a misspelt name of the rules themselves, which would leave the gateway open, makes the file unusable", () => {
    const clients = { ci: { token } }
    for (const lifeline of [{ client: clients }, { clents: clients }, { clients, group: {} }, { auht: {} }]) {
      expect([lifeline, said(lifeline)[0]]).toEqual([lifeline, false])
    }
    expect(said({ auth: { issuer: "https://issuer.example.com", requiredScope: ["x"] } })[0]).toBe(false)
  })

  test.scopedLive("[G22:unit] tokens come from the variable or the file, and are shown nowhere", function*() {
    const path = yield* folder
    writeFileSync(join(path, "b.token"), "new-secret-of-sixteen\nold-secret-of-sixteen\n")
    const { access } = parse({ clients: { a: { token: "${A}" }, b: { tokenFile: "b.token" } } }, {
      A: "s3cret-of-16-characters"
    })
    const loaded = yield* AccessInUse.load(access, path, [])
    expect(inspect([access, loaded], { depth: 20 })).not.toMatch(/s3cret-of-16-characters|new-secret-of-sixteen/)
    const { holders } = yield* AccessInUse.make(loaded, () => Effect.void)
    expect(holders().map(({ caller, tokens }) => [caller.name, tokens.map(Redacted.value)]))
      .toEqual([["a", ["s3cret-of-16-characters"]], ["b", ["new-secret-of-sixteen", "old-secret-of-sixteen"]]])
  })

  test.scopedLive("[G22:unit] a token that is missing, empty, or that of somebody else too, is refused, and the message says whose", function*() {
    const path = yield* folder
    writeFileSync(join(path, "empty"), "\n")
    writeFileSync(join(path, "same"), "same-as-another-one\n")
    const why = (clients: object, ofGateway: ReadonlyArray<string> = []) =>
      Effect.map(
        Effect.flip(AccessInUse.load(parse({ clients }).access, path, ofGateway.map((one) => Redacted.make(one)))),
        ({ message }) => message.replaceAll(path, "DIR")
      )
    expect(yield* why({ ci: { tokenFile: "none" } })).toMatch(
      /^mcp\.json:1: lifeline\.clients\.ci\.tokenFile: names DIR.none, which cannot be read: .*; name a readable file with a token$/
    )
    expect(yield* why({ ci: { tokenFile: "empty" } }))
      .toMatch(/lifeline\.clients\.ci\.tokenFile: names DIR.empty, which contains no token; write one into it/)
    const end = "has the same token as a; give each its own: openssl rand -base64 32"
    expect(yield* why({ a: { token: "same-as-another-one" }, b: { tokenFile: "same" } }))
      .toBe(`mcp.json:1: lifeline.clients.b: ${end}`)
    expect(yield* why({ b: { token: "own-as-another-one" } }, ["own-as-another-one"]))
      .toContain("as the gateway itself")
  })
})
