/** For a client that decodes results and answers the server itself: loads nothing of the official SDK. */
import type { JSONRPCMessage, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Exit, Predicate } from "effect"
import * as Failures from "./Failures.js"
import * as JsonRpc from "./JsonRpc.js"
import type { Link } from "./Link.js"
import type * as Session from "./Session.js"

/** As it stands, where it has a code. */
const errorOf = (thrown: unknown): { readonly code: number; readonly message: string; readonly data?: unknown } => {
  const { code, data } = Object(thrown) as { readonly code?: unknown; readonly data?: unknown }
  return {
    code: Number.isSafeInteger(code) ? code as number : JsonRpc.internalError,
    message: Failures.describe(thrown),
    ...(data === undefined ? {} : { data })
  }
}

export const answering = (relay: Session.Relay): Session.Answering => {
  const asked = new Map<RequestId, AbortController>()
  let link: Link | undefined
  let log: (message: string) => void = () => undefined
  const send = (message: JSONRPCMessage): void => {
    link?.send(message).catch((error: unknown) => log(`an answer was not sent: ${Failures.describe(error)}`))
  }
  const ask = ({ id, method, params }: JSONRPCRequest): void => {
    if (method === "ping") return send({ jsonrpc: "2.0", id, result: {} })
    const controller = new AbortController()
    asked.set(id, controller)
    const settle = (message: JSONRPCMessage): void => {
      if (asked.get(id) !== controller) return // cancelled
      asked.delete(id)
      send(message)
    }
    relay.request({ method, params }, controller.signal).then(
      (result) => settle({ jsonrpc: "2.0", id, result }),
      (error: unknown) => settle({ jsonrpc: "2.0", id, error: errorOf(error) })
    )
  }
  const cancelled = (params: Record<string, unknown> | undefined): void => {
    const id = params?.["requestId"] as RequestId
    const controller = asked.get(id)
    asked.delete(id)
    controller?.abort(params?.["reason"])
  }
  return {
    start: (given, logs) => {
      link = given
      log = logs
      given.onmessage = (message) => {
        if (!JsonRpc.isMessage(message)) log("a message is not JSON-RPC and is dropped")
        else if (JsonRpc.isRequest(message)) ask(message)
        else if ("method" in message) cancelled(message.params)
      }
      given.onclose = () => {
        for (const controller of asked.values()) controller.abort()
        asked.clear()
      }
      return given.start()
    },
    notify: (method, params) =>
      link?.send({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) }) ?? Promise.resolve()
  }
}

const decode: Session.Parts["decode"] = (method, result, schema) => {
  if (schema === undefined) return Exit.succeed(result)
  const parsed = (schema as { readonly safeParse: (value: unknown) => Parsed }).safeParse(result)
  return parsed.success ? Exit.succeed(parsed.data) : Exit.fail(Failures.misfit(method, parsed.error))
}

type Parsed = { readonly success: true; readonly data: unknown } | {
  readonly success: false
  readonly error: unknown
}

const nobody: Session.Relay = { protocolVersion: undefined, request: () => Promise.reject(JsonRpc.noSuchMethod) }

export const parts: Session.Parts = {
  answering: ({ relay = nobody }) => answering(relay),
  wrong: (schema) => Predicate.hasProperty(schema, "safeParse") ? undefined : new TypeError("not a schema"),
  decode,
  decodeStateless: decode,
  readQuestion: (_, question) => Exit.succeed(question as never)
}
