/** The options of a backend, as users give them. `Time` is the type of a duration, which is wider in programs with Effect. */

/** The kind of heartbeat. */
export type KeepaliveMethod = "ping" | `tool:${string}` | "options" | "none"

/** How a session is kept alive, and how a dead one is found. */
export interface KeepaliveOptions<Time> {
  /**
   * `ping`, `tool:<name>` (ping first, then the tool), `options` (HTTP only) or `none`. Default `ping`. With every method, also with
   * `none`, Lifeline sends a probe after a call has timed out.
   */
  readonly method?: KeepaliveMethod | undefined
  /** Arguments of the fallback tool. Default `{}`. */
  readonly toolArguments?: { readonly [key: string]: unknown } | undefined
  /** The longest time without an answered request, 1 s to 24 h. Default 5 minutes. */
  readonly interval?: Time | undefined
  /** Time for one heartbeat; a ping and its fallback share it. Default 10 s. */
  readonly timeout?: Time | undefined
  /** After how many failed pings in a row Lifeline calls the fallback tool. Default 2. */
  readonly fallbackAfter?: number | undefined
  /**
   * After how many heartbeats or probes in a row without an answer the connection counts as lost. If heartbeats fail so often while other
   * requests are answered, keepalive switches itself off instead. Default 3.
   */
  readonly failureThreshold?: number | undefined
  /**
   * How long to wait after a failed heartbeat or probe before the next one; at most `interval`. The time for which it has waited in vain for
   * an answer is a part of it. Default 10 s.
   */
  readonly suspectInterval?: Time | undefined
  /** How long a keepalive that switched itself off waits before it tries again. Default 30 minutes. */
  readonly reprobeAfter?: Time | undefined
  /**
   * How long the server keeps a session without requests; the interval is then at most half of this. `never` turns keepalive off, unless
   * you give a method. Default: not known.
   */
  readonly idleTtl?: Time | "never" | undefined
  /** Whether `options` heartbeats carry your headers, including credentials. Default true. */
  readonly authenticated?: boolean | undefined
}

/** How Lifeline reconnects after a connection was lost. */
export interface ReconnectOptions<Time> {
  /** Whether Lifeline reconnects after a loss. If false, only `reconnect()` and `enable()` do. Default true. */
  readonly auto?: boolean | undefined
  /** The first delay of the backoff, before jitter. Default 1 s. */
  readonly initialDelay?: Time | undefined
  /** Each delay is the previous one multiplied by this. Default 2. */
  readonly factor?: number | undefined
  /** No delay is longer than this. Default 60 s. */
  readonly maxDelay?: Time | undefined
  /** Attempts with backoff before the backend becomes Dormant, where attempts are rare. Default 5. */
  readonly maxAttempts?: number | undefined
  /** A connection that has lasted this long, or has answered a call, is good: the next backoff starts with the first delay. Default 10 s. */
  readonly stableAfter?: Time | undefined
  /** Time between attempts of a Dormant backend, with jitter. Default 5 minutes. */
  readonly dormantProbe?: Time | undefined
  /** A longer Retry-After of the server is cut to this. Default 10 minutes. */
  readonly maxRetryAfter?: Time | undefined
  /**
   * The shortest time between attempts that calls trigger. It doubles with each failure, up to `maxDelay`; but while a call waits, to no
   * more than 40% of the time that it may wait (`timeouts.wait`, 4 s by default), so that the call finds a server that is up again. Attempts
   * that reach no server (refused, unreachable) follow each other sooner: by a tenth of the outage, at least a quarter of this. After an
   * answer of 404 or 5xx, it does not double. After a permanent failure, this is the shortest time from the failure to the next attempt
   * that a call triggers. Default 1 s.
   */
  readonly demandInterval?: Time | undefined
  /** Whether to make the new connection before closing the old one. Default: true for HTTP, false for stdio. */
  readonly overlap?: boolean | undefined
}

