/**
 * Providers of any OpenTelemetry SDK. Without a provider, its signals are not recorded.
 *
 * The span of a call is a child of the active span, and is passed on to the server.
 */
export interface TelemetryOptions {
  /** Spans of calls, of requests sent for them, and of connection attempts. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Metrics of calls, lifecycle and keepalive. */
  readonly meterProvider?: MeterProvider | undefined
}

/** The API's TracerProvider, without needing its types. */
export interface TracerProvider {
  getTracer(name: string, version?: string): object
}

/** The API's MeterProvider, without needing its types. */
export interface MeterProvider {
  getMeter(name: string, version?: string): object
}
