/**
 * The catalogue of a fleet: the union of what its backends offer, under safe names, as a pure function of their snapshots.
 */
import type { Prompt, Resource, ResourceTemplate, Tool } from "@modelcontextprotocol/sdk/types.js"
import { Equal, Hash } from "effect"
import type { Kind, Problem, Snapshot } from "./Catalog.js"

/** One entry of the fleet's catalogue: the name (or URI) that callers use, and where it leads. */
export interface Entry<A> {
  readonly backend: string
  /** Its name (or URI) at the backend. */
  readonly original: string
  readonly stale: boolean
  /** As callers see it: under its full name. */
  readonly value: A
}

/** The union of what all backends offer, as one immutable value. Keys are full names or URIs, in the order of backends. */
export interface FleetCatalog {
  readonly revision: number
  readonly tools: ReadonlyMap<string, Entry<Tool>>
  readonly prompts: ReadonlyMap<string, Entry<Prompt>>
  readonly resources: ReadonlyMap<string, Entry<Resource>>
  readonly resourceTemplates: ReadonlyMap<string, Entry<ResourceTemplate>>
  readonly problems: ReadonlyArray<Problem>
}

/** What changed between two catalogues of a fleet, by full name or URI. */
export interface Difference {
  readonly revision: number
  readonly added: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
}

/** A catalogue of nothing. */
export const empty: FleetCatalog = {
  revision: 0,
  tools: new Map(),
  prompts: new Map(),
  resources: new Map(),
  resourceTemplates: new Map(),
  problems: []
}

/** Longest name that hosts accept. */
const longest = 64

const hash = (text: string): string => (Hash.string(text) >>> 0).toString(16).padStart(8, "0")

/** A name that hosts accept, ending in a hash of what it stands for, so that it is stable and does not clash. */
const hashed = (text: string): string => `${text.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, longest - 9)}_${hash(text)}`

/** `<backend>__<name>` where that is acceptable (letters, digits, `_`, `-`, at most 64), else shortened with a hash (P6). */
export const fullName = (backend: string, name: string): string => {
  const plain = `${backend}__${name}`
  return /^[A-Za-z0-9_-]{1,64}$/.test(plain) ? plain : hashed(plain)
}

const scheme = "lifeline://"

/** The URI that reaches a resource of one backend whatever others offer (P6). */
export const scopedUri = (backend: string, uri: string): string =>
  `${scheme}${encodeURIComponent(backend)}/${encodeURIComponent(uri)}`

/** What a scoped URI stands for. */
export const parseScopedUri = (uri: string): { readonly backend: string; readonly uri: string } | undefined => {
  const match = uri.startsWith(scheme) ? /^([^/]+)\/([^/]+)$/.exec(uri.slice(scheme.length)) : null
  try {
    return match === null ? undefined : { backend: decodeURIComponent(match[1]!), uri: decodeURIComponent(match[2]!) }
  } catch {
    return undefined
  }
}

/** The union of snapshots, in the order given. */
export const union = (
  snapshots: Iterable<readonly [backend: string, snapshot: Snapshot | undefined]>,
  revision: number
): FleetCatalog => {
  const tools = new Map<string, Entry<Tool>>()
  const prompts = new Map<string, Entry<Prompt>>()
  const resources = new Map<string, Entry<Resource>>()
  const resourceTemplates = new Map<string, Entry<ResourceTemplate>>()
  const problems: Array<Problem> = []
  for (const [backend, snapshot] of snapshots) {
    if (snapshot === undefined) continue
    const { stale } = snapshot
    problems.push(...snapshot.problems)
    const claim = <A>(
      kind: Kind,
      into: Map<string, Entry<A>>,
      wanted: string,
      other: string | undefined,
      original: string,
      named: (key: string) => A
    ) => {
      const holder = into.get(wanted)
      const key = holder === undefined ? wanted : other
      if (holder !== undefined) {
        problems.push({
          backend,
          kind,
          name: original,
          message: `${backend} offers ${JSON.stringify(original)}, which ${holder.backend} has under the name ${
            JSON.stringify(wanted)
          }; ${key === undefined ? "it is left out" : `it is offered as ${JSON.stringify(key)}`}`
        })
      }
      if (key !== undefined && !into.has(key)) into.set(key, { backend, original, stale, value: named(key) })
    }
    for (const tool of snapshot.tools) {
      claim(
        "tools",
        tools,
        fullName(backend, tool.name),
        hashed(`${backend}\n${tool.name}`),
        tool.name,
        (name) => ({ ...tool, name })
      )
    }
    for (const prompt of snapshot.prompts) {
      claim(
        "prompts",
        prompts,
        fullName(backend, prompt.name),
        hashed(`${backend}\n${prompt.name}`),
        prompt.name,
        (name) => ({ ...prompt, name })
      )
    }
    for (const resource of snapshot.resources) {
      claim(
        "resources",
        resources,
        resource.uri,
        scopedUri(backend, resource.uri),
        resource.uri,
        (uri) => ({ ...resource, uri })
      )
    }
    for (const template of snapshot.resourceTemplates) {
      claim(
        "resourceTemplates",
        resourceTemplates,
        template.uriTemplate,
        undefined,
        template.uriTemplate,
        () => template
      )
    }
  }
  return { revision, tools, prompts, resources, resourceTemplates, problems }
}

/** What a catalogue has that another had not, has no more, or has otherwise. */
export const difference = (before: FleetCatalog, after: FleetCatalog): Difference => {
  const added: Array<string> = []
  const removed: Array<string> = []
  const changed: Array<string> = []
  const compare = <A>(old: ReadonlyMap<string, Entry<A>>, now: ReadonlyMap<string, Entry<A>>) => {
    for (const [key, entry] of now) {
      const was = old.get(key)
      if (was === undefined) added.push(key)
      else if (was.backend !== entry.backend || !same(was.value, entry.value)) changed.push(key)
    }
    for (const key of old.keys()) if (!now.has(key)) removed.push(key)
  }
  compare(before.tools, after.tools)
  compare(before.prompts, after.prompts)
  compare(before.resources, after.resources)
  compare(before.resourceTemplates, after.resourceTemplates)
  return { revision: after.revision, added, removed, changed }
}

/** Whether two entries, JSON both, say the same. */
const same = (a: unknown, b: unknown): boolean => Equal.equals(a, b) || JSON.stringify(a) === JSON.stringify(b)

/**
 * Whether a URI is one that a template (RFC 6570) can stand for. Linear, and without a regular expression made of what a
 * server sent.
 */
export const matchesTemplate = (template: string, uri: string): boolean => {
  const literals = template.split(/\{[^}]*\}/)
  const first = literals[0] ?? ""
  if (literals.length === 1) return uri === first
  const last = literals.at(-1) ?? ""
  if (!uri.startsWith(first) || !uri.endsWith(last) || uri.length < first.length + last.length) return false
  const end = uri.length - last.length
  let at = first.length
  for (const literal of literals.slice(1, -1)) {
    const found = uri.indexOf(literal, at)
    if (found < 0 || found + literal.length > end) return false
    at = found + literal.length
  }
  return true
}
