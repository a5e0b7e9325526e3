/**
 * The status of a gateway and its servers in the API. Times are milliseconds since 1970.
 */
import { Schema } from "effect"

/** The states of a server, in the order in which `runtimesByState` lists them. */
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

/** Which replica of a cluster runs a server. */
export const Owner = Schema.Struct({
  /** Its id in `replicas`. */
  replica: Schema.String,
  /** From when on it has the server. */
  since: Schema.Number
}).annotations({
  identifier: "Owner",
  description:
    "Only in a cluster, and for a server that runs once in it: the replica that has it, by its id in `replicas`, and since when."
})
export type Owner = typeof Owner.Type

/** What the processes of a server over stdio use. */
export const Usage = Schema.Struct({
  memoryBytes: count,
  /** Their processor time since the measurement before, in percent of one core; null after the first measurement. */
  cpuPercent: Schema.NullOr(Schema.Number)
}).annotations({
  identifier: "Usage",
  description: "What the processes of a server over stdio use, as measured last; missing where that is not measured."
})
export type Usage = typeof Usage.Type

/** Whether heartbeats are sent. */
export const Keepalive = Schema.Struct({
  /** `disabled`: it has switched itself off, because heartbeats failed while calls succeeded. */
  state: Schema.Literal("running", "off", "paused", "disabled"),
  /** Why it does not run. */
  reason: Schema.optional(Schema.String)
}).annotations({ identifier: "Keepalive" })
export type Keepalive = typeof Keepalive.Type

/** A weighted mean of the last ten signs of life, the newest first: 1 is perfect, from 0.7 on it is healthy. */
const healthScore = Schema.Number

/** A tool whose definition is not the one that was approved (the option `pin`). */
export const PinChange = Schema.Struct({
  /** Its name at the server. */
  tool: Schema.String,
  /** `unknown`: what was approved cannot be read. */
  kind: Schema.Literal("changed", "added", "removed", "unknown"),
  /** When this was found. */
  since: Schema.Number,
  /** Whether it is neither listed nor callable until somebody approves it. */
  withheld: Schema.Boolean,
  /**
   * What has changed, field by field; of a new tool, or where nobody knows, its definition. In the details of one server all of it;
   * elsewhere in short, with how much is left out.
   */
  difference: Schema.Array(Schema.String)
}).annotations({ identifier: "PinChange" })
export type PinChange = typeof PinChange.Type

/** The tools of a server, compared with those that were approved. */
export const Pins = Schema.Struct({
  mode: Schema.Literal("warn", "block"),
  /** In the details of one server all of them; elsewhere the first 100. */
  changes: Schema.Array(PinChange),
  /** How many more there are. */
  more: Schema.optional(count),
  /** Why it is not known what was approved. With `block`, all tools are withheld then. */
  unreadable: Schema.optional(Schema.Struct({ file: Schema.String, reason: Schema.String }))
}).annotations({ identifier: "Pins" })
export type Pins = typeof Pins.Type

