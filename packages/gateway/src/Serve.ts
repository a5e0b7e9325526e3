/**
 * `mcp-lifeline serve`: the backends of a file, or the demo, as one endpoint, until it is told to end.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type { Status } from "@mcp-lifeline/core"
import { Fleet } from "@mcp-lifeline/core"
import { LifelineTelemetry } from "@mcp-lifeline/opentelemetry"
import type { Redacted, Scope } from "effect"
import { Effect, Logger, Option, Stream } from "effect"
import * as Configuration from "./config/Configuration.js"
import * as Demo from "./Demo.js"
import * as Endpoint from "./Endpoint.js"
import { StartError } from "./Errors.js"
import * as Lines from "./Lines.js"
import * as Listener from "./Listener.js"
import * as Output from "./Output.js"
import * as StateFolder from "./state/StateFolder.js"
import * as Table from "./Table.js"

/** What `serve` was asked for. */
export interface Options {
  /** Path of an `mcp.json`; without it the demo is served. */
  readonly config: string | undefined
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  readonly token: Redacted.Redacted | undefined
}

/** What is served: the backends, and whether one of them is ours to show. */
interface Served {
  readonly backends: Fleet.FleetOptions["backends"]
  readonly demo: Demo.Demo | undefined
}

const welcome = (url: string): string =>
  [
    `Serving ${url}`,
    "",
    "  In a client's mcp.json:",
    `    { "mcpServers": { "lifeline": { "type": "http", "url": "${url}" } } }`,
    "  Or from a shell:",
    `    npx @modelcontextprotocol/inspector --cli ${url} --transport http --method tools/list`,
    ""
  ].join("\n")

/** The process of each backend of the demo, where it has one now. */
const pids = (statuses: Readonly<Record<string, Status>>, httpPid: number | undefined) =>
  Object.values(statuses).flatMap(({ backend, peer }) => {
    const pid = backend === "every-http" ? httpPid : peer?.pid
    return pid === undefined ? [] : [{ backend, pid }]
  })

const hint = ({ backend, pid }: { readonly backend: string; readonly pid: number }): string =>
  `kill -9 ${pid}   # ${backend}: it comes back`

/** A table in place, drawn when something changes, and each second for what only time changes. */
const showTable = (fleet: Fleet.Fleet, demo: Demo.Demo | undefined, output: Output.Output) =>
  Effect.gen(function*() {
    const statuses = yield* fleet.status
    const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const width = yield* output.width
    const table = Table.render(Object.values(statuses), { now, width, colour: output.colour })
    const hints = demo ? ["Try:", ...pids(statuses, yield* demo.httpPid.get).map(hint)].map((line) => `  ${line}`) : []
    yield* output.frame([table, "", ...hints, "  Ctrl+C ends the gateway and every server it has started"].join("\n"))
  })

const live = (fleet: Fleet.Fleet, demo: Demo.Demo | undefined, output: Output.Output) =>
  Stream.merge(Stream.tick("1 second"), Stream.map(fleet.status.changes, () => undefined)).pipe(
    Stream.buffer({ capacity: 1, strategy: "sliding" }),
    // A burst of changes is one drawing.
    Stream.runForEach(() => Effect.zipLeft(showTable(fleet, demo, output), Effect.sleep("50 millis")))
  )

const lines = (fleet: Fleet.Fleet, demo: Demo.Demo | undefined, output: Output.Output) =>
  Effect.gen(function*() {
    const events = fleet.events.pipe(
      Stream.mapEffect((event) =>
        Effect.map(
          Effect.option(Effect.flatMap(fleet.backend(event.backend), (backend) => backend.status)),
          (status) => [event, Option.getOrUndefined(status)] as const
        )
      ),
      Stream.mapAccum(
        new Map<string, number>() as Lines.Told,
        (told, [event, status]) => Lines.step(told, event, status)
      )
    )
    const hints = demo
      ? Stream.merge(fleet.status.changes, Stream.mapEffect(demo.httpPid.changes, () => fleet.status)).pipe(
        Stream.mapEffect((statuses) => Effect.map(demo.httpPid.get, (pid) => pids(statuses, pid).map(hint))),
        Stream.mapAccum(new Set<string>(), (shown, all) => [
          new Set([...shown, ...all]),
          all.filter((one) => !shown.has(one))
        ]),
        Stream.mapConcat((fresh) => fresh.map((one) => `  try: ${one}`))
      )
      : Stream.empty
    yield* Stream.merge(events, hints).pipe(
      Stream.runForEach((line) => line === undefined ? Effect.void : output.line(line))
    )
  })

/** Serves until interrupted. What it started has ended when it ends, within a bound. */
export const run = (
  options: Options
): Effect.Effect<never, StartError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const output = yield* Output.make
    return yield* serve(options, output).pipe(
      Effect.provide([StateFolder.layer, Logger.replace(Logger.defaultLogger, Output.logger(output))])
    )
  })

const serve = (options: Options, output: Output.Output) =>
  Effect.gen(function*() {
    const given = options.config === undefined ? undefined : yield* Configuration.make(options.config, output)
    const listener = yield* Listener.listen(options)
    const demo = given ? undefined : yield* Demo.make
    const served: Served = { backends: given?.backends ?? demo?.backends ?? {}, demo }
    const fleet = yield* Fleet.make({ backends: served.backends }).pipe(
      Effect.provide(LifelineTelemetry.layer),
      Effect.mapError(({ cause, message }) => new StartError({ message, cause }))
    )
    if (given) yield* given.follow(fleet)
    const show = output.live ? live(fleet, demo, output) : lines(fleet, demo, output)
    yield* show.pipe(
      // What cannot be shown is no reason to stop serving.
      Effect.catchAllCause((cause) =>
        Effect.logError("the table of backends failed and is not drawn any more; the gateway goes on", cause)
      ),
      Effect.interruptible,
      Effect.forkScoped
    )
    const endpoint = yield* Endpoint.serve({ fleet, listener, token: options.token })
    yield* output.line(welcome(endpoint.url))
    yield* Effect.addFinalizer(() => output.line("Shutting down"))
    return yield* Effect.never
  })
