/**
 * Finds the backend of a full name, and asks it.
 */
import type { ReadResourceResult } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type { Backend } from "../backend/BackendHandle.js"
import { type CallError, RemoteError } from "../Errors.js"
import type { CallOptions } from "../options/CallOptions.js"
import type { Params } from "../port/Method.js"
import type { CatalogIndex, Routed } from "./CatalogIndex.js"

/** Where a full name leads. */
export interface Route {
  readonly backend: Backend
  /** The name or URI there. */
  readonly original: string
}

/** Routes the requests of one fleet. */
export class Router {
  readonly #index: CatalogIndex
  readonly #backend: (id: string) => Backend | undefined
  readonly #ready: Effect.Effect<void>

  /** `ready`: every backend has had its first outcome. */
  constructor(index: CatalogIndex, backend: (id: string) => Backend | undefined, ready: Effect.Effect<void>) {
    this.#index = index
    this.#backend = backend
    this.#ready = ready
  }

  /**
   * The backend of a name. A name that nobody has may belong to a backend whose first catalogue is still to come: it is
   * looked up again then.
   */
  readonly route = (kind: Routed, name: string): Effect.Effect<Route, RemoteError> =>
    Effect.suspend(() => {
      const now = this.find(kind, name)
      return now !== undefined ? Effect.succeed(now) : Effect.flatMap(this.#ready, () => {
        const then = this.find(kind, name)
        return then === undefined ? Effect.fail(unknown(kind, name)) : Effect.succeed(then)
      })
    })

  readonly callTool = (params: Params<"tools/call">, options?: CallOptions) =>
    Effect.flatMap(
      this.route("tools", params.name),
      ({ backend, original }) => backend.callTool({ ...params, name: original }, options)
    )

  readonly getPrompt = (params: Params<"prompts/get">, options?: CallOptions) =>
    Effect.flatMap(
      this.route("prompts", params.name),
      ({ backend, original }) => backend.getPrompt({ ...params, name: original }, options)
    )

  readonly readResource = (
    params: Params<"resources/read">,
    options?: CallOptions
  ): Effect.Effect<ReadResourceResult, CallError> =>
    Effect.flatMap(
      this.route("resources", params.uri),
      ({ backend, original }) =>
        Effect.map(backend.readResource({ ...params, uri: original }, options), (result) =>
          original === params.uri ? result : underAskedUri(result, original, params.uri))
    )

  readonly complete = (params: Params<"completion/complete">, options?: CallOptions) => {
    const { ref } = params
    return ref.type === "ref/prompt"
      ? Effect.flatMap(
        this.route("prompts", ref.name),
        ({ backend, original }) => backend.complete({ ...params, ref: { type: "ref/prompt", name: original } }, options)
      )
      : Effect.flatMap(
        this.route("resources", ref.uri),
        ({ backend, original }) =>
          backend.complete({ ...params, ref: { type: "ref/resource", uri: original } }, options)
      )
  }

  /** The same as far as it is known now. */
  readonly find = (kind: Routed, name: string): Route | undefined => {
    const found = this.#index.route(kind, name)
    const backend = found && this.#backend(found.backend)
    return found && backend && { backend, original: found.original }
  }
}

/**
 * The contents of a resource under the URI that was asked for, so that who compares the two finds them the same. Contents with
 * other URIs, as of the files of a folder, keep theirs: only their server knows what those stand for.
 */
export const underAskedUri = (result: ReadResourceResult, original: string, asked: string): ReadResourceResult =>
  Array.isArray(result.contents)
    ? { ...result, contents: result.contents.map((one) => one?.uri === original ? { ...one, uri: asked } : one) }
    : result

const codes = { tools: -32602, prompts: -32602, resources: -32002 } as const

const unknown = (kind: Routed, name: string): RemoteError =>
  new RemoteError({
    backend: "fleet",
    method: kind === "tools" ? "tools/call" : kind === "prompts" ? "prompts/get" : "resources/read",
    code: codes[kind],
    data: { name },
    message: `no backend offers the ${kind.slice(0, -1)} ${JSON.stringify(name)}; see the list of ${kind}`
  })
