/**
 * The endpoints of a running gateway. `Handlers` implements them; the commands and the status page are their clients.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import type { CallError, CommandError } from "@mcp-lifeline/core"
import { Predicate, Schema } from "effect"
import * as EventLog from "../log/EventLog.js"
import { clean } from "../text/Text.js"
import { version } from "../text/Version.js"
import * as GatewayStatus from "./GatewayStatus.js"

const failure = <const Codes extends readonly [string, ...ReadonlyArray<string>]>(
  status: number,
  description: string,
  ...codes: Codes
) =>
  Schema.Struct({ error: Schema.Struct({ code: Schema.Literal(...codes), message: Schema.String }) }).annotations(
    HttpApiSchema.annotations({ status, description })
  )

export const BadRequest = failure(400, "The request makes no sense", "bad_request")
export type BadRequest = typeof BadRequest.Type

export const NotFound = failure(404, "There is no such server or tool", "not_found")
export type NotFound = typeof NotFound.Type

export const notFound = (message: string): NotFound => ({ error: { code: "not_found", message } })

export const RateLimited = failure(429, "The caller has made as many calls as it may in a minute", "rate_limited")
export type RateLimited = typeof RateLimited.Type

export const rateLimited = (message: string): RateLimited => ({ error: { code: "rate_limited", message } })

export const NoLogin = failure(409, "The server has no sign-in, or the sign-in failed", "no_login", "login_failed")
export type NoLogin = typeof NoLogin.Type

/** With `result_unknown`, nobody knows whether the server carried out the request. */
export const ServerFailed = failure(
  502,
  "The server could not do it; with result_unknown it may have done it",
  "server_error",
  "unavailable",
  "timeout",
  "result_unknown"
)
export type ServerFailed = typeof ServerFailed.Type

const codes: Readonly<Partial<Record<(CallError | CommandError)["_tag"], ServerFailed["error"]["code"]>>> = {
  BackendUnavailable: "unavailable",
  ConnectError: "unavailable",
  ConnectionLost: "unavailable",
  RequestTimeout: "timeout",
  ResultUnknown: "result_unknown"
}

export const serverFailed = (
  { _tag, message, plainMessage = message }: Pick<CallError | CommandError, "_tag" | "message" | "plainMessage">
): ServerFailed => ({ error: { code: codes[_tag] ?? "server_error", message: clean(plainMessage) } })

/** As clients of the gateway see it. */
export const Tool = Schema.Struct({
  name: Schema.String,
  server: Schema.String,
  /** Its name at the server. */
  original: Schema.String,
  title: Schema.optional(Schema.String),
  description: Schema.optional(Schema.String),
  inputSchema: Schema.Unknown,
  stale: Schema.Boolean
}).annotations({ identifier: "Tool" })
export type Tool = typeof Tool.Type

export const Tools = Schema.Struct({
  tools: Schema.Array(Tool),
  /** The servers whose tools are missing, and what to do: each client has its own server, or its tools are not known yet. */
  notListed: Schema.Array(Schema.Struct({
    server: Schema.String,
    message: Schema.String,
    /** What stands before the names of its tools. */
    prefix: Schema.optional(Schema.String)
  }))
}).annotations({ identifier: "Tools" })
export type Tools = typeof Tools.Type

export const Call = Schema.Struct({
  name: Schema.String,
  arguments: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
}).annotations({ identifier: "Call" })
export type Call = typeof Call.Type

export const Login = Schema.Struct({
  state: Schema.Literal("signed-in", "login-needed"),
  message: Schema.String,
  url: Schema.optional(Schema.String)
}).annotations({ identifier: "Login" })
export type Login = typeof Login.Type

