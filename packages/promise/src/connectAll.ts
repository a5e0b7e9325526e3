import { Fleet as CoreFleet } from "@mcp-lifeline/core"
import { Routing } from "@mcp-lifeline/core/internal"
import { PlainText } from "@mcp-lifeline/core/text"
import { Effect, Stream } from "effect"
import { ConnectError } from "./Errors.js"
import type { UnauthorizedError } from "./Errors.js"
import type { Fleet } from "./Fleet.js"
import * as Checks from "./internal/Checks.js"
import { ConfiguredServers } from "./internal/ConfiguredServers.js"
import { deferred } from "./internal/deferred.js"
import { notConnectedError } from "./internal/open.js"
import * as Ownership from "./internal/Ownership.js"
import { SupervisedFleet } from "./internal/SupervisedFleet.js"
import type { FleetConfig, FleetOptions, VsCodeConfig } from "./Options.js"
import type { Status } from "./Status.js"

const isDown = (status: Status): boolean =>
  status.state !== "Connected" && status.state !== "Idle" && status.state !== "Disabled"

type Error = ConnectError | UnauthorizedError

const notAll = (errors: readonly [Error, ...Array<Error>], of: number): Error =>
  errors.length === 1 ? errors[0] : new ConnectError({
    ...errors[0],
    message: `${errors.length} of ${of} servers are not connected: ${errors.map((error) => error.message).join("; ")}`,
    cause: new AggregateError(errors)
  })

/** Warns of names that are changed for the program. */
const withNameReports = ({ catalog }: CoreFleet.Fleet) => {
  const reports: Routing.NameReports = new Map()
  return catalog.changes.pipe(
    Stream.runForEach((now) =>
      Effect.forEach(
        Routing.reportNames(reports, now),
        ({ backend, message }) => Effect.annotateLogs(Effect.logWarning(PlainText.lines(message)), { backend }),
        { discard: true }
      )
    ),
    Effect.interruptible,
    Effect.forkScoped
  )
}

/**
 * Starts to supervise the servers of a configuration, and resolves when each has connected or failed once, at most after `waitTimeout`
 * (10 s). A server that is down is no failure: Lifeline keeps trying, and its tools appear when it is up. Even if no server can be used,
 * you get a fleet: `fleet.status` says why, and `fleet.apply` takes a correct configuration.
 *
 * With `require: "all"`, if a server that is neither lazy nor disabled is not connected by then, closes everything and rejects with
 * ConnectError (UnauthorizedError if a person has to log in). Rejects with ConfigError if an option or a server is not accepted.
 *
 * The configuration is read as the gateway reads an mcp.json. `${NAME}` is replaced from `process.env`, or from `variables`. If you did
 * not write the configuration, give `variables: false`.
 *
 * @example
 * ```ts
 * import { connectAll } from "@mcp-lifeline/client"
 *
 * await using fleet = await connectAll({
 *   mcpServers: {
 *     docs: { url: "http://127.0.0.1:3001/mcp" },
 *     files: { command: "npx", args: ["-y", "@modelcontextprotocol/server-filesystem", "."] }
 *   }
 * })
 * const { tools } = await fleet.listTools()
 * console.log(tools.map((tool) => tool.name), fleet.status["docs"]?.state)
 * await fleet.callTool({ name: "docs__echo", arguments: { message: "hi" } })
 * ```
 */
export const connectAll = async (config: FleetConfig | VsCodeConfig, options: FleetOptions = {}): Promise<Fleet> => {
  const { promise: made, resolve } = deferred<SupervisedFleet>()
  const servers = new ConfiguredServers(options, async (name) => (await made).client(name))
  const plan = servers.plan(config, Checks.options("connectAll", options))
  options.signal?.throwIfAborted()
  const owned = Ownership.open(options)
  try {
    let made: CoreFleet.Fleet | undefined
    servers.own((name) => ({
      scope: owned.scope,
      backend: Effect.suspend(() => made?.backend(name) ?? Effect.succeed(undefined)).pipe(
        Effect.orElseSucceed(() => undefined)
      )
    }))
    const core = made = await owned.make(
      CoreFleet.make({
        backends: plan.backends,
        connectConcurrency: options.connectConcurrency,
        waitTimeout: options.waitTimeout
      }).pipe(Effect.tap((fleet) => options.logger === undefined ? Effect.void : withNameReports(fleet)))
    )
    plan.commit([])
    const fleet = new SupervisedFleet(core, servers, owned)
    resolve(fleet)
    await owned.run(core.ready, options)
    if (options.require !== "all") return fleet
    const statuses = Object.values(fleet.status)
    const [first, ...rest] = statuses.filter(isDown).map((status) =>
      notConnectedError(status, servers.get(status.backend))
    )
    if (first !== undefined) throw notAll([first, ...rest], statuses.length)
    return fleet
  } catch (error) {
    await owned.close()
    throw error
  }
}
