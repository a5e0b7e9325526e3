/**
 * Who may use what: named clients (`lifeline.clients`), and groups of a claim (`lifeline.groups`).
 */
import { Check, nearest, Problem, Tools } from "@mcp-lifeline/core/options"
import { Predicate, Redacted } from "effect"
import { expand, type Raw, type Sources } from "./Expansion.js"
import * as ServerTools from "./serverTools.js"

/** Patterns of names: what one of `only` matches and none of `hide`. */
export interface Selection {
  /** Default: all. */
  readonly only?: ReadonlyArray<string> | undefined
  readonly hide: ReadonlyArray<string>
}

export interface Rules {
  readonly servers: Selection
  readonly tools: Selection
  readonly callsPerMinute: number | undefined
  readonly isAdmin: boolean
}

/** Has either `token` or `tokenFile`. */
export interface NamedClient {
  readonly name: string
  readonly rules: Rules
  readonly token: Redacted.Redacted | undefined
  readonly tokenFile: string | undefined
}

/** Those whose claim has a value. */
export interface Group {
  readonly claim: string
  readonly value: string
  readonly rules: Rules
}

/** A file that has either key, even an empty one, lets in nobody without credentials. */
export interface Access {
  /** Empty: none is let in. */
  readonly clients: ReadonlyArray<NamedClient>
  /** `undefined` without groups: whoever the gateway lets in may use everything, but is no admin. */
  readonly groups: ReadonlyArray<Group> | undefined
  /** Those in the file, if known. */
  readonly servers?: ReadonlyArray<string> | undefined
}

/** In characters. A shorter one could be guessed. */
const leastToken = 16

export const tokenProblem = (token: string): "none" | "short" | undefined =>
  // Other characters are not valid in a header.
  !/^[\x21-\x7E]+$/.test(token) ? "none" : token.length < leastToken ? "short" : undefined

/** As a clause. */
export const tokenMessage = (problem: "none" | "short"): string =>
  problem === "none"
    ? "is no token; accepted: letters, digits and signs, without spaces"
    : `has fewer than ${leastToken} characters, so that it could be guessed; make one with: openssl rand -base64 32`

const patterns = Check.list(Check.text, 'an array of patterns, or an object with "only" and "hide"')
const listOfPatterns = Check.list(Check.text, "an array of patterns")

/** An unknown key is a problem: ignored, it might allow more than was meant. */
const strict = (table: Readonly<Record<string, Check.Check>>, of: string): Check.Check =>
  Check.options(table, of, {
    unknown: (path) => ({ ...Problem.unknown(path, Object.keys(table), { of }), key: undefined })
  })

const chosen = strict({ only: listOfPatterns, hide: listOfPatterns }, "what is allowed")

const selection: Check.Check = Check.described(
  (value, path) =>
    !Predicate.isRecord(value)
      ? patterns(value, path)
      : Object.values(value).some((one) => one !== undefined)
      ? chosen(value, path)
      : [{
        path,
        message: 'is empty, which could mean all or none; give "only" or "hide", [] for none, or leave it out'
      }],
  { anyOf: [patterns.schema, { ...chosen.schema, minProperties: 1 }] }
)

const table = {
  servers: selection,
  tools: selection,
  callsPerMinute: Check.whole(1, 1_000_000),
  admin: Check.flag
}

const rules = strict(table, "a group")
/** A token, or a text with a reference. */
const tokenSchema = { type: "string", pattern: `\\$\\{|^[\\x21-\\x7E]{${leastToken},}$` }
const token = Check.described((value, path) => Check.text(value, path), tokenSchema)
const client = strict({ token, tokenFile: Check.text, ...table }, "a client")

/** Names stand in the log, and in headers for servers. */
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/

const clientProblems = (value: unknown, path: Problem.Path): ReadonlyArray<Problem.Problem> => {
  const found = [...client(value, path)]
  const say = (message: string, ...at: Problem.Path) => found.push({ path: [...path, ...at], message })
  if (!nameForm.test(String(path.at(-1)))) {
    say("is no name for a client; accepted: up to 64 letters, digits and . _ @ -")
  }
  if (!Predicate.isRecord(value)) return found
  const { token, tokenFile } = value
  if (token !== undefined && tokenFile !== undefined) say("is given twice, here and as tokenFile; keep one", "token")
  if (token === undefined && tokenFile === undefined) say("has no token; add tokenFile, the path of a file with it")
  return found
}

/** References to variables are not replaced yet. */
export const clients: Check.Check = Check.described(
  Check.values(clientProblems, "an object of clients by name"),
  {
    type: "object",
    propertyNames: { pattern: nameForm.source },
    additionalProperties: { ...client.schema, oneOf: [{ required: ["token"] }, { required: ["tokenFile"] }] }
  }
)

export const groups: Check.Check = Check.values(
  Check.values(rules, "an object of rules by the value of the claim"),
  "an object of claims"
)

const selectionOf = (value: unknown): Selection => {
  const { hide = [], only } = (Array.isArray(value) ? { only: value } : value ?? {}) as Partial<Selection>
  return { only, hide }
}

