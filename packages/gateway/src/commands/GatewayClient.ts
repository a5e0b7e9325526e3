/**
 * Finds the running gateway through the state folder.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Guard from "@mcp-lifeline/http-server/Guard"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect, Option, Predicate, Redacted, Schema, Stream } from "effect"
import { resolve } from "node:path"
import * as Api from "../http-api/Api.js"
import * as GatewayStatus from "../http-api/GatewayStatus.js"
import * as RunningGateways from "../instances/RunningGateways.js"
import * as EventLog from "../log/EventLog.js"
import { NoGateway, StartError, UsageError } from "../text/Errors.js"
import { clean } from "../text/Text.js"
import type { Choice } from "./Arguments.js"

export type Failure = StartError | NoGateway

/** An event of `/api/events`. */
export type Update =
  | { readonly _tag: "Status"; readonly status: GatewayStatus.StatusUpdate }
  | { readonly _tag: "Line"; readonly line: EventLog.Entry }

export interface GatewayClient {
  readonly status: Effect.Effect<GatewayStatus.GatewayStatus, Failure>
  readonly server: (name: string) => Effect.Effect<GatewayStatus.ServerDetails, Failure>
  readonly tools: Effect.Effect<Api.Tools, Failure>
  readonly call: (call: Api.Call) => Effect.Effect<unknown, Failure>
  readonly logs: (limit: number, server: string | undefined) => Effect.Effect<ReadonlyArray<EventLog.Entry>, Failure>
  readonly act: (
    action: "reconnect" | "enable" | "disable",
    server: string
  ) => Effect.Effect<GatewayStatus.ChangedServer, Failure>
  readonly approve: (server: string) => Effect.Effect<GatewayStatus.ApprovedServer, Failure>
  /** The status now and after each change, and new lines of the log. Fails when the gateway ends. */
  readonly updates: Stream.Stream<Update, Failure>
}

interface GatewayAddress {
  readonly url: string
  readonly token: Redacted.Redacted | null
}

const howToStart = "start one with: mcp-lifeline serve --config FILE"

const describe = ({ config, url }: RunningGateways.RunningGateway): string => `${url} (${config ?? "without a file"})`

const originOf = (url: string): Effect.Effect<string, UsageError> => {
  const origin = /^https?:\/\//i.test(url) ? parseUrl(url)?.origin : undefined
  return origin === undefined
    ? Effect.fail(new UsageError({ message: `--url ${clean(url)} is not an address; write http://HOST:PORT` }))
    : Effect.succeed(origin)
}

/** It counts, also for a gateway of this user: it shows what its owner may see there. */
const givenToken = (): Redacted.Redacted | undefined => {
  const token = process.env["MCP_LIFELINE_TOKEN"]
  return token === undefined || token === "" ? undefined : Redacted.make(token)
}

const running = ({ config, url }: Choice): Effect.Effect<GatewayAddress, UsageError | NoGateway, StateFolder> =>
  Effect.gen(function*() {
    const all = yield* RunningGateways.running
    if (url !== undefined) {
      const origin = yield* originOf(url)
      return all.find((one) => one.url === origin) ?? { url: origin, token: null }
    }
    const fitting = config === undefined ? all : all.filter((one) => one.config === resolve(config))
    const [one, another] = fitting
    if (one === undefined) {
      return yield* new NoGateway({
        message: config === undefined || all.length === 0
          ? `no gateway of this user runs; ${howToStart}`
          : `no gateway serves ${config}; there runs ${all.map(describe).join(", ")}`
      })
    }
    const isOne = another === undefined ||
      fitting.every((each) => each.inCluster === true && each.config === one.config)
    if (isOne) return one
    const how = config === undefined ? "--url or --config" : "--url"
    return yield* Effect.fail(
      new UsageError({ message: `several gateways run: ${fitting.map(describe).join(", ")}; choose one with ${how}` })
    )
  })

const tokenNeeded = (): string =>
  givenToken() === undefined
    ? "it asks for another token than is known here; give it as MCP_LIFELINE_TOKEN"
    : "it does not accept the token in MCP_LIFELINE_TOKEN; give another one, or none for a gateway of your own"

const isAnswer = (error: unknown): error is HttpClientError.ResponseError =>
  HttpClientError.isHttpClientError(error) && error._tag === "ResponseError"

