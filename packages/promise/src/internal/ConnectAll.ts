/**
 * Makes a fleet and waits for its first tries.
 */
import type { Status } from "@mcp-lifeline/core"
import { Fleet as CoreFleet } from "@mcp-lifeline/core"
import { ConnectError } from "../Errors.js"
import type { UnauthorizedError } from "../Errors.js"
import type { Fleet } from "../Fleet.js"
import type { FleetConfig, FleetOptions, VsCodeConfig } from "../Options.js"
import * as Checks from "./Checks.js"
import { whyNot } from "./Connect.js"
import { deferred } from "./deferred.js"
import { Members } from "./Members.js"
import * as Ownership from "./Ownership.js"
import { SupervisedFleet } from "./SupervisedFleet.js"

const isDown = (status: Status): boolean =>
  status.state !== "Connected" && status.state !== "Idle" && status.state !== "Disabled"

type Error = ConnectError | UnauthorizedError

/** One error for all that are not connected. */
const notAll = (errors: readonly [Error, ...Array<Error>], of: number): Error =>
  errors.length === 1 ? errors[0] : new ConnectError({
    ...errors[0],
    message: `${errors.length} of ${of} servers are not connected: ${errors.map((error) => error.message).join("; ")}`,
    cause: new AggregateError(errors)
  })

export const connectAll = async (config: FleetConfig | VsCodeConfig, options: FleetOptions): Promise<Fleet> => {
  const { promise: made, resolve } = deferred<SupervisedFleet>()
  const members = new Members(options, async (name) => (await made).client(name))
  const plan = members.plan(config, Checks.options("connectAll", options))
  options.signal?.throwIfAborted()
  const { close, make, run, runtime } = Ownership.open(options)
  try {
    const core = await make(
      "fleet",
      CoreFleet.make({
        backends: plan.backends,
        connectConcurrency: options.connectConcurrency,
        waitTimeout: options.waitTimeout
      })
    )
    plan.commit([])
    const fleet = new SupervisedFleet({ core, members, runtime, close })
    resolve(fleet)
    await run(core.ready, options)
    if (options.require !== "all") return fleet
    const statuses = Object.values(fleet.status)
    const [first, ...rest] = statuses.filter(isDown).map((status) => whyNot(status, members.get(status.backend)))
    if (first !== undefined) throw notAll([first, ...rest], statuses.length)
    return fleet
  } catch (error) {
    await close()
    throw error
  }
}
