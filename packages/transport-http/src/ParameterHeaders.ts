/**
 * Tool parameters that are repeated in headers because the tool's schema says so (`x-mcp-header`). Only servers without sessions ask
 * for that.
 */
import { type Connection, type Params, type Result, Sending } from "@mcp-lifeline/core"
import { Listing } from "@mcp-lifeline/core/internal"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Predicate, type Runtime } from "effect"
import { oneLine } from "./HttpFailure.js"
import * as RequestHeaders from "./RequestHeaders.js"

export interface Declaration {
  /** In lower case, with prefix. */
  readonly header: string
  /** Property names. */
  readonly path: ReadonlyArray<string>
}

const types = new Set(["string", "integer", "boolean"])

/** Values that are no schemas. */
const data = new Set(["const", "default", "enum", "examples"])

const maxDepth = 200

/** What an input schema declares, or why the tool must not be used. */
export const declarations = (schema: unknown): ReadonlyArray<Declaration> | string => {
  const found: Array<Declaration> = []
  const headers = new Set<string>()
  const visit = (node: unknown, path: ReadonlyArray<string> | undefined, depth: number): string | undefined => {
    if (Array.isArray(node)) return first(node, (one) => visit(one, undefined, depth + 1))
    if (!Predicate.isRecord(node) || depth > maxDepth) return undefined
    const name = node["x-mcp-header"]
    if (name !== undefined) {
      if (typeof name !== "string" || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
        return "x-mcp-header is no name of a header"
      }
      if (path === undefined || path.length === 0) return `x-mcp-header ${name} does not stand at a property`
      if (!types.has(String(node["type"]))) return `x-mcp-header ${name} is of no string, integer or boolean`
      const header = `mcp-param-${name.toLowerCase()}`
      if (headers.has(header)) return `x-mcp-header ${name} stands there twice`
      headers.add(header)
      found.push({ header, path })
    }
    return first(Object.entries(node), ([key, value]) => {
      if (key === "properties" && Predicate.isRecord(value)) {
        return first(Object.entries(value), ([name, one]) => visit(one, path && [...path, name], depth + 1))
      }
      return data.has(key) ? undefined : visit(value, undefined, depth + 1)
    })
  }
  return visit(schema, [], 0) ?? found
}

const first = <A, B>(all: ReadonlyArray<A>, find: (one: A) => B | undefined): B | undefined => {
  for (const one of all) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "boolean" || Number.isSafeInteger(value) ? String(value) : undefined

/** JSON-RPC: headers and body differ. */
const headerMismatch = -32020

/** Pages of a list that are read to find a call's headers. */
const maxPages = 100

const maxTools = 10_000

/** For one connection. */
export class ParameterHeaders {
  readonly #byTool = new Map<string, ReadonlyArray<Declaration>>()
  readonly #warned = new Set<string>()
  readonly #target: string

  /** `target`: the address, for people. */
  constructor(target: string) {
    this.#target = target
  }

  of(message: JSONRPCMessage): Record<string, string> {
    if (!("method" in message) || message.method !== "tools/call") return {}
    const { arguments: given, name } = message.params as { readonly arguments?: unknown; readonly name?: unknown }
    const declared = this.#byTool.get(String(name)) ?? []
    return Object.fromEntries(declared.flatMap(({ header, path }) => {
      const at = path.reduce<unknown>((value, key) => Predicate.isRecord(value) ? value[key] : undefined, given)
      const text = textOf(at)
      return text === undefined ? [] : [[header, RequestHeaders.value(text)]]
    }))
  }

  /**
   * Learns from the connection's lists, and leaves out tools with forbidden declarations. A call whose headers are refused, which the
   * server has not carried out, is sent once more after the tools were listed.
   */
  over(connection: Connection, runtime: Runtime.Runtime<never>): Connection {
    const list = (params: Params<"tools/list">, options: Sending.Options) =>
      Effect.flatMap(Sending.ask(connection, "tools/list", params, options), (result) => this.#learn(result))
    const sendList = Sending.by(runtime, (_, params, options) => list(params, options))
    const listAll = (timeout: number) =>
      Listing.readPages(
        "tools",
        maxPages,
        (cursor) => list(cursor === undefined ? {} : { cursor }, { timeout }),
        () => true
      )
    const send: Connection["send"] = (method, params, options, settle) => {
      if (method === "tools/list") return sendList(method, params, options, settle)
      if (method !== "tools/call") return connection.send(method, params, options, settle)
      const relay = new Sending.Relay(settle)
      relay.step<Result<typeof method>>((settle) => connection.send(method, params, options, settle), (exit) => {
        const refusal = Sending.errorOf(exit)
        if (refusal?.code !== headerMismatch) return relay.settle(exit)
        const again = Sending.reached(options)
        relay.step(Sending.effect(runtime, listAll(options.timeout), options), (listed) => {
          if (Exit.isFailure(listed)) return relay.settle(exit)
          relay.step((settle) => connection.send(method, params, again, settle), relay.settle)
        })
      })
      return relay.cancel
    }
    return { ...connection, send }
  }

  #learn(result: Result<"tools/list">): Effect.Effect<Result<"tools/list">> {
    const warnings: Array<string> = []
    const tools = result.tools.filter(({ inputSchema, name }) => {
      const declared = declarations(inputSchema)
      if (typeof declared !== "string") {
        if (declared.length === 0) this.#byTool.delete(name)
        else if (this.#byTool.size < maxTools) this.#byTool.set(name, declared)
        return true
      }
      if (!this.#warned.has(name) && this.#warned.size < maxTools) {
        warnings.push(`${this.#target}: the tool ${name} is left out, because its schema is not allowed: ${declared}`)
      }
      this.#warned.add(name)
      return false
    })
    return Effect.as(
      Effect.forEach(warnings, (warning) => Effect.logWarning(oneLine(warning)), { discard: true }),
      { ...result, tools }
    )
  }
}
