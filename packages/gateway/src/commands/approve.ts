/**
 * `mcp-lifeline approve`: by the running gateway that has the server, or what is kept in the state folder.
 */
import type { PinChange } from "@mcp-lifeline/core"
import { Pins } from "@mcp-lifeline/core/internal"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import * as ToolPins from "@mcp-lifeline/state/ToolPins"
import { Effect } from "effect"
import { StartError, type UsageError } from "../Errors.js"
import { nothingToApprove, notPinned } from "../known/Approvals.js"
import type { Output } from "../Output.js"
import { clean, json as jsonText } from "../Text.js"
import type { Approve, Choice } from "./Arguments.js"
import * as GatewayClient from "./GatewayClient.js"

/** Who knows what has changed, and approves it. */
interface Approver {
  readonly changes: ReadonlyArray<Omit<PinChange, "withheld">>
  readonly approve: (tool: string | undefined) => Effect.Effect<ReadonlyArray<string>, GatewayClient.Failure>
}

/** The running gateway, if it has the server and compares its tools. */
const byGateway = (server: string, choice: Choice) =>
  Effect.gen(function*() {
    const client = yield* GatewayClient.find(choice)
    const { servers } = yield* client.status
    const pins = servers.find(({ name }) => name === server)?.pins
    const approver: Approver | undefined = pins && {
      changes: pins.changes,
      approve: (tool) => Effect.map(client.approve(server, tool), ({ approved }) => approved)
    }
    return approver
  })

/** What is kept under the name of a server, which may have been started in several ways. */
const kept = (server: string) =>
  Effect.gen(function*() {
    const { named } = yield* ToolPins.make
    const all = yield* Effect.forEach(yield* named(server), (store) => {
      const pins = new Pins({ server, mode: "block", maxDepth: Number.MAX_SAFE_INTEGER, store })
      return Effect.as(pins.reload, pins)
    })
    if (all.length === 0) return undefined
    const approver: Approver = {
      changes: all.flatMap(({ status }) => status.changes),
      approve: (tool) =>
        Effect.map(Effect.forEach(all, (pins) => pins.approve(tool)), (names) => [...new Set(names.flat())])
    }
    return approver
  })

const words = {
  changed: "its definition has changed",
  added: "it is new",
  removed: "the server no longer has it"
} as const

const describe = ({ difference, kind, tool }: Approver["changes"][number]): ReadonlyArray<string> => [
  `${clean(tool)}: ${words[kind]}`,
  ...difference.map((line) => `  ${clean(line)}`)
]

/** Runs it. With a URL or a file, only that gateway is asked. */
export const run = (
  { json, server, shows, tool }: Approve,
  choice: Choice,
  output: Output
): Effect.Effect<void, GatewayClient.Failure | UsageError, StateFolder> =>
  Effect.gen(function*() {
    const isChosen = choice.url !== undefined || choice.config !== undefined
    const gateway = byGateway(server, choice)
    const found = yield* isChosen ? gateway : Effect.catchTag(gateway, "NoGateway", () => Effect.succeed(undefined))
    const approver = found ?? (isChosen ? undefined : yield* kept(server))
    if (approver === undefined) return yield* Effect.fail(new StartError({ message: notPinned(server) }))
    const known = approver.changes.map((change) => change.tool)
    if (tool !== undefined && !known.includes(tool)) {
      return yield* Effect.fail(new StartError({ message: nothingToApprove(server, tool, known) }))
    }
    const changes = approver.changes.filter((change) => tool === undefined || change.tool === tool)
    const approved = shows || changes.length === 0 ? [] : yield* approver.approve(tool)
    if (json) return yield* output.line(jsonText({ server, changes, approved }, 2))
    if (changes.length === 0) return yield* output.line(`${clean(server)}: its tools are as they were approved`)
    if (shows) return yield* output.line(changes.flatMap(describe).join("\n"))
    yield* output.line(`${clean(server)}: approved ${approved.map((one) => clean(one)).join(", ")}`)
  })
