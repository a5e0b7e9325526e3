/**
 * The options of a backend, as users give them. `Time` is the type of a duration, which is wider in programs with Effect.
 */

/** What the heartbeat is. */
export type KeepaliveMethod = "ping" | `tool:${string}` | "options" | "none"

/** How a session is kept alive, and how a dead one is found. */
export interface KeepaliveOptions<Time> {
  /**
   * `ping`, `tool:<name>` (ping first, then the tool), `options` (HTTP only) or `none`. Default `ping`. A call that times out is
   * followed by a probe with every method, also with `none`.
   */
  readonly method?: KeepaliveMethod | undefined
  /** Arguments of the fallback tool. Default `{}`. */
  readonly toolArguments?: { readonly [key: string]: unknown } | undefined
  /** The longest time without an answered request, 1 s to 24 h. Default 5 minutes. */
  readonly interval?: Time | undefined
  /** Time for one heartbeat; a ping and its fallback share it. Default 10 s. */
  readonly timeout?: Time | undefined
  /** Failed pings in a row before the fallback tool is used. Default 2. */
  readonly fallbackAfter?: number | undefined
  /**
   * Failed heartbeats in a row before the connection is declared lost, or, if calls are still answered, keepalive switches itself off.
   * Default 3.
   */
  readonly failureThreshold?: number | undefined
  /** How long to wait after a failed heartbeat or probe before the next one. Default 10 s. */
  readonly suspectInterval?: Time | undefined
  /** How long a keepalive that switched itself off waits before it tries again. Default 30 minutes. */
  readonly reprobeAfter?: Time | undefined
  /**
   * After how long without a request the server ends a session; the interval is then at most half of it. `never` turns keepalive off, unless a
   * method is given. Default: not known.
   */
  readonly idleTtl?: Time | "never" | undefined
  /** Whether `options` heartbeats carry the headers, credentials included. Default true. */
  readonly authenticated?: boolean | undefined
}

/** How a lost connection comes back. */
export interface ReconnectOptions<Time> {
  /** Reconnect after a loss. If false, only `reconnect()` and `enable()` connect again. Default true. */
  readonly auto?: boolean | undefined
  /** The first delay of the backoff, before jitter. Default 1 s. */
  readonly initialDelay?: Time | undefined
  /** Each delay is the one before times this factor. Default 2. */
  readonly factor?: number | undefined
  /** No delay is longer than this. Default 60 s. */
  readonly maxDelay?: Time | undefined
  /** Attempts with backoff before the backend becomes Dormant, where attempts are rare. Default 5. */
  readonly maxAttempts?: number | undefined
  /** Once a connection has lived this long, it is stable, and the backoff starts over. Default 10 s. */
  readonly stableAfter?: Time | undefined
  /** Time between attempts of a Dormant backend, with jitter. Default 5 minutes. */
  readonly dormantProbe?: Time | undefined
  /** A longer Retry-After of the server is cut to this. Default 10 minutes. */
  readonly maxRetryAfter?: Time | undefined
  /** Least time between attempts that waiting calls bring forward. It doubles with each failure, up to `maxDelay`. Default 1 s. */
  readonly demandInterval?: Time | undefined
  /** Make the new connection before the old one is closed. Default: true for HTTP, false for stdio. */
  readonly overlap?: boolean | undefined
}

/** How long things may take. */
export interface TimeoutOptions<Time> {
  /**
   * How long an attempt to connect may take, without the time that it waits for its turn. Default 30 s. The facade's `connect` rejects
   * after the same time; if you do not give this option and no server answers, after 5 s.
   */
  readonly connect?: Time | undefined
  /** How long the answer to a request may take. Default 60 s. */
  readonly request?: Time | undefined
  /** How long a call waits for a connection. Default 10 s. */
  readonly wait?: Time | undefined
  /** How long closing a connection may take; then it is abandoned. Default 5 s. */
  readonly close?: Time | undefined
  /** How long calls in flight may take to finish when a connection is replaced on purpose. Default 10 s. */
  readonly drain?: Time | undefined
}

/** When a live connection counts as broken. */
export interface HealthOptions {
  /** After so many consecutive failures, of discovery or of probes, a connection is lost. Default 3. */
  readonly failureThreshold?: number | undefined
}

/** How calls are treated. */
export interface CallsOptions {
  /**
   * Whether a call that was cut off is sent again. `safe`: if it was not carried out, or if carrying it out twice does no harm (see
   * `CallOptions.idempotent`). `never`: every call is sent at most once. Default `safe`.
   */
  readonly retry?: "safe" | "never" | undefined
  /** Trust a tool's `readOnlyHint` and `idempotentHint`. Default true. */
  readonly trustAnnotations?: boolean | undefined
  /** Fail at once when there is no connection. Default false. */
  readonly failFast?: boolean | undefined
  /** After a session was lost: go on with the new one, or fail the first call with SessionExpired. Default `resume`. */
  readonly afterSessionLoss?: "resume" | "fail" | undefined
  /** At most so many calls are in flight; further ones fail at once. Default 1,000. */
  readonly maxInFlight?: number | undefined
  /** At most so many calls wait for a connection; further ones fail at once. Default 1,000. */
  readonly maxWaiting?: number | undefined
}

/** When a connection is opened, and when an unused one is closed. */
export interface LifecycleOptions<Time> {
  /** Connect with the first call. The facade's `connect` then never rejects. Default false. */
  readonly lazy?: boolean | undefined
  /** Close a connection that no call has used for this long; the next call opens a new one. Default `never`. */
  readonly idleRelease?: Time | "never" | undefined
  /** Start disabled. Default false. */
  readonly disabled?: boolean | undefined
}

/** How the catalogue is read. */
export interface DiscoveryOptions<Time> {
  /**
   * When the lists are read. `eager`: on every new connection. `learn`: once somebody asks for the catalogue; until then the hints of
   * tools are taken from the lists that the caller reads. Default `eager`; in the facade's `connect` and `supervisedTransport`, `learn`.
   */
  readonly mode?: "eager" | "learn" | undefined
  /**
   * How often to read the lists again, for servers that do not announce changes. With `learn`, only after somebody has asked for the
   * catalogue. Default `never`.
   */
  readonly refreshInterval?: Time | "never" | undefined
  /**
   * Least time from the end of one reading of the lists to the next, however often the server announces changes. `refresh` reads at
   * once. Default 300 ms.
   */
  readonly minRefreshInterval?: Time | undefined
  /** The most pages that are read of one list. Default 100. */
  readonly maxPages?: number | undefined
  /** The most entries that are read of one list. Default 10,000. */
  readonly maxEntries?: number | undefined
  /** How deeply arrays and objects may be nested in one entry. A deeper entry is left out and reported. Default 500. */
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
  /** How calls are treated. */
  readonly calls?: CallsOptions | undefined
  /** When a connection is opened, and when an unused one is closed. */
  readonly lifecycle?: LifecycleOptions<Time> | undefined
  /** How the catalogue is read. */
  readonly discovery?: DiscoveryOptions<Time> | undefined
}
