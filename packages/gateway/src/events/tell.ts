/**
 * Tells a program or an address of an event of a server.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import { SecretValues, TimeSpan } from "@mcp-lifeline/core/internal"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { SecretCommand, ShortCommand } from "@mcp-lifeline/transport-stdio"
import { Effect, Record, Redacted } from "effect"
import { clean } from "../Text.js"

/** What is told. */
export interface ServerEvent {
  /** A login waits for a person, or the server has failed for good. */
  readonly event: "SignInNeeded" | "PermanentlyFailed"
  readonly server: string
  /** When, as ISO 8601. */
  readonly at: string
  /** What happened and what to do, in one line. */
  readonly message: string
  /** The address to open in a browser, for a login. */
  readonly address?: string
  readonly gateway: {
    /** The address of its status page. */
    readonly page: string
    /** Its file; null for the demo. */
    readonly config: string | null
  }
}

const defaultTimeout = "10 s"

/** The event in the environment of a command. */
const variables = ({ address, event, message, server }: ServerEvent): Readonly<Record<string, string>> => ({
  MCP_LIFELINE_EVENT: event,
  MCP_LIFELINE_SERVER: server,
  MCP_LIFELINE_MESSAGE: message,
  ...(address === undefined ? {} : { MCP_LIFELINE_ADDRESS: address })
})

const toCommand = (
  { command, timeout = defaultTimeout }: Extract<McpConfig.Listener, { readonly _tag: "Command" }>,
  event: ServerEvent,
  cwd: string
): Effect.Effect<void, string> =>
  ShortCommand.run({
    command,
    cwd,
    timeout,
    env: variables(event),
    input: `${JSON.stringify(event)}\n`,
    remedy: "run it in a terminal to see why"
  }).pipe(
    Effect.mapError(({ message }) => message),
    Effect.asVoid
  )

/** Why nothing was sent. What `fetch` itself throws may contain the address and headers, so only its cause is shown. */
const reasonOf = (error: unknown): string => {
  const { cause } = error as { readonly cause?: { readonly code?: unknown; readonly message?: unknown } }
  const why = cause?.code ?? cause?.message
  return typeof why === "string" ? clean(why).slice(0, 200) : "it is not an address that can be told"
}

const toUrl = (
  { headers, timeout = defaultTimeout, url }: Extract<McpConfig.Listener, { readonly _tag: "Url" }>,
  event: ServerEvent,
  cwd: string
): Effect.Effect<void, string> =>
  Effect.gen(function*() {
    const host = parseUrl(url)?.host ?? "its address"
    const values = yield* Effect.mapError(
      SecretValues.read<Redacted.Redacted>(SecretCommand.effects(headers, cwd), "headers"),
      ({ message }) => message
    )
    const given = Record.map(values, (value) => Redacted.value(value))
    const invalid = Object.keys(given).find((name) => !HttpConnector.isHeader(name, given[name] ?? ""))
    if (invalid !== undefined) {
      return yield* Effect.fail(
        `headers.${
          clean(invalid)
        } is not an HTTP header; accepted: no spaces in a name, one line of Latin-1 characters as a value`
      )
    }
    const status = yield* Effect.tryPromise({
      try: async (signal) => {
        const answer = await fetch(url, {
          method: "POST",
          headers: { ...given, "content-type": "application/json" },
          body: JSON.stringify(event),
          // Another address would get the headers, too, and after most redirects not the event.
          redirect: "manual",
          signal
        })
        await answer.body?.cancel()
        return answer.status
      },
      catch: (error) => `${host} was not reached: ${reasonOf(error)}`
    })
    if (status < 200 || status > 299) return yield* Effect.fail(`${host} answered with ${status}`)
  }).pipe(
    Effect.timeoutFail({
      duration: TimeSpan.millis(timeout),
      onTimeout: () => `its address did not answer within ${TimeSpan.show(TimeSpan.millis(timeout))}`
    })
  )

/**
 * Tells a listener of an event. Fails with why it could not, in one line without secrets. `cwd`: the folder in which commands run. If it is
 * interrupted, a command is ended.
 */
export const tell = (listener: McpConfig.Listener, event: ServerEvent, cwd: string): Effect.Effect<void, string> =>
  listener._tag === "Command" ? toCommand(listener, event, cwd) : toUrl(listener, event, cwd)
