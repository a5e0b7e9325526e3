/** The SDK's Client answers what the server asks, and its schemas check results. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema
} from "@modelcontextprotocol/sdk/types.js"
import type { jsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/types.js"
import * as rawParts from "./rawParts.js"
import * as ResultSchemas from "./ResultSchemas.js"
import * as ServerRequests from "./ServerRequests.js"
import * as Session from "./Session.js"

/** The SDK makes a JSON Schema compiler for each Client, which only `Client.callTool` uses; nobody calls that here. */
const noValidator: jsonSchemaValidator = {
  getValidator: <T>() => (input: unknown) => ({ valid: true, data: input as T & {}, errorMessage: undefined })
}

const answering: Session.Parts["answering"] = (options, capabilities, runtime) => {
  const { clientInfo = Session.clientInfo, handlers, relay } = options
  if (relay !== undefined) return rawParts.answering(relay)
  const client = new Client(clientInfo, { capabilities, jsonSchemaValidator: noValidator })
  ServerRequests.register(client, handlers, runtime)
  return {
    start: (link, log) => {
      // The SDK's texts may end with whole messages.
      client.onerror = (error) => log(error.message)
      return client.connect(link)
    },
    notify: (method, params) => client.notification((params === undefined ? { method } : { method, params }) as never)
  }
}

const questions = {
  "elicitation/create": ElicitRequestSchema,
  "sampling/createMessage": CreateMessageRequestSchema,
  "roots/list": ListRootsRequestSchema
}

export const parts: Session.Parts = {
  answering,
  wrong: ResultSchemas.wrong,
  decode: ResultSchemas.decode,
  decodeStateless: ResultSchemas.decodeStateless,
  readQuestion: (method, question) => ResultSchemas.check(method, questions[method], question) as never
}
