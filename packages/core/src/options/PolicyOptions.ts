/** As users give them. `Time`: the type of a duration, wider in programs with Effect. */

export type KeepaliveMethod = "ping" | `tool:${string}` | "options" | "none"

export interface KeepaliveOptions<Time> {
  /**
   * `ping`, `tool:<name>` (ping first, then the tool), `options` (HTTP only) or `none`. Default `ping`. A call that timed out causes a probe even with `none`.
   */
  readonly method?: KeepaliveMethod | undefined
  /** Arguments of the fallback tool. Default `{}`. */
  readonly toolArguments?: { readonly [key: string]: unknown } | undefined
  /** The longest time without an answered request, 1 s to 24 h. Default 5 minutes. */
  readonly interval?: Time | undefined
  /** For one heartbeat; a ping and its fallback share it. Default 10 s. */
  readonly timeout?: Time | undefined
  /** Failed pings in a row before the fallback tool is called. Default 2. */
  readonly fallbackAfter?: number | undefined
  /**
   * Heartbeats or probes in a row without an answer until the connection is lost; or, if other requests are answered, keepalive switches itself off. Default 3.
   */
  readonly failureThreshold?: number | undefined
  /** Time from a failed heartbeat or probe to the next one, in which the wait in vain counts; at most `interval`. Default 10 s. */
  readonly suspectInterval?: Time | undefined
  /** Time until a keepalive that switched itself off tries again. Default 30 minutes. */
  readonly reprobeAfter?: Time | undefined
  /**
   * How long the server keeps an unused session; the interval is at most half of this. `never` turns keepalive off, unless a method is given. Default: not
   * known.
   */
  readonly idleTtl?: Time | "never" | undefined
  /** `options` heartbeats carry your headers, including credentials. Default true. */
  readonly authenticated?: boolean | undefined
}

export interface ReconnectOptions<Time> {
  /** If false, only `reconnect()` and `enable()` reconnect. Default true. */
  readonly auto?: boolean | undefined
  /** The first delay of the backoff, before jitter. Default 1 s. */
  readonly initialDelay?: Time | undefined
  /** Multiplies each delay. Default 2. */
  readonly factor?: number | undefined
  /** The longest delay. Default 60 s. */
  readonly maxDelay?: Time | undefined
  /** Attempts with backoff, before the backend becomes Dormant and attempts are rare. Default 5. */
  readonly maxAttempts?: number | undefined
  /** A connection that lasted this long, or answered a call, is good: the backoff starts anew. Default 10 s. */
  readonly stableAfter?: Time | undefined
  /** Between attempts of a Dormant backend, with jitter. Default 5 minutes. */
  readonly dormantProbe?: Time | undefined
  /** Cuts a longer Retry-After of the server. Default 10 minutes. */
  readonly maxRetryAfter?: Time | undefined
  /**
   * The shortest time between attempts that calls trigger. Doubles with each failure up to `maxDelay`, but not after a 404 or 5xx, and for a waiting call to at
   * most 40% of its wait (`timeouts.wait`, 4 s by default). Attempts that reach no server (refused, unreachable) come sooner: after a tenth of the outage, at
   * least a quarter of this. After a permanent failure it counts from the failure. Default 1 s.
   */
  readonly demandInterval?: Time | undefined
  /** Make the new connection before closing the old one. Default: true for HTTP, false for stdio. */
  readonly overlap?: boolean | undefined
}

export interface TimeoutOptions<Time> {
  /**
   * For an attempt to connect, without the wait for its turn. Default 30 s. The facade's `connect` rejects after the same time; without this option, after 5 s if no
   * server seems to be starting.
   */
  readonly connect?: Time | undefined
  /** For the answer to a request. Default 60 s. */
  readonly request?: Time | undefined
  /** For a call that waits for a connection. Default 10 s, and during the first start as long as that takes (`connect`, `startLimit`). */
  readonly wait?: Time | undefined
  /** For closing a connection; then it is abandoned. Default 5 s. */
  readonly close?: Time | undefined
  /** For calls in flight on a connection that is replaced on purpose. Default 10 s. */
  readonly drain?: Time | undefined
}

export interface HealthOptions<Time> {
  /** How long a server whose processes work may answer nothing while no caller waits, before it is replaced. Default 2 minutes. */
  readonly busyLimit?: Time | undefined
  /** If false, a verdict is made and told, but ends nothing: `Status.wouldHaveEnded` counts. Default true. */
  readonly enforce?: boolean | undefined
}

