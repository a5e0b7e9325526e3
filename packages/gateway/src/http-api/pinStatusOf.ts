import { Pins, type PinStatus } from "@mcp-lifeline/extensions"
import { Effect } from "effect"
import type { Gateway } from "./Gateway.js"

/** Of a shared server, what its runtime knows; otherwise what is kept. `undefined` if nothing is compared. */
export const pinStatusOf = (
  { pins, servers, shared }: Gateway["servers"],
  name: string
): Effect.Effect<PinStatus | undefined> =>
  Effect.flatMap(shared.fleet.status, (statuses) => {
    const status = statuses[name]
    if (status !== undefined) return Effect.succeed(Pins.statusOf(status))
    const server = servers().find(({ id }) => id === name)
    return server === undefined ? Effect.succeed(undefined) : Effect.map(pins(server), (pins) => pins?.status)
  })
