import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Logger } from "effect"
import * as Output from "../text/Output.js"
import { clean, json as jsonText } from "../text/Text.js"
import type { Approve, Choice, GatewayCommand, Request } from "./Arguments.js"
import * as GatewayClient from "./GatewayClient.js"
import * as Logs from "./logs.js"
import * as Status from "./status.js"
import { perClient } from "./StatusView.js"
import * as Tools from "./tools.js"

const verbs = {
  reconnect: { running: "Reconnecting", done: "reconnected" },
  enable: { running: "Enabling", done: "enabled" },
  disable: { running: "Disabling", done: "disabled" }
} as const

const act = (
  client: GatewayClient.GatewayClient,
  { action, json, server }: Extract<GatewayCommand, { readonly _tag: "Act" }>,
  output: Output.Output
) =>
  Effect.gen(function*() {
    const verb = verbs[action]
    const status = yield* Output.whileWaiting(output, `${verb.running} ${clean(server)}`, client.act(action, server))
    if (json) return yield* output.line(jsonText(status, 2))
    const { generation, name, runtimesByState, runtimesDone = 0, state } = status
    const connection = state === "Connected" ? `, generation ${generation}` : ""
    const details = runtimesByState === undefined
      ? connection
      : `, ${verb.done} for ${runtimesDone} ${runtimesDone === 1 ? "client" : "clients"}, ${perClient(runtimesByState)}`
    yield* output.line(`${clean(name)}: ${state}${details}`)
  })

const ask = (
  client: GatewayClient.GatewayClient,
  command: Exclude<GatewayCommand, Approve>,
  output: Output.Output
) => {
  switch (command._tag) {
    case "Status":
      return Status.status(client, command, output)
    case "Top":
      return Status.top(client, output)
    case "Tools":
      return Tools.tools(client, command, output)
    case "Call":
      return Tools.call(client, command, output)
    case "Logs":
      return Logs.logs(client, command, output)
    case "Act":
      return act(client, command, output)
  }
}

const carryOut = (command: GatewayCommand, choice: Choice, output: Output.Output) =>
  command._tag === "Approve"
    ? Effect.flatMap(Effect.promise(() => import("./approve.js")), ({ run }) => run(command, choice, output))
    : Effect.flatMap(GatewayClient.find(choice), (client) => ask(client, command, output))

export const run = ({ command, choice }: Request) =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output.make
    // Standard output is for the answer alone, which may be JSON.
    yield* Effect.provide(
      carryOut(command, choice, output),
      Logger.replace(Logger.defaultLogger, Output.logger(output))
    )
  })).pipe(Effect.provide(StateFolder.layer))
