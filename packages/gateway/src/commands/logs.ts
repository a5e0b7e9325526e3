import { Effect, Stream } from "effect"
import type * as EventLog from "../log/EventLog.js"
import { show } from "../log/Lines.js"
import type { Output } from "../text/Output.js"
import { json as jsonText } from "../text/Text.js"
import type { GatewayCommand } from "./Arguments.js"
import type { GatewayClient } from "./GatewayClient.js"

const colours: Readonly<Record<EventLog.Entry["level"], number | undefined>> = {
  info: undefined,
  warning: 33,
  error: 31
}

const write = (line: EventLog.Entry, isJson: boolean, output: Output) => {
  if (isJson) return output.line(jsonText(line))
  const colour = output.colour ? colours[line.level] : undefined
  const of = line.server ?? "gateway"
  const text = show(line.at, of, line.text)
  return output.line(colour === undefined ? text : `\u001B[${colour}m${text}\u001B[39m`)
}

export const logs = (
  client: GatewayClient,
  { follow, json, limit, server }: Extract<GatewayCommand, { readonly _tag: "Logs" }>,
  output: Output
) => {
  const last = Effect.tap(
    client.logs(limit, server),
    (lines) => Effect.forEach(lines, (line) => write(line, json, output))
  )
  if (!follow) return Effect.asVoid(last)
  return Effect.suspend(() => {
    /** From before the stream, which may contain some of these lines again. */
    let printed: ReadonlySet<string> | undefined
    return Stream.runForEach(client.updates, (update) => {
      if (update._tag === "Status") {
        return printed !== undefined ? Effect.void : Effect.map(last, (lines) => {
          printed = new Set(lines.map((line) => JSON.stringify(line)))
        })
      }
      const { line } = update
      const isWanted = (server === undefined || line.server === server) && printed?.has(JSON.stringify(line)) === false
      return isWanted ? write(line, json, output) : Effect.void
    })
  })
}
