/**
 * The gateway of a file as a server that a host can be connected to, wherever it runs at the moment.
 */
import type { Connector } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import { Agent } from "undici"
import * as RunningGateways from "../state/RunningGateways.js"
import { StateFolder } from "../state/StateFolder.js"
import * as Background from "./Background.js"

/** Connects to the gateway that runs, and starts one where none does. */
export const make = (options: Background.Options): Effect.Effect<Connector, never, StateFolder> =>
  Effect.map(StateFolder, (folder) => {
    // It runs on this machine, to which no proxy leads.
    const dispatcher = new Agent({ bodyTimeout: 0, headersTimeout: 0 })
    /** For the gateway of now: another one has another address. */
    let last: { readonly url: string; readonly connector: Connector } | undefined
    const connectorOf = (gateway: RunningGateways.RunningGateway): Connector => {
      const url = `${gateway.url}/mcp`
      if (last?.url === url) return last.connector
      const headers = RunningGateways.headersOf(gateway)
      last = { url, connector: HttpConnector.make({ url, headers, dispatcher, protocol: "2025" }) }
      return last.connector
    }
    return {
      transport: "http",
      overlap: true,
      target: `the gateway of ${options.file}`,
      connect: (asked) =>
        Background.reach(options).pipe(
          Effect.provideService(StateFolder, folder),
          Effect.flatMap((gateway) => connectorOf(gateway).connect(asked))
        )
    }
  })