const gateway = HttpApiGroup.make("gateway")
  .add(
    HttpApiEndpoint.get("status", "/status").addSuccess(GatewayStatus.GatewayStatus)
      .annotate(OpenApi.Description, "The gateway and its servers, as they are now.")
  )
  .add(
    HttpApiEndpoint.get("events", "/events")
      .addSuccess(Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/event-stream" })))
      .annotate(
        OpenApi.Description,
        "Server-sent events: `status`, at once and after changes, at most 4 a second, where a server's history is left out as long as it "
          + "stays the same; `event` for each line of the log."
      )
  )
  .add(
    HttpApiEndpoint.get("tools", "/tools")
      .setUrlParams(Schema.Struct({ server: Schema.optional(Schema.String) }))
      .addSuccess(Tools)
      .addError(NotFound)
      .annotate(
        OpenApi.Description,
        "The tools of shared servers that clients are offered, of one server where one is named."
      )
  )
  .add(
    HttpApiEndpoint.post("call", "/call").setPayload(Call)
      .addSuccess(
        Schema.Unknown.annotations({ description: "The result of the tool, as MCP has it (CallToolResult)" })
      )
      .addError(NotFound).addError(RateLimited).addError(ServerFailed)
      .annotate(OpenApi.Description, "Calls a tool of a shared server.")
  )
  .add(
    HttpApiEndpoint.get("logs", "/logs")
      .setUrlParams(Schema.Struct({
        server: Schema.optional(Schema.String),
        limit: Schema.optional(Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, 500))),
        since: Schema.optional(Schema.NumberFromString)
      }))
      .addSuccess(Schema.Struct({ events: Schema.Array(EventLog.Entry) }))
      .addError(NotFound)
      .annotate(
        OpenApi.Description,
        "What has happened of late, oldest first; at most 500 lines are kept, in a cluster by each replica. `since`: only lines from this "
          + "time on, in milliseconds since 1970."
      )
  )

const name = HttpApiSchema.param("name", Schema.String)

const servers = HttpApiGroup.make("servers")
  .add(
    HttpApiEndpoint.get("server")`/servers/${name}`.addSuccess(GatewayStatus.ServerDetails)
      .addError(NotFound)
      .annotate(
        OpenApi.Description,
        "One server, as it is now; where each client has its own, with each of them. Nothing says which client that is."
      )
  )
  .add(
    HttpApiEndpoint.post("reconnect")`/servers/${name}/reconnect`.addSuccess(GatewayStatus.ChangedServer)
      .addError(NotFound).addError(ServerFailed)
      .annotate(
        OpenApi.Description,
        "Connects the server anew, or that of each client, a few at a time, and answers when that is done."
      )
  )
  .add(
    HttpApiEndpoint.post("enable")`/servers/${name}/enable`.addSuccess(GatewayStatus.ChangedServer)
      .addError(NotFound).addError(ServerFailed)
      .annotate(OpenApi.Description, "Switches the server on, for all clients, and answers when it is connected.")
  )
  .add(
    HttpApiEndpoint.post("disable")`/servers/${name}/disable`.addSuccess(GatewayStatus.ChangedServer)
      .addError(NotFound).addError(ServerFailed)
      .annotate(
        OpenApi.Description,
        "Switches the server off, for all clients, until it is enabled or the gateway is started again."
      )
  )
  .add(
    HttpApiEndpoint.post("approve")`/servers/${name}/approve`
      .addSuccess(GatewayStatus.ApprovedServer)
      .addError(NotFound)
      .annotate(OpenApi.Description, "Approves the definitions of the server's tools as they are now.")
  )
  .add(
    HttpApiEndpoint.post("login")`/servers/${name}/login`.addSuccess(Login)
      .addError(NotFound).addError(NoLogin)
      .annotate(OpenApi.Description, "Begins a sign-in to the server, and answers where a person has to go for it.")
  )

export const Api = HttpApi.make("mcp-lifeline").add(gateway).add(servers).prefix("/api")
  .addError(BadRequest)
  .annotate(OpenApi.Title, "Lifeline's gateway")
  .annotate(OpenApi.Version, version)
  .annotate(
    OpenApi.Description,
    "The servers of a running gateway. Where the gateway has a token, each request needs it: Authorization: Bearer <token>. Pages of "
      + "another origin may not send a POST. An error is { error: { code, message } }."
  )

/** The library's own error format, which the gateway never sends. */
const unused: ReadonlySet<string> = new Set(["HttpApiDecodeError", "Issue", "PropertyKey"])

const isUnused = (schema: unknown): boolean =>
  Predicate.isRecord(schema) && schema["$ref"] === "#/components/schemas/HttpApiDecodeError"

const withoutUnused = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutUnused)
  if (!Predicate.isRecord(value)) return value
  const { anyOf } = value
  if (Array.isArray(anyOf) && anyOf.some(isUnused)) {
    const rest = anyOf.filter((schema) => !isUnused(schema))
    return withoutUnused(rest.length === 1 ? rest[0] : { ...value, anyOf: rest })
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutUnused(one)]))
}

export const openApiDocument = (): unknown => {
  const { components, ...spec } = OpenApi.fromApi(Api)
  const schemas = Object.entries(components.schemas).filter(([name]) => !unused.has(name))
  return withoutUnused({ ...spec, components: { ...components, schemas: Object.fromEntries(schemas) } })
}
