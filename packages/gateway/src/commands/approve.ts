/**
 * By the running gateway that has the server, or what is kept in the state folder.
 */
import { type PinChange, Pins, type PinStatus } from "@mcp-lifeline/extensions"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import * as ToolPins from "@mcp-lifeline/state/ToolPins"
import { Effect, Struct } from "effect"
import { forgotten, notPinned } from "../cache/Approvals.js"
import { StartError, type UsageError } from "../text/Errors.js"
import type { Output } from "../text/Output.js"
import { clean, harmless, json as jsonText } from "../text/Text.js"
import type { Approve, Choice } from "./Arguments.js"
import * as GatewayClient from "./GatewayClient.js"

interface Approver {
  readonly changes: ReadonlyArray<Omit<PinChange, "summary" | "withheld">>
  /** Why it is not known what was approved. */
  readonly unreadable?: PinStatus["unreadable"]
  readonly approve: Effect.Effect<ReadonlyArray<string>, GatewayClient.Failure, StateFolder.StateFolder>
}

/** If it has the server and compares its tools. */
const byGateway = (server: string, choice: Choice) =>
  Effect.gen(function*() {
    const client = yield* GatewayClient.find(choice)
    const { servers } = yield* client.status
    const isPinned = servers.some(({ name, pins }) => name === server && pins !== undefined)
    // The status of all servers is short.
    const pins = isPinned ? (yield* client.server(server)).pins : undefined
    const approver: Approver | undefined = pins && {
      changes: pins.changes,
      unreadable: pins.unreadable,
      approve: Effect.map(client.approve(server), ({ approved }) => approved)
    }
    return approver
  })

/** The server may have been started in several ways. */
const pinsOf = (server: string) =>
  Effect.gen(function*() {
    const { named } = yield* ToolPins.make
    const stores = yield* Effect.mapError(named(server), ({ message }) => new StartError({ message }))
    return yield* Effect.forEach(stores, (store) => Pins.read(server, "block", store))
  })

const changesOf = (all: ReadonlyArray<Pins.Kept>) =>
  all.flatMap(({ status }) => status.changes.map(Struct.omit("summary")))
const unreadableOf = (all: ReadonlyArray<Pins.Kept>) => all.map(({ status }) => status.unreadable).find((one) => one)

/** The state folder may not be writable: then this process alone knows what was approved. */
const assertWritten = (server: string, before: Approver["changes"]) =>
  Effect.gen(function*() {
    const { path } = yield* StateFolder.StateFolder
    const all = yield* Effect.provide(pinsOf(server), StateFolder.layerAt(path))
    const isLeft = unreadableOf(all) !== undefined
      || changesOf(all).some(({ since, tool }) => before.some((one) => one.tool === tool && one.since === since))
    if (!isLeft) return
    const message =
      `the approval could not be written: make the state folder ${path} writable, or name another with MCP_LIFELINE_STATE`
    return yield* Effect.fail(new StartError({ message }))
  })

const kept = (server: string) =>
  Effect.map(pinsOf(server), (all): Approver | undefined =>
    all.length === 0 ? undefined : {
      changes: changesOf(all),
      unreadable: unreadableOf(all),
      approve: Effect.zipLeft(
        Effect.map(Effect.forEach(all, ({ approve }) => approve), (names) => [...new Set(names.flat())]),
        assertWritten(server, changesOf(all))
      )
    })

const words = {
  changed: "its definition has changed",
  added: "it is new",
  removed: "the server no longer has it",
  unknown: "nobody knows whether it is as it was approved"
} as const

const describe = ({ difference, kind, tool }: Approver["changes"][number]): ReadonlyArray<string> => [
  `${clean(tool)}: ${words[kind]}`,
  ...difference.map((line) => `  ${harmless(line)}`)
]

/** With a URL or a file, only that gateway is asked. */
export const run = (
  { json, server, shows }: Approve,
  choice: Choice,
  output: Output
): Effect.Effect<void, GatewayClient.Failure | UsageError, StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const isChosen = choice.url !== undefined || choice.config !== undefined
    const gateway = byGateway(server, choice)
    const found = yield* isChosen ? gateway : Effect.catchTag(gateway, "NoGateway", () => Effect.succeed(undefined))
    const approver = found ?? (isChosen ? undefined : yield* kept(server))
    if (approver === undefined) return yield* Effect.fail(new StartError({ message: notPinned(server) }))
    const { changes, unreadable } = approver
    const isNothing = changes.length === 0 && unreadable === undefined
    const approved = shows || isNothing ? [] : yield* approver.approve
    if (json) return yield* output.line(jsonText({ server, changes, unreadable, approved }, 2))
    if (isNothing) return yield* output.line(`${clean(server)}: its tools are as they were approved`)
    if (shows) {
      const problem = unreadable === undefined
        ? []
        : [`${clean(server)}: what was approved cannot be read: ${clean(unreadable.file)}: ${clean(unreadable.reason)}`]
      return yield* output.line([...problem, ...changes.flatMap(describe)].join("\n"))
    }
    yield* output.line(
      approved.length === 0
        ? forgotten(server)
        : `${clean(server)}: approved ${approved.map((one) => clean(one)).join(", ")}`
    )
  })
