/** Asks the user to log in during the call that needs it (URL mode elicitation): only who uses the client, and only for a login of their own. */
import { BackendUnavailable } from "@mcp-lifeline/core"
import { firstOf } from "@mcp-lifeline/core/internal"
import { Said } from "@mcp-lifeline/core/text"
import { type ClientRequest, JsonRpcError } from "@mcp-lifeline/protocol"
import type { SignIn } from "@mcp-lifeline/sign-in/SignIn"
import * as SignInState from "@mcp-lifeline/sign-in/State"
import type { ClientCapabilities, JSONRPCNotification, Result } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Option, Predicate, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { isCall } from "../access/RateLimited.js"

const { open, said } = Said

/** Of 2025-11-25: the client asks its user, and calls again when that is done. */
const urlElicitationRequired = -32_042

/** For a user who has said that they log in: most clients give a call a minute. */
const loginTime = "45 seconds"

/** None of these may throw. */
export interface Options {
  /** `undefined` if the client has no sign-in of its own. */
  readonly signIn: (server: string) => SignIn | undefined
  readonly capabilities: () => ClientCapabilities | undefined
  readonly ask: (
    server: string,
    request: { readonly method: string; readonly params: Readonly<Record<string, unknown>> },
    signal: AbortSignal
  ) => Promise<Result>
  readonly notify: (server: string, notification: JSONRPCNotification) => void
  readonly connect: (server: string) => Effect.Effect<void>
  readonly run: (work: Effect.Effect<void>) => void
}

/** The call can be made once more, or is answered with this error. `undefined`: with the error that it had. */
export type Outcome = "again" | JsonRpcError.JsonRpcError | undefined

/** Not sent, because its server cannot be used now. */
const isUnavailable = (error: JsonRpcError.JsonRpcError): boolean =>
  JsonRpcError.isOurs(error) && Predicate.isRecord(error.data) &&
  error.data["tag"] === ("BackendUnavailable" satisfies BackendUnavailable["_tag"])

export class ClientLogins {
  readonly #options: Options
  /** A call asks once. */
  readonly #asked = new WeakSet<ClientRequest>()

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * Fails as soon as one of these servers needs a login first; otherwise does not end. A call to a server with unknown tools would wait for
   * them.
   */
  needed(servers: ReadonlyArray<string>): Effect.Effect<never, BackendUnavailable> {
    const waits = servers.flatMap((server) => {
      const signIn = this.#options.signIn(server)
      return signIn === undefined ? [] : [Effect.zipRight(
        Stream.runHead(Stream.filter(signIn.changes, SignInState.isBlocking)),
        new BackendUnavailable({ backend: server, state: "Connecting", ...said`${open(server)} needs a login` })
      )]
    })
    return waits.length === 0 ? Effect.never : Effect.zipRight(firstOf(...waits), Effect.never)
  }

  /** `undefined` if no login helps, or the client cannot ask its user for one. */
  begin(request: ClientRequest, server: string, error: JsonRpcError.JsonRpcError): Effect.Effect<Outcome> | undefined {
    const signIn = this.#options.signIn(server)
    const canAsk = this.#options.capabilities()?.elicitation?.url !== undefined
    if (signIn === undefined || !canAsk || !isUnavailable(error) || this.#asked.has(request)) return undefined
    this.#asked.add(request)
    return Effect.flatMap(
      signIn.state,
      (state) =>
        state._tag === "LoginNeeded" ? this.#login(request, server, signIn, state.address) : Effect.succeed(undefined)
    )
  }

  #login(request: ClientRequest, server: string, signIn: SignIn, url: string): Effect.Effect<Outcome> {
    const { ask, connect, notify, run } = this.#options
    const elicitationId = randomUUID()
    const message = `The MCP server ${server} needs a login. Open the address to sign in with your own account.`
    const params = { mode: "url", message, url, elicitationId }
    const completed = () =>
      notify(server, {
        jsonrpc: "2.0",
        method: "notifications/elicitation/complete",
        params: { elicitationId }
      })
    const required: JsonRpcError.JsonRpcError = {
      code: urlElicitationRequired,
      message: `${message} Call again when that is done.`,
      data: { elicitations: [params] }
    }
    /** Ends when the login is done, or cannot be done any more. Succeeds with which. */
    const over = signIn.changes.pipe(
      Stream.filter(({ _tag }) => _tag !== "LoginNeeded"),
      Stream.runHead,
      Effect.map(Option.exists(({ _tag }) => _tag === "SignedIn"))
    )
    const later = () => run(Effect.map(over, completed))
    // Other requests are answered with the error.
    if (!isCall(request.method)) {
      return Effect.sync(() => {
        later()
        return required
      })
    }
    const asked = Effect.tryPromise((signal) => ask(server, { method: "elicitation/create", params }, signal))
    const accepted = Effect.orElseSucceed(
      Effect.map(asked, (answer) => answer["action"] === "accept"),
      () => false
    )
    return Effect.gen(function*() {
      // The user may follow the address of another question, or of the status.
      const answer = yield* firstOf(accepted, Effect.as(over, true))
      if (!answer) return undefined
      const done = yield* Effect.timeoutOption(over, loginTime)
      if (Option.isNone(done)) {
        later()
        return required
      }
      completed()
      if (!done.value) return undefined
      yield* connect(server)
      return "again"
    })
  }
}