export const Server = Schema.Struct({
  name: Schema.String,
  /** For a server of which each client has its own: the state of the runtime that an operator should look at first. */
  state: State,
  /** From when on it is in that state. */
  since: Schema.Number,
  /** The number of its connection; 0 before the first. Missing if each client has its own server. */
  generation: Schema.optional(count),
  /** Of the shared server: connected with a good score, connected with a bad one or connecting again, or neither. */
  health: Schema.optional(Schema.Literal("CONNECTED", "UNHEALTHY", "DISCONNECTED")),
  healthScore: Schema.optional(healthScore),
  keepalive: Schema.optional(Keepalive),
  transport: Schema.String,
  /** The command or the address, without credentials. Missing for callers that are no admins. */
  target: Schema.optional(Schema.String),
  pid: Schema.optional(Schema.Int),
  /** If each client has its own server: of all of them together. */
  usage: Schema.optional(Usage),
  /** What it has shown of itself, which is evidence when it is silent. Missing if each client has its own server. */
  learned: Schema.optional(Schema.Array(Schema.String)),
  /** Only with `maxMemory`: the limit, and how often the process was replaced because of it. */
  memoryLimit: Schema.optional(Schema.Struct({ bytes: count, restarts: count })),
  /** Name and version as the server gives them. */
  server: Schema.NullOr(Schema.Struct({ name: Schema.String, version: Schema.String })),
  sessions: Schema.Literal("shared", "per-client"),
  owner: Schema.optional(Owner),
  /** Only in a cluster: the address of a replica that has a newer configuration of it, which counts. */
  newerOn: Schema.optional(Schema.String),
  /** For a server of which each client has its own: how many runtimes there are. */
  runtimesByState: Schema.optional(Schema.partialWith(Schema.Record({ key: State, value: count }), { exact: true })),
  /** How many clients that use it are signed in to it, each with its own login, and how many have to log in. */
  clientLogins: Schema.optional(Schema.Struct({ signedIn: count, waiting: count })),
  /** How much clients are offered. */
  counts: Schema.Struct({ tools: count, prompts: count, resources: count }),
  /** How much the server has that is hidden from clients, with templates among the resources. Only if something is. */
  hidden: Schema.optional(Schema.Struct({ tools: count, prompts: count, resources: count })),
  /** Whether its lists may be out of date. */
  stale: Schema.Boolean,
  calls: Schema.Struct({
    total: count,
    failed: count,
    /** Calls that their clients cancelled, or that timed out at the clients. */
    givenUp: count,
    inFlight: count,
    p50Millis: Schema.NullOr(Schema.Number)
  }),
  lastError: Schema.optional(Schema.Struct({
    message: Schema.String,
    /** The code of what happened. */
    reason: Schema.optional(Schema.String),
    remedy: Schema.String,
    at: Schema.Number
  })),
  nextAttemptAt: Schema.optional(Schema.Number),
  /** Only with `pin`. */
  pins: Schema.optional(Pins),
  /** Attempts that have failed since the last stable connection. */
  attempt: Schema.optional(Schema.Int),
  /** What the user has to do to sign in. */
  login: Schema.optional(Schema.Struct({ message: Schema.String, url: Schema.optional(Schema.String) })),
  /** The last changes of its state, oldest first. `lost`: a lost connection caused the change. */
  history: Schema.Array(
    Schema.Struct({ at: Schema.Number, state: State, lost: Schema.optional(Schema.Literal(true)) })
  ),
  warnings: Schema.Array(Schema.String)
}).annotations({
  identifier: "Server",
  description:
    "In a cluster, `calls` are those of the clients of all replicas, but the median is that of one. Everything else is as the "
    + "owner of the server says; without an owner, as the replica says on which the server needs help most. Other replicas on which it "
    + "needs help are in `warnings`."
})
export type Server = typeof Server.Type

/** One runtime of a server of which each client has its own. */
export const Runtime = Schema.Struct({
  /** Counted for each server, in the order in which its runtimes were started. */
  number: count,
  state: State,
  /** From when on it is in that state. */
  since: Schema.Number,
  /** The number of its connection; 0 before the first. */
  generation: count,
  healthScore: Schema.optional(healthScore),
  /** Missing before its first connection. */
  keepalive: Schema.optional(Keepalive),
  usage: Schema.optional(Usage),
  /** Only in a cluster: the replica that counts it and has it. */
  replica: Schema.optional(Schema.String)
}).annotations({ identifier: "Runtime" })
export type Runtime = typeof Runtime.Type

/** One server, with details that the status of the gateway leaves out. */
export const ServerDetails = Schema.extend(
  Server,
  Schema.Struct({
    /** For a server of which each client has its own: all runtimes. */
    runtimes: Schema.optional(Schema.Array(Runtime))
  })
).annotations({ identifier: "ServerDetails" })
export type ServerDetails = typeof ServerDetails.Type

