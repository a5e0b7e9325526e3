/**
 * What only a compiler would have checked: not every program has one, and configurations are read from files.
 */
import { Duration, Option, Predicate } from "effect"
import { ConfigError } from "../Errors.js"
import type { CallOptions, ConnectOptions, FleetOptions, SignalOptions } from "../Options.js"

const kind = (value: unknown): string => value === null ? "null" : Array.isArray(value) ? "an array" : typeof value

const quoted = (value: unknown): string => typeof value === "string" ? JSON.stringify(value) : kind(value)

/** Says of what kind a value is and not which, where it may be a secret. */
const wrong = (backend: string, field: string, value: unknown, accepted: string, shown = kind(value)): ConfigError =>
  new ConfigError({ backend, field, message: `${backend}: ${field} is ${shown}; accepted: ${accepted}` })

/** An object. Throws ConfigError. */
export const record = (backend: string, field: string, value: unknown, accepted: string): void => {
  if (!Predicate.isRecord(value)) throw wrong(backend, field, value, accepted)
}

/** A string. Throws ConfigError. */
export const string = (backend: string, field: string, value: unknown): void => {
  if (typeof value !== "string") throw wrong(backend, field, value, "a string")
}

/** Strings, if there are any: in an array, or by name. Throws ConfigError. */
export const strings = (backend: string, field: string, value: unknown, list: boolean): void => {
  if (value === undefined) return
  const accepted = list ? "an array of strings" : "an object of strings"
  if (!list) record(backend, field, value, accepted)
  else if (!Array.isArray(value)) throw wrong(backend, field, value, accepted)
  for (const [key, one] of Object.entries(value as object)) string(backend, `${field}.${key}`, one)
}

const known: Readonly<Record<keyof (ConnectOptions & FleetOptions), true>> = {
  keepalive: true,
  reconnect: true,
  timeouts: true,
  health: true,
  calls: true,
  lifecycle: true,
  discovery: true,
  name: true,
  clientInfo: true,
  capabilities: true,
  handlers: true,
  onConnected: true,
  signal: true,
  logger: true,
  telemetry: true,
  connectConcurrency: true,
  waitTimeout: true,
  require: true
}

/** The options of `connect`, `connectAll` and `supervisedTransport`, by name. Throws ConfigError. */
export const options = (backend: string, given: object): void => {
  record(backend, "options", given, "an object of options")
  for (const field of Object.keys(given)) {
    if (Object.hasOwn(known, field)) continue
    const accepted = Object.keys(known).join(", ")
    throw new ConfigError({
      backend,
      field,
      message: `${backend}: ${field} is not accepted; no such option, there are: ${accepted}`
    })
  }
}

/** One of some values, if it is given. Throws ConfigError. */
export const oneOf = (backend: string, field: string, value: unknown, accepted: ReadonlyArray<string>): void => {
  if (value === undefined || accepted.includes(value as string)) return
  throw wrong(backend, field, value, accepted.join(" or "), quoted(value))
}

/** What is wrong with durations, of those that are given. A number is one. */
export const durations = (
  backend: string,
  given: object | undefined,
  fields: ReadonlyArray<string>
): ConfigError | undefined => {
  if (given === undefined) return undefined
  for (const field of fields) {
    const value = (given as Readonly<Record<string, unknown>>)[field]
    if (value === undefined || typeof value === "number" || Option.isSome(Duration.decodeUnknown(value))) continue
    return wrong(backend, field, value, 'milliseconds, or a text such as "5 minutes"', quoted(value))
  }
  return undefined
}

const times: ReadonlyArray<keyof CallOptions> = ["timeout", "maxTotalTimeout", "wait"]

/** What is wrong with the options of a call. */
export const call = (backend: string, options: CallOptions | SignalOptions | undefined): ConfigError | undefined =>
  durations(backend, options, times)
