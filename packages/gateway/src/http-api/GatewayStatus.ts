/**
 * The status in the API. Times are milliseconds since 1970.
 */
import { Schema } from "effect"

/** In the order in which `runtimesByState` lists them. */
export const State = Schema.Literal(
  "Idle",
  "Connecting",
  "Connected",
  "Reconnecting",
  "Dormant",
  "PermanentlyFailed",
  "SignInNeeded",
  "Disconnected",
  "Disabling",
  "Disabled",
  "Closed"
).annotations({ identifier: "State" })

const count = Schema.Int

export const Owner = Schema.Struct({
  replica: Schema.String,
  since: Schema.Number
}).annotations({
  identifier: "Owner",
  description:
    "Only in a cluster, and for a server that runs once in it: the replica that has it, by its id in `replicas`, and since when."
})
export type Owner = typeof Owner.Type

export const Usage = Schema.Struct({
  memoryBytes: count,
  /** Since the measurement before, in percent of one core; null after the first. */
  cpuPercent: Schema.NullOr(Schema.Number)
}).annotations({
  identifier: "Usage",
  description: "What the processes of a server over stdio use, as measured last; missing where that is not measured."
})
export type Usage = typeof Usage.Type

export const Keepalive = Schema.Struct({
  /** `disabled`: it switched itself off, because heartbeats failed while calls succeeded. */
  state: Schema.Literal("running", "off", "paused", "disabled"),
  reason: Schema.optional(Schema.String)
}).annotations({ identifier: "Keepalive" })
export type Keepalive = typeof Keepalive.Type

/** A weighted mean of the last ten signs of life: 1 is perfect, from 0.7 on it is healthy. */
const healthScore = Schema.Number

export const PinChange = Schema.Struct({
  /** Its name at the server. */
  tool: Schema.String,
  /** `unknown`: what was approved cannot be read. */
  kind: Schema.Literal("changed", "added", "removed", "unknown"),
  since: Schema.Number,
  /** Neither listed nor callable until somebody approves it. */
  withheld: Schema.Boolean,
  /** Field by field; of a new tool, or where nobody knows, its definition. Complete only in the details of one server. */
  difference: Schema.Array(Schema.String)
}).annotations({ identifier: "PinChange" })
export type PinChange = typeof PinChange.Type

export const Pins = Schema.Struct({
  mode: Schema.Literal("warn", "block"),
  /** Elsewhere than in the details of one server, the first 100. */
  changes: Schema.Array(PinChange),
  more: Schema.optional(count),
  /** With `block`, all tools are withheld then. */
  unreadable: Schema.optional(Schema.Struct({ file: Schema.String, reason: Schema.String }))
}).annotations({ identifier: "Pins" })
export type Pins = typeof Pins.Type

export const Server = Schema.Struct({
  name: Schema.String,
  /** For a per-client server: of the runtime that an operator should look at first. */
  state: State,
  since: Schema.Number,
  /** The number of its connection; 0 before the first. Missing for a per-client server. */
  generation: Schema.optional(count),
  /** Of a shared server: connected with a good score, connected with a bad one or connecting again, or neither. */
  health: Schema.optional(Schema.Literal("CONNECTED", "UNHEALTHY", "DISCONNECTED")),
  healthScore: Schema.optional(healthScore),
  keepalive: Schema.optional(Keepalive),
  transport: Schema.String,
  /** The command or the address, without credentials. Only for admins. */
  target: Schema.optional(Schema.String),
  pid: Schema.optional(Schema.Int),
  /** Of a per-client server: of all runtimes together. */
  usage: Schema.optional(Usage),
  /** What it has shown of itself, which is evidence when it is silent. Missing for a per-client server. */
  learned: Schema.optional(Schema.Array(Schema.String)),
  /** Only with `maxMemory`: the limit, and how often the process was replaced because of it. */
  memoryLimit: Schema.optional(Schema.Struct({ bytes: count, restarts: count })),
  /** As the server gives them. */
  server: Schema.NullOr(Schema.Struct({ name: Schema.String, version: Schema.String })),
  sessions: Schema.Literal("shared", "per-client"),
  owner: Schema.optional(Owner),
  /** Only in a cluster: the address of a replica that has a newer configuration of it, which counts. */
  newerOn: Schema.optional(Schema.String),
  /** Only for a per-client server. */
  runtimesByState: Schema.optional(Schema.partialWith(Schema.Record({ key: State, value: count }), { exact: true })),
  clientLogins: Schema.optional(Schema.Struct({ signedIn: count, waiting: count })),
  counts: Schema.Struct({ tools: count, prompts: count, resources: count }),
  /** How much is hidden from clients, with templates among the resources. Missing if nothing is. */
  hidden: Schema.optional(Schema.Struct({ tools: count, prompts: count, resources: count })),
  /** Its lists may be out of date. */
  stale: Schema.Boolean,
  calls: Schema.Struct({
    total: count,
    /** Without those that their client gave up. */
    failed: count,
    /** Cancelled, or timed out, at the clients. */
    givenUp: count,
    inFlight: count,
    /** Of the last calls that had a result; null before the first. */
    p50Millis: Schema.NullOr(Schema.Number)
  }),
  lastError: Schema.optional(Schema.Struct({
    message: Schema.String,
    reason: Schema.optional(Schema.String),
    remedy: Schema.String,
    at: Schema.Number
  })),
  nextAttemptAt: Schema.optional(Schema.Number),
  /** Only with `pin`. */
  pins: Schema.optional(Pins),
  /** Attempts that failed since the last stable connection. */
  attempt: Schema.optional(Schema.Int),
  login: Schema.optional(Schema.Struct({ message: Schema.String, url: Schema.optional(Schema.String) })),
  /** Oldest first. `lost`: a lost connection caused the change. */
  history: Schema.Array(
    Schema.Struct({ at: Schema.Number, state: State, lost: Schema.optional(Schema.Literal(true)) })
  ),
  warnings: Schema.Array(Schema.String)
}).annotations({
  identifier: "Server",
  description:
    "In a cluster: as the owner of the server says; without an owner, as the replica that answers. Other replicas on which the server "
    + "needs help are in `warnings`."
})
export type Server = typeof Server.Type