const rulesOf = ({ admin, callsPerMinute, servers, tools }: Raw): Rules => ({
  servers: selectionOf(servers),
  tools: selectionOf(tools),
  callsPerMinute: callsPerMinute as number | undefined,
  isAdmin: admin === true
})

const entriesOf = (value: unknown): ReadonlyArray<readonly [string, Raw]> =>
  Object.entries((value ?? {}) as Readonly<Record<string, Raw | undefined>>)
    .flatMap(([key, one]) => one === undefined ? [] : [[key, one] as const])

/** The options were checked. Problems have paths in `lifeline`. */
export const read = (
  given: { readonly clients: unknown; readonly groups: unknown },
  sources: Sources
): { readonly value: Access | undefined; readonly problems: ReadonlyArray<Problem.Problem> } => {
  const problems: Array<Problem.Problem> = []
  const expanded = (value: unknown, path: Problem.Path): string | undefined =>
    expand(value, sources, (at, message) => problems.push({ path: at, message }), path) as string | undefined
  const named = entriesOf(given.clients).map(([name, raw]): NamedClient => {
    const at = (key: string): Problem.Path => ["clients", name, key]
    const before = problems.length
    const token = expanded(raw["token"], at("token"))
    const wrong = token === undefined || problems.length > before ? undefined : tokenProblem(token)
    if (wrong !== undefined) problems.push({ path: at("token"), message: tokenMessage(wrong) })
    return {
      name,
      rules: rulesOf(raw),
      token: token === undefined ? undefined : Redacted.make(token),
      tokenFile: expanded(raw["tokenFile"], at("tokenFile"))
    }
  })
  const ofClaims = entriesOf(given.groups).flatMap(([claim, values]) =>
    entriesOf(values).map(([value, raw]): Group => ({ claim, value, rules: rulesOf(raw) }))
  )
  const groups = given.groups === undefined ? undefined : ofClaims
  return { problems, value: problems.length > 0 ? undefined : { clients: named, groups } }
}

const doubtsOf = (rules: Rules, names: ReadonlyArray<string>, path: Problem.Path): ReadonlyArray<Problem.Problem> => {
  const thereAre = names.length === 0 ? "the file has no servers" : `there are: ${names.join(", ")}`
  const without = (
    key: "servers" | "tools",
    isAbout: (pattern: string, server: string) => boolean,
    what: string,
    meaning: (pattern: string) => string | undefined
  ): ReadonlyArray<Problem.Problem> =>
    [...new Set([...rules[key].only ?? [], ...rules[key].hide])]
      .filter((pattern) => !names.some((name) => isAbout(pattern, name)))
      .map((pattern) => {
        const meant = meaning(pattern)
        const help = meant === undefined ? thereAre : `did you mean "${meant}"?`
        return { path: [...path, key], message: `names ${JSON.stringify(pattern.slice(0, 100))}, ${what}; ${help}` }
      })
  const isAboutAll = rules.tools.only !== undefined && rules.servers.only === undefined && names.length > 1
  return [
    ...(isAboutAll
      ? [{
        path: [...path, "tools"],
        message:
          "says which tools, and nothing says which servers, so that the prompts and resources of all may be used; add servers"
      }]
      : []),
    ...without("servers", Tools.matches, "which is no server of this file", (pattern) => nearest(pattern, names)),
    ...without(
      "tools",
      ServerTools.isAbout,
      "which begins with no server of this file, as <server>__<tool> does",
      (pattern) => {
        const [first = "", tool = "*"] = pattern.split("__")
        const server = nearest(first, names)
        return server === undefined ? undefined : `${server}__${tool}`
      }
    )
  ]
}

const nobody = "so that nobody but the operator, with the token of the gateway itself, is let in"

/**
 * Rules without effect, or that only let nobody in, with paths in `lifeline`. `names`: of the servers. `given`: as written. `hasClaims`:
 * tokens with claims are accepted.
 */
export const doubts = (
  { clients, groups }: Access,
  names: ReadonlyArray<string>,
  given: { readonly clients: unknown },
  hasClaims: boolean
): ReadonlyArray<Problem.Problem> => {
  const people = hasClaims ? "so that only people with access tokens are let in" : nobody
  const alone = clients.length === 0 ? `, ${nobody}` : ""
  const say = (path: "clients" | "groups", message: string) => [{ path: [path], message }]
  return [
    ...clients.flatMap(({ name, rules }) => doubtsOf(rules, names, ["clients", name])),
    ...(groups ?? []).flatMap(({ claim, rules, value }) => doubtsOf(rules, names, ["groups", claim, value])),
    ...(given.clients !== undefined && clients.length === 0
      ? say("clients", `is empty, ${people}; add a client, or leave clients out`)
      : []),
    ...(!hasClaims && groups !== undefined
      ? say("groups", `is about claims of tokens, and without lifeline.auth no token has any${alone}; add auth`)
      : []),
    ...(hasClaims && groups?.length === 0
      ? say(
        "groups",
        "is empty, so that nobody with an access token may use anything; add a group, or leave groups out"
      )
      : [])
  ]
}
