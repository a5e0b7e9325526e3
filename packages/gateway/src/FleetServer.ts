/**
 * A fleet as one MCP server: the official SDK's Server, one for each session of a client.
 */
import type { CallError, Fleet } from "@mcp-lifeline/core"
import { Nesting, ProtocolError } from "@mcp-lifeline/core"
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type {
  JSONRPCRequest,
  Progress,
  Result,
  ServerNotification,
  ServerRequest
} from "@modelcontextprotocol/sdk/types.js"
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema
} from "@modelcontextprotocol/sdk/types.js"
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv"
import { Effect } from "effect"
import type { Calls } from "./Calls.js"
import { metaOf, passedOn } from "./hop.js"
import * as JsonRpcError from "./JsonRpcError.js"
import * as Offer from "./Offer.js"
import { version } from "./Version.js"

/** What the sessions need. */
export interface Options {
  readonly fleet: Fleet.Fleet
  readonly calls: Calls
  /** Ends when the catalogue is worth showing: the first list of an early client waits for it. */
  readonly ready: Effect.Effect<void>
}

// One for all sessions: it is costly to make and holds nothing of them.
const jsonSchemaValidator = new AjvJsonSchemaValidator()

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

/** Whether a client could be given it whole. (P12) */
const isReadable = (value: unknown): boolean => !Nesting.isDeeper(value, Nesting.defaultDepth)

/** Options of a call that passes progress to the client, if it has asked for it, and the client's reason to cancel. */
const passing = (extra: Extra) => {
  const progressToken = extra._meta?.progressToken
  const cancelReason = () => extra.signal.reason as unknown
  return progressToken === undefined ? { cancelReason } : {
    cancelReason,
    resetTimeoutOnProgress: true,
    onprogress: (given: Progress) => {
      const { message, progress, total } = given
      const params = isReadable(given) ? given : { progress, total, message }
      // A client that has gone gets no progress; its call ends by itself.
      extra.sendNotification({ method: "notifications/progress", params: { ...params, progressToken } }).catch(
        () => {}
      )
    }
  }
}

/** What the client sends along, but for what belongs to its hop: the backend gets a token of progress of its own. */
const meta = (params: { readonly _meta?: Record<string, unknown> | undefined }) => {
  const { progressToken: _, ...others } = metaOf(passedOn(params))
  return Object.keys(others).length === 0 ? {} : { _meta: others }
}

const values = <A>(entries: ReadonlyMap<string, Fleet.Entry<A>>): Array<A> =>
  Array.from(entries.values(), (entry) => entry.value)

/** The schema of a request, as the official SDK has them. */
interface RequestSchema<A> {
  readonly shape: { readonly method: { readonly value: string } }
  readonly safeParse: (
    request: unknown
  ) => { readonly success: true; readonly data: A } | {
    readonly success: false
    readonly error: { readonly issues: ReadonlyArray<JsonRpcError.Issue> }
  }
}

type Handler = (request: JSONRPCRequest, extra: Extra) => Promise<Result>

/** A handler of requests that fit the schema; the SDK's own answer to others would be a page of JSON. */
const handler = <A>(
  schema: RequestSchema<A>,
  handle: (request: A, extra: Extra) => Promise<Result>
): readonly [string, Handler] => {
  const method = schema.shape.method.value
  return [method, (request, extra) => {
    const parsed = schema.safeParse(request)
    return parsed.success
      ? handle(parsed.data, extra)
      : Promise.reject(JsonRpcError.invalidParams(method, parsed.error.issues))
  }]
}

/** Answers the requests of all sessions: none of it belongs to one. */
const handlers = ({ calls, fleet, ready }: Options): ReadonlyMap<string, Handler> => {
  const catalog = Effect.zipRight(ready, fleet.catalog)
  /** A client may call before the backends are up, by names that it knows from before. */
  const once = <A, E>(
    known: (catalog: Fleet.FleetCatalog) => boolean,
    call: Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    Effect.flatMap(fleet.catalog, (catalog) => known(catalog) ? call : Effect.zipRight(ready, call))
  /** A result that a client could not be given whole is an error that says so. (P12) */
  const readable = <A>(method: string, call: Effect.Effect<A, CallError>): Effect.Effect<A, CallError> =>
    Effect.filterOrFail(
      call,
      isReadable,
      () =>
        new ProtocolError({
          backend: "",
          method,
          message:
            `${method} was carried out, and its result is nested more than ${Nesting.defaultDepth} levels deep, which is not passed on: have the server give it in another form`
        })
    )
  return new Map([
    handler(
      ListToolsRequestSchema,
      (_, { signal }) => calls.run(Effect.map(catalog, (all) => ({ tools: [...Offer.tools(all)] })), signal)
    ),
    handler(
      ListPromptsRequestSchema,
      (_, { signal }) => calls.run(Effect.map(catalog, ({ prompts }) => ({ prompts: values(prompts) })), signal)
    ),
    handler(
      ListResourcesRequestSchema,
      (_, { signal }) => calls.run(Effect.map(catalog, ({ resources }) => ({ resources: values(resources) })), signal)
    ),
    handler(ListResourceTemplatesRequestSchema, (_, { signal }) =>
      calls.run(
        Effect.map(catalog, ({ resourceTemplates }) => ({ resourceTemplates: values(resourceTemplates) })),
        signal
      )),
    handler(CallToolRequestSchema, ({ params }, extra) => {
      const { arguments: given, name } = params
      const call = fleet.callTool({ name, arguments: given, ...meta(params) }, passing(extra))
      return calls.run(once(({ tools }) => tools.has(name), readable("tools/call", call)), extra.signal)
    }),
    handler(GetPromptRequestSchema, ({ params }, extra) => {
      const { arguments: given, name } = params
      const call = fleet.getPrompt({ name, arguments: given, ...meta(params) }, passing(extra))
      return calls.run(once(({ prompts }) => prompts.has(name), readable("prompts/get", call)), extra.signal)
    }),
    handler(ReadResourceRequestSchema, ({ params }, extra) => {
      const { uri } = params
      const call = fleet.readResource({ uri, ...meta(params) }, passing(extra))
      return calls.run(once(({ resources }) => resources.has(uri), readable("resources/read", call)), extra.signal)
    }),
    handler(CompleteRequestSchema, ({ params }, extra) => {
      const { argument, context, ref } = params
      const call = fleet.complete({ ref, argument, context, ...meta(params) }, passing(extra))
      return calls.run(Effect.zipRight(ready, readable("completion/complete", call)), extra.signal)
    })
  ])
}

/** Makes servers that are not connected to a transport yet, all for the same fleet. */
export const make = (options: Options): () => Server => {
  const byMethod = handlers(options)
  return () => {
    const server = new Server({ name: "mcp-lifeline", version }, {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true },
        completions: {}
      },
      jsonSchemaValidator
    })
    server.fallbackRequestHandler = (request, extra) => {
      const handle = byMethod.get(request.method)
      return handle ? handle(request, extra) : Promise.reject(JsonRpcError.methodNotFound(request.method))
    }
    return server
  }
}