export const Runtime = Schema.Struct({
  /** Counted for each server, in the order of their start. */
  number: count,
  state: State,
  since: Schema.Number,
  generation: count,
  healthScore: Schema.optional(healthScore),
  /** Missing before its first connection. */
  keepalive: Schema.optional(Keepalive),
  usage: Schema.optional(Usage)
}).annotations({ identifier: "Runtime" })
export type Runtime = typeof Runtime.Type

export const ServerDetails = Schema.extend(
  Server,
  Schema.Struct({
    /** Only for a per-client server. */
    runtimes: Schema.optional(Schema.Array(Runtime))
  })
).annotations({ identifier: "ServerDetails" })
export type ServerDetails = typeof ServerDetails.Type

export const ChangedServer = Schema.extend(
  Server,
  Schema.Struct({
    /** Only for a per-client server: for how many runtimes the command succeeded. */
    runtimesDone: Schema.optional(count)
  })
).annotations({ identifier: "ChangedServer" })
export type ChangedServer = typeof ChangedServer.Type

export const ApprovedServer = Schema.extend(
  Server,
  Schema.Struct({
    /**
     * The tools whose definitions were not the approved ones. Also empty where what was approved could not be read, and the tools are not
     * known: then the tools that the server lists next count as approved.
     */
    approved: Schema.Array(Schema.String)
  })
).annotations({ identifier: "ApprovedServer" })
export type ApprovedServer = typeof ApprovedServer.Type

export const Replica = Schema.Struct({
  /** The beginning of its id, which changes after each lease that has ended. */
  id: Schema.String,
  address: Schema.String,
  isHere: Schema.Boolean,
  state: Schema.Literal("reached", "not reached"),
  since: Schema.Number,
  problem: Schema.optional(Schema.String),
  /** Of its process. Missing if it is not reached, like what follows. */
  startedAt: Schema.optional(Schema.Number),
  version: Schema.optional(Schema.String),
  clients: Schema.optional(count),
  /** Of those that run once in the cluster. */
  servers: Schema.optional(Schema.Array(Schema.String))
}).annotations({
  identifier: "Replica",
  description: "A replica of the cluster whose lease has not ended."
})
export type Replica = typeof Replica.Type

/** Servers in the order of the configuration. */
export const GatewayStatus = Schema.Struct({
  gateway: Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    url: Schema.String,
    /** Only for admins. */
    pid: Schema.optional(Schema.Int),
    startedAt: Schema.Number,
    /** Only for admins, and if there is a file. */
    config: Schema.optional(Schema.String),
    /** Why the last version of the file, or a part of it, is not in use. */
    configProblem: Schema.optional(Schema.String),
    /** Why clients' access tokens cannot be checked as they should be (`lifeline.auth`). */
    authProblem: Schema.optional(Schema.String),
    /** Which clients have a token that somebody else has, too: nobody is let in with it. */
    tokenProblem: Schema.optional(Schema.String),
    /** Only with `--audit`. */
    audit: Schema.optional(Schema.Struct({
      file: Schema.String,
      problem: Schema.optional(Schema.String),
      lost: count
    })),
    clients: count,
    /** Only for a caller that the gateway knows from others. */
    caller: Schema.optional(Schema.Struct({ name: Schema.optional(Schema.String), admin: Schema.Boolean }))
  }).annotations({ description: "In a cluster: the replica that answers." }),
  replicas: Schema.optional(
    Schema.Array(Replica).annotations({ description: "Only in a cluster: all replicas, first the one that answers." })
  ),
  servers: Schema.Array(Server)
}).annotations({ identifier: "Status" })
export type GatewayStatus = typeof GatewayStatus.Type

/** In a stream of events: without the histories that the reader already has. */
export const StatusUpdate = Schema.Struct({
  ...GatewayStatus.fields,
  servers: Schema.Array(Schema.Struct({ ...Server.fields, history: Schema.optional(Server.fields.history) }))
})
export type StatusUpdate = typeof StatusUpdate.Type
