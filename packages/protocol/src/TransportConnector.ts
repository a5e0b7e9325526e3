import type { Connector, Loss } from "@mcp-lifeline/core"
import { ConnectError, RequestError } from "@mcp-lifeline/core"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import { allOrNothing } from "./allOrNothing.js"
import { describe } from "./Failures.js"
import * as LoginFailure from "./LoginFailure.js"
import * as SdkConnection from "./SdkConnection.js"

export interface Options {
  /** Makes a transport that has not been started, for each connection: it cannot be used again. */
  readonly transport: () => Transport | Promise<Transport>
  /** The name in messages and status. Default "a transport". */
  readonly target?: string | undefined
}

const property = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined

/** Messages of `fetch`'s errors. */
const networkError = /^(fetch failed|terminated|network error)$/i

/**
 * Interprets a failure of the SDK's own transports by the HTTP status, which they keep as the `code`, and the errors of `fetch`. Any other
 * counts as a defect, whose request is never sent again.
 */
const toFailure = async (error: unknown, hasSession: boolean): Promise<unknown> => {
  const code = property(error, "code")
  const message = describe(error)
  // What was answered is not told: it may be a response.
  if ((code === 404 || code === 410) && hasSession) {
    return new RequestError({ fate: "answered", reason: "protocol", message, ifSessionLost: "rejected", cause: error })
  }
  if (code === 401) {
    return new RequestError({ fate: "rejected", reason: "unauthorized", message, cause: error })
  }
  if (code === 429) return new RequestError({ fate: "rejected", reason: "rateLimited", message, cause: error })
  if (typeof code === "number" && code >= 500 && code < 600) {
    return new RequestError({ fate: "unknown", reason: "server", message, cause: error })
  }
  if (error instanceof TypeError && networkError.test(error.message)) {
    return new RequestError({ fate: "unknown", reason: "network", message, cause: error })
  }
  return code === undefined && error instanceof Error ? await toLogin(error) : error
}

/** If the error is of this class, its module has already been loaded. */
const toLogin = async (error: Error): Promise<Error> => {
  const { UnauthorizedError } = await import("@modelcontextprotocol/sdk/client/auth.js")
  if (!(error instanceof UnauthorizedError)) return error
  const cause = new LoginFailure.LoginFailure({ status: 401, detail: "", cause: error })
  return new RequestError({ fate: "rejected", reason: "unauthorized", message: LoginFailure.describe(cause), cause })
}

class Adapted implements AdapterTransport {
  readonly peer = {}
  readonly stateful = true
  onlost?: ((loss: Loss) => void) | undefined
  onmessage?: NonNullable<Transport["onmessage"]>
  readonly #inner: Transport

  constructor(inner: Transport) {
    this.#inner = inner
  }

  get sessionId(): string | undefined {
    return this.#inner.sessionId
  }

  set onclose(listener: () => void) {
    this.#inner.onclose = listener
  }

  set onerror(listener: (error: Error) => void) {
    this.#inner.onerror = listener
  }

  setProtocolVersion(version: string): void {
    this.#inner.setProtocolVersion?.(version)
  }

  start(): Promise<void> {
    // A listener set before is called, too, as by the SDK's Client.
    const { onmessage } = this.#inner
    this.#inner.onmessage = (message, extra) => {
      onmessage?.(message, extra)
      // Not every transport checks what comes.
      if (typeof message === "object" && message !== null) this.onmessage?.(message, extra)
    }
    return this.#classified(() => this.#inner.start())
  }

  send(...args: Parameters<Transport["send"]>): Promise<void> {
    return this.#classified(() => this.#inner.send(...args))
  }

  async #classified(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      throw await toFailure(error, this.sessionId !== undefined)
    }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}

/**
 * Connects over any transport of the official SDK, but knows only what that says about a failure. Lifeline's own transports know more about
 * the fate of a request, so that more can be sent again.
 *
 * @example
 * ```ts
 * import { TransportConnector } from "@mcp-lifeline/protocol"
 * import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
 *
 * const connector = TransportConnector.make({ transport: () => new StdioClientTransport({ command: "my-server" }) })
 * ```
 */
export const make = (options: Options): Connector => {
  const made = Effect.tryPromise({
    try: () => Promise.resolve().then(options.transport),
    catch: (error) =>
      new ConnectError({
        backend: "",
        reason: "spawn",
        permanent: false,
        message: `the transport could not be made: ${describe(error)}`,
        cause: error
      })
  })
  return {
    transport: "custom",
    overlap: false,
    target: options.target ?? "a transport",
    connect: (connectOptions) =>
      allOrNothing(
        Effect.flatMap(made, (transport) => SdkConnection.connect(new Adapted(transport), connectOptions))
      )
  }
}
