/**
 * The options of a backend, as they are given. `Time`: what a length of time may be, which is more where a program has Effect.
 */

/** What the heartbeat is. */
export type KeepaliveMethod = "ping" | `tool:${string}` | "options" | "none"

/** How a session is kept alive, and how a dead one is found. */
export interface KeepaliveOptions<Time> {
  /**
   * `ping`, `tool:<name>` (ping first, then the tool), `options` (HTTP only) or `none`. Default `ping`. With `none`, too, a call that
   * times out is followed by a probe.
   */
  readonly method?: KeepaliveMethod | undefined
  /** Arguments of the fallback tool. Default `{}`. */
  readonly toolArguments?: { readonly [key: string]: unknown } | undefined
  /** Longest time without an answered request, 1 s to 24 h. Default 5 minutes. */
  readonly interval?: Time | undefined
  /** Time for one heartbeat; a ping and its fallback share it. Default 10 s. */
  readonly timeout?: Time | undefined
  /** Failed pings in a row before the fallback tool is used. Default 2. */
  readonly fallbackAfter?: number | undefined
  /** Failing rounds in a row before the connection is declared lost or the breaker opens. Default 3. */
  readonly failureThreshold?: number | undefined
  /** Wait after a failing round. Default 10 s. */
  readonly suspectInterval?: Time | undefined
  /** Wait before an open breaker is probed. Default 30 minutes. */
  readonly reprobeAfter?: Time | undefined
  /** How long the server lets a session idle; `never` turns keepalive off unless a method is given. Default unknown. */
  readonly idleTtl?: Time | "never" | undefined
  /** Whether the credentials go with OPTIONS. Default true. */
  readonly authenticated?: boolean | undefined
}

/** How a lost connection comes back. */
export interface ReconnectOptions<Time> {
  /** Come back without being asked. Default true. */
  readonly auto?: boolean | undefined
  /** First delay of the backoff, before jitter. Default 1 s. */
  readonly initialDelay?: Time | undefined
  /** Growth of the delay. Default 2. */
  readonly factor?: number | undefined
  /** Bound on every delay. Default 60 s. */
  readonly maxDelay?: Time | undefined
  /** Quick attempts before the backend goes Dormant. Default 5. */
  readonly maxAttempts?: number | undefined
  /** A connection that has lived this long is stable; the backoff starts anew. Default 10 s. */
  readonly stableAfter?: Time | undefined
  /** Time between attempts of a dormant backend, jittered. Default 5 minutes. */
  readonly dormantProbe?: Time | undefined
  /** Longest Retry-After that is respected. Default 10 minutes. */
  readonly maxRetryAfter?: Time | undefined
  /** Least time between attempts that waiting calls ask for; doubles with each failure up to `maxDelay`. Default 1 s. */
  readonly demandInterval?: Time | undefined
  /** Make the new connection before the old one is closed. Default: as the transport says: true for HTTP, false for stdio. */
  readonly overlap?: boolean | undefined
}

/** How long things may take. */
export interface TimeoutOptions<Time> {
  /**
   * A connection attempt, its wait for a permit not counted. Default 30 s. It is also how long the client's `connect` tries
   * before it rejects; where it is not given and there is no server, `connect` tries for 5 s.
   */
  readonly connect?: Time | undefined
  /** The answer to a request. Default 60 s. */
  readonly request?: Time | undefined
  /** How long a call waits for a connection. Default 10 s. */
  readonly wait?: Time | undefined
  /** Closing a connection, before it is abandoned. Default 5 s. */
  readonly close?: Time | undefined
  /** Time for calls in flight when a connection is replaced on purpose. Default 10 s. */
  readonly drain?: Time | undefined
}

/** When a live connection counts as broken. */
export interface HealthOptions {
  /** Consecutive failures (of discovery, or of probes) that declare a connection lost. Default 3. */
  readonly failureThreshold?: number | undefined
}

/** What is done with calls. */
export interface CallsOptions {
  /**
   * Whether a call that was cut off is sent again. `safe`: where it was not carried out, or where carrying it out twice does no
   * harm (see `CallOptions.idempotent`); `never`: every call is sent once. Default `safe`.
   */
  readonly retry?: "safe" | "never" | undefined
  /** Believe a tool's readOnlyHint and idempotentHint. Default true. */
  readonly trustAnnotations?: boolean | undefined
  /** Fail at once when there is no connection. Default false. */
  readonly failFast?: boolean | undefined
  /** After an unwanted new session: go on, or fail the first call with SessionExpired. Default `resume`. */
  readonly afterSessionLoss?: "resume" | "fail" | undefined
  /** Bound on calls in flight. Default 1,000. */
  readonly maxInFlight?: number | undefined
  /** Bound on calls that wait for a connection. Default 1,000. */
  readonly maxWaiting?: number | undefined
}

/** When a connection is made and let go. */
export interface LifecycleOptions<Time> {
  /** Connect on first demand; the client's `connect` then never rejects. Default false. */
  readonly lazy?: boolean | undefined
  /** Let go of a connection that no call has used for this long. Default `never`. */
  readonly idleRelease?: Time | "never" | undefined
  /** Start disabled. Default false. */
  readonly disabled?: boolean | undefined
}

/** How the catalogue is read. */
export interface DiscoveryOptions<Time> {
  /**
   * Who asks for the lists. `eager`: they are read on every new connection. `learn`: nothing is read until somebody asks for the
   * catalogue; what a tool's hints say is learnt from the lists that the caller reads. Default `eager`; in the client's `connect`
   * and `supervisedTransport` it is `learn`.
   */
  readonly mode?: "eager" | "learn" | undefined
  /**
   * Read the lists again this often, for servers that do not announce changes; with `learn`, once the catalogue was asked for.
   * Default `never`.
   */
  readonly refreshInterval?: Time | "never" | undefined
  /**
   * Least time from the end of one reading of the lists to the next, however often the server announces changes; a reading
   * that is asked for by hand begins at once. Default 300 ms.
   */
  readonly minRefreshInterval?: Time | undefined
  /** Bound on the pages of one list. Default 100. */
  readonly maxPages?: number | undefined
  /** Bound on the entries of one list. Default 10,000. */
  readonly maxEntries?: number | undefined
  /** Bound on the levels of arrays and objects in one entry; a deeper entry is left out, and reported. Default 500. */
  readonly maxDepth?: number | undefined
}

/** How a server is supervised. */
export interface PolicyOptions<Time> {
  /** How a session is kept alive, and how a dead one is found. */
  readonly keepalive?: KeepaliveOptions<Time> | undefined
  /** How a lost connection comes back. */
  readonly reconnect?: ReconnectOptions<Time> | undefined
  /** How long things may take. */
  readonly timeouts?: TimeoutOptions<Time> | undefined
  /** When a live connection counts as broken. */
  readonly health?: HealthOptions | undefined
  /** What is done with calls. */
  readonly calls?: CallsOptions | undefined
  /** When a connection is made and let go. */
  readonly lifecycle?: LifecycleOptions<Time> | undefined
  /** How the catalogue is read. */
  readonly discovery?: DiscoveryOptions<Time> | undefined
}
