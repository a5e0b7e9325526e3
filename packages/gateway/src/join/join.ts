/** `mcp-lifeline serve --stdio`: all hosts, with all their windows, share one gateway, wherever it runs at the moment. */
import type { Connector } from "@mcp-lifeline/core"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Redacted } from "effect"
import { Agent, buildConnector } from "undici"
import * as Proof from "../instances/Proof.js"
import * as RunningGateways from "../instances/RunningGateways.js"
import * as ByHand from "../wrap/byHand.js"
import * as Wrap from "../wrap/wrap.js"
import * as Background from "./Background.js"

const isSame = (one: RunningGateways.RunningGateway, other: RunningGateways.RunningGateway): boolean =>
  Redacted.value(one.secret) === Redacted.value(other.secret)

/** As of a refused connection: nothing was sent. */
const nobody = (): Error =>
  Object.assign(new Error("no gateway of this user listens there any more"), {
    code: "ECONNREFUSED",
    syscall: "connect"
  })

/** Requests the gateway's proof before each new socket: it may have ended, and a program of another user may listen at its port now. */
const dispatcherTo = ({ secret, url }: RunningGateways.RunningGateway): Agent => {
  const connect = buildConnector({})
  return new Agent({
    bodyTimeout: 0,
    headersTimeout: 0,
    connect: (options, callback) => {
      void (async () => {
        const isProven = await Proof.isProven(url, secret)
        if (isProven) connect(options, callback)
        else callback(nobody(), null)
      })()
    }
  })
}

export const connector = (options: Background.Options): Effect.Effect<Connector, never, StateFolder> =>
  Effect.map(StateFolder, (folder) => {
    /** A restarted gateway has another secret. */
    let last: { readonly gateway: RunningGateways.RunningGateway; readonly connector: Connector } | undefined
    const connectorOf = (gateway: RunningGateways.RunningGateway): Connector => {
      if (last !== undefined && isSame(last.gateway, gateway)) return last.connector
      const url = `${gateway.url}/mcp`
      const headers = RunningGateways.headersOf(gateway)
      last = {
        gateway,
        connector: HttpConnector.make({ url, headers, dispatcher: dispatcherTo(gateway), protocol: "2025" })
      }
      return last.connector
    }
    return {
      transport: "http",
      overlap: true,
      target: `the gateway of ${options.file}`,
      connect: (connectOptions) =>
        Background.reach(options).pipe(
          Effect.provideService(StateFolder, folder),
          Effect.flatMap((gateway) => connectorOf(gateway).connect(connectOptions))
        )
    }
  })

export const run = (options: Background.Options) =>
  Effect.flatMap(
    connector(options),
    (connector) =>
      Wrap.serve(
        { name: "lifeline", server: { gateway: options.file }, connector },
        ByHand.serve(options.file),
        options.maxMessage
      )
  )