/** How long things may take. */
export interface TimeoutOptions<Time> {
  /**
   * How long a connection attempt may take, not counting the time that it waits for its turn. Default 30 s. The promise of the facade's
   * `connect` is rejected after the same time; if you do not give this option and no server seems to be starting, after 5 s.
   */
  readonly connect?: Time | undefined
  /** How long the server may take to answer a request. Default 60 s. */
  readonly request?: Time | undefined
  /**
   * How long a call waits for a connection. Default 10 s, and during the first start as long as that takes (`connect`, `startLimit`): the server
   * may have to be downloaded.
   */
  readonly wait?: Time | undefined
  /** How long closing a connection may take; after that, Lifeline stops waiting for it. Default 5 s. */
  readonly close?: Time | undefined
  /** How long calls in flight may take to finish when Lifeline replaces a connection on purpose. Default 10 s. */
  readonly drain?: Time | undefined
}

/** How long a server that works is kept. */
export interface HealthOptions<Time> {
  /**
   * How long a server whose processes work may answer nothing while no caller waits for what it does, before Lifeline replaces it. While the
   * caller waits, only the caller's own time counts. Default 2 minutes.
   */
  readonly busyLimit?: Time | undefined
}

/** How Lifeline handles calls. */
export interface CallsOptions<Time> {
  /**
   * Whether Lifeline sends a call again after the connection was lost during it. `safe`: if the server has not carried it out, or if
   * carrying it out twice does no harm (see `CallOptions.idempotent`). `never`: Lifeline sends every call at most once. Default `safe`.
   */
  readonly retry?: "safe" | "never" | undefined
  /** Whether to trust a tool's `readOnlyHint` and `idempotentHint`. Default true. */
  readonly trustAnnotations?: boolean | undefined
  /** Whether calls fail at once if there is no connection. Default false. */
  readonly failFast?: boolean | undefined
  /**
   * Which tools Lifeline runs as a task for callers that do not ask for one: it waits for the task's outcome, and gives it as the result of
   * the call. `required`: tools that run only so. `prefer`: all that can. `never`: none. Default `required`.
   */
  readonly tasks?: "required" | "prefer" | "never" | undefined
  /** After a session was lost: continue with the new one, or fail the first call with SessionExpired. Default `resume`. */
  readonly afterSessionLoss?: "resume" | "fail" | undefined
  /**
   * After the server, or a proxy in front of it, has refused a call (404, lost session, 401, 429, 503 with Retry-After): `resend` it; or
   * `safe`: treat the refusal as no proof that the call was not carried out, and send it again only if doing it twice does no harm, as
   * after a lost connection. Otherwise the call fails with ResultUnknown. Default `resend`.
   */
  readonly afterRefusal?: "resend" | "safe" | undefined
  /** Whether each `tools/call` carries an id in `_meta` (`mcp-lifeline/callId`), the same each time it is sent. Default false. */
  readonly callId?: boolean | undefined
  /** How many calls may be in flight; further ones wait for their turn, in order, within their own time. Default 1,000. */
  readonly maxInFlight?: number | undefined
  /**
   * How many calls of tools, readings of resources and gets of prompts may be in flight; further ones wait for their turn, in order, within
   * their own time. Default: no limit but `maxInFlight`.
   */
  readonly concurrency?: number | undefined
  /** How many calls may wait: for a connection, for the verdict on one in doubt, or for their turn. Further ones fail at once. Default 10,000. */
  readonly maxWaiting?: number | undefined
  /**
   * A caller that asks for progress (`onprogress`, or a `progressToken`) and has heard nothing for this long hears what goes on: that the
   * call still runs, or what it waits for. Lifeline says so only while the server answers other requests, among them a ping that it sends
   * for this, or while there is no connection and Lifeline makes one. `never`: it hears what the server reports, and nothing else. 100 ms
   * to 24 h. Default 15 s.
   */
  readonly progressInterval?: Time | "never" | undefined
}

