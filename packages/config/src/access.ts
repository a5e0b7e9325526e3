/**
 * Who may use what of a gateway: clients with names (`lifeline.clients`), and groups of a claim (`lifeline.groups`).
 */
import { Check, nearest, Problem, ToolPattern } from "@mcp-lifeline/core/internal"
import { Predicate, Redacted } from "effect"
import { expand, type Sources } from "./Expansion.js"

/** Some of all names, by patterns: those that one of `only` matches, without those that one of `hide` matches. */
export interface Selection {
  /** Default: all. */
  readonly only?: ReadonlyArray<string> | undefined
  readonly hide: ReadonlyArray<string>
}

/** What somebody may use. */
export interface Rules {
  readonly servers: Selection
  readonly tools: Selection
  readonly callsPerMinute: number | undefined
  readonly isAdmin: boolean
}

/** A client with a name. It has either a token or a file with it. */
export interface NamedClient {
  readonly name: string
  readonly rules: Rules
  readonly token: Redacted.Redacted | undefined
  readonly tokenFile: string | undefined
}

/** Those whose claim has a value. */
export interface Group {
  readonly claim: string
  /** A pattern. */
  readonly value: string
  readonly rules: Rules
}

/** See the head of the file. */
export interface Access {
  readonly clients: ReadonlyArray<NamedClient>
  /** `undefined` if the file has no groups: then whoever the gateway lets in may use everything, but is no admin. */
  readonly groups: ReadonlyArray<Group> | undefined
}

type Raw = Readonly<Record<string, unknown>>

const patterns = Check.list(Check.text, 'an array of patterns, or an object with "only" and "hide"')

/**
 * An object with these options. A key that does not exist is a problem like any other: if it had no effect, somebody might be allowed more than was
 * meant.
 */
const strict = (table: Readonly<Record<string, Check.Check>>, of: string): Check.Check =>
  Check.described(
    Check.options(table, of, {
      unknown: (path) => {
        const { message } = Problem.unknown(path, Object.keys(table), { of })
        return { path, message }
      }
    }),
    {
      type: "object",
      properties: Object.fromEntries(Object.entries(table).map(([name, { schema }]) => [name, schema ?? {}])),
      additionalProperties: false
    }
  )

const chosen = strict({ only: patterns, hide: patterns }, "what is allowed")

const selection: Check.Check = Check.described(
  (value, path) => Predicate.isRecord(value) ? chosen(value, path) : patterns(value, path),
  { anyOf: [patterns.schema, chosen.schema] }
)

const table = {
  servers: selection,
  tools: selection,
  callsPerMinute: Check.whole(1, 1_000_000),
  admin: Check.flag
}

const rules = strict(table, "a group")
const client = strict({ token: Check.text, tokenFile: Check.text, ...table }, "a client")

/** Names stand in the log, and in headers for servers. */
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/

const clientProblems = (value: unknown, path: Problem.Path): ReadonlyArray<Problem.Problem> => {
  const found = [...client(value, path)]
  if (!nameForm.test(String(path.at(-1)))) {
    found.push({ path, message: "is no name for a client; accepted: up to 64 letters, digits and . _ @ -" })
  }
  if (!Predicate.isRecord(value)) return found
  const { token, tokenFile } = value
  if (token !== undefined && tokenFile !== undefined) {
    found.push({ path: [...path, "token"], message: "is given twice, here and as tokenFile; keep one" })
  }
  if (token === undefined && tokenFile === undefined) {
    found.push({ path, message: "has no token; add tokenFile, the path of a file with it" })
  }
  return found
}

/** Accepts `lifeline.clients`, in which references to variables are not replaced yet. */
export const clients: Check.Check = Check.values(
  Check.described(clientProblems, client.schema),
  "an object of clients by name"
)

/** Accepts `lifeline.groups`. */
export const groups: Check.Check = Check.values(
  Check.values(rules, "an object of rules by the value of the claim"),
  "an object of claims"
)

