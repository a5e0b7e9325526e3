/**
 * Asks the user of one client to log in to a server, during the call that needs it (URL mode elicitation). Only who uses the client is asked, and
 * only for a login of their own.
 */
import { BackendUnavailable } from "@mcp-lifeline/core"
import { firstOf, Said } from "@mcp-lifeline/core/internal"
import { type ClientRequest, JsonRpcError } from "@mcp-lifeline/protocol"
import type { SignIn } from "@mcp-lifeline/sign-in/SignIn"
import * as SignInState from "@mcp-lifeline/sign-in/State"
import type { ClientCapabilities, JSONRPCNotification, Result } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Option, Predicate, Stream } from "effect"
import { randomUUID } from "node:crypto"

const { open, said } = Said

/** URLElicitationRequiredError of 2025-11-25: the client asks its user, and calls again when that is done. */
const urlElicitationRequired = -32_042

/** The requests during which a client is asked. Others are answered with the error. */
const mayAsk: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"])

/** How long a call waits for a user who has said that they log in: most clients give a call a minute. */
const loginTime = "45 seconds"

/** What the client is, and how to ask it. None of these may throw. */
export interface Options {
  /** The sign-in of this client to a server; `undefined` if it has none of its own. */
  readonly signIn: (server: string) => SignIn | undefined
  readonly capabilities: () => ClientCapabilities | undefined
  readonly ask: (
    server: string,
    request: { readonly method: string; readonly params: Readonly<Record<string, unknown>> },
    signal: AbortSignal
  ) => Promise<Result>
  readonly notify: (server: string, notification: JSONRPCNotification) => void
  /** Connects the client's own server, unless it is connected. */
  readonly connect: (server: string) => Effect.Effect<void>
  readonly run: (work: Effect.Effect<void>) => void
}

/** The call can be made once more, or is answered with this error. `undefined`: with the error that it had. */
export type Outcome = "again" | JsonRpcError.JsonRpcError | undefined

/** Whether a call was not sent because its server cannot be used now. */
const isUnavailable = (error: JsonRpcError.JsonRpcError): boolean =>
  JsonRpcError.isOurs(error) && Predicate.isRecord(error.data) &&
  error.data["tag"] === ("BackendUnavailable" satisfies BackendUnavailable["_tag"])

/** Asks the user of one client. */
export class ClientLogins {
  readonly #options: Options
  /** A call asks once. */
  readonly #asked = new WeakSet<ClientRequest>()

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * Fails as soon as one of these servers cannot be used before the client's user has logged in; otherwise it does not end. A call to a server
   * whose tools are not known yet would wait for them.
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

  /** What to do about a call that failed; `undefined` if no login helps, or the client cannot ask its user for one. */
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
    /** Ends when the login is done, or cannot be done any more. Succeeds with whether it is done. */
    const over = signIn.changes.pipe(
      Stream.filter(({ _tag }) => _tag !== "LoginNeeded"),
      Stream.runHead,
      Effect.map(Option.exists(({ _tag }) => _tag === "SignedIn"))
    )
    const later = () => run(Effect.map(over, completed))
    if (!mayAsk.has(request.method)) {
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
