/**
 * What an `mcp.json`, or an object of the same shape, says: one reader for files and for code, so that both mean the same.
 *
 * Pure: variables are given. Values of `env` and `headers` are Redacted from here on, and no problem quotes a value that may
 * be secret.
 */
import { Check, Policy, Problem } from "@mcp-lifeline/core"
import { Predicate } from "effect"
import { expand, type Variables } from "./Expansion.js"
import { checkOf, expanded, isKey, type Kind, meantBy, refused, synonyms } from "./keys.js"
import { httpOf, type Server, stdioOf } from "./Server.js"

export type { Variables } from "./Expansion.js"
export { isKey, notTakenOver } from "./keys.js"
export {
  type HeaderProvider,
  type HttpServer,
  placed,
  type Secrets,
  secretsOf,
  type Server,
  type StdioServer
} from "./Server.js"

/** What was read, as far as it could be, and everything that is wrong with it. */
export interface Read<A> {
  readonly value: A | undefined
  readonly problems: ReadonlyArray<Problem.Problem>
}

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0

type Raw = Readonly<Record<string, unknown>>

/** The options of supervision among others: in groups, or in groups under `lifeline`. */
const policyOf = (raw: Raw): { readonly policy: Policy.PolicyOptions; readonly problems: Array<Problem.Problem> } => {
  const direct = Policy.pick(raw)
  const { lifeline } = raw
  const problems = [...Policy.problems(direct)]
  if (lifeline === undefined) return { policy: direct, problems }
  problems.push(...Problem.below(["lifeline"], Policy.problems(lifeline)))
  if (!Predicate.isRecord(lifeline)) return { policy: direct, problems }
  for (const group of Policy.groups) {
    if (direct[group] === undefined || lifeline[group] === undefined) continue
    problems.push({ path: ["lifeline", group], message: `is given twice, here and beside lifeline; keep one` })
  }
  return { policy: { ...direct, ...Policy.pick(lifeline) }, problems }
}

/** What an entry calls each thing, by the name that it has here. */
const spelling = (raw: Raw, problems: Array<Problem.Problem>): ReadonlyMap<string, string> => {
  const written = new Map<string, string>()
  for (const key of Object.keys(raw)) {
    if (raw[key] === undefined) continue
    const name = (Object.hasOwn(synonyms, key) ? synonyms[key] : undefined) ?? key
    const other = written.get(name)
    if (other !== undefined) problems.push({ path: [key], message: `says the same as ${other}; keep one` })
    else written.set(name, key)
  }
  return written
}

/**
 * Reads one server. Variables are replaced where they are given; else what looks like one stays as it is. `remedy` is what else
 * can be done about one that cannot be replaced.
 */
export const readServer = (raw: unknown, variables?: Variables, remedy = ""): Read<Server> => {
  if (!Predicate.isRecord(raw)) {
    return { value: undefined, problems: [Problem.wrongSecret([], raw, "an object with a command or a url")] }
  }
  const problems: Array<Problem.Problem> = []
  const written = spelling(raw, problems)
  const isStdio = written.has("command")
  const kind: Kind = isStdio ? "stdio" : written.has("url") ? "http" : undefined
  if (isStdio && written.has("url")) {
    problems.push({ path: [written.get("url") ?? "url"], message: "stands beside command; keep one of the two" })
    return { value: undefined, problems }
  }
  if (kind === undefined && ![...written.keys()].map(meantBy).some((key) => key === "command" || key === "url")) {
    problems.push({ path: [], message: "has neither command (a program to start) nor url (an address)" })
  }
  const { policy, problems: ofPolicy } = policyOf(raw)
  const reach: Record<string, unknown> = {}
  let fits = kind !== undefined
  const report = (found: ReadonlyArray<Problem.Problem>): void => {
    if (found.length > 0) fits = false
    problems.push(...found)
  }
  for (const [name, key] of written) {
    const check = checkOf(kind, name)
    if (check === undefined) {
      if (name === "lifeline" || (Policy.groups as ReadonlyArray<string>).includes(name)) continue
      if (!(isKey(name) && isEmpty(raw[key]))) problems.push(refused(key, kind))
      continue
    }
    const unset: Array<Problem.Problem> = []
    reach[name] = variables !== undefined && expanded.has(name)
      ? expand(raw[key], variables, (path, message) => unset.push({ path: [key, ...path], message: message + remedy }))
      : raw[key]
    report(unset.length > 0 ? unset : check(reach[name], [key]))
  }
  problems.push(...ofPolicy)
  const { disabled } = reach
  const own = policy.lifecycle?.disabled
  if (disabled !== undefined && own !== undefined && own !== disabled) {
    problems.push({ path: ["disabled"], message: "contradicts lifecycle.disabled; keep one of the two" })
  }
  return {
    problems,
    value: fits
      ? {
        reach: isStdio ? stdioOf(reach) : httpOf(reach),
        policy: Predicate.isBoolean(disabled) ? Policy.merge(policy, { lifecycle: { disabled } }) : policy
      }
      : undefined
  }
}

