/**
 * The requests of one client that are not answered yet.
 */
import type { Backend } from "@mcp-lifeline/core"
import type { ServerOperations } from "@mcp-lifeline/opentelemetry"
import type { JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { UnderWay } from "../UnderWay.js"

/** A request for a server. */
export interface Passed {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  /** Makes of the server's result what the client is given. */
  readonly arrived: (result: Record<string, unknown>) => Record<string, unknown>
}

/** A request that is not answered yet. */
export interface OpenRequest {
  readonly method: string
  /** Measures it. */
  readonly operation: ServerOperations.Operation
  /** The token under which the client wants to hear of its progress. */
  readonly progressToken: unknown
  /** The server that it was passed on to. */
  backend: Backend.Backend | undefined
  /** What that was asked. */
  passed: Passed | undefined
  /** How often it has asked the client before it answers. */
  rounds: number
  /** Ends what is done for it here, and says what becomes of it; what a server does is cancelled by the relay. */
  cancel: (() => "notSent" | "unknown") | undefined
}

/** Those of one client, and all of them counted together. */
export class OpenRequests {
  readonly #all = new Map<RequestId, OpenRequest>()
  readonly #underWay: UnderWay
  readonly #operations: ServerOperations.ServerOperations

  constructor(underWay: UnderWay, operations: ServerOperations.ServerOperations) {
    this.#underWay = underWay
    this.#operations = operations
  }

  get size(): number {
    return this.#all.size
  }

  get ids(): ReadonlyArray<RequestId> {
    return [...this.#all.keys()]
  }

  get(id: RequestId): OpenRequest | undefined {
    return this.#all.get(id)
  }

  /** One more is under way. */
  add(id: RequestId, method: string, params: JSONRPCRequest["params"]): OpenRequest {
    const operation = this.#operations.begin(method, params)
    const progressToken: unknown = params?._meta?.progressToken
    const request: OpenRequest = {
      method,
      operation,
      progressToken,
      backend: undefined,
      passed: undefined,
      rounds: 0,
      cancel: undefined
    }
    this.#all.set(id, request)
    this.#underWay.begin()
    return request
  }

  /**
   * It will not be answered, or is by `answer`, which does not wait until that is measured. `error`: what went wrong, where something
   * did.
   */
  take(id: RequestId, error?: string, answer?: () => void): OpenRequest | undefined {
    const request = this.#all.get(id)
    if (request === undefined) return undefined
    this.#all.delete(id)
    try {
      answer?.()
    } finally {
      this.#underWay.end()
      request.operation.end(error)
    }
    return request
  }

  /** The request that has asked for progress under a token. */
  ofToken(token: unknown): RequestId | undefined {
    for (const [id, { progressToken }] of this.#all) if (progressToken === token) return id
    return undefined
  }

  /** The latest request to a server: what that says by itself is most likely about it. */
  latestTo(server: string): RequestId | undefined {
    let latest: RequestId | undefined
    for (const [id, { backend }] of this.#all) if (backend?.id === server) latest = id
    return latest
  }
}
