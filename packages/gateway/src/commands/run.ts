/**
 * Carries out the commands that ask a running gateway.
 */
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import * as Output from "../Output.js"
import { clean, json as jsonText } from "../Text.js"
import type { Asked, Request } from "./Arguments.js"
import * as GatewayClient from "./GatewayClient.js"
import * as Logs from "./logs.js"
import * as Status from "./status.js"
import { perClient } from "./StatusView.js"
import * as Tools from "./tools.js"
import { waiting } from "./waiting.js"

const verbs = {
  reconnect: { running: "Reconnecting", done: "reconnected" },
  enable: { running: "Enabling", done: "enabled" },
  disable: { running: "Disabling", done: "disabled" }
} as const

/** Does something to a server and says what state it is in then. */
const act = (
  client: GatewayClient.GatewayClient,
  { action, json, server }: Extract<Asked, { readonly _tag: "Act" }>,
  output: Output.Output
) =>
  Effect.gen(function*() {
    const verb = verbs[action]
    const status = yield* waiting(output, `${verb.running} ${clean(server)}`, client.act(action, server))
    if (json) return yield* output.line(jsonText(status, 2))
    const { generation, name, runtimesByState, runtimesDone = 0, state } = status
    const connection = state === "Connected" ? `, generation ${generation}` : ""
    const details = runtimesByState === undefined
      ? connection
      : `, ${verb.done} for ${runtimesDone} ${runtimesDone === 1 ? "client" : "clients"}, ${perClient(runtimesByState)}`
    yield* output.line(`${clean(name)}: ${state}${details}`)
  })

const carryOut = (client: GatewayClient.GatewayClient, asked: Asked, output: Output.Output) => {
  switch (asked._tag) {
    case "Status":
      return Status.status(client, asked, output)
    case "Top":
      return Status.top(client, output)
    case "Tools":
      return Tools.tools(client, asked, output)
    case "Call":
      return Tools.call(client, asked, output)
    case "Logs":
      return Logs.logs(client, asked, output)
    case "Act":
      return act(client, asked, output)
  }
}

/** Finds the gateway that is meant, and asks it. */
export const run = ({ asked, choice }: Request) =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output.make
    const client = yield* GatewayClient.find(choice)
    yield* carryOut(client, asked, output)
  })).pipe(Effect.provide(StateFolder.layer))
