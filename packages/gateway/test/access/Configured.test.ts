import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Redacted } from "effect"
import { McpJson } from "mcp-lifeline"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"
import { folder } from "../../../testing/test/support/folder.js"
import * as AccessInUse from "../../src/access/AccessInUse.js"

const parse = (lifeline: object, env: Record<string, string> = {}) =>
  Either.getOrThrow(
    McpJson.parse(
      "mcp.json",
      JSON.stringify({ lifeline, mcpServers: { github: { command: "x" }, docs: { command: "y" } } }),
      env
    )
  )

const said = (lifeline: object, env: Record<string, string> = {}) => {
  const { isUsable, notices, problems } = parse(lifeline, env)
  return [isUsable, ...[...problems, ...notices].map(({ key, message }) => `${key}: ${message}`)]
}

describe("clients and groups of a file", () => {
  it.each<[object, ReadonlyArray<unknown>]>([
    [{
      ci: { token: "t", servers: ["github"], tools: { hide: ["github__delete_*"] }, callsPerMinute: 60, admin: true }
    }, [
      true
    ]],
    [{ ci: {} }, [false, "lifeline.clients.ci: has no token; add tokenFile, the path of a file with it"]],
    [{ ci: { token: "t", tokenFile: "f" } }, [
      false,
      "lifeline.clients.ci.token: is given twice, here and as tokenFile; keep one"
    ]],
    // With no effect, it would allow everything.
    [{ ci: { token: "t", server: ["github"] } }, [
      false,
      'lifeline.clients.ci.server: is not an option of a client; did you mean "servers"?'
    ]],
    [{ ci: { token: "t", tools: { none: [] } } }, [
      false,
      "lifeline.clients.ci.tools.none: is not an option of what is allowed; there are: only, hide"
    ]],
    [{ ci: { token: "t", servers: "github" } }, [
      false,
      'lifeline.clients.ci.servers: is a string; accepted: an array of patterns, or an object with "only" and "hide"'
    ]],
    [{ ci: { token: "t", callsPerMinute: 0 } }, [
      false,
      "lifeline.clients.ci.callsPerMinute: is 0; accepted: a whole number from 1 to 1000000"
    ]],
    [{ "a b": { token: "t" } }, [
      false,
      "lifeline.clients.a b: is no name for a client; accepted: up to 64 letters, digits and . _ @ -"
    ]],
    [{ ci: { token: "${CI}" } }, [
      false,
      "lifeline.clients.ci.token: has ${CI}, which is not set; set CI in the environment or write ${CI:-default}"
    ]],
    [{ ci: { token: "a b" } }, [
      false,
      "lifeline.clients.ci.token: is no token; accepted: letters, digits and signs, without spaces"
    ]],
    [{ ci: { token: "t", servers: ["githb", "doc*", "nothing*"] } }, [
      true,
      'lifeline.clients.ci.servers: names "githb", which is no server of this file; did you mean "github"?',
      'lifeline.clients.ci.servers: names "nothing*", which is no server of this file; there are: github, docs'
    ]],
    [{ ci: { token: "t", tools: ["search", "githb__search", "*__search", "git*"] } }, [
      true,
      'lifeline.clients.ci.tools: names "search", which begins with no server of this file, as <server>__<tool> does; there are: github, docs',
      'lifeline.clients.ci.tools: names "githb__search", which begins with no server of this file, as <server>__<tool> does; did you mean "github__search"?'
    ]]
  ])("[G22:unit] %j", (clients, expected) => {
    expect(said({ clients })).toEqual(expected)
  })

  it("[G22:unit] a group without auth has no effect, and says so; a misspelt rule of one makes the file unusable", () => {
    expect(said({ groups: { groups: { dev: { servers: ["github"] } } } })).toEqual([
      true,
      "lifeline.groups: is about claims of tokens, and without lifeline.auth no token has any; add auth"
    ])
    expect(said({ auth: { issuer: "https://issuer.example.com" }, groups: { groups: { dev: { servers: [] } } } })[0])
      .toBe(true)
    expect(said({ groups: { groups: { dev: { admn: true } } } })[0]).toBe(false)
  })

  it("[G22:unit] a misspelt name of the rules themselves, which would leave the gateway open, makes the file unusable", () => {
    const clients = { ci: { token: "t" } }
    for (const lifeline of [{ client: clients }, { clents: clients }, { clients, group: {} }, { auht: {} }]) {
      expect([lifeline, said(lifeline)[0]]).toEqual([lifeline, false])
    }
    expect(said({ auth: { issuer: "https://issuer.example.com", requiredScope: ["x"] } })[0]).toBe(false)
  })

  it.scopedLive("[G22:unit] tokens come from the variable or the file, and are shown nowhere", () =>
    Effect.gen(function*() {
      const path = yield* folder
      writeFileSync(join(path, "b.token"), "new-secret\nold-secret\n")
      const { access } = parse({ clients: { a: { token: "${A}" }, b: { tokenFile: "b.token" } } }, { A: "s3cret" })
      const loaded = yield* AccessInUse.load(access, path, [])
      expect(inspect([access, loaded], { depth: 20 })).not.toMatch(/s3cret|new-secret/)
      const { tokens } = yield* AccessInUse.make(loaded, () => Effect.void)
      expect(tokens().map(({ current, name }) => [name, current().map(Redacted.value)])).toEqual([
        ["a", ["s3cret"]],
        ["b", ["new-secret", "old-secret"]]
      ])
    }))

  it.scopedLive("[G22:unit] a token that is missing, empty, or that of somebody else too, is refused, and the message says whose", () =>
    Effect.gen(function*() {
      const path = yield* folder
      writeFileSync(join(path, "empty"), "\n")
      writeFileSync(join(path, "same"), "same\n")
      const why = (clients: object, ofGateway: ReadonlyArray<string> = []) =>
        Effect.map(
          Effect.flip(AccessInUse.load(parse({ clients }).access, path, ofGateway.map((one) => Redacted.make(one)))),
          ({ message }) => message.replaceAll(path, "DIR")
        )
      expect(yield* why({ ci: { tokenFile: "none" } })).toMatch(
        /^mcp\.json:1: lifeline\.clients\.ci\.tokenFile: names DIR.none, which cannot be read: .*; name a readable file with a token$/
      )
      expect(yield* why({ ci: { tokenFile: "empty" } })).toMatch(
        /lifeline\.clients\.ci\.tokenFile: names DIR.empty, which contains no token; write one into it/
      )
      const end = "has the same token as a; give each its own: openssl rand -base64 32"
      expect(yield* why({ a: { token: "same" }, b: { tokenFile: "same" } })).toBe(
        `mcp.json:1: lifeline.clients.b: ${end}`
      )
      expect(yield* why({ b: { token: "own" } }, ["own"])).toContain("as the gateway itself")
    }))
})
