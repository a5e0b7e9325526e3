/**
 * The names of metrics and attributes: OpenTelemetry's own for MCP where they exist (`mcp.*`, still in development there), `lifeline.*`
 * for what only a supervised connection has, and the core's five metrics of keepalive.
 */

/** Independent of where it is recorded. */
export interface Definition {
  readonly name: string
  readonly kind: "counter" | "upDownCounter" | "gauge" | "histogram"
  /** In the notation of UCUM. */
  readonly unit: string
  readonly description: string
  /** Upper bounds of a histogram's buckets. */
  readonly boundaries?: ReadonlyArray<number> | undefined
}

/** In seconds, from OpenTelemetry's conventions for MCP. */
const seconds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]

export const operationDuration: Definition = {
  name: "mcp.client.operation.duration",
  kind: "histogram",
  unit: "s",
  description: "From an MCP request until its result, including waiting for a connection and sending again",
  boundaries: seconds
}

export const serverOperationDuration: Definition = {
  name: "mcp.server.operation.duration",
  kind: "histogram",
  unit: "s",
  description: "From the request of a client until its answer",
  boundaries: seconds
}

export const serverSessionDuration: Definition = {
  name: "mcp.server.session.duration",
  kind: "histogram",
  unit: "s",
  description: "From the start of a client's session until it ended or left the memory; a resumed session counts again",
  boundaries: seconds
}

export const sessionDuration: Definition = {
  name: "mcp.client.session.duration",
  kind: "histogram",
  unit: "s",
  description:
    "From the installation of a connection to an MCP session until it was lost or closed; a resumed session counts again",
  boundaries: seconds
}

export const state: Definition = {
  name: "lifeline.backend.state",
  kind: "upDownCounter",
  unit: "{backend}",
  description: "1 for the state in which a backend is, 0 for those in which it was"
}

/** The lowest, where each client has its own server. */
export const health: Definition = {
  name: "lifeline.backend.health.score",
  kind: "gauge",
  unit: "1",
  description:
    "A weighted mean of a backend's last ten signs of life, the newest first: 1 is perfect, from 0.7 on it is healthy"
}

export const transitions: Definition = {
  name: "lifeline.backend.transitions",
  kind: "counter",
  unit: "{transition}",
  description: "Changes of a backend's state"
}

export const reconnects: Definition = {
  name: "lifeline.backend.reconnects",
  kind: "counter",
  unit: "{reconnect}",
  description: "Connections after the first, by the reason for them"
}

export const connectDuration: Definition = {
  name: "lifeline.backend.connect.duration",
  kind: "histogram",
  unit: "s",
  description: "From the start of a connection attempt until the connection was installed or the attempt failed",
  boundaries: seconds
}

export const recoveryDuration: Definition = {
  name: "lifeline.backend.recovery.duration",
  kind: "histogram",
  unit: "s",
  description: "From the loss of a connection until the next was installed",
  boundaries: [...seconds, 600, 1800, 3600]
}

export const closes: Definition = {
  name: "lifeline.backend.closes",
  kind: "counter",
  unit: "{close}",
  description: "Connections that were closed, by outcome"
}

export const verdicts: Definition = {
  name: "lifeline.verdicts",
  kind: "counter",
  unit: "{verdict}",
  description: "Verdicts on servers that left something without an answer, by kind, and those not enforced"
}

export const activeCalls: Definition = {
  name: "lifeline.backend.active_calls",
  kind: "upDownCounter",
  unit: "{call}",
  description: "Calls in flight, including those that wait for a connection"
}

/** As `process.memory.usage` has it of one process. */
export const memoryUsage: Definition = {
  name: "lifeline.backend.memory.usage",
  kind: "upDownCounter",
  unit: "By",
  description: "Memory of the processes of a server over stdio, as measured last"
}

/** As `process.cpu.time` has it of one process. */
export const cpuTime: Definition = {
  name: "lifeline.backend.cpu.time",
  kind: "counter",
  unit: "s",
  description: "Processor time of the processes of a server over stdio, over all its restarts"
}

/** The core's metrics of keepalive, for a meter that does not read Effect's registry. */
export const keepalive = {
  attempts: {
    name: "keepalive_attempt_count",
    kind: "counter",
    unit: "{heartbeat}",
    description: "Heartbeats that have ended, with success or failure"
  },
  successes: {
    name: "keepalive_success_count",
    kind: "counter",
    unit: "{heartbeat}",
    description: "Heartbeats that succeeded"
  },
  failures: {
    name: "keepalive_failure_count",
    kind: "counter",
    unit: "{heartbeat}",
    description: "Heartbeats that failed, by reason"
  },
  latency: {
    name: "keepalive_latency_ms",
    kind: "histogram",
    unit: "ms",
    description: "Milliseconds from a heartbeat until its successful answer",
    boundaries: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000]
  },
  autoDisabled: {
    name: "keepalive_auto_disabled_total",
    kind: "counter",
    unit: "{opening}",
    description: "Times that keepalive was disabled because its heartbeat failed on a live connection, by reason"
  }
} as const satisfies Record<string, Definition>

export const attribute = {
  method: "mcp.method.name",
  session: "mcp.session.id",
  protocol: "mcp.protocol.version",
  tool: "gen_ai.tool.name",
  prompt: "gen_ai.prompt.name",
  operation: "gen_ai.operation.name",
  status: "rpc.response.status_code",
  transport: "network.transport",
  error: "error.type",
  backend: "lifeline.backend",
  generation: "lifeline.generation",
  attempt: "lifeline.attempt",
  outcome: "lifeline.outcome",
  verdict: "lifeline.verdict",
  cause: "lifeline.cause",
  state: "lifeline.state",
  from: "lifeline.state.from",
  to: "lifeline.state.to"
} as const

/** `undefined` for a transport without such a name in OpenTelemetry. */
export const networkTransport = (transport: string): string | undefined =>
  transport === "stdio" ? "pipe" : transport === "http" ? "tcp" : undefined

/** In characters. */
export const sessionIdShown = 8