export interface CallsOptions<Time> {
  /**
   * After a lost connection. `safe`: send a call again if it was not carried out, or if carrying it out twice does no harm (see `CallOptions.idempotent`).
   * `never`: send every call at most once. Default `safe`.
   */
  readonly retry?: "safe" | "never" | undefined
  /** Trust `readOnlyHint` and `idempotentHint`: of all tools, of none, or of these names and patterns (`*`, `?`). Default true. */
  readonly trustAnnotations?: boolean | ReadonlyArray<string> | undefined
  /** Fail at once without a connection. Default false. */
  readonly failFast?: boolean | undefined
  /**
   * Tools that run as a task for callers that do not ask for one; its outcome is the result of the call. `required`: those that run only so. `prefer`: all that
   * can. `never`: none. Default `required`.
   */
  readonly tasks?: "required" | "prefer" | "never" | undefined
  /** Continue with the new session, or fail the first call with SessionExpired. Default `resume`. */
  readonly afterSessionLoss?: "resume" | "fail" | undefined
  /**
   * After the server, or a proxy, has refused a call (404, lost session, 401, 429, 503 with Retry-After): `resend` it; or `safe`: only if carrying it out
   * twice does no harm, otherwise it fails with ResultUnknown. Default `resend`.
   */
  readonly afterRefusal?: "resend" | "safe" | undefined
  /** Each `tools/call` carries an id in `_meta` (`mcp-lifeline/callId`), the same each time it is sent. Default false. */
  readonly callId?: boolean | undefined
  /** Calls in flight; others wait for their turn, in order, within their own time. Default 1,000. */
  readonly maxInFlight?: number | undefined
  /** The same for tool calls, readings of resources and gets of prompts. Default: no limit but `maxInFlight`. */
  readonly concurrency?: number | undefined
  /** Calls that wait: for a connection, for the verdict on one, or for their turn. Others fail at once. Default 10,000. */
  readonly maxWaiting?: number | undefined
  /**
   * After this silence, a caller that asks for progress (`onprogress`, or a `progressToken`) hears that the call still runs, or what it waits for; only while
   * the server answers other requests, such as a ping sent for this, or Lifeline connects. `never`: it hears the server's reports only. 100 ms to 24 h. Default
   * 15 s.
   */
  readonly progressInterval?: Time | "never" | undefined
}

export interface ToolOptions<Time> {
  /**
   * For the whole call: waiting, the answer, and sending again. Default `timeouts.request`; for calls that `wrap` and `serve` pass on, none. A call's `timeout`
   * overrides it.
   */
  readonly timeout?: Time | undefined
  /** Default `calls.retry`. */
  readonly retry?: "safe" | "never" | undefined
  /** Calls of these tools in flight, together; others wait for their turn. Default: no limit of their own. */
  readonly concurrency?: number | undefined
  /** Carrying a call out twice does no harm. Default: as the tool's hints say. A call's `idempotent` overrides it. */
  readonly idempotent?: boolean | undefined
}

export interface LifecycleOptions<Time> {
  /** Connect with the first call only; the facade's `connect` then never rejects. Default false. */
  readonly lazy?: boolean | undefined
  /** Close a connection that no call has used for this long; the next call opens one. Default `never`. */
  readonly idleRelease?: Time | "never" | undefined
  /** Start disabled. Default false. */
  readonly disabled?: boolean | undefined
}

export interface DiscoveryOptions<Time> {
  /**
   * `eager`: read the lists on every new connection. `learn`: once somebody asks for the catalogue; until then the hints of tools come from the lists that the
   * caller reads, unless something is hidden. Default `eager`; in the facade's `connect` and `supervisedTransport`, `learn`.
   */
  readonly mode?: "eager" | "learn" | undefined
  /**
   * Reads the lists again this often, for servers that do not announce changes. With `learn`, only once somebody has asked for the catalogue. Default `never`.
   */
  readonly refreshInterval?: Time | "never" | undefined
  /**
   * The shortest time between two readings of the lists. Doubles while the server goes on announcing changes, up to a minute. `refresh` reads at once. Default
   * 300 ms.
   */
  readonly minRefreshInterval?: Time | undefined
  /** Of one list. Default 100. */
  readonly maxPages?: number | undefined
  /** Of one list. Default 10,000. */
  readonly maxEntries?: number | undefined
  /** Of arrays and objects in one entry. A deeper entry is left out, and reported. Default 500. */
  readonly maxDepth?: number | undefined
}

export interface PolicyOptions<Time> {
  readonly keepalive?: KeepaliveOptions<Time> | undefined
  readonly reconnect?: ReconnectOptions<Time> | undefined
  readonly timeouts?: TimeoutOptions<Time> | undefined
  readonly health?: HealthOptions<Time> | undefined
  readonly calls?: CallsOptions<Time> | undefined
  /**
   * By the server's name of a tool, or by a pattern: `*` stands for any number of characters, `?` for one. Each option comes from the most exact match that has
   * it: the name, or the pattern with the most literal characters; of equals, the first.
   */
  readonly tools?: { readonly [pattern: string]: ToolOptions<Time> | undefined } | undefined
  readonly lifecycle?: LifecycleOptions<Time> | undefined
  readonly discovery?: DiscoveryOptions<Time> | undefined
}

export interface CallBounds<Time> {
  /** For the whole call: waiting, the answer, and sending again. Default: that of its tool, or `timeouts.request`. */
  readonly timeout?: Time | undefined
  /** For the whole call, not extended by progress. Default: none. */
  readonly maxTotalTimeout?: Time | undefined
  /** For a connection. Default `timeouts.wait`. */
  readonly wait?: Time | undefined
  /** Twice does no harm: Lifeline may send the call again after a lost connection. Default: that of its tool, or the method and the tool's hints. */
  readonly idempotent?: boolean | undefined
  /** Fail at once without a connection. Default `calls.failFast`. */
  readonly failFast?: boolean | undefined
}
