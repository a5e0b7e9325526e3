/** Checks at run time: not every program is compiled with types, and configurations are read from files. */
import { McpConfig } from "@mcp-lifeline/config"
import { Check, checkPrefix, Problem, TimeSpan } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { Predicate } from "effect"
import type { ConfigError } from "../Errors.js"
import type {
  CallOptions,
  CommonOptions,
  ConnectOptions,
  FleetOptions,
  OfficialOptions,
  ServerRequestHandlers,
  SignalOptions,
  TransportOptions
} from "../Options.js"
import type { SessionCallOptions } from "../Session.js"
import type { SignInClient, SignInOptions } from "../SignInOptions.js"
import type { TelemetryOptions } from "../TelemetryOptions.js"
import { fromError } from "./Failure.js"

const signal = Check.is(
  (value) =>
    Predicate.isRecord(value) && Predicate.isBoolean(value["aborted"]) &&
    Predicate.isFunction(value["addEventListener"]),
  "an AbortSignal"
)

const implementation = Check.isSecret(
  (value) => Predicate.isRecord(value) && Predicate.isString(value["name"]) && Predicate.isString(value["version"]),
  "an object with name and version"
)

type Table<Options> = { readonly [K in keyof Required<Options>]: Check.Check }

const listChange = Check.options(
  { autoRefresh: Check.flag, debounceMs: Check.whole(0, Infinity), onChanged: Check.func },
  "listChanged"
)

const listChanged: Check.Check = (value, path) =>
  Predicate.isRecord(value) && value["onChanged"] === undefined
    ? [...listChange(value, path), { path: [...path, "onChanged"], message: "is missing; accepted: a function" }]
    : listChange(value, path)

const official: Table<OfficialOptions> = {
  debouncedNotificationMethods: Check.list(Check.text, "an array of names of notifications"),
  defaultTaskPollInterval: Check.whole(1, Infinity),
  enforceStrictCapabilities: Check.flag,
  jsonSchemaValidator: Check.object,
  listChanged: Check.options({ tools: listChanged, prompts: listChanged, resources: listChanged }, "listChanged"),
  maxTaskQueueSize: Check.whole(0, Infinity),
  taskMessageQueue: Check.object,
  taskStore: Check.object
}

export const officialOptions = Object.keys(official) as ReadonlyArray<keyof OfficialOptions>

const signInOptions = Check.options(
  {
    account: Check.text,
    client: Check.options(
      {
        id: Check.text,
        issuer: Check.text,
        secret: Check.text,
        key: Check.object,
        document: Check.text
      } satisfies Table<SignInClient>,
      "client"
    ),
    scope: Check.text,
    method: Check.oneOf("browser", "credentials"),
    redirect: Check.options({ host: Check.text, port: Check.whole(0, 65_535), path: Check.text }, "redirect"),
    browser: Check.flag,
    onLogin: Check.func,
    wait: Check.span(0, TimeSpan.day),
    folder: Check.text
  } satisfies Table<SignInOptions>,
  "signIn"
)

const signIn: Check.Check = (value, path) =>
  Predicate.isBoolean(value)
    ? []
    : Predicate.isRecord(value)
    ? signInOptions(value, path)
    : [Problem.wrong(path, value, "true, false or an object of options")]

/** Of every function. */
const common = {
  ...ServerOptions.checks,
  signIn,
  temperamentMemory: Check.is(
    (value) => Predicate.isBoolean(value) || (Predicate.isString(value) && value !== ""),
    "true, false or the path of a folder"
  ),
  onConnected: Check.func,
  logger: Check.func,
  telemetry: Check.options(
    { tracerProvider: Check.object, meterProvider: Check.object } satisfies Table<TelemetryOptions>,
    "telemetry"
  )
}

const client: Table<CommonOptions> = {
  ...common,
  ...official,
  clientInfo: implementation,
  capabilities: Check.object,
  handlers: Check.options(
    { sampling: Check.func, elicitation: Check.func, roots: Check.func } satisfies Table<ServerRequestHandlers>,
    "handlers"
  ),
  signal
}

const tables = {
  connect: { ...client, name: Check.text } satisfies Table<ConnectOptions>,
  connectAll: {
    ...client,
    prefix: checkPrefix,
    connectConcurrency: Check.whole(1, Infinity),
    waitTimeout: Check.span(0, TimeSpan.day),
    require: Check.oneOf("any", "all"),
    variables: Check.is(
      (value) => value === false || Predicate.isRecord(value),
      "an object of texts by name, or false for none"
    )
  } satisfies Table<FleetOptions>,
  supervisedTransport: { ...common, name: Check.text } satisfies Table<TransportOptions>
} as const

export type FunctionName = keyof typeof tables

const functions = Object.keys(tables) as ReadonlyArray<FunctionName>

export const isOption = (name: unknown): boolean => functions.some((one) => Object.hasOwn(tables[one], String(name)))

const unknownOption = (name: FunctionName, path: Problem.Path): Problem.Problem => {
  const others = functions.filter((other) => Object.hasOwn(tables[other], String(path[0])))
  if (others.length > 0) return { path, message: `is not an option of ${name}, but of ${others.join(" and ")}` }
  if (McpConfig.isKey(path[0])) {
    const where = name === "connectAll" ? "in the server's entry" : "in the first argument"
    return { path, message: `is not an option of ${name}, but of a server; give it ${where}` }
  }
  return McpConfig.notTakenOver(path) ?? Problem.unknown(path, Object.keys(tables[name]), { of: name })
}

export const options = (name: FunctionName, value: unknown): ReadonlyArray<Problem.Problem> =>
  Check.options(tables[name], name, { unknown: (path) => unknownOption(name, path) })(value, [])

const duration = Check.span(0, 365 * TimeSpan.day)
const anything: Check.Check = () => []

/** Makes the check once, because it is used for each call. */
const checked = <Options extends object>(of: string, table: Table<Options>) => {
  const check = Check.options(table, of)
  return (backend: string, options: Options | undefined): ConfigError | undefined => {
    const problems = options === undefined ? [] : check(options, [])
    return Problem.some(problems) ? fromError(Problem.refuse(backend, problems)) as ConfigError : undefined
  }
}

export const call = checked<CallOptions>("a call", {
  timeout: duration,
  maxTotalTimeout: duration,
  wait: duration,
  idempotent: Check.flag,
  failFast: Check.flag,
  resetTimeoutOnProgress: Check.flag,
  onprogress: Check.func,
  signal,
  task: anything,
  relatedTask: anything,
  relatedRequestId: anything,
  resumptionToken: anything,
  onresumptiontoken: anything
})

/** `reconnect`, `refresh` and the like. */
export const command = checked<SignalOptions>("a command", { signal })

export const sessionCall = checked<SessionCallOptions>("a request of a session", { timeout: duration })
