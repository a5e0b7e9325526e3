import { firstOf } from "@mcp-lifeline/core/internal"
import { Clock, Effect, Stream } from "effect"
import type { StatusUpdate } from "../http-api/GatewayStatus.js"
import { UsageError } from "../text/Errors.js"
import type { Output } from "../text/Output.js"
import { json as jsonText } from "../text/Text.js"
import type { GatewayCommand } from "./Arguments.js"
import type { GatewayClient } from "./GatewayClient.js"
import * as StatusView from "./StatusView.js"

const view = ({ colour, width }: Output, render: (options: StatusView.Options) => string) =>
  Effect.zipWith(Clock.currentTimeMillis, width, (now, width) => render({ now, width, colour }))

export const status = (
  client: GatewayClient,
  { json, name }: Extract<GatewayCommand, { readonly _tag: "Status" }>,
  output: Output
) => {
  const show = <A>(render: (value: A, options: StatusView.Options) => string) => (value: A) =>
    json
      ? output.line(jsonText(value, 2))
      : Effect.flatMap(view(output, (options) => render(value, options)), output.line)
  return name === undefined
    ? Effect.flatMap(client.status, show(StatusView.render))
    : Effect.flatMap(client.server(name), show(StatusView.renderServer))
}

/** The last two are Ctrl+C and Ctrl+D. */
const quitKeys = ["q", "Q", "\u0003", "\u0004"]

/** Until the scope closes, the terminal is in raw mode, in which Ctrl+C is a key and sends no signal. */
const quitting = Effect.gen(function*() {
  const { stdin } = process
  if (!stdin.isTTY) return Effect.never
  yield* Effect.acquireRelease(
    Effect.sync(() => stdin.setRawMode(true).resume()),
    () => Effect.sync(() => stdin.setRawMode(false).pause())
  )
  return Effect.async<void>((resume) => {
    const onKeys = (keys: Buffer) => {
      if (quitKeys.some((key) => keys.includes(key))) resume(Effect.void)
    }
    stdin.on("data", onKeys)
    return Effect.sync(() => stdin.off("data", onKeys))
  })
})

export const top = (client: GatewayClient, output: Output) =>
  Effect.gen(function*() {
    if (!output.live) {
      return yield* Effect.fail(
        new UsageError({ message: "top needs a terminal; use mcp-lifeline status, or status --json" })
      )
    }
    let last: StatusUpdate | undefined
    const draw = Effect.gen(function*() {
      const status = last
      if (status === undefined) return
      const text = yield* view(output, (options) => StatusView.render(status, options))
      yield* output.frame(`${text}\n\n  q or Ctrl+C ends this`)
    })
    const statuses = Stream.runForEach(client.updates, (update) => {
      if (update._tag !== "Status") return Effect.void
      last = update.status
      return draw
    })
    const ticks = Stream.runForEach(Stream.tick("1 second"), () => draw)
    yield* Effect.scoped(Effect.flatMap(quitting, (quit) => firstOf(statuses, ticks, quit)))
  })