const failureOf = ({ url }: GatewayAddress) => (error: unknown): Failure => {
  if (Predicate.isRecord(error) && Predicate.isRecord(error["error"])) {
    return new StartError({ message: clean(String(error["error"]["message"])) })
  }
  if (isAnswer(error)) {
    const { status } = error.response
    const why = status === 401
      ? tokenNeeded()
      : `it answers with HTTP ${status}, which this version of mcp-lifeline does not know; check that it is a gateway`
    return new StartError({ message: `${url}: ${why}`, cause: error })
  }
  if (Predicate.isTagged(error, "ParseError")) {
    return new StartError({
      message: `${url} does not answer like a gateway of this version; update the older of the two`,
      cause: error
    })
  }
  return new NoGateway({ message: `the gateway at ${url} does not answer; ${howToStart}` })
}

/** For what is said of a refused request: what answers may be no gateway, and its body without an end. */
const readTime = "2 seconds"

/** In characters. */
const readLength = 65_536

const decodeRefusal = Schema.decodeUnknownOption(
  Schema.parseJson(Schema.Struct({ error: Schema.Struct({ message: Schema.String }) }))
)

/** Of a request that the gateway refuses before its API has it, as that of a client which is no admin; otherwise the error itself. */
const saidOf = (error: unknown): Effect.Effect<unknown> =>
  isAnswer(error) && error.response.status === 403
    ? Stream.decodeText(error.response.stream).pipe(
      Stream.runFoldWhile("", (text) => text.length <= readLength, (text, part) => text + part),
      Effect.option,
      Effect.timeoutOption(readTime),
      Effect.map((text) => Option.getOrElse(Option.flatMap(Option.flatten(text), decodeRefusal), () => error))
    )
    : Effect.succeed(error)

const decodeStatus = Schema.decodeUnknown(Schema.parseJson(GatewayStatus.StatusUpdate))
const decodeLine = Schema.decodeUnknown(Schema.parseJson(EventLog.Entry))

/** The gateway writes each event with one line of data. */
const updates = <E>(text: Stream.Stream<string, E>) =>
  Stream.splitLines(text).pipe(
    Stream.mapAccum("", (name, line): [string, readonly [string, string] | undefined] =>
      line.startsWith("event: ")
        ? [line.slice("event: ".length), undefined]
        : [name, line.startsWith("data: ") ? [name, line.slice("data: ".length)] : undefined]),
    Stream.filter(Predicate.isNotUndefined),
    Stream.mapEffect(([name, data]) =>
      name === "status"
        ? Effect.map(decodeStatus(data), (status): Update => ({ _tag: "Status", status }))
        : Effect.map(decodeLine(data), (line): Update => ({ _tag: "Line", line }))
    )
  )

const ended = ({ url }: GatewayAddress) => new NoGateway({ message: `the gateway at ${url} has stopped` })

export const find = (choice: Choice): Effect.Effect<GatewayClient, Failure | UsageError, StateFolder> =>
  Effect.gen(function*() {
    const { token, url } = yield* running(choice)
    const address = { url, token: givenToken() ?? token }
    const http = (yield* HttpClient.HttpClient).pipe(
      HttpClient.mapRequest((request) =>
        HttpClientRequest.setHeaders(request, { ...RunningGateways.headersOf(address), [Guard.actionHeader]: "1" })
      )
    )
    const api = yield* HttpApiClient.makeWith(Api.Api, { httpClient: http, baseUrl: url })
    const failed = <A, E, R>(request: Effect.Effect<A, E, R>): Effect.Effect<A, Failure, R> =>
      Effect.catchAll(request, (error) => Effect.flip(Effect.map(saidOf(error), failureOf(address))))
    return {
      status: failed(api.gateway.status()),
      server: (name) => failed(api.servers.server({ path: { name } })),
      tools: failed(api.gateway.tools({ urlParams: {} })),
      call: (payload) => failed(api.gateway.call({ payload })),
      logs: (limit, server) =>
        failed(Effect.map(api.gateway.logs({ urlParams: { limit, server } }), ({ events }) => events)),
      act: (action, name) => failed(api.servers[action]({ path: { name } })),
      approve: (name) => failed(api.servers.approve({ path: { name } })),
      updates: Stream.unwrapScoped(Effect.map(
        failed(Effect.flatMap(http.get(`${url}/api/events`), HttpClientResponse.filterStatusOk)),
        ({ stream }) =>
          updates(Stream.decodeText(Stream.mapError(stream, () => ended(address)))).pipe(
            Stream.mapError((error) => error._tag === "NoGateway" ? error : failureOf(address)(error)),
            Stream.concat(Stream.fail(ended(address)))
          )
      ))
    } satisfies GatewayClient
  }).pipe(Effect.provide(FetchHttpClient.layer))