/** One server, after a command. */
export const ChangedServer = Schema.extend(
  Server,
  Schema.Struct({
    /** For a server of which each client has its own: for how many runtimes the command succeeded. */
    runtimesDone: Schema.optional(count)
  })
).annotations({ identifier: "ChangedServer" })
export type ChangedServer = typeof ChangedServer.Type

/** One server, after an approval. */
export const ApprovedServer = Schema.extend(
  Server,
  Schema.Struct({
    /**
     * The tools whose definitions were not the approved ones, and are now. Empty also where what was approved could not be read, and the tools
     * of the server are not known: then it is removed, and the tools that the server lists next count as approved.
     */
    approved: Schema.Array(Schema.String)
  })
).annotations({ identifier: "ApprovedServer" })
export type ApprovedServer = typeof ApprovedServer.Type

export const Replica = Schema.Struct({
  /** The beginning of its id, which is another one after each lease that has ended. */
  id: Schema.String,
  /** Where the other replicas reach it. */
  address: Schema.String,
  /** Whether it is the one that answers. */
  isHere: Schema.Boolean,
  state: Schema.Literal("reached", "not reached"),
  /** From when on it is in that state, as far as the one that answers has asked. */
  since: Schema.Number,
  /** Why it is not reached. */
  problem: Schema.optional(Schema.String),
  /** When its process started. Missing if it was never reached, like what follows. */
  startedAt: Schema.optional(Schema.Number),
  version: Schema.optional(Schema.String),
  /** How many sessions live on it. */
  clients: Schema.optional(count),
  /** The servers that it has, of those that run once in the cluster. */
  servers: Schema.optional(Schema.Array(Schema.String))
}).annotations({
  identifier: "Replica",
  description:
    "A replica of the cluster whose lease has not ended. What is said of one that is not reached is what it said last."
})
export type Replica = typeof Replica.Type

/** A gateway and its servers, in the order of its configuration. */
export const GatewayStatus = Schema.Struct({
  gateway: Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    /** The URL of its MCP endpoint. */
    url: Schema.String,
    /** Missing for callers that are no admins. */
    pid: Schema.optional(Schema.Int),
    startedAt: Schema.Number,
    /** The configuration file; missing if there is none, and for callers that are no admins. */
    config: Schema.optional(Schema.String),
    /** Why the last version of the file, or a part of it, is not in use. */
    configProblem: Schema.optional(Schema.String),
    /** Why access tokens of clients cannot be checked as they should be (`lifeline.auth`). */
    authProblem: Schema.optional(Schema.String),
    /** Which clients have a token that somebody else has, too, with which nobody is let in. */
    tokenProblem: Schema.optional(Schema.String),
    /** The file with a line for each call, if there is one (`--audit`). */
    audit: Schema.optional(Schema.Struct({
      file: Schema.String,
      /** Why it cannot be written now. */
      problem: Schema.optional(Schema.String),
      /** How many lines of calls are missing. */
      lost: count
    })),
    /** How many sessions are open. */
    clients: count,
    /** Only for a caller that the gateway knows from others: what people call it, and whether it may do what changes something. */
    caller: Schema.optional(Schema.Struct({ name: Schema.optional(Schema.String), admin: Schema.Boolean }))
  }).annotations({ description: "In a cluster: the replica that answers." }),
  replicas: Schema.optional(
    Schema.Array(Replica).annotations({ description: "Only in a cluster: all replicas, first the one that answers." })
  ),
  servers: Schema.Array(Server)
}).annotations({ identifier: "Status" })
export type GatewayStatus = typeof GatewayStatus.Type

/** The status in a stream of events: it leaves out the histories that the reader already has. */
export const StatusUpdate = Schema.Struct({
  ...GatewayStatus.fields,
  servers: Schema.Array(Schema.Struct({ ...Server.fields, history: Schema.optional(Server.fields.history) }))
})
export type StatusUpdate = typeof StatusUpdate.Type