/** How Lifeline handles calls of some tools. */
export interface ToolOptions<Time> {
  /**
   * Time for the whole call: waiting, the answer, and sending again. Default `timeouts.request`; for calls that `wrap` and `serve` pass on,
   * none. The `timeout` of a call overrides it.
   */
  readonly timeout?: Time | undefined
  /** The same as `calls.retry`. Default `calls.retry`. */
  readonly retry?: "safe" | "never" | undefined
  /** How many calls of these tools, together, may be in flight; further ones wait for their turn. Default: no limit of their own. */
  readonly concurrency?: number | undefined
  /** Whether carrying a call out twice does no harm. Default: what the tool's hints say. The `idempotent` of a call overrides it. */
  readonly idempotent?: boolean | undefined
}

/** When a connection is opened, and when an unused one is closed. */
export interface LifecycleOptions<Time> {
  /** Whether to connect only with the first call. The promise of the facade's `connect` is then never rejected. Default false. */
  readonly lazy?: boolean | undefined
  /** Close a connection after no call has used it for this long; the next call opens a new one. Default `never`. */
  readonly idleRelease?: Time | "never" | undefined
  /** Whether the backend starts disabled. Default false. */
  readonly disabled?: boolean | undefined
}

/** When and how Lifeline reads the server's lists. */
export interface DiscoveryOptions<Time> {
  /**
   * When the lists are read. `eager`: on every new connection. `learn`: once somebody asks for the catalogue; until then the hints of
   * tools are taken from the lists that the caller reads, unless something is hidden from callers. Default `eager`; in the facade's `connect` and `supervisedTransport`, `learn`.
   */
  readonly mode?: "eager" | "learn" | undefined
  /**
   * How often to read the lists again, for servers that do not announce changes. With `learn`, only after somebody has asked for the
   * catalogue. Default `never`.
   */
  readonly refreshInterval?: Time | "never" | undefined
  /**
   * The shortest time from the end of one reading of the lists to the next. While the server goes on announcing changes, it doubles each
   * time, up to a minute. `refresh` reads them at once. Default 300 ms.
   */
  readonly minRefreshInterval?: Time | undefined
  /** How many pages of one list Lifeline reads at most. Default 100. */
  readonly maxPages?: number | undefined
  /** How many entries of one list Lifeline reads at most. Default 10,000. */
  readonly maxEntries?: number | undefined
  /** How deeply arrays and objects may be nested in one entry. Lifeline leaves out a deeper entry, and reports it. Default 500. */
  readonly maxDepth?: number | undefined
}

/** How a server is supervised. */
export interface PolicyOptions<Time> {
  /** How a session is kept alive, and how a dead one is found. */
  readonly keepalive?: KeepaliveOptions<Time> | undefined
  /** How Lifeline reconnects after a connection was lost. */
  readonly reconnect?: ReconnectOptions<Time> | undefined
  /** How long things may take. */
  readonly timeouts?: TimeoutOptions<Time> | undefined
  /** When a connection counts as lost because of failures. */
  readonly health?: HealthOptions<Time> | undefined
  /** How Lifeline handles calls. */
  readonly calls?: CallsOptions<Time> | undefined
  /**
   * How Lifeline handles calls of some tools, by the name that the server gives them, or by a pattern in which `*` stands for any number of
   * characters and `?` for one. If several match, each option comes from the most exact one that has it: the name itself, or else the pattern
   * with the most characters that stand for themselves; of equals, the first.
   */
  readonly tools?: { readonly [pattern: string]: ToolOptions<Time> | undefined } | undefined
  /** When a connection is opened, and when an unused one is closed. */
  readonly lifecycle?: LifecycleOptions<Time> | undefined
  /** When and how Lifeline reads the server's lists. */
  readonly discovery?: DiscoveryOptions<Time> | undefined
}