const selectionOf = (value: unknown): Selection => {
  if (Array.isArray(value)) return { only: value as ReadonlyArray<string>, hide: [] }
  const { hide = [], only } = (value ?? {}) as Partial<Selection>
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

/** What was read of the two options, or their problems, with paths in `lifeline`. The options were checked. */
export const read = (
  given: { readonly clients: unknown; readonly groups: unknown },
  sources: Sources
): { readonly value: Access | undefined; readonly problems: ReadonlyArray<Problem.Problem> } => {
  const problems: Array<Problem.Problem> = []
  const expanded = (value: unknown, path: Problem.Path): string | undefined =>
    value === undefined
      ? undefined
      : expand(value, sources, (at, message) => problems.push({ path: at, message }), path) as string
  const named = entriesOf(given.clients).map(([name, raw]): NamedClient => {
    const at = (key: string): Problem.Path => ["clients", name, key]
    const token = expanded(raw["token"], at("token"))
    if (token !== undefined && problems.length === 0 && !/^[\x21-\x7E]+$/.test(token)) {
      problems.push({ path: at("token"), message: "is no token; accepted: letters, digits and signs, without spaces" })
    }
    return {
      name,
      rules: rulesOf(raw),
      token: token === undefined ? undefined : Redacted.make(token),
      tokenFile: expanded(raw["tokenFile"], at("tokenFile"))
    }
  })
  const ofClaims = given.groups === undefined
    ? undefined
    : entriesOf(given.groups).flatMap(([claim, values]) =>
      entriesOf(values).map(([value, raw]): Group => ({ claim, value, rules: rulesOf(raw) }))
    )
  return { problems, value: problems.length > 0 ? undefined : { clients: named, groups: ofClaims } }
}

/** Whether a pattern of tools can match one of a server. */
const canSay = (pattern: string, server: string): boolean => {
  const [literal = ""] = pattern.split(/[*?]/, 1)
  const prefix = `${server}__`
  return literal === pattern ? pattern.startsWith(prefix) : literal.startsWith(prefix) || prefix.startsWith(literal)
}

const doubtsOf = (rules: Rules, names: ReadonlyArray<string>, path: Problem.Path): ReadonlyArray<Problem.Problem> => {
  const say = (key: string, pattern: string, what: string, meant: string | undefined): Problem.Problem => ({
    path: [...path, key],
    message: `names ${JSON.stringify(pattern.slice(0, 100))}, ${what}; ${
      meant === undefined ? `there are: ${names.join(", ")}` : `did you mean "${meant}"?`
    }`
  })
  const all = ({ hide, only = [] }: Selection): ReadonlyArray<string> => [...new Set([...only, ...hide])]
  return [
    ...all(rules.servers).filter((pattern) => !names.some((name) => ToolPattern.matches(pattern, name))).map((
      pattern
    ) => say("servers", pattern, "which is no server of this file", nearest(pattern, names))),
    ...all(rules.tools).filter((pattern) => !names.some((name) => canSay(pattern, name))).map((pattern) => {
      const server = nearest(pattern.split("__", 1)[0] ?? "", names)
      const form = "which begins with no server of this file, as <server>__<tool> does"
      return say(
        "tools",
        pattern,
        form,
        server === undefined ? undefined : `${server}__${pattern.split("__")[1] ?? "*"}`
      )
    })
  ]
}

/** Rules that have no effect, with paths in `lifeline`. `names`: of the servers in the file. `hasClaims`: whether tokens with claims are accepted. */
export const doubts = (
  { clients, groups = [] }: Access,
  names: ReadonlyArray<string>,
  hasClaims: boolean
): ReadonlyArray<Problem.Problem> => [
  ...clients.flatMap(({ name, rules }) => doubtsOf(rules, names, ["clients", name])),
  ...groups.flatMap(({ claim, rules, value }) => doubtsOf(rules, names, ["groups", claim, value])),
  ...(hasClaims || groups.length === 0
    ? []
    : [{
      path: ["groups"],
      message: "is about claims of tokens, and without lifeline.auth no token has any; add auth"
    }])
]
