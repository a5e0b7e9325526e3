/** The official Client, whose transports are Lifeline's: `supervisedTransport`. */
import { supervisedTransport } from "@mcp-lifeline/client"
import { Client as Official } from "@modelcontextprotocol/sdk/client/index.js"
import { options, serverOf } from "./server.mjs"

export * from "@modelcontextprotocol/sdk/client/index.js"

export class Client extends Official {
  /** @override @param {any} transport @param {any} [requestOptions] */
  async connect(transport, requestOptions) {
    /** @type {any} */
    const supervised = supervisedTransport(serverOf(transport), options)
    // What the test has set on its own transport.
    for (const name of ["onclose", "onerror", "onmessage"]) {
      if (typeof transport[name] === "function") supervised[name] = transport[name]
    }
    return super.connect(supervised, requestOptions)
  }
}
