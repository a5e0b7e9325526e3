/** The official Client of v1, whose transports are Lifeline's: `supervisedTransport`. */
import { Client as Official } from "@modelcontextprotocol/sdk/client/index.js"
import { supervised } from "./server.mjs"

export * from "@modelcontextprotocol/sdk/client/index.js"

export const Client = supervised(Official)
