/**
 * The status of a gateway and its servers, as the API answers it. Times are milliseconds since 1970.
 */
import { Schema } from "effect"

/** The states of a server, in the order in which runtimes are counted. */
export const State = Schema.Literal(
  "Idle",
  "Connecting",
  "Connected",
  "Reconnecting",
  "Dormant",
  "PermanentlyFailed",
  "Disconnected",
  "Disabling",
  "Disabled",
  "Closed"
).annotations({ identifier: "State" })

const count = Schema.Int

/** One server. */
export const Server = Schema.Struct({
  name: Schema.String,
  /** Where each client has its own: the state of the runtime of which an operator wants to know first. */
  state: State,
  /** From when on it is in that state. */
  since: Schema.Number,
  /** The number of its connection; 0 before the first. Where each client has its own, each has its own number. */
  generation: Schema.optional(count),
  transport: Schema.String,
  /** The command or the address, without credentials. */
  target: Schema.String,
  pid: Schema.optional(Schema.Int),
  /** Name and version as the server gives them. */
  server: Schema.NullOr(Schema.Struct({ name: Schema.String, version: Schema.String })),
  sessions: Schema.Literal("shared", "per-client"),
  /** Where each client has its own: how many there are. */
  runtimesByState: Schema.optional(Schema.partialWith(Schema.Record({ key: State, value: count }), { exact: true })),
  counts: Schema.Struct({ tools: count, prompts: count, resources: count }),
  /** Whether what is known of its tools may be out of date. */
  stale: Schema.Boolean,
  calls: Schema.Struct({
    total: count,
    failed: count,
    /** Calls that their clients gave up before they had an answer: cancelled, or timed out there. */
    givenUp: count,
    inFlight: count,
    p50Millis: Schema.NullOr(Schema.Number)
  }),
  lastError: Schema.optional(Schema.Struct({ message: Schema.String, remedy: Schema.String, at: Schema.Number })),
  nextAttemptAt: Schema.optional(Schema.Number),
  /** Attempts that have failed since the last stable connection. */
  attempt: Schema.optional(Schema.Int),
  /** What a person has to do to sign in. */
  login: Schema.optional(Schema.Struct({ message: Schema.String, url: Schema.optional(Schema.String) })),
  /** The last changes of its state, oldest first. `lost`: the change came of a connection that was lost. */
  history: Schema.Array(
    Schema.Struct({ at: Schema.Number, state: State, lost: Schema.optional(Schema.Literal(true)) })
  ),
  warnings: Schema.Array(Schema.String)
}).annotations({ identifier: "Server" })
export type Server = typeof Server.Type

/** One runtime of a server of which each client has its own. */
export const Runtime = Schema.Struct({
  /** Counted for each server, in the order in which its runtimes were started. */
  number: count,
  state: State,
  /** From when on it is in that state. */
  since: Schema.Number,
  /** The number of its connection; 0 before the first. */
  generation: count
}).annotations({ identifier: "Runtime" })
export type Runtime = typeof Runtime.Type

/** One server, with what the status of the gateway leaves out. */
export const ServerDetails = Schema.extend(
  Server,
  Schema.Struct({
    /** Where each client has its own: all of them. */
    runtimes: Schema.optional(Schema.Array(Runtime))
  })
).annotations({ identifier: "ServerDetails" })
export type ServerDetails = typeof ServerDetails.Type

/** One server, after something was done to it. */
export const ChangedServer = Schema.extend(
  Server,
  Schema.Struct({
    /** Where each client has its own: with how many runtimes this was done. */
    runtimesDone: Schema.optional(count)
  })
).annotations({ identifier: "ChangedServer" })
export type ChangedServer = typeof ChangedServer.Type

/** A gateway and its servers, in the order of its configuration. */
export const GatewayStatus = Schema.Struct({
  gateway: Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    /** Of its MCP endpoint. */
    url: Schema.String,
    pid: Schema.Int,
    startedAt: Schema.Number,
    /** The file that its servers are read from; without it, it serves the demo. */
    config: Schema.optional(Schema.String),
    /** Why its last save is not in force, or not all of it. */
    configProblem: Schema.optional(Schema.String),
    /** Sessions of clients. */
    clients: count
  }),
  servers: Schema.Array(Server)
}).annotations({ identifier: "Status" })
export type GatewayStatus = typeof GatewayStatus.Type

/** The same as a stream of events has it: a history that the reader has already is left out. */
export const StatusUpdate = Schema.Struct({
  ...GatewayStatus.fields,
  servers: Schema.Array(Schema.Struct({ ...Server.fields, history: Schema.optional(Server.fields.history) }))
})
export type StatusUpdate = typeof StatusUpdate.Type