/**
 * Reads what stands in a server's entry beside `own`, which only code can give: how the server is supervised, and `disabled`.
 * Whatever else stands there is a problem.
 */
export const readSupervision = (raw: Raw, own: ReadonlyArray<string>): Read<Policy.PolicyOptions> => {
  const { policy, problems } = policyOf(raw)
  const names = [...own, "disabled", "lifeline", ...Policy.groups]
  for (const key of Object.keys(raw)) {
    if (raw[key] === undefined || names.includes(key)) continue
    problems.push(
      isKey(key)
        ? { path: [key], message: `stands beside ${own.join(" or ")}; keep one of them` }
        : Problem.unknown([key], names, { of: "a server" })
    )
  }
  const { disabled } = raw
  if (disabled !== undefined) problems.push(...Check.flag(disabled, ["disabled"]))
  return { problems, value: Predicate.isBoolean(disabled) ? Policy.merge(policy, { lifecycle: { disabled } }) : policy }
}

/** What stands around the servers. */
export interface Top {
  /** The key of the servers. VS Code calls it `servers`. */
  readonly key: "mcpServers" | "servers"
  /** Options for all servers, which lie below their own. */
  readonly policy: Policy.PolicyOptions
}

/** What other programs have beside the servers. */
const foreignTop: ReadonlySet<string> = new Set(["$schema", "inputs"])

/** Reads what stands around the servers; each of these is read by `readServer`. */
export const readTop = (raw: unknown): Read<Top> => {
  const shape = "an object with mcpServers, an object of servers by name"
  if (!Predicate.isRecord(raw)) return { value: undefined, problems: [Problem.wrongSecret([], raw, shape)] }
  const { policy, problems } = policyOf(raw)
  const key = raw["mcpServers"] === undefined && raw["servers"] !== undefined ? "servers" : "mcpServers"
  if (key === "mcpServers" && raw["servers"] !== undefined) {
    problems.push({ path: ["servers"], message: "stands beside mcpServers; keep one of the two" })
  }
  const names = ["mcpServers", "lifeline", ...Policy.groups]
  for (const name of Object.keys(raw)) {
    if (raw[name] === undefined || name === "servers" || names.includes(name)) continue
    problems.push(
      foreignTop.has(name)
        ? { path: [name], message: "belongs to another program and has no effect here", key: "foreign" }
        : Problem.unknown([name], names, { of: "an mcp.json" })
    )
  }
  const fits = Predicate.isRecord(raw[key])
  const accepted = "an object of servers by name"
  if (raw[key] === undefined) problems.push({ path: [key], message: `is missing; accepted: ${accepted}` })
  else if (!fits) problems.push(Problem.wrongSecret([key], raw[key], accepted))
  return { value: fits ? { key, policy } : undefined, problems }
}
