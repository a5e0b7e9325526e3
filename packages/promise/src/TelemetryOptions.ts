/**
 * Where the facade sends spans and metrics.
 */
/**
 * Providers of any SDK for OpenTelemetry. Without a provider, Lifeline does not record its signals.
 *
 * The span of a call is a child of the span that is active where you make the call, and is passed on to the server.
 */
export interface TelemetryOptions {
  /** Gets a span for each call, each request that Lifeline sends for it, and each connection attempt. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Gets the metrics of calls, of the lifecycle and of keepalive. */
  readonly meterProvider?: MeterProvider | undefined
}

/** The API's TracerProvider, as far as the facade uses it, so that you need its types only if you use it. */
export interface TracerProvider {
  getTracer(name: string, version?: string): object
}

/** The API's MeterProvider, as far as the facade uses it. */
export interface MeterProvider {
  getMeter(name: string, version?: string): object
}
